"""Say how a bound was derived: the tree of theorems, and each step's formula, printed from the theorem bodies
themselves.

explain(derivation) -> Explanation                    tree, statements, formulas, values
`accountant.explain.limits` has what becomes of a bound as T → ∞, K → ∞ and c → 1.
"""

from accountant.explain.formula import Formula
from accountant.explain.steps import Explanation, Step, Value, explain

__all__ = ["Explanation", "Formula", "Step", "Value", "explain"]
