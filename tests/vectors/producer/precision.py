"""What an executed run satisfies in finite precision, T28, step by step."""

from __future__ import annotations

import copy
from fractions import Fraction

import mpmath as mp

from tests.vectors.producer.numbers import Json, exact, outward, real
from tests.vectors.producer.strings import delta_of

# fmt: off

REACH = 13


def in_finite_precision(
    stated: Json, dimension: int = 2, error: str = "0.0000000000004", failure: str = "0.000000000001",
    uncoupled: str = "0.00000000000000000000005",
) -> Json:
    """The executed statement with what T28 says of it; `error` is e of every step."""
    stated = copy.deepcopy(stated)
    predicate = stated["predicate"]
    run, execution = predicate["run"], predicate["execution"]
    mechanism, radius = run["mechanism"], run["mechanism"]["radius"]
    (rate, *_) = [s for s in predicate["proof"]["steps"] if s["theorem"] in ("C1", "T22")]
    eta, factor = Fraction(rate["args"]["step_size"]), Fraction(rate["concludes"]["contraction"])
    square = 2 * eta * Fraction(mechanism["noise_std"]) ** 2
    grid = Fraction(1)
    while (512 * grid) ** 2 <= square:
        grid *= 2
    while (256 * grid) ** 2 > square:
        grid /= 2
    epochs = [mechanism["epochs"], *mechanism["unlearning_epochs"]]
    done = [int(k) for k in epochs[:1 + len(execution["erasures"])]]
    if "predecessor" in predicate:
        done = [int(k) for k in epochs]
    steps = sum(done) * (int(mechanism["samples"]) // int(mechanism["batch_size"]))
    e, tau, total = Fraction(error), mp.sqrt(real(square)), Fraction(0)
    for _ in range(steps - 1):
        total = factor * total + e
    if radius is not None:
        total = min(total, 2 * Fraction(radius))
    width = (real(grid) + real(e)) / tau
    one = -mp.log(1 - real(2 * e / grid) * mp.exp((REACH + width) * width))
    lost = 2 * dimension * mp.ncdf(-REACH + width) + real(steps * dimension * Fraction(uncoupled) + Fraction(failure))
    mu = outward(real(Fraction(predicate["mu"]["upper"])) + 2 * real(factor * total) / tau, True)
    gamma, t = outward(dimension * one, True), outward(lost, True)
    delta = run["target"]["delta"]
    delta = Fraction(1, int(mechanism["samples"])) if delta == "1/n" else Fraction(delta)
    execution["finite_precision"] = {
        "dimension": str(dimension), "step_error": exact(e), "grid": exact(grid), "uncoupled": uncoupled,
        "failure": failure,
        "executed": {"mu": mu, "gamma": gamma, "t": t, "delta": predicate["delta"],
                     "epsilon": executed_epsilon(*map(mp.mpf, (mu, gamma, t)), real(delta))},
    }
    return stated


def executed_epsilon(mu: mp.mpf, gamma: mp.mpf, t: mp.mpf, delta: mp.mpf) -> str | None:
    """The least ε + 2γ with e^γ δ_μ(ε) + (1 + e^(ε+2γ)) t ≤ δ, by halving; None where the least value is above δ."""
    def exceeds(epsilon: mp.mpf) -> bool:
        return mp.exp(gamma) * delta_of(epsilon, mu) + (1 + mp.exp(epsilon + 2 * gamma)) * t > delta

    high = mp.mpf(0)
    while exceeds(high):  # the sum falls, then rises: the first point at which it is low enough
        high += mp.mpf(1) / 16
        if high > 40:
            return None
    low = max(high - mp.mpf(1) / 16, mp.mpf(0))
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if exceeds(middle) else (low, middle)
    return outward(high + 2 * gamma, True)
