"""What a report says: a document composed from a verified certificate, and from nothing else."""

from __future__ import annotations

from datetime import date

from certify.report.document import Document
from certify.report.reading import Reading
from certify.report.sections.glossary import glossary
from certify.report.sections.guarantee import guarantee
from certify.report.sections.parameters import data, native, parameters, pictures
from certify.report.sections.practice import erasures, execution, hazards, verification
from certify.report.sections.proof import assumptions, proof

TITLE = "Privacy certificate report"


def compose(reading: Reading, on: date) -> Document:
    """The report as of a day. Its numbers are the certificate's own strings."""
    body = (
        guarantee(reading, on),
        parameters(reading),
        pictures(reading),
        native(reading),
        proof(reading),
        assumptions(reading, on),
        hazards(reading, on),
        execution(reading),
        erasures(reading),
        verification(reading),
    )
    sections = tuple(section for section in body if section is not None)
    appendix = data(reading)
    sections = (*sections, glossary(sections), *((appendix,) if appendix else ()))
    return Document(
        title=title(reading),
        subtitle=subtitle(reading),
        date=on.isoformat(),
        sections=sections,
        certificate=reading.data,
        digest=reading.payload_digest,
    )


def title(reading: Reading) -> str:
    """What it is; of which model, where [meta] says so."""
    called = [text for key in ("model", "version") if (text := reading.predicate.get("meta", {}).get(key))]
    return ": ".join([TITLE, *([" ".join(called)] if called else [])])


def subtitle(reading: Reading) -> str:
    """Which run it is about, in a line; who answers for it and what for, where [meta] says so."""
    mechanism = reading.run["mechanism"]
    subject = "training" if reading.training else ("unlearning" if reading.unlearns else "learning")
    samples = f", {mechanism['samples']} records" if mechanism["samples"] else ""
    meta = reading.predicate.get("meta", {})
    said = "".join(f"; {key}: {meta[key]}" for key in ("owner", "purpose") if key in meta)
    return f"{subject} by {mechanism['kind']}{samples}{said}"
