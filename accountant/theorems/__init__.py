"""The theorems, by family; those of losses stand in accountant.losses. Importing this fills the closed table
`accountant.core.kernel.THEOREMS`."""

import accountant.losses  # noqa: F401  fills it, too
from accountant.core.kernel import THEOREMS as THEOREMS  # filled by what follows
from accountant.theorems.baselines import (
    chien2024_sequential,
    descent_to_delete,
    descent_to_delete_sequential,
    langevin_unlearning,
)
from accountant.theorems.bounded import bounded_domain
from accountant.theorems.executed import executed_sums
from accountant.theorems.gauges import gauges, gauges_in_a_ball
from accountant.theorems.gaussian_sums import full_batches, full_batches_witness
from accountant.theorems.nonconvex import batch_clipped_step, clipped_step, nonconvex_step, range_before_noise
from accountant.theorems.privacy import (
    adaptive_composition,
    gaussian_profile,
    renyi_conversion,
    renyi_curve,
    triangle,
)
from accountant.theorems.published import chien2024_converged, chien2024_finite, koloskova2025
from accountant.theorems.rounding import noise_floor, rounding_charge
from accountant.theorems.scaling import bounded_sensitivity, momentum, scaled_linear_constants, scaled_sensitivity
from accountant.theorems.secret import secret_order, secret_renyi
from accountant.theorems.shifts import closed_form, taut_string, unlearning_noise
from accountant.theorems.subsampled import (
    disjoint_batches,
    group_distribution,
    group_distribution_witness,
    loss_distribution,
    loss_distribution_witness,
    subsampled_renyi,
    subsampled_renyi_quadrature,
    truncated_poisson,
)
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
    "batch_clipped_step",
    "bounded_domain",
    "bounded_sensitivity",
    "chien2024_converged",
    "chien2024_finite",
    "chien2024_sequential",
    "clipped_step",
    "closed_form",
    "contraction",
    "curved_witness",
    "descent_to_delete",
    "descent_to_delete_sequential",
    "disjoint_batches",
    "executed_sums",
    "full_batches",
    "full_batches_witness",
    "gauges",
    "gauges_in_a_ball",
    "gaussian_profile",
    "gradient_shift",
    "group_distribution",
    "group_distribution_witness",
    "koloskova2025",
    "langevin_unlearning",
    "loss_distribution",
    "loss_distribution_witness",
    "momentum",
    "noise_floor",
    "nonconvex_step",
    "range_before_noise",
    "renyi_conversion",
    "renyi_curve",
    "requests",
    "rounding_charge",
    "scaled_linear_constants",
    "scaled_sensitivity",
    "secret_order",
    "secret_renyi",
    "secret_witness",
    "straight_witness",
    "subsampled_renyi",
    "subsampled_renyi_quadrature",
    "taut_string",
    "triangle",
    "truncated_poisson",
    "unlearning_noise",
    "wasserstein_by_batch",
    "wasserstein_tracking",
]
