"""Shares of μ² and of the distance, against the schedule of the brute-force string, step by step."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from hypothesis import given, settings

from accountant import ConstantLoss, derive, derive_epsilon, enclose
from accountant.explain.dominance import describe, dominance
from accountant.theorems.flow import Mark
from tests.accountant.cases import STARTS, closed, run, stages, taut, unroll
from tests.oracles import timeline as oracle


@settings(max_examples=60, deadline=None)
@given(stages(quiet=False), STARTS)
def test_shares_against_the_schedule_step_by_step(made, start) -> None:
    steps = unroll(made)
    square, schedule = oracle.taut_string(steps, start)
    found = dominance(taut(made, start))
    if not square:
        assert found == ()
        return
    (shares,) = found
    tails, at, whole = oracle.tail_products(steps), 0, F(0)
    far = tails[0] * F(start) + sum(tails[k + 1] * s for k, (_, s, _) in enumerate(steps))
    assert shares.start == pytest.approx(float(tails[0] * F(start) / far), abs=1e-12)
    for item, phase in zip(made, shares.phases, strict=True):
        mine = range(at, at + item.epochs * item.batches)
        energy = sum(schedule[k] ** 2 / steps[k][2] for k in mine)
        shift = sum(tails[k + 1] * steps[k][1] for k in mine)
        assert phase.energy == pytest.approx(float(energy / square), abs=1e-9)
        assert phase.distance == pytest.approx(float(shift / far), abs=1e-12)
        assert (phase.epochs, phase.steps) == (item.epochs, len(mine))
        at, whole = mine.stop, whole + energy
    assert whole == square
    assert sum(segment.share for segment in shares.segments) == pytest.approx(1, abs=1e-9)


def test_segments_follow_the_corners() -> None:
    """Learning: one straight piece up to the last shift, and the last shift's own step."""
    pair = derive(run(3, epochs=5))
    (shares,) = dominance(pair)
    assert [(s.start, s.end, s.times) for s in shares.segments][-1] == (Mark(0, 4, 2), Mark(1), 1)
    assert shares.segments[-1].share > 0.5 and shares.restart is None and shares.weight == 1
    timeline = pair.premises[0].preview
    assert describe(Mark(0, 4, 2), timeline) == "phase 1, epoch 5, batch 3" and describe(Mark(1), timeline) == "the end"


def test_alike_segments_are_one() -> None:
    """c = 1: a shift in every epoch, and the string bends at each of them, or goes straight through."""
    pair = derive(run(3, epochs=9, loss=ConstantLoss(1, 0, 2)))
    (shares,) = dominance(pair)
    assert sum(s.share for s in shares.segments) == pytest.approx(1)
    assert sum(p.energy for p in shares.phases) == pytest.approx(1) == shares.phases[0].distance


def test_a_restart_begins_at_the_diameter() -> None:
    pair = derive(run(3, epochs=40, loss=ConstantLoss(1, 0, 2), radius=F(1, 10), unlearning_epochs=1))
    (shares,) = dominance(pair)
    assert pair.theorem.id == "T5" and shares.restart == dict(pair.arguments)["restart"]
    assert shares.start + sum(p.distance for p in shares.phases) == pytest.approx(1) and shares.start > 0.2
    assert sum(p.energy for p in shares.phases) == pytest.approx(1)


def test_stretches_share_by_their_squares() -> None:
    pair = derive(run(3, unlearning_epochs=(1, 1), requests=(1, 2), release="all"), 1)
    found = dominance(pair)
    assert pair.theorem.id == "T7" and len(found) == 2 and sum(s.weight for s in found) == pytest.approx(1)
    squares = [float(enclose(part).upper) ** 2 for part in pair.premises]
    assert found[0].weight / found[1].weight == pytest.approx(squares[0] / squares[1])


def test_what_has_no_shares() -> None:
    assert dominance(derive(run(loss=ConstantLoss(1, F(1, 2), 0)))) == ()
    assert dominance(closed(F(3, 4), F(1), F(2), 3, 1, 4, 2)) == ()
    assert dominance(derive_epsilon(derive(run()), "1e-5")) == ()
