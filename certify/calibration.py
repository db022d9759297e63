"""Find the value that meets the target: search in floats, round to the safe side, confirm in balls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from scipy.optimize import brentq

from accountant import Derivation, NoisySGD, derive, derive_from_distance, derive_published, derive_witness, enclose
from accountant.arithmetic import Float
from accountant.arithmetic.floats import gaussian_mu
from accountant.exact import decimal, exact, round_decimal
from accountant.kernel import evaluate
from certify.claims import Verdict, make_claim
from certify.errors import OutOfReach, UsageError
from certify.result import Result, certify
from certify.spec import Run, load_tables, read_run

TUNABLE = ("noise_std",)
DIGITS = 9  # significant digits of a calibrated value
MOST_NOISE = Fraction(10) ** 300
_START = {"noise_std": "1"}


@dataclass(frozen=True)
class Calibration:
    """The least value of `parameter` (to nine digits, rounded to the safe side) that is certified, with what it gives.

    published: the value that the published bound needs, by name; None where it says nothing or cannot reach the target.
    """

    parameter: str
    value: str
    result: Result
    published: Mapping[str, str | None]

    def as_json(self) -> dict[str, Any]:
        return {
            "parameter": self.parameter,
            "value": self.value,
            "epsilon": dict(self.result.epsilon),
            "certified": self.result.verdict is Verdict.CERTIFIED,
            "published": {name: {"value": value} for name, value in self.published.items()},
        }


def calibrate(source: str | Path | Mapping[str, Any], *, tune: str = "noise_std") -> Calibration:
    """The least noise that meets the target, everything else as in the run file (which may leave `noise_std` out).

    Raises:
        UsageError: malformed, or a run that no theorem covers.
        OutOfReach: no noise meets the target.
    """
    if tune not in TUNABLE:
        raise UsageError(f"--tune: {tune!r} cannot be tuned in this version; write one of {', '.join(TUNABLE)}")
    tables = dict(source) if isinstance(source, Mapping) else load_tables(Path(source))
    if isinstance(tables.get("mechanism"), Mapping):
        tables["mechanism"] = _START | tables["mechanism"]
    run = read_run(tables)
    noise = least_noise(run, derive)
    if noise is None:
        raise OutOfReach("noise_std: the two runs never differ, any positive value meets the target: nothing to tune")
    result = _confirm(run, noise)
    return Calibration(
        parameter=tune,
        value=decimal(result.run.mechanism.noise_std, DIGITS),
        result=result,
        published={"chien2024": None} | {name: _shown(value) for name, value in published_noise(run).items()},
    )


def least_noise(run: Run, bound: Callable[[NoisySGD, int], Derivation | None]) -> float | None:
    """The σ (a double) at which a bound on μ meets the target; None where μ is 0, or where the bound says nothing.

    Every distance is without σ and every variance grows as σ², so μ is inversely proportional to σ.
    """
    base = 0.0
    for request in range(len(run.mechanism.requests)):
        derivation = bound(run.mechanism, request)
        if derivation is None:
            return None
        base = max(base, float(enclose(derivation).upper))
    if base == 0:
        return None
    return (
        float(run.mechanism.noise_std) * base / float(gaussian_mu(float(run.target_epsilon), float(run.target_delta)))
    )


def _confirm(run: Run, noise: float) -> Result:
    """Round up, and go up until the integers agree."""
    value = Fraction(noise)
    for step in range(40):
        rounded = round_decimal(value, DIGITS, up=True)
        if rounded > MOST_NOISE:
            break
        candidate = run.with_values(noise_std=rounded)
        if all(
            make_claim(candidate, request).verdict(run.target_epsilon) is Verdict.CERTIFIED
            for request in range(len(run.mechanism.requests))
        ):
            return certify(candidate)
        value = rounded * (1 + Fraction(2**step, 10**DIGITS))
    raise OutOfReach(
        f"target.epsilon: no noise_std up to {decimal(MOST_NOISE)} meets ε = {decimal(run.target_epsilon, 12)} "
        f"at δ = {float(run.target_delta):.6g}"
    )


def published_noise(run: Run) -> dict[str, float | None]:
    """The σ that each published bound needs for the target; None where even much noise does not bring it there."""
    target = float(run.target_epsilon)

    def epsilon(name: str, noise: float) -> float:
        mechanism = replace(run.mechanism, noise_std=Fraction(noise))
        derivation = derive_published(mechanism, run.target_delta)[name]
        return float(evaluate(derivation, Float()).epsilon)

    found: dict[str, float | None] = {}
    for name in derive_published(run.mechanism, run.target_delta):
        low, high = 1e-12, 1e12
        if epsilon(name, high) > target or epsilon(name, low) < target:
            found[name] = None
            continue
        log_root = brentq(
            lambda t, name=name: epsilon(name, 10.0**t) - target, -12, 12, xtol=1e-14, rtol=1e-15, maxiter=300
        )
        found[name] = 10.0**log_root
    return found


def witness_noise(run: Run) -> float | None:
    """The σ below which no certificate exists from these constants: where the witness alone meets the target."""
    return least_noise(run, derive_witness)


def distance_noise(run: Run) -> float | None:
    """The σ that W∞ alone needs, when only the noise of unlearning is counted."""
    return least_noise(run, derive_from_distance)


def _shown(value: float | None) -> str | None:
    return None if value is None else decimal(round_decimal(exact(repr(value)), DIGITS, up=True), DIGITS)
