"""Verdicts, and claims in words."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.checking.format.run import Run
from certify.checking.format.training import Training
from certify.checking.limits import DoesNotFollow, require
from certify.checking.numbers.intervals import decide


def check_verdict(predicate: dict[str, Any], run: Run | Training, values: list[Any]) -> None:
    """The verdict is the one that the bounds imply. How much of a training run's miss is the bound's fault is not
    looked into: NOT_CERTIFIED and INDETERMINATE are both accepted."""
    steps, claims, verdict = predicate["proof"]["steps"], predicate["proof"]["claims"], predicate["verdict"]

    def epsilon(index: str) -> Fraction:
        return Fraction(steps[int(index)]["concludes"]["epsilon"])

    def exceeds(claim: dict[str, Any]) -> bool:  # δ(target) > δ, by the proof of this claim
        delta_of = values[int(claim["bound"])]
        try:
            return decide(lambda bits: delta_of(run.target, bits) > run.delta, "target")
        except DoesNotFollow:
            return False

    missed = [claim for claim in claims if epsilon(claim["bound"]) > run.target]
    if isinstance(run, Training):
        implied = "NOT_CERTIFIED or INDETERMINATE" if missed else "CERTIFIED"
    else:
        implied = "CERTIFIED" if not missed else "NOT_CERTIFIED" if any(map(exceeds, missed)) else "INDETERMINATE"
        implied = "INDETERMINATE" if run.rounding == "violated" else implied  # what is executed may be another run
    require(verdict in implied.split(" or "), f"the verdict is {implied}, not {verdict}")
    beyond = any(claim["lower"] is not None and epsilon(claim["lower"]) > run.target for claim in claims)
    require(predicate["out_of_reach"] is beyond, f"out_of_reach is {str(beyond).lower()}")


def training_sentence(predicate: dict[str, Any], run: Training, confirmed: bool) -> str:
    """The claim about a training run in words."""
    epsilon, mu = predicate["epsilon"], predicate["mu"]["upper"]
    low = "" if epsilon["lower"] is None else f" (no bound below {epsilon['lower']} holds for every such run)"
    low = low if confirmed else f" (the lower bound, {epsilon['lower']}, was not verified)"
    what = f"After training, all {run.sums} noisy sums together" if run.sums > 1 else "After training, the noisy sum"
    what += f" ({run.sampling} batches)" + f" and {len(run.others)} other releases" * bool(run.others)
    shown = f"epsilon <= {epsilon['upper']}{low} at delta = {predicate['delta']}" + f", and {mu}-GDP" * bool(mu)
    reach = " The target is out of reach: not certifiable for this schedule." * bool(predicate["out_of_reach"])
    who = "one record" if run.group == 1 else f"{run.group} records"
    verdict = f"{predicate['verdict']}: {what}, compared with data that differ in {who} ({run.neighbours}),"
    other = [g for g in predicate["guarantees"] if g["neighbours"] not in (None, run.neighbours)]
    more = "".join(f" Of {g['name']} ({g['neighbours']}): epsilon <= {g['epsilon']['upper']}." for g in other)
    return f"{verdict} have {shown}; the target is epsilon = {epsilon['target']}.{reach * confirmed}{more}"


def claim_sentence(predicate: dict[str, Any], run: Run) -> str:
    """The claim in words."""
    epsilon, mu, records = predicate["epsilon"], predicate["mu"], sum(run.sizes)
    who = f"{records} record{'s' * (records > 1)} ({run.neighbours})"
    total, times, every = sum(run.unlearning_epochs), len(run.sizes), run.release == "all"
    epochs = f"{total} of unlearning" + f" ({times} requests)" * (times > 1)
    released = "all released models together" if every else "the released model"
    reference = "the stationary distribution of training" if run.reference == "stationary" else "retraining"
    reference += f" for {run.epochs} epochs" * (run.reference == "retrain-T")
    what = f"After {run.epochs} epochs of learning and {epochs}, {released} compared with {reference} without {who}"
    if not total:
        what = f"After {run.epochs} epochs of learning, the model compared with one from data that differ in {who}"
    what += ", with a secret batch order," * run.secret
    low = "" if epsilon["lower"] is None else f" (no bound from these constants is below {epsilon['lower']})"
    reach = " The target is out of reach: not certifiable from these constants." if predicate["out_of_reach"] else ""
    have = "have" if every and total else "has"
    be = "are" if every and total else "is"
    numbers = f"{have} epsilon <= {epsilon['upper']}{low} at delta = {predicate['delta']}, and {be} {mu['upper']}-GDP"
    floor = " What is executed may be another run: its noise is not above rounding." * (run.rounding == "violated")
    return f"{predicate['verdict']}: {what} {numbers}; the target is epsilon = {epsilon['target']}.{reach}{floor}"
