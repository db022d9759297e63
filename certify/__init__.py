"""What is claimed: run files, verdicts, calibration, certificates and their verification.

    certify(path_or_mapping) -> Result
    calibrate(path_or_mapping, tune="noise_std") -> Calibration
    compare(path_or_mapping) -> Comparison
    crosscheck(path_or_mapping, written_by="opacus", delta=…, printed=…) -> CrossCheck
    plan(path_or_mapping) -> Plan;  sweep(…, workers="dask://HOST:PORT") -> Sweep
    write_certificate(result, directory) -> Path
    verify(certificate, keys=…, threshold=…) -> Verification
    keygen(name) -> KeyFiles;  sign(certificate, key=…) -> Signed
    write_report(certificate, output) -> Path
    gate(policy, certificates) -> Gate
    write_erasure_records(certificate) -> Paths;  check_commitment(erasure, key, dataset, records) -> bool

Names are loaded when first asked for, so that `python -m certify.checker` needs the standard library alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazy_names import lazy_names

if TYPE_CHECKING:
    from certify.errors import Exit, OutOfReach, UsageError
    from certify.gating.gate import Gate, gate
    from certify.report import write_report
    from certify.results.calibrate import Calibration, calibrate
    from certify.results.certify import certify
    from certify.results.claims import Verdict
    from certify.results.compare import Comparison, compare
    from certify.results.crosscheck import crosscheck
    from certify.results.crosscheck_result import CrossCheck, Judgement
    from certify.results.plan import Plan, plan
    from certify.results.result import Result
    from certify.results.sweep import sweep
    from certify.runfile.read import Run, read_run
    from certify.trust.certificate import write_certificate
    from certify.trust.erasure import check_commitment, write_erasure_records
    from certify.trust.keys import KeyFiles, keygen
    from certify.trust.sign import Signed, sign
    from certify.trust.verify import Verification, verify

_HOMES = {
    "certify.errors": ("Exit", "OutOfReach", "UsageError"),
    "certify.gating.gate": ("Gate", "gate"),
    "certify.report": ("write_report",),
    "certify.results.calibrate": ("Calibration", "calibrate"),
    "certify.results.certify": ("certify",),
    "certify.results.claims": ("Verdict",),
    "certify.results.compare": ("Comparison", "compare"),
    "certify.results.crosscheck": ("crosscheck",),
    "certify.results.crosscheck_result": ("CrossCheck", "Judgement"),
    "certify.results.plan": ("Plan", "plan"),
    "certify.results.result": ("Result",),
    "certify.results.sweep": ("sweep",),
    "certify.runfile.read": ("Run", "read_run"),
    "certify.trust.certificate": ("write_certificate",),
    "certify.trust.erasure": ("check_commitment", "write_erasure_records"),
    "certify.trust.keys": ("KeyFiles", "keygen"),
    "certify.trust.sign": ("Signed", "sign"),
    "certify.trust.verify": ("Verification", "verify"),
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
    "sweep",
    "verify",
    "write_certificate",
    "write_erasure_records",
    "write_report",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
