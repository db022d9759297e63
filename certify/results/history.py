"""What a service may promise: the learned model's certificate, and that of each request over the whole history.

docs/theory.md T7 and T10 say what is compared. With release = "all" the learned model is seen, and what that costs no
later epoch takes back: K = 1 is taken. With release = "final" K is searched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from accountant import InvalidMechanism
from accountant.core.exact import decimal
from certify.errors import OutOfReach, UsageError
from certify.results import floor, tuning
from certify.results.certify import summarise
from certify.results.claims import Verdict, make_claim, refusals
from certify.results.result import Result
from certify.runfile.extremes import within_doubles
from certify.runfile.read import Run

MAX_COUNTED = 1000  # records, when it is searched how many the target covers
_ATTEMPTS = 40
_MAX_CHOICES = 8  # of larger batches
_DOUBLINGS = 12  # of max_epochs, to see whether a larger one would do


@dataclass(frozen=True)
class Learning:
    """What is certified before anything is trained.

    result: the claim on one request for `records` records at once, with the epochs that it takes. covered: how many
    records the target covers, asked for one by one (release = "all": with one epoch each; "final": at once, with
    max_epochs); more than MAX_COUNTED are not counted.
    """

    result: Result
    records: int
    covered: int

    @property
    def epochs(self) -> int:
        return self.result.run.mechanism.unlearning_epochs[0]

    def sentence(self) -> str:
        """The most records that the target can cover, in words."""
        run = self.result.run
        most = f"at least {self.covered}" if self.covered >= MAX_COUNTED else f"at most {self.covered}"
        how = "one by one" if run.mechanism.release == "all" else f"in one request of up to {max_epochs(run)} epochs"
        return f"the target covers {most} records, {how}; certified for {self.records}"


@dataclass(frozen=True)
class NextRequest:
    """The certified claim on one more request; `note` says where retraining is cheaper."""

    result: Result
    epochs: int
    note: str | None


def max_epochs(run: Run) -> int:
    """The most epochs of unlearning for one request: [requests] max_epochs, else the epochs of learning."""
    stated = run.canonical["requests"].get("max_epochs")
    return max(1, run.mechanism.epochs) if stated is None else int(stated)


def max_records(run: Run) -> int | None:
    """The most records of all requests together; None where the run file sets no limit."""
    stated = run.canonical["requests"].get("max_records")
    return None if stated is None else int(stated)


def with_history(run: Run, sizes: Sequence[int], epochs: Sequence[int]) -> Run:
    """The same run with these requests, in order. Raises UsageError as `read_run` does."""
    return run.with_requests(tuple(sizes), tuple(epochs))


def certify_learning(run: Run) -> Learning:
    """Decide whether a model may be learned: the target is met for max_records records, or those of `sizes`.

    Raises:
        OutOfReach: the target is not met; it says how many records it would cover, and where a larger batch serves.
        UsageError: a run that no theorem covers.
    """
    records = max_records(run) or sum(run.mechanism.requests)
    seen = run.mechanism.release == "all"
    with within_doubles(run), refusals():
        covered = _most_covered(run, max(records, MAX_COUNTED))
        if covered < records:
            raise OutOfReach(_not_covered(run, records, covered))
        k = 1 if seen else _least_epochs(run, (), (), records)
        result = _confirmed(run, (), (), records, k)
        if seen:  # what certificates of later requests will say, in balls
            _confirmed(run, (1,) * (records - 1), (1,) * (records - 1), 1, 1)
    return Learning(result, records, covered)


def certify_request(
    run: Run, sizes: Sequence[int], epochs: Sequence[int], size: int, *, at_least: int | None = None
) -> NextRequest:
    """The claim on one more request, of `size` records, after those of `sizes` were honoured with `epochs` each.

    Args:
        at_least: how many epochs the caller wants; the least certified number, unless given.

    Raises:
        OutOfReach: no number of epochs up to max_epochs meets the target.
        UsageError: more records than max_records, `at_least` below the certified number or above max_epochs.
    """
    limit, total = max_records(run), sum(sizes) + size
    if limit is not None and total > limit:
        raise UsageError(
            f"requests.max_records: {limit}, and with this request there are {total}; {limit - sum(sizes)} are left; "
            "learn anew without these records, with a max_records that covers what may still come"
        )
    with within_doubles(run), refusals():
        least = 1 if run.mechanism.release == "all" else _least_epochs(run, sizes, epochs, size)
        if at_least is not None and at_least < least:
            raise UsageError(f"--epochs: {at_least} is below the certified {least}; give at least {least}")
        if at_least is not None and at_least > max_epochs(run):
            raise UsageError(
                f"--epochs: {at_least} is above requests.max_epochs = {max_epochs(run)}; give at most that"
            )
        result = _confirmed(run, sizes, epochs, size, max(least, at_least or 0))
    k = result.run.mechanism.unlearning_epochs[-1]
    return NextRequest(result, k, _note(run, k))


def _note(run: Run, k: int) -> str | None:
    learning = run.mechanism.epochs
    if not learning or k < learning:
        return None
    return f"retraining ({learning} epochs) costs no more than unlearning ({k}): `plumbline learn` on what is left"


def _met(run: Run, sizes: Sequence[int], epochs: Sequence[int]) -> bool:
    """Whether the claim on the last of these requests seems to meet the target, in doubles."""
    try:
        tried = replace(run.mechanism, requests=tuple(sizes), unlearning_epochs=tuple(epochs))
    except InvalidMechanism:  # more records than there are
        return False
    return tuning.meets(tried, run, len(sizes) - 1)


def _least_epochs(run: Run, sizes: Sequence[int], epochs: Sequence[int], size: int) -> int:
    """The least K ≥ 1 that seems to meet the target, at most max_epochs."""
    most = max_epochs(run)

    def enough(k: int) -> bool:
        return _met(run, (*sizes, size), (*epochs, k))

    if not enough(most):  # more epochs are never worse
        raise OutOfReach(
            f"target.epsilon: no K up to {most} meets ε = {decimal(run.target_epsilon, 12)} for this request; take a "
            "larger requests.max_epochs, or retrain"
        )
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _confirmed(run: Run, sizes: Sequence[int], epochs: Sequence[int], size: int, k: int) -> Result:
    """The claim on the last request in balls, with K or as many epochs more as it takes.

    Raises:
        OutOfReach: it does not meet the target; with release = "all" no number of epochs changes that.
    """
    request = len(sizes)
    for _ in range(_ATTEMPTS):
        candidate = with_history(run, (*sizes, size), (*epochs, k))
        claim = make_claim(candidate, request)
        if claim.verdict(run.target_epsilon) is Verdict.CERTIFIED:
            if floor.is_violated(candidate):
                raise OutOfReach(floor.violation(candidate))
            return summarise(candidate, (claim,), first=request)
        k += 1
        if run.mechanism.release == "all" or k > max_epochs(run):
            break
    raise OutOfReach(
        f"target.epsilon: {decimal(run.target_epsilon, 12)} is not met for {sum(sizes) + size} records in all: "
        f"ε ≤ {claim.printed(run.target_epsilon)}"
    )


def _most_covered(run: Run, cap: int) -> int:
    """How many records the target covers, at most `cap`: see `Learning`."""
    if run.mechanism.release == "all":

        def covers(records: int) -> bool:
            return _met(run, (1,) * records, (1,) * records)
    else:

        def covers(records: int) -> bool:
            return _met(run, (records,), (max_epochs(run),))

    return _most(covers, cap)


def _most(covers: Callable[[int], bool], cap: int) -> int:
    """The largest number up to `cap` that is covered, 0 if none is: more records are never cheaper."""
    low, high = 0, 1
    while high <= cap and covers(high):
        low, high = high, 2 * high
    high = min(high, cap + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if covers(middle) else (low, middle)
    return low


def _not_covered(run: Run, records: int, covered: int) -> str:
    if run.mechanism.release == "final":
        return _not_in_time(run, records, covered)
    what = f"target.epsilon: {decimal(run.target_epsilon, 12)} is met for {covered} records, not for {records}"
    serves = _larger_batch(run, records)
    if serves is None:
        return f"{what}; take more noise: `plumbline calibrate` finds how much, `plumbline plan` what it costs"
    return f"{what}; batch_size = {serves} would do at this noise: see `plumbline plan`"


def _not_in_time(run: Run, records: int, covered: int) -> str:
    """Where one more epoch helps, how many would do."""
    most = max_epochs(run)
    what = (
        f"target.epsilon: {decimal(run.target_epsilon, 12)} is met for {covered} records with K up to {most}, not for "
        f"{records}"
    )
    k = next((k for k in (most * 2**i for i in range(1, _DOUBLINGS)) if _met(run, (records,), (k,))), None)
    if k is None:
        return f"{what}; take more noise: `plumbline calibrate` finds how much, `plumbline plan` what it costs"
    return f"{what}; requests.max_epochs = {k} would do, or more noise, or retraining"


def _larger_batch(run: Run, records: int) -> int | None:
    """A larger batch that covers that many records with the same noise; None where none of a few does."""
    n, b = run.mechanism.samples, run.mechanism.batch_size
    choices = [size for size in range(b + 1, n + 1) if n % size == 0] if n <= 10**6 else []
    for size in choices[:: max(1, len(choices) // _MAX_CHOICES)]:
        larger = replace(run, mechanism=replace(run.mechanism, batch_size=size))
        if _most_covered(larger, records) >= records:
            return size
    return None
