"""How far one record moves a sum of scaled gradients."""

from __future__ import annotations

from fractions import Fraction

from accountant.core.exact import exact
from accountant.core.kernel import Derivation, apply
from accountant.core.scaling import Scaling
from accountant.theorems.scaling import bounded_sensitivity, scaled_sensitivity


def derive_sensitivity(scaling: Scaling, gradient_norm_bound: Fraction | int | str | None = None) -> Derivation:
    """Δ of a sum of scaled gradients (add or remove one record): T14, or T14g where every gradient's norm is bounded.

    Raises:
        TheoremError: a bound that is not positive.
        TypeError: a bound that is a float.
    """
    if gradient_norm_bound is None:
        return apply(scaled_sensitivity, **scaling.arguments())
    bound = exact(gradient_norm_bound, "gradient_norm_bound")
    return apply(bounded_sensitivity, **scaling.arguments(), gradient_norm_bound=bound)
