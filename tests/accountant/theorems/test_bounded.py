"""T5: the string may begin late where a projection keeps the runs within 2R; against brute force over every moment."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accountant import Derivation, TheoremError, apply, enclose, evaluate, theorems
from accountant.core.arithmetic import Exact
from accountant.pnsgd.search.string import corners
from accountant.theorems.flow import Mark
from tests.accountant import cases
from tests.accountant.cases import Stage, history, mu_squared, stage, taut, unroll
from tests.oracles import density
from tests.oracles import timeline as oracle

CAPS = st.sampled_from([F(1, 2), F(5, 2), F(4), F(50)])


def marks(stages: list[Stage]) -> list[Mark]:
    return [Mark(i, e, p) for i, s in enumerate(stages) for e in range(s.epochs) for p in range(s.batches)]


def restarted(timeline: Derivation, mark: Mark, distance: F) -> Derivation:
    """T5 from this moment, with the corners that the search finds."""
    bends = corners(Exact(), evaluate(timeline, Exact()), mark, distance)
    return apply(theorems.bounded_domain, timeline, restart=mark, corners=bends)


def every_restart(stages: list[Stage], start: F, cap: F) -> list[F]:
    """μ² from each moment, checked one by one against the brute-force string of what is left."""
    timeline, steps = history(stages, start, cap), unroll(stages)
    path, values = oracle.track_distance(steps, start, cap, starts_in_ball=True), []
    for k, mark in enumerate(marks(stages)):
        expected, _ = oracle.taut_string(steps[k:], path[k])
        if expected == math.inf:
            with pytest.raises(TheoremError, match="noise wherever there is distance to hide"):
                mu_squared(restarted(timeline, mark, path[k]))
        else:
            assert mu_squared(restarted(timeline, mark, path[k])) == expected
        values.append(expected)
    return values


@settings(max_examples=40)
@given(cases.stages(most=2), st.sampled_from([F(0), F(1, 4), F(1, 2)]), CAPS)
def test_restart_equals_the_brute_force_minimum(stages, start, cap) -> None:
    values = every_restart(stages, start, cap)
    best, _ = oracle.bounded_string(unroll(stages), start, cap, starts_in_ball=True)
    assert best == min(values) or best == 0  # 0: the runs are together at the end


@settings(max_examples=40)
@given(cases.expanding(), CAPS)
def test_restart_of_expansions_equals_the_brute_force_minimum(stages, cap) -> None:
    values = every_restart(stages, F(0), cap)
    best, _ = oracle.bounded_string(unroll(stages), 0, cap, starts_in_ball=True)
    assert best == min(values) or best == 0


@given(cases.stages(quiet=False), st.sampled_from([F(0), F(1, 2)]))
def test_from_the_start_it_is_the_taut_string(stages, start) -> None:
    bends = dict(taut(stages, start).arguments)["corners"]
    pair = apply(theorems.bounded_domain, history(stages, start, 50), restart=Mark(0), corners=bends)
    assert mu_squared(pair) == mu_squared(taut(stages, start))
    assert pair.assumptions == taut(stages, start).assumptions | {"projection"}


def test_convex_learning_stays_bounded() -> None:
    """c = 1 and a ball: after 2R is reached, more epochs change nothing, while the plain string grows for ever."""
    cap, bounds = F(4), []
    for epochs in (8, 16, 64):
        made = [stage(1, epochs=epochs, batches=2, records=[(1, 1)])]
        path = oracle.track_distance(unroll(made), 0, cap, starts_in_ball=True)
        late = [(k, m) for k, m in enumerate(marks(made)) if path[k] == cap]
        bounds.append(min(mu_squared(restarted(history(made, 0, cap), m, path[k])) for k, m in late))
    plain = mu_squared(taut([stage(1, epochs=64, batches=2, records=[(1, 1)])]))
    assert bounds[1] == bounds[2] < plain and bounds[2] <= bounds[0]


def derived(stages: list[Stage], start: F, cap: F) -> tuple[F, F, F]:
    """μ² of what is derived, the least over every moment, and that of the plain string."""
    best, _ = oracle.bounded_string(unroll(stages), start, cap, starts_in_ball=True)
    return mu_squared(taut(stages, start, cap)), best, oracle.taut_string(unroll(stages), start)[0]


@settings(max_examples=100)
@given(
    st.one_of(
        st.tuples(cases.stages(quiet=False), st.sampled_from([F(0), F(1, 2)])),
        st.tuples(cases.expanding(), st.just(F(0))),
    ),
    CAPS,
)
def test_what_is_derived_is_never_below_the_best_nor_above_the_plain_string(drawn, cap) -> None:
    stages, start = drawn
    try:
        found, best, plain = derived(stages, start, cap)
    except TheoremError:  # no noise where there is distance to hide, whatever the moment
        assert oracle.bounded_string(unroll(stages), start, cap, starts_in_ball=True)[0] in (0, math.inf)
        return
    assert best <= found <= plain or best == 0


@settings(max_examples=60)
@given(
    st.sampled_from([F(3, 4), F(9, 10), F(1), F(9, 8), F(3, 2)]),
    st.integers(1, 3),
    st.integers(1, 12),
    st.integers(0, 3),
    st.sampled_from([F(1, 2), F(5, 2), F(4)]),
)
def test_what_is_derived_is_the_best_for_one_record(c, batches, epochs, clean, cap) -> None:
    """Learning, then unlearning, of one record in the last batch: the search finds the best moment."""
    made = [stage(c, epochs=epochs, batches=batches, records=[(batches - 1, 1)])]
    made += [stage(c, epochs=clean, batches=batches)] if clean else []
    found, best, _ = derived(made, F(0), cap)
    assert found == best


def test_a_billion_expanding_epochs_in_a_ball_are_as_good_as_many() -> None:
    """The string begins so late that most of them are forgotten, and need not be looked at."""
    many, billion = (
        float(enclose(taut([stage(F(9, 8), epochs=t, batches=2, records=[(1, 1)])], 0, 5)).upper) for t in (99, 10**9)
    )
    assert many == pytest.approx(billion, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_nonlinear_projected_runs_stay_below_it(seed: int) -> None:
    """The best restart of ours is above the exact densities of random non-linear projected runs."""
    rng = np.random.default_rng(seed)
    pairs = density.random_pairs(rng, 4, expanding=bool(seed % 2))
    made = [stage(p.c, p.s, records=[(0, 1)] if p.s else [], batch_size=1, step_size=p.variance / 2) for p in pairs]
    radius = F(3, 4)
    values = every_restart(made, F(0), 2 * radius)
    assert density.excess(pairs, math.sqrt(min(values)), radius=float(radius)) <= 0


@pytest.mark.parametrize("c", [F(1), F(9, 10), F(9, 8)])
def test_a_hundred_million_epochs_cost_a_few_steps_of_thought(c: F) -> None:
    """Learning for 10^8 epochs in a ball, then unlearning: the best moment is found among 3·10^8 by doubling."""
    clean = stage(c, epochs=2, batches=3)
    few, many = (
        float(enclose(taut([stage(c, epochs=t, batches=3, records=[(1, 1)]), clean], 0, 5)).upper) for t in (200, 10**8)
    )
    assert 0 < many <= few * (1 + 1e-12) or few == pytest.approx(many, rel=1e-9)
