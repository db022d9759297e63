"""Multi-class logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import ClassVar, final

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import Theorem, theorem
from accountant.core.quantities import LossBounds
from accountant.core.rounding import sqrt_above
from accountant.losses.base import FEATURE_NORM, REGULARIZATION, DerivedLoss, InvalidLoss, Key, check_features, clipped


@theorem(
    "L6",
    rational=True,
    concludes=LossBounds,
    facts=Facts(Direction.EXACT, Family.LOSS, States.CONSTANTS, formula="body", profile=None, label=None),
    source="docs/theory.md L6, T16, T22",
    assumes=("features", "classes"),
    oracle="tests/accountant/losses/test_loss_families.py::test_constants_resist_an_adversary",
)
def softmax_constants(
    A: Arithmetic, *, regularization: Number, feature_norm: Number, classes: int, clip: Number | None
) -> LossBounds:
    """Softmax regression log Σ_i e^{⟨θ_i,x⟩} − ⟨θ_y,x⟩ + (m/2)|θ|², |x| ≤ X: L = m + X²/2, M = min(clip, √2·X), k
    classes; not convex where the clip can be active.

    With p the softmax of the scores, the data gradient is (p − e_y) ⊗ x, and |p − e_y|² = (1−p_y)² + Σ_{i≠y} p_i²
    ≤ 2(1−p_y)² < 2. The Hessian is (diag p − pp') ⊗ xx', and v'(diag p − pp')v is the variance of v_i under p: at most
    (max v − min v)²/4 ≤ |v|²/2. Clipping projects the gradient on a ball, which is 1-Lipschitz and keeps L; but what
    is clipped need not be the gradient of a convex loss, unless the clip is never active, clip ≥ √2·X. In rationals,
    √2·X is the least decimal of 18 significant digits that is not below it.
    """
    check_features(A, regularization, feature_norm, clip)
    A.require(classes >= 2, "k ≥ 2", classes)
    convex = clip is None or A.at_least(clip**2, 2 * feature_norm**2) is True
    bound = clipped(A, sqrt_above(A, 2 * feature_norm**2), clip)
    return LossBounds(regularization + feature_norm**2 / 2, regularization, bound, convex)


@final
@dataclass(frozen=True)
class SoftmaxLoss(DerivedLoss):
    """Softmax regression log Σ_i exp⟨θ_i,x⟩ − ⟨θ_y,x⟩ + (m/2)|θ|² over `classes` classes, |x| ≤ feature_norm.

    θ holds one row for each class. A clip below √2·feature_norm can be active: with several classes the clipped
    gradients need not belong to a convex loss, and the loss counts as not convex.

    Raises:
        InvalidLoss: a constant out of its range, or fewer than two classes.
    """

    kind = "softmax"
    words = "multi-class logistic regression; the constants are derived"
    run_keys = MappingProxyType(
        {
            "regularization": REGULARIZATION,
            "feature_norm": FEATURE_NORM,
            "classes": Key("number of classes"),
            "clip": Key(
                "as for logistic; below √2·feature_norm it may break convexity, and the loss counts as such", "C"
            ),
        }
    )
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
