"""The theorems, by family. Importing this fills the closed table `accountant.kernel.THEOREMS`."""

from accountant.losses import (
    huber_constants,
    least_squares_constants,
    logistic_constants,
    poisson_constants,
    smoothed_hinge_constants,
    softmax_constants,
)
from accountant.theorems.baselines import (
    chien2024_sequential,
    descent_to_delete,
    descent_to_delete_sequential,
    langevin_unlearning,
)
from accountant.theorems.bounded import bounded_domain
from accountant.theorems.privacy import (
    adaptive_composition,
    gaussian_profile,
    renyi_conversion,
    renyi_curve,
    triangle,
)
from accountant.theorems.published import chien2024_converged, chien2024_finite
from accountant.theorems.secret import secret_order
from accountant.theorems.shifts import closed_form, taut_string, unlearning_noise
from accountant.theorems.transport import (
    contraction,
    gradient_shift,
    requests,
    wasserstein_by_batch,
    wasserstein_tracking,
)
from accountant.theorems.witnesses import curved_witness, secret_witness, straight_witness

__all__ = [
    "adaptive_composition",
    "bounded_domain",
    "chien2024_converged",
    "chien2024_finite",
    "chien2024_sequential",
    "closed_form",
    "contraction",
    "curved_witness",
    "descent_to_delete",
    "descent_to_delete_sequential",
    "gaussian_profile",
    "gradient_shift",
    "huber_constants",
    "langevin_unlearning",
    "least_squares_constants",
    "logistic_constants",
    "poisson_constants",
    "renyi_conversion",
    "renyi_curve",
    "requests",
    "secret_order",
    "secret_witness",
    "smoothed_hinge_constants",
    "softmax_constants",
    "straight_witness",
    "taut_string",
    "triangle",
    "unlearning_noise",
    "wasserstein_by_batch",
    "wasserstein_tracking",
]
