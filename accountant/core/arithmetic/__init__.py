"""Four arithmetics for one theorem body: Float (search), Ball (certify), Exact (test), Symbol (print).

They load when first asked for: certifying prints no formula, and needs no sympy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from accountant.core.arithmetic.base import Arithmetic, ConditionViolated, Indeterminate, Number, Undecided
from lazy_names import lazy_names

if TYPE_CHECKING:
    from accountant.core.arithmetic.balls import Ball
    from accountant.core.arithmetic.floats import Float
    from accountant.core.arithmetic.rationals import Exact
    from accountant.core.arithmetic.symbols import Symbol

_HOMES = {
    "accountant.core.arithmetic.balls": ("Ball",),
    "accountant.core.arithmetic.floats": ("Float",),
    "accountant.core.arithmetic.rationals": ("Exact",),
    "accountant.core.arithmetic.symbols": ("Symbol",),
}

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

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
