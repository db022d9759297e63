"""The parts of an answer of the hazard checklist: its status, its sentence, and an attested text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from certify.report.document import Badge, Inline, Line, Text, Tone, line
from certify.report.evidence import AttestedText, Evidence

Status = Literal["computed", "evidenced", "attested", "not assessed"]


@dataclass(frozen=True)
class Finding:
    """tone: "bad" if the answer contradicts the claim, "warning" if it needs attention."""

    status: Status
    line: Line
    tone: Tone = "plain"


def number(text: str) -> Text:
    return Text(text, "number")


def code(text: str) -> Text:
    return Text(text, "code")


def marked(text: str, tone: Tone = "bad") -> Line:
    """The word that an answer begins with, where it must not be missed."""
    return (Badge(text, tone), Text(": "))


def several(parts: Sequence[Inline]) -> Line:
    """Parts with commas between them."""
    return tuple(part for i, one in enumerate(parts) for part in ((Text(", "), one) if i else (one,)))


def counted(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


def quoted(words: AttestedText) -> Line:
    """An attested text in quotation marks, with author, date and evidence."""
    whom = f" by {words.by}" if words.by else ""
    when = f" on {words.date}" if words.date else ""
    proof = (Text("; evidence "), code(words.evidence)) if words.evidence else ()
    return (Text(f"“{words.text}”"), Text(f" (attested{whom}{when}"), *proof, Text(")"))


def bound(e: Evidence) -> Line:
    """ε ≤ … at δ = …"""
    return line("ε ≤ ", number(e.predicate["epsilon"]["upper"]), " at δ = ", number(e.predicate["delta"]))


def recorded(e: Evidence) -> Line:
    """What stands behind evidence from an execution."""
    return line(" (the producer's word, which the run record holds: SHA-256 ", code(e.record or "missing"), ")")


NOBODY = "Nobody has attested it."


def answered(e: Evidence, item: str, before: Line = (), tone: Tone = "plain") -> Finding:
    """The attested text on the item itself, if there is one."""
    words = e.attested(item)
    if words is None:
        return Finding("not assessed", line(*before, NOBODY), "muted")
    return Finding("attested", line(*before, *quoted(words)), tone)


def assumed(e: Evidence, item: str, *ids: str) -> Finding:
    """What the proof takes for granted: answered by the words on the item itself, else by those of [attest]."""
    entries = e.assumptions(*ids)
    if entries and all(entry["status"] == "checked" for entry in entries):
        return Finding("evidenced", line("Shown by the run record", *recorded(e), "."))
    texts = " ".join(entry["text"] for entry in entries)
    before = line(f"The proof assumes: {texts} ") if entries else ()
    if e.attested(item) is None and entries and e.general is not None:
        return Finding("attested", line(*before, *quoted(e.general)))
    return answered(e, item, before)


def denial(e: Evidence, item: str, context: str = "") -> Finding:
    """An answer whose first word is read: “no” is the harmless one."""
    return answered(e, item, line(f"{context} ") if context else (), "plain" if e.denied(item) else "warning")
