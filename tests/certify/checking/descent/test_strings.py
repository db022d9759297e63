"""Straight schedules against step-by-step rationals: T3 and T5."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import pairwise

import mpmath as mp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certify import checker
from certify.checker import Phase, Timeline
from tests.certify.checking.cases import (
    BITS,
    encloses_tightly,
    ends,
    is_admissible,
    steps_of,
    taut_string,
    timelines,
    tracked,
)
from tests.vectors import make_certificates as make

pytestmark = pytest.mark.usefixtures("sixty_digits")


@settings(max_examples=80, deadline=None)
@given(timelines(), st.data())
def test_taut_string_is_the_cost_of_its_schedule(timeline: Timeline, data: st.DataObject) -> None:
    """The schedule of T2, step by step: z_N = 0, its cost is that of `taut_string`, and z ≥ 0 is seen exactly.

    With a restart (T5) the schedule begins there, at the distance of T1.
    """
    steps, begin = steps_of(timeline), 0
    if timeline.diameter is not None:
        begin = data.draw(st.integers(0, len(steps) - 1))
        block, k = steps[begin][0]
        batches = timeline.phases[block].batches
        restart = {"block": str(block), "epoch": str(k // batches), "position": str(k % batches)}
        timeline = checker.restarted(timeline, restart)
    start = list(tracked(timeline))[begin][1]
    later = [step[0] for step in steps[begin + 1 :]]
    moments = data.draw(st.sets(st.sampled_from(later), max_size=4)) if later else set()
    corners = []
    for block, k in sorted(moments):
        epoch, position = map(str, divmod(k, timeline.phases[block].batches))
        corners.append({"block": str(block), "position": position, "first": epoch, "last": epoch})
    cuts = [begin, *(i for i, step in enumerate(steps) if step[0] in moments), len(steps)]
    z, cost, admissible = start, Fraction(0), True
    for first, last in pairwise(cuts):
        w, v = start if first == begin else Fraction(0), Fraction(0)
        for _, c, shift, noise in steps[first:last]:
            w, v = c * w + shift, c * c * v + noise
        assert z == (start if first == begin else 0)
        for k in range(first, last):
            _, c, shift, noise = steps[k]
            weight = Fraction(1)
            for step in steps[k + 1 : last]:
                weight *= step[1]
            a = w / v * weight * noise
            z, cost = c * z + shift - a, cost + a * a / noise
            admissible &= z >= 0
    assert z == 0
    assert all(piece.stays_above_zero(None) for piece, _ in checker.string_pieces(timeline, corners)) == admissible
    assert is_admissible(timeline, corners) == admissible
    assert encloses_tightly(taut_string(timeline, corners, BITS), cost, BITS - 12)


def test_ranges_of_corners_are_single_corners() -> None:
    phase = Phase(6, 3, Fraction(11, 10), Fraction(1), Fraction(1), (2,), (1,))
    timeline = Timeline(Fraction(0), None, (phase, Phase(2, 3, Fraction(11, 10), Fraction(1), Fraction(1), (), ())))
    single = [{"block": "0", "position": "2", "first": str(e), "last": str(e)} for e in range(6)]
    ranged = [{"block": "0", "position": "2", "first": "0", "last": "5"}]
    assert is_admissible(timeline, single) and is_admissible(timeline, ranged)
    one, many = taut_string(timeline, single, BITS), taut_string(timeline, ranged, BITS)
    assert ends(one)[0] <= ends(many)[1] and ends(many)[0] <= ends(one)[1]


@pytest.mark.parametrize("c", ["0", "0.95", "1", "1.01"])
def test_a_thousand_million_epochs(c: str) -> None:
    epochs = 10**9
    phases = (
        Phase(epochs, 88, Fraction(c), Fraction(1, 50), Fraction(1, 7), (87,), (1,)),
        Phase(2, 88, Fraction(c), Fraction(1, 50), Fraction(1, 7), (), ()),
    )
    last = epochs - 1 if Fraction(c) > 1 else 0
    corners = [{"block": "0", "position": "87", "first": "0", "last": str(last)}]
    for diameter in (None, Fraction(10)):
        timeline = Timeline(Fraction(0), diameter, phases)
        assert is_admissible(timeline, corners)
        assert (taut_string(timeline, corners, BITS) > 0) == (Fraction(c) > 0)
        assert checker.wasserstein_tracking(timeline, timeline.end, BITS) >= 0
        if diameter is not None and Fraction(c) <= 1:  # the last epoch alone, from wherever the runs are
            restart = {"block": "0", "epoch": str(epochs - 1), "position": "0"}
            assert taut_string(checker.restarted(timeline, restart), [], BITS) >= 0


def test_ten_thousand_single_shifts_of_an_expansion() -> None:
    phase = Phase(10**4, 88, Fraction("1.01"), Fraction(1, 50), Fraction(1, 7), (87,), (1,))
    timeline = Timeline(Fraction(0), Fraction(10), (phase,))
    corners = [{"block": "0", "position": "87", "first": str(e), "last": str(e)} for e in range(10**4)]
    assert is_admissible(timeline, [*corners[:2000], corners[2000] | {"last": "9999"}])
    assert not is_admissible(timeline, corners[:1])


def test_a_later_position_costs_no_less() -> None:
    """Why the requests fill the last batch first (c ≤ 1)."""

    @cache
    def mu(position: int, c: Fraction, start: Fraction) -> mp.mpf:
        phases = [
            {"epochs": "3", "batches": "4", "step_size": "1", "noise_std": "1", "records": [[str(position), "1"]]},
            {"epochs": "1", "batches": "4", "step_size": "1", "noise_std": "1", "records": []},
        ]
        moments, w, v, _ = make.walk(phases, start, c, Fraction(1))
        return make.string(moments, w, v, c)[1]

    for c in (Fraction(1, 2), Fraction(9, 10), Fraction(1)):
        for start in (Fraction(0), Fraction(1), Fraction(20)):
            assert all(mu(p, c, start) <= mu(p + 1, c, start) * (1 + mp.mpf("1e-50")) for p in range(3))


def test_hundred_requests_take_seconds() -> None:
    """The phases of a hundred requests, without the slow producer."""
    phases = tuple(
        Phase(5, 60, Fraction("0.957"), Fraction(1, 50), Fraction(1, 7), (58, 59), (100 - i, 10)) for i in range(100)
    )
    corners = [{"block": "0", "position": "58", "first": "0", "last": "0"}]
    for r in range(5, 101, 5):  # a fifth of them
        timeline = Timeline(Fraction(0), None, phases[100 - r :])
        is_admissible(timeline, corners)
        taut_string(timeline, corners, BITS)
