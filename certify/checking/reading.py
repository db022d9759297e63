"""Reading JSON, and the shape of its values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from certify.checking.limits import MAX_NESTING, MAX_NUMBER, Malformed
from certify.checking.numbers.exact import canonical
from certify.checking.work import spend


def is_deep(text: str) -> bool:
    """Whether brackets are nested too deeply, before the first character that is no JSON.

    One pass: with escaped characters left out, every other piece between quotes is outside of strings. A backslash
    outside of a string is no JSON, so nothing after it counts.
    """
    depth = 0
    for outside in re.sub(r"\\.", "", text, flags=re.DOTALL).split('"')[::2]:
        for bracket in re.finditer(r"[\[\]{}]", outside):
            depth += 1 if bracket[0] in "[{" else -1
            if depth > MAX_NESTING:
                return True
    return False


def read_json(data: bytes, what: str) -> Any:
    """Strict JSON: UTF-8, bounded nesting, no duplicate keys, no bare numbers (the format writes them as strings)."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(result := dict(pairs)) < len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))
            raise Malformed(f"{what}: duplicate key {ascii(twice[:60])[:60]}")
        return result

    def bare(text: str) -> None:
        raise Malformed(f"{what}: bare number {text[:20]}; numbers are written as strings")

    try:
        spend(1 + len(data) // 8)
        text = data.decode("utf-8")
        if is_deep(text):
            raise Malformed(f"{what}: nested more than {MAX_NESTING} deep")
        value = json.loads(text, object_pairs_hook=unique, parse_int=bare, parse_float=bare, parse_constant=bare)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # no half surrogate pairs
    except UnicodeError:
        raise Malformed(f"{what}: not valid UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{what}: not valid JSON ({error})") from None
    return value


def pattern(regex: str, meaning: str) -> Callable[[Any, str], None]:
    compiled = re.compile(regex)

    def shape(value: Any, where: str) -> None:
        if not isinstance(value, str) or len(value) > MAX_NUMBER or not compiled.fullmatch(value):
            raise Malformed(f"{where}: needs {meaning}, got {ascii(value)[:60]}")

    shape.__doc__ = meaning
    return shape


def one_of(*values: Any) -> Callable[[Any, str], None]:
    texts = frozenset(value for value in values if isinstance(value, str))
    others = [value for value in values if not isinstance(value, str)]

    def shape(value: Any, where: str) -> None:
        if not (value in texts if isinstance(value, str) else any(value is v for v in others)):
            raise Malformed(f"{where}: needs one of {', '.join(map(ascii, values))}, got {ascii(value)[:60]}")

    *most, last = (f"`{json.dumps(value)}`" for value in values)
    shape.__doc__ = f"{', '.join(most)} or {last}" if most else last
    return shape


def optional(inner: Any) -> Callable[[Any, str], None]:
    def shape(value: Any, where: str) -> None:
        """Or null."""
        if value is not None:
            check_shape(value, inner, where)

    return shape


def newer(shape: Any, default: Any) -> Callable[[Any, str], None]:
    """A `key?` of the canonical run that came later: absent where it has its default, so that digests stay."""

    def differing_shape(value: Any, where: str) -> None:
        if value == default:
            raise Malformed(f"{where}: has its default value; the canonical run leaves it out")
        check_shape(value, shape, where)

    return differing_shape


def check_shape(value: Any, shape: Any, where: str) -> None:
    """`shape`: an object with exactly these keys (but for `key?`, which may be absent), [shape of every entry],
    (shape, …) of fixed length, or a function."""
    spend(1)
    if callable(shape):
        shape(value, where)
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            raise Malformed(f"{where}: needs an object")
        known = {key.removesuffix("?"): inner for key, inner in shape.items()}
        for key in sorted(value.keys() ^ known.keys()):
            if f"{key}?" not in shape:
                raise Malformed(f"{where}: {'missing' if key in shape else 'unknown'} key {ascii(key)[:60]}")
        for key, inner in known.items():
            if key in value:
                check_shape(value[key], inner, f"{where}.{key}")
    else:
        if not isinstance(value, list) or (isinstance(shape, tuple) and len(value) != len(shape)):
            raise Malformed(f"{where}: needs a list" + (f" of {len(shape)}" if isinstance(shape, tuple) else ""))
        for i, entry in enumerate(value):
            check_shape(entry, shape[0] if isinstance(shape, list) else shape[i], f"{where}[{i}]")


integer = pattern(r"0|[1-9][0-9]*", "an integer in a string")
_exact = pattern(r"(0|[1-9][0-9]*)([.][0-9]+|/[1-9][0-9]*)?", "an exact number in a string")
_rounded_decimal = pattern(r"(0|[1-9][0-9]*)([.][0-9]+)?(e[+-]?[0-9]{1,4})?", "a decimal in a string")
hexadecimal = pattern(r"[0-9a-f]{64}", "64 lower-case hexadecimal digits")


def exact(value: Any, where: str) -> None:
    """An exact number."""
    _exact(value, where)
    if canonical(Fraction(value)) != value:
        raise Malformed(f"{where}: {value[:60]} is not in canonical form")


def rounded(value: Any, where: str) -> None:
    """A bound, as a decimal."""
    _rounded_decimal(value, where)
    if len(value.partition("e")[0].replace(".", "").strip("0")) > 15:
        raise Malformed(f"{where}: more than fifteen significant digits")


def date(value: Any, where: str) -> None:
    pattern(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z", "a time like 2026-11-21T22:00:00Z")(value, where)
    try:
        datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise Malformed(f"{where}: no such time: {value}") from None


def day(value: Any, where: str) -> None:
    pattern(r"[0-9]{4}(-[0-9]{2}){2}", "a day like 2026-11-21")(value, where)
    date(f"{value}T00:00:00Z", where)


def moment(value: str) -> datetime:
    """The time that a well-formed date stands for."""
    return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def end_of(value: str) -> datetime:
    """The last second of a day, UTC."""
    day(value, "--date")
    return moment(f"{value}T23:59:59Z")


def anything(value: Any, where: str) -> None:
    """Looked at elsewhere."""


def text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise Malformed(f"{where}: needs a string")


def attestation(value: Any, where: str) -> None:
    """Free text about who answers for what: objects, lists, strings, null. Digested; nothing depends on it."""
    if isinstance(value, dict):
        value = list(value.values())
    elif value is not None and not isinstance(value, list | str):
        raise Malformed(f"{where}: needs text, lists and objects only")
    for entry in value if isinstance(value, list) else ():
        attestation(entry, where)


def named_or_exact(*names: str) -> Callable[[Any, str], None]:
    return lambda value, where: None if value in names else exact(value, where)


def named(name_of: Callable[[Any, str], None], inner: Any) -> Callable[[Any, str], None]:
    """An object with any names of a form, and entries of one shape."""

    def shape(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise Malformed(f"{where}: needs an object")
        for key, entry in value.items():
            name_of(key, f"{where}: its key")
            check_shape(entry, inner, f"{where}.{key}")

    return shape
