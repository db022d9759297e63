"""What is learned: models of linear scores, softmax regression, and any module of torch, by their data gradients."""

from learners.models.choose import model_of
from learners.models.model import DTYPES, Batch, Model, Numbers
from learners.models.network import Clipped, Network, as_network
from learners.models.scalar import (
    Huber,
    LeastSquares,
    Linear,
    Logistic,
    Poisson,
    Score,
    SmoothedHinge,
    Straight,
    score_of,
)
from learners.models.scaling import Scaled
from learners.models.softmax import Softmax

__all__ = [
    "DTYPES",
    "Batch",
    "Clipped",
    "Huber",
    "LeastSquares",
    "Linear",
    "Logistic",
    "Model",
    "Network",
    "Numbers",
    "Poisson",
    "Scaled",
    "Score",
    "SmoothedHinge",
    "Softmax",
    "Straight",
    "as_network",
    "model_of",
    "score_of",
]
