"""Invalid certificates, one for each way to be invalid."""

from __future__ import annotations

from tests.vectors.producer.reject.beyond import of_other_theorems
from tests.vectors.producer.reject.cases import Cases, put
from tests.vectors.producer.reject.executed import rejected_executed
from tests.vectors.producer.reject.format import malformed
from tests.vectors.producer.reject.gauges import rejected_gauges
from tests.vectors.producer.reject.grids import rejected_grids
from tests.vectors.producer.reject.histories import of_histories
from tests.vectors.producer.reject.one_by_one import of_requests_one_by_one
from tests.vectors.producer.reject.own_data import of_own_data
from tests.vectors.producer.reject.precision import of_finite_precision
from tests.vectors.producer.reject.proof import of_the_proof
from tests.vectors.producer.reject.run import of_the_run
from tests.vectors.producer.reject.scaled import rejected_scaled
from tests.vectors.producer.reject.sums import of_executed_sums
from tests.vectors.producer.reject.target import of_the_target
from tests.vectors.producer.reject.training import rejected_training


def rejected() -> dict[str, tuple[bytes, int, str]]:
    """name -> (bytes, exit code, part of the message)."""
    made = Cases()
    malformed(made)
    of_the_run(made)
    of_own_data(made)
    of_the_proof(made)
    of_histories(made)
    of_requests_one_by_one(made)
    of_other_theorems(made)
    of_the_target(made)
    rejected_gauges(made.edited, made.lied, put, made.at, made.find)
    rejected_scaled(made.edited, made.lied, put, made.at, made.find)
    rejected_training(made.raw, made.edited, made.lied, put, made.at, made.find)
    rejected_grids(made.edited, made.lied, put, made.find)
    rejected_executed(made.raw, made.edited, put)
    of_finite_precision(made)
    of_executed_sums(made)
    return made.cases
