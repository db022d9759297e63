"""The picture of the maps shows their numbers, and is the same file every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from accountant.core.scaling import AutoS, Clip, Psac, Psasc
from certify.pictures.scaling import DEFAULT, draw_scaling, scaling_curves
from certify.results.scaling_section import label
from tests.oracles import scaling as oracle


@pytest.mark.parametrize("scaling", DEFAULT, ids=str)
def test_the_curves_are_the_maps(scaling) -> None:
    kind, *values = scaling.arguments().values()
    given = [None if v is None else float(v) for v in values]
    x = np.geomspace(1e-3, 100, 40)
    weights, norms = scaling_curves(scaling, x)
    assert weights == pytest.approx([oracle.weight(kind, float(v), *given) for v in x], rel=1e-12)
    assert norms == pytest.approx(weights * x, rel=1e-15)


@pytest.mark.parametrize("suffix", ["svg", *(pytest.param(other, marks=pytest.mark.slow) for other in ("png", "pdf"))])
def test_the_same_maps_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    first, second = (draw_scaling(tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
    assert first == second and len(first) > 10_000
    other = draw_scaling(tmp_path / f"three.{suffix}", [Psac(1, 2)]).read_bytes()
    assert other != first


def test_axes_have_names_and_units(tmp_path: Path) -> None:
    text = draw_scaling(tmp_path / "maps.svg").read_text(encoding="utf-8")
    for words in ("weight w(x) (no unit)", "gradient (gradient units)", "norm of the scaled gradient",
                  *(label(m) for m in DEFAULT)):  # fmt: skip
        assert f"<!-- {words}" in text or words in text, words


def test_labels_name_the_parameters() -> None:
    assert label(Clip("0.5")) == "clipping, C = 0.5"
    assert label(AutoS(1, "1/3")) == "AUTO-S, C = 1, r = 1/3"
    assert label(Psasc(1, 2, 3)) == "DP-PSASC, C = 1, r = 2, s = 3"
