"""T26: drift only once the runs have parted. Against all schedules, all placements, exact densities; and the law that
no bound exceeds what composition gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction as F
from itertools import product

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from accountant import (
    ClippedLoss,
    ConstantLoss,
    InvalidMechanism,
    LogisticLoss,
    NoisySGD,
    TheoremError,
    apply,
    derive,
    derive_distance,
    derive_epsilon,
    derive_farthest,
    derive_timeline,
    derive_upper,
    enclose,
    losses,
    theorems,
)
from accountant.core.arithmetic import Exact
from accountant.explain.derivatives import derivatives
from accountant.explain.dominance import dominance
from accountant.explain.formulas import formulas
from accountant.explain.names import Names
from accountant.mechanisms.timeline import history, worst_batches
from accountant.pnsgd.derive import _timeline, pull_taut
from accountant.pnsgd.estimates.doubles import in_units, scaled_mu
from accountant.pnsgd.estimates.estimate import estimate
from accountant.pnsgd.fallback import choose_rates
from accountant.pnsgd.search.excursions import MAX_MOMENTS, best_path
from accountant.theorems.flow import Flows, Mark
from accountant.theorems.gauges import Excursion, gauge_energy
from accountant.theorems.timelines import Block, Timeline
from accountant.theorems.transport import distance_at
from tests.accountant.cases import mu_squared, run
from tests.oracles import density
from tests.oracles import gauges as oracle

CLIPPED, BATCH = ClippedLoss(F(1, 2), 1), ClippedLoss(F(1, 2), 1, "batch")
DELTA = F(1, 100_000)


def clipped(batches: int = 3, **changes) -> NoisySGD:
    return run(batches, **({"loss": CLIPPED, "step_size": F(1, 5), "unlearning_epochs": 1} | changes))


def steps_of(mechanism: NoisySGD, request: int = 0, placement=None) -> list[oracle.Step]:
    """The gauge of every step (docs/theory.md T26); placement: number of differing records in each batch and phase."""
    eta, loss = mechanism.step_size, mechanism.loss
    rho, d = 1 - eta * loss.regularization, 2 * eta * loss.clip
    change = 2 if mechanism.neighbours == "replace-one" else 1
    steps = []
    for i, phase in enumerate(history(mechanism, request).phases):
        counts = dict(phase.records) if placement is None else dict(enumerate(placement[i]))
        for _ in range(phase.epochs):
            for position in range(phase.batches):
                count = counts.get(position, 0)
                s = change * eta * loss.clip * count / phase.batch_size
                if loss.clipping == "batch":
                    s = d if count else F(0)
                steps.append((rho, s, d, 2 * eta * mechanism.noise_std**2))
    return steps


def by_oracle(mechanism: NoisySGD, request: int = 0, placement=None) -> F:
    steps, start = steps_of(mechanism, request, placement), history(mechanism, request).start
    if mechanism.radius is None:
        return oracle.best(steps, start)
    return oracle.best_in_a_ball(steps, start, mechanism.diameter)


def line(*gauges, start: int = 0) -> Timeline:
    """A timeline of single steps (ρ, s, d, τ²)."""
    blocks = tuple(Block(1, 1, F(r), F(v), ((0, F(s)),) if s else (), drift=F(d)) for r, s, d, v in gauges)
    return Timeline(F(start), None, blocks, equal_starts=not start, single=True, alike=True)


def energy(timeline: Timeline, *pairs: tuple[int, int]) -> F:
    """μ² with excursions between these steps."""
    found = tuple(Excursion(Mark(i), Mark(j)) for i, j in pairs)
    return gauge_energy(Exact(), Flows(Exact(), timeline), Mark(0), timeline.start, found)


# --- the theory's own vectors -----------------------------------------------------------------------------------------


def test_the_vector_of_theory_t26() -> None:
    gauges = [(F(1, 2), s, d, F(1)) for s, d in ((F(1), F(1)), (F(0), F(1, 10)), (F(1, 10), F(1)))]
    timeline = line(*gauges)
    best = best_path(in_units(timeline))
    assert best.excursions == (Excursion(Mark(0), Mark(2)),)
    assert best.energy == pytest.approx(0.298, abs=1e-12)
    assert energy(timeline, (0, 2)) == oracle.best(gauges) == F(298, 1000)
    assert energy(timeline) == F(101, 100)
    assert energy(timeline, (0, 2), (2, 3)) == F(298, 1000)  # an excursion of one step is a composed step
    drifting = [(rho, d, d, v) for rho, _, d, v in gauges]
    assert oracle.best(drifting) == F(1288, 1000)


def test_a_shift_is_not_what_runs_that_have_parted_pay() -> None:
    """ρ = 0, s = (1, 0), second map 2·sign(x): what s alone would give, μ = 0, is below the truth (TV .3655)."""
    timeline = line((0, 1, 2, 1), (0, 0, 4, 1))
    assert energy(timeline) == 1
    assert energy(timeline, (0, 2)) == 16
    assert oracle.best([(F(0), F(1), F(2), F(1)), (F(0), F(0), F(4), F(1))]) == 1
    first = density.MapPair(lambda x: 0 * x + 0.5, lambda x: 0 * x - 0.5, F(0), F(1), F(1))
    second = density.MapPair(lambda x: 2 * np.sign(x), lambda x: 2 * np.sign(x), F(0), F(0), F(1))
    (found,) = density.delta_of_pair([first, second], [0.0])
    assert found.forward == pytest.approx(0.3655, abs=1e-3)
    assert density.gdp_delta(0.0, 1.0) >= found.forward - found.error


# --- the search against every schedule --------------------------------------------------------------------------------

SIZES = st.sampled_from([F(0), F(1, 10), F(1, 3), F(1, 2), F(1), F(2)])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([F(0), F(1, 2), F(9, 10), F(1)]), SIZES, SIZES, st.sampled_from([F(1, 4), F(1), F(3)])
        ),
        min_size=1,
        max_size=7,
    ),
    st.sampled_from([0, 0, 1, 3]),
)
def test_the_search_finds_the_best_of_all_schedules(drawn, start) -> None:
    gauges = [(rho, min(s, d), d, v) for rho, s, d, v in drawn]
    timeline, least = line(*gauges, start=start), oracle.best(gauges, start)
    path = best_path(in_units(timeline), 1e-12)
    found = gauge_energy(Exact(), Flows(Exact(), timeline), Mark(0), timeline.start, path.excursions)
    assert least <= found
    assert float(found) == pytest.approx(float(least), rel=1e-9, abs=1e-15)


def test_the_two_oracles_agree() -> None:
    rng = np.random.default_rng(5)
    for _ in range(25):
        gauges = [
            (F(int(r), 4), F(int(min(s, d)), 8), F(int(d), 8), F(1))
            for r, s, d in rng.integers([0, 0, 0], [5, 9, 9], size=(5, 3))
        ]
        start = int(rng.integers(0, 2))
        exact = float(oracle.best(gauges, start))
        grid = oracle.value([tuple(map(float, gauge)) for gauge in gauges], float(start), 401)
        assert exact - 1e-12 <= grid <= exact * 1.05 + 0.05


CASES = st.fixed_dictionaries(
    {
        "batches": st.integers(1, 3),
        "epochs": st.integers(0, 3),
        "unlearning_epochs": st.integers(0, 2),
        "batch_size": st.integers(1, 3),
        "step_size": st.sampled_from([F(1, 10), F(1), F(2)]),
        "radius": st.sampled_from([None, None, F(1, 10), F(1)]),
        "initial_distance": st.sampled_from([F(0), F(0), F(1, 10)]),
        "neighbours": st.sampled_from(["replace-one", "remove-one"]),
        "reference": st.sampled_from(["retrain", "retrain", "stationary", "retrain-T"]),
        "loss": st.sampled_from([CLIPPED, ClippedLoss(0, F(1, 3)), BATCH]),
    }
)


def made(case: dict) -> NoisySGD | None:
    try:
        return run(**case)
    except InvalidMechanism:
        return None


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_one_record_gets_the_best_schedule_in_the_worst_batch(case) -> None:
    """By brute force: over all schedules, in every batch."""
    mechanism = made(case)
    if mechanism is None:
        return
    runs, found = history(mechanism), mu_squared(derive(mechanism))
    every = []
    for position in range(mechanism.batches):
        one = tuple(int(i == position) for i in range(mechanism.batches))
        nobody = (0,) * mechanism.batches
        placement = [one if phase.records else nobody for phase in runs.phases]
        every.append(by_oracle(mechanism, placement=placement))
    assert max(every) <= found
    assert float(found) == pytest.approx(float(max(every)), rel=1e-9, abs=1e-15)


def placements(records: int, batches: int, batch_size: int) -> Iterator[tuple[int, ...]]:
    for counts in product(range(batch_size + 1), repeat=batches):
        if sum(counts) == records:
            yield counts


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.lists(st.integers(1, 3), min_size=1, max_size=2),
    st.sampled_from([F(1, 10), F(1), F(2)]), st.sampled_from([None, F(1, 2)]), st.sampled_from([CLIPPED, BATCH]),
    st.sampled_from(["retrain", "stationary"]),
)  # fmt: skip
def test_several_records_are_covered_wherever_they_are(
    batches, batch_size, epochs, sizes, step, radius, loss, reference
) -> None:
    """μ² of T26 is at least the best schedule's for every placement of the records, those of the second request among
    them; W∞ of T1 is at least what every placement tracks."""
    case = {"batches": batches, "batch_size": batch_size, "epochs": epochs, "requests": tuple(sizes), "radius": radius,
            "step_size": step, "loss": loss, "reference": reference, "unlearning_epochs": 1}  # fmt: skip
    mechanism = made(case)
    if mechanism is None or batches * (epochs + len(sizes)) > 8:
        return
    request = len(sizes) - 1
    runs, found = history(mechanism, request), mu_squared(derive(mechanism, request))
    farthest = derive_farthest(mechanism, request)
    distance = evaluate_exactly(farthest, len(runs.phases))
    rest = sizes[1] if request else 0
    for later in placements(rest, batches, batch_size):
        for first in placements(sizes[0], batches, batch_size):
            both = tuple(a + b for a, b in zip(first, later, strict=True))
            if max(both) > batch_size:
                continue
            nobody = (0,) * batches
            placement = [both, later, nobody][: len(runs.phases)] if request else [both, nobody]
            assert by_oracle(mechanism, request, placement) <= found
            steps = steps_of(mechanism, request, placement)
            assert oracle.tracked(steps, runs.start, mechanism.diameter)[-1] <= distance


def evaluate_exactly(timeline, phases: int) -> F:
    return distance_at(Exact(), Flows(Exact(), timeline.preview), Mark(phases))


def test_the_last_batches_filled_up_are_not_the_worst_for_excursions() -> None:
    """Why several records get whole epochs: with one record in each of two batches an excursion begins a step earlier,
    lasts longer and costs more than with both of them in the last batch."""
    rho, d, s = F(1, 2), F(1), F(1, 6)
    filled = [(rho, 2 * s if k % 2 else F(0), d, F(1)) for k in range(400)]
    spread = [(rho, s, d, F(1)) for _ in range(400)]

    def cost(steps, begin):
        w, v = F(0), F(0)
        for k, (r, shift, drift, variance) in enumerate(steps[begin:40]):
            w, v = r * w + (shift if k == 0 else drift), r * r * v + variance
        return w * w / v

    assert cost(spread, 0) > cost(filled, 1)
    assert s * s + cost(spread, 1) > cost(filled, 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 6), st.sampled_from([F(0), F(1, 2), F(1)]),
       st.sampled_from([F(1, 4), F(1, 2), F(3, 4)]), st.sampled_from([None, F(1, 5), F(1)]))  # fmt: skip
def test_tracking_against_every_batch(batches, epochs, clean, rho, s, diameter) -> None:
    """W∞ with the record in the first batch, where steps drift: no other batch gives more, and T1 equals step by
    step."""
    mechanism = clipped(
        batches, batch_size=4, epochs=epochs, unlearning_epochs=clean, loss=ClippedLoss(5 * (1 - rho), s),
        radius=None if diameter is None else diameter / 2,
    )  # fmt: skip
    farthest, runs = derive_farthest(mechanism), history(mechanism)
    assert all(p.records in ((), ((0, 1),)) for p in dict(farthest.arguments)["phases"])
    for leading in range(len(runs.phases) + 1):
        steps = sum(p.epochs for p in runs.phases[:leading]) * batches
        paths = []
        for position in range(batches):
            one = tuple(int(i == position) for i in range(batches))
            placement = [one, (0,) * batches][: len(runs.phases)]
            paths.append(oracle.tracked(steps_of(mechanism, 0, placement), 0, diameter)[steps])
        assert evaluate_exactly(farthest, leading) == paths[0] == max(paths)


# --- the worst batch: one function says which -------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 4), st.integers(1, 3), st.integers(0, 2), st.sampled_from([F(1, 2), F(1), F(21, 10), F(3)]),
       st.sampled_from([F(1, 2), F(40)]))  # fmt: skip
def test_the_worst_batch_by_brute_force(batches, epochs, clean, step, radius) -> None:
    """Convex steps that contract and that expand: μ (T3, T5) and W∞ (T1) are those of the worst batch."""
    mechanism = run(batches, epochs=epochs, unlearning_epochs=clean, step_size=step, radius=radius, batch_size=2,
                    loss=ConstantLoss(1, 1, 1))  # fmt: skip
    runs, rates = history(mechanism), choose_rates(mechanism, history(mechanism)).rates
    mus, distances = [], []
    for position in range(batches):
        placed = tuple(replace(p, records=((position, 1),)) if p.records else p for p in runs.phases)
        timeline = _timeline(mechanism, replace(runs, phases=placed), rates)
        mus.append(float(enclose(pull_taut(timeline)).upper))
        distances.append(evaluate_exactly(timeline, runs.learning_phases))
    assert float(enclose(derive(mechanism)).upper) == pytest.approx(max(mus), rel=1e-9)
    assert evaluate_exactly(derive_farthest(mechanism), runs.learning_phases) == max(distances)
    assert float(enclose(derive_distance(derive_farthest(mechanism), 1)).upper) >= float(distances[-1]) * (1 - 1e-12)


def test_one_function_says_where_the_records_are() -> None:
    assert worst_batches(5, 4, 2) == ((1, 1), (2, 2), (3, 2))
    assert worst_batches(5, 4, 2, growing=True) == ((1, 1), (2, 2), (3, 2))
    assert worst_batches(5, 4, 2, quantity="distance") == ((1, 1), (2, 2), (3, 2))
    assert worst_batches(5, 4, 2, quantity="distance", growing=True) == ((0, 2), (1, 2), (2, 1))
    assert worst_batches(3, 4, 2, whole_batch=True) == ((1, 1), (2, 1), (3, 1))
    assert worst_batches(9, 4, 3, quantity="distance", growing=True, whole_batch=True) == tuple(
        (i, 1) for i in range(4)
    )


# --- never above composition ------------------------------------------------------------------------------------------


def composition(mechanism: NoisySGD, request: int = 0) -> F:
    """Σ s²/τ² from the description alone, in the worst batches: what DP-SGD with fixed batches gives."""
    constants, eta, b = mechanism.loss.constants(), mechanism.step_size, mechanism.batch_size
    one = (2 if mechanism.neighbours == "replace-one" else 1) * eta * constants.gradient_bound / b
    total = F(0)
    lengths = (mechanism.epochs, *mechanism.unlearning_epochs[: request + 1])
    for i, epochs in enumerate(lengths):
        records = sum(mechanism.requests[i : request + 1])
        if mechanism.whole_batch:
            square = min(records, mechanism.batches) * (2 * eta * constants.gradient_bound) ** 2
        else:
            full, rest = divmod(records, b)
            square = (full * b * b + rest * rest) * one**2
        total += epochs * square
    return total / (2 * eta * mechanism.noise_std**2)


CONVEX = {"convex": ConstantLoss(2, F(1, 4), 1), "logistic": LogisticLoss(F(1, 10), 1)}
ROUGH = {"smooth": ConstantLoss(2, F(1, 4), 1, convex=False), "clipped": CLIPPED, "batch": BATCH}


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([*CONVEX, *ROUGH]),
    st.fixed_dictionaries(
        {
            "batches": st.sampled_from([1, 2, 7, 40]),
            "batch_size": st.sampled_from([1, 3]),
            "epochs": st.sampled_from([0, 1, 3, 50]),
            "unlearning_epochs": st.sampled_from([0, 1, 4]),
            "step_size": st.sampled_from([F(1, 100), F(1, 2), F(1), F(5, 4), F(3)]),
            "radius": st.sampled_from([None, F(1, 10), F(30)]),
            "release": st.sampled_from(["final", "all"]),
            "batch_order": st.sampled_from(["fixed", "secret"]),
            "requests": st.sampled_from([(1,), (2,), (1, 2)]),
            "neighbours": st.sampled_from(["replace-one", "remove-one"]),
        }
    ),
)
def test_no_bound_exceeds_composition(loss, case) -> None:
    """A law, for every mechanism: equal starts, any request, any release."""
    mechanism = made(case | {"loss": (CONVEX | ROUGH)[loss]})
    if mechanism is None:
        return
    for request in range(len(mechanism.requests)):
        square = composition(mechanism, request)
        try:
            bound = derive(mechanism, request)
        except InvalidMechanism:
            continue
        assert enclose(bound).upper ** 2 <= square * (1 + F(1, 10**12))
        limit = float(square) ** 0.5
        upper = float(enclose(derive_upper(mechanism, DELTA, request, bound)).upper)
        if limit < 30:
            target = density.gdp_delta(upper * (1 - 1e-9) - 1e-12, limit) if limit else 0.0
            assert upper == 0 or target >= float(DELTA) * (1 - 1e-6)


def test_equal_data_and_law_cost_nothing() -> None:
    for loss in (CLIPPED, BATCH):
        mechanism = clipped(epochs=0, unlearning_epochs=3, loss=loss)
        assert enclose(derive(mechanism)).upper == 0
        assert enclose(derive_upper(mechanism, DELTA)).upper == 0
        shown = derive_distance(derive_farthest(mechanism), 1)
        assert enclose(shown).upper == 0
    assert enclose(derive(clipped(epochs=0, unlearning_epochs=3, initial_distance=F(1, 9)))).lower > 0
    still = clipped(epochs=0, unlearning_epochs=3, reference="stationary", radius=1)
    assert enclose(derive(still)).lower > 0  # unrelated runs drift on equal data


def test_unlearning_steps_cost_nothing_and_more_of_them_never_more() -> None:
    mus = [mu_squared(derive(clipped(epochs=2, unlearning_epochs=k))) for k in range(5)]
    assert mus == sorted(mus, reverse=True)


def test_a_run_that_expands_for_too_long_is_composed(monkeypatch) -> None:
    """c > 1 with more shifts than a string looks at: composition, and not a refusal."""
    monkeypatch.setattr("accountant.pnsgd.search.string.MAX_MARKS", 200)
    mechanism = run(1, epochs=600, unlearning_epochs=0, step_size=F(201, 100), radius=10**9, batch_size=10**4,
                    loss=ConstantLoss(1, 1, 1))  # fmt: skip
    bound = derive(mechanism)
    assert bound.theorem.id == "T26" and dict(bound.arguments)["excursions"] == ()
    assert mu_squared(bound) == composition(mechanism)
    assert estimate(mechanism, 1e-5) == pytest.approx(float(enclose(derive_upper(mechanism, DELTA)).upper), rel=1e-6)


# --- the issue's values -----------------------------------------------------------------------------------------------


def test_the_values_of_the_issue() -> None:
    mechanism = NoisySGD(
        samples=1000, batch_size=100, epochs=1, unlearning_epochs=0, step_size=F(1, 10), noise_std=F("0.0111803399"),
        radius=10, loss=ClippedLoss(0, 1),
    )  # fmt: skip
    assert enclose(derive_upper(mechanism, DELTA)).upper <= F("1.55499")
    rounded = replace(mechanism, noise_std=F("0.01118"))
    assert enclose(derive_upper(rounded, DELTA)).upper <= F("1.55504")
    network = NoisySGD(
        samples=10_000, batch_size=1000, epochs=20, unlearning_epochs=5, step_size=F(1, 10), noise_std=F("0.8"),
        radius=2, loss=ClippedLoss(1, F(1, 10)),
    )  # fmt: skip
    assert enclose(derive_epsilon(derive(network), DELTA)).upper <= F("0.00034008")
    assert enclose(derive_upper(network, DELTA)).upper <= F("0.00034008")


# --- long runs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [
    {}, {"radius": F(1, 2)}, {"initial_distance": F(1, 2)}, {"radius": 1, "reference": "stationary"}, {"loss": BATCH},
    {"requests": (2, 1), "batch_size": 3}, {"loss": ClippedLoss(0, 1), "radius": 3}, {"batch_size": 50},
])  # fmt: skip
@pytest.mark.parametrize("epochs", [3, 30, 10**9])
def test_long_runs_have_short_witnesses(changes, epochs) -> None:
    """A certificate of a few excursions whatever the length; doubles and balls agree; and it is the best of a search
    over all moments where that can be done."""
    mechanism = clipped(5, **({"epochs": epochs, "batch_size": 20} | changes))
    request = len(mechanism.requests) - 1
    bound = derive(mechanism, request)
    assert len(dict(bound.arguments)["excursions"]) <= 3
    rates = choose_rates(mechanism, history(mechanism, request)).rates
    about = scaled_mu(mechanism, history(mechanism, request), rates) / mechanism.noise_std
    assert float(enclose(bound).upper) == pytest.approx(float(about), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("radius", [None, 1])
@pytest.mark.parametrize("batch_size", [1, 2, 5, 20])
def test_sparse_moments_lose_nothing(monkeypatch, radius, batch_size) -> None:
    """The moments of a long run, on a run short enough to look at all of them."""
    for epochs in (6, 40):
        mechanism = clipped(4, epochs=epochs, batch_size=batch_size, radius=radius, unlearning_epochs=3)
        timeline = in_units(derive_timeline(mechanism).preview)
        assert sum(b.epochs * b.batches for b in timeline.blocks) <= MAX_MOMENTS
        every = best_path(timeline).energy
        with monkeypatch.context() as patch:
            patch.setattr("accountant.pnsgd.search.excursions.MAX_MOMENTS", 20)
            sparse = best_path(timeline).energy
        assert sparse == pytest.approx(every, rel=1e-9)


# --- exact densities --------------------------------------------------------------------------------------------------


def jumping(rng: np.random.Generator, bound: float):
    """A gradient field of norm at most M that is not continuous."""
    phase, rate = float(rng.uniform(0, 6)), float(rng.uniform(0.5, 6))
    return lambda x: bound * np.sign(np.sin(rate * x + phase))


def two_runs(mechanism: NoisySGD, rng: np.random.Generator, position: int) -> list[density.MapPair]:
    """Random clipped maps; in one batch a record's gradient (or, clipped as a whole, the batch's) is turned round."""
    eta, m, b, M = (float(x) for x in (mechanism.step_size, mechanism.loss.regularization, mechanism.batch_size,
                                       mechanism.loss.clip))  # fmt: skip
    variance, pairs = 2 * mechanism.step_size * mechanism.noise_std**2, []
    share = 1.0 if mechanism.whole_batch else 1 / b
    fields = [(jumping(rng, M), jumping(rng, M)) for _ in range(mechanism.batches)]
    for epoch in range(mechanism.epochs + mechanism.unlearning_epochs[0]):
        for at, (mine, others) in enumerate(fields):
            sign = -1 if at == position and epoch < mechanism.epochs else 1

            def step(x, sign=sign, mine=mine, others=others):
                return (1 - eta * m) * x - eta * (share * sign * mine(x) + (1 - share) * others(x))

            def other(x, mine=mine, others=others):
                return (1 - eta * m) * x - eta * (share * mine(x) + (1 - share) * others(x))

            pairs.append(density.MapPair(step, other, F(0), F(0), variance))
    return pairs


def against_densities(loss: ClippedLoss, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mechanism = clipped(
        2, loss=loss, batch_size=2, epochs=1 + seed % 2, unlearning_epochs=seed // 2 % 2, step_size=F(1, 5),
        noise_std=F(int(rng.integers(5, 15)), 10), radius=1 if seed % 3 == 0 else None,
    )  # fmt: skip
    mu = float(enclose(derive(mechanism)).upper)
    radius = None if mechanism.radius is None else 1.0
    for position in range(2):
        assert density.excess(two_runs(mechanism, rng, position), mu, radius=radius, n=1201) <= 0


@pytest.mark.parametrize("seed", range(4))
def test_clipped_records_against_exact_densities(seed: int) -> None:
    against_densities(ClippedLoss(F(1, 4), 1), seed)


@pytest.mark.parametrize("seed", range(4))
def test_clipped_batches_against_exact_densities(seed: int) -> None:
    """One record turns the whole batch round: with s = 2ηM/b the bound would be below the truth."""
    loss = ClippedLoss(F(1, 4), 1, "batch")
    against_densities(loss, seed)
    if seed == 0:
        mechanism = clipped(1, loss=loss, batch_size=2, epochs=1, unlearning_epochs=0)
        naive = float(enclose(derive(replace(mechanism, loss=ClippedLoss(F(1, 4), 1)))).upper)
        turned = density.MapPair(lambda x: 0 * x - 0.2, lambda x: 0 * x + 0.2, F(0), F(2, 5),
                                 2 * mechanism.step_size * mechanism.noise_std**2)  # fmt: skip
        assert density.excess([turned], naive) > 0
        assert density.excess([turned], float(enclose(derive(mechanism)).upper)) <= 0


def test_batches_clipped_as_a_whole_have_no_shift_of_one_record() -> None:
    loss = apply(losses.batch_clipped_constants, regularization=F(1, 2), clip=F(1))
    with pytest.raises(TheoremError, match="a bound on each record's gradient"):
        apply(
            theorems.gradient_shift, loss, step_size=F(1), batch_size=2, gradient_bound=F(1), neighbours="replace-one"
        )
    with pytest.raises(TheoremError, match="a bound on each record's gradient"):
        apply(theorems.clipped_step, loss, step_size=F(1), strong_convexity=F(1, 2), gradient_bound=F(1))
    mechanism = clipped(3, batch_size=10, loss=BATCH)
    one, ten = (replace(mechanism, requests=(n,)) for n in (1, 10))
    # One record in each batch: ten of them are no more than three.
    assert mu_squared(derive(one)) < mu_squared(derive(ten)) <= composition(ten) == 3 * composition(one)
    assert composition(one) == one.epochs * F(2, 5) ** 2 / (2 * one.step_size * one.noise_std**2)


# --- in words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"radius": F(1, 50)}, {"epochs": 1}, {"initial_distance": 1}, {"loss": BATCH}])
def test_formula_and_shares_are_those_of_the_bound(changes) -> None:
    """μ² in symbols, with its values put in, is μ²; the shares of phases and of pieces add up to one."""
    known = {"epochs": 20, "batch_size": 1, "loss": ClippedLoss(1, F(1, 10)), "unlearning_epochs": 2}
    mechanism = clipped(4, **(known | changes))
    bound = derive(mechanism)
    (formula,) = formulas(bound, Names())
    value = formula.right.subs(dict(formula.values))
    square = mu_squared(bound)
    assert sympy.simplify(value - sympy.Rational(square.numerator, square.denominator)) == 0
    (shares,) = dominance(bound)
    assert sum(phase.energy for phase in shares.phases) == pytest.approx(1)
    assert sum(piece.share for piece in shares.segments) == pytest.approx(1)
    assert shares.start + sum(phase.distance for phase in shares.phases) == pytest.approx(1)
    assert derivatives(derive_epsilon(bound, DELTA), mechanism.noise_std).by_noise_std.upper < 0
