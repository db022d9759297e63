"""[attest.answers]: what is refused and how, what the digest covers, and that older runs keep theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certify import checker
from certify.errors import UsageError
from certify.results.certify import certify
from certify.runfile.pnsgd_tables import AnswersTable
from certify.runfile.questions import ATTESTABLE, BY_ID, PARTS, QUESTIONS, WHEN
from certify.runfile.read import Run, canonical_json, read_run
from certify.trust.certificate import make_statement
from tests.certify.envelopes import seal
from tests.certify.runs import EXAMPLES, plumbline, refused, tables, to_toml, training

ANSWER = {"text": "Person, with all their visits", "by": "Zoë, DPO", "date": "2026-01-31"}
GENERAL = {"text": "The DPO answers for the assumptions.", "date": "2026-01-31"}
EVIDENCE = "ab" * 32
KINDS = {"pnsgd": tables, "training": training}


def attested(attest: Mapping[str, Any], kind: str = "pnsgd") -> Run:
    return read_run({**KINDS[kind](), "attest": attest})


# --- what is the same run --------------------------------------------------------------------------------------------


def test_old_digests_stay() -> None:
    assert read_run(EXAMPLES / "mnist.toml").digest.startswith("61728fca")
    before = "77955ff1"  # as it was before there were answers
    text = {"text": "the DPO", "date": "2026-01-01"}
    assert attested(text).canonical["attest"] == {**text, "evidence": None}
    assert attested(text).digest.startswith(before)
    assert attested({**text, "answers": {}}) == attested(text)


@pytest.mark.parametrize("kind", KINDS)
def test_the_canonical_form(kind: str) -> None:
    run = attested({"answers": {"unit": ANSWER, "bias": ANSWER | {"evidence": EVIDENCE}}}, kind)
    assert run.canonical["attest"] == {
        "text": None,
        "date": None,
        "evidence": None,
        "answers": {"unit": ANSWER | {"evidence": None}, "bias": ANSWER | {"evidence": EVIDENCE}},
    }
    assert read_run(run.canonical) == run
    both = attested(GENERAL | {"answers": {"unit": ANSWER}}, kind)
    assert both.canonical["attest"]["text"] == GENERAL["text"]
    assert len({both.digest, run.digest, attested(GENERAL, kind).digest, read_run(KINDS[kind]()).digest}) == 4


def test_every_word_is_in_the_digest_and_the_order_is_not() -> None:
    base = {"unit": ANSWER, "bias": ANSWER}
    digest = attested({"answers": base}).digest
    assert attested({"answers": dict(reversed(base.items()))}).digest == digest
    for key, value in (("text", "another"), ("by", "another"), ("date", "2026-02-01"), ("evidence", EVIDENCE)):
        assert attested({"answers": base | {"unit": ANSWER | {key: value}}}).digest != digest


def test_calibration_keeps_the_answers() -> None:
    run = attested({"answers": {"unit": ANSWER}})
    assert run.with_values(epochs=7).canonical["attest"] == run.canonical["attest"]


words = st.text(min_size=1, max_size=40).filter(lambda text: text.strip())


@given(st.dictionaries(st.sampled_from([q.id for q in ATTESTABLE]), st.tuples(words, words), max_size=5), words)
def test_any_text_survives(answers: dict[str, tuple[str, str]], general: str) -> None:
    given_ = {item: {"text": text, "by": by, "date": "2026-01-31"} for item, (text, by) in answers.items()}
    run = attested({"text": general, "date": "2026-01-31", "answers": given_})
    written = run.canonical["attest"].get("answers", {})
    assert {item: (answer["text"], answer["by"]) for item, answer in written.items()} == answers
    assert read_run(json.loads(canonical_json(run.canonical))).digest == run.digest


# --- what is refused -------------------------------------------------------------------------------------------------

REFUSED = [
    ({}, "attest.text: is missing"),
    ({"answers": {}}, "attest.text: is missing"),
    ({"text": "x"}, "attest.date: is missing"),
    ({"date": "2026-01-31"}, "attest.text: is missing"),
    ({"text": "x", "answers": {"unit": ANSWER}}, "attest.date: is missing"),
    ({"evidence": EVIDENCE, "answers": {"unit": ANSWER}}, "attest.text: is missing"),
    ({"answers": {"untit": ANSWER}}, "attest.answers.untit: unknown key; did you mean unit?"),
    ({"answers": {"back_ups": ANSWER}}, "attest.answers.back_ups: unknown key; did you mean backups?"),
    ({"answers": {"zzz": ANSWER}}, "attest.answers.zzz: unknown key; known: access, "),
    ({"answers": {"epsilon": ANSWER}}, "attest.answers.epsilon: is computed from the certificate, not attested"),
    ({"answers": {"unit": ANSWER | {"txt": "a"}}}, "attest.answers.unit.txt: unknown key; did you mean text?"),
    ({"answer": {"unit": ANSWER}}, "attest.answer: unknown key; did you mean answers?"),
    ({"answers": {"unit": "person"}}, "attest.answers.unit: must be a table, got 'person'"),
    ({"answers": "person"}, "attest.answers: must be a table, got 'person'"),
    ({"answers": [ANSWER]}, "attest.answers: must be a table"),
    ({"answers": {"unit": ANSWER | {"by": " "}}}, "attest.answers.unit.by: is blank"),
    ({"answers": {"unit": ANSWER | {"text": "\n"}}}, "attest.answers.unit.text: is blank"),
    ({"answers": {"unit": ANSWER | {"text": 3}}}, "attest.answers.unit.text: input should be a valid string, got 3"),
    ({"answers": {"unit": ANSWER | {"text": "x" * 10_001}}}, "attest.answers.unit.text: string should have at most"),
    ({"answers": {"unit": ANSWER | {"by": "x" * 201}}}, "attest.answers.unit.by: string should have at most 200"),
    ({"answers": {"unit": ANSWER | {"date": "31.01.2026"}}}, "attest.answers.unit.date: string should match"),
    ({"answers": {"unit": ANSWER | {"date": "2026-02-30"}}}, "attest.answers.unit.date: there is no day 2026-02-30"),
    ({"text": "x", "date": "2026-02-30"}, "attest.date: there is no day 2026-02-30"),
    ({"answers": {"unit": ANSWER | {"evidence": "xy"}}}, "attest.answers.unit.evidence: string should match"),
    *(
        ({"answers": {"unit": {k: v for k, v in ANSWER.items() if k != key}}}, f"attest.answers.unit.{key}: is missing")
        for key in ANSWER
    ),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("attest", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refused_in_one_line(attest: Mapping[str, Any], message: str, kind: str) -> None:
    with pytest.raises(UsageError) as error:
        attested(attest, kind)
    line = str(error.value)
    assert line.startswith(message) and len(line) <= 600 and len(line.splitlines()) == 1


def test_a_number_for_a_text_is_refused_with_its_place() -> None:
    with pytest.raises(UsageError, match=r"^attest\.answers\.unit\.text: "):
        attested({"answers": {"unit": ANSWER | {"text": 0.5}}})


def test_refused_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    nested = '[attest.answers.untit]\ntext = "person"\nby = "Zoë"\ndate = "2026-01-31"\n'
    path.write_text(to_toml(tables()) + nested, encoding="utf-8")
    line = refused(plumbline("certify", path, "-o", tmp_path / "out"), 2)
    assert line == "plumbline: attest.answers.untit: unknown key; did you mean unit?"
    assert not (tmp_path / "out").exists()
    path.write_text(to_toml(tables()) + nested.replace("untit", "unit"), encoding="utf-8")
    assert plumbline("certify", path).code == 0


# --- the list, the certificate, the example --------------------------------------------------------------------------


def test_the_list_of_questions() -> None:
    ids = [question.id for question in QUESTIONS]
    assert 40 <= len(ids) <= 50 and len(set(ids)) == len(ids) == len(BY_ID)
    assert [q.part for q in QUESTIONS] == sorted((q.part for q in QUESTIONS), key=list(PARTS).index)
    assert {q.part for q in QUESTIONS} == PARTS.keys() and {q.when for q in QUESTIONS} <= WHEN.keys()
    assert set(AnswersTable.model_fields) == {q.id for q in ATTESTABLE} < set(ids)
    for question in QUESTIONS:
        assert question.id.isidentifier() and question.id == question.id.lower()
        assert question.text.endswith("?") and question.text.count("?") == 1 and ". " not in question.text
        assert question.why.endswith(".") and ". " not in question.why
        assert question.attestable or not question.hint
    assert {"unit", "sampling", "tuning", "earlier_releases"} <= AnswersTable.model_fields.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_certificates_carry_them(kind: str) -> None:
    run = KINDS[kind](
        {"noise_multiplier": 2, "sample_rate": 1, "sampling": "full", "steps": 4} if kind != "pnsgd" else None
    )
    run["attest"] = {"answers": {"unit": ANSWER, "diagnostics": ANSWER}}
    statement = make_statement(certify(run))
    assert statement["predicate"]["run"]["attest"]["answers"].keys() == {"unit", "diagnostics"}
    report = checker.verify(seal(statement))
    assert report.digest == read_run(run).digest


def test_the_example() -> None:
    run = read_run(EXAMPLES / "attested.toml")
    answers = run.canonical["attest"]["answers"]
    assert len(answers) >= 15 and {"unit", "sampling", "tuning", "earlier_releases", "saved_state"} <= answers.keys()
    assert certify(run.canonical).verdict.name == "CERTIFIED"
