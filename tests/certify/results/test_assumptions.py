"""The list of assumptions: complete, and nothing in it that is violated carries the proof."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accountant import ASSUMPTIONS
from certify import certify
from certify.errors import UsageError
from certify.results.result import Result
from certify.runfile.read import read_run
from tests.certify.runs import constants, tables, training, valid_runs

CLIPPED = {"kind": "clipped", "regularization": "0.5", "clip": "1"}


def check(result: Result) -> dict[str, str]:
    """Every assumption of every node is listed, and none of them is violated; returns id -> status."""
    status = {entry["id"]: entry["status"] for entry in result.assumptions}
    assert all(entry["text"] == ASSUMPTIONS[entry["id"]] for entry in result.assumptions)
    for root in result.roots:
        for node in root.nodes():
            for name in node.theorem.assumes:
                assert name in status, (name, node.theorem.id)
                assert status[name] != "violated", (name, node.theorem.id)
    return status


def listed(loss: dict[str, Any], **mechanism: Any) -> dict[str, str]:
    return check(certify(tables(loss=loss, mechanism={"step_size": "0.1"} | mechanism)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(valid_runs(), st.sampled_from([None, "batch", "per-record", "rough"]), st.sampled_from(["final", "all"]))
def test_every_assumption_of_every_node_is_listed(run, kind, release) -> None:
    loss = {None: run["loss"], "rough": constants(3, "0.25") | {"convex": False}}.get(kind)
    loss = loss or CLIPPED | {"clipping": kind}
    threat = run.get("threat", {}) | {"release": release}
    mechanism = run["mechanism"]
    if kind is not None:
        mechanism = mechanism | {"step_size": "0.3"}
    try:
        check(certify(run | {"loss": loss, "mechanism": mechanism, "threat": threat}))
    except UsageError:  # no theorem covers it, or the threat asks for more
        return


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sampling": "full", "sample_rate": None},
        {"sampling": "shuffled", "sample_rate": "0.1", "steps": 100, "noise_multiplier": 20},
        {"sampling": "without-replacement", "samples": 100, "sample_rate": "0.1", "steps": 5},
        {"samples": 1000, "max_batch_size": 200, "sample_rate": "0.01", "steps": 10},
    ],
)
def test_of_training_runs_too(changes) -> None:
    check(certify(training(changes)))


def test_weight_decay_wherever_convexity_or_a_contraction_fails() -> None:
    """T22, T23, T23b rest on what the regulariser is, whoever derived the loss's constants."""
    for loss, mechanism in (
        (CLIPPED, {}),
        (CLIPPED | {"clipping": "batch"}, {}),
        ({"kind": "softmax", "regularization": "0.5", "feature_norm": 1, "classes": 3, "clip": "0.5"}, {"radius": 5}),
        (constants(1, "0.5") | {"convex": False}, {"radius": 5}),
        (constants(1, "0.01", "0.001"), {"step_size": "5", "radius": 9}),  # convex, beyond 2/L
    ):
        found = listed(loss, **mechanism)
        assert found.get("weight_decay") == "attested" or found["convexity"] != "violated"
    assert "weight_decay" not in listed(constants(1, "0.5"))


def test_how_gradients_are_clipped() -> None:
    logistic = {"kind": "logistic", "regularization": "0.1", "feature_norm": 1}
    assert listed(logistic | {"clip": "0.5"})["per_record_clipping"] == "attested"
    assert "per_record_clipping" not in listed(logistic)
    assert listed(CLIPPED)["per_record_clipping"] == "attested"
    whole = listed(CLIPPED | {"clipping": "batch"})
    assert whole["batch_clipping"] == "attested" and not {"per_record_clipping", "gradient_bound"} & set(whole)
    scaled = tables(loss=logistic, mechanism={"step_size": "0.1"}) | {
        "scaling": {"kind": "psasc", "max_grad_norm": 1, "r": "0.5", "s": 1}
    }
    assert check(certify(scaled))["per_record_clipping"] == "attested"


def test_the_key_clipping() -> None:
    """Only where it says something enters the canonical run, so that digests stay; and it costs what it should."""
    plain, spelled = (read_run(tables(loss=CLIPPED | more, mechanism={"step_size": "0.1"}))
                      for more in ({}, {"clipping": "per-record"}))  # fmt: skip
    assert plain.digest == spelled.digest and "clipping" not in plain.canonical["loss"]
    whole = read_run(tables(loss=CLIPPED | {"clipping": "batch"}, mechanism={"step_size": "0.1"}))
    assert whole.canonical["loss"]["clipping"] == "batch" and whole.digest != plain.digest
    assert read_run(whole.canonical).digest == whole.digest
    assert float(certify(whole).mu["upper"]) > float(certify(plain).mu["upper"])
    for loss, says in (
        (CLIPPED | {"clipping": "batches"}, r"^loss\.clipping: .*per-record.*batch"),
        ({"kind": "logistic", "regularization": "0.1", "feature_norm": 1, "clip": 1, "clipping": "batch"},
         r'^loss\.clipping: goes with kind = "clipped"; '),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=says):
            read_run(tables(loss=loss))
