"""What is true: W∞ bounds, Gaussian-DP parameters, Rényi divergences and ε of noisy-gradient mechanisms, with proofs.

derive(mechanism) -> Derivation            the best bound that is proved, as a tree of theorems
derive_training(mechanism, delta)          the same of DP-SGD and its relatives: ε from above and from below
enclose(derivation) -> Enclosure           its number, in balls, rounded outward
accountant.explain.explain(derivation)     its formulas

What `accountant.losses` offers is offered here, too. Names are loaded when first asked for: what certifies prints no
formula, and needs no sympy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazy_names import lazy_names

if TYPE_CHECKING:
    from accountant.core.enclose import Enclosure, Indeterminate, enclose, enclose_all
    from accountant.core.kernel import ASSUMPTIONS, THEOREMS, Derivation, TheoremError, apply, evaluate
    from accountant.dpsgd.aggregation import Aggregation, norm_margin, shrink_for
    from accountant.dpsgd.derive import derive_training, training_sensitivity
    from accountant.dpsgd.executed import (
        ExecutedTraining,
        Normals,
        TrainingExecution,
        executed_training,
        largest_batch,
        public_grids,
        training_execution,
    )
    from accountant.losses import *  # noqa: F403
    from accountant.mechanisms.dpsgd import Momentum, ScaledSGD, Stage
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

_HOMES = {
    "accountant.core.enclose": ("Enclosure", "Indeterminate", "enclose", "enclose_all"),
    "accountant.core.kernel": ("ASSUMPTIONS", "Derivation", "TheoremError", "apply", "evaluate"),
    "accountant.dpsgd.derive": ("derive_training", "training_sensitivity"),
    "accountant.dpsgd.aggregation": ("Aggregation", "norm_margin", "shrink_for"),
    "accountant.dpsgd.executed": (
        "ExecutedTraining",
        "Normals",
        "TrainingExecution",
        "executed_training",
        "largest_batch",
        "public_grids",
        "training_execution",
    ),
    "accountant.mechanisms.dpsgd": ("Momentum", "ScaledSGD", "Stage"),
    "accountant.mechanisms.pnsgd": ("InvalidMechanism", "NoisySGD"),
    "accountant.pnsgd.derive": (
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
    ),
    "accountant.pnsgd.rounding": ("FloatingPoint", "executed_charge", "least_executed_noise"),
    "accountant.theorems": ("THEOREMS",),
}

__all__ = [
    "ASSUMPTIONS",
    "THEOREMS",
    "Aggregation",
    "Derivation",
    "Enclosure",
    "ExecutedTraining",
    "FloatingPoint",
    "Indeterminate",
    "InvalidMechanism",
    "Momentum",
    "NoisySGD",
    "Normals",
    "ScaledSGD",
    "Stage",
    "TheoremError",
    "TrainingExecution",
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
    "derive_training",
    "derive_upper",
    "derive_witness",
    "enclose",
    "enclose_all",
    "evaluate",
    "executed_charge",
    "executed_training",
    "largest_batch",
    "least_executed_noise",
    "norm_margin",
    "public_grids",
    "shrink_for",
    "training_execution",
    "training_sensitivity",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, whole=("accountant.losses",))
