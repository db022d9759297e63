"""Small losses and jumps on grids of their own: forced where no one would split, against quadrature of few steps."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accountant.core.arithmetic.balls import precision
from accountant.core.exact import Rounding
from accountant.mechanisms.pairs import Coins, Symmetrised, Way
from accountant.mechanisms.release import Part
from accountant.pld import profile, split
from accountant.pld.compose import CUT, WINDOW, scale_of, tail_of, unit_of
from accountant.pld.masses import Masses, compose
from accountant.pld.mixture import pair_of
from accountant.pld.tilt import choose_tilt
from tests.oracles import groups
from tests.oracles import subsampled as oracle

DELTA = F(1, 10**6)


def forced(
    part: Part, way: Way, rounding: Rounding, border: F, points: int = 300, left: int | None = None, delta: F = DELTA
) -> Masses:
    """All steps of the part, its jumps those of |loss| > border; left: that many of them at most, in a lower bound."""
    with pytest.MonkeyPatch.context() as patch:
        if left is not None:
            patch.setattr(split, "_left_out", lambda mean, delta: left)
        tilt, tail, bits = choose_tilt((part,), way, delta), tail_of((part,), delta), scale_of((part,), delta, points)
        with precision(64):
            pair = pair_of(part)
            reach, size = split._reach(part, pair, way, tilt, tail), pair.bulk()
        assert float(border) < reach
        given = split.Border(border, 0.0, 0.0, 0.0, size, 0.0, reach, 4)
        budget, bottom = int(delta * 2**bits) >> CUT, 2**bits >> CUT
        return split.split_power(
            part,
            way,
            rounding,
            given,
            tilt,
            tail,
            bits,
            delta,
            points,
            unit_of(points),
            budget,
            bottom,
            WINDOW * points,
        )


KINDS = {  # (way, pair, shift) of the pairs that are split
    "remove": (Way.FORWARD, Coins(), 1),
    "add": (Way.REVERSED, Coins(), 1),
    "symmetric": (Way.FORWARD, Symmetrised(), 2),
    "two removed": (Way.FORWARD, Coins(2, 0), 1),
    "replaced": (Way.FORWARD, Coins(1, 1), 1),
    "two replaced": (Way.FORWARD, Coins(2, 2), 1),
}


def part_of(kind: str, z: F, q: F, steps: int) -> tuple[Part, Way]:
    way, pair, shift = KINDS[kind]
    return Part((shift / z) ** 2, q, steps, pair), way


def truth_of(kind: str, z: F, q: F, epsilon: F, steps: int) -> tuple[float, float]:
    """δ(ε) and how far the oracle may be off."""
    _, pair, shift = KINDS[kind]
    up, down = pair.up, pair.down
    z, q, epsilon = float(z), float(q), float(epsilon)
    if kind in ("remove", "add", "symmetric"):
        return oracle.delta_few(steps, z, q, epsilon, kind, shift)
    error = 3 * groups.own_error(epsilon, z, q, up, down) if steps > 1 else 0.0
    return groups.delta(epsilon, z, q, up, down, steps), error + 1e-13


def reach_of(part: Part, way: Way) -> float:
    with precision(64):
        return split._reach(part, pair_of(part), way, choose_tilt((part,), way, DELTA), tail_of((part,), DELTA))


def check(kind: str, z: F, q: F, steps: int, share: F, left: int | None, epsilons: list[F]) -> list[F]:
    """Both bounds hold; what is between them. share: how far up the jumps begin."""
    part, way = part_of(kind, z, q, steps)
    border = F(reach_of(part, way)) * share
    upper, lower = forced(part, way, Rounding.UP, border), forced(part, way, Rounding.DOWN, border, left=left)
    gaps = []
    for epsilon in epsilons:
        above, below = profile.delta(upper, epsilon), profile.delta(lower, epsilon)
        truth, error = truth_of(kind, z, q, epsilon, steps)
        assert below <= F(truth + error) and F(truth - error) <= above, (float(below), truth, float(above))
        gaps.append(above - below)
    return gaps


FEW = [F(-1, 50), F(1, 100), F(1, 5), F(3)]
CASES = [
    ("remove", "0.8", "0.01", 2, "0.02", 1, FEW),
    ("remove", "0.7", "0.3", 1, "0.1", 0, FEW),
    ("remove", "1", "0.1", 3, "0.05", 2, FEW[2:3]),
    ("add", "1", "0.05", 2, "0.1", 1, FEW),
    ("symmetric", "1.5", "0.02", 2, "0.05", 1, FEW),
    ("replaced", "0.8", "0.03", 1, "0.2", 0, FEW),
]
SLOW = [
    ("two removed", "0.9", "0.02", 2, "0.1", 0, FEW),
    ("replaced", "0.8", "0.03", 2, "0.05", 1, FEW),
    ("two replaced", "1.1", "0.01", 1, "0.2", 1, FEW),
]


@pytest.mark.parametrize("case", CASES + [pytest.param(row, marks=pytest.mark.slow) for row in SLOW])
def test_a_forced_split_holds_the_truth_of_few_steps(case: tuple) -> None:
    """And so it does where a lower bound leaves out that there may be more jumps than so many."""
    kind, z, q, steps, share, left, epsilons = case
    for most in (None, left):
        check(kind, F(z), F(q), steps, F(share), most, epsilons)


@pytest.mark.slow
@settings(max_examples=150)
@given(
    st.sampled_from(sorted(KINDS)),
    st.integers(40, 300).map(lambda x: F(x, 100)),
    st.tuples(st.integers(1, 999), st.integers(3, 6)).map(lambda x: x[0] * F(1, 10) ** x[1]),
    st.integers(1, 3),
    st.tuples(st.integers(1, 900), st.integers(3, 5)).map(lambda x: x[0] * F(1, 10) ** x[1]),
    st.sampled_from([None, 0, 1, 2]),
    st.lists(st.fractions(-1, 5, max_denominator=1000), min_size=4, max_size=4),
)
def test_any_split_holds_the_truth(
    kind: str, z: F, q: F, steps: int, share: F, left: int | None, epsilons: list[F]
) -> None:
    one_or_two = kind not in ("remove", "add", "symmetric")  # where the oracle knows no third step
    check(kind, z, q, min(steps, 2) if one_or_two else steps, share, left, epsilons)


def test_what_is_left_out_adds_up_where_two_lower_bounds_meet() -> None:
    """One step each, its jumps left out: their composition is below δ of both steps, and not by more than those."""
    first, second = ("1", "0.05"), ("0.8", "0.02")
    parts = (part_of("remove", F(z), F(q), 1) for z, q in (first, second))
    one, other = (forced(part, way, Rounding.DOWN, F("0.05"), left=0) for part, way in parts)
    assert one.infinite < 0 and other.infinite < 0
    both = compose(one, other, 0, 1 << 20, 0)
    assert both.infinite <= one.infinite + other.infinite
    steps = [(float(z), float(q), "remove") for z, q in (first, second)]
    for epsilon in (F(0), F(1, 100), F(1, 10)):
        truth = F(oracle.delta_mixed(steps, float(epsilon)))
        assert profile.delta(both, epsilon) <= truth + F(1, 10**9)
        assert truth <= profile.delta(replace(both, infinite=0), epsilon) + F(-both.infinite, 1 << both.bits) + F(
            1, 100
        )


def test_a_far_too_small_number_of_jumps_leaves_nothing() -> None:
    """All of a distribution may be left out: no bound, and no failure."""
    part, way = part_of("remove", F("0.55"), F("0.9"), 3)
    lower = forced(part, way, Rounding.DOWN, F("0.01"), left=0)
    assert lower.infinite == -(1 << lower.bits) and profile.delta(lower, F(0)) == 0
    assert profile.epsilon(lower, DELTA) == 0
