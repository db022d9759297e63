"""What is executed is what is certified: against a loop over the records, with the noise drawn again."""

from __future__ import annotations

import math
from fractions import Fraction as F

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils.data import TensorDataset  # noqa: E402

from accountant import Momentum, Stage, training_sensitivity  # noqa: E402
from learners import LearnerRefused  # noqa: E402
from learners.noise import seeded  # noqa: E402
from learners.training import make_private  # noqa: E402
from tests.learners.training.oracle import (  # noqa: E402
    INNER,
    MAPS,
    data,
    flat,
    gradient,
    grads,
    losses_of,
    mechanism_of,
    network,
    scaled_sum,
    sgd,
    trainer_of,
    weight,
)

pytestmark = pytest.mark.learn


def released(total, std, grid, normaliser, step, seed=5):
    """What the noise of that step makes of a sum (d,)."""
    noisy = total + std * seeded(seed, f"step {step}")((len(total),))
    return torch.round(noisy / grid) * grid / normaliser


@pytest.mark.parametrize("scaling", MAPS.values(), ids=MAPS)
@pytest.mark.parametrize("neighbours", ["add-or-remove-one", "replace-one"])
def test_executed_is_certified(scaling, neighbours):
    """Each step: noisy sums are within the grid's cell and the weights' margin of the loop's."""
    mechanism = mechanism_of(scaling, neighbours=neighbours, q="1/2", normaliser="7")
    trainer = trainer_of(mechanism)
    sensitivity = training_sensitivity(mechanism)
    std = float(sensitivity)
    grid = 2.0 ** math.floor(math.log2(std / 16))
    assert trainer.precision.sensitivity == sensitivity and trainer.precision.grid == (F(grid),)
    for step, (x, y) in enumerate(trainer):
        before = flat(trainer.model)
        expected = scaled_sum(trainer.model, x, y, scaling)
        trainer.step(losses_of(trainer.model, x, y))
        noisy = released(expected, std, grid, 7.0, step)
        most = grid / 2 / 7 + 2e-3 * len(x) * std / 7  # another cell; the margin of each record
        assert (grads(trainer.model).double() - noisy).abs().max() <= grid / 7 + most
        cells = grads(trainer.model).double() * 7 / grid
        assert (cells - cells.round()).abs().max() < 1e-3 * cells.abs().max()  # of float32, after the division
        torch.testing.assert_close(flat(trainer.model), before - 0.5 * grads(trainer.model))
    assert trainer.steps_taken == 5 and trainer.finished and trainer.record().precision["bounded"]


def test_no_term_is_longer_than_the_sensitivity_and_hardly_shorter():
    """With next to no noise, one record a step: the released sum is its term."""
    for scaling in MAPS.values():
        mechanism = mechanism_of(scaling, z="1e-9", q="1", sampling="full", samples=1, normaliser="1", steps=1)
        trainer = trainer_of(mechanism, dataset=TensorDataset(*(tensor[39:] for tensor in data().tensors)))
        x, y = trainer.dataset.tensors
        g = gradient(trainer.model, x[0], y[0])
        term = weight(scaling, g.norm().item()) * g.norm().item()
        for x, y in trainer:
            trainer.step(losses_of(trainer.model, x, y))
        norm = grads(trainer.model).double().norm().item()
        assert 0.998 * term < norm <= term * (1 + 1e-7)


def test_noise_has_the_certified_variance_and_does_not_repeat():
    """Every batch is empty: only noise is released. 4000 normals; six standard errors."""
    mechanism = mechanism_of(q="1e-9", steps=40, z="3/2", scaling=MAPS["psasc"])
    model = nn.Linear(6, 14)  # 98 numbers
    for seed in (5, None):
        trainer, drawn = trainer_of(mechanism, model, seed=seed, optimizer=sgd(model, 0.0)), []
        inner = trainer._apply
        trainer._apply = lambda vector, drawn=drawn, inner=inner: (drawn.append(vector.clone()), inner(vector))
        assert list(trainer) == []
        noise = torch.stack(drawn) * 10
        assert abs(noise.std().item() / 0.75 - 1) < 6 / math.sqrt(2 * noise.numel())
        assert abs(noise.mean().item()) < 6 * 0.75 / math.sqrt(noise.numel())
        assert len({tuple(row.tolist()) for row in noise}) == 40
        assert trainer.record().observed.empty_batches == 40 and trainer.steps_taken == 40


def test_an_empty_batch_is_a_step_of_zero_and_noise():
    """q·n = .4, 300 steps: about 201 are empty. Every step beside a loop over the records that it drew, and its noise
    drawn again; an empty one is that noise alone."""
    model = network()
    mechanism = mechanism_of(q="1/100", steps=300, normaliser="1")
    trainer = trainer_of(mechanism, model, optimizer=sgd(model, 1e-3))
    expected, steps, inner = {}, [], trainer._apply
    grid = float(trainer.precision.grid[0])

    def apply(vector):
        total = expected.pop(len(steps), torch.zeros(len(vector), dtype=torch.float64))
        steps.append((vector.clone(), released(total, 1.0, grid, 1, len(steps))))
        inner(vector)

    trainer._apply = apply
    for x, y in trainer:
        expected[trainer.steps_taken] = scaled_sum(model, x, y, MAPS["clip"])
        trainer.step(losses_of(model, x, y))
    empty = trainer.record().observed.empty_batches
    assert len(steps) == trainer.steps_taken == 300
    assert abs(empty - 300 * 0.99**40) < 6 * math.sqrt(300 * 0.67 * 0.33)
    gaps = torch.stack([(vector - again).abs().max() for vector, again in steps])
    assert (gaps == 0).sum() >= max(empty, 290) and gaps.max() <= grid  # a cell, where float32 sums differ


def test_micro_batches_and_accumulation_change_nothing_but_rounding():
    weights = {}
    for name in ("whole", "micro", "accumulated"):
        trainer = trainer_of(mechanism_of(q="1/2"), micro_batch=3 if name == "micro" else None)
        for x, y in trainer:
            if name == "accumulated":
                for part in torch.arange(len(x)).split(4):
                    trainer.accumulate(losses_of(trainer.model, x[part], y[part]))
                trainer.step()
            else:
                trainer.step(losses_of(trainer.model, x, y))
        weights[name] = flat(trainer.model)
        assert trainer.steps_taken == 5 and trainer.record().observed.records == trainer_records(trainer)
    torch.testing.assert_close(weights["micro"], weights["whole"], rtol=0, atol=0.05)  # a cell of the grid, at most
    torch.testing.assert_close(weights["accumulated"], weights["whole"], rtol=0, atol=0.05)
    assert (weights["micro"] - weights["whole"]).abs().median() < 1e-6


def trainer_records(trainer):
    """The same draws, once more."""
    again = trainer_of(trainer.mechanism)
    return sum(len(again._sampler.draw()) for _ in range(5))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_losses_reduced_by_mean_or_sum(reduction):
    weights = []
    for name in ("none", reduction):
        trainer = trainer_of(mechanism_of(q="1/2"), reduction=name, micro_batch=7)
        for x, y in trainer:
            trainer.step(nn.functional.cross_entropy(trainer.model(x), y, reduction=name))
        weights.append(flat(trainer.model))
    assert (weights[0] - weights[1]).abs().median() < 1e-6


def test_inner_momentum_averages_each_record_over_the_released_iterates():
    mechanism = mechanism_of(MAPS["psasc"], momentum=INNER, q="1/2", steps=4, z="1e-7")
    trainer, iterates = trainer_of(mechanism), [flat(network())]
    for x, y in trainer:
        window = iterates[::-1][:3]
        powers = [0.5**j for j in range(len(window))]

        def averaged(model, record, label, window=window, powers=powers):
            total = 0
            for power, iterate in zip(powers, window, strict=True):
                other = network()
                nn.utils.vector_to_parameters(iterate, other.parameters())
                total = total + power / sum(powers) * gradient(other, record, label)
            return total

        expected = scaled_sum(trainer.model, x, y, MAPS["psasc"], averaged) / 10
        model = trainer.model
        trainer.step(lambda x=x, y=y, model=model: losses_of(model, x, y))
        torch.testing.assert_close(grads(trainer.model).double(), expected, rtol=2e-3, atol=1e-4)
        iterates.append(flat(trainer.model))


def test_outer_momentum_is_the_optimizers_and_changes_no_sum():
    plain, heavy = (trainer_of(mechanism_of(momentum=Momentum(outer=beta))) for beta in ("0", "0.9"))
    for trainer in (plain, heavy):
        x, y = next(iter(trainer))
        trainer.step(losses_of(trainer.model, x, y))
    assert torch.equal(grads(plain.model), grads(heavy.model))


def test_stages_have_their_own_noise_and_rate():
    stages = (Stage("1", "1/2", 2), Stage("1e6", "0", 2))
    trainer, norms = trainer_of(mechanism_of(stages=stages)), []
    model = trainer.model
    inner = trainer._apply
    trainer._apply = lambda vector: (norms.append(vector.norm().item()), inner(vector))
    for x, y in trainer:
        trainer.step(losses_of(model, x, y))
    assert max(norms[:2]) < 10 and min(norms[2:]) > 1e5
    assert trainer.record().observed.empty_batches == 2


def test_epochs_follow_the_rate():
    trainer, counts = trainer_of(mechanism_of(q="1", sampling="full", steps=3)), []
    while not trainer.finished:
        for x, y in trainer.epoch():
            trainer.step(losses_of(trainer.model, x, y))
        counts.append(trainer.steps_taken)
    assert counts == [1, 2, 3]
    trainer, counts = trainer_of(mechanism_of(q="1/4", sampling="shuffled", neighbours="replace-one", steps=10)), []
    while not trainer.finished:
        seen = []
        for x, y in trainer.epoch():
            seen.append(x)
            trainer.step(losses_of(trainer.model, x, y))
        counts.append(trainer.steps_taken)
        if len(seen) == 4:
            assert sorted(torch.cat(seen)[:, 0].tolist()) == sorted(data().tensors[0][:, 0].tolist())
    assert counts == [4, 8, 10]


def test_any_optimizer_schedule_average_and_frozen_layer():
    model = network()
    model[0].weight.requires_grad_(False)
    frozen = model[0].weight.detach().clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    trainer = trainer_of(mechanism_of(q="1/40"), model, optimizer=optimizer, schedule=schedule, ema=0.5)
    average = flat(model)
    inner = trainer._apply

    def apply(vector):
        nonlocal average
        inner(vector)
        average = 0.5 * average + 0.5 * flat(model)

    trainer._apply = apply
    for x, y in trainer:
        trainer.step(losses_of(model, x, y))
    assert trainer.record().observed.empty_batches > 0  # the schedule goes on for these, too
    assert optimizer.param_groups[0]["lr"] == 0.1 / 2**5
    assert torch.equal(model[0].weight, frozen)
    own = flat(model)
    with trainer.averaged():
        torch.testing.assert_close(flat(model), average)
    assert torch.equal(flat(model), own)
    assert trainer.precision.execution.dimension == 8 + 24 + 3


def test_an_adapter_beside_a_frozen_network_is_what_is_trained():
    """Low rank, its factors as layers or as parameters of their own: norms are those of the adapter alone."""

    class Adapted(nn.Module):
        def __init__(self, base, layers):
            super().__init__()
            torch.manual_seed(3)
            self.base = base.requires_grad_(False)
            self.down = nn.Linear(6, 2, bias=False) if layers else nn.Parameter(torch.randn(2, 6))
            self.up = nn.Linear(2, 3, bias=False) if layers else nn.Parameter(torch.randn(3, 2))

        def forward(self, x):
            inner = self.down(x) if isinstance(self.down, nn.Linear) else x @ self.down.T
            return self.base(x) + (self.up(inner) if isinstance(self.up, nn.Linear) else inner @ self.up.T)

    for layers in (True, False):
        model = Adapted(network(), layers)
        base = [p.clone() for p in model.base.parameters()]
        trainer = trainer_of(mechanism_of(z="1e-6", steps=1, q="1/2"), model)
        for x, y in trainer:
            expected = scaled_sum(model, x, y, MAPS["clip"])
            trainer.step(losses_of(model, x, y))
        assert (grads(model).double() * 10 - expected).norm() < 1e-3 * expected.norm()
        assert trainer.precision.execution.dimension == 18
        assert all(torch.equal(p, was) for p, was in zip(model.base.parameters(), base, strict=True))


def test_layers_with_many_positions_have_their_bound_where_gradients_are_kept():
    """A sequence's layer adds up products that may cancel: the record says that T28s is not known to hold."""

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.embedding, self.mix, self.out = nn.Embedding(7, 40), nn.Linear(40, 40), nn.Linear(40, 3)

        def forward(self, x):
            return self.out(self.mix(self.embedding(x)).tanh().mean(1))

    draw = torch.Generator().manual_seed(1)
    dataset = TensorDataset(torch.randint(7, (40, 5), generator=draw), torch.randint(3, (40,), generator=draw))
    ends, bounded = [], []
    for keep in (False, True):
        model = Tokens()
        trainer = trainer_of(mechanism_of(z="1e-6"), model, dataset, keep=keep, micro_batch=8)
        for x, y in trainer:
            trainer.step(losses_of(model, x, y))
        ends.append(flat(model))
        bounded.append(trainer.record().precision["bounded"])
    torch.testing.assert_close(*ends, rtol=1e-3, atol=1e-5)
    assert bounded == [False, True]


def test_autocast_keeps_norms_and_sums_in_float32():
    trainer = trainer_of(mechanism_of(q="1/2", z="1e-7", steps=1), autocast=torch.bfloat16)
    for x, y in trainer:
        expected = scaled_sum(trainer.model, x, y, MAPS["clip"]) / 10
        with trainer.autocast():
            outputs = trainer.model(x)
        trainer.step(nn.functional.cross_entropy(outputs.float(), y, reduction="none"))
    assert grads(trainer.model).dtype == torch.float32
    assert (grads(trainer.model).double() - expected).norm() < 0.05 * expected.norm()  # of the activations in bfloat16
    assert trainer.record().training["autocast"] == "bfloat16"


def test_float64_models_are_summed_in_float64():
    x, y = data().tensors
    trainer = trainer_of(mechanism_of(z="1e-7", q="1/2", steps=1), network(dtype=torch.float64),
                         TensorDataset(x.double(), y))  # fmt: skip
    for x, y in trainer:
        expected = scaled_sum(trainer.model, x, y, MAPS["clip"])
        trainer.step(losses_of(trainer.model, x, y))
    assert trainer.precision.dtype == "float64"
    assert (grads(trainer.model) * 10 - expected).abs().max() < 1e-6


def test_data_of_other_kinds():
    """A list of dicts, with a collate of its own; and a map-style data set."""
    x, y = data().tensors

    class Records(torch.utils.data.Dataset):
        def __len__(self):
            return 40

        def __getitem__(self, place):
            return {"x": x[place], "y": int(y[place])}

    for dataset in (Records(), [{"x": a, "y": int(b)} for a, b in zip(x, y, strict=True)]):
        trainer = trainer_of(mechanism_of(), dataset=dataset)
        for batch in trainer:
            trainer.step(losses_of(trainer.model, batch["x"], batch["y"]))
        assert trainer.steps_taken == 5


def test_little_noise_learns_digits():
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_digits

    x, y = (torch.tensor(part) for part in load_digits(return_X_y=True))
    dataset = TensorDataset(x.float() / 16, y)
    torch.manual_seed(0)
    for scaling, more in (("clip", {}), ("auto-s", {"r": "0.01"}), ("psasc", {"r": "0.01", "s": "1"})):
        model = nn.Linear(64, 10)
        trainer = make_private(
            model, sgd(model, 1.0, momentum=0.9), dataset, noise_multiplier="1e-6", max_grad_norm=1,
            target_delta="1e-5", batch_size=100, epochs=3, seed=1, scaling=scaling, device="cpu", **more,
        )  # fmt: skip
        for a, b in trainer:
            trainer.step(losses_of(model, a, b))
        assert (model(dataset.tensors[0]).argmax(1) == y).float().mean() > 0.9


def test_a_second_loop_is_refused_with_what_is_meant():
    trainer = trainer_of(mechanism_of(q="1e-9"))
    assert list(trainer) == []
    with pytest.raises(LearnerRefused, match=r"steps: all 5 that are certified are taken; .*trainer.epoch"):
        list(trainer)
