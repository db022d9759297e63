"""The hazard checklist: every question answered or marked, every warning on and off, no number of its own."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certify.report import hazards
from certify.report.document import Badge, Line, Link, Text
from certify.report.evidence import ways_named
from certify.report.reading import read
from certify.results.certify import certify
from certify.runfile.questions import ATTESTABLE, BY_ID, QUESTIONS
from certify.runfile.read import read_run
from certify.trust.certificate import make_statement
from tests.certify.envelopes import seal
from tests.certify.runs import EXAMPLES, tables, training

TODAY = date(2026, 11, 21)
KEYID = "5e" * 32
RECORD = "1c" * 32
FORBIDDEN = re.compile(r"gdpr|anonym|erase|erasing|erasure", re.IGNORECASE)


@dataclass(frozen=True)
class Stub:
    """The checker's report, as far as hazards look at it."""

    signatures: int = 1
    signers: tuple[str, ...] = (KEYID,)
    threshold: int | None = 1
    expires: str | None = None
    created: str = "2026-11-20T08:00:00Z"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Certificate:
    predicate: dict[str, Any]
    subjects: dict[str, str]
    report: Stub = field(default_factory=Stub)


FULL = {"sampling": "full", "sample_rate": None, "samples": 1000, "noise_multiplier": 60, "steps": 100}
RUNS: dict[str, dict[str, Any]] = {
    "unlearning": tables(mechanism={"samples": 120, "batch_size": 40, "noise_std": 4}),
    "requests": tables(
        mechanism={"samples": 120, "batch_size": 40, "noise_std": 9, "unlearning_epochs": [1, 2]},
        requests={"sizes": [1, 3]},
    ),
    "learning": tables(mechanism={"unlearning_epochs": 0, "noise_std": 9}),
    "logistic": tables({"kind": "logistic", "regularization": "1/8"}, mechanism={"noise_std": 9}),
    "network": tables({"kind": "clipped", "regularization": "1/2", "clip": 1}, mechanism={"noise_std": 9}),
    "wavy": tables(
        {"kind": "constants", "smoothness": 1, "strong_convexity": "1/2", "gradient_bound": 1, "convex": False},
        mechanism={"noise_std": 9},
    ),
    "training": training(FULL),
    "sampled": training({"sample_rate": "0.01", "noise_multiplier": 4, "steps": 10, "samples": 1000}),
    "nobody": training({"sampling": "full", "sample_rate": None, "noise_multiplier": 60, "steps": 100}),
    "missed": tables(target={"epsilon": "0.01"}),
    "large": tables(mechanism={"noise_std": "0.01"}, target={"epsilon": 1000}),
}


@cache
def _made(name: str) -> dict[str, Any]:
    return make_statement(certify(RUNS[name]))


def make(name: str = "unlearning", answers: Mapping[str, str] | None = None, **changes: Any) -> Certificate:
    """The certificate of a run; `answers` are texts by item, `changes` go to the checker's report, except

    attest: the whole table; execution: changes to one that fits the run; predicate, run: replaced keys.
    """
    statement = copy.deepcopy(_made(name))
    predicate, subjects = statement["predicate"], {s["name"]: s["digest"]["sha256"] for s in statement["subject"]}
    if answers is not None:
        tables_ = {
            item: {"text": text, "by": "Zoë", "date": "2026-01-31", "evidence": None} for item, text in answers.items()
        }
        predicate["run"]["attest"] = {"text": None, "date": None, "evidence": None, "answers": tables_}
    if "attest" in changes:
        predicate["run"]["attest"] = changes.pop("attest")
    if "execution" in changes:
        predicate["execution"] = executed(predicate) | changes.pop("execution")
        subjects |= {"model": "aa" * 32, "run_record": RECORD}
    predicate |= changes.pop("predicate", {})
    for table, keys in changes.pop("run", {}).items():
        predicate["run"][table] |= keys
    return Certificate(predicate, subjects, Stub(**changes))


def executed(predicate: Mapping[str, Any]) -> dict[str, Any]:
    """An execution of a run that unlearns: every request was honoured."""
    phase = {"device": "cpu", "device_name": "a processor", "versions": {"torch": "2.8.0"}}
    phase |= {"started": "2026-10-01T08:00:00Z", "finished": "2026-10-01T09:00:00Z"}
    phases = [{"kind": "learn", "epochs": "3", "steps": "9", "erased": "0", **phase}]
    erasures, sizes = [], predicate["run"]["requests"]["sizes"]
    for i, request in enumerate(predicate["requests"], 1):
        size, epochs = request["size"], request["epochs"]
        phases.append({"kind": "unlearn", "epochs": epochs, "steps": "3", "erased": size, **phase})
        erasures.append(
            {
                "request": str(i),
                "id": f"R-{i}",
                "scope": "all records of the person",
                "records": size,
                "commitment": {"algorithm": "HMAC-SHA-256", "value": f"{i}c" * 32},
                "cumulative": str(sum(map(int, sizes[:i]))),
                "cap": str(sum(map(int, sizes))),
                "sign_off": None,
            }
        )
    order = {"dataset": "a table", "order": "given", "noise": "secret"}
    return order | {"phases": phases, "erasures": erasures, "audits": []}


def words(line: Line) -> str:
    return "".join(part.text for part in line)


def answer(certificate: Certificate, item: str, on: date = TODAY) -> hazards.Answer:
    (found,) = (a for a in hazards.answers(certificate, on) if a.question.id == item)
    return found


def warned(certificate: Certificate, on: date = TODAY) -> dict[str, hazards.Caution]:
    found = hazards.warnings(certificate, on)
    assert len({warning.id for warning in found}) == len(found)
    return {warning.id: warning for warning in found}


SMALL = {"target": {"delta": "0.00001"}}  # 1/n² is 1/14400
QUIET = {"predicate": {"delta": "0.00001"}, "run": SMALL}

# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("attest", [None, {"text": "The DPO answers.", "date": "2026-01-31", "evidence": None}])
def test_no_answer_is_blank(name: str, attest: Any) -> None:
    found = hazards.answers(make(name, attest=attest), TODAY)
    assert [a.question for a in found] == [q for q in QUESTIONS if q in {a.question for a in found}]
    for a in found:
        assert words(a.line).strip() == words(a.line) and words(a.line).endswith((".", ")"))
        assert all(isinstance(part, Text | Badge) for part in a.line)
        assert a.tone != "muted" or a.status == "not assessed"
        if a.status == "not assessed":
            assert "Nobody" in words(a.line) and a.tone in ("muted", "warning")
        if a.status == "attested":
            assert attest is not None and "“The DPO answers.” (attested on 2026-01-31)" in words(a.line)
        assert not FORBIDDEN.search(words(a.line)), words(a.line)
    for warning in hazards.warnings(make(name), TODAY):
        assert words(warning.line).strip() and not FORBIDDEN.search(warning.title + words(warning.line))


def test_questions_themselves_claim_nothing() -> None:
    for question in QUESTIONS:
        assert not FORBIDDEN.search(f"{question.text} {question.why} {question.hint}")


def asked(name: str) -> set[str]:
    return {a.question.id for a in hazards.answers(make(name), TODAY)}


def test_only_questions_about_the_run_are_asked() -> None:
    unlearning = {q.id for q in QUESTIONS if q.when == "unlearning"}
    always = {q.id for q in QUESTIONS if q.when == "always"}
    assert len(unlearning) == 9
    assert asked("unlearning") == always | unlearning | {"constants", "start"}
    assert asked("logistic") == always | unlearning | {"constants", "start", "data_bounds"}
    assert asked("learning") == always | {"constants", "start"}
    assert asked("training") == always | {"sensitivity", "normaliser"}
    assert 40 <= len(asked("logistic")) <= 46


def test_an_answer_to_what_is_not_asked_is_shown_all_the_same() -> None:
    certificate = make("learning", {"backups": "None are kept."})
    assert answer(certificate, "backups").status == "attested"
    assert answer(make("training", {"start": "At zero."}), "start").status == "attested"


@pytest.mark.parametrize("item", [q.id for q in ATTESTABLE])
@pytest.mark.parametrize("execution", [False, True])
def test_somebodys_words_are_never_dropped(item: str, execution: bool) -> None:
    more = {"execution": {}} if execution else {}
    for name in ("unlearning", "requests", "training", "wavy"):
        if execution and name == "training":
            continue
        certificate = make(name, {item: "These words <b>exactly</b>."}, **more)
        found = answer(certificate, item)
        assert words(found.line).count("“These words <b>exactly</b>.” (attested by Zoë on 2026-01-31)") == 1
        assert found.status != "not assessed"


def test_evidence_of_an_answer_is_shown_by_its_digest() -> None:
    table = {"text": "Yes.", "by": "Zoë", "date": "2026-01-31", "evidence": "ab" * 32}
    found = answer(make(attest={"answers": {"utility": table}}), "utility")
    assert words(found.line) == f"“Yes.” (attested by Zoë on 2026-01-31; evidence {'ab' * 32})"
    assert Text("ab" * 32, "code") in found.line


def test_general_words_answer_for_assumptions_alone() -> None:
    attest = {"text": "Reviewed.", "date": "2026-01-31", "evidence": None}
    by_general = {a.question.id for a in hazards.answers(make(attest=attest), TODAY) if a.status == "attested"}
    assert by_general == {"constants", "sampling", "start", "randomness", "floating_point", "responsible"}
    both = make(attest=attest | {"answers": {"start": {"text": "At zero.", "by": "Zoë", "date": "2026-01-31"}}})
    assert "At zero." in words(answer(both, "start").line) and "Reviewed." not in words(answer(both, "start").line)


def test_attestations_of_another_form_are_named_and_not_read() -> None:
    attest = {"by": "A. Müller", "evidence": ["sha256:…"], "answers": {"unit": "person", "moon": {"text": "full"}}}
    found = answer(make(attest=attest), "responsible")
    assert found.status == "not assessed"
    for key in ("attest.by", "attest.evidence", "attest.answers.unit", "attest.answers.moon"):
        assert key in words(found.line)
    assert answer(make(attest=attest), "unit").status == "not assessed"
    assert "Not shown" not in words(answer(make(answers={"unit": "person"}), "responsible").line)


def test_derived_assumed_and_violated_constants() -> None:
    assert answer(make("logistic"), "constants").status == "computed"
    assert answer(make("unlearning"), "constants").status == "not assessed"
    network = answer(make("network"), "constants")
    assert network.tone == "warning" and words(network.line).startswith("Violated: convexity, smoothness")
    wavy = answer(make("wavy"), "constants")
    assert words(wavy.line).startswith("Violated: convexity, and not used. The proof assumes: ")
    assert wavy.status == "not assessed"
    assert answer(make("network"), "properties").tone == "warning"
    assert answer(make("unlearning"), "properties").tone == "plain"


def test_what_was_executed_is_evidenced_by_the_run_record() -> None:
    certificate = make("requests", execution={})
    for item in ("execution", "randomness", "sampling", "capacity"):
        found = answer(certificate, item)
        assert found.status == "evidenced" and Text(RECORD, "code") in found.line, item
    assert "learn 3 epochs on cpu; unlearn 1 epoch on cpu; unlearn 2 epochs" in words(
        answer(certificate, "execution").line
    )
    assert "torch 2.8.0" in words(answer(certificate, "execution").line)
    assert "4 of 4 records" in words(answer(certificate, "capacity").line)
    removed = answer(certificate, "forget_set")
    assert removed.status == "evidenced" and "2c" * 32 in words(removed.line) and removed.tone == "warning"
    assert answer(make("requests", {"forget_set": "All."}, execution={}), "forget_set").tone == "plain"
    for item in ("execution", "randomness", "forget_set"):
        assert answer(make("requests"), item).status == "not assessed"
    assert answer(make("requests"), "capacity").status == "computed"
    assert answer(certificate, "audit").status == "not assessed"


def test_sign_off() -> None:
    off = {"name": "M. Lindqvist", "role": "DPO", "date": "2026-10-02", "text": "done"}
    entries = executed(make("requests").predicate)["erasures"]
    some = answer(make("requests", execution={"erasures": [entries[0] | {"sign_off": off}, entries[1]]}), "sign_off")
    assert (some.status, some.tone) == ("attested", "warning")
    assert "request 1: M. Lindqvist, DPO, on 2026-10-02: “done”; request 2: nobody" in words(some.line)
    every = [entry | {"sign_off": off} for entry in entries]
    assert answer(make("requests", execution={"erasures": every}), "sign_off").tone == "plain"
    assert answer(make("requests", execution={}), "sign_off").status == "not assessed"


def test_signatures() -> None:
    assert KEYID in words(answer(make(), "signatures").line)
    assert answer(make(signers=(), threshold=None, signatures=2), "signatures").tone == "warning"
    assert "2 signatures" in words(answer(make(signers=(), threshold=None, signatures=2), "signatures").line)
    assert words(answer(make(signers=(), threshold=None, signatures=0), "signatures").line).startswith("Unsigned: ")


def test_a_lower_bound_that_was_not_verified_says_so() -> None:
    assert "did not confirm" not in words(answer(make("sampled"), "tightness").line)
    notes = ("the lower bound was not verified",)
    assert "did not confirm" in words(answer(make("sampled", notes=notes), "tightness").line)
    assert "No lower bound" in words(answer(make("network"), "tightness").line)


def test_ends_that_are_far_apart_say_so() -> None:
    """A thousandth of the upper one, or a millionth where that is larger."""
    for lower, upper, wide in (("0.999", "1", False), ("0.9989", "1", True), ("0", "1e-6", False), ("0", "2e-6", True)):
        epsilon = {"lower": lower, "upper": upper, "target": "2"}
        shown = words(answer(make("sampled", predicate={"epsilon": epsilon}), "tightness").line)
        assert ("0.1 %" in shown) == wide, (lower, upper)


def test_other_releases_are_listed() -> None:
    releases = [{"mu": "0.25", "text": "the counts of May"}, {"mu": "0.5", "text": None}]
    certificate = make("training")
    certificate.predicate["run"]["releases"] = releases
    found = answer(certificate, "earlier_releases")
    assert found.status == "computed"
    assert "the counts of May, μ = 0.25; without a name, μ = 0.5." in words(found.line)


def certificate_strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for entry in value.values():
            yield from certificate_strings(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from certificate_strings(entry)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("name", RUNS)
def test_numbers_are_the_certificates_own(name: str) -> None:
    certificate = make(name, expires="2026-12-01T00:00:00Z")
    own = {*certificate_strings(certificate.predicate), "2026-12-01T00:00:00Z", "2026-11-20T08:00:00Z"}
    own |= {str(len(certificate.predicate["requests"]))}
    lines = [a.line for a in hazards.answers(certificate, TODAY)] + [
        w.line for w in hazards.warnings(certificate, TODAY)
    ]
    shown = {part.text for line in lines for part in line if isinstance(part, Text) and part.style == "number"}
    assert shown and shown <= own
    prose = " ".join(part.text for line in lines for part in line if isinstance(part, Text) and part.style == "plain")
    for assumption in certificate.predicate["assumptions"]:
        prose = prose.replace(assumption["text"], "")
    fixed = r"1e-5|1/n²|ε of 10 or more|request \d+|\d+ (?:record|epoch)s?|with 1 of the keys|1 needed"
    assert not re.findall(r"\d", re.sub(fixed, "", prose))


# --- warnings --------------------------------------------------------------------------------------------------------


def test_a_careful_certificate_has_none() -> None:
    said = {"unit": "Person, all visits", "sampling": "fixed", "tuning": "No.", "earlier_releases": "None, ever"}
    said |= {"saved_state": "no", "earlier_models": "No – never", "adaptive_requests": "No; by a lottery"}
    assert warned(make("unlearning", said, execution={}, expires="2027-11-22T00:00:00Z", **QUIET)) == {}
    assert warned(make("unlearning", **QUIET)) == {}, "what nobody attested is not assessed, and no warning"


@pytest.mark.parametrize(
    ("n", "delta", "above"),
    [
        ("100", "1/n", True),
        ("100", "0.0001", False),
        ("100", "0.00010000000000000000000000000001", True),
        ("300", "1/90000", False),
        ("300", "1/89999", True),
        (None, "0.0001", False),
    ],
)
def test_delta_above_one_over_n_squared(n: str | None, delta: str, above: bool) -> None:
    certificate = make("training", run={"mechanism": {"samples": n}, "target": {"delta": delta}})
    assert ("delta_above_square" in warned(certificate)) is above
    if above:
        text = words(warned(certificate)["delta_above_square"].line)
        assert certificate.predicate["delta"] in text and f"n = {n}" in text
    shown = words(answer(certificate, "delta").line)
    assert ("is above 1/n²" in shown) is above and ("is not above 1/n²" in shown) is (n is not None and not above)


@pytest.mark.parametrize(
    ("delta", "above"), [("0.00001", False), ("1/100000", False), ("0.0000100000000000000001", True), ("1/n", True)]
)
def test_delta_above_1e_5(delta: str, above: bool) -> None:
    certificate = make(run={"mechanism": {"samples": "1000"}, "target": {"delta": delta}})
    assert ("delta_large" in warned(certificate)) is above
    assert ("and not above 1e-5" in words(answer(certificate, "delta").line)) is not above


def test_delta_where_the_number_of_records_is_not_known() -> None:
    certificate = make("nobody")
    assert "delta_above_square" not in warned(certificate)
    assert "does not say how many records" in words(answer(certificate, "delta").line)


@pytest.mark.parametrize(("upper", "large"), [("9.99999999999", False), ("10", True), ("10.0", True), ("1.5e1", True)])
def test_large_epsilon(upper: str, large: bool) -> None:
    epsilon = {"lower": None, "upper": upper, "target": "20"}
    certificate = make(predicate={"epsilon": epsilon})
    assert ("large_epsilon" in warned(certificate)) is large
    assert (answer(certificate, "epsilon").tone == "bad") is large
    assert f"ε ≤ {upper}" in words(answer(certificate, "epsilon").line)
    if large:
        assert f"ε ≤ {upper}" in words(warned(certificate)["large_epsilon"].line)


def test_large_epsilon_of_a_real_run() -> None:
    assert "large_epsilon" in warned(make("large"))


@pytest.mark.parametrize(
    ("unit", "person"),
    [
        ("person", True),
        ("Person, with all their records", True),
        ("a user (all devices)", True),
        ("one individual: everything", True),
        ("an individual person.", True),
        ("user – all days", True),
        ("a person whose scans were averaged", True),
        ("user-day", False),
        ("user–day", False),
        ("user session", False),
        ("person per visit", False),
        ("one visit of a person", False),
        ("household", False),
        ("persons", False),
        ("personal record", False),
        ("", None),
    ],
)
def test_unit(unit: str, person: bool | None) -> None:
    certificate = make(answers={"unit": unit})
    assert ("unit_not_person" in warned(certificate)) is (person is False)
    assert answer(certificate, "unit").status == ("not assessed" if person is None else "attested")
    if person is False:
        assert f"“{unit}” (attested by Zoë" in words(warned(certificate)["unit_not_person"].line)


def sampled(assumed: str, text: str) -> set[str]:
    name, table = (
        ("learning", {"batch_order": assumed})
        if assumed in ("fixed*", "secret")
        else ("training", {"sampling": assumed})
    )
    if assumed == "fixed*":
        table = {"batch_order": "fixed"}
    certificate = make(name, {"sampling": text}, run={"mechanism": table})
    found = {id for id in warned(certificate) if id.startswith("sampling")}
    tone = {"sampling_differs": "bad", "sampling_unclear": "warning"}.get(*found) if found else "plain"
    assert answer(certificate, "sampling").tone == tone
    return found


@pytest.mark.parametrize(
    ("assumed", "text"),
    [
        ("poisson", "Poisson, drawn anew each step"),
        ("without-replacement", "without replacement, fixed size 64"),
        ("shuffled", "shuffled every epoch"),
        ("fixed", "shuffled once before the run"),
        ("poisson", "Poisson over the full table"),
        ("full", "full"),
        ("fixed*", "Fixed: the order of the file"),
        ("fixed*", "cyclic"),
        ("fixed*", "secret"),
        ("secret", "secret, shuffled once"),
    ],
)
def test_sampling_as_assumed(assumed: str, text: str) -> None:
    assert sampled(assumed, text) == set()


@pytest.mark.parametrize(
    ("assumed", "text"),
    [
        ("poisson", "shuffled every epoch"),
        ("poisson", "Poisson at first, later shuffled"),
        ("poisson", "without replacement"),
        ("without-replacement", "with replacement"),
        ("shuffled", "shuffled once and then fixed"),
        ("fixed*", "shuffled once, then shuffled every epoch"),
        ("fixed*", "Poisson"),
        ("secret", "fixed, the order of the file"),
    ],
)
def test_sampling_that_differs(assumed: str, text: str) -> None:
    assert sampled(assumed, text) == {"sampling_differs"}


@pytest.mark.parametrize(
    "text", ["not Poisson", "random", "we don't know", "approximately Poisson", "Poisson, except on Mondays"]
)
def test_sampling_that_cannot_be_compared(text: str) -> None:
    assert sampled("poisson", text) == {"sampling_unclear"}
    assert not ways_named(text)


@pytest.mark.parametrize(
    ("assumed", "order", "found"),
    [
        ("fixed", "given", set()),
        ("fixed", "public, seed 3", set()),
        ("fixed", "secret", set()),
        ("secret", "secret", set()),
        ("secret", "given", {"sampling_differs"}),
        ("secret", "public, seed 3", {"sampling_differs"}),
        ("secret", "from the seed 5: not secret", {"sampling_differs"}),
        ("fixed", "shuffled every epoch", {"sampling_differs"}),
        ("fixed", "whatever", {"sampling_unclear"}),
    ],
)
def test_the_order_that_was_executed(assumed: str, order: str, found: set[str]) -> None:
    certificate = make(execution={"order": order}, run={"mechanism": {"batch_order": assumed}})
    assert {id for id in warned(certificate) if id.startswith("sampling")} == found
    for warning in warned(certificate).values():
        if warning.id in found:
            assert order in words(warning.line)


def test_an_order_that_was_executed_does_not_outweigh_what_somebody_said() -> None:
    certificate = make(answers={"sampling": "Poisson"}, execution={"order": "given"})
    assert "sampling_differs" in warned(certificate) and answer(certificate, "sampling").tone == "bad"


DENIED = ("No.", "no, never", "None", "Nothing: it is the first", "never (ever)")
ADMITTED = ("Yes", "No idea", "None of it is public", "the counts of May", "Nobody knows", "not known", "In the budget")
KINDS = [
    ("tuning", "tuning"),
    ("earlier_releases", "earlier_releases"),
    ("saved_state", "saved_state"),
    ("earlier_models", "earlier_models"),
    ("adaptive_requests", "adaptive_requests"),
]


@pytest.mark.parametrize(("item", "warning"), KINDS)
def test_answers_whose_first_word_counts(item: str, warning: str) -> None:
    assert warning not in warned(make())
    for text in DENIED:
        certificate = make(answers={item: text})
        assert warning not in warned(certificate), text
        assert answer(certificate, item).tone == "plain"
    for text in ADMITTED:
        certificate = make(answers={item: text})
        assert f"“{text}”" in words(warned(certificate)[warning].line)
        assert answer(certificate, item).tone == "warning"


@pytest.mark.parametrize("item", ["tuning", "earlier_releases"])
def test_what_the_budget_counts_is_no_warning(item: str) -> None:
    certificate = make("training", {item: "In the budget: releases 1 to 3"})
    assert item in warned(certificate), "there are no other releases in it"
    certificate.predicate["run"]["releases"] = [{"mu": "0.25", "text": "tuning"}]
    assert item not in warned(certificate)


def test_models_between_the_requests() -> None:
    assert "only_the_last_model" not in warned(make("unlearning"))
    found = warned(make("requests"))["only_the_last_model"]
    assert "There are 2 requests" in words(found.line)
    every = make("requests", {"earlier_models": "Yes"}, run={"threat": {"release": "all"}})
    assert not {"only_the_last_model", "earlier_models"} & warned(every).keys()
    assert "every request together" in words(answer(every, "earlier_models").line)


def test_reproducible_noise() -> None:
    certificate = make(execution={"noise": "reproducible"})
    assert warned(certificate)["reproducible_noise"].tone == "bad"
    found = answer(certificate, "randomness")
    assert (found.status, found.tone) == ("evidenced", "bad") and "no privacy claim holds" in words(found.line)
    assert "reproducible_noise" not in warned(make(execution={})) | warned(make())


@pytest.mark.parametrize("name", RUNS)
def test_violated_assumptions(name: str) -> None:
    violated = {"network": "convexity, smoothness", "wavy": "convexity"}.get(name)
    found = warned(make(name)).get("violated_assumptions")
    assert (None if found is None else words(found.line).partition(".")[0]) == violated


@pytest.mark.parametrize(
    ("expires", "found"),
    [
        (None, None),
        ("2027-11-22T00:00:00Z", None),
        ("2026-12-21T00:00:01Z", None),
        ("2026-12-21T00:00:00Z", "expiry_near"),
        ("2026-11-21T00:00:01Z", "expiry_near"),
        ("2026-11-21T00:00:00Z", "expired"),
        ("2025-01-01T00:00:00Z", "expired"),
    ],
)
def test_expiry(expires: str | None, found: str | None) -> None:
    certificate = make(expires=expires)
    assert warned(certificate).keys() & {"expired", "expiry_near"} == ({found} if found else set())
    assert answer(certificate, "freshness").tone == {"expired": "bad", "expiry_near": "warning"}.get(
        str(found), "plain"
    )
    if found:
        assert str(expires) in words(warned(certificate)[found].line)


def test_unsigned() -> None:
    assert not {"unsigned", "signatures_not_checked"} & warned(make()).keys()
    assert "unsigned" in warned(make(signatures=0, signers=(), threshold=None))
    assert "signatures_not_checked" in warned(make(signatures=2, signers=(), threshold=None))


def test_verdicts() -> None:
    assert not {"not_certified", "indeterminate"} & warned(make()).keys()
    missed = make("missed")
    assert missed.predicate["verdict"] == "NOT_CERTIFIED"
    text = words(warned(missed)["not_certified"].line)
    assert missed.predicate["epsilon"]["upper"] in text and "the target is ε = 0.01." in text
    assert ("can meet it" in text) is missed.predicate["out_of_reach"]
    assert answer(missed, "derivation").tone == "bad"
    undecided = make(predicate={"verdict": "INDETERMINATE"})
    assert "indeterminate" in warned(undecided) and answer(undecided, "derivation").tone == "warning"


def test_the_worst_comes_first() -> None:
    certificate = make("missed", execution={"noise": "reproducible"}, signatures=0, signers=(), threshold=None)
    tones = [warning.tone for warning in hazards.warnings(certificate, TODAY)]
    assert (
        tones[:2] == ["bad", "bad"] and tones == sorted(tones, key=lambda tone: tone != "bad") and len(set(tones)) == 2
    )


# --- everything else -------------------------------------------------------------------------------------------------

hostile = st.recursive(
    st.none() | st.text(max_size=12) | st.sampled_from(["no", "person", "poisson", "ab" * 32, "<script>", "\u202e"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*BY_ID, "text", "by", "date", "evidence", "answers", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["text", "date", "evidence", "answers", "by"]), hostile, max_size=5))
def test_any_attestation_that_the_checker_accepts_is_read(attest: dict[str, Any]) -> None:
    certificate = make(attest=attest)
    for found in hazards.answers(certificate, TODAY):
        assert words(found.line).strip()
    hazards.warnings(certificate, TODAY)


def test_the_example_from_file_to_checklist() -> None:
    """With the real checker and the real reading."""
    statement = make_statement(certify(read_run(EXAMPLES / "attested.toml").canonical))
    reading = read(seal(statement))
    found = hazards.answers(reading, TODAY)
    assert {a.status for a in found} == {"computed", "attested", "not assessed"}
    assert [w.id for w in hazards.warnings(reading, TODAY)] == ["unsigned", "only_the_last_model"]
    assert hazards.answers(reading, TODAY) == found
    assert not any(isinstance(part, Link) for a in found for part in a.line)
