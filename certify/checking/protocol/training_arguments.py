"""Side conditions of training runs."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.checking.format.run import map_arguments
from certify.checking.format.training import Training
from certify.checking.limits import require
from certify.checking.numbers.exact import canonical
from certify.checking.protocol.arguments import Proof


def check_training_arguments(
    run: Training,
    steps: list[dict[str, Any]],
    claim: dict[str, Any],
    guarantees: list[Training | None],
    enlarged: Training | None,
) -> None:
    """Every step has the arguments and premises that a training run implies. Free are, besides what
    each rule names as `free`, T20's share of δ, and what the producer's grid was (any grid will do).

    enlarged: the run that T28s starts from, where one is claimed.
    """
    limit, momentum = run.scaling["gradient_norm_bound"], run.momentum
    implied = {"delta": canonical(run.delta), "gradient_norm_bound": limit} | map_arguments(run.scaling)
    proof, bound, lower, renyi = Proof(steps, implied), claim["bound"], claim["lower"], claim["renyi"]
    premises = proof.premises
    proof.check_order()

    def distribution(of: Training, index: str, suffix: str, releases: list[dict[str, str]], share: Fraction) -> None:
        kind = ("T19" if of.coins == 1 else "T27") + suffix
        premises(index, kind, 0, releases=releases, neighbours=of.pair, group=str(of.coins))
        delta = Fraction(steps[int(index)]["args"]["grid"]["delta"])
        require(delta == share, f"step {index} (loss_distribution): delta is not what the run implies")

    def check_bound(of: Training, bound: str) -> str | None:  # returns the μ of a Gaussian run
        own, every, share = list(of.own), [*of.own, *of.others], of.delta
        if not of.gaussian:
            if of.cut is not None:
                samples, cap = map(str, of.cut)
                (whole,) = premises(bound, "T20", 1, releases=own, samples=samples, max_batch_size=cap)
                share -= Fraction(steps[int(bound)]["args"]["budget"])
                bound = whole
            distribution(of, bound, "", every, share)
            return None
        (composed,) = premises(bound, "T11", 1, delta=canonical(of.delta))
        if not of.disjoint:
            premises(composed, "T20f", 0, releases=every, neighbours=of.neighbours)
            return composed
        parts = premises(composed, "T7", len(own) + bool(of.others))
        for part, stage in zip(parts, own, strict=False):
            noise, epochs = stage["noise_multiplier"], stage["steps"]
            premises(part, "T20d", 0, noise_multiplier=noise, epochs=epochs, neighbours=of.neighbours)
        for part in parts[len(own) :]:
            premises(part, "T20f", 0, releases=list(of.others), neighbours=of.neighbours)
        return composed

    own, every = list(run.own), [*run.own, *run.others]
    composed = check_bound(run, bound)
    if run.gaussian and lower is not None:
        (witness,) = premises(lower, "T11", 1)
        premises(witness, "T20l", 0, releases=own, neighbours=run.neighbours)
    elif lower is not None:
        distribution(run, lower, "l", own, run.delta)
    if run.gaussian and renyi is not None:
        require(premises(renyi, "T2", 1) == [composed], "renyi_curve: not of the releases that are bounded")
    elif renyi is not None:
        require(not run.can_be_cut, "subsampled_renyi: no statement about batches that are cut")
        require(run.coins == 1, "subsampled_renyi: no statement about records with coins of their own")
        premises(renyi, "T18", 0, releases=every, neighbours=run.pair)
    for of, index in zip(guarantees, claim["guarantees"], strict=True):
        require(of is not None or index is None, "guarantees: nothing is known of membership here")
        if of is run:
            require(index == bound, "guarantees: that of the run's neighbours is not the claim's bound")
        elif index is not None:  # else nothing is claimed
            check_bound(of, index)
    if enlarged is not None:
        check_bound(enlarged, claim["executed"])
    at = claim["sensitivity"]
    placed = [("inner", momentum["inner_beta"], momentum["inner_window"])] * (momentum["inner_window"] != "1")
    placed += [("outer", momentum["outer"], None)] * (momentum["outer"] != "0")
    for placement, beta, window in reversed(placed):
        (at,) = premises(at, "T15", 1, placement=placement, beta=beta, window=window)
    premises(at, "T14" if limit is None else "T14g", 0)
    proof.check_use()
