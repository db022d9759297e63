"""The largest batch size, or sample rate, of a run that lasts a number of epochs: ε is a saw-tooth in it.

With E epochs there are E·⌈1/q⌉ steps. Among the q with the same s = ⌈1/q⌉, a tooth, only q changes, and ε does not fall
as q grows: who is drawn with q' < q is drawn with q and then kept by a coin of q'/q, which is post-processing of the
dominating pair (of several records: the number drawn is stochastically larger, and the likelihood ratio is monotone in
the sum). From one tooth to the next larger one the steps become fewer, and ε drops. So the largest value need not be
where ε first crosses the target: each tooth has a crossing of its own.

Nor does ε fall by more steps. Over several teeth it is therefore at least that of their least q with their fewest
steps: where that exceeds the target none of them is looked at. What was left out so, by an estimate in doubles, is
proved afterwards, by lower bounds in integers.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from accountant.dpsgd.derive import estimate_mechanism, lower_bound
from accountant.mechanisms.dpsgd import ScaledSGD
from accountant.mechanisms.release import MAX_STEPS
from accountant.pld import Tolerances
from certify.errors import OutOfReach, UsageError
from certify.results.certify_dpsgd import certify_training
from certify.results.claims import Verdict
from certify.results.result import Progress, Result
from certify.runfile.read import Run

DIGITS = 6  # of a sample rate
_PER_DECADE = 9 * 10 ** (DIGITS - 1)
_DECADES = 9
_EXACT = 20_000  # from here on the answer is exact to this part of itself only
_BEYOND = 4  # so many of these parts further nothing is certified, if that is proved
_FINE = Tolerances(Fraction(4, 10**5), Fraction(1, 1000))  # of a bracket where the answer is not exact
_DOUBTFUL = 1e-3  # estimates are that good
_MAX_PROOFS = 64
_MAX_LOOKS = 1000  # at estimates

FOUND = "the largest found; not proved to be the largest"


@dataclass(frozen=True)
class Values:
    """All values of the parameter, ascending, by an index from 1 to `count`.

    value, rate: the value with an index, and its q; whole: whether all values there are have an index.
    """

    tune: str
    count: int
    value: Callable[[int], int | Fraction]
    rate: Callable[[int], Fraction]
    whole: bool

    def first(self, rate: Fraction) -> int:
        """The least index of at least that rate."""
        return bisect_left(range(1, self.count + 1), rate, key=self.rate) + 1


def values_of(run: Run, tune: str) -> Values:
    """Batch sizes up to n; sample rates of a batch size, where batches have one; else decimals of six digits."""
    n = run.mechanism.samples
    if tune == "batch_size":
        return Values(tune, n, lambda i: i, lambda i: Fraction(i, n), True)
    if run.mechanism.scheme.whole_batches:
        return Values(tune, n, lambda i: Fraction(i, n), lambda i: Fraction(i, n), True)
    return Values(tune, _DECADES * _PER_DECADE + 1, _decimal, _decimal, False)


def _decimal(index: int) -> Fraction:
    """1e-9, 1.00001e-9 … 1: the numbers of six digits, ascending."""
    decade, step = divmod(index - 1, _PER_DECADE)
    return (10 ** (DIGITS - 1) + step) * Fraction(10) ** (decade - _DECADES - DIGITS + 1)


@dataclass
class Search:
    """A search for the largest index that is certified. skipped: ranges that an estimate says exceed the target."""

    run: Run
    values: Values
    progress: Progress | None
    skipped: list[tuple[int, int]] = field(default_factory=list)
    looks: int = 0
    proved: bool = True

    @property
    def target(self) -> Fraction:
        return self.run.target_epsilon

    def largest(self) -> tuple[int | Fraction, Result, str]:
        """The value, what it gives, and how far it is proved to be the largest. Raises OutOfReach."""
        least, high = self._least(), self.values.count
        if self._seems_met(high, high) and self._certified(high):
            raise OutOfReach(
                f"target.epsilon: {self.values.tune} = {self.values.value(high)}, the largest there is, meets it: "
                "nothing to tune"
            )
        width = 1
        while high >= least:  # teeth 1, 2 and 3, 4 to 7 …
            low = max(least, self.values.first(Fraction(1, 2 * width - 1)))
            answer = self._within(low, high) if low <= high else None
            if answer is not None:
                return self._answer(*answer)
            high, width = min(high, low - 1), 2 * width
        raise OutOfReach(
            f"target.epsilon: found no {self.values.tune} from {float(self.values.value(least)):g} up that meets it"
        )

    def _answer(self, index: int, result: Result) -> tuple[int | Fraction, Result, str]:
        value = self.values.value(index)
        if not (self.proved and self._prove()):
            return value, result, FOUND
        more = "larger" if self._is_exact(index) else f"more than {100 * _BEYOND / _EXACT:g} % larger"
        return value, result, f"proved: nothing {more} is certified"

    def _least(self) -> int:
        """With a smaller one there would be too many steps."""
        steps = self._mechanism(self.values.count).steps
        return self.values.first(min(Fraction(1), Fraction(2 * steps, MAX_STEPS)))

    def _mechanism(self, index: int) -> ScaledSGD:
        return self.run.with_values(**{self.values.tune: self.values.value(index)}).mechanism

    def _easiest(self, low: int, high: int) -> ScaledSGD:
        """No run of the range has a smaller ε than this one: the least rates, the fewest steps."""
        rare, short = self._mechanism(low), self._mechanism(high)
        pairs = zip(rare.stages, short.stages, strict=True)
        return replace(rare, stages=tuple(replace(a, steps=min(a.steps, b.steps)) for a, b in pairs))

    def _seems_met(self, low: int, high: int) -> bool:
        """Whether some run of the range may meet the target, in doubles."""
        self.looks += 1
        if self.looks > _MAX_LOOKS:
            raise OutOfReach(f"target.epsilon: found no {self.values.tune} that meets it among the largest ones")
        if self.progress and self.looks % 8 == 1:
            self.progress(f"{self.values.tune} from {float(self.values.value(low)):.6g}", 0, 0)
        easiest, target = self._easiest(low, high), float(self.target)
        return self._estimate(easiest, rough=True) <= 1.1 * target and self._estimate(easiest) <= target * (
            1 + _DOUBTFUL
        )

    def _estimate(self, mechanism: ScaledSGD, rough: bool = False) -> float:
        return estimate_mechanism(mechanism, self.run.target_delta, rough=rough)

    def _within(self, low: int, high: int) -> tuple[int, Result] | None:
        """The largest index of a range that is certified: its larger half first."""
        if not self._seems_met(low, high):
            self.skipped.append((low, high))
            return None
        most, fewest = (math.ceil(1 / self.values.rate(index)) for index in (low, high))
        if most == fewest:
            return self._in_tooth(low, high)
        middle = self.values.first(Fraction(1, (most + fewest) // 2))
        return self._within(middle, high) or self._within(low, middle - 1)

    def _gap(self, index: int) -> int:
        """How near to the best the answer has to be."""
        if self.values.whole:
            return max(1, index // _EXACT)
        return max(1, (index - 1) % _PER_DECADE // _EXACT + 10 ** (DIGITS - 1) // _EXACT)

    def _is_exact(self, index: int) -> bool:
        return self.values.whole and self._gap(index) == 1

    def _in_tooth(self, low: int, high: int) -> tuple[int, Result] | None:
        """The largest certified index where ε grows with it."""
        best, bad = self._certified(low), high + 1
        if best is None:
            self.proved &= self._exceeds(self._mechanism(low))
            return None
        good, gap = low, self._gap(low)
        tried, step = self._crossing(low, high), gap
        while bad - good > gap:
            if not good < tried < bad:
                tried = (good + bad) // 2
            result = self._certified(tried)
            if result is None:
                bad, tried = tried, tried - step
            else:
                good, best, tried = tried, result, tried + step
            step *= 2
        beyond = bad if self._is_exact(good) else good + _BEYOND * gap
        if beyond <= high:
            self.proved &= self._exceeds(self._mechanism(beyond))
        return good, best

    def _crossing(self, low: int, high: int) -> int:
        """The last index of a tooth that seems to meet the target."""
        target = float(self.target)
        while low < high:
            middle = (low + high + 1) // 2
            meets = self._estimate(self._mechanism(middle)) <= target
            low, high = (middle, high) if meets else (low, middle - 1)
        return low

    def _certified(self, index: int) -> Result | None:
        run = self.run.with_values(**{self.values.tune: self.values.value(index)})
        if math.isinf(self._estimate(run.mechanism)):  # batches are cut too often
            return None
        try:
            width = None if self._is_exact(index) else _FINE
            result = certify_training(run, width=width, guarantees=False, progress=self.progress)
        except UsageError:  # batches are cut too often, or no grid gives a finite bound
            return None
        return result if result.verdict is Verdict.CERTIFIED else None

    def _prove(self) -> bool:
        """Whether everything that was skipped exceeds the target, in integers."""
        return len(self.skipped) <= _MAX_PROOFS and all(
            self._exceeds(self._easiest(*range_)) for range_ in self.skipped
        )

    def _exceeds(self, mechanism: ScaledSGD) -> bool:
        """Whether every bound on this run is proved to exceed the target."""
        delta, over = self.run.target_delta, self._estimate(mechanism) / float(self.target) - 1
        width = Fraction(min(max(over / 4, 1e-4), 0.25)).limit_denominator(10**6)
        for part in (1, 8):
            if lower_bound(mechanism, delta, width=width / part, progress=self._report_progress) > self.target:
                return True
        return False

    def _report_progress(self, message: str) -> None:
        if self.progress:
            self.progress(f"no larger one: {message}", 0, 0)
