"""ε of composed subsampled Gaussians in doubles, for searches and pictures; within about 1e-3, and not bounds.

The privacy-loss distribution of a step is put on a grid, tilted by e^{θx} so that the tail that δ asks for becomes the
bulk, and composed by one Fourier transform: the tail keeps its relative accuracy however small δ is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy

from accountant.core.arithmetic import Float
from accountant.mechanisms.neighbours import sides
from accountant.mechanisms.pairs import Coins, Symmetrised, Weights
from accountant.mechanisms.release import Release

# Example values (a test computes them again):
# z = 1, q = 0.01, T = 1000: the estimate, and the rough one:
#   δ = 1e-03: ε ≈ 1.1625, 1.1634
#   δ = 1e-05: ε ≈ 1.8282, 1.8296
#   δ = 1e-10: ε ≈ 3.2925, 3.2925

MAX_POINTS = 1 << 22
_TABLE = 1 << 14  # points at which the loss of a mixture is computed
_RESOLUTION = 0.04  # of the first grid, in standard deviations of a step's tilted loss
_ROUGH = 0.25
_HALVINGS = 4
_AGREE = 0.01  # how close two grids come before their limit is extrapolated
_WIDTH = 9.0  # of the window on either side, in standard deviations of the sum's tilted loss

Array = np.ndarray
Cells = Callable[[Array], tuple[Array, Array]]  # ascending edges of cells of the loss -> their masses under P and Q


@dataclass(frozen=True)
class _Pair:
    """One step's dominating pair: the masses of cells of its loss, a span outside which nothing matters, a count, and
    the masses of single points."""

    cells: Cells
    low: float
    high: float
    count: int
    symmetrised: bool = False


def _between(a: Array, b: Array) -> Array:
    """Φ(b) − Φ(a), from the side where no digits are lost."""
    cdf = scipy.special.ndtr
    return np.where(a > 0, cdf(-a) - cdf(-b), cdf(b) - cdf(a))


def _loss(y: float, z: float, q: float, shift: float) -> float:
    """log(1 − q + q e^{(shift·y − shift²/2)/z²}), the loss of the mixture against N(0, z²) at y."""
    exponent = (shift * y - shift * shift / 2) / (z * z)
    return float(np.logaddexp(math.log1p(-q) if q < 1 else -math.inf, math.log(q) + exponent))


def _where(loss: Array, z: float, q: float, shift: float) -> Array:
    """The y of that loss; −∞ below log(1 − q)."""
    with np.errstate(all="ignore"):
        small = np.log1p(np.expm1(np.minimum(loss, 30.0)) / q)
        large = loss - math.log(q) + np.log1p(-(1 - q) * np.exp(-np.maximum(loss, 30.0)))
        exponent = np.where(loss < 30, small, large)
    exponent = np.where(np.isnan(exponent), -np.inf, exponent)
    return exponent * z * z / shift + shift / 2


def _pair(z: float, q: float, count: int, direction: str, reach: float) -> _Pair:
    """direction: "remove" = (mixture, N(0, z²)), "add" = the other way round, "symmetrised" (replace-one)."""
    shift = 2.0 if direction == "symmetrised" else 1.0

    def mixture(x: Array) -> tuple[Array, Array]:
        y = _where(x, z, q, shift)
        plain = _between(y[:-1] / z, y[1:] / z)
        moved = _between((y[:-1] - shift) / z, (y[1:] - shift) / z)
        return (1 - q) * plain + q * moved, plain

    def turned(x: Array) -> tuple[Array, Array]:
        p, plain = mixture(-x[::-1])
        return plain[::-1], p[::-1]

    def both(x: Array) -> tuple[Array, Array]:
        (p, p_), (n, n_) = mixture(x), turned(x)
        right = x[:-1] >= 0
        return np.where(right, p, n), np.where(right, p_, n_)

    high = _loss(shift + reach * z, z, q, shift)
    low = _loss(-reach * z, z, q, shift)
    if direction == "remove":
        return _Pair(mixture, low, high, count)
    if direction == "add":
        return _Pair(turned, -_loss(reach * z, z, q, shift), -low, count)
    return _Pair(both, -_loss(reach * z, z, q, shift), high, count, symmetrised=True)


def _mixed_pair(z: float, weights: Weights, count: int, reach: float) -> _Pair:
    """Σ_j p_j·N(j,z²) against Σ_j q_j·N(−j,z²), weights = (p, q); its loss is inverted on a table."""
    first, second = (np.array([float(w) for w in row]) for row in weights)
    up, down = len(first) - 1, len(second) - 1
    y = np.linspace(-down - reach * z, up + reach * z, _TABLE)

    def log_density(weights: Array, sign: int) -> Array:
        centres = sign * np.arange(len(weights))
        return scipy.special.logsumexp(-((y[:, None] - centres) ** 2) / (2 * z * z), axis=1, b=weights)

    losses = log_density(first, 1) - log_density(second, -1)

    def cells(x: Array) -> tuple[Array, Array]:
        places = np.interp(x, losses, y, left=-np.inf, right=np.inf)

        def mass(weights: Array, sign: int) -> Array:
            moved = ((w, (places - sign * j) / z) for j, w in enumerate(weights))
            return sum(w * _between(u[:-1], u[1:]) for w, u in moved)

        return mass(first, 1), mass(second, -1)

    return _Pair(cells, float(losses[0]), float(losses[-1]), count)


def _spread(pair: _Pair, h: float) -> tuple[int, Array]:
    """The first index and the masses on the grid ih: each cell's mass goes to its two ends, P's and Q's mass kept."""
    first, last = math.floor(pair.low / h), math.ceil(pair.high / h)
    x = np.arange(first, last + 1) * h
    p, q = pair.cells(x)
    right = np.clip((p - q * np.exp(np.minimum(x[:-1], 700))) / -math.expm1(-h), 0, p)  # beyond, q is 0
    mass = np.zeros(len(x))
    mass[1:] += right
    mass[:-1] += p - right
    if pair.symmetrised:
        mass[-first] += max(0.0, 1 - p.sum())
    return first, mass


@dataclass(frozen=True)
class _Tilted:
    """Cumulant of the sum of all losses at θ, with its two derivatives."""

    theta: float
    cumulant: float
    mean: float
    variance: float


class _Sum:
    """The sum of all losses: discrete pairs, and one Gaussian of parameter μ."""

    def __init__(self, pairs: Sequence[_Pair], mu_squared: float) -> None:
        self.pairs, self.mu_squared = pairs, mu_squared
        self.steps = sum(pair.count for pair in pairs)
        self.h = 0.0
        self.grids: list[tuple[int, Array]] = []

    def refine(self, h: float) -> None:
        self.h, self.grids = h, [_spread(pair, h) for pair in self.pairs]

    def tilted(self, theta: float) -> _Tilted:
        mu2 = self.mu_squared
        cumulant, mean, variance = mu2 * theta * (theta + 1) / 2, mu2 * (theta + 0.5), mu2
        for pair, (first, mass) in zip(self.pairs, self.grids, strict=True):
            x = (first + np.arange(len(mass))) * self.h
            weight, top = self._weights(first, mass, theta)
            total = weight.sum()
            centre = (weight * x).sum() / total
            cumulant += pair.count * (top + math.log(total))
            mean += pair.count * centre
            variance += pair.count * float((weight * (x - centre) ** 2).sum() / total)
        return _Tilted(theta, cumulant, mean, variance)

    def _weights(self, first: int, mass: Array, theta: float) -> tuple[Array, float]:
        x = (first + np.arange(len(mass))) * self.h
        with np.errstate(divide="ignore"):
            exponent = np.log(mass) + theta * x
        top = float(exponent.max())
        return np.exp(exponent - top), top

    def saddle(self, log_delta: float) -> _Tilted:
        """The θ at which Chernoff's bound on the tail is δ."""

        def gap(theta: float) -> float:
            t = self.tilted(theta)
            return t.cumulant - theta * t.mean - log_delta

        high = 1.0
        while gap(high) > 0 and high < 1e9:
            high *= 4
        return self.tilted(float(scipy.optimize.brentq(gap, 0, high, rtol=1e-2)) if gap(0.0) > 0 > gap(high) else high)

    def composed(self, t: _Tilted) -> tuple[Array, Array]:
        """Losses x around the tilted mean, and the tilted masses there."""
        width = _WIDTH * math.sqrt(t.variance)
        size = scipy.fft.next_fast_len(max(64, min(2 * math.ceil(width / self.h) + 2, MAX_POINTS)), real=True)
        omega = 2 * math.pi * np.arange(size // 2 + 1) / (size * self.h)
        # the Gaussian's tilted characteristic function, then each pair's, wrapped on the circle of the window
        transform = np.exp(-1j * omega * self.mu_squared * (t.theta + 0.5) - omega**2 * self.mu_squared / 2)
        for pair, (first, mass) in zip(self.pairs, self.grids, strict=True):
            weight, _ = self._weights(first, mass, t.theta)
            wrapped = np.bincount((first + np.arange(len(mass))) % size, weight / weight.sum(), size)
            transform *= scipy.fft.rfft(wrapped) ** pair.count
        index = round(t.mean / self.h) + np.arange(size) - size // 2
        return index * self.h, np.maximum(scipy.fft.irfft(transform, size)[index % size], 0)


def _epsilon(pairs: Sequence[_Pair], mu_squared: float, delta: float) -> float:
    """The limit of ever finer grids: the error is quadratic in the grid's step h."""
    last, h_last, capped = _epsilon_at(pairs, mu_squared, delta, _RESOLUTION)
    estimate = last
    for halving in range(1, _HALVINGS + 1):
        if capped:
            break
        finer, h, capped = _epsilon_at(pairs, mu_squared, delta, _RESOLUTION / 2**halving)
        if h >= h_last:
            return finer
        estimate = finer + (finer - last) * h**2 / (h_last**2 - h**2)
        if abs(finer - last) <= _AGREE * finer:
            break
        last, h_last = finer, h
    return max(estimate, 0.0)


def _epsilon_at(
    pairs: Sequence[_Pair], mu_squared: float, delta: float, resolution: float, most: int = MAX_POINTS
) -> tuple[float, float, bool]:
    """ε on a grid, the grid's step, and whether only `most` points keep it from being finer."""
    total, log_delta = _Sum(pairs, mu_squared), math.log(delta)
    widest = max([pair.high - pair.low for pair in pairs], default=0.0)
    widest = max(widest, 1e-6)  # with little noise all losses of a direction can be one number
    h = widest / 4096 if pairs else math.sqrt(mu_squared) * resolution
    for _ in range(4):
        total.refine(h)
        t = total.saddle(log_delta)
        needed = resolution * math.sqrt((t.variance - mu_squared) / total.steps if pairs else mu_squared)
        least = max(widest, 2 * _WIDTH * math.sqrt(t.variance)) / most
        capped, needed = least >= needed, max(needed, least)
        if h <= 1.2 * needed:
            break
        h = needed
    x, mass = total.composed(t)
    # from tails of m_i e^{−θ(x_i − mean)}: δ(ε) = Σ_{x > ε} m (1 − e^{ε − x}), which decreases
    weight = mass * np.exp(np.clip(-t.theta * (x - t.mean), -700, 700))
    share = -np.expm1(-total.h * np.arange(len(x)))
    scale = t.cumulant - t.theta * t.mean

    def log_tail(i: int) -> float:
        tail = float((weight[i:] * share[: len(x) - i]).sum())  # no BLAS, whose threads wait for each other
        return math.log(tail) + scale if tail > 0 else -math.inf

    before, i = -1, len(x) - 1
    while i - before > 1:
        middle = (before + i) // 2
        before, i = (middle, i) if log_tail(middle) > log_delta else (before, middle)
    last = log_tail(i)
    if i == 0 or last == -math.inf:
        return float(max(x[i], 0.0)), total.h, capped
    first = log_tail(i - 1)
    return float(max(x[i - 1] + (first - log_delta) / (first - last) * total.h, 0.0)), total.h, capped


def estimate_training(
    releases: Sequence[Release],
    neighbours: str,
    delta: float,
    *,
    mu_squared: float = 0.0,
    group: int = 1,
    both: bool = True,
    rough: bool = False,
) -> float:
    """ε at δ, in doubles.

    Args:
        releases: the schedule.
        mu_squared: Σ μ² of further Gaussian releases.
        group: how many records differ, each drawn by a coin of its own.
        both: look at both directions of Poisson; the one of removal is nearly always the larger.
        rough: on one coarse grid, within a few percent (mostly above), some ten times faster.
    """
    sampled = [r for r in releases if 0 < r.sample_rate < 1 and r.steps]
    for release in releases:
        if release.sample_rate == 1:
            distance = release.scheme.distance(*sides(neighbours, group))
            mu_squared += release.steps * (distance / float(release.noise_multiplier)) ** 2
    if not sampled:
        return _gaussian(mu_squared, delta)
    reach = math.sqrt(2 * (30 - math.log(delta) + math.log1p(sum(r.steps for r in sampled))))
    directed = any(r.scheme.directed(neighbours) for r in sampled)

    def one(r: Release, direction: str) -> _Pair:
        z, q = float(r.noise_multiplier), float(r.sample_rate)
        square, pair = r.scheme.pair(Fraction(1), *sides(neighbours, group))
        match pair:
            case Symmetrised():
                return _pair(z, q, r.steps, "symmetrised", reach)
            case Coins(1, 0):
                return _pair(z, q, r.steps, direction, reach)
        if weights := pair.weights(r.sample_rate):
            turned = weights if direction == "remove" else weights[::-1]
            return _mixed_pair(z / math.sqrt(square), turned, r.steps, reach)
        raise TypeError(f"{type(pair).__name__}: nothing estimates the losses of such a pair")

    def pairs(direction: str) -> list[_Pair]:
        return [one(r, direction) for r in sampled]

    def epsilon(pairs: list[_Pair]) -> float:
        if rough:
            return _epsilon_at(pairs, mu_squared, delta, _ROUGH, MAX_POINTS >> 3)[0]
        return _epsilon(pairs, mu_squared, delta)

    return max(epsilon(pairs(direction)) for direction in (("remove", "add") if both and directed else ("remove",)))


def _gaussian(mu_squared: float, delta: float) -> float:
    return float(Float().gaussian_epsilon(math.sqrt(mu_squared), delta)) if mu_squared else 0.0
