"""The canonical training run, and what it implies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.checking.format.assumptions import ASSUMPTIONS
from certify.checking.format.rounding import check_floats, numbers_of
from certify.checking.format.shapes import TRAINING
from certify.checking.limits import MAX_GROUP, MAX_STEPS, require
from certify.checking.rules import Cut
from certify.checking.sampled.moments import described
from certify.checking.sampled.schedule import BATCHES, SHIFTS


@dataclass(frozen=True)
class Training:
    """The canonical run of DP-SGD or a relative: what was released, as the proof writes it.

    Of a group that is drawn together, or always: its terms are one term `group` times as large (or so much less noise).
    """

    own: tuple[dict[str, str], ...]  # the noisy sums; of disjoint batches, those that a record is in
    others: tuple[dict[str, str], ...]  # other releases about the same records
    others_stated: bool  # though all may have mu = 0
    gaussian: bool  # nothing is sampled
    disjoint: bool
    sums: int
    sampling: str
    neighbours: str
    cut: Cut | None
    scaling: dict[str, Any]
    momentum: dict[str, Any]
    target: Fraction
    delta: Fraction
    group: int  # records that differ
    together: bool  # they are drawn by one coin
    known: bool  # whether anything is known of the other releases, for these neighbours
    executed: bool  # the run says in what numbers
    stages: tuple[tuple[Fraction, Fraction, int], ...]  # noise multiplier, sample rate, noisy sums

    @property
    def pair(self) -> str:
        """The neighbours that T18 and T19 are told: a record that is zero is one that is not there."""
        return self.neighbours if self.neighbours == "replace-one" else "add-or-remove-one"

    @property
    def coins(self) -> int:
        """How many records with coins of their own T27 is told of; 1: T19 serves."""
        return 1 if self.together or self.gaussian else self.group

    @property
    def can_be_cut(self) -> bool:
        """Whether a batch can be larger than is allowed, in the larger of the two datasets."""
        return self.cut is not None and self.cut[1] <= self.cut[0]


def read_training(run: dict[str, Any], other: str | None = None) -> Training:
    """What a training run releases, and the side conditions on it. What a stage leaves out is taken from mechanism.

    `other`: the same run, for other neighbours than its own.
    """
    mechanism, threat, target = run["mechanism"], run["threat"], run["target"]
    neighbours = other or threat["neighbours"]
    sampling, disjoint = mechanism["sampling"], mechanism["sampling"] in ("shuffled", "fixed")
    fits = TRAINING[mechanism["kind"]] == run["scaling"]["kind"]
    require(fits, f"run: {run['scaling']['kind']} is not the map of {mechanism['kind']}")
    fits = neighbours in BATCHES[sampling]
    require(fits, f"run: no statement about {sampling} batches and {neighbours} neighbours")
    samples, cap = (mechanism[key] and int(mechanism[key]) for key in ("samples", "max_batch_size"))
    require(samples is None or samples >= 1, "run: needs samples >= 1")
    group, together = int(threat.get("group_size", 1)), threat.get("group_sampling") == "together"
    require("group_sampling" not in threat or "group_size" in threat, "run: group_sampling needs group_size")
    require("group_size" not in threat or 2 <= group <= MAX_GROUP, f"run: needs group_size from 2 to {MAX_GROUP}")
    require(group == 1 or sampling != "without-replacement", "run: no statement about groups without replacement")
    require(group == 1 or samples is None or group <= samples, "run: needs group_size <= samples")
    if cap is not None:
        require(sampling == "poisson" and samples is not None, "run: max_batch_size needs Poisson batches, and samples")
        require(cap >= group, "run: needs max_batch_size >= 1, and >= group_size")
    for value in (mechanism["normaliser"], run["scaling"]["gradient_norm_bound"]):
        require(value is None or Fraction(value) > 0, "run: needs normaliser > 0 and gradient_norm_bound > 0")

    def sums(stage: dict[str, Any]) -> tuple[Fraction, Fraction, int]:  # noise multiplier, rate, steps
        rated = stage if stage["sample_rate"] is not None or stage["batch_size"] is not None else mechanism
        timed = stage if stage["steps"] is not None or stage["epochs"] is not None else mechanism
        if rated["batch_size"] is not None:
            require(rated["sample_rate"] is None, "run: sample_rate and batch_size, which one?")
            fits = samples is not None and 1 <= int(rated["batch_size"]) <= samples
            require(fits, "run: needs 1 <= batch_size <= samples")
            rate = Fraction(int(rated["batch_size"]), samples)
        else:
            require(rated["sample_rate"] is not None or sampling == "full", "run: needs sample_rate or batch_size")
            rate = Fraction(rated["sample_rate"] or 1)
        require(0 <= rate <= 1, "run: needs 0 <= sample_rate <= 1")
        require(sampling != "full" or rate == 1, "run: full batches need sample_rate = 1")
        require(not disjoint or rate > 0, "run: disjoint batches need sample_rate > 0")
        if sampling == "without-replacement":
            whole = samples is not None and (rate * samples).denominator == 1
            require(whole, "run: without-replacement needs samples, and a whole batch size")
        require((timed["steps"] is None) != (timed["epochs"] is None), "run: needs steps or epochs, and not both")
        if timed["steps"] is None:
            require(rate > 0, "run: epochs need sample_rate > 0")
            steps = int(timed["epochs"]) * (math.floor(1 / rate) if disjoint else math.ceil(1 / rate))
        else:
            steps = int(timed["steps"])
        require(1 <= steps <= MAX_STEPS, f"run: needs from 1 to {MAX_STEPS} steps")
        z = stage["noise_multiplier"] if stage["noise_multiplier"] is not None else mechanism["noise_multiplier"]
        require(Fraction(z) > 0, "run: needs noise_multiplier > 0")
        return Fraction(z), rate, steps

    stages = [sums(stage) for stage in (mechanism, *run["stages"])]
    gaussian = disjoint or all(rate in (0, 1) for _, rate, _ in stages)
    fits = not disjoint or samples is None or all(group <= rate * samples for _, rate, _ in stages)
    require(group == 1 or fits, "run: no statement about more records than a batch holds")
    if sampling == "shuffled":  # a stage that begins within an epoch could meet a record once more
        for _, rate, steps in stages[:-1]:
            whole = (1 / rate).denominator == 1 and (steps * rate).denominator == 1
            require(whole, "run: a stage of shuffled batches must end with an epoch, where another follows")
    less = group if together or gaussian else 1  # a group of k with one coin is a record with a term k times as large
    if disjoint:  # a record is in one batch of each epoch, of which the last may be cut short
        participations = [(z, -(-steps // math.floor(1 / rate))) for z, rate, steps in stages]
        own = [described("full", z / less, Fraction(1), steps) for z, steps in participations]
    else:
        own = [described(sampling, z / less, rate, steps) for z, rate, steps in stages if rate or not gaussian]
    mus = [Fraction(release["mu"]) for release in run["releases"]]
    shift, told = SHIFTS["full", neighbours], threat["neighbours"]
    twice = 2 if neighbours == "replace-one" != told else 1  # T8: replaced is removed and added
    others = [described("full", shift / (mu * twice * less), Fraction(1), 1) for mu in mus if mu > 0]
    known = not others or neighbours == "replace-one" or told != "replace-one"
    momentum = run["momentum"]
    require(0 <= Fraction(momentum["outer"]) < 1, "run: needs 0 <= momentum.outer < 1")
    require(0 <= Fraction(momentum["inner_beta"]) < 1, "run: needs 0 <= momentum.inner_beta < 1")
    window = int(momentum["inner_window"])
    require(window >= 1, "run: needs momentum.inner_window >= 1")
    require(window == 1 or Fraction(momentum["inner_beta"]) > 0, "run: inner momentum needs inner_beta > 0")
    require(window == 1 or momentum["inner_history"] == "own", "run: no statement about the momentum of other records")
    require(target["delta"] != "1/n" or samples is not None, "run: delta = 1/n needs samples")
    delta = Fraction(1, samples) if target["delta"] == "1/n" else Fraction(target["delta"])
    require(0 < delta < 1, "run: needs delta strictly between 0 and 1")
    check_floats(numbers_of(run))
    made = Training(
        tuple(own), tuple(others), bool(mus), gaussian, disjoint, sum(steps for _, _, steps in stages), sampling,
        neighbours, None if cap is None else (samples + group - 1, cap), run["scaling"], momentum,
        Fraction(target["epsilon"]), delta, group, together, known, bool(numbers_of(run)), tuple(stages),
    )  # fmt: skip
    require(not (gaussian and own and made.can_be_cut), "run: max_batch_size cuts every batch")
    # their number in a batch is 0 or k: not binomial
    require(not (together and made.can_be_cut), "run: no statement about max_batch_size and records drawn together")
    return made


def two_guarantees(run: Training, canonical_run: dict[str, Any]) -> list[Training | None]:
    """Of membership, and of attributes or labels: the run as it is, and for the other kind of neighbours; None where
    nothing is known."""
    bounded = BATCHES[run.sampling]
    if run.neighbours != "replace-one":
        return [run, read_training(canonical_run, "replace-one") if "replace-one" in bounded else None]
    membership = next((name for name in ("add-or-remove-one", "remove-one") if name in bounded), None)
    other = read_training(canonical_run, membership) if membership else None
    return [other if other and other.known else None, run]


def training_assumptions(run: Training, theorems: set[str]) -> list[dict[str, str]]:
    """What the claim about a training run takes for granted, in the order of docs/certificate.md."""
    chosen = {"noisy_sums", "release:sums", f"neighbours:{run.neighbours}"}
    chosen |= {"sampling"} if theorems & {"T18", "T19", "T20", "T27"} else set()
    chosen |= {"batches:disjoint"} if run.disjoint else set()
    chosen |= {"noise_above_rounding"} if run.executed else set()
    chosen |= {"gradient_bound"} if run.scaling["gradient_norm_bound"] is not None else set()
    listed = sorted(chosen) + ([f"group:{'together' if run.together else 'independent'}"] if run.group > 1 else [])
    listed += ["other_releases"] if run.others_stated else []
    return [{"id": name, "status": "attested", "text": ASSUMPTIONS[name]} for name in listed]
