"""What a cross-check found, as a value: an interval of the truth, and what became of the ε that was printed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from accountant.core.display import facts, page, table
from accountant.core.exact import Rounding, canonical, decimal, exact, outward, round_decimal
from accountant.mechanisms.dpsgd import Stage
from certify.errors import Exit


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


_MAX_DOUBLE = Fraction(10**300)  # that becomes a double


@dataclass(frozen=True)
class CrossCheck:
    """The truth lies in [lower, upper] (decimals rounded outward; None where no ε holds at all); `printed` is what
    another accountant said, as it was given.

    rows: how many rows, history entries or noisy events the record has; `stages` has equal neighbours as one.
    sampling_from: "record", "given" or "assumed". within_rounding: whether a printed ε that is below the truth is the
    rounding of a number that is not. reason: why it is below, where that is known.
    """

    written_by: str
    rows: int
    stages: tuple[Stage, ...]
    sampling: str
    sampling_from: str
    neighbours: str
    delta: str
    lower: str | None
    upper: str | None
    printed: str | None
    judgement: Judgement
    samples: int | None = None
    max_batch_size: int | None = None
    within_rounding: bool = False
    reason: str | None = None
    assumptions: tuple[Mapping[str, str], ...] = ()

    @property
    def exit_code(self) -> Exit:
        if self.lower is None:  # no ε holds, whether one was printed or not
            return Exit.NOT_CERTIFIED
        return EXIT_OF[self.judgement]

    @property
    def looseness(self) -> tuple[float, float] | None:
        """By which factor, at least and at most, the printed ε exceeds the truth."""
        factors = self._factors()
        if factors is None:
            return None
        least, most = (float(min(factor, _MAX_DOUBLE)) for factor in factors)
        return max(1.0, least), most

    def _factors(self) -> tuple[Fraction, Fraction] | None:
        if self.printed is None or self.lower is None or not Fraction(self.lower):
            return None
        printed = exact(self.printed)
        return printed / Fraction(self.upper), printed / Fraction(self.lower)

    @property
    def below_by(self) -> str | None:
        """How much a printed ε that is below the truth is below it, at least: a decimal rounded down."""
        if self.judgement is not Judgement.BELOW_THE_TRUTH or self.lower is None:
            return None
        return outward(Fraction(self.lower) - exact(self.printed), Rounding.DOWN)

    def _repr_html_(self) -> str:
        about = {"truth": f"[{self.lower}, {self.upper}]", "printed": self.printed, "δ": self.delta, "why": self.reason}
        return page(str(self.judgement), facts(about), table("Assumptions", self.assumptions))

    def as_json(self) -> dict[str, Any]:
        return {
            "from": self.written_by,
            "rows": self.rows,
            "stages": [
                {
                    "noise_multiplier": canonical(stage.noise_multiplier),
                    "sample_rate": canonical(stage.sample_rate),
                    "steps": stage.steps,
                }
                for stage in self.stages
            ],
            "sampling": self.sampling,
            "sampling_from": self.sampling_from,
            "samples": self.samples,
            "max_batch_size": self.max_batch_size,
            "neighbours": self.neighbours,
            "delta": self.delta,
            "epsilon": {"lower": self.lower, "upper": self.upper, "printed": self.printed},
            "judgement": str(self.judgement),
            "below_by": self.below_by,
            "within_rounding": self.within_rounding,
            "reason": self.reason,
            "assumptions": [dict(assumption) for assumption in self.assumptions],
        }

    def text(self) -> str:
        """For people; the judgement is the last line."""
        steps = sum(stage.steps for stage in self.stages)
        rows = "row" if self.written_by != "dp-accounting" else "noisy event"
        lines = [
            f"{steps} step{'s' * (steps != 1)}, {self.sampling} batches, {self.neighbours}; "
            f"read from {self.rows} {rows}{'s' * (self.rows != 1)} of {self.written_by}"
        ]
        lines += [f"{self.sampling_from}: {a['text']}" for a in self.assumptions if a["id"] == "record:sampling"]
        if others := [a["id"] for a in self.assumptions if a["id"] != "record:sampling"]:
            lines.append(f"rests on (attested): {', '.join(others)}")
        if self.lower is None:
            printed = "" if self.printed is None else f"ε = {self.printed} does not hold: "
            return "\n".join([*lines, f"BELOW THE TRUTH: {printed}{self.reason}"])
        lines.append(f"the least ε that holds at δ = {self.delta} lies in [{self.lower}, {self.upper}]")
        if self.judgement is Judgement.HOLDS:
            lines.append(f"HOLDS: the printed ε = {self.printed} is above the truth{self._loose()}")
        elif self.judgement is Judgement.BELOW_THE_TRUTH:
            lines.append(f"BELOW THE TRUTH: no bound ε = {self.printed} holds; {self._below()}")
        elif self.judgement is Judgement.UNDECIDED:
            lines.append(f"UNDECIDED: the printed ε = {self.printed} lies in that interval")
        return "\n".join(lines)

    def _loose(self) -> str:
        factors = self._factors()
        if factors is None:
            return ""
        least, most = (
            _percent(max(factor, Fraction(1)) - 1, Rounding.UP if i == 1 else Rounding.DOWN)
            for i, factor in enumerate(factors)
        )
        return f", by {least} to {most} %" if least != most else f", by {most} %"

    def _below(self) -> str:
        printed, lower = exact(self.printed), Fraction(self.lower)
        short = f"it is at least {self.lower}, which is {self.below_by} more"
        if printed:
            short += f" ({_percent(lower / printed - 1, Rounding.DOWN)} %)"
        if self.within_rounding:
            short += ", within the rounding of its last digit"
        return short if self.reason is None else f"{short}; {self.reason}"


def _percent(part: Fraction, rounding: Rounding) -> str:
    return decimal(round_decimal(100 * part, 3, rounding), 3)


def last_digit(text: str) -> Fraction:
    """What one unit of a decimal's last digit is worth; 0 of a ratio, which is exact."""
    match = re.fullmatch(r"[+-]?\d*(?:\.(\d*))?(?:[eE]([+-]?\d+))?", text)
    return Fraction(10) ** (int(match[2] or 0) - len(match[1] or "")) if match else Fraction(0)
