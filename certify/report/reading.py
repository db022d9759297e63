"""A certificate that was verified, as a report reads it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from typing import Any

from certify import checker


@dataclass(frozen=True)
class Reading:
    """What a report may be drawn from: the bytes of a certificate, and what the checker says of them.

    data: the file. report: the checker's. statement: the payload. payload_digest: its SHA-256, which signatures are
    over. keyids: of the signatures in the envelope, which are hints until a key was given. keys: those that were (PEM).
    """

    data: bytes
    report: checker.Report
    statement: Mapping[str, Any]
    payload_digest: str
    keyids: tuple[str, ...] = ()
    keys: tuple[bytes, ...] = ()

    @property
    def predicate(self) -> Mapping[str, Any]:
        return self.statement["predicate"]

    @property
    def run(self) -> Mapping[str, Any]:
        """The canonical run."""
        return self.predicate["run"]

    @property
    def training(self) -> bool:
        """Whether the run is one of DP-SGD or a relative."""
        return self.run["mechanism"]["kind"] in checker.TRAINING

    @property
    def unlearns(self) -> bool:
        """Whether the claim is about unlearning, and not about learning itself."""
        return not self.training and any(k != "0" for k in self.run["mechanism"]["unlearning_epochs"])

    @property
    def subjects(self) -> Mapping[str, str]:
        """SHA-256 of what the statement is about, by name: "run", and "model" and "run_record" where it was run."""
        return {subject["name"]: subject["digest"]["sha256"] for subject in self.statement["subject"]}

    @property
    def figures(self) -> Mapping[str, Any] | None:
        return self.predicate.get("figures")

    @property
    def execution(self) -> Mapping[str, Any] | None:
        return self.predicate.get("execution")

    @property
    def reproducible_noise(self) -> bool:
        """Whether the noise can be drawn again, so that no privacy claim holds for the model."""
        return self.execution is not None and self.execution["noise"] == "reproducible"

    @property
    def attest(self) -> Mapping[str, Any]:
        """The run's [attest] table; empty where it has none. A certificate may carry text of any nesting there."""
        attest = self.run.get("attest")
        if attest is None:
            return {}
        return attest if isinstance(attest, Mapping) else {"text": attest}

    @property
    def answers(self) -> Mapping[str, Mapping[str, Any]]:
        """[attest.answers], by item, those that have a text."""
        answers = self.attest.get("answers")
        if not isinstance(answers, Mapping):
            return {}
        return {
            item: answer
            for item, answer in answers.items()
            if isinstance(answer, Mapping) and isinstance(answer.get("text"), str)
        }

    @property
    def swept(self) -> str:
        """Of which request a sweep and its ε are: " of request 3", or nothing. Another's ε may be larger."""
        sweep = (self.figures or {}).get("sweep") or {}
        several = sweep.get("parameter") == "unlearning_epochs" and len(self.predicate["requests"]) > 1
        return f" of request {self.worst + 1}" if several else ""

    @cached_property
    def worst(self) -> int:
        """The request (0-based) with the largest ε, the first of equals. Another may have the largest μ, W∞ or D_α."""
        bounds = [Fraction(request["epsilon"]) for request in self.predicate["requests"]]
        return bounds.index(max(bounds)) if bounds else 0


def read(data: bytes, keys: Sequence[bytes] = (), threshold: int | None = None, now: datetime | None = None) -> Reading:
    """Verify a certificate, and read it.

    Args:
        keys: public keys (PEM) that must have signed, `threshold` of them; default: all.
        now: what an expiry date is compared with; default: now.

    Raises:
        checker.CheckError: anything but an intact certificate whose claim follows.
    """
    report = checker.verify(data, keys=tuple(keys), threshold=threshold, now=now)
    envelope = json.loads(data)
    statement = json.loads(base64.b64decode(envelope["payload"]))
    if statement["predicateType"] != checker.CERTIFICATE:
        raise checker.Malformed("is an erasure record; a report is drawn from the certificate that it names")
    return Reading(
        data=data,
        report=report,
        statement=statement,
        payload_digest=envelope["digest"]["sha256"],
        keyids=tuple(signature["keyid"] for signature in envelope["signatures"]),
        keys=tuple(keys),
    )
