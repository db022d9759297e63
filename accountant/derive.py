"""From a mechanism to derivations: which theorem is applied to what. The search for the string's corners happens
here."""

from __future__ import annotations

from fractions import Fraction

from accountant import theorems
from accountant.arithmetic import Ball, Exact
from accountant.enclose import LEAST_PRECISION, precision
from accountant.exact import exact
from accountant.kernel import Derivation, apply, evaluate
from accountant.losses import LogisticLoss
from accountant.mechanisms import InvalidMechanism, NoisySGD
from accountant.string import corners
from accountant.timeline import Phase, phases

RENYI_ORDERS = tuple(Fraction(order) for order in ("1.5", *["2", "3", "4", "8", "16", "32", "64", "128", "256"]))


def check_scope(mechanism: NoisySGD) -> None:
    """Refuse what this version has no theorem for; never treat it as something else.

    Raises:
        InvalidMechanism: names the key and what is supported.
    """
    for key, supported in (("batch_order", "fixed"), ("reference", "retrain"), ("release", "final")):
        value = getattr(mechanism, key)
        if value != supported:
            raise InvalidMechanism(key, f'"{value}" is not supported in this version; "{supported}" is')


def _loss(mechanism: NoisySGD) -> tuple[Derivation, ...]:
    """The derivation of the loss's constants; none where they are attested."""
    loss = mechanism.loss
    if not isinstance(loss, LogisticLoss):
        return ()
    return (
        apply(
            theorems.logistic_constants,
            regularization=loss.regularization,
            feature_norm=loss.feature_norm,
            clip=loss.clip,
        ),
    )


def derive_timeline(mechanism: NoisySGD, request: int = 0) -> Derivation:
    """T10: the timeline of the claim on one request (0-based), from C1 and C2, each made once for equal phases."""
    check_scope(mechanism)
    loss, constants = _loss(mechanism), mechanism.loss.constants()
    history = phases(mechanism, request)
    made: dict[tuple[Fraction, int], tuple[Derivation, Derivation]] = {}
    for phase in history:
        made.setdefault((phase.step_size, phase.batch_size), _rates(mechanism, phase, loss, constants))
    return apply(
        theorems.requests,
        *(rate for phase in history for rate in made[phase.step_size, phase.batch_size]),
        start=mechanism.initial_distance,
        diameter=mechanism.diameter,
        phases=history,
    )


def _rates(mechanism, phase: Phase, loss, constants) -> tuple[Derivation, Derivation]:
    contraction = apply(
        theorems.contraction,
        *loss,
        step_size=phase.step_size,
        strong_convexity=constants.strong_convexity,
        smoothness=constants.smoothness,
    )
    shift = apply(
        theorems.gradient_shift,
        *loss,
        step_size=phase.step_size,
        batch_size=phase.batch_size,
        gradient_bound=constants.gradient_bound,
        neighbours=mechanism.neighbours,
    )
    return contraction, shift


def pull_taut(timeline: Derivation) -> Derivation:
    """T3 with the corners of the taut string of this timeline (T10)."""
    with precision(LEAST_PRECISION):
        bends = corners(Ball(), evaluate(timeline, Ball()))
    return apply(theorems.taut_string, timeline, corners=bends)


def derive(mechanism: NoisySGD, request: int = 0) -> Derivation:
    """The best bound that Plumbline proves for the claim on one request (0-based): a derivation of μ.

    Raises:
        InvalidMechanism: no theorem of this version covers it.
        TheoremError: a side condition fails.
    """
    return pull_taut(derive_timeline(mechanism, request))


def derive_witness(mechanism: NoisySGD, request: int = 0) -> Derivation | None:
    """T6, the lower bound of the class; None with a projection."""
    if mechanism.radius is not None:
        return None
    constants = mechanism.loss.constants()
    return apply(
        theorems.straight_witness,
        *_loss(mechanism),
        start=mechanism.initial_distance,
        strong_convexity=constants.strong_convexity,
        gradient_bound=constants.gradient_bound,
        neighbours=mechanism.neighbours,
        phases=phases(mechanism, request),
    )


def derive_epsilon(pair: Derivation, delta: Fraction | str) -> Derivation:
    """T11 on a derivation of μ (T3 for an upper bound, T6 for a lower one)."""
    return apply(theorems.gaussian_profile, pair, delta=exact(delta, "delta"))


def derive_renyi(pair: Derivation) -> Derivation:
    """T2: the Rényi curve at the orders that are always reported."""
    return apply(theorems.renyi_curve, pair, orders=RENYI_ORDERS)


def derive_distance(timeline: Derivation, phases: int) -> Derivation:
    """T1: W∞ after the first `phases` blocks of a timeline."""
    return apply(theorems.wasserstein_tracking, timeline, phases=phases)


def derive_published(mechanism: NoisySGD, delta: Fraction | str) -> dict[str, Derivation]:
    """The published bounds that speak about this run, by name; none for learning, several requests, or c ≥ 1.

    "chien2024" is the form for finite T where there is a radius, else the converged one; "chien2024_finite_T" is
    always the form for finite T, which the authors' code evaluates, with R = 0 where there is no radius.
    """
    size, k = mechanism.requests[0], mechanism.unlearning_epochs[0]
    if len(mechanism.requests) > 1 or k == 0 or size > mechanism.batch_size or mechanism.initial_distance:
        return {}
    contraction, shift = (evaluate(rate, Exact()) for rate in derive_timeline(mechanism).premises[:2])
    if not 0 < contraction.factor < 1 or shift.distance == 0:
        return {}
    known = {
        "contraction": contraction.factor,
        "shift": size * shift.distance,
        "variance": 2 * mechanism.step_size * mechanism.noise_std**2,
        "batches": mechanism.batches,
        "unlearning_epochs": k,
        "delta": exact(delta, "delta"),
        "diameter": mechanism.diameter,
    }
    finite = apply(theorems.chien2024_finite, **known, epochs=mechanism.epochs)
    if mechanism.radius is not None:
        return {"chien2024": finite, "chien2024_finite_T": finite}
    return {"chien2024": apply(theorems.chien2024_converged, **known), "chien2024_finite_T": finite}


def derive_from_distance(mechanism: NoisySGD, request: int = 0) -> Derivation | None:
    """T4a: what W∞ after learning gives when only the noise of the last unlearning phase is counted; None for K = 0."""
    timeline = derive_timeline(mechanism, request)
    last = phases(mechanism, request)[-1:]
    if not mechanism.unlearning_epochs[request] or not last:
        return None
    before = len(phases(mechanism, request)) - 1
    return apply(
        theorems.unlearning_noise,
        derive_distance(timeline, before),
        contraction=evaluate(timeline.premises[-2], Exact()).factor,
        variance=2 * last[0].step_size * last[0].noise_std ** 2,
        steps=last[0].batches * last[0].epochs,
    )
