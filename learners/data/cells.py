"""Numbers and texts out of a column of Arrow's, whatever type the file gave it; what is neither is refused.

A number is decimal text or a typed number, and nothing else: no spaces, no thousands separators, no hexadecimal, no
text that stands for a missing value. A text is kept as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from learners.data.refused import shown

Refuse = Callable[[int, str], Exception]
"""(place in the column, problem) to the error to raise."""


def numbers(values: pa.Array, width: int | None, refuse: Refuse) -> np.ndarray:
    """(n, width) float64, all finite; width None: one number a row, (n, 1)."""
    values = whole = _plain(values)
    if (first := _first(compute.is_null(whole))) is not None:
        raise refuse(first, "is empty; repair the cell, or leave the record out")
    if width is not None:
        if not pa.types.is_fixed_size_list(values.type):
            raise refuse(0, f"holds one {values.type} a row, and the run file says {width}; leave the width out")
        if values.type.list_size != width:
            raise refuse(0, f"holds {values.type.list_size} numbers a row, and the run file says {width}")
        values = values.flatten()
        if (first := _first(compute.is_null(values))) is not None:
            raise refuse(first // width, "has an empty number; repair it, or leave the record out")
    elif pa.types.is_fixed_size_list(values.type):
        size = values.type.list_size
        raise refuse(0, f"holds {size} numbers a row; write the width behind its limits: [lo, hi, {size}]")
    if not (_is_text(values.type) or _is_number(values.type)):
        raise refuse(0, f"holds {values.type}; numbers are read, and text that is a decimal number")
    try:
        array = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        first = _first_that_fails(values)
        raise refuse(first // (width or 1), _no_number(values[first].as_py())) from None
    array = np.asarray(array, dtype=np.float64).reshape(len(whole), width or 1)
    if not (finite := np.isfinite(array).all(axis=1)).all():
        place = int(np.argmin(finite))
        raise refuse(place, _no_number(whole[place].as_py()))
    return array


def _no_number(value: object) -> str:
    if value == "":
        return "is empty; repair the cell, or leave the record out"
    if isinstance(value, str):
        stripped = value.strip()
        if stripped != value:
            return f"{shown(value)} has spaces around it; leave them out"
        if "," in value or "_" in value:
            return f"{shown(value)} is not a number as it is written here; write a decimal point and no separators"
        return f"{shown(value)} is not a finite decimal number; repair the cell, or leave the record out"
    return f"{shown(value)} is not a finite number that float64 holds; repair it, or leave the record out"


def texts(values: pa.Array, refuse: Refuse, *, ids: bool = False) -> pa.Array:
    """Strings, exactly as they stand; whole numbers and true/false are spelt out. A missing value is an empty text.

    ids: whole numbers and texts alone, none of them missing, empty or with a control character in it.
    """
    values = _plain(values)
    kind = values.type
    if pa.types.is_floating(kind) and not ids:
        values = _floats_spelt(values)
    elif pa.types.is_integer(kind) or (pa.types.is_boolean(kind) and not ids) or pa.types.is_null(kind):
        values = values.cast(pa.string())
    elif not _is_text(kind):
        wanted = "whole numbers and text" if ids else "text, numbers and true/false"
        raise refuse(0, f"holds {kind}; {'ids' if ids else 'categories'} are {wanted}")
    values = compute.fill_null(values, "")
    if ids:
        if (first := _first(compute.equal(values, ""))) is not None:
            raise refuse(first, "is empty; every record needs an id, or leave [data] id out")
        if (first := _first(compute.match_substring_regex(values, r"[\x00-\x1f\x7f]"))) is not None:
            raise refuse(first, f"{shown(values[first].as_py())} has a line break or control character in it")
    return values


def _floats_spelt(values: pa.Array) -> pa.Array:
    """Shortest decimals, those of whole numbers without a point."""
    encoded = values.dictionary_encode()
    spelt = [str(int(v)) if float(v).is_integer() else repr(float(v)) for v in encoded.dictionary.to_pylist()]
    return pa.array(spelt, pa.string()).take(encoded.indices)


def _plain(values: pa.Array) -> pa.Array:
    """Without a dictionary, and text as strings: not all of Arrow's functions know its newer types of text."""
    if pa.types.is_dictionary(values.type):
        return _plain(values.dictionary).take(values.indices)
    return values.cast(pa.string()) if _is_text(values.type) else values


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _first(mask: pa.Array) -> int | None:
    """The place of the first that is true."""
    place = compute.index(mask, True).as_py()
    return None if place < 0 else place


def _first_that_fails(values: pa.Array) -> int:
    """The place of the first value that is not cast to float64, by halves."""
    low, high = 0, len(values)  # the first one is in [low, high)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            values[low:middle].cast(pa.float64())
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low
