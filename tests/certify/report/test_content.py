"""What a report says: nothing but the certificate's numbers, all of them, and for every kind of run the right words."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from accountant.core.kernel import ASSUMPTIONS
from certify.report.content import compose
from certify.report.document import (
    Badge,
    Callout,
    Document,
    Equation,
    Facts,
    Items,
    Link,
    Paragraph,
    Section,
    Table,
    Text,
)
from certify.report.reading import read
from certify.report.sections.glossary import TERMS, texts
from certify.report.sections.guarantee import REPRODUCIBLE
from tests.certify import envelopes
from tests.certify.report import samples


def sections(document: Document) -> Iterator[Section]:
    def walk(found: tuple[Section, ...]) -> Iterator[Section]:
        for section in found:
            yield section
            yield from walk(section.sections)

    return walk(document.sections)


def inlines(document: Document) -> Iterator[Any]:
    def of(block: Any) -> Iterator[Any]:
        match block:
            case Paragraph(line, _):
                yield from line
            case Items(lines, _):
                yield from (part for line in lines for part in line)
            case Facts(rows):
                yield from (part for _, line in rows for part in line)
            case Table(_, _, rows, _):
                yield from (part for row in rows for cell in row for part in cell)
            case Callout(_, blocks, _):
                yield from (part for inner in blocks for part in of(inner))
            case Equation(formula, _):
                yield formula

    return (part for section in sections(document) for block in section.blocks for part in of(block))


def text(document: Document) -> str:
    return "\n".join(texts(document.sections))


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def section(document: Document, id: str) -> Section:
    return next(found for found in sections(document) if found.id == id)


def section_text(document: Document, id: str) -> str:
    return "\n".join(texts([section(document, id)]))


@pytest.mark.parametrize("name", samples.RUNS)
def test_every_kind_of_run_has_a_report(name: str) -> None:
    made = samples.document(name)
    ids = [found.id for found in sections(made)]
    assert len(ids) == len(set(ids))
    assert all(link.target[1:] in ids for link in inlines(made) if isinstance(link, Link))
    assert [found.id for found in made.sections[:2]] == ["guarantee", "parameters"]
    assert {"proof", "assumptions", "hazards", "execution", "verification", "glossary"} <= set(ids)
    assert {"statement", "plain-words", "not-promised", "provenance"} <= set(ids)


@pytest.mark.parametrize("name", [*samples.RUNS, "executed"])
def test_numbers_are_the_certificates_own(name: str) -> None:
    """Whatever is set as a number, and every decimal in any text, stands in the certificate."""
    found = samples.full_reading() if name == "executed" else samples.reading(name)
    made = samples.full() if name == "executed" else samples.document(name)
    known = set(strings(found.statement)) | {str(i + 1) for i in range(100)}
    for part in inlines(made):
        if isinstance(part, Text) and part.style == "number":
            for number in re.findall(r"\d[\d./e-]*\d|\d", part.text):
                assert number in known or any(number in string for string in known), part
    for decimal in re.findall(r"\d+\.\d{3,}(?:e-?\d+)?", re.sub(r"\b\d{4}\.\d{5}\b", "arXiv", text(made))):
        assert any(decimal in string for string in known), decimal


def of_the_claim(predicate: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader must find: all but the proof's inner workings and [attest], which has a test of its own."""
    left_out = ("proof", "theorems", "figures")
    found = {key: value for key, value in predicate.items() if key not in left_out}
    found["run"] = {key: value for key, value in predicate["run"].items() if key != "attest"}
    return found


@pytest.mark.parametrize("name", [*samples.RUNS, "executed"])
def test_nothing_of_the_claim_is_left_out(name: str) -> None:
    found = samples.full_reading() if name == "executed" else samples.reading(name)
    shown = text(samples.full() if name == "executed" else samples.document(name))
    keys = {"learn": "learning", "unlearn": "unlearning", "secret": "nobody can run again", "reproducible": "again"}

    def leaves(value: Any) -> Iterator[str]:
        if isinstance(value, Mapping):
            value = list(value.values())
        if isinstance(value, list):
            for inner in value:
                yield from leaves(inner)
        elif isinstance(value, str):
            yield value

    for leaf in leaves(of_the_claim(found.predicate)):
        words = leaf.replace("T", " ").replace("Z", " UTC") if re.fullmatch(r"[\d:TZ-]{20}", leaf) else leaf
        assert words in shown or keys.get(leaf, "\0") in shown, leaf
    for digest in found.subjects.values():
        assert digest in shown
    for step in found.predicate["proof"]["steps"]:
        for key, value in step["concludes"].items():
            if isinstance(value, str) and key != "growth" and key != "floor":
                assert value in shown, (step["theorem"], key)


def test_the_pictures_data_are_in_the_appendix() -> None:
    made = samples.document(**samples.executed())
    shown = section_text(made, "data")
    for curve in ("profile", "sweep"):
        for key, values in samples.FIGURES[curve].items():
            if isinstance(values, list):
                assert all(value in shown.split() for value in values if value is not None), key
    assert "the producer's" in section_text(made, "pictures")
    assert not {"pictures", "data"} & {found.id for found in samples.document().sections}


WORDS = {
    "unlearning": ("any one record to be unlearned", "as many epochs with the same start and batches", "another value"),
    "learning": ("the models X and X′ that 3 epochs of learning release", "differ in the value of one record"),
    "several requests": (
        "any 2 requests, which depend on no released model",
        "3 records of them in all",
        "each of these requests",
    ),
    "every model": ("after every request up to that one, together", "sequences of models"),
    "a ball": ("the stationary distribution of training with the same batches",),
    "retrain-T": ("retraining for 3 epochs with the same batches",),
    "remove-one": ("that record takes no part",),
    "full batches": ("all noisy sums X that this run releases", "by one record that only one of them has"),
    "adaptive scaling": ("together with the other release in its budget",),
    "disjoint batches": ("differ in the value of one record, all noisy sums X",),
}


@pytest.mark.parametrize("name", WORDS)
def test_the_guarantee_in_one_sentence(name: str) -> None:
    made = samples.document(name)
    shown = section_text(made, "statement").replace("\n", " ")
    for words in WORDS[name]:
        assert words in shown
    predicate = samples.reading(name).predicate
    assert f"ε = {predicate['epsilon']['upper']} and δ = {predicate['delta']}, for every set S" in shown
    assert "the same with X and X′ exchanged" in shown


def test_an_initial_distance_is_part_of_the_sentence() -> None:
    run = copy.deepcopy(dict(samples.RUNS["learning"]))
    run["mechanism"] = run["mechanism"] | {"initial_distance": "0.25"}
    samples.RUNS["apart"] = run
    try:
        assert "from starts at most 0.25 apart" in section_text(samples.document("apart"), "statement")
    finally:
        del samples.RUNS["apart"]


def test_what_the_observer_does_not_know() -> None:
    assert "not the noise; who sees the released model" in section_text(samples.document(), "plain-words")
    for name in ("secret order", "poisson"):
        assert "nor which records are in which batch" in section_text(samples.document(name), "plain-words")
    assert "nor which" not in section_text(samples.document("disjoint batches"), "plain-words")


def test_e_to_the_epsilon_is_written_and_not_computed() -> None:
    epsilon = samples.reading().predicate["epsilon"]["upper"]
    assert section_text(samples.document(), "plain-words").count(f"e^{epsilon}") == 2


def test_verdicts() -> None:
    def first(document: Document) -> tuple[Callout, list[str]]:
        callout = document.sections[0].blocks[0]
        return callout, [part.text for block in callout.blocks for part in block.line if isinstance(part, Badge)]

    callout, badges = first(samples.document())
    assert callout.tone == "good" and badges == ["CERTIFIED"] and callout.title.startswith("Certified: ")
    callout, badges = first(samples.document("not certified"))
    assert callout.tone == "bad" and badges == ["NOT_CERTIFIED"] and "exceeds the target" in callout.title
    assert "less than what was asked for" in section_text(samples.document("not certified"), "guarantee")
    undecided = samples.statement("full batches")
    undecided["predicate"]["run"]["target"]["epsilon"] = undecided["predicate"]["epsilon"]["target"] = "0.5"
    undecided["predicate"] |= {"verdict": "INDETERMINATE", "out_of_reach": True}
    undecided = envelopes.renamed(undecided)
    callout, badges = first(compose(read(envelopes.seal(undecided), now=samples.NOW), samples.ON))
    assert callout.tone == "warning" and badges == ["INDETERMINATE"] and "too close" in callout.title


def test_reproducible_noise_is_in_the_verdict() -> None:
    made = samples.document(**samples.executed(noise="reproducible"))
    (verdict,) = made.sections[0].blocks
    assert verdict.tone == "bad" and "no privacy claim holds for the model" in verdict.title
    assert REPRODUCIBLE in section_text(made, "guarantee")
    assert "REPRODUCIBLE" in section_text(made, "execution")
    assert REPRODUCIBLE not in text(samples.document(**samples.executed()))


def test_states_of_signature() -> None:
    keys = [envelopes.key(1), envelopes.key(2)]
    data = envelopes.seal(samples.statement(), *keys)
    pem = [envelopes.public(key) for key in keys]

    def shown(*arguments: Any) -> str:
        return section_text(compose(read(*arguments, now=samples.NOW), samples.ON), "provenance")

    assert "UNSIGNED" in shown(envelopes.seal(samples.statement()))
    unchecked = shown(data)
    assert "NOT CHECKED" in unchecked and "Signed 2 times" in unchecked
    assert all(envelopes.keyid(key) in unchecked for key in keys)
    one = shown(data, pem[:1])
    assert "SIGNED" in one and envelopes.keyid(keys[0]) in one and envelopes.keyid(keys[1]) not in one
    assert "NOT CHECKED" not in one and "UNSIGNED" not in one
    assert "one key had to have signed" in shown(data, pem, 1)
    verify = section_text(compose(read(data, now=samples.NOW), samples.ON), "verification")
    assert "plumbline verify certificate.json --key NAME.pub" in verify


def test_every_assumption_has_status_and_evidence() -> None:
    found = samples.reading(attest=samples.ATTEST)
    made = compose(found, samples.ON)
    (table,) = (block for block in section(made, "assumptions").blocks if isinstance(block, Table))
    assert len(table.rows) == len(found.report.assumptions)
    for (name, status, meaning), row in zip(found.report.assumptions, table.rows, strict=True):
        words = ["".join(getattr(part, "text", "") for part in cell) for cell in row]
        assert words[0] == f"{meaning} {name}" and words[1] == status and words[2]
    batches = next(row for row in table.rows if row[0][-1].text == "batches:fixed")
    assert "fixed order; by ML team; date 2026-11-19; evidence " in "".join(part.text for part in batches[2])
    unnamed = section_text(samples.document(), "assumptions")
    assert "nobody is named" in unnamed and "What was attested" not in unnamed


def test_what_was_attested_stands_somewhere() -> None:
    attest = {**samples.ATTEST, "more": ["a remark", {"deeper": "another"}]}
    attest["answers"] = attest["answers"] | {"odd item": {"text": "an answer to no question", "by": "somebody"}}
    shown = text(samples.document(attest=attest))
    for words in ("a remark", "another", "an answer to no question", "person, one record each", attest["text"]):
        assert words in shown


def test_violated_assumptions_are_said_to_be() -> None:
    shown = section_text(samples.document("not convex"), "assumptions")
    assert "violated" in shown and "no step of the proof rests on it" in shown


def test_execution_and_requests() -> None:
    made = samples.document(**samples.executed())
    shown = section_text(made, "execution")
    for words in ("digits 3 and 8", "cpu x86_64", "torch", "2.9.1", "No audit is attached"):
        assert words in shown
    annex = section_text(made, "requests")
    for words in (
        "request-7f3a",
        "HMAC-SHA-256 (keyed)",
        "1 of 1",
        "A. Officer, data protection, 2026-11-21",
        "in production",
    ):
        assert words in annex
    nobody = section_text(samples.document(**samples.executed(sign_off=None)), "requests")
    assert "nobody has signed this request off" in nobody
    without = samples.document()
    assert "no run record" in section_text(without, "execution") and "No audit is attached" in section_text(
        without, "execution"
    )
    assert "requests" not in {found.id for found in without.sections}


def test_a_training_run_that_was_executed() -> None:
    record = samples.execution()
    phase = record["phases"][0] | {"epochs": "10", "steps": "10"}
    record = record | {"phases": [phase], "erasures": []}
    made = samples.document(
        "full batches", execution=record, subjects={"model": samples.HEX, "run_record": samples.HEX}
    )
    assert "1 learning" in section_text(made, "execution") and "requests" not in {found.id for found in sections(made)}


def test_requests_honoured_one_after_the_other() -> None:
    """Software that is the same in all phases is listed once, other software by phase."""
    record = samples.execution("several requests")
    first = record["erasures"][0] | {"model_after": {"algorithm": "HMAC-SHA-256", "value": samples.HEX}}
    worst = samples.reading("several requests").predicate["requests"][1]
    times = {"started": "2026-11-21T12:40:00Z", "finished": "2026-11-21T12:50:00Z"}
    second = first | {
        **times,
        "request": "2",
        "id": "request-2",
        "records": "2",
        "cumulative": "3",
        "model_before": first["model_after"],
        "model_after": {"algorithm": "SHA-256", "value": samples.HEX},
        "guarantee": first["guarantee"] | {"epsilon": worst["epsilon"]},
    }
    later = record["phases"][1] | {"epochs": "2", "steps": "6", "erased": "2", "versions": {"torch": "2.9.2"}} | times
    record = record | {"phases": [*record["phases"], later], "erasures": [first, second]}
    made = samples.document(
        "several requests", execution=record, subjects={"model": samples.HEX, "run_record": samples.HEX}
    )
    annex = section_text(made, "requests")
    assert "in order: 2. Records, in all: 3; the certificate covers 3." in annex
    assert annex.index("request-7f3a") < annex.index("request-2") and "1 of 3" in annex and "3 of 3" in annex
    software = section_text(made, "execution")
    assert "Software of phase 1, 2" in software and "Software of phase 3" in software and "3 unlearning" in software


def test_the_glossary_has_the_terms_that_occur_and_no_others() -> None:
    learning, training = samples.document("learning"), samples.document("full batches")
    assert "PNSGD" in section_text(learning, "glossary") and "PNSGD" not in section_text(training, "glossary")
    assert "DP-SGD" in section_text(training, "glossary") and "Taut string" not in section_text(training, "glossary")
    for made in (learning, training):
        body = "\n".join(texts([found for found in made.sections if found.id not in ("glossary", "data")]))
        for name, pattern, _ in TERMS:
            assert (name in section_text(made, "glossary")) == bool(re.search(pattern, body)), name


@pytest.mark.parametrize("name", [*samples.RUNS, "executed"])
def test_words_that_no_report_may_use(name: str) -> None:
    shown = text(samples.full() if name == "executed" else samples.document(name))
    assert not re.search(r"GDPR|anonym(?!ous id)|guaranteed private", shown.replace("Pseudonymous", ""))
    for known in ASSUMPTIONS.values():  # which say what is compared, "without the erased records"
        shown = shown.replace(known, "")
    assert "erased" not in shown.replace("records erased by each request", "")


def test_a_report_is_as_of_a_day() -> None:
    made = samples.document()
    assert made.date == "2026-11-22" and "2026-11-22" in section_text(made, "provenance")
    assert made.certificate == envelopes.seal(samples.statement())
    assert made.digest == samples.reading().payload_digest
