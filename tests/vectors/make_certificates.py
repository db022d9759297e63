"""Make the certificates under tests/vectors: valid ones, and one for each way to be invalid.

    python -m tests.vectors.make_certificates

The parts of the producer are in `producer/`; what tests take of it is named here.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.vectors.producer.accept import ACCEPT, SEALED, accepted
from tests.vectors.producer.envelopes import envelope, private_key, public_key, seal, signature, signed
from tests.vectors.producer.executed import record_of
from tests.vectors.producer.gauges import gauges
from tests.vectors.producer.losses import LOGISTIC
from tests.vectors.producer.numbers import ORDERS, exact, hexed, lower_by_a_digit, outward, real
from tests.vectors.producer.reject import rejected
from tests.vectors.producer.runs import CLIPPED, CONVEX, WAVY, run_file, small, training_run
from tests.vectors.producer.secret import moved
from tests.vectors.producer.statements import statement
from tests.vectors.producer.strings import delta_of, string, walk
from tests.vectors.producer.table import CHOICES
from tests.vectors.producer.training import training_statement

HERE = Path(__file__).parent

__all__ = [
    "ACCEPT",
    "CHOICES",
    "CLIPPED",
    "CONVEX",
    "LOGISTIC",
    "ORDERS",
    "SEALED",
    "WAVY",
    "accepted",
    "delta_of",
    "envelope",
    "exact",
    "gauges",
    "hexed",
    "lower_by_a_digit",
    "moved",
    "outward",
    "private_key",
    "public_key",
    "real",
    "record_of",
    "rejected",
    "run_file",
    "seal",
    "signature",
    "signed",
    "small",
    "statement",
    "string",
    "training_run",
    "training_statement",
    "walk",
]


def main() -> None:
    """Write all the vectors."""
    for name in ACCEPT:
        (HERE / "accept" / f"{name}.json").write_bytes(seal(accepted(name)))
    for name, made in SEALED.items():
        (HERE / "accept" / f"{name}.json").write_bytes(made())
    expected = {}
    for name, (data, code, message) in sorted(rejected().items()):
        if len(data) < 2**20:
            (HERE / "reject/certificates" / f"{name}.json").write_bytes(data)
            expected[name] = {"exit": code, "contains": message}
    (HERE / "reject/certificates/expected.json").write_text(json.dumps(expected, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
