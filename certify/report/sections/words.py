"""How a report says things: numbers as the certificate has them, texts as somebody wrote them, lists in words."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from certify.report.document import Inline, Line, Mathematics, Text, Tone, line

DASH = "–"
_JOINERS = "\u200c\u200d"  # which some scripts and emoji need

STATUS_TONE: Mapping[str, Tone] = {
    "proved": "good",
    "checked": "good",
    "computed": "good",
    "evidenced": "good",
    "attested": "warning",
    "violated": "bad",
    "not assessed": "muted",
}
VERDICT_TONE: Mapping[str, Tone] = {"CERTIFIED": "good", "NOT_CERTIFIED": "bad", "INDETERMINATE": "warning"}


def visible(text: str) -> str:
    """Somebody's text on one line: what has no glyph, or would turn the text around, is shown as its code point."""
    return " ".join("".join(map(_shown, text)).split())


def made_visible(parts: Line) -> Line:
    """The same of a line that others composed; its spaces stay."""
    return tuple(
        replace(part, text="".join(map(_shown, part.text))) if isinstance(part, Text) else part for part in parts
    )


def _shown(character: str) -> str:
    if character in _JOINERS or character.isspace():
        return character
    unseen = unicodedata.category(character)[0] == "C"  # controls, formats, surrogates, private and unassigned
    return f"⟨U+{ord(character):04X}⟩" if unseen else character


def foreign_text(text: Any) -> Text:
    """What somebody wrote."""
    return Text(visible(str(text)))


def number(text: str) -> Text:
    return Text(text, "number")


def code(text: str) -> Text:
    return Text(visible(text), "code")


def strong(text: str) -> Text:
    return Text(text, "strong")


def optional(text: str | None) -> Line:
    """A number, or a dash where there is none."""
    return line(DASH if text is None else number(text))


def day(moment: str) -> str:
    """2026-11-21T22:00:00Z as 2026-11-21 22:00:00 UTC."""
    return moment.replace("T", " ").replace("Z", " UTC")


def several(count: str | int, one: str, many: str = "") -> str:
    """One record, in words; 2 records."""
    return f"one {one}" if str(count) == "1" else f"{count} {many or one + 's'}"


def marked(text: str) -> Line:
    """A text of ours, what stands between backticks in it as code."""
    return tuple(Text(part, "code" if i % 2 else "plain") for i, part in enumerate(text.split("`")) if part)


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def flattened(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Any nesting of texts as names and texts: {"a": {"b": "c"}} is [("a, b", "c")]."""
    if isinstance(value, Mapping):
        return [row for key in value for row in flattened(value[key], f"{name}, {key}" if name else str(key))]
    if isinstance(value, list):
        return [row for i, item in enumerate(value) for row in flattened(item, f"{name} {i + 1}".strip())]
    return [] if value is None else [(name, str(value))]


def power(epsilon: str) -> Mathematics:
    """e to the certificate's ε, written and not computed."""
    return Mathematics(
        f"e^{epsilon}", f"e^{{{epsilon}}}", f"<msup><mi>e</mi><mn>{epsilon}</mn></msup>", f"e^({epsilon})"
    )


INEQUALITY = Mathematics(
    plain="Pr[X ∈ S] ≤ e^ε · Pr[X′ ∈ S] + δ",
    latex=r"\Pr[X \in S] \le e^{\epsilon} \cdot \Pr[X' \in S] + \delta",
    mathml="<mrow><mi>Pr</mi><mo>[</mo><mi>X</mi><mo>∈</mo><mi>S</mi><mo>]</mo><mo>≤</mo><msup><mi>e</mi><mi>ε</mi></msup>"
    "<mo>·</mo><mi>Pr</mi><mo>[</mo><mi>X</mi><mi>′</mi><mo>∈</mo><mi>S</mi><mo>]</mo><mo>+</mo><mi>δ</mi></mrow>",
    typst='"Pr" [X in S] <= e^(epsilon) dot "Pr" [X\' in S] + delta',
)


def plain_text(parts: Line) -> str:
    """A line without its styles."""

    def plain(part: Inline) -> str:
        return part.plain if isinstance(part, Mathematics) else part.text

    return "".join(map(plain, parts))
