"""The first page: verdict, guarantee, what it does not promise, who made it and who signed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from accountant.mechanisms.sampling import WITHOUT_REPLACEMENT, sampling_of
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
    Table,
    facts,
    line,
)
from certify.report.reading import Reading
from certify.report.sections.wording import Wording
from certify.report.sections.words import (
    DASH,
    INEQUALITY,
    VERDICT_TONE,
    code,
    day,
    listed,
    number,
    several,
    strong,
)
from certify.results.floor import ROUNDING

_QUESTION = {
    "membership": "Was the record in the data at all?",
    "attribute or label": "Which of two values did the record have?",
}
REPRODUCIBLE = "The noise can be drawn again: no privacy claim holds for this model."


def guarantee(reading: Reading, on: date) -> Section:
    """The first section of every report."""
    wording = Wording(reading)
    epsilon, delta = reading.predicate["epsilon"]["upper"], reading.predicate["delta"]
    exact = (
        Paragraph(line(f"{wording.sentence}, satisfy")),
        Equation(INEQUALITY),
        Paragraph(
            line(
                "with ε = ",
                number(epsilon),
                " and δ = ",
                number(delta),
                f", for every set S of {wording.outcomes}; and the same with X and X′ exchanged. This holds under the ",
                Link("assumptions listed below", "#assumptions"),
                f". The probabilities are over {wording.chance}. ",
                *wording.lower,
            )
        ),
    )
    return Section(
        "guarantee",
        "The guarantee",
        (verdict(reading, on),),
        (
            Section("statement", "Exactly", exact),
            Section("plain-words", "In plain words", tuple(Paragraph(words) for words in wording.plain_words())),
            *both_kinds(reading),
            Section("not-promised", "What it does not promise", (Items(tuple(not_promised(reading, wording))),)),
            Section("provenance", "Who made it, and who signed", (provenance(reading, on),)),
        ),
    )


def both_kinds(reading: Reading) -> Iterator[Section]:
    """Membership, and attribute or label: of a training run."""
    kinds = reading.predicate.get("guarantees")
    if not kinds:
        return
    size = int(reading.run["threat"].get("group_size", "1"))
    rows = tuple(
        (
            line(kind["name"]),
            line(_QUESTION[kind["name"]]),
            line(DASH) if kind["neighbours"] is None else line(code(kind["neighbours"])),
            line("no bound is known") if kind["epsilon"]["upper"] is None else line(number(kind["epsilon"]["upper"])),
        )
        for kind in kinds
    )
    text = "An ε for one kind of inference is none for the other. Both are at the δ above"
    text += f", for groups of {size} records." if size > 1 else "."
    blocks: list[Block] = [
        Paragraph(line(text)),
        Table("Two kinds of inference", ("Kind", "Question", "Neighbours", "ε at most"), rows),
    ]
    if sampling_of(reading.run["mechanism"]["sampling"]) is WITHOUT_REPLACEMENT:
        blocks.append(
            Paragraph(
                line(
                    "Batches of a fixed size give no bound on membership, and a larger ε for attributes than Poisson "
                    "sampling at the same rate, which gives both."
                )
            )
        )
    yield Section("inference", "Membership, and attribute or label", tuple(blocks))


def verdict(reading: Reading, on: date) -> Callout:
    """What was found, with the two numbers that decide it, and which warnings there are."""
    from certify.report.hazards import warnings

    predicate = reading.predicate
    epsilon, verdict = predicate["epsilon"], predicate["verdict"]
    title = {
        "CERTIFIED": "Certified: the bound meets the target",
        "NOT_CERTIFIED": "Not certified: the bound exceeds the target",
        "INDETERMINATE": "Indeterminate: the bound is too close to the target to decide",
    }[verdict]
    if any(a["id"] == ROUNDING and a["status"] == "violated" for a in predicate["assumptions"]):
        title = "Indeterminate: the noise is not above the rounding of the numbers that the run is executed in"
    shown = line(
        Badge(verdict, VERDICT_TONE[verdict]),
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
        if Wording(reading).unconfirmed:
            reach = "The producer says that the lower bound exceeds it too; that was not verified."
        more.append(Paragraph(line(reach)))
    elif verdict == "NOT_CERTIFIED" and reading.training:
        text = "That no finer computation could meet it is the producer's word; that this one does not was checked."
        more.append(Paragraph(line(text)))
    if verdict != "CERTIFIED":
        more.append(Paragraph(line("What is proved is stated below all the same; it is less than what was asked for.")))
    if reading.reproducible_noise:
        text = (
            " The run record says that its random numbers came from a seed that was given: whoever has it can take the "
            "noise off the model. What follows is about the run with noise that nobody can draw again, and not about "
            "the model that was made."
        )
        more.append(Paragraph(line(strong(REPRODUCIBLE), text)))
        title += "; but no privacy claim holds for the model that was made"
    if warned := warnings(reading, on):
        titles = "; ".join(warning.title for warning in warned)
        many = several(len(warned), "warning")
        more.append(Paragraph(line("Read it with ", Link(many, "#hazards"), f": {titles}.")))
    tone = "bad" if reading.reproducible_noise else VERDICT_TONE[verdict]
    return Callout(title, (Paragraph(shown), *more), tone)


def not_promised(reading: Reading, wording: Wording) -> Iterator[Line]:
    """What a reader might take it for, and it is not."""
    yield line(
        "That nothing can be learnt about the people in the data. What follows from the other records follows all the "
        "same."
    )
    yield line(f"Anything about more than {several(wording.records, 'record')}, or about a person with more of them.")
    if reading.training:
        yield line(
            "Anything about what else was computed from the data: tuning, statistics, accuracies, logs, other models "
            "that are not in its budget."
        )
    else:
        models = "the models" if wording.everything else "the one model"
        yield line(
            f"Anything about an observer who sees more than {models} of the claim: an earlier model, a saved state, a "
            "back-up, a log, or a model derived from one of them."
        )
    if reading.unlearns:
        chosen = "" if wording.adaptively else ", or that requests may be chosen after looking at a released model"
        yield line(f"That the records are gone from anywhere else{chosen}.")
    attested = sum(status == "attested" for _, status, _ in reading.report.assumptions)
    if attested:
        held = f"the {attested} assumptions marked “attested” hold"
        if attested == 1:
            held = "the assumption marked “attested” holds"
        yield line(f"That {held}: somebody says so, and no computation can tell.")
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
        ("Payload (SHA-256)", line(code(reading.payload_digest))),
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
            f" Signed {several(report.signatures, 'time')}, but no key was given to check it with. Key ids: ",
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
