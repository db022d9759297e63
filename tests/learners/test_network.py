"""Modules of torch under kind = "clipped": each record's gradient clipped, checked against plain loops of backward."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from accountant import ClippedLoss, LogisticLoss, NoisySGD  # noqa: E402
from learners import (  # noqa: E402
    Dataset,
    LearnerRefused,
    Network,
    RunCheckFailed,
    StateMismatch,
    learn,
    load,
    predict,
    retrain,
    save,
    unlearn,
)
from learners.models import network as network_module  # noqa: E402
from learners.noise import seeded  # noqa: E402

pytestmark = pytest.mark.learn


def small(seed=0, outputs=3):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, outputs)).double()


def data(outputs=3, n=12, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, outputs, n).astype(float) if outputs > 1 else rng.choice([-1.0, 1.0], n)
    return Dataset("net", torch.from_numpy(rng.normal(size=(n, 4))), torch.from_numpy(labels), 100)


def mechanism(clip="0.3", clipping="per-record", **changes):
    fields = {"samples": 12, "batch_size": 4, "epochs": 3, "noise_std": "0.1", "step_size": "0.2"} | changes
    return NoisySGD(loss=ClippedLoss("0.1", clip, clipping), **({"unlearning_epochs": (2,)} | fields))


CRITERIA = {
    "cross-entropy": lambda out, y: nn.functional.cross_entropy(out, y.long()),
    "logistic": lambda out, y: nn.functional.softplus(-y * out[0, 0]),
    "squared": lambda out, y: (out[0, 0] - y[0]) ** 2 / 2,
}


def oracle(m, module, criterion, features, labels, order, noise, absent=()):
    """Algorithm 1 with backward for one record after the other; in place, in the module's own parameters."""
    parameters, b = [p for p in module.parameters() if p.requires_grad], m.batch_size
    eta, weight, clip = float(m.step_size), float(m.loss.regularization), float(m.loss.clip)
    tau = float(np.sqrt(2 * eta)) * float(m.noise_std)
    for epoch in noise:
        for j, normal in enumerate(epoch):
            total = 0
            for i in order[j * b : (j + 1) * b]:
                if i in absent:
                    continue
                module.zero_grad()
                criterion(module(features[i : i + 1]), labels[i : i + 1]).backward()
                gradient = torch.cat([p.grad.flatten() for p in parameters])
                if m.loss.clipping == "per-record":
                    gradient = gradient * min(1.0, clip / gradient.norm().item())
                total = total + gradient
            mean = total / b
            if m.loss.clipping == "batch":
                mean = mean * min(1.0, clip / mean.norm().item())
            theta = torch.cat([p.detach().flatten() for p in parameters])
            theta = theta - eta * (mean + weight * theta) + tau * normal
            if m.radius is not None:
                theta = theta * min(1.0, float(m.radius) / theta.norm().item())
            with torch.no_grad():
                for p, part in zip(parameters, theta.split([p.numel() for p in parameters]), strict=True):
                    p.copy_(part.view_as(p))
    return torch.cat([p.detach().flatten() for p in parameters])


@pytest.mark.parametrize("clipping", ["per-record", "batch"])
@pytest.mark.parametrize(
    "name, radius, clip", [("cross-entropy", None, "0.3"), ("logistic", 3, "9"), ("squared", None, "0.2")]
)
def test_learning_and_unlearning_equal_the_oracle(name, radius, clip, clipping, monkeypatch) -> None:
    monkeypatch.setattr(network_module, "AT_ONCE", 120)  # two or three records at a time
    outputs = 3 if name == "cross-entropy" else 1
    m, records, module = mechanism(clip, clipping, radius=radius), data(outputs), small(outputs=outputs)
    model = Network(module, None if name != "squared" else "squared")
    state = learn(m, records, seed=1, model=model)
    p = len(state.parameters)
    expected = oracle(
        m, module, CRITERIA[name], records.features, records.labels, range(12), seeded(1, "learn")((3, 3, p))
    )
    assert torch.allclose(state.parameters, expected, rtol=1e-9, atol=1e-10)
    after = unlearn(state, [6], seed=2)
    noise = seeded(2, "unlearn 0")((2, 3, p))
    expected = oracle(m, module, CRITERIA[name], records.features, records.labels, range(12), noise, absent=(6,))
    assert torch.allclose(after.parameters, expected, rtol=1e-9, atol=1e-10)
    phase = state.record.phases[0]
    assert phase.clipping == clipping and phase.dimension == p
    assert float(phase.max_gradient_norm) <= float(clip) and float(phase.max_shift) <= float(F(state.record.shift))
    assert F(state.record.shift) == 2 * F("0.2") * F(clip) / (4 if clipping == "per-record" else 1)  # C2, T23b


def test_the_start_is_the_modules_and_it_stays_as_it_is() -> None:
    module = small()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = learn(mechanism(epochs=0), data(), model=module)
    assert torch.equal(state.parameters, torch.cat([p.flatten() for p in module.parameters()]))
    learned = learn(mechanism(), data(), model=module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    loaded = learned.network.loaded(learned.parameters)
    assert torch.equal(torch.cat([p.flatten() for p in loaded.parameters()]), learned.parameters)
    reference = retrain(mechanism(), data(), [3], seed=1, model=module)
    assert reference.record.phases[0].epochs == 5


def test_predictions_are_the_modules() -> None:
    state, rows = learn(mechanism(), data(), model=small()), data().features
    module = state.network.loaded(state.parameters)
    with torch.no_grad():
        outputs = module(rows)
    said = predict(state.parameters, state.mechanism, rows, model=state.network)
    assert torch.equal(said.scores, outputs) and torch.equal(said.labels, outputs.argmax(1).double())
    one = learn(mechanism(), data(1), model=small(outputs=1))
    signs = predict(one.released, one.mechanism, rows, model=one.network)
    assert torch.equal(signs.labels, torch.where(signs.scores[:, 0] > 0, 1.0, -1.0).double())
    with pytest.raises(ValueError, match="loss: ClippedLoss is not that of a linear model; give the module"):
        predict(state.parameters, state.mechanism, rows)


def test_frozen_parameters_stay_and_are_not_noised() -> None:
    module = small()
    module[0].weight.requires_grad_(False)
    state = learn(mechanism(), data(), model=module)
    assert len(state.parameters) == 5 + 15 + 3
    loaded = state.network.loaded(state.parameters)
    assert torch.equal(loaded[0].weight, module[0].weight) and not torch.equal(loaded[0].bias, module[0].bias)


def test_images_convolutions_and_dropout_are_run_too() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 4, 2, padding=1), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(36, 3),
    )  # fmt: skip
    runs = [learn(mechanism(), data(), seed=seed, model=module).parameters for seed in (1, 1, 2)]
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])
    state = torch.get_rng_state()
    learn(mechanism(), data(), model=module)
    assert torch.equal(state, torch.get_rng_state())  # a caller's own draws are left alone


def test_an_erased_record_has_no_gradient_though_the_module_has_a_bias() -> None:
    """A row of zeros would pull at the biases; an absent record must not."""
    m, records = mechanism(epochs=0, unlearning_epochs=(1,)), data()
    other = Dataset("other", records.features.clone(), records.labels.clone(), 100)
    other.features[5] = 7.0
    other.labels[5] = (other.labels[5] + 1) % 3
    ends = [unlearn(learn(m, d, model=small()), [5], seed=1).parameters for d in (records, other)]
    assert torch.equal(*ends)
    whole = mechanism(epochs=0, unlearning_epochs=(1,), batch_size=1, clip=1)
    gone = unlearn(learn(whole, records, model=small()), [5], seed=1)  # a batch of nobody
    assert gone.parameters.isfinite().all()


class Remembering(nn.Module):
    """Keeps a sum of what it saw: in place, or as another tensor."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, dtype=torch.float64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.float64))
        self.in_place = in_place

    def forward(self, features):
        if self.in_place:
            self.seen += 1
        else:
            self.seen = self.seen.detach() + 1
        return features @ self.weight


@pytest.mark.parametrize(
    "module, message",
    [
        (nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), "model: 1 is a BatchNorm1d, which mixes the records"),
        (nn.BatchNorm1d(4), "model: it is a BatchNorm1d"),
        (nn.Sequential(nn.ReLU()), "model: no parameter requires a gradient"),
        (nn.Linear(7, 3), r"model: it does not take features \(n, 4\): .*; reshape them in its first layer"),
        (nn.Sequential(nn.Linear(4, 4), nn.Unflatten(1, (2, 2))), r"model: outputs \(1, 2, 2\) for one record"),
        (nn.Linear(4, 2), "record 0: labels 2; number the classes from 0 to 1"),
        (nn.Linear(4, 1), r"record 0: labels 2; write \+1 for one class"),
        (
            None,
            r'model: .* kind = "clipped" does not say which model; give a torch.nn.Module \(--model MODULE:FACTORY\)',
        ),
    ],
)
def test_modules_that_cannot_be_run_are_refused(module, message) -> None:
    records = data()
    labels = records.labels.clone()
    labels[0] = 2.0
    with pytest.raises(LearnerRefused, match=message):
        learn(mechanism(), Dataset("net", records.features, labels, 100), model=module)


def test_other_refusals() -> None:
    with pytest.raises(
        LearnerRefused, match="criterion: 'hinge' is unknown; write one of cross-entropy, logistic, squared"
    ):
        Network(small(), "hinge")
    linear = NoisySGD(12, 4, 1, "1", LogisticLoss("0.1", 100))
    with pytest.raises(LearnerRefused, match="model: LogisticLoss is that of a linear model"):
        learn(linear, data(1), model=small())
    with pytest.raises(LearnerRefused, match="dtype: float32 with kind"):
        learn(mechanism(), data(), model=small(), dtype="float32")
    with pytest.raises(LearnerRefused, match=r"model: cannot be run record by record: .*in-place operation"):
        learn(mechanism(), data(1), model=Remembering(True))
    with pytest.raises(RunCheckFailed, match="model: it changed its buffer seen while it was run"):
        learn(mechanism(), data(1), model=Remembering(False))


def test_a_saved_state_goes_on_with_the_same_module_alone(tmp_path) -> None:
    state = learn(mechanism(), data(), seed=1, model=small())
    folder = save(state, tmp_path / "net")
    again = load(folder, model=small())
    assert torch.equal(unlearn(again, [1], seed=3).parameters, unlearn(state, [1], seed=3).parameters)
    for model in (None, small(outputs=4), Network(small(), "squared")):
        with pytest.raises((LearnerRefused, StateMismatch), match="model: the state was learned with another module"):
            unlearn(load(folder, model=model), [1])
    assert state.record.model["module"].endswith("Sequential") and state.record.model["parameters"][0] == [
        "0.weight",
        [5, 4],
    ]
