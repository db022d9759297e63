"""What is true: W∞ bounds, Gaussian-DP parameters, Rényi divergences and ε of noisy-gradient mechanisms, with proofs.

derive(mechanism) -> Derivation            the best bound that is proved, as a tree of theorems
enclose(derivation) -> Enclosure           its number, in balls, rounded outward
accountant.explain.explain(derivation)     its formulas

Names are loaded when first asked for: what certifies prints no formula, and needs no sympy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accountant.core.enclose import Enclosure, Indeterminate, enclose, enclose_all
    from accountant.core.kernel import ASSUMPTIONS, THEOREMS, Derivation, TheoremError, apply, evaluate
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

_HOME = {
    "ASSUMPTIONS": "core.kernel",
    "ClippedLoss": "losses",
    "ConstantLoss": "losses",
    "Derivation": "core.kernel",
    "Enclosure": "core.enclose",
    "FloatingPoint": "pnsgd.rounding",
    "HuberLoss": "losses",
    "Indeterminate": "core.enclose",
    "InvalidLoss": "losses",
    "InvalidMechanism": "mechanisms.pnsgd",
    "LeastSquaresLoss": "losses",
    "LogisticLoss": "losses",
    "NoisySGD": "mechanisms.pnsgd",
    "PoissonLoss": "losses",
    "ScaledLoss": "losses",
    "ScaledSGD": "mechanisms.dpsgd",
    "SmoothedHingeLoss": "losses",
    "SoftmaxLoss": "losses",
    "THEOREMS": "theorems",
    "TheoremError": "core.kernel",
    "apply": "core.kernel",
    "derive": "pnsgd.derive",
    "derive_distance": "pnsgd.derive",
    "derive_epsilon": "pnsgd.derive",
    "derive_farthest": "pnsgd.derive",
    "derive_from_distance": "pnsgd.derive",
    "derive_lower": "pnsgd.derive",
    "derive_published": "pnsgd.derive",
    "derive_renyi": "pnsgd.derive",
    "derive_timeline": "pnsgd.derive",
    "derive_upper": "pnsgd.derive",
    "derive_witness": "pnsgd.derive",
    "enclose": "core.enclose",
    "enclose_all": "core.enclose",
    "evaluate": "core.kernel",
    "executed_charge": "pnsgd.rounding",
    "least_executed_noise": "pnsgd.rounding",
}

__all__ = [
    "ASSUMPTIONS",
    "THEOREMS",
    "ClippedLoss",
    "ConstantLoss",
    "Derivation",
    "Enclosure",
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
    "least_executed_noise",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value
