"""The constants of a scalar linear model whose per-sample gradients are scaled."""

from __future__ import annotations

from accountant.core.kernel import Derivation, apply
from accountant.core.scaling import InvalidScaling, Scaling
from accountant.losses import SCALED_MODELS, DerivedLoss, Loss, ScaledLoss
from accountant.theorems.scaling import scaled_linear_constants


def scale_loss(loss: Loss, scaling: Scaling) -> ScaledLoss:
    """The same loss with scaled data gradients.

    Raises:
        InvalidScaling: a loss that is not a scalar linear model by name, or that has a clip of its own.
    """
    if not isinstance(loss, DerivedLoss) or loss.unscaled is None:
        raise InvalidScaling(
            "scaling",
            f"{type(loss).__name__} is not a scalar linear model: scaling keeps convexity for losses of one inner "
            f"product alone ({', '.join(SCALED_MODELS)})",
        )
    arguments = loss.arguments()
    if arguments.pop("clip") is not None:
        raise InvalidScaling("clip", "a loss is clipped or scaled, not both; leave one of them out")
    return ScaledLoss(loss.kind, scaling=scaling, **arguments)


def derive_scaled(loss: ScaledLoss) -> Derivation:
    """T16 on the model's own theorem: L, m, M, a premise of C1, C2 and the witnesses as L1–L5 are."""
    return apply(scaled_linear_constants, apply(loss.theorem, **loss.arguments()), **loss.scaling.arguments())


def derive_scaled_loss(loss: Loss, scaling: Scaling) -> Derivation:
    """L, m, M of a scalar linear model whose data gradients are scaled (T16), the regulariser added afterwards.

    Raises:
        InvalidScaling: as `scale_loss` does.
    """
    return derive_scaled(scale_loss(loss, scaling))
