"""From a DP-SGD mechanism to derivations: the sensitivity, the schedule of releases, ε from above and from below."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from accountant import theorems
from accountant.core.arithmetic import Exact
from accountant.core.enclose import enclose
from accountant.core.exact import Rounding, canonical, decimal, exact, round_decimal
from accountant.core.kernel import Derivation, TheoremError, apply, evaluate
from accountant.core.quantities import Sensitivity
from accountant.dpsgd import truncation
from accountant.dpsgd.estimate import estimate_training
from accountant.dpsgd.sensitivity import derive_sensitivity
from accountant.mechanisms.dpsgd import ScaledSGD
from accountant.mechanisms.invalid import InvalidMechanism
from accountant.mechanisms.neighbours import NeighboursName, replaces, shift_of
from accountant.pld import Bracket, Grid, Orders, Release, Tolerances, bracket
from accountant.pld.account import MAX_GRID_POINTS

WIDTH = Fraction(1, 1000)  # of the bracket, relative
WHOLE_ORDERS = (2, 3, 4, 8, 16, 32, 64, 128, 256)  # of T18, which certificates show
FRACTIONAL_ORDERS = (Fraction(3, 2),)  # of T18f, by quadrature
RENYI_ORDERS = (*FRACTIONAL_ORDERS, *map(Fraction, WHOLE_ORDERS))
_MIN_DOUBLE = Fraction(1, 10**300)  # a δ below it is not divided by searches in doubles
_MARGIN = 1e-4  # of a share of δ, for what the grid's ε exceeds the estimate by
_ROUNDS, _CAPS = 8, 4
# The range in which the search for a grid, which is in doubles, finds an answer within seconds.
_MIN_NOISE, _MAX_NOISE = Fraction(1, 100), Fraction(10**9)
_MIN_RATE = Fraction(1, 10**30)
_MIN_DELTA = Fraction(1, 10**100)
_MAX_SAMPLED = 32  # different sampled releases: each has a grid of its own
Announce = Callable[[str], None]


@dataclass(frozen=True)
class Guarantee:
    """The guarantee against one kind of inference. name: "membership" (was the record in the data?) or "attribute or
    label" (which value did it have?). neighbours, upper: None if no bound is known."""

    name: str
    neighbours: NeighboursName | None
    upper: Derivation | None


@dataclass(frozen=True)
class Training:
    """What is proved about a run. upper, lower: ε at δ; mu: if the guarantee is Gaussian; curve: Rényi, if there is
    one; fractional: its orders that are not integers, if they need a theorem of their own; points: the grid's size,
    0 if none was needed; least: below every bound that a finer grid could give from the same pairs;
    width: that of the grid's own bracket (`accountant.pld.Bracket.width`); None where no grid was needed."""

    sensitivity: Derivation
    upper: Derivation
    lower: Derivation
    mu: Derivation | None
    curve: Derivation | None
    fractional: Derivation | None
    points: int
    least: Fraction
    width: Fraction | None = None


def schedule(mechanism: ScaledSGD) -> tuple[Release, ...]:
    """The releases that a run is accounted as. Where batches are disjoint, a record meets one of an epoch: a full batch
    an epoch is what it sees. Another μ-GDP release reveals no more than one noisy sum of that μ. A group of k that
    is drawn together, or always there, is one record whose term is k times as large (T8): noise z/k."""
    together, scheme = Fraction(mechanism.group_size, mechanism.coins), mechanism.scheme
    own = (
        Release(
            scheme.accounted.name,
            stage.noise_multiplier / together,
            scheme.accounted_rate(stage.sample_rate),
            mechanism.participations(stage),
        )
        for stage in mechanism.stages
    )
    return (*own, *_others(mechanism, shift_of(mechanism.neighbours) / together))


def _others(mechanism: ScaledSGD, shift: Fraction) -> tuple[Release, ...]:
    return tuple(Release("full", shift / mu, Fraction(1), 1) for mu in mechanism.others if mu)


def derive_step(mechanism: ScaledSGD) -> Derivation:
    """T14, then T15 for each momentum: the sensitivity of every noisy sum.

    Raises:
        TheoremError: a momentum that mixes un-noised state of other records into a record's gradient.
    """
    sensitivity = derive_sensitivity(mechanism.scaling, mechanism.gradient_norm_bound)
    moment = mechanism.momentum
    charged = {"iterates": "released", "charged": "every-aggregate"}
    if moment.inner or moment.inner_history == "batch":  # which T15 refuses
        sensitivity = apply(
            theorems.momentum,
            sensitivity,
            placement="inner",
            beta=moment.inner_beta,
            window=moment.inner_window,
            history=moment.inner_history,
            **charged,
        )
    if moment.outer:
        sensitivity = apply(
            theorems.momentum,
            sensitivity,
            placement="outer",
            beta=moment.outer,
            window=None,
            history="own",
            **charged,
        )
    return sensitivity


def training_sensitivity(mechanism: ScaledSGD) -> Fraction:
    """Δ, exactly: the noise on every sum has standard deviation zΔ.

    Raises:
        TheoremError: as `derive_step`.
    """
    sensitivity = evaluate(derive_step(mechanism), Exact())
    assert isinstance(sensitivity, Sensitivity)
    return Fraction(sensitivity.norm)


def derive_training(
    mechanism: ScaledSGD,
    delta: Fraction | str,
    *,
    target: Fraction | None = None,
    width: Fraction | Tolerances = WIDTH,
    most_points: int = MAX_GRID_POINTS,
    progress: Announce | None = None,
) -> Training:
    """ε at δ from above and from below, within a relative `width` where memory allows; finer where a target lies
    between (no target goes with `Tolerances`).

    Raises:
        TheoremError: a side condition fails.
        InvalidMechanism: a max_batch_size so small that what is cut costs more than δ.
    """
    delta, releases = exact(delta, "delta"), schedule(mechanism)
    sensitivity = derive_step(mechanism)
    if all(release.sample_rate in (0, 1) for release in releases):
        return _plain(mechanism, tuple(r for r in releases if r.sample_rate == 1), delta, sensitivity)
    neighbours = _pair(mechanism)
    search = _Search(target, width, most_points, progress, mechanism.coins)
    upper, grids, least = _upper(mechanism, releases, neighbours, delta, search)
    # Of the others only an upper bound is known. Which records a cut drops is not specified: the lower bound assumes
    # that the one that differs stays.
    own = releases[: len(mechanism.stages)]
    lower = derive_distribution(mechanism, True, own, neighbours, Grid(delta, grids.lower_points), direction="remove")
    # Where a batch is cut, one more record can push another one out: T18 does not bound that divergence.
    # T18 does not apply to a replaced record, or to several coins.
    known = (
        mechanism.max_batch_size is None and neighbours in mechanism.scheme.renyi_neighbours and mechanism.coins == 1
    )
    curve, fractional = _curves(releases, neighbours) if known else (None, None)
    return Training(sensitivity, upper, lower, None, curve, fractional, grids.points, least, grids.width)


def _plain(mechanism: ScaledSGD, releases: tuple[Release, ...], delta: Fraction, sensitivity: Derivation) -> Training:
    if mechanism.max_batch_size is not None and mechanism.max_batch_size < mechanism.larger:
        raise InvalidMechanism("max_batch_size", f"{mechanism.max_batch_size} cuts every batch; take a larger one")
    own = len(releases) - len(_others(mechanism, Fraction(1)))
    if mechanism.scheme.disjoint:
        parts = [
            apply(
                theorems.disjoint_batches,
                noise_multiplier=release.noise_multiplier,
                epochs=release.steps,
                neighbours=mechanism.neighbours,
            )
            for release in releases[:own]
        ]
        if releases[own:]:
            parts.append(apply(theorems.full_batches, releases=releases[own:], neighbours=mechanism.neighbours))
        mu = apply(theorems.adaptive_composition, *parts)
    else:
        mu = apply(theorems.full_batches, releases=releases, neighbours=mechanism.neighbours)
    witness = apply(theorems.full_batches_witness, releases=releases[:own], neighbours=mechanism.neighbours)
    upper = apply(theorems.gaussian_profile, mu, delta=delta)
    return Training(
        sensitivity,
        upper,
        lower=apply(theorems.gaussian_profile, witness, delta=delta),
        mu=mu,
        curve=apply(theorems.renyi_curve, mu, orders=RENYI_ORDERS),
        fractional=None,
        points=0,
        least=enclose(upper).lower,
    )


def derive_distribution(
    mechanism: ScaledSGD, below: bool, releases: tuple[Release, ...], neighbours: str, grid: Grid, **direction: str
) -> Derivation:
    """T19, or T27 where several records have coins of their own; or (`below`) their lower bounds."""
    given = {"releases": releases, "neighbours": neighbours, "grid": grid, **direction}
    if mechanism.coins == 1:
        return apply(theorems.loss_distribution_witness if below else theorems.loss_distribution, **given)
    theorem = theorems.group_distribution_witness if below else theorems.group_distribution
    return apply(theorem, group=mechanism.coins, **given)


def _curves(releases: tuple[Release, ...], neighbours: str) -> tuple[Derivation | None, Derivation | None]:
    """T18 at the integer orders, T18f at the others."""
    given = {"releases": releases, "neighbours": neighbours}
    return (
        apply(theorems.subsampled_renyi, **given, orders=WHOLE_ORDERS),
        apply(theorems.subsampled_renyi_quadrature, **given, orders=Orders(FRACTIONAL_ORDERS)),
    )


def derive_guarantees(
    mechanism: ScaledSGD, delta: Fraction | str, upper: Derivation, *, progress: Announce | None = None
) -> tuple[Guarantee, Guarantee]:
    """Both guarantees of a run: that of its own neighbours, of which `upper` is the bound, and the other one, at the
    same δ and for groups of the same size.

    The other releases of the budget are known for the run's neighbours alone: a replaced record is one removed and one
    added, so twice their μ (T8); the other way round nothing is known. Where the other one has no bound, the run's own
    guarantee is unaffected.
    """
    delta = exact(delta, "delta")

    def guarantee(name: str, neighbours: NeighboursName | None) -> Guarantee:
        if neighbours == mechanism.neighbours:
            return Guarantee(name, neighbours, upper)
        if neighbours is None or (replaces(mechanism.neighbours) and any(mechanism.others)):
            return Guarantee(name, None, None)
        other = replace(mechanism, neighbours=neighbours, others=tuple(2 * mu for mu in mechanism.others))
        try:
            return Guarantee(name, neighbours, _other_upper(other, delta, progress))
        except InvalidMechanism:  # no finite bound, or batches are cut too often for the larger ε
            return Guarantee(name, None, None)

    membership, attribute = (_neighbours(mechanism, replaced) for replaced in (False, True))
    return guarantee("membership", membership), guarantee("attribute or label", attribute)


def _neighbours(mechanism: ScaledSGD, replaced: bool) -> NeighboursName | None:
    """Those of which one has another record in a record's place, or, if not `replaced`, one that the other has not; the
    run's own, or the first that the way of drawing has a bound for. None if it has none."""
    if replaces(mechanism.neighbours) == replaced:
        return mechanism.neighbours
    return next((name for name in mechanism.scheme.neighbours if replaces(name) == replaced), None)


def _other_upper(mechanism: ScaledSGD, delta: Fraction, progress: Announce | None) -> Derivation:
    releases = schedule(mechanism)
    if all(release.sample_rate in (0, 1) for release in releases):
        kept = tuple(release for release in releases if release.sample_rate == 1)
        return _plain(mechanism, kept, delta, derive_step(mechanism)).upper
    search = _Search(None, WIDTH, MAX_GRID_POINTS, progress, mechanism.coins, False)
    return _upper(mechanism, releases, _pair(mechanism), delta, search)[0]


def _pair(mechanism: ScaledSGD) -> NeighboursName:
    """The neighbours that T19 is given: a term that is zeroed is a record that is not there."""
    return "replace-one" if replaces(mechanism.neighbours) else "add-or-remove-one"


@dataclass(frozen=True)
class _Search:
    """How a grid is chosen."""

    target: Fraction | None
    width: Fraction | Tolerances
    most_points: int
    progress: Announce | None
    group: int = 1
    names_cap: bool = True  # whether a refusal says which cap would work

    def bracket(self, releases: tuple[Release, ...], neighbours: str, delta: Fraction) -> Bracket:
        """The bracket, made finer until the target does not lie in it, or memory ends."""
        width = self.width
        while True:
            result = bracket(
                releases,
                neighbours,
                delta,
                group=self.group,
                width=width,
                most_points=self.most_points,
                progress=self.progress,
            )
            if result.upper is None:
                raise InvalidMechanism("steps", f"no finite bound on a grid of {result.points} points")
            decided = self.target is None or result.upper <= self.target or result.pair_lower > self.target
            if decided or not result.sharp or isinstance(width, Tolerances):  # which no target goes with
                return result
            width /= 4


def _refuse_extremes(releases: tuple[Release, ...], delta: Fraction) -> None:
    """Raises InvalidMechanism where no grid is found, or not in any time."""
    sampled = {(r.sampling, r.noise_multiplier, r.sample_rate) for r in releases if 0 < r.sample_rate < 1}
    if len(sampled) > _MAX_SAMPLED:
        raise InvalidMechanism(
            "stages", f"{len(sampled)} different sampled ones; at most {_MAX_SAMPLED} are computed, take fewer"
        )
    for _, noise, rate in sampled:
        if not _MIN_NOISE <= noise <= _MAX_NOISE:
            between = f"from {canonical(_MIN_NOISE)} to 10^9 (for one record)"
            raise InvalidMechanism("noise_multiplier", f"{_short(noise)} with sampled batches; computed {between}")
        if not min(rate, 1 - rate) >= _MIN_RATE:
            raise InvalidMechanism("sample_rate", f"{_short(rate)} is closer to 0 or 1 than 10^-30; write 0 or 1")
    if sampled and delta < _MIN_DELTA:
        raise InvalidMechanism("target.delta", f"{_short(delta)} with sampled batches; computed from 10^-100")


def _short(value: Fraction) -> str:
    return decimal(round_decimal(value, 4, Rounding.UP), 4)


def _upper(
    mechanism: ScaledSGD, releases: tuple[Release, ...], neighbours: str, delta: Fraction, search: _Search
) -> tuple[Derivation, Bracket, Fraction]:
    """T19, and T20 on it where large batches are cut; the grid; and a lower bound on all such bounds."""
    _refuse_extremes(releases, delta)
    if mechanism.max_batch_size is None:
        upper, grids = _uncut(mechanism, releases, neighbours, delta, search)
        return upper, grids, grids.pair_lower
    cut = Truncated(mechanism, releases, neighbours, delta, search)
    shared = cut.upper()
    if shared is None:
        raise InvalidMechanism("max_batch_size", cut.refusal())
    return shared


def _uncut(
    mechanism: ScaledSGD, releases: tuple[Release, ...], neighbours: str, delta: Fraction, search: _Search
) -> tuple[Derivation, Bracket]:
    grids = search.bracket(releases, neighbours, delta)
    grid = Grid(delta, grids.points, grids.reverse_points)
    return derive_distribution(mechanism, False, releases, neighbours, grid), grids


@dataclass(frozen=True)
class Truncated:
    """T20: what share of δ is set aside for the batches that are cut. `releases`, `neighbours`: what T19 is given."""

    mechanism: ScaledSGD
    releases: tuple[Release, ...]
    neighbours: str
    delta: Fraction
    search: _Search

    @property
    def _drawn(self) -> tuple[Release, ...]:
        return tuple(release for release in self.releases if release.scheme.can_be_cut)

    @property
    def _cap(self) -> int:
        assert self.mechanism.max_batch_size is not None  # else nothing is cut
        return self.mechanism.max_batch_size

    @property
    def _log_cost(self) -> float:
        return truncation.log_tails(self._drawn, self.mechanism.larger, self._cap)

    def _epsilon(self, delta: float) -> float:
        return estimate_training(self.releases, self.neighbours, delta, group=self.mechanism.coins, both=False)

    def upper(self) -> tuple[Derivation, Bracket, Fraction] | None:
        """ε at δ, the grid, and what no share could give less than (0 unless a target asks for it); None where no share
        of δ is found that is enough.

        A thousandth of δ where that is enough, else the least share; and the least one too where it may decide.
        """
        for part in self._parts():
            best = self._shared(part)
            if best is not None:
                break
        else:
            return None
        target = self.search.target
        if target is None or best[1].bound <= target:
            return *best, Fraction(0)
        least = self._least(target)
        if least <= target:
            tighter = self._shared(self._needed(best[1].bound))
            best = best if tighter is None or tighter[1].bound >= best[1].bound else tighter
        return *best, least

    def _parts(self) -> tuple[Fraction, ...]:
        if self.delta < _MIN_DOUBLE:
            return tuple(Fraction(1, share) for share in (1000, 30, 4))
        part = truncation.share(self._log_cost, self._epsilon, float(self.delta))
        if part is None:
            return ()
        return (Fraction(1, 1000),) if part == truncation.USUAL else (Fraction(part * (1 + _MARGIN)),)

    def _shared(self, part: Fraction) -> tuple[Derivation, Bracket] | None:
        """With that part of δ, or a little more where the grid's bound needs it."""
        for margin in (_MARGIN, 8 * _MARGIN, 64 * _MARGIN):
            budget = (
                self.delta / 1000 if part == Fraction(1, 1000) else round_decimal(self.delta * part, 6, Rounding.UP)
            )
            if budget >= self.delta:
                return None
            rest = self.delta - budget
            upper, grids = _uncut(self.mechanism, self.releases, self.neighbours, rest, self.search)
            try:
                return self._apply(upper, budget), grids
            except TheoremError:
                part = max(part, self._needed(grids.bound, 1 + margin))
        return None

    def _apply(self, upper: Derivation, budget: Fraction) -> Derivation:
        return apply(
            theorems.truncated_poisson,
            upper,
            budget=budget,
            releases=self._drawn,
            samples=self.mechanism.larger - 1,
            max_batch_size=self.mechanism.max_batch_size,
        )

    def _needed(self, epsilon: Fraction, times: float = 1 + _MARGIN) -> Fraction:
        """C·(1 + e^ε)/δ, in doubles; at least 1e-9: smaller shares change nothing."""
        log_part = self._log_cost + truncation.log1p_exp(float(epsilon)) - _log(self.delta)
        return Fraction(max(times * math.exp(min(log_part, 1.0)), 1e-9))  # e^-inf = 0, where nothing is cut

    def _least(self, target: Fraction) -> Fraction:
        """What no share can be below: where ε ≥ L, a share is at least C·(1 + e^L), and then ε is at least that of the
        batches as they are drawn, at what is left of δ. From L = 0 on, until that exceeds the target or rises no more.
        """
        least = Fraction(0)
        for _ in range(_ROUNDS):
            needed = self._needed(least, math.exp(-1e-6 - 1e-13 * self._cap))  # rounding of logs
            if needed > 1:
                return max(least, target + 1)  # no share is enough
            needed = needed if needed > Fraction(1e-9) else Fraction(0)
            lower = self.search.bracket(self.releases, self.neighbours, self.delta * (1 - needed)).pair_lower
            if lower > target or lower <= least * Fraction(10001, 10000):
                return max(lower, least)
            least = lower
        return least

    def refusal(self) -> str:
        """Names the least cap that is found to leave a share that is enough."""
        reason = f"{self.mechanism.max_batch_size} cuts batches so often that no share of δ covers it; "
        if self.delta < _MIN_DOUBLE or not self.search.names_cap:
            return reason + "take a larger one"
        most = truncation.most_cost(self._epsilon, float(self.delta))
        cap = truncation.least_cap(self._drawn, self.mechanism.larger, most)
        search = replace(self.search, target=None, width=WIDTH)
        for more in range(_CAPS):
            larger = replace(self.mechanism, max_batch_size=cap + more)
            if replace(self, mechanism=larger, search=search).upper() is not None:
                return reason + f"take a larger one: {cap + more} is the least that works"
        return reason + "take a larger one"


def _log(value: Fraction) -> float:
    return math.log(value.numerator) - math.log(value.denominator)


def estimate_mechanism(mechanism: ScaledSGD, delta: Fraction, *, rough: bool = False) -> float:
    """ε at δ in doubles, as `derive_training` would find it: with T20 where batches are cut, ∞ where no share of δ is
    enough for that."""
    releases = schedule(mechanism)

    def epsilon(left: float) -> float:
        return estimate_training(releases, mechanism.neighbours, left, group=mechanism.coins, both=False, rough=rough)

    whole = float(delta)
    if mechanism.max_batch_size is None:
        return epsilon(whole)
    drawn = tuple(release for release in releases if release.scheme.can_be_cut)
    cost = truncation.log_tails(drawn, mechanism.larger, mechanism.max_batch_size)
    part = truncation.share(cost, epsilon, whole)
    return math.inf if part is None else epsilon(whole * (1 - part))


def lower_bound(
    mechanism: ScaledSGD, delta: Fraction, *, width: Fraction, progress: Announce | None = None
) -> Fraction:
    """A lower bound on every ε that `derive_training` gives at δ, on any grid, with or without batches that are cut."""
    group = mechanism.coins
    grids = bracket(schedule(mechanism), _pair(mechanism), delta, group=group, width=width, progress=progress)
    return grids.pair_lower
