"""Four arithmetics for one theorem body: Float (search), Ball (certify), Exact (test), Symbol (print)."""

from accountant.arithmetic.balls import Ball
from accountant.arithmetic.base import Arithmetic, ConditionViolated, Number, Undecided
from accountant.arithmetic.floats import Float
from accountant.arithmetic.rationals import Exact
from accountant.arithmetic.symbols import Symbol

__all__ = ["Arithmetic", "Ball", "ConditionViolated", "Exact", "Float", "Number", "Symbol", "Undecided"]
