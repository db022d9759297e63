"""What is claimed: run files, verdicts, calibration, certificates and their verification.

    certify(path_or_mapping) -> Result
    calibrate(path_or_mapping, tune="noise_std") -> Calibration
    compare(path_or_mapping) -> Comparison
    crosscheck(path_or_mapping, written_by="opacus", delta=…, printed=…) -> CrossCheck
    plan(path_or_mapping) -> Plan
    write_certificate(result, directory) -> Path
    verify(certificate, keys=…, threshold=…) -> Verification
    keygen(name) -> KeyFiles;  sign(certificate, key=…) -> Signed
    write_report(certificate, output) -> Path
    gate(policy, certificates) -> Gate
    write_erasure_records(certificate) -> Paths;  check_commitment(erasure, key, dataset, records) -> bool

Names are loaded when first asked for, so that `python -m certify.checker` needs the standard library alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from certify.errors import Exit, OutOfReach, UsageError
    from certify.report import write_report
    from certify.results.calibrate import Calibration, calibrate
    from certify.results.certify import certify
    from certify.results.claims import Verdict
    from certify.results.compare import Comparison, compare
    from certify.results.crosscheck import crosscheck
    from certify.results.crosscheck_result import CrossCheck, Judgement
    from certify.results.plan import Plan, plan
    from certify.results.result import Result
    from certify.runfile.read import Run, read_run
    from certify.trust.certificate import write_certificate
    from certify.trust.erasure import check_commitment, write_erasure_records
    from certify.trust.gate import Gate, gate
    from certify.trust.keys import KeyFiles, keygen
    from certify.trust.sign import Signed, sign
    from certify.trust.verify import Verification, verify

_HOME = {
    "Calibration": "results.calibrate",
    "Comparison": "results.compare",
    "CrossCheck": "results.crosscheck_result",
    "Exit": "errors",
    "Gate": "trust.gate",
    "Judgement": "results.crosscheck_result",
    "KeyFiles": "trust.keys",
    "OutOfReach": "errors",
    "Plan": "results.plan",
    "Result": "results.result",
    "Run": "runfile.read",
    "Signed": "trust.sign",
    "UsageError": "errors",
    "Verdict": "results.claims",
    "Verification": "trust.verify",
    "calibrate": "results.calibrate",
    "certify": "results.certify",
    "check_commitment": "trust.erasure",
    "compare": "results.compare",
    "crosscheck": "results.crosscheck",
    "gate": "trust.gate",
    "keygen": "trust.keys",
    "plan": "results.plan",
    "read_run": "runfile.read",
    "sign": "trust.sign",
    "verify": "trust.verify",
    "write_certificate": "trust.certificate",
    "write_erasure_records": "trust.erasure",
    "write_report": "report",
}

__all__ = [
    "Calibration",
    "Comparison",
    "CrossCheck",
    "Exit",
    "Gate",
    "Judgement",
    "KeyFiles",
    "OutOfReach",
    "Plan",
    "Result",
    "Run",
    "Signed",
    "UsageError",
    "Verdict",
    "Verification",
    "calibrate",
    "certify",
    "check_commitment",
    "compare",
    "crosscheck",
    "gate",
    "keygen",
    "plan",
    "read_run",
    "sign",
    "verify",
    "write_certificate",
    "write_erasure_records",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'certify' has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(f"certify.{_HOME[name]}"), name)
    return value
