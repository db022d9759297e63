"""What floating-point rounding adds to μ, and when that is little: the rule of thumb of T28."""

from __future__ import annotations

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family
from accountant.core.kernel import theorem
from accountant.core.quantities import ApproximateDP, GaussianDP
from accountant.theorems.conditions import below, inside_unit
from accountant.theorems.timelines import Contraction


@theorem(
    "T28r",
    rational=True,
    concludes=GaussianDP,
    premises=(Contraction,),
    facts=Facts(Direction.ABOVE, Family.ROUNDING, None, formula=None, profile=None, label=None),
    source="docs/theory.md T28r, T28",
    assumes=("gaussian_noise",),
    oracle="tests/accountant/theorems/test_rounding.py::test_the_charge_covers_executed_errors_in_every_step",
)
def rounding_charge(
    A: Arithmetic,
    rate: Contraction,
    *,
    variance: Number,
    dimension: int,
    errors: int,
    spacing: Number,
    releases: int,
    charge: Number,
) -> GaussianDP:
    """Steps that are executed with an error of at most r ulp in each of d coordinates, before their noise is added,
    make μ larger by at most 2·√d·r·ulp/((1−c)τ), or `charge`, which is not less.

    Errors e = √d·r·ulp of all steps, the last one's among them, add up to E ≤ e + ce + c²e … = e/(1−c) before the last
    noise, of variance τ², which hides them in both runs: each is then E/τ from the exact one. The rule of thumb counts
    those before the last step, cE; next to c = 1 that is the same. `releases` models that are all seen, each in a
    stretch of its own, make the charge √R times as large.
    """
    c = rate.factor
    A.require(below(A, c, A.of(1)), "c < 1", c)
    A.require(below(A, A.of(0), variance), "0 < τ²", variance)
    A.require(dimension >= 1, "d ≥ 1", dimension)
    A.require(errors >= 1, "r ≥ 1", errors)
    A.require(below(A, A.of(0), spacing), "0 < ulp", spacing)
    A.require(releases >= 1, "R ≥ 1", releases)
    A.require(A.at_least(charge, A.of(0)), "0 ≤ charge", charge)
    error = 2 * errors * spacing / (1 - c)
    least = error * error * dimension * releases / variance
    A.require(A.at_least(charge * charge, least), "the charge covers the errors", charge)
    return GaussianDP(charge)


@theorem(
    "T28f",
    concludes=ApproximateDP,
    premises=(GaussianDP,),
    facts=Facts(Direction.ABOVE, Family.ROUNDING, None, formula=None, profile=None, label=None),
    source="docs/theory.md T28f, T28",
    oracle="tests/accountant/theorems/test_rounding.py::test_the_floor_is_where_mpmath_puts_it",
)
def noise_floor(A: Arithmetic, charge: GaussianDP, *, epsilon: Number, delta: Number) -> ApproximateDP:
    """A charge is at most a hundredth of the μ that a target (ε, δ) allows: a Gaussian pair with a hundred times the
    charge still meets the target, δ_{100·charge}(ε) ≤ δ.

    The claim's own μ would be no measure: like the charge it is inversely proportional to the noise.
    """
    A.require(A.at_least(epsilon, A.of(0)), "0 ≤ ε", epsilon)
    A.require(inside_unit(A, delta), "0 < δ < 1", delta)
    A.require(
        A.at_least(delta, A.gaussian_delta(100 * charge.mu, epsilon)),
        "a hundred times the charge meets the target",
        charge.mu,
    )
    return ApproximateDP(epsilon, delta)
