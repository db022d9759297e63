"""Published bounds, to reproduce and to beat. Valid, and too large; kept as printed so that the comparison is fair."""

from __future__ import annotations

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family
from accountant.core.kernel import theorem
from accountant.core.quantities import ApproximateDP, GaussianDP
from accountant.theorems.conditions import below, inside_unit

MIN_ORDER, MAX_ORDER = 2, 10_000  # the range that the authors' code searches
_PAPER = "Chien, Wang, Chen, Li, NeurIPS 2024 (arXiv 2403.17105), authors' code"
_ASSUMES = ("convexity", "smoothness", "gradient_bound", "gaussian_noise", "batches:fixed", "reference:retrain")


@theorem(
    "P1",
    concludes=ApproximateDP,
    facts=Facts(
        Direction.ABOVE, Family.PUBLISHED, None, formula=None, profile=None, label="Chien et al. 2024, converged (P1)"
    ),
    source=f"docs/theory.md P1; {_PAPER}",
    assumes=_ASSUMES,
    oracle="tests/accountant/theorems/test_published.py::test_reproduces_the_authors_epsilon",
)
def chien2024_converged(
    A: Arithmetic,
    *,
    contraction: Number,
    shift: Number,
    variance: Number,
    batches: int,
    unlearning_epochs: int,
    delta: Number,
    diameter: Number | None,
) -> ApproximateDP:
    """ε of the published PNSGD unlearning bound from a converged model, by Mironov's conversion with α continuous on
    [2, 10⁴].

    ε(α) = αX with X = (Z_B·c^(Kl))²/(2ησ²), Z_B = min(s/(1 − c^l), 2R); `variance` is 2ησ².
    """
    distance = learned_distance(A, contraction, shift, variance, batches, diameter)
    A.require(inside_unit(A, delta), "0 < δ < 1", delta)
    A.require(unlearning_epochs >= 1, "K ≥ 1", unlearning_epochs)
    rate = (distance * A.power(contraction, batches * unlearning_epochs)) ** 2 / variance
    budget = -A.log(delta)
    order = clamp_order(A, 1 + A.sqrt(budget / rate))
    return ApproximateDP(order * rate + budget / (order - 1), delta)


@theorem(
    "P1f",
    concludes=ApproximateDP,
    facts=Facts(
        Direction.ABOVE, Family.PUBLISHED, None, formula=None, profile=None, label="Chien et al. 2024, finite T (P1)"
    ),
    source=f"docs/theory.md P1f, P1; {_PAPER}",
    assumes=_ASSUMES,
    oracle="tests/accountant/theorems/test_published.py::test_reproduces_the_authors_epsilon",
)
def chien2024_finite(
    A: Arithmetic,
    *,
    contraction: Number,
    shift: Number,
    variance: Number,
    batches: int,
    epochs: int,
    unlearning_epochs: int,
    delta: Number,
    diameter: Number | None,
) -> ApproximateDP:
    """ε of the published PNSGD unlearning bound after T epochs, by Mironov's conversion with α continuous on [2, 10⁴].

    ε(α) = (α−½)/(α−1)·(ε₁(2α) + ε₂(2α)), ε₁(a) = a(2R)²c^(2Tl)/(2ησ²), ε₂(a) = a(Z_B + 2R·c^(Tl))²c^(2Kl)/(2ησ²). No
    `diameter`: R = 0 in the terms of the start, as in the authors' own runs; that is their bound for T → ∞.
    """
    distance = learned_distance(A, contraction, shift, variance, batches, diameter)
    A.require(inside_unit(A, delta), "0 < δ < 1", delta)
    A.require(unlearning_epochs >= 1, "K ≥ 1", unlearning_epochs)
    A.require(epochs >= 0, "T ≥ 0", epochs)
    start = A.of(0) if diameter is None else diameter * A.power(contraction, batches * epochs)
    rate = (start**2 + ((distance + start) * A.power(contraction, batches * unlearning_epochs)) ** 2) / variance
    budget, half = -A.log(delta), A.of(1) / 2
    # ε(α) = (2Y·α(α−½) + log 1/δ)/(α−1): the derivative vanishes where (α−1)² = ½ + log(1/δ)/(2Y).
    order = clamp_order(A, 1 + A.sqrt(half + budget / (2 * rate)))
    return ApproximateDP((2 * rate * order * (order - half) + budget) / (order - 1), delta)


@theorem(
    "T23p",
    concludes=GaussianDP,
    facts=Facts(
        Direction.ABOVE,
        Family.PUBLISHED,
        None,
        formula=None,
        profile=None,
        label="Koloskova et al. 2025, clipped fine-tuning (T23p)",
    ),
    source="docs/theory.md T23p, T23; Koloskova et al. 2025",
    assumes=("gradient_bound", "gaussian_noise", "projection", "reference:retrain"),
    oracle="tests/accountant/theorems/test_nonconvex.py::test_the_string_is_never_above_the_published_form",
)
def koloskova2025(
    A: Arithmetic, *, contraction: Number, shift: Number, variance: Number, steps: int, diameter: Number
) -> GaussianDP:
    """μ of fine-tuning with clipped gradients from two models of norm at most C₀: μ² = (2C₀ρ^K + 2ηC₁(1−ρ^K)/(1−ρ))² /
    (τ²(1−ρ^(2K))/(1−ρ²)), for any loss.

    `contraction` is ρ = 1 − ηm, `shift` 2ηC₁, `variance` τ² = 2ησ², `diameter` 2C₀, `steps` K; ρ = 1 by continuity.
    The noise of learning is not counted, and all of the shift is spread over all of the steps.
    """
    A.require(A.at_least(contraction, A.of(0)), "0 ≤ ρ", contraction)
    A.require(A.at_least(A.of(1), contraction), "ρ ≤ 1", contraction)
    A.require(A.at_least(shift, A.of(0)), "0 ≤ 2ηC₁", shift)
    A.require(below(A, A.of(0), variance), "0 < τ²", variance)
    A.require(steps >= 1, "K ≥ 1", steps)
    A.require(A.at_least(diameter, A.of(0)), "0 ≤ 2C₀", diameter)
    distance = diameter * A.power(contraction, steps) + shift * A.geometric(contraction, steps)
    return GaussianDP(distance / A.sqrt(variance * A.geometric(contraction * contraction, steps)))


def learned_distance(
    A: Arithmetic, contraction: Number, shift: Number, variance: Number, batches: int, diameter: Number | None
) -> Number:
    """Z_B of the last batch: min(s/(1 − c^l), 2R)."""
    A.require(below(A, A.of(0), contraction), "0 < c", contraction)
    A.require(below(A, contraction, A.of(1)), "c < 1", contraction)
    A.require(below(A, A.of(0), shift), "0 < s", shift)
    A.require(below(A, A.of(0), variance), "0 < τ²", variance)
    A.require(batches >= 1, "l ≥ 1", batches)
    if diameter is not None:
        A.require(below(A, A.of(0), diameter), "0 < 2R", diameter)
    distance = shift / (1 - A.power(contraction, batches))
    return distance if diameter is None else A.minimum(distance, diameter)


def clamp_order(A: Arithmetic, order: Number) -> Number:
    return A.minimum(A.maximum(order, A.of(MIN_ORDER)), A.of(MAX_ORDER))
