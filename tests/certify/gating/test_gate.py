"""The gate: each rule passes what it should and names what it should not; text, JSON, JUnit; exit codes by rank."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certify import certify, checker, gate, keygen, sign
from certify.errors import Exit, UsageError
from certify.gating.gate import Judged
from certify.gating.policy import TABLES, PolicyTable, read_policy
from certify.gating.rules import delta_of, executed_within, measured, reference_of
from certify.ledger import Ledger
from certify.ledger.payloads import certificate_entry
from certify.ledger.revocation import revoke
from certify.report.hazards import warnings
from certify.report.reading import read
from certify.trust import certificate as made
from certify.trust.verify import end_of
from tests.certify.envelopes import MADE, seal, statement
from tests.certify.runs import EXAMPLES, ROOT, plumbline, refused, tables, training

ACCEPTED, REJECTED = ROOT / "tests/vectors/accept", ROOT / "tests/vectors/reject/certificates"
ON = date(2026, 12, 21)  # thirty days later
DAY = ["--date", str(ON)]


def written(run: Any, path: Path) -> Path:
    path.write_bytes(seal(statement(run)))
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of each kind, made once."""
    folder = tmp_path_factory.mktemp("certificates")
    logistic = {"kind": "logistic", "regularization": "0.1", "feature_norm": 1}
    unlearning = tables(loss=logistic, mechanism={"noise_std": 2})
    written(tables(), folder / "attested.json")
    written(unlearning, folder / "proved.json")
    written(unlearning | {"target": {"epsilon": "0.01", "delta": "0.001"}}, folder / "missed.json")
    written(unlearning | {"target": {"epsilon": 9, "delta": "1/n"}}, folder / "one_in_n.json")
    written(tables(mechanism={"unlearning_epochs": 0}, target={"epsilon": 9}), folder / "learning.json")
    written(tables(mechanism={"radius": 1}, threat={"reference": "stationary"}), folder / "ball.json")
    written(tables(threat={"release": "all"}, target={"epsilon": 9}), folder / "all.json")
    full = {"sampling": "full", "sample_rate": None, "steps": 1, "noise_multiplier": 9}
    written(training(full), folder / "full.json")
    clipped = {"kind": "clipped", "regularization": "0.1", "clip": 1}
    wavy = tables(loss=clipped, mechanism={"radius": 1, "step_size": "0.5", "noise_std": 4}, target={"epsilon": 9})
    written(wavy, folder / "violated.json")
    return folder


@pytest.fixture
def rules(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "policy.toml"
        path.write_text(text)
        return path

    return write


def judged(rules: Callable[[str], Path], text: str, path: Path, on: date = ON) -> Judged:
    (one,) = gate(rules(text), [path], on=on).certificates
    return one


def only_violation(one: Judged) -> tuple[str, str, str]:
    assert one.exit_code == Exit.NOT_CERTIFIED
    (check,) = one.violated
    return check.rule, check.value, check.limit


def passes(one: Judged) -> bool:
    assert (one.exit_code == Exit.OK) == (not one.violated)
    return one.exit_code == Exit.OK


def shown(path: Path) -> dict[str, Any]:
    return json.loads(base64.b64decode(json.loads(path.read_text())["payload"]))["predicate"]


# --- one rule at a time ----------------------------------------------------------------------------------------------


def test_an_empty_policy_wants_a_certificate_that_meets_its_target(rules: Any, store: Path) -> None:
    assert passes(judged(rules, "", store / "proved.json"))
    assert only_violation(judged(rules, "", store / "missed.json")) == (
        "limits.require_verdict",
        "NOT_CERTIFIED",
        "CERTIFIED",
    )


def test_max_epsilon_is_compared_exactly(rules: Any, store: Path) -> None:
    upper = shown(store / "proved.json")["epsilon"]["upper"]
    assert passes(judged(rules, f"[limits]\nmax_epsilon = {upper}", store / "proved.json"))
    assert passes(judged(rules, f'[limits]\nmax_epsilon = "{upper}"', store / "proved.json"))
    less = Fraction(upper) - Fraction(1, 10**40)
    limit = f"{less.numerator}/{less.denominator}"
    found = only_violation(judged(rules, f'[limits]\nmax_epsilon = "{limit}"', store / "proved.json"))
    assert found[:2] == ("limits.max_epsilon", upper)


def test_max_delta_is_that_of_the_run_exactly(rules: Any, store: Path) -> None:
    """The certificate shows 1/12 rounded up; the policy's 1/12 is met all the same."""
    path = store / "one_in_n.json"
    assert Fraction(shown(path)["delta"]) > Fraction(1, 12)
    assert passes(judged(rules, '[limits]\nmax_delta = "1/12"', path))
    found = only_violation(judged(rules, "[limits]\nmax_delta = 0.0833333333333333333", path))
    assert found == ("limits.max_delta", "1/12", "0.0833333333333333333")
    assert delta_of(shown(store / "full.json")) == Fraction(1, 10**5)


def test_statuses(rules: Any, store: Path) -> None:
    path = store / "attested.json"
    rule, value, limit = only_violation(judged(rules, '[assumptions]\nallowed = ["proved", "checked"]', path))
    assert (rule, limit) == ("assumptions.allowed", "proved, checked") and "gaussian_noise is attested" in value
    assert passes(judged(rules, '[assumptions]\nconvexity = "attested"', path))
    found = only_violation(judged(rules, '[assumptions]\nconvexity = ["proved", "checked"]', path))
    assert found == ("assumptions.convexity", "attested", "proved, checked")
    assert passes(judged(rules, '[assumptions]\nconvexity = ["proved"]', store / "proved.json"))
    assert passes(judged(rules, '[assumptions]\nsampling = ["proved"]', path))  # which it does not assume


def test_what_is_violated_must_be_allowed_by_name(rules: Any, store: Path) -> None:
    path = store / "violated.json"
    named = [a["id"] for a in shown(path)["assumptions"] if a["status"] == "violated"]
    assert named == ["convexity", "smoothness"]
    rule, value, _ = only_violation(judged(rules, "", path))
    assert (rule, value) == ("assumptions.allowed", "convexity is violated, smoothness is violated")
    one = '[assumptions]\nconvexity = ["proved", "violated"]\n'
    assert only_violation(judged(rules, one, path))[1] == "smoothness is violated"
    assert passes(judged(rules, one + 'smoothness = "violated"', path))
    with pytest.raises(UsageError, match=r"assumptions\.allowed"):
        gate(rules('[assumptions]\nallowed = ["proved", "violated"]'), [path])


def test_forbidden_assumptions(rules: Any, store: Path) -> None:
    text = '[assumptions]\nforbidden = ["release:final", "projection"]'
    found = only_violation(judged(rules, text, store / "proved.json"))
    assert found == ("assumptions.forbidden", "release:final", "not release:final, projection")
    assert only_violation(judged(rules, text, store / "ball.json"))[1] == "projection, release:final"
    assert passes(judged(rules, text, store / "full.json"))


@pytest.mark.parametrize(("days", "most", "ok"), [(30, 30, True), (30, 29, False), (0, 0, True), (1, 0, False)])
def test_age(days: int, most: int, ok: bool, rules: Any, store: Path) -> None:
    text = f"[freshness]\nmax_age_days = {most}"
    one = judged(rules, text, store / "proved.json", MADE.date() + timedelta(days=days))
    assert passes(one) == ok
    if not ok:
        rule, value, limit = only_violation(one)
        assert (rule, limit) == ("freshness.max_age_days", str(most))
        assert value == f"{days} (created on 2026-11-21)"


@pytest.mark.parametrize("text", ["", "[freshness]\nmax_age_days = 999\n"])
def test_a_certificate_from_the_future_passes_no_policy(text: str, rules: Any, store: Path) -> None:
    one = judged(rules, text, store / "proved.json", MADE.date() - timedelta(days=1))
    assert only_violation(one) == ("created", "2026-11-21", "not after 2026-11-20")


def test_age_is_counted_from_today(rules: Any, tmp_path: Path) -> None:
    path = made.write_certificate(certify(tables()), tmp_path)
    found = gate(rules("[freshness]\nmax_age_days = 1"), [path])
    assert found.exit_code == 0 and abs((found.on - datetime.now(UTC).date()).days) <= 1


@pytest.fixture
def signer(tmp_path: Path) -> Callable[[str], Path]:
    """The private key of a name, made when first asked for; the public one is beside it."""

    def key(name: str) -> Path:
        if not (tmp_path / f"{name}.key").exists():
            keygen(tmp_path / name)
        return tmp_path / f"{name}.key"

    return key


def test_expiry(rules: Any, store: Path, tmp_path: Path, signer: Any) -> None:
    expires = datetime.now(UTC).date() + timedelta(days=90)
    path = shutil.copy(store / "proved.json", tmp_path / "one.json")
    text = "[freshness]\nrequire_expiry = true"
    assert only_violation(judged(rules, text, path))[:2] == ("freshness.require_expiry", "no expiry date")
    sign(path, key=signer("lead"), expires=expires)
    assert passes(judged(rules, text, path, expires - timedelta(days=1)))
    rule, value, _ = only_violation(judged(rules, text, path, expires))
    assert rule == "verified" and f"expired on {expires}" in value


def test_signers(rules: Any, store: Path, tmp_path: Path, signer: Any) -> None:
    for name in ("lead", "dpo", "other"):
        signer(name)
    both = rules('[signatures]\nkeys = ["lead.pub", "dpo.pub"]')
    one_of = tmp_path / "one_of.toml"
    one_of.write_text('[signatures]\nkeys = ["lead.pub", "dpo.pub"]\nthreshold = 1')
    path = tmp_path / "one.json"
    shutil.copy(store / "proved.json", path)

    def found(of: Path) -> tuple[int, str]:
        result = gate(of, [path], on=ON)
        (check,) = result.certificates[0].violated or (None,)
        assert check is None or (check.rule == "signatures.threshold" and "of lead.pub, dpo.pub" in check.limit)
        return result.exit_code, check.value if check else ""

    assert found(both) == (4, "unsigned, and a key was given")
    sign(path, key=signer("other"))
    assert found(both) == found(one_of) == (4, "wrong key: nothing here is signed by a given key")
    sign(path, key=signer("lead"))
    assert found(one_of) == (0, "")
    assert found(both) == (4, "threshold not met: 1 of the given keys signed, 2 must have")
    sign(path, key=signer("dpo"))
    assert found(both) == (0, "")
    (check,) = (c for c in gate(both, [path], on=ON).certificates[0].checks if c.rule == "signatures.threshold")
    assert (check.value, check.limit) == ("2", "2 of lead.pub, dpo.pub")


@pytest.mark.parametrize(
    ("key", "name", "value", "others"),
    [
        ("mechanisms", "proved", "pnsgd", ["dp-sgd", "auto-s"]),
        ("mechanisms", "full", "dp-sgd", ["pnsgd"]),
        ("neighbours", "proved", "replace-one", ["remove-one", "add-or-remove-one"]),
        ("neighbours", "full", "add-or-remove-one", ["replace-one"]),
        ("references", "proved", "retrain", ["retrain-T", "stationary", "none"]),
        ("references", "ball", "stationary", ["retrain", "none"]),
        ("references", "learning", "none", ["retrain", "retrain-T", "stationary"]),
        ("references", "full", "none", ["retrain"]),
        ("releases", "proved", "final", ["all", "sums"]),
        ("releases", "all", "all", ["final"]),
        ("releases", "full", "sums", ["final", "all"]),
    ],
)
def test_what_the_run_must_be(key: str, name: str, value: str, others: list[str], rules: Any, store: Path) -> None:
    path = store / f"{name}.json"
    assert passes(judged(rules, f'[run]\n{key} = "{value}"', path))
    assert passes(judged(rules, f"[run]\n{key} = {json.dumps([*others, value])}", path))
    found = only_violation(judged(rules, f"[run]\n{key} = {json.dumps(others)}", path))
    assert found == (f"run.{key}", value, ", ".join(others))


def test_the_model_beside_the_certificate(rules: Any, store: Path, tmp_path: Path) -> None:
    """A certificate says nothing about another model than its own."""
    text, model = '[execution]\nmodel = "deployed/model.npy"', tmp_path / "deployed/model.npy"
    path = Path(shutil.copy(ACCEPTED / "executed.json", tmp_path / "certificate.json"))
    missing = judged(rules, text, path)
    assert only_violation(missing)[0] == "execution.model" and "No such file" in missing.violated[0].value
    model.parent.mkdir()
    model.write_bytes(b"weights")
    other = judged(rules, text, path)
    assert other.exit_code == Exit.MISMATCH and other.violated[0].value == "another model"
    statement = json.loads(base64.b64decode(json.loads(path.read_text())["payload"]))
    statement["subject"][1]["digest"]["sha256"] = hashlib.sha256(b"weights").hexdigest()
    path.write_bytes(seal(statement))
    assert passes(judged(rules, text, path))
    statement["subject"][1:] = [
        {"name": "model", "digest": {"sha256": "0" * 64}},
        {"name": "run_record", "digest": {"sha256": hashlib.sha256(b"weights").hexdigest()}},
    ]
    path.write_bytes(seal(statement))
    assert judged(rules, text, path).exit_code == Exit.MISMATCH  # the run record's bytes are no model
    planned = judged(rules, text, store / "proved.json")
    assert only_violation(planned)[1] == "not executed: no model is certified"
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    assert [check.passed for check in judged(rules, text, broken).checks if check.rule == "execution.model"] == [None]


def test_what_was_run(rules: Any, store: Path) -> None:
    required = "[execution]\nrequired = true"
    assert only_violation(judged(rules, required, store / "proved.json"))[:2] == ("execution.required", "not executed")
    secret, again = ACCEPTED / "executed.json", ACCEPTED / "executed_reproducible.json"
    assert passes(judged(rules, required, secret))
    for text in ("", required):
        found = only_violation(judged(rules, text, again))
        assert found[:2] == ("execution.allow_reproducible_noise", "reproducible")
    assert passes(judged(rules, "[execution]\nallow_reproducible_noise = true", again))


def test_executed_means_with_noise_that_nobody_can_draw_again(rules: Any, store: Path) -> None:
    text = "[execution]\nexecuted = true"
    assert passes(judged(rules, text, ACCEPTED / "executed.json"))
    assert only_violation(judged(rules, text, store / "proved.json"))[:2] == ("execution.executed", "not executed")
    text += "\nallow_reproducible_noise = true"
    found = only_violation(judged(rules, text, ACCEPTED / "executed_reproducible.json"))
    assert found == ("execution.executed", "reproducible", "executed with secret noise")


def test_warnings_are_those_of_the_report(rules: Any, store: Path) -> None:
    for name in ("proved", "one_in_n", "full"):
        path = store / f"{name}.json"
        ids = [warning.id for warning in warnings(read(path.read_bytes(), now=end_of(ON)), ON)]
        assert "unsigned" in ids
        assert passes(judged(rules, f"[report]\nmax_warnings = {len(ids)}", path))
        rule, value, limit = only_violation(judged(rules, f"[report]\nmax_warnings = {len(ids) - 1}", path))
        assert (rule, value) == ("report.max_warnings", f"{len(ids)} ({', '.join(ids)})")
        assert limit == str(len(ids) - 1)


def test_questions_that_must_be_answered(rules: Any, store: Path) -> None:
    text = '[report]\nanswered = ["unit", "tuning", "epsilon"]'
    found = only_violation(judged(rules, text, store / "proved.json"))
    assert found == ("report.answered", "not assessed: unit, tuning", "unit, tuning, epsilon")
    assert passes(judged(rules, '[report]\nanswered = "epsilon"', store / "proved.json"))
    answered = {"text": "no, nothing was tuned", "by": "somebody", "date": "2026-11-01"}
    path = store / "answered.json"
    loss = {"kind": "logistic", "regularization": "0.1", "feature_norm": 1}
    run = tables(loss=loss, mechanism={"noise_std": 2}) | {"attest": {"answers": {"tuning": answered}}}
    written(run, path)
    assert only_violation(judged(rules, text, path))[1] == "not assessed: unit"
    assert passes(judged(rules, '[report]\nanswered = "tuning"', path))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Of a model that has the certificate executed.json."""
    opened = Ledger.open(tmp_path / "ledger.sqlite", create=True)
    with opened.transaction("m") as turn:
        entry = certificate_entry((ACCEPTED / "executed.json").read_bytes())
        turn.append("learned", {"certificate": entry})
    return opened


NOT_REVOKED = '[freshness]\nnot_revoked = "ledger.sqlite"'


def test_what_a_ledger_revokes_passes_no_more(rules: Any, store: Path, ledger: Ledger) -> None:
    executed, planned = ACCEPTED / "executed.json", store / "proved.json"
    assert passes(judged(rules, NOT_REVOKED, executed)) and passes(judged(rules, NOT_REVOKED, planned))
    today = datetime.now(UTC).date()
    for path in (executed, planned):
        revoke(ledger, path, "the data were not ours")
        rule, value, limit = only_violation(judged(rules, NOT_REVOKED, path))
        assert (rule, value) == ("freshness.not_revoked", f"revoked on {today}: the data were not ours")
        assert limit == f"in {ledger.address}"
    assert passes(judged(rules, NOT_REVOKED, store / "all.json"))
    two = '[freshness]\nnot_revoked = ["ledger.sqlite", "other.sqlite"]'
    Ledger.open(Path(ledger.address).parent / "other.sqlite", create=True)
    assert not passes(judged(rules, two, executed))


def test_an_expiry_date_that_is_set_later_does_not_hide_a_revocation(
    rules: Any, ledger: Ledger, tmp_path: Path, signer: Any
) -> None:
    path = tmp_path / "certificate.json"
    statement = json.loads(base64.b64decode(json.loads((ACCEPTED / "executed.json").read_text())["payload"]))
    del statement["predicate"]["expires"]
    path.write_bytes(seal(statement))
    assert passes(judged(rules, NOT_REVOKED, path))  # the one that the ledger knows, without its date
    revoke(ledger, path, "a mistake")
    sign(path, key=signer("lead"), expires=datetime.now(UTC).date() + timedelta(days=90))
    assert only_violation(judged(rules, NOT_REVOKED, path))[0] == "freshness.not_revoked"
    assert not passes(judged(rules, NOT_REVOKED, ACCEPTED / "executed.json"))


def test_a_ledger_that_says_nothing_of_a_model_is_no_ledger_of_it(rules: Any, tmp_path: Path) -> None:
    Ledger.open(tmp_path / "ledger.sqlite", create=True)
    found = only_violation(judged(rules, NOT_REVOKED, ACCEPTED / "executed.json"))
    assert found[:2] == ("freshness.not_revoked", "executed, and no row names it")


def test_a_ledger_that_cannot_be_read_lets_nothing_pass(rules: Any, store: Path, tmp_path: Path) -> None:
    text = '[freshness]\nnot_revoked = "missing.sqlite"'
    with pytest.raises(
        UsageError, match=r"policy\.toml: freshness\.not_revoked: ledger .*missing\.sqlite: no such file"
    ):
        gate(rules(text), [store / "proved.json"])
    assert plumbline("gate", rules(text), store / "proved.json").code == 2
    ledger = Ledger.open(tmp_path / "ledger.sqlite", create=True)
    with ledger.transaction("m") as turn:
        turn.append("created", {})
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as database, database:
        database.execute("DROP TRIGGER plumbline_ledger_no_update")
        database.execute("UPDATE plumbline_ledger SET kind = 'learned'")
    done = plumbline("gate", rules(NOT_REVOKED), store / "proved.json")
    assert done.code == 4 and "row 1 was changed" in done.err and done.out == ""


def test_every_violation_is_a_line_of_its_own(rules: Any, store: Path) -> None:
    text = '[limits]\nmax_epsilon = 0.001\nmax_delta = 1e-9\n[run]\nreleases = "all"\n[execution]\nrequired = true\n'
    text += "[freshness]\nmax_age_days = 1\nrequire_expiry = true"
    paths = [store / "missed.json", store / "proved.json"]
    done = plumbline("gate", rules(text), *paths, *DAY)
    *lines, last = done.out.splitlines()
    assert done.code == 1 and done.err == "" and last.startswith("0 of 2 pass ") and last.endswith(" on 2026-12-21")
    common = ["limits.max_epsilon", "limits.max_delta", "freshness.max_age_days", "freshness.require_expiry"]
    expected = [(paths[0], "limits.require_verdict")]
    expected += [(path, rule) for path in paths for rule in [*common, "run.releases", "execution.required"]]
    assert sorted(expected) == sorted((Path(line.split()[1][:-1]), line.split()[2][:-1]) for line in lines)
    for line in lines:
        assert re.fullmatch(r"FAIL  \S+: \S+: .+ \(limit: .+\)", line)
    epsilon = shown(paths[1])["epsilon"]["upper"]
    assert f"FAIL  {paths[1]}: limits.max_epsilon: {epsilon} (limit: 0.001)" in lines


@settings(max_examples=60, deadline=None)
@given(epsilon=st.fractions(0, 2), delta=st.fractions(0, Fraction(1, 100)), age=st.integers(0, 60))
def test_the_gate_agrees_with_the_numbers(
    epsilon: Fraction, delta: Fraction, age: int, store: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The verdict from the certificate's numbers alone, computed here."""
    path = tmp_path_factory.mktemp("gate") / "policy.toml"
    path.write_text(f'[limits]\nmax_epsilon = "{epsilon}"\nmax_delta = "{delta}"\n[freshness]\nmax_age_days = {age}')
    expected = set()
    if Fraction(shown(store / "proved.json")["epsilon"]["upper"]) > epsilon:
        expected.add("limits.max_epsilon")
    if Fraction("0.001") > delta:
        expected.add("limits.max_delta")
    if age < 30:
        expected.add("freshness.max_age_days")
    found = gate(path, [store / "proved.json"], on=ON)
    assert {check.rule for check in found.certificates[0].violated} == expected
    assert found.exit_code == (1 if expected else 0)


# --- what the checker refuses, and the rank of exit codes ------------------------------------------------------------


def flipped(source: Path, target: Path) -> Path:
    parts = json.loads(source.read_text())
    parts["digest"]["sha256"] = "0" * 64
    target.write_text(json.dumps(parts))
    return target


def test_rank_of_exit_codes(rules: Any, store: Path, tmp_path: Path) -> None:
    ok, missed = store / "proved.json", store / "missed.json"
    mismatch = flipped(ok, tmp_path / "mismatch.json")
    malformed = tmp_path / "malformed.json"
    malformed.write_text("{}")
    cases = {
        (ok,): 0,
        (ok, ok): 0,
        (ok, missed): 1,
        (missed, ok): 1,
        (malformed, missed, ok): 2,
        (ok, tmp_path / "missing.json"): 2,
        (ok, tmp_path): 2,
        (missed, malformed, mismatch): 4,
        (mismatch, ok): 4,
        (REJECTED / "expired.json",): 1,
        (REJECTED / "phase_left_out.json", ok): 1,
    }
    for paths, code in cases.items():
        for form in ("text", "json", "junit"):
            done = plumbline("gate", rules(""), *paths, *DAY, "--format", form)
            assert (done.code, done.err) == (code, ""), (paths, done)
        rest = [path for path in paths if path == ok]
        assert plumbline("gate", rules(""), *paths, *DAY).out.count("PASS  ") == len(rest)


def test_what_the_checker_refused_reaches_no_further_rule(rules: Any, store: Path, tmp_path: Path) -> None:
    one = judged(rules, "[limits]\nmax_epsilon = 0.001", flipped(store / "proved.json", tmp_path / "one.json"))
    assert one.exit_code == Exit.MISMATCH
    (check,) = one.violated
    assert (check.rule, check.value) == ("verified", "the payload does not have the envelope's digest")
    assert {c.passed for c in one.checks if c is not check} == {None}
    assert "limits.max_epsilon" in {c.rule for c in one.checks}


def test_a_broken_envelope_is_no_matter_of_signatures(rules: Any, store: Path, tmp_path: Path, signer: Any) -> None:
    signer("lead")
    text = '[signatures]\nkeys = "lead.pub"'
    (check,) = judged(rules, text, flipped(store / "proved.json", tmp_path / "one.json")).violated
    assert check.rule == "verified"


def test_an_erasure_record_is_no_certificate(rules: Any) -> None:
    one = judged(rules, "", ACCEPTED / "erasure_record.json")
    assert one.exit_code == Exit.USAGE
    assert one.violated[0].value == "is the record of an erasure, not a certificate"


def test_a_crash_is_70(rules: Any, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.delenv("PLUMBLINE_TRACEBACK", raising=False)
    monkeypatch.setattr("certify.checker.verify", crash)
    done = plumbline("gate", rules(""), store / "proved.json")
    assert done.code == 70 and done.out == "" and "internal error" in done.err


# --- JSON and JUnit --------------------------------------------------------------------------------------------------


def test_json(rules: Any, store: Path) -> None:
    path = rules('[limits]\nmax_epsilon = 0.001\n[run]\nmechanisms = "pnsgd"')
    done = plumbline("gate", path, store / "proved.json", store / "full.json", *DAY, "--format", "json")
    found = json.loads(done.out)
    assert list(found) == ["passed", "exit_code", "policy", "date", "certificates"]
    assert (
        (found["passed"], found["exit_code"], found["date"]) == (False, 1, "2026-12-21") == (False, done.code, str(ON))
    )
    first, second = found["certificates"]
    assert first["file"] == str(store / "proved.json") and not first["passed"] and second["exit_code"] == 1
    for one in (first, second):
        for rule in one["rules"]:
            assert set(rule) == {"rule", "passed", "value", "limit"} and isinstance(rule["value"], str)
        assert len({rule["rule"] for rule in one["rules"]}) == len(one["rules"])
    failed = [rule["rule"] for rule in second["rules"] if rule["passed"] is False]
    assert failed == ["limits.max_epsilon", "run.mechanisms"]
    assert json.loads(plumbline("gate", rules(""), store / "proved.json", "--format", "json").out)["passed"] is True


def test_junit_has_a_suite_for_each_certificate_and_a_case_for_each_rule(
    rules: Any, store: Path, tmp_path: Path
) -> None:
    paths = [store / "proved.json", store / "missed.json", tmp_path / "none.json", flipped(
        store / "proved.json", tmp_path / "m.json")]  # fmt: skip
    path = rules('[limits]\nmax_delta = 0.1\n[assumptions]\nforbidden = ["batches:secret"]')
    done = plumbline("gate", path, *paths, *DAY, "--format", "junit")
    root = ElementTree.fromstring(done.out)
    suites = root.findall("testsuite")
    assert root.tag == "testsuites" and [suite.get("name") for suite in suites] == list(map(str, paths))
    names = ["verified", "limits.require_verdict", "limits.max_delta", "assumptions.allowed", "assumptions.forbidden"]
    names += ["created", "execution.allow_reproducible_noise"]
    keys = ("tests", "failures", "errors", "skipped")
    counts = {key: [int(suite.get(key) or -1) for suite in suites] for key in keys}
    assert counts == {"tests": [7] * 4, "failures": [0, 1, 0, 1], "errors": [0, 0, 1, 0], "skipped": [0, 0, 6, 6]}
    for suite in suites:
        assert [case.get("name") for case in suite.findall("testcase")] == names
        for tag, key in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert len(suite.findall(f"testcase/{tag}")) == int(suite.get(key) or 0)
    (failure,) = suites[1].findall("testcase/failure")
    assert failure.get("message") == "NOT_CERTIFIED (limit: CERTIFIED)"
    assert done.code == 4


def test_hostile_names_of_files(rules: Any, store: Path, tmp_path: Path) -> None:
    """Markup, line breaks, escape sequences: shown, never obeyed."""
    path = tmp_path / 'a"<b>&\n\x1b[31m\x00.json'.replace("\x00", "\x01")
    shutil.copy(store / "missed.json", path)
    done = plumbline("gate", rules(""), path, *DAY)
    assert done.code == 1 and "\x1b" not in done.out and len(done.out.splitlines()) == 2
    suite = ElementTree.fromstring(plumbline("gate", rules(""), path, *DAY, "--format", "junit").out).find("testsuite")
    assert suite.get("name").endswith('a"<b>&\\n\\x1b[31m\\x01.json')
    found = json.loads(plumbline("gate", rules(""), path, *DAY, "--format", "json").out)
    assert found["certificates"][0]["file"] == str(path)


# --- policies that are none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[limits", "is not valid TOML"),
        ("[limit]", "limit: unknown key; did you mean 'limits'?"),
        ("[limits]\nmax_eps = 1", "limits.max_eps: unknown key; did you mean 'max_epsilon'?"),
        ("[limits]\nmax_epsilon = nan", "limits.max_epsilon: "),
        ("[limits]\nmax_epsilon = inf", "limits.max_epsilon: "),
        ("[limits]\nmax_epsilon = true", "limits.max_epsilon: "),
        ('[limits]\nmax_epsilon = "one"', "limits.max_epsilon: "),
        ("[limits]\nmax_epsilon = -1", "limits.max_epsilon: -1 must be at least 0"),
        ("[limits]\nmax_epsilon = [1]", "limits.max_epsilon: "),
        ('[limits]\nrequire_verdict = "NOT_CERTIFIED"', "limits.require_verdict: got 'NOT_CERTIFIED'; write"),
        ("limits = 1", "limits: must be a table, got 1"),
        ("[report]\nanswered = 'tunning'", "report.answered: 'tunning' is not a question of the report; did you mean"),
        ("[report]\nmax_warnings = -1", "report.max_warnings: -1 must be at least 0"),
        ("[freshness]\nnot_revoked = []", "freshness.not_revoked: is empty"),
        (
            "[assumptions]\nconvexty = ['proved']",
            "'convexty': no such assumption; did you mean 'convexity'?",
        ),
        ("[assumptions]\nforbiden = 'convexity'", "'forbiden': no such assumption; did you mean 'forbidden'?"),
        ("[assumptions]\nconvexity = ['certain']", "assumptions.convexity[1]: got 'certain'; write one of"),
        ("[assumptions]\nconvexity = 1", "assumptions.convexity[1]: got 1; write one of"),
        (
            "[assumptions]\nforbidden = ['release:finale']",
            "'release:finale': no such assumption; did you mean 'rele",
        ),
        ("[assumptions]\nforbidden = ['convexity', 7]", "assumptions.forbidden[2]: "),
        ("[signatures]\nthreshold = 1", "signatures.keys: is missing"),
        ("[signatures]\nkeys = []", "signatures.keys: is empty"),
        ("[signatures]\nkeys = ['absent.pub']", "absent.pub: No such file"),
        ("[signatures]\nkeys = ['policy.toml']", "policy.toml: is not an Ed25519 public key"),
        ("[signatures]\nkeys = ['lead.key']", "lead.key: is a private key"),
        ("[signatures]\nkeys = ['lead.pub', 'lead.pub']", "is the same key as"),
        ("[signatures]\nkeys = ['lead.pub']\nthreshold = 2", "signatures.threshold: got 2, but there are only 1 keys"),
        ("[signatures]\nkeys = ['lead.pub']\nthreshold = 0", "signatures.threshold: 0 must be at least 1"),
        ("[freshness]\nmax_age_days = 1.5", "freshness.max_age_days: 1.5 must be a whole number"),
        ("[freshness]\nmax_age_days = -1", "freshness.max_age_days: -1 must be at least 0"),
        ("[freshness]\nrequire_expiry = 'yes'", "freshness.require_expiry: "),
        ("[freshness]\nrequire_expiry = 1", "freshness.require_expiry: "),
        ("[run]\nmechanisms = ['sgd']", "run.mechanisms[1]: got 'sgd'; write one of"),
        ("[run]\nreleases = []", "run.releases: is empty"),
        ("[run]\nreferences = 'all'", "run.references[1]: got 'all'; write one of"),
        ("[execution]\nrequired = 'no'", "execution.required: "),
    ],
)
def test_policies_that_are_refused(text: str, words: str, rules: Any, store: Path, signer: Any) -> None:
    signer("lead")
    path = rules(text)
    line = refused(plumbline("gate", path, store / "proved.json"))
    assert words in line and line.startswith(f"plumbline: {path}: ")


def test_policies_that_cannot_be_read(tmp_path: Path, store: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff")
    (tmp_path / "long.toml").write_text("#" * (2 << 20))
    cases = {"missing.toml": "No such file", "binary.toml": "UTF-8", "long.toml": "more than", ".": "directory"}
    for name, words in cases.items():
        assert words in refused(plumbline("gate", tmp_path / name, store / "proved.json"))


@pytest.mark.parametrize("arguments", [["gate"], ["gate", "policy.toml"], ["gate", "p", "c", "--date", "soon"]])
def test_wrong_usage(arguments: list[str]) -> None:
    assert "--help" in refused(plumbline(*arguments))


def test_python_needs_a_certificate(rules: Any) -> None:
    with pytest.raises(UsageError, match="needs a certificate"):
        gate(rules(""), [])


def test_keys_are_looked_for_beside_the_policy(
    tmp_path: Path, store: Path, signer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules/keys").mkdir(parents=True)
    shutil.move(signer("lead").with_suffix(".pub"), tmp_path / "rules/keys")
    (tmp_path / "rules/policy.toml").write_text('[signatures]\nkeys = "keys/lead.pub"')
    path = shutil.copy(store / "proved.json", tmp_path / "one.json")
    sign(path, key=tmp_path / "lead.key")
    monkeypatch.chdir("/")
    assert gate(os.path.relpath(tmp_path / "rules/policy.toml"), [path]).exit_code == 0


# --- the page, the example -------------------------------------------------------------------------------------------


def test_the_example(store: Path) -> None:
    found = read_policy(EXAMPLES / "policy.toml")
    assert found.table.limits.max_delta == Fraction(1, 100) and found.keys == ()
    text = (EXAMPLES / "policy.toml").read_text()
    assert set(re.findall(r"^(?:# )?\[(\w+)\]$", text, flags=re.MULTILINE)) == set(TABLES)
    assert gate(EXAMPLES / "policy.toml", [store / "proved.json"], on=ON).exit_code == 0
    assert gate(EXAMPLES / "policy.toml", [store / "attested.json"], on=ON).exit_code == 1


def test_every_key_is_on_the_page() -> None:
    page = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
    for name, (table,) in TABLES.items():
        assert f"\n## {name}\n" in page
        for key, field in table.model_fields.items():
            assert f"| `{key}` |" in page and field.description and field.description in page
    assert set(TABLES) == set(PolicyTable.model_fields)


def test_every_rule_is_a_key_of_the_policy(rules: Any, store: Path, signer: Any, ledger: Ledger) -> None:
    signer("lead")
    text = "[limits]\nmax_epsilon = 9\nmax_delta = 1\nexecuted = true\n"
    text += "[guarantees]\nmembership = 1\nattribute_or_label = 2\n"
    text += '[assumptions]\nforbidden = "counts"\nconvexity = "proved"\n'
    text += "[signatures]\nkeys = 'lead.pub'\n"
    text += "[run]\nmechanisms = 'pnsgd'\nneighbours = 'replace-one'\nreferences = 'none'\nreleases = 'all'\n"
    text += "[freshness]\nmax_age_days = 9\nrequire_expiry = true\nnot_revoked = 'ledger.sqlite'\n"
    text += "[report]\nmax_warnings = 9\nanswered = 'unit'\n"
    text += "[execution]\nrequired = true\nexecuted = true\nmodel = 'model.npy'"
    keys = {f"{name}.{key}" for name, (table,) in TABLES.items() for key in table.model_fields}
    found = {check.rule for check in judged(rules, text, store / "proved.json").checks}
    assert found == keys - {"signatures.keys"} | {"verified", "created", "assumptions.convexity"}


# --- the two guarantees of training runs ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["membership", "attribute_or_label"])
def test_each_guarantee_is_compared_exactly(key: str, rules: Any, store: Path) -> None:
    """Whichever the run's own neighbours are; without the key nothing is asked."""
    (found,) = (g for g in shown(store / "full.json")["guarantees"] if g["name"] == key.replace("_", " "))
    upper, path = found["epsilon"]["upper"], store / "full.json"
    assert passes(judged(rules, f"[guarantees]\n{key} = {upper}", path))
    less = Fraction(upper) - Fraction(1, 10**40)
    limit = f"{less.numerator}/{less.denominator}"
    assert only_violation(judged(rules, f'[guarantees]\n{key} = "{limit}"', path))[:2] == (
        f"guarantees.{key}",
        f"{upper} ({found['neighbours']})",
    )
    assert passes(judged(rules, "", path)) and passes(judged(rules, "[guarantees]", path))


def test_a_run_may_meet_one_limit_and_miss_the_other(rules: Any, store: Path) -> None:
    """Add-or-remove-one says nothing of replaced values: ε at the run's neighbours is no answer for them."""
    member, label = (Fraction(g["epsilon"]["upper"]) for g in shown(store / "full.json")["guarantees"])
    assert member < label
    text = f'[limits]\nmax_epsilon = "{member}"\n[guarantees]\nmembership = "{member}"\n'
    assert passes(judged(rules, text, store / "full.json"))
    one = judged(rules, f'{text}attribute_or_label = "{member}"', store / "full.json")
    assert only_violation(one)[0] == "guarantees.attribute_or_label"


def test_what_is_not_stated_meets_no_limit(rules: Any, store: Path, tmp_path: Path) -> None:
    one = judged(rules, "[guarantees]\nmembership = 1000", store / "proved.json")
    assert only_violation(one) == ("guarantees.membership", "not stated: of training runs alone", "1000")
    drawn = {"sampling": "without-replacement", "sample_rate": "0.5", "samples": 100, "steps": 1, "noise_multiplier": 9}
    path = written(training(drawn, threat={"neighbours": "replace-one"}), tmp_path / "drawn.json")
    assert only_violation(judged(rules, "[guarantees]\nmembership = 1000", path))[:2] == (
        "guarantees.membership",
        "nothing is claimed",
    )
    assert passes(judged(rules, "[guarantees]\nattribute_or_label = 1000", path))


@pytest.mark.parametrize("text", ["label = 1", "membership = -1", "membership = nan", 'membership = "many"'])
def test_a_guarantee_is_a_limit_like_any_other(text: str, rules: Any) -> None:
    with pytest.raises(UsageError, match=r"guarantees\."):
        read_policy(rules(f"[guarantees]\n{text}"))


def test_references_of_claims_about_learning() -> None:
    run = {"mechanism": {"unlearning_epochs": ["0", "0"]}, "threat": {"reference": "retrain"}}
    assert reference_of(run) == "none"
    assert reference_of(run | {"mechanism": {"unlearning_epochs": ["0", "1"]}}) == "retrain"


# --- rounding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "shown"), [("proved", "9"), ("attested", "0.5"), ("violated", "0.5"), (None, "0.5")]
)
def test_a_limit_is_held_against_the_target_where_rounding_is_only_little_beside_it(status, shown) -> None:
    """What is proved does not count rounding, which is known to add little to μ beside what the target allows."""
    assumed = [] if status is None else [{"id": "noise_above_rounding", "status": status, "text": ""}]
    assert measured({"epsilon": {"upper": "0.5", "target": "9"}, "assumptions": assumed}) == shown
    assert measured({"epsilon": {"upper": "10.5", "target": "9"}, "assumptions": assumed}) == "10.5"


def test_no_policy_allows_noise_below_rounding(rules: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(checker.ASSUMPTIONS, "noise_above_rounding", "")
    read_policy(rules('[assumptions]\nnoise_above_rounding = ["proved", "attested"]'))
    with pytest.raises(UsageError, match=r'assumptions\.noise_above_rounding: "violated" is never allowed'):
        read_policy(rules('[assumptions]\nnoise_above_rounding = ["proved", "violated"]'))


def test_the_run_as_executed_is_within_the_limit_and_the_target() -> None:
    """Vectors: ε of the executed run is 1.2852 with a target of 2, 1.555 with one of 1.3; or nothing is stated."""

    def judged_vector(name: str, most: Fraction | None = None) -> bool:
        envelope = json.loads((ROOT / f"tests/vectors/accept/{name}.json").read_bytes())
        return executed_within(json.loads(base64.b64decode(envelope["payload"]))["predicate"], most)[1]

    assert judged_vector("executed_sums") and judged_vector("executed_sums", Fraction("1.29"))
    assert not judged_vector("executed_sums", Fraction("1.285"))
    assert not judged_vector("executed_sums_above_the_target", Fraction(9))
    assert not judged_vector("executed_training") and not judged_vector("executed_in_finite_precision_without_epsilon")
