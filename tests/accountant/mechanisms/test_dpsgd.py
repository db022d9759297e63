"""DP-SGD descriptions: what is refused and why, and what is accounted for."""

from __future__ import annotations

from fractions import Fraction

import pytest

from accountant import TheoremError, enclose
from accountant.core.scaling import AutoS, Clip, Psac, Psasc
from accountant.dpsgd.derive import derive_step, derive_training, schedule
from accountant.mechanisms.dpsgd import Momentum, ScaledSGD, Stage
from accountant.mechanisms.pnsgd import InvalidMechanism
from accountant.mechanisms.sampling import SAMPLINGS
from accountant.pld import Release

STAGE = Stage(1, "0.01", 100)


def test_defaults() -> None:
    run = ScaledSGD(Clip(1), (STAGE,))
    assert (run.sampling, run.neighbours, run.steps) == ("poisson", "add-or-remove-one", 100)
    assert schedule(run) == (Release("poisson", 1, "0.01", 100),)
    assert {s: ScaledSGD(Clip(1), (Stage(1, 1, 5),), sampling=s, samples=9).neighbours for s in SAMPLINGS} == {
        s: scheme.neighbours[0] for s, scheme in SAMPLINGS.items()
    }


@pytest.mark.parametrize(
    ("more", "key", "says"),
    [
        ({"stages": ()}, "steps", "no step"),
        ({"sampling": "sequential"}, "sampling", "poisson"),
        ({"group_size": 0}, "group_size", "whole number from 1"),
        ({"group_size": 33}, "group_size", "at most 32"),
        ({"group_size": 101, "samples": 100}, "group_size", "exceeds samples"),
        ({"group_sampling": "together"}, "group_sampling", "write group_size"),
        ({"group_size": 2, "group_sampling": "apart"}, "group_sampling", "independent"),
        (
            {"group_size": 2, "sampling": "without-replacement", "samples": 100},
            "group_size",
            "no bound for sampling",
        ),
        ({"sampling": "shuffled", "neighbours": "add-or-remove-one"}, "neighbours", "moves all the others"),
        ({"sampling": "fixed", "neighbours": "add-or-remove-one"}, "neighbours", "poisson"),
        (
            {"sampling": "without-replacement", "neighbours": "add-or-remove-one", "samples": 100},
            "neighbours",
            "poisson",
        ),
        ({"sampling": "without-replacement"}, "samples", "missing"),
        ({"sampling": "without-replacement", "samples": 150}, "sample_rate", "whole batch"),
        ({"sampling": "full"}, "sample_rate", "must be 1"),
        ({"sampling": "shuffled", "stages": (Stage(1, 0, 1),)}, "sample_rate", "positive"),
        ({"sampling": "shuffled", "stages": (Stage(1, "0.01", 150), STAGE)}, "steps", "end with an epoch"),
        ({"sampling": "shuffled", "stages": (Stage(1, "0.03", 99), STAGE)}, "steps", "end with an epoch"),
        ({"max_batch_size": 10}, "samples", "missing"),
        ({"max_batch_size": 0, "samples": 100}, "max_batch_size", "from 1"),
        ({"max_batch_size": 5, "samples": 100, "sampling": "shuffled"}, "max_batch_size", "poisson"),
        ({"samples": 0}, "samples", "from 1"),
        ({"normaliser": 0}, "normaliser", "positive"),
        ({"gradient_norm_bound": -1}, "gradient_norm_bound", "positive"),
        ({"others": (-1,)}, "releases.mu", "at least 0"),
        ({"stages": (Stage(1, "0.1", 10**9), STAGE)}, "steps", "in 2 stages; at most"),
    ],
)
def test_refusals_name_the_key(more, key, says) -> None:
    with pytest.raises(InvalidMechanism, match=says) as refused:
        ScaledSGD(**({"scaling": Clip(1), "stages": (STAGE,)} | more))
    assert refused.value.key == key


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ((0, "0.1", 1), "noise_multiplier"),
        ((-1, "0.1", 1), "noise_multiplier"),
        ((1, "1.1", 1), "sample_rate"),
        ((1, "-0.1", 1), "sample_rate"),
        ((1, "0.1", 0), "steps"),
        ((1, "0.1", True), "steps"),
        ((1, "0.1", 10**10), "steps"),
    ],
)
def test_stages_are_checked(arguments, key) -> None:
    with pytest.raises(InvalidMechanism) as refused:
        Stage(*arguments)
    assert refused.value.key == key


def test_floats_are_refused() -> None:
    with pytest.raises(TypeError):
        Stage(1.0, "0.1", 1)
    with pytest.raises(TypeError):
        Momentum(outer=0.9)


def test_disjoint_batches_meet_a_record_once_an_epoch() -> None:
    run = ScaledSGD(Clip(1), (Stage(2, Fraction(1, 4), 9),), sampling="shuffled")
    assert schedule(run) == (Release("full", 2, 1, 3),)
    uneven = ScaledSGD(Clip(1), (Stage(2, Fraction(4, 10), 10),), sampling="fixed")  # two batches, two records dropped
    assert schedule(uneven) == (Release("full", 2, 1, 5),)


def test_stages_of_shuffled_batches_begin_with_an_epoch() -> None:
    """Else a record could be the last of one epoch's and the first of the next one's, both within the later stage."""
    whole = ScaledSGD(Clip(1), (Stage(2, "1/4", 8), Stage(3, "1/3", 5)), sampling="shuffled")
    assert schedule(whole) == (Release("full", 2, 1, 2), Release("full", 3, 1, 2))
    fixed = ScaledSGD(Clip(1), (Stage(2, "1/4", 7), Stage(3, "1/4", 7)), sampling="fixed")  # every fourth, whatever
    assert schedule(fixed) == (Release("full", 2, 1, 2), Release("full", 3, 1, 2))


def test_other_releases_count_as_one_sum_of_their_mu() -> None:
    alone = ScaledSGD(Clip(1), (Stage(5, 1, 100),), sampling="full")
    more = ScaledSGD(Clip(1), (Stage(5, 1, 75),), sampling="full", others=(1, 0))
    replaced = ScaledSGD(Clip(1), (Stage(10, 1, 75),), sampling="full", neighbours="replace-one", others=(1,))
    first, second, third = (enclose(derive_training(run, "1e-5").upper) for run in (alone, more, replaced))
    assert first.upper >= second.lower
    assert second.upper >= first.lower
    assert second.upper >= third.lower
    assert third.upper >= second.lower


@pytest.mark.parametrize("scaling", [Clip(2), AutoS(2, "0.1"), Psac(2, "0.1"), Psasc(2, "0.1", "0.5")])
def test_sensitivity_of_a_step(scaling) -> None:
    moment = Momentum(outer="0.9", inner_beta="0.5", inner_window=3)
    step = derive_step(ScaledSGD(scaling, (STAGE,), momentum=moment))
    assert [node.theorem.id for node in step.nodes()] == ["T14", "T15", "T15"]
    assert step.preview.norm == (4 if scaling.kind == "psasc" else 2)
    bounded = derive_step(ScaledSGD(scaling, (STAGE,), gradient_norm_bound=1)).preview.norm
    assert bounded < step.preview.norm


def test_momentum_over_the_batch_is_refused() -> None:
    moment = Momentum(inner_beta="0.5", inner_window=3, inner_history="batch")
    with pytest.raises(TheoremError, match="un-noised state of other records"):
        derive_training(ScaledSGD(Clip(1), (STAGE,), momentum=moment), "1e-5")


@pytest.mark.parametrize("beta", ["-0.1", "1", "2"])
def test_momentum_ranges(beta) -> None:
    with pytest.raises(InvalidMechanism):
        Momentum(outer=beta)
    with pytest.raises(InvalidMechanism):
        Momentum(inner_beta=beta, inner_window=2)
    with pytest.raises(InvalidMechanism):
        Momentum(inner_window=2)
    with pytest.raises(InvalidMechanism):
        Momentum(inner_window=0)


def test_remove_one_is_the_poisson_pair_too() -> None:
    one, other = (
        derive_training(ScaledSGD(Clip(1), (STAGE,), neighbours=n), "1e-5") for n in ("remove-one", "add-or-remove-one")
    )
    assert enclose(one.upper) == enclose(other.upper)


def test_a_record_that_is_never_drawn_is_safe() -> None:
    run = ScaledSGD(Clip(1), (Stage(1, 0, 100),))
    assert enclose(derive_training(run, "1e-5").upper).upper_decimal() == "0"


def test_truncation_costs_little_or_is_refused() -> None:
    def run(most):
        return ScaledSGD(Clip(1), (STAGE,), samples=10000, max_batch_size=most)

    free = enclose(derive_training(ScaledSGD(Clip(1), (STAGE,)), "1e-5").upper).upper
    cut = enclose(derive_training(run(200), "1e-5").upper).upper
    assert free < cut < free * Fraction(1002, 1000)
    with pytest.raises(InvalidMechanism, match="larger one") as refused:
        derive_training(run(90), "1e-5")
    assert refused.value.key == "max_batch_size"
