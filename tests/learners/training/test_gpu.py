"""The trainer on a GPU: what it does there is what it does on the CPU. Skipped, visibly, where there is none."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from learners.training import PrivateTrainer  # noqa: E402
from tests.learners.training.oracle import MAPS, data, flat, losses_of, mechanism_of, network, sgd  # noqa: E402

pytestmark = [pytest.mark.learn, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


def trained(device, mechanism, **how):
    model = network()
    how = {"delta": "1e-5", "device": device, "seed": 5} | how
    trainer = PrivateTrainer(model, sgd(model), data(), mechanism, **how)
    for x, y in trainer:
        assert x.device.type == device
        with trainer.autocast():
            losses = losses_of(model, x, y)
        trainer.step(losses)
    return trainer


@pytest.mark.parametrize("scaling", MAPS.values(), ids=MAPS)
def test_cpu_and_gpu_agree_but_for_cells_of_the_grid(scaling):
    mechanism = mechanism_of(scaling, steps=3)
    cpu, gpu = (trained(device, mechanism) for device in ("cpu", "cuda"))
    assert gpu.record().stretches[-1].device.startswith("cuda")
    gap = (flat(cpu.model) - flat(gpu.model).cpu()).abs()
    assert gap.median() < 1e-6 and gap.max() < 0.05
    assert gpu.record().observed.records == cpu.record().observed.records


def test_autocast_and_a_checkpoint_there(tmp_path):
    mechanism = mechanism_of(steps=2)
    trainer = trained("cuda", mechanism, autocast=torch.bfloat16)
    assert all(p.grad.dtype == torch.float32 and p.grad.is_cuda for p in trainer.model.parameters())
    model = network()
    first = PrivateTrainer(model, sgd(model), data(), mechanism, delta="1e-5", device="cuda", seed=5)
    for x, y in first.until(1):
        first.step(losses_of(model, x, y))
    first.save(tmp_path / "run.pt")
    other = network(3)
    how = {"delta": "1e-5", "device": "cuda", "seed": 5}
    second = PrivateTrainer.load(tmp_path / "run.pt", other, sgd(other), data(), mechanism, **how)
    for x, y in second:
        second.step(losses_of(other, x, y))
    assert torch.equal(flat(other), flat(trained("cuda", mechanism).model))
