"""For each loss, data on which one record does all that its constants allow: the straight witness of docs/theory.md T6,
made of the loss's own gradients. Twelve records in three batches; all but one have features 0, and so no gradient; the
one that differs is in the last batch and pulls as hard as M from wherever a run may get to, in one direction in the
first data set, in the other (replace-one) or not at all (remove-one) in the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from accountant import (
    HuberLoss,
    LeastSquaresLoss,
    LogisticLoss,
    NoisySGD,
    PoissonLoss,
    ScaledLoss,
    SmoothedHingeLoss,
    SoftmaxLoss,
)
from accountant.core.scaling import AutoS, Clip, Psac, Psasc
from learners.models import Batch, Model, Numbers, model_of
from learners.stepping import Rule

PLACE = 11  # of the record that differs


@dataclass(frozen=True)
class Witness:
    """labels: of the record that differs (x = 1) in the two data sets; the second is None where it is absent there.

    start: where both runs begin, far out where a slope only saturates there. nearly: how much less than M the record
    pulls, relatively.
    """

    loss: Any
    labels: tuple[float, float | None]
    noise_std: str = "0.05"
    start: tuple[float, ...] = (0.0,)
    nearly: float = 1e-9

    @property
    def mechanism(self) -> NoisySGD:
        neighbours = "remove-one" if self.labels[1] is None else "replace-one"
        return NoisySGD(12, 4, 6, self.noise_std, self.loss, unlearning_epochs=(2,), neighbours=neighbours, radius=None)

    @property
    def others(self) -> float:
        """A label that the loss has; with features 0 it is of no account."""
        return 0.0 if isinstance(self.loss, SoftmaxLoss | PoissonLoss) else 1.0

    def model(self) -> Model:
        rule = Rule.of(self.mechanism)
        return model_of(self.loss, 1, rule.gradient_bound, Numbers(length=1))

    def batches(self, second: bool) -> list[Batch]:
        """Of the first or the second data set."""
        features, labels = torch.zeros(12, 1, dtype=torch.float64), torch.full((12,), self.others, dtype=torch.float64)
        label = self.labels[second]
        if label is not None:
            features[PLACE], labels[PLACE] = 1.0, label
        there = torch.ones(12, dtype=torch.bool)
        there[PLACE] = label is not None
        return [self.model().batch(features[i : i + 4], labels[i : i + 4], there[i : i + 4]) for i in (0, 4, 8)]

    def along(self, x: Tensor) -> Tensor:
        """Coordinate (…) of x (…, p) in the direction in which the record pulls; for softmax from class 0 to 2."""
        if isinstance(self.loss, SoftmaxLoss):
            return (x[..., 2] - x[..., 0]) / 2**0.5
        return x[..., 0]


def scaled(model: str, scaling: Any, regularization: str = "0.3", **numbers: Any) -> ScaledLoss:
    return ScaledLoss(model, regularization, scaling, **numbers)


FAR = (1e6,)
WITNESSES = {
    "logistic, saturated": Witness(LogisticLoss("0.05"), (-1.0, None), start=FAR, nearly=1e-7),
    "logistic, clipped": Witness(LogisticLoss("0.1", 1, "0.2"), (1.0, -1.0), "0.02"),
    "softmax, saturated": Witness(SoftmaxLoss("0.05", 3), (2.0, None), start=(1e6, 0.0, -1e6), nearly=1e-7),
    "least squares, clipped": Witness(LeastSquaresLoss("0.5", 2, clip="0.4"), (2.0, -2.0)),
    "huber": Witness(HuberLoss("0.5", "0.5"), (5.0, -5.0)),
    "huber, clipped": Witness(HuberLoss("0.5", "0.5", 1, "0.2"), (5.0, -5.0), "0.02"),
    "smoothed hinge": Witness(SmoothedHingeLoss("1", "0.5"), (1.0, -1.0)),
    "smoothed hinge, clipped": Witness(SmoothedHingeLoss("1", "0.5", 1, "0.3"), (1.0, -1.0), "0.02"),
    "poisson, clipped": Witness(PoissonLoss("1", 4, clip="0.7"), (4.0, 0.0)),
    "logistic, scaled by clip": Witness(scaled("logistic", Clip("0.2"), "0.1"), (1.0, -1.0), "0.02"),
    "logistic, scaled by psac": Witness(
        scaled("logistic", Psac(1, "0.5"), "0.05"), (-1.0, None), start=FAR, nearly=1e-7
    ),
    "huber, scaled by psasc": Witness(scaled("huber", Psasc(1, "0.5", 2), threshold="0.5"), (5.0, -5.0)),
    "hinge, scaled by auto-s": Witness(scaled("smoothed-hinge", AutoS(1, 1), smoothing="0.5"), (1.0, -1.0)),
    "least squares, scaled by auto-s": Witness(
        scaled("least-squares", AutoS(1, 1), target_bound=10**6), (10.0**6, -(10.0**6)), nearly=1e-5
    ),
    "poisson, scaled by psac": Witness(
        scaled("poisson", Psac(1, "0.1"), target_bound=1000), (1000.0, None), "0.002", nearly=1e-3
    ),
}
