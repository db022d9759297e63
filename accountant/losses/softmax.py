"""Multi-class logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, final

from accountant.arithmetic import Arithmetic, Exact, Number
from accountant.exact import canonical
from accountant.kernel import Theorem, theorem
from accountant.losses.base import DerivedLoss, InvalidLoss, check_features, clipped
from accountant.losses.rounding import sqrt_above
from accountant.quantities import LossBounds


@theorem(
    "L6",
    rational=True,
    concludes=LossBounds,
    source="theory T16 for why an active clip is refused; §0",
    assumes=("features", "classes"),
    oracle="tests/accountant/test_loss_families.py::test_constants_resist_an_adversary",
)
def softmax_constants(
    A: Arithmetic, *, regularization: Number, feature_norm: Number, classes: int, clip: Number | None
) -> LossBounds:
    """Softmax regression log Σ_i e^{⟨θ_i,x⟩} − ⟨θ_y,x⟩ + (m/2)|θ|², |x| ≤ X: L = m + X²/2 and M = √2·X, k classes.

    With p the softmax of the scores, the data gradient is (p − e_y) ⊗ x, and |p − e_y|² = (1−p_y)² + Σ_{i≠y} p_i²
    ≤ 2(1−p_y)² < 2. The Hessian is (diag p − pp') ⊗ xx', and v'(diag p − pp')v is the variance of v_i under p: at most
    (max v − min v)²/4 ≤ |v|²/2. The clipped gradient need not be one of a convex loss: only a clip that is never
    active, clip ≥ √2·X, is let through. In rationals, √2·X is the least decimal of 18 significant digits that is not
    below it.
    """
    check_features(A, regularization, feature_norm, clip)
    A.require(classes >= 2, "k ≥ 2", classes)
    if clip is not None:
        A.require(A.at_least(clip**2, 2 * feature_norm**2), "2X² ≤ clip²", clip)
    bound = clipped(A, sqrt_above(A, 2 * feature_norm**2), clip)
    return LossBounds(regularization + feature_norm**2 / 2, regularization, bound)


@final
@dataclass(frozen=True)
class SoftmaxLoss(DerivedLoss):
    """Softmax regression log Σ_i exp⟨θ_i,x⟩ − ⟨θ_y,x⟩ + (m/2)|θ|² over `classes` classes, |x| ≤ feature_norm.

    θ holds one row for each class. A clip below √2·feature_norm is refused: it could be active, and with several
    classes the clipped gradients need not belong to a convex loss.

    Raises:
        InvalidLoss: a constant out of its range, fewer than two classes, or a clip that may be active.
    """

    theorem: ClassVar[Theorem] = softmax_constants

    regularization: Fraction
    classes: int
    feature_norm: Fraction = Fraction(1)
    clip: Fraction | None = None

    def __post_init__(self) -> None:
        self._store_features()
        if isinstance(self.classes, bool) or not isinstance(self.classes, int):
            raise InvalidLoss("classes", f"{self.classes!r} must be a whole number")
        if self.classes < 2:
            raise InvalidLoss("classes", f"{self.classes} must be at least 2")
        if self.clip is not None and self.clip**2 < 2 * self.feature_norm**2:
            least = canonical(sqrt_above(Exact(), 2 * self.feature_norm**2))
            raise InvalidLoss(
                "clip",
                f"{canonical(self.clip)} is below the gradient bound √2·feature_norm; an active clip keeps convexity "
                f"for scalar linear models only: leave it out, or take {least} or more",
            )
