"""The hazard checklist of a report: what an evaluator asks, answered or marked as not assessed; and the warnings.

    answers(reading, on)     every question that is about the run, in order; none of them blank
    warnings(reading, on)    what must not be missed, the worst first

Both are drawn from the verified certificate alone. An answer is *computed* from it, *evidenced* by a digest in it,
*attested* (`[attest]` of the run file, quoted, not checked) or *not assessed*.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from certify.report.document import Inline, Line, Tone, line
from certify.report.evidence import Evidence, Reading
from certify.report.found import Finding, Status, answered, bound, code, number, quoted, several
from certify.report.hazard_answers import FOUND
from certify.runfile.questions import QUESTIONS, Question


@dataclass(frozen=True)
class Answer:
    """`tone`: "bad" if it contradicts the claim, "warning" if it needs attention, "muted": not assessed."""

    question: Question
    status: Status
    line: Line
    tone: Tone = "plain"


@dataclass(frozen=True)
class Caution:
    """`id` names the kind of warning; no two of a report have the same."""

    id: str
    title: str
    line: Line
    tone: Tone = "warning"


def answers(reading: Reading, on: date) -> tuple[Answer, ...]:
    """The questions about this run with their answers, in the order of `certify.runfile.questions`.

    Args:
        reading: a verified certificate.
        on: the day that the report is as of.
    """
    evidence = Evidence(reading, on)
    questions = [question for question in QUESTIONS if evidence.asks(question)]
    return tuple(_answer(question, evidence) for question in questions)


def _answer(question: Question, evidence: Evidence) -> Answer:
    find = FOUND.get(question.id) if evidence.applies(question) else None
    finding = find(evidence) if find else answered(evidence, question.id)
    words = evidence.attested(question.id)
    if words is not None and finding.status in ("computed", "evidenced"):
        finding = Finding(finding.status, line(*finding.line, " ", *quoted(words)), finding.tone)
    return Answer(question, finding.status, finding.line, finding.tone)


def warnings(reading: Reading, on: date) -> tuple[Caution, ...]:
    """What a reader must not miss, the worst first. Arguments as for `answers`."""
    evidence = Evidence(reading, on)
    cautions = [*_of_the_claim(evidence), *_of_the_numbers(evidence), *_of_what_was_said(evidence)]
    return tuple(sorted(cautions, key=lambda warning: warning.tone != "bad"))


def _of_the_claim(e: Evidence) -> Iterator[Caution]:
    """Verdict, noise, dates, signatures, properties that the run does not have."""
    target = (*bound(e), "; the target is ε = ", number(e.predicate["epsilon"]["target"]), ".")
    if e.predicate["verdict"] == "NOT_CERTIFIED":
        reach = " No bound from what the run states can meet it." if e.predicate["out_of_reach"] else ""
        yield Caution("not_certified", "The target is not met", line("Certified is ", *target, reach), "bad")
    if e.rounding == "violated":
        text = (
            "What is executed may be another mechanism than the certified one: its noise is too small for its numbers."
        )
        yield Caution("noise_below_rounding", "The noise is not above rounding", line(text), "bad")
    elif e.predicate["verdict"] == "INDETERMINATE":
        yield Caution("indeterminate", "Whether the target is met is undecided", line("Certified is ", *target))
    if e.executed_misses and e.executed is not None:
        shown = e.executed["epsilon"] or "more than any number"
        text = line("With all rounding counted it has ε ≤ ", number(shown), " at δ = ", number(e.executed["delta"]))
        yield Caution(
            "executed_above_target", "The run as executed is not shown to meet the target", line(*text, "."), "bad"
        )
    if e.execution is not None and e.execution["noise"] == "reproducible":
        text = "Whoever knows the seed can draw the noise again: no privacy claim holds for this model."
        yield Caution("reproducible_noise", "The noise can be drawn again", line(text), "bad")
    report = e.reading.report
    if e.expiry == "passed":
        yield Caution("expired", "The certificate has expired", line("On ", number(str(report.expires)), "."), "bad")
    if e.expiry == "near":
        yield Caution("expiry_near", "The certificate expires soon", line("On ", number(str(report.expires)), "."))
    if not report.signatures:
        text = "Anybody can have written this certificate; its digest shows only that it is whole."
        yield Caution("unsigned", "The certificate is not signed", line(text))
    elif not report.signers:
        text = "The certificate carries signatures, and no key was given to check them with."
        yield Caution("signatures_not_checked", "No signature was checked", line(text))
    if e.violated:
        names = several([code(id) for id in e.violated])
        text = " The run does not have this. No step of the proof rests on it."
        yield Caution("violated_assumptions", "An assumption is violated", line(*names, ".", text))


def _of_the_numbers(e: Evidence) -> Iterator[Caution]:
    shown = line("δ = ", number(e.predicate["delta"]))
    if e.epsilon_is_large:
        text = "An ε of 10 or more limits hardly anything: an observer's odds can change by the factor e^ε."
        yield Caution("large_epsilon", "ε is 10 or more", line(*bound(e), ". ", text))
    if e.delta_exceeds_square:
        text = " is above 1/n² with n = "
        rest = ". A mechanism that publishes each record with probability δ would meet the same claim."
        samples = number(e.run["mechanism"]["samples"])
        yield Caution("delta_above_square", "δ is above 1/n²", line(*shown, text, samples, rest))
    if e.delta_is_large:
        yield Caution("delta_large", "δ is above 1e-5", line(*shown, " is above what is usually accepted."))


def _of_what_was_said(e: Evidence) -> Iterator[Caution]:
    if e.unit_is_person is False:
        text = "The guarantee is for one record; for a person with several of them ε and δ are larger. "
        yield Caution("unit_not_person", "A record is not said to be a person", line(text, *_words(e, "unit")))
    ways = (e.executed_way, e.attested_way)
    assumed = ("The bound assumes ", code(e.assumed_way), " batches. ")
    implemented = _implemented(e)
    if "differs" in ways:
        title = "Batches are not drawn as the bound assumes"
        yield Caution("sampling_differs", title, line(*assumed, "It does not hold for others. ", *implemented), "bad")
    elif "unclear" in ways:
        title = "How batches are drawn cannot be compared with what the bound assumes"
        yield Caution("sampling_unclear", title, line(*assumed, *implemented))
    if e.denied("tuning") is False:
        text = "What was chosen by looking at the data tells about them, and the budget does not count it. "
        yield Caution("tuning", "Tuning is not in the budget", line(text, *_words(e, "tuning")))
    if e.denied("earlier_releases") is False:
        text = "Every release about the same records adds to what can be learnt, and this budget does not count all. "
        title = "Other releases are not in the budget"
        yield Caution("earlier_releases", title, line(text, *_words(e, "earlier_releases")))
    if not e.unlearns:
        return
    sizes = e.run["requests"]["sizes"]
    if len(sizes) > 1 and e.run["threat"]["release"] == "final":
        text = (
            " requests, and the bound is for an observer who sees the model after the last of them alone; models that "
        )
        text += "were released before, after learning or after another request, are not covered."
        title = "Models released between the requests are not covered"
        yield Caution("only_the_last_model", title, line("There are ", number(str(len(sizes))), text))
    if e.denied("earlier_models") is False and e.run["threat"]["release"] == "final":
        text = "The bound is for an observer who sees the last model alone. "
        title = "A model from before a request was handed out"
        yield Caution("earlier_models", title, line(text, *_words(e, "earlier_models")))
    if e.denied("adaptive_requests") is False and "chosen" not in e.run.get("requests", {}):
        text = "The bound is for requests that do not depend on any released model. "
        title = "Requests may depend on a model that was seen"
        yield Caution("adaptive_requests", title, line(text, *_words(e, "adaptive_requests")))
    if e.denied("saved_state") is False:
        text = "State that was saved before a request still depends on the records that the request removed. "
        yield Caution("saved_state", "State from before a request is kept", line(text, *_words(e, "saved_state")))


def _implemented(e: Evidence) -> Line:
    parts: list[Inline | str] = []
    if e.execution is not None:
        parts += ["The order was ", code(e.execution["order"]), ". "]
    return line(*parts, *_words(e, "sampling"))


def _words(e: Evidence, item: str) -> Line:
    answer = e.attested(item)
    return () if answer is None else quoted(answer)
