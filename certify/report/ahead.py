"""What the report of a certificate would warn of, before there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from certify.report.document import Line, Mathematics
from certify.report.hazards import Caution, warnings
from certify.results.result import Result


@dataclass(frozen=True)
class _Unsigned:
    """As the checker's report: of a certificate that nobody signed and that does not expire."""

    signatures: int = 0
    signers: tuple[str, ...] = ()
    threshold: int | None = None
    expires: str | None = None
    created: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Ahead:
    """What a reading of the certificate would have of the result."""

    predicate: Mapping[str, Any]
    subjects: Mapping[str, str]
    report: _Unsigned = field(default_factory=_Unsigned)


def warnings_ahead(result: Result, on: date) -> tuple[Caution, ...]:
    """The warnings of the report that the result's certificate would have on a day, but that it is not signed yet."""
    predicate = {**result.as_json(), "run": result.run.canonical}
    found = warnings(_Ahead(predicate, {"run": result.digest}), on)
    return tuple(warning for warning in found if warning.id != "unsigned")


def as_text(line: Line) -> str:
    return "".join(part.plain if isinstance(part, Mathematics) else part.text for part in line)
