"""From a mechanism's loss to the model that is executed for it."""

from __future__ import annotations

from accountant.losses import Loss, ScaledLoss, SoftmaxLoss
from learners.models.model import Model, Numbers
from learners.models.scalar import Linear, score_of
from learners.models.scaling import Scaled
from learners.models.softmax import Softmax


def model_of(loss: Loss, features: int, bound: float, numbers: Numbers) -> Model:
    """A model on records of `features` numbers whose data gradients stay within `bound`; `learners.vouch` comes first.

    Raises:
        TypeError: a loss that no linear model has.
    """
    if isinstance(loss, SoftmaxLoss):
        cut = not loss.constants().convex
        return Softmax(loss.classes, features, bound * numbers.room, cut, numbers.room)
    score = score_of(loss)
    if score is None:
        raise TypeError(f"loss: {type(loss).__name__} is not that of a linear model")
    scaled = Scaled.of(loss.scaling) if isinstance(loss, ScaledLoss) else None
    return Linear(score, features, bound * numbers.room, scaled)
