"""The index of a ledger as one HTML page: every model with its owner, claim, requests, expiry and revocation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from certify.errors import UsageError
from certify.files import write_atomically
from certify.ledger.rows import Head
from certify.ledger.summary import Due, Summary
from certify.report.document import Badge, Callout, Facts, Items, Line, Paragraph, Section, Table, Text, facts, line
from certify.report.html import IndexPage, render_index

NOT_SAID = Text("–")
BEYOND = (
    "A claim is about one model's run, and not about its source data, copies, back-ups, or other models. Rows that "
    "were removed from the end of the ledger do not show here: compare its head with one that was kept elsewhere."
)


def write_index(
    output: str | Path, address: str, head: Head, models: Sequence[Summary], due: Sequence[Due], on: date
) -> Path:
    """Write the page, whole or not at all. Returns its path.

    Args:
        output: where to, ending in .html.
        address: of the ledger, without a password. head: of its chain. on: the day that the page is as of.

    Raises:
        UsageError: another suffix, a file that cannot be written, or Jinja2 is missing.
    """
    path = Path(output)
    if path.suffix != ".html":
        raise UsageError(f"-o {output}: an index ends in .html")
    write_atomically(path, render_index(compose(address, head, models, due, on)))
    return path


def compose(address: str, head: Head, models: Sequence[Summary], due: Sequence[Due], on: date) -> IndexPage:
    """What the page says: what is due first, then all models, then each of them."""
    reasons = {entry.model: entry.reasons for entry in due}
    sections = [
        Section("due", "To be certified again", (_due(models, reasons),)),
        Section("models", "Models", (_table(models, reasons),) if models else (Paragraph(line("There are none.")),)),
    ]
    if models:
        details = tuple(_model(number, model, reasons) for number, model in enumerate(models, 1))
        sections.append(Section("details", "Each model", (), details))
    sections.append(Section("limits", "What this page does not show", (Paragraph(line(BEYOND)),)))
    count = f"{len(models)} model{'s' * (len(models) != 1)}"
    return IndexPage("Ledger of models", f"{count} in {address}", str(on), tuple(sections), str(head.seq), head.hash)


def _due(models: Sequence[Summary], reasons: dict[str, tuple[str, ...]]) -> Callout | Paragraph:
    if not reasons:
        return Paragraph(line(Badge("nothing", "good"), " No model must be certified again."))
    named = {model.model: _name(model) for model in models}
    lines = tuple(line(named[model], f": {'; '.join(said)}") for model, said in reasons.items())
    return Callout(f"{len(lines)} of {len(models)} must be certified again", (Items(lines),), "warning")


def _name(model: Summary) -> str:
    return f"{model.name} {model.version}" if model.name and model.version else model.name or model.model


def _or_not(value: object) -> Line:
    return line(NOT_SAID if value is None else str(value))


def _status(model: Summary, reasons: dict[str, tuple[str, ...]]) -> Line:
    """Words; the colour repeats them."""
    if model.revoked is not None:
        return line(Badge("revoked", "bad"), f" {model.revoked.time[:10]}")
    if model.experiment:
        return line(Badge("experiment", "bad"))
    if model.model in reasons:
        return line(Badge("due", "warning"))
    return line(Badge("valid", "good"))


def _table(models: Sequence[Summary], reasons: dict[str, tuple[str, ...]]) -> Table:
    head = ("Model", "Status", "Owner", "Purpose", "Claim", "Requests honoured", "Records left", "Expires")
    rows = tuple(
        (
            line(_name(model)),
            _status(model, reasons),
            _or_not(model.owner),
            _or_not(model.purpose),
            _or_not(model.claim),
            line(str(model.honoured)),
            _or_not(model.left),
            _or_not(model.expires and model.expires[:10]),
        )
        for model in models
    )
    return Table("Models of the ledger", head, rows)


def _model(number: int, model: Summary, reasons: dict[str, tuple[str, ...]]) -> Section:
    revoked = model.revoked and line(f"{model.revoked.time[:10]}, row {model.revoked.seq}: {model.revoked.why}")
    blocks: tuple[Facts, ...] = (
        facts(
            [
                ("Status", _status(model, reasons)),
                ("Identifier", Text(model.model, "code")),
                ("Owner", _or_not(model.owner)),
                ("Purpose", _or_not(model.purpose)),
                ("Version", _or_not(model.version)),
                ("Claim", _or_not(model.claim)),
                ("Verdict", _or_not(model.verdict)),
                ("Certificate", NOT_SAID if model.digest is None else Text(model.digest, "code")),
                ("Requests honoured", f"{model.honoured}, about {model.erased} records"),
                ("Records left", _or_not(model.left)),
                ("Releases", str(model.released)),
                ("First row", model.created),
                ("Last row", model.last),
                ("Expires", _or_not(model.expires)),
                ("Revoked", revoked or line("no")),
                ("To be certified again", "; ".join(reasons.get(model.model, ())) or "no"),
            ]
        ),
    )
    return Section(f"model-{number}", _name(model), blocks)
