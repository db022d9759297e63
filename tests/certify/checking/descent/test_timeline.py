"""Stretches of steps, and the distance of two runs, against step-by-step rationals."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from certify import checker
from certify.checker import Timeline
from tests.certify.checking.cases import BITS, encloses_tightly, steps_of, timelines, tracked


@settings(max_examples=50, deadline=None)
@given(timelines(), st.data())
def test_stretch(timeline: Timeline, data: st.DataObject) -> None:
    phase = timeline.phases[0]
    begin = data.draw(st.integers(0, phase.steps))
    end = data.draw(st.integers(begin, phase.steps))
    w, v = Fraction(1, 3), Fraction(1, 5)
    expected = checker.moved(checker.stretch(phase, begin, end, None), w, v)
    for (block, k), c, shift, noise in steps_of(timeline):
        if block == 0 and begin <= k < end:
            w, v = c * w + shift, c * c * v + noise
    assert expected == (w, v)


@settings(max_examples=50, deadline=None)
@given(timelines())
def test_wasserstein_tracking(timeline: Timeline) -> None:
    for moment, w in tracked(timeline):
        assert encloses_tightly(checker.wasserstein_tracking(timeline, moment, BITS), w, BITS - 12)
        assert checker.wasserstein_tracking(timeline, moment, None) == w
