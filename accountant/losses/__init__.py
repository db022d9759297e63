"""L, m, M of losses: derived, not asserted, one file for each family. Constants of the user's own are *attested*.

A loss is one file, with its theorems and its record, and its place in LOSSES; run files, pages, formulas and what can
be scaled are drawn from there.
"""

from accountant.losses.base import DerivedLoss, InvalidLoss, NamedLoss
from accountant.losses.clipped import ClippedLoss, batch_clipped_constants, clipped_constants
from accountant.losses.constant import ConstantLoss
from accountant.losses.huber import HuberLoss, huber_constants, huber_model
from accountant.losses.least_squares import LeastSquaresLoss, least_squares_constants, least_squares_model
from accountant.losses.logistic import LogisticLoss, logistic_constants, logistic_model
from accountant.losses.poisson import PoissonLoss, poisson_constants, poisson_model
from accountant.losses.scaled import ScaledLoss, linear_losses
from accountant.losses.smoothed_hinge import SmoothedHingeLoss, smoothed_hinge_constants, smoothed_hinge_model
from accountant.losses.softmax import SoftmaxLoss, softmax_constants

LOSSES: tuple[type[NamedLoss], ...] = (  # in the order in which pages and refusals list them
    LogisticLoss,
    LeastSquaresLoss,
    HuberLoss,
    SmoothedHingeLoss,
    PoissonLoss,
    SoftmaxLoss,
    ConstantLoss,
    ClippedLoss,
)
Loss = ConstantLoss | DerivedLoss
SCALED_MODELS = tuple(linear_losses())  # the kinds that T16 speaks of

__all__ = [
    "LOSSES",
    "SCALED_MODELS",
    "ClippedLoss",
    "ConstantLoss",
    "DerivedLoss",
    "HuberLoss",
    "InvalidLoss",
    "LeastSquaresLoss",
    "LogisticLoss",
    "Loss",
    "NamedLoss",
    "PoissonLoss",
    "ScaledLoss",
    "SmoothedHingeLoss",
    "SoftmaxLoss",
    "batch_clipped_constants",
    "clipped_constants",
    "huber_constants",
    "huber_model",
    "least_squares_constants",
    "least_squares_model",
    "logistic_constants",
    "logistic_model",
    "poisson_constants",
    "poisson_model",
    "smoothed_hinge_constants",
    "smoothed_hinge_model",
    "softmax_constants",
]
