"""From a mechanism to derivations: which theorem is applied to what. The search for the string's corners happens
here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from accountant import theorems
from accountant.core.arithmetic import Ball, Exact, Undecided
from accountant.core.arithmetic.balls import precision
from accountant.core.enclose import MIN_PRECISION, enclose
from accountant.core.exact import exact
from accountant.core.kernel import Derivation, Theorem, TheoremError, apply, evaluate
from accountant.losses import DerivedLoss, ScaledLoss
from accountant.mechanisms.pnsgd import NoisySGD
from accountant.mechanisms.timeline import (
    History,
    Phase,
    farthest_batches,
    hides_position,
    history,
    stretches,
    unlearning_epochs,
)
from accountant.pnsgd.estimates.doubles import in_units
from accountant.pnsgd.fallback import choose_rates, step_rates
from accountant.pnsgd.rates import StepRate
from accountant.pnsgd.scaled import derive_scaled
from accountant.pnsgd.search.excursions import Path, best_path
from accountant.pnsgd.search.final_epochs import search_range, t24_applies
from accountant.pnsgd.search.restart import best_restart
from accountant.pnsgd.search.string import TooLong, corners
from accountant.pnsgd.search.witness import (
    choose_positions,
    search_curved_witness,
    search_secret_witness,
    witness_arguments,
)
from accountant.theorems.flow import Flows
from accountant.theorems.timelines import Timeline
from accountant.theorems.transport import distance_at

_MARGINS = (0.0, 1e-9, 1e-6)  # of a slope; the first is best, and may be too close for balls to decide
RENYI_ORDERS = tuple(Fraction(order) for order in ("1.5", *["2", "3", "4", "8", "16", "32", "64", "128", "256"]))


def _loss(mechanism: NoisySGD) -> tuple[Derivation, ...]:
    """The derivation of the loss's constants; none where they are attested."""
    loss = mechanism.loss
    if isinstance(loss, ScaledLoss):
        return (derive_scaled(loss),)
    return (apply(loss.theorem, **loss.arguments()),) if isinstance(loss, DerivedLoss) else ()


def derive_timeline(mechanism: NoisySGD, request: int = 0) -> Derivation:
    """T10: the timeline of the claim on one request (0-based), from C1 and C2, or what stands in for them (T22, T23).

    Raises:
        InvalidMechanism: no theorem bounds the steps of a loss that is not convex.
    """
    return _timeline(mechanism, history(mechanism, request))


def derive_farthest(mechanism: NoisySGD, request: int = 0, timeline: Derivation | None = None) -> Derivation:
    """The timeline on which W∞ (T1) is the largest over the batches of the differing records; `timeline`,
    that of `derive_timeline`, where these are the same."""
    timeline, runs = timeline or derive_timeline(mechanism, request), history(mechanism, request)
    moved = tuple(
        farthest_batches(mechanism, phase, growing=block.expanding or block.drift is not None)
        for phase, block in zip(runs.phases, timeline.preview.blocks, strict=True)
    )
    farthest = replace(runs, phases=moved)
    return timeline if farthest == runs else _timeline(mechanism, farthest, choose_rates(mechanism, runs).rates)


def _timeline(mechanism: NoisySGD, runs: History, rates: tuple[StepRate, ...] = ()) -> Derivation:
    """Equal phases share their premises. rates: default, the best that the run may use."""
    known = _Steps(mechanism)
    chosen = rates or choose_rates(mechanism, runs).rates
    pairs = (known.rates(phase, rate) for phase, rate in zip(runs.phases, chosen, strict=True))
    return apply(
        theorems.requests,
        *(rate for pair in pairs for rate in pair),
        start=runs.start,
        diameter=mechanism.diameter,
        phases=runs.phases,
    )


class _Steps:
    """C1, T22, T23 and C2 of one mechanism, each derived once for each kind of phase."""

    def __init__(self, mechanism: NoisySGD):
        self._mechanism = mechanism
        self._loss, self._constants = _loss(mechanism), mechanism.loss.constants()
        self._made: dict[tuple[str, Fraction, int], Derivation] = {}

    def rates(self, phase: Phase, rate: StepRate) -> tuple[Derivation, Derivation]:
        """The two premises of T10 for one phase: what contracts or drifts and what shifts, or twice the drift of
        batches that are clipped as a whole."""
        first = self.bound(phase, rate)
        return first, first if rate.whole_batch else self._shift(phase)

    def bound(self, phase: Phase, rate: StepRate) -> Derivation:
        return self._once(rate.theorem, phase, rate.arguments(self._constants))

    def _shift(self, phase: Phase) -> Derivation:
        known = {"gradient_bound": self._constants.gradient_bound, "neighbours": self._mechanism.neighbours}
        return self._once(theorems.gradient_shift, phase, {"batch_size": phase.batch_size} | known)

    def _once(self, theorem: Theorem[Any], phase: Phase, arguments: dict[str, Any]) -> Derivation:
        key = theorem.id, phase.step_size, phase.batch_size
        if key not in self._made:
            self._made[key] = apply(theorem, *self._loss, step_size=phase.step_size, **arguments)
        return self._made[key]


def pull_taut(timeline: Derivation) -> Derivation:
    """T3 with the corners of the taut string of this timeline (T10), or T5 where a projection makes a later start
    better; T26 or T26r where it drifts, or where steps expand and composition gives less."""
    line: Timeline = timeline.preview
    if line.drifting:
        return _part_and_meet(timeline)
    if not (line.equal_starts and line.alike and any(block.expanding for block in line.blocks)):
        return _string(timeline)
    try:
        together = apply(theorems.gauges, timeline, excursions=())
    except TheoremError:  # a shift after the last noise
        return _string(timeline)
    try:
        bound = _string(timeline)
    except TooLong:
        return together
    with precision(MIN_PRECISION):
        mus = [evaluate(candidate, Ball()).mu for candidate in (bound, together)]
    return together if mus[1] < mus[0] else bound


def _part_and_meet(timeline: Derivation) -> Derivation:
    """T26 or T26r with the best excursions that the theorem accepts, decided in balls."""
    line = in_units(timeline.preview)
    tried = [best_path(line, margin) for margin in _MARGINS]
    if line.equal_starts:
        tried.append(Path(None, (), 0.0))
    for path in dict.fromkeys(tried):
        known = {} if path.restart is None else {"restart": path.restart}
        theorem = theorems.gauges if path.restart is None else theorems.gauges_in_a_ball
        try:
            bound = apply(theorem, timeline, **known, excursions=path.excursions)
        except TheoremError as refused:
            problem = refused
            continue
        if bound.decided:
            return bound
        problem = Undecided("the schedule stays above zero: z_k ≥ 0")
    raise problem


def _string(timeline: Derivation) -> Derivation:
    restart = best_restart(timeline.preview)
    with precision(MIN_PRECISION):
        A, line = Ball(), evaluate(timeline, Ball())
        if restart is None:
            return apply(theorems.taut_string, timeline, corners=corners(A, line))
        distance = distance_at(A, Flows(A, line), restart)
        bends = corners(A, line, restart, distance)
    return apply(theorems.bounded_domain, timeline, restart=restart, corners=bends)


def derive(mechanism: NoisySGD, request: int = 0) -> Derivation:
    """The best bound on μ that Plumbline proves for the claim on one request (0-based), in the worst batch position.

    Raises:
        TheoremError: a side condition fails.
        TooLong: an expanding timeline (c > 1) with too many shift steps.
    """
    if mechanism.release == "all" and unlearning_epochs(mechanism, request):
        parts = (pull_taut(_timeline(mechanism, stretch)) for stretch in stretches(mechanism, request))
        return apply(theorems.adaptive_composition, *parts)
    return pull_taut(derive_timeline(mechanism, request))


def derive_upper(
    mechanism: NoisySGD, delta: Fraction | str, request: int = 0, bound: Derivation | None = None
) -> Derivation:
    """The ε that is proved for one request: T9 for one record in a secret order, else T11 on `bound` (default:
    `derive`), or T24 where that gives less."""
    delta = exact(delta, "delta")
    if hides_position(mechanism, request):
        return derive_secret(derive_timeline(mechanism, request), delta)
    upper = derive_epsilon(bound or derive(mechanism, request), delta)
    return derive_range(mechanism, delta, request, upper) or upper


def derive_range(mechanism: NoisySGD, delta: Fraction, request: int, upper: Derivation) -> Derivation | None:
    """T24 on as many of the last epochs as is best; None where it does not apply, or gives no less than `upper`."""
    if not t24_applies(mechanism, request):
        return None
    late = search_range(mechanism, float(delta), float(enclose(upper).upper), request)
    if late is None:
        return None
    bound = apply(
        theorems.range_before_noise,
        pull_taut(_timeline(mechanism, late.before)),
        _Steps(mechanism).bound(late.phase, late.rate),
        phase=late.phase,
        diameter=mechanism.diameter,
        delta=delta,
    )
    return bound if enclose(bound).upper < enclose(upper).lower else None


def derive_lower(mechanism: NoisySGD, delta: Fraction | str, request: int = 0) -> Derivation | None:
    """The best lower bound on ε for the class (m, L, M): T11 on T6, T6c for learning, T6m for a secret order; None
    if there is none, or if L is not known."""
    delta = exact(delta, "delta")
    if hides_position(mechanism, request):
        return search_secret_witness(mechanism, _loss(mechanism), delta)
    straight = derive_witness(mechanism, request)
    if straight is None:
        return None
    lower = derive_epsilon(straight, delta)
    if mechanism.release == "all":
        return lower
    return search_curved_witness(mechanism, _loss(mechanism), delta, request) or lower


def derive_secret(timeline: Derivation, delta: Fraction) -> Derivation:
    """T9, looking at as many batches as make the sum sharp."""
    positions, rule = choose_positions(timeline.preview, float(delta))
    return apply(theorems.secret_order, timeline, delta=delta, positions=positions, rule=rule)


def derive_witness(mechanism: NoisySGD, request: int = 0) -> Derivation | None:
    """T6, the straight witness; None with a projection, with a reference whose start is not the run's own, with a
    secret order, which hides more than T6 accounts for, or if L is not known."""
    erased = unlearning_epochs(mechanism, request)
    if mechanism.loss.constants().smoothness is None:
        return None
    if mechanism.radius is not None or (erased and mechanism.reference != "retrain"):
        return None
    if mechanism.batch_order == "secret":
        return None
    runs = history(mechanism, request)
    if mechanism.release == "all" and erased:  # already the learned model, which is seen, tells the two runs apart
        if not mechanism.epochs:
            return None
        runs = History(runs.start, runs.phases[:1])
    return apply(theorems.straight_witness, *_loss(mechanism), **witness_arguments(mechanism, runs))


def derive_epsilon(pair: Derivation, delta: Fraction | str) -> Derivation:
    """T11 on a derivation of μ (an upper bound), or on T6 (a lower one)."""
    return apply(theorems.gaussian_profile, pair, delta=exact(delta, "delta"))


def derive_renyi(pair: Derivation) -> Derivation:
    """T2: the Rényi curve at the orders that are always reported."""
    return apply(theorems.renyi_curve, pair, orders=RENYI_ORDERS)


def derive_distance(timeline: Derivation, phases: int) -> Derivation:
    """T1: W∞ after the first `phases` blocks of a timeline."""
    return apply(theorems.wasserstein_tracking, timeline, phases=phases)


@dataclass(frozen=True)
class PublishedStep:
    """A step in the numbers of Chien et al. 2024, exactly: c, the shift of one record, 2ησ²."""

    contraction: Fraction
    shift: Fraction
    variance: Fraction


def chien2024_step(mechanism: NoisySGD) -> PublishedStep | None:
    """The step that their bounds are about; None where they do not apply.

    They are about unlearning compared with retraining, the final model alone, equal starts, requests of at most a
    batch, and convex losses with 0 < c < 1.
    """
    constants, claim = mechanism.loss.constants(), (mechanism.reference, mechanism.release)
    if claim != ("retrain", "final") or mechanism.initial_distance or max(mechanism.requests) > mechanism.batch_size:
        return None
    if not constants.convex or constants.smoothness is None or mechanism.step_size * constants.smoothness > 2:
        return None
    contraction, shift = (evaluate(rate, Exact()) for rate in derive_timeline(mechanism).premises[:2])
    if not 0 < contraction.factor < 1 or shift.distance == 0:
        return None
    return PublishedStep(contraction.factor, shift.distance, 2 * mechanism.step_size * mechanism.noise_std**2)


def derive_published(mechanism: NoisySGD, delta: Fraction | str) -> dict[str, Derivation]:
    """The published bounds that apply to this run, by name; none for learning, several requests, or c ≥ 1.

    "chien2024" is the form for finite T where there is a radius, else the converged one; "chien2024_finite_T" is
    always the form for finite T, which the authors' code evaluates, with R = 0 where there is no radius. Both are of
    convex losses; "koloskova2025" is shown for the others, where there is a radius.
    """
    if not mechanism.loss.constants().convex:
        return derive_clipped_published(mechanism, delta)
    size, k = mechanism.requests[0], mechanism.unlearning_epochs[0]
    step = chien2024_step(mechanism) if len(mechanism.requests) == 1 and k else None
    if step is None:
        return {}
    known = {
        "contraction": step.contraction,
        "shift": size * step.shift,
        "variance": step.variance,
        "batches": mechanism.batches,
        "unlearning_epochs": k,
        "delta": exact(delta, "delta"),
        "diameter": mechanism.diameter,
    }
    finite = apply(theorems.chien2024_finite, **known, epochs=mechanism.epochs)
    if mechanism.radius is not None:
        return {"chien2024": finite, "chien2024_finite_T": finite}
    return {"chien2024": apply(theorems.chien2024_converged, **known), "chien2024_finite_T": finite}


def derive_clipped_published(mechanism: NoisySGD, delta: Fraction | str) -> dict[str, Derivation]:
    """T11 on the published bound for clipped fine-tuning, both runs starting anywhere in the ball; for one request."""
    k = mechanism.unlearning_epochs[0]
    claim = (mechanism.reference, mechanism.release, len(mechanism.requests))
    if mechanism.radius is None or not k or claim != ("retrain", "final", 1):
        return {}
    if not any(rate.drifts for rate in step_rates(mechanism)):
        return {}
    constants, step = mechanism.loss.constants(), mechanism.step_size
    pair = apply(
        theorems.koloskova2025,
        contraction=1 - step * constants.strong_convexity,
        shift=2 * step * constants.gradient_bound,
        variance=2 * step * mechanism.noise_std**2,
        steps=k * mechanism.batches,
        diameter=mechanism.diameter,
    )
    return {"koloskova2025": derive_epsilon(pair, delta)}


def derive_from_distance(mechanism: NoisySGD, request: int = 0) -> Derivation | None:
    """T4a: what W∞ after learning gives when only the noise of the last unlearning phase is counted; None for K = 0,
    or where the data may drive the runs apart in that phase too (T23, T23b). In the batch in which W∞ is largest."""
    if not mechanism.unlearning_epochs[request] or mechanism.release == "all":
        return None
    timeline, runs = derive_farthest(mechanism, request), history(mechanism, request)
    last, before = runs.phases[-1:], len(runs.phases) - 1
    if timeline.preview.blocks[-1].drift is not None:
        return None
    return apply(
        theorems.unlearning_noise,
        derive_distance(timeline, before),
        contraction=evaluate(timeline.premises[-2], Exact()).factor,
        variance=2 * last[0].step_size * last[0].noise_std ** 2,
        steps=last[0].batches * last[0].epochs,
    )
