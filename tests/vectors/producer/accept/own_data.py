"""Runs on the user's own records, and what people call them."""

from __future__ import annotations

from tests.vectors.producer.losses import LOGISTIC
from tests.vectors.producer.numbers import Json
from tests.vectors.producer.runs import FORGETFUL, SINGLE, small
from tests.vectors.producer.statements import statement
from tests.vectors.producer.table import ACCEPT

# fmt: off

DATA = {  # [data] of a binary target
    "target": "bought", "positive": ["yes"], "negative": None, "classes": None, "target_limits": None, "id": "customer",
    "numeric": {"age": ["-5", "100"], "image": ["0", "255", "784"]}, "categorical": {"région": ["n", "s", ""]},
    "intercept": True, "outside": "refuse", "normalise": "row",
}
META = {"model": "Churn", "owner": "A. Müller", "purpose": "offers; none by price", "version": "2.1"}


def own_data(loss: Json, **changes: Json) -> Json:
    """A small run on the user's own records."""
    return statement(small(mechanism={"noise_std": "3", "step_size": "0.01"}, loss=loss, data=DATA | changes))


def called(stated: Json, **meta: str) -> Json:
    """The statement with a [meta]."""
    return stated | {"predicate": stated["predicate"] | {"meta": meta}}


ACCEPT |= {
    "own_data": lambda: called(own_data(LOGISTIC), **META),
    "own_data_of_classes": lambda: own_data(
        {"kind": "softmax", "regularization": "0.05", "feature_norm": "1", "classes": "3", "clip": None},
        positive=None, classes=["0", "1", "2"], id=None, normalise="limits",
    ),
    "own_data_of_numbers": lambda: own_data(
        {"kind": "huber", "regularization": "0.05", "feature_norm": "1", "threshold": "0.25", "clip": None},
        positive=None, target_limits=["-0.5", "4/3"], outside="clip", intercept=False, normalise="limits",
    ),
    "own_data_of_counts": lambda: own_data(
        {"kind": "poisson", "regularization": "0.05", "feature_norm": "1", "target_bound": "5", "clip": "1"},
        positive=None, categorical={},
    ),
    "own_data_of_any_model": lambda: small(
        mechanism=SINGLE | {"noise_std": "2", "unlearning_epochs": ["2"]}, loss=FORGETFUL, target={"epsilon": "3"},
        data=DATA | {"negative": ["no", "never"], "normalise": "none"},
    ),
}
