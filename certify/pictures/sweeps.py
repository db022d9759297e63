"""ε of a result's worst claim as one parameter varies: unlearning epochs, epochs of learning, or steps of training.

Every point is certified as the run itself is, on coarser grids for training; what is refused or undecided is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

from accountant import Derivation, NoisySGD, TheoremError, apply, derive_published, enclose, theorems
from accountant.core.exact import Rounding, outward, round_decimal
from accountant.core.facts import Profile
from accountant.dpsgd.derive import derive_distribution, derive_training, schedule
from accountant.mechanisms.dpsgd import ScaledSGD, Stage
from accountant.mechanisms.timeline import history
from accountant.pld import Grid, Release
from accountant.pnsgd.derive import derive, derive_epsilon, derive_lower, derive_upper, derive_witness
from accountant.pnsgd.search.final_epochs import t24_applies
from accountant.theorems.timelines import Timeline
from certify.errors import UsageError
from certify.results.claims import refusals
from certify.results.result import Progress, Result

DIGITS = 8
MAX_REQUESTS = 16  # of a history, one of whose phases is varied
PUBLISHED = ("chien2024", "koloskova2025")
_MANY = 1_000  # steps of T24, or batches with differing records, above which few points are computed
_SHARES = tuple(Fraction(text) for text in ("1/8", "1/4", "1/2", "1", "3/2", "5/2", "4"))
_COARSER, _MIN_POINTS, _MAX_POINTS = (
    4,
    1 << 10,
    1 << 14,
)  # grids, against the certificate's: the width grows as the square
_ORDERS = tuple(dict.fromkeys(max(k + 2, round(2 * 1.3**k)) for k in range(20)))  # integers from 2 to about 300
_MAX_ORDER = 3_000
_AROUND = tuple(Fraction(k, 100) for k in range(88, 113, 4))  # of α − 1, about the best
_BACK = tuple(1 - Fraction(4**k, 10_000) for k in range(7))


@dataclass(frozen=True)
class SweepPoint:
    """ε as decimals on their safe sides; None where there is none."""

    upper: str | None = None
    lower: str | None = None
    published: str | None = None


@dataclass(frozen=True)
class Sweep:
    """ε of the worst claim, where `parameter` has each of the values, ascending; the run's own is among them."""

    parameter: str
    values: tuple[int, ...]
    points: tuple[SweepPoint, ...]
    published_name: str | None


def sweep_of(result: Result, progress: Progress | None = None) -> Sweep | None:
    """The sweep of a result; None for long histories.

    Of several requests the unlearning epochs of the worst one vary, and the ε is that of its claim. Where nothing is
    unlearned the epochs vary. A training run is stopped after so many steps, or goes on as in its last stage.
    """
    mechanism = result.run.mechanism
    if isinstance(mechanism, ScaledSGD):
        name, values, point_at = "steps", _steps(mechanism.steps), _training(result)
        published = "renyi"
    else:
        if len(mechanism.requests) > MAX_REQUESTS:
            return None
        request = result.claims.index(result.worst)
        unlearning = any(mechanism.unlearning_epochs)
        name = "unlearning_epochs" if unlearning else "epochs"
        own = mechanism.unlearning_epochs[request] if unlearning else mechanism.epochs
        values, point_at = _epochs(own, few=_is_heavy(result)), _noisy(result, request, unlearning)
        published = next((name for name in PUBLISHED if (result.published.get(name) or {}).get("epsilon")), None)
    points = []
    for done, value in enumerate(values):
        points.append(point_at(value))
        if progress:
            progress("figures", done + 1, len(values))
    if not any(point.published for point in points):
        published = None
    return Sweep(name, values, tuple(points), published)


def _attempt(bound: Callable[[], Derivation | None], rounding: Rounding) -> str | None:
    """The ε of a derivation, rounded; None where there is none, or it is refused, or undecided."""
    try:
        with refusals():
            derivation = bound()
            if derivation is None:
                return None
            enclosure = enclose(derivation)
    except (UsageError, ArithmeticError):
        return None
    return outward(
        enclosure.upper if rounding is Rounding.UP else max(Fraction(0), enclosure.lower), rounding, digits=DIGITS
    )


# --- PNSGD ------------------------------------------------------------------------------------------------------------


def _epochs(own: int, *, few: bool = False) -> tuple[int, ...]:
    """The run's own, and others about it, each a quarter more than the one before."""
    if few:
        return tuple(sorted({max(1, own // 2), own, own + 1, 2 * own or 2, 3 * own or 3}))
    values, value = {own}, 1
    while value <= max(8, 4 * own):
        if value >= own / 32:
            values.add(value)
        value += max(1, value // 4)
    return tuple(sorted(values))


def _is_heavy(result: Result) -> bool:
    """Whether a claim takes long: the order is secret, the steps expand, very many batches have records that
    differ, or T24 looks at many steps."""
    upper, mechanism, request = result.worst.upper, result.run.mechanism, result.claims.index(result.worst)
    if upper.theorem.facts.profile is Profile.MIXTURE:
        return True
    if t24_applies(mechanism, request) and mechanism.unlearning_epochs[request] * mechanism.batches > _MANY:
        return True
    timelines = (node.preview for node in result.worst.bound.nodes() if node.theorem.concludes is Timeline)
    return any(block.expanding or len(block.shifts) > _MANY for line in timelines for block in line.blocks)


def _noisy(result: Result, request: int, unlearning: bool) -> Callable[[int], SweepPoint]:
    mechanism, delta, claim = result.run.mechanism, result.run.target_delta, result.worst
    own = mechanism.unlearning_epochs[request] if unlearning else mechanism.epochs
    # T24 would take long, and gave no less.
    gaussian = claim.upper.theorem.facts.profile is Profile.GAUSSIAN and _is_heavy(result)

    def published(changed: NoisySGD) -> Derivation | None:
        known = derive_published(changed, delta)
        return next((known[name] for name in PUBLISHED if name in known), None)

    def upper(changed: NoisySGD) -> Derivation:
        if gaussian:
            return derive_epsilon(derive(changed, request), delta)
        return derive_upper(changed, delta, request, derive(changed, request))

    def lower(changed: NoisySGD) -> Derivation | None:
        if claim.lower is not None and claim.lower.theorem.facts.profile is Profile.CURVED:
            return _curved(changed, claim.lower, request, delta)
        return derive_lower(changed, delta, request)

    def point_at(value: int) -> SweepPoint:
        changed = replace(mechanism, **_with(mechanism, request, value, unlearning))
        shown = _attempt(lambda: published(changed), Rounding.UP)
        if value == own:
            return SweepPoint(result.epsilon["upper"], result.epsilon["lower"], shown)
        return SweepPoint(
            _attempt(lambda: upper(changed), Rounding.UP), _attempt(lambda: lower(changed), Rounding.DOWN), shown
        )

    return point_at


def _with(mechanism: NoisySGD, request: int, value: int, unlearning: bool) -> dict[str, Any]:
    if not unlearning:
        return {"epochs": value}
    epochs = mechanism.unlearning_epochs
    return {"unlearning_epochs": (*epochs[:request], value, *epochs[request + 1 :])}


def _curved(mechanism: NoisySGD, witness: Derivation, request: int, delta: Fraction) -> Derivation | None:
    """T6c with the curvatures of the run's own witness, at an ε a little below the upper bound; else T6."""
    most = enclose(derive_upper(mechanism, delta, request)).upper
    known = dict(witness.arguments) | {"phases": history(mechanism, request).phases, "mu": Fraction(1, 10**30)}
    for share in _BACK:
        epsilon = round_decimal(most * share, 12, Rounding.DOWN)
        try:
            curved = apply(theorems.curved_witness, *witness.premises, **(known | {"epsilon": epsilon}))
        except TheoremError:
            continue
        if curved.decided:
            return curved
    straight = derive_witness(mechanism, request)
    return None if straight is None else derive_epsilon(straight, delta)


# --- training ---------------------------------------------------------------------------------------------------------


def _steps(own: int) -> tuple[int, ...]:
    return tuple(sorted({max(1, round(own * share)) for share in _SHARES}))


def _stopped(mechanism: ScaledSGD, steps: int) -> ScaledSGD:
    """The run stopped after so many steps, or going on as in its last stage."""
    stages, left = [], steps
    for stage in mechanism.stages:
        stages.append(replace(stage, steps=min(left, stage.steps)))
        left -= stages[-1].steps
        if not left:
            break
    last: Stage = stages.pop()
    return replace(mechanism, stages=(*stages, replace(last, steps=last.steps + left)))


def _training(result: Result) -> Callable[[int], SweepPoint]:
    mechanism, delta = result.run.mechanism, result.run.target_delta

    def point_at(value: int) -> SweepPoint:
        try:
            with refusals():
                changed = _stopped(mechanism, value)
        except UsageError:
            return SweepPoint()
        releases = schedule(changed)
        renyi = None
        if result.curve is not None:
            renyi = _attempt(lambda: _renyi(releases, changed.neighbours, delta), Rounding.UP)
        if value == mechanism.steps:
            return SweepPoint(result.epsilon["upper"], result.epsilon["lower"], renyi)
        if all(release.sample_rate in (0, 1) for release in releases):  # Gaussian, and exact
            upper, lower = (partial(_side, changed, delta, side) for side in ("upper", "lower"))
        else:
            upper, lower = _sampled(result, releases, len(changed.stages), value / mechanism.steps)
        return SweepPoint(_attempt(upper, Rounding.UP), _attempt(lower, Rounding.DOWN), renyi)

    return point_at


def _side(mechanism: ScaledSGD, delta: Fraction, side: str) -> Derivation:
    return getattr(derive_training(mechanism, delta), side)


def _sampled(
    result: Result, releases: tuple[Release, ...], own: int, longer: float
) -> tuple[Callable[[], Derivation], ...]:
    """T19 or T27 (and T20) from above, T19l or T27l from below, on coarser grids than the certificate's;
    each is made when called.

    longer: how many times the run's steps there are; their number widens the bracket.
    """
    claim, mechanism = result.worst, result.run.mechanism
    (whole,) = (node for node in claim.upper.nodes() if node.theorem.facts.profile is Profile.LOSSES)
    arguments = dict(whole.arguments)
    grid: Grid = arguments["grid"]
    points = max(_MIN_POINTS, min(_MAX_POINTS, int(grid.points * longer**0.5 / _COARSER)))
    reverse = min(points, max(int(grid.reverse_points * longer**0.5), points >> 3))
    coarse = replace(grid, points=points, reverse_points=reverse)
    neighbours = arguments["neighbours"]

    def upper() -> Derivation:
        bound = derive_distribution(mechanism, False, releases, neighbours, coarse)
        if claim.upper is whole:  # no batch is cut
            return bound
        return apply(
            theorems.truncated_poisson,
            bound,
            budget=dict(claim.upper.arguments)["budget"],
            releases=tuple(release for release in releases if release.scheme.can_be_cut),
            samples=mechanism.larger - 1,
            max_batch_size=mechanism.max_batch_size,
        )

    def lower() -> Derivation:
        grid = Grid(result.run.target_delta, points)
        return derive_distribution(mechanism, True, releases[:own], neighbours, grid, direction="remove")

    return upper, lower


def _renyi(releases: tuple[Release, ...], neighbours: str, delta: Fraction) -> Derivation:
    """T12 at the best order: among a few, then among those about it."""
    if any(0 < release.sample_rate < 1 for release in releases):
        orders = list(_ORDERS)
        coarse = _converted(_sampled_curve(releases, neighbours, _ORDERS), delta)
        while orders[-1] < _MAX_ORDER and enclose(coarse[-1]).upper <= enclose(coarse[-2]).upper:  # falling still
            orders.append(orders[-1] * 4 // 3)
            coarse += _converted(_sampled_curve(releases, neighbours, (orders[-1],)), delta)
        best = min(range(len(coarse)), key=lambda i: enclose(coarse[i]).upper)
        low, high = orders[max(0, best - 1)], orders[min(best + 1, len(orders) - 1)]
        converted = coarse
        while high - low > 1:  # it falls, then rises
            step = max(1, (high - low) // 6)
            near = tuple(range(low, high + 1, step))
            converted = _converted(_sampled_curve(releases, neighbours, near), delta)
            lowest = near[min(range(len(near)), key=lambda i: enclose(converted[i]).upper)]
            low, high = (max(2, lowest - step), lowest + step) if step > 1 else (lowest, lowest)
    else:
        full = tuple(release for release in releases if release.sample_rate)
        mu = apply(theorems.full_batches, releases=full, neighbours=neighbours)
        size = math.log(delta.denominator) - math.log(delta.numerator)  # δ may be too small for a double
        best = math.sqrt(2 * size) / float(enclose(mu).upper)  # α − 1, but for lower orders
        orders = tuple(1 + round_decimal(Fraction(best), 6, Rounding.UP) * share for share in _AROUND)
        converted = _converted(apply(theorems.renyi_curve, mu, orders=orders), delta)
    return min(converted, key=lambda derivation: enclose(derivation).upper)


def _sampled_curve(releases: tuple[Release, ...], neighbours: str, orders: tuple[int, ...]) -> Derivation:
    return apply(theorems.subsampled_renyi, releases=releases, neighbours=neighbours, orders=orders)


def _converted(curve: Derivation, delta: Fraction) -> list[Derivation]:
    orders = dict(curve.arguments)["orders"]
    return [apply(theorems.renyi_conversion, curve, delta=delta, order=i) for i in range(len(orders))]
