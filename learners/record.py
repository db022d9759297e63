"""The run record: what was executed, by what, on which data; a frozen value with one canonical spelling and a digest.

It is for the auditor, not for the observer of the certificate: fingerprints of the data, the largest norms seen, and
the hash of a model that was not released are no output of the mechanism, and no noise protects them.
`RunRecord.public` leaves them out. Ids of erased records stay out altogether: a record that lists who asked to be
forgotten does not forget.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from fractions import Fraction
from importlib import metadata
from typing import Any

import torch
from torch import Tensor

from accountant.core.exact import canonical
from accountant.core.scaling import AutoS, Clip, Psac, Psasc
from accountant.losses import LOSSES as NAMED
from accountant.losses import DerivedLoss, ScaledLoss
from accountant.mechanisms.pnsgd import NoisySGD

NOT_NOISED = (
    "data_before", "data_after", "parameters_before",
    "released_before", "max_gradient_norm", "max_parameter_norm", "max_shift", "largest_coordinate",
)  # fmt: skip
PER_RECORD, WHOLE_BATCH = "per-record", "batch"
SEEDED = "reproducible experiment: the noise is known to whoever knows the seed: not private"
SECRET = (
    "made from the keystream of AES-256 in counter mode under a key of the operating system (os.urandom), not kept: "
    "that it cannot be told from uniform bits is a computational assumption"
)


# That learners execute: all whose constants are derived.
LOSSES: dict[str, type] = {loss.kind: loss for loss in NAMED if issubclass(loss, DerivedLoss)} | {"scaled": ScaledLoss}
_KIND_OF = {loss: kind for kind, loss in LOSSES.items()}
MAPS: dict[str, type] = {scaling.kind: scaling for scaling in (Clip, AutoS, Psac, Psasc)}


def canonical_json(value: object) -> str:
    """Sorted keys, no whitespace, no NaN: equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def sha256(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def parameters_hash(parameters: Tensor) -> str:
    """SHA-256 of the parameters' little-endian float64 bytes."""
    return sha256(parameters.detach().to("cpu", torch.float64).contiguous().numpy().astype("<f8").tobytes())


def now() -> str:
    """UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def mechanism_to_json(mechanism: NoisySGD) -> dict[str, object]:
    """Every field of the mechanism; rationals in their one canonical spelling."""

    def plain(value: object) -> object:
        if isinstance(value, Fraction):
            return canonical(value)
        return list(value) if isinstance(value, tuple) else value

    loss = mechanism.loss
    if type(loss) not in _KIND_OF:
        raise TypeError(f"loss: {type(loss).__name__} is not one that learners execute")
    content = {f.name: plain(getattr(mechanism, f.name)) for f in fields(mechanism) if f.name != "loss"}
    if isinstance(loss, ScaledLoss):
        written: dict[str, object] = {"model": loss.model} | {k: plain(v) for k, v in loss.arguments().items()}
        scaling = {f.name: plain(getattr(loss.scaling, f.name)) for f in fields(loss.scaling)}
        written["scaling"] = {"kind": loss.scaling.kind, **scaling}
    else:
        written = {f.name: plain(getattr(loss, f.name)) for f in fields(loss)}
    return {"kind": "pnsgd", **content, "loss": {"kind": _KIND_OF[type(loss)], **written}}


def mechanism_from_json(content: dict[str, Any]) -> NoisySGD:
    """The mechanism that `mechanism_to_json` wrote down, validated anew."""
    rest: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in content.items() if key not in ("kind", "loss")
    }
    loss = dict(content["loss"])
    made = LOSSES[loss.pop("kind")]
    if "scaling" in loss:
        scaling = dict(loss["scaling"])
        loss["scaling"] = MAPS[scaling.pop("kind")](**scaling)
    return NoisySGD(loss=made(**loss), **rest)


def mechanism_fingerprint(mechanism: NoisySGD) -> str:
    """SHA-256 of the mechanism's canonical JSON. certify's digest of a run file covers more (target)."""
    return sha256(canonical_json(mechanism_to_json(mechanism)))


def versions() -> dict[str, str]:
    """What computed it: torch, python, plumbline-dp (or "source tree" where it is not installed)."""
    try:
        ours = metadata.version("plumbline-dp")
    except metadata.PackageNotFoundError:
        ours = "source tree"
    return {"torch": torch.__version__, "python": platform.python_version(), "plumbline-dp": ours}


@dataclass(frozen=True)
class Phase:
    """One stretch of steps: "learn", "unlearn" or "retrain". Floats are written by repr."""

    kind: str
    epochs: int
    steps: int
    erased: int  # how many records this phase erased; never which
    noise: str
    seed: int | None
    device: str
    device_name: str
    versions: dict[str, str]
    data_before: str
    data_after: str
    parameters_before: str
    parameters_after: str
    max_gradient_norm: str
    max_parameter_norm: str
    max_shift: str  # s of the theory with max_gradient_norm in the place of M; ≤ the record's shift
    started: str
    finished: str
    dtype: str | None = None  # of the parameters and of the noise; None in records from before it was written down
    dimension: int | None = None
    largest_coordinate: str | None = None  # in size, before any projection; a float by repr
    rounding: dict[str, Any] | None = None  # what `Errors.as_json` says, from the start of learning on: public numbers
    released_before: str | None = None  # SHA-256 of the parameters on the grid, which are what is released
    released_after: str | None = None
    clipping: str | None = None  # each data gradient, before the sum, or a batch's mean; None as for dtype

    @property
    def model_before(self) -> str:
        """The hash of the model that this phase began with, as it is or would be released."""
        return self.released_before or self.parameters_before

    @property
    def model_after(self) -> str:
        """The hash of the model that it left."""
        return self.released_after or self.parameters_after


@dataclass(frozen=True)
class RunRecord:
    """The history of one model. Exact numbers (η, σ, shift s) are canonical strings."""

    mechanism_digest: str
    mechanism: dict[str, object]
    step_size: str
    noise_std: str
    shift: str
    batch_size: int
    batches: int
    order: str  # "given" (the records' own order), "public, seed N", "secret"
    dataset: str
    phases: tuple[Phase, ...]
    schema: str = "plumbline-run/1"
    start_norm: str | None = None  # of the public start, a float by repr
    model: dict[str, Any] | None = None  # the module that was run, see `Network.describe`; None: a linear model

    @property
    def reproducible(self) -> bool:
        """Whether some phase's noise can be drawn again: then no privacy claim holds for this model."""
        return any(phase.seed is not None for phase in self.phases)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "phases": [asdict(phase) for phase in self.phases], "reproducible": self.reproducible}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> RunRecord:
        rest = {key: v for key, v in content.items() if key not in ("phases", "reproducible")}
        return cls(**rest, phases=tuple(Phase(**phase) for phase in content["phases"]))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON."""
        return sha256(canonical_json(self.to_json()))

    def public(self) -> dict[str, Any]:
        """The record without what no noise protects; the hash of the last phase's model only, as it is released."""
        content = self.to_json()
        for i, phase in enumerate(content["phases"]):
            hidden: tuple[str, ...] = ("parameters_after", "released_after")
            if i == len(content["phases"]) - 1:
                hidden = hidden[:1] if phase["released_after"] is not None else ()
            for key in (*NOT_NOISED, *hidden):
                del phase[key]
        return content
