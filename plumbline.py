"""Plumbline: is a privacy claim about noisy-gradient training or unlearning true, and why.

    import plumbline
    result = plumbline.certify("run.toml")
    plumbline.write_certificate(result, "out")
    plumbline.verify("out/certificate.json")
    plumbline.learn("run.toml", "state", data="records.csv")
    plumbline.unlearn("state", ["a record's id"])
    plumbline.train("training.toml", "trained", model="MODULE:FACTORY")
    trainer = plumbline.private(model, optimizer, dataset, target_epsilon=3, target_delta="1e-5", ...)

What a user imports, in one place; names are loaded when first asked for, and torch by those of the service
alone. `accountant` has the mechanisms, theorems and derivations, `learners` what runs a certified configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazy_names import lazy_names

if TYPE_CHECKING:
    from accountant.explain import explain
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
        sweep,
        verify,
        write_certificate,
        write_erasure_records,
        write_report,
    )
    from certify.ledger import Ledger
    from certify.service import (
        certify_training,
        export,
        learn,
        predict,
        private,
        record,
        retrain,
        status,
        train,
        unlearn,
        unlearn_many,
    )
    from learners.audits import audit
    from learners.training import PrivateTrainer, make_private

_ELSEWHERE = {
    "accountant.explain": ("explain",),
    "certify.ledger": ("Ledger",),
    "certify.service": (
        "certify_training",
        "export",
        "learn",
        "predict",
        "private",
        "record",
        "retrain",
        "status",
        "train",
        "unlearn",
        "unlearn_many",
    ),
    "learners.audits": ("audit",),
    "learners.training": ("PrivateTrainer", "make_private"),
}

__all__ = [
    "Calibration",
    "Comparison",
    "CrossCheck",
    "Exit",
    "Gate",
    "Judgement",
    "KeyFiles",
    "Ledger",
    "OutOfReach",
    "Plan",
    "PrivateTrainer",
    "Result",
    "Run",
    "Signed",
    "UsageError",
    "Verdict",
    "Verification",
    "audit",
    "calibrate",
    "certify",
    "certify_training",
    "check_commitment",
    "compare",
    "crosscheck",
    "explain",
    "export",
    "gate",
    "keygen",
    "learn",
    "make_private",
    "plan",
    "predict",
    "private",
    "read_run",
    "record",
    "retrain",
    "sign",
    "status",
    "sweep",
    "train",
    "unlearn",
    "unlearn_many",
    "verify",
    "write_certificate",
    "write_erasure_records",
    "write_report",
]

__getattr__, __dir__ = lazy_names(__name__, _ELSEWHERE, whole=("certify",))
