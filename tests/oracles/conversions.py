"""T11, T12, Mironov's conversion, T8, T9 and Rényi divergences in mpmath.

**Own error**: every closed formula is evaluated at growing precision until two evaluations agree to 1e-45 relative, so
it is good to 45 digits. Inverses are bracketed by bisection to 1e-45 relative and return the midpoint. Optima over α
(`renyi_to_epsilon`) are the *value at one α*: an upper bound on the infimum whatever α is, and within 1e-30 relative
of it if the objective has a single minimum between neighbours of the scanning grid. `renyi_quadrature` compares two
orders of tanh-sinh quadrature and returns the difference as its error.

Results are `mpf` that carry their digits; do arithmetic with them inside `with mp.workdps(50)`, or mpmath's default of
15 digits rounds. Give decimals as strings ("1e-5"): a float means its binary value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mpmath import mp, mpf

DIGITS = 50
AGREE = mpf(10) ** -45
Real = int | float | str | mpf


def _stable(formula: Callable[[], mpf]) -> mpf:
    """Evaluate at 60, 120, 240 … digits until two successive values agree: cancellation cannot hide."""
    digits, previous = DIGITS + 10, None
    while True:
        with mp.workdps(digits):
            value = formula()
            if previous is not None and abs(value - previous) <= AGREE * abs(value):
                return value
            previous = value
        digits *= 2
        if digits > 20000:
            raise ArithmeticError("no agreement")


def normal_cdf(x: mpf) -> mpf:
    """Φ by erfc, so that both tails keep their relative accuracy."""
    return mp.erfc(-x / mp.sqrt(2)) / 2


def delta_gdp(epsilon: Real, mu: Real) -> mpf:
    """T11: δ(ε) = Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ), for any real ε; 45 digits."""
    if mpf(mu) == 0:
        with mp.workdps(DIGITS):
            return max(mpf(0), -mp.expm1(mpf(epsilon)))

    def formula() -> mpf:
        e, m = mpf(epsilon), mpf(mu)
        return normal_cdf(m / 2 - e / m) - mp.exp(e) * normal_cdf(-m / 2 - e / m)

    return _stable(formula)


def _bisect(above: Callable[[mpf], bool], low: mpf, high: mpf) -> mpf:
    """The x in [low, high] at which `above` turns from True to False, to 1e-45 relative."""
    while high - low > AGREE * max(abs(low), abs(high)):
        middle = (low + high) / 2
        if above(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2


def epsilon_gdp(delta: Real, mu: Real) -> mpf:
    """The ε ≥ 0 with δ(ε; μ) = δ; 0 when δ ≥ δ(0; μ); needs 0 < δ; 45 digits."""
    with mp.workdps(DIGITS + 10):
        d, m = mpf(delta), mpf(mu)
        if d <= 0:
            raise ValueError("needs 0 < δ")
        if m == 0 or d >= delta_gdp(0, m):
            return mpf(0)
        high = mpf(1)
        while delta_gdp(high, m) > d:
            high *= 2
        return _bisect(lambda e: delta_gdp(e, m) > d, mpf(0), high)


def mu_gdp(epsilon: Real, delta: Real) -> mpf:
    """The μ with δ(ε; μ) = δ, for ε ≥ 0 and 0 < δ < 1; 45 digits."""
    with mp.workdps(DIGITS + 10):
        e, d = mpf(epsilon), mpf(delta)
        if not (0 < d < 1 and e >= 0):
            raise ValueError("needs 0 < δ < 1 and ε ≥ 0")
        high = mpf(1)
        while delta_gdp(e, high) < d:
            high *= 2
        low = high
        while delta_gdp(e, low) > d:
            low /= 2
        return _bisect(lambda m: delta_gdp(e, m) < d, low, high)


def balle_epsilon(divergence: Real, alpha: Real, delta: Real) -> mpf:
    """T12 at one order: D + log((α−1)/α) − (log δ + log α)/(α−1); may be negative; 50 digits."""
    with mp.workdps(DIGITS + 10):
        d, a, t = mpf(divergence), mpf(alpha), mpf(delta)
        return d + mp.log((a - 1) / a) - (mp.log(t) + mp.log(a)) / (a - 1)


def mironov_epsilon(divergence: Real, alpha: Real, delta: Real) -> mpf:
    """Mironov 2017 at one order: D + log(1/δ)/(α−1); 50 digits."""
    with mp.workdps(DIGITS + 10):
        return mpf(divergence) - mp.log(mpf(delta)) / (mpf(alpha) - 1)


def renyi_to_epsilon(
    curve: Callable[[mpf], mpf],
    delta: Real,
    form: str = "balle",
    lowest: Real = "1.000001",
    highest: Real = "1e9",
    scan: int = 400,
) -> tuple[mpf, mpf]:
    """(ε, α): least ε over α in [lowest, highest] for the Rényi curve D_α = curve(α); form "balle" or "mironov".

    Scans α − 1 on a logarithmic grid, then golden section around the best grid point; end points are candidates.
    """
    one_order = {"balle": balle_epsilon, "mironov": mironov_epsilon}[form]
    with mp.workdps(DIGITS + 10):

        def objective(u: mpf) -> mpf:
            alpha = 1 + mp.exp(u)
            return one_order(curve(alpha), alpha, delta)

        first, final = mp.log(mpf(lowest) - 1), mp.log(mpf(highest) - 1)
        grid = [first + (final - first) * i / scan for i in range(scan + 1)]
        values = [objective(u) for u in grid]
        best = min(range(scan + 1), key=values.__getitem__)
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, scan)]
        golden = (mp.sqrt(5) - 1) / 2
        inner, outer = high - golden * (high - low), low + golden * (high - low)
        f_inner, f_outer = objective(inner), objective(outer)
        while high - low > mpf(10) ** -18:  # the value is flat to second order: 1e-18 in log α is 1e-36 in ε
            if f_inner < f_outer:
                high, outer, f_outer = outer, inner, f_inner
                inner = high - golden * (high - low)
                f_inner = objective(inner)
            else:
                low, inner, f_inner = inner, outer, f_outer
                outer = low + golden * (high - low)
                f_outer = objective(outer)
        candidates = [(values[best], grid[best]), (f_inner, inner), (f_outer, outer)]
        epsilon, u = min(candidates)
        return epsilon, 1 + mp.exp(u)


def renyi_quadrature(
    log_p: Callable[[mpf], mpf], log_q: Callable[[mpf], mpf], alpha: Real, cuts: Sequence[Real]
) -> tuple[mpf, mpf]:
    """(D_α(P‖Q), error estimate) by quadrature of exp(α log p + (1−α) log q) over the pieces between `cuts`.

    The error is the difference of two quadrature orders at 30 digits; the caller chooses cuts wide enough for the tail.
    """
    with mp.workdps(30):
        a = mpf(alpha)
        ends = [mpf(x) for x in cuts]

        def integrand(x: mpf) -> mpf:
            return mp.exp(a * log_p(x) + (1 - a) * log_q(x))

        coarse = mp.quad(integrand, ends, maxdegree=6)
        fine = mp.quad(integrand, ends, maxdegree=8)
        value = mp.log(fine) / (a - 1)
        return value, abs(value - mp.log(coarse) / (a - 1)) + mpf(10) ** -25


def renyi_gaussians(mean_p: Real, mean_q: Real, std: Real, alpha: Real) -> tuple[mpf, mpf]:
    """(D_α(N(mean_p, std²) ‖ N(mean_q, std²)), error estimate) by quadrature, never by the formula α d²/(2 std²)."""
    with mp.workdps(30):
        p, q, s, a = mpf(mean_p), mpf(mean_q), mpf(std), mpf(alpha)
        centre = a * p + (1 - a) * q  # the integrand is a Gaussian bump around here; 14 deviations leave 1e-43
        cuts = [centre + s * k for k in (-14, -7, -3, 0, 3, 7, 14)]
        shift = a * (a - 1) * (p - q) ** 2 / (2 * s * s)  # the bump's height, factored out against overflow only
        norm = -mp.log(s * mp.sqrt(2 * mp.pi))
        value, error = renyi_quadrature(
            lambda x: norm - (x - p) ** 2 / (2 * s * s) - shift / a,
            lambda x: norm - (x - q) ** 2 / (2 * s * s),
            a,
            cuts,
        )
        return value + shift / (a - 1), error


def secret_order_delta(epsilon: Real, mus: Sequence[Real]) -> mpf:
    """T9, upper: mean_j δ_{μ_j}(ε); 45 digits."""
    with mp.workdps(DIGITS + 10):
        return mp.fsum(delta_gdp(epsilon, m) for m in mus) / len(mus)


def secret_order_renyi(alpha: Real, mus: Sequence[Real]) -> mpf:
    """T9, upper: (1/(α−1)) log mean_j exp((α−1) α μ_j²/2); 50 digits."""
    with mp.workdps(DIGITS + 10):
        a = mpf(alpha)
        mean = mp.fsum(mp.exp((a - 1) * a * mpf(m) ** 2 / 2) for m in mus) / len(mus)
        return mp.log(mean) / (a - 1)


def secret_order_witness(epsilon: Real, distances: Sequence[Real], variance: Real) -> mpf:
    """T6, lower: δ(ε) of the mixtures mean_j N(±d_j/2, V), d_j ≥ 0.

    The likelihood ratio p/q increases in x (posterior mean of +d_j/2 against that of −d_j/2), so the best event is
    x > t with t the root of p = e^ε q, bisected to 1e-45; any t is a lower bound, its error counts to second order.
    """
    with mp.workdps(DIGITS + 10):
        e, v = mpf(epsilon), mpf(variance)
        ds = [mpf(d) for d in distances]
        if max(ds) == 0:
            return max(mpf(0), -mp.expm1(e))
        root = mp.sqrt(v)

        def wants_more(x: mpf) -> bool:
            p = mp.fsum(mp.exp(-((x - d / 2) ** 2) / (2 * v)) for d in ds)
            q = mp.fsum(mp.exp(-((x + d / 2) ** 2) / (2 * v)) for d in ds)
            return p < mp.exp(e) * q

        high = root
        while wants_more(high):
            high *= 2
        low = -root
        while not wants_more(low):
            low *= 2
        # bisect on the offset from `low`, because a root at zero has no relative accuracy
        t = low + _bisect(lambda x: wants_more(low + x), mpf(0), high - low)
        p = mp.fsum(normal_cdf((d / 2 - t) / root) for d in ds) / len(ds)
        q = mp.fsum(normal_cdf((-d / 2 - t) / root) for d in ds) / len(ds)
        return p - mp.exp(e) * q
