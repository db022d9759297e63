"""Wrong input: one clear line each, before the data are touched where possible; state is kept."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from accountant import InvalidMechanism, NoisySGD  # noqa: E402
from accountant.losses import LogisticLoss  # noqa: E402
from learners import LearnerRefused, RunCheckFailed  # noqa: E402
from learners.training import StepRefused, make_private  # noqa: E402
from tests.learners.training.oracle import (  # noqa: E402
    INNER,
    MAPS,
    data,
    flat,
    losses_of,
    mechanism_of,
    network,
    sgd,
    trainer_of,
)

pytestmark = pytest.mark.learn


def one_line(raised, *words):
    text = str(raised.value)
    assert "\n" not in text and all(word in text for word in words), text


def refused_before(error, words, **changes):
    with pytest.raises(error) as raised:
        trainer_of(**changes)
    one_line(raised, *words)


def test_what_does_not_fit_is_refused_before_anything_is_drawn():
    loss = LogisticLoss("0.1")
    pnsgd = NoisySGD(loss=loss, samples=12, batch_size=4, epochs=5, noise_std="0.1", unlearning_epochs=(2,))
    refused_before(LearnerRefused, ["pnsgd", "learners.learn"], mechanism=pnsgd)
    refused_before(LearnerRefused, ["samples: the data hold 40", "41"], mechanism=mechanism_of(samples=41))
    refused_before(LearnerRefused, ["normaliser: is missing"], mechanism=mechanism_of(samples=None, normaliser=None))
    refused_before(LearnerRefused, ["inner_history"], mechanism=mechanism_of(momentum=batch_history()))
    refused_before(
        LearnerRefused,
        ["below the rounding of the sums", "take a larger noise_multiplier"],
        mechanism=mechanism_of(z="1e-15"),
    )
    refused_before(LearnerRefused, ["a DataLoader draws", "give its dataset"], dataset=DataLoader(data()))
    refused_before(LearnerRefused, ["TensorDataset(*tensors)"], dataset=data().tensors)
    refused_before(LearnerRefused, ["no record"], dataset=TensorDataset(torch.zeros(0, 6)))
    refused_before(LearnerRefused, ["no length"], dataset=iter([1, 2]))
    refused_before(LearnerRefused, ["parameters that are not the model's"], optimizer=sgd(network(1)))
    model = network()
    half = torch.optim.SGD(model[0].parameters(), lr=1)
    refused_before(LearnerRefused, ["optimizer: 2.weight is learned, but not in it"], model=model, optimizer=half)
    refused_before(LearnerRefused, ["LBFGS"], model=model, optimizer=torch.optim.LBFGS(model.parameters()))
    refused_before(
        LearnerRefused, ["BatchNorm1d", "GroupNorm"], model=nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3))
    )
    for name, value in {"micro_batch": 0, "seed": "1", "autocast": torch.float16, "ema": 1.0}.items():
        refused_before(LearnerRefused, [f"{name}:"], **{name: value})
    refused_before(LearnerRefused, ["delta: 0 must lie between"], delta="0")
    refused_before(TypeError, ["delta", "float"], delta=1e-5)
    refused_before(LearnerRefused, ["target_epsilon: 0.001 is less than"], target_epsilon="0.001")
    frozen = network().requires_grad_(False)
    refused_before(LearnerRefused, ["no parameter requires a gradient"], model=frozen)


def test_records_that_mix_are_found_by_a_probe():
    class Centred(nn.Module):
        def forward(self, x):
            return x - x.mean(0)

    model = nn.Sequential(Centred(), nn.Linear(6, 3))
    refused_before(LearnerRefused, ["model"], model=model, probe=(torch.randn(4, 6),))
    trainer_of(probe=(torch.randn(4, 6),))


def batch_history():
    from accountant import Momentum

    return Momentum(inner_beta="0.5", inner_window=2, inner_history="batch")


def test_steps_out_of_turn():
    trainer = trainer_of()
    with pytest.raises(LearnerRefused, match="no batch was drawn"):
        trainer.step(torch.zeros(3, requires_grad=True))
    batches = iter(trainer)
    x, y = next(batches)
    trainer.step(losses_of(trainer.model, x, y))
    with pytest.raises(LearnerRefused, match="no batch was drawn"):
        trainer.step(losses_of(trainer.model, x, y))
    next(batches)
    with pytest.raises(LearnerRefused, match="was not called for the last batch"):
        next(batches)
    with pytest.raises(LearnerRefused, match="drawn last has none"):
        next(iter(trainer))
    assert trainer.steps_taken == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda losses: losses.mean(), ["shape ()", "reduction='none'"]),
        (lambda losses: losses[:-1], ["loss: shape (23,) for 24 records"]),
        (lambda losses: torch.cat([losses, losses[:1]]), ["loss: shape (25,) for 24 records"]),
        (lambda losses: losses[:, None], ["each record's own terms"]),
        (lambda losses: losses.detach(), ["depends on no learned parameter"]),
        (lambda losses: losses.tolist(), ["a list", "give the tensor (B,)"]),
    ],
)
def test_losses_that_do_not_fit(change, words):
    """They are refused, nothing is changed, and the right ones are taken after that."""
    trainer = trainer_of(mechanism_of(q="3/5", sampling="without-replacement", neighbours="replace-one", steps=1))
    before = flat(trainer.model)
    for x, y in trainer:
        losses = losses_of(trainer.model, x, y)
        with pytest.raises(LearnerRefused) as raised:
            trainer.step(change(losses))
        one_line(raised, *words)
        assert trainer.steps_taken == 0 and torch.equal(flat(trainer.model), before)
        trainer.step(losses)
    assert trainer.steps_taken == 1


def test_losses_that_backward_was_called_on():
    """The line that a loop for Opacus has; the batch may be stepped with losses computed anew."""
    trainer = trainer_of()
    before = flat(trainer.model)
    x, y = next(iter(trainer))
    losses = losses_of(trainer.model, x, y)
    losses.mean().backward()
    with pytest.raises(LearnerRefused) as raised:
        trainer.step(losses)
    one_line(raised, "losses: their graph is gone", "leave backward() out")
    assert trainer.steps_taken == 0 and torch.equal(flat(trainer.model), before)
    trainer.step(losses_of(trainer.model, x, y))
    assert trainer.steps_taken == 1


def test_losses_that_are_not_finite_are_refused_counted_and_state_is_kept():
    for poison in (float("nan"), float("inf")):
        model = network()
        trainer = trainer_of(mechanism_of(q="1/2", steps=3), model=model, optimizer=sgd(model, momentum=0.9))
        for i, (x, y) in enumerate(trainer):
            before = flat(model)
            losses = losses_of(model, x, y)
            if i == 1:
                with pytest.raises(StepRefused, match="not finite; no step was made, and it is counted") as raised:
                    trainer.step(losses * torch.tensor([poison] + [1.0] * (len(x) - 1)))
                one_line(raised)
                assert torch.equal(flat(model), before)
            else:
                trainer.step(losses)
        record = trainer.record()
        assert (record.steps_taken, record.steps_refused) == (3, 1)


def test_a_nan_gradient_of_a_finite_loss():
    model = network()
    trainer = trainer_of(mechanism_of(q="1/2", steps=1), model=model)
    for x, y in trainer:
        outputs = model(x)
        zero = (outputs[:, 0] - outputs[:, 0]).sqrt()  # 0, whose slope there is infinite
        with pytest.raises(StepRefused):
            trainer.step(nn.functional.cross_entropy(outputs, y, reduction="none") + zero)


def test_inner_momentum_needs_a_function():
    trainer = trainer_of(mechanism_of(momentum=INNER, q="1/2"))
    for x, y in trainer:
        with pytest.raises(LearnerRefused, match=r"trainer\.step\(lambda"):
            trainer.step(losses_of(trainer.model, x, y))
        trainer.step(lambda x=x, y=y: losses_of(trainer.model, x, y))
    assert trainer.steps_taken == 5


def test_data_that_come_or_go():
    records = [(a, int(b)) for a, b in zip(*data().tensors, strict=True)]
    trainer = trainer_of(dataset=records)
    with pytest.raises(RunCheckFailed, match="dataset: 41 records, 40 when the training began"):
        for x, y in trainer:
            trainer.step(losses_of(trainer.model, x, y))
            records.append(records[0])


def test_parameters_that_come_or_go():
    changes = {
        "extra is learned now": lambda m: m.register_parameter("extra", nn.Parameter(torch.zeros(2))),
        "0.bias is not learned now": lambda m: m[0].bias.requires_grad_(False),
        "0.bias is another one now": lambda m: setattr(m[0], "bias", nn.Parameter(torch.zeros(8))),
    }
    for words, change in changes.items():
        trainer = trainer_of()
        for x, y in trainer:
            change(trainer.model)
            with pytest.raises(RunCheckFailed, match=words):
                trainer.step(losses_of(trainer.model, x, y))
            break


def test_a_buffer_that_keeps_what_it_saw():
    class Keeps(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.zeros(6))

        def forward(self, x):
            self.seen += x.detach().mean(0)
            return x

    trainer = trainer_of(model=nn.Sequential(Keeps(), nn.Linear(6, 3)))
    with pytest.raises(RunCheckFailed, match=r"buffers: 0\.seen was changed by the forward pass, without noise"):
        for x, y in trainer:
            trainer.step(losses_of(trainer.model, x, y))


def test_an_optimizer_stepped_without_noise():
    trainer = trainer_of()
    for x, y in trainer:
        losses_of(trainer.model, x, y).mean().backward()
        with pytest.raises(RunCheckFailed, match=r"called outside trainer\.step, with gradients that have no noise"):
            trainer.optimizer.step()
        break


def test_a_gradient_longer_than_is_stated():
    trainer = trainer_of(mechanism_of(MAPS["psasc"], gradient_norm_bound="0.01", q="1"))
    with pytest.raises(RunCheckFailed, match=r"gradient_norm_bound: a gradient of norm .* > G = 0\.01"):
        for x, y in trainer:
            trainer.step(losses_of(trainer.model, x, y))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"sample_rate": "1/3"}, LearnerRefused, ["batch_size: 10 of 40 records is a sample_rate of 0.25, not 1/3"]),
        ({"batch_size": 41}, InvalidMechanism, ["sample_rate", "must be above 0 and at most 1"]),
        ({"batch_size": None, "sample_rate": 2}, InvalidMechanism, ["sample_rate: 2"]),
        ({"batch_size": None}, LearnerRefused, ["sample_rate: is missing"]),
        ({"batch_size": 0}, LearnerRefused, ["batch_size: 0"]),
        ({"steps": None}, LearnerRefused, ["give epochs or steps"]),
        ({"epochs": 2}, LearnerRefused, ["give epochs or steps"]),
        ({"steps": None, "epochs": 0}, LearnerRefused, ["epochs: 0"]),
        ({"noise_multiplier": 1.1}, TypeError, ["noise_multiplier", '"1.1"']),
        ({"scaling": "psasc", "r": 1}, LearnerRefused, ['s: is missing scaling = "psasc"']),
        ({"r": 1}, LearnerRefused, ["r: is not for"]),
        ({"scaling": "clipping"}, LearnerRefused, ["'clipping' is unknown", "auto-s"]),
    ],
)
def test_names_of_opacus_that_contradict(changes, error, words):
    model = network()
    given = {"noise_multiplier": "1.1", "max_grad_norm": 1, "target_delta": "1e-5", "batch_size": 10, "steps": 5}
    with pytest.raises(error) as raised:
        make_private(model, sgd(model), data(), **(given | changes))
    one_line(raised, *words)


def test_names_of_opacus():
    model = network()
    trainer = make_private(
        model, sgd(model), data(), noise_multiplier="1.1", max_grad_norm="0.5", target_delta="1e-5", sample_rate="1/4",
        epochs=2, scaling="psasc", r="0.1", s="2", neighbours="replace-one", seed=1, micro_batch=4,
    )  # fmt: skip
    mechanism = trainer.mechanism
    assert (mechanism.steps, mechanism.normaliser, mechanism.samples) == (8, 10, 40)
    assert mechanism.neighbours == "replace-one" and trainer.precision.noise_std == (1.1 / 4,)
