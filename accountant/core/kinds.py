"""What an argument or a conclusion of a theorem may be, read off its resolved annotation: a closed list.

    Number, Fraction      an exact number, which the body sees as a number of its arithmetic
    int                   a count, which stays one (`Whole`: a quotient of two of them is refused, it would be a float)
    str, Literal[…]       a name                        bool            a flag
    X | None              optional                      tuple[X, …]     several
    a frozen dataclass    a record of these; a field with metadata {"exact": True} stays exact in every arithmetic

Everything else, and a parameter without annotation, is refused where the theorem is declared: what is not known to be
a number would stay an int, and 2/3 of them is a float that no ball holds.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from fractions import Fraction
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from accountant.core.arithmetic.base import NUMBER, Arithmetic
from accountant.core.arithmetic.rationals import Exact


class UnknownKind(TypeError):
    """An annotation that is none of the kinds above; the message names the parameter and the fix."""


class Whole(int):
    """A count inside a theorem body. Sums and products of counts are counts; A.of(n) makes a number of one."""

    def __add__(self, other: Any) -> Any:
        return _whole(int.__add__(self, other))

    def __sub__(self, other: Any) -> Any:
        return _whole(int.__sub__(self, other))

    def __rsub__(self, other: Any) -> Any:
        return _whole(int.__rsub__(self, other))

    def __mul__(self, other: Any) -> Any:
        return _whole(int.__mul__(self, other))

    def __neg__(self) -> Whole:
        return Whole(-int(self))

    def __truediv__(self, other: Any) -> Any:
        return self._quotient(other, int.__truediv__(self, other))

    def __rtruediv__(self, other: Any) -> Any:
        return self._quotient(other, int.__rtruediv__(self, other))

    def _quotient(self, other: Any, quotient: Any) -> Any:
        if isinstance(other, int):
            raise TypeError(f"{int(self)} and {int(other)} are counts, their quotient is a float; write A.of(count)")
        return quotient

    __radd__ = __add__
    __rmul__ = __mul__


def _whole(value: Any) -> Any:
    return Whole(value) if type(value) is int else value  # else NotImplemented: the other operand's turn


class Kind(ABC):
    """One entry of the list."""

    @abstractmethod
    def check(self, value: object, where: str) -> None:
        """Raise TypeError unless an exact value of this kind."""

    @abstractmethod
    def convert(self, A: Arithmetic, value: Any, count: type[int] = int) -> Any:
        """The value in A, its counts of type `count`; what already is one of A's numbers stays."""


def _refuse(value: object, where: str, wanted: str) -> None:
    raise TypeError(f"{where}: {wanted}, got {type(value).__name__} {value!r}")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True)
class Numeric(Kind):
    def check(self, value: object, where: str) -> None:
        if not (_is_int(value) or isinstance(value, Fraction)):
            _refuse(value, where, "a certified path takes exact numbers")

    def convert(self, A: Arithmetic, value: Any, count: type[int] = int) -> Any:
        if _is_int(value) or isinstance(value, Fraction):
            return A.of(value)
        if isinstance(value, float) and not A.inexact:
            raise TypeError(f"{value!r} is a float among the numbers of {type(A).__name__}; write it with A.of")
        return value


@dataclass(frozen=True)
class Count(Kind):
    def check(self, value: object, where: str) -> None:
        if not _is_int(value):
            _refuse(value, where, "a whole number (int) is needed")

    def convert(self, A: Arithmetic, value: Any, count: type[int] = int) -> Any:
        return value if type(value) is count else count(value)


@dataclass(frozen=True)
class Flag(Kind):
    def check(self, value: object, where: str) -> None:
        if not isinstance(value, bool):
            _refuse(value, where, "True or False is needed")

    def convert(self, A: Arithmetic, value: Any, count: type[int] = int) -> Any:
        return value


@dataclass(frozen=True)
class Name(Kind):
    def check(self, value: object, where: str) -> None:
        if not isinstance(value, str):
            _refuse(value, where, "a name (str) is needed")

    def convert(self, A: Arithmetic, value: Any, count: type[int] = int) -> Any:
        return value


@dataclass(frozen=True)
class Optional(Kind):
    kind: Kind

    def check(self, value: object, where: str) -> None:
        if value is not None:
            self.kind.check(value, where)

    def convert(self, A: Arithmetic, value: Any, count: type[int] = int) -> Any:
        return None if value is None else self.kind.convert(A, value, count)


@dataclass(frozen=True)
class Several(Kind):
    """`kinds` of one each, or the first of them any number of times."""

    kinds: tuple[Kind, ...]
    repeated: bool

    def check(self, value: object, where: str) -> None:
        if not isinstance(value, tuple) or not (self.repeated or len(value) == len(self.kinds)):
            _refuse(value, where, "a tuple is needed" if self.repeated else f"a tuple of {len(self.kinds)} is needed")
        for kind, item in zip(self.kinds * (len(value) if self.repeated else 1), value, strict=True):
            kind.check(item, where)

    def convert(self, A: Arithmetic, value: Any, count: type[int] = int) -> Any:
        if self.repeated:
            (kind,) = self.kinds
            return tuple([kind.convert(A, item, count) for item in value])
        return tuple([kind.convert(A, item, count) for kind, item in zip(self.kinds, value, strict=True)])


@dataclass(frozen=True)
class Record(Kind):
    type: type

    def check(self, value: object, where: str) -> None:
        if type(value) is not self.type:
            _refuse(value, where, f"a {self.type.__name__} is needed")
        for name, kind, _ in _fields(self.type):
            kind.check(getattr(value, name), f"{where}.{name}")

    def convert(self, A: Arithmetic, value: Any, count: type[int] = int) -> Any:
        converted = {
            name: kind.convert(Exact() if exact else A, getattr(value, name), count)
            for name, kind, exact in _fields(self.type)
        }
        return replace(value, **converted)


@cache
def _fields(record: type) -> tuple[tuple[str, Kind, bool], ...]:
    """(name, kind, whether it stays exact) of each field."""
    hints = _resolved(record, record.__name__)
    return tuple(
        (f.name, kind_of(hints[f.name], f"{record.__name__}.{f.name}"), bool(f.metadata.get("exact")))
        for f in fields(record)
    )


def _resolved(described: Any, where: str) -> dict[str, Any]:
    try:
        return get_type_hints(described, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as problem:
        raise UnknownKind(f"{where}: an annotation cannot be resolved ({problem}); import what it names") from None


_open: set[type] = set()  # records whose fields are being looked at: a record may hold others of its own type


def kind_of(hint: Any, where: str) -> Kind:
    """The kind that a resolved annotation says.

    Raises:
        UnknownKind: not on the list.
    """
    origin, parts = get_origin(hint), get_args(hint)
    if hint is int:
        return Count()
    if hint is bool:
        return Flag()
    if hint is str:
        return Name()
    if hint is Fraction or (origin is Annotated and NUMBER in hint.__metadata__):
        return Numeric()
    if origin is Literal and all(isinstance(part, str) for part in parts):
        return Name()  # which of them a body takes is a side condition of its own
    if origin in (Union, UnionType) and NoneType in parts and len(parts) == 2:
        return Optional(kind_of(next(part for part in parts if part is not NoneType), where))
    if origin is tuple and parts:
        repeated = len(parts) == 2 and parts[1] is Ellipsis
        return Several(tuple(kind_of(part, where) for part in parts[: 1 if repeated else None]), repeated)
    if isinstance(hint, type) and is_dataclass(hint) and hint.__dataclass_params__.frozen:
        if hint not in _open:
            _open.add(hint)
            try:
                _fields(hint)
            finally:
                _open.discard(hint)
        return Record(hint)
    raise UnknownKind(
        f"{where}: {hint!r} is not a kind of argument; write Number, int, str, bool, a tuple or frozen dataclass of "
        "these, or one of them | None"
    )


def parameters(body: Callable[..., Any]) -> tuple[dict[str, Any], dict[str, Kind]]:
    """The premises of a theorem body (name: annotation) and the kinds of its arguments; its first parameter is the
    arithmetic.

    Raises:
        UnknownKind: a parameter without annotation, or one whose annotation is not on the list.
    """
    _, *rest = inspect.signature(body).parameters.values()
    hints = _resolved(body, body.__name__) if rest else {}
    premises, kinds = {}, {}
    for p in rest:
        where = f"{body.__name__}.{p.name}"
        if p.name not in hints or p.kind is p.VAR_KEYWORD:
            raise UnknownKind(f"{where}: a parameter needs a name and an annotation; write Number, int, str, …")
        if p.default is not p.empty:
            raise UnknownKind(f"{where}: an argument has no default; a derivation says every one")
        if p.kind is p.KEYWORD_ONLY:
            kinds[p.name] = kind_of(hints[p.name], where)
        else:
            premises[p.name] = hints[p.name]
    return premises, kinds
