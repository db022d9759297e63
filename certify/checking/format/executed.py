"""What was run: it must agree with the run that the claim is about."""

from __future__ import annotations

from typing import Any

from certify.checking.format.precision import FINITE, check_finite_precision
from certify.checking.format.run import Run
from certify.checking.format.sums import check_executed_sums
from certify.checking.format.training import Training
from certify.checking.limits import require
from certify.checking.reading import moment


def check_erasure(entry: dict[str, Any], where: str) -> None:
    """What an erasure says by itself."""
    started, finished = moment(entry["started"]), moment(entry["finished"])
    require(started <= finished, f"{where}: finished before it started")
    received = entry["received"]
    require(received is None or moment(received) <= started, f"{where}: started before it was received")
    require(entry["id"].strip() != "", f"{where}.id: is empty")
    require(int(entry["request"]) >= 1, f"{where}: requests are counted from 1")
    require(1 <= int(entry["records"]) <= int(entry["cumulative"]), f"{where}: needs 1 <= records <= cumulative")
    require(int(entry["cumulative"]) <= int(entry["cap"]), f"{where}: cumulative is above the cap")


def check_phases(phases: list[dict[str, Any]], expected: list[tuple[str, int, int, int]]) -> None:
    """`expected`: (kind, epochs, steps, erased) of each phase."""
    for i, (phase, facts) in enumerate(zip(phases, expected, strict=False)):
        for key, value in zip(("kind", "epochs", "steps", "erased"), facts, strict=True):
            require(phase[key] == str(value), f"execution.phases[{i}].{key}: the run implies {value}")
        require(moment(phase["started"]) <= moment(phase["finished"]), f"execution.phases[{i}]: ends before it starts")
        # A retraining is run beside, at any time.
        after = i == 0 or phase["kind"] == "retrain" or moment(phases[i - 1]["finished"]) <= moment(phase["started"])
        require(after, f"execution.phases[{i}]: starts before the phase before it ends")
    require(len(phases) == len(expected), f"execution.phases: the run and the erasures imply {len(expected)}")


def check_execution(predicate: dict[str, Any], run: Run | Training, subjects: dict[str, str]) -> None:
    """Phases, erasures and files are those of the run: learning, then one unlearning for each request so far.

    A retraining may follow: the reference, run beside it. A model that is not released is named by a keyed digest:
    a plain one would be a look at it.
    """
    execution = predicate.get("execution")
    for name in ("model", "run_record"):
        require((name in subjects) == (execution is not None), f"subject: {name} and execution need each other")
    if execution is None:
        return
    phases, erasures = execution["phases"], execution["erasures"]
    clips = isinstance(run, Run) and run.clips_records
    require(clips or "clipping" not in execution, "execution.clipping: the run does not clip each record by itself")
    if isinstance(run, Training):
        require(not erasures, "execution.erasures: a training run has no requests")
        # The run may know its epochs as steps alone. Fewer steps than planned show less: what is claimed covers them.
        epochs, steps = (int(phases[0][key]) if phases else 0 for key in ("epochs", "steps"))
        require(0 <= steps <= run.sums, f"execution.phases[0].steps: the run has {run.sums}")
        check_phases(phases, [("learn", epochs, steps, 0)])
        if "finite_precision" in execution:
            check_executed_sums(predicate, run)
        return
    require(len(erasures) <= len(run.sizes), f"execution.erasures: the run has {len(run.sizes)} requests")
    public = run.secret and execution["noise"] == "secret" and execution["order"] != "secret"
    require(not public, 'execution.order: the run has a secret batch order; needs "secret"')
    last_alone = "predecessor" in predicate  # which tells of the phases before
    first, learning = (len(run.sizes) - 1, 0) if last_alone else (0, 1)
    require(len(erasures) == 1 or not last_alone, "execution.erasures: needs that of the last request, and no other")
    done, expected = list(zip(run.unlearning_epochs, run.sizes, strict=True))[first : first + len(erasures)], []
    expected += [("learn", run.epochs, run.epochs * run.batches, 0)] * learning
    expected += [("unlearn", epochs, epochs * run.batches, size) for epochs, size in done]
    if phases and phases[-1]["kind"] == "retrain":
        require(not last_alone, "execution.phases: a certificate with a predecessor has that of its request alone")
        require(run.reference != "stationary", "execution.phases: no run reaches the stationary distribution")
        epochs = run.epochs + (sum(k for k, _ in done) if run.reference == "retrain" else 0)
        expected += [("retrain", epochs, epochs * run.batches, sum(size for _, size in done))]
    check_phases(phases, expected)
    if "finite_precision" in execution:
        require("step_error" in execution["finite_precision"], f"{FINITE}: the steps release no sums of their own")
        unlearned = sum(run.unlearning_epochs[: first + len(erasures)])
        check_finite_precision(predicate, run, (run.epochs + unlearned) * run.batches)
    ended = all(moment(phase["finished"]) <= moment(predicate["created"]) for phase in phases)
    require(ended, "created: before the run that it tells of ended")
    require(len({entry["id"] for entry in erasures}) == len(erasures), "execution.erasures: an id is given twice")
    cumulative, cap = sum(run.sizes[:first]), str(sum(run.sizes))
    for i, entry in enumerate(erasures):
        where = f"execution.erasures[{i}]"
        check_erasure(entry, where)
        records, cumulative = int(entry["records"]), cumulative + int(entry["records"])
        allowed = run.sizes[first + i]
        require(records <= allowed, f"{where}.records: the run allows {allowed}")
        implied = {
            "request": str(first + i + 1), "cumulative": str(cumulative), "cap": cap,
            "guarantee": {"epsilon": entry["guarantee"]["epsilon"], "delta": predicate["delta"],
                          "reference": run.reference, "neighbours": run.neighbours},
        }  # fmt: skip
        for key, value in implied.items():
            require(entry[key] == value, f"{where}.{key}: not what the claim and the run say")
        bounds = (predicate["requests"][i]["epsilon"], predicate["epsilon"]["upper"])  # of this request, of the worst
        require(entry["guarantee"]["epsilon"] in bounds, f"{where}.guarantee.epsilon: not what the claim says")
        follows = i == 0 or entry["model_before"] == erasures[i - 1]["model_after"]
        require(follows, f"{where}.model_before: not the model after the request before it")
        released = {"model_before": run.release == "all", "model_after": run.release == "all" or entry is erasures[-1]}
        for key, shown in released.items():
            keyed = entry[key]["algorithm"] == "HMAC-SHA-256"
            require(shown or keyed, f"{where}.{key}: a plain digest of a model that is not released")
        for key in ("started", "finished"):
            require(entry[key] == phases[i + learning][key], f"{where}.{key}: not that of its phase")
