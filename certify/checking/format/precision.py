"""What the executed run satisfies, by T28: the numbers that finite precision adds to the claim."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.checking.descent.steps import contraction, nonconvex_step
from certify.checking.format.run import Run
from certify.checking.limits import require
from certify.checking.numbers.elementary import at_most, e_to, exp, log, profile
from certify.checking.numbers.exact import canonical
from certify.checking.numbers.intervals import Interval, decide, smaller
from certify.checking.numbers.powers import geometric

REACH = 13  # h: standard deviations of the last noise within which cells are compared one by one
GRID_CELLS = 256  # in one τ, at least: the grid is the largest power of two that has as many
GRID_ROOM = 16  # errors of one step fit into the grid's spacing
MOST_EXECUTED = 10**6  # a larger mu', gamma or epsilon says nothing
FINITE = "execution.finite_precision"


def grid_of(variance: Fraction) -> Fraction:
    """The largest power of two that is at most τ/256, for τ² > 0."""
    square = variance / GRID_CELLS**2
    exponent = (square.numerator.bit_length() - square.denominator.bit_length()) // 2 + 1
    while Fraction(4) ** exponent > square:
        exponent -= 1
    return Fraction(2) ** exponent


def dimension_of(run: Run, data: dict[str, Any] | None) -> int | None:
    """The number of parameters that the columns of the data imply; None where there are none, or any model."""
    if data is None or run.loss["kind"] in ("clipped", "constants"):
        return None
    numbers = sum(int(entry[2]) if len(entry) == 3 else 1 for entry in data["numeric"].values())
    features = numbers + sum(map(len, data["categorical"].values())) + data["intercept"]
    return features * (int(run.loss["classes"]) if run.loss["kind"] == "softmax" else 1)


def check_finite_precision(predicate: dict[str, Any], run: Run, steps: int) -> None:
    """T28. `steps`: of the whole history up to the released model.

    Let e bound the error of each step, but with probability `failure`, and t_g the probability that a drawn normal is
    not within e of an exact one. With E = e(1 + c + … + c^(N-2)), at most 2R in a ball, and (Γ + e)/τ = w:
    μ' = μ + 2cE/τ, γ = -d·log(1 - 2e/Γ·exp((h + w)w)), t = 2dΦ(-h + w) + N·d·t_g + failure, and
    δ_executed(ε + 2γ) ≤ e^γ·δ_μ'(ε) + (1 + e^(ε+2γ))·t. A number that is larger than implied is true as well.
    """
    execution = predicate["execution"]
    stated, executed = execution["finite_precision"], execution["finite_precision"]["executed"]
    require(execution["noise"] == "secret", f"{FINITE}: the noise can be drawn again, and its normals are any")
    seen = len(execution["erasures"]) + 1 if run.release == "all" else 1
    require(seen == 1, f"{FINITE}: T28 is about one released model, and {seen} were seen")
    require(run.smoothness is not None, f"{FINITE}: the steps have no known Lipschitz constant")
    require(steps >= 1, f"{FINITE}: no step was executed")
    d, error, grid = int(stated["dimension"]), Fraction(stated["step_error"]), Fraction(stated["grid"])
    uncoupled, failure = Fraction(stated["uncoupled"]), Fraction(stated["failure"])
    require(d >= 1, f"{FINITE}.dimension: needs a parameter")
    for known in (run.execution.get("dimension"), dimension_of(run, predicate["run"].get("data"))):
        require(known is None or int(known) == d, f"{FINITE}.dimension: the run implies {known}")
    variance = 2 * run.step_size * Fraction(run.noise_std) ** 2
    public = grid_of(variance)
    require(grid == public, f"{FINITE}.grid: the run's noise implies {canonical(public)}")
    require(0 < GRID_ROOM * error < grid, f"{FINITE}.step_error: needs 0 < step_error < grid/{GRID_ROOM}")
    require(uncoupled < 1 and failure < 1, f"{FINITE}: needs probabilities below 1")
    smoothness = run.smoothness or Fraction(0)  # it is known
    convex = run.convex
    c = contraction(run.step_size, run.m, smoothness) if convex else nonconvex_step(run.step_size, smoothness)
    exact_mu, mu, gamma, t = (Fraction(x) for x in (predicate["mu"]["upper"], *map(executed.get, ("mu", "gamma", "t"))))
    for key in ("mu", "gamma", "t", "epsilon"):
        within = Fraction(executed[key] or 0) <= MOST_EXECUTED
        require(within, f"{FINITE}.executed.{key}: more than {MOST_EXECUTED} says nothing")

    def charged(bits: int) -> bool:
        carried = error * c * geometric(c, 1, steps - 1, bits)
        if run.radius is not None:
            carried = smaller(carried, Interval.of(2 * c * run.radius, bits))
        return exact_mu + 2 * carried / Interval.of(variance, bits).sqrt() <= mu

    def compared(bits: int) -> bool:
        width = (grid + error) / Interval.of(variance, bits).sqrt()
        share = 2 * error / grid * exp((REACH + width) * width)
        return d * log(1 / (1 - share)) <= gamma

    def missed(bits: int) -> bool:
        width = (grid + error) / Interval.of(variance, bits).sqrt()
        return 2 * d * at_most(width - REACH) + (steps * d * uncoupled + failure) <= t

    for key, question in (("mu", charged), ("gamma", compared), ("t", missed)):
        require(decide(question, f"{FINITE}.executed.{key}"), f"{FINITE}.executed.{key}: less than T28 implies")
    require(executed["delta"] == predicate["delta"], f"{FINITE}.executed.delta: not that of the claim")
    if executed["epsilon"] is None:
        return  # nothing is said
    ideal = Fraction(executed["epsilon"]) - 2 * gamma

    def met(bits: int) -> bool:
        growth, lost = e_to(gamma, bits), e_to(ideal + 2 * gamma, bits) * t + t
        return growth * profile(ideal, Interval.of(mu, bits)) + lost <= run.delta

    small = f"{FINITE}.executed.epsilon: less than T28 implies"
    require(ideal >= 0 and decide(met, f"{FINITE}.executed.epsilon"), small)
