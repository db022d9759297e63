"""The tables of a run file about DP-SGD and its relatives, as pydantic models."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from accountant.mechanisms.neighbours import NeighboursName
from accountant.mechanisms.sampling import SamplingName
from certify.runfile.data_table import DataTable
from certify.runfile.meta_table import MetaTable
from certify.runfile.pnsgd_tables import (
    AttestTable,
    AutoSTable,
    ClipTable,
    ExecutionTable,
    PsacTable,
    PsascTable,
    TargetTable,
)
from certify.runfile.train_table import TrainTable
from certify.runfile.values import NEWER, OUTSIDE, Number, Table, Whole

KINDS = {"dp-sgd": "clip", "auto-s": "auto-s", "dp-psac": "psac", "dp-psasc": "psasc"}  # mechanism -> its scaling map
KIND_OF = {scaling: kind for kind, scaling in KINDS.items()}


def _public(value: Any) -> Any:
    if isinstance(value, str) and value[:1].isalpha():
        raise ValueError(
            f"{value!r} would be computed from the data, and dividing by it breaks the guarantee; write a public "
            "number, such as the expected batch size"
        )
    return value


class TrainingMechanismTable(Table):
    kind: Literal["dp-sgd", "auto-s", "dp-psac", "dp-psasc"] = Field(
        description="which map scales the per-sample gradients: clipping, AUTO-S, DP-PSAC or DP-PSASC"
    )
    noise_multiplier: Number = Field(
        description="z: each step adds N(0, (zΔ)² I) to the sum of scaled gradients, Δ their largest norm; from "
        "0.01 to 10⁹ where batches are sampled, in at most 32 different ways"
    )
    sample_rate: Number | None = Field(None, description="q, probability that a record is in the batch; or batch_size")
    batch_size: Whole | None = Field(None, description="(expected) batch size; with samples it gives q = b/n")
    steps: Whole | None = Field(None, description="number of steps; or epochs")
    epochs: Whole | None = Field(
        None, description="epochs of ⌈1/q⌉ steps; of ⌊1/q⌋ with disjoint batches, whose remainder is dropped"
    )
    samples: Whole | None = Field(
        None, description='n, number of records; needed by batch_size, max_batch_size, "without-replacement", δ = "1/n"'
    )
    sampling: SamplingName = Field(
        "poisson",
        description='how batches are drawn: "poisson", "without-replacement" (anew each step), "full"; disjoint '
        'batches ("shuffled" every epoch, or "fixed") have no amplification',
    )
    max_batch_size: Whole | None = Field(None, description="a larger Poisson batch is cut to so many records")
    normaliser: Annotated[Number, BeforeValidator(_public)] | None = Field(
        None,
        description="public constant that the noisy sum is divided by; never computed from secret data; default: the "
        "(mean) batch size",
    )


_G = Field(None, description="G, a known bound on every per-sample gradient's norm; makes Δ = G·w(G) smaller")


class TrainingClipTable(ClipTable):
    gradient_norm_bound: Number | None = _G


class TrainingAutoSTable(AutoSTable):
    gradient_norm_bound: Number | None = _G


class TrainingPsacTable(PsacTable):
    gradient_norm_bound: Number | None = _G


class TrainingPsascTable(PsascTable):
    gradient_norm_bound: Number | None = _G


class MomentumTable(Table):
    outer: Number = Field(
        Fraction(0), description="momentum of the optimiser, on the noisy gradients: post-processing, free"
    )
    inner_beta: Number = Field(
        Fraction(0), description="β of an average of each record's own gradients, before the scaling"
    )
    inner_window: Whole = Field(1, description="over how many of the last released iterates; 1 = none")
    inner_history: Literal["own", "batch"] = Field(
        "own", description='what is averaged: the record\'s "own" gradients; of the "batch" no bound is known: refused'
    )


class StageTable(Table):
    noise_multiplier: Number | None = Field(None, description="as in [mechanism], from which a missing key is taken")
    sample_rate: Number | None = Field(None, description="as in [mechanism]")
    batch_size: Whole | None = Field(None, description="as in [mechanism]")
    steps: Whole | None = Field(None, description="as in [mechanism]")
    epochs: Whole | None = Field(None, description="as in [mechanism]")


class ReleaseTable(Table):
    mu: Number = Field(description="μ of another release about the same records and neighbours, in the same budget")
    text: str | None = Field(None, description="what it is", max_length=1000)


class TrainingThreatTable(Table):
    neighbours: NeighboursName | None = Field(
        None,
        description='what "neighbouring" means; default: "add-or-remove-one", but "replace-one" with disjoint batches '
        "or without replacement",
    )
    group_size: Whole = Field(
        1, description="k, how many records may differ: replaced, or added and removed in all", json_schema_extra=NEWER
    )
    group_sampling: Literal["independent", "together"] = Field(
        "independent",
        description='how a group is drawn: each record for itself ("independent"), or one draw for all ("together")',
        json_schema_extra=NEWER,
    )


ScalingTable = Annotated[
    TrainingClipTable | TrainingAutoSTable | TrainingPsacTable | TrainingPsascTable, Field(discriminator="kind")
]


class TrainingTable(Table):
    """A whole run file of this kind."""

    mechanism: TrainingMechanismTable
    scaling: ScalingTable
    momentum: MomentumTable = MomentumTable()
    stages: list[StageTable] = Field([], max_length=1000)
    releases: list[ReleaseTable] = Field([], max_length=1000)
    target: TargetTable
    threat: TrainingThreatTable = TrainingThreatTable()
    execution: ExecutionTable = Field(ExecutionTable(), json_schema_extra=NEWER)
    attest: AttestTable | None = None
    train: TrainTable = Field(TrainTable(), json_schema_extra=OUTSIDE)
    data: DataTable | None = Field(None, json_schema_extra=OUTSIDE)
    meta: MetaTable = Field(MetaTable(), json_schema_extra=OUTSIDE)


TRAINING_TABLES: dict[str, tuple[type[Table], ...]] = {
    "mechanism": (TrainingMechanismTable,),
    "scaling": (TrainingClipTable, TrainingAutoSTable, TrainingPsacTable, TrainingPsascTable),
    "momentum": (MomentumTable,),
    "stages": (StageTable,),
    "releases": (ReleaseTable,),
    "target": (TargetTable,),
    "threat": (TrainingThreatTable,),
    "execution": (ExecutionTable,),
    "attest": (AttestTable,),
    "train": (TrainTable,),
    "data": (DataTable,),
    "meta": (MetaTable,),
}
