"""The `execution` of a certificate: what was run, from the public part of the run record and the erasures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from certify.results.result import Result
from certify.trust.erasure import Erasure
from certify.trust.precision import finite_precision

PHASE = ("kind", "epochs", "steps", "erased", "device", "device_name", "versions", "started", "finished")
SECRET, REPRODUCIBLE = "secret", "reproducible"
PER_RECORD = "per-record"


def make_execution(
    record: Mapping[str, Any],
    erasures: Sequence[Erasure],
    *,
    last_alone: bool = False,
    result: Result | None = None,
) -> dict[str, Any]:
    """The predicate's `execution`; numbers as strings. It takes what it names and nothing else of the record.

    Args:
        record: `RunRecord.public()` of the released model.
        last_alone: of a certificate that claims the last request alone: that request's phase and erasure, and no other.
        result: of the run that was executed; None: nothing is said of its finite precision.

    Raises:
        ValueError: the record's phases are not learning and then one phase of unlearning for each erasure.
    """
    precision = None if result is None else finite_precision(result, record, len(erasures))
    expected = [] if last_alone else [("learn", 0)]
    expected += [("unlearn", erasure.records) for erasure in erasures]
    record = {**record, "phases": record["phases"][-len(expected) :]} if last_alone else record
    if [(phase["kind"], phase["erased"]) for phase in record["phases"]] != expected:
        raise ValueError("record: its phases are not learning, and then one of unlearning for each erasure")
    clipped = {"clipping": PER_RECORD} if all(p.get("clipping") == PER_RECORD for p in record["phases"]) else {}
    return {
        "dataset": record["dataset"],
        "order": record["order"],
        # The noise of one phase that can be drawn again is enough to take it off the model.
        "noise": REPRODUCIBLE if record["reproducible"] else SECRET,
        "phases": [{key: _written(phase[key]) for key in PHASE} for phase in record["phases"]],
        "erasures": [erasure.as_json() for erasure in erasures],
        "audits": [],
        **clipped,
        **({} if precision is None else {"finite_precision": precision}),
    }


def _written(value: Any) -> Any:
    if isinstance(value, int):
        return str(value)
    return dict(value) if isinstance(value, Mapping) else value


def make_training_execution(record: Mapping[str, Any], *, result: Result, dataset: str) -> dict[str, Any]:
    """The `execution` of a training run of DP-SGD or a relative: one phase of learning, of the steps really taken.

    Args:
        record: `TrainingRecord.public()`.
        result: of the run that is claimed, of as many steps or more.
        dataset: what the data are called.
    """
    stretches = record["stretches"]
    last = stretches[-1]
    rate = max(stage.sample_rate for stage in result.run.mechanism.stages)
    return {
        "dataset": dataset,
        "order": record["sampling"]["name"],
        "noise": REPRODUCIBLE if record["reproducible"] else SECRET,
        "phases": [
            {
                "kind": "learn",
                "epochs": str(int(record["steps_taken"] * rate)),
                "steps": str(record["steps_taken"]),
                "erased": "0",
                "device": last["device"],
                "device_name": last["device_name"],
                "versions": dict(last["versions"]),
                "started": stretches[0]["started"],
                "finished": last["finished"],
            }
        ],
        "erasures": [],
        "audits": [],
    }
