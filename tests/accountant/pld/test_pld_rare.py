"""DP-SGD where single, rare participations decide: against the closed formula of one step, and quadrature of two."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from accountant.core.exact import Rounding
from accountant.mechanisms.pairs import Coins, DominatingPair, Symmetrised, Way
from accountant.mechanisms.release import Part, parts
from accountant.pld import Release, bracket
from accountant.pld.account import FLOOR
from accountant.pld.compose import epsilon_at
from tests.multiprecision import big
from tests.oracles import subsampled as oracle

ADD = "add-or-remove-one"
WIDTH = F(1, 1000)


def poisson(z: F | str, q: F | str, steps: int) -> tuple[Release, ...]:
    return (Release("poisson", z, q, steps),)


def is_sharp(lower: F, upper: F) -> bool:
    return upper - lower <= WIDTH * max(upper, FLOOR)


def test_one_participation_decides() -> None:
    """z = .6873, q = 1.5674e-6, δ = 1.237e-18: .0919 was printed on 2^18 points; the truth is .0878316212."""
    found = bracket(poisson("0.6873", "1.5674e-6", 1), ADD, "1.237e-18")
    assert found.sharp and is_sharp(found.lower, found.upper) and found.points <= 1 << 14
    with mp.workdps(60):
        for end, above in ((found.upper, True), (found.lower, False)):
            value = oracle.delta_one("0.6873", "1.5674e-6", big(end), "remove")
            assert (value <= mpf("1.237e-18")) == above
    assert found.lower < F("0.0878316212") < found.upper + F(1, 10**10)


def test_two_thousand_steps_of_a_billion_records() -> None:
    """b = 1024, z = .6, δ = 1e-10: a width of 9.4e-3 on 2^18 points."""
    found = bracket(poisson("0.6", F(1024, 10**9), 2000), ADD, "1e-10")
    assert found.sharp and is_sharp(found.lower, found.upper) and found.points <= 1 << 14
    assert found.lower < F("0.018798") and F("0.018796") < found.upper  # on one grid of 2^16 points


RARE = st.tuples(
    st.integers(25, 300).map(lambda x: F(x, 100)),  # z
    st.tuples(st.integers(100, 999), st.integers(4, 14)).map(lambda x: x[0] * F(1, 10) ** x[1]),  # q
    st.tuples(st.integers(100, 999), st.integers(6, 27)).map(lambda x: x[0] * F(1, 10) ** x[1]),  # δ
)


@settings(max_examples=5)
@given(RARE)
def test_one_step_is_bracketed_sharply(setting: tuple[F, F, F]) -> None:
    hold_one_step(setting)


@pytest.mark.slow
@settings(max_examples=50)
@given(RARE)
def test_one_step_is_bracketed_sharply_everywhere(setting: tuple[F, F, F]) -> None:
    hold_one_step(setting)


def hold_one_step(setting: tuple[F, F, F]) -> None:
    z, q, delta = setting
    found = bracket(poisson(z, q, 1), ADD, delta)
    assert found.sharp and is_sharp(found.lower, found.upper)
    with mp.workdps(60):
        for direction in ("remove", "add"):
            assert oracle.delta_one(big(z), big(q), big(found.upper), direction) <= big(delta) * (1 + mpf(10) ** -30)
        if found.lower:
            assert oracle.delta_one(big(z), big(q), big(found.lower), "remove") >= big(delta) * (1 - mpf(10) ** -30)


def two_steps(z: F, q: F, epsilon: F) -> mpf:
    """δ(ε) of two steps, "remove": the formula of one, over the other's loss, by tanh-sinh panels."""
    q, mu, e = big(q), 1 / big(z), big(epsilon)

    def at(loss: mpf) -> mpf:
        return mp.log((mp.expm1(loss) + q) / q) / mu + mu / 2

    def gain(u: mpf) -> mpf:
        ratio = 1 - q + q * mp.exp(mu * u - mu * mu / 2)
        return mp.npdf(u) * ratio * oracle.delta_one(1 / mu, q, e - mp.log(ratio), "remove")

    cuts = {-30, -6, -3, 0, mu, mu + 4, at(e / 2) - 1, at(e / 2), at(e / 2) + 1}
    cuts |= {at(e) + x for x in (-1, -0.25, 0, 0.25, 1, 3, 8, mu + 30)}
    return mp.quad(gain, sorted(mpf(x) for x in cuts), maxdegree=6)


TWO = [("0.6873", "1.5674e-6", "1.237e-18"), ("1.15", "1.28e-5", "6.63e-22"), ("0.3", "1e-10", "1e-12")]


@pytest.mark.parametrize(("z", "q", "delta"), TWO[:1] + [pytest.param(*row, marks=pytest.mark.slow) for row in TWO[1:]])
def test_two_steps_against_quadrature(z: str, q: str, delta: str) -> None:
    found = bracket(poisson(z, q, 2), ADD, delta)
    assert found.sharp and is_sharp(found.lower, found.upper) and found.lower > 0
    with mp.workdps(40):
        below, above = (two_steps(F(z), F(q), end) for end in (found.upper, found.lower))
        assert below <= mpf(delta) * (1 + mpf(10) ** -12) and mpf(delta) * (1 - mpf(10) ** -12) <= above


@settings(max_examples=12)
@given(RARE, st.sampled_from([1, 2, 50, 600, 5000, 10**6]), st.sampled_from([300, 1000]))
def test_the_upper_bound_falls_as_the_grid_grows(setting: tuple[F, F, F], steps: int, points: int) -> None:
    """A law: by nothing at least, but for what rounding and cuts may add, some 2^−16 of δ."""
    z, q, delta = setting
    made = parts(poisson(z, q, steps), ADD)
    coarse, fine = (epsilon_at(made, Way.FORWARD, Rounding.UP, delta, n) for n in (points, 4 * points))
    assert coarse is None or (fine is not None and fine <= coarse * (1 + F(1, 2**14)))


@pytest.mark.parametrize("pair", [Coins(), Symmetrised()])
def test_what_is_above_the_top_is_one_cell(pair: DominatingPair) -> None:
    """Its mass is spread to the top and to +∞, and both bounds hold on either side of it."""
    part, delta = Part(F(4), F("1e-6"), 1, pair), F("1e-12")
    kind = "symmetric" if pair.mirrored else "remove"
    for rounding in Rounding:
        found = epsilon_at((part,), Way.FORWARD, rounding, delta, 2000)
        with mp.workdps(60):
            assert (
                oracle.delta_one(mpf(1) / 2, "1e-6", big(found), kind) <= mpf(delta.numerator) / delta.denominator
            ) == (rounding is Rounding.UP)
