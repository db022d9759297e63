"""What pydantic found wrong with a file's tables, in one line: the key, the value, the fix."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

UNKNOWN = "extra_forbidden"
MOST = 80  # characters of a value


def first_problem(invalid: ValidationError) -> Mapping[str, Any]:
    """The one to tell: a misspelt key shows up twice, as unknown and as missing, and the unknown one tells more."""
    return min(invalid.errors(), key=lambda problem: problem["type"] != UNKNOWN)


def told(problem: Mapping[str, Any], key: str) -> str:
    """The line about a problem of the value at `key`, or of its absence."""
    value, kind = problem["input"], problem["type"]
    shown = str(value) if isinstance(value, Decimal | int) else repr(value)
    shown = shown if len(shown) <= MOST else f"{shown[: MOST - 3]}..."
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
