"""Write what is drawn from the code: THEOREMS.md, docs/run-file.md, docs/policy.md, certify/checker.py,
and the table of theorems in docs/certificate.md.

python docs/generate.py            write them
python docs/generate.py --check    exit 1 if one of them is stale
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from accountant.core.exact import canonical  # noqa: E402
from accountant.core.facts import Family  # noqa: E402
from accountant.core.kernel import ASSUMPTIONS, THEOREMS, Theorem  # noqa: E402
from accountant.losses import SCALED_MODELS  # noqa: E402
from certify.checking.assemble import assembled  # noqa: E402
from certify.runfile.dpsgd_tables import KINDS, TRAINING_TABLES, TrainingTable  # noqa: E402
from certify.runfile.pnsgd_tables import TABLES, AnswerTable, RunTable  # noqa: E402
from certify.runfile.questions import ATTESTABLE, PARTS, WHEN  # noqa: E402
from docs.certificate_table import with_table  # noqa: E402
from docs.policy_page import policy_page  # noqa: E402

NOTICE = "<!-- Drawn from the code by docs/generate.py; edit the code, then run `python docs/generate.py`. -->"
VECTORS = Path("tests/vectors/reject/theorems")
PROOFS = "docs/theory.md"
CITED = r"(?:§\d+|[A-Z]\d+[a-z]?\b)"  # an id, or a part, of docs/theory.md
RELATIVES = "DP-SGD and its relatives"
INTRODUCTIONS = {
    "scaling": "Optional: a map that scales each record's data gradient by w of its norm x, before the batch's mean is "
    "taken; the regulariser is added afterwards. It keeps a scalar linear model convex, so it goes with "
    f"{', '.join(f'`{kind}`' for kind in SCALED_MODELS)} (without `clip`). L and M are those of the scaled loss, in "
    '`"1/L"` too.',
    "data": "Optional: the columns of a file of the user's own records, for runs of `pnsgd` whose loss is known. Each "
    "number is scaled from its public limits to [-1, 1]; limits and categories are always written here, never computed "
    "from the records. They are a part of the run and of its digest, and stand in the certificate. [data.md](data.md) "
    "says which files are read, how strictly, and how a record becomes features and a label.",
    "meta": "Optional: how people call the run, each a line of at most 200 characters. Shown in certificates, reports, "
    "the gate and what `certify` prints; in no digest, for nothing depends on it.",
    "execution": "Optional: the numbers that the run is executed in. They decide whether its noise is above their "
    "rounding, 4 ulp in each coordinate of each step (assumption `noise_above_rounding`, theorems T28r and T28f): "
    "rounding may add at most a hundredth of the μ that the target allows. With all three keys, a convex loss and "
    "c < 1 that is proved or violated, and where it is violated the verdict is INDETERMINATE; `plumbline calibrate` "
    "then finds the least noise that meets the target *and* is above rounding, and says which of them binds. With a "
    "key left out, with c ≥ 1 and in training runs it is attested.",
}
OF_TRAININGS = {
    "train": "Optional: how `plumbline train` uses the noisy gradients ([training.md](training.md)). All of it is "
    "post-processing: it stands in the run record, in no digest, and no bound depends on it.",
    "data": "Optional: the columns of a file of the user's own records, for `plumbline train --data`, with the keys "
    "[above](#data). What the target holds goes with `train.loss`: `classes` for cross-entropy, `positive` for "
    "logistic, `target_limits` for the others. No bound depends on how long a record is, so `normalise` may be "
    '`"none"`, which is the default; and the table is in no digest here, but in the run record.',
}
ANSWERS = (
    "Each table answers one question of a report's hazard checklist; what nobody answers is shown there as *not "
    "assessed*. An answer is shown as the words of whoever gave it, and checked by nobody. Where the last column says "
    "so, its first words decide whether the report warns. The items:"
)
Tables = dict[str, tuple[type[BaseModel], ...]]

FAMILIES = {
    "Losses and steps": (Family.LOSS, Family.STEP, Family.NONCONVEX_STEP),
    "Per-sample scaling": (Family.SCALING,),
    "Timelines and distances": (Family.DISTANCE,),
    "From distance and noise to μ": (Family.STRING, Family.CLOSED_FORM, Family.COMPOSITION),
    "From μ to Rényi divergences and ε": (Family.CONVERSION, Family.SECRET_ORDER, Family.RANGE),
    "Sampled batches": (Family.SAMPLED,),
    "Finite precision": (Family.ROUNDING,),
    "Lower bounds": (Family.WITNESS,),
    "Published bounds": (Family.PUBLISHED,),
}
FIRST = "LCTP"  # losses before the steps that they make


# --- THEOREMS.md ------------------------------------------------------------------------------------------------------


def families() -> dict[str, list[Theorem]]:
    """The table by family, each in the order of its ids; what has no place among the families comes last."""
    ordered = sorted(THEOREMS.values(), key=lambda t: (FIRST.find(t.id[0]), number(t.id)))
    grouped = {title: [t for t in ordered if t.facts.family in of] for title, of in FAMILIES.items()}
    rest = [t for t in ordered if not any(t in group for group in grouped.values())]
    return grouped | ({"More": rest} if rest else {})


def number(id: str) -> tuple[int, str]:
    """What an id is ordered by: T9, T9r, T10."""
    digits = id[1:].rstrip("abcdefghijklmnopqrstuvwxyz")
    return int(digits), id[1 + len(digits) :]


def vectors() -> dict[str, dict[str, list[str]]]:
    """Theorem id -> condition, or kind of a parameter -> the names of the files that violate it."""
    conditions: dict[str, dict[str, list[str]]] = {}
    for path in sorted((ROOT / VECTORS).glob("*.json")):
        vector = json.loads(path.read_text(encoding="utf-8"))
        violated = vector.get("condition") or f"kind of {vector['kind']}"
        conditions.setdefault(vector["theorem"], {}).setdefault(violated, []).append(path.name)
    return conditions


def anchor(title: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def heading(t: Theorem) -> str:
    return f"{t.id}: {t.name}"


@cache
def proofs() -> dict[str, str]:
    """Id of a theorem, or number (§…) of a part, that docs/theory.md has a heading for -> its anchor."""
    text = (Path(__file__).parent / "theory.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#{2,3} ((?:([A-Z]\d+[a-z]?): |(\d+)\. ).*)$", text, re.MULTILINE)
    return {id or f"§{number}": anchor(title) for title, id, number in headings}


def proof(id: str) -> str:
    """Where docs/theory.md has that theorem or part. LookupError where it has not."""
    if id not in proofs():
        raise LookupError(f"{PROOFS} has no heading '### {id}: …'; write the theorem and its proof there")
    return f"{PROOFS}#{proofs()[id]}"


def linked(text: str) -> str:
    """A source's citations of docs/theory.md, each id a link to its heading."""
    return re.sub(
        rf"(?<={re.escape(PROOFS)} ){CITED}(?:, {CITED})*",
        lambda ids: re.sub(CITED, lambda cited: f"[{cited[0]}]({proof(cited[0])})", ids[0]),
        text,
    )


def cell(text: str) -> str:
    """One cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    head = list(head)
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join([' --- '] * len(head))}|"]
    return lines + [f"| {' | '.join(cell(c) for c in row)} |" for row in rows]


def first_sentence(text: str) -> str:
    sentence = re.split(r"(?<=\.)\s|(?<=:)\s(?![^(]*\))", " ".join(text.split()), maxsplit=1)[0]
    return sentence.rstrip(".:")


def premises(t: Theorem) -> str:
    names = [getattr(kind, "__name__", str(kind)) for kind in t.premises]
    names = [
        " or ".join(k.__name__ for k in typing.get_args(kind)) or n for kind, n in zip(t.premises, names, strict=True)
    ]
    if not names:
        return "nothing"
    return ", ".join(names) + (", as often as needed" if t.variadic else "")


def theorem_section(t: Theorem, refused: dict[str, list[str]]) -> list[str]:
    file = Path(inspect.getsourcefile(t.body) or "").resolve().relative_to(ROOT)
    test, name = t.oracle.split("::")
    lines = [f"### {heading(t)}", "", t.statement, ""]
    lines += [f"*Takes* {premises(t)}. *Concludes* {t.concludes.__name__}.", ""]
    rows = []
    kinds = [text for text in refused if text.startswith("kind of ")]
    for condition in (*t.conditions, *kinds):
        pattern = re.escape(condition).replace(re.escape("{name}"), "(.+)")
        files = [f for text, names in refused.items() if re.fullmatch(pattern, text) for f in names]
        shown = condition.replace("{name}", "each constant")
        rows.append((shown, ", ".join(f"[{Path(f).stem}]({VECTORS / f})" for f in files)))
    lines += [*table(("side condition", "inputs that must be refused"), rows), ""]
    if t.assumes:
        assumed = ", ".join(f"[`{name}`](#assumptions)" for name in t.assumes)
        lines += [f"* Assumes: {assumed}"]
    decided = " (side conditions decided in exact rationals)" if t.rational else ""
    lines += [
        f"* Proof: [{PROOFS} {t.id}]({proof(t.id)})",
        f"* Source: {linked(t.source)}",
        f"* Function: [`{file}`]({file}) : `{t.name}`{decided}",
        f"* Attacked by: [`{test}`]({test}) : `{name}`",
        "",
    ]
    return lines


def theorems_page() -> str:
    grouped, refused = families(), vectors()
    lines = [
        "# Theorems",
        "",
        NOTICE,
        "",
        "Every number that Plumbline prints is the conclusion of one of these theorems, applied to the conclusions of "
        "others. This is the whole table: `accountant.core.kernel.THEOREMS`, by id. A theorem is a function; its side "
        "conditions are checked where it is applied, and a failure names theorem, condition and value. For each there "
        "is a test that attacks it with an oracle written independently, and for each side condition a file that must "
        "be refused.",
        "",
        "Ids are those of [docs/theory.md](docs/theory.md), which states them and gives the proofs: L1, C1, "
        "T1 … are ours or the literature's, P1 … are bounds as others published them.",
        "",
        "## Contents",
        "",
    ]
    rows = [
        (f"[{t.id}](#{anchor(heading(t))})", f"`{t.name}`", first_sentence(t.statement), t.concludes.__name__)
        for group in grouped.values()
        for t in group
    ]
    lines += table(("id", "name", "in short", "concludes"), rows)
    lines += ["", "[Assumptions](#assumptions): what no computation can check.", ""]
    for title, group in grouped.items():
        lines += [f"## {title}", ""]
        for t in group:
            lines += theorem_section(t, refused.get(t.id, {}))
    lines += [
        "## Assumptions",
        "",
        "A derivation carries the assumptions of every theorem in it; they are printed with every bound.",
        "",
    ]
    users = {a: [t.id for t in THEOREMS.values() if a in t.assumes] for a in ASSUMPTIONS}
    lines += table(
        ("id", "text", "brought in by"),
        ((f"`{a}`", text, ", ".join(users[a]) or "the run file") for a, text in ASSUMPTIONS.items()),
    )
    return "\n".join(lines) + "\n"


# --- docs/run-file.md -------------------------------------------------------------------------------------------------


def kind_of(annotation: Any) -> str:
    """The type of a key in words."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return kind_of(args[0])
    if origin is typing.Literal:
        return " or ".join(f'`"{value}"`' for value in args)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(kind_of(a) for a in args if a is not types.NoneType)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    if origin is dict:
        return "table"
    if origin is list:
        return f"{kind_of(args[0])}, or a list"
    return {Fraction: "number", int: "whole number", str: "text", bool: "true or false"}.get(
        annotation, str(annotation)
    )


def default_of(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if field.is_required() or value is PydanticUndefined:
        return "**required**"
    if value is None or isinstance(value, BaseModel):
        return "absent"
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | Fraction):
        return f"`{canonical(value)}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def run_file_page() -> str:
    kinds = " or ".join(f'`"{kind}"`' for kind in KINDS)
    lines = [
        "# The run file",
        "",
        NOTICE,
        "",
        "A run file is TOML. Numbers are TOML numbers, or text that holds a decimal or `p/q`; they are read exactly, "
        "and nothing else is evaluated. An unknown key, NaN, infinity or a value out of range is refused in one line "
        "that names the key, the value and the fix (exit 2).",
        "",
        f'`mechanism.kind` decides which tables there are: those of `"pnsgd"` come first, then those of {kinds}.',
        "",
        *contents(TABLES, RunTable, ""),
    ]
    for name, choices in TABLES.items():
        lines += keys(name, choices, "##", "")
    lines += [f"## {RELATIVES}", "", f"`mechanism.kind` = {kinds}; each with its own scaling map.", ""]
    lines += contents(TRAINING_TABLES, TrainingTable, f" ({RELATIVES})")
    for name, choices in TRAINING_TABLES.items():
        lines += keys(name, choices, "###", f" ({RELATIVES})")
    return "\n".join(lines).rstrip() + "\n"


def contents(tables: Tables, whole: type[BaseModel], part: str) -> list[str]:
    """One line that names a run file's tables; `part` ends their headings."""
    links = []
    for name in tables:
        shown = f"[[{name}]]" if typing.get_origin(whole.model_fields[name].annotation) is list else f"[{name}]"
        optional = "" if whole.model_fields[name].is_required() else " (optional)"
        links.append(f"[`{shown}`](#{anchor(name + part)}){optional}")
    return ["Tables: " + ", ".join(links) + ".", ""]


def keys(name: str, choices: tuple[type[BaseModel], ...], level: str, part: str) -> list[str]:
    """The section on one table: its keys, for each kind that it comes in."""
    lines = [f"{level} {name}{part}", ""]
    if not part and name in INTRODUCTIONS and choices == TABLES.get(name):  # a policy has a table of that name too
        lines += [INTRODUCTIONS[name], ""]
    if part and name in OF_TRAININGS:
        lines += [OF_TRAININGS[name], ""]
        return lines if choices == TABLES.get(name) else lines + key_table(choices[0])
    if part and choices == TABLES.get(name):
        return [*lines, f"As [above](#{anchor(name)}).", ""]
    for choice in choices:
        if len(choices) > 1:
            (tag,) = typing.get_args(choice.model_fields["kind"].annotation)
            lines += [f'{level}# kind = "{tag}"', ""]
        lines += key_table(choice)
    return lines + (answers(f"{level}#") if name == "attest" else [])


def key_table(choice: type[BaseModel]) -> list[str]:
    rows = (
        (f"`{key}`", kind_of(field.rebuild_annotation()), default_of(field), field.description or "")
        for key, field in choice.model_fields.items()
    )
    return [*table(("key", "type", "default", "meaning"), rows), ""]


def answers(level: str) -> list[str]:
    """The section on the answers of [attest]: their keys, and which items there are."""
    rows = (
        (f"`{q.id}`", PARTS[q.part], q.text, "" if q.when == "always" else WHEN[q.when], q.hint) for q in ATTESTABLE
    )
    lines = [f"{level} attest.answers.ITEM", "", *key_table(AnswerTable), ANSWERS, ""]
    return [*lines, *table(("item", "part", "question", "asked only", "how to write it"), rows), ""]


# --- writing ----------------------------------------------------------------------------------------------------------

PAGES = {
    "THEOREMS.md": theorems_page,
    "docs/run-file.md": run_file_page,
    "docs/policy.md": lambda: policy_page(keys, NOTICE),
    "certify/checker.py": assembled,
    "docs/certificate.md": lambda: with_table((ROOT / "docs" / "certificate.md").read_text(encoding="utf-8")),
}


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    stale = []
    for name, page in PAGES.items():
        path, text = ROOT / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not arguments:
                path.write_text(text, encoding="utf-8")
                print(f"wrote {name}")
    if arguments and stale:
        print(f"stale: {', '.join(stale)}; run `python docs/generate.py`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
