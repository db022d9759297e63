"""The standard-library checks of records that are replaced under Poisson (T17r), and of groups (T27)."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction as F

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certify import checker
from certify.checker import DoesNotFollow
from tests.certify.checking.test_subsampled import both_sides, end, exactly, gaussian, poisson, schedule

Curve = Callable[[mp.mpf], mp.mpf]


# --- oracle: mpmath -----------------------------------------------------------------------------------------------


def weights(count: int, q: mp.mpf) -> list[mp.mpf]:
    return [mp.binomial(count, j) * q**j * (1 - q) ** (count - j) for j in range(count + 1)]


def densities(z: str, q: str, first: int, second: int) -> tuple[Curve, Curve]:
    s, rate = 1 / mp.mpf(z), mp.mpf(q)
    p, r = weights(first, rate), weights(second, rate)
    return (lambda x: mp.fsum(w * mp.npdf(x, j * s) for j, w in enumerate(p)),
            lambda x: mp.fsum(w * mp.npdf(x, -j * s) for j, w in enumerate(r)))  # fmt: skip


def hockey_stick(z: str, q: str, first: int, second: int) -> Curve:
    """H(t) = sup_S P(S) - t·Q(S), with the half-line found by bisection of the log ratio."""
    s, rate = 1 / mp.mpf(z), mp.mpf(q)
    p, r = densities(z, q, first, second)

    def curve(t: mp.mpf) -> mp.mpf:
        low, high = mp.mpf(-60), mp.mpf(60)
        if p(low) >= t * r(low):
            return 1 - t
        if p(high) <= t * r(high):
            return mp.mpf(0)
        for _ in range(mp.mp.prec + 8):
            middle = (low + high) / 2
            low, high = (middle, high) if p(middle) < t * r(middle) else (low, middle)
        above = mp.fsum(w * mp.ncdf(j * s - low) for j, w in enumerate(weights(first, rate)))
        return above - t * mp.fsum(w * mp.ncdf(-j * s - low) for j, w in enumerate(weights(second, rate)))

    return curve


def two_steps(z: str, q: str, first: int, second: int, epsilon: float) -> float:
    """By a sum over a grid, in doubles."""
    s, rate = 1 / float(z), float(q)
    x = np.linspace(-9 - second * s, 9 + first * s, 1801)
    p, r = (sum(math.comb(count, j) * rate**j * (1 - rate) ** (count - j) * np.exp(-((x - sign * j * s) ** 2) / 2)
                for j in range(count + 1)) for count, sign in ((first, 1), (second, -1)))  # fmt: skip
    cell = (x[1] - x[0]) ** 2 / (2 * math.pi)
    return float(np.maximum(np.outer(p, p) - math.exp(epsilon) * np.outer(r, r), 0).sum() * cell)


def released(z: str, q: str, steps: int, first: int, second: int) -> checker.Release:
    return checker.Release(F(q), 1 / F(z), steps, False, first, second)


PAIRS = [("1", "0.25", 1, 1), ("1", "0.2", 4, 0), ("2", "0.3", 2, 1), ("0.5", "0.1", 2, 2), ("0.2", "0.4", 1, 1)]


# --- the curve ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", PAIRS)
@pytest.mark.parametrize("upward", [True, False])
def test_every_node_bounds_the_curve(row: tuple[str, str, int, int], upward: bool) -> None:
    """H of the discrete measures against the exact H, on and between the nodes."""
    grid = checker.Grid(F(1, 8), 30, 1, upward, one_way=True)
    release, nodes = released(*row[:2], 1, *row[2:]), range(-60, 120)
    build = (lambda way: checker.from_above(release, nodes, grid, 0, way)) if upward else (
        lambda way: checker.from_below(release, nodes, grid, 0, way))  # fmt: skip
    with mp.workdps(34):
        forward = hockey_stick(*row)
        for backward in (False, True):
            losses = build(backward)
            masses = [(mp.mpf(p) / grid.unit, (losses.first + j) / mp.mpf(8)) for j, p in enumerate(losses.masses) if p]
            gaps = []
            for k in range(-90, 170, 41):
                x = mp.mpf(k) / 33
                truth = 1 - mp.exp(x) + mp.exp(x) * forward(mp.exp(-x)) if backward else forward(mp.exp(x))
                made = mp.mpf(losses.lost) / grid.unit * (1 if upward else -1)
                made += sum(p * (1 - mp.exp(x - at)) for p, at in masses if at > x)
                gaps.append((made - truth) * (1 if upward else -1))
            assert min(gaps) >= -(mp.mpf(10) ** -26) and max(gaps) < 0.04 and max(gaps) > 0


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(0, 5),
    st.integers(1, 99),
    st.integers(5, 400),
    st.integers(-60, 60),
    st.integers(30, 120),
)
def test_what_is_said_of_a_ratio_holds(first: int, second: int, q: int, z: int, loss: int, digits: int) -> None:
    """The ratio at u is within the bound of t; and the half-lines' masses are within theirs."""
    release = released(str(F(z, 100)), str(F(q, 100)), 1, first, second)
    mixture = checker.Mixture.of(release, digits)
    with mp.workdps(digits + 60):
        t = mp.exp(mp.mpf(loss) / 10)
        if second == 0 and t <= (1 - mp.mpf(q) / 100) ** first * (1 + mp.mpf(10) ** (8 - digits)):
            return
        told = Decimal(mp.nstr(t, digits - 6))
        ((u, gap),) = mixture.crossings([told])
        s, rate = exactly(release.shift), mp.mpf(q) / 100
        x = mp.log(mp.mpf(str(u))) / s + s / 2
        p, r = weights(first, rate), weights(second, rate)
        ratio = mp.fsum(w * mp.npdf(x, j * s) for j, w in enumerate(p)) / mp.fsum(
            w * mp.npdf(x, -j * s) for j, w in enumerate(r))  # fmt: skip
        assert abs(ratio - mp.mpf(str(told))) <= mp.mpf(str(gap))
        assert mp.mpf(str(gap)) <= mp.mpf(str(told)) * mp.mpf(10) ** (24 - digits)
        bits = 120
        place = mixture.place(u, bits)
        if digits > 60:
            assert abs(place - x * 2**bits) < 3
        above, below = mixture.beyond(place, bits)
        at = mp.mpf(place) / 2**bits
        for made, sign, side in ((above, 1, p), (below, -1, r)):
            truth = mp.fsum(w * mp.ncdf(sign * j * s - at) for j, w in enumerate(side)) * 2**bits
            assert abs(made - truth) < 5 + len(side) - 1


# --- composition --------------------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(0, 4),
    st.integers(1, 60),
    st.integers(40, 300),
    st.integers(0, 12),
    st.integers(1, 2),
)
def test_one_and_two_steps(first: int, second: int, q: int, z: int, epsilon: int, steps: int) -> None:
    """Never below the truth, and the truth with a little room is accepted; one direction and the other."""
    if second > first:
        first, second = second, first
    row = (str(F(z, 100)), str(F(q, 100)), first, second)
    claim = F(epsilon, 8)
    with mp.workdps(25):
        row_ = (mp.nstr(exactly(F(row[0])), 20), mp.nstr(exactly(F(row[1])), 20), first, second)
        e, curve = exactly(claim), hockey_stick(*row_)
        if steps == 1:
            truths = [curve(mp.exp(e)), 1 - mp.exp(e) + mp.exp(e) * curve(mp.exp(-e))]
        else:
            truths = [mp.mpf(two_steps(*row_, float(claim)))]
        if truths[0] < mp.mpf("1e-5") or truths[0] > mp.mpf("0.98"):
            return
        release = released(row[0], row[1], steps, first, second)
        given_delta = F(mp.nstr(truths[0], 12))
        above, below = (both_sides([release], claim, given_delta, upward, F(1, 200)) for upward in (True, False))
        slack = 1 + mp.mpf(10) ** (-9 if steps == 1 else -4)
        for low, truth, high in zip(below, truths, above, strict=False):
            assert exactly(low) <= truth * slack and truth <= exactly(high) * slack
        assert above[0] < below[0] * F(13, 10) + F(1, 10**9)


def test_replaced_under_poisson() -> None:
    """T17r at z = 1, q = .01, T = 1000, δ = 1e-5: 2.8434; without replacement it would be 13.36 at least."""
    run = schedule(poisson("1", "0.01", 1000), neighbours="replace-one")
    assert checker.check_subsampled(run, F("2.846"), F(1, 10**5)) == "T19"  # T18 knows nothing of it
    checker.check_lower(run, F("2.842"), F(1, 10**5))
    with pytest.raises(DoesNotFollow):
        checker.check_pld(run, F("2.3"), F(1, 10**5))


def test_both_directions_are_one() -> None:
    """(Q,P) of a pair that is its own mirror image; that of (a,b) is (b,a)."""
    for first, second in ((1, 1), (3, 3)):
        release = released("1", "0.1", 3, first, second)
        for upward in (True, False):
            there, back = both_sides([release], F(1), F(1, 100), upward)
            assert abs(there - back) < there / 500
    there, back = both_sides([released("1", "0.1", 3, 2, 1)], F(1), F(1, 100), True)
    mirrored = both_sides([released("1", "0.1", 3, 1, 2)], F(1), F(1, 100), True)
    assert abs(there - mirrored[1]) < there / 500 and abs(back - mirrored[0]) < back / 500
    with pytest.raises(DoesNotFollow, match="mirror image"):
        checker.read_schedule([poisson("1", "0.1", 3)], "add-or-remove-one", None, 3, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("neighbours", "second", "low", "high"),
    [("replace-one", None, "14.46", "14.49"), ("add-or-remove-one", 0, "8.89", "8.905")],
)
def test_four_records(neighbours: str, second: int | None, low: str, high: str) -> None:
    """z = 1, q = .01, T = 1000, δ = 1e-5 (T27)."""
    run = checker.read_schedule([poisson("1", "0.01", 1000)], neighbours, None, 4, second)
    checker.check_pld(run, F(high), F(1, 10**5))
    checker.check_lower(run, F(low), F(1, 10**5))
    if second == 0:  # the other direction: 6.607
        assert both_sides(list(run.sampled), F("6.63"), F(1, 10**5), True)[1] < F(1, 10**5)
        assert both_sides(list(run.sampled), F("6.59"), F(1, 10**5), False)[1] > F(1, 10**5)


# --- traps --------------------------------------------------------------------------------------------------------


def test_one_coin_is_below_the_truth_of_four_at_small_epsilon() -> None:
    """T = 1, ε = 0: .00954 against .01523."""
    coins = checker.read_schedule([poisson("1", "0.01", 1)], "add-or-remove-one", None, 4, 0)
    coin = schedule(poisson("0.25", "0.01", 1))
    checker.check_pld(coin, F(0), F("0.00956"))
    checker.check_pld(coins, F(0), F("0.01525"))
    with pytest.raises(DoesNotFollow):
        checker.check_pld(coins, F(0), F("0.0135"))
    with mp.workdps(30):
        assert abs(hockey_stick("1", "0.01", 4, 0)(mp.mpf(1)) - mp.mpf("0.01523")) < 1e-5


def test_a_group_is_no_composition_of_its_records() -> None:
    """q = 1: k·μ, and not √k·μ; and two records under Poisson are worse than twice as many steps of one."""
    full = checker.read_schedule([gaussian("2", 3), poisson("2", "1", 1)], "add-or-remove-one", None, 5, 1)
    assert full.mu_squared == 4 * F(5, 2) ** 2 and not full.sampled
    full = checker.read_schedule([gaussian("2", 3), poisson("2", "1", 1)], "replace-one", None, 5)
    assert full.mu_squared == 4 * F(5) ** 2
    pair = checker.read_schedule([poisson("1", "0.2", 10)], "add-or-remove-one", None, 2, 0)
    twice = schedule(poisson("1", "0.2", 20))
    claim, delta = F(5), F(1, 1000)
    checker.check_pld(twice, claim, delta)
    with pytest.raises(DoesNotFollow):
        checker.check_pld(pair, claim, delta)


def test_what_nothing_is_known_of() -> None:
    drawn = [poisson("1", "0.1", 3) | {"sampling": "without-replacement"}]
    with pytest.raises(DoesNotFollow, match="no statement about without"):
        checker.read_schedule(drawn, "replace-one", None, 2)
    for count in (0, 129):
        with pytest.raises(DoesNotFollow, match="group of 1 to 128"):
            checker.read_schedule([poisson("1", "0.1", 3)], "replace-one", None, count)
    for group, neighbours in ((2, "add-or-remove-one"), (1, "replace-one")):
        run = checker.read_schedule([poisson("1", "0.1", 3)], neighbours, None, group)
        with pytest.raises(DoesNotFollow, match="added or removed"):
            checker.renyi_is_below(run, 2, F(99))


def test_a_group_that_is_cut_is_charged() -> None:
    run = checker.read_schedule([poisson("1", "0.01", 10)], "add-or-remove-one", (2001, 70), 2)
    assert run.truncations == ((2002, F("0.01"), 70, 10),)
    assert end(checker.truncation_charge(run, F(1), 128).high) > 0


@pytest.mark.parametrize(("rate", "shift", "count"), [("0.01", "1.25", 1), ("0.5", "0.1", 3), ("0.001", "4", 2)])
def test_a_pair_that_mirrors_itself_is_the_same_on_both_sides(rate: str, shift: str, count: int) -> None:
    """Below ε = 0 the curve is that of the other side; directly computed it is the same, up to the errors stated."""
    release = checker.Release(F(rate), F(shift), 1, False, count, count)
    nodes, step, bits = range(-40, 41), F(1, 20), 160
    mirrored, error = checker.divergence_curve(release, nodes, step, bits)
    direct, other = checker.mixture_curve(release, checker.exponentials(nodes, step, bits), bits)
    assert len(mirrored) == len(direct) == len(nodes)
    assert all(abs(x - y) <= error + other for x, y in zip(mirrored, direct, strict=True))
    assert error + other < 1 << 12


@pytest.mark.parametrize("u", ["1e-300", "1e-40", "0.3", "1", "2.5", "1e50"])
def test_a_crossing_has_its_place(u: str) -> None:
    """x = log(u)/s + s/2, in units of 2^-bits."""
    release = checker.Release(F(1, 10), F(1, 10**4), 1, False, 1, 1)
    found = checker.Mixture.of(release, 120).place(Decimal(u), 200)
    with mp.workprec(2000):
        assert abs(found - (mp.log(mp.mpf(u)) * 10**4 + mp.mpf(1) / 20000) * 2**200) < 3
