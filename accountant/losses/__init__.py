"""L, m, M of losses: derived, not asserted, one file for each family. Constants of the user's own are *attested*."""

from accountant.losses.base import DerivedLoss, InvalidLoss
from accountant.losses.clipped import ClippedLoss, batch_clipped_constants, clipped_constants
from accountant.losses.constant import ConstantLoss
from accountant.losses.huber import HuberLoss, huber_constants
from accountant.losses.least_squares import LeastSquaresLoss, least_squares_constants
from accountant.losses.logistic import LogisticLoss, logistic_constants
from accountant.losses.poisson import PoissonLoss, poisson_constants
from accountant.losses.scaled import SCALED_MODELS, ScaledLoss
from accountant.losses.smoothed_hinge import SmoothedHingeLoss, smoothed_hinge_constants
from accountant.losses.softmax import SoftmaxLoss, softmax_constants

Loss = (
    ConstantLoss
    | LogisticLoss
    | LeastSquaresLoss
    | HuberLoss
    | SmoothedHingeLoss
    | PoissonLoss
    | SoftmaxLoss
    | ClippedLoss
    | ScaledLoss
)

__all__ = [
    "SCALED_MODELS",
    "ClippedLoss",
    "ConstantLoss",
    "DerivedLoss",
    "HuberLoss",
    "InvalidLoss",
    "LeastSquaresLoss",
    "LogisticLoss",
    "Loss",
    "PoissonLoss",
    "ScaledLoss",
    "SmoothedHingeLoss",
    "SoftmaxLoss",
    "batch_clipped_constants",
    "clipped_constants",
    "huber_constants",
    "least_squares_constants",
    "logistic_constants",
    "poisson_constants",
    "smoothed_hinge_constants",
    "softmax_constants",
]
