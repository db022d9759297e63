"""Run by torchrun, once in each process: what `test_distributed.py` looks at, as JSON in the folder given."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from learners.training import PrivateTrainer, StepRefused
from tests.learners.training.oracle import data, flat, losses_of, mechanism_of, network, sgd

FULL = mechanism_of(q="1", sampling="full", steps=3, normaliser="40")


def trained(mechanism: Any, *, poison: bool = False, steps: int | None = None, seed: int | None = 5, start: int = 0):
    """A trainer that has made its steps. poison: the second step of this process has a loss that is no number."""
    model = DistributedDataParallel(network(start))
    trainer = PrivateTrainer(
        model, sgd(model, 0.5, momentum=0.9), data(), mechanism, delta="1e-5", device="cpu", seed=seed
    )
    refused = 0
    for x, y in trainer:
        losses = losses_of(model, x, y)
        try:
            trainer.step(losses * float("nan") if poison and trainer.steps_taken == 1 else losses)
        except StepRefused:
            refused += 1
        if trainer.steps_taken == steps:
            break
    return trainer, refused


def shown(trainer: PrivateTrainer) -> dict[str, Any]:
    record = trainer.record()
    return {
        "weights": flat(trainer.model).tolist(),
        "records": record.observed.records,
        "refused": record.steps_refused,
        "empty": record.observed.empty_batches,
        "steps": record.steps_taken,
        "processes": record.stretches[-1].processes,
    }


def refusal(attempt: Any) -> str:
    try:
        attempt()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def sharded() -> None:
    from torch.distributed.fsdp import fully_shard

    model = network()
    fully_shard(model, mesh=distributed.init_device_mesh("cpu", (distributed.get_world_size(),)))
    PrivateTrainer(model, sgd(model), data(), FULL, delta="1e-5", device="cpu")


def noise(rank: int) -> list[float]:
    """Noise of standard deviation 1 on 83 numbers, in 30 steps of empty batches."""
    drawn: list[float] = []
    model = DistributedDataParallel(network())
    mechanism = mechanism_of(q="1e-9", steps=30, normaliser="1")
    trainer = PrivateTrainer(model, sgd(model, 0.0), data(), mechanism, delta="1e-5", device="cpu")
    inner = trainer._apply
    trainer._apply = lambda vector: (drawn.extend(vector.tolist()), inner(vector))
    assert list(trainer) == []
    return drawn


def main(folder: Path) -> None:
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    out: dict[str, Any] = {"full": shown(trained(FULL)[0])}
    out["start"] = shown(trained(FULL, start=rank)[0])["weights"]  # the first process's start counts
    out["poisson"] = shown(trained(mechanism_of(q="1/20", steps=12), seed=None)[0])
    out["poisoned"] = shown(trained(FULL, poison=rank == 1)[0])
    first, _ = trained(FULL, steps=2)
    first.save(folder / "run.pt")
    model = DistributedDataParallel(network(7))
    optimizer = sgd(model, 0.5, momentum=0.9)
    how = {"delta": "1e-5", "device": "cpu", "seed": 5}
    second = PrivateTrainer.load(folder / "run.pt", model, optimizer, data(), FULL, **how)
    for x, y in second:
        second.step(losses_of(model, x, y))
    out["resumed"] = shown(second)
    out["noise"] = noise(rank)
    fixed = mechanism_of(sampling="without-replacement", neighbours="replace-one")
    out["refused"] = [
        refusal(lambda: trained(fixed)),
        refusal(lambda: trained(mechanism_of(max_batch_size=20))),
        refusal(sharded),
    ]
    (folder / f"{rank}.json").write_text(json.dumps(out))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
