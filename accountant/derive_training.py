"""From a DP-SGD mechanism to derivations: the sensitivity, the schedule of releases, ε from above and from below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from accountant import theorems
from accountant.enclose import enclose
from accountant.exact import exact
from accountant.kernel import Derivation, TheoremError, apply
from accountant.mechanisms import InvalidMechanism
from accountant.pld import Bracket, Ends, Grid, Orders, Release, bracket
from accountant.pld.account import MOST
from accountant.scaled import derive_sensitivity
from accountant.scaled_sgd import NEIGHBOURS, ScaledSGD

WIDTH = Fraction(1, 1000)  # of the bracket, relative
WHOLE_ORDERS = (2, 3, 4, 8, 16, 32, 64, 128, 256)  # of T18, which certificates show
FRACTIONAL_ORDERS = (Fraction(3, 2),)  # of T18f, by quadrature
RENYI_ORDERS = (*FRACTIONAL_ORDERS, *map(Fraction, WHOLE_ORDERS))
_DISJOINT = ("shuffled", "fixed")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Guarantee:
    """What the run promises against one kind of inference. name: "membership" (was the record there at all?) or
    "attribute or label" (what did it say?). neighbours, upper: None where nothing is known."""

    name: str
    neighbours: str | None
    upper: Derivation | None


@dataclass(frozen=True)
class Training:
    """What is proved about a run. upper, lower: ε at δ; mu: where the guarantee is a Gaussian one; curve: Rényi, where
    there is one; fractional: its orders that are no integers, where they need a theorem of their own; points: the
    grid's size, 0 where none was needed; least: below every bound that a finer grid could give from the same pairs;
    width: how far apart it and the upper bound are, where a grid was needed, relative to the upper bound (or to
    `accountant.pld.tilt.FLOOR`, where that is larger)."""

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
    an epoch is what it sees. Another μ-GDP release is no more telling than one noisy sum of that μ. A group of k that
    is drawn together, or always there, is one record whose term is k times as large (T8): noise z/k."""
    shift = 2 if mechanism.neighbours == "replace-one" else 1
    together = Fraction(mechanism.group_size, mechanism.coins)
    sampling = "full" if mechanism.sampling in _DISJOINT else mechanism.sampling
    own = (
        Release(
            sampling,
            stage.noise_multiplier / together,
            Fraction(1) if sampling == "full" else stage.sample_rate,
            mechanism.participations(stage),
        )
        for stage in mechanism.stages
    )
    return (*own, *_others(mechanism, shift / together))


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


def derive_training(
    mechanism: ScaledSGD,
    delta: Fraction | str,
    *,
    target: Fraction | None = None,
    width: Fraction | Ends = WIDTH,
    most_points: int = MOST,
    progress: Progress | None = None,
) -> Training:
    """ε at δ from above and from below, within a relative `width` where memory allows; finer where a target lies
    between (no target goes with `Ends`).

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
    upper, found = _upper(mechanism, releases, neighbours, delta, search)
    # Of the others only an upper bound is known. Which records a cut drops is not said: here not the one that differs.
    own = releases[: len(mechanism.stages)]
    lower = derive_distribution(mechanism, True, own, neighbours, Grid(delta, found.lower_points), direction="remove")
    # Where a batch is cut a record more can push another one out: no sum's, and no divergence's bound is T18's then.
    # Of a replaced record, or of several coins, T18 says nothing.
    known = mechanism.max_batch_size is None and neighbours != "replace-one" and mechanism.coins == 1
    curve, fractional = _curves(releases, neighbours) if known else (None, None)
    return Training(sensitivity, upper, lower, None, curve, fractional, found.points, found.pair_lower, found.width)


def _plain(mechanism: ScaledSGD, releases: tuple[Release, ...], delta: Fraction, sensitivity: Derivation) -> Training:
    # The larger of two neighbours has group_size records more.
    if mechanism.max_batch_size is not None and mechanism.max_batch_size < mechanism.samples + mechanism.group_size:
        raise InvalidMechanism("max_batch_size", f"{mechanism.max_batch_size} cuts every batch; take a larger one")
    own = len(releases) - len(_others(mechanism, Fraction(1)))
    if mechanism.sampling in _DISJOINT:
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
    mechanism: ScaledSGD, delta: Fraction | str, upper: Derivation, *, progress: Progress | None = None
) -> tuple[Guarantee, Guarantee]:
    """Both guarantees of a run: that of its own neighbours, of which `upper` is the bound, and the other one, at the
    same δ and for groups of the same size.

    The other releases of the budget are known for the run's neighbours alone: a replaced record is one removed and one
    added, so twice their μ (T8); the other way round nothing is known. Where the other one has no bound the run is none
    the worse for it.
    """
    made = []
    for name, neighbours in (("membership", _membership(mechanism)), ("attribute or label", "replace-one")):
        if neighbours == mechanism.neighbours:
            made.append(Guarantee(name, neighbours, upper))
            continue
        if neighbours is None or (mechanism.neighbours == "replace-one" and any(mechanism.others)):
            made.append(Guarantee(name, None, None))
            continue
        other = replace(mechanism, neighbours=neighbours, others=tuple(2 * mu for mu in mechanism.others))
        try:
            bound = _other_upper(other, exact(delta, "delta"), progress)
        except InvalidMechanism:  # no finite bound, or batches are cut too often for the larger ε
            made.append(Guarantee(name, None, None))
        else:
            made.append(Guarantee(name, neighbours, bound))
    return tuple(made)


def _membership(mechanism: ScaledSGD) -> str | None:
    """The neighbours of which one has a record that the other has not."""
    if mechanism.neighbours != "replace-one":
        return mechanism.neighbours
    return next((name for name in NEIGHBOURS[mechanism.sampling] if name != "replace-one"), None)


def _other_upper(mechanism: ScaledSGD, delta: Fraction, progress: Progress | None) -> Derivation:
    releases = schedule(mechanism)
    if all(release.sample_rate in (0, 1) for release in releases):
        kept = tuple(release for release in releases if release.sample_rate == 1)
        return _plain(mechanism, kept, delta, derive_step(mechanism)).upper
    search = _Search(None, WIDTH, MOST, progress, mechanism.coins)
    return _upper(mechanism, releases, _pair(mechanism), delta, search)[0]


def _pair(mechanism: ScaledSGD) -> str:
    """The neighbours that T19 is given: a term that is zeroed is a record that is not there."""
    return "replace-one" if mechanism.neighbours == "replace-one" else "add-or-remove-one"


@dataclass(frozen=True)
class _Search:
    """How a grid is chosen."""

    target: Fraction | None
    width: Fraction | Ends
    most_points: int
    progress: Progress | None
    group: int = 1

    def bracket(self, releases: tuple[Release, ...], neighbours: str, delta: Fraction) -> Bracket:
        """The bracket, made finer until the target does not lie in it, or memory ends."""
        width = self.width
        while True:
            found = bracket(
                releases,
                neighbours,
                delta,
                group=self.group,
                width=width,
                most_points=self.most_points,
                progress=self.progress,
            )
            if found.upper is None:
                raise InvalidMechanism("steps", f"no finite bound on a grid of {found.points} points")
            decided = self.target is None or found.upper <= self.target or found.pair_lower > self.target
            if decided or not found.sharp:
                return found
            width /= 4


def _upper(
    mechanism: ScaledSGD, releases: tuple[Release, ...], neighbours: str, delta: Fraction, search: _Search
) -> tuple[Derivation, Bracket]:
    """T19, and T20 on it where large batches are cut: a share of δ is set aside for that, the least that suffices."""

    def bound(kept: Fraction) -> tuple[Derivation, Bracket]:
        found = search.bracket(releases, neighbours, kept)
        grid = Grid(kept, found.points, found.reverse_points)
        return derive_distribution(mechanism, False, releases, neighbours, grid), found

    if mechanism.max_batch_size is None:
        return bound(delta)
    drawn = tuple(release for release in releases if release.sampling == "poisson")
    refused = None
    for share in (1000, 30, 4):
        upper, found = bound(delta - delta / share)
        try:
            cut = apply(
                theorems.truncated_poisson,
                upper,
                budget=delta / share,
                releases=drawn,
                samples=mechanism.samples + mechanism.group_size - 1,
                max_batch_size=mechanism.max_batch_size,
            )
        except TheoremError as problem:
            refused = problem
        else:
            return cut, found
    raise InvalidMechanism(
        "max_batch_size",
        f"{mechanism.max_batch_size} cuts batches so often that it costs too much of δ; take a larger one ({refused})",
    )
