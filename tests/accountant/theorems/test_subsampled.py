"""T18–T20 against quadrature, few steps by brute force, peers' numbers, and the traps that they fell into."""

from __future__ import annotations

import json
import math
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp, mpf

from accountant import TheoremError, apply, derive_epsilon, enclose, enclose_all, evaluate, theorems
from accountant.core.arithmetic import Ball, Exact, Float
from accountant.core.exact import Rounding
from accountant.mechanisms.pairs import Symmetrised, Way
from accountant.mechanisms.release import Part, parts
from accountant.pld import Grid, Orders, Release, bracket, delta_bracket, renyi_upper
from accountant.pld.account import gaussian_epsilon
from accountant.pld.compose import composed
from accountant.pld.profile import delta as delta_of
from tests.multiprecision import big
from tests.oracles import conversions
from tests.oracles import subsampled as oracle

PEERS = json.loads((Path(__file__).parents[2] / "oracles" / "data" / "peer_sampled.json").read_text(encoding="utf-8"))
ADD, REPLACE = "add-or-remove-one", "replace-one"


@pytest.fixture(autouse=True, scope="module")
def digits():
    """Sixty of them wherever mpmath's numbers are compared."""
    with mp.workdps(60):
        yield


def poisson(z, q, steps: int = 1) -> tuple[Release, ...]:
    return (Release("poisson", z, q, steps),)


def upper(releases, delta, points=1 << 10, neighbours=ADD, **changes):
    grid = Grid(F(delta), points, changes.pop("reverse_points", points), tuple(changes.pop("further", ())))
    given = changes.pop("premises", ())
    return apply(theorems.loss_distribution, *given, releases=releases, neighbours=neighbours, grid=grid)


def lower(releases, delta, points=1 << 10, neighbours=ADD, direction="remove"):
    grid = Grid(F(delta), points)
    return apply(
        theorems.loss_distribution_witness, releases=releases, neighbours=neighbours, grid=grid, direction=direction
    )


# --- the oracle -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["remove", "add"])
@pytest.mark.parametrize(("z", "q", "epsilon"), [("1", "0.3", "0.2"), ("0.7", "0.01", "-0.005"), ("3", "0.9", "0.1")])
def test_the_closed_formula_is_the_integral(z: str, q: str, epsilon: str, direction: str) -> None:
    slow = oracle.delta_one_by_quadrature(z, q, epsilon, direction)
    assert abs(oracle.delta_one(z, q, epsilon, direction) - slow) < mpf(10) ** -20


def test_two_and_three_steps_of_a_gaussian_are_one() -> None:
    for epsilon in (0.0, 0.5, 3.0):
        assert oracle.delta_two(2.0, 1.0, epsilon, "remove") == pytest.approx(
            float(conversions.delta_gdp(epsilon, mp.sqrt(2) / 2)), abs=1e-12
        )
        assert oracle.delta_three(2.0, 1.0, epsilon, "add") == pytest.approx(
            float(conversions.delta_gdp(epsilon, mp.sqrt(3) / 2)), abs=1e-12
        )


# --- T18 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [2, 3, 7, 20])
@pytest.mark.parametrize(("z", "q"), [("1", "0.01"), ("0.5", "0.3"), ("3", "0.9"), ("2", "1")])
def test_integer_orders_against_quadrature(z: str, q: str, order: int) -> None:
    made = apply(theorems.subsampled_renyi, releases=poisson(z, q, 3), neighbours=ADD, orders=(order,))
    (found,) = enclose_all(made)
    truth = 3 * oracle.renyi(z, q, order)
    assert abs(big(found.upper) - truth) < truth * mpf(10) ** -20
    with np.errstate(over="ignore"):
        searched = float(evaluate(made, Float()).divergences[0])
    assert searched == pytest.approx(float(truth), rel=1e-9) or searched == math.inf


@pytest.mark.parametrize("order", ["1.01", "1.5", "2", "2.5", "17.25"])
@pytest.mark.parametrize(("z", "q"), [("1", "0.01"), ("0.5", "0.3"), ("3", "0.9"), ("2", "1")])
def test_fractional_orders_against_quadrature(z: str, q: str, order: str) -> None:
    orders = Orders((F(order),))
    made = apply(theorems.subsampled_renyi_quadrature, releases=poisson(z, q, 3), neighbours=ADD, orders=orders)
    (found,) = enclose_all(made)
    truth = 3 * oracle.renyi(z, q, order)
    assert -truth * mpf(10) ** -22 <= big(found.upper) - truth < truth * mpf(10) ** -14


def test_both_forms_agree_and_add_up_over_a_schedule() -> None:
    releases = (*poisson(1, "0.02", 5), *poisson("0.7", "0.001", 2), Release("full", 3, 1, 4))
    one = apply(theorems.subsampled_renyi, releases=releases, neighbours=ADD, orders=(2, 9))
    other = apply(theorems.subsampled_renyi_quadrature, releases=releases, neighbours=ADD, orders=Orders((F(2), F(9))))
    for a, b in zip(enclose_all(one), enclose_all(other), strict=True):
        assert 0 <= b.upper - a.lower < a.upper / 10**14
    full = apply(theorems.subsampled_renyi, releases=(Release("full", 3, 1, 4),), neighbours=REPLACE, orders=(5,))
    assert abs(enclose(full).upper - F(4 * 5 * 4, 2 * 9)) < F(1, 10**30)


def test_extreme_orders_are_enclosed() -> None:
    for z, q, order in (("0.6", "0.001", 256), ("0.1", "0.5", 64), ("1000", "0.0000001", 3)):
        exact = apply(theorems.subsampled_renyi, releases=poisson(z, q), neighbours=ADD, orders=(order,))
        found = renyi_upper(1 / F(z) ** 2, F(q), F(order))
        truth = enclose(exact)
        assert truth.lower <= found <= truth.upper * (1 + F(1, 10**12))


@pytest.mark.parametrize("row", PEERS["renyi"], ids=lambda row: row["order"])
def test_peers_renyi_values(row) -> None:
    """At α = 1.5 the peer's value is 3 % above the moment itself, by our quadrature and by the oracle's."""
    z, q, order = row["noise_multiplier"], row["sample_rate"], row["order"]
    made = float(renyi_upper(1 / F(z) ** 2, F(q), F(order)) * row["steps"])
    if order == "1.5":
        assert made == pytest.approx(float(row["steps"] * oracle.renyi(z, q, order)), rel=1e-12)
        assert made < float(row["value"]) < made * 1.04
    else:
        assert made == pytest.approx(float(row["value"]), rel=float(row["rtol"]))


def test_orders_where_the_peers_series_failed() -> None:
    """A moment is at least one, also where an alternating series cancels (q = 0.4, z = 12, α around 58.5)."""
    values = [renyi_upper(F(1, 144), F("0.4"), F(order)) for order in ("58.5", "58.75", "59", "59.25", "59.5")]
    assert values == sorted(values) and values[0] > 0


# --- T19 --------------------------------------------------------------------------------------------------------------

FEW = [
    ("1", "0.01", 1, "1e-6"), ("0.5", "0.3", 2, "1e-3"), ("2", "0.1", 2, "1e-5"), ("0.3", "0.001", 2, "1e-5"),
    *(pytest.param(*row, marks=pytest.mark.slow)
      for row in (("1", "0.9", 3, "1e-6"), ("0.8", "0.05", 3, "0.01"), ("5", "0.5", 3, "1e-4"))),
]  # fmt: skip


@pytest.mark.parametrize(("z", "q", "steps", "delta"), FEW)
def test_brackets_hold_the_truth_of_few_steps(z: str, q: str, steps: int, delta: str) -> None:
    """One step by its formula, two and three by quadrature: both directions, and the symmetrised pair."""
    wanted = float(delta)

    def exactly(epsilon: F, direction: str, shift: int) -> tuple[float, float]:
        return oracle.delta_few(steps, float(z), float(q), float(epsilon), direction, shift)

    for sampling, neighbours, directions, shift in (
        ("poisson", ADD, ("remove", "add"), 1),
        ("without-replacement", REPLACE, ("symmetric",), 2),
    ):
        releases = (Release(sampling, z, q, steps),)
        above = enclose(upper(releases, delta, neighbours=neighbours)).upper
        found = [exactly(above, direction, shift) for direction in directions]
        assert all(value - error <= wanted * (1 + 1e-12) for value, error in found)
        a_little_less = [exactly(above * F(98, 100) - F(1, 10**4), direction, shift) for direction in directions]
        assert max(value + error for value, error in a_little_less) > wanted
        for direction in ("remove", "add"):
            below = enclose(lower(releases, delta, neighbours=neighbours, direction=direction)).lower
            assert below <= above
            if below > 0:
                value, error = exactly(below, direction, shift)
                assert value + error >= wanted * (1 - 1e-12)


def test_two_different_steps() -> None:
    releases = (*poisson("1", "0.1"), *poisson("0.6", "0.02"))
    above, below = enclose(upper(releases, "1e-4")).upper, enclose(lower(releases, "1e-4")).lower
    steps = [(1.0, 0.1, "remove"), (0.6, 0.02, "remove")]
    assert oracle.delta_mixed(steps, float(above)) <= 1e-4 + 1e-12
    assert oracle.delta_mixed(steps, float(below)) >= 1e-4 - 1e-12
    assert 0 < above - below < above / 100


def test_composing_one_sided_pairs_is_wrong_for_replaced_records() -> None:
    """q = .9, z = 1, T = 2, ε = 0: the one-sided pairs give .77088, a mechanism attains .77628, C_q gives .80038."""
    one_sided = max(oracle.delta_two(1.0, 0.9, 0.0, d, 2) for d in ("remove", "add"))
    truth = oracle.opposite_records(1.0, 0.9)
    symmetrised = oracle.delta_two(1.0, 0.9, 0.0, "symmetric", 2)
    assert [one_sided, truth, symmetrised] == pytest.approx([0.77088, 0.77628, 0.80038], abs=1.2e-5)
    below, above = delta_bracket((Release("without-replacement", 1, "0.9", 2),), REPLACE, 0)
    assert below <= F(str(symmetrised)) + F(1, 10**9) and above >= F(str(symmetrised)) - F(1, 10**9)
    assert above - below < F(1, 10**5) and below > F("0.77629")


@pytest.mark.parametrize("row", PEERS["settings"], ids=lambda row: row["noise_multiplier"])
def test_the_five_settings(row) -> None:
    """Within 0.1 %, no more than dp_accounting's PLD, and below both its Rényi bound and prv_accountant's."""
    releases = poisson(row["noise_multiplier"], row["sample_rate"], row["steps"])
    found = bracket(releases, ADD, row["delta"])
    assert found.sharp and found.lower <= found.upper <= found.lower * F(10011, 10000)
    peer = F(row["dp_accounting_pld"])
    assert found.upper <= peer * F(1001, 1000) and found.lower <= peer
    assert found.upper < F(row["prv_upper_0.01"]) and found.upper < F(row["dp_accounting_rdp"])
    if row["sample_rate"] != "1":
        again = upper(releases, row["delta"], found.points, reverse_points=found.reverse_points)
        assert enclose(again).upper == found.upper
        assert enclose(lower(releases, row["delta"], found.points)).lower == found.lower


@pytest.mark.parametrize("row", PEERS["epsilon_at_delta"], ids=lambda row: row["noise_multiplier"])
def test_peers_epsilons(row) -> None:
    releases = poisson(row["noise_multiplier"], row["sample_rate"], row["steps"])
    found = bracket(releases, ADD, row["delta"])
    tolerance = F(row["atol"])
    assert found.lower - tolerance <= F(row["epsilon"]) <= found.upper + tolerance


@pytest.mark.slow
@pytest.mark.parametrize("row", PEERS["delta_at_epsilon"], ids=lambda row: row["noise_multiplier"])
def test_peers_deltas(row) -> None:
    releases = poisson(row["noise_multiplier"], row["sample_rate"], row["steps"])
    below, above = delta_bracket(releases, ADD, row["epsilon"])
    assert below - F(row["atol"]) <= F(row["delta"]) <= above + F(row["atol"]) and above - below < F(1, 10**4)


@pytest.mark.parametrize("row", PEERS["gaussian_delta"], ids=lambda row: row["epsilon"])
def test_peers_gaussians(row) -> None:
    """Schedules of full batches are T11: ε(δ) of the peer's δ is its ε, to its fourteen digits."""
    made = parts((Release("full", z, 1, t) for z, t in row["components"]), ADD)
    below, above = gaussian_epsilon(made, F(row["delta"]))
    assert float(below) == pytest.approx(float(row["epsilon"]), rel=1e-12) == float(above)
    with_grid = parts((Release("full", z, 1, t) for z, t in row["components"]), ADD)
    for rounding in Rounding:
        value = delta_of(composed(with_grid, Way.FORWARD, rounding, F(row["delta"]), 1 << 11), F(row["epsilon"]))
        assert float(value) == pytest.approx(float(row["delta"]), rel=0.01)
        assert (value >= F(row["delta"]) * F(10**13 - 1, 10**13)) == (rounding is Rounding.UP) or value <= F(
            row["delta"]
        )


def test_a_delta_that_others_refuse() -> None:
    """δ = 1.13e-18, beyond long doubles; and 1e-15 at z = 1, q = .01, where one peer returns inf and another raises."""
    small = bracket(poisson(4, "0.00038", 1000), ADD, "1.13e-18", width="0.01")
    assert small.sharp and small.lower > 0
    tight = bracket(poisson(1, "0.01", 1000), ADD, "1e-15", width="0.01")
    assert tight.sharp and F("4.8") < tight.lower < tight.upper < F("4.9")


def test_replacing_a_record_doubles_the_sensitivity() -> None:
    """Where a peer's Rényi accountant forgets it: 10.73 for 24.38 at z = 5, T = 100, δ = 1e-5."""
    found = bracket((Release("full", 5, 1, 100),), REPLACE, "1e-5")
    assert float(found.upper) == pytest.approx(24.38, abs=0.01)
    assert found.upper == bracket((Release("full", "2.5", 1, 100),), ADD, "1e-5").upper


@pytest.mark.slow
def test_the_central_limit_is_no_bound() -> None:
    """The Gaussian limit μ = q√(T(e^{1/z²} − 1)) is below our lower bound on the fifth setting."""
    limit = mpf("0.001") * mp.sqrt(50000 * (mp.exp(1 / mpf("0.36")) - 1))
    found = bracket(poisson("0.6", "0.001", 50000), ADD, "1e-7", width="0.01")
    assert conversions.epsilon_gdp("1e-7", limit) < big(found.lower) * mpf("0.8")


def test_further_gaussian_releases_are_premises() -> None:
    pair = apply(theorems.disjoint_batches, noise_multiplier=F(5), epochs=1, neighbours="remove-one")
    with_it = upper(poisson(1, "0.01", 100), "1e-5", further=[F(1, 5) + F(1, 10**30)], premises=(pair,))
    as_release = upper((*poisson(1, "0.01", 100), Release("full", 5)), "1e-5")
    assert 0 < enclose(with_it).upper / enclose(as_release).upper - 1 + F(1, 10**6) < F(2, 10**6)
    with pytest.raises(TheoremError, match="each further μ at most its upper end"):
        upper(poisson(1, "0.01", 100), "1e-5", further=[F(1, 5) - F(1, 10**6)], premises=(pair,))
    with pytest.raises(TheoremError, match="an upper end for each further μ"):
        upper(poisson(1, "0.01", 100), "1e-5", premises=(pair,))
    assert with_it.assumptions == {"noisy_sums", "sampling", "release:sums", "batches:disjoint"}


def test_the_same_number_in_every_arithmetic() -> None:
    made = upper(poisson(1, "0.05", 10), "1e-4", 256)
    value = evaluate(made, Exact()).epsilon
    assert isinstance(value, F) and Ball().of(value).contains(evaluate(made, Ball()).epsilon)
    assert evaluate(made, Float()).epsilon == float(value)


def test_full_batches_are_not_put_on_a_grid() -> None:
    with pytest.raises(TheoremError, match=r"loss_distribution \(T19\): needs some release is sampled"):
        upper((Release("full", 1),), "1e-5")


# --- T20 --------------------------------------------------------------------------------------------------------------


def binomial_above(n: int, q: mpf, cap: int) -> mpf:
    return mp.fsum(mp.binomial(n, k) * q**k * (1 - q) ** (n - k) for k in range(cap + 1, n + 1))


def test_truncation_against_the_binomial_tail() -> None:
    """What the cut is charged covers the exact tail, and not by orders of magnitude."""
    releases, samples, cap = poisson(1, "0.01", 50), 2000, 60
    plain = upper(releases, "1e-5", 512)
    epsilon = big(enclose(plain).upper)
    exact = 50 * (1 + mp.exp(epsilon)) * binomial_above(samples + 1, mpf("0.01"), cap)

    def cut(budget: F, at: int = cap, n: int = samples):
        return apply(theorems.truncated_poisson, plain, budget=budget, releases=releases, samples=n, max_batch_size=at)

    added = F(mp.nstr(exact, 40))
    for factor in (0, F(1, 2), F(99, 100)):
        with pytest.raises(TheoremError, match="a budget for what the cut adds to δ"):
            cut(added * factor)
    made = cut(added * 40)
    assert enclose(made) == enclose(plain) and "sampling" in made.assumptions
    assert evaluate(made, Ball()).delta.contains(Ball().of(F("1e-5") + added * 40))
    assert evaluate(cut(F(0), samples + 1), Ball()).delta.contains(Ball().of(F("1e-5")))  # nothing is ever cut
    for on_average in (19, 0):
        with pytest.raises(TheoremError, match="above the mean batch"):
            cut(F("0.5"), on_average)


@pytest.mark.parametrize(("neighbours", "shift"), [("remove-one", 1), ("replace-one", 2)])
def test_disjoint_batches_are_one_gaussian_an_epoch(neighbours: str, shift: int) -> None:
    """The record's E noisy sums as one vector: means √E·shift apart, variance z²."""
    for z, epochs in ((F(2), 9), (F(7, 3), 1), (F(1, 2), 40), (F(1), 0)):
        made = apply(theorems.disjoint_batches, noise_multiplier=z, epochs=epochs, neighbours=neighbours)
        distance = math.sqrt(sum(shift**2 for _ in range(epochs)))
        assert float(enclose(made).upper) == pytest.approx(distance / float(z), rel=1e-12)
    pair = apply(theorems.disjoint_batches, noise_multiplier=F(2), epochs=9, neighbours=neighbours)
    assert abs(enclose(derive_epsilon(pair, "1e-5")).upper - F(0)) > 1


def test_disjoint_batches_know_nothing_of_adding_a_record() -> None:
    with pytest.raises(TheoremError, match="neighbours: remove-one or replace-one"):
        apply(theorems.disjoint_batches, noise_multiplier=F(2), epochs=9, neighbours=ADD)


def test_truncated_and_without_replacement_parts_share_nothing() -> None:
    """Part lists keep both kinds apart, whatever the order in which they are given."""
    both = (Release("without-replacement", 2, "0.1", 3), Release("full", 2, 1, 2))
    assert parts(both, REPLACE) == (Part(F(2), F(1), 1), Part(F(1), F(1, 10), 3, Symmetrised()))
