"""T2, T3, T4, T4a, T6: the taut string against brute force, a QP, exact densities, and the published closed forms."""

from __future__ import annotations

import math
import random
from fractions import Fraction as F
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accountant import TheoremError, apply, derive, derive_from_distance, derive_witness, evaluate, theorems
from accountant.core.arithmetic import Ball, Exact, Float
from accountant.pnsgd.derive import pull_taut
from accountant.pnsgd.search.string import TooLong, corners
from accountant.theorems.flow import Flows, Mark, shift_marks
from accountant.theorems.shifts import Corner
from tests.accountant import cases
from tests.accountant.cases import Stage, Surds, closed, history, mu_squared, run, stage, string, taut, unroll
from tests.oracles import density, qp
from tests.oracles import timeline as oracle

HIDDEN = "noise wherever there is distance to hide"
DIPS = "the schedule stays above zero"


# --- T3 equals the brute-force hull -----------------------------------------------------------------------------------


def check_against_brute_force(stages: list[Stage], start: F, diameter: F | None = None) -> F | None:
    """μ² of ours equals that of the hull over all points, to the last digit; μ = ∞ is a refusal."""
    expected, _ = oracle.taut_string(unroll(stages), start)
    if expected == math.inf:
        with pytest.raises(TheoremError, match=HIDDEN):
            taut(stages, start, diameter)
        return None
    pair = taut(stages, start, diameter)
    assert mu_squared(pair) == expected
    assert float(evaluate(pair, Float()).mu) == pytest.approx(math.sqrt(expected), rel=1e-12)
    return expected


@settings(max_examples=150)
@given(cases.stages(), cases.STARTS)
def test_string_equals_the_brute_force_hull(stages, start) -> None:
    check_against_brute_force(stages, start)


@settings(max_examples=100)
@given(cases.expanding())
def test_string_of_expansions_equals_the_brute_force_hull(stages) -> None:
    check_against_brute_force(stages, F(0), F(10**6))


@pytest.mark.slow
@settings(max_examples=3000)
@given(st.one_of(st.tuples(cases.stages(most=5), cases.STARTS), st.tuples(cases.expanding(), st.just(F(0)))))
def test_string_equals_the_brute_force_hull_on_many(drawn) -> None:
    stages, start = drawn
    check_against_brute_force(stages, start, F(10**6))


def test_string_bends_where_noise_or_contraction_changes() -> None:
    """Cases in which the hull has more than one corner: a search that finds fewer would fail here for certain."""
    several = 0
    for noises in ((2, 1, F(1, 4)), (F(1, 4), 1, 2), (1, F(1, 4), 1)):
        made = [
            stage(c, epochs=3, batches=3, records=[(2, 1)], noise_std=noise)
            for c, noise in zip((F(1, 2), F(3, 4), F(9, 10)), noises, strict=True)
        ]
        assert check_against_brute_force(made, F(0)) > 0
        several += len(dict(taut(made).arguments)["corners"]) > 1
    assert several >= 2


@given(cases.stages(), cases.STARTS)
def test_the_schedule_that_the_corners_stand_for_is_admissible(stages, start) -> None:
    """a_k = (w/v)·C_k·τ_k² on each segment, replayed by the oracle in the raw recursion, proves the very same μ²."""
    try:
        pair = taut(stages, start)
    except TheoremError:
        return
    chosen = marks_of(dict(pair.arguments)["corners"])
    assert replay(stages, start, chosen) == mu_squared(pair)


def marks_of(chosen: tuple[Corner, ...]) -> list[Mark]:
    return [Mark(c.block, epoch, c.position) for c in chosen for epoch in range(c.first, c.last + 1)]


def replay(stages: list[Stage], start: F, chosen: list[Mark]) -> F:
    """μ² that the oracle finds in the schedule of these corners; ScheduleError where it is none."""
    steps = unroll(stages)
    index = {}
    for i, item in enumerate(stages):
        for epoch in range(item.epochs):
            for position in range(item.batches):
                index[Mark(i, epoch, position)] = len(index)
    cuts = [0, *(index[mark] for mark in chosen), len(steps)]
    schedule, z = [], F(start)
    for a, b in pairwise(cuts):
        w, v = oracle.straight_witness(steps[a:b], z)
        tail = oracle.tail_products(steps[a:b])[1:]
        if w and not v:
            raise oracle.ScheduleError("nothing to hide it with")
        slope = w / v if w else F(0)
        schedule += [slope * c * variance for c, (_, _, variance) in zip(tail, steps[a:b], strict=True)]
        z = F(0)
    return oracle.check_schedule(steps, start, schedule)


@settings(max_examples=200)
@given(st.one_of(cases.stages(), cases.stages(quiet=False)), cases.STARTS, st.data())
def test_other_corners_are_refused_or_no_better(stages, start, data) -> None:
    """Any list of corners: refused exactly when its schedule is inadmissible, else a valid and no smaller bound."""
    marks = [Mark(i, e, p) for i, s in enumerate(stages) for e in range(s.epochs) for p in range(s.batches)][1:]
    chosen = sorted(data.draw(st.sets(st.sampled_from(marks), max_size=4))) if marks else []
    listed = [(mark.block, mark.position, mark.epoch) for mark in chosen]
    try:
        proved = replay(stages, start, chosen)
    except oracle.ScheduleError:
        with pytest.raises(TheoremError, match=f"{HIDDEN}|{DIPS}"):
            mu_squared(string(stages, start, listed))  # at the latest here: a tie before it is open in balls
        return
    assert mu_squared(string(stages, start, listed)) == proved >= oracle.taut_string(unroll(stages), start)[0]


def test_every_admissible_list_of_corners_is_found_and_no_other() -> None:
    """All 2^8 subsets of one small timeline: accepted exactly when the oracle accepts, and the search finds the
    least."""
    made = [stage(F(3, 4), epochs=3, batches=2, records=[(0, 1), (1, 2)]), stage(F(3, 4), epochs=1, batches=3)]
    marks = [Mark(i, e, p) for i, s in enumerate(made) for e in range(s.epochs) for p in range(s.batches)][1:]
    accepted = []
    for bits in range(2 ** len(marks)):
        chosen = [mark for i, mark in enumerate(marks) if bits >> i & 1]
        listed = [(mark.block, mark.position, mark.epoch) for mark in chosen]
        try:
            proved = replay(made, F(0), chosen)
        except oracle.ScheduleError:
            with pytest.raises(TheoremError, match=DIPS):
                string(made, F(0), listed)
            continue
        accepted.append(proved)
        assert mu_squared(string(made, F(0), listed)) == proved
    assert 1 < len(accepted) < 2 ** len(marks)
    assert min(accepted) == mu_squared(taut(made))


@given(cases.stages(), st.data())
def test_marks_between_are_exactly_those_that_can_bend_the_string(stages, data) -> None:
    """Whatever the segment, its admissibility is decided by the marks: none that matters is left out."""
    timeline = evaluate(history(stages), Exact())
    flows = Flows(Exact(), timeline)
    marks = [Mark(i, e, p) for i, s in enumerate(stages) for e in range(s.epochs) for p in range(s.batches)]
    marks.append(flows.end)
    a, b = sorted(data.draw(st.tuples(*[st.integers(0, len(marks) - 1)] * 2)))
    looked_at = {marks.index(mark) for mark in shift_marks(timeline, marks[a], marks[b])}
    assert looked_at <= set(range(a + 1, b))
    points = oracle.points(unroll(stages)[a:b])
    v_end, d_end = points[-1]
    heights = {k: d * v_end - d_end * v for k, (v, d) in enumerate(points, start=a)}
    if min(heights.values()) < 0:
        assert any(heights[k] < 0 for k in looked_at)


def test_a_run_of_corners_is_those_corners_one_by_one() -> None:
    made = [stage(F(9, 10), epochs=5, batches=3, records=[(1, 1)])]
    together = string(made, F(0), [(0, 1, 0, 4)])
    apart = string(made, F(0), [(0, 1, e) for e in range(5)])
    assert mu_squared(together) == mu_squared(apart) == replay(made, F(0), marks_of((Corner(0, 1, 0, 4),)))


def test_the_first_shift_corner_matters() -> None:
    """Without it the noise before the first shift is counted, which hides nothing: z would be negative."""
    made = [stage(F(1, 2), epochs=1, batches=3, records=[(2, 1)]), stage(F(1, 2), epochs=2, batches=3)]
    assert mu_squared(string(made, F(0), [(0, 2, 0)])) == oracle.taut_string(unroll(made))[0]
    with pytest.raises(TheoremError, match=r"taut_string \(T3\): needs the schedule stays above zero"):
        string(made, F(0), [])


@settings(max_examples=40)
@given(cases.stages(most=2, contractions=[F(1, 2), F(3, 4), F(1)], quiet=False), cases.STARTS)
def test_string_equals_a_quadratic_programme(stages, start) -> None:
    steps = unroll(stages)[:20]
    made = [stage(c, s, records=[(0, 1)] if s else [], batch_size=1, step_size=v / 2) for c, s, v in steps]
    assert unroll(made) == steps
    try:
        found = qp.best_schedule(steps, start)
    except ArithmeticError:  # no tight bracket: the oracle says nothing
        return
    assert abs(float(mu_squared(taut(made, start))) - found.value) <= found.tolerance + 1e-12 * found.value


@given(cases.stages(), cases.STARTS, st.data())
def test_splitting_a_phase_changes_nothing(stages, start, data) -> None:
    i = data.draw(st.integers(0, len(stages) - 1))
    item = stages[i]
    first = data.draw(st.integers(1, max(1, item.epochs - 1)))
    if first >= item.epochs:
        return
    parts = [Stage(**{**vars(item), "epochs": n}) for n in (first, item.epochs - first)]
    try:
        whole = mu_squared(taut(stages, start))
    except TheoremError:
        return
    assert mu_squared(taut([*stages[:i], *parts, *stages[i + 1 :]], start)) == whole


@settings(max_examples=40)
@given(cases.stages(quiet=False), cases.STARTS)
def test_a_clean_noiseless_step_changes_nothing_at_c_one(stages, start) -> None:
    still = stage(1, 0, noise_std=0)
    assert mu_squared(taut([*stages, still], start)) == mu_squared(taut(stages, start))


def test_no_noise_where_it_is_needed_is_infinite_and_refused() -> None:
    late = [stage(F(1, 2), records=[(0, 1)]), stage(F(1, 2), records=[(0, 1)], noise_std=0)]
    for made, start in ((late, 0), ([stage(1, noise_std=0)], 1), ([stage(1, records=[(0, 1)], noise_std=0)], 0)):
        assert oracle.taut_string(unroll(made), start)[0] == math.inf
        with pytest.raises(TheoremError, match=rf"\(T3\): needs {HIDDEN}"):
            taut(made, start)
    forgotten = [stage(F(1, 2), 5, records=[(0, 1)], noise_std=0), stage(0, noise_std=0)]
    assert mu_squared(taut(forgotten, 3)) == 0


def test_an_empty_timeline() -> None:
    empty = apply(theorems.requests, start=F(0), diameter=None, phases=())
    assert mu_squared(pull_taut(empty)) == 0
    apart = apply(theorems.requests, start=F(1), diameter=None, phases=())
    with pytest.raises(TheoremError, match=HIDDEN):
        pull_taut(apart)


def test_too_long_an_expansion_is_refused_and_a_long_contraction_is_not() -> None:
    made = [stage(F(9, 8), epochs=10**9, batches=2, records=[(1, 1)])]
    with pytest.raises(TooLong, match="c > 1"):
        corners(Ball(), evaluate(history(made, 0, 5), Ball()))
    assert mu_squared_ball([stage(F(1), epochs=10**9, batches=2, records=[(1, 1)])]) > 0


def mu_squared_ball(stages: list[Stage]) -> float:
    return float(evaluate(taut(stages), Ball()).mu.mid()) ** 2


def test_search_in_floats_finds_a_string_that_the_exact_theorem_accepts() -> None:
    made = [
        stage(F(9, 10), epochs=30, batches=3, records=[(0, 1), (2, 1)]),
        stage(F(1, 2), epochs=4, batches=2, records=[(1, 2)], noise_std=F(1, 2)),
        stage(F(9, 10), epochs=2, batches=3),
    ]
    timeline = history(made)
    found = corners(Float(), evaluate(timeline, Float()))
    assert mu_squared(apply(theorems.taut_string, timeline, corners=found)) == mu_squared(pull_taut(timeline))


# --- T4: closed forms -------------------------------------------------------------------------------------------------


def two_phases(c: F, shift: F, noise: F, l: int, j: int, t: int, k: int) -> list[Stage]:  # noqa: E741
    learn = stage(c, shift, epochs=t, batches=l, records=[(j, 1)], noise_std=noise)
    return [learn, stage(c, shift, epochs=k, batches=l, noise_std=noise)] if k else [learn]


@settings(max_examples=150)
@given(
    st.sampled_from(cases.CONTRACTING),
    st.sampled_from(cases.SHIFTS[1:]),
    st.sampled_from(cases.NOISES[1:]),
    st.integers(1, 5),
    st.integers(0, 4),
    st.integers(1, 5),
    st.integers(0, 3),
)
def test_closed_forms_equal_the_string(c, shift, noise, batches, position, epochs, unlearning) -> None:
    position %= batches
    made = two_phases(c, shift, noise, batches, position, epochs, unlearning)
    form = closed(c, shift, made[0].variance, batches, position, epochs, unlearning)
    expected, _ = oracle.taut_string(unroll(made))
    assert mu_squared(form) == mu_squared(taut(made)) == expected
    assert float(evaluate(form, Float()).mu) == pytest.approx(math.sqrt(expected), rel=1e-12)


def test_both_branches_of_learning_are_met() -> None:
    """One segment where the last shift can be spread, two where it cannot; c = 0 is one of them."""
    kinds = set()
    for c in (F(0), F(1, 2), F(9, 10), F(1)):
        for position in range(4):
            made = two_phases(c, F(1), F(1), 4, position, 3, 0)
            kinds.add(len([x for x in marks_of(dict(taut(made).arguments)["corners"]) if x.epoch == 2]))
    assert kinds == {0, 1}


@pytest.mark.parametrize(("t", "k"), [(3, 0), (3, 1)])
def test_closed_forms_are_refused_for_expansions(t: int, k: int) -> None:
    """There they would print a number below the truth."""
    c = F(5, 4)
    with pytest.raises(TheoremError, match=r"closed_form \(T4\): needs c ≤ 1, got 1.25"):
        closed(c, F(1), F(1), 2, 1, t, k)
    steps = unroll(two_phases(c, F(1), F(1), 2, 1, 4, 2))
    d, v = oracle.straight_witness(steps[1:])  # what the formula for K ≥ 1 would say
    assert d**2 / v < oracle.taut_string(steps)[0]


@pytest.mark.parametrize("c", [F(1, 2), F(7, 8), F(3, 10)])
def test_closed_forms_of_bok_su_and_altschuler(c: F) -> None:
    """Full batch and cyclic, strongly convex; L̂ = 2M, σ̂ = σ√(2/η): (L̂/σ̂)² = s²b²/τ² in our symbols."""
    for t in (1, 2, 5, 9):
        made = two_phases(c, F(3), F(2), 1, 0, t, 0)
        expected = F(3) ** 2 / made[0].variance * (1 - c**t) / (1 + c**t) * (1 + c) / (1 - c)
        assert mu_squared(taut(made)) == expected
    for l in (2, 3, 6):  # noqa: E741
        for t in (2, 4):
            made = two_phases(c, F(3), F(2), l, l - 1, t, 0)
            late = c ** (2 * l - 2) * (1 - c * c) / (1 - c**l) ** 2
            late *= (1 - c ** (l * (t - 1))) / (1 + c ** (l * (t - 1)))
            assert mu_squared(taut(made)) == F(3) ** 2 / made[0].variance * (1 + late)


# --- T4a --------------------------------------------------------------------------------------------------------------


@given(
    st.sampled_from([*cases.CONTRACTING[1:], F(9, 8)]),
    st.integers(1, 12),
    st.sampled_from([F(1, 2), F(3)]),
    st.sampled_from(cases.NOISES[1:]),
)
def test_unlearning_noise_alone_is_a_string_from_the_learned_distance(c, steps, distance, noise) -> None:
    learned = apply(theorems.wasserstein_by_batch, contraction=F(1), shift=distance, batches=1, position=0, epochs=1)
    clean = stage(c, 0, batches=steps, noise_std=noise)
    form = apply(theorems.unlearning_noise, learned, contraction=c, variance=clean.variance, steps=steps)
    assert mu_squared(form) == oracle.taut_string(unroll([clean]), distance)[0]
    if c <= 1:
        assert mu_squared(form) == mu_squared(taut([clean], distance))


def test_counting_the_noise_of_learning_is_never_worse() -> None:
    for k in (1, 2):
        mechanism = run(4, 3, epochs=4, unlearning_epochs=k)
        assert mu_squared(derive(mechanism)) < mu_squared(derive_from_distance(mechanism))
    assert derive_from_distance(run(unlearning_epochs=0)) is None


# --- T6: the straight witness -----------------------------------------------------------------------------------------


def witness(stages: list[Stage], start: F):
    """T6 of stages that share their loss."""
    return apply(
        theorems.straight_witness,
        start=F(start),
        strong_convexity=stages[0].strong_convexity,
        gradient_bound=stages[0].gradient_bound,
        neighbours="replace-one",
        phases=tuple(item.phase for item in stages),
    )


@st.composite
def one_loss(draw) -> list[Stage]:
    """Phases on one loss with steps of any sign of 1 − ηm."""
    m, bound = draw(st.sampled_from([F(0), F(1, 2), F(1), F(2)])), draw(st.sampled_from([F(0), F(1), F(3)]))
    made = []
    for _ in range(draw(st.integers(1, 3))):
        batches = draw(st.integers(1, 3))
        records = draw(st.sampled_from([(), ((batches - 1, 1),), ((0, 2),)]))
        eta = draw(st.sampled_from([F(1, 4), F(1, 2), F(3, 4), F(1)]))
        noise = draw(st.sampled_from(cases.NOISES[1:]))
        made.append(Stage(draw(st.integers(1, 4)), batches, 2, eta, noise, m, F(2), bound, records))
    return made


@given(one_loss(), cases.STARTS)
def test_witness_equals_the_exact_gaussians(stages, start) -> None:
    """The two linear runs pushed forward, mean difference and variance, slopes of either sign."""
    d, v = F(start), F(0)
    for item in stages:
        slope = 1 - item.step_size * item.strong_convexity
        for step in range(item.epochs * item.batches):
            d = slope * d + dict(item.records).get(step % item.batches, 0) * item.shift
            v = slope**2 * v + item.variance
    assert mu_squared(witness(stages, start)) == d * d / v
    if all(item.step_size * item.strong_convexity <= 1 for item in stages):
        slopes = [
            stage(1 - i.step_size * i.strong_convexity, i.shift, epochs=i.epochs, batches=i.batches, records=i.records,
                  batch_size=i.batch_size, step_size=i.step_size, noise_std=i.noise_std)
            for i in stages
        ]  # fmt: skip
        assert (d, v) == oracle.straight_witness(unroll(slopes), start)


@given(one_loss(), cases.STARTS)
def test_lower_is_never_above_upper(stages, start) -> None:
    assert mu_squared(witness(stages, start)) <= mu_squared(taut(stages, start))


@pytest.mark.parametrize("step_size", [F(1, 2), F(1), F(4, 3)])
def test_witness_meets_the_bound_as_stated(step_size: F) -> None:
    """K ≥ 1: (upper/lower)² = (1 − c^{2l(T+K)})/(1 − c^{2(l(T+K)−j)}), for η ≤ 2/(m+L)."""
    for batches, epochs, k in ((3, 2, 1), (4, 1, 2), (1, 3, 1)):
        mechanism = run(batches, epochs=epochs, unlearning_epochs=k, step_size=step_size)
        c, steps, j = 1 - step_size / 2, batches * (epochs + k), batches - 1
        ratio = mu_squared(derive(mechanism)) / mu_squared(derive_witness(mechanism))
        assert ratio == (1 - c ** (2 * steps)) / (1 - c ** (2 * (steps - j)))


def test_witness_of_nothing() -> None:
    assert mu_squared(derive_witness(run(epochs=0, unlearning_epochs=1))) == 0
    assert derive_witness(run(radius=10)) is None
    with pytest.raises(TheoremError, match=r"straight_witness \(T6\): needs noise in some step"):
        witness([stage(F(1, 2), records=[(0, 1)], noise_std=0)], F(0))


# --- the bound against densities of non-linear maps -------------------------------------------------------------------


def attack(seed: int, steps: int, *, radius: float | None = None, shrink: float = 1.0) -> float:
    """max over ε of δ(ε) − δ_μ(ε), less the oracle's error, with μ from our T3; positive refutes it."""
    rng = np.random.default_rng(seed)
    grow = bool(seed % 2)
    pairs = density.random_pairs(rng, steps, expanding=grow)
    made = [stage(p.c, p.s, records=[(0, 1)] if p.s else [], batch_size=1, step_size=p.variance / 2) for p in pairs]
    assert unroll(made) == density.steps_of(pairs)
    start = F(0) if grow else F(int(rng.integers(0, 3)), 2)
    mu = math.sqrt(mu_squared(taut(made, start, None if radius is None and not grow else radius or 10**6)))
    return density.excess(pairs, shrink * mu, starts=(float(start), 0.0), radius=radius)


@pytest.mark.parametrize("seed", range(8))
def test_nonlinear_runs_stay_below_the_string(seed: int) -> None:
    assert attack(seed, 4) <= 0
    assert attack(seed, 3, radius=2.0) <= 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 300))
def test_many_nonlinear_runs_stay_below_the_string(seed: int) -> None:
    assert attack(seed, 2 + seed % 6) <= 0
    assert attack(seed, 2 + seed % 6, radius=1.0 + seed % 3) <= 0


def test_the_density_attack_refutes_a_smaller_mu() -> None:
    pairs = [density.MapPair(density.linear(0.8, 1.0), density.linear(0.8), F(4, 5), F(1), F(1))]
    pairs += [density.MapPair(density.linear(0.8), density.linear(0.8), F(4, 5), F(0), F(1))] * 2
    made = [stage(F(4, 5), records=[(0, 1)], batch_size=1), stage(F(4, 5), epochs=2)]
    mu = math.sqrt(mu_squared(taut(made)))
    assert density.excess(pairs, mu) <= 0 < density.excess(pairs, 0.99 * mu)


# --- how μ depends on the parameters ----------------------------------------------------------------------------------


def test_random_timelines_in_balls_enclose_the_exact_value() -> None:
    rng = random.Random(7)
    for _ in range(30):
        made = [
            stage(F(rng.randint(0, 8), 8), epochs=rng.randint(1, 5), batches=3, records=[(rng.randint(0, 2), 1)])
            for _ in range(3)
        ]
        pair = taut(made)
        ball, square = evaluate(pair, Ball()).mu, mu_squared(pair)
        assert ball * ball == Ball().of(square) or (ball * ball - Ball().of(square)).contains(0)
        assert evaluate(pair, Surds()).mu.square == square
