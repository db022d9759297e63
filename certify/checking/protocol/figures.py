"""Figures: they say nothing better than the proof, and nothing else than the claim at its own epsilon and delta."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

from certify.checking.descent.privacy import Delta, gaussian
from certify.checking.descent.ranges import range_before_noise
from certify.checking.descent.steps import gradient_shift
from certify.checking.descent.witnesses import curved_witness, straight_witness
from certify.checking.format.run import Run, implied_phases, phase_epochs
from certify.checking.format.training import Training
from certify.checking.limits import DoesNotFollow, require
from certify.checking.numbers.exact import number
from certify.checking.numbers.intervals import Interval, decide
from certify.checking.sampled.schedule import read_schedule

FIGURE_SLACK = Fraction(1, 10**7)  # figures have eight digits
MAX_FIGURE_STEPS = 4000  # of T24, over all points of a profile
Below = Callable[[Fraction, Fraction], bool]  # whether at ε a δ is less than what is proved
Drawn = tuple[str | None, Delta]  # an ε of a sweep, and what it is held against


def refuted(question: Callable[[int], bool]) -> bool:
    """Whether a question has the answer yes, and is decided."""
    try:
        return decide(question, "figures")
    except DoesNotFollow:
        return False


def witness_at(run: Run, request: int) -> Callable[[int], Interval] | None:
    """μ² of T6 for a request of a run, which need not be the certificate's; None where there is no such witness."""
    epochs = phase_epochs(run, request)
    composed = run.release == "all" and run.unlearns(request)
    possible = run.radius is None and run.smoothness is not None and not run.secret
    possible &= run.reference == "retrain" or not run.unlearns(request)
    if not possible or not any(epochs) or (composed and not run.epochs):
        return None
    phases = list(implied_phases(run, request, (0,) if composed else range(request + 2), witness=True))
    one = gradient_shift(run.step_size, run.batch_size, run.gradient_bound, run.neighbours)
    start = Fraction(run.initial_distance)
    return cache(lambda bits: straight_witness(start, run.m, one, phases, bits))


def exceeding(of: Delta) -> Below:
    """Whether a δ is decidedly less than this one."""
    return lambda epsilon, delta: refuted(lambda bits: of(epsilon, bits) > delta)


def falling_short(of: Delta) -> Below:
    """Whether a δ is decidedly more than this one."""
    return lambda epsilon, delta: refuted(lambda bits: of(epsilon, bits) < delta)


def curves_of_proof(
    predicate: dict[str, Any], run: Run | Training, values: list[Any]
) -> tuple[list[Below], list[Delta] | None]:
    """What a profile cannot be below, and (None: not known) what none from below can be above, at every ε.

    Of Gaussian bounds the largest μ counts. T9's δ is that of a rule from below. T24 is looked at where its steps are
    few. Not known: T19, T20, T27, T6m.
    """
    points = len(predicate["figures"]["profile"]["epsilon"])
    steps, claims = predicate["proof"]["steps"], predicate["proof"]["claims"]

    def known(index: str) -> Delta:
        return values[int(index)]

    def largest(indices: Iterable[str]) -> list[str]:  # of steps T11, that with the largest μ
        mus = {i: Fraction(steps[int(steps[int(i)]["premises"][0])]["concludes"]["mu"]) for i in indices}
        return [max(mus, key=mus.__getitem__)] if mus else []

    def of_theorem(indices: Sequence[str], theorem: str) -> list[str]:
        return [index for index in indices if steps[int(index)]["theorem"] == theorem]

    def curved(index: str) -> Delta:
        args = steps[int(index)]["args"]
        own, others = Fraction(args["own"]), Fraction(args["others"])
        one = gradient_shift(run.step_size, run.batch_size, run.gradient_bound, run.neighbours)
        return lambda epsilon, bits: curved_witness(args, one, own, others, epsilon)(bits)

    def ranged(claim: dict[str, Any]) -> Below:  # T24, or T11 with the μ of the same request
        step = steps[int(claim["bound"])]
        given = [values[int(premise)] for premise in step["premises"]]
        diameter, phase = Fraction(step["args"]["diameter"]), step["args"]["phase"]
        plain = gaussian(values[int(steps[int(claim["renyi"])]["premises"][0])])

        def is_below(epsilon: Fraction, delta: Fraction) -> bool:
            if not 0 < delta < 1:
                return False
            after = range_before_noise(*given, diameter, phase, delta)
            return exceeding(plain)(epsilon, delta) and exceeding(after)(epsilon, delta)

        return is_below

    bounds = [claim["bound"] for claim in claims]
    above = [exceeding(known(index)) for index in (*largest(of_theorem(bounds, "T11")), *of_theorem(bounds, "T9"))]
    late = [claim for claim in claims if steps[int(claim["bound"])]["theorem"] == "T24"]
    phases = [steps[int(claim["bound"])]["args"]["phase"] for claim in late]
    few = sum(int(phase["epochs"]) * int(phase["batches"]) for phase in phases) * points <= MAX_FIGURE_STEPS
    above += [ranged(claim) for claim in late] if few else []
    witnesses = [claim["lower"] for claim in claims if claim["lower"] is not None]
    plain, bent = of_theorem(witnesses, "T11"), of_theorem(witnesses, "T6c")
    if len(plain) + len(bent) < len(witnesses):
        return above, None
    straight = [witness_at(run, i) for i, claim in enumerate(claims) if claim["lower"] in bent]  # is no less valid
    return above, [known(i) for i in largest(plain)] + [curved(i) for i in bent] + [gaussian(of) for of in straight]


def check_profile(
    predicate: dict[str, Any], run: Run | Training, above: list[Below], below: list[Delta] | None
) -> None:
    """At every ε, δ is no less than the proof gives; it is above the claim's δ where ε is below the claim's, and only
    there."""
    figure, claimed, where = predicate["figures"]["profile"], predicate["epsilon"], "figures.profile"
    least, most = claimed["lower"] and Fraction(claimed["lower"]), Fraction(claimed["upper"])

    for text, high, low in zip(figure["epsilon"], figure["upper"], figure["lower"], strict=True):
        epsilon, upper, at = Fraction(text), Fraction(high), f"at epsilon = {text}"
        fits = upper > run.delta if epsilon < most else upper <= run.delta * (1 + FIGURE_SLACK)
        require(fits, f"{where}.upper: {high} {at}; the claim is epsilon = {claimed['upper']}")
        better = any(is_below(epsilon, upper) for is_below in above)
        require(not better, f"{where}.upper: {high} {at} is less than the proof gives")
        if low is None:
            continue
        lower = Fraction(low)
        require(least is not None, f"{where}.lower: the claim has no lower bound")
        fits = epsilon <= least or lower <= run.delta
        require(fits, f"{where}.lower: {low} {at}; the claim's lower bound is epsilon = {claimed['lower']}")
        better = below is not None and lower > 0 and all(falling_short(of)(epsilon, lower) for of in below)
        require(not better, f"{where}.lower: {low} {at} is more than the proof gives")


def check_own_value(predicate: dict[str, Any], parameter: str, own: int) -> None:
    """Where a sweep comes to the run itself it says what the claim says, and the published bounds do."""
    figure, claimed, where = predicate["figures"]["sweep"], predicate["epsilon"], "figures.sweep"
    require(figure["parameter"] == parameter, f"{where}: of this run {parameter} varies, not {figure['parameter']}")
    require(str(own) in figure["values"], f"{where}: needs the run's own {parameter}, {own}, among its values")
    at = figure["values"].index(str(own))
    for key in ("upper", "lower"):
        shown, said = figure[key][at], claimed[key]
        same = shown == said or (None not in (shown, said) and Fraction(shown) == Fraction(said))
        require(same, f"{where}.{key}: {shown} at {parameter} = {own}; the claim is {said}")
    published, name = predicate["figures"]["published"], figure["published_name"]
    drawn = [value for value in figure["published"] if value is not None]
    require(name is not None or not drawn, f"{where}: its published bound has no name")
    if name is not None and published is not None and figure["published"][at] is not None:
        said = published.get(name, {"epsilon": None})["epsilon"]
        shown = Fraction(figure["published"][at])
        same = said is not None and abs(shown - Fraction(said)) <= FIGURE_SLACK * shown
        require(same, f"{where}.published: not what published says of {name} at {parameter} = {own}")


def check_sweep(predicate: dict[str, Any], run: Run, worst: int) -> None:
    """Of PNSGD: no bound from above is below T6 for the run with the other epochs, and no bound from below is above
    it, where the claim's own is by T6."""
    figure, steps = predicate["figures"]["sweep"], predicate["proof"]["steps"]
    unlearns = any(run.unlearning_epochs)
    parameter = "unlearning_epochs" if unlearns else "epochs"
    check_own_value(predicate, parameter, run.unlearning_epochs[worst] if unlearns else run.epochs)
    lower = predicate["proof"]["claims"][worst]["lower"]
    straight = lower is not None and steps[int(lower)]["theorem"] == "T11"
    for text, high, low in zip(figure["values"], figure["upper"], figure["lower"], strict=True):
        if unlearns:
            epochs = run.unlearning_epochs
            changed = replace(run, unlearning_epochs=(*epochs[:worst], int(text), *epochs[worst + 1 :]))
        else:
            changed = replace(run, epochs=int(text))
        squared = witness_at(changed, worst)
        if squared is None:
            continue
        least = gaussian(squared)
        check_point(predicate, run.delta, text, (high, least), (low if straight else None, least))


def check_point(predicate: dict[str, Any], delta: Fraction, value: str, above: Drawn, below: Drawn) -> None:
    """One point of a sweep: a bound from above and what it cannot be below, one from below and the converse."""
    where = f"at {predicate['figures']['sweep']['parameter']} = {value}"
    high, of = above
    better = high is not None and exceeding(of)(Fraction(high), delta)
    require(not better, f"figures.sweep.upper: {high} {where} is less than any proof can give")
    low, of = below
    better = low is not None and Fraction(low) > 0 and falling_short(of)(Fraction(low), delta)
    require(not better, f"figures.sweep.lower: {low} {where} is more than the proof gives")


def check_training_sweep(predicate: dict[str, Any], run: Training, confirmed: bool) -> None:
    """ε does not fall as steps are added. Where nothing is sampled it is known, stage by stage."""
    figure, claimed = predicate["figures"]["sweep"], predicate["epsilon"]
    check_own_value(predicate, "steps", run.sums)
    least = Fraction(claimed["lower"]) if claimed["lower"] is not None and confirmed else Fraction(0)
    most = Fraction(claimed["upper"])
    for text, high, low in zip(figure["values"], figure["upper"], figure["lower"], strict=True):
        steps = int(text)
        fits = steps < run.sums or high is None or Fraction(high) >= least
        require(fits, f"figures.sweep.upper: {high} at steps = {text} is below the bound for fewer, {claimed['lower']}")
        fits = steps > run.sums or low is None or Fraction(low) <= most
        require(fits, f"figures.sweep.lower: {low} at steps = {text} is above the bound for more, {claimed['upper']}")
        exactly = stopped(run, steps)
        if exactly is not None:
            whole, alone = (gaussian(lambda bits, mu=mu: number(mu, bits)) for mu in exactly)
            check_point(predicate, run.delta, text, (high, whole), (low, alone))


def stopped(run: Training, steps: int) -> tuple[Fraction, Fraction] | None:
    """μ² of a run of full batches that is stopped after so many steps, or goes on as in its last stage: with its other
    releases, and without. None where something is sampled, or batches are disjoint."""
    if not run.gaussian or run.disjoint or sum(int(stage["steps"]) for stage in run.own) != run.sums:
        return None
    own, left = [], steps
    for i, stage in enumerate(run.own):
        done = left if i == len(run.own) - 1 else min(left, int(stage["steps"]))
        own += [stage | {"steps": str(done)}] * (done > 0)
        left -= done
    whole, alone = (
        read_schedule(list(releases), run.neighbours).mu_squared if releases else Fraction(0)
        for releases in ((*own, *run.others), own)
    )
    return whole, alone


def check_figures(
    predicate: dict[str, Any], run: Run | Training, values: list[Any], worst: int, confirmed: bool = True
) -> None:
    """Figures agree with the claim and its proof, as far as these say something of them."""
    figures = predicate.get("figures", {"profile": None, "sweep": None})
    if figures["profile"] is not None:
        check_profile(predicate, run, *curves_of_proof(predicate, run, values))
    if figures["sweep"] is not None and isinstance(run, Training):
        check_training_sweep(predicate, run, confirmed)
    elif figures["sweep"] is not None:
        check_sweep(predicate, run, worst)
