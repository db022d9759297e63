"""Other ways to unlearn, to compare with, behind one interface: METHODS by name, each with `learn` and `unlearn`.

What they return is no `State`: none of it can be taken for a run that was certified.
"""

from learners.baselines.known import DescentToDelete, Langevin, Retraining
from learners.baselines.method import NO_GUARANTEE, Learned, Method
from learners.baselines.without_guarantee import FineTuning, GradientAscent

METHODS: dict[str, Method] = {
    method.name: method for method in (Retraining(), Langevin(), DescentToDelete(), FineTuning(), GradientAscent())
}

__all__ = [
    "METHODS",
    "NO_GUARANTEE",
    "DescentToDelete",
    "FineTuning",
    "GradientAscent",
    "Langevin",
    "Learned",
    "Method",
    "Retraining",
]
