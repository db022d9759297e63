"""The parameters and the margin, the pictures, and the native parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from certify.report.document import Badge, Block, Line, Paragraph, Section, Table, Text, line
from certify.report.reading import Reading
from certify.report.sections.words import DASH, VERDICT_TONE, code, foreign_text, number, optional, several, visible
from certify.runfile.dpsgd_tables import TRAINING_TABLES
from certify.runfile.pnsgd_tables import TABLES

PUBLISHED = {
    "chien2024": "Chien et al. 2024",
    "koloskova2025": "Koloskova et al. 2025",
    "renyi": "by way of Rényi divergences",
}
_TITLES = {
    "mechanism": "The mechanism",
    "loss": "The loss",
    "scaling": "Scaling of each record's gradient",
    "momentum": "Momentum",
    "requests": "Requests",
    "target": "The target",
    "threat": "Neighbours, reference and release",
}
# Of the table of requests: the key in the certificate, and the column's head.
_REQUEST_COLUMNS = {"size": "Records", "epochs": "Epochs of unlearning", "epsilon": "ε, at most"}
_LISTS = ("unlearning_epochs", "sizes")  # which have a table of their own


def parameters(reading: Reading) -> Section:
    """The numbers that decide, and every number of the run."""
    blocks: list[Block] = [_margin(reading)]
    if len(reading.predicate["requests"]) > 1:
        blocks.append(_requests(reading))
    blocks += _tables(reading)
    return Section("parameters", "Parameters and margin", tuple(blocks))


def _margin(reading: Reading) -> Table:
    epsilon, verdict = reading.predicate["epsilon"], reading.predicate["verdict"]
    compared = {"CERTIFIED": "meets the target", "NOT_CERTIFIED": "exceeds the target"}.get(verdict, "undecided")
    unconfirmed = " (not verified)" * ("the lower bound was not verified" in reading.report.notes)
    rows: list[tuple[Line, ...]] = [
        (line("bound that is proved"), line(number(epsilon["upper"])), line(Badge(compared, VERDICT_TONE[verdict]))),
        (line("target"), line(number(epsilon["target"])), line("what was asked for")),
        (
            line("lower bound"),
            optional(epsilon["lower"]),
            line(
                "none is known" if epsilon["lower"] is None else f"no smaller ε holds for every such run{unconfirmed}"
            ),
        ),
    ]
    published = ((reading.figures or {}).get("published") or {}).items()
    rows += [
        (line("published bound"), line(number(value["epsilon"])), line(f"{PUBLISHED.get(name, name)}; the producer's"))
        for name, value in published
        if value["epsilon"] is not None
    ]
    caption = f"ε at δ = {reading.predicate['delta']}, rounded to the safe side"
    return Table(caption, ("", "ε", ""), tuple(rows), frozenset({1}))


def _requests(reading: Reading) -> Table:
    rows = tuple(
        (line(number(str(i + 1))), *(line(number(request[key])) for key in _REQUEST_COLUMNS))
        for i, request in enumerate(reading.predicate["requests"])
    )
    head = ("Request", *_REQUEST_COLUMNS.values())
    return Table("Each request, with the ε that is proved for it", head, rows, frozenset(range(len(head))))


def _tables(reading: Reading) -> Iterator[Table]:
    """One table for each of the run's; [attest] is about people, and elsewhere."""
    described = TRAINING_TABLES if reading.training else TABLES
    head = ("Key", "Value", "Meaning")
    for name, title in _TITLES.items():
        if values := reading.run.get(name):
            yield Table(title, head, _rows(described[name], values))
    if columns := reading.run.get("data"):
        yield _data_columns(columns)
    for i, stage in enumerate(reading.run.get("stages") or ()):
        yield Table(f"Stage {i + 2}", head, _rows(described["stages"], stage))
    if releases := reading.run.get("releases"):
        rows = tuple(
            (line(str(i + 1)), line(number(r["mu"])), line(foreign_text(r["text"] or DASH)))
            for i, r in enumerate(releases)
        )
        yield Table("Other releases in the same budget", ("Release", "μ", "What it is"), rows, frozenset({1}))


def _data_columns(data: Mapping[str, Any]) -> Table:
    """[data]: each column of the records' file, and the public limits or values that it may have."""
    described = TABLES["data"][0].model_fields
    rows = [
        (line(code(key)), line(code(_listed(data[key]))), line(described[key].description or ""))
        for key in described
        if key not in ("numeric", "categorical") and data[key] is not None
    ]
    numeric = "a column of numbers: its limits, and how many numbers a row has where it is more than one"
    for key, meaning in (("numeric", numeric), ("categorical", "a column of categories: its values")):
        rows += [(line(code(name)), line(code(_listed(data[key][name]))), line(meaning)) for name in sorted(data[key])]
    return Table("Columns of the data, and their public limits", ("Key or column", "Value", "Meaning"), tuple(rows))


def _listed(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)


def _rows(tables: tuple[Any, ...], values: Mapping[str, Any]) -> tuple[tuple[Line, ...], ...]:
    meanings = _meanings(tables, values)
    keys = sorted(values, key=lambda key: (list(meanings).index(key) if key in meanings else len(meanings), key))
    return tuple((line(code(key)), _value(values[key]), line(meanings.get(key, ""))) for key in keys)


def _meanings(tables: tuple[Any, ...], values: Mapping[str, Any]) -> dict[str, str]:
    """What a run file's keys mean, from the tables that read them: those of the kind that has them all."""
    fitting = (table for table in tables if set(values) <= set(table.model_fields) and _is_kind(table, values))
    table = next(fitting, None)
    return {} if table is None else {key: field.description or "" for key, field in table.model_fields.items()}


def _is_kind(table: Any, values: Mapping[str, Any]) -> bool:
    kind = table.model_fields.get("kind")
    return kind is None or values.get("kind") in getattr(kind.annotation, "__args__", ())


def _value(value: Any) -> Line:
    if value is None:
        return line(Text("not set", "plain"))
    if isinstance(value, bool):
        return line(code(str(value).lower()))
    if isinstance(value, list):
        return line(number(value[0])) if len(value) == 1 else line(f"{several(len(value), 'value')}: see the requests")
    return line(number(value) if value[:1].isdigit() else code(value))


# --- pictures ---------------------------------------------------------------------------------------------------------


def pictures(reading: Reading) -> Section | None:
    """δ(ε), and ε as a parameter varies; None where the certificate has no data for them."""
    from certify.report.charts import profile_chart, sweep_chart

    drawn = tuple(figure for figure in (profile_chart(reading), sweep_chart(reading)) if figure is not None)
    if not drawn:
        return None
    remark = (
        "The data of these pictures are the producer's. The checker looked at their form and did not derive them "
        "again; the verdict rests on none of them."
    )
    return Section("pictures", "How the bound behaves", (Paragraph(line(remark), "muted"), *drawn))


def data(reading: Reading) -> Section | None:
    """The pictures' data as tables, every point of them."""
    figures, tables = reading.figures or {}, []
    if profile := figures.get("profile"):
        columns = [profile[key] for key in ("epsilon", "upper", "lower")]
        tables.append(_columns("δ at each ε", ("ε", "δ, at most", "δ, at least"), columns))
    if sweep := figures.get("sweep"):
        name = PUBLISHED.get(sweep["published_name"] or "", "")
        head = (visible(sweep["parameter"]), "ε, at most", "ε, at least", f"published{', ' * bool(name)}{name}")
        columns = [sweep[key] for key in ("values", "upper", "lower", "published")]
        if not name:
            head, columns = head[:3], columns[:3]
        tables.append(_columns(f"ε{reading.swept} as {sweep['parameter']} varies", head, columns))
    if not tables:
        return None
    remark = "As the certificate has them; the producer's, not derived again."
    return Section("data", "Data of the pictures", (Paragraph(line(remark), "muted"), *tables))


def _columns(caption: str, head: tuple[str, ...], columns: list[list[str | None]]) -> Table:
    rows = tuple(tuple(map(optional, row)) for row in zip(*columns, strict=True))
    return Table(caption, head, rows, frozenset(range(len(head))))


# --- native parameters ------------------------------------------------------------------------------------------------


def native(reading: Reading) -> Section | None:
    """What the proof bounds before ε: μ, W∞, the Rényi curve, the sensitivity."""
    predicate, blocks = reading.predicate, []
    rows = [
        ("μ, at most", predicate["mu"]["upper"], "the two are at least as hard to tell apart as N(0, 1) and N(μ, 1)"),
        ("μ, at least", predicate["mu"]["lower"], "no smaller μ holds for every such run"),
        ("W∞ after learning, at most", predicate["wasserstein"]["learned"], "how far apart the parameters can be"),
        ("W∞ at release, at most", predicate["wasserstein"]["released"], "the same, when the model is released"),
    ]
    for concluded in _sensitivity(predicate["proof"]):
        reached = "attained" if concluded["attained"] else "approached, not attained"
        rows.append(
            ("Δ", concluded["sensitivity"], f"sensitivity of a noisy sum to one record more or less; {reached}")
        )
    shown = tuple((line(name), line(number(value)), line(text)) for name, value, text in rows if value is not None)
    if shown:
        head = ("Parameter", "Value", "Meaning")
        several_requests = len(predicate["requests"]) > 1
        caption = "Native parameters, each the largest of all requests" if several_requests else "Native parameters"
        blocks.append(Table(caption, head, shown, frozenset({1})))
    if predicate["renyi"]:
        curve = tuple((line(number(p["order"])), line(number(p["upper"]))) for p in predicate["renyi"])
        head = ("Order α", "D_α, at most")
        blocks.append(Table("Rényi divergences, in both directions", head, curve, frozenset({0, 1})))
    else:
        text = "There is no Rényi curve: the theorems used here bound no Rényi divergence of this run."
        blocks.append(Paragraph(line(text)))
    return Section("native", "Native parameters", tuple(blocks))


def _sensitivity(proof: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for claim in proof["claims"]:
        if "sensitivity" in claim:
            yield proof["steps"][int(claim["sensitivity"])]["concludes"]
