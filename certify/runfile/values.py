"""What the values in a run file may be, and what its tables have in common."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from accountant.core.exact import MAX_CHARACTERS, canonical, exact


def read_number(value: Any) -> Fraction:
    """An exact number. Raises ValueError without the key, which the table's reader adds."""
    try:
        number = exact(value, "value")
    except (TypeError, ValueError) as problem:
        raise ValueError(str(problem).removeprefix("value: ")) from None
    if abs(number) >= 10**MAX_CHARACTERS or len(canonical(number)) > MAX_CHARACTERS:
        raise ValueError(f"the number has more than {MAX_CHARACTERS} digits when written out; write a shorter one")
    return number


def read_whole(value: Any) -> int:
    """A whole number. Raises ValueError as `read_number` does."""
    number = read_number(value)
    if number.denominator != 1:
        raise ValueError(f"{canonical(number)} must be a whole number")
    return int(number)


def _one_or_more(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


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


Number = Annotated[Fraction, BeforeValidator(read_number)]
Whole = Annotated[int, BeforeValidator(read_whole)]
Wholes = Annotated[list[Whole], BeforeValidator(_one_or_more)]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_day)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Said = Annotated[str, AfterValidator(_not_blank)]

# Field(default, json_schema_extra=…) of a key, or of a whole table, that came after the first release (0.1):
# It enters the canonical run only there: digests stay.
NEWER: JsonDict = {"canonical": "where it differs from its default"}
OUTSIDE: JsonDict = {"canonical": "never"}  # never enters it: a subject of its own in the certificate


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
