"""Pictures of a report, drawn from a certificate's `figures`: δ(ε), and ε as one parameter varies.

SVG whose colours are the page's custom properties and `currentColor`; `print_colours` gives it real ones. The texts'
numbers are the certificate's strings; the places are scaled from them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from certify.report.axes import FONT, INK, NOTHING, Point, Scale, logarithm
from certify.report.canvas import BOTTOM, LEFT, RIGHT, TOP, Chart
from certify.report.document import Figure, Text, line
from certify.report.reading import Reading

DEPTH = 3  # decades below the target's δ that a profile shows
FAR = 3  # so many times further out than the curve, and the axis of ε is logarithmic
WIDE = 30  # a ratio beyond which the axis of ε in a sweep is logarithmic
MAX_DECADES = 4  # decades below the run's own ε, or the target, that such an axis shows
MAX_DOTS = 40  # points of a curve that are dotted
_LABELS = {"upper": "upper bound", "lower": "lower bound"}
_PARAMETERS = {"unlearning_epochs": "unlearning epochs K", "epochs": "epochs of learning T", "steps": "steps"}
_SHORT = {"unlearning_epochs": "K = {}", "epochs": "T = {}", "steps": "{} steps"}
_PUBLISHED = {
    "chien2024": "published: Chien et al. 2024",
    "koloskova2025": "published: Koloskova et al. 2025",
    "renyi": "published: Rényi route",
}
# A light page's; the font is one that typst carries.
PRINTED = {
    "--ink": "#1c1f24",
    "--quiet": "#565b64",
    "--rule": "#dcdad2",
    "--paper": "#ffffff",
    "--series-1": "#1f4e79",
    "--series-2": "#a3541a",
    "--series-3": "#5f6570",
}
PRINTED_FONT = "Libertinus Serif"


def print_colours(svg: str) -> str:
    """The same picture in the colours of paper, for where there is no page around it."""
    coloured = re.sub(r"var\((--[a-z0-9-]+)\)", lambda match: PRINTED[match[1]], svg)
    return coloured.replace("currentColor", PRINTED["--ink"]).replace(FONT, PRINTED_FONT)


# --- δ(ε) -------------------------------------------------------------------------------------------------------------


def profile_chart(reading: Reading) -> Figure | None:
    """δ(ε) of the claim, the run's own point and the target's; None where the certificate has no data for it."""
    profile = (reading.figures or {}).get("profile")
    if not profile:
        return None
    shown, delta = reading.predicate["epsilon"], reading.predicate["delta"]
    epsilons = [Fraction(text) for text in profile["epsilon"]]
    upper, lower = _numbers(profile["upper"]), _numbers(profile["lower"])
    own, target, level = Fraction(shown["upper"]), Fraction(shown["target"]), logarithm(Fraction(delta))
    heights = [logarithm(value) for value in upper if value is not None]
    bottom, top = _whole(level - DEPTH), min(0.0, max(heights, default=0.0))
    if top <= bottom or level == NOTHING or max(epsilons[-1], target, own) > 10**300:
        return None
    end = next(
        (e for e, d in zip(epsilons, upper, strict=True) if d is not None and logarithm(d) <= bottom), epsilons[-1]
    )
    x = _abscissa(epsilons, end, own, target)
    if x.low >= x.high:
        return None
    chart = Chart("figure-profile", "δ at each ε", x, Scale(bottom, min(0.0, top + 0.25), BOTTOM, TOP, log=True))
    places = [None if x.log and not e else x.of(e) for e in epsilons]
    rising = [_point(place, d, chart.y) for place, d in zip(places, upper, strict=True)]
    falling = [_point(place, d, chart.y) for place, d in zip(places, lower, strict=True)]
    chart.axes("ε", "δ (logarithmic)")
    chart.band(rising, falling)
    chart.level(level, f"δ = {delta}", right=False)
    chart.series("upper", rising, "upper bound")
    chart.series("lower", falling, "lower bound")
    own_place, aim = (x.of(value) if value or not x.log else x.low for value in (own, target))
    chart.mark("diamond", aim, level, INK, filled=False, label="target")
    chart.mark("circle", own_place, level, "var(--series-1)", label="this run")
    chart.note(f"target: ε = {shown['target']}", aim, level)
    chart.note(f"this run: ε ≤ {shown['upper']}", own_place, level)
    description = [
        f"Chart of δ against ε. The bound from above is {profile['upper'][0]} at ε = {profile['epsilon'][0]} and "
        f"{profile['upper'][-1]} at ε = {profile['epsilon'][-1]}.",
        f"At δ = {delta} the run's ε is at most {shown['upper']}; the target is {shown['target']}.",
    ]
    if shown["lower"] is not None:
        description.append(f"No bound for every such run can be below {shown['lower']}.")
    parts = [Text("δ at each ε.", "strong"), " The solid line is the bound from above"]
    if any(value is not None for value in lower):
        parts.append("; no bound for every such run can be below the dashed one")
    parts.append(". The circle is this run at the target's δ, the diamond the target.")
    return chart.figure(line(*parts), " ".join(description))


def _abscissa(epsilons: Sequence[Fraction], end: Fraction, own: Fraction, target: Fraction) -> Scale:
    """The axis of ε: from 0, or logarithmic where the target lies far beyond the curve."""
    if target > FAR * end and any(epsilons):
        first = min((own or end) / 10, *(e for e in epsilons if e))
        first = max(first, (own or end) / 30)
        return Scale(logarithm(first), logarithm(target) + 0.12, LEFT, RIGHT, log=True)
    return Scale(0.0, float(max(end, target * Fraction(21, 20), own * Fraction(21, 20))), LEFT, RIGHT)


# --- ε as a parameter varies ------------------------------------------------------------------------------------------


def sweep_chart(reading: Reading) -> Figure | None:
    """ε against unlearning epochs, epochs or steps; None where the certificate has no data for it."""
    sweep = (reading.figures or {}).get("sweep")
    if not sweep or len(sweep["values"]) < 2:
        return None
    shown, delta = reading.predicate["epsilon"], reading.predicate["delta"]
    name, values = sweep["parameter"], [int(text) for text in sweep["values"]]
    curves = {key: _numbers(sweep[key]) for key in ("published", "lower", "upper")}
    own, target, own_place = Fraction(shown["upper"]), Fraction(shown["target"]), _own_value(reading, sweep)
    known = [value for curve in curves.values() for value in curve if value is not None] + [own, target]
    if values != sorted(set(values)) or not any(known) or max(known) > 10**300:
        return None
    x, y = _counts(values), _ordinate([value for value in known if value], own or target or max(known))
    of_request = reading.swept
    title = f"{_PARAMETERS[name]}{of_request}"
    chart = Chart("figure-sweep", f"ε as {title} varies", x, y)
    lines = {key: _points(values, curve, x, y) for key, curve in curves.items()}
    labels = _LABELS | {"published": _PUBLISHED.get(sweep["published_name"], "published")}
    chart.axes(title, f"ε{of_request} at δ = {delta}", whole=True)
    chart.band(lines["upper"], lines["lower"])
    if target:
        chart.level(y.of(target), f"target: ε = {shown['target']}", right=_falls(curves["upper"]))
    for key in ("published", "upper", "lower"):
        chart.series(key, lines[key], labels[key], dots=len(values) <= MAX_DOTS)
    zero = next((v for v, e in zip(values, curves["upper"], strict=True) if e == 0), None)
    if y.log and zero is not None:
        chart.mark("triangle", x.of(Fraction(zero)), y.low, "var(--series-1)", filled=False)
        chart.note(f"ε{of_request} = 0 from {_SHORT[name].format(zero)} on", x.of(Fraction(zero)), y.low)
    if own_place is not None and (own or not y.log):
        place = x.of(Fraction(own_place)), y.of(own)
        chart.drop(*place)
        chart.mark("circle", *place, "var(--series-1)", label="this run")
        chart.note(f"this run: {_SHORT[name].format(own_place)}, ε ≤ {shown['upper']}", *place)
    description = [f"Chart of ε{of_request} at δ = {delta} against {title}, from {values[0]} to {values[-1]}."]
    description += [
        f"{labels[key][0].upper()}{labels[key][1:]}: {_ends(sweep, key)}."
        for key in ("upper", "lower", "published")
        if any(lines[key])
    ]
    description.append(f"This run's ε is at most {shown['upper']}; the target is {shown['target']}.")
    parts = [Text(f"ε{of_request} at the target's δ as {title} varies", "strong"), ", all else as in this run."]
    if name == "steps":
        parts.append(" The run is stopped earlier, or goes on as in its last stage.")
    return chart.figure(line(*parts), " ".join(description))


def _points(values: Sequence[int], curve: Sequence[Fraction | None], x: Scale, y: Scale) -> list[Point | None]:
    """The places of a curve; on a logarithmic axis it ends on the frame where it is 0."""
    points: list[Point | None] = []
    for value, epsilon in zip(values, curve, strict=True):
        ended = y.log and epsilon == 0
        again = ended and points and (points[-1] is None or points[-1][1] == y.low)
        points.append(
            None
            if again
            else _point(x.of(Fraction(value)), epsilon, y)
            if not ended
            else (x.of(Fraction(value)), y.low)
        )
    return points


def _own_value(reading: Reading, sweep: Mapping[str, Any]) -> int | None:
    """The run's own value of the parameter: its ε is the claim's, string for string."""
    mechanism, name = reading.run["mechanism"], sweep["parameter"]
    own = mechanism.get(name)
    if isinstance(own, list):
        own = own[reading.worst]
    same = {
        v for v, e in zip(sweep["values"], sweep["upper"], strict=True) if e == reading.predicate["epsilon"]["upper"]
    }
    if name == "steps" and (own is None or reading.run.get("stages")):
        return int(*same) if len(same) == 1 else None
    return int(own) if own in same else None


def _counts(values: Sequence[int]) -> Scale:
    if values[0] > 0 and values[-1] > 20 * values[0]:
        return Scale(
            logarithm(Fraction(values[0])) - 0.03, logarithm(Fraction(values[-1])) + 0.03, LEFT, RIGHT, log=True
        )
    margin = (values[-1] - values[0]) / 40
    return Scale(values[0] - margin, values[-1] + margin, LEFT, RIGHT)


def _ordinate(positive: Sequence[Fraction], reference: Fraction) -> Scale:
    low, high = min(positive), max(positive)
    if high > WIDE * low:
        bottom = max(logarithm(low) - 0.15, logarithm(reference) - MAX_DECADES)
        return Scale(bottom, logarithm(high) + 0.15, BOTTOM, TOP, log=True)
    return Scale(0.0, float(high) * 1.08, BOTTOM, TOP)


def _falls(curve: Sequence[Fraction | None]) -> bool:
    known = [value for value in curve if value is not None]
    return len(known) > 1 and known[-1] < known[0]


def _ends(sweep: Mapping[str, Any], key: str) -> str:
    known = [(v, e) for v, e in zip(sweep["values"], sweep[key], strict=True) if e is not None]
    (first, start), (last, end) = known[0], known[-1]
    return f"{start} at {first}, {end} at {last}"


# --- what both have ---------------------------------------------------------------------------------------------------


def _numbers(texts: Sequence[str | None]) -> list[Fraction | None]:
    return [None if text is None else Fraction(text) for text in texts]


def _point(place: float | None, value: Fraction | None, y: Scale) -> Point | None:
    return None if place is None or value is None else (place, y.of(value))


def _whole(value: float) -> float:
    return float(int(value) if value == int(value) else int(value) - (value < 0))
