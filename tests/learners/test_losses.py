"""What a learner says to a loss that can be certified but not yet run."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from accountant import HuberLoss, LeastSquaresLoss, NoisySGD, PoissonLoss, SmoothedHingeLoss, SoftmaxLoss  # noqa: E402
from learners import Dataset, LearnerRefused, vouch  # noqa: E402


@pytest.mark.learn
@pytest.mark.parametrize(
    "loss",
    [
        LeastSquaresLoss("0.1", 1, clip=1),
        HuberLoss("0.1", 1),
        SmoothedHingeLoss("0.1", 1),
        PoissonLoss("0.1", 1, clip=1),
        SoftmaxLoss("0.1", 3),
    ],
)
def test_a_loss_that_no_learner_executes_is_refused_by_name(loss) -> None:
    data = Dataset("two", torch.zeros(2, 1, dtype=torch.float64), torch.ones(2, dtype=torch.float64))
    with pytest.raises(LearnerRefused, match=rf"^loss: {type(loss).__name__} is certified, .* \"logistic\""):
        vouch(NoisySGD(2, 1, 1, "1", loss), data)
