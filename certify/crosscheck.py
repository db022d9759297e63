"""Check what others computed: is the ε that another accountant prints above the truth, how loose is it, or below?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

from accountant import enclose
from accountant.derive_training import WIDTH, derive_training
from accountant.exact import canonical
from accountant.mechanisms import InvalidMechanism
from accountant.scaled_sgd import NEIGHBOURS, ScaledSGD, Stage
from accountant.scaling import Clip
from certify.claims import refusals
from certify.errors import Exit, UsageError
from certify.outcome import Progress
from certify.peers import read_stages

FINEST = Fraction(1, 100_000)


class Judgement(StrEnum):
    """What became of a printed ε."""

    HOLDS = "HOLDS"
    BELOW_THE_TRUTH = "BELOW_THE_TRUTH"
    UNDECIDED = "UNDECIDED"
    NOT_GIVEN = "NOT_GIVEN"


EXIT_OF = {
    Judgement.HOLDS: Exit.OK,
    Judgement.BELOW_THE_TRUTH: Exit.NOT_CERTIFIED,
    Judgement.UNDECIDED: Exit.INDETERMINATE,
    Judgement.NOT_GIVEN: Exit.OK,
}


@dataclass(frozen=True)
class CrossCheck:
    """The truth lies in [lower, upper] (decimals rounded outward); `printed` is what another accountant said."""

    written_by: str
    stages: tuple[Stage, ...]
    sampling: str
    neighbours: str
    delta: str
    lower: str
    upper: str
    printed: str | None
    judgement: Judgement

    @property
    def exit_code(self) -> Exit:
        return EXIT_OF[self.judgement]

    @property
    def looseness(self) -> tuple[float, float] | None:
        """By which factor, at least and at most, the printed ε exceeds the truth."""
        if self.printed is None or not float(self.lower):
            return None
        printed = float(Fraction(self.printed))
        return max(1.0, printed / float(self.upper)), printed / float(self.lower)

    def as_json(self) -> dict[str, Any]:
        return {
            "from": self.written_by,
            "stages": [
                {
                    "noise_multiplier": canonical(stage.noise_multiplier),
                    "sample_rate": canonical(stage.sample_rate),
                    "steps": stage.steps,
                }
                for stage in self.stages
            ],
            "sampling": self.sampling,
            "neighbours": self.neighbours,
            "delta": self.delta,
            "epsilon": {"lower": self.lower, "upper": self.upper, "printed": self.printed},
            "judgement": str(self.judgement),
        }

    def _loose(self) -> str:
        if self.looseness is None:
            return ""
        least, most = (f"{100 * (factor - 1):.3g}" for factor in self.looseness)
        return f", by {least} to {most} %" if least != most else f", by {most} %"

    def text(self) -> str:
        steps = sum(stage.steps for stage in self.stages)
        lines = [
            f"{steps} step{'s' * (steps != 1)}, {self.sampling} batches, {self.neighbours}; "
            f"read from {self.written_by}",
            f"the least ε that holds at δ = {self.delta} lies in [{self.lower}, {self.upper}]",
        ]
        if self.judgement is Judgement.HOLDS:
            lines.append(f"HOLDS: the printed ε = {self.printed} is above the truth{self._loose()}")
        elif self.judgement is Judgement.BELOW_THE_TRUTH:
            lines.append(f"BELOW THE TRUTH: no bound ε = {self.printed} holds; it is at least {self.lower}")
        elif self.judgement is Judgement.UNDECIDED:
            lines.append(f"UNDECIDED: the printed ε = {self.printed} lies in that interval")
        return "\n".join(lines)


def crosscheck(
    path: str | Path,
    *,
    written_by: str,
    delta: Fraction,
    printed: Fraction | None = None,
    progress: Progress | None = None,
) -> CrossCheck:
    """Bracket ε of the run in another accountant's record, and judge the ε that it printed.

    Args:
        written_by: "opacus", "dp-accounting" or "triples".
        printed: that ε; the bracket is made finer until it lies outside, down to a width of 1e-5, or memory ends.
        progress: called as progress(what, 0, 0) before each long computation.

    Raises:
        UsageError: unreadable, or a δ or ε out of range.
    """
    if not 0 < delta < 1:
        raise UsageError(f"--delta: {canonical(delta)} must lie strictly between 0 and 1")
    if printed is not None and printed < 0:
        raise UsageError(f"--epsilon: {canonical(printed)} must be at least 0")
    stages, sampling = read_stages(path, written_by)
    samples = None
    if sampling == "without-replacement":  # any size of which every batch is a whole part
        samples = math.lcm(*(stage.sample_rate.denominator for stage in stages))
    try:
        mechanism = ScaledSGD(Clip(1), stages, sampling=sampling, samples=samples)
    except InvalidMechanism as problem:
        raise UsageError(f"{path}: {problem}") from None
    told = None if progress is None else lambda what: progress(what, 0, 0)
    width = WIDTH
    while True:
        with refusals():
            found = derive_training(mechanism, delta, width=width, progress=told)
            lower, upper = enclose(found.lower), enclose(found.upper)
        judgement = _judge(printed, lower.lower, upper.upper)
        if judgement is not Judgement.UNDECIDED or width <= FINEST or not found.points:
            break
        width /= 10
    return CrossCheck(
        written_by=written_by,
        stages=stages,
        sampling=mechanism.sampling,
        neighbours=NEIGHBOURS[mechanism.sampling][0],
        delta=canonical(delta),
        lower=lower.below(),
        upper=upper.above(),
        printed=None if printed is None else canonical(printed),
        judgement=judgement,
    )


def _judge(printed: Fraction | None, lower: Fraction, upper: Fraction) -> Judgement:
    if printed is None:
        return Judgement.NOT_GIVEN
    if printed >= upper:
        return Judgement.HOLDS
    return Judgement.BELOW_THE_TRUTH if printed < lower else Judgement.UNDECIDED
