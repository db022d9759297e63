"""T17r and T27: a record replaced under Poisson sampling, and groups of records with coins of their own."""

from __future__ import annotations

import math
from fractions import Fraction as F

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accountant import TheoremError, apply, enclose, theorems
from accountant.core.scaling import Clip
from accountant.dpsgd.derive import derive_guarantees, derive_training
from accountant.dpsgd.estimate import estimate_training
from accountant.mechanisms.dpsgd import ScaledSGD, Stage
from accountant.mechanisms.pairs import Way
from accountant.mechanisms.release import directions
from accountant.pld import Grid, Release
from accountant.pld.account import bracket, delta_bracket
from tests.oracles import groups as oracle

ADD, REPLACE = "add-or-remove-one", "replace-one"
RUN = (Release("poisson", 1, F(1, 100), 1000),)  # theory's setting, at δ = 1e-5


def training(**more: object) -> ScaledSGD:
    return ScaledSGD(scaling=Clip("1"), stages=(Stage(1, "0.01", 1000),), **more)


@pytest.mark.parametrize(
    ("neighbours", "group", "published"),
    [(REPLACE, 1, "2.8434"), (ADD, 1, "1.8282"), (ADD, 4, "8.899"), (REPLACE, 4, "14.476")],
)
def test_the_numbers_of_the_theory(neighbours: str, group: int, published: str) -> None:
    found = bracket(RUN, neighbours, "1e-5", group=group)
    assert found.sharp and found.lower <= F(published) + F("5e-4") and found.upper >= F(published) - F("5e-4")
    assert found.upper - found.lower <= found.upper / 1000
    estimate = estimate_training(RUN, neighbours, 1e-5, group=group)
    assert abs(estimate - float(published)) < 1e-3


def test_adding_four_is_less_than_removing_four() -> None:
    (first, _), (reverse, way), *_ = directions(RUN, ADD, group=4)
    assert first == reverse and way is Way.REVERSED
    assert estimate_training(RUN, ADD, 1e-5, group=4) > 8.89
    witness = apply(
        theorems.group_distribution_witness,
        releases=RUN,
        neighbours=ADD,
        group=4,
        grid=Grid(F("1e-5"), 4096),
        direction="add",
    )
    assert 6.60 < float(enclose(witness).lower) < 6.608


def test_one_coin_for_the_group_is_a_shift_of_four() -> None:
    """A shift of 4 at z = 1 is z = 1/4, of which dp_accounting 0.6.0 prints 121.625 too (docs/theory.md T27)."""
    run = derive_training(training(group_size=4, group_sampling="together"), "1e-5")
    assert F("121.5") < enclose(run.lower).lower < enclose(run.upper).upper < F("121.7")
    assert run.upper.theorem.id == "T19" and run.curve is not None


def test_one_coin_is_no_bound_for_four() -> None:
    """At T = 1, ε = 0 the pair of one coin (rate q, shift k) lies below the truth of k coins: .00954 and .01523."""
    truth = oracle.delta(0.0, 1.0, 0.01, 4, 0, 1)
    one_coin = oracle.delta(0.0, 0.25, 0.01, 1, 0, 1)
    assert round(one_coin, 5) == 0.00954 and round(truth, 5) == 0.01523
    step = (Release("poisson", 1, F(1, 100), 1),)
    low, high = delta_bracket(step, ADD, 0, group=4, points=1 << 10)
    assert float(low) <= truth * (1 + 1e-9) and float(high) >= truth * (1 - 1e-9) and float(high) < 1.02 * truth


def test_repeating_one_records_pair_is_no_group_bound() -> None:
    """q = 1: √k·μ for k·μ. What is derived for full batches is k·μ."""
    full = ScaledSGD(scaling=Clip("1"), stages=(Stage(4, 1, 1),), sampling="full", group_size=4)
    assert enclose(derive_training(full, "1e-5").mu).lower > F("0.99999999")
    repeated = ScaledSGD(scaling=Clip("1"), stages=(Stage(4, 1, 4),), sampling="full")
    assert enclose(derive_training(repeated, "1e-5").mu).upper < F("0.50000001")


def test_a_poisson_run_has_no_k_times_mu() -> None:
    run = derive_training(training(group_size=4), "1e-5")
    assert run.mu is None and run.upper.theorem.id == "T27" and run.curve is None


def _hold_the_truth(neighbours: str, group: int, z: str, q: str, epsilon: str, steps: int) -> None:
    release = Release("poisson", z, q, steps)
    low, high = delta_bracket((release,), neighbours, epsilon, group=group, points=1 << 9)
    pairs = oracle.pairs(neighbours, group)
    truth = max(oracle.delta(float(epsilon), float(z), float(q), a, b, steps) for a, b in pairs)
    slack = 1e-11 + 1e-9 * truth
    assert float(low) <= truth + slack and float(high) >= truth - slack
    assert float(high) <= 1.05 * truth + 1e-6


@pytest.mark.parametrize(
    "case",
    [
        (REPLACE, 1, "0.7", "0.1", "0.4", 1),
        (REPLACE, 2, "1", "0.5", "1.5", 2),
        (ADD, 3, "1", "0.1", "0.4", 2),
        (ADD, 2, "2.5", "0.95", "0.05", 2),
    ],
)
def test_brackets_of_groups_hold_the_truth_of_few_steps(case: tuple) -> None:
    _hold_the_truth(*case)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([(REPLACE, 1), (REPLACE, 2), (ADD, 2), (ADD, 3), (REPLACE, 3)]),
    st.sampled_from(["0.7", "1", "2.5"]),
    st.sampled_from(["0.002", "0.1", "0.5", "0.95"]),
    st.sampled_from(["0", "0.05", "0.4", "1.5"]),
    st.sampled_from([1, 2]),
)
def test_brackets_hold_the_truth_everywhere(who: tuple[str, int], z: str, q: str, epsilon: str, steps: int) -> None:
    _hold_the_truth(*who, z, q, epsilon, steps)


def test_the_oracles_own_error() -> None:
    assert max(oracle.own_error(e, 1.0, 0.1, 2, 1) for e in (0.0, 0.4, 1.5)) < 1e-12


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.sampled_from([ADD, REPLACE]), st.sampled_from(["0.6", "1.3"]), st.sampled_from(["0.01", "0.2"]))
def test_larger_groups_and_larger_rates_tell_more(neighbours: str, z: str, q: str) -> None:
    def upper(group: int, rate: F) -> F:
        return bracket((Release("poisson", z, rate, 20),), neighbours, "1e-6", group=group).upper

    def lower(group: int, rate: F) -> F:
        return bracket((Release("poisson", z, rate, 20),), neighbours, "1e-6", group=group).lower

    assert lower(1, F(q)) <= upper(2, F(q)) and lower(2, F(q)) <= upper(3, F(q))
    assert lower(2, F(q)) <= upper(2, 2 * F(q))


@settings(max_examples=4, deadline=None)
@given(st.sampled_from(["0.6", "1.3", "4"]), st.sampled_from(["0.01", "0.3"]), st.integers(1, 40))
def test_membership_is_never_above_attributes_and_both_never_above_full_batches(z: str, q: str, steps: int) -> None:
    run = (Release("poisson", z, q, steps),)
    less, more = bracket(run, ADD, "1e-5"), bracket(run, REPLACE, "1e-5")
    assert less.lower <= more.upper
    whole = bracket((Release("full", z, 1, steps),), REPLACE, "1e-5").upper
    assert more.lower <= whole


def test_both_guarantees_of_every_sampling() -> None:
    run = derive_training(training(), "1e-5")
    membership, attribute = derive_guarantees(training(), "1e-5", run.upper)
    assert membership.upper is run.upper and membership.neighbours == ADD and attribute.neighbours == REPLACE
    assert F("2.843") < enclose(attribute.upper).upper < F("2.847")

    shuffled = ScaledSGD(scaling=Clip("1"), stages=(Stage(2, "0.1", 10),), sampling="shuffled")
    run = derive_training(shuffled, "1e-5")
    membership, attribute = derive_guarantees(shuffled, "1e-5", run.upper)
    assert (membership.neighbours, attribute.neighbours) == ("remove-one", REPLACE) and attribute.upper is run.upper
    assert enclose(membership.upper).upper < enclose(attribute.upper).lower

    fixed_size = ScaledSGD(scaling=Clip("1"), stages=(Stage(1, "0.1", 3),), sampling="without-replacement", samples=100)
    membership, attribute = derive_guarantees(fixed_size, "1e-5", derive_training(fixed_size, "1e-5").upper)
    assert membership.upper is None and membership.neighbours is None and attribute.upper is not None


def test_other_releases_are_known_for_the_runs_own_neighbours() -> None:
    """A replaced record is one removed and one added: twice their μ. The other way round nothing is known."""
    without = ScaledSGD(scaling=Clip("1"), stages=(Stage(4, 1, 1),), sampling="full", others=("0.5",))
    _, attribute = derive_guarantees(without, "1e-5", derive_training(without, "1e-5").upper)
    (mu,) = (node for node in attribute.upper.nodes() if node.theorem.id == "T20f")
    assert abs(enclose(mu).upper - F(math.sqrt(0.5**2 + 1.0**2))) < F("1e-9")

    replaced = ScaledSGD(
        scaling=Clip("1"), stages=(Stage(4, 1, 1),), sampling="full", others=("0.5",), neighbours=REPLACE
    )
    membership, _ = derive_guarantees(replaced, "1e-5", derive_training(replaced, "1e-5").upper)
    assert membership.upper is None


def test_cut_batches_count_the_records_that_may_be_added() -> None:
    run = derive_training(training(samples=10_000, max_batch_size=300, group_size=3), "1e-5")
    assert run.upper.theorem.id == "T20" and dict(run.upper.arguments)["samples"] == 10_002
    assert {node.theorem.id for node in run.upper.nodes()} == {"T20", "T27"}


def test_no_renyi_curve_where_a_record_is_replaced() -> None:
    assert derive_training(training(neighbours=REPLACE), "1e-5").curve is None
    with pytest.raises(TheoremError, match="a record added or removed, where it is drawn"):
        apply(theorems.subsampled_renyi, releases=RUN, neighbours=REPLACE, orders=(2,))
