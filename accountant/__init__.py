"""What is true: W∞ bounds, Gaussian-DP parameters, Rényi divergences and ε of noisy-gradient mechanisms, with proofs.

derive(mechanism) -> Derivation            the best bound that is proved, as a tree of theorems
enclose(derivation) -> Enclosure           its number, in balls, rounded outward
explain(derivation) -> str                 its formulas
"""

from accountant.core.enclose import Enclosure, Indeterminate, enclose, enclose_all
from accountant.core.kernel import ASSUMPTIONS, THEOREMS, Derivation, TheoremError, apply, evaluate
from accountant.explain import Explanation, explain
from accountant.losses import (
    ClippedLoss,
    ConstantLoss,
    HuberLoss,
    InvalidLoss,
    LeastSquaresLoss,
    LogisticLoss,
    PoissonLoss,
    ScaledLoss,
    SmoothedHingeLoss,
    SoftmaxLoss,
)
from accountant.mechanisms.dpsgd import ScaledSGD
from accountant.mechanisms.pnsgd import InvalidMechanism, NoisySGD
from accountant.pnsgd.derive import (
    derive,
    derive_distance,
    derive_epsilon,
    derive_farthest,
    derive_from_distance,
    derive_lower,
    derive_published,
    derive_renyi,
    derive_timeline,
    derive_upper,
    derive_witness,
)
from accountant.pnsgd.rounding import FloatingPoint, executed_charge, least_executed_noise

__all__ = [
    "ASSUMPTIONS",
    "THEOREMS",
    "ClippedLoss",
    "ConstantLoss",
    "Derivation",
    "Enclosure",
    "Explanation",
    "FloatingPoint",
    "HuberLoss",
    "Indeterminate",
    "InvalidLoss",
    "InvalidMechanism",
    "LeastSquaresLoss",
    "LogisticLoss",
    "NoisySGD",
    "PoissonLoss",
    "ScaledLoss",
    "ScaledSGD",
    "SmoothedHingeLoss",
    "SoftmaxLoss",
    "TheoremError",
    "apply",
    "derive",
    "derive_distance",
    "derive_epsilon",
    "derive_farthest",
    "derive_from_distance",
    "derive_lower",
    "derive_published",
    "derive_renyi",
    "derive_timeline",
    "derive_upper",
    "derive_witness",
    "enclose",
    "enclose_all",
    "evaluate",
    "executed_charge",
    "explain",
    "least_executed_noise",
]
