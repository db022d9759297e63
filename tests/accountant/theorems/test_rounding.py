"""T28's rule of thumb: what rounding adds to μ, the floor that it sets to the noise, and ulp in exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from accountant import ConstantLoss, InvalidMechanism, NoisySGD, TheoremError, apply, evaluate, theorems
from accountant.core.arithmetic import Exact
from accountant.core.exact import Rounding, round_decimal
from accountant.pnsgd.rounding import (
    DIGITS,
    FloatingPoint,
    charge_square,
    contraction_of,
    derive_floor,
    floor_noise,
    floor_status,
    largest,
    root_above,
    ulp,
)

CONTRACTIONS = [F(0), F(1, 8), F(1, 2), F(3, 4), F(99, 100), F(9999, 10000)]
positive = st.fractions(F(1, 10**9), 10**9, max_denominator=10**12).filter(bool)


def mechanism(c: F = F(3, 4), noise_std: F = F(1), **changes) -> NoisySGD:
    """A run whose steps contract by c: m = L = 1 − c, η = 1."""
    loss = ConstantLoss(smoothness=1 - c, strong_convexity=1 - c, gradient_bound=1)
    known = {"samples": 4, "batch_size": 2, "epochs": 3, "step_size": F(1)} | changes
    return NoisySGD(loss=loss, noise_std=noise_std, **known)


def numbers(dtype: str = "float64", dimension: int = 4, size: F = F(1)) -> FloatingPoint:
    return FloatingPoint(dtype, dimension, size)


# --- T28r -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 60])
@pytest.mark.parametrize("c", CONTRACTIONS)
def test_the_charge_covers_executed_errors_in_every_step(c: F, steps: int) -> None:
    """Both runs follow one path; in each step they are executed with the worst errors, in opposite directions, before
    their noise. What they are apart before the last noise, in units of it, is what they are easier to tell apart."""
    noise, error = F(1, 50), 3 * F(1, 10**6) * 5  # √9 coordinates, each off by 5 ulp of 1e-6
    above = below = F(0)
    for _ in range(steps):
        above, below = c * above + error, c * below - error
    apart = above - below  # the last step's own errors, which come after its map and before its noise, among them
    charge = root_above((2 * error / (1 - c) / noise) ** 2, DIGITS)
    proved = apply(
        theorems.rounding_charge,
        contraction_of(mechanism(c)),
        variance=noise**2,
        dimension=9,
        errors=5,
        spacing=F(1, 10**6),
        releases=1,
        charge=charge,
    )
    assert evaluate(proved, Exact()).mu == charge
    assert apart / noise <= charge
    if c**steps < F(1, 100):
        assert apart / noise >= F(98, 100) * charge  # and not much less


@given(
    st.lists(st.fractions(0, 5, max_denominator=100), min_size=1, max_size=8), st.fractions(0, 1, max_denominator=99)
)
def test_stretches_that_are_all_seen_cost_the_root_of_their_number(mus, charge) -> None:
    """√Σ(μ_i + κ)² ≤ √Σμ_i² + √R·κ, squared twice and decided in rationals."""
    charged, exactly = sum((mu + charge) ** 2 for mu in mus), sum(mu**2 for mu in mus)
    left = charged - exactly - len(mus) * charge**2
    assert left <= 0 or left**2 <= 4 * exactly * len(mus) * charge**2


@given(st.sampled_from(CONTRACTIONS), st.integers(1, 10**6), positive, st.integers(1, 5))
def test_a_charge_one_digit_less_is_refused(c: F, dimension: int, variance: F, releases: int) -> None:
    """The boundary is decided in rationals."""
    known = {"variance": variance, "dimension": dimension, "errors": 4, "spacing": F(1, 2**52), "releases": releases}
    exact_square = dimension * releases * (8 * F(1, 2**52) / (1 - c)) ** 2 / variance
    charge = root_above(exact_square, DIGITS)
    rate = contraction_of(mechanism(c))
    assert evaluate(apply(theorems.rounding_charge, rate, **known, charge=charge), Exact()).mu == charge
    less = charge * (1 - F(1, 10 ** (DIGITS - 1)))
    with pytest.raises(TheoremError, match="the charge covers the errors"):
        apply(theorems.rounding_charge, rate, **known, charge=less)


# --- T28f -------------------------------------------------------------------------------------------------------------


def exact_delta(mu: F, epsilon: F) -> mpf:
    with mp.workdps(60):
        m, e = mpf(mu.numerator) / mu.denominator, mpf(epsilon.numerator) / epsilon.denominator
        return mp.ncdf(m / 2 - e / m) - mp.exp(e) * mp.ncdf(-m / 2 - e / m)


@settings(max_examples=60)
@given(
    st.fractions(F(1, 10**4), F(1, 20), max_denominator=10**6),
    st.fractions(0, 5, max_denominator=1000),
    st.sampled_from([F(1, 10**k) for k in (1, 2, 5, 12, 30)]),
)
def test_the_floor_is_where_mpmath_puts_it(charge: F, epsilon: F, delta: F) -> None:
    rate = contraction_of(mechanism(F(3, 4)))
    tiny = {"variance": F(1), "dimension": 1, "errors": 1, "spacing": F(1, 10**9), "releases": 1}
    premise = apply(theorems.rounding_charge, rate, **tiny, charge=charge)
    if exact_delta(100 * charge, epsilon) <= mpf(delta.numerator) / delta.denominator:
        apply(theorems.noise_floor, premise, epsilon=epsilon, delta=delta)
    else:
        with pytest.raises(TheoremError, match="a hundred times the charge meets the target"):
            apply(theorems.noise_floor, premise, epsilon=epsilon, delta=delta)


def test_the_numbers_of_the_theory() -> None:
    """X = 1, τ = .01, d = 7850, 1−c = 1e-3, 4 ulp: 1.6e-8 in float64, 8.5 in float32."""
    run = mechanism(F(999, 1000), F(1), step_size=F(1))
    square = 2 * F(1, 10**4) / 4  # τ² = 2ησ² = 1e-4
    run = mechanism(F(999, 1000), root_above(square, 30))
    for dtype, stated in (("float64", 1.6e-8), ("float32", 8.5)):
        charge = math.sqrt(charge_square(run, FloatingPoint(dtype, 7850, F(1))))
        assert charge == pytest.approx(stated, rel=0.02)
        assert floor_status(run, FloatingPoint(dtype, 7850, F(1)), F(1), F(1, 10**5)) == (
            "proved" if dtype == "float64" else "violated"
        )


# --- the status of a run ----------------------------------------------------------------------------------------------

TARGET = (F(1), F(1, 10**5))


@settings(max_examples=60)
@given(
    st.sampled_from(CONTRACTIONS),
    st.fractions(F(1, 10**12), 1, max_denominator=10**13).filter(bool),
    st.integers(1, 10**9),
    st.fractions(F(1, 10**6), 10**6, max_denominator=10**6),
    st.sampled_from(["float64", "float32"]),
    st.sampled_from(["noise", "dimension", "size"]),
    st.integers(2, 1000),
)
def test_more_noise_fewer_coordinates_and_smaller_ones_never_break_the_floor(
    c, noise, dimension, size, dtype, which, times
) -> None:
    better = {
        "noise": (noise * times, dimension, size),
        "dimension": (noise, max(1, dimension // times), size),
        "size": (noise, dimension, size / times),
    }[which]
    statuses = [
        floor_status(mechanism(c, sigma), FloatingPoint(dtype, d, x), *TARGET)
        for sigma, d, x in ((noise, dimension, size), better)
    ]
    assert statuses != ["proved", "violated"] and "attested" not in statuses


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("c", CONTRACTIONS)
def test_the_least_noise_is_the_boundary(c: F, dtype: str) -> None:
    known = FloatingPoint(dtype, 65, F(3, 2))
    mu = 0.26805112  # a little less than what ε = 1, δ = 1e-5 allows
    noise = floor_noise(mechanism(c), known, mu)
    assert floor_status(mechanism(c, noise), known, *TARGET) == "proved"
    assert floor_status(mechanism(c, noise * F(9999, 10000)), known, *TARGET) == "violated"


@pytest.mark.parametrize(
    ("run", "known"),
    [
        (mechanism(F(1)), numbers()),  # no contraction
        (mechanism(), FloatingPoint("float64", 4, None)),
        (mechanism(), FloatingPoint("float64", None, F(1))),
        (mechanism(), FloatingPoint(None, 4, F(1))),
        (
            NoisySGD(4, 2, 3, F(1), ConstantLoss(F(1), F(1, 2), F(1), convex=False), radius=F(5), step_size=F(1, 2)),
            numbers(),
        ),
    ],
)
def test_what_is_not_known_is_attested(run: NoisySGD, known: FloatingPoint) -> None:
    assert floor_status(run, known, *TARGET) == "attested"
    assert derive_floor(run, known, *TARGET) is None and floor_noise(run, known, 1.0) is None


def test_several_models_that_are_all_seen_pay_more() -> None:
    one = charge_square(mechanism(unlearning_epochs=(1, 1), requests=(1, 1)), numbers())
    both = charge_square(mechanism(unlearning_epochs=(1, 1), requests=(1, 1), release="all"), numbers())
    assert both == 2 * one


def test_a_step_that_forgets_everything_is_charged_its_own_rounding() -> None:
    """At c = 0 hidden errors vanish, and a noise far below one ulp would still do nothing at all."""
    assert floor_status(mechanism(F(0), F(1, 10**25)), numbers(), *TARGET) == "violated"
    assert floor_status(mechanism(F(0), F(1)), numbers(), *TARGET) == "proved"


# --- ulp --------------------------------------------------------------------------------------------------------------


@given(st.floats(min_value=5e-324, max_value=8e307))
def test_ulp_is_that_of_numpy(size: float) -> None:
    assert ulp("float64", F(size)) == F(float(np.spacing(size)))


@given(st.floats(min_value=2.0**-149, max_value=2.0**126, width=32, allow_subnormal=True))
def test_ulp_of_single_precision_is_that_of_numpy(size: float) -> None:
    assert ulp("float32", F(size)) == F(float(np.spacing(np.float32(size))))


def test_ulp_between_numbers_and_at_powers_of_two() -> None:
    assert ulp("float64", F(1)) == F(1, 2**52) and ulp("float64", F(2**60 - 1, 2**60)) == F(1, 2**53)
    assert ulp("float64", F(2)) == F(1, 2**51) and ulp("float32", F(3, 2)) == F(1, 2**23)
    assert largest("float64") == F(float(np.finfo("f8").max)) and largest("float32") == F(float(np.finfo("f4").max))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dtype": "float16"}, "execution.dtype: got 'float16'; write one of float64, float32"),
        ({"dimension": 0}, "execution.dimension: 0 must lie between 1 and 10^15"),
        ({"largest_coordinate": F(0)}, "execution.largest_coordinate: 0 must be positive"),
        ({"dtype": "float32", "largest_coordinate": F(10**39)}, "is beyond the largest number of float32"),
    ],
)
def test_numbers_out_of_range_are_refused(given, message: str) -> None:
    with pytest.raises(InvalidMechanism) as refused:
        FloatingPoint(**given)
    assert message in str(refused.value)


@given(positive, st.integers(1, 12))
def test_a_root_is_the_least_decimal_above(square: F, digits: int) -> None:
    root = root_above(square, digits)
    assert root == round_decimal(root, digits, Rounding.UP)
    less = root * (1 - F(1, 10**digits))  # less than the decimal before it, but where that is a power of ten
    assert root**2 >= square > round_decimal(less, digits, Rounding.DOWN) ** 2
