"""What an executed training run satisfies, T28s, step by step."""

from __future__ import annotations

import copy
from fractions import Fraction

import mpmath as mp

from tests.vectors.producer.executed import executed_training
from tests.vectors.producer.losses import scaled_norm
from tests.vectors.producer.numbers import Json, exact, outward, real
from tests.vectors.producer.training import sums_of, training_statement

# fmt: off

REACH = 13


def tail(n: int, q: Fraction, most: int) -> mp.mpf:
    """P[Bin(n, q) > most]."""
    return mp.fsum(mp.binomial(n, k) * real(q) ** k * (1 - real(q)) ** (n - k) for k in range(most + 1, n + 1))


def with_executed_sums(
    stated: Json, steps: int, largest: int, between: tuple[str, str] = ("", ""), budget: str = "0",
    dimension: int = 26, error: str = "0.0000000000018", enlargement: str = "0.01", spare: str = "0",
    uncoupled: str = "0.00000000000000000000005", sums_delta: str = "0.00000999", roomy: bool = False,
) -> Json:
    """The statement about a training run of `steps` noisy sums, executed, with what T28s says of it.

    between: true bounds of ε of the exact sums with noise multipliers z/(1 + ρ), at `sums_delta`, where batches are
    sampled. roomy: t a hundredth larger, where the tail of batch sizes counts.
    """
    stated = executed_training(copy.deepcopy(stated))
    predicate = stated["predicate"]
    run, a = predicate["run"], Fraction(error)
    execution = predicate["execution"]
    execution["phases"][0] |= {"steps": str(steps), "epochs": run["mechanism"]["epochs"] or "4"}
    rho = Fraction(enlargement)

    def less(stage: Json) -> Json:
        z = stage["noise_multiplier"]
        return stage | {"noise_multiplier": None if z is None else exact(Fraction(z) / (1 + rho))}

    ideal = training_statement(run | {
        "mechanism": less(run["mechanism"]), "stages": [less(stage) for stage in run["stages"]],
        "target": run["target"] | {"delta": sums_delta}}, between, budget, "9")["predicate"]
    every, proof = ideal["proof"]["steps"], predicate["proof"]
    needed, index = [int(ideal["proof"]["claims"][0]["bound"])], {}
    for i in needed:
        needed += [int(premise) for premise in every[i]["premises"] if int(premise) not in needed]
    for i in sorted(needed):
        step = every[i] | {"premises": [index[int(premise)] for premise in every[i]["premises"]]}
        if step in proof["steps"]:
            index[i] = str(proof["steps"].index(step))
            continue
        index[i] = str(len(proof["steps"]))
        proof["steps"].append(step)
    proof["claims"][0]["executed"] = index[needed[0]]
    predicate["theorems"] = sorted({step["theorem"] for step in proof["steps"]})
    epsilon = every[needed[0]]["concludes"]["epsilon"]

    scaling, limit = run["scaling"], run["scaling"]["gradient_norm_bound"]
    norm, grids = scaled_norm(scaling, limit and Fraction(limit)), []
    for z, _, _ in sums_of(run):
        grid = Fraction(1)
        while 32 * grid <= z * norm:
            grid *= 2
        while 16 * grid > z * norm:
            grid /= 2
        grids.append(exact(grid))
    width, draws = (1 + real(a)) / 16, steps * dimension
    one = -mp.log(1 - 2 * real(a) * mp.exp((REACH + width) * width))
    gamma = draws * one
    if spare != "0":
        gamma = draws * one**2 + 2 * one * mp.sqrt(draws * mp.log(1 / real(Fraction(spare))))
    lost = draws * (2 * mp.ncdf(-REACH + width) + real(Fraction(uncoupled))) + real(Fraction(spare))
    if roomy:
        group = int(run["threat"].get("group_size", 1))
        lost += mp.fsum(times * tail(int(run["mechanism"]["samples"]) + group, q, largest)
                        for _, q, times in sums_of(run))
        lost *= mp.mpf(101) / 100
    gamma, t = outward(gamma, True), outward(lost, True)
    above = Fraction(epsilon) + 2 * Fraction(gamma)
    total = mp.exp(mp.mpf(gamma)) * real(Fraction(sums_delta)) + (1 + mp.exp(real(above))) * mp.mpf(t)
    assert total <= real(Fraction(run["target"]["delta"]))
    execution["finite_precision"] = {
        "dimension": str(dimension), "grids": grids, "error": error, "uncoupled": uncoupled,
        "enlargement": enlargement, "largest_batch": str(largest),
        "executed": {"gamma": gamma, "t": t, "spare": spare, "sums": {"epsilon": epsilon, "delta": sums_delta},
                     "epsilon": outward(real(above), True), "delta": predicate["delta"]},
    }
    return stated
