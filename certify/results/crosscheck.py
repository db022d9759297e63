"""Check what others computed: is the ε that another accountant prints above the truth, how loose is it, or below?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from accountant import Derivation, Enclosure, enclose
from accountant.core.exact import canonical, exact
from accountant.core.scaling import Clip
from accountant.dpsgd.derive import WIDTH, derive_step, derive_training
from accountant.mechanisms.dpsgd import ScaledSGD, Stage
from accountant.mechanisms.invalid import InvalidMechanism
from accountant.mechanisms.neighbours import NEIGHBOURS, replaces
from accountant.mechanisms.sampling import FIXED, POISSON, SAMPLINGS, Sampling, sampling_of
from certify.errors import UsageError
from certify.results.certify_dpsgd import assumptions
from certify.results.claims import refusals
from certify.results.crosscheck_result import CrossCheck, Judgement, last_digit
from certify.results.peers import Record, read_record
from certify.results.result import Progress
from certify.runfile.read import Run, read_run

MIN_WIDTH = Fraction(1, 100_000)


def crosscheck(
    source: Any,
    *,
    written_by: str,
    delta: Any,
    printed: Any = None,
    sampling: str | None = None,
    neighbours: str | None = None,
    progress: Progress | None = None,
) -> CrossCheck:
    """Bracket ε of the run in another accountant's record, and judge the ε that it printed.

    Args:
        source: the file (a path), its content (a mapping or a list), or a DpEvent; see `peers.read_record`.
        written_by: "opacus", "dp-accounting" or "triples".
        delta, printed: numbers, or their text; a float is read as its shortest decimal. printed: the ε that was
            printed; the bracket is made finer until it lies outside, down to a width of 1e-5, or memory ends.
        sampling: how batches were really drawn, as in a run file; by default what the record says, and where it says
            nothing Poisson sampling, which is then an assumption of the result.
        neighbours: as in a run file; by default what goes with the sampling. Where batches are disjoint that is a
            record whose term is zeroed, next to what accountants call adding or removing one.
        progress: called as progress(what, 0, 0) before each long computation.

    Raises:
        UsageError: unreadable, a value out of range, or neighbours that the sampling has no bound for.
    """
    delta = _number(delta, "--delta")
    if not 0 < delta < 1:
        raise UsageError(f"--delta: {canonical(delta)} must lie strictly between 0 and 1")
    shown = None if printed is None else _text(printed)
    claimed = None if shown is None else _number(shown, "--epsilon")
    if claimed is not None and claimed < 0:
        raise UsageError(f"--epsilon: {canonical(claimed)} must be at least 0")
    if sampling is not None and sampling not in SAMPLINGS:
        raise UsageError(f"--sampling: got {sampling!r}; write one of {', '.join(SAMPLINGS)}")
    if neighbours is not None and neighbours not in NEIGHBOURS:
        raise UsageError(f"--neighbours: got {neighbours!r}; write one of {', '.join(NEIGHBOURS)}")
    record = read_record(source, written_by)
    drawn = sampling_of(sampling or record.sampling or POISSON.name)
    about: dict[str, Any] = {
        "written_by": written_by,
        "rows": record.rows,
        "sampling": drawn.name,
        "sampling_from": "given" if sampling else "record" if record.sampling else "assumed",
        "neighbours": neighbours or ("remove-one" if drawn.disjoint else drawn.neighbours[0]),
        "delta": canonical(delta),
        "printed": shown,
    }
    if record.in_the_clear:
        return CrossCheck(
            **about,
            stages=(),
            lower=None,
            upper=None,
            judgement=Judgement.NOT_GIVEN if claimed is None else Judgement.BELOW_THE_TRUTH,
            reason="the record has a NonPrivateDpEvent, a release without any noise: no ε holds",
        )
    run = _mechanism(record, drawn, about["neighbours"])
    bracket = _Bracket(run, _for_lower(record, run, delta), delta, progress)
    upper, lower = bracket.decided(claimed)
    judgement = _judge(claimed, lower[1].lower, upper[1].upper)
    below = judgement is Judgement.BELOW_THE_TRUTH
    return CrossCheck(
        **about,
        stages=run.stages,
        samples=run.samples,
        max_batch_size=run.max_batch_size,
        lower=lower[1].lower_decimal(),
        upper=upper[1].upper_decimal(),
        judgement=judgement,
        within_rounding=below and Fraction(lower[1].lower_decimal()) <= claimed + last_digit(shown) / 2,
        reason=_reason(record, bracket, claimed) if below else None,
        assumptions=(
            *_about_batches(drawn, about["sampling_from"], record),
            *assumptions(run, [derive_step(run), upper[0], lower[0]]),
        ),
    )


def described_run(cross_check: CrossCheck) -> Run:
    """The run that a record describes, as a run file with the printed ε as its target: what a certificate is about.

    Raises:
        UsageError: no ε was given, or none holds; or more stages than a run file takes.
    """
    if cross_check.printed is None:
        raise UsageError("-o: a certificate has a target; give --epsilon, or write a run file")
    if not cross_check.stages:
        raise UsageError(f"-o: there is nothing to certify: {cross_check.reason}")
    first, *rest = (
        {
            "noise_multiplier": canonical(stage.noise_multiplier),
            "sample_rate": canonical(stage.sample_rate),
            "steps": stage.steps,
        }
        for stage in cross_check.stages
    )
    about = {"kind": "dp-sgd", "sampling": cross_check.sampling}
    about |= {
        key: getattr(cross_check, key) for key in ("samples", "max_batch_size") if getattr(cross_check, key) is not None
    }
    try:
        return read_run(
            {
                "mechanism": about | first,
                "stages": rest,
                "scaling": {"kind": "clip", "max_grad_norm": 1},  # the noise multiplier is relative to it
                "target": {"epsilon": cross_check.printed, "delta": cross_check.delta},
                "threat": {"neighbours": cross_check.neighbours},
            }
        )
    except UsageError as problem:
        raise UsageError(f"-o: {problem}") from None


def _text(value: Any) -> str:
    """A number's text, with the digits that it was given with."""
    if isinstance(value, float):  # numpy's double too
        return float.__repr__(value)
    return canonical(value) if isinstance(value, Fraction) else str(value).strip()


def _number(value: Any, option: str) -> Fraction:
    try:
        return exact(_text(value), option)
    except ValueError as problem:
        raise UsageError(str(problem)) from None


# --- the run, as it may have been ------------------------------------------------------------------------------------


def _mechanism(record: Record, sampling: Sampling, neighbours: str) -> ScaledSGD:
    """The run in a record, if batches were drawn so."""
    cut = record.max_batch_size is not None and sampling.can_be_cut
    stages = tuple(_drawn(stage, sampling) for stage in record.stages)
    samples = record.samples if cut else None
    if sampling.whole_batches:  # any size of which every batch is a whole part
        samples = math.lcm(*(stage.sample_rate.denominator for stage in stages))
    if sampling is FIXED:
        _check_epochs(stages)
    try:
        return ScaledSGD(
            Clip(1),
            stages,
            sampling=sampling.name,
            neighbours=neighbours,
            samples=samples,
            max_batch_size=record.max_batch_size if cut else None,
        )
    except InvalidMechanism as problem:
        raise UsageError(f"{'--' if problem.key == 'neighbours' else ''}{problem}") from None


def _for_lower(record: Record, run: ScaledSGD, delta: Fraction) -> ScaledSGD | None:
    """The run that the lower bound is of, where that of `run` itself might be above the truth: noise rounded up; and
    where batches are cut, a rate that is less by what a record may lose by that. T20 charges a stage at least
    2·steps·P[a cut], in all no more than δ: so q loses no more than δ/(2·steps). None: `run` itself."""
    if record.noisier is None and run.max_batch_size is None:
        return None
    stages = tuple(_drawn(stage, run.scheme) for stage in record.noisier or record.stages)
    if run.max_batch_size is not None:
        stages = tuple(
            replace(stage, sample_rate=max(Fraction(0), stage.sample_rate - delta / (2 * stage.steps)))
            for stage in stages
        )
    samples = run.samples if run.scheme.whole_batches else None
    return replace(run, stages=stages, samples=samples, max_batch_size=None)


def _drawn(stage: Stage, sampling: Sampling) -> Stage:
    """The stage with its rate as this way of drawing batches has it. Accountants write 1/l and b/n as doubles."""
    rate = stage.sample_rate
    if not sampling.needs_rate:
        return replace(stage, sample_rate=Fraction(1))
    if sampling.disjoint and rate:
        return replace(stage, sample_rate=_if_same_double(Fraction(1, max(1, round(1 / rate))), rate))
    if sampling.whole_batches:
        return replace(stage, sample_rate=_if_same_double(rate.limit_denominator(10**9), rate))
    return stage


def _if_same_double(simple: Fraction, rate: Fraction) -> Fraction:
    return simple if float(simple) == float(rate) else rate


def _check_epochs(stages: tuple[Stage, ...]) -> None:
    """Where a stage ends within an epoch, how often the worst record comes depends on where the next one goes on: the
    lower bound would be above the truth of a run that goes on where it was."""
    for i, stage in enumerate(stages[:-1], 1):
        if stage.sample_rate and stage.steps % math.floor(1 / stage.sample_rate):
            raise UsageError(
                f"--sampling: stage {i} of {len(stages)} ends within an epoch, {stage.steps} steps of "
                f"{math.floor(1 / stage.sample_rate)} batches each; with fixed batches every stage must be whole epochs"
            )


# --- ε, and what is said of the printed one --------------------------------------------------------------------------

_End = tuple[Derivation, Enclosure]


@dataclass(frozen=True)
class _Bracket:
    """for_lower: the run that the lower bound is of; None: `mechanism` itself."""

    mechanism: ScaledSGD
    for_lower: ScaledSGD | None
    delta: Fraction
    progress: Progress | None

    def ends(self, width: Fraction) -> tuple[_End, _End, bool]:
        """(upper, lower, whether a grid was needed)."""
        step = None if self.progress is None else lambda message: self.progress(message, 0, 0)
        with refusals():
            most = least = derive_training(self.mechanism, self.delta, width=width, progress=step)
            if self.for_lower is not None:
                least = derive_training(self.for_lower, self.delta, width=width, progress=step)
            return (most.upper, enclose(most.upper)), (least.lower, enclose(least.lower)), bool(most.points)

    def decided(self, claimed: Fraction | None) -> tuple[_End, _End]:
        """Both ends, made finer until the claimed ε lies outside, or a finer grid would not help."""
        width = WIDTH
        while True:
            upper, lower, on_a_grid = self.ends(width)
            judgement = _judge(claimed, lower[1].lower, upper[1].upper)
            if judgement is not Judgement.UNDECIDED or width <= MIN_WIDTH or not on_a_grid:
                return upper, lower
            width /= 10


def _judge(claimed: Fraction | None, lower: Fraction, upper: Fraction) -> Judgement:
    if claimed is None:
        return Judgement.NOT_GIVEN
    if claimed >= upper:
        return Judgement.HOLDS
    return Judgement.BELOW_THE_TRUTH if claimed < lower else Judgement.UNDECIDED


def _about_batches(sampling: Sampling, known_from: str, record: Record) -> tuple[Mapping[str, str], ...]:
    """The assumption about how batches were drawn, if the record does not say."""
    if known_from == "record":
        return ()
    if known_from == "given":
        stated = f"the record says {record.sampling}" if record.sampling else "the record does not say how"
        known = ", and the observer may know the order" if sampling.disjoint else ""
        text = f'batches were drawn with sampling = "{sampling.name}"{known}; {stated}'
    else:
        text = (
            "batches were drawn by Poisson sampling: the record does not say how, and it would be the same for a fixed "
            "order, which has no amplification; --sampling says it"
        )
    return ({"id": "record:sampling", "status": "attested", "text": text},)


def _reason(record: Record, bracket: _Bracket, claimed: Fraction) -> str | None:
    """Why a printed ε is below the truth: for which other run it would hold."""
    run = bracket.mechanism
    if not run.scheme.amplifies and sampling_of(record.sampling or POISSON.name) is POISSON:
        other = _mechanism(record, POISSON, POISSON.neighbours[0])
        if _holds(other, bracket, claimed):
            return f"it would hold for Poisson sampling, and batches were {run.scheme.words}"
    if replaces(run.neighbours):
        if run.scheme is POISSON:
            other = replace(run, neighbours="add-or-remove-one")
            why = "it would hold for a record that is added or removed; one that is replaced moves the sum twice as far"
        else:
            stages = tuple(replace(stage, noise_multiplier=2 * stage.noise_multiplier) for stage in run.stages)
            other = replace(run, stages=stages)
            why = (
                "it would hold if a replaced record moved the sum no further than one that is added or removed; it "
                "moves it twice as far, and dp_accounting's Rényi accountant leaves that out at REPLACE_ONE"
            )
        if _holds(other, bracket, claimed):
            return why
    if record.accountant == "gdp":
        return "Opacus' gdp accountant prints a central-limit approximation, which is not a bound"
    return None


def _holds(mechanism: ScaledSGD, bracket: _Bracket, claimed: Fraction) -> bool:
    """Whether an ε is not refuted for another run."""
    other = replace(bracket, mechanism=mechanism, for_lower=None)
    return claimed >= other.ends(WIDTH)[1][1].lower
