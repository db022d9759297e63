"""What floating point may do to a run: bounds that hold for every loss, a public grid, float32 where it fits."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from accountant import ClippedLoss, LogisticLoss, NoisySGD  # noqa: E402
from learners import LearnerRefused, RunCheckFailed, learn, unlearn  # noqa: E402
from learners.batches import narrowed  # noqa: E402
from learners.errors import bound_errors  # noqa: E402
from learners.models import Linear, Numbers, model_of  # noqa: E402
from learners.noise import seeded  # noqa: E402
from learners.stepping import Rule, move, project, run  # noqa: E402
from tests.learners.cases import CASES, by_hand, data_of, mechanism_of  # noqa: E402

pytestmark = pytest.mark.learn


def in_long_doubles(case, mechanism, model, room, x, features, labels, normals):
    """A step before its projection with 64 bits of precision (on x86), on the numbers as they are."""
    long = np.longdouble
    x, features = x.numpy().astype(long), features.numpy().astype(long)
    total = np.zeros_like(x)
    for row, y in zip(features, labels.numpy().astype(long), strict=True):
        gradient = by_hand(case, x, row, y)
        norm = np.sqrt((gradient * gradient).sum())
        if not isinstance(model, Linear) and not model.cut:
            gradient = gradient * long(room)
        elif norm > model.bound:
            gradient = gradient * (long(model.bound) / norm)
        total = total + gradient

    def number(value: F):
        return long(value.numerator) / long(value.denominator)

    eta, m = number(F(mechanism.step_size)), number(F(mechanism.loss.regularization))
    tau = np.sqrt(2 * eta * number(mechanism.noise_std) ** 2)
    return x - eta * (total / len(features) + m * x) + tau * normals.numpy().astype(long)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long doubles are no wider than float64 here")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_no_step_is_further_off_than_is_foreseen(case, dtype) -> None:
    mechanism, data = mechanism_of(case), data_of(case, 4, 20)
    numbers = Numbers(dtype, 20 * case.width)
    rule = Rule.of(mechanism, numbers)
    model = model_of(mechanism.loss, 20, rule.gradient_bound, numbers)
    features = narrowed(data.features) if dtype == "float32" else data.features
    batch = model.batch(features, data.labels.to(numbers.type), torch.ones(4, dtype=torch.bool))
    generator, worst = torch.Generator().manual_seed(1), 0.0
    for size in (0.1, 1.0, 1.5, 30.0):
        if mechanism.radius is not None and size > float(mechanism.radius):
            continue
        errors = bound_errors(mechanism, dtype, steps=1, parameters=model.parameters, features=20, start=size)
        for _ in range(5):
            x = torch.randn(model.parameters, generator=generator, dtype=torch.float64)
            x = (x / torch.linalg.vector_norm(x) * size * 0.999).to(numbers.type)
            normals = torch.randn(model.parameters, generator=generator, dtype=torch.float64)
            moved = move(x, batch, model, normals, rule)[0].numpy().astype(np.longdouble)
            exact = in_long_doubles(case, mechanism, model, numbers.room, x, features, data.labels, normals)
            off = float(np.sqrt(((moved - exact) ** 2).sum()))
            worst = max(worst, off / errors.step)
            assert off <= errors.step
    assert worst > 1e-4  # the bound is not without any relation to what happens


@pytest.mark.parametrize("name", ["logistic", "huber, scaled by psasc", "softmax", "least squares in a ball"])
def test_a_run_stays_as_close_to_the_exact_one_as_is_foreseen(name) -> None:
    """200 steps in float32 beside the same in float64, whose own errors are a billion times smaller."""
    case = CASES[name]
    mechanism, data = mechanism_of(case, batch_size=12), data_of(case)
    ends = []
    for dtype in ("float32", "float64"):
        numbers = Numbers(dtype, 3 * case.width)
        rule = Rule.of(mechanism, Numbers("float32", 3 * case.width))
        model = model_of(mechanism.loss, 3, rule.gradient_bound, Numbers("float32", 3 * case.width))
        rows = narrowed(data.features).to(numbers.type)
        batch = model.batch(rows, data.labels.float().to(numbers.type), torch.ones(12, dtype=torch.bool))
        start = torch.zeros(model.parameters, dtype=numbers.type)
        ends.append(run(start, (batch,), model, seeded(1, "same"), rule, 200)[0].double())
    errors = bound_errors(mechanism, "float32", steps=200, parameters=len(ends[0]), features=3, start=0.0)
    assert 0 < torch.linalg.vector_norm(ends[0] - ends[1]).item() <= errors.total
    tau = math.sqrt(2 * float(mechanism.step_size)) * 0.1
    assert errors.charge == pytest.approx(2 * errors.total / tau, rel=1e-6)


def test_parameters_are_as_short_as_is_foreseen() -> None:
    """Of 2000 runs; and a run of opposite gradients in one dimension comes near it."""
    case = CASES["logistic"]
    mechanism, data = mechanism_of(case, noise_std="0.5"), data_of(case)
    rule, errors = Rule.of(mechanism), bound_errors(mechanism, "float64", steps=15, parameters=3, features=3, start=2.0)
    model = model_of(mechanism.loss, 3, rule.gradient_bound, Numbers(length=3))
    batches = [model.batch(data.features[i : i + 4], data.labels[i : i + 4], torch.ones(4) > 0) for i in (0, 4, 8)]
    start = torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64).expand(2000, 3)
    seen = run(start, batches, model, seeded(1, "norms"), rule, 5)[1].max_parameter_norm
    assert errors.norm / 6 < seen < errors.norm
    ball = bound_errors(mechanism_of(case, radius=3), "float64", steps=15, parameters=3, features=3, start=2.0)
    assert ball.norm == 3.0 and ball.step < errors.step * 10


def test_a_run_that_leaves_what_was_foreseen_is_stopped(make_data, make_mechanism, monkeypatch) -> None:
    from learners import execution

    tight = lambda *a, **k: replace(bound_errors(*a, **k), norm=0.01)  # noqa: E731
    monkeypatch.setattr(execution, "bound_errors", tight)
    with pytest.raises(RunCheckFailed, match=r"parameter_norm: \S+, more than the 0.01 that a run exceeds with"):
        learn(make_mechanism(), make_data())


@pytest.mark.parametrize("changes", [{}, {"radius": "0.3"}, {"noise_std": "1e-7"}])
def test_what_is_released_is_on_a_public_grid(changes, make_data, make_mechanism) -> None:
    mechanism = make_mechanism(**changes)
    state = learn(mechanism, make_data())
    grid, tau = F(state.record.phases[0].rounding["grid"]), Rule.of(mechanism).noise_scale
    assert tau / 512 < grid <= tau / 256 and (grid.numerator == 1 or grid.denominator == 1)
    if "radius" in changes:
        assert torch.linalg.vector_norm(state.released) <= 0.3
    else:
        assert all(F(value) % grid == 0 for value in state.released.tolist())
    assert (state.released - state.parameters).abs().max() <= 1.01 * float(grid)
    assert not torch.equal(state.released, state.parameters)
    other = replace(state, released=None)  # the next request does not see what was released
    assert torch.equal(unlearn(state, [1], seed=1).parameters, unlearn(other, [1], seed=1).parameters)
    assert torch.equal(unlearn(state, [1], seed=1).released, unlearn(other, [1], seed=1).released)


def test_rounding_a_model_forgets_its_low_bits(make_data, make_mechanism) -> None:
    state = learn(make_mechanism(), make_data(), seed=1)
    near = replace(state, parameters=state.parameters + 1e-15)
    assert not torch.equal(unlearn(state, [1], seed=1).parameters, unlearn(near, [1], seed=1).parameters)
    assert torch.equal(unlearn(state, [1], seed=1).released, unlearn(near, [1], seed=1).released)


def test_the_record_says_it_in_public(make_data, make_mechanism) -> None:
    """The same for every data set: it is computed before any record is looked at."""
    mechanism = make_mechanism()
    first, second = (learn(mechanism, make_data(seed=seed)).record for seed in (1, 2))
    assert first.phases[0].rounding == second.phases[0].rounding == first.public()["phases"][0]["rounding"]
    said = first.phases[0].rounding
    errors = bound_errors(mechanism, "float64", steps=15, parameters=3, features=3, start=0.0)
    assert said == errors.as_json() and float(said["charge"]) < 1e-9
    after = unlearn(learn(mechanism, make_data()), [1]).record.phases[1].rounding
    assert float(after["accumulated_error"]) > float(said["accumulated_error"])
    all_models = make_mechanism(release="all", requests=(1,) * 4, unlearning_epochs=1)
    four = learn(all_models, make_data()).record.phases[0].rounding
    assert float(four["charge"]) == pytest.approx(2 * float(said["charge"]), rel=1e-6)


def test_float32_is_run_where_it_fits(make_data, make_mechanism) -> None:
    loud = make_mechanism(noise_std=1)
    state = learn(loud, make_data(), seed=1, dtype="float32")
    assert torch.equal(state.parameters, state.parameters.float().double())
    assert state.record.phases[0].dtype == "float32" and 0 < float(state.record.phases[0].rounding["charge"]) < 0.01
    wide = learn(loud, make_data(), seed=1)
    assert torch.allclose(state.parameters, wide.parameters, atol=1e-5) and not torch.equal(
        state.parameters, wide.parameters
    )
    again = unlearn(state, [1], seed=1)  # float64 from here on: what came before is counted in float32
    assert float(again.record.phases[1].rounding["charge"]) > 1e-7

    called = []
    with pytest.raises(
        LearnerRefused, match=r"dtype: the rounding of float32 may add \S+ to μ, more than a hundredth of"
    ):
        learn(make_mechanism(noise_std="1e-4"), make_data(), dtype="float32", progress=lambda *_: called.append(1))
    with pytest.raises(LearnerRefused, match="dtype: 'float16' is unknown; take float64 or float32"):
        learn(loud, make_data(), dtype="float16")
    assert not called
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with pytest.raises(LearnerRefused, match="dtype: torch is set to round products of float32 numbers to fewer"):
            learn(loud, make_data(), dtype="float32")
        assert learn(loud, make_data(), seed=1).record.phases
    finally:
        torch.set_float32_matmul_precision(before)


def test_float32_features_are_no_longer_than_they_were() -> None:
    rows = torch.nn.functional.normalize(
        torch.randn(2000, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    )
    for row, short in zip(rows.tolist(), narrowed(rows).tolist(), strict=True):
        assert sum(F(v) ** 2 for v in short) <= sum(F(v) ** 2 for v in row)


def test_nothing_bounds_a_clipped_networks_errors_but_those_of_a_step() -> None:
    mechanism = NoisySGD(4, 2, 3, "0.1", ClippedLoss("0.1", 1), step_size="0.1")
    errors = bound_errors(mechanism, "float64", steps=6, parameters=10**6, features=9, start=3.0)
    assert errors.total is None and errors.charge is None and errors.step < 1e-9


def test_inner_products_count_with_their_length() -> None:
    """A sum in order loses up to half a unit in the last place with each term; so does the bound, at least."""
    mechanism = mechanism_of(CASES["logistic"])
    known = {"steps": 15, "parameters": 3, "start": 2.0}
    short, long = (bound_errors(mechanism, "float32", features=d, **known) for d in (10, 10_010))
    curved = float(mechanism.step_size) * 0.25 * short.norm  # η(L − m)|θ|
    assert long.norm == short.norm and long.step - short.step >= 10_000 * 2.0**-24 * curved
    crowds = [
        bound_errors(replace(mechanism, samples=n, batch_size=n), "float32", features=3, **known) for n in (10, 10_010)
    ]
    assert crowds[1].step - crowds[0].step >= 10_000 * 2.0**-24 * float(mechanism.step_size)  # M = 1


def test_without_a_regulariser_errors_add_up() -> None:
    flat = NoisySGD(4, 2, 3, "0.1", LogisticLoss(0))
    known = {"parameters": 3, "features": 3, "start": 0.0}
    few, many = (bound_errors(flat, "float64", steps=steps, **known) for steps in (10, 1000))
    assert few.total == pytest.approx(10 * few.step, rel=1e-5) and many.total == pytest.approx(
        1000 * many.step, rel=1e-5
    )
    assert project(torch.ones(3), Rule.of(flat)).equal(torch.ones(3))
