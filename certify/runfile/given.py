"""Numbers as a Python caller gives them: floats and numpy's numbers are read as the shortest decimal that prints them.

0.1 in a mapping means a tenth, as in a run file, not the double nearest to it. Behind this face a float stays a
TypeError (accountant.core.exact).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from numbers import Integral, Real
from typing import Any


def as_written(value: Any) -> Any:
    """The same tables with every float as a Decimal and every numpy integer as an int; other values as they are.

    A numpy array counts as a list of its numbers. NaN and infinities become Decimals, which the run file's checks
    refuse with their key.
    """
    if isinstance(value, Mapping):
        return {name: as_written(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_written(item) for item in value]
    if isinstance(value, float):  # numpy's double too, whose own repr names its type
        return Decimal(float.__repr__(value))
    if type(value).__module__ != "numpy":
        return value
    if getattr(value, "ndim", 0):
        return [as_written(item) for item in value]
    if isinstance(value, Integral):
        return int(value)
    return Decimal(str(value)) if isinstance(value, Real) else value  # numpy's shorter and longer floats
