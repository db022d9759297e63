"""T19: which grid. A certificate brings its grids; where it does not, one plain rule chooses them.

Floats occur in that rule alone, and nothing is believed of them, nor of what a certificate brings: see `Grid`. What
is refused here would take too long.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from certify.checking.limits import FEW_STEPS, MAX_GRID_DIGITS, MAX_HALVINGS, MAX_NODES, MAX_REACH, require
from certify.checking.reading import exact, integer
from certify.checking.sampled.distributions import Grid
from certify.checking.sampled.schedule import Release, Schedule

BIAS = Fraction(1, 2000)  # of the plain rule's first grid: claims are seldom looser
MIN_BIAS = BIAS / 16
SMALL = 10**4  # so small a part of δ may be lost by rounding


def biases(epsilon: Fraction, delta: Fraction) -> Iterator[Fraction]:
    """What the plain rule tries in turn, coarser where ε is small."""
    bias = BIAS * max(1, Fraction(1, 20) / max(epsilon, delta)) ** 2
    while bias >= MIN_BIAS:
        yield bias
        bias /= 16


def all_releases(schedule: Schedule, upward: bool = True) -> list[Release]:
    """The sampled releases, and Gaussian releases with μ rounded up (or down) for all the others (T11)."""
    releases = list(schedule.sampled)
    pieces = max(1, math.ceil(schedule.mu_squared / 16))  # in equal ones, of a moderate shift
    square = math.floor(schedule.mu_squared / pieces * 2**128)
    mu = Fraction(math.isqrt(square) + (upward and schedule.mu_squared > 0), 2**64)
    if mu:
        releases.append(Release(Fraction(1), mu, pieces, False))
    return sorted(releases, key=lambda release: -release.steps)


def read_grid(given: dict[str, Any], releases: list[Release], upward: bool, way: str | None) -> Grid:
    """A grid of the certificate, for these releases, those with the most steps first."""
    step, digits, windows, halvings = Fraction(given["step"]), int(given["digits"]), [], []
    require(Fraction(1, 2**64) <= step <= 1, "grid: needs a step from 2^-64 to 1")
    require(1 <= digits <= MAX_GRID_DIGITS, f"grid: needs from 1 to {MAX_GRID_DIGITS} digits")
    for key in ("windows", "halvings"):
        require(len(given[key]) == len(releases), f"grid: {key} need {len(releases)} entries, one for each release")
    for release, (below, above), counts in zip(releases, given["windows"], given["halvings"], strict=True):
        require(int(below) + int(above) < 2 * MAX_NODES, f"grid: a window of {2 * MAX_NODES} nodes or more")
        times = release.steps.bit_length()
        require(len(counts) == times, f"grid: {release.steps} steps need {times} halvings, the first of one step")
        require(sum(map(int, counts)) <= MAX_HALVINGS, f"grid: more than {MAX_HALVINGS} halvings")
        windows.append(range(-int(below), int(above) + 1))
        halvings.append(tuple(map(int, counts)))
    return Grid(step, digits, int(given["cut"]), upward, way is not None, tuple(windows), tuple(halvings))


def log_of(value: Fraction) -> float:
    """log of a positive rational, however small."""
    return math.log(value.numerator) - math.log(value.denominator)


def loss_window(release: Release, allowance: float) -> tuple[float, float]:
    """Losses of one step beyond which P, or Q, has at most that mass: those at the places beyond which they have."""
    s = float(release.shift)
    above, below = ([(j, float(weight)) for j, weight in enumerate(row) if float(weight)] for row in release.weights())

    def log_ratio(weights: list[tuple[int, float]], x: float) -> float:  # of Σ_j w_j·N(js,1) to N(0,1)
        terms = [math.log(weight) + j * s * x - (j * s) ** 2 / 2 for j, weight in weights]
        return max(terms) + math.log(sum(math.exp(term - max(terms)) for term in terms))

    def edge(weights: list[tuple[int, float]]) -> float:
        low, high = -40.0, 40.0 + weights[-1][0] * s
        for _ in range(40):
            x = (low + high) / 2
            mass = sum(weight * math.erfc((x - j * s) / math.sqrt(2)) / 2 for j, weight in weights)
            low, high = (x, high) if mass > allowance else (low, x)
        return high

    last, first = edge(above), -edge(below)
    high = min(MAX_REACH, log_ratio(above, last) - log_ratio(below, -last))
    low = max(-MAX_REACH, log_ratio(above, first) - log_ratio(below, -first))
    return (-high if release.symmetrised else min(low, 0.0)), max(high, 0.0)


def added_variance(epsilon: Fraction, delta: Fraction, bias: Fraction, releases: int) -> tuple[float, float]:
    """What a release's grid may add to the variance V of the loss where ε may come out off by `bias`·ε, and 1 + λ.

    Each step on a grid of step h adds about h²/6 to V, and V/2 to the mean; at ε that moves δ like a shift by (1+λ)V/2,
    with λ about 2·log(1/δ)/ε.
    """
    size = float(max(epsilon, delta))
    tilt = 1 - 2 * log_of(delta) / size
    return float(bias) * size / (0.12 * tilt) / releases, tilt


def plain_grid(
    releases: list[Release], epsilon: Fraction, delta: Fraction, upward: bool, way: str | None, bias: Fraction
) -> Grid:
    """The rule: a grid on which ε comes out too large (too small) by about `bias`·ε. From below nothing is halved."""
    most, (variance, _) = releases[0].steps, added_variance(epsilon, delta, bias, len(releases))
    given = -log_of(delta) + math.log(max(1000, 1 / float(bias)))  # as small a part of δ may be given away
    ends = [loss_window(release, math.exp(-given) / release.steps) for release in releases]
    step = math.sqrt(variance / most)
    if not upward:  # lines need several cells where the losses crowd, just above log(1 - q)
        finer = min(1, max(0.125, math.sqrt(200 * bias))) if most <= FEW_STEPS else 1
        step = min([step, *(float(release.rate) / 4 * finer for release in releases)])
        if releases[0].kinked:  # a node at the kink
            least = -math.log1p(-float(releases[0].rate)) * abs(releases[0].first - releases[0].second)
            step = least / math.ceil(least / step) * (1 + 1e-12) if least else step
    levels = [(most // release.steps).bit_length() - 1 >> 1 if upward else 0 for release in releases]
    step = max(step, *((high - low) / 2**level / MAX_NODES for level, (low, high) in zip(levels, ends, strict=True)))
    lowest = 0 if way else max(max(-low for low, _ in ends), 1.4 * float(epsilon) + 3)  # masses as small as e^-ε
    parts, widest = max(SMALL, math.ceil(10 / bias)), max(high - low for low, high in ends)
    digits = (lowest - log_of(delta) + math.log(most * widest / step * parts)) / math.log(10)
    cut = math.floor(delta * 10 ** math.ceil(digits) / (10 * parts))

    def halvings(steps: int, level: int) -> Iterator[int]:
        yield level
        for left in reversed(range(steps.bit_length() - 1)):
            before = level
            while upward and (step * 2 ** (level + 1)) ** 2 * (8 << left) <= max(variance, most * step**2):
                level += 1
            yield level - before

    return Grid(
        Fraction(repr(step)), math.ceil(digits), cut, upward, way is not None,
        tuple(range(math.floor(low / step / 2**level) - 1, math.ceil(high / step / 2**level) + 2)
              for level, (low, high) in zip(levels, ends, strict=True)),
        tuple(tuple(halvings(release.steps, level)) for release, level in zip(releases, levels, strict=True)),
    )  # fmt: skip


GRID = {"step": exact, "digits": integer, "cut": integer, "windows": [(integer, integer)], "halvings": [[integer]]}
