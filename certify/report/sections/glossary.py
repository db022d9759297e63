"""The glossary: of the terms in it, those that a report uses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from certify.report.document import (
    Block,
    Callout,
    Command,
    Equation,
    Facts,
    Figure,
    Items,
    Paragraph,
    Section,
    Table,
    facts,
)
from certify.report.sections.words import plain_text

TERMS: tuple[tuple[str, str, str], ...] = (  # name, how it is found, what it means
    (
        "ε (epsilon)",
        "ε",
        "How far two probabilities may be apart: by at most the factor e^ε. Smaller is more private.",
    ),
    (
        "δ (delta)",
        "δ",
        "What may be added to that: a small probability, for events that the factor does not cover.",
    ),
    (
        "μ (mu), Gaussian DP",
        "μ",
        "The pair of outcomes is at least as hard to tell apart as a draw from N(0, 1) and one from N(μ, 1).",
    ),
    (
        "Rényi divergence D_α",
        "Rényi|D_α",
        "How far apart two distributions are, for each order α > 1; bounds on it turn into ε and δ.",
    ),
    (
        "W∞",
        "W∞",
        "Infinite Wasserstein distance: the two runs can be drawn together so that their parameters are never "
        "farther apart than this.",
    ),
    (
        "Neighbours",
        "[Nn]eighbour",
        "The two datasets that are compared; the claim says in what they differ.",
    ),
    (
        "Reference",
        "[Rr]eference|retraining",
        "What an unlearned model is compared with, such as retraining without the records.",
    ),
    (
        "PNSGD",
        "pnsgd",
        "Projected noisy stochastic gradient descent: after each gradient step noise is added, and the "
        "parameters are kept in a ball where there is one.",
    ),
    (
        "DP-SGD",
        "dp-sgd|auto-s|dp-psac|dp-psasc|DP-SGD",
        "Stochastic gradient descent on noisy sums of gradients, each scaled so that no record counts for much.",
    ),
    (
        "Sensitivity Δ",
        "Δ",
        "How far one record can move a sum, before noise is added.",
    ),
    (
        "Noise multiplier",
        "noise_multiplier",
        "Standard deviation of the noise on a sum, over its sensitivity.",
    ),
    (
        "Contraction c",
        "contraction",
        "Factor by which one step brings two runs together, before its noise.",
    ),
    (
        "Shift s",
        "[Ss]hift",
        "How far one step can drive two runs on neighbouring data apart.",
    ),
    (
        "Taut string",
        "[Tt]aut string",
        "The schedule that spends the least: a string pulled tight under the distances that have to be hidden.",
    ),
    (
        "Composition",
        "[Cc]omposition",
        "What several releases cost together.",
    ),
    (
        "Epoch, batch",
        "[Ee]poch",
        "An epoch visits all records once, one batch after the other.",
    ),
    (
        "Poisson sampling",
        "[Pp]oisson (sampling|batch)|poisson",
        "Every record joins a batch by itself, with the same probability.",
    ),
    (
        "Secret order",
        "secret order|batches:secret",
        "Which batch a record is in was drawn at random, and the observer does not know it.",
    ),
    (
        "Lower bound",
        "lower bound",
        "What no valid ε for every such run can be below; the proof names a run for which no smaller one holds.",
    ),
    (
        "Convex, smooth",
        "convex",
        "Properties of a loss: its graph bends upwards, and not faster than a parabola with curvature L.",
    ),
    (
        "Attested",
        "attested",
        "Somebody answers for it; no computation can tell.",
    ),
    (
        "Digest, SHA-256",
        "SHA-256",
        "A fingerprint of bytes: two files with one digest are the same file.",
    ),
    (
        "HMAC",
        "HMAC",
        "A digest with a key: without the key nobody can try out what was digested.",
    ),
    (
        "Signature",
        "[Ss]igned",
        "Shows that the holder of a key vouches for exactly these bytes.",
    ),
)


def glossary(sections: Sequence[Section]) -> Section:
    """The terms that occur in the sections."""
    text = "\n".join(texts(sections))
    rows = [(name, meaning) for name, pattern, meaning in TERMS if re.search(pattern, text)]
    return Section("glossary", "Glossary", (facts(rows),))


def texts(sections: Sequence[Section]) -> Iterator[str]:
    """Every text of the sections, in reading order."""
    for section in sections:
        yield section.title
        for block in section.blocks:
            yield from _block(block)
        yield from texts(section.sections)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(parts, _):
            yield plain_text(parts)
        case Items(lines, _):
            yield from map(plain_text, lines)
        case Facts(rows):
            for name, value in rows:
                yield from (name, plain_text(value))
        case Table(caption, head, rows, _):
            yield from (caption, *head)
            for row in rows:
                yield from map(plain_text, row)
        case Equation(formula, label):
            yield from (formula.plain, label)
        case Command(lines):
            yield from lines
        case Figure(_, _, caption, alternative):
            yield from (plain_text(caption), alternative)
        case Callout(title, blocks, _):
            yield title
            for inner in blocks:
                yield from _block(inner)
