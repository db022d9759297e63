"""Doubles, vectorised: for search, sweeps and plots. Never certified."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import final

import numpy as np
import scipy  # its parts load when first used

from accountant.core.arithmetic.base import Arithmetic, Number
from accountant.core.exact import as_double

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_LOG_SQRT_TAU = 0.5 * np.log(2 * np.pi)
_FAR_OUT = -1e5
_TIE = 1e-9  # rounding can break a tie either way: doubles refuse only clear violations


@final
class Float(Arithmetic):
    """Python floats, and numpy arrays broadcast against each other; plain floats take a path of their own, for
    speed."""

    inexact = True

    def of(self, value: Fraction | int) -> Number:
        return as_double(value)

    def sqrt(self, x: Number) -> Number:
        return math.sqrt(x) if type(x) is float and x >= 0 else np.sqrt(x)

    def log(self, x: Number) -> Number:
        return np.log(x)

    def exp(self, x: Number) -> Number:
        return np.exp(x)

    def normal_cdf(self, x: Number) -> Number:
        return scipy.special.ndtr(x)

    def maximum(self, x: Number, y: Number) -> Number:
        if type(x) is float and type(y) is float:
            return x if x >= y or x != x else y
        return np.maximum(x, y)

    def at_least(self, x: Number, y: Number) -> bool | None:
        if type(x) is float and type(y) is float:
            return x - y >= -_TIE * (abs(x) + abs(y))
        return bool(np.all(np.asarray(x) - y >= -_TIE * (np.abs(x) + np.abs(y))))

    def power(self, x: Number, n: int) -> Number:
        if type(x) is float and type(n) is int:
            try:
                return x**n
            except OverflowError:
                return math.inf
        return np.float_power(x, n)

    def geometric(self, x: Number, n: int) -> Number:
        if type(x) is float and type(n) is int:
            return _geometric(x, n)
        x, n = np.asarray(x, dtype=float), np.asarray(n)
        at_one = x == 1
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            numerator = np.where((x > 0) & (n > 0), -np.expm1(n * np.log(np.abs(x))), 1 - x ** n.astype(float))
            return np.where(at_one, n, numerator / np.where(at_one, 1, 1 - x))[()]

    def where_at_least(self, x: Number, y: Number, then: Number, otherwise: Number) -> Number:
        return np.where(np.asarray(x) >= y, then, otherwise)[()]

    def gaussian_delta(self, mu: Number, epsilon: Number) -> Number:
        return np.exp(log_gaussian_delta(mu, epsilon))

    def gaussian_epsilon(self, mu: Number, delta: Number) -> Number:
        return gaussian_epsilon(mu, delta)

    def mixture_epsilon(self, mus: Sequence[Number], weights: Sequence[Number], delta: Number) -> Number:
        return mixture_epsilon(np.asarray(mus, float), np.asarray(weights, float), float(delta))

    def diffused_epsilon(self, mu: Number, ratio: Number, steps: int, delta: Number) -> Number:
        return diffused_epsilon(float(mu), float(ratio), steps, float(delta))


def _geometric(x: float, n: int) -> float:
    if n < 3 or x == 1:
        return (0.0, 1.0, 1.0 + x)[n] if n < 3 else float(n)
    if x <= 0:
        return (1 - x**n) / (1 - x)
    exponent = n * math.log(x)
    return math.inf if exponent > 700 else -math.expm1(exponent) / (1 - x)


def normal_quantile(p: float) -> float:
    """The x with Φ(x) = p."""
    return float(scipy.special.ndtri(p))


def _mills(x: Number) -> Number:
    """Φ(x)/φ(x), for x below about 37."""
    return np.sqrt(np.pi / 2) * scipy.special.erfcx(-x / np.sqrt(2))


def log_gaussian_delta(mu: Number, epsilon: Number) -> Number:
    """log δ(ε) of N(0,1) against N(μ,1), μ > 0, to about 1e-12 relative also where δ underflows or μ is tiny.

    With a = μ/2 − ε/μ and b = a − μ: e^ε φ(b) = φ(a), hence δ = φ(a)(Φ/φ(a) − Φ/φ(b)), and the difference is an
    integral over [b, a].
    """
    mu, epsilon = np.broadcast_arrays(np.asarray(mu, float), np.asarray(epsilon, float))
    a, b = mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        log_a = scipy.special.log_ndtr(a)
        # Rounding of a large ε may make the exponent positive: then δ is only known to be small.
        far = log_a + np.log(-np.expm1(np.minimum(epsilon + scipy.special.log_ndtr(b) - log_a, 0)))
        difference = _mills(np.minimum(a, 30)) - _mills(np.minimum(b, 30))
        if np.any(mu < 1):
            x = (a + b)[..., None] / 2 + (mu / 2)[..., None] * _NODES
            # 1 + x·Φ/φ(x) is about 1/x² far out, where it cancels
            slope = np.where(x < _FAR_OUT, 1 / (x * x), 1 + x * _mills(np.clip(x, _FAR_OUT, 30)))
            difference = np.where(mu < 1, mu / 2 * np.sum(_WEIGHTS * slope, axis=-1), difference)
        close = -(a**2) / 2 - _LOG_SQRT_TAU + np.log(difference)
    return np.where(a > 5, far, close)[()]


def gaussian_epsilon(mu: Number, delta: Number) -> Number:
    """The least ε ≥ 0 with δ(ε) ≤ delta, elementwise; 0 where μ = 0, inf where μ is. Safeguarded Newton on log δ."""
    if np.ndim(mu) == np.ndim(delta) == 0 and 0 < delta < 1 and 0 < mu < 1e100:
        return _scalar_epsilon(float(mu), float(delta))
    mu, delta = np.broadcast_arrays(np.asarray(mu, float), np.asarray(delta, float))
    active = (mu > 0) & np.isfinite(mu)
    m = np.where(active, mu, 1.0)
    target = np.log(delta)
    low, high = np.zeros(m.shape), m**2 / 2 + m * np.sqrt(-2 * target)  # the Rényi route gives no less than ε
    none = log_gaussian_delta(m, low) <= target
    epsilon = high.copy()
    for _ in range(80):
        value = log_gaussian_delta(m, epsilon)
        low, high = np.where(value > target, epsilon, low), np.where(value > target, high, epsilon)
        b = -m / 2 - epsilon / m
        # d log δ / dε = −e^ε Φ(b) / δ
        newton = epsilon + (value - target) * np.exp(value - epsilon - scipy.special.log_ndtr(b))
        inside = (newton > low) & (newton < high)
        following = np.where(inside, newton, (low + high) / 2)
        # A Newton step's error is the square of its length; rounding keeps it from vanishing.
        done = np.all(np.abs(following - epsilon) <= np.where(inside, 1e-8, 1e-14) * epsilon)
        epsilon = following
        if done:
            break
    return np.where(active, np.where(none, 0.0, epsilon), np.where(mu > 0, np.inf, 0.0))[()]


def _scalar_epsilon(m: float, delta: float) -> float:
    """`gaussian_epsilon` step by step, an order of magnitude faster for one μ."""
    target = math.log(delta)
    if scalar_log_delta(m, 0.0) <= target:
        return 0.0
    low, high = 0.0, m * m / 2 + m * math.sqrt(-2 * target)
    epsilon = high
    for _ in range(80):
        value = scalar_log_delta(m, epsilon)
        low, high = (epsilon, high) if value > target else (low, epsilon)
        exponent = value - epsilon - scipy.special.log_ndtr(-m / 2 - epsilon / m)
        newton = epsilon + (value - target) * math.exp(exponent) if exponent < 700 else math.inf
        inside = low < newton < high
        following = newton if inside else (low + high) / 2
        step, epsilon = abs(following - epsilon), following
        if step <= (1e-8 if inside else 1e-14) * epsilon:
            break
    return float(epsilon)


def scalar_log_delta(mu: float, epsilon: float) -> float:
    """`log_gaussian_delta` of one pair."""
    a, b = mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu
    if a > 5:
        log_a = float(scipy.special.log_ndtr(a))
        rest = -math.expm1(min(epsilon + float(scipy.special.log_ndtr(b)) - log_a, 0.0))
        return log_a + math.log(rest) if rest > 0 else -math.inf
    if mu < 1:
        x = (a + b) / 2 + mu / 2 * _NODES
        difference = mu / 2 * float(_WEIGHTS @ (1 + x * _mills(x)))
    else:
        difference = float(_mills(a) - _mills(b))
    return -a * a / 2 - _LOG_SQRT_TAU + math.log(difference) if difference > 0 else -math.inf


def mixture_epsilon(mus: Number, weights: Number, delta: float) -> float:
    """The least ε ≥ 0 with Σ weight·δ_μ(ε) ≤ delta, for one delta; mus and weights are arrays of one length."""
    if len(mus) == 1 and weights[0] == 1:
        return float(gaussian_epsilon(mus[0], delta))
    positive = (mus > 0) & (weights > 0)
    if not positive.any():
        return 0.0
    mus, logs = mus[positive], np.log(weights[positive])

    def excess(epsilon: float) -> float:
        return float(scipy.special.logsumexp(logs + log_gaussian_delta(mus, epsilon)) - np.log(delta))

    if excess(0.0) <= 0:
        return 0.0
    # The mixture is largest with all of its weight on the largest μ.
    highest = float(gaussian_epsilon(mus.max(), min(delta / np.exp(logs).sum(), 1.0))) * (1 + 1e-9) + 1e-300
    return float(scipy.optimize.brentq(excess, 0.0, highest, xtol=1e-300, rtol=1e-14, maxiter=500))


_FAR = 40.0  # of log δ below its target: a search need not know how far
_HALF = math.sqrt(0.5)


def diffused_log_delta(mu: float, ratio: float, steps: int, epsilon: float, least: float) -> float:
    """log δ(ε) of μ after `steps` times δ ← δ·Θ_ε̃(ratio) (T24), ratio > 0; stops once it is below `least`."""
    log_delta = scalar_log_delta(mu, epsilon)
    growth = epsilon + math.log(-math.expm1(-epsilon)) if epsilon > 0 else -math.inf  # log(e^ε − 1)
    for left in range(steps, 0, -1):
        if log_delta <= least:
            break
        change = log_theta(ratio, growth - log_delta)
        log_delta += change
        if -change * left < 1e-14:  # the steps that are left do nothing either
            break
    return log_delta


def log_theta(ratio: float, excess: float) -> float:
    """log Θ at ε̃ = log(1 + e^excess); plainly where nothing cancels much, for speed."""
    tilt = excess + math.log1p(math.exp(-excess)) if excess > 0 else math.log1p(math.exp(excess))
    a = ratio / 2 - tilt / ratio
    if ratio > 0.5 and a > -30 and tilt < 600:
        # erfc(−x/√2)/2 is Φ(x); 1 − Θ is exact to rounding where Θ is next to 1
        above, below = math.erfc(a * _HALF) / 2, math.erfc((ratio - a) * _HALF) / 2
        lost = above + math.exp(tilt) * below
        if lost < 0.5:
            return math.log1p(-lost)
        theta = math.erfc(-a * _HALF) / 2 - math.exp(tilt) * below
        return math.log(theta) if theta > 0 else -math.inf
    return scalar_log_delta(ratio, tilt)


def diffused_epsilon(mu: float, ratio: float, steps: int, delta: float) -> float:
    """The least ε ≥ 0 at which δ(ε) of μ, after that many steps of T24, is at most delta; to about 1e-13."""
    high = float(gaussian_epsilon(mu, delta))
    if high == 0 or ratio == 0 or math.isinf(high):
        return 0.0 if ratio == 0 else high
    target = math.log(delta)

    def excess(epsilon: float) -> float:
        return diffused_log_delta(mu, ratio, steps, epsilon, target - _FAR) - target

    if excess(0.0) <= 0:
        return 0.0
    if excess(high * (1 - 1e-12)) >= 0:  # the steps add nothing
        return high
    return float(scipy.optimize.brentq(excess, 0.0, high, xtol=1e-300, rtol=1e-14, maxiter=500))


def gaussian_mu(epsilon: Number, delta: Number) -> Number:
    """The largest μ with δ_μ(ε) ≤ delta, elementwise: the inverse in the other direction. By bisection in log μ."""
    epsilon, delta = np.broadcast_arrays(np.asarray(epsilon, float), np.asarray(delta, float))
    low, high = np.full(epsilon.shape, -690.0), np.full(epsilon.shape, 340.0)
    with np.errstate(all="ignore"):
        for _ in range(90):
            middle = (low + high) / 2
            above = log_gaussian_delta(np.exp(middle), epsilon) > np.log(delta)
            low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.exp(low)[()]
