"""Several processes, one training: each draws from its own records, the sums are added, and noise is added once.

Every process holds the same model and optimizer. Process r of w has the records from ⌊nr/w⌋ to ⌊n(r+1)/w⌋ − 1, and
draws each by itself at the mechanism's rate: together they draw as one process would. The sums are added up in float64;
the first process adds noise and rounds, and all of them step with what it sends. Sums without noise pass between the
processes: these, and the network between them, are trusted with the data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from accountant import ScaledSGD
from learners.refused import LearnerRefused


@dataclass(frozen=True)
class Processes:
    """This process is number `rank` of `size`."""

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> Processes:
        """Those that torch.distributed was started with; one, where it was not."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    def shard(self, samples: int) -> range:
        """The records of this process."""
        return range(samples * self.rank // self.size, samples * (self.rank + 1) // self.size)

    def own(self, mechanism: ScaledSGD, shard: range) -> ScaledSGD:
        """What this process draws by: the mechanism, on the records of its shard."""
        if self.size == 1 or mechanism.samples is None:
            return mechanism
        return replace(mechanism, samples=max(len(shard), 1))

    def add(self, vector: Tensor) -> None:
        """Every process's vector becomes the sum of all."""
        if self.size > 1:
            distributed.all_reduce(vector)

    def send(self, vector: Tensor) -> None:
        """Every process's vector becomes that of the first."""
        if self.size > 1:
            distributed.broadcast(vector, src=0)

    def check(self, mechanism: ScaledSGD) -> None:
        """Whether batches may be drawn shard by shard.

        Raises:
            LearnerRefused: a way of drawing that does not fall into independent draws.
        """
        if self.size > 1 and (not mechanism.scheme.shards or mechanism.max_batch_size is not None):
            cut = " with max_batch_size" if mechanism.max_batch_size is not None else ""
            raise LearnerRefused(
                f'sampling: "{mechanism.sampling}"{cut} in {self.size} processes; each draws from its own records by '
                'itself, which "poisson" and "full" batches allow; take one of these, or one process'
            )

    def check_same(self, value: int, name: str) -> None:
        """Whether every process has the same whole number.

        Raises:
            LearnerRefused: names what differs.
        """
        if self.size > 1:
            ends = torch.tensor([value, -value], dtype=torch.float64)
            ends = ends.cuda() if distributed.get_backend() == "nccl" else ends
            distributed.all_reduce(ends, op=distributed.ReduceOp.MAX)
            if ends.sum() != 0:
                raise LearnerRefused(f"{name}: not the same in all {self.size} processes")


def bare(model: nn.Module) -> nn.Module:
    """The module that is trained: the one inside DistributedDataParallel, whose own adding up is switched off.

    Raises:
        LearnerRefused: sharded parameters.
    """
    if isinstance(model, DistributedDataParallel):
        model.require_backward_grad_sync = False  # sums are added once a step, here, and only after scaling
        model.broadcast_buffers = False
        model = model.module
    refuse_sharded(model.named_parameters())
    return model


def refuse_sharded(parameters: Iterable[tuple[str, Tensor]]) -> None:
    """
    Raises:
        LearnerRefused: a parameter that FSDP or tensor parallelism has spread over processes.
    """
    for name, parameter in parameters:
        if type(parameter).__name__ == "DTensor" or type(parameter).__name__ == "FlatParameter":
            raise LearnerRefused(
                f"model: {name} is a {type(parameter).__name__}, sharded over processes (FSDP), whose gradients "
                "cannot be attributed to records here; give the whole model to each process (DistributedDataParallel)"
            )
