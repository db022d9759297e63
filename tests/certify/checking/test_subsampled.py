"""The standard-library checks of subsampled Gaussian releases (docs/theory.md T11, T12, T17, T18, T19, T20)."""

from __future__ import annotations

import copy
import decimal
import math
import random
from fractions import Fraction
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certify import certify, checker
from certify.checker import DoesNotFollow, Interval
from certify.trust.certificate import write_certificate
from certify.trust.grids import grids_of, lower_grids, upper_grids
from tests.vectors import make_certificates as make


def end(number: tuple[int, int]) -> Fraction:
    return number[0] * Fraction(2) ** number[1]


def exactly(value: Fraction) -> mp.mpf:
    return mp.mpf(value.numerator) / value.denominator


def poisson(z: str, q: str, steps: int) -> dict[str, str]:
    return {"sampling": "poisson", "noise_multiplier": z, "sample_rate": q, "steps": str(steps)}


def replace_one(z: str, q: str, steps: int) -> dict[str, str]:
    return {**poisson(z, q, steps), "sampling": "without-replacement"}


def gaussian(z: str, steps: int) -> dict[str, str]:
    return {**poisson(z, "1", steps), "sampling": "full"}


def schedule(
    *releases: dict[str, str], neighbours: str = "add-or-remove-one", cut: tuple[int, int] | None = None
) -> checker.Schedule:
    return checker.read_schedule(list(releases), neighbours, cut)


def both_sides(releases: list[checker.Release], epsilon: F, delta: F, upward: bool, bias: F = F(3, 10**4)) -> list[F]:
    """The bound of δ(ε) in the two directions, at its safe end."""
    grid = checker.plain_grid(releases, epsilon, delta, upward, None, bias)
    losses = checker.loss_distribution(releases, grid)
    return [end(value.high if upward else value.low) for value in checker.excess(losses, epsilon, grid)]


# --- oracles: mpmath ----------------------------------------------------------------------------------------------


def losses_of(z: mp.mpf, q: mp.mpf, shift: int = 1) -> tuple[Any, Any, Any]:
    """The densities of P and Q on the line, and where log(dP/dQ) takes a value."""
    s = shift / z

    def second(x: mp.mpf) -> mp.mpf:
        return mp.npdf(x)

    def first(x: mp.mpf) -> mp.mpf:
        return (1 - q) * mp.npdf(x) + q * mp.npdf(x, s)

    def crossing(loss: mp.mpf) -> mp.mpf:
        u = (mp.exp(loss) - 1 + q) / q
        return mp.log(u) / s + s / 2 if u > 0 else mp.mpf("-inf")

    return first, second, crossing


def one_step(z: str, q: str, epsilon: mp.mpf, shift: int = 1) -> tuple[mp.mpf, mp.mpf]:
    """δ(ε) of (P,Q) and of (Q,P), by quadrature of the densities; 40 digits."""
    first, second, crossing = losses_of(mp.mpf(z), mp.mpf(q), shift)
    up, down = crossing(epsilon), crossing(-epsilon)
    grid = sorted(x for x in (-40, -12, -5, 0, 5, 12, 40, *(up + k for k in (1, 3))))
    forward = mp.quad(lambda x: first(x) - mp.exp(epsilon) * second(x), [up, *(x for x in grid if x > up)])
    if down == mp.mpf("-inf"):
        return forward, mp.mpf(0)
    backward = mp.quad(
        lambda x: second(x) - mp.exp(epsilon) * first(x), [*(x for x in sorted([*grid, down - 1]) if x < down), down]
    )
    return forward, backward


def two_steps(z: str, q: str, epsilon: mp.mpf) -> mp.mpf:
    """δ(ε) of (P,Q) after two steps: the outer density times the inner δ at the loss that is left."""
    first, second, crossing = losses_of(mp.mpf(z), mp.mpf(q))

    def inner(t: mp.mpf) -> mp.mpf:  # H(t)
        s, rate = 1 / mp.mpf(z), mp.mpf(q)
        a = crossing(mp.log(t))
        if a == mp.mpf("-inf"):
            return 1 - t
        return (1 - rate) * mp.ncdf(-a) + rate * mp.ncdf(s - a) - t * mp.ncdf(-a)

    kink = crossing(epsilon - mp.log(1 - mp.mpf(q)))
    points = sorted([mp.mpf(k) for k in (-30, -9, -4, -1, 1, 4, 9, 30)] + [kink])
    return mp.quad(lambda x: first(x) * inner(mp.exp(epsilon) * second(x) / first(x)), points)


def gaussian_profile(mu: mp.mpf, epsilon: mp.mpf) -> mp.mpf:
    return mp.ncdf(mu / 2 - epsilon / mu) - mp.exp(epsilon) * mp.ncdf(-mu / 2 - epsilon / mu)


# --- fixed point --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [96, 160, 300, 1200])
def test_fixed_point_log_and_normal(bits: int) -> None:
    draw = random.Random(bits)
    with mp.workprec(2 * bits + 400):
        unit = mp.mpf(2) ** bits
        for _ in range(300):
            x = draw.randrange(-(30 << bits), 30 << bits) >> draw.choice([0, 2, 5, 20])
            assert abs(mp.ncdf(x / unit) * unit - checker.fixed_normal(x, bits)) < 2
            u = draw.randrange(1, 1 << draw.randrange(1, 2 * bits))
            assert abs(mp.log(u / unit) * unit - checker.fixed_log(u, bits)) < 1
        for x in (0, 1, -1, 1 << (bits - 6), -(1 << (bits - 6)), 1 << bits, 100 << bits, -(100 << bits)):
            assert abs(mp.ncdf(x / unit) * unit - checker.fixed_normal(x, bits)) < 2


def test_exponentials_are_within_a_unit() -> None:
    bits, step = 120, F(1, 977)
    values = checker.exponentials(range(-9000, 9000), step, bits)
    with mp.workprec(400):
        for i in range(-9000, 9000, 271):
            truth = mp.exp(exactly(i * step)) * 2**bits
            assert abs(values[i + 9000] - truth) < 2 * max(1, mp.exp(exactly(i * step)))


@given(
    st.lists(st.integers(0, 10**30), min_size=1, max_size=40), st.lists(st.integers(0, 10**9), min_size=1, max_size=40)
)
def test_product_is_exact(x: list[int], y: list[int]) -> None:
    expected = [0] * (len(x) + len(y) - 1)
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            expected[i + j] += a * b
    assert checker.polynomial_product(x, y) == expected


# --- one step: discretisation against quadrature ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("z", "q", "epsilon"),
    [("1", "0.01", "0.5"), ("0.6", "0.001", "1"), ("2", "0.3", "0"), ("5", "0.9", "0.25"), ("0.5", "0.2", "4")],
)
def test_one_step_encloses_quadrature(z: str, q: str, epsilon: str) -> None:
    release = checker.Release(F(q), 1 / F(z), 1, False)
    with mp.workdps(40):
        truth = one_step(z, q, mp.mpf(epsilon))
        delta = F(mp.nstr(truth[0], 20))
        above, below = (both_sides([release], F(epsilon), delta, upward) for upward in (True, False))
        for low, value, high in zip(below, truth, above, strict=True):
            assert exactly(low) <= value * (1 + mp.mpf(10) ** -30) and value <= exactly(high) * (1 + mp.mpf(10) ** -30)
        assert above[0] < below[0] * F(101, 100)


@pytest.mark.parametrize(("upward", "symmetrised"), [(True, False), (True, True), (False, False)])
def test_every_node_bounds_the_curve(upward: bool, symmetrised: bool) -> None:
    """H of the discrete measures against the exact H, on and between the nodes."""
    z, q, shift = "1", "0.25", 2 if symmetrised else 1
    grid = checker.Grid(F(1, 8), 40, 1, upward)
    release = checker.Release(F(q), shift / F(z), 1, symmetrised)
    nodes = range(-41, 42)
    losses = (checker.from_above if upward else checker.from_below)(release, nodes, grid, 0)
    with mp.workdps(50):
        masses = [(mp.mpf(p) / grid.unit, (losses.first + j) / mp.mpf(8)) for j, p in enumerate(losses.masses)]
        rate, s = mp.mpf(q), shift / mp.mpf(z)
        crossing = losses_of(mp.mpf(z), rate, shift)[2]

        def curve(x: mp.mpf) -> mp.mpf:
            if symmetrised and x < 0:
                return 1 - mp.exp(x) + mp.exp(x) * curve(-x)
            a = crossing(x)
            if a == mp.mpf("-inf"):
                return 1 - mp.exp(x)
            return (1 - rate - mp.exp(x)) * mp.ncdf(-a) + rate * mp.ncdf(s - a)

        gaps = []
        for k in range(-170, 170, 3):
            x = mp.mpf(k) / 33
            discrete = mp.mpf(losses.lost) / grid.unit + sum(p * (1 - mp.exp(x - at)) for p, at in masses if at > x)
            gaps.append((discrete - curve(x)) * (1 if upward else -1))
        assert min(gaps) >= -(mp.mpf(10) ** -35) and max(gaps) < 2e-2 and max(gaps) > 0


@pytest.mark.parametrize("upward", [True, False])
@pytest.mark.parametrize(("z", "q"), [("1", "0.25"), ("2", "0.9"), ("0.2", "0.4"), ("0.25", "0.5")])
def test_every_node_bounds_the_curve_one_way(upward: bool, z: str, q: str) -> None:
    """H of the discrete measures, for P against Q alone and for Q against P alone, against the exact H."""
    release = checker.Release(F(q), 1 / F(z), 1, False)
    grid = checker.Grid(F(1, 8), 40, 1, upward, one_way=True)
    nodes = range(-90, 400)
    with mp.workdps(80):
        crossing = losses_of(mp.mpf(z), mp.mpf(q))[2]
        rate, s, unit = mp.mpf(q), 1 / mp.mpf(z), mp.mpf(grid.unit)

        def curve(x: mp.mpf) -> mp.mpf:  # H(e^x) of (P,Q)
            a = crossing(x)
            if a == mp.mpf("-inf"):
                return 1 - mp.exp(x)
            return (1 - rate - mp.exp(x)) * mp.ncdf(-a) + rate * mp.ncdf(s - a)

        for backward in (False, True):
            losses = (checker.from_above if upward else checker.from_below)(release, nodes, grid, 0, backward)
            masses = [(p / unit, (losses.first + j) / mp.mpf(8)) for j, p in enumerate(losses.masses) if p]
            gaps = []
            for k in range(-170, 170, 7):
                x = mp.mpf(k) / 13
                truth = 1 - mp.exp(x) + mp.exp(x) * curve(-x) if backward else curve(x)
                made = sum(p * (1 - mp.exp(x - at)) for p, at in masses if at > x)
                made += losses.lost / unit * (1 if upward else -1)
                gaps.append((made - truth) * (1 if upward else -1))
            assert min(gaps) >= -(mp.mpf(10) ** -35) and max(gaps) < 0.04 and max(gaps) > 0


# --- composition --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("z", "q", "epsilon"), [("1", "0.1", "0.75"), ("0.7", "0.02", "0.5")])
def test_two_steps_enclose_quadrature(z: str, q: str, epsilon: str) -> None:
    release = checker.Release(F(q), 1 / F(z), 2, False)
    with mp.workdps(30):
        truth = two_steps(z, q, mp.mpf(epsilon))
        above, below = (both_sides([release], F(epsilon), F(mp.nstr(truth, 9)), upward)[0] for upward in (True, False))
        assert exactly(below) <= truth * (1 + mp.mpf(10) ** -15) and truth <= exactly(above) * (1 + mp.mpf(10) ** -15)
        assert above < below * F(102, 100)


@pytest.mark.parametrize(
    ("z", "steps", "delta"),
    [("20", 1000, "1e-12"), ("20", 777, "1e-5"), ("5", 100, "1e-5"), ("100", 10000, "1e-12"), ("3", 5, "1e-30")],
)
def test_full_batches_enclose_the_gaussian_profile(z: str, steps: int, delta: str) -> None:
    """q = 1 through the distribution, against T11, in both directions."""
    with mp.workdps(60):
        mu = mp.sqrt(steps) / mp.mpf(z)
        root = mp.findroot(lambda x: mp.log(gaussian_profile(mu, x)) - mp.log(delta), mu**2 / 2 + mu * 5)
        epsilon = F(mp.nstr(root, 12))
        truth = gaussian_profile(mu, exactly(epsilon))
        release = checker.Release(F(1), 1 / F(z), steps, False)
        above, below = (both_sides([release], epsilon, F(delta), upward) for upward in (True, False))
        assert exactly(max(below)) <= truth <= exactly(min(above))
        assert max(above) < min(below) * F(110, 100)


@pytest.mark.parametrize(
    ("mu", "steps", "delta"),
    [
        ("60", 400, "1e-5"),
        pytest.param("100", 10**6, "1e-10", marks=pytest.mark.slow),
        pytest.param("8", 3, "1e-5", marks=pytest.mark.slow),
    ],
)
def test_large_epsilon_encloses_the_gaussian_profile(mu: str, steps: int, delta: str) -> None:
    """q = 1 one way, where ε is in the thousands, against T11; the two ways are alike."""
    with mp.workdps(60):
        exact = mp.mpf(mu)
        root = mp.findroot(lambda x: mp.log(gaussian_profile(exact, x)) - mp.log(delta), exact**2 / 2 + exact * 5)
        epsilon = F(mp.nstr(root, 12))
        truth = gaussian_profile(exact, exactly(epsilon))
        shift = F(mp.nstr(exact / mp.sqrt(steps), 30))
        release = checker.Release(F(1), shift, steps, False)
        for way in ("forward", "backward"):
            ends_ = []
            for upward in (True, False):
                grid = checker.plain_grid([release], epsilon, F(delta), upward, way, F(3, 10**4))
                losses = checker.loss_distribution([release], grid, way == "backward")
                (value,) = checker.excess(losses, epsilon, grid)
                ends_.append(exactly(end(value.high if upward else value.low)))
            assert ends_[1] <= truth * (1 + mp.mpf(10) ** -20) and truth * (1 - mp.mpf(10) ** -20) <= ends_[0]
            assert ends_[0] < ends_[1] * 1.25


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30), st.integers(-20, 20), st.integers(1, 40))
def test_coarser_from_below_is_dominated(masses: list[int], first: int, size: int) -> None:
    """H of (P,Q) falls at every t, the P-mass stays, and so far as masses are smooth little is lost."""
    grid = checker.Grid(F(size, 16), 12, 1, False, one_way=True)
    x = checker.Losses(first, [p * 10**5 for p in masses], 7, 0)
    y, fall = checker.coarser_below(x, grid)
    assert sum(y.masses) == sum(x.masses) and y.level == 1 and y.lost == 7 and 0 <= fall <= sum(x.masses)
    with mp.workdps(40):
        step = mp.mpf(size) / 16

        def curve(z: checker.Losses, at: mp.mpf) -> mp.mpf:
            wide = step * 2**z.level
            return sum(p * max(0, 1 - mp.exp(at - (z.first + j) * wide)) for j, p in enumerate(z.masses))

        for k in range(2 * first - 5, 2 * (first + len(masses)) + 5):
            assert curve(y, k * step / 2) <= curve(x, k * step / 2) * (1 + mp.mpf(10) ** -15)


def test_coarser_from_below_loses_little_of_smooth_masses() -> None:
    grid = checker.Grid(F(1, 100), 30, 1, False, one_way=True)
    masses = [round(10**28 * math.exp(-(((j - 300) / 60) ** 2) / 2)) for j in range(601)]
    x = checker.Losses(-250, masses, 0, 0)
    y, fall = checker.coarser_below(x, grid)
    assert fall < sum(masses) / 300
    for epsilon in (F(0), F(1), F(2)):
        (fine,), (coarse,) = (checker.excess(z, epsilon, grid) for z in (x, y))
        assert end(coarse.high) <= end(fine.low) <= end(coarse.low) * F(1003, 1000)


@pytest.mark.parametrize("steps", [1, 2, 3, 37, 64, 1000])
@pytest.mark.parametrize("halved", [0, 1])
def test_powers_count_every_step(steps: int, halved: int) -> None:
    """A distribution that is one atom: its loss times the number of steps, whatever was halved on the way."""
    atom, times = checker.Losses(8, [10**30], 0, 0), steps.bit_length() - 1
    for upward, repeat in ((True, checker.repeated_losses), (False, checker.repeated_from_below)):
        grid = checker.Grid(F(1, 64), 30, 1, upward, True)
        made = repeat(atom, steps, grid, (halved,) * times)
        kept = [((made.first + j) * grid.at(made.level), p) for j, p in enumerate(made.masses) if p]
        assert made.level == halved * times and abs(sum(p for _, p in kept) - 10**30) < 10**4
        mean, top = sum(loss * p for loss, p in kept) / 10**30, F(steps, 8)
        if not halved:
            assert [loss for loss, _ in kept] == [top]
        assert (mean >= top) if upward else (mean <= top)


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(
    st.integers(10, 60), st.integers(1, 40), st.integers(1, 20), st.integers(0, 30), st.integers(2, 9), st.booleans()
)
def test_bounds_nest(z: int, q: int, steps: int, epsilon: int, digits: int, extra: bool) -> None:
    """Lower below upper; finer grids within coarser ones; a further release makes it worse."""
    releases = [checker.Release(F(q, 100), F(10, z), steps, False)]
    more = [*releases, checker.Release(F(1), F(1, 3), 1, False)] if extra else releases
    claim, delta = F(epsilon, 10), F(1, 10**digits)
    above, below = both_sides(more, claim, delta, True), both_sides(more, claim, delta, False)
    assert all(low <= high for low, high in zip(below, above, strict=True))
    finer = both_sides(more, claim, delta, True, F(7, 10**5))
    assert all(low <= high for low, high in zip(below, finer, strict=True))
    assert all(a <= b for a, b in zip(both_sides(releases, claim, delta, False), above, strict=True))


def test_coarser_keeps_both_masses_and_dominates() -> None:
    grid = checker.Grid(F(1, 16), 30, 1, True)
    draw = random.Random(5)
    for first in (-7, -6):
        x = checker.Losses(first, [draw.randrange(10**28) for _ in range(14)], 5, 0)
        y = checker.coarser(x, grid)
        assert y.level == 1 and y.lost == 5
        for weight in (0, -1):
            before = sum(p * math.exp(weight * (x.first + j) / 16) for j, p in enumerate(x.masses))
            after = sum(p * math.exp(weight * (y.first + j) / 8) for j, p in enumerate(y.masses))
            assert after == pytest.approx(before, rel=1e-12)
        for epsilon in (F(0), F(1, 16), F(1, 5)):
            fine, coarse = (checker.excess(z, epsilon, grid) for z in (x, y))
            assert all(end(a.low) <= end(b.high) for a, b in zip(fine, coarse, strict=True))


def test_cuts_charge_both_directions() -> None:
    grid = checker.Grid(F(1, 2), 20, 10**17, True)
    x = checker.Losses(-8, [10**18 // (1 + abs(j - 8)) ** 6 for j in range(17)], 3, 0)
    y = checker.composed(x, x, grid, 10**14)
    full = checker.polynomial_product(x.masses, x.masses)
    begin = y.first + 16
    cut = [(i, c) for i, c in enumerate(full) if not begin <= i < begin + len(y.masses)]
    assert len(cut) > 4
    for direction in (0, -1):
        charge = sum(F(c, grid.unit) * F(math.exp(direction * (i - 16) / 2)) for i, c in cut)
        assert charge * F(999999, 10**6) <= y.lost - 6 <= 3 * 10**14
    assert y.masses == [-(-c // grid.unit) for c in full[begin : begin + len(y.masses)]]


# --- claims -------------------------------------------------------------------------------------------------------


def test_traps_of_double_precision() -> None:
    """dp_accounting 0.6.0 and prv_accountant 0.2.0 print ε below the truth here (docs/theory.md §9)."""
    for z, steps, delta, false, true in (
        ("100", 10**4, "1e-12", ("7.2132", "7.2145", "7.2384"), "7.2386"),
        ("20", 5 * 10**4, "1e-10", ("132.794", "132.830"), "132.832"),
    ):
        run = schedule(gaussian(z, steps))
        for sampled in (run, schedule(poisson(z, "1", steps))):
            assert sampled == run
            assert checker.check_subsampled(sampled, F(true), F(delta)) == "T11"
            for claim in false:
                with pytest.raises(DoesNotFollow):
                    checker.check_subsampled(sampled, F(claim), F(delta))
                checker.check_lower(sampled, F(claim), F(delta))


def test_replace_one_needs_the_symmetrised_pair() -> None:
    run = schedule(replace_one("1", "0.9", 2), neighbours="replace-one")
    checker.check_pld(run, F(0), F("0.8005"))
    for delta in ("0.77", "0.77088", "0.77628", "0.8003"):
        with pytest.raises(DoesNotFollow):
            checker.check_pld(run, F(0), F(delta))


def test_lower_bound_without_replacement_is_one_realisable_pair() -> None:
    """Two steps, at ε = 0: total variation of the products, against a sum over a grid (docs/theory.md T17)."""
    run = schedule(replace_one("1", "0.9", 2), neighbours="replace-one")
    checker.check_lower(run, F(0), F("0.7700"))
    with pytest.raises(DoesNotFollow):
        checker.check_lower(run, F(0), F("0.7765"))  # above the truth of that pair, and of another mechanism
    x = np.linspace(-9, 12, 2001)
    second = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    first = 0.1 * second + 0.9 * np.exp(-((x - 2) ** 2) / 2) / np.sqrt(2 * np.pi)
    total = np.maximum(np.outer(first, first) - np.outer(second, second), 0).sum() * (x[1] - x[0]) ** 2
    assert 0.7700 < total < 0.7765


def one_step_in_closed_form(z: str, q: str, epsilon: str) -> mp.mpf:
    """δ of one step without replacement: q·δ_μ at log(1 + (e^ε - 1)/q), μ = 2/z."""
    mu, rate = 2 / mp.mpf(z), mp.mpf(q)
    inner = mp.log(1 + mp.expm1(mp.mpf(epsilon)) / rate)
    return rate * (mp.ncdf(mu / 2 - inner / mu) - mp.exp(inner) * mp.ncdf(-mu / 2 - inner / mu))


@pytest.mark.parametrize(
    ("z", "q", "epsilon"),
    [("9", "0.5", "0.460799688612")]
    + [pytest.param(*rest, marks=pytest.mark.slow) for rest in (("9", "0.5", "0.7"), ("9", "0.8", "0.460799688612"))],
)
def test_one_step_is_settled_wherever_the_nodes_lie(z: str, q: str, epsilon: str) -> None:
    """A finer grid may do worse for one step: then a finer one still is tried."""
    with mp.workdps(40):
        run, truth = schedule(replace_one(z, q, 1), neighbours="replace-one"), one_step_in_closed_form(z, q, epsilon)
        claim, tight, false = F(epsilon), *(F(mp.nstr(truth * mp.mpf(x), 20)) for x in ("1.0001", "0.9999"))
        checker.check_pld(run, claim, tight, grids := upper_grids(run, claim, tight))
        assert grids is not None and upper_grids(run, claim, false) is None
        for given in (None, grids):
            with pytest.raises(DoesNotFollow, match="not shown"):
                checker.check_pld(run, claim, false, given)


def test_replace_one_one_step_is_the_forward_direction() -> None:
    run = checker.all_releases(schedule(replace_one("2", "0.3", 1), neighbours="replace-one"))
    with mp.workdps(30):
        truth = max(one_step("2", "0.3", mp.mpf("0.2"), 2))
        above = both_sides(run, F("0.2"), F(mp.nstr(truth, 9)), True)
        assert truth <= exactly(min(above)) and exactly(max(above)) < truth * 1.01


SETTINGS = [  # noise multiplier, rate, steps, δ, ε of dp_accounting 0.6.0 (PLD, slightly pessimistic)
    pytest.param("1", "0.01", 1000, "1e-5", "1.82824", marks=pytest.mark.slow),
    ("2", "0.05", 500, "1e-5", "2.53203"),
    ("5", "1", 100, "1e-5", "9.99726"),
    pytest.param("0.8", "0.004", 15000, "1e-6", "4.95016", marks=pytest.mark.slow),
    pytest.param("0.6", "0.001", 50000, "1e-7", "5.86509", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("z", "q", "steps", "delta", "peer"), SETTINGS)
def test_reference_settings(z: str, q: str, steps: int, delta: str, peer: str) -> None:
    run = schedule(poisson(z, q, steps))
    checker.check_subsampled(run, F(peer) * F("1.0005"), F(delta))
    checker.check_lower(run, F(peer) * F("0.9996"), F(delta))
    for share in ("0.98", "0.9995"):
        with pytest.raises(DoesNotFollow):
            checker.check_subsampled(run, F(peer) * F(share), F(delta))
    with pytest.raises(DoesNotFollow):
        checker.check_lower(run, F(peer) * F("1.001"), F(delta))


@pytest.mark.parametrize(
    ("z", "q", "steps", "delta", "low", "high"),
    [
        ("0.5", "0.5", 1000, "1e-5", "877.334366573", "878.104807592"),
        ("10", "0.9", 10**4, "1e-5", "78.0581121194", "78.1317962926"),
        ("2", "0.1", 10**5, "1e-5", "209.167375041", "209.349810135"),
        pytest.param("1000", "0.01", 10**6, "1e-5", "0.0272188512249", "0.0272199907837", marks=pytest.mark.slow),
        ("1000", "0.0000001", 10**7, "1e-5", "0", "0"),
        pytest.param("20", "0.01", 10**7, "1e-30", "19.0993945019", "19.0997677581", marks=pytest.mark.slow),
        pytest.param("0.1", "0.01", 10**4, "1e-5", "6546.27855877", "6548.80474584", marks=pytest.mark.slow),
        pytest.param("1", "0.0000001", 10**7, "1e-5", "0.000656849119984", "0.000657505368922", marks=pytest.mark.slow),
    ],
)
def test_far_settings(z: str, q: str, steps: int, delta: str, low: str, high: str) -> None:
    """Bounds as certificates print them, from both sides; neither holds the other way round."""
    run = schedule(poisson(z, q, steps))
    checker.check_subsampled(run, F(high), F(delta))
    if low == "0":
        return
    (grid,) = lower_grids(run, F(low), F(delta), "remove")
    checker.check_lower(run, F(low), F(delta), "remove", grid)
    with pytest.raises(DoesNotFollow):
        checker.check_subsampled(run, F(low) * F("0.999"), F(delta))
    with pytest.raises(DoesNotFollow):
        checker.check_lower(run, F(high) * F("1.001"), F(delta))


def test_sampled_and_gaussian_releases_together() -> None:
    mixed = schedule(poisson("1", "0.01", 100), gaussian("8", 4), gaussian("10", 1))
    assert mixed.mu_squared == F(4, 64) + F(1, 100)
    assert checker.check_subsampled(mixed, F(3), F("1e-5")) == "T19"
    checker.check_pld(mixed, F(3), F("1e-5"), upper_grids(mixed, F(3), F("1e-5")))


def test_different_releases_compose() -> None:
    """Two halves are the whole; a Gaussian release beside it is not forgotten."""
    whole = both_sides([checker.Release(F(1), F(1, 10), 120, False)], F(5), F("1e-5"), True)
    parts = [checker.Release(F(1), F(1, 10), n, False) for n in (100, 20)]
    halves, floor = (both_sides(parts, F(5), F("1e-5"), upward) for upward in (True, False))
    with mp.workdps(30):
        truth = gaussian_profile(mp.sqrt(mp.mpf(120) / 100), mp.mpf(5))
        for high in (*whole, *halves):
            assert truth <= exactly(high) < truth * 1.02
        assert truth * 0.98 < exactly(max(floor)) <= truth
    run = schedule(poisson("1", "0.01", 100), gaussian("2", 1))
    with pytest.raises(DoesNotFollow):
        checker.check_pld(run, F("1"), F("1e-5"))
    checker.check_pld(schedule(poisson("1", "0.01", 100)), F("1"), F("1e-5"))


# --- Rényi, truncation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("z", "q", "steps", "order"), [("1", "0.01", 1000, 8), ("0.7", "0.3", 3, 2), ("4", "0.5", 50, 64)]
)
def test_moment_against_quadrature(z: str, q: str, steps: int, order: int) -> None:
    """∫ P^α Q^(1-α), which is the larger of the two directions, by quadrature."""
    run = schedule(poisson(z, q, steps), gaussian("3", 2))
    with mp.workdps(40):
        first, second, _ = losses_of(mp.mpf(z), mp.mpf(q))
        shift = order / mp.mpf(z)
        points = [shift * k / 8 + x for k in range(9) for x in (0,)]
        step = mp.quad(lambda x: second(x) * (first(x) / second(x)) ** order, [-30, -8, *points, shift + 8, shift + 30])
        log_moment = steps * mp.log(step) + order * (order - 1) * mp.mpf(2) / 18
        enclosed = checker.renyi_moment(run, order, 256)
        low, high = (mp.log(exactly(end(e))) for e in (enclosed.low, enclosed.high))
        assert low <= log_moment * (1 + mp.mpf(10) ** -25) and log_moment <= high * (1 + mp.mpf(10) ** -25)
        assert high - low < mp.mpf(10) ** -40
        value = log_moment / (order - 1)
        assert checker.renyi_is_below(run, order, F(mp.nstr(value * (1 + mp.mpf(10) ** -12), 30)))
        assert not checker.renyi_is_below(run, order, F(mp.nstr(value * (1 - mp.mpf(10) ** -12), 30)))


@pytest.mark.parametrize(
    ("n", "rate", "cap"),
    [(100, "0.1", 25), (1000, "0.01", 30), (50, "0.5", 48), (50, "0.5", 49), (50, "0.5", 50), (40, "0.5", 10)],
)
def test_binomial_tail(n: int, rate: str, cap: int) -> None:
    q = F(rate)
    truth = sum((math.comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(cap + 1, n + 1)), F(0))
    bound = end(checker.binomial_tail(n, q, cap, 192).high)
    assert truth <= bound <= (1 if cap < n * q else truth * F(110, 100))


def test_truncation_is_charged() -> None:
    run = poisson("1", "0.01", 1000)
    claim, delta = F("1.8295"), F("1e-5")
    checker.check_subsampled(schedule(run, cut=(10**4, 250)), claim, delta)
    with pytest.raises(DoesNotFollow):
        checker.check_subsampled(schedule(run, cut=(10**4, 140)), claim, delta)
    checker.check_lower(schedule(run, cut=(10**4, 250)), claim * F("0.998"), delta)
    with pytest.raises(DoesNotFollow):
        checker.check_lower(schedule(run, cut=(10**4, 140)), claim * F("0.998"), delta)
    charge = checker.truncation_charge(schedule(run, cut=(999, 40)), F(1), 192)
    tail = sum(math.comb(1000, k) * F(1, 100) ** k * F(99, 100) ** (1000 - k) for k in range(41, 1001))
    assert 1 <= end(charge.high) / (1000 * tail * F(1 + math.e)) < F("1.01")
    full = schedule(poisson("5", "1", 100), cut=(10, 5))
    with pytest.raises(DoesNotFollow):
        checker.check_subsampled(full, F(20), F("1e-5"))


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "neighbours"),
    [
        (replace_one("1", "0.1", 1), "add-or-remove-one"),
        (replace_one("1", "0.1", 1), "remove-one"),
        ({**poisson("1", "0.1", 1), "sampling": "shuffled"}, "add-or-remove-one"),
    ],
)
def test_no_statement_about_other_neighbours(release: dict[str, str], neighbours: str) -> None:
    with pytest.raises(DoesNotFollow, match="no statement"):
        schedule(release, neighbours=neighbours)


@pytest.mark.parametrize(
    ("release", "cut"),
    [
        (poisson("0", "0.1", 1), None),
        (poisson("-1", "0.1", 1), None),
        (poisson("1", "-0.1", 1), None),
        (poisson("1", "1.1", 1), None),
        (poisson("1", "0.1", -1), None),
        ({**gaussian("1", 1), "sample_rate": "0.5"}, None),
        (poisson("1", "0.1", 1), (-1, 1)),
        (poisson("1", "0.1", 1), (1, -1)),
    ],
)
def test_side_conditions(release: dict[str, str], cut: tuple[int, int] | None) -> None:
    with pytest.raises(DoesNotFollow, match="need"):
        schedule(release, cut=cut)


def test_order_and_range() -> None:
    run = schedule(poisson("1", "0.1", 1))
    for order in (0, 1, 513):
        with pytest.raises(DoesNotFollow, match="integer order"):
            checker.renyi_is_below(run, order, F(1))
    for epsilon, delta in ((F(-1), F("1e-5")), (F(1), F(0)), (F(1), F(1)), (F(10001), F("1e-5")), (F(1), F("1e-99"))):
        with pytest.raises(DoesNotFollow, match="needs"):
            checker.check_subsampled(run, epsilon, delta)
    with pytest.raises(DoesNotFollow, match="without sampling"):
        checker.check_gaussian(run, F(1), F("0.5"))
    with pytest.raises(DoesNotFollow, match="Poisson"):
        checker.renyi_is_below(schedule(replace_one("1", "0.1", 1), neighbours="replace-one"), 2, F(9))


def test_nothing_released() -> None:
    for run in (schedule(), schedule(poisson("1", "0", 10)), schedule(poisson("1", "0.5", 0))):
        assert checker.check_subsampled(run, F(0), F("1e-9")) == "T11"


def test_interval_of_the_bound_is_exact_arithmetic() -> None:
    """The result is the same whatever decimal context the caller has set."""
    run = schedule(poisson("1", "0.1", 10))
    first = checker.check_pld(run, F(3), F("1e-5"))
    with decimal.localcontext(prec=5):
        second = checker.check_pld(run, F(3), F("1e-5"))
    assert isinstance(first, Interval) and (first.low, first.high) == (second.low, second.high)


# --- training runs ------------------------------------------------------------------------------------------------


def read(**changes: Any) -> checker.Training:
    return checker.read_training(make.training_run(**changes))


MAPS = [
    {"kind": "clip", "max_grad_norm": "0.7"},
    {"kind": "auto-s", "max_grad_norm": "2", "r": "0.1"},
    {"kind": "psac", "max_grad_norm": "1", "r": "0.3"},
    {"kind": "psac", "max_grad_norm": "1", "r": "3"},
    {"kind": "psasc", "max_grad_norm": "2", "r": "0.1", "s": "0.5"},
    {"kind": "psasc", "max_grad_norm": "1", "r": "2", "s": "0.75"},
    {"kind": "psasc", "max_grad_norm": "1", "r": "4/13", "s": "1"},
]


@pytest.mark.parametrize("args", MAPS, ids=lambda args: "-".join(args.values()).replace("/", ":"))
def test_maps_against_their_weights(args: dict[str, str]) -> None:
    """φ, sup φ, sup φ' and sup x·φ', from w(x) as docs/theory.md §5 has it, on a grid of x."""
    scaling = checker.read_scaling(args, "test")
    c, r, s = (float(F(args.get(key, "1"))) for key in ("max_grad_norm", "r", "s"))
    x = np.concatenate((np.linspace(1e-6, 5, 400001), np.geomspace(5.1, 1e6, 20000)))
    weight = {"clip": np.minimum(1, c / x), "auto-s": c / (x + r)}.get(args["kind"], c / (s * x + r / (x + r)))
    phi = x * weight
    for i in (0, 3, 777, 200000, 410000):
        assert float(scaling.of(F(x[i]))) == pytest.approx(phi[i], rel=1e-12)
    slope = np.diff(phi) / np.diff(x)
    assert slope.max() <= float(scaling.slope) * (1 + 1e-6) and slope.max() >= float(scaling.slope) * 0.999
    steepness = (slope * x[1:]).max()
    assert steepness <= float(scaling.steepness) * (1 + 1e-4)
    if args["kind"] in ("clip", "auto-s"):
        assert steepness >= float(scaling.steepness) * 0.999
    limit, attained = checker.sensitivity(scaling, None)
    assert float(limit) * 0.999 <= phi[-1] and phi.max() <= float(limit) * (1 + 1e-12)
    assert attained is (args["kind"] == "clip")
    assert checker.sensitivity(scaling, F(3)) == (scaling.of(F(3)), True)


@given(st.fractions(F(1, 10**6), 10**6, max_denominator=10**9))
def test_roots_are_rounded_up_to_eighteen_digits(square: F) -> None:
    root = checker.root_rounded_up(square)
    unit = F(10) ** (math.floor(mp.log10(exactly(root))) - 17)
    assert root**2 >= square > (root - unit) ** 2
    assert checker.root_rounded_up(root**2) == root  # where it is exact
    assert checker.root_rounded_up(F(27) / (F(4, 13) * F(48, 13) ** 3)) == F("1.3203125")


MODELS = {  # a' and a'' of a(z; y), the labels, and what the theorem is told
    "L1u": (lambda z, y: -y / (1 + np.exp(y * z)), lambda z, y: np.exp(z) / (1 + np.exp(z)) ** 2, (-1, 1), {}),
    "L2u": (lambda z, y: z - y, lambda z, y: 1 + 0 * z, (-2, 0, 2), {"target_bound": "2", "radius": "0.5"}),
    "L3u": (lambda z, y: np.clip(z - y, -0.5, 0.5), lambda z, y: np.abs(z - y) < 0.5, (-1, 0, 3), {"threshold": "0.5"}),
    "L4u": (
        lambda z, y: -y * np.clip((1 - y * z) / 0.25, 0, 1),
        lambda z, y: (np.abs(1 - y * z - 0.125) < 0.125) / 0.25,
        (-1, 1),
        {"smoothing": "0.25"},
    ),
    "L5u": (lambda z, y: np.exp(z) - y, lambda z, y: np.exp(z), (0, 1, 3), {"target_bound": "3", "radius": "0.5"}),
}


@pytest.mark.parametrize("theorem", MODELS)
@pytest.mark.parametrize("norm", ["0.6", "1.5"])
def test_linear_models_and_their_scaled_constants(theorem: str, norm: str) -> None:
    """Norm and slope of the data gradient, and of the scaled one by finite differences, where |z| ≤ X·R."""
    first, second, labels, told = MODELS[theorem]
    given = {"regularization": "0.1", "feature_norm": norm} | told
    model = checker.linear_model(theorem, given, "test")
    x = float(F(norm))
    z = np.linspace(-1, 1, 60001) * x * float(given.get("radius", "9"))
    for y in labels:
        for size in (x, x / 3):  # of the feature vector
            inside = z[np.abs(z) <= size * float(given.get("radius", "9"))]
            gradient, slope = np.abs(first(inside, y)) * size, second(inside, y) * size**2
            assert gradient.max() <= float(model["gradient_bound"]) * (1 + 1e-9)
            assert slope.max() <= float(model["curvature"]) * (1 + 1e-9)
            if model["growth"] is not None:
                assert (slope <= (float(model["growth"]) * gradient + float(model["floor"])) * (1 + 1e-9)).all()
            for args in MAPS:
                constants = checker.scaled_constants(model, checker.read_scaling(args, "test"))
                c, r, s = (float(F(args.get(key, "1"))) for key in ("max_grad_norm", "r", "s"))
                with np.errstate(divide="ignore"):
                    weight = {"clip": np.minimum(1, c / gradient), "auto-s": c / (gradient + r)}.get(
                        args["kind"], c / (s * gradient + r / (gradient + r))
                    )
                scaled = weight * first(inside, y) * size  # along x; one step of θ moves z by |x| for each unit
                steps = np.diff(scaled) / np.diff(inside) * size
                assert steps.min() >= -1e-6  # convex
                assert steps.max() <= float(constants["smoothness"] - F("0.1")) * (1 + 1e-6) + 1e-6
                assert np.abs(scaled).max() <= float(constants["gradient_bound"]) * (1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_disjoint_batches_count_epochs(data: st.DataObject) -> None:
    """The most sums that one record is in: by going through the epochs."""
    samples, steps = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 60))
    batch = data.draw(st.integers(1, samples))
    run = read(
        mechanism={"sampling": "fixed", "sample_rate": None, "batch_size": str(batch), "samples": str(samples),
                   "steps": str(steps)}, threat={"neighbours": "remove-one"},
    )  # fmt: skip
    seen = [0] * samples
    for step in range(steps):
        start = step % (samples // batch) * batch
        for record in range(start, start + batch):
            seen[record] += 1
    assert run.own == (checker.described("full", F(1), F(1), max(seen)),)


def test_stages_fall_back_on_the_mechanism() -> None:
    stage = {"noise_multiplier": None, "sample_rate": None, "batch_size": None, "steps": None, "epochs": None}
    run = read(
        mechanism={"sample_rate": None, "batch_size": "7", "samples": "100", "steps": None, "epochs": "2"},
        stages=[stage | {"noise_multiplier": "3"}, stage | {"sample_rate": "1"}, stage | {"steps": "4"}],
        releases=[{"mu": "0", "text": None}, {"mu": "0.25", "text": "a"}],
        threat={"neighbours": "remove-one"},
    )
    assert [tuple(release.values()) for release in run.own] == [
        ("poisson", "1", "0.07", "30"), ("poisson", "3", "0.07", "30"), ("poisson", "1", "1", "2"),
        ("poisson", "1", "0.07", "4"),
    ]  # fmt: skip
    assert [tuple(release.values()) for release in run.others] == [("full", "4", "1", "1")]
    assert run.pair == "add-or-remove-one" and run.sums == 66 and not run.gaussian
    shifted = read(mechanism={"sampling": "full"} | {"sample_rate": None}, releases=[{"mu": "0.25", "text": None}],
                   threat={"neighbours": "replace-one"})  # fmt: skip
    assert checker.read_schedule([*shifted.others], "replace-one").mu_squared == F(1, 16)


def test_a_lower_bound_that_cannot_be_checked_is_called_so() -> None:
    """Beyond the machinery it is neither confirmed nor refuted; where it is too large, it is refuted."""
    release = poisson("1", "0.0000000001", 1)
    grid = {"delta": "0.00001", "points": "1", "reverse_points": "1", "further": []}
    args = {"releases": [release], "neighbours": "add-or-remove-one", "grid": grid, "direction": "remove"}
    step = {"theorem": "T19l", "concludes": {"epsilon": "0.1"}, "args": args, "premises": []}
    assert checker.recompute([step]) == [False]
    step["args"]["releases"] = [poisson("1", "0.01", 100)]
    assert checker.recompute([step]) == [True]
    step["concludes"]["epsilon"] = "0.73"
    with pytest.raises(DoesNotFollow, match="does not follow"):
        checker.recompute([step])
    stated = make.training_statement(make.training_run(target={"epsilon": "0.7"}), ("0.717", "0.719"))
    assert stated["predicate"]["out_of_reach"] is True
    for confirmed, words in ((True, "out of reach"), (False, "0.717, was not verified")):
        claim = checker.training_sentence(stated["predicate"], read(), confirmed)
        assert words in claim and confirmed is ("out of reach" in claim)


def test_an_unconfirmed_lower_bound_is_printed_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise DoesNotFollow("no")

    monkeypatch.setattr(checker, "check_lower", fail)
    report = str(checker.verify(make.seal(make.accepted("training_truncated"))))
    assert "6 recomputation    ok (lower bound not verified)" in report
    assert "the lower bound, 0.717, was not verified" in report


RUNS = {
    "poisson": ({}, {}),
    "remove-one": ({}, {"threat": {"neighbours": "remove-one"}}),
    "stages": ({"noise_multiplier": "2"}, {"stages": [{"steps": 50}, {"sample_rate": "1", "noise_multiplier": "30"}]}),
    "rate zero": ({"sample_rate": "0"}, {}),
    "rate one": ({"sample_rate": "1", "noise_multiplier": "20", "samples": 50, "max_batch_size": 51}, {}),
    "without replacement": ({"sampling": "without-replacement", "samples": 1000, "steps": 10}, {}),
    "full": ({"sampling": "full", "sample_rate": "1", "noise_multiplier": "30"}, {"releases": [{"mu": "0.1"}]}),
    "shuffled": ({"sampling": "shuffled"}, {"releases": [{"mu": "0.1"}, {"mu": "0"}], "momentum": {"outer": "0.9"}}),
    "fixed": ({"sampling": "fixed", "sample_rate": "0.3"}, {"threat": {"neighbours": "remove-one"}}),
    "inner momentum": ({}, {"momentum": {"inner_beta": "0.9", "inner_window": 3}}),
    "gradient bound": ({}, {"scaling": {"kind": "clip", "max_grad_norm": "2", "gradient_norm_bound": "1"}}),
}


@pytest.mark.parametrize("name", RUNS)
def test_accepts_what_certify_writes(name: str, tmp_path: Path) -> None:
    mechanism, more = RUNS[name]
    first = {"kind": "dp-sgd", "noise_multiplier": "1", "sample_rate": "0.01", "steps": 100} | mechanism
    tables = {"mechanism": first, "scaling": {"kind": "clip", "max_grad_norm": "1"}}
    result = certify(tables | {"target": {"epsilon": "2", "delta": "0.00001"}} | more)
    report = checker.verify(write_certificate(result, tmp_path).read_bytes())
    assert report.verdict == result.verdict and "not verified" not in str(report)


# --- grids that a certificate brings --------------------------------------------------------------------------------


GRIDS = st.fixed_dictionaries({
    "step": st.integers(1, 800).map(lambda size: make.exact(F(size, 8000))),
    "digits": st.integers(1, 24).map(str),
    "cut": st.integers(0, 20).map(lambda digits: str(10**digits - 1)),
    "windows": st.lists(st.integers(0, 200).map(str), min_size=2, max_size=2).map(lambda ends: [ends]),
    "halvings": st.lists(st.integers(0, 2).map(str), min_size=3, max_size=3).map(lambda counts: [counts]),
})  # fmt: skip
FINE = F("0.003507"), F("0.00351")  # between these lies δ of the run below, at ε = 0.5


@pytest.fixture(scope="module")
def five_steps() -> checker.Schedule:
    run = schedule(poisson("0.9", "0.05", 5))
    checker.check_pld(run, F(1, 2), FINE[1])
    checker.check_lower(run, F(1, 2), FINE[0])
    return run


@settings(max_examples=60, deadline=None)
@given(GRIDS, st.sampled_from(["above", "forward"]))
def test_no_grid_makes_a_bound_better(five_steps: checker.Schedule, given_: dict[str, Any], side: str) -> None:
    """Whatever a certificate brings as its grid: it is refused, or bounds δ from its side."""
    upward, way = side == "above", None if side == "above" else side
    releases = checker.all_releases(five_steps, upward)
    try:
        grid = checker.read_grid(given_, releases, upward, way)
        losses = checker.loss_distribution(releases, grid, way == "backward")
    except (DoesNotFollow, checker.Undecided):
        return
    values = [end(value.high if upward else value.low) for value in checker.excess(losses, F(1, 2), grid)]
    assert max(values) >= FINE[0] if upward else max(values) <= FINE[1]


def test_a_wrong_grid_of_a_lower_bound_leaves_it_unverified() -> None:
    """The claim may well be true, and is not refuted."""
    step = copy.deepcopy(next(s for s in make.accepted("training_with_grids")["predicate"]["proof"]["steps"]
                              if s["theorem"] == "T19l"))  # fmt: skip
    assert checker.recompute([step]) == [True]
    for key, value in (("windows", [["1", "2900"]]), ("step", "0.02"), ("cut", "1" + "0" * 16), ("digits", "5")):
        changed = copy.deepcopy(step)
        changed["args"]["grid"]["witness"][0][key] = value
        assert checker.recompute([changed]) == [False]
    step["concludes"]["epsilon"] = "0.73"
    with pytest.raises(DoesNotFollow, match="does not follow"):
        checker.recompute([step])


@pytest.mark.parametrize("name", ["training_poisson", "training_stages", "training_truncated", "training_group"])
def test_grids_are_found_for_what_is_accepted(name: str) -> None:
    """The producer's grids show every bound of a vector that brings none, and as it says."""
    statement = make.accepted(name)
    changed, cut = copy.deepcopy(statement), checker.read_training(statement["predicate"]["run"]).cut
    for step in changed["predicate"]["proof"]["steps"]:
        if "grid" in step["args"]:
            grids = grids_of(step["theorem"], step["args"], F(step["concludes"]["epsilon"]), cut)
            assert grids
            step["args"]["grid"]["witness"] = grids
    before, after = (checker.verify(make.seal(s)) for s in (statement, changed))
    assert str(before) == str(after) and after.work < before.work


def test_no_grids_are_written_where_none_are_found() -> None:
    run = schedule(poisson("0.9", "0.05", 5))
    assert upper_grids(run, F(1, 2), FINE[0]) is None
    assert lower_grids(run, F(1, 2), FINE[1], "remove") is None
    assert lower_grids(run, F(0), FINE[1], "remove") is None
    assert upper_grids(schedule(poisson("1", "1e-12", 5)), F(1), F("1e-5")) is None
    assert upper_grids(schedule(gaussian("1", 5)), F(1), F("1e-5")) == []
