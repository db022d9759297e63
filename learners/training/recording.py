"""What is written down while a training runs: counts, the largest norm, stretches; and the record made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from accountant import ScaledSGD
from accountant.core.exact import canonical
from learners.engines.layers.rule import MATERIALISE, PRODUCT
from learners.record import SECRET, SEEDED, now, versions
from learners.training.precision import Precision
from learners.training.record import (
    Observed,
    Stretch,
    TrainingRecord,
    training_fingerprint,
    training_to_json,
    weights_hash,
)

BOUNDED = frozenset({PRODUCT, MATERIALISE})
"""Routes for which docs/theory.md T28s holds as `Precision` has it: what is scaled is one vector, or one outer product.
The others add up products of one record that may cancel, in the gradients' type."""
PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True, eq=False)
class Setting:
    """What a process runs with, fixed when its trainer is built."""

    model: nn.Module
    parameters: Mapping[str, nn.Parameter]
    optimizer: torch.optim.Optimizer
    schedule: Any
    dataset: Any
    samples: int
    seed: int | None
    device: torch.device
    device_name: str
    processes: int
    micro_batch: int | None
    autocast: torch.dtype | None
    reduction: str
    ema: float | None
    engine: str


@dataclass(eq=False)
class Recorder:
    """Counts of one training, over all its stretches."""

    setting: Setting
    weights_before: str = field(init=False)
    optimizer_before: list[dict[str, Any]] = field(init=False)
    stretches: list[Stretch] = field(default_factory=list)
    started: str = field(default_factory=now)
    first: int = 0
    empty: int = 0
    refused: int = 0
    records: int = 0
    largest: int = 0
    norm: Tensor | None = None
    routes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.weights_before = weights_hash(self.setting.parameters)
        self.optimizer_before = _groups(self.setting.optimizer)

    def saw(self, norms: Tensor, routes: frozenset[str]) -> None:
        """Gradient norms (B,) before scaling, kept on their device; the engine's routes."""
        self.routes |= routes
        largest = norms.max()
        self.norm = largest if self.norm is None else torch.maximum(self.norm, largest)

    def count(self, records: int) -> None:
        """A batch of so many."""
        self.records += records
        self.largest = max(self.largest, records)
        self.empty += records == 0

    def refuse(self) -> None:
        """A step was refused."""
        self.refused += 1

    def state(self, steps_taken: int) -> dict[str, Any]:
        """For a checkpoint: the current stretch ends here."""
        return {
            "weights_before": self.weights_before,
            "optimizer_before": self.optimizer_before,
            "stretches": [asdict(stretch) for stretch in self._stretches(steps_taken)],
            "empty": self.empty,
            "refused": self.refused,
            "records": self.records,
            "largest": self.largest,
            "routes": sorted(self.routes),
            "norm": 0.0 if self.norm is None else self.norm.item(),
        }

    def restore(self, state: Mapping[str, Any], steps_taken: int) -> None:
        """Go on from `state`, in a stretch of one's own."""
        self.weights_before, self.optimizer_before = state["weights_before"], state["optimizer_before"]
        self.stretches = [Stretch(**stretch) for stretch in state["stretches"]]
        self.first, self.empty, self.refused = steps_taken, state["empty"], state["refused"]
        self.records, self.largest = state["records"], state["largest"]
        self.routes = frozenset(state["routes"])
        self.norm = torch.tensor(state["norm"], dtype=torch.float64, device=self.setting.device)

    def _stretches(self, steps_taken: int) -> tuple[Stretch, ...]:
        s = self.setting
        own = Stretch(
            self.first,
            steps_taken,
            SECRET if s.seed is None else SEEDED,
            s.seed,
            str(s.device),
            s.device_name,
            s.processes,
            {name: str(version) for name, version in versions().items()},  # torch's is a class of its own
            self.started,
            now(),
        )
        return (*self.stretches, own)

    def record(
        self,
        *,
        mechanism: ScaledSGD,
        delta: Fraction,
        target: Fraction | None,
        steps: int,
        steps_taken: int,
        normaliser: Fraction,
        precision: Precision,
        average: Mapping[str, Tensor] | None,
        sampler: str,
    ) -> TrainingRecord:
        """After `steps_taken` steps; `steps` are allowed within the target."""
        s = self.setting
        frozen = sum(p.numel() for p in s.model.parameters() if not p.requires_grad)
        return TrainingRecord(
            mechanism=training_to_json(mechanism),
            mechanism_digest=training_fingerprint(mechanism),
            delta=canonical(delta),
            target_epsilon=None if target is None else canonical(target),
            steps_planned=mechanism.steps,
            steps_allowed=steps,
            steps_taken=steps_taken,
            steps_refused=self.refused,
            normaliser=canonical(normaliser),
            sampling={"name": mechanism.sampling, "words": mechanism.scheme.words, "sampler": sampler},
            precision={
                **precision.as_json(),
                "routes": sorted(self.routes),
                "bounded": not self.routes - BOUNDED,
            },
            model={
                "class": f"{type(s.model).__module__}.{type(s.model).__qualname__}",
                "learned": {name: list(p.shape) for name, p in s.parameters.items()},
                "dtypes": sorted({str(p.dtype).removeprefix("torch.") for p in s.parameters.values()}),
                "parameters": precision.execution.dimension,
                "frozen": frozen,
            },
            training={
                "optimizer": type(s.optimizer).__name__,
                "groups": self.optimizer_before,
                "schedule": None if s.schedule is None else type(s.schedule).__name__,
                "ema": None if s.ema is None else repr(s.ema),
                "autocast": None if s.autocast is None else str(s.autocast).removeprefix("torch."),
                "micro_batch": s.micro_batch,
                "reduction": s.reduction,
                "engine": s.engine,
            },
            weights_before=self.weights_before,
            weights_after=weights_hash(s.parameters),
            average_after=None if average is None else weights_hash(average),
            data={"class": type(s.dataset).__name__, "records": s.samples},
            observed=Observed(
                empty_batches=self.empty,
                refused_steps=self.refused,
                records=self.records,
                largest_batch=self.largest,
                max_gradient_norm=repr(0.0 if self.norm is None else self.norm.item()),
            ),
            stretches=self._stretches(steps_taken),
        )


def _groups(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """The optimizer's numbers, group by group, as they are spelt in a record: floats by repr."""
    return [
        {
            key: repr(value) if isinstance(value, float) else value if isinstance(value, PLAIN) else str(value)
            for key, value in group.items()
            if key != "params"
        }
        for group in optimizer.param_groups
    ]
