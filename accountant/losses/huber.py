"""Robust regression with Huber's loss."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import ClassVar, final

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import Theorem, theorem
from accountant.core.quantities import LinearLoss, LossBounds
from accountant.losses.base import (
    CLIP,
    FEATURE_NORM,
    REGULARIZATION,
    DerivedLoss,
    Key,
    check_features,
    check_model,
    clipped,
    store,
)


@theorem(
    "L3",
    rational=True,
    concludes=LossBounds,
    facts=Facts(Direction.EXACT, Family.LOSS, States.CONSTANTS, formula="body", profile=None, label=None),
    source="docs/theory.md L3, T16",
    assumes=("features",),
    oracle="tests/accountant/losses/test_loss_families.py::test_constants_resist_an_adversary",
)
def huber_constants(
    A: Arithmetic, *, regularization: Number, feature_norm: Number, threshold: Number, clip: Number | None
) -> LossBounds:
    """Huber regression h(⟨x,θ⟩ − y) + (m/2)|θ|², |x| ≤ X: L = m + X² and M = min(clip, κ·X), whatever the targets are.

    h(t) = t²/2 for |t| ≤ κ, κ|t| − κ²/2 beyond: its derivative is t cut off at ±κ, which has slope at most 1. Clipping
    cuts it off earlier.
    """
    check_features(A, regularization, feature_norm, clip)
    A.require(A.at_least(threshold, A.of(0)), "0 ≤ κ", threshold)
    bound = clipped(A, threshold * feature_norm, clip)
    return LossBounds(regularization + feature_norm**2, regularization, bound)


@theorem(
    "L3u",
    rational=True,
    concludes=LinearLoss,
    facts=Facts(Direction.EXACT, Family.SCALING, States.CONSTANTS, formula=None, profile=None, label=None),
    source="docs/theory.md L3u, L3",
    assumes=("features",),
    oracle="tests/accountant/losses/test_scaled_losses.py::test_models_are_the_losses_without_a_clip",
)
def huber_model(A: Arithmetic, *, regularization: Number, feature_norm: Number, threshold: Number) -> LinearLoss:
    """Huber regression h(⟨x,θ⟩ − y), |x| ≤ X, quadratic up to κ, unclipped: curvature X², data gradients up to κ·X."""
    check_model(A, regularization, feature_norm)
    A.require(A.at_least(threshold, A.of(0)), "0 ≤ κ", threshold)
    return LinearLoss(regularization, feature_norm**2, threshold * feature_norm)


@final
@dataclass(frozen=True)
class HuberLoss(DerivedLoss):
    """Huber regression h(⟨x,θ⟩ − y) + (m/2)|θ|², h quadratic up to `threshold` and linear beyond, |x| ≤ feature_norm.

    Each record's data gradient is clipped to norm `clip` before the batch's mean is taken. It needs no bounded domain
    and no bounded targets.

    Raises:
        InvalidLoss: a constant that is not positive (the regularisation may be 0).
    """

    kind = "huber"
    words = "Huber regression: least squares with linear tails; the constants are derived"
    run_keys = MappingProxyType(
        {
            "regularization": REGULARIZATION,
            "feature_norm": FEATURE_NORM,
            "threshold": Key("residual beyond which the loss is linear", "kappa"),
            "clip": CLIP,
        }
    )
    theorem: ClassVar[Theorem] = huber_constants
    unscaled: ClassVar[Theorem | None] = huber_model

    regularization: Fraction
    threshold: Fraction
    feature_norm: Fraction = Fraction(1)
    clip: Fraction | None = None

    def __post_init__(self) -> None:
        self._store_features()
        store(self, "threshold", positive=True)
