"""How ε answers to its parameters: exact derivatives in σ, μ and δ, and the bound of the same run with one change."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

from flint import arb, ctx

from accountant.core.arithmetic import Ball, Number, Undecided
from accountant.core.arithmetic.balls import far_tail
from accountant.core.enclose import Enclosure, Indeterminate, enclose, enclosed
from accountant.core.facts import Family, Profile
from accountant.core.kernel import Derivation, TheoremError, evaluate
from accountant.losses import InvalidLoss
from accountant.mechanisms.pnsgd import InvalidMechanism, NoisySGD
from accountant.mechanisms.timeline import hides_position
from accountant.pnsgd.derive import derive_upper
from accountant.pnsgd.estimates.estimate import estimate
from accountant.pnsgd.search.final_epochs import t24_applies
from accountant.pnsgd.search.string import TooLong
from accountant.theorems.secret import position_mus, weights_of

REFUSALS = (InvalidMechanism, InvalidLoss, TheoremError, TooLong, Indeterminate)
# Their μ is inversely proportional to σ: every noise of the timeline scales with it.
_ALONG_TIMELINES = (Family.STRING, Family.COMPOSITION)
_STEP = Fraction(1, 1000)
_MANY = 512  # batches of a mixture
_MANY_STEPS = 1000  # of T24


# --- derivatives ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Derivatives:
    """Of the bound ε(δ; σ) with everything else held. by_mu: None for a mixture, which has no one μ.

    by_noise_std is Σ (∂ε/∂μ_j)(−μ_j/σ), at a fixed choice of restart, corners and excursions, which do not depend on σ.
    """

    by_mu: Enclosure | None
    by_noise_std: Enclosure
    by_delta: Enclosure


def derivatives(upper: Derivation, noise_std: Fraction) -> Derivatives | None:
    """Enclosures of ∂ε/∂μ, ∂ε/∂σ and ∂ε/∂δ by the implicit function theorem on Σ w_j δ_{μ_j}(ε) = δ.

    None if ε is not such a function of σ (any theorem but T11 on T3, T5, T26, T26r or T7, or T9), where ε = 0 or
    where μ = 0.

    Raises:
        Indeterminate: not decided at the greatest precision.
    """
    if not _is_gaussian(upper):
        return None
    epsilon = enclose(upper)
    if epsilon.lower <= 0:
        return None

    def slopes() -> tuple[Number, Number, Number]:
        """(Σ w φ(a), Σ w μ φ(a), e^ε Σ w Φ(b)), with a = μ/2 − ε/μ and b = a − μ."""
        A = Ball()
        e = evaluate(upper, A).epsilon
        by_mu, scaled, tail = arb(0), arb(0), arb(0)
        for mu, weight in _mixture(upper, A):
            if mu.is_zero():
                continue
            a = mu / 2 - e / mu
            density = weight * (-a * a / 2).exp() / (2 * arb.pi()).sqrt()
            by_mu, scaled, tail = by_mu + density, scaled + mu * density, tail + weight * far_tail(mu, e)
        if not tail > 0:
            raise Undecided("μ > 0")
        return by_mu, scaled, tail

    remembered: dict[int, tuple[Number, Number, Number]] = {}

    def part(choose: Callable[[Number, Number, Number], Number]) -> Enclosure:
        def value() -> Number:
            if ctx.prec not in remembered:
                remembered[ctx.prec] = slopes()
            return choose(*remembered[ctx.prec])

        return enclosed(value)

    sigma = Ball().of
    return Derivatives(
        by_mu=part(lambda by_mu, _, tail: by_mu / tail) if upper.theorem.facts.profile is Profile.GAUSSIAN else None,
        by_noise_std=part(lambda _, scaled, tail: -scaled / (tail * sigma(noise_std))),
        by_delta=part(lambda _, __, tail: -1 / tail),
    )


def _is_gaussian(upper: Derivation) -> bool:
    if upper.theorem.facts.profile is Profile.MIXTURE:
        return True
    if upper.theorem.facts.profile is not Profile.GAUSSIAN:
        return False
    pair = upper.premises[0]
    parts = pair.premises if pair.theorem.facts.family is Family.COMPOSITION else ()
    return all(part.theorem.facts.family in _ALONG_TIMELINES for part in (pair, *parts))


def _mixture(upper: Derivation, A: Ball) -> Iterator[tuple[Number, Number]]:
    """(μ_j, weight) of what the ε is inverted from."""
    if upper.theorem.facts.profile is Profile.GAUSSIAN:
        yield evaluate(upper.premises[0], A).mu, A.of(1)
        return
    arguments, timeline = dict(upper.arguments), evaluate(upper.premises[0], A)
    positions, batches = arguments["positions"], timeline.blocks[0].batches
    weights = weights_of(positions, arguments["rule"])
    for mu, weight in zip(position_mus(A, timeline, positions), weights, strict=True):
        yield mu, A.of(weight) / batches


# --- the same run with one change -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Variant:
    """The bound of the same run with one change. epsilon: None where that run has none; `refused` says why."""

    change: str
    epsilon: Enclosure | None
    refused: str = ""


def variants(mechanism: NoisySGD, delta: Fraction, request: int = 0) -> tuple[Variant, ...]:
    """One more epoch of unlearning (of this request, where there is any) and of learning, twice and half the noise,
    half and twice the batch at the same step size: each derived anew."""
    lengths = list(mechanism.unlearning_epochs)
    lengths[request] += 1
    alternatives: list[tuple[str, dict[str, Any] | None]] = []
    if mechanism.unlearning_epochs[request]:
        alternatives.append(("one more unlearning epoch", {"unlearning_epochs": tuple(lengths)}))
    if mechanism.epochs:
        alternatives.append(("one more learning epoch", {"epochs": mechanism.epochs + 1}))
    alternatives.append(("twice the noise", {"noise_std": 2 * mechanism.noise_std}))
    alternatives.append(("half the noise", {"noise_std": mechanism.noise_std / 2}))
    half = {"batch_size": mechanism.batch_size // 2}
    alternatives.append(("half the batch", half if mechanism.batch_size % 2 == 0 else None))
    alternatives.append(("twice the batch", {"batch_size": 2 * mechanism.batch_size}))
    return tuple(
        Variant(change, None, f"batch_size: {mechanism.batch_size} is odd")
        if changes is None
        else _variant(change, mechanism, changes, delta, request)
        for change, changes in alternatives
    )


def _variant(change: str, mechanism: NoisySGD, changes: dict[str, Any], delta: Fraction, request: int) -> Variant:
    try:
        return Variant(change, enclose(derive_upper(replace(mechanism, **changes), delta, request)))
    except REFUSALS as refused:
        return Variant(change, None, short(refused))


def short(refused: Exception) -> str:
    """Why there is no bound, in a line; a value in it may be long."""
    text = " ".join(str(refused).split())
    return text if len(text) <= 120 else f"{text[:119]}…"


# --- what ε depends on most -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Elasticity:
    """By how many per cent ε grows when the parameter grows by one, the others and the step size held.

    value: the parameter. elasticity: from the runs with 0.1 % more and less of it, so the mean of both sides at a kink
    (a clip that equals the feature norm), or one side where the other is refused; None where ε is 0 or refused.
    halved, doubled: ε then; None where such a run has no bound, or where the ε of T24 takes long.
    """

    parameter: str
    value: Fraction
    elasticity: float | None
    halved: Enclosure | None
    doubled: Enclosure | None


def elasticities(mechanism: NoisySGD, delta: Fraction, request: int = 0) -> tuple[Elasticity, ...]:
    """What ε depends on most, first: noise, step size, radius, start, and the numbers that the loss is given by.

    A loss whose constants depend on the radius gets the changed radius too.
    """
    effects = [_elasticity(name, mechanism, delta, request) for name in _parameters(mechanism)]
    return tuple(sorted(effects, key=lambda e: -1.0 if e.elasticity is None else abs(e.elasticity), reverse=True))


def _parameters(mechanism: NoisySGD) -> list[str]:
    own = ["noise_std", "step_size", *(["radius"] if mechanism.radius else [])]
    if mechanism.initial_distance:
        own.append("initial_distance")
    scaling = getattr(mechanism.loss, "scaling", None)
    own += [] if scaling is None else [f"scaling.{f.name}" for f in fields(scaling)]
    return own + [f"loss.{name}" for name, value in mechanism.loss.numbers().items() if name != "radius" and value]


def _value(name: str, mechanism: NoisySGD) -> Fraction:
    loss: Any = mechanism.loss
    if name.startswith("scaling."):
        return getattr(loss.scaling, name[8:])
    return getattr(loss, name[5:]) if name.startswith("loss.") else getattr(mechanism, name)


def scaled(name: str, mechanism: NoisySGD, factor: Fraction) -> NoisySGD:
    """The run with this parameter times the factor.

    Raises:
        InvalidMechanism, InvalidLoss: there is no such run.
    """
    value = factor * _value(name, mechanism)
    loss: Any = mechanism.loss
    changes: dict[str, Any] = {name: value}
    if name.startswith("loss."):
        changes = {"loss": replace(loss, **{name[5:]: value})}
    elif name.startswith("scaling."):
        changes = {"loss": replace(loss, scaling=replace(loss.scaling, **{name[8:]: value}))}
    elif name == "radius" and getattr(loss, "radius", None) is not None:
        changes["loss"] = replace(loss, radius=value)
    return replace(mechanism, **changes)


def _takes_long(mechanism: NoisySGD, request: int) -> bool:
    """Whether ε is that of a mixture of very many batches, or may be that of very many steps, one after the other."""
    if hides_position(mechanism, request):
        return mechanism.batches > _MANY
    return t24_applies(mechanism, request) and mechanism.unlearning_epochs[request] * mechanism.batches > _MANY_STEPS


def _elasticity(name: str, mechanism: NoisySGD, delta: Fraction, request: int) -> Elasticity:
    def epsilon(factor: Fraction) -> Enclosure | None:
        try:
            return enclose(derive_upper(scaled(name, mechanism, factor), delta, request))
        except REFUSALS:
            return None

    def number(factor: Fraction) -> Fraction | None:
        """ε where it is positive; in doubles where each takes long: enough for a slope."""
        if _takes_long(mechanism, request):
            try:
                rough = estimate(scaled(name, mechanism, factor), float(delta), request)
            except REFUSALS:
                return None
            return Fraction(rough) if 0 < rough < math.inf else None
        enclosure = epsilon(factor)
        return enclosure.upper if enclosure is not None and enclosure.upper else None

    here = number(Fraction(1))
    sides = [(factor, number(factor)) for factor in (1 - _STEP, 1 + _STEP)]
    known = [(factor, e) for factor, e in sides if e is not None]
    slope = None
    if here is not None and known:
        if len(known) == 1:
            known.append((Fraction(1), here))
        (first, low), (second, high) = known
        # (Δε/ε)/(Δx/x), with the exact difference: no cancellation.
        slope = float((high - low) / ((low + high) / 2) / ((second - first) / ((first + second) / 2)))
    late = _takes_long(mechanism, request) and not hides_position(mechanism, request)
    halved, doubled = (None, None) if late else (epsilon(Fraction(1, 2)), epsilon(Fraction(2)))
    return Elasticity(name, _value(name, mechanism), slope, halved, doubled)
