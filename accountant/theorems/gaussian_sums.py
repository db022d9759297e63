"""Every record in every batch: each noisy sum is a plain Gaussian mechanism, and so is their composition."""

from __future__ import annotations

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import theorem
from accountant.core.quantities import GaussianDP, GaussianWitness
from accountant.mechanisms.neighbours import NEIGHBOURS, sides
from accountant.mechanisms.release import Release


def _mu(A: Arithmetic, releases: tuple[Release, ...], neighbours: str) -> Number:
    """√Σ steps·(s/z)², s the largest change of a sum in units of Δ: 1, or 2 where a record is replaced."""
    A.require(neighbours in NEIGHBOURS, "neighbours: add-or-remove-one, remove-one or replace-one", neighbours)
    square = A.of(0)
    for release in releases:
        A.require(release.sample_rate == 1, "q = 1, every record in every batch", release.sample_rate)
        shift = release.scheme.distance(*sides(neighbours))
        square = square + release.steps * (shift / A.of(release.noise_multiplier)) ** 2
    return A.sqrt(square)


@theorem(
    "T20f",
    concludes=GaussianDP,
    facts=Facts(Direction.ABOVE, Family.SAMPLED, States.MU, formula="square_of_sums", profile=None, label=None),
    source="docs/theory.md T20f, T20; Dong, Roth, Su 2022 (arXiv 1905.02383), Corollary 3.3",
    assumes=("noisy_sums", "release:sums"),
    oracle="tests/accountant/theorems/test_full_batches.py::test_mu_against_the_joint_gaussian",
)
def full_batches(A: Arithmetic, *, releases: tuple[Release, ...], neighbours: str) -> GaussianDP:
    """Full batches: T noisy sums are μ-GDP together, μ = √T/z, or 2√T/z where a record is replaced; μ² adds up."""
    return GaussianDP(_mu(A, releases, neighbours))


@theorem(
    "T20l",
    concludes=GaussianWitness,
    facts=Facts(Direction.BELOW, Family.SAMPLED, States.MU, formula="square_of_sums", profile=None, label=None),
    source="docs/theory.md T20l, T20",
    assumes=("noisy_sums", "release:sums"),
    oracle="tests/accountant/theorems/test_full_batches.py::test_mu_against_the_joint_gaussian",
)
def full_batches_witness(A: Arithmetic, *, releases: tuple[Release, ...], neighbours: str) -> GaussianWitness:
    """No smaller μ holds for the class: a record whose term has norm Δ in every sum, all others 0 (where it is
    replaced: by its opposite), makes the released sums exactly Gaussian, √Σ(s/z)² apart.

    Where Δ is not attained it is approached, and δ(ε) with it.
    """
    return GaussianWitness(_mu(A, releases, neighbours))
