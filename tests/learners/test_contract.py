"""The contract of learners, for every loss, every map, and a network clipped either way."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from accountant import ClippedLoss  # noqa: E402
from learners import Dataset, Network  # noqa: E402
from tests.learners.cases import CASES, data_of  # noqa: E402
from tests.learners.contract import LearnerContract, LinearContract  # noqa: E402

pytestmark = pytest.mark.learn


def of(name: str) -> type[LinearContract]:
    """The contract for a case of cases.py."""
    case = CASES[name]
    fields = {"loss": case.loss, "mechanism_fields": dict(case.mechanism)}

    def data(self, n=12, seed=0) -> Dataset:
        return data_of(case, n, seed=seed)

    return type(f"Test {name}", (LinearContract,), fields | {"data": data})


TestLogistic = of("logistic, clipped")
TestSoftmax = of("softmax")
TestLeastSquares = of("least squares, clipped")
TestHuber = of("huber")
TestSmoothedHinge = of("smoothed hinge")
TestPoisson = of("poisson, clipped")
TestScaled = of("huber, scaled by psasc")


class TestNetwork(LearnerContract):
    loss = ClippedLoss("0.1", "0.3")
    mechanism_fields = {"step_size": "0.2"}  # noqa: RUF012

    @property
    def network(self) -> Network:
        torch.manual_seed(0)
        return Network(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)))

    def data(self, n=12, seed=0) -> Dataset:
        rng = np.random.default_rng(seed)
        labels = torch.from_numpy(rng.integers(0, 3, n).astype(float))
        return Dataset("net", torch.from_numpy(rng.normal(size=(n, 3))), labels, 100)


class TestNetworkClippedAsAWhole(TestNetwork):
    loss = ClippedLoss("0.1", "0.3", "batch")
