"""C1, C2, T10, T1, T1a and the flows under them: equality in exact rationals with step-by-step recursions."""

from __future__ import annotations

import itertools
from fractions import Fraction as F

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accountant import ConstantLoss, InvalidMechanism, TheoremError, apply, derive, derive_timeline, evaluate, theorems
from accountant.core.arithmetic import Exact
from accountant.theorems.flow import Flows, Mark
from tests.accountant import cases
from tests.accountant.cases import history, mu_squared, rates, run, stage, unroll
from tests.oracles import timeline as oracle

positive = st.fractions(F(1, 40), 5, max_denominator=40)
unit = st.fractions(0, 1, max_denominator=30)


# --- C1: contraction --------------------------------------------------------------------------------------------------


def factor(step_size: F, m: F, smoothness: F) -> F:
    made = apply(theorems.contraction, step_size=step_size, strong_convexity=m, smoothness=smoothness)
    return evaluate(made, Exact()).factor


def quadratic(a: F, b: F, t: F) -> list[list[F]]:
    """The symmetric matrix with eigenvalues a, b, turned by the rational angle of parameter t."""
    cos, sin = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    return [
        [a * cos**2 + b * sin**2, (a - b) * cos * sin],
        [(a - b) * cos * sin, a * sin**2 + b * cos**2],
    ]


@given(positive, unit, positive, unit, unit, st.fractions(-2, 2, max_denominator=9), st.tuples(unit, unit))
def test_contraction_holds_for_random_quadratics(step, share, smoothness, u, v, turn, x) -> None:
    m = share * smoothness
    c = factor(step, m, smoothness)
    for a, b in ((m + u * (smoothness - m), m + v * (smoothness - m)), (m, smoothness)):
        h = quadratic(a, b, turn)
        moved = [x[i] - step * (h[i][0] * x[0] + h[i][1] * x[1]) for i in (0, 1)]
        assert sum(y * y for y in moved) <= c * c * sum(y * y for y in x)
    assert c in (abs(1 - step * m), abs(1 - step * smoothness))  # attained: no smaller c is true


@given(positive, unit)
def test_contraction_is_one_minus_eta_m_up_to_two_over_l_plus_m(smoothness, share) -> None:
    m = share * smoothness
    edge = 2 / (smoothness + m)
    assert factor(edge, m, smoothness) == 1 - edge * m
    assert factor(edge / 2, m, smoothness) == 1 - edge * m / 2
    assert factor(2 * edge, m, smoothness) == 2 * edge * smoothness - 1


@pytest.mark.parametrize("smoothness", ["0.3", "0.261264", "7/3", "1e-9"])
def test_two_over_l_is_exactly_one(smoothness: str) -> None:
    """η = 2/L is no dyadic number: in balls c = 1 could not be decided, and a hair more must be refused."""
    bound = F(smoothness)
    assert factor(2 / bound, bound / 7, bound) == 1
    loss = ConstantLoss(bound, bound / 7, 1)
    timeline = evaluate(derive_timeline(run(loss=loss, step_size=2 / bound)), Exact())
    assert [block.expanding for block in timeline.blocks] == [False]
    hair = 2 / bound + F(1, 10**60)
    with pytest.raises(InvalidMechanism, match="step_size"):
        run(loss=loss, step_size=hair)
    beyond = evaluate(derive_timeline(run(loss=loss, step_size=hair, radius=10)), Exact())
    assert [block.expanding for block in beyond.blocks] == [True]


def test_full_contraction_forgets_everything() -> None:
    assert factor(F(1, 3), F(3), F(3)) == 0
    assert factor(F(2, 3), F(0), F(3)) == 1
    assert factor(F(1), F(0), F(3)) == 2


# --- C2: shift --------------------------------------------------------------------------------------------------------


@given(positive, st.integers(1, 9), positive, st.tuples(unit, unit), st.fractions(-2, 2, max_denominator=9))
def test_shift_holds_for_random_gradients(step, size, bound, lengths, turn) -> None:
    kwargs = {"step_size": step, "batch_size": size, "gradient_bound": bound}
    replaced = evaluate(apply(theorems.gradient_shift, **kwargs, neighbours="replace-one"), Exact()).distance
    removed = evaluate(apply(theorems.gradient_shift, **kwargs, neighbours="remove-one"), Exact()).distance
    cos, sin = (1 - turn**2) / (1 + turn**2), 2 * turn / (1 + turn**2)
    g = (lengths[0] * bound, F(0))
    other = (lengths[1] * bound * cos, lengths[1] * bound * sin)
    moved = sum((step * (x - y) / size) ** 2 for x, y in zip(g, other, strict=True))
    assert moved <= replaced**2
    assert (step * g[0] / size) ** 2 <= removed**2
    assert replaced == step * (bound - -bound) / size and removed == step * bound / size  # both are attained


# --- flows, T1, T1a ---------------------------------------------------------------------------------------------------


@given(cases.stages(), cases.STARTS, st.sampled_from([None, F(3), F(5, 2), F(40)]))
def test_tracking_equals_step_by_step(stages, start, cap) -> None:
    timeline = history(stages, start, cap)
    path = oracle.track_distance(unroll(stages), start, cap, starts_in_ball=True)
    done = 0
    for phases in range(len(stages) + 1):
        bound = evaluate(apply(theorems.wasserstein_tracking, timeline, phases=phases), Exact())
        assert bound.distance == path[done]
        done += stages[phases].epochs * stages[phases].batches if phases < len(stages) else 0


@given(cases.expanding(), st.sampled_from([F(1, 2), F(3), F(40)]))
def test_tracking_of_expansions_equals_step_by_step(stages, cap) -> None:
    bound = evaluate(apply(theorems.wasserstein_tracking, history(stages, 0, cap), phases=len(stages)), Exact())
    assert bound.distance == oracle.track_distance(unroll(stages), 0, cap, starts_in_ball=True)[-1]


@given(
    st.one_of(cases.stages(), cases.expanding()),
    st.data(),
    st.fractions(0, 4, max_denominator=6),
    st.sampled_from([None, F(1, 2), F(4), F(50)]),
)
def test_flows_between_any_two_marks_equal_the_steps(stages, data, w, cap) -> None:
    """Partial epochs, whole ones and several blocks: distance and variance of every stretch, capped or not."""
    known = evaluate(history(stages, 0, cap if cap is not None else 10**9), Exact())
    timeline = type(known)(known.start, cap, known.blocks)
    marks = [Mark(i, e, p) for i, s in enumerate(stages) for e in range(s.epochs) for p in range(s.batches)]
    marks.append(Mark(len(stages)))
    a, b = sorted(data.draw(st.tuples(*[st.integers(0, len(marks) - 1)] * 2)))
    flow = Flows(Exact(), timeline).between(marks[a], marks[b])
    steps, v = unroll(stages)[a:b], F(2)
    for c, _, variance in steps:
        v = c * c * v + variance
    arrived = flow.rate * w + flow.shift
    assert (arrived if flow.cap is None else min(arrived, flow.cap)) == oracle.track_distance(steps, w, cap)[-1]
    assert flow.rate**2 * 2 + flow.variance == v


@given(
    st.sampled_from([*cases.CONTRACTING, F(9, 8), F(2)]), st.integers(1, 4), st.integers(0, 3), st.integers(0, 5), unit
)
def test_closed_form_equals_tracking(c, batches, position, epochs, shift) -> None:
    position %= batches
    known = {"contraction": c, "shift": shift, "batches": batches, "position": position}
    bound = evaluate(apply(theorems.wasserstein_by_batch, **known, epochs=epochs), Exact()).distance
    steps = oracle.expand([oracle.Phase(epochs, batches, c, 1, {position: shift})])
    assert bound == oracle.track_distance(steps)[-1]
    if c < 1:
        limit = evaluate(apply(theorems.wasserstein_by_batch, **known, epochs=None), Exact()).distance
        assert limit - bound == limit * c ** (batches * epochs)
    else:
        with pytest.raises(TheoremError, match=r"c < 1 for T → ∞"):
            apply(theorems.wasserstein_by_batch, **known, epochs=None)


@pytest.mark.parametrize(("c", "worst"), [(F(0), 3), (F(2, 3), 3), (F(9, 8), 0)])
def test_worst_position_of_the_distance(c: F, worst: int) -> None:
    by_batch = [
        evaluate(
            apply(theorems.wasserstein_by_batch, contraction=c, shift=F(1), batches=4, position=j, epochs=3), Exact()
        ).distance
        for j in range(4)
    ]
    assert max(range(4), key=by_batch.__getitem__) == worst


def test_whole_numbers_never_become_floats() -> None:
    """2/3 of integers is a float in Python; a third of a shift must not be rounded."""
    shift = apply(theorems.gradient_shift, step_size=1, batch_size=3, gradient_bound=1, neighbours="replace-one")
    assert evaluate(shift, Exact()).distance == F(2, 3) and type(shift.preview.distance) is F
    distance = apply(theorems.wasserstein_by_batch, contraction=0, shift=10, batches=3, position=2, epochs=None)
    assert type(evaluate(distance, Exact()).distance) is F
    assert not isinstance(distance.preview.distance, float)


# --- T10: requests ----------------------------------------------------------------------------------------------------


def placements(records: int, batches: int, room: tuple[int, ...]):
    """Every way to put that many records into batches with so much room left."""
    for counts in itertools.product(*(range(min(records, r) + 1) for r in room)):
        if sum(counts) == records:
            yield counts


def worst_by_brute_force(mechanism, request: int) -> F:
    """The largest μ² of the brute-force string over all placements of the records of requests 0 … request."""
    c = max(abs(1 - mechanism.step_size * x) for x in (mechanism.loss.strong_convexity, mechanism.loss.smoothness))
    shift = 2 * mechanism.step_size * mechanism.loss.gradient_bound / mechanism.batch_size
    variance = 2 * mechanism.step_size * mechanism.noise_std**2
    batches, sizes = mechanism.batches, mechanism.requests[: request + 1]
    lengths = (mechanism.epochs, *mechanism.unlearning_epochs[: request + 1])

    def every(i: int, room: tuple[int, ...]):
        if i == len(sizes):
            yield ()
            return
        for counts in placements(sizes[i], batches, room):
            for rest in every(i + 1, tuple(r - k for r, k in zip(room, counts, strict=True))):
                yield (counts, *rest)

    worst = F(0)
    for placed in every(0, (mechanism.batch_size,) * batches):
        made = []
        for i, epochs in enumerate(lengths):
            differ = [sum(counts[p] for counts in placed[i:]) for p in range(batches)]
            made.append(oracle.Phase(epochs, batches, c, variance, {p: k * shift for p, k in enumerate(differ) if k}))
        worst = max(worst, oracle.taut_string(oracle.expand(made), mechanism.initial_distance)[0])
    return worst


LOSSES = {
    "c = 0": ConstantLoss(2, 2, 1),
    "c = 1/2": ConstantLoss(2, 1, 1),
    "c = 9/10": ConstantLoss(2, F(1, 5), 1),
    "c = 1": ConstantLoss(2, 0, 1),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("batches", "batch_size", "epochs", "unlearning", "sizes", "start"),
    [
        (3, 2, 2, (0,), (1,), 0),
        (3, 2, 2, (0,), (3,), 0),
        (3, 2, 1, (1,), (3,), 2),
        (2, 3, 2, (2,), (4,), 1),
        (3, 2, 2, (1, 1), (1, 2), 0),
        (2, 2, 1, (1, 0), (2, 1), 1),
        (3, 1, 1, (2, 1), (1, 1), 0),
        (2, 2, 0, (1, 1), (1, 2), 0),
        (4, 1, 2, (1,), (2,), 0),
    ],
)
def test_worst_batches_dominate_every_placement(loss, batches, batch_size, epochs, unlearning, sizes, start) -> None:
    mechanism = run(
        batches,
        batch_size,
        epochs=epochs,
        unlearning_epochs=unlearning,
        requests=sizes,
        initial_distance=start,
        loss=LOSSES[loss],
    )
    for request in range(len(sizes)):
        # dominates every placement, and is itself one of them
        assert mu_squared(derive(mechanism, request)) == worst_by_brute_force(mechanism, request)


@given(st.sampled_from([F(0), F(1, 3), F(3, 4), F(1), F(9, 8), F(3, 2)]), st.integers(2, 5), st.integers(0, 3))
def test_a_later_position_is_never_better(c, batches, clean) -> None:
    """One record, equal starts: μ grows with the position for every c, expansions included."""
    values = []
    for position in range(batches):
        made = [stage(c, epochs=2, batches=batches, records=[(position, 1)])]
        if clean:
            made.append(stage(c, epochs=clean, batches=batches))
        values.append(mu_squared(cases.taut(made, 0, 10**6)))
    assert values == sorted(values)


def test_a_sequence_pays_for_the_records_that_still_differ() -> None:
    """Leaving out the later request's records while the earlier one is unlearned gives a number below the truth."""
    made = [
        stage(F(3, 4), epochs=2, batches=2, records=[(1, 2)]),
        stage(F(3, 4), epochs=1, batches=2, records=[(1, 1)]),
        stage(F(3, 4), epochs=1, batches=2),
    ]
    honest = mu_squared(cases.taut(made))
    forgetful = mu_squared(cases.taut([made[0], stage(F(3, 4), epochs=2, batches=2)]))
    assert honest == oracle.taut_string(unroll(made))[0] > forgetful
    mechanism = run(2, 2, epochs=2, unlearning_epochs=(1, 1), requests=(1, 1), loss=LOSSES["c = 1/2"])
    phases = dict(derive_timeline(mechanism, 1).arguments)["phases"]
    assert [phase.records for phase in phases] == [((1, 2),), ((1, 1),), ()]


def test_expansions_need_a_radius_and_one_record() -> None:
    one = stage(F(3, 2), epochs=2, batches=2, records=[(1, 1)])
    history([one], 0, 5)
    with pytest.raises(TheoremError, match=r"\(T10\): needs c ≤ 1, or a radius"):
        history([one])
    for stages, start in (
        ([stage(F(3, 2), batches=2, records=[(1, 2)])], 0),
        ([stage(F(3, 2), batches=2, records=[(0, 1), (1, 1)])], 0),
        ([one], 1),
    ):
        with pytest.raises(TheoremError, match=r"\(T10\): needs c ≤ 1, or one differing record and equal starts"):
            history(stages, start, 5)


def test_premises_come_in_pairs() -> None:
    contraction, shift = rates(stage(F(1, 2)))
    phases = (stage(F(1, 2)).phase,)
    with pytest.raises(TheoremError, match="a contraction and a shift for each phase"):
        apply(theorems.requests, contraction, start=F(0), diameter=None, phases=phases)
    with pytest.raises(TheoremError, match="takes"):
        apply(theorems.requests, shift, contraction, start=F(0), diameter=None, phases=phases)


@settings(max_examples=30)
@given(cases.stages(quiet=False))
def test_an_epoch_longer_is_one_more_step_of_the_recursion(stages) -> None:
    """T → T + 1 in the last phase: w ← w after l more steps, whatever came before."""
    longer = [*stages[:-1], cases.Stage(**{**vars(stages[-1]), "epochs": stages[-1].epochs + 1})]
    before, after = (
        evaluate(apply(theorems.wasserstein_tracking, history(s), phases=len(s)), Exact()).distance
        for s in (stages, longer)
    )
    assert after == oracle.track_distance(unroll(longer)[-stages[-1].batches :], before)[-1]
