"""The tables of a run file, as pydantic models: every key with its type, default and meaning."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    create_model,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from accountant import (
    ClippedLoss,
    ConstantLoss,
    HuberLoss,
    LeastSquaresLoss,
    LogisticLoss,
    PoissonLoss,
    SmoothedHingeLoss,
    SoftmaxLoss,
)
from accountant.core.exact import MAX_CHARACTERS, canonical, exact
from accountant.core.scaling import AutoS, Clip, Psac, Psasc
from accountant.mechanisms.neighbours import FixedSizeNeighbours
from certify.runfile.questions import ATTESTABLE


def _number(value: Any) -> Fraction:
    try:
        number = exact(value, "value")
    except (TypeError, ValueError) as problem:
        raise ValueError(str(problem).removeprefix("value: ")) from None
    if abs(number) >= 10**MAX_CHARACTERS or len(canonical(number)) > MAX_CHARACTERS:
        raise ValueError(f"the number has more than {MAX_CHARACTERS} digits when written out; write a shorter one")
    return number


def _whole(value: Any) -> int:
    number = _number(value)
    if number.denominator != 1:
        raise ValueError(f"{canonical(number)} must be a whole number")
    return int(number)


def _one_or_more(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _step_size(value: Any) -> Fraction | str:
    return value if value in ("1/L", "2/(L+m)") else _number(value)


def _day(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"there is no day {value}; write one as YYYY-MM-DD") from None
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("is blank; write it out, or leave the table out")
    return value


Number = Annotated[Fraction, BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_whole)]
Wholes = Annotated[list[Whole], BeforeValidator(_one_or_more)]

# Field(default, json_schema_extra=…) of a key, or of a whole table, that came after the first release (0.1):
# It enters the canonical run only there: digests stay.
NEWER: JsonDict = {"canonical": "where it differs from its default"}
OUTSIDE: JsonDict = {"canonical": "never"}  # never enters it: a subject of its own in the certificate


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


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


_M = Field(description="m of the regulariser (m/2)|θ|²")
_X = Field(Fraction(1), description="largest norm of a record's features")
_CLIP = Field(None, description="norm to which each record's data gradient is clipped; absent = none")


class LogisticTable(Table):
    kind: Literal["logistic"] = Field(description="binary logistic regression; the constants are derived")
    regularization: Number = _M
    feature_norm: Number = _X
    clip: Number | None = _CLIP


class LeastSquaresTable(Table):
    kind: Literal["least-squares"] = Field(
        description="least squares (⟨x,θ⟩ − y)²/2; the constants are derived; needs a clip, [scaling] or "
        "mechanism.radius"
    )
    regularization: Number = _M
    feature_norm: Number = _X
    target_bound: Number = Field(description="largest size of a record's target y")
    clip: Number | None = _CLIP


class HuberTable(Table):
    kind: Literal["huber"] = Field(
        description="Huber regression: least squares with linear tails; the constants are derived"
    )
    regularization: Number = _M
    feature_norm: Number = _X
    threshold: Number = Field(description="residual beyond which the loss is linear")
    clip: Number | None = _CLIP


class SmoothedHingeTable(Table):
    kind: Literal["smoothed-hinge"] = Field(
        description="binary classification with a hinge whose corner is a parabola; the constants are derived"
    )
    regularization: Number = _M
    feature_norm: Number = _X
    smoothing: Number = Field(description="margin below 1 over which the hinge is quadratic")
    clip: Number | None = _CLIP


class PoissonTable(Table):
    kind: Literal["poisson"] = Field(
        description="Poisson regression exp⟨x,θ⟩ − y⟨x,θ⟩; the constants are derived; needs a clip, [scaling] or "
        "mechanism.radius"
    )
    regularization: Number = _M
    feature_norm: Number = _X
    target_bound: Number = Field(description="largest count y of a record")
    clip: Number | None = _CLIP


class SoftmaxTable(Table):
    kind: Literal["softmax"] = Field(description="multi-class logistic regression; the constants are derived")
    regularization: Number = _M
    feature_norm: Number = _X
    classes: Whole = Field(description="number of classes")
    clip: Number | None = Field(
        None, description="as for logistic; below √2·feature_norm it may break convexity, and the loss counts as such"
    )


class ConstantsTable(Table):
    kind: Literal["constants"] = Field(description="a loss known by its constants, which somebody attests")
    smoothness: Number = Field(description="L of the regularised loss")
    strong_convexity: Number = Field(description="m, of the regulariser (m/2)|θ|²")
    gradient_bound: Number = Field(description="M, bound on the norm of one record's data gradient")
    convex: StrictBool = Field(True, description="whether every record's data loss is convex")


class ClippedTable(Table):
    kind: Literal["clipped"] = Field(
        description="any loss, e.g. of a neural network, whose gradients are clipped; neither convexity nor smoothness "
        "is used; step_size must be a number"
    )
    regularization: Number = _M
    clip: Number = Field(description="norm to which each record's data gradient is clipped, or each batch's mean")
    clipping: Literal["per-record", "batch"] = Field(
        "per-record",
        description='"per-record": each record\'s gradient is clipped by itself, before the sum; "batch": the batch\'s '
        "mean gradient is clipped as a whole, so that one record may turn it round: a far weaker guarantee",
        json_schema_extra=NEWER,
    )


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


class TargetTable(Table):
    epsilon: Number = Field(description="ε to be met")
    delta: Annotated[Fraction | str, BeforeValidator(lambda v: v if v == "1/n" else _number(v))] = Field(
        "1/n", description='δ: a number in (0, 1), or "1/n"'
    )


class ThreatTable(Table):
    neighbours: FixedSizeNeighbours = Field(
        "replace-one", description='what "neighbouring" means; "remove-one" zeroes the record\'s data gradient'
    )
    reference: Literal["retrain", "retrain-T", "stationary"] = Field(
        "retrain", description="compared with retraining for T + K epochs, for T epochs, or with the stationary law"
    )
    release: Literal["final", "all"] = Field(
        "final", description="what the observer sees: the last model, or the one after learning and every request"
    )


class ExecutionTable(Table):
    dtype: Literal["float64", "float32"] | None = Field(
        None, description="type of the numbers that the run is executed in", json_schema_extra=NEWER
    )
    dimension: Whole | None = Field(None, description="d, number of parameters", json_schema_extra=NEWER)
    largest_coordinate: Number | None = Field(
        None, description="X: no parameter is ever larger in size", json_schema_extra=NEWER
    )


Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_day)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Said = Annotated[str, AfterValidator(_not_blank)]


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
    loss: Annotated[
        LogisticTable
        | LeastSquaresTable
        | HuberTable
        | SmoothedHingeTable
        | PoissonTable
        | SoftmaxTable
        | ConstantsTable
        | ClippedTable,
        Field(discriminator="kind"),
    ]
    scaling: Annotated[ClipTable | AutoSTable | PsacTable | PsascTable, Field(discriminator="kind")] | None = None
    requests: RequestsTable = RequestsTable()
    target: TargetTable
    threat: ThreatTable = ThreatTable()
    execution: ExecutionTable = Field(ExecutionTable(), json_schema_extra=NEWER)
    attest: AttestTable | None = None


LOSSES = {
    "logistic": (LogisticTable, LogisticLoss),
    "least-squares": (LeastSquaresTable, LeastSquaresLoss),
    "huber": (HuberTable, HuberLoss),
    "smoothed-hinge": (SmoothedHingeTable, SmoothedHingeLoss),
    "poisson": (PoissonTable, PoissonLoss),
    "softmax": (SoftmaxTable, SoftmaxLoss),
    "constants": (ConstantsTable, ConstantLoss),
    "clipped": (ClippedTable, ClippedLoss),
}
IN_A_BALL = (LeastSquaresLoss, PoissonLoss)  # the losses whose constants depend on the mechanism's radius
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
    "attest": (AttestTable,),
}
