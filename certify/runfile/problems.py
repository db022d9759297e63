"""What pydantic found wrong with a file's tables, in one line: the key, the value, the fix."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from accountant.core.exact import MAX_CHARACTERS
from certify.errors import UsageError

UNKNOWN = "extra_forbidden"
MAX_SHOWN = 80  # characters of a value


def reason(problem: BaseException) -> str:
    """The first line of what a parser says; of a number that Python does not read, what is read here."""
    message = (str(problem).splitlines() or [type(problem).__name__])[0]
    return (
        f"a number of too many digits; at most {MAX_CHARACTERS} are read"
        if "int_max_str_digits" in message
        else message
    )


def refuse_long_numbers(value: Any, key: str = "") -> None:
    """Refuse integers that cannot be written out in as many digits as are read: Python reads them in hexadecimal, and
    then does not print them. Raises UsageError with the key."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            refuse_long_numbers(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            refuse_long_numbers(item, f"{key}[{i + 1}]")
    elif isinstance(value, int) and abs(value) >= 10**MAX_CHARACTERS:
        raise UsageError(f"{key}: a number of more than {MAX_CHARACTERS} digits; write a shorter one")


def first_problem(invalid: ValidationError) -> Mapping[str, Any]:
    """The one to tell: a misspelt key shows up twice, as unknown and as missing, and the unknown one tells more."""
    return min(invalid.errors(), key=lambda problem: problem["type"] != UNKNOWN)


def describe_problem(problem: Mapping[str, Any], key: str) -> str:
    """The line about a problem of the value at `key`, or of its absence."""
    value, kind = problem["input"], problem["type"]
    shown = str(value) if isinstance(value, Decimal | int) else repr(value)
    shown = shown if len(shown) <= MAX_SHOWN else f"{shown[: MAX_SHOWN - 3]}..."
    match kind:
        case "missing":
            return f"{'.'.join((key, *problem.get('ctx', {}).values()))}: is missing"
        case "literal_error":
            return f"{key}: got {shown}; write one of {problem['ctx']['expected']}"
        case "value_error":
            return f"{key}: {problem['ctx']['error']}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{key}: must be a table, got {shown}"
    return f"{key}: {problem['msg'].lower()}, got {shown}"
