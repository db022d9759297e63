"""Whether labels are those of a loss: the constants that were certified hold for these alone."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from accountant.core.exact import canonical
from accountant.losses import (
    LeastSquaresLoss,
    LogisticLoss,
    Loss,
    PoissonLoss,
    ScaledLoss,
    SmoothedHingeLoss,
    SoftmaxLoss,
)

SIGNS = ("logistic", "smoothed-hinge")


def wrong_label(loss: Loss, labels: Tensor) -> tuple[int, str] | None:
    """The first of the labels (n,) that the loss does not have, and what to write there; None where all fit.

    ±1 for logistic regression and the smoothed hinge; 0 … classes − 1 for softmax regression; |y| ≤ target_bound for
    least squares; whole numbers from 0 to target_bound for Poisson regression; any number for Huber's loss.
    """
    kind = loss.model if isinstance(loss, ScaledLoss) else None
    if isinstance(loss, LogisticLoss | SmoothedHingeLoss) or kind in SIGNS:
        return _first(labels.abs() != 1, "write +1 for one class and -1 for the other")
    if isinstance(loss, SoftmaxLoss):
        return wrong_class(labels, loss.classes)
    if isinstance(loss, LeastSquaresLoss) or kind == "least-squares":
        limit = f"scale the targets to [-{canonical(loss.target_bound)}, {canonical(loss.target_bound)}]"
        return _first(_beyond(labels.abs(), loss.target_bound), limit)
    if isinstance(loss, PoissonLoss) or kind == "poisson":
        wrong = (labels < 0) | (labels != labels.round()) | _beyond(labels, loss.target_bound)
        return _first(wrong, f"write a whole number from 0 to target_bound = {canonical(loss.target_bound)}")
    return None


def wrong_class(labels: Tensor, classes: int) -> tuple[int, str] | None:
    """As `wrong_label`, for the numbers of that many classes."""
    wrong = (labels < 0) | (labels >= classes) | (labels != labels.round())
    return _first(wrong, f"number the classes from 0 to {classes - 1}")


def _beyond(labels: Tensor, bound: Fraction) -> Tensor:
    """Which labels are above the bound, exactly: a float64 is above it if it is above the largest one below it."""
    nearest = torch.tensor(float(bound), dtype=torch.float64)
    return labels > nearest if Fraction(nearest.item()) <= bound else labels >= nearest


def _first(wrong: Tensor, fix: str) -> tuple[int, str] | None:
    return (int(wrong.nonzero()[0]), fix) if wrong.any() else None
