"""Derivations about per-sample scaling: a map's sensitivity, and a scalar linear model's constants under a map."""

from __future__ import annotations

from fractions import Fraction

from accountant.core.exact import exact
from accountant.core.kernel import Derivation, apply
from accountant.core.scaling import InvalidScaling, Scaling
from accountant.losses import (
    SCALED_MODELS,
    HuberLoss,
    LeastSquaresLoss,
    LogisticLoss,
    Loss,
    PoissonLoss,
    ScaledLoss,
    SmoothedHingeLoss,
)
from accountant.theorems.linear_models import (
    huber_model,
    least_squares_model,
    logistic_model,
    poisson_model,
    smoothed_hinge_model,
)
from accountant.theorems.scaling import bounded_sensitivity, scaled_linear_constants, scaled_sensitivity

MODELS = {
    LogisticLoss: logistic_model,
    LeastSquaresLoss: least_squares_model,
    HuberLoss: huber_model,
    SmoothedHingeLoss: smoothed_hinge_model,
    PoissonLoss: poisson_model,
}
_NAMES = dict(zip(MODELS, SCALED_MODELS, strict=True))


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


def scale_loss(loss: Loss, scaling: Scaling) -> ScaledLoss:
    """The same loss with scaled data gradients.

    Raises:
        InvalidScaling: a loss that is no scalar linear model by name, or that has a clip of its own.
    """
    if type(loss) not in _NAMES:
        raise InvalidScaling(
            "scaling",
            f"{type(loss).__name__} is no scalar linear model: scaling keeps convexity for losses of one inner product "
            "alone (logistic, least squares, Huber, smoothed hinge, Poisson)",
        )
    arguments = loss.arguments()
    if arguments.pop("clip") is not None:
        raise InvalidScaling("clip", "a loss is clipped or scaled, not both; leave one of them out")
    return ScaledLoss(_NAMES[type(loss)], scaling=scaling, **arguments)


def derive_scaled(loss: ScaledLoss) -> Derivation:
    """T16 on the model's own theorem: L, m, M, a premise of C1, C2 and the witnesses as L1–L5 are."""
    return apply(scaled_linear_constants, apply(loss.theorem, **loss.arguments()), **loss.scaling.arguments())


def derive_scaled_loss(loss: Loss, scaling: Scaling) -> Derivation:
    """L, m, M of a scalar linear model whose data gradients are scaled (T16), the regulariser added afterwards.

    Raises:
        InvalidScaling: as `scale_loss` does.
    """
    return derive_scaled(scale_loss(loss, scaling))
