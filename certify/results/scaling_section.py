"""What `explain` says about a run's scaling map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accountant import NoisySGD, ScaledSGD
from accountant.core.exact import canonical
from accountant.core.scaling import Scaling
from accountant.explain.scaling_facts import describe
from accountant.losses import ScaledLoss

_NAMES = {"clip": "clipping", "auto-s": "AUTO-S", "psac": "DP-PSAC", "psasc": "DP-PSASC"}


def label(scaling: Scaling) -> str:
    """The map's name and parameters, for a title or a legend."""
    names = zip(("C", "r", "s"), tuple(scaling.arguments().values())[1:], strict=True)
    return f"{_NAMES[scaling.kind]}, " + ", ".join(f"{n} = {canonical(v)}" for n, v in names if v is not None)


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
        described = describe(self.scaling)
        facts = [
            {"name": f.name, "meaning": f.meaning, "text": f.text, "latex": f.latex, "value": str(f.value)}
            for f in described.facts
        ]
        about = {"kind": described.kind, "attained": described.attained, "monotone": described.monotone}
        return {"scaling": about | {"facts": facts}}
