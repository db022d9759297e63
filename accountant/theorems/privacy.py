"""From μ to (ε, δ) and to Rényi divergences."""

from __future__ import annotations

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, Profile, States
from accountant.core.kernel import theorem
from accountant.core.quantities import ApproximateDP, GaussianDP, GaussianWitness, RenyiCurve
from accountant.theorems.conditions import below, inside_unit


@theorem(
    "T11",
    concludes=ApproximateDP,
    premises=(GaussianDP | GaussianWitness,),
    facts=Facts(
        Direction.OF_PREMISE, Family.CONVERSION, States.EPSILON, formula="profile", profile=Profile.GAUSSIAN, label=None
    ),
    source="docs/theory.md T11; Balle, Wang 2018, Theorem 8; Dong, Roth, Su 2022, Corollary 1",
    oracle="tests/accountant/theorems/test_privacy.py::test_epsilon_agrees_with_mpmath",
)
def gaussian_profile(A: Arithmetic, pair: GaussianDP | GaussianWitness, *, delta: Number) -> ApproximateDP:
    """ε(δ) inverts δ(ε) = Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ), exactly; 0 where δ ≥ δ(0). From a witness: no smaller ε
    holds for the class."""
    A.require(inside_unit(A, delta), "0 < δ < 1", delta)
    return ApproximateDP(A.gaussian_epsilon(pair.mu, delta), delta)


@theorem(
    "T7",
    concludes=GaussianDP,
    premises=(GaussianDP,),
    variadic=True,
    facts=Facts(
        Direction.ABOVE,
        Family.COMPOSITION,
        States.MU,
        formula="composition",
        profile=None,
        label="Plumbline (taut strings between releases, T7)",
    ),
    source="docs/theory.md T7; Dong, Roth, Su 2022, Corollary 2",
    oracle="tests/accountant/theorems/test_privacy.py::test_composition_of_stretches",
)
def adaptive_composition(A: Arithmetic, *stretches: GaussianDP) -> GaussianDP:
    """Where every model is released, both runs begin each stretch at the same published value and pay for it alone:
    μ² = Σ μ_i², of no stretches 0."""
    for stretch in stretches:
        A.require(A.at_least(stretch.mu, A.of(0)), "0 ≤ μ", stretch.mu)
    return GaussianDP(A.sqrt(sum((stretch.mu * stretch.mu for stretch in stretches), A.of(0))))


@theorem(
    "T8",
    concludes=GaussianDP,
    premises=(GaussianDP, GaussianDP),
    facts=Facts(Direction.ABOVE, Family.CLOSED_FORM, None, formula=None, profile=None, label=None),
    source="docs/theory.md T8",
    oracle="tests/accountant/theorems/test_privacy.py::test_triangle_of_gaussian_pairs",
)
def triangle(A: Arithmetic, first: GaussianDP, second: GaussianDP) -> GaussianDP:
    """If (P, Q) is μ₁-GDP and (Q, R) is μ₂-GDP then (P, R) is (μ₁ + μ₂)-GDP."""
    for pair in (first, second):
        A.require(A.at_least(pair.mu, A.of(0)), "0 ≤ μ", pair.mu)
    return GaussianDP(first.mu + second.mu)


@theorem(
    "T2",
    concludes=RenyiCurve,
    premises=(GaussianDP,),
    facts=Facts(Direction.ABOVE, Family.CONVERSION, States.RENYI, formula="curve", profile=None, label=None),
    source="docs/theory.md T2",
    oracle="tests/accountant/theorems/test_privacy.py::test_renyi_of_gaussians_by_quadrature",
)
def renyi_curve(A: Arithmetic, pair: GaussianDP, *, orders: tuple[Number, ...]) -> RenyiCurve:
    """A μ-GDP pair that comes from shifted interpolation has D_α ≤ αμ²/2 for every α > 1, in both directions."""
    for order in orders:
        A.require(below(A, A.of(1), order), "1 < α", order)
    return RenyiCurve(orders, tuple(order * pair.mu**2 / 2 for order in orders))


@theorem(
    "T12",
    concludes=ApproximateDP,
    premises=(RenyiCurve,),
    facts=Facts(Direction.ABOVE, Family.CONVERSION, None, formula=None, profile=None, label=None),
    source="docs/theory.md T12; Balle et al. 2020; Canonne, Kamath, Steinke 2020, Proposition 12",
    oracle="tests/accountant/theorems/test_privacy.py::test_renyi_conversion_is_above_the_exact_profile",
)
def renyi_conversion(A: Arithmetic, curve: RenyiCurve, *, delta: Number, order: int) -> ApproximateDP:
    """ε = D_α + log((α−1)/α) − (log δ + log α)/(α−1), at the curve's order number `order`."""
    A.require(inside_unit(A, delta), "0 < δ < 1", delta)
    A.require(0 <= order < len(curve.orders), "an order of the curve", order)
    alpha, divergence = curve.orders[order], curve.divergences[order]
    epsilon = divergence + A.log((alpha - 1) / alpha) - (A.log(delta) + A.log(alpha)) / (alpha - 1)
    return ApproximateDP(A.maximum(epsilon, A.of(0)), delta)
