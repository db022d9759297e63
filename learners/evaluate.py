"""How good a model is, what it predicts, and how far two are apart. No noise protects figures on training data."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor, nn

from accountant.losses import SoftmaxLoss
from accountant.mechanisms.pnsgd import NoisySGD
from learners.data import Dataset
from learners.models import Logistic, Network, Poisson, SmoothedHinge, as_network, score_of


@dataclass(frozen=True)
class Prediction:
    """scores: (n,) linear scores, or (n, k) of the classes. labels (n,): what they say in the data's own terms: ±1, a
    class number, a target, or the expected count."""

    scores: Tensor
    labels: Tensor


def predict(
    parameters: Tensor, mechanism: NoisySGD, features: Tensor, *, model: nn.Module | Network | None = None
) -> Prediction:
    """What a model says of records (n, d). parameters: (d,), or (k·d,) for softmax regression with k classes, or those
    of `model`, the module that was learned.

    To show a prediction is to show something of the model: it is a release.

    Raises:
        ValueError: a loss that is not that of a linear model, and no module; or features of another dimension.
    """
    network = as_network(model)
    if network is not None:
        return Prediction(*network.predict(parameters, features))
    loss, score = mechanism.loss, score_of(mechanism.loss)
    classes = loss.classes if isinstance(loss, SoftmaxLoss) else 1
    if classes == 1 and score is None:
        raise ValueError(f"loss: {type(loss).__name__} is not that of a linear model; give the module")
    if features.ndim != 2 or features.shape[1] * classes != len(parameters):
        raise ValueError(f"features: {tuple(features.shape)}; give (n, {len(parameters) // classes})")
    if isinstance(loss, SoftmaxLoss):
        scores = features @ parameters.reshape(classes, -1).T
        return Prediction(scores, scores.argmax(dim=1).to(parameters.dtype))
    scores = features @ parameters
    if isinstance(score, Logistic | SmoothedHinge):
        return Prediction(scores, torch.where(scores > 0, 1.0, -1.0).to(scores.dtype))
    return Prediction(scores, scores.exp() if isinstance(score, Poisson) else scores)


def objective(parameters: Tensor, mechanism: NoisySGD, dataset: Dataset) -> float:
    """Mean data loss plus (m/2)|parameters|² of a linear model; an absent record's loss is 0, and counted in the mean.

    A run whose gradients are clipped or scaled descends another one. Raises ValueError as `predict` does.
    """
    loss, scores = mechanism.loss, predict(parameters, mechanism, dataset.features).scores
    if isinstance(loss, SoftmaxLoss):
        values = torch.nn.functional.cross_entropy(scores, dataset.labels.long(), reduction="none")
    else:
        values = score_of(loss).value(scores, dataset.labels)  # type: ignore[union-attr]  # predict has looked
    values[list(dataset.absent)] = 0.0
    return (values.mean() + float(loss.numbers()["regularization"]) / 2 * parameters.square().sum()).item()


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
