"""Our bound on a training run beside the Rényi route, no amplification, and the lower bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import scipy

from accountant import apply, derive_epsilon, enclose, theorems
from accountant.core.arithmetic import Ball, Float
from accountant.core.arithmetic.balls import ends, precision
from accountant.core.display import page, table
from accountant.core.exact import Rounding, canonical, exact, outward, round_decimal
from accountant.core.facts import Profile
from accountant.core.kernel import Derivation
from accountant.dpsgd.derive import derive_training, schedule
from accountant.dpsgd.estimate import estimate_training
from accountant.mechanisms.neighbours import shift_of, sides
from accountant.mechanisms.sampling import FULL, SamplingName
from accountant.pld import Release
from certify.results.calibrate_dpsgd import check_doubles
from certify.results.certify_dpsgd import certify_training
from certify.results.result import Progress, Result
from certify.runfile.read import Run

MAX_ORDER = 1 << 12  # searched among the integer orders
LABELS = {
    "lower_bound": "lower bound (a record that attains Δ)",
    "plumbline": "Plumbline",
    "renyi": "Rényi route (T12)",
    "renyi_mironov": "Rényi route, conversion of Mironov 2017",
    "poisson": "the same with Poisson sampling (T17r)",
    "no_amplification": "without amplification (T11)",
}
_BITS = 128
_RANGE = 1e-4, 1e6  # of the factor on all noise, in the search for the target


@dataclass(frozen=True)
class Row:
    """One bound: its ε on this run, and the factor on all noise multipliers at which it would meet the target (in
    doubles); None if it does not apply, or no factor is enough."""

    name: str
    label: str
    epsilon: str | None
    factor: float | None


@dataclass(frozen=True)
class TrainingComparison:
    """The bounds side by side; the noise of our row is what the others are measured against."""

    result: Result
    rows: tuple[Row, ...]

    def noise_multiplier(self, row: Row) -> float | None:
        """The run's first one, as the row would need it; the others in proportion."""
        return None if row.factor is None else row.factor * float(self.result.run.mechanism.stages[0].noise_multiplier)

    def ratio(self, row: Row) -> float | None:
        """The row's noise relative to ours."""
        ours = next(r.factor for r in self.rows if r.name == "plumbline")
        return None if row.factor is None or not ours else row.factor / ours

    def as_json(self) -> dict[str, Any]:
        """The one JSON object of `compare --format json`."""
        run = self.result.run
        return {
            "delta": self.result.delta,
            "target": canonical(run.target_epsilon),
            "noise_multiplier": canonical(run.mechanism.stages[0].noise_multiplier),
            "bounds": {
                row.name: {
                    "label": row.label,
                    "epsilon": row.epsilon,
                    "noise_multiplier": None if row.factor is None else f"{self.noise_multiplier(row):.6g}",
                    "noise_ratio": None if self.ratio(row) is None else f"{self.ratio(row):.6g}",
                }
                for row in self.rows
            },
            "digest": self.result.digest,
        }

    def _repr_html_(self) -> str:
        bounds = self.as_json()["bounds"].values()
        return page(f"Bounds at δ = {self.result.delta}", table("ε on this run, noise that meets the target", bounds))

    def table(self) -> list[tuple[str, str, str, str]]:
        """Label, ε, noise multiplier and ratio, as text."""
        return [
            (
                row.label,
                row.epsilon or "–",
                "–" if row.factor is None else f"{self.noise_multiplier(row):.6g}",
                "–" if self.ratio(row) is None else f"{self.ratio(row):.4g}",
            )
            for row in self.rows
        ]


def compare_training(run: Run, progress: Progress | None = None) -> TrainingComparison:
    """Every bound that applies to this run; ε rounded outward, noise in doubles.

    Raises:
        UsageError: a run that no theorem covers.
    """
    check_doubles(run)
    result = certify_training(run, guarantees=False, progress=progress)
    releases, neighbours = schedule(run.mechanism), run.mechanism.neighbours
    delta, own = run.target_delta, len(run.mechanism.stages)

    def ours(factor: float) -> float:
        changed, coins = _scaled(releases, own, factor), run.mechanism.coins
        return estimate_training(changed, neighbours, float(delta), group=coins, both=False)

    sampled = any(0 < release.sample_rate < 1 for release in releases)
    cut = run.mechanism.max_batch_size is not None  # a record more can push another one out: T19 with T20 alone
    label = f"{LABELS['plumbline']} ({_route(result)})"
    rows = [
        Row("lower_bound", LABELS["lower_bound"], result.epsilon["lower"], None),
        Row("plumbline", label, result.epsilon["upper"], _factor(ours, run)),
        *(_renyi(run, releases, own) if result.curve is not None else ()),
    ]
    rather = run.mechanism.scheme.rather
    if sampled and rather is not None:
        rows.append(_rather(run, own, rather))
    if sampled and not cut:
        # A group of k records with coins of their own: k times the μ of one that is always there (T8).
        together = tuple(replace(r, noise_multiplier=r.noise_multiplier / run.mechanism.coins) for r in releases)
        bound = derive_epsilon(_unsampled(together, neighbours), delta)
        rows.append(
            Row(
                "no_amplification",
                LABELS["no_amplification"],
                enclose(bound).upper_decimal(),
                _factor(lambda factor: _gaussian(_scaled(together, own, factor), neighbours, float(delta)), run),
            )
        )
    return TrainingComparison(result, tuple(rows))


def _rather(run: Run, own: int, sampling: SamplingName) -> Row:
    """Batches drawn in another way, at the same rate."""
    drawn, delta = replace(run.mechanism, sampling=sampling), run.target_delta
    releases = schedule(drawn)

    def epsilon(factor: float) -> float:
        return estimate_training(_scaled(releases, own, factor), drawn.neighbours, float(delta), both=False)

    upper = enclose(derive_training(drawn, delta).upper).upper_decimal()
    return Row(sampling, LABELS[sampling], upper, _factor(epsilon, run))


def _route(result: Result) -> str:
    distributions = (Profile.LOSSES, Profile.TRUNCATED)
    used = [node.theorem.id for node in result.worst.upper.nodes() if node.theorem.facts.profile in distributions]
    return f"loss distribution, {', '.join(used)}" if used else "exact, T11"


def _scaled(releases: tuple[Release, ...], own: int, factor: float) -> tuple[Release, ...]:
    """All own noise times a factor; other releases stay as they are."""
    by = round_decimal(Fraction(factor), 12, Rounding.DOWN)
    return tuple(
        replace(release, noise_multiplier=release.noise_multiplier * by) if i < own else release
        for i, release in enumerate(releases)
    )


def _unsampled(releases: tuple[Release, ...], neighbours: str) -> Derivation:
    """μ as if every record were in every batch: leaving it out of some is a mixture with equal pairs (joint
    convexity), and no easier to tell apart."""
    full = tuple(
        replace(
            r,
            sampling=FULL.name,
            sample_rate=Fraction(1),
            noise_multiplier=r.noise_multiplier * shift_of(neighbours) / r.scheme.distance(*sides(neighbours)),
        )
        for r in releases
        if r.sample_rate
    )
    return apply(theorems.full_batches, releases=full, neighbours=neighbours)


def _gaussian(releases: tuple[Release, ...], neighbours: str, delta: float) -> float:
    distances = ((r, float(r.scheme.distance(*sides(neighbours)))) for r in releases if r.sample_rate)
    square = sum(r.steps * (distance / float(r.noise_multiplier)) ** 2 for r, distance in distances)
    return float(Float().gaussian_epsilon(math.sqrt(square), delta)) if square else 0.0


def _factor(epsilon: Callable[[float], float], run: Run) -> float | None:
    """The factor on all noise at which a decreasing ε meets the target; None where none in the range does."""
    target = float(run.target_epsilon)
    if not target:
        return None

    def excess(log_factor: float) -> float:
        return math.log(max(epsilon(math.exp(log_factor)), 1e-300) / target)

    low = high = 0.0
    while excess(low) < 0:
        low -= 0.5
        if math.exp(low) < _RANGE[0]:
            return None
    while excess(high) > 0:
        high += 0.5
        if math.exp(high) > _RANGE[1]:
            return None
    if low == high:
        return 1.0
    return math.exp(scipy.optimize.brentq(excess, low, high, xtol=1e-6))


# --- the Rényi route --------------------------------------------------------------------------------------------------


def _renyi(run: Run, releases: tuple[Release, ...], own: int) -> Iterator[Row]:
    """T12, and Mironov's older conversion, each at its best order: an integer one where something is sampled (T18),
    any order otherwise."""
    delta, neighbours = run.target_delta, run.mechanism.neighbours
    for name, mironov in (("renyi", False), ("renyi_mironov", True)):
        order = _best(releases, neighbours, float(delta), mironov)[1]
        curve = _curve(releases, neighbours, order)
        if mironov:
            epsilon = _mironov(curve, order, delta)
        else:
            epsilon = enclose(apply(theorems.renyi_conversion, curve, delta=delta, order=0)).upper_decimal()

        def needed(factor: float, mironov: bool = mironov) -> float:
            return _best(_scaled(releases, own, factor), neighbours, float(delta), mironov)[0]

        yield Row(name, LABELS[name], epsilon, _factor(needed, run))


def _curve(releases: tuple[Release, ...], neighbours: str, order: Fraction) -> Derivation:
    if any(0 < release.sample_rate < 1 for release in releases):
        return apply(theorems.subsampled_renyi, releases=releases, neighbours=neighbours, orders=(int(order),))
    return apply(theorems.renyi_curve, _unsampled(releases, neighbours), orders=(order,))


def _mironov(curve: Derivation, order: Fraction, delta: Fraction) -> str:
    """D_α + log(1/δ)/(α−1), rounded up (Mironov 2017, Proposition 3): shown because others print it; T12 is smaller."""
    A = Ball()
    with precision(_BITS):
        log_delta = ends(A.log(A.of(delta)))
    assert log_delta is not None  # 0 < δ
    return outward(enclose(curve).upper - log_delta[0] / (order - 1), Rounding.UP)


def _best(releases: tuple[Release, ...], neighbours: str, delta: float, mironov: bool) -> tuple[float, Fraction]:
    """(ε, order), in doubles."""
    shift = float(shift_of(neighbours))
    squares = [(shift / float(r.noise_multiplier)) ** 2 for r in releases]
    gaussian = sum(s * r.steps for s, r in zip(squares, releases, strict=True) if r.sample_rate == 1) / 2
    drawn = [(s, r) for s, r in zip(squares, releases, strict=True) if 0 < r.sample_rate < 1]

    def epsilon(order: float) -> float:
        total = order * gaussian + sum(r.steps * _moment(s, float(r.sample_rate), round(order)) for s, r in drawn)
        if mironov:
            return total - math.log(delta) / (order - 1)
        return total + math.log1p(-1 / order) - (math.log(delta) + math.log(order)) / (order - 1)

    if not drawn:
        minimum = scipy.optimize.minimize_scalar(lambda t: epsilon(1 + math.exp(t)), bounds=(-12, 12), method="bounded")
        real = max(round_decimal(exact(repr(1 + math.exp(minimum.x))), 6, Rounding.UP), Fraction(1000001, 1000000))
        return epsilon(float(real)), real
    # D_α grows faster than any conversion falls: up in doublings until ε rises, then every order about the best
    order = 2
    while 2 * order <= MAX_ORDER and epsilon(2 * order) <= epsilon(order):
        order *= 2
    low, high = max(2, order // 2), min(2 * order, MAX_ORDER)
    while high - low > 2:
        third = (high - low) // 3
        left, right = low + third, high - third
        low, high = (low, right) if epsilon(left) <= epsilon(right) else (left, high)
    best = min(range(low, high + 1), key=epsilon)
    return max(epsilon(best), 0.0), Fraction(best)


def _moment(square: float, rate: float, order: int) -> float:
    """T18's sum in doubles: D_α of a step."""
    k = np.arange(order + 1)
    log_terms = scipy.special.gammaln(order + 1) - scipy.special.gammaln(k + 1) - scipy.special.gammaln(order - k + 1)
    log_terms += (order - k) * math.log1p(-rate) + k * math.log(rate) + (k * k - k) * square / 2
    return float(scipy.special.logsumexp(log_terms)) / (order - 1)
