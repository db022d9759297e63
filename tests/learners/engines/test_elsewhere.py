"""The same random networks under autocast, compiled, and on a GPU: no rule is exact only where it was written."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from hypothesis import given, settings  # noqa: E402

from learners.engines import BookKeeping  # noqa: E402
from tests.learners.engines.networks import Case, networks, plain_loop  # noqa: E402

pytestmark = pytest.mark.learn
on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def assert_one_gradient_under_autocast(case: Case, device: str = "cpu") -> None:
    """Norms, weighted sum and per-record gradients are of the same float32 gradients to 1e-5. Those are the loop's but
    for the rounding of activations to bfloat16, which another shape of the batch rounds otherwise."""
    engine, weights = BookKeeping(case.module), torch.linspace(0.1, 1, len(case.x), device=device)
    with torch.autocast(device, torch.bfloat16):
        losses = F.cross_entropy(case.module(case.x).float(), case.y, reduction="none")
    try:
        found = engine.gradients(losses)
        each, summed = found.per_record(), found.weighted(weights)
    finally:
        engine.remove()
    flat = torch.cat([one.flatten(1) for one in each.values()], 1)
    assert found.norms.dtype == flat.dtype == torch.float32, case
    norms = flat.double().norm(dim=1)
    scale = 1 + norms.max()
    assert (found.norms.double() - norms).abs().max() <= 1e-5 * scale, case
    for name, one in each.items():
        expected = torch.tensordot(weights.double(), one.double(), 1)
        assert (summed[name].double() - expected).abs().max() <= 1e-5 * scale * len(weights), (case, name)


@settings(max_examples=20, deadline=None)
@given(networks())
def test_one_gradient_under_autocast(case):
    assert_one_gradient_under_autocast(case.to(torch.float32))


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(networks())
def test_compiled_networks_equal_the_plain_loop(case):
    torch._dynamo.reset()
    engine, truth = BookKeeping(case.module), plain_loop(case)  # before, for the engine must not see the loop's passes
    engine.discard()
    compiled = torch.compile(case.module, backend="aot_eager")
    try:
        each = engine.gradients(F.cross_entropy(compiled(case.x), case.y, reduction="none")).per_record()
    finally:
        engine.remove()
        torch._dynamo.reset()
    assert each.keys() == truth.keys()
    for name, one in truth.items():
        assert (each[name] - one).abs().max() <= 1e-10 * (1 + one.abs().max()), (case, name)


@on_a_gpu
@settings(max_examples=20, deadline=None)
@given(networks())
def test_on_a_gpu_they_equal_the_plain_loop(case):
    there = replace(case, module=case.module.cuda(), x=case.x.cuda(), y=case.y.cuda())
    engine = BookKeeping(there.module)
    found = engine.gradients(there.losses())
    each = found.per_record()
    engine.remove()
    truth = plain_loop(there)
    norms = torch.cat([one.flatten(1) for one in truth.values()], 1).norm(dim=1)
    assert found.norms.is_cuda and (found.norms - norms).abs().max() <= 1e-5 * (1 + norms.max()), case
    for name, one in truth.items():
        assert (each[name] - one).abs().max() <= 1e-5 * (1 + norms.max()), (case, name)


@on_a_gpu
@settings(max_examples=10, deadline=None)
@given(networks())
def test_on_a_gpu_under_autocast(case):
    case = case.to(torch.float32)
    there = replace(case, module=case.module.cuda(), x=case.x.cuda(), y=case.y.cuda())
    assert_one_gradient_under_autocast(there, "cuda")
