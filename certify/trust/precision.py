"""The `finite_precision` of an execution: what the executed run satisfies (docs/theory.md T28, T28s), where known.

Nothing is said of more than one released model, of steps without a Lipschitz constant, of noise that can be drawn again
and of a model that was not rounded to the public grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from accountant import (
    ExecutedTraining,
    Indeterminate,
    InvalidMechanism,
    NoisySGD,
    TrainingExecution,
    enclose,
    executed_training,
)
from accountant.core.exact import Rounding, canonical, round_decimal
from accountant.pnsgd.executed import Execution, executed_bound
from certify.results.result import Result

WRITTEN = ("step_error", "grid", "failure", "noise_not_coupled")  # of a phase's `rounding`
_DIGITS = 9  # of a bound that was computed in doubles


def finite_precision(result: Result, record: Mapping[str, Any], requests: int) -> dict[str, Any] | None:
    """What a certificate's `execution.finite_precision` holds; None where T28 says nothing about the run.

    Args:
        result: of the run that was executed.
        record: `RunRecord.public()`, of the whole history.
        requests: how many were executed.
    """
    mechanism = result.run.mechanism
    phases = [phase for phase in record["phases"] if phase["kind"] != "retrain"]
    if not isinstance(mechanism, NoisySGD) or record["reproducible"] or result.mu["upper"] is None:
        return None
    if mechanism.release == "all" and requests:
        return None  # several models were seen
    known = phases[-1].get("rounding") or {}
    if any(known.get(key) is None for key in WRITTEN) or not math.isfinite(float(known["step_error"])):
        return None
    try:
        run = Execution(
            steps=sum(phase["steps"] for phase in phases),
            dimension=phases[-1]["dimension"],
            step_error=_above(known["step_error"]),
            grid=Fraction(known["grid"]),
            uncoupled=_above(known["noise_not_coupled"]),
            failure=_above(known["failure"]),
        )
        bound = executed_bound(mechanism, Fraction(result.mu["upper"]), result.run.target_delta, run)
    except (InvalidMechanism, Indeterminate):
        return None
    return {
        "dimension": str(run.dimension),
        "step_error": canonical(run.step_error),
        "grid": canonical(run.grid),
        "uncoupled": canonical(run.uncoupled),
        "failure": canonical(run.failure),
        "executed": {
            "mu": bound.mu,
            "gamma": bound.gamma,
            "t": bound.t,
            "epsilon": bound.epsilon,
            "delta": result.delta,
        },
    }


def executed_sums(result: Result, record: Mapping[str, Any]) -> ExecutedTraining | None:
    """What a training run satisfies with its rounding counted (docs/theory.md T28s); None where nothing is known of it:
    noise that can be drawn again, layers whose sums have no bound in their type, a δ that rounding uses up.

    Args:
        result: of the run that is claimed.
        record: `TrainingRecord.public()`, of as many steps or fewer.
    """
    known = record["precision"]
    if record["reproducible"] or not known["bounded"]:
        return None
    try:
        run = TrainingExecution.read(known["execution"])
        return executed_training(result.run.mechanism, run, result.run.target_delta)
    except (InvalidMechanism, Indeterminate):
        return None


def sums_precision(executed: ExecutedTraining, delta: str) -> dict[str, Any]:
    """What a certificate's `execution.finite_precision` holds of a training run whose noisy sums were all snapped
    (docs/theory.md T28s). delta: of the claim, as it is displayed."""
    return {
        **executed.run.as_json(),
        "executed": {
            "gamma": executed.gamma,
            "t": executed.t,
            "spare": canonical(executed.spare),
            "sums": {"epsilon": enclose(executed.sums).upper_decimal(), "delta": canonical(executed.sums_delta)},
            "epsilon": executed.epsilon,
            "delta": delta,
        },
    }


def _above(double: str) -> Fraction:
    """A double, as a decimal of nine digits that is no smaller."""
    return round_decimal(Fraction(float(double)), _DIGITS, Rounding.UP)
