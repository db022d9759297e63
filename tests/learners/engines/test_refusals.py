"""Models and losses whose records cannot be told apart: refused by class, or found by the probe."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from learners import LearnerRefused  # noqa: E402
from learners.engines import BookKeeping, check_loss, check_losses, check_module, check_records_apart  # noqa: E402

pytestmark = pytest.mark.learn


@pytest.mark.parametrize(
    "layer, message",
    [
        (nn.BatchNorm1d(6), r"1 is a BatchNorm1d, which mixes .* take GroupNorm\(6, 6\) or LayerNorm"),
        (nn.BatchNorm2d(64), r"BatchNorm2d, .* take GroupNorm\(32, 64\)"),
        (nn.BatchNorm3d(33, affine=False), r"BatchNorm3d, .* take GroupNorm\(11, 33\)"),
        (nn.SyncBatchNorm(4), "SyncBatchNorm, which mixes"),
        (nn.BatchNorm2d(8, track_running_stats=False).eval(), "BatchNorm2d"),
        (nn.InstanceNorm2d(4, track_running_stats=True), "InstanceNorm2d, which keeps running statistics"),
        (nn.Embedding(4, 2, max_norm=1.0), "Embedding, whose max_norm rescales"),
        (nn.EmbeddingBag(4, 2, scale_grad_by_freq=True), "EmbeddingBag, whose gradients depend"),
        (nn.AdaptiveLogSoftmaxWithLoss(4, 10, [5]), "AdaptiveLogSoftmaxWithLoss, which sorts"),
        (nn.LazyLinear(3), "LazyLinear, whose parameters have no shape yet"),
        (nn.DataParallel(nn.Linear(2, 2)), "DataParallel, whose replicas"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_layers_that_mix_records_or_keep_what_they_saw(layer, message) -> None:
    model = nn.Sequential(nn.Linear(4, 6), layer)
    for refuse in (check_module, BookKeeping):
        with pytest.raises(LearnerRefused, match=message) as refused:
            refuse(model)
        assert "\n" not in str(refused.value) and str(refused.value).startswith("model: 1 is a ")


@pytest.mark.filterwarnings("ignore")
def test_models_without_anything_to_learn_or_of_other_numbers() -> None:
    with pytest.raises(LearnerRefused, match="no parameter requires a gradient"):
        check_module(nn.Linear(2, 2).requires_grad_(False))
    with pytest.raises(LearnerRefused, match=r"parameter weight is torch.complex64; take a real floating type"):
        check_module(nn.Linear(2, 2, bias=False, dtype=torch.complex64))
    with pytest.raises(LearnerRefused, match="whose layers' hooks do not fire"):
        check_module(torch.jit.script(nn.Sequential(nn.Linear(2, 2))))
    check_module(nn.Sequential(nn.Linear(4, 4), nn.InstanceNorm1d(4), nn.GroupNorm(2, 4), nn.Dropout(0.1)))


def test_losses_of_another_shape() -> None:
    w = torch.ones(4, 3, requires_grad=True)
    check_losses(w.sum(1), 4, "none")
    check_losses(w.mean(), 4, "mean")
    for losses, reduction, message in (
        (w.sum(), "none", r"loss: shape \(\) for 4 records; compute the loss with reduction='none'"),
        (w, "none", r"shape \(4, 3\) for 4 records; sum or average each record's own terms: losses.flatten\(1\)"),
        (w.sum(0), "none", r"shape \(3,\) for 4 records; give one number for each record"),
        (w.sum(1), "mean", r"shape \(4,\), reduction='mean' needs one number"),
        (torch.ones(4, dtype=torch.int64), "none", "int64; give a real floating type"),
        (torch.ones(4), "none", "depends on no learned parameter"),
    ):
        with pytest.raises(LearnerRefused, match=message):
            check_losses(losses, 4, reduction)


class Mixes(nn.Module):
    """`mix` is between two layers."""

    def __init__(self, mix):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.mix = nn.Linear(6, 6), nn.Linear(6, 3), mix

    def forward(self, x):
        return self.two(self.mix(self.one(x)))


X = torch.randn(6, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "mix",
    [
        lambda h: h - h.mean(0),
        lambda h: F.batch_norm(h, None, None, training=True),
        lambda h: h.softmax(0),
        lambda h: h + 1e-3 * h.max(),
        lambda h: h.flip(0),
        lambda h: h.roll(1, 0),
        lambda h: h.T,  # square: the shapes are right
        lambda h: h[h[:, 0].argsort()],
        lambda h: F.normalize(h, dim=0),
        lambda h: F.scaled_dot_product_attention(h[None], h[None], h[None])[0],
    ],
    ids=[
        "centred",
        "batch norm",
        "softmax",
        "maximum",
        "flipped",
        "rolled",
        "turned",
        "sorted",
        "normalised",
        "attends",
    ],
)
def test_a_probe_finds_records_that_mix(mix) -> None:
    with pytest.raises(LearnerRefused, match=r"model: records mix before or in two \(Linear\): replacing record"):
        check_records_apart(Mixes(mix), X)


def test_a_probe_passes_what_keeps_records_apart() -> None:
    check_records_apart(Mixes(lambda h: F.dropout(torch.tanh(h), 0.5)), X)
    check_records_apart(Mixes(lambda h: h - h.mean(1, keepdim=True)), X)
    check_records_apart(nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 2)), torch.randint(0, 9, (5, 3)))
    for first in (False, True):
        x = torch.randn(5, 5, 6)
        check_records_apart(Turned(nn.TransformerEncoderLayer(6, 2, 5, batch_first=first), first), x)  # with dropout
        check_records_apart(Turned(nn.LSTM(6, 4, 2, batch_first=first), first), x)


class Turned(nn.Module):
    def __init__(self, inner, first):
        super().__init__()
        self.inner, self.first = inner, first

    def forward(self, x):
        found = self.inner(x if self.first else x.transpose(0, 1))
        found = found[0] if isinstance(found, tuple) else found
        return found if self.first else found.transpose(0, 1)


def test_a_layer_that_takes_positions_for_records_is_found_by_the_probe() -> None:
    """As many steps as records: no shape tells that a linear layer sees (T, B, d)."""
    net, x = Turned(nn.Linear(6, 6), False), torch.randn(5, 5, 6)
    with pytest.raises(LearnerRefused, match=r"records mix before or in inner \(Linear\)"):
        check_records_apart(net, x)
    check_records_apart(net, x, second=["inner"])
    folded = nn.Sequential(nn.Flatten(0, 1), nn.Linear(6, 2), nn.Unflatten(0, (5, 5)))
    with pytest.raises(LearnerRefused, match=r"1 \(Linear\) has \(25, 6\) numbers, without a dimension for the 5 rec"):
        check_records_apart(folded, x)


def test_a_module_that_keeps_what_it_saw_or_cannot_be_repeated() -> None:
    class Remembers(Mixes):
        def __init__(self):
            super().__init__(torch.tanh)
            self.register_buffer("mean", torch.zeros(6))

        def forward(self, x):
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
            return super().forward(x)

    net = Remembers()
    with pytest.raises(LearnerRefused, match="buffer mean depends on the records that were seen"):
        check_records_apart(net, X)
    assert torch.equal(net.mean, torch.zeros(6))
    calls = iter(range(100))
    with pytest.raises(LearnerRefused, match=r"two \(Linear\) differs by .* between two runs with the same seeds"):
        check_records_apart(Mixes(lambda h: h + next(calls)), X)
    with pytest.raises(LearnerRefused, match="at least two records"):
        check_records_apart(Mixes(torch.tanh), X[:1])
    with pytest.raises(LearnerRefused, match="the records are all alike"):
        check_records_apart(Mixes(torch.tanh), torch.ones(3, 6))
    with pytest.raises(LearnerRefused, match=r"the shapes in two \(Linear\) depend on what the records hold"):
        check_records_apart(Mixes(lambda h: h[h[:, 0] > 0]), X)


def test_the_random_state_of_the_caller_is_left_alone() -> None:
    net, state = Mixes(lambda h: F.dropout(h, 0.5)), torch.get_rng_state()
    check_records_apart(net, X)
    assert torch.equal(torch.get_rng_state(), state)


def test_losses_that_are_no_sum_or_mean_of_their_records() -> None:
    outputs, targets = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 2, 1])
    weight = torch.tensor([1.0, 5.0, 2.0])
    for reduction in ("none", "mean", "sum"):
        check_loss(lambda o, y, r=reduction: F.cross_entropy(o, y, reduction=r), outputs, targets, reduction)
    check_loss(lambda o, y: F.cross_entropy(o, y, weight, reduction="none"), outputs, targets, "none")
    for criterion, reduction, stated in (
        (lambda o, y: F.cross_entropy(o, y, weight), "mean", "the mean"),
        (lambda o, y: F.cross_entropy(o, y, ignore_index=0).nan_to_num(), "mean", "the mean"),
        (lambda o, y: F.cross_entropy(o, y), "sum", "the sum"),
        (lambda o, y: F.cross_entropy(o - o.mean(0), y, reduction="none"), "none", "made"),
        (lambda o, y: F.cross_entropy(o, y), "none", "made"),
    ):
        with pytest.raises(LearnerRefused, match=f"loss: that of a batch is not {stated} of its records' losses"):
            check_loss(criterion, outputs, targets, reduction)
    with pytest.raises(LearnerRefused, match="loss: 3 numbers for one record"):
        check_loss(lambda o, y: o, outputs, targets, "none")
