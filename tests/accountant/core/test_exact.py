"""Exact numbers in and out: what is read, what is refused, and decimals rounded outward."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accountant.core.exact import Rounding, canonical, decimal, exact, outward, round_decimal


@given(st.fractions())
def test_the_canonical_form_reads_back(value) -> None:
    assert exact(canonical(value)) == value
    assert "e" not in canonical(value).lower()


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=20))
def test_decimals_and_strings_mean_the_same(value) -> None:
    assert exact(value) == exact(str(value)) == F(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.1", F(1, 10)), ("1e-5", F(1, 10**5)), ("22/7", F(22, 7)), ("-3", F(-3)), (".5", F(1, 2)), (" 2. ", F(2))],
)
def test_what_is_read(text: str, value: F) -> None:
    assert exact(text) == value


@pytest.mark.parametrize("value", [1, F(1, 3), Decimal("0.1")])
def test_exact_types(value) -> None:
    assert exact(value) == F(value)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "", "1_000", "0x10", "1/0", "1/-2", "1 2", "1e99999", "٣"])
def test_what_is_no_number(text: str) -> None:
    if text == "٣":  # a digit of another script is a digit to \d; it must at least mean what it says
        assert exact(text) == 3
        return
    with pytest.raises(ValueError, match="value"):
        exact(text)


def test_absurd_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="characters"):
        exact("1" * 401)
    with pytest.raises(ValueError, match="exponent"):
        exact("1e-401")
    assert exact("1e400") == 10**400


@pytest.mark.parametrize("special", [Decimal("NaN"), Decimal("Infinity"), Decimal("sNaN")])
def test_decimals_that_are_no_numbers(special) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        exact(special)


def test_floats_are_refused_with_what_to_write() -> None:
    with pytest.raises(TypeError, match=r'noise_std: a float is not exact; write the decimal string "0.1" or a Frac'):
        exact(0.1, "noise_std")
    for value in (math.nan, 1.0):
        with pytest.raises(TypeError):
            exact(value)
    for value in (True, None, [1], 1j):
        with pytest.raises(TypeError, match="a number is needed"):
            exact(value)


@given(st.fractions(), st.integers(1, 20))
def test_rounding_is_outward_and_close(value, digits) -> None:
    above, below = round_decimal(value, digits, Rounding.UP), round_decimal(value, digits, Rounding.DOWN)
    assert below <= value <= above
    assert above - below <= abs(value) * F(10) ** (1 - digits)
    assert round_decimal(above, digits, Rounding.UP) == above and round_decimal(below, digits, Rounding.DOWN) == below


@given(st.fractions(), st.integers(1, 18))
def test_printed_decimals_are_strictly_outside(value, digits) -> None:
    above, below = F(outward(value, Rounding.UP, digits=digits)), F(outward(value, Rounding.DOWN, digits=digits))
    if value == 0:
        assert above == below == 0
        return
    assert below < value < above
    room = abs(value) / 10 ** (digits + 3)
    assert above - value >= room and value - below >= room
    assert above - below <= 4 * abs(value) * F(10) ** (1 - digits)


@pytest.mark.parametrize("exponent", [-401, -5_000, -100_000, 5_000])
def test_absurd_magnitudes_are_printed(exponent: int) -> None:
    """Beyond the 4300 digits at which Python refuses to print an integer."""
    for value in (F(10) ** exponent, -F(7) / 3 * F(10) ** exponent):
        above, below = outward(value, Rounding.UP), outward(value, Rounding.DOWN)
        if exponent < 0:
            assert (above, below) == (("1e-400", "0") if value > 0 else ("0", "-1e-400"))
        else:
            assert above.endswith("e5000") and F(below) < value < F(above)


@given(st.integers(-(10**12), 10**12), st.integers(-40, 40))
def test_decimal_reads_back(mantissa, exponent) -> None:
    value = mantissa * F(10) ** exponent
    assert F(decimal(value, 12)) == value


def test_how_decimals_look() -> None:
    assert decimal(F("0.0000123")) == "0.0000123"
    assert decimal(F("1.5e-11")) == "1.5e-11"
    assert decimal(F(10) ** 20) == "1e20"
    assert outward(F(1, 3), Rounding.UP) == "0.333333333334" and outward(F(1, 3), Rounding.DOWN) == "0.333333333333"
    assert outward(F(1), Rounding.UP) == "1.00000000001" and outward(F(1), Rounding.DOWN) == "0.99999999999"
    assert canonical(F(-1, 8)) == "-0.125" and canonical(F(2, 6)) == "1/3" and canonical(7) == "7"
