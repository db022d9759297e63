"""The table of theorems in docs/certificate.md, out of the checker's own rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import certify.checking.format.statements  # noqa: F401  (with every part that declares rules)
from certify.checking.assemble import PACKAGE, PARTS
from certify.checking.reading import exact, integer, optional, rounded, text
from certify.checking.rules import RULES, Rule

BEGIN = "<!-- Theorems: drawn from certify/checking/ by docs/generate.py; edit the rules there. -->"
END = "<!-- End of what is drawn. -->"
HEAD = ("id", "name", "args", "premises", "concludes", "remarks")
_MODULES = [f"{PACKAGE}.{part.replace('/', '.')}" for part in PARTS]
_PLAIN = {exact, integer, rounded, text}  # of which a key says enough
_OR_NULL = optional(exact).__doc__


def entries(shape: dict[str, Any]) -> str:
    """An object by its keys, as JSON would have them."""
    return "{" + ", ".join(f'"{key}"' + nested(inner) for key, inner in shape.items()) + "}"


def nested(shape: Any) -> str:
    """What a key within an object says of its value, if that is no plain text."""
    if isinstance(shape, dict):
        return f": {entries(shape)}"
    if isinstance(shape, list):
        return ": [" + (entries(shape[0]) if isinstance(shape[0], dict) else "") + "...]"
    return ": []" if shape == () else ""


def argument(key: str, shape: Any) -> str:
    """One argument, and what it may be."""
    if isinstance(shape, dict):
        return f"`{key}`: `{entries(shape)}`"
    if isinstance(shape, list) and isinstance(shape[0], dict):
        return f"`{key}`: list of `{entries(shape[0])}`"
    if isinstance(shape, list):
        return f"`{key}`: list"
    if shape in _PLAIN:
        return f"`{key}`"
    return f"`{key}` (or null)" if shape.__doc__ == _OR_NULL else f"`{key}` = {shape.__doc__}"


def conclusion(rule: Rule) -> str:
    """What is concluded: digits that are exact, or a bound from above or below."""
    bound = "lower" if rule.lower else "upper"

    def value(shape: Any) -> str:
        if isinstance(shape, list):
            return f": [{bound}, ...]"
        if shape is rounded:
            return f": {bound}"
        return f": {shape.__doc__.strip('`')}" if shape.__doc__ == "`null`" else ""

    keys = ", ".join(f'"{key}"{value(shape)}' for key, shape in rule.concludes.items())
    bounds = any(shape is rounded or isinstance(shape, list) for shape in rule.concludes.values())
    return f"`{{{keys}}}`" + " exact" * (not bounds)


def row(rule: Rule) -> tuple[str, ...]:
    arguments = ", ".join(argument(key, shape) for key, shape in rule.arguments.items()) or "–"
    return rule.id, rule.name, arguments, rule.premises, conclusion(rule), rule.remarks


def theorem_table() -> list[str]:
    rules = sorted(RULES.values(), key=lambda rule: _MODULES.index(rule.check.__module__))  # whatever came first here
    rows: Iterable[tuple[str, ...]] = (HEAD, ("---",) * len(HEAD), *map(row, rules))
    return [f"| {' | '.join(text.replace('|', chr(92) + '|') for text in cells)} |" for cells in rows]


def with_table(page: str) -> str:
    """The page with the table between the two comments."""
    before, _, rest = page.partition(f"{BEGIN}\n")
    _, _, after = rest.partition(f"{END}\n")
    if not rest or not after:
        raise ValueError("docs/certificate.md: the comments around the table of theorems are gone")
    return "\n".join([f"{before}{BEGIN}", "", *theorem_table(), "", f"{END}\n{after}"])
