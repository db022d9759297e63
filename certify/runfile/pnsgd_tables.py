"""The tables of a run file, as pydantic models: every key with its type, default and meaning."""

from __future__ import annotations

from dataclasses import MISSING, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, Union, get_type_hints

from pydantic import BeforeValidator, Field, StrictBool, create_model, model_validator
from pydantic_core import PydanticCustomError

from accountant import losses
from accountant.core.scaling import AutoS, Clip, Psac, Psasc
from accountant.losses import NamedLoss
from accountant.mechanisms.neighbours import FixedSizeNeighbours
from certify.runfile.data_table import DataTable
from certify.runfile.meta_table import MetaTable
from certify.runfile.questions import ATTESTABLE
from certify.runfile.values import (
    NEWER,
    OUTSIDE,
    Day,
    Digest,
    Number,
    Said,
    Table,
    Whole,
    Wholes,
    read_number,
)


def _step_size(value: Any) -> Fraction | str:
    return value if value in ("1/L", "2/(L+m)") else read_number(value)


class MechanismTable(Table):
    kind: Literal["pnsgd"] = Field(description="the mechanism; this version certifies projected noisy SGD")
    samples: Whole = Field(description="n, number of records")
    batch_size: Whole = Field(
        description="b, records of a mini-batch; every epoch visits l = n/b fixed batches in order"
    )
    epochs: Whole = Field(description="T, epochs of learning; 0 = none")
    unlearning_epochs: Wholes = Field(
        [0], description="K, one number or one for each request; 0 = a claim about learning itself"
    )
    noise_std: Number = Field(description="σ: each step adds N(0, 2ησ² I)")
    step_size: Annotated[Fraction | str, BeforeValidator(_step_size)] = Field(
        "1/L", description='η: a number, "1/L" or "2/(L+m)"; without a radius at most 2/L, or 1/m if not convex'
    )
    radius: Number | None = Field(None, description="R of the ball that every step projects on; absent = no projection")
    initial_distance: Number = Field(Fraction(0), description="W∞ distance of the two starts")
    batch_order: Literal["fixed", "secret"] = Field(
        "fixed", description='"fixed": the worst batch counts; "secret": drawn uniformly, never shown, the mean counts'
    )
    remainder: Literal["error", "drop"] = Field("error", description="what to do where b does not divide n")


def loss_table(loss: type[NamedLoss]) -> type[Table]:
    """The [loss] table of one kind, drawn from the loss's own record: its fields with their defaults, and what they
    mean."""
    hints, defaults = get_type_hints(loss), {field.name: field.default for field in fields(loss)}
    columns: dict[str, Any] = {"kind": (Literal[loss.kind], Field(description=loss.words))}
    for name, key in loss.run_keys.items():
        default = ... if defaults[name] is MISSING else defaults[name]
        extra = NEWER if key.newer else None
        columns[name] = (
            KEY_TYPES.get(hints[name], hints[name]),
            Field(default, description=key.meaning, json_schema_extra=extra),
        )
    return create_model(f"{loss.__name__.removesuffix('Loss')}Table", __base__=Table, **columns)


KEY_TYPES: dict[Any, Any] = {Fraction: Number, Fraction | None: Number | None, int: Whole, bool: StrictBool}
LOSSES = {loss.kind: (loss_table(loss), loss) for loss in losses.LOSSES}
if TYPE_CHECKING:
    LossTable = Any
else:
    LossTable = Annotated[Union[tuple(table for table, _ in LOSSES.values())], Field(discriminator="kind")]  # noqa: UP007


_C = Field(description="C: the norm that clipping allows; for the other maps the constant in their weight")


class ClipTable(Table):
    kind: Literal["clip"] = Field(description="w(x) = min(1, C/x)")
    max_grad_norm: Number = _C


class AutoSTable(Table):
    kind: Literal["auto-s"] = Field(description="w(x) = C/(x + r)")
    max_grad_norm: Number = _C
    r: Number = Field(description="r > 0")


class PsacTable(Table):
    kind: Literal["psac"] = Field(description="w(x) = C/(x + r/(x + r))")
    max_grad_norm: Number = _C
    r: Number = Field(description="r > 0; the weight is non-monotone where r < 1")


class PsascTable(Table):
    kind: Literal["psasc"] = Field(description="w(x) = C/(s·x + r/(x + r))")
    max_grad_norm: Number = _C
    r: Number = Field(description="r > 0")
    s: Number = Field(description="s > 0; the weight is non-monotone where r·s < 1")


class RequestsTable(Table):
    sizes: Wholes = Field([1], description="how many records each request asks to unlearn, in order")
    chosen: Literal["independently", "adaptively"] = Field(
        "independently",
        description='"independently": which records are asked for, and when, does not depend on any released model; '
        '"adaptively": it may, with threat.release = "all", and each record counts until the last request',
        json_schema_extra=NEWER,
    )
    max_records: Whole | None = Field(
        None,
        description="the most records that all requests together may name; absent = no limit",
        json_schema_extra=NEWER,
    )
    max_epochs: Whole | None = Field(
        None, description="the most epochs of unlearning for one request; absent = epochs", json_schema_extra=NEWER
    )


class TargetTable(Table):
    epsilon: Number = Field(description="ε to be met")
    delta: Annotated[Fraction | str, BeforeValidator(lambda v: v if v == "1/n" else read_number(v))] = Field(
        description='δ: a number in (0, 1), or "1/n"'
    )


class ThreatTable(Table):
    neighbours: FixedSizeNeighbours = Field(
        "replace-one", description='what "neighbouring" means; "remove-one" zeroes the record\'s data gradient'
    )
    reference: Literal["retrain", "retrain-T", "stationary"] = Field(
        "retrain", description="compared with retraining for T + K epochs, for T epochs, or with the stationary law"
    )
    release: Literal["final", "all"] | None = Field(
        None,
        description='what the observer sees: "final", the last model alone, or "all", the one after learning and every '
        "request; required where anything is unlearned or requested twice",
    )


class ExecutionTable(Table):
    dtype: Literal["float64", "float32"] | None = Field(
        None, description="type of the numbers that the run is executed in", json_schema_extra=NEWER
    )
    dimension: Whole | None = Field(None, description="d, number of parameters", json_schema_extra=NEWER)
    largest_coordinate: Number | None = Field(
        None, description="X: no parameter is ever larger in size", json_schema_extra=NEWER
    )


class AnswerTable(Table):
    text: Said = Field(description="the answer", max_length=10_000)
    by: Said = Field(description="who answers for it", max_length=200)
    date: Day = Field(description="when, as YYYY-MM-DD")
    evidence: Digest | None = Field(None, description="SHA-256 of the evidence")


AnswersTable = create_model(
    "AnswersTable",
    __base__=Table,
    **{question.id: (AnswerTable | None, Field(None, description=question.text)) for question in ATTESTABLE},
)


class AttestTable(Table):
    text: str | None = Field(
        None, description="what is attested, and by whom; required where there are no answers", max_length=10_000
    )
    date: Day | None = Field(None, description="when, as YYYY-MM-DD; goes with text")
    evidence: Digest | None = Field(None, description="SHA-256 of the evidence for text")
    answers: AnswersTable = Field(AnswersTable(), description="who answers which question, a table for each")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if any(value is not None for value in (self.text, self.date, self.evidence)) or not self.given:
            for key in ("text", "date"):
                if getattr(self, key) is None:
                    raise PydanticCustomError("missing", "is missing", {"key": key})
        return self

    @property
    def given(self) -> dict[str, AnswerTable]:
        """The answers that there are, by question."""
        return {name: answer for name, answer in self.answers if answer is not None}


class RunTable(Table):
    mechanism: MechanismTable
    loss: LossTable
    scaling: Annotated[ClipTable | AutoSTable | PsacTable | PsascTable, Field(discriminator="kind")] | None = None
    requests: RequestsTable = RequestsTable()
    target: TargetTable
    threat: ThreatTable = ThreatTable()
    execution: ExecutionTable = Field(ExecutionTable(), json_schema_extra=NEWER)
    data: DataTable | None = Field(None, json_schema_extra=NEWER)
    attest: AttestTable | None = None
    meta: MetaTable = Field(MetaTable(), json_schema_extra=OUTSIDE)


# The losses whose constants depend on the mechanism's radius.
IN_A_BALL = tuple(loss for loss in losses.LOSSES if "radius" in (field.name for field in fields(loss)))
MAPS = {
    "clip": (ClipTable, Clip),
    "auto-s": (AutoSTable, AutoS),
    "psac": (PsacTable, Psac),
    "psasc": (PsascTable, Psasc),
}

TABLES: dict[str, tuple[type[Table], ...]] = {
    "mechanism": (MechanismTable,),
    "loss": tuple(table for table, _ in LOSSES.values()),
    "scaling": tuple(table for table, _ in MAPS.values()),
    "requests": (RequestsTable,),
    "target": (TargetTable,),
    "threat": (ThreatTable,),
    "execution": (ExecutionTable,),
    "data": (DataTable,),
    "attest": (AttestTable,),
    "meta": (MetaTable,),
}
