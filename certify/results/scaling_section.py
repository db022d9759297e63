"""What `explain` says and draws about a run's scaling map, or about its taut string where it has no map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accountant import NoisySGD, ScaledSGD
from accountant.core.scaling import Scaling
from accountant.explain.scaling_facts import describe
from accountant.losses import ScaledLoss
from certify.errors import UsageError
from certify.files import make_directory
from certify.pictures.draw import draw_string
from certify.pictures.scaling import draw_scaling, label
from certify.results.claims import Claim
from certify.results.result import Result


def scaling_of(mechanism: NoisySGD | ScaledSGD) -> Scaling | None:
    """The map that scales each record's gradient; None where there is none."""
    if isinstance(mechanism, ScaledSGD):
        return mechanism.scaling
    return mechanism.loss.scaling if isinstance(mechanism.loss, ScaledLoss) else None


@dataclass(frozen=True)
class ScalingSection:
    """The map's weight, norm, sensitivity and critical points, as formulas."""

    scaling: Scaling

    def text(self) -> str:
        """The section, for people."""
        facts = describe(self.scaling).text.splitlines()
        return "\n".join([f"Scaling: {label(self.scaling)}", *(f"  {line}" for line in facts)])

    def latex(self) -> str:
        """A LaTeX align environment, one line for each fact."""
        return describe(self.scaling).latex

    def as_json(self) -> dict[str, Any]:
        """Key `scaling`; a fact's value is its formula with the parameters put in."""
        made = describe(self.scaling)
        facts = [
            {"name": f.name, "meaning": f.meaning, "text": f.text, "latex": f.latex, "value": str(f.value)}
            for f in made.facts
        ]
        about = {"kind": made.kind, "attained": made.attained, "monotone": made.monotone}
        return {"scaling": about | {"facts": facts}}


def draw(result: Result, claim: Claim, directory: Path) -> Path:
    """Write the run's picture: scaling.png where a map scales the gradients, else string.png. Returns its path.

    Raises:
        UsageError: matplotlib is missing; or a run without a map whose bound is not one string from start to end.
    """
    scaling = scaling_of(result.run.mechanism)
    if scaling is None and (claim.bound.theorem.id != "T3" or len(result.claims) > 1):
        raise UsageError(
            f"-o: there is no picture of this run: it has no [scaling], and its bound ({claim.bound.theorem.id}, "
            f"{len(result.claims)} requests) is not one taut string; leave -o out"
        )
    make_directory(directory)
    if scaling is not None:
        return draw_scaling(directory / "scaling.png", [scaling])
    return draw_string([("taut string", result.run.mechanism)], directory / "string.png")
