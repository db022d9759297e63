"""T28s: tiny runs whose executed laws are exactly computable, with the worst rounding there is; and 40 digits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F
from itertools import product

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy.special import ndtr

from accountant import (
    Aggregation,
    InvalidMechanism,
    Normals,
    ScaledSGD,
    Stage,
    TheoremError,
    TrainingExecution,
    apply,
    derive_training,
    enclose,
    evaluate,
    executed_training,
    public_grids,
    shrink_for,
    training_execution,
)
from accountant.core.arithmetic import Exact
from accountant.core.scaling import AutoS, Clip, Psasc
from accountant.dpsgd.derive import schedule
from accountant.dpsgd.executed import enlarged
from accountant.dpsgd.sensitivity import derive_sensitivity
from accountant.theorems import executed_sums, full_batches, gaussian_profile
from accountant.theorems.executed import REACH, SUM_CELLS

DELTA = F(1, 10**5)
NORMALS = Normals(F(1, 2**44), F(1, 2**74), F("13.4"))
POISSON = ScaledSGD(Clip(F(1)), (Stage(F(1), F(1, 100), 50),), samples=2000)
FULL = ScaledSGD(Clip(F(1)), (Stage(F(2), F(1), 2),), sampling="full", samples=10)


def aggregation(**changes) -> Aggregation:
    return Aggregation(**({"dimension": 100, "norm_length": 100, "sum_length": 16} | changes))


# --- exact laws of one coordinate, in units of τ: cells of width Γ = 1/16 ---------------------------------------------

CELLS = np.arange(-16 * 12, 16 * 12 + 1)  # more lie so far out that doubles do not see them
GAMMA = 1 / SUM_CELLS


def masses(centre: float, below: np.ndarray | float = 0.0, above: np.ndarray | float = 0.0) -> np.ndarray:
    """Of each cell, widened (or, negative, shrunk) by so much at its ends."""
    return ndtr((CELLS + 0.5) * GAMMA + above - centre) - ndtr((CELLS - 0.5) * GAMMA - below - centre)


def worst(centre: float, error: float, wanted: np.ndarray) -> np.ndarray:
    """The law in which every value within `error` of a wanted cell's end is moved into it, if it was in another one."""
    beside_below, beside_above = np.r_[False, wanted[:-1]], np.r_[wanted[1:], False]
    below = np.where(wanted & ~beside_below, error, np.where(~wanted & beside_below, -error, 0.0))
    above = np.where(wanted & ~beside_above, error, np.where(~wanted & beside_above, -error, 0.0))
    return masses(centre, below, above)


def divergence(p: np.ndarray, q: np.ndarray, epsilon: float) -> float:
    return float(np.maximum(p - np.exp(epsilon) * q, 0).sum())


def gaussian(mu: float, epsilon: float) -> float:
    return float(ndtr(mu / 2 - epsilon / mu) - np.exp(epsilon) * ndtr(-mu / 2 - epsilon / mu))


def gamma_of(error: F) -> float:
    with mp.workdps(40):
        width = (1 + mpf(error.numerator) / error.denominator) / SUM_CELLS
        share = 2 * mpf(error.numerator) / error.denominator * mp.exp((REACH + width) * width)
        return float(-mp.log(1 - share))


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("share", [F(1, 17), F(1, 40)])
@pytest.mark.parametrize("pattern", ["every other cell", "above a threshold"])
def test_worst_roundings_lie_between_the_exact_and_the_charged_bound(steps: int, share: F, pattern: str) -> None:
    """One coordinate, one or two steps: the two runs round towards, and away from, the cells that tell them apart.

    The exact bound at the same ε is exceeded; T28s's is not, at the same or any ε.
    """
    error, mu, epsilon = float(share) * GAMMA, 0.05, 0.001
    wanted = CELLS % 2 == 0 if pattern == "every other cell" else mu / 2 < CELLS * GAMMA
    one = worst(mu, error, wanted), worst(0.0, error, ~wanted)
    p, q = (one[0], one[1]) if steps == 1 else (np.outer(one[0], one[0]), np.outer(one[1], one[1]))
    gamma, whole = steps * gamma_of(share), mu * steps**0.5
    assert divergence(p, q, epsilon) > gaussian(whole, epsilon)
    for inner in (0.0, epsilon, 0.02, 0.1):
        assert divergence(p, q, inner + 2 * gamma) <= np.exp(gamma) * gaussian(whole, inner) + 1e-14


@pytest.mark.parametrize("share", [F(1, 17), F(1, 100)])
def test_a_pair_whose_errors_depend_on_each_other_keeps_to_twice_the_charge(share: F) -> None:
    """Two coordinates of one draw, as on a chessboard: whatever can reach a black field does. A white field keeps its
    middle; so the charge of one coordinate alone would be too little for the conditional law of the second."""
    error, gamma = float(share) * GAMMA, gamma_of(share)
    exact, middle = masses(0.0), masses(0.0, -error, -error)
    near = slice(16 * 8, 16 * 16 + 1)  # within 4τ
    white = np.outer(middle, middle)[near, near] / np.outer(exact, exact)[near, near]
    assert white.min() >= np.exp(-2 * gamma)
    assert white.max() < np.exp(-gamma_of(share) / 2)  # and the charge is of the right size
    assert white.max() < (middle[near] / exact[near]).min() * (1 - float(share))


def test_summation_errors_count_twice() -> None:
    """Executed sums that are off by σΔ, apart: the distance is 1 + 2σ, and that is what z' stands for."""
    sigma, z, steps = F(1, 10), F(2), 2
    attained = float((1 + 2 * sigma) / z) * steps**0.5
    for rho, times in ((2 * sigma, 1.0), (sigma, 1.5)):
        composed = apply(full_batches, releases=schedule(enlarged(FULL, rho)), neighbours="add-or-remove-one")
        bound = enclose(apply(gaussian_profile, composed, delta=DELTA))
        assert gaussian(attained, float(bound.upper)) >= times * float(DELTA) * (1 - 1e-6)
        assert (gaussian(attained, float(bound.upper)) <= float(DELTA) * (1 + 1e-6)) == (rho == 2 * sigma)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("dtype", "count"), [("float32", 200), ("float64", 3000)])
def test_sums_and_norms_are_within_the_stated_errors(dtype: str, count: int, seed: int) -> None:
    """Terms of norm 1 added one after the other in `dtype`, against fractions; norms from squares added likewise."""
    rng, d = np.random.default_rng(seed), 3
    terms = rng.standard_normal((count, d))
    terms = (terms / np.linalg.norm(terms, axis=1, keepdims=True) * np.sign(rng.standard_normal((count, 1)))).astype(
        dtype
    )
    executed = np.zeros(d, dtype)
    for term in terms:
        executed = executed + term
    exact = [sum((F(float(x)) for x in column), F(0)) for column in terms.T]
    off = sum((F(float(x)) - y) ** 2 for x, y in zip(executed, exact, strict=True))
    how = aggregation(sum_dtype=dtype, sum_length=count, dimension=d)
    assert off <= how.sum_error(Clip(F(1)), F(1), count) ** 2
    square = np.zeros((), dtype)
    for x in terms.ravel():
        square = square + x * x
    norm = F(float(np.sqrt(square)))
    how = aggregation(norm_dtype=dtype, norm_length=terms.size)
    assert sum(F(float(x)) ** 2 for x in terms.ravel()) <= (norm * (1 + how.excess(Clip(F(1)), F(1)))) ** 2


def test_a_narrow_norm_that_stops_growing_is_refused() -> None:
    """2^24 ones added in float32 stay there: from so many squares no norm follows."""
    assert np.float32(2**24) + np.float32(1) == np.float32(2**24)
    with pytest.raises(InvalidMechanism, match="norm_length"):
        aggregation(norm_dtype="float32", norm_length=2**24).excess(Clip(F(1)), F(1))
    aggregation(norm_length=2**40).excess(Clip(F(1)), F(1))


# --- the bound ----------------------------------------------------------------------------------------------------


def oracle(of: ScaledSGD, run, spare: F) -> tuple[mpf, mpf]:
    """γ and t as docs/theory.md states them; the binomial tail summed up exactly, smaller than Chernoff's."""
    real = lambda x: mpf(F(x).numerator) / F(x).denominator  # noqa: E731
    draws, width = of.steps * run.dimension, (1 + real(run.error)) / 16
    one = -mp.log(1 - 2 * real(run.error) * mp.exp((REACH + width) * width))
    gamma = draws * one if not spare else draws * one**2 + 2 * one * mp.sqrt(draws * mp.log(1 / real(spare)))
    tail = mpf(0)
    if of.sampling == "poisson" and of.max_batch_size is None:
        for stage in of.stages:
            q, n = real(stage.sample_rate), of.larger
            sizes = range(run.largest_batch + 1, n + 1)
            tail += stage.steps * mp.fsum(mp.binomial(n, k) * q**k * (1 - q) ** (n - k) for k in sizes)
    return gamma, draws * (2 * mp.ncdf(-REACH + width) + real(run.uncoupled)) + real(spare) + tail


@pytest.mark.parametrize("of", [POISSON, FULL, replace(POISSON, max_batch_size=70)])
@pytest.mark.parametrize("dimension", [1, 10**9])
def test_gamma_and_t_are_where_mpmath_puts_them(of: ScaledSGD, dimension: int) -> None:
    run = training_execution(of, aggregation(dimension=dimension), NORMALS, DELTA)
    executed = executed_training(of, run, DELTA)
    with mp.workdps(40):
        gamma, t = oracle(of, run, executed.spare)
        assert gamma <= mpf(executed.gamma) <= gamma * (1 + mpf(10) ** -10)
        # Chernoff's bound of the tail of batch sizes is within a factor of 30 of it
        assert t <= mpf(executed.t) <= t * (30 if dimension == 1 and of is POISSON else 1 + mpf(10) ** -6)
        other, _ = oracle(of, run, F(0) if executed.spare else DELTA / 10**6)
        assert gamma <= other
        inner, epsilon = enclose(executed.sums).upper, mpf(executed.epsilon)
        left, whole = executed.sums_delta, mpf(DELTA.numerator) / DELTA.denominator
        assert mpf(inner.numerator) / inner.denominator + 2 * gamma <= epsilon
        assert mp.exp(gamma) * mpf(left.numerator) / left.denominator + (1 + mp.exp(epsilon)) * t <= whole
    assert TrainingExecution.read(run.as_json()) == run


def test_what_is_executed_costs_more_than_what_is_exact() -> None:
    """The charge grows with the enlargement, and is next to nothing in float64."""
    exact = float(enclose(derive_training(POISSON, DELTA).upper).upper)
    wide = executed_training(POISSON, training_execution(POISSON, aggregation(), NORMALS, DELTA), DELTA)
    assert exact < float(wide.epsilon) < exact * 1.001
    narrow = aggregation(sum_dtype="float32", sum_length=64, record_error=F(1, 10**5))
    run = training_execution(POISSON, narrow, NORMALS, DELTA)
    assert run.enlargement > F(1, 1000)
    assert float(executed_training(POISSON, run, DELTA).epsilon) > float(wide.epsilon) * (1 + float(run.enlargement))


def test_grids_are_powers_of_two_at_most_a_sixteenth_of_the_noise() -> None:
    for z, scaling in product((F(1), F(7, 10), F(16), F("0.01")), (Clip(F(1)), Psasc(F(3), F(1, 10), F(1, 7)))):
        of = replace(FULL, scaling=scaling, stages=(Stage(z, F(1), 1),))
        norm = scaling.max_grad_norm / getattr(scaling, "s", 1)
        (grid,) = public_grids(of)
        assert grid <= z * norm / 16 < 2 * grid
        assert 1 in (grid.numerator, grid.denominator)
    assert public_grids(replace(FULL, stages=(Stage(F(16), F(1), 1),))) == (F(1),)


def test_how_many_records_a_batch_may_have() -> None:
    def largest(of: ScaledSGD) -> int:
        return training_execution(of, aggregation(), NORMALS, DELTA).largest_batch

    assert largest(FULL) == 11  # the larger of two neighbours
    assert largest(replace(POISSON, max_batch_size=70)) == 70
    assert 20 < largest(POISSON) < 100
    assert largest(replace(POISSON, stages=(*POISSON.stages, Stage(F(1), F(1), 1)))) == 2001
    together = replace(POISSON, group_size=3, group_sampling="together")  # a batch's size is not binomial then
    assert largest(together) == 2003
    fixed = ScaledSGD(Clip(F(1)), (Stage(F(1), F(1, 20), 10),), sampling="without-replacement", samples=2000)
    assert largest(fixed) in (100, 101)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"norm_dtype": "bfloat16"}, "aggregation.norm_dtype"),
        ({"sum_dtype": "bfloat16"}, "aggregation.sum_dtype"),
        ({"sum_dtype": "tf32"}, "aggregation.sum_dtype"),
        ({"dimension": 0}, "aggregation.dimension"),
        ({"norm_length": 0}, "aggregation.norm_length"),
        ({"sum_length": F(1)}, "aggregation.sum_length"),
        ({"spread": F(1, 2)}, "aggregation.spread"),
        ({"shrink": F(1)}, "aggregation.shrink"),
        ({"record_error": F(-1)}, "aggregation.record_error"),
        ({"sum_dtype": "float32", "sum_length": 2**23}, "aggregation.sum_length"),
        ({"record_error": F(1, 100)}, "aggregation"),
    ],
)
def test_what_has_no_bound_is_refused(changes: dict, key: str) -> None:
    with pytest.raises(InvalidMechanism) as refused:
        training_execution(POISSON, aggregation(**changes), NORMALS, DELTA)
    assert refused.value.key == key


def test_noise_below_the_rounding_of_the_sum_is_refused() -> None:
    faint = replace(FULL, stages=(Stage(F(1, 10**15), F(1), 1),))
    with pytest.raises(InvalidMechanism, match="below the rounding"):
        training_execution(faint, aggregation(), NORMALS, DELTA)


def test_another_grid_or_a_smaller_batch_is_refused() -> None:
    run = training_execution(POISSON, aggregation(), NORMALS, DELTA)
    with pytest.raises(InvalidMechanism, match="public_grids"):
        executed_training(POISSON, replace(run, grids=(2 * run.grids[0],)), DELTA)
    with pytest.raises(InvalidMechanism, match="largest_batch"):
        executed_training(POISSON, replace(run, largest_batch=run.largest_batch - 1), DELTA)


def test_failures_above_delta_leave_no_bound() -> None:
    run = training_execution(POISSON, aggregation(), replace(NORMALS, uncoupled=F(1, 10**6)), DELTA)
    with pytest.raises(InvalidMechanism, match="less than what finite precision may cost"):
        executed_training(POISSON, run, DELTA)


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({"steps": 0}, "N ≥ 1"),
        ({"dimension": 0}, "d ≥ 1"),
        ({"error": F(0)}, "0 < e"),
        ({"error": F(1, 16)}, "e < Γ/16"),
        ({"uncoupled": F(-1)}, "probabilities of at least 0"),
        ({"uncoupled": F(1)}, "probabilities below 1"),
        ({"spare": F(1)}, "probabilities below 1"),
        ({"delta": F(1)}, "0 < δ < 1"),
        ({"delta": F(1, 10**6)}, "e\\^γ"),
    ],
)
def test_side_conditions(changes: dict, condition: str) -> None:
    premise = apply(
        gaussian_profile,
        apply(full_batches, releases=schedule(FULL), neighbours="add-or-remove-one"),
        delta=F(1, 10**6),
    )
    known = {"steps": 2, "dimension": 1, "error": F(1, 10**12), "uncoupled": F(0), "spare": F(0), "releases": ()}
    known |= {"samples": 1, "largest_batch": 11, "delta": DELTA}
    apply(executed_sums, premise, **known)
    with pytest.raises(TheoremError, match=condition):
        enclose(apply(executed_sums, premise, **known | changes))


@pytest.mark.parametrize("scaling", [Clip(F(2)), AutoS(F(2), F(1, 100)), Psasc(F(2), F(1, 10), F(1, 3))])
def test_shrunk_weights_keep_within_the_sensitivity(scaling) -> None:
    norm = F(evaluate(derive_sensitivity(scaling), Exact()).norm)
    for dtype, length in (("float64", 10**8), ("float32", 10**5)):
        shrink = shrink_for(scaling, norm, length, dtype)
        how = aggregation(norm_dtype=dtype, norm_length=length, shrink=shrink)
        assert how.excess(scaling, norm) == 0
        assert aggregation(norm_dtype=dtype, norm_length=length, shrink=shrink * F(9, 10)).excess(scaling, norm) > 0
