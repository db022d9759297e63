"""One chart: its frame, its lines and marks in the order in which they are painted, its legend, and where its notes
have room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from certify.report.axes import (
    FONT,
    INK,
    LABEL,
    QUIET,
    RULE,
    SMALL,
    Point,
    Scale,
    band,
    element,
    marker,
    ticks,
    trace,
    words,
)
from certify.report.document import Figure, Line

WIDTH, HEIGHT = 736, 424
LEFT, RIGHT, TOP, BOTTOM = 70, 716, 68, 366
EDGE = 8
LINES: dict[str, dict[str, str]] = {
    "upper": {"stroke": "var(--series-1)", "stroke_width": "3"},
    "published": {"stroke": "var(--series-3)", "stroke_width": "1.75", "stroke_dasharray": "10 3 2 3"},
    "lower": {"stroke": "var(--series-2)", "stroke_width": "1.75", "stroke_dasharray": "7 5"},
    "target": {"stroke": INK, "stroke_width": "1.25", "stroke_dasharray": "3 3"},
}
_ORDER = ("upper", "lower", "published", "circle", "diamond")  # of the legend
_ROOM = 0.56  # of the font size that a character takes, about
_NEAR = 4.0  # how far apart the places are at which a line is looked at

Box = tuple[float, float, float, float]  # left, top, right, bottom


class Chart:
    """Data come in the units of the two scales."""

    def __init__(self, id: str, title: str, x: Scale, y: Scale) -> None:
        self.id, self.title, self.x, self.y = id, title, x, y
        self._parts: list[str] = []
        self._marks: list[str] = []  # above every line
        self._legend: list[tuple[str, str, str]] = []
        self._lines: list[Point] = []  # places on lines
        self._boxes: list[Box] = []  # of texts and marks

    def axes(self, below: str, above: str, *, whole: bool = False) -> None:
        """Grid, ticks and titles."""
        for value, text in ticks(self.y):
            pixel = self.y(value)
            self._parts.append(element("path", d=f"M{LEFT} {pixel:.2f}H{RIGHT}", stroke=RULE, stroke_width="1"))
            self._parts.append(words(text, LEFT - 8, pixel + 4, text_anchor="end"))
        for value, text in ticks(self.x, whole=whole):
            pixel = self.x(value)
            self._parts.append(element("path", d=f"M{pixel:.2f} {BOTTOM}v5", stroke=QUIET, stroke_width="1"))
            self._parts.append(words(text, pixel, BOTTOM + 21, text_anchor="middle"))
        self._parts.append(element("path", d=f"M{LEFT} {BOTTOM}H{RIGHT}", stroke=QUIET, stroke_width="1"))
        self._parts.append(words(below, (LEFT + RIGHT) / 2, BOTTOM + 46, size=LABEL, text_anchor="middle", fill=INK))
        self._parts.append(words(above, EDGE, TOP - 20, size=LABEL, fill=INK))

    def series(self, kind: str, points: Sequence[Point | None], label: str, *, dots: bool = False) -> None:
        """A line, and where there are few points dots; nothing where none is known."""
        if not any(points):
            return
        self._legend.append((kind, label, ""))
        path = trace(points, self.x, self.y)
        if path:
            self._parts.append(element("path", d=path, fill="none", stroke_linejoin="round", **LINES[kind]))
        self._lines += _along([None if p is None else (self.x(p[0]), self.y(p[1])) for p in points])
        colour, alone = LINES[kind]["stroke"], (None, *points, None)
        for i, point in enumerate(points):  # a point between gaps has no line: draw a short dash
            if point is not None and not alone[i] and not alone[i + 2] and self.y.holds(point[1]):
                dash = f"M{self.x(point[0]) - 10:.2f} {self.y(point[1]):.2f}h20"
                self._parts.append(element("path", d=dash, stroke=colour, stroke_width="2"))
        for point in points if dots else ():
            if point is None or not (self.x.holds(point[0]) and self.y.holds(point[1])):
                continue
            x, height = self.x(point[0]), self.y(point[1])
            if kind == "published":
                self._parts.append(element("path", d=f"M{x - 3:.2f} {height - 3:.2f}h6v6h-6Z", fill=colour))
            elif kind == "upper":
                self._parts.append(element("circle", cx=x, cy=height, r="3.5", fill=colour))

    def band(self, upper: Sequence[Point | None], lower: Sequence[Point | None]) -> None:
        """What lies between the bounds, tinted."""
        both = [(a, b) for a, b in zip(upper, lower, strict=True) if a is not None and b is not None]
        if len(both) > 1:
            above, below = zip(*both, strict=True)
            area = band(above, below, self.x, self.y)
            self._parts.append(element("path", d=area, fill="var(--series-1)", fill_opacity="0.1"))

    def level(self, value: float, label: str, *, right: bool) -> None:
        """A horizontal line across the frame, named at one end."""
        height = self.y(value)
        if not TOP <= height <= BOTTOM:
            return
        self._parts.append(element("path", d=f"M{LEFT} {height:.2f}H{RIGHT}", **LINES["target"]))
        place, anchor = (RIGHT - 4, "end") if right else (LEFT + 6, "start")
        self._boxes.append(_box(label, place, height - 7, right=not right))
        self._marks.append(words(label, place, height - 7, text_anchor=anchor, fill=INK, halo=True))

    def drop(self, x: float, y: float) -> None:
        """A thin line from a point down to its axis."""
        path = f"M{self.x(x):.2f} {self.y(y):.2f}V{BOTTOM}"
        self._parts.append(element("path", d=path, stroke=QUIET, stroke_width="1", stroke_dasharray="1 3"))

    def mark(self, shape: str, x: float, y: float, colour: str, *, filled: bool = True, label: str = "") -> None:
        left, height = self.x(x), self.y(y)
        self._boxes.append((left - 7, height - 7, left + 7, height + 7))
        self._marks.append(marker(shape, left, height, colour, filled=filled))
        if label:
            self._legend.append((shape, label, colour))

    def note(self, text: str, x: float, y: float) -> None:
        """A text beside a point, or beside the line down from it, where it covers the least."""
        left, height = self.x(x), self.y(y)
        beside = [
            (height + offset, aside) for offset, aside in ((-13, 9), (25, 9), (-30, 4), (42, 4), (-48, 0), (60, 0))
        ]
        beside += [(BOTTOM - up, 9) for up in (10, 28, 46) if BOTTOM - up > height + 60]
        places = [(left + sign * aside, down, sign > 0) for down, aside in beside for sign in (1, -1)]
        best = min(places, key=lambda place: self._covered(_box(text, place[0], place[1], right=place[2])))
        self._boxes.append(_box(text, best[0], best[1], right=best[2]))
        anchor = "start" if best[2] else "end"
        self._marks.append(words(text, best[0], best[1], text_anchor=anchor, fill=INK, halo=True))

    def _covered(self, box: Box) -> float:
        """How much a text there would hide, or hang over."""
        left, top, right, bottom = box
        hidden = sum(left - 4 <= px <= right + 4 and top - 3 <= py <= bottom + 3 for px, py in self._lines)
        clash = sum(left < b[2] and b[0] < right and top < b[3] and b[1] < bottom for b in self._boxes)
        outside = (
            max(0.0, LEFT - left)
            + max(0.0, right - WIDTH + EDGE)
            + max(0.0, TOP - 6 - top)
            + max(0.0, bottom - BOTTOM + 2)
        )
        return hidden + 30 * clash + 10 * outside

    def _legends(self) -> str:
        """One row above the chart."""
        parts, left = [], float(EDGE)
        for kind, label, colour in sorted(self._legend, key=lambda entry: _ORDER.index(entry[0])):
            if kind in LINES:
                parts.append(element("path", d=f"M{left:.2f} 16h30", fill="none", **LINES[kind]))
                left += 37
            else:
                parts.append(marker(kind, left + 6, 16, colour, filled=kind == "circle"))
                left += 18
            parts.append(words(label, left, 20.5, fill=INK))
            left += len(label) * _ROOM * SMALL + 20
        return "".join(parts)

    def figure(self, caption: Line, alternative: str) -> Figure:
        """The picture, with its texts for those who do not see it."""
        body = "".join((*self._parts, *self._marks))
        names = f"{self.id}-title", f"{self.id}-text"
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-labelledby="{names[0]} {names[1]}" font-family="{FONT}" fill="none">'
            f"{element('title', self.title, id=names[0])}{element('desc', alternative, id=names[1])}"
            f"{self._legends()}{body}</svg>"
        )
        return Figure(self.id, svg, caption, alternative)


def _box(text: str, x: float, y: float, *, right: bool) -> Box:
    """About the place that a text takes, from its baseline's start or end."""
    room = len(text) * _ROOM * SMALL
    return (x, y - SMALL, x + room, y + 4) if right else (x - room, y - SMALL, x, y + 4)


def _along(places: Iterable[Point | None]) -> list[Point]:
    """Places on a line, close together, as far as they lie in the frame."""
    along, before = [], None
    for place in places:
        if before is not None and place is not None and abs(place[1]) < 1e5 and abs(before[1]) < 1e5:
            count = int(max(abs(place[0] - before[0]), abs(place[1] - before[1])) / _NEAR) + 1
            steps = (i / count for i in range(count + 1))
            along += [(before[0] + t * (place[0] - before[0]), before[1] + t * (place[1] - before[1])) for t in steps]
        before = place
    return [place for place in along if TOP - 9 <= place[1] <= BOTTOM + 9]
