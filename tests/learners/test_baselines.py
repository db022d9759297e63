"""Other ways to unlearn: each does what its paper says, promises no more, and is refused where its statement ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from scipy.optimize import minimize  # noqa: E402

from accountant import ClippedLoss, NoisySGD  # noqa: E402
from learners import LearnerRefused, State, accuracy, embedded, learn, objective, retrain, unlearn  # noqa: E402
from learners.baselines import METHODS, NO_GUARANTEE  # noqa: E402
from tests.learners.cases import CASES, data_of, field, mechanism_of  # noqa: E402

pytestmark = pytest.mark.learn
CASE = CASES["logistic"]


def full(**changes) -> NoisySGD:
    case = replace(CASE, loss=changes.pop("loss", CASE.loss))
    return mechanism_of(case, **({"batch_size": 12, "epochs": 60, "unlearning_epochs": (3,)} | changes))


def optimum(mechanism, data):
    features, labels = data.features.numpy(), data.labels.numpy()
    found = minimize(
        lambda t: objective(torch.from_numpy(t), mechanism, data), np.zeros(3), tol=1e-14, method="BFGS",
        jac=lambda t: field(CASE, t, features, labels, 12), options={"gtol": 1e-10},
    )  # fmt: skip
    return torch.from_numpy(found.x)


@pytest.mark.parametrize("name", METHODS)
def test_one_interface(name) -> None:
    """A model, the request, its count; and nothing that certify would take for a run."""
    mechanism, data, method = full(), data_of(CASE), METHODS[name]
    model = method.learn(mechanism, data, seed=1)
    after = method.unlearn(model, [4])
    assert (model.requests, model.erased, model.steps) == (0, (), 60) and model.method == name
    assert (after.requests, after.erased) == (1, (4,)) and after.steps == (120 if name == "retraining" else 63)
    assert after.dataset.absent == (4,) and not isinstance(after, State) and after.guarantee == method.guarantee
    assert (after.guarantee == NO_GUARANTEE) == (name in ("fine-tuning", "gradient-ascent"))
    again = METHODS[name].unlearn(METHODS[name].learn(mechanism, data, seed=1), [4])
    assert torch.equal(again.released, after.released)
    with pytest.raises(LearnerRefused, match="all 1 requests are executed"):
        method.unlearn(after, [5])
    with pytest.raises(LearnerRefused, match="records: 12 is not the index"):
        method.unlearn(model, [12])
    with pytest.raises(LearnerRefused, match="request 1 is for 1 records, got 2"):
        method.unlearn(model, [1, 2])
    other = METHODS["langevin" if name != "langevin" else "retraining"]
    with pytest.raises(LearnerRefused, match=rf"method: {other.name} of a model by {name}"):
        other.unlearn(model, [4])


def test_langevin_and_retraining_are_our_runs() -> None:
    mechanism, data = full(), data_of(CASE)
    ours = unlearn(learn(mechanism, data, seed=1), [4], seed=1)
    assert torch.equal(METHODS["langevin"].unlearn(METHODS["langevin"].learn(mechanism, data, seed=1), [4]).parameters,
                       ours.parameters)  # fmt: skip
    short = mechanism_of(CASE, batch_size=12, epochs=60, unlearning_epochs=(3,), reference="retrain-T", radius=9)
    reference = retrain(short, data, [4], seed=None)
    assert reference.record.phases[0].epochs == 60
    model = METHODS["retraining"].learn(mechanism, data, seed=1)
    assert torch.equal(model.parameters, learn(mechanism, data, seed=1).parameters)


def test_descent_to_delete_is_what_p3_says() -> None:
    """Its state is within Δ₀ of the optimum of what is left; its output noise is the mechanism's σ, nothing else."""
    mechanism, data, method = full(), data_of(CASE), METHODS["descent-to-delete"]
    constants = mechanism.loss.constants()
    m, big, bound = float(constants.strong_convexity), float(constants.smoothness), float(constants.gradient_bound)
    rate = ((big - m) / (big + m)) ** 3
    near = 2 * bound * rate / (m * 12 * (1 - rate))
    states = [method.unlearn(method.learn(mechanism, data, seed=seed), [4]) for seed in range(200)]
    for model in states[:2]:
        best = optimum(mechanism, model.dataset)
        assert torch.linalg.vector_norm(model.parameters - best) <= near
        assert torch.equal(model.parameters, states[0].parameters)  # without noise inside
    noise = torch.stack([model.released - model.parameters for model in states])
    assert abs(noise.std().item() / 0.1 - 1) < 5 / (2 * 600) ** 0.5 and abs(noise.mean().item()) < 5 * 0.1 / 600**0.5


@pytest.mark.parametrize(
    "name, changes, message",
    [
        ("langevin", {"batch_size": 4}, "batch_size: Langevin unlearning takes full batches; write 12"),
        ("langevin", {"step_size": "2/(L+m)"}, 'step_size: .* η ≤ 1/L; write "1/L"'),
        ("descent-to-delete", {"batch_size": 4}, "batch_size, radius: descent-to-delete takes full batches"),
        ("descent-to-delete", {"radius": 1}, "batch_size, radius"),
        ("descent-to-delete", {"requests": (2,)}, "requests.sizes: P3 is about one request of one record"),
        ("descent-to-delete", {"unlearning_epochs": (0,)}, "requests.sizes: P3"),
        (
            "descent-to-delete",
            {"epochs": 3},
            r"epochs: 3 need not lead within \S+ of the optimum, as P3 needs; write \d+",
        ),
        (
            "descent-to-delete",
            {"loss": replace(CASE.loss, regularization=0)},
            "loss: .* needs a convex loss with 0 < m < L",
        ),
    ],
)
def test_methods_are_refused_where_their_statements_end(name, changes, message) -> None:
    with pytest.raises(LearnerRefused, match=message):
        METHODS[name].learn(full(**changes), data_of(CASE))


def test_the_epochs_that_it_names_are_enough() -> None:
    mechanism, data, method = full(epochs=3), data_of(CASE), METHODS["descent-to-delete"]
    with pytest.raises(LearnerRefused) as refused:
        method.learn(mechanism, data)
    needed = int(str(refused.value).rsplit(" ", 1)[1])
    assert method.learn(full(epochs=needed), data).steps == needed
    with pytest.raises(LearnerRefused):
        method.learn(full(epochs=needed - 1), data)


def test_fine_tuning_goes_on_and_ascent_goes_up() -> None:
    mechanism, data = full(), data_of(CASE)
    tuned = METHODS["fine-tuning"].unlearn(METHODS["fine-tuning"].learn(mechanism, data), [4])
    assert torch.linalg.vector_norm(tuned.parameters - optimum(mechanism, tuned.dataset)) < 0.1
    model = METHODS["gradient-ascent"].learn(mechanism, data)
    risen = METHODS["gradient-ascent"].unlearn(model, [4])
    margins = [(data.labels[4] * (data.features[4] @ state.parameters)).item() for state in (model, risen)]
    assert margins[1] < margins[0]
    ball = METHODS["gradient-ascent"].learn(full(radius="0.2"), data)
    assert torch.linalg.vector_norm(METHODS["gradient-ascent"].unlearn(ball, [4]).parameters) <= 0.2


def test_networks_are_fine_tuned_too() -> None:
    mechanism = NoisySGD(12, 4, 2, "0.1", ClippedLoss("0.1", 1), unlearning_epochs=(1,), step_size="0.1")
    data = data_of(CASE)
    for name in ("fine-tuning", "gradient-ascent", "retraining"):
        model = METHODS[name].learn(mechanism, data, model=torch.nn.Linear(3, 1), seed=1)
        assert len(METHODS[name].unlearn(model, [3]).parameters) == 4


def test_methods_on_real_data_learn_something() -> None:
    pytest.importorskip("sklearn")
    train, test = embedded("digits-3-8")
    mechanism = mechanism_of(CASE, samples=256, batch_size=256, epochs=60, noise_std="0.01")
    for name, method in METHODS.items():
        after = method.unlearn(method.learn(mechanism, train, seed=1), [7])
        assert accuracy(after.released, test) > 0.85, name
