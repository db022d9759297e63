"""Attention, recurrent layers and modules without a rule of their own, beside the plain loop over records."""

from __future__ import annotations

import copy
import random

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from learners import LearnerRefused, RunCheckFailed  # noqa: E402
from learners.engines import BookKeeping, explain  # noqa: E402
from learners.engines.layers import rule_of  # noqa: E402
from tests.learners.engines.networks import Case  # noqa: E402
from tests.learners.engines.test_engine import assert_equals_loop  # noqa: E402

pytestmark = [
    pytest.mark.learn,
    pytest.mark.filterwarnings("ignore:There is a performance drop", "ignore:Support for mismatched key_padding_mask"),
]
RECORDS, STEPS, WIDTH, CLASSES = 3, 5, 8, 4


class Around(nn.Module):
    """A layer between a linear one and a linear one: (B, T, d) in, classes out."""

    def __init__(self, layer, call, width=WIDTH):
        super().__init__()
        self.first, self.layer, self.last = nn.Linear(WIDTH, WIDTH), layer, nn.Linear(width, CLASSES)
        self.call = call

    def forward(self, x):
        found = self.call(self.layer, self.first(x))
        return self.last(found.flatten(1, -2).mean(1) if found.dim() > 2 else found)


def check(layer, call, width=WIDTH, x=None, tolerance=1e-10):
    torch.manual_seed(1)
    module = Around(layer, call, width).double()
    for value in module.parameters():
        if value.dim() == 1:
            nn.init.normal_(value, std=0.5)  # biases of attention are zero at first
    x = torch.randn(RECORDS, STEPS, WIDTH).double() if x is None else x
    assert_equals_loop(Case(module, x, torch.tensor([0, 3, 1])[: len(x)], str(layer)), tolerance)
    return module


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("layers, both, bias", [(1, False, True), (2, True, True), (3, False, False)])
def test_recurrent_layers(kind, layers, both, bias) -> None:
    layer = kind(WIDTH, 3, layers, batch_first=True, bidirectional=both, bias=bias)
    width = 6 if both else 3
    check(layer, lambda layer, x: layer(x)[0], width)
    check(layer, lambda layer, x: layer(x)[0][:, -1], width)  # the last step alone

    def from_last_states(layer, x):
        last = layer(x)[1]
        return (last[0] + last[1] if isinstance(last, tuple) else last).transpose(0, 1)

    check(layer, from_last_states, 3)

    def from_everything(layer, x):
        sequence, last = layer(x)
        last = torch.cat(last if isinstance(last, tuple) else (last,)).transpose(0, 1).flatten(1)
        return torch.cat([sequence[:, -1] * sequence[:, 0], last.square()], 1)

    check(layer, from_everything, width + layers * width * (2 if kind is nn.LSTM else 1))


def test_recurrent_layers_with_records_second_given_states_projections_and_relu() -> None:
    def second(layer, x):
        return layer(x.transpose(0, 1))[0].transpose(0, 1)

    check(nn.GRU(WIDTH, 3), second, 3)
    check(nn.LSTM(WIDTH, 5, 2, batch_first=True, proj_size=2, bidirectional=True), lambda layer, x: layer(x)[0], 4)
    check(nn.RNN(WIDTH, 3, 2, nonlinearity="relu"), second, 3)

    def given(layer, x):
        start = x[:, :1, :3].transpose(0, 1).contiguous()
        return layer(x, start)[0]

    check(nn.GRU(WIDTH, 3, batch_first=True), given, 3)


def test_parts_of_a_recurrent_layer_may_be_frozen() -> None:
    layer = nn.GRU(WIDTH, 3, batch_first=True)
    layer.weight_ih_l0.requires_grad_(False)
    layer.bias_hh_l0.requires_grad_(False)
    check(layer, lambda layer, x: layer(x)[0], 3)


def test_recurrent_layers_that_cannot_be_run_again_are_refused() -> None:
    with pytest.raises(LearnerRefused, match=r"GRU: its dropout between layers .* take one GRU for each layer"):
        BookKeeping(nn.GRU(WIDTH, 3, 2, dropout=0.1))
    layer = nn.LSTM(WIDTH, 3, batch_first=True)
    BookKeeping(layer)
    packed = nn.utils.rnn.pack_padded_sequence(torch.randn(2, 4, WIDTH), [4, 2], batch_first=True)
    with pytest.raises(LearnerRefused, match="LSTM: give it a padded batch"):
        layer(packed)


def itself(**options):
    return lambda layer, x: layer(x, x, x, **options)[0]


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_self_attention_with_masks(need_weights, bias) -> None:
    layer = nn.MultiheadAttention(WIDTH, 2, batch_first=True, bias=bias)
    check(layer, itself(need_weights=need_weights))
    causal = nn.Transformer.generate_square_subsequent_mask(STEPS, dtype=torch.float64)
    check(layer, itself(need_weights=need_weights, attn_mask=causal))
    check(layer, itself(need_weights=need_weights, attn_mask=causal, is_causal=True))
    check(layer, itself(need_weights=need_weights, attn_mask=causal < 0))

    def padded(layer, x):
        padding = x[..., 0] > 0.5
        padding[:, 0] = False
        return layer(x, x, x, key_padding_mask=padding, attn_mask=causal < 0, need_weights=need_weights)[0]

    check(layer, padded)

    def by_head(layer, x):
        mask = x[:, None, :, None, 0].detach() * x[:, None, None, :, 1].detach() * torch.ones(1, 2, 1, 1)
        return layer(x, x, x, attn_mask=mask.flatten(0, 1), need_weights=need_weights)[0]

    check(layer, by_head)


def test_cross_attention_added_positions_other_widths_and_records_second() -> None:
    def across(layer, x):
        return layer(x[:, :2], x, x, need_weights=False)[0]

    def three(layer, x):
        return layer(x, x.roll(1, 1), x * 2)[0]

    for options in ({}, {"add_bias_kv": True}, {"add_zero_attn": True, "add_bias_kv": True, "bias": False}):
        layer = nn.MultiheadAttention(WIDTH, 2, batch_first=True, **options)
        for call in (across, three, itself()):
            check(layer, call)

    def narrow(layer, x):
        return layer(x, x[..., :3], x[..., :5])[0]

    check(nn.MultiheadAttention(WIDTH, 2, kdim=3, vdim=5, batch_first=True), narrow)

    def second(layer, x):
        turned = x.transpose(0, 1)
        return layer(turned, turned, turned)[0].transpose(0, 1)

    check(nn.MultiheadAttention(WIDTH, 4), second)

    def through_the_weights(layer, x):
        found, weights = layer(x, x, x, average_attn_weights=False)
        return found * weights.square().sum((1, 2, 3))[:, None, None]

    check(nn.MultiheadAttention(WIDTH, 2, batch_first=True), through_the_weights)


def test_attention_computes_what_torch_computes_and_is_put_back() -> None:
    torch.manual_seed(0)
    x, padding = torch.randn(RECORDS, STEPS, WIDTH), torch.zeros(RECORDS, STEPS, dtype=torch.bool)
    padding[:, -2:] = True
    causal = nn.Transformer.generate_square_subsequent_mask(STEPS)
    for options in ({}, {"add_bias_kv": True, "add_zero_attn": True}, {"kdim": WIDTH, "vdim": WIDTH, "bias": False}):
        layer = nn.MultiheadAttention(WIDTH, 2, batch_first=True, **options)
        for call in (
            {}, {"need_weights": False}, {"average_attn_weights": False}, {"key_padding_mask": padding},
            {"attn_mask": causal, "is_causal": True, "need_weights": False}, {"attn_mask": causal, "is_causal": True},
            {"key_padding_mask": padding, "attn_mask": causal, "need_weights": False},
        ):  # fmt: skip
            expected, weights = layer(x, x, x, **call)
            engine = BookKeeping(layer)
            found, others = layer(x, x, x, **call)
            with torch.no_grad():
                assert torch.allclose(layer(x, x, x, **call)[0], expected, atol=1e-6)
            engine.remove()
            assert "forward" not in vars(layer) and torch.allclose(found, expected, atol=1e-6), call
            assert (weights is None) == (others is None) and (weights is None or torch.allclose(weights, others))


def test_a_copy_of_a_watched_attention_has_its_own_weights() -> None:
    """An average of the weights, for example."""
    torch.manual_seed(0)
    layer, x = nn.MultiheadAttention(WIDTH, 2, batch_first=True), torch.randn(RECORDS, STEPS, WIDTH)
    engine = BookKeeping(layer)
    losses = layer(x, x, x)[0].square().flatten(1).sum(1)
    average = copy.deepcopy(layer)
    with torch.no_grad():
        for value in average.parameters():
            value.mul_(0.5)
    plain = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
    plain.load_state_dict(average.state_dict())
    for watched in (average, average.eval()):
        assert torch.allclose(watched(x, x, x)[0], plain(x, x, x)[0], atol=1e-6)
    assert len(engine.gradients(losses).norms) == RECORDS
    engine.remove()
    assert torch.allclose(average(x, x, x)[0], plain(x, x, x)[0], atol=1e-6)


@pytest.mark.parametrize("evaluating", [False, True])
@pytest.mark.parametrize("before", [False, True])
def test_the_encoder_of_torch(evaluating, before) -> None:
    """Its fast path, which calls none of its layers, must not be taken."""
    layer = nn.TransformerEncoderLayer(WIDTH, 2, 12, dropout=0.0, batch_first=True, norm_first=before)
    check(layer.train(not evaluating), lambda layer, x: layer(x))
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    check(encoder, lambda layer, x: layer(x, mask=torch.full((STEPS, STEPS), -1.0, dtype=x.dtype), is_causal=False))
    decoder = nn.TransformerDecoderLayer(WIDTH, 2, 12, dropout=0.0, batch_first=True, norm_first=before)
    check(decoder.train(not evaluating), lambda layer, x: layer(x, x * 2))


def test_dropout_inside_an_attention_is_the_one_that_was_drawn() -> None:
    """The sum of the records' gradients is torch's own gradient of the same pass."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(WIDTH, 2, 12, dropout=0.4, batch_first=True)
    engine, x = BookKeeping(layer), torch.randn(RECORDS, STEPS, WIDTH)
    losses = layer(x).square().flatten(1).sum(1)
    truth = torch.autograd.grad(losses.sum(), list(layer.parameters()), retain_graph=True)
    summed = engine.gradients(losses).weighted(torch.ones(RECORDS))
    for (name, _), one in zip(layer.named_parameters(), truth, strict=True):
        assert torch.allclose(summed[name], one, rtol=1e-4, atol=1e-4), name


class Scaled(nn.Module):
    """A parameter of its own beside a layer with a rule, and a buffer."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.inner = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("shift", torch.randn(WIDTH))

    def forward(self, x):
        return self.inner(torch.cat([self.token.expand(len(x), -1, -1), x + self.shift], 1)).tanh()


class Adapter(nn.Module):
    """A low-rank adapter beside a frozen layer."""

    def __init__(self):
        super().__init__()
        self.base = nn.Linear(WIDTH, WIDTH).requires_grad_(False)
        self.down, self.up = nn.Parameter(torch.randn(2, WIDTH)), nn.Parameter(torch.randn(WIDTH, 2))

    def forward(self, x):
        return self.base(x) + x @ self.down.T @ self.up.T


class Nonzero(nn.Module):
    """An operation whose result depends on the numbers: no rule under vmap."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(WIDTH))

    def forward(self, x):
        return torch.stack([row[row[:, 0].nonzero().flatten()].mean(0) for row in x]) * self.weight


@pytest.mark.parametrize(
    "layer, call",
    [
        (Scaled(), lambda layer, x: layer(x)),
        (Adapter(), lambda layer, x: layer(x)),
        (Nonzero(), lambda layer, x: layer(x)),
        (nn.PReLU(STEPS), lambda layer, x: layer(x)),
        (nn.Bilinear(WIDTH, WIDTH, WIDTH), lambda layer, x: layer(x[:, 0], x[:, 1])),
        (nn.ConvTranspose1d(STEPS, 2, 1), lambda layer, x: layer(x)),
        (nn.LSTMCell(WIDTH, WIDTH), lambda layer, x: layer(x[:, 0], layer(x[:, 1]))[0]),
        (nn.GRUCell(WIDTH, WIDTH), lambda layer, x: layer(x[:, 0])),
        (nn.RNNCell(WIDTH, WIDTH), lambda layer, x: layer(x[:, 1], layer(x[:, 0]))),
        (nn.utils.parametrizations.weight_norm(nn.Linear(WIDTH, WIDTH)), lambda layer, x: layer(x)),
        (nn.utils.parametrizations.orthogonal(nn.Linear(WIDTH, WIDTH)), lambda layer, x: layer(x)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_other_module(layer, call) -> None:
    assert rule_of(layer) is None
    check(layer, call, tolerance=1e-9)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_embeddings(mode) -> None:
    torch.manual_seed(0)
    bag = nn.Sequential(nn.EmbeddingBag(9, 6, mode=mode, padding_idx=2), nn.Tanh(), nn.Linear(6, CLASSES)).double()
    assert_equals_loop(Case(bag, torch.randint(0, 9, (RECORDS, 7)), torch.tensor([0, 1, 2]), mode), 1e-10)


def test_a_module_that_draws_random_numbers_is_refused() -> None:
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(WIDTH))

        def forward(self, x):
            return F.dropout(x, 0.5) * self.weight

    layer = Noisy()
    engine = BookKeeping(layer)
    with pytest.raises(RunCheckFailed, match="Noisy: it draws random numbers"):
        engine.gradients(layer(torch.randn(RECORDS, WIDTH)).sum(1))


def test_explain_knows_every_kind_of_layer() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Embedding(9, WIDTH), nn.TransformerEncoderLayer(WIDTH, 2, 12, batch_first=True), Scaled(),
        nn.PReLU(), Around(nn.LSTM(WIDTH, 3, batch_first=True), lambda layer, x: layer(x)[0], 3),
    )  # fmt: skip
    rows = explain(network, torch.randint(0, 9, (RECORDS, STEPS)))
    assert sum(row.parameters for row in rows) == sum(value.numel() for value in network.parameters())
    routes = {row.layer: row.route for row in rows}
    assert routes["2"] == routes["3"] == "torch.func"
    assert {row.kind for row in rows} >= {"MultiheadAttention", "LSTM", "Scaled", "PReLU", "Linear", "LayerNorm"}
    turned = explain(nn.TransformerEncoder(nn.TransformerEncoderLayer(WIDTH, 2, 12), 1), torch.randn(STEPS, 3, WIDTH))
    assert {row.layer for row in turned} >= {"layers.0.self_attn", "layers.0.linear1", "layers.0.norm2"}


def test_a_module_that_gives_something_else_when_it_is_run_again_stops_the_step() -> None:
    class Counts(nn.Module):
        def __init__(self, draws):
            super().__init__()
            self.weight, self.calls, self.draws = nn.Parameter(torch.ones(WIDTH)), 0, draws

        def forward(self, x):
            self.calls += 1
            return x * self.weight * (random.random() if self.draws else self.calls)

    class Elsewhere(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Adapter()

        def forward(self, x):
            return self.inner(x) + x @ self.inner.up @ self.inner.down

    torch.manual_seed(0)
    x = torch.randn(RECORDS, WIDTH)
    for layer, name in ((Counts(False), "weight"), (Counts(True), "weight"), (Elsewhere(), "inner.")):
        engine = BookKeeping(layer)
        with pytest.raises(RunCheckFailed, match=f"parameters: {name}"):
            engine.gradients(layer(x).square().sum(1))
        engine.remove()
