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
        title=TITLE,
        subtitle=subtitle(reading),
        date=on.isoformat(),
        sections=sections,
        certificate=reading.data,
        digest=reading.payload_digest,
    )


def subtitle(reading: Reading) -> str:
    """Which run it is about, in a line."""
    mechanism = reading.run["mechanism"]
    subject = "training" if reading.training else ("unlearning" if reading.unlearns else "learning")
    samples = f", {mechanism['samples']} records" if mechanism["samples"] else ""
    return f"{subject} by {mechanism['kind']}{samples}"
