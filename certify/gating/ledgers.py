"""The ledgers that a policy names: whether one of them revokes a certificate, and whether one knows it."""

from __future__ import annotations

from dataclasses import dataclass

from certify.errors import UsageError
from certify.gating.policy import Policy
from certify.report.reading import Reading


@dataclass(frozen=True)
class Ledgers:
    """names: as they may be printed. named, revoked: by digest; the words are what a gate prints of a revocation."""

    names: tuple[str, ...] = ()
    named: frozenset[str] = frozenset()
    revoked: tuple[tuple[str, str], ...] = ()

    def judge(self, reading: Reading) -> tuple[str, bool]:
        """What the ledgers say of a certificate, in words, and whether that is not that it is revoked."""
        from certify.ledger.revocation import all_digests

        digests, revoked = all_digests(reading.data), dict(self.revoked)
        for digest in digests:
            if digest in revoked:
                return revoked[digest], False
        if reading.execution is not None and not self.named & set(digests):
            return "executed, and no row names it", False
        return "not revoked", True


def read_ledgers(policy: Policy) -> Ledgers:
    """Read those that the policy names; none where it asks for none.

    Raises:
        UsageError: one cannot be read: whether something is revoked is not known then. checker.Mismatch: its chain is
            broken.
    """
    if not policy.table.freshness.not_revoked:
        return Ledgers()
    from certify.ledger import Ledger
    from certify.ledger.revocation import standing
    from certify.ledger.where import is_url

    names: list[str] = []
    named: set[str] = set()
    revoked: dict[str, str] = {}
    for where in policy.table.freshness.not_revoked:
        try:
            ledger = Ledger.open(where if is_url(where) else policy.path.parent / where)
        except UsageError as problem:
            raise UsageError(f"{policy.path}: freshness.not_revoked: {problem}") from None
        known = standing(ledger.rows())
        names.append(ledger.address)
        named |= set(known.named)
        for digest, entry in known.revoked.items():
            revoked.setdefault(digest, f"revoked on {entry.time[:10]}: {entry.why}")
    return Ledgers(tuple(names), frozenset(named), tuple(revoked.items()))
