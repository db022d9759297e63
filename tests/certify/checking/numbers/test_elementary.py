"""exp, log, π and the normal distribution beside mpmath."""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certify import checker
from certify.checker import Interval
from tests.certify.checking.cases import BITS, contains, ends, exact_delta, real
from tests.vectors import make_certificates as make

pytestmark = pytest.mark.usefixtures("sixty_digits")


@settings(max_examples=40, deadline=None)
@given(st.fractions(min_value=0, max_value=10**6, max_denominator=10**9))
def test_exp(x: Fraction) -> None:
    assert contains(checker.exp(Interval.of(x, 192)), mp.exp(make.real(x)))
    assert contains(checker.exp_minus(Interval.of(x, 192)), mp.exp(-make.real(x)))


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.fractions(1, 10**6, max_denominator=10**9), st.integers(1, 10**300)))
def test_log(x: Fraction) -> None:
    for y in (x, 1 + 1 / Fraction(x)):
        found, truth = checker.log(Interval.of(y, 192)), mp.log(make.real(Fraction(y)))
        slack = mp.mpf("1e-50") * (1 + truth)
        assert real(found.low) <= truth + slack and truth - slack <= real(found.high)
        assert real(found.high) - real(found.low) <= mp.mpf("1e-50") * (1 + truth)
    wide = checker.log(Interval(Interval.of(x, 64).low, Interval.of(2 * x, 64).high, 64))
    assert ends(wide)[0] <= Fraction(float(mp.log(make.real(Fraction(x))))) + Fraction(1, 10**9)
    assert ends(wide)[1] >= Fraction(float(mp.log(make.real(Fraction(2 * x))))) - Fraction(1, 10**9)


def test_log_is_exact_where_it_can_be() -> None:
    assert checker.log(Interval.of(1, BITS)).is_zero()
    assert contains(checker.log(Interval.of(2**1000, 192)), 1000 * mp.log(2))


def test_pi() -> None:
    for bits in (64, 128, 180):
        assert contains(checker.pi(bits), +mp.pi, "1e-18")


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.fractions(0, 8, max_denominator=10**6), st.fractions(0, 10**4, max_denominator=100)))
def test_mills(t: Fraction) -> None:
    with mp.workdps(100):
        x = make.real(t)
        truth = mp.erfc(x / mp.sqrt(2)) / 2 / mp.npdf(x)
    assert contains(checker.mills(Interval.of(t, 128)), truth, "1e-34" if t < 8 else "1e-26")


@pytest.mark.parametrize("mu", ["1e-9", "1e-4", "0.0323489637", "0.5", "1", "2", "7", "40", "1000"])
def test_profile(mu: str) -> None:
    m = Fraction(mu)
    for z in (-30, -6, -1, Fraction(-1, 10**6), 0, Fraction(1, 3), 1, 4, 6, 11, 23, 37):  # δ from 1 to 1e-300
        epsilon = m * (z + m / 2)
        if 0 <= epsilon <= 2000:
            assert contains(checker.profile(epsilon, Interval.of(m, 256)), exact_delta(epsilon, m), "1e-25")
    low, high = ends(checker.profile(m * m / 2 + 37 * m, Interval.of(m, 256)))
    assert 0 < low <= high < low * (1 + Fraction(1, 10**20)) and high < Fraction(1, 10**298)


@settings(max_examples=40, deadline=None)
@given(st.floats(-9, 3), st.floats(-3, 37))
def test_profile_anywhere(log_mu: float, z: float) -> None:
    mu = Fraction(10.0**log_mu).limit_denominator(10**12) or Fraction(1, 10**9)
    epsilon = max(Fraction(0), mu * (Fraction(z) + mu / 2))
    if epsilon <= 1000:
        assert contains(checker.profile(epsilon, Interval.of(mu, 256)), exact_delta(epsilon, mu), "1e-20")


def test_profile_far_away() -> None:
    assert checker.profile(Fraction(10) ** 9000, Interval.of(1, BITS)) <= Fraction(1, 10**9000)
    assert checker.profile(Fraction(10**5), Interval.of(Fraction(1, 10**9), BITS)) <= Fraction(1, 10**9000)
    assert checker.profile(Fraction(0), Interval.of(0, BITS)).is_zero()
    half = checker.profile(Fraction(1, 2), Interval.of(1, BITS))  # ε = μ²/2 exactly: the sign of x is open
    assert contains(half, mp.mpf(1) / 2 - mp.exp(mp.mpf(1) / 2) * mp.ncdf(-1))
