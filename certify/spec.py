"""Run files: TOML to a checked `Run`, its canonical form and its digest. The edge where numbers come in."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from accountant import InvalidLoss, InvalidMechanism, NoisySGD
from accountant.exact import canonical, exact
from certify.errors import UsageError
from certify.tables import IN_A_BALL, LOSSES, TABLES, RunTable

MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Run:
    """A checked run file: the mechanism, the target, and the canonical form whose digest names the run."""

    mechanism: NoisySGD
    target_epsilon: Fraction
    target_delta: Fraction
    canonical: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical form."""
        return hashlib.sha256(canonical_json(self.canonical)).hexdigest()

    def with_values(self, **values: Any) -> Run:
        """The same run with other values in its mechanism table. Raises UsageError as `read_run` does."""
        tables = {name: dict(table) for name, table in self.canonical.items() if table is not None}
        tables["mechanism"] |= values
        return read_run(tables)

    def with_target(self, epsilon: Fraction) -> Run:
        """The same run with another target ε."""
        tables = {name: dict(table) for name, table in self.canonical.items() if table is not None}
        tables["target"] |= {"epsilon": epsilon}
        return read_run(tables)


def canonical_json(value: Any) -> bytes:
    """Sorted keys, no whitespace, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_run(source: str | Path | Mapping[str, Any]) -> Run:
    """Read a run file (a path to TOML, or a mapping of its tables).

    Raises:
        UsageError: unreadable, malformed, an unknown key, or a value out of range; one line with key, value and fix.
        TypeError: a Python float in a mapping.
    """
    tables = source if isinstance(source, Mapping) else load_tables(Path(source))
    _refuse_floats(tables, "")
    try:
        table = RunTable.model_validate(_without_nulls(tables))
    except ValidationError as invalid:
        raise UsageError(_first_problem(invalid, tables)) from None
    return _run(table)


def _refuse_floats(value: Any, key: str) -> None:
    if isinstance(value, float):
        exact(value, key)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            _refuse_floats(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item, key)


def load_tables(path: Path) -> dict[str, Any]:
    """The tables of a TOML file, decimals kept exact. Raises UsageError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path}: a run file of more than {MAX_BYTES} bytes is not read")
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as problem:
        raise UsageError(f"{path}: {problem.strerror or problem}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is no UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as problem:
        raise UsageError(f"{path}: is no TOML: {str(problem).splitlines()[0]}") from None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def _first_problem(invalid: ValidationError, tables: Mapping[str, Any]) -> str:
    """One line: the key, the value, the fix."""
    # A misspelt key shows up twice, as an unknown one and as one that is missing: the unknown one tells more.
    problems = sorted(invalid.errors(), key=lambda p: p["type"] != "extra_forbidden")
    problem = problems[0]
    # pydantic names the chosen branch of [loss] in the location; a user knows only table.key
    where = [str(part) for part in problem["loc"] if part not in LOSSES]
    key, kind = ".".join(where), problem["type"]
    if kind == "extra_forbidden":
        known = _known_keys(where, tables)
        close = difflib.get_close_matches(where[-1], known, n=1, cutoff=0.5)
        return f"{key}: unknown key" + (f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}")
    if kind == "missing":
        return f"{key}: is missing"
    if kind == "union_tag_not_found":
        return f"loss.kind: is missing; write one of {', '.join(map(repr, LOSSES))}"
    if kind == "union_tag_invalid":
        return f"loss.kind: got {problem['ctx']['tag']!r}; write one of {problem['ctx']['expected_tags']}"
    shown = repr(problem["input"])
    shown = str(problem["input"]) if isinstance(problem["input"], Decimal | int) else shown
    if len(shown) > 80:
        shown = shown[:77] + "..."
    if kind == "literal_error":
        return f"{key}: got {shown}; write one of {problem['ctx']['expected']}"
    if kind == "value_error":
        return f"{key}: {problem['ctx']['error']}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{key}: must be a table, got {shown}"
    return f"{key}: {problem['msg'].lower()}, got {shown}"


def _known_keys(where: list[str], tables: Mapping[str, Any]) -> list[str]:
    if len(where) == 1:
        return list(TABLES)
    choices = TABLES.get(where[0], ())
    if where[0] == "loss" and isinstance(tables.get("loss"), Mapping):
        kind = tables["loss"].get("kind")
        choices = (LOSSES.get(kind, LOSSES["logistic"])[0],)
    return sorted({name for table in choices for name in table.model_fields})


def _run(table: RunTable) -> Run:
    m, loss = table.mechanism, table.loss
    try:
        make = LOSSES[loss.kind][1]
        domain = {"radius": m.radius} if make in IN_A_BALL else {}
        made = make(**loss.model_dump(exclude={"kind"}), **domain)
        mechanism = NoisySGD(
            samples=m.samples,
            batch_size=m.batch_size,
            epochs=m.epochs,
            noise_std=m.noise_std,
            loss=made,
            unlearning_epochs=tuple(m.unlearning_epochs),
            step_size=m.step_size,
            radius=m.radius,
            initial_distance=m.initial_distance,
            batch_order=m.batch_order,
            remainder=m.remainder,
            requests=tuple(table.requests.sizes),
            neighbours=table.threat.neighbours,
            reference=table.threat.reference,
            release=table.threat.release,
        )
    except InvalidMechanism as problem:
        raise UsageError(key_and_problem(problem)) from None
    except InvalidLoss as problem:
        raise UsageError(f"{'mechanism' if problem.key == 'radius' else 'loss'}.{problem}") from None
    delta = Fraction(1, mechanism.samples) if table.target.delta == "1/n" else table.target.delta
    if not 0 < delta < 1:
        raise UsageError(f"target.delta: {canonical(delta)} must lie strictly between 0 and 1")
    if table.target.epsilon < 0:
        raise UsageError(f"target.epsilon: {canonical(table.target.epsilon)} must be at least 0")
    return Run(mechanism, table.target.epsilon, delta, _canonical(table, mechanism))


def key_and_problem(problem: InvalidMechanism) -> str:
    """The message with the key as the run file has it."""
    table_of = {"requests.sizes": "", **dict.fromkeys(("neighbours", "reference", "release"), "threat.")}
    return f"{table_of.get(problem.key, 'mechanism.')}{problem}"


def _canonical(table: RunTable, mechanism: NoisySGD) -> dict[str, Any]:
    """Every key with its default, numbers as canonical strings, one unlearning entry for each request."""
    tables = {name: _plain(getattr(table, name)) for name in TABLES}
    tables["mechanism"]["unlearning_epochs"] = [str(k) for k in mechanism.unlearning_epochs]
    tables["requests"]["sizes"] = [str(size) for size in mechanism.requests]
    return tables


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return canonical(value) if isinstance(value, int | Fraction) else value
