"""Mixed precision on trained networks: norms, clipping and sum from the same float32 gradients."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from torch import nn  # noqa: E402

from learners.engines import BookKeeping  # noqa: E402

pytestmark = pytest.mark.learn
RECORDS = 96


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter, self.last = nn.Linear(8, 16), nn.Linear(16, 10)
        self.block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)

    def forward(self, x):
        return self.last(self.block(self.enter(x.squeeze(1))).mean(1))


class Recurs(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.last = nn.GRU(8, 16, batch_first=True), nn.Linear(16, 10)

    def forward(self, x):
        return self.last(self.layer(x.squeeze(1))[0][:, -1])


def convolutions():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(288, 10),
    )  # fmt: skip


def layers():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.LayerNorm(64), nn.Linear(64, 32), nn.PReLU(), nn.Linear(32, 10)
    )


def trained(make):
    """A network after a hundred steps, and records for it: gradients as small as they are in training."""
    torch.manual_seed(0)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32).view(-1, 1, 8, 8), torch.tensor(y)
    net = make()
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    for _ in range(100):
        rows = torch.randint(0, len(x), (64,))
        optimizer.zero_grad()
        F.cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
    net.zero_grad(set_to_none=True)
    return net, x[:RECORDS], y[:RECORDS]


def flat(net, found):
    return torch.cat([found[name].flatten(1) for name, _ in net.named_parameters()], 1)


def loop(net, x, y, half):
    rows = []
    for i in range(len(x)):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = F.cross_entropy(net(x[i : i + 1]), y[i : i + 1])
        rows.append(torch.cat([one.flatten() for one in torch.autograd.grad(loss, list(net.parameters()))]))
    return torch.stack(rows)


@pytest.mark.parametrize("make", [layers, convolutions, Attends])
def test_norms_clipping_and_sum_come_from_the_same_float32_gradients(make) -> None:
    net, x, y = trained(make)
    engine = BookKeeping(net)
    with torch.autocast("cpu", torch.bfloat16):
        losses = F.cross_entropy(net(x), y, reduction="none")
    found = engine.gradients(losses)
    engine.remove()
    each = flat(net, found.per_record())
    assert found.norms.dtype == each.dtype == torch.float32
    norms = each.double().norm(dim=1)
    assert torch.allclose(found.norms.double(), norms, rtol=1e-5)
    clip = float(norms.median())
    weights = (clip / found.norms).clamp(max=1)
    assert (norms * weights).max() <= clip * (1 + 1e-5)
    summed = torch.cat([found.weighted(weights)[name].flatten() for name, _ in net.named_parameters()])
    assert torch.allclose(summed.double(), weights.double() @ each.double(), rtol=1e-4, atol=1e-6 * clip * RECORDS)
    # The same records alone, under the same autocast: the rest is the rounding of its weight gradients to bfloat16,
    # while the activations' rounding alone moves norms by much more.
    alone, exact = loop(net, x, y, True), loop(net, x, y, False)
    assert (found.norms / alone.norm(dim=1) - 1).abs().max() < 4e-3
    assert ((each - alone).norm(dim=1) / alone.norm(dim=1)).max() < 1e-2
    assert (alone.norm(dim=1) / exact.norm(dim=1) - 1).abs().max() > 1e-2


@pytest.mark.parametrize("make", [layers, convolutions, Attends, Recurs])
def test_a_step_that_is_taken_inside_of_autocast_is_in_float32_all_the_same(make) -> None:
    torch.manual_seed(0)
    net, x, y, weights = make(), torch.randn(8, 1, 8, 8), torch.arange(8), torch.rand(8)
    engine, seen = BookKeeping(net), []
    for inside in (False, True):
        with torch.autocast("cpu", torch.bfloat16):
            losses = F.cross_entropy(net(x), y, reduction="none")
        with torch.autocast("cpu", torch.bfloat16, enabled=inside):
            found = engine.gradients(losses)
            summed, each = found.weighted(weights), found.per_record()
        seen.append([found.norms, *summed.values(), *each.values()])
    assert all(torch.equal(one, other) and one.dtype == torch.float32 for one, other in zip(*seen, strict=True))


def test_a_recurrent_layer_under_autocast_is_attributed_in_float32() -> None:
    """Its cells are run again in float32, so that its gradients are better than those of the loop."""
    net, x, y = trained(Recurs)
    engine = BookKeeping(net)
    with torch.autocast("cpu", torch.bfloat16):
        losses = F.cross_entropy(net(x), y, reduction="none")
    found = engine.gradients(losses)
    engine.remove()
    each, exact = flat(net, found.per_record()), loop(net, x, y, False)
    assert torch.allclose(found.norms.double(), each.double().norm(dim=1), rtol=1e-5)
    assert ((each - exact).norm(dim=1) / exact.norm(dim=1)).max() < 0.2


def test_networks_wholly_in_half_precision() -> None:
    """Every rule, with parameters in bfloat16: gradients in float32."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.PReLU(), nn.Flatten(2), nn.Linear(36, 8), Whole(), nn.Linear(8, 10)
    ).bfloat16()
    engine = BookKeeping(net)
    x, y = torch.randn(5, 1, 8, 8).bfloat16(), torch.tensor([1, 2, 3, 4, 5])
    found = engine.gradients(F.cross_entropy(net(x).float(), y, reduction="none"))
    engine.remove()
    each = found.per_record()
    assert all(one.dtype == torch.float32 for one in each.values()) and found.norms.dtype == torch.float32
    norms = flat(net, each).double().norm(dim=1)
    assert torch.allclose(found.norms.double(), norms, rtol=1e-5)


class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.cells = nn.MultiheadAttention(8, 2, batch_first=True), nn.LSTM(8, 8, batch_first=True)

    def forward(self, x):
        return self.cells(self.attention(x, x, x)[0])[0].mean(1)
