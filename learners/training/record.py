"""The record of a training: what was certified to be run, what was executed, by what; a frozen value with a digest.

It is for the auditor, not for whoever sees the certificate: batch sizes, norms and the hash of the model before it was
trained are no output of the mechanism, and no noise protects them. `TrainingRecord.public` leaves them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import Any

from torch import Tensor

from accountant import Momentum, ScaledSGD, Stage
from accountant.core.exact import canonical
from learners.record import MAPS, canonical_json, parameters_hash, sha256

SCHEMA = "plumbline-training-run/1"
NOT_NOISED = ("data", "observed")


def training_to_json(mechanism: ScaledSGD) -> dict[str, Any]:
    """Every field of the mechanism; rationals in their one canonical spelling."""

    def plain(value: object) -> object:
        if isinstance(value, Fraction):
            return canonical(value)
        if isinstance(value, tuple):
            return [plain(part) for part in value]
        if isinstance(value, Stage | Momentum):
            return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        return value

    content = {f.name: plain(getattr(mechanism, f.name)) for f in fields(mechanism) if f.name != "scaling"}
    scaling = {f.name: plain(getattr(mechanism.scaling, f.name)) for f in fields(mechanism.scaling)}
    return {"kind": "dpsgd", **content, "scaling": {"kind": mechanism.scaling.kind, **scaling}}


def training_from_json(content: Mapping[str, Any]) -> ScaledSGD:
    """The mechanism that `training_to_json` wrote down, validated anew."""
    rest = {key: value for key, value in content.items() if key != "kind"}
    scaling = dict(rest.pop("scaling"))
    stages = tuple(Stage(**stage) for stage in rest.pop("stages"))
    momentum, others = Momentum(**rest.pop("momentum")), tuple(rest.pop("others"))
    return ScaledSGD(MAPS[scaling.pop("kind")](**scaling), stages, momentum=momentum, others=others, **rest)


def training_fingerprint(mechanism: ScaledSGD) -> str:
    """SHA-256 of the mechanism's canonical JSON."""
    return sha256(canonical_json(training_to_json(mechanism)))


def weights_hash(parameters: Mapping[str, Tensor]) -> str:
    """SHA-256 over the names in order, each with the hash of its float64 bytes."""
    return sha256(canonical_json({name: parameters_hash(p.flatten()) for name, p in parameters.items()}))


@dataclass(frozen=True)
class Observed:
    """What happened and no noise protects. max_gradient_norm: before scaling, a float by repr."""

    empty_batches: int = 0
    refused_steps: int = 0
    records: int = 0  # in all batches together
    largest_batch: int = 0
    max_gradient_norm: str = "0.0"


@dataclass(frozen=True)
class Stretch:
    """What one process, or one resumption, did: steps `first` to `last` − 1."""

    first: int
    last: int
    noise: str
    seed: int | None
    device: str
    device_name: str
    processes: int
    versions: dict[str, str]
    started: str
    finished: str


@dataclass(frozen=True)
class TrainingRecord:
    """The history of one model, from its public start on.

    steps_planned: the mechanism's. steps_allowed: how many of them are within target_epsilon, from public numbers
    alone. steps_taken: noisy sums released, refused steps included. refused_steps > 0 means that some step was left
    out because of the data, which no noise hides: models after it are not covered.
    """

    mechanism: dict[str, Any]
    mechanism_digest: str
    delta: str
    target_epsilon: str | None
    steps_planned: int
    steps_allowed: int
    steps_taken: int
    steps_refused: int
    normaliser: str
    sampling: dict[str, Any]
    precision: dict[str, Any]  # of `Precision`; routes of the engine, and whether the bounds hold for all of them
    model: dict[str, Any]
    training: dict[str, Any]  # optimizer, schedule, average, autocast, micro-batches, engine: post-processing, and how
    weights_before: str
    weights_after: str
    average_after: str | None
    data: dict[str, Any]
    observed: Observed
    stretches: tuple[Stretch, ...]
    schema: str = SCHEMA

    @property
    def reproducible(self) -> bool:
        """Whether some stretch's noise can be drawn again: then no privacy claim holds for this model."""
        return any(stretch.seed is not None for stretch in self.stretches)

    @property
    def complete(self) -> bool:
        return self.steps_taken == self.steps_planned

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "stretches": [asdict(s) for s in self.stretches], "reproducible": self.reproducible}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TrainingRecord:
        """
        Raises:
            ValueError: of another schema. TypeError, KeyError: not what `to_json` wrote.
        """
        if content.get("schema") != SCHEMA:
            raise ValueError(f"schema: {content.get('schema')!r}; this reads {SCHEMA}")
        rest = {key: value for key, value in content.items() if key != "reproducible"}
        rest["observed"] = Observed(**rest["observed"])
        rest["stretches"] = tuple(Stretch(**stretch) for stretch in rest["stretches"])
        return cls(**rest)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON."""
        return sha256(canonical_json(self.to_json()))

    def public(self) -> dict[str, Any]:
        """The record without what no noise protects."""
        return {key: value for key, value in self.to_json().items() if key not in NOT_NOISED}
