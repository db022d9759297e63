"""Run files: TOML to a checked `Run`, its canonical form and its digest. The edge where numbers come in."""

from __future__ import annotations

import codecs
import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from accountant import InvalidLoss, InvalidMechanism, NoisySGD, ScaledSGD
from accountant.core.exact import canonical
from accountant.core.scaling import InvalidScaling
from accountant.losses import SCALED_MODELS, Loss, ScaledLoss
from accountant.mechanisms.pnsgd import Release
from accountant.pnsgd.rounding import FloatingPoint
from certify.errors import UsageError
from certify.runfile.data_table import DataColumns, make_columns
from certify.runfile.dpsgd import make_training
from certify.runfile.dpsgd_tables import KINDS, TRAINING_TABLES, TrainingTable
from certify.runfile.given import as_written
from certify.runfile.pnsgd_tables import (
    IN_A_BALL,
    LOSSES,
    MAPS,
    NEWER,
    OUTSIDE,
    TABLES,
    AttestTable,
    ExecutionTable,
    RequestsTable,
    RunTable,
    Table,
    TargetTable,
)
from certify.runfile.problems import UNKNOWN, describe_problem, first_problem, reason, refuse_long_numbers
from certify.runfile.questions import BY_ID
from certify.runfile.train_table import TrainTable, data_loss, with_momentum

MAX_BYTES = 1 << 20

M = TypeVar("M", NoisySGD, ScaledSGD, covariant=True)


@dataclass(frozen=True)
class Run(Generic[M]):
    """A checked run file: the mechanism, the target, and the canonical form whose digest names the run.

    execution: the numbers that it is executed in; None if the file does not say. columns: those of the user's own file;
    None where there is no [data]. meta: the texts of [meta], which no digest covers. train: [train] of a training run,
    with every default; outside: its [train] and [data] as tables, which no digest covers either.
    """

    mechanism: M
    target_epsilon: Fraction
    target_delta: Fraction
    canonical: Mapping[str, Any]
    execution: FloatingPoint | None = None
    columns: DataColumns | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    train: TrainTable | None = None
    outside: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical form."""
        return hashlib.sha256(canonical_json(self.canonical)).hexdigest()

    def with_values(self, **values: Any) -> Run:
        """The same run with other values in its mechanism table. Raises UsageError as `read_run` does."""
        return self._with(mechanism=values)

    def with_requests(self, sizes: Sequence[int], unlearning_epochs: Sequence[int]) -> Run:
        """The same run with these requests, one number of epochs for each."""
        return self._with(mechanism={"unlearning_epochs": list(unlearning_epochs)}, requests={"sizes": list(sizes)})

    def with_target(self, epsilon: Fraction) -> Run:
        """The same run with another target ε."""
        return self._with(target={"epsilon": epsilon})

    def _with(self, **changes: Mapping[str, Any]) -> Run:
        tables = {name: value for name, value in self.canonical.items() if value is not None}
        changed = {name: tables[name] | values for name, values in changes.items()}
        return read_run(tables | {"meta": dict(self.meta)} | dict(self.outside) | changed)


def canonical_json(value: Any) -> bytes:
    """Sorted keys, no whitespace, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_run(source: str | Path | Mapping[str, Any]) -> Run:
    """Read a run file (a path to TOML, or a mapping of its tables, whose floats are read as `as_written` says).

    Raises:
        UsageError: unreadable, malformed, an unknown key, or a value out of range; one line with key, value and fix.
    """
    tables = as_written(source) if isinstance(source, Mapping) else load_tables(Path(source))
    if isinstance(source, Mapping):
        refuse_long_numbers(tables)
    _check_kind(tables)
    about_training = is_training(tables)
    if not about_training and tables.get("momentum") is not None:
        raise UsageError(
            "momentum: a pnsgd run has none, for a step of position and velocity together is not a contraction and "
            "nothing bounds its hidden iterates; leave the table out, or take mechanism.kind = "
            f"{' or '.join(map(repr, KINDS))}, which charges every step"
        )
    table: TrainingTable | RunTable
    try:
        table = (TrainingTable if about_training else RunTable).model_validate(_without_nulls(tables))
    except ValidationError as invalid:
        raise UsageError(_first_problem(invalid, tables)) from None
    run = _training_run(table) if isinstance(table, TrainingTable) else _run(table)
    return replace(run, meta=table.meta.given)


def _check_kind(tables: Mapping[str, Any]) -> None:
    """The kind first: which other keys there are depends on it."""
    mechanism = tables.get("mechanism")
    if not isinstance(mechanism, Mapping):
        return
    kind, kinds = mechanism.get("kind"), ("pnsgd", *KINDS)
    if kind is None and (close := difflib.get_close_matches("kind", [str(k) for k in mechanism if k != "kind"], n=1)):
        raise UsageError(f"mechanism.{close[0]}: unknown key; did you mean kind?")
    if not isinstance(kind, str) or kind not in kinds:
        problem = "is missing" if kind is None else f"got {kind!r:.80}"
        close = difflib.get_close_matches(kind.lower(), kinds, n=1) if isinstance(kind, str) else []
        meant = f"did you mean {close[0]!r}? Write" if close else "write"
        raise UsageError(f"mechanism.kind: {problem}; {meant} one of {', '.join(map(repr, kinds))}")


def is_training(tables: Mapping[str, Any]) -> bool:
    """Whether the tables are about DP-SGD or a relative of it."""
    mechanism = tables.get("mechanism")
    kind = mechanism.get("kind") if isinstance(mechanism, Mapping) else None
    return isinstance(kind, str) and kind in KINDS


def load_tables(path: Path, kind_of_file: str = "run file") -> dict[str, Any]:
    """The tables of a TOML file, decimals kept exact. Raises UsageError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as problem:
        raise UsageError(f"{path}: {getattr(problem, 'strerror', None) or problem}") from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path}: a {kind_of_file} of more than {MAX_BYTES} bytes is not read")
    if data.startswith(codecs.BOM_UTF8):
        raise UsageError(f"{path}: is not valid TOML: begins with a byte-order mark; save it as UTF-8 without one")
    try:
        tables = tomllib.loads(data.decode("utf-8"), parse_float=Decimal)
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8 text") from None
    except (RecursionError, ValueError) as problem:
        raise UsageError(f"{path}: is not valid TOML: {reason(problem)}") from None
    refuse_long_numbers(tables)
    return tables


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def _first_problem(invalid: ValidationError, tables: Mapping[str, Any]) -> str:
    """One line: the key, the value, the fix."""
    problem = first_problem(invalid)
    where = _where(problem["loc"])
    key, kind = ".".join(where), problem["type"]
    if kind == UNKNOWN:
        if where[:-1] == ["attest", "answers"] and where[-1] in BY_ID:
            return f"{key}: is computed from the certificate, not attested; leave it out"
        if key in ("threat.group_size", "threat.group_sampling") and not is_training(tables):
            return f"{key}: is a key of training runs; a pnsgd run says how many records differ in requests.sizes"
        if where == ["loss", "clipping"]:
            return (
                'loss.clipping: goes with kind = "clipped"; every other kind clips each record\'s gradient by itself, '
                "for a batch's clipped as a whole is not that of a convex loss; leave it out"
            )
        known = _known_keys(where, tables)
        close = difflib.get_close_matches(where[-1], known, n=1, cutoff=0.5)
        return f"{key}: unknown key" + (f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}")
    if kind == "union_tag_not_found":
        tags = MAPS if key == "scaling" else LOSSES
        return f"{key}.kind: is missing; write one of {', '.join(map(repr, tags))}"
    if kind == "union_tag_invalid":
        return f"{key}.kind: got {problem['ctx']['tag']!r}; write one of {problem['ctx']['expected_tags']}"
    if kind == "missing" and key == "target.delta":
        return f'{key}: is missing; write [target] delta = "1e-5", or another number well below 1/n'
    if kind == "missing" and key == "mechanism.noise_std":
        return f"{key}: is missing; `plumbline calibrate` on this run file finds the least one that meets the target"
    return describe_problem(problem, key)


def _where(location: Sequence[str | int]) -> list[str]:
    """Table and key, as a user knows them: without the branch of a table that its kind chose."""
    parts = list(location)
    if len(parts) > 1 and parts[0] in ("loss", "scaling") and parts[1] in (*LOSSES, *MAPS):
        del parts[1]
    path: list[str] = []
    for part in parts:
        if isinstance(part, int) and path:
            path[-1] += f"[{part + 1}]"  # counted from 1
        else:
            path.append(str(part))
    return path


def _known_keys(where: list[str], tables: Mapping[str, Any]) -> list[str]:
    known = TRAINING_TABLES if is_training(tables) else TABLES
    if len(where) == 1:
        return list(known)
    name = where[0].partition("[")[0]
    choices: tuple[type[BaseModel], ...] = known.get(name, ())
    if len(choices) > 1 and isinstance(tables.get(name), Mapping):
        kind = tables[name].get("kind")
        choices = tuple(t for t in choices if kind in get_args(t.model_fields["kind"].annotation)) or choices[:1]
    for key in where[1:-1]:
        choices = tuple(_table_in(table.model_fields[key].annotation) for table in choices)
    return sorted({key for table in choices for key in table.model_fields})


def _table_in(annotation: Any) -> type[BaseModel]:
    """The table that a key holds, which may be absent."""
    kinds = (annotation, *get_args(annotation))
    return next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))


def _release(table: RunTable) -> Release:
    """What the observer sees. Only where the learned model is all that there is, it may be left out."""
    if table.threat.release is not None:
        return table.threat.release
    if any(table.mechanism.unlearning_epochs) or len(table.requests.sizes) > 1:
        raise UsageError(
            'threat.release: is missing; write [threat] release = "final" where only the model after the last request '
            'is ever seen, or release = "all" where the learned one and each later one are'
        )
    return "final"


def _run(table: RunTable) -> Run:
    try:
        mechanism = NoisySGD(
            loss=_loss(table),
            requests=tuple(table.requests.sizes),
            chosen=table.requests.chosen,
            **_values(table.mechanism),
            **_values(table.threat) | {"release": _release(table)},
        )
    except InvalidMechanism as problem:
        raise UsageError(key_and_problem(problem)) from None
    except InvalidScaling as problem:
        raise UsageError(f"scaling.{problem}") from None
    except InvalidLoss as problem:
        raise UsageError(f"{'mechanism' if problem.key == 'radius' else 'loss'}.{problem}") from None
    _check_limits(table.requests, mechanism)
    target, execution = _target(table.target, mechanism.samples), _execution(table.execution)
    columns = None if table.data is None else make_columns(table.data, table.loss, table.execution.dimension)
    return Run(mechanism, *target, _canonical(table, mechanism, columns), execution, columns)


def _values(table: Table) -> dict[str, Any]:
    """The keys of a table that are the mechanism's own, by name; its kind is its class."""
    values = {name: getattr(table, name) for name in type(table).model_fields if name != "kind"}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _check_limits(requests: RequestsTable, mechanism: NoisySGD) -> None:
    """The requests that the run names keep to the limits that it sets."""
    named = {
        "max_records": ("sizes", sum(mechanism.requests), "in all"),
        "max_epochs": ("mechanism.unlearning_epochs", max(mechanism.unlearning_epochs), "for a request"),
    }
    for key, (counted, most, what) in named.items():
        limit = getattr(requests, key)
        if limit is not None and limit < 1:
            raise UsageError(f"requests.{key}: {limit} must be at least 1; or leave it out")
        if limit is not None and limit < most:
            raise UsageError(f"requests.{key}: {limit}, but {counted} has {most} {what}; write at least {most}")


def _loss(table: RunTable) -> Loss:
    """The loss, in its ball, and with its gradients scaled where [scaling] says so."""
    loss, scaling = table.loss, table.scaling
    make: Any = LOSSES[loss.kind][1]
    domain: dict[str, Any] = {"radius": table.mechanism.radius} if make in IN_A_BALL else {}
    if scaling is None:
        return make(**loss.model_dump(exclude={"kind"}), **domain)
    if loss.kind not in SCALED_MODELS:
        raise UsageError(
            f'scaling: keeps convexity of scalar linear models alone, and loss.kind = "{loss.kind}" is none; leave '
            f"[scaling] out, or write loss.kind = {' or '.join(map(repr, SCALED_MODELS))}"
        )
    if loss.clip is not None:
        raise UsageError(
            f"loss.clip: {canonical(loss.clip)} together with [scaling]; a gradient is clipped or scaled, not both: "
            "leave one of them out"
        )
    scale = MAPS[scaling.kind][1](**scaling.model_dump(exclude={"kind"}))
    return ScaledLoss(loss.kind, scaling=scale, **loss.model_dump(exclude={"kind", "clip"}), **domain)


def _training_run(table: TrainingTable) -> Run:
    mechanism = make_training(table)
    tables = _plain(table)
    tables["threat"]["neighbours"] = mechanism.neighbours
    train = with_momentum(table.train.check(), mechanism.momentum.outer)
    outside = {"train": train.as_json()} if table.train.model_fields_set else {}
    if table.data is not None:
        outside["data"] = _plain(table.data)
    return Run(
        mechanism,
        *_target(table.target, mechanism.samples),
        tables,
        _execution(table.execution),
        None if table.data is None else make_columns(table.data, data_loss(table.data, train), None),
        train=train,
        outside=outside,
    )


def _execution(table: ExecutionTable) -> FloatingPoint | None:
    given = {field.name: getattr(table, field.name) for field in fields(FloatingPoint)}
    try:
        return FloatingPoint(**given) if any(value is not None for value in given.values()) else None
    except InvalidMechanism as problem:
        raise UsageError(str(problem)) from None


def _target(target: TargetTable, samples: int | None) -> tuple[Fraction, Fraction]:
    """(ε, δ)."""
    if not isinstance(target.delta, str):
        delta = target.delta
    elif samples is None:
        raise UsageError('target.delta: "1/n" needs mechanism.samples; or write a number')
    else:
        delta = Fraction(1, samples)
    if not 0 < delta < 1:
        raise UsageError(f"target.delta: {canonical(delta)} must lie strictly between 0 and 1")
    if target.epsilon < 0:
        raise UsageError(f"target.epsilon: {canonical(target.epsilon)} must be at least 0")
    return target.epsilon, delta


def key_and_problem(problem: InvalidMechanism) -> str:
    """The message with the key as the run file has it."""
    table_of = {
        "requests.sizes": "",
        "requests.chosen": "",
        "target.delta": "",
        "stages": "",
        **dict.fromkeys(("neighbours", "reference", "release"), "threat."),
    }
    return f"{table_of.get(problem.key, 'mechanism.')}{problem}"


def _canonical(table: RunTable, mechanism: NoisySGD, columns: DataColumns | None) -> dict[str, Any]:
    """Every key with its default (but for those marked NEWER or OUTSIDE), numbers as canonical strings, one unlearning
    entry for each request."""
    tables = _plain(table)
    tables["mechanism"]["unlearning_epochs"] = [str(k) for k in mechanism.unlearning_epochs]
    tables["threat"]["release"] = mechanism.release
    tables["requests"]["sizes"] = [str(size) for size in mechanism.requests]
    if columns is not None:
        tables["data"]["normalise"] = columns.normalise
    return tables


def _plain(value: Any) -> Any:
    if isinstance(value, AttestTable):  # a run without answers keeps the digest that it had before there were any
        plain = {key: getattr(value, key) for key in ("text", "date", "evidence")}
        answers = {item: _plain(answer) for item, answer in value.given.items()}
        return plain | ({"answers": answers} if answers else {})
    if isinstance(value, BaseModel):
        return {
            name: _plain(getattr(value, name))
            for name, field in type(value).model_fields.items()
            if _enters(field, getattr(value, name))
        }
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return canonical(value) if isinstance(value, int | Fraction) and not isinstance(value, bool) else value


def _enters(field: FieldInfo, value: Any) -> bool:
    """Whether a key stands in the canonical run. Those of the first release do, whatever their value: a digest that was
    written down then is that of the same run today."""
    mark = field.json_schema_extra
    return mark != OUTSIDE and not (mark == NEWER and value == field.get_default(call_default_factory=True))
