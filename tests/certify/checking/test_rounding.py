"""The checker on what a run is executed in: whether its noise is above rounding."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from certify import certify, checker
from certify.trust.certificate import write_certificate
from tests.certify.runs import constants, tables

FLOATS = {"float64": np.float64, "float32": np.float32}


@given(st.sampled_from(sorted(FLOATS)), st.floats(2.0**-148, 2.0**127))
@example("float64", 1.0)
@example("float32", math.nextafter(2.0, 0.0))
@example("float32", 2.0**-148)
def test_a_unit_in_the_last_place_is_that_of_the_machine(dtype: str, value: float) -> None:
    """Of what is no float of that type: the one below it."""
    kind = FLOATS[dtype]
    below = kind(value) if float(kind(value)) <= value else np.nextafter(kind(value), kind(0))
    assert checker.unit_in_the_last_place(Fraction(value), dtype) == Fraction(float(np.spacing(below)))


def executed(noise_std: str, **execution: object) -> dict:
    """A run that forgets fast: certified at noise_std = 1.15e-18, which is no noise at all in float64."""
    mechanism = {"samples": 4, "batch_size": 4, "epochs": 9, "unlearning_epochs": 90, "step_size": "1/L",
                 "noise_std": noise_std}  # fmt: skip
    target = {"epsilon": 1, "delta": "0.00001"}
    made = tables(mechanism=mechanism, loss=constants(1, Decimal("0.5")), target=target)
    return made | ({"execution": execution} if execution else {})


@pytest.mark.parametrize(
    ("noise_std", "dtype", "code"),
    [("1.15e-18", None, 0), ("1.15e-18", "float64", 3), ("1e-6", "float64", 0), ("1e-6", "float32", 3)],
)
def test_noise_below_one_ulp(noise_std: str, dtype: str | None, code: int, tmp_path: Path) -> None:
    execution = {"dtype": dtype, "dimension": 1, "largest_coordinate": 1} if dtype else {}
    result = certify(executed(noise_std, **execution))
    report = checker.verify(write_certificate(result, tmp_path).read_bytes())
    assert report.exit_code == code == result.exit_code
    status = {name: status for name, status, _ in report.assumptions}.get("noise_above_rounding")
    assert status == (None if dtype is None else "violated" if code else "proved")
    assert ("its noise is not above rounding" in report.claim) == (code == 3)


@given(
    st.sampled_from(sorted(FLOATS)), st.integers(1, 10**6), st.integers(-300, 300), st.integers(-30, 3),
    st.integers(1, 4), st.integers(0, 1),
)  # fmt: skip
def test_both_sides_agree(dtype: str, dimension: int, exponent: int, noise: int, requests: int, every: int) -> None:
    """The accountant's status is the checker's, at every size of coordinate and noise."""
    largest = Fraction(10) ** (exponent // (1 if dtype == "float64" else 10)) * 3
    made = executed(f"1e{noise}", dtype=dtype, dimension=dimension, largest_coordinate=largest)
    made["mechanism"] |= {"unlearning_epochs": [2] * requests, "epochs": 2}
    made |= {"requests": {"sizes": [1] * requests}, "threat": {"release": "all" if every else "final"}}
    from certify.results.floor import status_of
    from certify.runfile.read import read_run

    run = read_run(made)
    assert checker.read_run(dict(run.canonical)).rounding == status_of(run)


def test_the_last_steps_own_rounding_is_charged_beside_what_the_earlier_ones_left() -> None:
    """c = 1/2: half of the charge is the last step's own. Noise that covers either half alone is not above rounding."""
    from certify.results.floor import status_of
    from certify.runfile.read import read_run

    execution = {"dtype": "float64", "dimension": 1, "largest_coordinate": 1}
    allowed = 0.26807  # the μ at which ε = 1 is met with δ = 1e-5, about
    ulp, c = 2.0**-52, 0.5
    whole = 100 * 2 * 4 * ulp / ((1 - c) * allowed) / math.sqrt(2)  # σ of τ² = 2ησ², η = 1
    for share, status in ((0.6, "violated"), (0.99, "violated"), (1.02, "proved")):
        run = read_run(executed(f"{share * whole:.6e}", **execution))
        assert checker.read_run(dict(run.canonical)).rounding == status_of(run) == status
