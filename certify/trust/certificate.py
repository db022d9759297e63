"""Write a certificate: an in-toto statement with the proof as JSON, in a DSSE envelope. The format is
docs/certificate.md."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

from accountant import Derivation, ExecutedTraining, Indeterminate, enclose, enclose_all
from accountant.core.exact import Rounding, canonical, outward
from accountant.core.facts import Direction, Family, States
from certify import checker
from certify.errors import UsageError
from certify.files import make_directory, write_atomically
from certify.results.result import Result
from certify.runfile.read import canonical_json
from certify.trust.grids import grids_of
from certify.trust.precision import sums_precision
from certify.trust.together import alone

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:plumbline-dp:certificate:v2"
FILE_NAME = "certificate.json"
CLIPPED = "per_record_clipping"


class _Proof:
    """The derivations as a list of steps, each written once, premises first."""

    def __init__(self, shown: Mapping[int, dict[str, str]], cut: tuple[int, int] | None = None) -> None:
        """`shown`: what a derivation concludes, by its id, where it is on the front page. `cut`: see `grids_of`."""
        self._shown, self._cut = shown, cut
        self.steps: list[dict[str, Any]] = []
        self._index: dict[bytes, int] = {}
        self._known: dict[int, int] = {}

    def add(self, derivation: Derivation) -> str:
        """The number of the step that concludes this derivation."""
        for node in derivation.nodes():
            if id(node) not in self._known:
                self._known[id(node)] = self._step(node)
        return str(self._known[id(derivation)])

    def _step(self, node: Derivation) -> int:
        arguments = {name: _written(value) for name, value in node.arguments}
        if node.theorem.facts.omits_batch_size:  # a premise says it, or one of the phases before
            for phase in arguments["phases"] if "phases" in arguments else [arguments["phase"]]:
                del phase["batch_size"]
        applied = {
            "theorem": node.theorem.id,
            "args": arguments,
            "premises": [str(self._known[id(premise)]) for premise in node.premises],
        }
        key = canonical_json(applied)
        if key not in self._index:
            self._index[key], concludes = len(self.steps), self._conclusion(node)
            self.steps.append(applied | {"concludes": concludes})
            if "grid" in arguments:
                grids = grids_of(node.theorem.id, arguments, Fraction(concludes["epsilon"]), self._cut)
                arguments["grid"] |= {} if grids is None else {"witness": grids}
        return self._index[key]

    def _conclusion(self, node: Derivation) -> dict[str, Any]:
        return self._shown.get(id(node)) or _conclusion(node)


def _written(value: Any) -> Any:
    """An exact argument as JSON: numbers as canonical strings, records as objects."""
    if isinstance(value, int | Fraction):
        return canonical(value)
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    if is_dataclass(value):
        return {f.metadata.get("key", f.name): _written(getattr(value, f.name)) for f in fields(value)}
    return value


def _exactly(value: Fraction | bool | None) -> str | bool | None:
    return value if value is None or isinstance(value, bool) else canonical(value)


def _conclusion(node: Derivation) -> dict[str, Any]:
    states = node.theorem.facts.states
    if states is None:
        raise ValueError(f"{node.theorem.id} has no place in a certificate")
    return STATED[states](node)


def _constants(node: Derivation) -> dict[str, Any]:
    shown = [f.name for f in fields(node.preview) if f.name != "whole_batch"]
    return {name: _exactly(getattr(node.preview, name)) for name in shown}


def _decimal(node: Derivation) -> str:
    """The conclusion's one number, rounded to its safe side."""
    enclosure = enclose(node)
    return enclosure.lower_decimal() if node.direction is Direction.BELOW else enclosure.upper_decimal()


STATED: Mapping[States, Callable[[Derivation], dict[str, Any]]] = {
    States.CONSTANTS: _constants,
    States.CONTRACTION: lambda node: {"contraction": canonical(node.preview.factor)},
    States.DRIFT: lambda node: {
        "contraction": canonical(node.preview.factor),
        "shift": canonical(node.preview.distance),
    },
    States.SHIFT: lambda node: {"shift": canonical(node.preview.distance)},
    States.STEPS: lambda node: {
        "steps": canonical(sum(block.epochs * block.batches for block in node.preview.blocks)),
    },
    States.WASSERSTEIN: lambda node: {"wasserstein": _decimal(node)},
    States.SENSITIVITY: lambda node: {
        "sensitivity": canonical(node.preview.norm),
        "attained": node.preview.attained,
    },
    States.MU: lambda node: {"mu": _decimal(node)},
    States.RENYI: lambda node: {"renyi": [value.upper_decimal() for value in enclose_all(node)]},
    States.EPSILON: lambda node: {"epsilon": _decimal(node)},
    States.EPSILON_AND_MU: lambda node: {
        "epsilon": _decimal(node),
        "mu": outward(dict(node.arguments)["mu"], Rounding.DOWN),
    },
}


def make_statement(
    result: Result,
    *,
    created: datetime | None = None,
    figures: Mapping[str, Any] | None = None,
    execution: Mapping[str, Any] | None = None,
    subjects: Mapping[str, str] | None = None,
    predecessor: str | None = None,
    expires: str | None = None,
    executed: ExecutedTraining | None = None,
) -> dict[str, Any]:
    """The in-toto statement about a result.

    Args:
        created: UTC; now, unless given.
        figures: what pictures are drawn from (`certify.pictures.figures`); no part of the claim.
        execution: what was run (`certify.trust.execution`), where it was.
        subjects: SHA-256 of further files that the statement is about, by name: "model", "run_record".
        predecessor: SHA-256 of the payload, without a date of expiry, of the certificate before this one, where
            requests are certified one by one as they come: then the claim is about the run's last request alone, and
            `result` has that one claim.
        expires: when it holds no more (UTC, as in the certificate before this one).
        executed: of a training run that `execution` tells of, with secret noise: what it satisfies with its rounding
            counted (`accountant.executed_training`); its proof is written too.

    Raises:
        ValueError: `executed` without an execution, with noise that can be drawn again, or at another δ.
    """
    if executed is not None and (
        execution is None or execution["noise"] != "secret" or executed.delta != result.run.target_delta
    ):
        raise ValueError("executed: needs an execution with secret noise, and the δ of the claim")
    target = result.run.target_epsilon
    known = {id(claim.upper): {"epsilon": claim.printed(target)} for claim in result.claims}
    training = result.sensitivity is not None
    proof = _Proof(known, checker.read_training(result.run.canonical).cut if training else None)
    claims = [_entry(result, request, proof) for request in range(len(result.claims))]
    if executed is not None:
        (only,) = claims
        claims = [only | {"executed": proof.add(executed.sums)}]
    shown = result.as_json()
    for absent in ("published", "fallback", "digest"):  # comparisons are not claims; the digest is the subject's
        del shown[absent]
    shown.pop("rounding", None)  # the status of its assumption says what is proved of it
    shown.pop("bracket", None)  # both ends are there
    shown.pop("other_release", None)  # another run's
    if result.fractional is not None:  # not part of the claim: a quadrature, which the checker does not repeat
        del shown["renyi"][: len(enclose_all(result.fractional))]
    shown["theorems"] = sorted({step["theorem"] for step in proof.steps})  # those of the curve too
    if execution is not None:
        execution = dict(execution)
        observed = "clipping" in execution and any(a["id"] == CLIPPED for a in shown["assumptions"])
        if observed:  # by the learner, which clips so
            shown["assumptions"] = [
                {**a, "status": "checked"} if a["id"] == CLIPPED else a for a in shown["assumptions"]
            ]
        else:  # it is not about a run without a clip
            execution.pop("clipping", None)
        if executed is not None:
            execution["finite_precision"] = sums_precision(executed, result.delta)
    shown["requests"] = [
        {"size": str(r["size"]), "epochs": str(r["epochs"]), "epsilon": r["epsilon"]} for r in shown["requests"]
    ]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": name, "digest": {"sha256": digest}}
            for name, digest in {"run": result.digest, **(subjects or {})}.items()
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "producer": {"name": "plumbline-dp", "version": version("plumbline-dp")},
            "created": (created or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "run": result.run.canonical,
            **shown,
            "proof": {"steps": proof.steps, "claims": claims},
            **({"figures": dict(figures)} if figures else {}),
            **({"execution": dict(execution)} if execution else {}),
            **({"predecessor": predecessor} if predecessor else {}),
            **({"expires": expires} if expires else {}),
        },
    }


def _entry(result: Result, request: int, proof: _Proof) -> dict[str, Any]:
    """The steps that conclude what is claimed of one request (0-based), or of a training run."""
    claim = result.claims[request]
    entry: dict[str, Any] = {
        "bound": proof.add(claim.upper),
        "lower": None if claim.lower is None else proof.add(claim.lower),
    }
    if result.sensitivity is not None:
        entry["renyi"] = None if result.curve is None else proof.add(result.curve)
        promised = [None if bound is None else proof.add(bound) for bound in result.promised]
        return entry | {"sensitivity": proof.add(result.sensitivity), "guarantees": promised}
    native = result.natives[request]
    entry |= {
        "renyi": proof.add(native.curve),
        "learned": proof.add(native.learned),
        "released": proof.add(native.released),
    }
    if native.curve.theorem.facts.family is Family.SECRET_ORDER:  # which has no μ of its own
        entry["mu"] = proof.add(claim.bound)
    return entry


def make_envelope(statement: Mapping[str, Any]) -> dict[str, Any]:
    """The unsigned DSSE envelope of a statement, with the digest of its payload."""
    payload = canonical_json(statement)
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [],
        "digest": {"sha256": hashlib.sha256(payload).hexdigest()},
    }


def certificate_bytes(result: Result, **about: Any) -> bytes:
    """The file of a certificate; `about` as for `make_statement`."""
    return (json.dumps(make_envelope(make_statement(result, **about)), indent=1) + "\n").encode()


def payload_digest(certificate: bytes) -> str:
    """SHA-256 (hex) of the payload of a certificate's file, which signing leaves as it is."""
    return json.loads(certificate)["digest"]["sha256"]


def write_certificate(result: Result, directory: str | Path, **about: Any) -> Path:
    """Write `directory/certificate.json`, whole or not at all; the directory is made. Returns its path.

    Args:
        about: as for `make_statement`.

    Raises:
        UsageError: it cannot be written, or a signed certificate stands there.
    """
    directory = Path(directory)
    make_directory(directory)
    path, content = directory / FILE_NAME, certificate_bytes(result, **about)
    with alone(directory):  # or somebody could sign it between this check and the writing
        refuse_signed(path)
        write_atomically(path, content)
    return path


def check_certificate(path: Path) -> str | None:
    """What keeps the checker from verifying a certificate that was just written with its default work; None where it
    verifies.

    Raises:
        Indeterminate: the checker does not follow; the file is removed.
    """
    try:
        checker.verify(path.read_bytes())
    except checker.OutOfWork:
        return f"verifying it takes more than the default work; give --work a number above {checker.WORK}"
    except checker.CheckError as problem:
        path.unlink()
        raise Indeterminate(f"no certificate: the checker does not follow: {problem}") from None
    return None


def refuse_signed(path: Path) -> None:
    """Raise UsageError where a signed file stands: to write over it would lose its signatures."""
    try:
        signed = bool(json.loads(path.read_bytes())["signatures"])
    except (OSError, ValueError, TypeError, LookupError):
        return  # nothing there, or nothing that was signed
    if signed:
        raise UsageError(f"{path}: is signed, and would be written over; move it away, or write elsewhere")
