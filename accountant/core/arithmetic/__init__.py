"""Four arithmetics for one theorem body: Float (search), Ball (certify), Exact (test), Symbol (print).

They load when first asked for: certifying prints no formula, and needs no sympy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from accountant.core.arithmetic.base import Arithmetic, ConditionViolated, Indeterminate, Number, Undecided

if TYPE_CHECKING:
    from accountant.core.arithmetic.balls import Ball
    from accountant.core.arithmetic.floats import Float
    from accountant.core.arithmetic.rationals import Exact
    from accountant.core.arithmetic.symbols import Symbol

_HOME = {"Ball": "balls", "Exact": "rationals", "Float": "floats", "Symbol": "symbols"}

__all__ = [
    "Arithmetic",
    "Ball",
    "ConditionViolated",
    "Exact",
    "Float",
    "Indeterminate",
    "Number",
    "Symbol",
    "Undecided",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value
