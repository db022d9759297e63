"""The theorems, by family. Importing this fills the closed table `accountant.kernel.THEOREMS`."""

from accountant.losses import logistic_constants
from accountant.theorems.bounded import bounded_domain
from accountant.theorems.privacy import gaussian_profile, renyi_conversion, renyi_curve
from accountant.theorems.published import chien2024_converged, chien2024_finite
from accountant.theorems.shifts import closed_form, straight_witness, taut_string, unlearning_noise
from accountant.theorems.transport import (
    contraction,
    gradient_shift,
    requests,
    wasserstein_by_batch,
    wasserstein_tracking,
)

__all__ = [
    "bounded_domain",
    "chien2024_converged",
    "chien2024_finite",
    "closed_form",
    "contraction",
    "gaussian_profile",
    "gradient_shift",
    "logistic_constants",
    "renyi_conversion",
    "renyi_curve",
    "requests",
    "straight_witness",
    "taut_string",
    "unlearning_noise",
    "wasserstein_by_batch",
    "wasserstein_tracking",
]
