"""`status`: what a state has done, what it may still do, and whether its folder is whole. Needs no torch."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certify.checker import Mismatch
from certify.results.history import max_records
from certify.service.folder import State, certificate_name, named_files, not_named, opened, read_bytes
from certify.trust.erasure import erasure_path


@dataclass(frozen=True)
class Status:
    """releases: how often somebody has seen a model; reference_seen: whether a retrained reference. open: whether a
    further request can be made at all. epsilon, delta: what the last certificate claims. left: records that may still
    be named; None without a limit.
    """

    state: State
    epsilon: str
    target: str
    delta: str
    releases: int
    reference_seen: bool
    left: int | None
    address: str

    @property
    def open(self) -> bool:
        seen = self.reference_seen or (self.state.run.mechanism.release == "final" and self.releases)
        return not seen and self.left != 0

    def as_json(self) -> dict[str, Any]:
        state = self.state
        return {
            "state": str(state.folder),
            "model": state.model,
            "run": state.run.digest,
            "release": state.run.mechanism.release,
            "requests": [
                {"size": size, "unlearning_epochs": epochs}
                for size, epochs in zip(state.sizes, state.epochs, strict=True)
            ],
            "records": sum(state.sizes),
            "left": self.left,
            "epsilon": {"upper": self.epsilon, "target": self.target},
            "delta": self.delta,
            "releases": self.releases,
            "reference_seen": self.reference_seen,
            "open": self.open,
            "reproducible": state.seed is not None,
            "certificate": str(state.folder / certificate_name(state.requests)),
            "data": dict(state.data),
            "ledger": self.address,
            "head": {"seq": str(state.head[0]), "hash": state.head[1]},
        }

    def text(self) -> str:
        state = self.state
        records, requests = sum(state.sizes), state.requests
        release = state.run.mechanism.release
        lines = [
            f"model              {state.model}",
            f"learned            {state.run.mechanism.epochs} epochs from {state.run.mechanism.samples} records, "
            f'release = "{release}"',
            f"requests honoured  {requests}" + f", {several(records)}" * bool(requests),
            f"ε                  ≤ {self.epsilon} at δ = {self.delta} (target ε ≤ {self.target}), "
            f"{certificate_name(requests)}",
            f"left               {'no limit' if self.left is None else several(self.left)}",
            f"released           {self.releases} time{'s' * (self.releases != 1)}",
            f"ledger             {self.address}",
            f"head               row {state.head[0]}, {state.head[1]} (note it down: `plumbline ledger verify --head`)",
        ]
        if release == "final" and self.releases:
            lines.append('no further request is covered: the model was released, and release = "final"')
        if self.reference_seen:
            lines.append("no further request is covered: the retrained reference was released")
        if state.seed is not None:
            lines.append("REPRODUCIBLE EXPERIMENT: the noise can be drawn again; no privacy claim holds for this model")
        return "\n".join(lines)


def several(count: int) -> str:
    return f"{count} record{'s' * (count != 1)}"


@dataclass(frozen=True)
class TrainedStatus:
    """Of a state that `train` wrote. steps: taken and planned. release: rows by which somebody has seen the model."""

    state: State
    epsilon: str
    target: str
    delta: str
    steps: tuple[int, int]
    releases: int
    address: str

    def as_json(self) -> dict[str, Any]:
        state, (taken, planned) = self.state, self.steps
        return {
            "state": str(state.folder),
            "model": state.model,
            "run": state.run.digest,
            "kind": state.run.canonical["mechanism"]["kind"],
            "steps": {"taken": taken, "planned": planned},
            "epsilon": {"upper": self.epsilon, "target": self.target},
            "delta": self.delta,
            "releases": self.releases,
            "reproducible": state.seed is not None,
            "certificate": str(state.folder / certificate_name(0)),
            "data": dict(state.data),
            "ledger": self.address,
            "head": {"seq": str(state.head[0]), "hash": state.head[1]},
        }

    def text(self) -> str:
        state, (taken, planned) = self.state, self.steps
        lines = [
            f"model              {state.model}",
            f"trained            {taken} of {planned} steps of {state.run.canonical['mechanism']['kind']} on "
            f"{state.run.mechanism.samples} records",
            f"ε                  ≤ {self.epsilon} at δ = {self.delta} (target ε ≤ {self.target}), "
            f"{certificate_name(0)}",
            f"exported           {self.releases} time{'s' * (self.releases != 1)}",
            f"ledger             {self.address}, row {state.head[0]}",
        ]
        if state.seed is not None:
            lines.append("REPRODUCIBLE EXPERIMENT: the noise can be drawn again; no privacy claim holds for this model")
        return "\n".join(lines)


def status(folder: str | Path, *, ledger: str | None = None) -> Status | TrainedStatus:
    """What a state folder and its ledger say, held against each other.

    Raises:
        UsageError: no state, or a damaged one. Mismatch: a file is not the one that the ledger names, or the state is a
            copy.
    """
    with opened(Path(folder), ledger=ledger, trained=True) as change:
        state = change.state
        for name, digest in named_files(change.turn.rows).items():
            if hashlib.sha256(read_bytes(state.folder / name)).hexdigest() != digest:
                raise not_named(state.folder / name)
        _check_certificates(state, change.turn.rows)
        predicate = _payload(state.folder / certificate_name(state.requests))["predicate"]
        claimed = (state, predicate["epsilon"]["upper"], predicate["epsilon"]["target"], predicate["delta"])
        address = state.ledger or str(state.folder / "ledger.sqlite")
        if state.trained:
            steps = (int(predicate["execution"]["phases"][0]["steps"]), state.run.mechanism.steps)
            return TrainedStatus(*claimed, steps, change.releases, address)
        limit = max_records(state.run)
        left = None if limit is None else limit - sum(state.sizes)
        return Status(*claimed, change.releases, change.reference_seen, left, address)


def _check_certificates(state: State, rows: Any) -> None:
    """Every certificate is the one that the ledger names, but for signatures and a date of expiry; every erasure record
    says what its certificate does.

    Raises:
        Mismatch: names the file. checker.CheckError: a file that is no certificate.
    """
    from certify.ledger.payloads import certificate_entry

    for row in rows:
        content = row.content
        if row.kind not in ("learned", "erased"):
            continue
        number = int(content.get("request", "0"))
        path = state.folder / certificate_name(number)
        if certificate_entry(read_bytes(path))["core"] != content["certificate"]["core"]:
            raise Mismatch(f"{path}: is not the certificate that the ledger names; restore it")
        if number:
            record = erasure_path(state.folder, number)
            known = _payload(path)["predicate"]["execution"]["erasures"]
            if _payload(record)["predicate"].get("erasure") not in known:
                raise Mismatch(f"{record}: is not the record of request {number}; restore it")


def _payload(path: Path) -> dict[str, Any]:
    return json.loads(b64decode(json.loads(read_bytes(path))["payload"]))
