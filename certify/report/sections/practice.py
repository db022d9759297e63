"""What was done and what can be done: the hazards, the execution, the requests honoured, the verification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from certify.report.document import (
    Badge,
    Block,
    Callout,
    Command,
    Facts,
    Items,
    Line,
    Paragraph,
    Section,
    Table,
    Text,
    facts,
    line,
)
from certify.report.reading import Reading
from certify.report.sections.precision import finite_precision
from certify.report.sections.words import (
    DASH,
    STATUS_TONE,
    code,
    day,
    foreign_text,
    listed,
    made_visible,
    number,
    several,
    strong,
)
from certify.runfile.questions import PARTS

STATUSES = ("computed", "evidenced", "attested", "not assessed")
KINDS = {"learn": "learning", "unlearn": "unlearning", "retrain": "retraining"}
NOISE = {
    "secret": "drawn from a generator that nobody can run again",
    "reproducible": "drawn from a seed that was given: it can be drawn again, and no privacy claim holds for the model",
}


REMARK: Mapping[str, Line] = {
    "bad": line(" ", Badge("contradicts the claim", "bad")),
    "warning": line(" ", Badge("needs attention", "warning")),
}


# --- hazards ----------------------------------------------------------------------------------------------------------


def hazards(reading: Reading, on: date) -> Section:
    """The warnings, and what an evaluator asks, by part, each with its status."""
    from certify.report.hazards import answers, warnings

    blocks: list[Block] = [Callout(w.title, (Paragraph(made_visible(w.line)),), w.tone) for w in warnings(reading, on)]
    if not blocks:
        blocks.append(Paragraph(line("None of the conditions that call for a warning was found.")))
    blocks.append(
        Paragraph(
            line(
                "What an evaluator asks of such a claim. “Computed”: it follows from the certificate. “Evidenced”: "
                "a digest or a run record backs it. “Attested”: somebody says so. “Not assessed”: nobody has answered."
            )
        )
    )
    given = answers(reading, on)
    counts = {status: sum(answer.status == status for answer in given) for status in STATUSES}
    blocks.append(
        Paragraph(line(f"Of {several(len(given), 'question')}: {listed([f'{n} {s}' for s, n in counts.items()])}."))
    )
    for part, title in PARTS.items():
        rows = tuple(
            (
                line(strong(answer.question.text), " ", answer.question.why),
                line(Badge(answer.status, STATUS_TONE[answer.status])),
                (*made_visible(answer.line), *REMARK.get(answer.tone, ())),
            )
            for answer in given
            if answer.question.part == part
        )
        if rows:
            blocks.append(Table(title, ("Question, and why it is asked", "Status", "Answer"), rows))
    return Section("hazards", "Hazards", tuple(blocks))


# --- what was run -----------------------------------------------------------------------------------------------------


def execution(reading: Reading) -> Section:
    """The run record, as far as the certificate has it, and the audits."""
    record = reading.execution
    if record is None:
        text = (
            "There is no run record: the certificate is about the run as described, whether or not it was carried out."
        )
        return Section("execution", "Execution and audits", (Paragraph(line(text)), *_audits()))
    noise = line(
        Badge(
            "REPRODUCIBLE" if reading.reproducible_noise else "SECRET", "bad" if reading.reproducible_noise else "good"
        )
    )
    rows = [
        ("Dataset", line(foreign_text(record["dataset"]))),
        ("Order of the records", line(foreign_text(record["order"]))),
        ("Noise", (*noise, Text(f" {NOISE[record['noise']]}"))),
        *((f"SHA-256 of {name}", line(code(reading.subjects[key]))) for key, name in _FILES if key in reading.subjects),
    ]
    blocks: list[Block] = [
        Paragraph(line("What was run is the producer's word; the checker found that it agrees with the run above.")),
        facts(rows),
        _phases(record["phases"]),
        *_versions(record["phases"]),
        *finite_precision(reading),
        *_audits(),
    ]
    return Section("execution", "Execution and audits", tuple(blocks))


_FILES = (("model", "the model file"), ("run_record", "the run record"))


def _phases(phases: list[Mapping[str, Any]]) -> Table:
    rows = tuple(
        (
            line(f"{i + 1} {KINDS[phase['kind']]}"),
            line(number(phase["epochs"])),
            line(number(phase["steps"])),
            line(number(phase["erased"])),
            line(foreign_text(phase["device"]), " ", foreign_text(phase["device_name"])),
            line(day(phase["started"])),
            line(day(phase["finished"])),
        )
        for i, phase in enumerate(phases)
    )
    head = ("Phase", "Epochs", "Steps", "Records left out", "Device", "Started", "Finished")
    return Table("The phases that were run", head, rows, frozenset({1, 2, 3}))


def _versions(phases: list[Mapping[str, Any]]) -> Iterator[Table]:
    """Equal versions in every phase are listed once."""
    listed: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for i, phase in enumerate(phases):
        listed.setdefault(tuple(sorted(phase["versions"].items())), []).append(str(i + 1))
    for versions, numbers in listed.items():
        if versions:
            caption = "Software" if len(listed) == 1 else f"Software of phase {', '.join(numbers)}"
            yield Table(
                caption, ("Name", "Version"), tuple((line(foreign_text(n)), line(foreign_text(v))) for n, v in versions)
            )


def _audits() -> tuple[Block, ...]:
    return (
        Paragraph(
            line(strong("Audits. "), "No audit is attached: nobody's attack on a trained model is recorded here.")
        ),
    )


# --- the requests that were honoured ----------------------------------------------------------------------------------


def erasures(reading: Reading) -> Section | None:
    """One entry for each request that was honoured; None where there is none."""
    entries = (reading.execution or {}).get("erasures") or []
    if not entries:
        return None
    last = entries[-1]
    total = line(
        "Requests honoured by unlearning, in order: ",
        number(last["request"]),
        ". Records, in all: ",
        number(last["cumulative"]),
        "; the certificate covers ",
        number(last["cap"]),
        ". Unlearning is about this model and its guarantee; it says nothing about other copies of the records.",
    )
    blocks = [Paragraph(total)]
    if last["cumulative"] != last["cap"] and reading.run["threat"]["release"] == "final":
        later = (
            "The observer is taken to see one model alone. If the model after these requests is released, and another "
            "one after a later request, both are seen, and that is not covered: it takes release = all."
        )
        blocks.append(Paragraph(line(later), "warning"))
    return Section(
        "requests",
        "Annex: requests honoured",
        tuple(blocks),
        tuple(Section(f"request-{e['request']}", f"Request {e['request']}", (_request(e),)) for e in entries),
    )


def _request(entry: Mapping[str, Any]) -> Facts:
    guarantee = entry["guarantee"]
    rows: list[tuple[str, Line]] = [
        ("Pseudonymous id", line(code(entry["id"]))),
        ("Received", line(DASH if entry["received"] is None else day(entry["received"]))),
        ("Unlearned", line(f"{day(entry['started'])} to {day(entry['finished'])}")),
        ("Scope", line(foreign_text(entry["scope"]))),
        ("Records", line(number(entry["records"]))),
        ("Of the certified cap", line(number(entry["cumulative"]), " of ", number(entry["cap"]))),
        (
            "Guarantee",
            line(
                "ε ≤ ",
                number(guarantee["epsilon"]),
                " at δ = ",
                number(guarantee["delta"]),
                ", reference ",
                code(guarantee["reference"]),
                ", neighbours ",
                code(guarantee["neighbours"]),
            ),
        ),
        ("Commitment to the records", _digest(entry["commitment"])),
        ("Model before", _digest(entry["model_before"])),
        ("Model after", _digest(entry["model_after"])),
        ("Sign-off", _sign_off(entry["sign_off"])),
    ]
    return Facts(tuple(rows))


def _digest(digest: Mapping[str, str]) -> Line:
    keyed = " (keyed)" if digest["algorithm"].startswith("HMAC") else ""
    return line(f"{digest['algorithm']}{keyed} ", code(digest["value"]))


def _sign_off(given: Mapping[str, str] | None) -> Line:
    if given is None:
        return line(Badge("NONE", "muted"), " nobody has signed this request off")
    signature = line(foreign_text(given["name"]), ", ", foreign_text(given["role"]), f", {given['date']}")
    return (*signature, *line(": ", foreign_text(given["text"]))) if given["text"] else signature


# --- how to check it --------------------------------------------------------------------------------------------------


def verification(reading: Reading) -> Section:
    """One command, the checker alone, and what it found for this report."""
    report = reading.report
    signed = " --key NAME.pub" * bool(report.signatures)
    blocks: list[Block] = [
        Paragraph(line("One command derives the claim again, and compares the digests:")),
        Command((f"plumbline verify certificate.json{signed}",)),
        Paragraph(
            line(
                "The checker is one file that needs nothing but Python, and the package ",
                code("cryptography"),
                " where signatures are to be checked. Copied to another machine, it does the same:",
            )
        ),
        Command((f"python checker.py certificate.json --digest {report.digest}{signed}",)),
        Paragraph(line("What it found, step by step, when this report was drawn:")),
        Items(tuple(line(" ".join(step.split()[1:])) for step in report.steps), numbered=True),
    ]
    if report.notes:
        blocks.append(Paragraph(line("What it adds:")))
        blocks.append(Items(tuple(line(f"{note[:1].upper()}{note[1:]}.") for note in report.notes)))
    text = (
        "This report was drawn from the certificate alone, and its numbers are the certificate's own. The same "
        "certificate, the same keys and the same date give the same bytes."
    )
    blocks.append(Paragraph(line(text), "muted"))
    return Section("verification", "How to verify", tuple(blocks))
