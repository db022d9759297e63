"""The engine beside a plain loop over records, on networks that Hypothesis builds; and what it refuses."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from learners import LearnerRefused, RunCheckFailed  # noqa: E402
from learners.engines import BookKeeping, explain, explain_engine  # noqa: E402
from tests.learners.engines.networks import Case, networks, plain_loop  # noqa: E402

pytestmark = pytest.mark.learn
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}


def assert_equals_loop(case: Case, tolerance: float, dtype: torch.dtype | None = None) -> None:
    """Norms, weighted sum and per-record gradients beside the loop's (in `dtype`), relative to the largest norm."""
    engine = BookKeeping(case.module)
    weights = torch.rand(len(case.x), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    try:
        found = engine.gradients(case.losses())
        each, summed = found.per_record(), found.weighted(weights)
    finally:
        engine.remove()
    truth = plain_loop(case if dtype is None else case.to(dtype))
    if dtype is not None:  # what rounding alone does to a loop, where a layer amplifies it
        rounded = plain_loop(case)
        tolerance += 4 * max((one.to(dtype) - truth[name]).abs().max().item() for name, one in rounded.items())
    flat = torch.cat([one.flatten(1) for one in truth.values()], 1).double()
    norms = flat.norm(dim=1)
    scale = 1 + norms.max()
    assert each.keys() == summed.keys() == truth.keys(), case
    assert (found.norms.double() - norms).abs().max() <= tolerance * scale, case
    for name, one in truth.items():
        assert each[name].shape == one.shape and summed[name].shape == one.shape[1:], (case, name)
        assert (each[name].double() - one.double()).abs().max() <= tolerance * scale, (case, name)
        expected = torch.tensordot(weights, one.double(), 1)
        assert (summed[name].double() - expected).abs().max() <= tolerance * scale * len(weights), (case, name)
    assert all(parameter.grad is None for parameter in case.module.parameters())


@settings(max_examples=60, deadline=None)
@given(networks())
def test_every_rule_equals_the_plain_loop(case):
    assert_equals_loop(case, TOLERANCE[torch.float64])


@settings(max_examples=25, deadline=None)
@given(networks())
def test_in_float32_to_the_precision_of_float32(case):
    assert_equals_loop(case.to(torch.float32), TOLERANCE[torch.float32], torch.float64)


@settings(max_examples=15, deadline=None)
@given(networks(), st.sampled_from(["gram", "materialise", "twice"]))
def test_both_routes_are_exact_whichever_is_cheaper(case, route):
    from unittest.mock import patch

    from learners.engines.layers.rule import LayerRule

    def forced(self, kept, output):
        costs = self.costs(kept, output)
        return route if route in costs else min(costs, key=costs.__getitem__)

    with patch.object(LayerRule, "_route", forced):
        assert_equals_loop(case, TOLERANCE[torch.float64])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_scalar_loss_is_what_its_reduction_says(reduction):
    torch.manual_seed(0)
    network, x, y = nn.Linear(3, 2).double(), torch.randn(5, 3).double(), torch.tensor([0, 1, 1, 0, 1])
    engine = BookKeeping(network, reduction=reduction)
    found = engine.gradients(F.cross_entropy(network(x), y, reduction=reduction), batch=5)
    each = plain_loop(Case(network, x, y, "linear"))
    norms = torch.cat([one.flatten(1) for one in each.values()], 1).norm(dim=1)
    assert torch.allclose(found.norms, norms, rtol=1e-12)


def test_shared_weights_and_layers_used_twice_are_added_before_the_norm():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)
            self.two.weight = self.one.weight

        def forward(self, x):
            return self.last(self.one(torch.tanh(self.two(torch.tanh(self.one(x))))))

    torch.manual_seed(0)
    network = Twice().double()
    assert_equals_loop(Case(network, torch.randn(4, 4).double(), torch.tensor([0, 1, 2, 0]), "twice"), 1e-12)


def test_an_activation_in_place_does_not_change_the_gradient():
    torch.manual_seed(0)
    for shape in ((5, 4), (5, 3, 4)):
        network = nn.Sequential(nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Flatten(), nn.LazyLinear(3)).double()
        x, y = torch.randn(shape).double(), torch.tensor([0, 1, 2, 0, 1])
        network(x)
        case = Case(network, x, y, "in place")
        if len(shape) == 2:
            assert_equals_loop(case, 1e-12)
            continue
        engine = BookKeeping(network)  # the output for sequences is a view
        try:
            engine.gradients(case.losses())
        except RunCheckFailed as refused:
            assert "in place" in str(refused)
        else:
            assert_equals_loop(case, 1e-12)


def test_a_layer_that_is_not_called_stops_the_step():
    class Skips(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x):
            return self.used(x)

    network = Skips()
    engine = BookKeeping(network)
    with pytest.raises(RunCheckFailed, match=r"unused \(Linear\): its hook saw no call"):
        engine.gradients(network(torch.randn(4, 3)).sum(1))
    network.unused.requires_grad_(False)
    BookKeeping(network).gradients(network(torch.randn(4, 3)).sum(1))


def test_wrong_losses_and_layers_are_refused_by_name():
    network = nn.Linear(3, 2)
    engine = BookKeeping(network)
    with pytest.raises(LearnerRefused, match="one for each record"):
        engine.gradients(network(torch.randn(4, 3)).sum())
    with pytest.raises(LearnerRefused, match="expected along the first dimension"):
        engine.gradients(network(torch.randn(4, 3)).sum().expand(7))
    with pytest.raises(RunCheckFailed, match="saw no call"):
        engine.gradients(torch.zeros(4))
    with pytest.raises(LearnerRefused, match="reduction = 'median'"):
        BookKeeping(network, reduction="median")
    with pytest.raises(LearnerRefused, match="max_norm"):
        BookKeeping(nn.Embedding(3, 2, max_norm=1))
    with pytest.raises(LearnerRefused, match="scale_grad_by_freq"):
        BookKeeping(nn.Embedding(3, 2, scale_grad_by_freq=True))
    with pytest.raises(LearnerRefused, match="track_running_stats"):
        BookKeeping(nn.InstanceNorm2d(3, affine=True, track_running_stats=True))
    with pytest.raises(LearnerRefused, match="no parameter requires a gradient"):
        BookKeeping(nn.Tanh())


def test_half_precision_is_summed_in_float32():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    engine, x, y = BookKeeping(network), torch.randn(6, 8), torch.tensor([0, 1, 2, 0, 1, 2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = F.cross_entropy(network(x), y, reduction="none")
    found = engine.gradients(losses)
    each = found.per_record()
    assert found.norms.dtype == torch.float32 and all(one.dtype == torch.float32 for one in each.values())
    norms = torch.cat([one.flatten(1) for one in each.values()], 1).double().norm(dim=1)
    assert torch.allclose(found.norms.double(), norms, rtol=1e-6)


def test_norms_are_right_where_the_terms_of_a_sequence_cancel():
    """Inputs that hardly differ, gradients that nearly cancel: the Gram form alone would be off by a third."""
    from learners.engines.layers.products import Products
    from learners.engines.layers.rule import GRAM

    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(4, 1, 1, 32, generator=generator) + 1e-3 * torch.randn(4, 1, 16, 32, generator=generator)
    gradients = torch.randn(4, 1, 16, 24, generator=generator)
    gradients -= gradients.mean(2, keepdim=True)
    inputs[0] = torch.randn(16, 32, generator=generator)
    exact = torch.bmm(gradients[:, 0].double().mT, inputs[:, 0].double()).flatten(1).norm(dim=1)
    part = Products(GRAM, inputs.__getitem__, gradients, torch.Size((24, 32)), bias=False)
    assert torch.allclose(part.squared_norms().double().sqrt(), exact, rtol=1e-4)
    gram = (inputs @ inputs.mT * (gradients @ gradients.mT)).sum((1, 2, 3)).clamp(min=0).sqrt()
    assert not torch.allclose(gram.double(), exact, rtol=1e-4)


def _by_gram(inputs, gradients):
    """Norms (B,) by the route "gram": inputs (B, 1, T, d), gradients (B, 1, T, p)."""
    from learners.engines.layers.products import Products
    from learners.engines.layers.rule import GRAM

    shape = torch.Size((gradients.shape[-1], inputs.shape[-1]))
    return Products(GRAM, inputs.__getitem__, gradients, shape, bias=False).squared_norms().sqrt()


def test_norms_of_float64_are_right_to_what_trainers_allow_in_float64():
    from learners.engines.layers.rule import NORM_LENGTH

    generator = torch.Generator().manual_seed(0)
    around = torch.randint(-8, 9, (8, 1, 1, 32), generator=generator).double()
    inputs = around + 2.0**-16 * torch.randn(8, 1, 4, 32, generator=generator).double()
    gradients = torch.randint(-8, 9, (8, 1, 4, 24), generator=generator).double()
    gradients[:, :, 0] -= gradients.sum(2)  # integers: what is added to every position cancels exactly
    a, e = (inputs - around)[:, 0], gradients[:, 0]
    exact = torch.bmm(e.mT, a).flatten(1).norm(dim=1)
    found = _by_gram(inputs, gradients)
    allowed = NORM_LENGTH * 2.0**-54
    assert ((exact - found) / exact).max() <= allowed
    a = inputs[:, 0]
    plain = (torch.bmm(a, a.mT) * torch.bmm(e, e.mT)).sum((1, 2)).clamp(min=0).sqrt()
    assert ((exact - plain) / exact).max() > 100 * allowed


@pytest.mark.parametrize(("inputs", "gradients"), [(1e15, 1e-23), (1e-23, 1e15), (1e18, 1e-22)])
def test_norms_of_sequences_are_right_where_one_factor_underflows(inputs, gradients):
    generator = torch.Generator().manual_seed(0)
    a = inputs * torch.randn(3, 1, 4, 16, generator=generator)
    e = gradients * torch.randn(3, 1, 4, 12, generator=generator)
    e[1] = 0
    exact = torch.bmm(e[:, 0].double().mT, a[:, 0].double()).flatten(1).norm(dim=1)
    assert torch.allclose(_by_gram(a, e).double(), exact, rtol=1e-6, atol=0)


def test_explain_prints_a_row_for_each_layer():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(144, 3))
    rows = explain(network, torch.zeros(2, 1, 8, 8))
    assert [(row.layer, row.kind, row.parameters) for row in rows] == [
        ("0", "Conv2d", 40),
        ("1", "GroupNorm", 8),
        ("3", "Linear", 435),
    ]
    assert [row.route for row in rows] == ["materialise", "materialise", "product"]
    text = explain_engine(network, torch.zeros(2, 1, 8, 8))
    assert text.splitlines()[0].split()[:5] == ["layer", "class", "parameters", "route", "cost"]
    assert "Conv2d" in text and "gram" in text
