"""Plumbline: is a privacy claim about noisy-gradient training or unlearning true, and why.

    import plumbline
    result = plumbline.certify("run.toml")
    plumbline.write_certificate(result, "out")
    plumbline.verify("out/certificate.json")

What a user imports, in one place; names are loaded when first asked for, and torch never. `accountant` has the
mechanisms, theorems and derivations, `learners` what runs a certified configuration.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accountant.explain import explain
    from accountant.pnsgd.estimates.sweep import sweep
    from certify import (
        Calibration,
        Comparison,
        CrossCheck,
        Exit,
        Gate,
        Judgement,
        KeyFiles,
        OutOfReach,
        Plan,
        Result,
        Run,
        Signed,
        UsageError,
        Verdict,
        Verification,
        calibrate,
        certify,
        check_commitment,
        compare,
        crosscheck,
        gate,
        keygen,
        plan,
        read_run,
        sign,
        verify,
        write_certificate,
        write_erasure_records,
        write_report,
    )

_ELSEWHERE = {"explain": "accountant.explain", "sweep": "accountant.pnsgd.estimates.sweep"}  # the rest is certify's

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
    "explain",
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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(_ELSEWHERE.get(name, "certify")), name)
    return value


def __dir__() -> list[str]:
    return __all__
