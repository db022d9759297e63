"""Reports: what a verified certificate says, as a page that people can sign, read, store and check.

    write_report(certificate, output, *, keys=(), threshold=None, on=None) -> Path      output: .html, .pdf or .md

A report is drawn from the certificate alone. Formats are loaded when they are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path

from certify.errors import UsageError
from certify.files import write_atomically

FORMATS = {".html": "html", ".pdf": "pdf", ".md": "markdown"}


def write_report(
    certificate: str | Path,
    output: str | Path,
    *,
    keys: Sequence[bytes] = (),
    threshold: int | None = None,
    on: date | None = None,
) -> Path:
    """Verify a certificate and write the report of it, whole or not at all. Returns the output's path.

    Args:
        certificate: path of certificate.json.
        output: where to; the suffix says in which format.
        keys: public keys (PEM) that must have signed, `threshold` of them; default: all.
        on: the day that the report is as of, and that an expiry date is compared with (its end, UTC); default: today.

    Raises:
        UsageError: another suffix, a file that cannot be read or written, or a format whose package is missing.
        checker.CheckError: a certificate that is not intact, does not follow or has expired; nothing is written then.
    """
    output = Path(output)
    if output.suffix not in FORMATS:
        raise UsageError(f"-o {output}: a report ends in {', '.join(FORMATS)}")
    from certify.report.content import compose
    from certify.report.reading import read
    from certify.trust.verify import end_of, read_certificate

    on = on or datetime.now(UTC).date()
    document = compose(read(read_certificate(certificate), keys, threshold, end_of(on)), on)
    content = _render(FORMATS[output.suffix], document)
    write_atomically(output, content)
    return output


def _render(name: str, document) -> bytes:
    match name:
        case "html":
            return import_module("certify.report.html").render(document)
        case "pdf":
            return import_module("certify.report.pdf").render(document)
    return import_module("certify.report.markdown").render(document)
