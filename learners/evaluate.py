"""How good a linear model is, and how far two are apart. No noise protects figures on training data."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from learners.data import Dataset


def accuracy(parameters: Tensor, dataset: Dataset) -> float:
    """Share of the records whose score's sign is their label; a score of 0 counts as wrong. parameters: (d,)."""
    return (dataset.features @ parameters * dataset.labels > 0).double().mean().item()


def mean_loss(parameters: Tensor, dataset: Dataset, regularization: Fraction | int = 0) -> float:
    """Mean logistic loss plus (regularization/2)·|parameters|²; an active clip makes the run descend another one."""
    data = torch.nn.functional.softplus(-dataset.labels * (dataset.features @ parameters)).mean()
    return (data + float(regularization) / 2 * parameters.square().sum()).item()


def distance(one: Tensor, other: Tensor) -> float:
    """Euclidean distance of two models, in parameter units."""
    return torch.linalg.vector_norm(one - other).item()
