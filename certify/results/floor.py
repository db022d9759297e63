"""`noise_above_rounding`, assumed where a run says what it is executed in: its status, and the noise that it needs."""

from __future__ import annotations

from fractions import Fraction

from accountant import NoisySGD
from accountant.core.arithmetic.floats import gaussian_mu
from accountant.core.exact import Rounding, decimal, round_decimal
from accountant.pnsgd.rounding import DIGITS, Status, charge_square, floor_noise, floor_status, root_above
from certify.runfile.read import Run

ROUNDING = "noise_above_rounding"
MAX_ATTEMPTS = 40


def status_of(run: Run) -> Status | None:
    """proved, violated or attested; None where the run does not say what it is executed in, and assumes nothing."""
    if run.execution is None:
        return None
    if not isinstance(run.mechanism, NoisySGD):
        return "attested"  # every noisy sum is released: no contraction forgets the rounding of the one before
    return floor_status(run.mechanism, run.execution, run.target_epsilon, run.target_delta)


def is_violated(run: Run) -> bool:
    """Whether the executed run may be another than the certified one: then nothing is certified."""
    return status_of(run) == "violated"


def least_noise(run: Run) -> Fraction | None:
    """The least σ of nine digits that the floor allows, everything else as in the run; None where it asks for none."""
    if status_of(run) not in ("proved", "violated"):
        return None
    assert run.execution is not None  # or there is no status
    value = floor_noise(run.mechanism, run.execution, allowed_mu(run))
    assert value is not None
    unit = Fraction(1, 10**DIGITS)
    for attempt in range(MAX_ATTEMPTS):  # the search was in doubles
        noise = round_decimal(value * (1 + (2**attempt - 1) * unit), DIGITS, Rounding.UP)
        if not is_violated(run.with_values(noise_std=noise)):
            return noise
    return None


def rounding_of(run: Run) -> dict[str, str] | None:
    """What rounding may add to μ, and a hundredth of what the target allows, as decimals; None where T28r does not
    apply."""
    square = None
    if run.execution is not None and status_of(run) != "attested":
        square = charge_square(run.mechanism, run.execution)
    if square is None:
        return None
    return {"charge": decimal(root_above(square, DIGITS)), "allowed": f"{float(allowed_mu(run)) / 100:.9g}"}


def violation(run: Run) -> str:
    """What is wrong with the noise of a run whose floor is violated, and the fix; one line."""
    numbers = run.execution
    square = None if numbers is None else charge_square(run.mechanism, numbers)
    assert numbers is not None and square is not None and numbers.largest_coordinate is not None  # all are given
    charge = root_above(square, 3)
    size = _short(numbers.largest_coordinate)
    text = (
        f"{ROUNDING} is violated: in {numbers.dimension} coordinates up to {size}, rounding to {numbers.dtype} may "
        f"add {decimal(charge)} to μ, more than a hundredth of the {float(allowed_mu(run)):.3g} that the target allows"
    )
    noise = least_noise(run)
    return text if noise is None else f"{text}; take noise_std ≥ {decimal(noise)}"


def allowed_mu(run: Run) -> Fraction:
    """The μ that the target allows, as doubles have it."""
    return Fraction(float(gaussian_mu(float(run.target_epsilon), float(run.target_delta))))


def _short(value: Fraction) -> str:
    return decimal(round_decimal(value, 6, Rounding.UP))
