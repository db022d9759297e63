"""The first page: verdict, guarantee, what it does not promise, who made it and who signed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from certify.report.document import (
    Badge,
    Block,
    Callout,
    Equation,
    Facts,
    Items,
    Line,
    Link,
    Paragraph,
    Section,
    facts,
    line,
)
from certify.report.reading import Reading
from certify.report.sections.words import (
    INEQUALITY,
    VERDICT_TONE,
    code,
    day,
    listed,
    number,
    power,
    several,
    strong,
)

REPRODUCIBLE = "The noise can be drawn again: no privacy claim holds for this model."

_DIFFER = {
    "replace-one": ("in the value of one record", "in the values of {} records"),
    "remove-one": ("in whether one record takes part", "in whether {} records take part"),
    "add-or-remove-one": ("by one record that only one of them has", ""),
}
_WITHOUT = {
    "replace-one": ("that record has another value", "those records have other values"),
    "remove-one": ("that record takes no part", "those records take no part"),
}


def guarantee(reading: Reading, on: date) -> Section:
    """The first section of every report."""
    said = Wording(reading)
    blocks: list[Block] = [verdict(reading, on)]
    if reading.reproducible_noise:
        text = (
            "The run record says that its random numbers came from a generator whose seed was given. Whoever has the "
            "seed can take the noise off the model. The bound below is about the run with noise that nobody can draw "
            "again, and not about the model that was made."
        )
        blocks.append(Callout(REPRODUCIBLE, (Paragraph(line(text)),), "bad"))
    epsilon, delta = reading.predicate["epsilon"]["upper"], reading.predicate["delta"]
    exact = (
        Paragraph(line(f"{said.sentence}, satisfy")),
        Equation(INEQUALITY),
        Paragraph(
            line(
                "with ε = ",
                number(epsilon),
                " and δ = ",
                number(delta),
                f", for every set S of {said.outcomes}; and the same with X and X′ exchanged. This holds under the ",
                Link("assumptions listed below", "#assumptions"),
                ". ",
                *said.lower,
            )
        ),
    )
    return Section(
        "guarantee",
        "The guarantee",
        tuple(blocks),
        (
            Section("statement", "Exactly", exact),
            Section("plain-words", "In plain words", tuple(Paragraph(words) for words in said.plain_words())),
            Section("not-promised", "What it does not promise", (Items(tuple(not_promised(reading, said))),)),
            Section("provenance", "Who made it, and who signed", (provenance(reading, on),)),
        ),
    )


def verdict(reading: Reading, on: date) -> Callout:
    """What was found, with the two numbers that decide it, and which warnings there are."""
    from certify.report.hazards import warnings

    predicate = reading.predicate
    epsilon, found = predicate["epsilon"], predicate["verdict"]
    title = {
        "CERTIFIED": "Certified: the bound meets the target",
        "NOT_CERTIFIED": "Not certified: the bound exceeds the target",
        "INDETERMINATE": "Indeterminate: the bound is too close to the target to decide",
    }[found]
    shown = line(
        Badge(found, VERDICT_TONE[found]),
        " Proved: ε ≤ ",
        number(epsilon["upper"]),
        " at δ = ",
        number(predicate["delta"]),
        ". Asked for: ε ≤ ",
        number(epsilon["target"]),
        ".",
    )
    more: list[Block] = []
    if predicate["out_of_reach"]:
        reach = "No bound for such a run can meet this target: the lower bound exceeds it too."
        more.append(Paragraph(line(reach)))
    elif found == "NOT_CERTIFIED" and reading.training:
        text = (
            "Whether another bound could meet it is the producer's word; the checker confirms that this one does not."
        )
        more.append(Paragraph(line(text)))
    if found != "CERTIFIED":
        more.append(Paragraph(line("What is proved is stated below all the same; it is less than what was asked for.")))
    if reading.reproducible_noise:
        more.append(Paragraph(line(strong(REPRODUCIBLE))))
        title += "; but no privacy claim holds for the model that was made"
    if warned := warnings(reading, on):
        titles = "; ".join(warning.title for warning in warned)
        many = several(len(warned), "warning")
        more.append(Paragraph(line("Read it with ", Link(many, "#hazards"), f": {titles}.")))
    tone = "bad" if reading.reproducible_noise else VERDICT_TONE[found]
    return Callout(title, (Paragraph(shown), *more), tone)


@dataclass(frozen=True)
class Wording:
    """The words in which one run's guarantee is put."""

    reading: Reading

    @property
    def records(self) -> int:
        """How many records differ in the worst case that the claim covers."""
        return 1 if self.reading.training else sum(map(int, self.reading.run["requests"]["sizes"]))

    @property
    def everything(self) -> bool:
        """Whether several releases are seen together."""
        return not self.reading.training and self.reading.run["threat"]["release"] == "all" and self.reading.unlearns

    @property
    def outcomes(self) -> str:
        if self.reading.training:
            return "possible outcomes"
        return "sequences of models" if self.everything else "models"

    @property
    def sentence(self) -> str:
        """The claim, up to its inequality."""
        run, mechanism = self.reading.run, self.reading.run["mechanism"]
        neighbours = run["threat"]["neighbours"]
        one, many = _DIFFER[neighbours]
        differ = one if self.records == 1 else many.format(self.records)
        if self.reading.training:
            count = len(run["releases"])
            others = (
                f", together with the {'other release' if count == 1 else f'{count} other releases'} in its budget,"
            )
            released = f"all noisy sums X that this run releases{others * bool(count)} from the one"
            return f"For any two datasets that differ {differ}, {released}, and X′, the same from the other"
        if not self.reading.unlearns:
            return (
                f"For any two datasets of {mechanism['samples']} records that differ {differ}, the models X and X′ "
                f"that {several(mechanism['epochs'], 'epoch')} of learning release from the one and from the other"
                f"{self._starts}"
            )
        return self._unlearning(run, mechanism, _WITHOUT[neighbours][self.records > 1])

    @property
    def _starts(self) -> str:
        distance = self.reading.run["mechanism"]["initial_distance"]
        return "" if distance == "0" else f", from starts at most {distance} apart"

    def _unlearning(self, run, mechanism, without: str) -> str:
        sizes, lengths = run["requests"]["sizes"], mechanism["unlearning_epochs"]
        learning = f"{several(mechanism['epochs'], 'epoch')} of learning"
        if len(sizes) == 1:
            who = f"any dataset of {mechanism['samples']} records and any {several(sizes[0], 'record')} to be unlearned"
            model = f"the model X after {learning} and {several(lengths[0], 'epoch')} of unlearning"
            if self.everything:
                model = (
                    f"the models X after {learning} and after {several(lengths[0], 'epoch')} of unlearning, together"
                )
            return f"For {who}, {model}, and X′, {self._reference(run, mechanism, without)}"
        who = (
            f"any dataset of {mechanism['samples']} records, any {len(sizes)} requests, fixed in advance, to unlearn "
            f"{several(self.records, 'record')} of them in all, and each of these requests"
        )
        model = f"the model X after {learning} and the unlearning up to that request"
        if self.everything:
            model = f"the models X after {learning} and after every request up to that one, together"
        without = without.replace("those records", "the records of the requests up to that one")
        return f"For {who}: {model}, and X′, {self._reference(run, mechanism, without)}"

    def _reference(self, run, mechanism, without: str) -> str:
        kind = run["threat"]["reference"]
        if kind == "stationary":
            return (
                f"a draw from the stationary distribution of training with the same batches on data in which {without}"
            )
        length = "as many epochs with the same start and batches"
        if self._starts:
            length = f"as many epochs{self._starts} and with the same batches"
        if kind == "retrain-T":
            length = f"{several(mechanism['epochs'], 'epoch')} with the same batches"
        what = "what is released by" if self.everything else "the model of"
        return f"{what} retraining for {length} on data in which {without}"

    @property
    def lower(self) -> Line:
        """What is known from below."""
        low = self.reading.predicate["epsilon"]["lower"]
        if low is None:
            return line("How far the bound is from the best one is not known: there is no lower bound here.")
        if self.unconfirmed:
            return line("The producer's lower bound on ε, ", number(low), ", was not verified.")
        return line("No ε below ", number(low), " holds for every such run.")

    @property
    def unconfirmed(self) -> bool:
        """Whether the checker could not confirm the lower bound."""
        return any("lower bound not verified" in step for step in self.reading.report.steps)

    @property
    def hidden(self) -> str:
        """What the proof needs the observer not to know."""
        assumed = {id for id, _, _ in self.reading.report.assumptions}
        batches = "which records are in which batch" if assumed & {"batches:secret", "sampling"} else ""
        return f"the noise, nor {batches}" if batches else "the noise"

    @property
    def seen(self) -> str:
        """What the observer of the guarantee sees."""
        if self.reading.training:
            return "every noisy sum of the training, and with it every model along the way"
        if self.everything:
            return "the model after learning and the one after every request"
        return "the released model"

    def plain_words(self) -> Iterator[Line]:
        """What an observer who knows everything else can learn about the record."""
        epsilon, delta = self.reading.predicate["epsilon"]["upper"], self.reading.predicate["delta"]
        neighbours = self.reading.run["threat"]["neighbours"]
        whose = "one record" if self.records == 1 else f"these {self.records} records together"
        if self.reading.unlearns:
            was = "were" if self.records > 1 else "was"
            question = f"whether {whose} {was} learnt and then unlearned, or had never been there"
            if neighbours == "replace-one":
                question = f"whether {whose} {was} learnt and then unlearned, or had another value from the start"
        elif neighbours == "replace-one":
            question = f"which of two values {whose} had"
        else:
            question = f"whether {whose} took part"
        yield line(
            "Think of an observer who knows all the other records, the code and every number in this report, but not "
            f"{self.hidden}; who sees {self.seen}; and who wants to tell {question}."
        )
        yield line(
            "Whatever test they use: if it wrongly decides for one of the two with probability p, it rightly decides for "
            "it with probability at most ",
            power(epsilon),
            " · p + ",
            number(delta),
            ". In terms of odds: if δ were zero, nothing they see could change the odds that they gave beforehand by "
            "more than the factor ",
            power(epsilon),
            ", up or down; δ is what a single event may add to that.",
        )


def not_promised(reading: Reading, said: Wording) -> Iterator[Line]:
    """What a reader might take it for, and it is not."""
    yield line(
        "That nothing can be learnt about the people in the data. What follows from the other records follows with or "
        "without the one."
    )
    yield line(f"Anything about more than {several(said.records, 'record')}, or about a person who has more of them.")
    if reading.training:
        yield line(
            "Anything about what else was computed from the data: tuning, statistics, accuracies, logs, other models "
            "that are not in its budget."
        )
    else:
        seen = "models that are counted here" if said.everything else "the one model that is counted here"
        yield line(
            f"Anything about who sees more than {seen}: an earlier model, a saved state, a back-up, a log, or a model "
            "derived from one of them."
        )
    if reading.unlearns:
        yield line(
            "That the records are gone from anywhere else, or that requests may be chosen after looking at a model: "
            "they are taken to be fixed in advance."
        )
    attested = sum(status == "attested" for _, status, _ in reading.report.assumptions)
    if attested:
        held = (
            "That the assumption marked “attested” holds"
            if attested == 1
            else (f"That the {attested} assumptions marked “attested” hold")
        )
        yield line(f"{held}: somebody says so, and no computation can tell.")
    if reading.execution is None:
        yield line("That anybody carried out this run. The certificate is about its description.")
    else:
        yield line("That the run was carried out as its record says: the record is the producer's word.")
    yield line("A judgement on what any law requires.")


def provenance(reading: Reading, on: date) -> Facts:
    """Who, when, which bytes, and who vouches for them."""
    report, producer = reading.report, reading.predicate["producer"]
    rows: list[tuple[str, Line]] = [
        ("Made by", line(f"{producer['name']} {producer['version']}")),
        ("Made on", line(day(report.created))),
        ("This report is as of", line(on.isoformat())),
        ("Valid until", line(day(report.expires) if report.expires else "no expiry date was given")),
        ("Signatures", signatures(reading)),
        ("Certificate (SHA-256 of its payload)", line(code(reading.payload_digest))),
        ("Run (SHA-256)", line(code(report.digest))),
    ]
    names = {"model": "Model file (SHA-256)", "run_record": "Run record (SHA-256)"}
    rows += [(names[name], line(code(reading.subjects[name]))) for name in names if name in reading.subjects]
    rows.append(("Verified", line("again for this report, by the checker: ", Link("what it did", "#verification"))))
    return facts(rows)


def signatures(reading: Reading) -> Line:
    """Signed or not, checked or not."""
    report = reading.report
    if not report.signatures:
        return line(
            Badge("UNSIGNED", "warning"),
            " Nobody vouches for the run; the digest shows only that the certificate is whole.",
        )
    if not report.signers:
        return line(
            Badge("NOT CHECKED", "warning"),
            f" Signed {several(report.signatures, 'time')}, but no key was given to check it with. Key ids in the file: ",
            code(listed(list(reading.keyids))),
            ".",
        )
    needed = "" if report.threshold is None else f"; {several(report.threshold, 'key')} had to have signed"
    return line(
        Badge("SIGNED", "good"),
        f" by {len(report.signers)} of the given keys, whose signatures are valid "
        f"({several(report.signatures, 'signature')} in the file{needed}): ",
        code(listed(list(report.signers))),
    )
