"""What an executed training run satisfies, by T28s: every noisy sum is released on a public grid."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from certify.checking.descent.scaling import read_scaling
from certify.checking.format.precision import FINITE, GRID_ROOM, MOST_EXECUTED, REACH
from certify.checking.format.training import Training, read_training
from certify.checking.limits import require
from certify.checking.numbers.elementary import at_most, e_to, exp, log
from certify.checking.numbers.exact import canonical
from certify.checking.numbers.intervals import Interval, decide
from certify.checking.sampled.moments import binomial_tail

SUM_CELLS = 16  # of the grid in one standard deviation of the noise, at least


def enlarged_training(predicate: dict[str, Any]) -> Training | None:
    """The run whose bound T28s starts from: exact sums that one record moves by Δ(1 + ρ) instead of Δ, which is noise
    multipliers z/(1 + ρ), at a δ of their own; None where the certificate says nothing of finite precision."""
    stated, run = predicate.get("execution", {}).get("finite_precision"), predicate["run"]
    claimed = "executed" in predicate["proof"]["claims"][0]
    require(stated is None or "grids" in stated, f"{FINITE}: a training run has no steps that forget their errors")
    require(claimed == (stated is not None), f"{FINITE}: it and claims[0].executed need each other")
    if stated is None:
        return None
    rho, delta = Fraction(stated["enlargement"]), stated["executed"]["sums"]["delta"]
    require(rho < 1, f"{FINITE}.enlargement: needs one below 1")

    def less(stage: dict[str, Any]) -> dict[str, Any]:
        z = stage["noise_multiplier"]
        return stage | {"noise_multiplier": None if z is None else canonical(Fraction(z) / (1 + rho))}

    changed = {"mechanism": less(run["mechanism"]), "stages": [less(stage) for stage in run["stages"]]}
    return read_training(run | changed | {"target": run["target"] | {"delta": delta}})


def power_of_two_below(limit: Fraction) -> Fraction:
    exponent = limit.numerator.bit_length() - limit.denominator.bit_length()
    return Fraction(2) ** (exponent - (Fraction(2) ** exponent > limit))


def check_grids(run: Training, grids: list[str]) -> None:
    """Γ of each stage is the largest power of two that is at most zΔ/16."""
    scaling, limit = read_scaling(run.scaling, "run"), run.scaling["gradient_norm_bound"]
    norm = scaling.limit if limit is None else scaling.of(Fraction(limit))
    implied = [canonical(power_of_two_below(z * norm / SUM_CELLS)) for z, _, _ in run.stages]
    require(grids == implied, f"{FINITE}.grids: the run's noise implies {', '.join(implied)}"[:500])


def tails_of(mechanism: dict[str, Any], run: Training, largest: int) -> list[tuple[int, Fraction, int]]:
    """(n⁺, q, steps) of the stages whose batches have more than `largest` records with a binomial tail; none where no
    batch can have more."""
    place, cap = f"{FINITE}.largest_batch", mechanism["max_batch_size"]
    if cap is not None:
        require(largest >= int(cap), f"{place}: batches have up to {cap} records")
        return []
    require(mechanism["samples"] is not None, f"{place}: the run does not say how many records there are")
    records = int(mechanism["samples"]) + (run.group if run.sampling in ("poisson", "full") else 0)
    if run.sampling == "poisson" and not run.together and all(rate < 1 for _, rate, _ in run.stages):
        return [(records, rate, steps) for _, rate, steps in run.stages if rate > 0]
    whole = run.sampling == "poisson"  # a stage of all records, or records that are drawn together
    needed = records if whole else max(math.ceil(rate * records) for _, rate, _ in run.stages)
    require(largest >= needed, f"{place}: batches have up to {needed} records")
    return []


def check_executed_sums(predicate: dict[str, Any], run: Training) -> None:
    """T28s. Each of N·d released numbers is off by at most e = aΓ before it is rounded to a multiple of Γ ≤ τ/16.

    With w = (1 + a)/16 ≥ (Γ + e)/τ, g = -log(1 - 2a·exp((h + w)w)): γ = N·d·g, or with δ' > 0 N·d·g² +
    2g·sqrt(N·d·log(1/δ')); t = N·d·(2Φ(-h + w) + t_g) + δ' + Σ P[Bin(n⁺, q) > b]. Where exact sums with sensitivity
    Δ(1 + ρ) are (ε, δ₀)-private: δ_executed(ε + 2γ) ≤ e^γ·δ₀ + (1 + e^(ε + 2γ))·t.
    """
    execution, claim = predicate["execution"], predicate["proof"]["claims"][0]
    stated, executed = execution["finite_precision"], execution["finite_precision"]["executed"]
    require(execution["noise"] == "secret", f"{FINITE}: the noise can be drawn again, and its normals are any")
    d, largest = int(stated["dimension"]), int(stated["largest_batch"])
    error, uncoupled, spare = Fraction(stated["error"]), Fraction(stated["uncoupled"]), Fraction(executed["spare"])
    require(d >= 1, f"{FINITE}.dimension: needs a parameter")
    known = predicate["run"].get("execution", {}).get("dimension")
    require(known is None or int(known) == d, f"{FINITE}.dimension: the run implies {known}")
    check_grids(run, stated["grids"])
    require(0 < GRID_ROOM * error < 1, f"{FINITE}.error: needs 0 < error < 1/{GRID_ROOM}")
    require(uncoupled < 1 and spare < 1, f"{FINITE}: needs probabilities below 1")
    tails, draws = tails_of(predicate["run"]["mechanism"], run, largest), run.sums * d
    gamma, t, epsilon = (Fraction(executed[key]) for key in ("gamma", "t", "epsilon"))
    for key, value in (("gamma", gamma), ("t", t), ("epsilon", epsilon)):
        require(value <= MOST_EXECUTED, f"{FINITE}.executed.{key}: more than {MOST_EXECUTED} says nothing")
    width = (1 + error) / SUM_CELLS

    def compared(bits: int) -> bool:
        one = log(1 / (1 - 2 * error * exp((REACH + width) * Interval.of(width, bits))))
        if spare == 0:
            return draws * one <= gamma
        return draws * one * one + 2 * one * (draws * log(Interval.of(1 / spare, bits))).sqrt() <= gamma

    def missed(bits: int) -> bool:
        each = 2 * at_most(Interval.of(width - REACH, bits)) + uncoupled
        total = draws * each + spare
        for records, rate, steps in tails:
            total = total + steps * binomial_tail(records, rate, largest, bits)
        return total <= t

    for key, question in (("gamma", compared), ("t", missed)):
        require(decide(question, f"{FINITE}.executed.{key}"), f"{FINITE}.executed.{key}: less than T28s implies")
    sums, proved = executed["sums"], predicate["proof"]["steps"][int(claim["executed"])]["concludes"]["epsilon"]
    require(sums["epsilon"] == proved, f"{FINITE}.executed.sums.epsilon: not what its step concludes")
    require(executed["delta"] == predicate["delta"], f"{FINITE}.executed.delta: not that of the claim")
    ideal = Fraction(sums["epsilon"])

    def met(bits: int) -> bool:
        return e_to(gamma, bits) * Fraction(sums["delta"]) + (1 + e_to(ideal + 2 * gamma, bits)) * t <= run.delta

    require(epsilon >= ideal + 2 * gamma, f"{FINITE}.executed.epsilon: less than T28s implies")
    require(decide(met, f"{FINITE}.executed.sums"), f"{FINITE}.executed.sums: its delta leaves too little for the rest")
