"""Four arithmetics for one theorem body: Float (search), Ball (certify), Exact (test), Symbol (print)."""

from accountant.core.arithmetic.balls import Ball
from accountant.core.arithmetic.base import Arithmetic, ConditionViolated, Number, Undecided
from accountant.core.arithmetic.floats import Float
from accountant.core.arithmetic.rationals import Exact
from accountant.core.arithmetic.symbols import Symbol

__all__ = ["Arithmetic", "Ball", "ConditionViolated", "Exact", "Float", "Number", "Symbol", "Undecided"]
