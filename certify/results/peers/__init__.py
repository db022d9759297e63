"""What other accountants recorded of a run, read as text: never imported, never evaluated.

opacus: `accountant.state_dict()` as JSON. dp-accounting: the text of a `DpEvent`, or of its named tuple. triples: rows
of noise multiplier, sample rate and steps, with or without a heading.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from accountant.mechanisms.pnsgd import InvalidMechanism
from certify.errors import UsageError
from certify.results.peers.events import read_events
from certify.results.peers.opacus import HOW_TO_EXPORT, read_history
from certify.results.peers.record import Record
from certify.results.peers.rows import read_rows
from certify.runfile.problems import reason

__all__ = ["FORMATS", "MAX_BYTES", "Record", "load_opacus", "read_record"]

MAX_BYTES = 1 << 20
FORMATS = {"opacus": read_history, "dp-accounting": read_events, "triples": read_rows}
_ARCHIVES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # torch.save, old and new; pickle


def read_record(source: Any, written_by: str) -> Record:
    """The run in another accountant's record.

    Args:
        source: a path (str or Path); what the record holds, as a mapping or a list, whose floats are read as their
            shortest decimals; or a DpEvent itself.
        written_by: one of `FORMATS`.

    Raises:
        UsageError: unreadable, something that is not understood, or a value out of range; one line that says where.
    """
    if written_by not in FORMATS:
        raise UsageError(f"--from: got {written_by!r}; write one of {', '.join(FORMATS)}")
    name = f"{source}" if isinstance(source, str | Path) else "the record"
    try:
        text = _text_of_file(Path(source), written_by) if name != "the record" else _text_of_value(source)
        return FORMATS[written_by](text)
    except InvalidMechanism as problem:
        raise UsageError(f"{name}: {problem}") from None
    except OSError as problem:
        raise UsageError(f"{name}: {problem.strerror or problem}") from None
    except (ValueError, TypeError, SyntaxError, ArithmeticError) as problem:
        raise UsageError(f"{name}: not a valid {written_by} record: {reason(problem)}") from None
    except (RecursionError, MemoryError):
        raise UsageError(f"{name}: not a valid {written_by} record: nested too deeply") from None


def load_opacus(source: Any) -> tuple[str | None, tuple[tuple[Fraction, Fraction, int], ...]]:
    """(name of the accountant, (noise multiplier, sample rate, steps) of each stage) of an Opacus accountant's state.

    Raises:
        UsageError: as `read_record`.
    """
    record = read_record(source, "opacus")
    return record.accountant, tuple((s.noise_multiplier, s.sample_rate, s.steps) for s in record.stages)


def _text_of_file(path: Path, written_by: str) -> str:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if data.startswith(_ARCHIVES):  # before its size: a checkpoint holds a whole model
        how = HOW_TO_EXPORT if written_by == "opacus" else "write it as text"
        raise ValueError(f"it is a binary file of torch.save or pickle, which is never loaded here; {how}")
    if len(data) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes are not read")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None


def _text_of_value(value: Any) -> str:
    """The text that a file would have. A DpEvent's is its repr; the rest is written as JSON, floats by their repr."""
    if callable(getattr(type(value), "to_named_tuple", None)):
        return repr(value)
    if not isinstance(value, Mapping | list | tuple):
        raise TypeError(f"a path, a mapping or a list is needed, got {type(value).__name__}")
    return json.dumps(dict(value) if isinstance(value, Mapping) else value, default=_written)


def _written(value: Any) -> Any:
    """numpy's numbers, Decimal and Fraction by their text, which the readers then parse."""
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
