"""δ(ε) of a result, from above and from below, in the arithmetic that certifies: balls and integers.

Each curve is that of the theorem behind the claim, at other ε than the target's. Curves are for pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import scipy
from flint import arb

from accountant import Derivation, TheoremError, apply, derive_witness, enclose, evaluate, theorems
from accountant.core.arithmetic import Ball, Float
from accountant.core.arithmetic.balls import diffused_delta, ends, precision
from accountant.core.enclose import MIN_PRECISION
from accountant.core.exact import Rounding, round_decimal
from accountant.core.facts import Profile
from accountant.mechanisms.pairs import Way
from accountant.mechanisms.pnsgd import NoisySGD
from accountant.mechanisms.release import directions, parts
from accountant.pld import Grid, profile
from accountant.pld.compose import composed
from accountant.theorems.secret import position_mus, weights_of
from accountant.theorems.timelines import Drift
from certify.results.claims import Claim
from certify.results.result import Result

Bound = Callable[[Fraction], Fraction]  # ε ↦ δ

MAX_CLAIMS = 16  # whose profiles are not Gaussian
MAX_POINTS = 1 << 13  # of a grid that is drawn from
DEPTH = Fraction(1, 1000)  # curves go down to that part of the target's δ
MAX_GROUPED = 256  # so many batches of a secret order are summed one by one
_MARGIN = Fraction(1, 10**9)  # of δ: below the claim's ε the curve stays above the claim's δ
_NEGLIGIBLE = 1e-3  # of the largest μ: batches with less count together
_SHARP, _MAX_PRECISION = 40, 1024  # bits: how sharp a δ is made, and the precision at which that is given up
_BACK = (Fraction(1), 1 - Fraction(1, 10**6), Fraction(999, 1000), Fraction(9, 10), Fraction(1, 2))


@dataclass(frozen=True)
class ProfileCurves:
    """δ ≤ upper(ε), and no bound for the class is below lower(ε); lower is None where there is no witness.

    cost: of one upper(ε), in terms of δ's of a Gaussian.
    """

    upper: Bound
    lower: Bound | None
    cost: int = 1


def profile_of(result: Result) -> ProfileCurves | None:
    """The profile of a result: above those of all its claims, and below that of the worst one. None where the theorem
    of one has none, or where there are too many.

    Raises:
        Indeterminate: a number that the certificate shows cannot be enclosed.
    """
    delta = result.run.target_delta
    # Which claim is the worst differs with ε. Of Gaussian pairs it is always the one with the largest μ.
    gaussian = [claim for claim in result.claims if _kind(claim.upper) is Profile.GAUSSIAN]
    kept = sorted(gaussian, key=lambda claim: enclose(claim.upper.premises[0]).upper)[-1:]
    kept += [claim for claim in result.claims if _kind(claim.upper) is not Profile.GAUSSIAN]
    if len(kept) > MAX_CLAIMS:
        return None
    bounds = [_upper(claim) for claim in kept]
    if None in bounds:
        return None
    cost = sum(cost for _, cost in bounds)

    def upper(epsilon: Fraction) -> Fraction:
        return max(bound(epsilon) for bound, _ in bounds)

    lower = _lower(result)
    shown = Fraction(result.epsilon["upper"])
    own = None if result.epsilon["lower"] is None else Fraction(result.epsilon["lower"])
    more = min(delta * (1 + _MARGIN), Fraction(1))

    # δ(ε) does not grow with ε: what the claim says of one ε bounds all the others on one side. On the other side the
    # figure never shows less than the claim, though a grid of its own might (the checker requires it).
    def above(epsilon: Fraction) -> Fraction:
        return min(upper(epsilon), delta) if epsilon >= shown else max(upper(epsilon), more)

    def below(epsilon: Fraction) -> Fraction:
        if epsilon > own:
            return min(lower(epsilon), delta)
        return max(lower(epsilon), delta) if own > 0 else lower(epsilon)

    return ProfileCurves(above, None if lower is None or own is None else below, cost)


def _upper(claim: Claim) -> tuple[Bound, int] | None:
    """The claim's δ(ε) from above, and what one of them costs."""
    kind = _kind(claim.upper)
    return None if kind is None else ABOVE[kind](claim)


def _lower(result: Result) -> Bound | None:
    kind = None if result.worst.lower is None else _kind(result.worst.lower)
    return None if kind is None else BELOW[kind](result, result.worst.lower)


def _kind(epsilon: Derivation) -> Profile | None:
    return epsilon.theorem.facts.profile


# --- Gaussian pairs ---------------------------------------------------------------------------------------------------


def gaussian_delta(mu: Fraction, epsilon: Fraction, rounding: Rounding) -> Fraction:
    """T11's δ(ε), from above or from below."""
    return mixture_delta([(mu, Fraction(1))], epsilon, rounding)


def mixture_delta(pairs: Sequence[tuple[Fraction, Fraction]], epsilon: Fraction, rounding: Rounding) -> Fraction:
    """Σ weight·δ_μ(ε) over pairs of μ and weight, from above or from below."""
    A, bits, kept = Ball(), MIN_PRECISION, [(mu, weight) for mu, weight in pairs if mu]
    if not kept:
        return Fraction(0)
    while True:
        with precision(bits):
            ball = A.of(epsilon)
            delta = ends(sum((A.of(weight) * A.gaussian_delta(A.of(mu), ball) for mu, weight in kept), arb(0)))
        if bits >= _MAX_PRECISION or (delta is not None and delta[1] - delta[0] <= delta[1] / 2**_SHARP):
            break
        bits *= 2
    low, high = delta or (Fraction(0), Fraction(1))
    return min(Fraction(1), high) if rounding is Rounding.UP else max(Fraction(0), low)


def _gaussian(pair: Derivation, rounding: Rounding) -> Bound:
    enclosure = enclose(pair)
    mu = enclosure.upper if rounding is Rounding.UP else max(Fraction(0), enclosure.lower)
    return lambda epsilon: gaussian_delta(mu, epsilon, rounding)


# --- a secret order ---------------------------------------------------------------------------------------------------


def _secret(upper: Derivation) -> tuple[Bound, int]:
    """T9's mean over the batches; where they are many, neighbouring ones count like the largest μ among them."""
    arguments = dict(upper.arguments)
    positions, A = arguments["positions"], Ball()
    with precision(2 * MIN_PRECISION):
        timeline = evaluate(upper.premises[0], A)
        mus = [ends(mu)[1] for mu in position_mus(A, timeline, positions)]
    batches, worst = timeline.blocks[0].batches, max(mus)
    pairs = {rule: _grouped(mus, weights_of(positions, rule), batches) for rule in {"right", arguments["rule"]}}

    def bound(epsilon: Fraction) -> Fraction:
        # the chord's condition; where every batch is looked at the two rules are the same
        return mixture_delta(pairs[arguments["rule"] if worst**2 <= 2 * epsilon else "right"], epsilon, Rounding.UP)

    return bound, max(map(len, pairs.values()))


def _grouped(mus: Sequence[Fraction], weights: Sequence[Fraction], batches: int) -> list[tuple[Fraction, Fraction]]:
    """(μ, weight), weights adding up to 1. The groups are finer at the top, where δ(ε) comes from."""
    worst, groups, floor = max(mus), [], math.inf  # floor: of the group's μ, relative to the largest
    for mu, weight in zip(reversed(mus), reversed(weights), strict=True):
        share = float(mu / worst) if worst else 1.0
        if share < floor:
            groups.append([mu, Fraction(0)])
            width = 1e-6 if len(mus) <= MAX_GROUPED else 1e-3 + (1 - share) / 50
            floor = 0.0 if share < _NEGLIGIBLE else share * (1 - width)
        groups[-1][0] = max(groups[-1][0], mu)
        groups[-1][1] += weight / batches
    return [(mu, weight) for mu, weight in groups]


# --- the range before the noise ---------------------------------------------------------------------------------------


def _ranged_or_plain(claim: Claim) -> tuple[Bound, int]:
    ranged, plain = _ranged(claim.upper), _gaussian(claim.bound, Rounding.UP)
    phase = dict(claim.upper.arguments)["phase"]
    return (lambda epsilon: min(ranged(epsilon), plain(epsilon))), phase.epochs * phase.batches


def _ranged(upper: Derivation) -> Bound:
    """T24's δ after its steps."""
    arguments, (pair, rate) = dict(upper.arguments), upper.premises
    phase, A = arguments["phase"], Ball()
    mu, steps = enclose(pair).upper, phase.epochs * phase.batches
    with precision(2 * MIN_PRECISION):
        step = evaluate(rate, A)
        spread = step.factor * A.of(arguments["diameter"]) + (step.distance if isinstance(step, Drift) else 0)
        ratio = ends(spread / A.sqrt(A.of(2 * phase.step_size * phase.noise_std**2)))[1]

    def bound(epsilon: Fraction) -> Fraction:
        if not mu or not ratio:
            return Fraction(0)
        with precision(MIN_PRECISION):
            top, widest = A.of(mu).upper(), A.of(ratio).upper()
            delta = ends(diffused_delta(top, widest, steps, A.of(epsilon), arb(0), arb.upper))
        return Fraction(1) if delta is None else min(Fraction(1), delta[1])

    return bound


# --- sampled batches --------------------------------------------------------------------------------------------------


def _composed(upper: Derivation) -> Bound:
    """T19's and T27's distributions, on grids no finer than MAX_POINTS."""
    arguments = dict(upper.arguments)
    grid: Grid = arguments["grid"]
    points = min(grid.points, MAX_POINTS)
    reverse = min(points, max(grid.reverse_points, 1 << 8))
    ways = directions(arguments["releases"], arguments["neighbours"], grid.extra, arguments.get("group", 1))
    counts = (points, *[reverse] * (len(ways) - 1))
    masses = [
        composed(parts, way, Rounding.UP, grid.delta * DEPTH, count)
        for (parts, way), count in zip(ways, counts, strict=True)
    ]
    return lambda epsilon: max(profile.delta(m, epsilon) for m in masses)


def _cut(upper: Derivation) -> Bound:
    """T20: what the cut adds to δ grows as 1 + e^ε does; at the claim's ε it is at most the least budget, among
    powers of ten times the claim's, that the theorem takes."""
    (whole,), arguments = upper.premises, dict(upper.arguments)
    budget, claimed, A = arguments["budget"], enclose(whole).lower, Ball()
    for _ in range(40):
        try:
            less = apply(theorems.truncated_poisson, whole, **(arguments | {"budget": budget / 10}))
        except TheoremError:
            break
        if not less.decided:
            break
        budget /= 10
    untruncated = _composed(whole)

    def bound(epsilon: Fraction) -> Fraction:
        with precision(MIN_PRECISION):
            growth = ends((1 + A.exp(A.of(epsilon))) / (1 + A.exp(A.of(claimed))))
        return Fraction(1) if growth is None else min(Fraction(1), untruncated(epsilon) + budget * growth[1])

    return bound


def _merged(lower: Derivation) -> Bound:
    """T19l's or T27l's distribution: that of a mechanism which the schedule allows."""
    arguments = dict(lower.arguments)
    grid: Grid = arguments["grid"]
    first = parts(arguments["releases"], arguments["neighbours"], group=arguments.get("group", 1))
    attained = tuple(part.attained() for part in first)
    way = Way.FORWARD if arguments["direction"] == "remove" else Way.REVERSED
    masses = composed(attained, way, Rounding.DOWN, grid.delta * DEPTH, min(grid.points, MAX_POINTS))
    return lambda epsilon: profile.delta(masses, epsilon)


# --- witnesses with conditions: found in floats, and what their theorem accepts ---------------------------------------


def _accepted(witness: Derivation, epsilon: Fraction, delta: Fraction, **changed: Any) -> Fraction:
    """The largest of `delta` and a few smaller ones that the witness's theorem takes at ε; 0 where it takes none."""
    for factor in _BACK:
        tried = round_decimal(delta * factor, 12, Rounding.DOWN)
        if not 0 < tried < 1:
            continue
        arguments = dict(witness.arguments) | {"delta": tried, "epsilon": epsilon} | changed
        try:
            if apply(witness.theorem, *witness.premises, **arguments).decided:
                return tried
        except (TheoremError, ArithmeticError):
            continue
    return Fraction(0)


def _curved_or_straight(result: Result, lower: Derivation) -> Bound:
    straight = derive_witness(result.run.mechanism, result.claims.index(result.worst))
    curved, plain = _curved(lower), _gaussian(straight, Rounding.DOWN)
    return lambda epsilon: max(curved(epsilon), plain(epsilon))


def _curved(lower: Derivation) -> Bound:
    """T6c at any ε: where hardly any path leaves the quadratic part its δ is that of the claim's μ."""
    mu = dict(lower.arguments)["mu"]
    less = mu * (1 - Fraction(1, 10**6))  # whose δ is then less than the one that is tried
    return lambda epsilon: _accepted(lower, epsilon, gaussian_delta(mu, epsilon, Rounding.DOWN), mu=less)


def _mixed(lower: Derivation, mechanism: NoisySGD) -> Bound:
    """T6m with the best threshold for each ε."""
    arguments = dict(lower.arguments)
    shared = ("start", "strong_convexity", "gradient_bound", "neighbours", "phases")
    straight = apply(theorems.straight_witness, *lower.premises, **{name: arguments[name] for name in shared})
    slope = float(1 - mechanism.step_size * mechanism.loss.constants().strong_convexity)
    batches, steps = mechanism.batches, sum(phase.epochs * phase.batches for phase in arguments["phases"])
    variance = 2 * mechanism.step_size * mechanism.noise_std**2
    deviation = float(np.sqrt(float(variance) * Float().geometric(slope * slope, steps)))
    positions = np.array(_thinned(arguments["positions"]))
    weights = np.diff(np.append(positions, batches)) / batches
    ratios = float(straight.preview.mu) * np.float_power(slope, batches - 1 - positions)

    def bound(epsilon: Fraction) -> Fraction:
        points = np.linspace(0, 3 * float(epsilon) / ratios.max() + 10, 1500)[:, None]
        hit = scipy.special.ndtr(ratios / 2 - points)
        missed = np.exp(np.minimum(float(epsilon) + scipy.special.log_ndtr(-ratios / 2 - points), 700))
        excess = (weights * (hit - missed)).sum(axis=1)
        best = int(excess.argmax())
        if not excess[best] > 0:
            return Fraction(0)
        threshold = round_decimal(Fraction(float(points[best, 0]) * deviation), 15, Rounding.DOWN)
        chosen = {"threshold": threshold, "positions": tuple(int(p) for p in positions)}
        return _accepted(lower, epsilon, Fraction(float(excess[best])) * (1 - Fraction(1, 10**9)), **chosen)

    return bound


def _thinned(positions: tuple[int, ...]) -> tuple[int, ...]:
    """At most about MAX_GROUPED of them, the last ones all: one that is left out counts like the one before it."""
    if len(positions) <= MAX_GROUPED:
        return positions
    half = MAX_GROUPED // 2
    early = positions[:-half]
    return (*early[:: -(-len(early) // half)], *positions[-half:])


# --- by what a theorem says that its δ(ε) is inverted from ------------------------------------------------------------

ABOVE: Mapping[Profile, Callable[[Claim], tuple[Bound, int]]] = {
    Profile.GAUSSIAN: lambda claim: (_gaussian(claim.upper.premises[0], Rounding.UP), 1),
    Profile.MIXTURE: lambda claim: _secret(claim.upper),
    Profile.RANGE: _ranged_or_plain,
    Profile.LOSSES: lambda claim: (_composed(claim.upper), 1),
    Profile.TRUNCATED: lambda claim: (_cut(claim.upper), 1),
}
BELOW: Mapping[Profile, Callable[[Result, Derivation], Bound]] = {
    Profile.GAUSSIAN: lambda result, lower: _gaussian(lower.premises[0], Rounding.DOWN),
    Profile.CURVED: _curved_or_straight,
    Profile.THRESHOLD: lambda result, lower: _mixed(lower, result.run.mechanism),
    Profile.LOSSES: lambda result, lower: _merged(lower),
}
