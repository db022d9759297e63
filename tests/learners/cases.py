"""Losses to be run, data that fit each of them, and the data gradients of the statements in docs/theory.md, by hand.

`by_hand` is an oracle: plain numpy, one record at a time, from the formulas of L1 to L6 and T16; it shares no code with
the learners. Its rounding errors are a few units in the last place of sums of a dozen numbers: 1e-13 at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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

SIGNS, CLASSES, TARGETS, COUNTS = "signs", "classes", "targets", "counts"


@dataclass(frozen=True)
class Case:
    """A loss, its labels, and what else the mechanism needs; clip, kind, … of `by_hand`."""

    loss: object
    kind: str
    labels: str
    clip: float | None = None
    mechanism: tuple = ()
    number: float = 0.0  # Huber's threshold, the hinge's smoothing, the number of classes

    @property
    def width(self) -> int:
        return int(self.number) if self.kind == "softmax" else 1


def scaled(model, scaling, **numbers):
    return ScaledLoss(model, "0.1", scaling, **numbers)


BALL = (("radius", "1.5"),)
CASES = {
    "logistic": Case(LogisticLoss("0.1"), "logistic", SIGNS),
    "logistic, clipped": Case(LogisticLoss("0.1", 1, "0.2"), "logistic", SIGNS, 0.2),
    "softmax": Case(SoftmaxLoss("0.1", 3), "softmax", CLASSES, number=3),
    "softmax, clipped": Case(SoftmaxLoss("0.1", 3, 1, "0.3"), "softmax", CLASSES, 0.3, BALL, 3),
    "softmax, two classes": Case(SoftmaxLoss("0.1", 2, 1, 2), "softmax", CLASSES, number=2),
    "least squares in a ball": Case(LeastSquaresLoss("0.1", 2, radius="1.5"), "squares", TARGETS, mechanism=BALL),
    "least squares, clipped": Case(LeastSquaresLoss("0.1", 2, clip="0.4"), "squares", TARGETS, 0.4),
    "huber": Case(HuberLoss("0.1", "0.5"), "huber", TARGETS, number=0.5),
    "huber, clipped": Case(HuberLoss("0.1", "0.5", 1, "0.2"), "huber", TARGETS, 0.2, number=0.5),
    "smoothed hinge": Case(SmoothedHingeLoss("0.1", "0.5"), "hinge", SIGNS, number=0.5),
    "smoothed hinge, clipped": Case(SmoothedHingeLoss("0.1", "0.5", 1, "0.3"), "hinge", SIGNS, 0.3, number=0.5),
    "poisson in a ball": Case(PoissonLoss("0.1", 4, radius="1.5"), "poisson", COUNTS, mechanism=BALL),
    "poisson, clipped": Case(PoissonLoss("0.1", 4, clip="0.7"), "poisson", COUNTS, 0.7),
    "poisson, clipped in a ball": Case(PoissonLoss("0.1", 4, 1, "0.7", "1.5"), "poisson", COUNTS, 0.7, BALL),
    "logistic, scaled by clip": Case(scaled("logistic", Clip("0.2")), "logistic", SIGNS),
    "logistic, scaled by auto-s": Case(scaled("logistic", AutoS(1, "0.3")), "logistic", SIGNS),
    "least squares, scaled by psac": Case(scaled("least-squares", Psac(1, "0.5"), target_bound=2), "squares", TARGETS),
    "huber, scaled by psasc": Case(scaled("huber", Psasc(1, "0.5", 2), threshold="0.5"), "huber", TARGETS, number=0.5),
    "hinge, scaled by psasc": Case(scaled("smoothed-hinge", Psasc(1, 1, "0.4"), smoothing="0.5"), "hinge", SIGNS,
                                   number=0.5),
    "poisson, scaled by auto-s": Case(scaled("poisson", AutoS("0.7", 1), target_bound=4), "poisson", COUNTS),
    "poisson, scaled in a ball": Case(scaled("poisson", Psac("0.7", 1), target_bound=4, radius="1.5"), "poisson",
                                      COUNTS, mechanism=BALL),
}  # fmt: skip


def mechanism_of(case: Case, **changes) -> NoisySGD:
    fields = {"samples": 12, "batch_size": 4, "epochs": 5, "noise_std": "0.1", "unlearning_epochs": (2,)}
    return NoisySGD(loss=case.loss, **(fields | dict(case.mechanism) | changes))


def data_of(case: Case, n: int = 12, d: int = 3, seed: int = 0):
    """Rows of different norms up to 1, labels as the case has them."""
    import torch

    from learners import Dataset, normalise

    rng = np.random.default_rng(seed)
    rows = normalise(torch.from_numpy(rng.normal(size=(n, d)))) * torch.from_numpy(rng.uniform(0.2, 1, size=(n, 1)))
    labels = {
        SIGNS: lambda: rng.choice([-1.0, 1.0], n),
        CLASSES: lambda: rng.integers(0, case.width, n).astype(float),
        TARGETS: lambda: rng.uniform(-2, 2, n),
        COUNTS: lambda: rng.integers(0, 5, n).astype(float),
    }[case.labels]()
    return Dataset(f"random {seed}", rows, torch.from_numpy(labels))


def by_hand(case: Case, theta: np.ndarray, x: np.ndarray, y: float) -> np.ndarray:
    """One record's data gradient at θ (width·d,), clipped or scaled."""
    if case.kind == "softmax":
        scores = theta.reshape(case.width, -1) @ x
        p = np.exp(scores - scores.max())
        p /= p.sum()
        p[int(y)] -= 1
        gradient = np.outer(p, x).ravel()
    else:
        z = x @ theta
        margin = 1 - y * z
        slope = {
            "logistic": lambda: -y / (1 + np.exp(y * z)),
            "squares": lambda: z - y,
            "huber": lambda: max(-case.number, min(case.number, z - y)),
            "hinge": lambda: -y * (0 if margin <= 0 else 1 if margin >= case.number else margin / case.number),
            "poisson": lambda: np.exp(z) - y,
        }[case.kind]()
        gradient = slope * x
    norm = np.sqrt((gradient * gradient).sum())
    if norm == 0:
        return gradient
    if case.clip is not None:
        return gradient * min(1.0, case.clip / norm)
    return gradient * weight(case.loss.scaling, norm) if isinstance(case.loss, ScaledLoss) else gradient


def weight(scaling, norm):
    """The four maps as T16's sources print them."""
    c = float(scaling.max_grad_norm)
    if scaling.kind == "clip":
        return min(1.0, c / norm)
    r = float(scaling.r)
    if scaling.kind == "auto-s":
        return c / (norm + r)
    return c / ((1.0 if scaling.kind == "psac" else float(scaling.s)) * norm + r / (norm + r))


def field(case: Case, theta: np.ndarray, features: np.ndarray, labels: np.ndarray, divisor: int) -> np.ndarray:
    """What a batch's step goes against: Σ of data gradients / divisor + mθ."""
    total = sum(by_hand(case, theta, x, y) for x, y in zip(features, labels, strict=True))
    return total / divisor + float(case.loss.regularization) * theta
