"""The pictures show the numbers: the drawn string is T3's, the drawn noise is what the bounds need."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from accountant import ConstantLoss, NoisySGD, derive, derive_timeline, enclose, evaluate
from accountant.core.arithmetic import Float
from accountant.pnsgd.search.string import outline
from certify import UsageError, calibrate, read_run
from certify.pictures.draw import draw_noise, draw_string, noise_curves

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
LOSS = ConstantLoss("0.261264", "0.011264", 1)


@pytest.mark.parametrize("unlearning_epochs", [0, 3])
def test_the_drawn_string_has_the_bounds_energy_and_stays_below_the_stairs(unlearning_epochs: int) -> None:
    mechanism = NoisySGD(
        samples=11264, batch_size=2816, epochs=12, noise_std="0.01", loss=LOSS, unlearning_epochs=unlearning_epochs
    )
    derivation = derive(mechanism)
    drawn = outline(Float(), evaluate(derive_timeline(mechanism), Float()), dict(derivation.arguments)["corners"])
    v, d = np.array(drawn.string, dtype=float).T
    assert np.sqrt(np.sum(np.diff(d) ** 2 / np.diff(v))) == pytest.approx(float(enclose(derivation).upper), rel=1e-9)
    stairs_v, stairs_d = np.array(drawn.staircase, dtype=float).T
    assert np.all(np.interp(stairs_v, v, d) <= stairs_d + 1e-12)
    assert len(stairs_v) == 1 + 4 * (12 + unlearning_epochs)


def test_pictures_are_written(tmp_path: Path) -> None:
    mechanism = NoisySGD(samples=4, batch_size=1, epochs=3, noise_std=1, loss=LOSS)
    assert draw_string([("one", mechanism)], tmp_path / "string.png").read_bytes()[:4] == b"\x89PNG"
    assert (
        draw_noise(read_run(EXAMPLES / "mnist.toml"), tmp_path / "noise.svg", points=3).read_text().count("<svg") == 1
    )


def test_a_run_too_long_to_draw_is_refused(tmp_path: Path) -> None:
    long = NoisySGD(samples=4, batch_size=1, epochs=10**6, noise_std=1, loss=LOSS)
    with pytest.raises(UsageError, match="at most 20000"):
        draw_string([("long", long)], tmp_path / "string.png")
    assert not (tmp_path / "string.png").exists()


def test_the_noise_curves_are_what_calibrate_finds() -> None:
    run = read_run(EXAMPLES / "mnist.toml")
    curves = noise_curves(run, np.array([0.5, 1.0]))
    found = float(Fraction(calibrate(EXAMPLES / "mnist.toml").value))
    assert curves["Plumbline (taut string)"][1] == pytest.approx(found, rel=1e-8)
    finite, converged, alone, ours, lower = curves.values()
    assert np.all(lower <= ours * (1 + 1e-12)) and np.all(ours <= alone)
    assert np.all(alone < converged) and np.all(converged < finite)
