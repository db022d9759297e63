"""Axes of a chart: scales, ticks, lines cut off at the frame, and the SVG elements that they are drawn with.

The SVG has presentation attributes alone (a strict content-security policy blocks style), and no colour of its own:
`currentColor`, and custom properties of the page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from itertools import pairwise

FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, Noto Sans, sans-serif"
LABEL, SMALL = 14, 13  # font sizes, in units of the view box
INK, QUIET, RULE, PAPER = "currentColor", "var(--quiet)", "var(--rule)", "var(--paper)"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MAX_TICKS = 9
_PARTS = 24  # of a segment, at the edge of an area
NOTHING = -math.inf  # log of 0

Point = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """From numbers (on a logarithmic axis their decimal logarithms) to places between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * share

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def of(self, number: Fraction) -> float:
        """What this axis shows of a number: itself or its logarithm."""
        return logarithm(number) if self.log else float(number)


def logarithm(number: Fraction) -> float:
    """log10 of a number of any size, at least 0."""
    if number <= 0:
        return NOTHING
    return math.log10(number.numerator) - math.log10(number.denominator)


# --- ticks ------------------------------------------------------------------------------------------------------------


def ticks(scale: Scale, *, whole: bool = False, most: int = _MAX_TICKS) -> list[tuple[float, str]]:
    """Where an axis has ticks, and what they say. whole: integers alone."""
    return _log_ticks(scale, whole, most) if scale.log else _linear_ticks(scale, whole, most)


def _linear_ticks(scale: Scale, whole: bool, most: int) -> list[tuple[float, str]]:
    rough = (scale.high - scale.low) / most
    exponent = math.floor(math.log10(rough))
    step = next(Fraction(m) * Fraction(10) ** exponent for m in (1, 2, 5, 10) if m * 10.0**exponent >= rough)
    step = max(Fraction(1), step) if whole else step
    first, last = math.ceil(scale.low / step), math.floor(scale.high / step)
    return [(float(i * step), plain(i * step)) for i in range(first, last + 1)]


def _log_ticks(scale: Scale, whole: bool, most: int) -> list[tuple[float, str]]:
    low, high = math.ceil(scale.low - 1e-9), math.floor(scale.high + 1e-9)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [
            (exponent + math.log10(digit), power(digit, exponent))
            for exponent in range(low - 1, high + 1)
            for digit in digits
            if scale.low - 1e-9 <= exponent + math.log10(digit) <= scale.high + 1e-9 and not (whole and exponent < 0)
        ]
        if len(ticks) <= most:
            return ticks
    return ticks[:: -(-len(ticks) // most)]


def plain(value: Fraction) -> str:
    """A short decimal as people write it."""
    size = logarithm(abs(value)) if value else 0.0
    if not -5 < size < 6:
        exponent = math.floor(size + 1e-9)
        digit = f"{float(value / Fraction(10) ** exponent):g}"
        return f"{'' if digit == '1' else digit + '·'}10{str(exponent).translate(_SUPERSCRIPT)}"
    places = max(0, math.ceil(-size) + 2)
    text = f"{float(value):.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def power(digit: int, exponent: int) -> str:
    """digit·10^exponent: a decimal near 1, else as a power."""
    if -3 <= exponent <= 5:
        return plain(digit * Fraction(10) ** exponent)
    return f"{'' if digit == 1 else f'{digit}·'}10{str(exponent).translate(_SUPERSCRIPT)}"


# --- lines ------------------------------------------------------------------------------------------------------------


def trace(points: Iterable[tuple[float, float] | None], x: Scale, y: Scale) -> str:
    """Path data of the line through the points, as far as it lies in the frame; broken at None."""
    parts: list[str] = []
    before, pen = None, None
    for point in points:
        placed = None if point is None else (x(point[0]), max(-1e7, min(1e7, y(max(point[1], -1e6)))))
        if before is not None and placed is not None:
            cut = _cut(before, placed, x, y)
            if cut is not None:
                start, end = cut
                parts.append(f"L{_at(end)}" if pen == start else f"M{_at(start)}L{_at(end)}")
                pen = end
        before = placed
    return "".join(parts)


def _cut(one: Point, other: Point, x: Scale, y: Scale) -> tuple[Point, Point] | None:
    """The part of a segment that lies in the frame (Liang and Barsky); a point, where it is no more than that."""
    enter, leave = 0.0, 1.0
    for i, scale in enumerate((x, y)):
        low, high = sorted((scale.start, scale.end))
        way = other[i] - one[i]
        for distance, speed in ((low - one[i], way), (one[i] - high, -way)):
            if speed == 0:
                if distance > 0:
                    return None
            elif speed > 0:
                enter = max(enter, distance / speed)
            else:
                leave = min(leave, distance / speed)
    if enter > leave:  # where they are one, rounding may put an end just inside the edge
        return None
    along = ((one[0] + t * (other[0] - one[0]), one[1] + t * (other[1] - one[1])) for t in (enter, leave))
    start, end = along
    return (one if enter == 0 else start), (other if leave == 1 else end)


def band(upper: Sequence[Point], lower: Sequence[Point], x: Scale, y: Scale) -> str:
    """Path data of the area between two lines over the same abscissae, held inside the frame."""

    def held(point: Point) -> str:
        return _at((x(min(max(point[0], x.low), x.high)), y(min(max(point[1], y.low), y.high))))

    return "M" + "L".join(map(held, (*_closer(upper, y.low), *reversed(_closer(lower, y.low))))) + "Z"


def _closer(points: Sequence[Point], low: float) -> list[Point]:
    """The same line with more points where it leaves the frame, so that little is lost by holding it there."""
    denser = [points[0]]
    for one, other in pairwise((px, max(py, -1e6)) for px, py in points):
        parts = _PARTS if (one[1] < low) != (other[1] < low) else 1
        shares = (i / parts for i in range(1, parts + 1))
        denser += [(one[0] + t * (other[0] - one[0]), one[1] + t * (other[1] - one[1])) for t in shares]
    return denser


def _at(point: Point) -> str:
    return f"{number(point[0])} {number(point[1])}"


def number(value: float) -> str:
    """A coordinate."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


# --- elements ---------------------------------------------------------------------------------------------------------


def element(name: str, text: str | None = None, **attributes: float | str) -> str:
    """An SVG element; underscores in names are hyphens, text is escaped."""
    named = ((key.replace("_", "-"), value) for key, value in attributes.items())
    written = "".join(f' {key}="{escape(value if isinstance(value, str) else number(value))}"' for key, value in named)
    return f"<{name}{written}/>" if text is None else f"<{name}{written}>{escape(text)}</{name}>"


def words(
    text: str, x: float, y: float, *, size: int = SMALL, fill: str = QUIET, halo: bool = False, **more: str
) -> str:
    """A text; with a halo it can be read across lines."""
    if halo:
        more |= {"stroke": PAPER, "stroke_width": "4", "stroke_linejoin": "round", "paint_order": "stroke"}
    return element("text", text, x=x, y=y, font_size=size, fill=fill, **more)


def marker(shape: str, x: float, y: float, colour: str, *, filled: bool = True) -> str:
    """A circle, a diamond, a square, or a triangle that points down."""
    paint = {"fill": colour if filled else PAPER, "stroke": PAPER if filled else colour, "stroke_width": "1.5"}
    if shape == "circle":
        return element("circle", cx=x, cy=y, r="5", **paint)
    around = {
        "diamond": ((0, -6.5), (6.5, 0), (0, 6.5), (-6.5, 0)),
        "square": ((-4, -4), (4, -4), (4, 4), (-4, 4)),
        "triangle": ((-5, -4), (5, -4), (0, 5)),
    }[shape]
    return element("path", d="M" + "L".join(_at((x + dx, y + dy)) for dx, dy in around) + "Z", **paint)
