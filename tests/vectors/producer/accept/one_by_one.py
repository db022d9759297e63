"""Requests within limits, chosen from the released models, and certified one by one."""

from __future__ import annotations

import copy

from tests.vectors.producer.executed import executed
from tests.vectors.producer.numbers import Json
from tests.vectors.producer.runs import small
from tests.vectors.producer.statements import statement
from tests.vectors.producer.table import ACCEPT

# fmt: off

def executed_alone(run: Json) -> Json:
    """The statement that claims the run's last request alone, with that request's execution."""
    whole, stated = executed(statement(run), len(run["requests"]["sizes"])), statement(run, last_alone=True)
    execution = copy.deepcopy(whole["predicate"]["execution"])
    for key in ("phases", "erasures"):
        execution[key] = execution[key][-1:]
    return stated | {"subject": whole["subject"], "predicate": stated["predicate"] | {"execution": execution}}


ACCEPT |= {
    "requests_chosen_adaptively": lambda: small(
        mechanism={"unlearning_epochs": ["1", "0", "2"], "noise_std": "4"},
        requests={"sizes": ["2", "1", "9"], "chosen": "adaptively"}, threat={"release": "all"},
        target={"epsilon": "9"},
    ),
    "requests_within_limits": lambda: small(
        mechanism={"unlearning_epochs": ["1", "2"], "noise_std": "2"},
        requests={"sizes": ["1", "2"], "max_records": "3", "max_epochs": "2"}, target={"epsilon": "9"},
    ),
    "last_request_alone": lambda: statement(small(
        mechanism={"unlearning_epochs": ["1", "2"], "noise_std": "2"}, requests={"sizes": ["1", "2"]},
        target={"epsilon": "9"}), last_alone=True),
    "first_request_alone": lambda: statement(small(mechanism={"noise_std": "1"}), last_alone=True),
    "executed_last_request_alone": lambda: executed_alone(small(
        mechanism={"unlearning_epochs": ["1", "1", "1"], "noise_std": "3"}, requests={"sizes": ["1", "2", "1"]},
        threat={"release": "all"}, target={"epsilon": "9"})),
}
