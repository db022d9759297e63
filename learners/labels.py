"""Whether labels are those of a loss: the constants that were certified hold for these alone."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from accountant.core.exact import canonical
from accountant.losses import DerivedLoss, Loss


def wrong_label(loss: Loss, labels: Tensor) -> tuple[int, str] | None:
    """The first of the labels (n,) that the loss does not have, and what to write there; None where all fit.

    What the loss's theorem assumes of them decides: ±1 for logistic regression and the smoothed hinge; 0 … classes − 1
    for softmax regression; |y| ≤ target_bound for least squares; whole numbers from 0 to target_bound for Poisson
    regression; any number for Huber's loss.
    """
    assumed = loss.theorem.assumes if isinstance(loss, DerivedLoss) else ()
    known: Any = loss
    if "feature_norm" in assumed:
        return _first(labels.abs() != 1, "write +1 for one class and -1 for the other")
    if "classes" in assumed:
        return wrong_class(labels, known.classes)
    if "target_bound" in assumed:
        limit = f"scale the targets to [-{canonical(known.target_bound)}, {canonical(known.target_bound)}]"
        return _first(_beyond(labels.abs(), known.target_bound), limit)
    if "counts" in assumed:
        wrong = (labels < 0) | (labels != labels.round()) | _beyond(labels, known.target_bound)
        return _first(wrong, f"write a whole number from 0 to target_bound = {canonical(known.target_bound)}")
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
