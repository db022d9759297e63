"""[train]: how `plumbline train` uses the noisy gradients. All of it is post-processing: in the run record, in no
digest, and no bound depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool

from accountant.core.exact import canonical
from certify.errors import UsageError
from certify.runfile.data_table import MEANINGS, DataTable
from certify.runfile.values import Number, Table, Whole

HAVE_MOMENTUM = ("sgd", "rmsprop")
HAVE_BETAS = ("adam", "adamw")
TARGET_KEY = {  # of [data], which says what the column of targets holds
    "cross-entropy": "classes",
    "logistic": "positive",
    "squared": "target_limits",
    "huber": "target_limits",
}


def _positive(value: Fraction) -> Fraction:
    if value <= 0:
        raise ValueError(f"{canonical(value)} must be positive")
    return value


def _not_negative(value: Fraction) -> Fraction:
    if value < 0:
        raise ValueError(f"{canonical(value)} must be at least 0")
    return value


def _below_one(value: Fraction) -> Fraction:
    if not 0 <= value < 1:
        raise ValueError(f"{canonical(value)} must lie in [0, 1)")
    return value


def _from_one(value: int) -> int:
    if value < 1:
        raise ValueError(f"{value} must be at least 1")
    return value


Positive = Annotated[Number, AfterValidator(_positive)]
NotNegative = Annotated[Number, AfterValidator(_not_negative)]
BelowOne = Annotated[Number, AfterValidator(_below_one)]
FromOne = Annotated[Whole, AfterValidator(_from_one)]


class TrainTable(Table):
    loss: Literal["cross-entropy", "logistic", "squared", "huber"] = Field(
        "cross-entropy",
        description="of each record: of one score for each class; of one score, labels ±1; half the squared error of a "
        "number; Huber's with threshold 1",
    )
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop", "adagrad"] = Field(
        "sgd", description="what takes the noisy gradients"
    )
    lr: Positive = Field(Fraction(1, 10), description="its learning rate, at the start")
    momentum: BelowOne | None = Field(
        None, description="of sgd and rmsprop; default: momentum.outer, which must be the same where both are given"
    )
    nesterov: StrictBool = Field(False, description="Nesterov's momentum, for sgd")
    beta1: BelowOne | None = Field(None, description="decay of the mean, of adam and adamw; default: 0.9")
    beta2: BelowOne | None = Field(None, description="decay of the squares, of adam and adamw; default: 0.999")
    weight_decay: NotNegative = Field(Fraction(0), description="of the weights, by the optimizer")
    schedule: Literal["constant", "cosine", "linear"] = Field(
        "constant", description="of the learning rate: as it is, or down to 0 at the last step"
    )
    warmup_steps: Annotated[Whole, AfterValidator(lambda steps: steps if steps == 0 else _from_one(steps))] = Field(
        0, description="steps in which the learning rate rises to lr first"
    )
    ema: BelowOne | None = Field(
        None, description="decay of an average of the weights, kept beside them; model.npz then holds the average too"
    )
    micro_batch: FromOne | None = Field(
        None, description="records whose activations are in memory at once; changes neither batches nor their rate"
    )
    autocast: Literal["bfloat16"] | None = Field(
        None, description="forward and backward passes in mixed precision; norms and sums stay in float32"
    )
    dtype: Literal["float32", "float64"] = Field("float32", description="of parameters and features")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="a GPU where there is one, unless given")
    checkpoint_every: FromOne | None = Field(
        None, description="steps between two checkpoints; default: a twentieth of the training"
    )

    def check(self) -> TrainTable:
        """
        Raises:
            UsageError: a key that the optimizer does not have.
        """
        for key, value, optimizers in (
            ("momentum", self.momentum, HAVE_MOMENTUM),
            ("nesterov", self.nesterov, ("sgd",)),
            ("beta1", self.beta1, HAVE_BETAS),
            ("beta2", self.beta2, HAVE_BETAS),
        ):
            if value and self.optimizer not in optimizers:
                raise UsageError(
                    f'train.{key}: goes with optimizer = {_listed(optimizers)}, not "{self.optimizer}"; leave it out'
                )
        return self

    def as_json(self) -> dict[str, Any]:
        """Every key with its value, numbers as canonical strings: what the run record gets."""

        def written(value: Any) -> Any:
            return canonical(value) if isinstance(value, int | Fraction) and not isinstance(value, bool) else value

        return {key: written(value) for key, value in self}


def with_momentum(train: TrainTable, outer: Fraction) -> TrainTable:
    """The table with the momentum that [momentum] says, where it says one.

    Raises:
        UsageError: two of them that differ, or an optimizer that has none.
    """
    if train.momentum is not None and outer and train.momentum != outer:
        raise UsageError(
            f"train.momentum: {canonical(train.momentum)}, but momentum.outer = {canonical(outer)}; that is the same "
            "momentum, leave one of them out"
        )
    if outer and train.optimizer not in HAVE_MOMENTUM:
        raise UsageError(
            f'momentum.outer: goes with train.optimizer = {_listed(HAVE_MOMENTUM)}, not "{train.optimizer}"; leave it '
            "out, which changes no bound"
        )
    momentum = train.momentum if train.momentum is not None else outer
    if train.nesterov and not momentum:
        raise UsageError("train.nesterov: needs a momentum; write train.momentum, or leave it out")
    return train.model_copy(update={"momentum": momentum if train.optimizer in HAVE_MOMENTUM else None})


@dataclass(frozen=True)
class DataLoss:
    """What [data] is asked about the loss: `clipped`, for no bound depends on the length of a record."""

    kind: str = "clipped"


def data_loss(data: DataTable, train: TrainTable) -> DataLoss:
    """Whether the target is what the loss takes.

    Raises:
        UsageError: the key of [data] that is missing.
    """
    key = TARGET_KEY[train.loss]
    if getattr(data, key) is None:
        raise UsageError(f'data.{key}: is missing; train.loss = "{train.loss}" needs {MEANINGS[key]}')
    return DataLoss()


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(f'"{name}"' for name in names)
