"""Runs that are not convex, from the run file to the certificate: what is told, what is refused, what still works."""

from __future__ import annotations

import json
from fractions import Fraction as F

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accountant import derive_epsilon, enclose
from accountant.mechanisms.timeline import history
from accountant.pnsgd.fallback import choose_rates
from certify.cli.text import calibration_text, comparison_text, plan_text, result_text
from certify.errors import OutOfReach, UsageError
from certify.results.calibrate import calibrate
from certify.results.certify import certify
from certify.results.claims import Verdict
from certify.results.compare import compare
from certify.results.plan import plan
from certify.runfile.read import canonical_json, read_run
from certify.trust.certificate import make_statement, write_certificate
from tests.certify.runs import constants, plumbline, refused, tables, to_toml, valid_runs

ROUGH = constants(1, "1/2") | {"convex": False}
CLIPPED = {"kind": "clipped", "regularization": "1/2", "clip": 1}
SOFTMAX = {"kind": "softmax", "regularization": "1/10", "classes": 3, "clip": "1/2"}
STEPS = {"step_size": "1/10", "radius": 1, "unlearning_epochs": 2}


def rough(loss=None, **mechanism):
    """Tables of a run that is not convex; None leaves a key out."""
    made = tables(loss or ROUGH, mechanism=STEPS | mechanism)
    made["mechanism"] = {key: value for key, value in made["mechanism"].items() if value is not None}
    return made


def status(result) -> dict[str, str]:
    return {assumption["id"]: assumption["status"] for assumption in result.assumptions}


# --- what is told -----------------------------------------------------------------------------------------------------


def test_smoothness_alone() -> None:
    result = certify(rough())
    told = result.as_json()["fallback"]
    assert told["theorems"] == ["T22"] and "need not be convex" in told["because"] and "1 + ηL" in told["because"]
    convex = certify(rough(constants(1, "1/2")))
    assert told["convex_epsilon"] == convex.epsilon["upper"] and convex.as_json()["fallback"] is None
    assert F(result.epsilon["upper"]) > F(told["convex_epsilon"])
    assert {"T22", "C2"} <= set(result.theorems) and "C1" not in result.theorems
    assert status(result)["convexity"] == "violated" and status(result)["smoothness"] == "attested"
    text = result_text(result)
    factor = float(result.epsilon["upper"]) / float(convex.epsilon["upper"])
    assert f"fall-back  T22: {told['because']}" in text
    assert f"would give ε ≤ {told['convex_epsilon']}: a factor of {factor:.4g}" in text
    assert "  violated  convexity: " in text


def test_gradients_alone() -> None:
    result = certify(rough(CLIPPED, unlearning_epochs=50))
    told = result.as_json()["fallback"]
    assert told["theorems"] == ["T23", "T24"] and told["convex_epsilon"] is None
    assert "neither convex nor smooth" in told["because"] and "(T23)" in told["because"] and "(T24)" in told["because"]
    assert set(result.theorems) & {"C1", "T3", "T5", "T22", "T6"} == set() and {"L7", "C2", "T23", "T24", "T26"} <= set(
        result.theorems
    )
    found = status(result)
    assert (found["convexity"], found["smoothness"], found["gradient_bound"]) == ("violated", "violated", "proved")
    assert result.epsilon["lower"] is None and result.mu["lower"] is None and not result.out_of_reach
    assert "were the loss convex" not in result_text(result)


def test_an_active_clip_of_softmax() -> None:
    result = certify(rough(SOFTMAX, step_size="1/L", radius=20))
    found = status(result)
    assert (found["convexity"], found["smoothness"]) == ("violated", "proved")
    assert "L6" in result.theorems and result.fallback["convex_epsilon"] is not None
    idle = certify(rough(SOFTMAX | {"clip": 2}, step_size="1/L", radius=20))
    assert status(idle)["convexity"] == "proved" and idle.fallback is None


def test_an_expanding_step_of_a_convex_loss() -> None:
    """C1 takes one differing record; of two only T23 knows."""
    run = rough(constants(1, "1/4", "1/100"), step_size="7/2", radius=9, epochs=9, unlearning_epochs=4)
    assert certify(run).fallback is None
    told = certify(run | {"requests": {"sizes": [2]}}).fallback
    assert "T23" in told["theorems"] and "exceeds 2/L" in told["because"] and told["convex_epsilon"] is None


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(valid_runs(), st.sampled_from(["rough", "clipped"]))
def test_no_run_rests_on_what_it_does_not_have(run, kind) -> None:
    """Any valid run, its loss replaced: certified without C1, or refused in a line; never below the convex bound at
    equal constants."""
    mechanism, m = run["mechanism"], F(1, 4)
    step = min(F(mechanism["step_size"]), 1 / m) if not isinstance(mechanism["step_size"], str) else F(1, 3)
    loss = CLIPPED | {"regularization": m} if kind == "clipped" else constants(1, m) | {"convex": False}
    run = run | {"loss": loss, "mechanism": mechanism | {"step_size": step}}
    result = certify(run)
    for claim in result.claims:
        for root in (claim.bound, claim.upper, claim.lower):
            assert root is None or not root.assumptions & {"convexity"}
        assert kind == "rough" or claim.lower is None
        assert claim.lower is None or claim.witness_epsilon.lower <= claim.epsilon.upper
        assert claim.epsilon.upper <= enclose(derive_epsilon(claim.bound, result.run.target_delta)).upper
    convex = result.fallback["convex_epsilon"]
    assert convex is None or F(convex) <= F(result.epsilon["upper"]) * (1 + F(1, 10**9))
    assert result.fallback["theorems"] and "C1" not in result.theorems
    make_statement(result)


def test_the_printed_distance_is_that_of_the_farthest_batch(tmp_path) -> None:
    """Steps that expand carry the first batch's shift farthest; the certificate states the same."""
    result = certify(rough(radius=40))
    line = result.run.mechanism
    c, w = 1 + line.step_size, F(0)
    for _ in range(line.epochs):
        w = (c * w + line.step_size * 2 * F(1, 4)) * c * c
    assert F(result.wasserstein["learned"]) >= F(enclose(result.natives[0].learned).upper) >= w
    assert F(result.wasserstein["learned"]) < w * (1 + F(1, 10**9))
    steps = make_statement(result)["predicate"]["proof"]["steps"]
    stated = [step["concludes"]["wasserstein"] for step in steps if step["theorem"] == "T1"]
    assert stated == [result.wasserstein["learned"], result.wasserstein["released"]]


# --- what is refused --------------------------------------------------------------------------------------------------

REFUSED = {
    "a_step_beyond_weight_decay": (
        rough(CLIPPED, step_size=3), r"mechanism.step_size: 3 > 1/m = 2, and the loss is not convex: .* smaller one$"),
    "no_ball_either": (
        rough(step_size=3, radius=None), r"mechanism.step_size: 3 > 1/m = 2, .*, or give a radius$"),
    "several_records": (
        rough(step_size=3) | {"requests": {"sizes": [2]}},
        r"mechanism.step_size: 3: .* 2 differing records; certifiable with step_size ≤ 1/m = 2 \(T23\), or a convex"),
    "one_over_nothing": (rough(CLIPPED, step_size="1/L"), r'mechanism.step_size: "1/L": nothing is known of the L'),
    "no_step": (rough(CLIPPED, step_size=None), r'mechanism.step_size: "1/L": nothing is known of the L'),
    "no_clip": (rough(CLIPPED | {"clip": 0}), r"loss.clip: 0 must be positive"),
    "convex_as_a_word": (rough(ROUGH | {"convex": "no"}), r"loss.convex: .*valid boolean, got 'no'"),
    "convex_as_a_number": (rough(ROUGH | {"convex": 0}), r"loss.convex: "),
    "smoothness_of_a_clipped_loss": (rough(CLIPPED | {"smoothness": 1}), r"loss.smoothness: unknown key"),
    "convex_but_too_long": (
        rough(constants(1, "1/2"), step_size=3, radius=None), r"mechanism.step_size: 3 > 2/L = 2: .* give a radius$"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(name, tmp_path) -> None:
    run, message = REFUSED[name]
    with pytest.raises(UsageError, match=message):
        certify(run)
    path = tmp_path / "run.toml"
    path.write_text(to_toml(run))
    refused(plumbline("certify", path))


# --- the run file -----------------------------------------------------------------------------------------------------


def test_canonical_form() -> None:
    loss = read_run(rough()).canonical["loss"]
    assert loss == {"kind": "constants", "smoothness": "1", "strong_convexity": "0.5", "gradient_bound": "1",
                    "convex": False}  # fmt: skip
    assert b'"convex":false' in canonical_json(loss)
    assert read_run(tables()).canonical["loss"]["convex"] is True
    clipped = read_run(rough(CLIPPED))
    assert clipped.canonical["loss"] == {"kind": "clipped", "regularization": "0.5", "clip": "1"}
    for run in (read_run(rough()), clipped):
        assert read_run(run.canonical).digest == run.digest
        assert run.with_values(noise_std=F(2)).mechanism.loss == run.mechanism.loss


# --- every command ----------------------------------------------------------------------------------------------------

RUNS = {
    "smooth": rough(),
    "smooth_learning": rough(unlearning_epochs=0),
    "smooth_no_ball": rough(radius=None),
    "clipped": rough(CLIPPED, unlearning_epochs=20),
    "clipped_no_ball": rough(CLIPPED, radius=None),
    "clipped_learning": rough(CLIPPED, unlearning_epochs=0),
    "softmax": rough(SOFTMAX, radius=20),
    "requests": rough(unlearning_epochs=[2, 1]) | {"requests": {"sizes": [1, 2]}},
    "secret": rough(batch_order="secret"),
    "stationary": rough(unlearning_epochs=9) | {"threat": {"reference": "stationary", "release": "final"}},
    "retrain_T": rough() | {"threat": {"reference": "retrain-T", "release": "final"}},
    "all": rough() | {"threat": {"release": "all"}},
}


@pytest.mark.parametrize("name", RUNS)
def test_every_command_speaks(name, tmp_path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(RUNS[name]))
    shown = plumbline("certify", path, "--format", "json")
    result = json.loads(shown.out)
    assert shown.code in (0, 1) and result["fallback"]["theorems"]
    for arguments in (("certify", path), ("compare", path), ("explain", path, "--brief"), ("plan", path)):
        found = plumbline(*arguments)
        assert found.code in (0, 1) and found.out, (arguments, found.err)


@pytest.mark.parametrize("name", RUNS)
def test_the_statement_names_the_steps(name) -> None:
    """Premises of T10 as the format has them; only what the run has is called proved or attested."""
    result = certify(RUNS[name])
    predicate = make_statement(result)["predicate"]
    assert "fallback" not in predicate
    steps = predicate["proof"]["steps"]
    for step in steps:
        kinds = [steps[int(i)]["theorem"] for i in step["premises"]]
        if step["theorem"] == "T10":
            assert len(step["premises"]) == 2 * len(step["args"]["phases"])
            assert set(zip(kinds[::2], kinds[1::2], strict=True)) <= {("T22", "C2"), ("T23", "C2")}
        elif step["theorem"] == "T24":
            assert kinds[0] in ("T3", "T5", "T26", "T26r") and kinds[1] in ("T22", "T23")
            assert set(step["args"]) == {"delta", "diameter", "phase"} and step["args"]["phase"]["records"] == []
            assert set(step["args"]["phase"]) == {"epochs", "batches", "step_size", "noise_std", "records"}
        elif step["theorem"].startswith("L"):
            assert step["concludes"]["convex"] is False
        assert step["theorem"] not in ("C1", "T9", "T6c", "T6m")
    for step in steps:
        if step["theorem"] == "T23":
            assert set(step["concludes"]) == {"contraction", "shift"}
    json.dumps(predicate)


def test_t24_is_on_the_history_without_its_last_epochs(tmp_path) -> None:
    result = certify(RUNS["clipped"])
    claim = result.worst
    assert claim.upper.theorem.id == "T24" and claim.bound.theorem.id in ("T26", "T26r")
    phase = dict(claim.upper.arguments)["phase"]
    before = dict(claim.upper.premises[0].premises[0].arguments)["phases"]
    left = sum(p.epochs for p in before) + phase.epochs
    assert left == result.run.mechanism.epochs + 20
    assert F(result.epsilon["upper"]) < enclose(derive_epsilon(claim.bound, result.run.target_delta)).lower
    write_certificate(result, tmp_path)


@pytest.mark.parametrize("tune", ["noise_std", "unlearning_epochs", "epochs", "radius", "step_size", "batch_size"])
@pytest.mark.parametrize("loss", [ROUGH, CLIPPED], ids=["smooth", "clipped"])
def test_calibrate(tune, loss) -> None:
    """What is found is certified; or nothing is, and it says so."""
    run = rough(loss, **{"noise_std": "0.8", "unlearning_epochs": 12, tune: None})
    try:
        found = calibrate(run, tune=tune)
    except OutOfReach as reason:
        assert str(reason).startswith((tune, "target.epsilon"))
        return
    assert found.result.verdict is Verdict.CERTIFIED and calibration_text(found)
    again = certify(rough(loss, **{"noise_std": "0.8", "unlearning_epochs": 12, tune: found.value}))
    assert again.verdict is Verdict.CERTIFIED and again.epsilon == found.result.epsilon


def test_the_least_noise_is_the_least() -> None:
    """Where T24 counts, μ alone would ask for more; a hair less is not enough."""
    run = rough(CLIPPED, unlearning_epochs=20)
    found = calibrate(run)
    value = F(found.value)
    assert found.result.worst.upper.theorem.id == "T24"
    assert certify(rough(CLIPPED, unlearning_epochs=20, noise_std=value * F(999_999, 1_000_000))).verdict is (
        Verdict.NOT_CERTIFIED
    )
    assert F(found.published["koloskova2025"]) > value
    rows = {(row.unlearning_epochs, row.batch_size): row for row in plan(run, unlearning_epochs=[20]).rows}
    assert rows[20, 4].noise_std == value


def test_compare_shows_the_published_bound() -> None:
    shown = compare(rough(CLIPPED, unlearning_epochs=3))
    rows = {row.name: row for row in shown.rows}
    assert set(rows) == {"lower_bound", "plumbline", "wasserstein_only", "koloskova2025"}
    assert F(rows["koloskova2025"].epsilon) > F(rows["plumbline"].epsilon)
    assert shown.ratio(rows["koloskova2025"]) > 1 and "(T23p)" in comparison_text(shown)
    result = certify(rough(CLIPPED, unlearning_epochs=3))
    assert result.as_json()["published"]["koloskova2025"]["epsilon"] == rows["koloskova2025"].epsilon
    assert result.published["chien2024"]["epsilon"] is None and "Koloskova et al. 2025" in result_text(result)


def test_plan_without_t24() -> None:
    shown = plan(rough(radius=None), unlearning_epochs=[1], batch_sizes=[4, 12])
    assert all(row.certified for row in shown.rows) and plan_text(shown)


def test_each_request_may_choose_its_own() -> None:
    result = certify(RUNS["requests"])
    mechanism = result.run.mechanism
    assert [choose_rates(mechanism, history(mechanism, r)).theorems for r in (0, 1)] == [("T22",), ("T23",)]
    assert set(result.fallback["theorems"]) >= {"T22", "T23"}
