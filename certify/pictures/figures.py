"""What a certificate's pictures are drawn from: numbers as decimals on their safe sides, no part of its claim.

The shape is `figures` of docs/certificate.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any

from accountant import Indeterminate
from accountant.core.exact import MAX_CHARACTERS, MIN_PRINTED, Rounding, canonical, decimal, round_decimal
from certify.pictures.profiles import DEPTH, ProfileCurves, profile_of
from certify.pictures.sweeps import Sweep, sweep_of
from certify.results.result import Progress, Result

DIGITS = 8
POINTS, FEW_POINTS = 36, 9  # of a profile; few where each costs more than AFFORDABLE/POINTS Gaussian δ
AFFORDABLE = 40_000
_MAX_GROWTHS = 60
_BEYOND = 6  # further points, where the target lies far out


def make_figures(result: Result, *, progress: Progress | None = None) -> dict[str, Any] | None:
    """The profile δ(ε) of all claims together, ε of the worst one as a parameter of the run varies, and the published
    bounds; None where there is nothing to draw. The same run gives the same figures.

    Args:
        progress: called as progress(what, done, of).
    """
    profile, sweep = _profile(result), _sweep(sweep_of(result, progress))
    published = {name: dict(value) for name, value in result.published.items()}
    if all(value["epsilon"] is None for value in published.values()):
        published = None
    if profile is None and sweep is None and published is None:
        return None
    return {"profile": profile, "sweep": sweep, "published": published}


# --- the profile ------------------------------------------------------------------------------------------------------


def _profile(result: Result) -> dict[str, Any] | None:
    try:
        profile = profile_of(result)
        if profile is None:
            return None
        epsilons = _epsilons(profile, result)
        if epsilons is None:
            return None
        # δ(ε) does not grow: what holds at a smaller ε from above holds here, at a larger one from below
        above = accumulate(map(profile.upper, epsilons), min)
        upper = [_rounded(delta, Rounding.UP) for delta in above]
        lower: list[str | None] = [None] * len(epsilons)
        if profile.lower is not None:
            below = accumulate(map(profile.lower, reversed(epsilons)), max)
            lower = [_rounded(delta, Rounding.DOWN) for delta in below][::-1]
    except (Indeterminate, ArithmeticError):
        return None
    shown = [canonical(epsilon) for epsilon in epsilons]
    if max(map(len, shown)) > MAX_CHARACTERS:  # no reader of certificates takes such a number
        return None
    return {"epsilon": shown, "upper": upper, "lower": lower}


def _epsilons(profile: ProfileCurves, result: Result) -> list[Fraction] | None:
    """From 0 to where δ has fallen to DEPTH of the target's, and to above the target; the run's own two ε and the
    target's among them. None where δ is 0 everywhere."""
    own, target = Fraction(result.epsilon["upper"]), result.run.target_epsilon
    end = _far(profile, own, result.run.target_delta * DEPTH)
    if end is None:
        return None
    points = POINTS if profile.cost * POINTS <= AFFORDABLE else FEW_POINTS
    shares = (Fraction(i, points) for i in range(points + 1))
    # δ falls ever faster: the points lie a little closer together further out
    epsilons = {_short(end * share * (4 - share) / 3) for share in shares} | {own, target}
    if result.epsilon["lower"] is not None:
        epsilons.add(Fraction(result.epsilon["lower"]))
    if target > end:
        ratio = float(target / end) ** (1 / _BEYOND)
        epsilons |= {_short(end * Fraction(ratio**i)) for i in range(1, _BEYOND + 1)} | {
            _short(target * Fraction(21, 20))
        }
    return sorted(epsilons)


def _far(profile: ProfileCurves, own: Fraction, depth: Fraction) -> Fraction | None:
    """About the ε at which δ has fallen to `depth`."""
    start = own or 2 * profile.upper(Fraction(0))
    if not start:
        return None
    step, epsilon, before = start / 12, start, Fraction(2)
    for _ in range(_MAX_GROWTHS):
        if (delta := profile.upper(epsilon)) <= depth or delta >= before:
            break
        epsilon, step, before = epsilon + step, step * Fraction(9, 8), delta
    return epsilon


def _short(value: Fraction) -> Fraction:
    return round_decimal(value, 4, Rounding.UP) if value > MIN_PRINTED else Fraction(0)


def _rounded(delta: Fraction, rounding: Rounding) -> str:
    if 0 < delta < MIN_PRINTED:
        return decimal(MIN_PRINTED) if rounding is Rounding.UP else "0"
    return decimal(round_decimal(delta, DIGITS, rounding))


# --- the sweep --------------------------------------------------------------------------------------------------------


def _sweep(sweep: Sweep | None) -> dict[str, Any] | None:
    if sweep is None or len(sweep.values) < 2:
        return None

    def column(name: str) -> Sequence[str | None]:
        return [getattr(point, name) for point in sweep.points]

    return {
        "parameter": sweep.parameter,
        "values": [str(value) for value in sweep.values],
        "upper": column("upper"),
        "lower": column("lower"),
        "published": column("published"),
        "published_name": sweep.published_name,
    }
