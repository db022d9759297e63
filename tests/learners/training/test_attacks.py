"""Ways in which what is executed could differ from what is certified, each tried on a trainer."""

from __future__ import annotations

import os

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils.data import TensorDataset  # noqa: E402

from learners import LearnerRefused, RunCheckFailed, StateMismatch  # noqa: E402
from learners.checks import check_products  # noqa: E402
from learners.engines import BookKeeping  # noqa: E402
from learners.noise import secret  # noqa: E402
from learners.randomness import Bits  # noqa: E402
from learners.training import PrivateTrainer  # noqa: E402
from learners.training.aggregate import Sum  # noqa: E402
from tests.learners.training.oracle import INNER, data, flat, losses_of, mechanism_of, network, sgd, trainer_of  # noqa: E402

pytestmark = pytest.mark.learn


@pytest.mark.parametrize("how", [{"keep": True}, {"mechanism": mechanism_of(q="1/2", momentum=INNER)}])
def test_a_step_inside_of_autocast_adds_up_in_float32(how, monkeypatch):
    """Kept gradients were multiplied by their weights in bfloat16: norms up to 1.004Δ."""
    seen = set()
    add = Sum.add
    monkeypatch.setattr(
        Sum, "add", lambda self, parts: (seen.update(v.dtype for v in parts.values()), add(self, parts))[1]
    )
    trainer = trainer_of(autocast=torch.bfloat16, **how)
    for x, y in trainer:
        with trainer.autocast():
            trainer.step(lambda x=x, y=y: losses_of(trainer.model, x, y))
    assert seen == {torch.float32}


def test_narrow_sums_are_refused():
    trainer = trainer_of()
    next(iter(trainer))
    with pytest.raises(RunCheckFailed, match=r"added up in torch\.bfloat16"):
        trainer._sum.add({name: p.detach().bfloat16() for name, p in trainer.model.named_parameters()})


def test_an_optimizer_that_gets_other_parameters_takes_no_step():
    model, temperature = network(), nn.Parameter(torch.ones(()))
    trainer = trainer_of(model=model)
    trainer.optimizer.add_param_group({"params": [temperature]})
    x, y = next(iter(trainer))
    losses = losses_of(model, x, y) * temperature
    losses.sum().backward(inputs=[temperature], retain_graph=True)
    with pytest.raises(RunCheckFailed, match="other parameters than when the training began"):
        trainer.step(losses)
    assert temperature == 1


class Mixed(nn.Module):
    def __init__(self, mix):
        super().__init__()
        self.first, self.last, self.mix = nn.Linear(6, 8), nn.Linear(8, 3), mix

    def forward(self, x):
        return self.last(self.mix(self.first(x)))


@pytest.mark.parametrize(
    "mix",
    [
        lambda h: h - h.mean(0),
        lambda h: nn.functional.batch_norm(h, None, None, training=True),
        lambda h: torch.cat([h[:1], h[1:] + h[:-1]]),
        lambda h: h.flip(0),
    ],
    ids=["mean", "batch norm", "the one before", "another order"],
)
def test_a_model_that_mixes_records_is_refused_at_the_first_batch(mix):
    model = Mixed(mix)
    trainer = trainer_of(model=model)
    before = flat(model)
    with pytest.raises(LearnerRefused, match=r"records mix in the model after it.*") as raised:
        for x, y in trainer:
            trainer.step(losses_of(model, x, y))
    assert "first (Linear)" in str(raised.value) and "\n" not in str(raised.value)
    assert torch.equal(flat(model), before)


class Turned(nn.Module):
    """Positions where the rule of the layer expects records; as many of both, so that no shape tells."""

    def __init__(self):
        super().__init__()
        self.layer, self.last = nn.Linear(2, 4), nn.Linear(12, 3)

    def forward(self, x):
        return self.last(self.layer(x.view(-1, 3, 2).transpose(0, 1)).transpose(0, 1).flatten(1))


def test_records_along_another_dimension_of_the_same_length_are_refused():
    x, y = data(3).tensors
    trainer = trainer_of(
        mechanism_of(q="1", sampling="full", samples=3), model=(model := Turned()), dataset=TensorDataset(x, y)
    )
    features, labels = next(iter(trainer))
    with pytest.raises(LearnerRefused, match=r"what layer \(Linear\) gives for others"):
        trainer.step(losses_of(model, features, labels))


@pytest.mark.parametrize("keep", [False, True])
def test_a_loss_that_mixes_records_is_refused_at_the_first_batch(keep):
    trainer = trainer_of(keep=keep)
    x, y = next(iter(trainer))
    losses = losses_of(trainer.model, x, y)
    with pytest.raises(LearnerRefused, match="records mix"):
        trainer.step(losses * losses.mean())


def test_a_forward_pass_beside_the_losses_changes_nothing():
    """For a figure on the way: hooks see it, and none of the losses come from it."""
    models = []
    for more in (False, True):
        trainer = trainer_of(model=network())
        for x, y in trainer:
            if more:
                losses_of(trainer.model, x[:1], y[:1]).sum().backward()
            losses = losses_of(trainer.model, x, y)
            if more:
                losses_of(trainer.model, x, y)
            trainer.step(losses)
        models.append(flat(trainer.model))
    assert torch.equal(*models)


def test_what_follows_a_loss_or_draws_together_is_refused():
    model = network()
    optimizer = sgd(model)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(LearnerRefused, match="ReduceLROnPlateau follows a loss"):
        trainer_of(model=model, optimizer=optimizer, schedule=plateau)
    with pytest.raises(LearnerRefused, match="schedule: a float"):
        trainer_of(schedule=0.1)
    with pytest.raises(LearnerRefused, match='group_sampling: "together" is not executed'):
        trainer_of(mechanism_of(group_size=2, group_sampling="together"))
    trainer_of(mechanism_of(q="1", group_size=2, group_sampling="together"))  # everybody is drawn


def test_products_that_are_narrowed_later_are_refused():
    trainer = trainer_of()
    x, y = next(iter(trainer))
    losses = losses_of(trainer.model, x, y)
    torch.set_float32_matmul_precision("medium")
    try:
        with pytest.raises(LearnerRefused, match="fewer bits"):
            trainer.step(losses)
    finally:
        torch.set_float32_matmul_precision("highest")


def test_a_model_and_optimizer_go_on_with_another_trainer_after_close():
    model = network()
    optimizer = sgd(model)
    trainer_of(model=model, optimizer=optimizer).close()
    trainer = trainer_of(model=model, optimizer=optimizer)
    for x, y in trainer:
        trainer.step(losses_of(model, x, y))
    assert trainer.finished


def test_a_resumed_training_keeps_the_micro_batch_that_rounding_was_bounded_for(tmp_path):
    path = trainer_of(micro_batch=None).save(tmp_path / "c.pt")
    model = network()
    with pytest.raises(StateMismatch, match="micro_batch was None, is 4"):
        how = {"delta": "1e-5", "device": "cpu", "seed": 5, "micro_batch": 4}
        PrivateTrainer.load(path, model, sgd(model), data(), mechanism_of(q="1/2"), **how)


def test_the_last_step_that_is_asked_for_is_the_last_although_batches_are_empty():
    trainer = trainer_of(mechanism_of(q="1/100", steps=60))  # two of three batches have no record
    for until in (1, 7, 8, 30):
        for x, y in trainer.until(until):
            trainer.step(losses_of(trainer.model, x, y))
        assert trainer.steps_taken == until


def test_squares_that_underflow_are_not_lost_beside_a_huge_factor():
    """|a||g| = 10⁻⁵ of |a| = 10¹⁸ and |g| = 10⁻²³, whose square is no float32: the norm was 0, and AUTO-S with a
    small r takes that for a reason to multiply by 1/r."""
    layer = nn.Linear(2, 1, bias=False)
    engine = BookKeeping(layer)
    with torch.no_grad():
        layer.weight.zero_()
    losses = layer(torch.tensor([[1e18, 0.0], [1.0, 0.0]]))[:, 0] * torch.tensor([1e-23, 1.0])
    found = engine.gradients(losses)
    exact = found.per_record()["weight"].double().flatten(1).norm(dim=1)
    assert (found.norms.double() >= exact * (1 - 1e-6)).all() and found.norms[1] < 1 + 1e-6


def test_a_forked_process_draws_other_noise_and_other_batches():
    noise, bits = secret(), Bits(None, "draws")
    noise((1,)), bits.words(1)
    here, there = os.pipe()
    child = os.fork()
    if not child:
        os.write(there, repr((noise((1,)).item(), int(bits.words(1)[0]))).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(there)
    with os.fdopen(here) as pipe:
        theirs = pipe.read()
    normal, word = noise((1,)).item(), int(bits.words(1)[0])
    assert repr(normal) not in theirs and str(word) not in theirs


def test_probed_records_need_not_be_finite():
    """What is not finite is for the step to refuse, not a sign that records mix."""
    x, y = data().tensors
    x = x.clone()
    x[1] = torch.inf
    trainer = trainer_of(mechanism_of(q="1", sampling="full"), dataset=TensorDataset(x, y))
    features, labels = next(iter(trainer))
    with pytest.raises(RunCheckFailed, match="not finite"):
        trainer.step(losses_of(trainer.model, features, labels))


def test_products_narrowed_backend_by_backend_are_refused(monkeypatch):
    """torch 2.13 then refuses to say what the precision of products is."""

    def asked():
        raise RuntimeError("mix of the legacy and new APIs")

    monkeypatch.setattr(torch, "get_float32_matmul_precision", asked)
    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    try:
        matmul.fp32_precision = "bf16"
        with pytest.raises(LearnerRefused, match="fewer bits"):
            check_products()
        matmul.fp32_precision = "ieee"
        check_products()
    finally:
        matmul.fp32_precision = before
