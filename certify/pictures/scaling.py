"""A picture of the four scaling maps: what a gradient weighs, and how long it is afterwards. Needs matplotlib (the
extra `report`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from accountant.core.arithmetic import Exact, Float
from accountant.core.kernel import evaluate
from accountant.core.scaling import AutoS, Clip, Psac, Psasc, Scaling
from accountant.dpsgd.sensitivity import derive_sensitivity
from certify.pictures.draw import _pyplot, save_figure
from certify.results.scaling_section import label

# Okabe and Ito's colours, as in `pictures`; line styles tell the maps apart in grey.
_STYLES = {
    "clip": ("#000000", "-"),
    "auto-s": ("#E69F00", "-."),
    "psac": ("#0072B2", (0, (6, 3))),
    "psasc": ("#D55E00", "-"),
}
DEFAULT: tuple[Scaling, ...] = (Clip(1), AutoS(1, "0.1"), Psac(1, "0.1"), Psasc(1, "0.1", "0.5"))
POINTS = 801


def scaling_curves(scaling: Scaling, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """w(x) and φ(x) at these norms, by the body that the theorems run."""
    return scaling.weight(Float(), x), scaling.scaled_norm(Float(), x)


def draw_scaling(
    path: str | Path, maps: Sequence[Scaling] = DEFAULT, *, least: float = 1e-3, most: float = 100
) -> Path:
    """w(x) and x·w(x) of these maps against the gradient's norm, side by side, written to `path` (png, svg or pdf).

    The same maps give the same bytes, whenever it is drawn. Dotted: the sensitivity Δ of each map.

    Raises:
        UsageError: matplotlib is missing.
    """
    plt = _pyplot()
    x = np.geomspace(least, most, POINTS)
    with plt.rc_context({"svg.hashsalt": "scaling"}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(12.8, 4.8))
        for scaling in maps:
            colour, style = _STYLES[scaling.kind]
            for axes, values in zip((left, right), scaling_curves(scaling, x), strict=True):
                axes.loglog(x, values, color=colour, ls=style, lw=2, label=label(scaling))
            limit = float(evaluate(derive_sensitivity(scaling), Exact()).norm)
            right.axhline(limit, color=colour, ls=":", lw=1)
        left.set_title("weight w(x)", loc="left", fontsize=11)
        left.set_ylabel("weight w(x) (no unit)")
        right.set_title("norm after scaling φ(x) = x·w(x); dotted: its supremum Δ", loc="left", fontsize=11)
        right.set_ylabel("norm of the scaled gradient x·w(x) (gradient units)")
        for axes in (left, right):
            axes.set_xlabel("norm x of one record's gradient (gradient units)")
            axes.set_xlim(least, most)
            axes.grid(True, which="both", lw=0.3, alpha=0.5)
            axes.spines[["top", "right"]].set_visible(False)
        left.legend(frameon=False, fontsize=9, loc="lower left")
        figure.tight_layout()
        return save_figure(figure, path)
