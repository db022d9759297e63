"""The minimiser of the regularised logistic loss, without noise. It has the least loss on its own data, which need not
be the greatest accuracy on others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

if TYPE_CHECKING:
    from torch import Tensor

    from accountant import NoisySGD
    from learners import Dataset


def optimum(dataset: Dataset, mechanism: NoisySGD) -> Tensor:
    """θ (d,) with the least mean of log(1 + exp(−y⟨x, θ⟩)) + (m/2)|θ|², to 1e-9 in the gradient; a record that is
    absent counts in the mean and has no gradient, as in the learner."""
    import torch

    features, labels = dataset.features.numpy(), dataset.labels.numpy()
    m = float(mechanism.loss.constants().strong_convexity)

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        margins = labels * (features @ theta)
        slopes = -labels * expit(-margins)
        value = np.logaddexp(0, -margins).mean() + m / 2 * theta @ theta
        return float(value), features.T @ slopes / len(labels) + m * theta

    start = np.zeros(features.shape[1])
    return torch.from_numpy(minimize(objective, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-9}).x)
