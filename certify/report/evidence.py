"""What a verified certificate answers to the questions of the hazard checklist, before it is put into sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any, Literal, Protocol

from certify.results.floor import ROUNDING
from certify.runfile.questions import BY_ID, Question

NEAR = timedelta(days=30)  # of an expiry date
LARGE_EPSILON = Fraction(10)
LARGE_DELTA = Fraction(1, 10**5)
WIDE, LITTLE = Fraction(1, 1000), Fraction(1, 1000)  # a bracket of the upper ε, or of this where that is less
BOUNDS_OF_DATA = ("feature_norm", "features", "target_bound", "counts", "classes")

# How batches are drawn, by the words that people have for it.
WAYS = {
    "poisson": r"\bpoisson",
    "without-replacement": r"\bwithout[ -]+replacement",
    "with-replacement": r"\bwith[ -]+replacement",
    "shuffled": r"\w*(?:shuffl|permut)",
    "fixed": r"\bfixed\b(?![ -]+siz)|\bcycl|\bsequential|\bround[ -]+robin",
    "full": r"^\s*full\b|\bfull[ -]+batch|\bwhole data",
    "secret": r"\bsecret",
}
HEDGED = r"\b(?:not|no|never|nor|neither|instead|except|rather|unlike|approximat\w*|unknown)\b|n[’']t\b"
PERSON = (
    r"(?:(?:an?|one|each|every|the)\s+)?(?:individual\s+(?:person|user)|person|individual|user)"
    r"(?=\s*(?:[,.;:(]|$)|\s+[-–—]\s|\s+(?:who|whose)\b)"
)
NOTHING = r"(?:no|none|never|nothing)(?=\s*(?:[,.;:!(]|$)|\s+[-–—]\s)"
BUDGETED = r"(?:yes,?\s+)?in\s+the\s+budget\b"

Match = Literal["same", "differs", "unclear"]


class Report(Protocol):
    """What is needed of `certify.checker.Report`."""

    @property
    def signatures(self) -> int: ...
    @property
    def signers(self) -> tuple[str, ...]: ...
    @property
    def threshold(self) -> int | None: ...
    @property
    def expires(self) -> str | None: ...
    @property
    def created(self) -> str: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


class Reading(Protocol):
    """What is needed of a verified certificate (`certify.report.reading.Reading`)."""

    @property
    def predicate(self) -> Mapping[str, Any]: ...
    @property
    def subjects(self) -> Mapping[str, str]: ...
    @property
    def report(self) -> Report: ...


@dataclass(frozen=True)
class AttestedText:
    """An attested text. by, date, evidence: None if not given; for [attest] itself the text may name its author."""

    text: str
    by: str | None
    date: str | None
    evidence: str | None


def _words(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def attested_text(table: Any) -> AttestedText | None:
    """A table of [attest] of the form that run files give it; certificates may carry any other nesting of text."""
    if not isinstance(table, Mapping) or _words(table.get("text")) is None:
        return None
    return AttestedText(table["text"], *(_words(table.get(key)) for key in ("by", "date", "evidence")))


def begins(text: str, pattern: str) -> bool:
    return re.match(rf"\s*{pattern}", text, re.IGNORECASE) is not None


def ways_named(text: str) -> set[str] | None:
    """The ways of drawing batches that a text names; None if it hedges, so that no way can be read from it."""
    if re.search(HEDGED, text, re.IGNORECASE):
        return None
    ways = {way for way, words in WAYS.items() if re.search(words, text, re.IGNORECASE)}
    if "shuffled" in ways and re.search(r"\bonce\b(?!.*\b(?:each|every|per)\b)", text, re.IGNORECASE):
        ways = ways - {"shuffled"} | {"fixed"}  # shuffled once is fixed from then on
    return ways


@dataclass(frozen=True)
class Evidence:
    """A certificate as the questions see it, on a day."""

    reading: Reading
    on: date

    @property
    def predicate(self) -> Mapping[str, Any]:
        return self.reading.predicate

    @property
    def run(self) -> Mapping[str, Any]:
        return self.predicate["run"]

    @property
    def training(self) -> bool:
        return "momentum" in self.run

    @property
    def unlearns(self) -> bool:
        return not self.training and any(int(k) for k in self.run["mechanism"]["unlearning_epochs"])

    @property
    def execution(self) -> Mapping[str, Any] | None:
        return self.predicate.get("execution")

    @property
    def record(self) -> str | None:
        """SHA-256 of the run record."""
        return self.reading.subjects.get("run_record")

    def applies(self, question: Question) -> bool:
        """Whether a question is about this run."""
        return {
            "always": True,
            "noisy-sgd": not self.training,
            "derived": bool(self.assumptions(*BOUNDS_OF_DATA)),
            "training": self.training,
            "unlearning": self.unlearns,
        }[question.when]

    def asks(self, question: Question) -> bool:
        """Whether a question is shown: what somebody attested is in any case."""
        return self.applies(question) or self.attested(question.id) is not None

    # --- what was attested ---

    @property
    def general(self) -> AttestedText | None:
        """The words of [attest] itself, which answer for the assumptions."""
        return attested_text(self.run.get("attest"))

    def attested(self, item: str) -> AttestedText | None:
        return attested_text(self._answers.get(item)) if BY_ID[item].attestable else None

    @property
    def unread(self) -> tuple[str, ...]:
        """The parts of [attest] that have no known form and are therefore not shown."""
        attest = self.run.get("attest") or {}
        if not isinstance(attest, Mapping):
            return ("attest",)
        words = ("text", "date", "evidence") if self.general else ()
        shown = {key for key in words if attest.get(key) is None or isinstance(attest[key], str)}
        shown |= {"answers"} if isinstance(attest.get("answers"), Mapping) else set()
        items = [item for item in self._answers if item not in BY_ID or self.attested(item) is None]
        return (*(key for key, value in attest.items() if value and key not in shown), *(f"answers.{i}" for i in items))

    @property
    def _answers(self) -> Mapping[str, Any]:
        attest = self.run.get("attest")
        answers = attest.get("answers") if isinstance(attest, Mapping) else None
        return answers if isinstance(answers, Mapping) else {}

    # --- what is assumed ---

    def assumptions(self, *ids: str) -> list[Mapping[str, str]]:
        """The certificate's entries; an id that ends with ":" stands for all that begin so."""
        return [
            entry
            for entry in self.predicate["assumptions"]
            if entry["id"] in ids or any(id.endswith(":") and entry["id"].startswith(id) for id in ids)
        ]

    @property
    def violated(self) -> list[str]:
        """What the run does not have, and no step of the proof rests on; rounding is a matter of its own."""
        entries = self.predicate["assumptions"]
        return [entry["id"] for entry in entries if entry["status"] == "violated" and entry["id"] != ROUNDING]

    @property
    def rounding(self) -> str | None:
        """The status of the assumption that noise is above rounding; None where the run does not make it."""
        return next((entry["status"] for entry in self.assumptions(ROUNDING)), None)

    # --- numbers, compared exactly ---

    @property
    def samples(self) -> int | None:
        samples = self.run["mechanism"]["samples"]
        return None if samples is None else int(samples)

    @property
    def delta(self) -> Fraction:
        """The exact δ; the certificate shows it rounded up."""
        delta = self.run["target"]["delta"]
        return Fraction(1, self.samples) if delta == "1/n" else Fraction(delta)

    @property
    def delta_exceeds_square(self) -> bool | None:
        """Whether δ > 1/n²; None where n is not known."""
        return None if self.samples is None else self.delta * self.samples**2 > 1

    @property
    def delta_is_large(self) -> bool:
        return self.delta > LARGE_DELTA

    @property
    def bracket_is_wide(self) -> bool:
        """Whether both ends of a training run's ε are further apart than brackets are made."""
        lower, upper = (self.predicate["epsilon"][end] for end in ("lower", "upper"))
        if not self.training or lower is None:
            return False
        return Fraction(upper) - Fraction(lower) > WIDE * max(Fraction(upper), LITTLE)

    @property
    def epsilon_is_large(self) -> bool:
        return Fraction(self.predicate["epsilon"]["upper"]) >= LARGE_EPSILON

    @property
    def executed(self) -> Mapping[str, Any] | None:
        """What the executed run satisfies, its rounding counted; None where the certificate does not say."""
        stated = (self.execution or {}).get("finite_precision")
        return None if stated is None else stated["executed"]

    @property
    def executed_misses(self) -> bool:
        """Whether the executed run is not shown to meet the target."""
        if self.executed is None:
            return False
        epsilon = self.executed["epsilon"]
        return epsilon is None or Fraction(epsilon) > Fraction(self.predicate["epsilon"]["target"])

    # --- special items ---

    @property
    def unit_is_person(self) -> bool | None:
        unit = self.attested("unit")
        return None if unit is None else begins(unit.text, PERSON)

    @property
    def others(self) -> Sequence[Mapping[str, Any]]:
        """Other releases that the budget counts."""
        return self.run["releases"] if self.training else ()

    def denied(self, item: str) -> bool | None:
        """Whether the answer begins with no, or says what the budget does count; None where there is no answer."""
        answer = self.attested(item)
        if answer is None:
            return None
        return begins(answer.text, NOTHING) or (bool(self.others) and begins(answer.text, BUDGETED))

    @property
    def assumed_way(self) -> str:
        """How the bound takes the batches to be drawn."""
        return self.run["mechanism"]["sampling" if self.training else "batch_order"]

    @property
    def attested_way(self) -> Match | None:
        answer = self.attested("sampling")
        return None if answer is None else self._agrees(ways_named(answer.text))

    @property
    def executed_way(self) -> Match | None:
        """What the execution says of the order of the batches."""
        if self.execution is None:
            return None
        order = self.execution["order"]
        fixed = order == "given" or begins(order, r"(?:public|from the seed)\b")
        return self._agrees({"fixed"} if fixed else ways_named(order))

    def _agrees(self, named: set[str] | None) -> Match:
        if not named:
            return "unclear"
        # Whatever order is fixed in advance is covered by the bound for the worst position, a secret one too.
        covered = {"fixed": [{"fixed"}, {"secret"}, {"fixed", "secret"}], "secret": [{"secret"}, {"fixed", "secret"}]}
        same = covered.get(self.assumed_way) if not self.training else None
        return "same" if named in (same or [{self.assumed_way}]) else "differs"

    # --- dates ---

    @property
    def expiry(self) -> Literal["none", "later", "near", "passed"]:
        expires = self.reading.report.expires
        if expires is None:
            return "none"
        moment = datetime.strptime(expires, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        today = datetime(self.on.year, self.on.month, self.on.day, tzinfo=UTC)
        if moment <= today:
            return "passed"
        return "near" if moment - today <= NEAR else "later"
