"""What a verification reports."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Report:
    """What a certificate, or an erasure record, says, after it was verified."""

    exit_code: int
    verdict: str  # CERTIFIED, NOT_CERTIFIED, INDETERMINATE; of an erasure record: ERASURE_RECORD
    digest: str  # SHA-256 of the canonical run
    signed: bool  # by at least one of the keys that were given
    steps: tuple[str, ...]
    claim: str
    assumptions: tuple[tuple[str, str, str], ...]  # (id, status, text)
    signatures: int = 0  # in the envelope, checked or not
    signers: tuple[str, ...] = ()  # keyids of the given keys that signed
    threshold: int | None = None  # how many keys had to; None: no key was given
    expires: str | None = None
    created: str = ""
    notes: tuple[str, ...] = ()  # what was not checked, or must be known besides
    work: int = field(default=0, compare=False)  # units that were spent

    def signed_by(self) -> str:
        """Who vouches for it, in words."""
        if not self.signatures:
            return "UNSIGNED: nobody vouches for the run; the digest shows only that it is whole"
        times = f"{self.signatures} time{'s' * (self.signatures > 1)}"
        if self.threshold is None:
            return f"SIGNED {times}, no key given: signatures not checked"
        needed = f"{self.threshold} needed, {self.signatures} signature{'s' * (self.signatures > 1)} in all"
        signers = "".join(f"\n  {keyid}" for keyid in self.signers)
        return f"SIGNED by {len(self.signers)} of the given keys ({needed}):{signers}"

    def __str__(self) -> str:
        lines = {name: f"\n  {status:<8}  {name}: {text}" for name, status, text in self.assumptions}
        without = "".join(lines.pop(name) for name, status, _ in self.assumptions if status == "violated")
        without = without and f"\nThe run does not have this, and no step of the proof rests on it:{without}"
        assumed = f"\nThis holds under these assumptions:{''.join(lines.values())}" if lines else ""
        dates = f"\nCreated {self.created}" + f", expires {self.expires}" * bool(self.expires)
        notes = "".join(f"\nNote: {note}" for note in self.notes)
        return "\n".join(self.steps) + f"\n\n{self.signed_by()}\n{self.claim}{assumed}{without}{notes}{dates}"
