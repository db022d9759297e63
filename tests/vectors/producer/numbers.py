"""Numbers as certificates spell them, with 80 digits behind them."""

from __future__ import annotations

import hashlib
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import Any

import mpmath as mp

# fmt: off

ORDERS = ("1.5", "2", "8", "64")
Json = Any
mp.mp.dps = 80


def exact(value: Fraction | int | str) -> str:
    """The canonical spelling of an exact number."""
    value = Fraction(value)
    for places in range(401):
        if (value * 10**places).denominator == 1:
            digits = str(value * 10**places).rjust(places + 1, "0")
            return digits if places == 0 else f"{digits[:-places]}.{digits[-places:]}"
    return str(value)


def real(value: Fraction) -> mp.mpf:
    return mp.mpf(value.numerator) / value.denominator


def outward(value: mp.mpf, up: bool) -> str:
    """Twelve significant digits, strictly above or below the value."""
    if value <= 0:
        return "0"
    wide = Decimal(mp.nstr(value, 60, strip_zeros=False))
    context = Context(prec=12, rounding=ROUND_CEILING if up else ROUND_FLOOR)
    shown = context.plus(wide)
    if abs(shown - wide) < wide * Decimal("1e-50"):  # the value may be this very decimal
        shown = context.next_plus(shown) if up else context.next_minus(shown)
    return str(shown).replace("E", "e").replace("e+", "e")


def lower_by_a_digit(text: str) -> str:
    """The next decimal of twelve digits below: just on the wrong side."""
    return str(Context(prec=12).next_minus(Decimal(text))).replace("E", "e")


def hexed(what: str) -> str:
    return hashlib.sha256(what.encode()).hexdigest()


def eighteen(value: mp.mpf) -> Fraction:
    """The least decimal of eighteen significant digits that is not below an irrational number."""
    places = 17 - int(mp.floor(mp.log10(value)))
    return Fraction(int(mp.ceil(value * mp.mpf(10) ** places))) / Fraction(10) ** places
