"""From a mechanism to the phases of a claim: who differs, where, and for how long."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accountant import NoisySGD, derive, derive_lower, derive_timeline, derive_witness, enclose, evaluate
from accountant.core.arithmetic import Exact
from accountant.mechanisms.timeline import history, phases, stretches, worst_batches
from tests.accountant.cases import mu_squared, run, unroll
from tests.oracles import timeline as oracle


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 9))
def test_worst_batches_fill_from_the_last(records, batches, batch_size) -> None:
    if records > batches * batch_size:
        return
    filled = worst_batches(records, batches, batch_size)
    positions = [p for p, _ in filled]
    assert sum(n for _, n in filled) == records and all(1 <= n <= batch_size for _, n in filled)
    assert positions == list(range(batches - len(filled), batches))
    assert all(n == batch_size for _, n in filled[1:])  # only the earliest batch may be partly filled


def test_no_records_fill_nothing() -> None:
    assert worst_batches(0, 4, 3) == ()


def test_one_request() -> None:
    learn, unlearn = phases(run(3, 2, epochs=5, unlearning_epochs=2))
    assert (learn.epochs, learn.batches, learn.batch_size, learn.records) == (5, 3, 2, ((2, 1),))
    assert (unlearn.epochs, unlearn.records) == (2, ())
    assert (learn.step_size, learn.noise_std) == (unlearn.step_size, unlearn.noise_std) == (F(1, 2), F(1, 3))


def test_learning_itself_and_no_learning() -> None:
    assert [p.records for p in phases(run(unlearning_epochs=0))] == [((2, 1),)]
    assert [p.records for p in phases(run(epochs=0, unlearning_epochs=2))] == [()]


def test_a_sequence_keeps_the_later_records_differing() -> None:
    """Request r is compared with the data after it throughout: earlier phases still shift by what leaves later."""
    mechanism = run(3, 2, epochs=4, unlearning_epochs=(1, 2, 3), requests=(1, 2, 1))
    assert [p.records for p in phases(mechanism, 0)] == [((2, 1),), ()]
    assert [p.records for p in phases(mechanism, 1)] == [((1, 1), (2, 2)), ((2, 2),), ()]
    assert [p.records for p in phases(mechanism, 2)] == [((1, 2), (2, 2)), ((1, 1), (2, 2)), ((2, 1),), ()]
    assert [p.epochs for p in phases(mechanism, 2)] == [4, 1, 2, 3]


def test_a_request_without_epochs_leaves_no_phase() -> None:
    mechanism = run(3, 2, unlearning_epochs=(0, 2), requests=(1, 1))
    assert [p.records for p in phases(mechanism, 0)] == [((2, 1),)]
    assert [p.records for p in phases(mechanism, 1)] == [((2, 2),), ()]


@pytest.mark.parametrize("neighbours", ["replace-one", "remove-one"])
def test_the_timeline_says_what_the_steps_are(neighbours: str) -> None:
    """c, s and τ² by the formulas of the glossary, record by record."""
    mechanism = run(
        3, 2, epochs=2, unlearning_epochs=(1, 1), requests=(3, 1), initial_distance=1, radius=4, neighbours=neighbours
    )
    timeline = evaluate(derive_timeline(mechanism, 1), Exact())
    eta, sigma, bound = mechanism.step_size, mechanism.noise_std, mechanism.loss.gradient_bound
    shift = (2 if neighbours == "replace-one" else 1) * eta * bound / 2
    assert (timeline.start, timeline.diameter) == (1, 8)
    assert [(b.epochs, b.batches, b.contraction, b.variance, b.expanding) for b in timeline.blocks] == [
        (n, 3, F(3, 4), 2 * eta * sigma**2, False) for n in (2, 1, 1)
    ]
    assert [b.shifts for b in timeline.blocks] == [((1, 2 * shift), (2, 2 * shift)), ((2, shift),), ()]


def test_equal_phases_share_their_premises() -> None:
    timeline = derive_timeline(run(unlearning_epochs=(1, 1, 1), requests=(1, 1, 1)), 2)
    assert len(timeline.premises) == 8 and len({id(p) for p in timeline.premises}) == 2
    assert sum(1 for _ in timeline.nodes()) == 3


def test_helper_and_oracle_agree_on_the_steps() -> None:
    """The tests' own bridge between code and oracle, checked once by hand."""
    from tests.accountant.cases import stage

    made = [stage(F(1, 2), 3, epochs=2, batches=2, records=[(1, 2)], noise_std=2), stage(F(9, 8), 1)]
    one = [(F(1, 2), F(0), F(4)), (F(1, 2), F(6), F(4))]
    assert unroll(made) == oracle.make_steps([*one, *one, (F(9, 8), 0, 1)])


# --- references and releases: against lists of single steps -----------------------------------------------------------


def epochs_of(mechanism: NoisySGD, request: int) -> list[list[int]]:
    """How many records differ in each batch, epoch after epoch of the true history: one after the other they take
    their places from the end, and whoever has been erased differs no more."""
    every = []
    for i, length in enumerate((mechanism.epochs, *mechanism.unlearning_epochs[: request + 1])):
        counts = [0] * mechanism.batches
        for record in range(sum(mechanism.requests[i : request + 1])):
            counts[mechanism.batches - 1 - record // mechanism.batch_size] += 1
        every += [counts] * length
    return every


def steps_of(mechanism: NoisySGD, epochs: list[list[int]]) -> list[oracle.Step]:
    """(c, s, τ²) of each step, by the glossary."""
    eta, constants = mechanism.step_size, mechanism.loss.constants()
    c = max(abs(1 - eta * constants.strong_convexity), abs(1 - eta * constants.smoothness))
    s = (2 if mechanism.neighbours == "replace-one" else 1) * eta * constants.gradient_bound / mechanism.batch_size
    return oracle.make_steps((c, n * s, 2 * eta * mechanism.noise_std**2) for epoch in epochs for n in epoch)


def unrolled(mechanism: NoisySGD, request: int) -> list[oracle.Step]:
    """The steps of the timeline that the accountant makes."""
    timeline = evaluate(derive_timeline(mechanism, request), Exact())
    blocks = (oracle.Phase(b.epochs, b.batches, b.contraction, b.variance, dict(b.shifts)) for b in timeline.blocks)
    return oracle.expand(blocks)


@st.composite
def histories(draw, references=("retrain", "retrain-T", "stationary")) -> NoisySGD:
    """One to three requests on three batches of three, in a ball."""
    asked = draw(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), min_size=1, max_size=3))
    sizes, lengths = (tuple(column) for column in zip(*asked, strict=True))
    return run(
        3,
        3,
        epochs=draw(st.integers(1, 4)),
        requests=sizes,
        unlearning_epochs=lengths,
        radius=draw(st.sampled_from([F(1, 2), F(3), F(40)])),
        step_size=draw(st.sampled_from([F(1, 4), F(1), F(2)])),
        neighbours=draw(st.sampled_from(["replace-one", "remove-one"])),
        reference=draw(st.sampled_from(references)),
    )


@settings(max_examples=100)
@given(histories())
def test_history_equals_the_steps_one_by_one(mechanism) -> None:
    """The reference of T epochs stands beside the last T epochs of the history; both kinds begin anywhere in the
    ball."""
    for request in range(len(mechanism.requests)):
        epochs, erased = epochs_of(mechanism, request), sum(mechanism.unlearning_epochs[: request + 1])
        joined = erased > 0 and mechanism.reference != "retrain"
        if joined and mechanism.reference == "retrain-T":
            epochs = epochs[erased:]
            assert len(epochs) == mechanism.epochs
        start = mechanism.diameter if joined else 0
        assert unrolled(mechanism, request) == steps_of(mechanism, epochs)
        assert history(mechanism, request).start == start
        assert evaluate(derive_timeline(mechanism, request), Exact()).start == start
        learned = mechanism.epochs - (erased if joined and mechanism.reference == "retrain-T" else 0)
        assert history(mechanism, request).learning_phases == int(learned > 0)


@settings(max_examples=60)
@given(histories())
def test_bounds_of_every_reference_lie_between_the_best_restart_and_the_plain_string(mechanism) -> None:
    for request in range(len(mechanism.requests)):
        steps, start = unrolled(mechanism, request), history(mechanism, request).start
        found = mu_squared(derive(mechanism, request))
        plain, _ = oracle.taut_string(steps, start)
        best, _ = oracle.bounded_string(steps, start, mechanism.diameter, starts_in_ball=True)
        assert best <= found <= plain or best == 0


@settings(max_examples=60)
@given(histories(references=("retrain",)))
def test_stretches_equal_the_epochs_between_two_releases(mechanism) -> None:
    """Joined, with the last one that costs nothing, they are the history; each but the first begins together."""
    for request in range(len(mechanism.requests)):
        parts, last = stretches(mechanism, request), mechanism.unlearning_epochs[request]
        found = []
        for part in parts:
            (phase,) = part.phases
            found += [[dict(phase.records).get(j, 0) for j in range(phase.batches)]] * phase.epochs
        assert found + [[0, 0, 0]] * last == epochs_of(mechanism, request)
        assert [part.start for part in parts] == [0] * len(parts)
    apart = NoisySGD(**(vars(mechanism) | {"initial_distance": F(1, 2)}))
    assert stretches(apart, len(apart.requests) - 1)[0].start == F(1, 2)


def test_a_published_start_is_no_secret() -> None:
    """The first stretch begins at the starts, and unlearning at a model that both runs have published."""
    mechanism = run(3, 3, epochs=2, requests=(1, 2), unlearning_epochs=(1, 2), initial_distance=1)
    first, second = stretches(mechanism, 1)
    assert (first.start, second.start) == (1, 0)
    assert [part.phases[0].records for part in (first, second)] == [((2, 3),), ((2, 2),)]
    assert [part.phases[0].epochs for part in (first, second)] == [2, 1]
    assert [part.start for part in stretches(mechanism, 0)] == [1]


# --- what the references mean -----------------------------------------------------------------------------------------


def bound(reference: str, epochs: int, unlearning: int, **changes) -> float:
    """μ of one request, in a ball so large that it matters for the start alone."""
    made = run(3, 2, epochs=epochs, unlearning_epochs=unlearning, radius=50, reference=reference, **changes)
    return float(enclose(derive(made)).upper)


def test_long_unlearning_forgets_but_a_short_retraining_does_not() -> None:
    """K → ∞: against the stationary law and against retraining for T + K nothing is left; retraining for T epochs
    remembers its own start, and only T → ∞ forgets it."""
    for reference in ("retrain", "stationary"):
        values = [bound(reference, 3, k) for k in (1, 2, 4, 8, 60)]
        assert values == sorted(values, reverse=True) and values[-1] < 1e-15
    many = [bound("retrain-T", 3, k) for k in (3, 4, 50)]
    assert many[0] == many[1] == many[2] > 0.1  # the T epochs are all clean
    assert [bound("retrain-T", t, t) for t in (3, 20, 60)][2] < 1e-15


def test_clean_epochs_from_anywhere_in_the_ball_are_the_closed_form() -> None:
    """T7: μ = 2R c^t √((1 − c²)/(1 − c^{2t}))/τ, t = lT, where K ≥ T."""
    c, steps = F(3, 4), 9
    square = (100 * c**steps) ** 2 * (1 - c**2) / (1 - c ** (2 * steps)) / F(1, 9)
    assert mu_squared(derive(run(3, 2, epochs=3, unlearning_epochs=5, radius=50, reference="retrain-T"))) == square


def test_the_stationary_law_is_retraining_for_ever() -> None:
    """T → ∞: where it began matters no more; and never is it closer than retraining for T + K."""
    assert bound("stationary", 200, 1) == pytest.approx(bound("retrain", 200, 1), rel=1e-12)
    for epochs, k in ((1, 1), (2, 1), (3, 4)):
        assert bound("stationary", epochs, k) > bound("retrain", epochs, k)
        assert bound("retrain-T", epochs, k) >= bound("stationary", epochs, k)  # K epochs less to forget in


def test_starts_that_are_joined_have_no_witness() -> None:
    for reference in ("retrain-T", "stationary"):
        made = run(3, 2, unlearning_epochs=1, initial_distance=1, radius=4, reference=reference)
        assert derive_witness(made) is None and derive_lower(made, "1e-5") is None
        # whatever the distance of the two starts, the reference may be anywhere in the ball
        assert mu_squared(derive(made)) <= oracle.taut_string(unrolled(made, 0), 8)[0]
        assert history(made).start == 8
