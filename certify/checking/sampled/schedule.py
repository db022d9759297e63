"""Training runs: sensitivity and schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from certify.checking.descent.scaling import MAP, Scaling, read_scaling
from certify.checking.limits import MAX_GROUP, require
from certify.checking.reading import exact, integer, one_of, optional
from certify.checking.rules import RULES, Cut, Rule, Step, declare

BATCHES = {  # how the batches of a training run are drawn -> the neighbours that a theorem is about
    "poisson": ("add-or-remove-one", "remove-one", "replace-one"),
    "without-replacement": ("replace-one",),
    "full": ("add-or-remove-one", "remove-one", "replace-one"),
    "shuffled": ("replace-one", "remove-one"),
    "fixed": ("replace-one", "remove-one"),
}

Sensitivity = tuple[Fraction, bool]  # Δ, and whether a gradient attains it


def sensitivity(scaling: Scaling, gradient_bound: Fraction | None) -> Sensitivity:
    """T14, T14g. The largest norm of a scaled gradient: sup φ, or φ(G) where all gradients are known to be within G."""
    if gradient_bound is None:
        return scaling.limit, scaling.kind == "clip"
    require(gradient_bound > 0, "bounded_sensitivity: needs gradient_norm_bound > 0")
    return scaling.of(gradient_bound), True


SHIFTS = {  # T17: how far the neighbours' sums are apart if nobody is left out, in units of the sensitivity
    (sampling, neighbours): 2 if neighbours == "replace-one" else 1  # remove-one: a term of zero is no record
    for sampling in ("poisson", "without-replacement", "full")
    for neighbours in BATCHES[sampling]
}


@dataclass(frozen=True)
class Release:
    """`steps` equal releases: each of some records is in the batch with probability `rate`, and then moves the sum by
    `shift` standard deviations. `first` of them are in the first dataset alone, `second` in the second alone (T27).

    P = Σ_j Bin(first,q;j)·N(js,1), Q = Σ_j Bin(second,q;j)·N(-js,1). With one record in the first that is T17; with one
    in each, T17r. The other direction is the mirror image with `first` and `second` exchanged.
    """

    rate: Fraction
    shift: Fraction
    steps: int
    symmetrised: bool  # without replacement: compose the symmetrised pair (T17)
    first: int = 1
    second: int = 0

    @property
    def kinked(self) -> bool:
        """Whether H all but has a kink at t = ((1-q)^first)/((1-q)^second), where grids from below need a node."""
        return self.rate < 1 and self.shift >= 4

    @property
    def alone(self) -> bool:
        """Whether one record, in the first dataset, is all that differs."""
        return (self.first, self.second) == (1, 0)

    @property
    def mirrored(self) -> bool:
        """Whether Q's weights are P's: then the other direction is the mirror image."""
        return self.first == self.second

    def weights(self) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
        """P's of N(0,1), N(s,1), …, N(first·s,1), and Q's of N(0,1), N(-s,1), …: each row has the sum 1."""
        q = self.rate
        first, second = (
            tuple(math.comb(count, j) * q**j * (1 - q) ** (count - j) for j in range(count + 1))
            for count in (self.first, self.second)
        )
        return first, second


@dataclass(frozen=True)
class Schedule:
    """What was released: sampled releases, the μ² of all releases without sampling, the truncation of batches (T20)."""

    sampled: tuple[Release, ...]
    mu_squared: Fraction
    truncations: tuple[tuple[int, Fraction, int, int], ...] = ()  # (n⁺, rate, cap, steps)


def read_schedule(
    releases: list[dict[str, str]], neighbours: str, cut: Cut | None = None, group: int = 1, second: int | None = None
) -> Schedule:
    """The releases of a run; equal ones are put together. `cut`: (samples, max_batch_size) of the Poisson batches.

    A group of records (T27), each of which has a coin of its own: all are replaced, or `second` of them are in the
    second dataset alone and the others in the first alone (none, unless given).
    """
    groups: dict[tuple[Fraction, Fraction, bool], int] = {}
    truncations, mu_squared = [], Fraction(0)
    require(1 <= group <= MAX_GROUP, f"group_distribution: needs a group of 1 to {MAX_GROUP} records")
    replaced = neighbours == "replace-one"
    require(second is None or 0 <= 2 * second <= group, "group_distribution: the other direction is the mirror image")
    behind = group if replaced else second or 0
    ahead = group if replaced else group - behind
    for release in releases:
        kind, steps = release["sampling"], int(release["steps"])
        known = (kind, neighbours) in SHIFTS
        require(known, f"subsampled_gaussian: no statement about {kind} batches and {neighbours} neighbours")
        noise, rate = Fraction(release["noise_multiplier"]), Fraction(release["sample_rate"])
        require(noise > 0, "subsampled_gaussian: needs noise_multiplier > 0")
        require(0 <= rate <= 1, "subsampled_gaussian: needs 0 <= sample_rate <= 1")
        require(kind != "full" or rate == 1, "subsampled_gaussian: full batches need sample_rate = 1")
        require(steps >= 0, "subsampled_gaussian: needs steps >= 0")
        whole = group * SHIFTS[kind, neighbours] / noise  # if nobody is left out
        shift = whole if kind == "without-replacement" else 1 / noise
        if cut is not None and kind == "poisson":
            samples, cap = cut
            require(cap >= 0 and samples >= 0, "truncated_poisson: needs samples, max_batch_size >= 0")
            truncations.append((samples + 1, rate, cap, steps))
        if rate == 1:
            mu_squared += steps * whole**2
        elif rate and steps:
            require(group == 1 or kind == "poisson", f"group_distribution: no statement about {kind} batches")
            key = rate, shift, kind == "without-replacement"
            groups[key] = groups.get(key, 0) + steps
    sampled = tuple(
        Release(rate, shift, steps, True) if sym else Release(rate, shift, steps, False, ahead, behind)
        for (rate, shift, sym), steps in sorted(groups.items())
    )
    return Schedule(sampled, mu_squared, tuple(truncations))


def one_sided(schedule: Schedule) -> Schedule:
    """From below one pair of neighbours is enough. Without replacement: all other terms as far as they go to one side,
    the differing one to that side or the other; so N(0,1) against the mixture, at every step (T17 gives both orders).
    """
    return replace(schedule, sampled=tuple(replace(release, symmetrised=False) for release in schedule.sampled))


def check_sensitivity(step: Step) -> Sensitivity:
    known = step.args.get("gradient_norm_bound")
    found = sensitivity(read_scaling(step.args, RULES[step.theorem].name), known and Fraction(known))
    step.equal({"sensitivity": found[0], "attained": found[1]})
    return found


def check_momentum(step: Step) -> Sensitivity:
    """T15. Every noisy sum is charged, so that what is done with them (outer) is post-processing; and the average of a
    record's own gradients at released iterates (inner) is scaled after it is taken. The sensitivity stays."""
    window, outer = step.args["window"], step.args["placement"] == "outer"
    require(0 <= step.argument("beta") < 1, "momentum: needs 0 <= beta < 1")
    require((window is None) == outer, "momentum: inner needs a window, outer has none")
    require(window is None or int(window) >= 1, "momentum: needs window >= 1")
    step.equal({"sensitivity": step.given[0][0], "attained": step.given[0][1]})
    return step.given[0]


SENSITIVITY = {"sensitivity": exact, "attained": one_of(True, False)}
MOMENTUM = {
    "placement": one_of("inner", "outer"), "beta": exact, "window": optional(integer),
    "iterates": one_of("released"), "history": one_of("own"), "charged": one_of("every-aggregate"),
}  # fmt: skip
SUMS = [{"sampling": one_of("poisson", "without-replacement", "full"), "noise_multiplier": exact, "sample_rate": exact,
         "steps": integer}]  # fmt: skip
SAMPLED = {"releases": SUMS, "neighbours": one_of(*BATCHES["full"])}

declare(
    Rule("T14", "scaled_sensitivity", MAP, SENSITIVITY, check_sensitivity),
    Rule("T14g", "bounded_sensitivity", MAP | {"gradient_norm_bound": exact}, SENSITIVITY, check_sensitivity),
    Rule("T15", "momentum", MOMENTUM, SENSITIVITY, check_momentum, "T14, T14g or T15",
         "`window`: null for outer; concludes what its premise does",
         free={"iterates", "history", "charged"}),  # which have one value
)  # fmt: skip
