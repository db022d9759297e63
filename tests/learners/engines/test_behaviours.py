"""What torch 2.13 does that a collector of per-record gradients must know: each beside the plain loop, or stopped."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

from learners import LearnerRefused, RunCheckFailed  # noqa: E402
from learners.engines import BookKeeping  # noqa: E402
from learners.engines.parameters import Learned  # noqa: E402
from tests.learners.engines.networks import Case, plain_loop  # noqa: E402
from tests.learners.engines.test_engine import assert_equals_loop  # noqa: E402

pytestmark = pytest.mark.learn
X, Y = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)).double(), torch.tensor([0, 2, 1, 1])


class Net(nn.Module):
    """Three layers and what is done between them."""

    def __init__(self, between=torch.tanh, width=6):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.last = nn.Linear(6, width), nn.Linear(width, width), nn.Linear(width, 3)
        self.between = between
        self.double()

    def forward(self, x):
        return self.last(self.between(self.two(self.between(self.one(x)))))


def stopped(module, match, kind=RunCheckFailed, losses=None):
    engine = BookKeeping(module)
    found = F.cross_entropy(module(X), Y, reduction="none") if losses is None else losses(module)
    with pytest.raises(kind, match=match):
        engine.gradients(found)
    engine.remove()


@pytest.mark.parametrize("activation", [torch.relu_, torch.tanh_, F.elu_, lambda x: x.mul_(2), lambda x: x.add_(1)])
def test_operations_in_place_after_a_layer(activation) -> None:
    assert_equals_loop(Case(Net(activation), X, Y, "in place"), 1e-12)


def test_views_that_are_overwritten_stop_the_step() -> None:
    class Overwrites(Net):
        def forward(self, x):
            halves = self.two(torch.tanh(self.one(x))).view(len(x), 2, -1)
            halves[:, 0].tanh_()
            return self.last(halves.flatten(1))

    assert_equals_loop(Case(Overwrites(), X, Y, "a view of the output"), 1e-12)

    class InputLater(Net):
        def forward(self, x):
            hidden = torch.tanh(self.one(x))
            found = self.two(hidden)
            hidden.mul_(2)
            return self.last(found + hidden)

    stopped(InputLater(), r"two \(Linear\): its input was changed in place after it was used")


def test_checkpointing_runs_hooks_twice() -> None:
    class Checkpointed(Net):
        calls = 0

        def forward(self, x):
            hidden = checkpoint(lambda h: torch.tanh(self.two(torch.tanh(self.one(h)))), x, use_reentrant=False)
            return self.last(hidden)

    net = Checkpointed()
    net.two.register_forward_hook(lambda *_: setattr(Checkpointed, "calls", Checkpointed.calls + 1))
    engine = BookKeeping(net)
    found = engine.gradients(F.cross_entropy(net(X), Y, reduction="none"))
    assert Checkpointed.calls == 2
    truth = plain_loop(Case(net, X, Y, "checkpointed"))
    assert all(torch.allclose(one, truth[name], atol=1e-12) for name, one in found.per_record().items())

    class Old(Checkpointed):
        def forward(self, x):
            return self.last(checkpoint(lambda h: torch.tanh(self.two(torch.tanh(self.one(h)))), x, use_reentrant=True))

    stopped(Old(), r"one \(Linear\): its hook saw no call")


def test_a_network_whose_class_was_compiled_before_its_hooks_were_there() -> None:
    """Dynamo's code of the other network is used again, without hooks: no call is seen, and the step stops."""
    torch._dynamo.reset()
    other, net = Net(), Net()
    F.cross_entropy(torch.compile(other, backend="eager")(X), Y).backward()
    stopped(net, r"one \(Linear\): its hook saw no call", losses=lambda net: F.cross_entropy(
        torch.compile(net, backend="eager")(X), Y, reduction="none"
    ))  # fmt: skip
    engine = BookKeeping(net)
    net(X)  # a pass that the hooks do see does not stand for the one that they do not
    with pytest.raises(RunCheckFailed, match=r"parameters: last.bias, last.weight, one.bias, .* by another way"):
        engine.gradients(F.cross_entropy(torch.compile(net, backend="eager")(X), Y, reduction="none"))
    torch._dynamo.reset()
    compiled = torch.compile(net, backend="eager")
    found = engine.gradients(F.cross_entropy(compiled(X), Y, reduction="none"))
    truth = plain_loop(Case(copy.deepcopy(net), X, Y, "compiled"))
    assert all(torch.allclose(one, truth[name], atol=1e-12) for name, one in found.per_record().items())


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_networks_with_hooks(backend) -> None:
    class Compiled(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.block = nn.TransformerEncoderLayer(6, 2, 5, dropout=0.0, batch_first=True)
            self.cells, self.last = nn.LSTM(6, 4, batch_first=True), nn.Linear(4, 3)
            self.double()

        def forward(self, x):
            return self.last(torch.relu_(self.cells(self.block(x))[0].mean(1)))

    torch._dynamo.reset()
    net, x = Compiled(), torch.randn(4, 3, 6).double()
    truth = plain_loop(Case(net, x, Y, "compiled"))
    engine = BookKeeping(net)
    compiled = torch.compile(net, backend=backend)
    for _ in range(2):
        found = engine.gradients(F.cross_entropy(compiled(x), Y, reduction="none")).per_record()
        assert found.keys() == truth.keys()
        assert all(torch.allclose(one, truth[name], atol=1e-12) for name, one in found.items())
    engine.remove()
    torch._dynamo.reset()


def test_outputs_that_were_compiled_together_with_what_follows_stop_the_step() -> None:
    """Two outputs of one piece of compiled code: the way between them is inside of it."""

    class Both(nn.Module):
        def forward(self, weight, bias, x):
            hidden = x @ weight + bias
            return hidden, torch.tanh(hidden)

    torch._dynamo.reset()
    together = torch.compile(Both(), backend="aot_eager")

    class Layer(nn.Linear):
        """Its forward method gives the first of them, the network goes on with the second."""

        def forward(self, x):
            first, self.second = together(self.weight.T, self.bias, x)
            return first

    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.last = Layer(6, 6), nn.Linear(6, 3)

        def forward(self, x):
            self.layer(x)
            return self.last(self.layer.second)

    stopped(Around().double(), r"layer \(Layer\): its output was compiled together with what follows it")
    torch._dynamo.reset()


def test_weights_that_are_read_without_a_call_stop_the_step() -> None:
    class Decayed(Net):
        def forward(self, x):
            return super().forward(x) + self.one.weight.square().sum()

    class Tied(Net):
        """A language model's last layer, tied to the first by its function."""

        def forward(self, x):
            return F.linear(torch.tanh(self.two(torch.tanh(self.one(x)))), self.one.weight)[:, :3] + self.last(x)

    class Reads(Net):
        def forward(self, x):
            return self.last(self.one(x) @ torch.tanh(self.two.weight) + 0 * self.two(x))

    stopped(Decayed(), "parameters: one.weight reached the losses by another way than a call")
    stopped(Tied(), "parameters: one.weight reached the losses by another way than a call")
    stopped(Reads(), "parameters: two.weight reached the losses by another way than a call")


def test_norms_are_not_additive_over_uses() -> None:
    """Tied weights, a layer used twice, a layer in two places: added before the norm."""

    class Again(Net):
        def forward(self, x):
            return self.last(torch.tanh(self.one(torch.tanh(self.two(torch.tanh(self.one(x)))))))

    tied, placed = Net(), Net()
    tied.two.weight = tied.one.weight
    tied.two.bias.requires_grad_(False)
    placed.between, placed.inner = torch.tanh, nn.Sequential(placed.one)
    for net in (Again(), tied, placed):
        assert_equals_loop(Case(net, X, Y, "used twice"), 1e-12)
    engine = BookKeeping(tied)
    found = engine.gradients(F.cross_entropy(tied(X), Y, reduction="none"))
    each = found.per_record()
    assert sorted(each) == ["last.bias", "last.weight", "one.bias", "one.weight"]


def test_parameters_that_are_exchanged_or_untied_stop_the_step() -> None:
    net = Net()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    engine = BookKeeping(net)
    net.load_state_dict(state)
    engine.gradients(F.cross_entropy(net(X), Y, reduction="none"))
    net.load_state_dict(state, assign=True)
    with pytest.raises(RunCheckFailed, match=r"parameters: one.weight is not what it was when the engine was made"):
        engine.gradients(F.cross_entropy(net(X), Y, reduction="none"))
    tied = Net()
    tied.two.weight = tied.one.weight
    learned = Learned.of(tied)
    assert learned.shared == {"one.weight": ("one.weight", "two.weight")}
    learned.check_same(tied.to(torch.float32))
    with pytest.raises(RunCheckFailed, match=r"one.weight and two.weight were one tensor and are no longer; tie them"):
        tied.load_state_dict({name: value.clone() for name, value in tied.state_dict().items()}, assign=True)
        learned.check_same(tied)
    moved = Net()
    moved.two.weight = moved.one.weight
    learned = Learned.of(moved)
    with pytest.raises(RunCheckFailed, match="parameters: "):
        learned.check_same(moved.to_empty(device="meta"))
    frozen = Net()
    learned = Learned.of(frozen)
    frozen.one.requires_grad_(False)
    with pytest.raises(RunCheckFailed, match=r"one.weight is not what it was"):
        learned.check_same(frozen)


def test_a_copy_of_the_network_is_not_taken_for_it() -> None:
    net = Net()
    engine = BookKeeping(net)
    average = copy.deepcopy(net)
    losses = F.cross_entropy(net(X), Y, reduction="none")
    average(X * 2)
    found = engine.gradients(losses)
    engine.remove()
    truth = plain_loop(Case(net, X, Y, "copied"))
    assert all(torch.allclose(one, truth[name], atol=1e-12) for name, one in found.per_record().items())


@pytest.mark.parametrize("kind", [nn.TransformerEncoderLayer, nn.TransformerDecoderLayer])
def test_records_in_the_second_dimension(kind) -> None:
    """As many steps as records, so that no shape tells the two apart."""

    class Second(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.block, self.last = kind(6, 2, 5, dropout=0.0), nn.Linear(6, 3)
            self.outer = nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6))

        def forward(self, x):
            x = self.outer(x.transpose(0, 1))
            return self.last(self.block(*(x, x * 2)[: 1 if kind is nn.TransformerEncoderLayer else 2]).mean(0))

    net, x = Second().double(), torch.randn(4, 4, 6).double()
    engine = BookKeeping(net, second=["outer"])
    found = engine.gradients(F.cross_entropy(net(x), Y, reduction="none"))
    engine.remove()
    truth = plain_loop(Case(net, x, Y, "records second"))
    each, sums = found.per_record(), found.weighted(torch.arange(4.0).double())
    assert each.keys() == truth.keys()
    for name, one in truth.items():
        assert torch.allclose(each[name], one, atol=1e-12), name
        assert torch.allclose(sums[name], torch.tensordot(torch.arange(4.0).double(), one, 1), atol=1e-11), name
    norms = torch.cat([one.flatten(1) for one in truth.values()], 1).norm(dim=1)
    assert torch.allclose(found.norms, norms, rtol=1e-12)
    with pytest.raises(LearnerRefused, match="second: the network has no layer out"):
        BookKeeping(net, second=["out"])


def test_a_layer_that_is_called_once_for_all_records_is_refused() -> None:
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.place, self.last = nn.Embedding(6, 6).double(), nn.Linear(6, 3).double()

        def forward(self, x):
            return self.last(x + self.place(torch.arange(6)).sum(1))

    stopped(Positions(), r"place \(Embedding\): its output has shape \(6, 6\) where 4 records", LearnerRefused)
