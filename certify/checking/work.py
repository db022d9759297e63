"""Work.

A short certificate can ask for much. So work is counted, in units of about a microsecond: an operation on intervals,
or a step of a loop that has none. What takes longer counts more, by the length of its numbers. Units are counted,
not seconds measured: the same certificate takes the same work on every machine, and in every order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from certify.checking.limits import DoesNotFollow, OutOfWork

F = TypeVar("F", bound=Callable[..., Any])


class Meter:
    """How much was spent, of how much."""

    __slots__ = ("limit", "spent", "whole")

    def __init__(self, limit: int) -> None:
        self.limit = self.whole = limit
        self.spent = 0

    def spend(self, units: int) -> None:
        self.spent += units
        if self.spent > self.limit:
            self.spent = self.limit  # what would have taken more is not done
            problem = f"the work that may be done ({self.whole} units) is used up, and nothing was decided"
            raise OutOfWork(f"{problem}; --work N allows for more")


_REMEMBERED: list[Callable[..., Any]] = []  # functions that keep their results


def remembered(function: F) -> F:
    """What a function with a cache is decorated with, so that each certificate begins without what others computed."""
    _REMEMBERED.append(function)
    return function


_METER: ContextVar[Meter | None] = ContextVar("_METER", default=None)


def spend(units: int) -> None:
    """Count work, while something is verified."""
    meter = _METER.get()
    if meter is not None:
        meter.spend(units)


@contextmanager
def budgeted() -> Iterator[None]:
    """With at most half of what is left to spend; what would take more does not follow."""
    meter = _METER.get() or Meter(0)
    before, meter.limit = meter.limit, meter.spent + (meter.limit - meter.spent) // 2
    try:
        yield
    except OutOfWork:
        raise DoesNotFollow("half of the work that was left is used up") from None
    finally:
        meter.limit = before


@contextmanager
def metered(work: int) -> Iterator[Meter]:
    """With a meter; with that of the certificate whose erasure record is verified, if there is one."""
    outer = _METER.get()
    if outer is not None:
        yield outer
        return
    for function in _REMEMBERED:  # else the work of one certificate would hang on those before it
        function.cache_clear()
    token = _METER.set(Meter(work))
    try:
        yield _METER.get()
    finally:
        _METER.reset(token)
