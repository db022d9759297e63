"""What other accountants were told: their records of a run as stages, read without importing them.

opacus: the JSON of `accountant.state_dict()`, or its "history" list of (noise multiplier, sample rate, steps).
dp-accounting: the text (repr) of a composed `DpEvent`. triples: lines or JSON rows of z, q, steps.
"""

from __future__ import annotations

import ast
import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from accountant.exact import canonical, exact
from accountant.mechanisms import InvalidMechanism
from accountant.scaled_sgd import Stage
from certify.errors import UsageError

MAX_BYTES = 1 << 20
FORMATS = ("opacus", "dp-accounting", "triples")


def read_stages(path: str | Path, written_by: str) -> tuple[tuple[Stage, ...], str]:
    """The stages in a file, and the way of sampling that they stand for ("poisson" or "without-replacement").

    Raises:
        UsageError: unreadable, or an event that is not understood; one line with what was found.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise UsageError(f"{path}: more than {MAX_BYTES} bytes are not read")
        text = data.decode()
    except OSError as problem:
        raise UsageError(f"{path}: {problem.strerror or problem}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is no UTF-8 text") from None
    try:
        if written_by == "dp-accounting":
            return _events(text)
        rows = _opacus(text) if written_by == "opacus" else _triples(text)
        return _merged(_stage(row) for row in rows), "poisson"
    except InvalidMechanism as problem:
        raise UsageError(f"{path}: {problem}") from None
    except (ValueError, TypeError, RecursionError, SyntaxError, ArithmeticError) as problem:
        raise UsageError(f"{path}: is no {written_by} record: {str(problem).splitlines()[0]}") from None


def _stage(row: Sequence[Any]) -> Stage:
    if not isinstance(row, Sequence) or isinstance(row, str) or len(row) != 3:
        raise ValueError(f"{row!r} is no triple of noise multiplier, sample rate and steps")
    z, q, steps = (exact(str(value)) for value in row)
    return Stage(z, q, _whole(steps, "steps"))


def _whole(value: Fraction, name: str) -> int:
    if value.denominator != 1:
        raise InvalidMechanism(name, f"{canonical(value)} must be a whole number")
    return int(value)


def _merged(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """Equal stages next to each other as one."""
    equal = itertools.groupby(stages, key=lambda stage: (stage.noise_multiplier, stage.sample_rate))
    return tuple(Stage(z, q, sum(stage.steps for stage in group)) for (z, q), group in equal)


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _opacus(text: str) -> Sequence[Any]:
    found = _json(text)
    if isinstance(found, dict):
        found = found.get("history")
    if not isinstance(found, list) or not found:
        raise ValueError('no "history" of (noise multiplier, sample rate, steps) in it')
    return found


def _triples(text: str) -> Sequence[Any]:
    if text.lstrip().startswith(("[", "{")):
        return _json(text)
    rows = [row for row in csv.reader(text.splitlines()) if row and not row[0].lstrip().startswith("#")]
    if rows and not rows[0][0].strip()[:1].isdigit() and not rows[0][0].strip().startswith("."):
        rows = rows[1:]  # a heading
    if not rows:
        raise ValueError("no rows")
    return rows


def _events(text: str) -> tuple[tuple[Stage, ...], str]:
    """The repr of a DpEvent: calls with literal arguments, parsed and never evaluated."""
    source = " ".join(text.split())  # one line, so that a number's place in it is its column
    found = list(_walk(ast.parse(source, mode="eval").body, 1, source.encode()))
    ways = {way for way, _ in found if way != "full"}
    if len(ways) > 1:
        raise ValueError("Poisson sampling and sampling without replacement in one run are not composed here")
    if not found:
        raise ValueError("no noisy step in it")
    return _merged(stage for _, stage in found), ways.pop() if ways else "full"


def _walk(node: ast.expr, count: int, source: bytes) -> Iterator[tuple[str, Stage]]:
    name, given = _call(node)
    match name:
        case "ComposedDpEvent":
            events = given["events"]
            if not isinstance(events, ast.List | ast.Tuple):
                raise ValueError("the events of a ComposedDpEvent are no list")
            for event in events.elts:
                yield from _walk(event, count, source)
        case "SelfComposedDpEvent":
            yield from _walk(given["event"], count * _whole(_literal(given["count"], source), "count"), source)
        case "PoissonSampledDpEvent":
            rate = _literal(given["sampling_probability"], source)
            yield "poisson", Stage(_gaussian(given["event"], source), rate, count)
        case "SampledWithoutReplacementDpEvent":
            size, of = (_whole(_literal(given[key], source), key) for key in ("sample_size", "source_dataset_size"))
            yield "without-replacement", Stage(_gaussian(given["event"], source), Fraction(size, of), count)
        case "GaussianDpEvent":
            yield "full", Stage(_gaussian(node, source), Fraction(1), count)
        case "NoOpDpEvent":
            return
        case _:
            raise ValueError(f"{name} is not accounted for here")


_POSITIONAL = {
    "ComposedDpEvent": ("events",),
    "SelfComposedDpEvent": ("event", "count"),
    "PoissonSampledDpEvent": ("sampling_probability", "event"),
    "SampledWithoutReplacementDpEvent": ("source_dataset_size", "sample_size", "event"),
    "GaussianDpEvent": ("noise_multiplier",),
    "NoOpDpEvent": (),
}


def _call(node: ast.expr) -> tuple[str, dict[str, ast.expr]]:
    if not isinstance(node, ast.Call):
        raise ValueError("no DpEvent")
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "?")
    given = dict(zip(_POSITIONAL.get(name, ()), node.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    missing = [key for key in _POSITIONAL.get(name, ()) if key not in given]
    if missing:
        raise ValueError(f"{name} without {missing[0]}")
    return name, given


def _gaussian(node: ast.expr, source: bytes) -> Fraction:
    name, given = _call(node)
    if name != "GaussianDpEvent":
        raise ValueError(f"{name} inside a sampled event; only GaussianDpEvent is accounted for here")
    return _literal(given["noise_multiplier"], source)


def _literal(node: ast.expr, source: bytes) -> Fraction:
    """The number as it is written, not its double; one of numpy's too."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("float64", "int64")) and len(node.args) == 1:
        return _literal(node.args[0], source)
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool) or not isinstance(node.value, int | float):
        raise ValueError("an argument is no number")
    return exact(source[node.col_offset : node.end_col_offset].decode().replace("_", ""))
