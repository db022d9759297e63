"""`verify`: the standalone checker on a file, with a run file to compare with if there is one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certify import checker
from certify.errors import Exit, UsageError
from certify.spec import read_run


@dataclass(frozen=True)
class Verification:
    """What the checker found. `report` is None where it refused; then `problem` says why in one line."""

    exit_code: int
    steps: tuple[str, ...]
    report: checker.Report | None
    problem: str | None

    @property
    def verified(self) -> bool:
        """Whether the certificate is intact, its claim follows, and it meets its target."""
        return self.exit_code == Exit.OK

    def text(self) -> str:
        return "\n".join(self.steps) if self.report is None else str(self.report)

    def as_json(self) -> dict[str, Any]:
        found = self.report
        return {
            "verified": self.verified,
            "exit_code": int(self.exit_code),
            "steps": list(self.steps),
            "problem": self.problem,
            "verdict": found and found.verdict,
            "claim": found and found.claim,
            "digest": found and found.digest,
            "signed": found and found.signed,
        }


def verify(certificate: str | Path, *, run: str | Path | None = None) -> Verification:
    """Re-derive a certificate's claim from nothing but its bytes.

    Args:
        certificate: path of certificate.json.
        run: a run file; a certificate about another run is refused (exit 4).

    Raises:
        UsageError: a file that cannot be read, or a malformed run file.
    """
    digest = None if run is None else read_run(run).digest
    try:
        with open(certificate, "rb") as file:
            data = file.read(checker.MAX_BYTES + 1)
    except (OSError, ValueError) as problem:
        raise UsageError(f"{certificate}: {getattr(problem, 'strerror', None) or problem}") from None
    try:
        report = checker.verify(data, digest)
    except checker.CheckError as refused:
        return Verification(refused.exit_code, refused.steps, None, f"{certificate}: {refused}")
    return Verification(report.exit_code, report.steps, report, None)
