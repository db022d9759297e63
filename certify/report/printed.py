"""Strings fit to print: drawable characters, places where a long word may break, formulas that are only formulas.

The fonts are those that typst carries (Libertinus Serif, New Computer Modern, DejaVu Sans Mono).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator, Sequence

# What those fonts have glyphs for (a test asks typst). PDF/UA forbids a missing glyph, so other characters are shown by
# number; so are controls, invisible characters, and whatever turns the direction of text.
_DRAWN = (
    "20-7E A1-AC AE-24F 370-377 37A-37F 384-38A 38C 38E-3A1 3A3-482 48A-4FF 5D0-5EA 621-63A 641-64A 660-669 1E00-1EFF "
    "2010-2027 2030-205E 2070-2071 2074-208E 2090-209C 20A0-20BF 2100-2151 2153-2184 2190-23FF 2460-24FF 2500-262F "
    "2713-2718 27C0-27FF 2900-2AFF"
)
DRAWN = frozenset(
    chr(code)
    for first, _, last in (span.partition("-") for span in _DRAWN.split())
    for code in range(int(first, 16), int(last or first, 16) + 1)
)
RIGHT_TO_LEFT = frozenset(c for c in DRAWN if unicodedata.bidirectional(c) in ("R", "AL", "AN"))

_JOINT = re.compile(r"(?<=[/_.:;,=@+-])(?=\w)")
_CUT = 8

# A formula: names, numbers, quoted words, operators and brackets. No `#`, `$`, `@`, `\`, backtick, comment or file.
_FORMULA = re.compile(
    r"""(?P<name>[A-Za-z]+(?:\.[A-Za-z]+)*)|\d+(?:\.\d+)?|"[^"\\#$@`]*"|(?P<comment>//|/\*)"""
    r"""|[-+*/=<>!,;:|'^_&(){}\[\].~ ]"""
)
FUNCTIONS = frozenset(
    {
        *("sqrt", "frac", "binom", "abs", "floor", "ceil", "lr", "op", "upright", "italic", "bold", "hat", "tilde"),
        *("overline", "attach", "limits", "scripts", "min", "max", "exp", "log", "ln", "sup", "inf", "cases", "vec"),
    }
)


def shown(text: str) -> str:
    """A string of drawable characters only: others by number, ‹U+0007›. Spaces and line ends are single spaces."""
    return "".join(text if drawn else f"‹{text}›" for text, drawn in runs(text))


def runs(text: str) -> Iterator[tuple[str, bool]]:
    """The text in runs of drawable characters (True), and the number of each other character (False)."""
    run = ""
    for char in unicodedata.normalize("NFC", re.sub(r"[ \t\r\n\u00a0]+", " ", text)):
        if char in DRAWN:
            run += char
            continue
        if run:
            yield run, True
        run = ""
        yield f"U+{ord(char):04X}", False
    if run:
        yield run, True


def pieces(text: str, longest: int) -> list[str]:
    """The text cut where a line may break although there is no space: in words of more than `longest` characters,
    at their joints, and every eight characters in what has no joint for long."""
    result = [""]
    for word in re.split(r"(?<= )", text):
        if len(word) <= longest:
            result[-1] += word
            continue
        for part in _JOINT.split(word):
            result += [part] if len(part) <= longest else [part[i : i + _CUT] for i in range(0, len(part), _CUT)]
        result.append("")
    return [piece for piece in result if piece]


def equation(body: str) -> str:
    """The body of a typst equation, unchanged.

    Raises:
        ValueError: it has something in it that is not mathematics.
    """
    position = 0
    while position < len(body):
        token = _FORMULA.match(body, position)
        if token is None and body[position].isascii():
            raise ValueError(f"no formula: {body!r} has {body[position]!r} at {position}")
        end = token.end() if token else position + 1
        if token and token["comment"]:
            raise ValueError(f"no formula: {body!r} has a comment at {position}")
        name = token and token["name"]
        if name and len(name) > 1 and body[end : end + 1] == "(" and name not in FUNCTIONS:
            raise ValueError(f"no formula: {body!r} calls {name}")
        if name and name.partition(".")[0] in ("std", "sys", "pdf"):
            raise ValueError(f"no formula: {body!r} names {name}")
        if not token and body[position] not in DRAWN:
            raise ValueError(f"no formula: {body!r} has {body[position]!r} at {position}")
        position = end
    return body


def widths(columns: Sequence[tuple[int, int]], room: int, numeric: Container[int] = ()) -> list[float | None]:
    """Shares of a table's width for its columns, as (characters in all, characters that cannot be broken).

    None is a column as wide as its text: all of them where they fit side by side in `room` characters, but the last of
    three or more then takes the rest, unless it is numeric. Otherwise each gets what it would like, but no more
    than an equal share of what the others leave, and its longest word at least.
    """
    if sum(like for like, _ in columns) <= room:
        last = len(columns) - 1
        return [1.0 if i == last > 1 and i not in numeric else None for i in range(len(columns))]
    shares: dict[int, float] = {}
    while len(shares) < len(columns):
        open_ = [i for i in range(len(columns)) if i not in shares]
        share = max(room - sum(shares.values()), 0) / len(open_)
        settled = {i: columns[i][0] for i in open_ if columns[i][0] <= share}
        settled = settled or {i: columns[i][1] for i in open_ if columns[i][1] > share}
        shares |= settled or {i: share for i in open_}
    return [round(shares[i], 2) for i in range(len(columns))]
