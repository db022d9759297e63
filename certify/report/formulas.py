"""The formulas of a certificate's own proof: each step's theorem body, run on symbols. Nothing is computed.

The steps are taken from the proof as it is written, with its witnesses, and not searched for again: a formula that is
printed is the one whose numbers were checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from accountant.core.exact import canonical
from accountant.core.kernel import THEOREMS, Derivation, Theorem, TheoremError, apply
from accountant.explain.formula import Formula
from accountant.explain.formulas import formulas
from accountant.explain.names import Names
from accountant.mechanisms.release import Release
from accountant.mechanisms.timeline import Phase
from accountant.pld.account import Grid
from accountant.theorems.flow import Mark
from accountant.theorems.gauges import Excursion
from accountant.theorems.shifts import Corner
from accountant.theorems.timelines import Timeline
from certify.report.document import Mathematics
from certify.report.reading import Reading
from certify.report.spelling import spell, symbol

MAX_REQUESTS = 20  # of a longer history, the formulas of the worst request alone
_COUNTS = ("batch_size", "classes", "epochs", "phases", "points", "reverse_points", "steps", "samples", "window")
_WHOLE = (*_COUNTS, "max_batch_size", "group", "block", "position", "first", "last", "epoch", "batches")


@dataclass(frozen=True)
class Stated:
    """A step as the proof states it, for formulas: what `Derivation` is, without the conclusion."""

    theorem: Theorem
    premises: tuple[Any, ...]
    arguments: tuple[tuple[str, Any], ...]
    preview: None = None
    decided: bool = False


@dataclass(frozen=True)
class Value:
    """What a symbol is. number: the certificate's own string; None where it is in none of its steps."""

    symbol: Mathematics
    meaning: str
    number: str | None


@dataclass(frozen=True)
class Formulary:
    """formulas: by step of the proof, equal ones only once. values: of the symbols in them. omitted: whether the steps
    of other requests than the worst were left out."""

    formulas: Mapping[int, tuple[Formula, ...]]
    values: tuple[Value, ...]
    omitted: bool = False


def formulary(reading: Reading) -> Formulary:
    """The formulas of every step that has one."""
    proof = reading.predicate["proof"]
    chosen = _chosen(reading, proof)
    nodes, names, of_steps = rebuild(proof["steps"], chosen, _batch_size(reading)), Names(), {}
    shown: set[tuple[sympy.Expr, sympy.Expr]] = set()
    for index in chosen:
        if nodes[index] is None:
            continue
        fresh = [f for f in formulas(nodes[index], names) if (f.left, f.right) not in shown]
        shown |= {(f.left, f.right) for f in fresh}
        if fresh:
            of_steps[index] = tuple(fresh)
    return Formulary(of_steps, _values(of_steps, names, _strings(reading.predicate)), len(chosen) < len(proof["steps"]))


def mathematics(formula: Formula) -> Mathematics:
    """How a report spells it."""
    return spell(formula.left, formula.right)


def _chosen(reading: Reading, proof: Mapping[str, Any]) -> list[int]:
    """All steps, or of a long history those below the claim on the worst request."""
    every = len(proof["claims"]) <= MAX_REQUESTS
    return list(range(len(proof["steps"]))) if every else below(reading)


def below(reading: Reading) -> list[int]:
    """The steps that the claim on the worst request rests on, ascending."""
    proof, needed = reading.predicate["proof"], set()
    named = (step if isinstance(step, list) else [step] for step in proof["claims"][reading.worst].values())
    waiting = [int(step) for steps in named for step in steps if step is not None]
    while waiting:
        if (step := waiting.pop()) not in needed:
            needed.add(step)
            waiting += map(int, proof["steps"][step]["premises"])
    return sorted(needed)


# --- a proof's steps, as the theorems take them -----------------------------------------------------------------------


def _batch_size(reading: Reading) -> int:
    """That of the run, for phases of which no step says one (T23, whose drift has none)."""
    return int(reading.run["mechanism"].get("batch_size") or 1)


def rebuild(
    steps: Sequence[Mapping[str, Any]], chosen: Sequence[int], batch_size: int
) -> dict[int, Derivation | Stated | None]:
    """The steps of a proof by number; `chosen` has the premises of each before it.

    None: a step that the checker accepts and a theorem of this version refuses, or one that rests on such a step. It
    has no formula, and is listed all the same.
    """
    rebuilt: dict[int, Derivation | Stated | None] = {}
    for index in chosen:
        step = steps[index]
        premises = tuple(rebuilt[int(premise)] for premise in step["premises"])
        if None in premises:
            rebuilt[index] = None
            continue
        theorem, arguments = THEOREMS[step["theorem"]], _arguments(step, premises, batch_size)
        # Their conclusions give names their values, and cost nothing.
        if theorem.rational or theorem.concludes is Timeline:
            try:
                rebuilt[index] = apply(theorem, *premises, **arguments)
            except TheoremError:
                rebuilt[index] = None
        else:
            rebuilt[index] = Stated(theorem, premises, tuple(arguments.items()))
    return rebuilt


def _arguments(step: Mapping[str, Any], premises: tuple[Any, ...], batch_size: int) -> dict[str, Any]:
    given = dict(step["args"])
    if THEOREMS[step["theorem"]].facts.omits_batch_size:  # C2 says it, where there is one
        sizes = [dict(premise.arguments).get("batch_size", batch_size) for premise in premises[1::2]]
    read: dict[str, Any] = {}
    for name, value in given.items():
        match name:
            case "phases" if isinstance(value, list):
                read[name] = tuple(_phase(p, sizes[i] if "batch_size" not in p else 0) for i, p in enumerate(value))
            case "phase":
                read[name] = _phase(value, batch_size)
            case "corners":
                read[name] = tuple(Corner(**{key: int(n) for key, n in corner.items()}) for corner in value)
            case "excursions":
                read[name] = tuple(Excursion(_moment(e["from"]), _moment(e["to"])) for e in value)
            case "restart":
                read[name] = _moment(value)
            case "releases":
                read[name] = tuple(
                    Release(r["sampling"], Fraction(r["noise_multiplier"]), Fraction(r["sample_rate"]), int(r["steps"]))
                    for r in value
                )
            case "grid":
                read[name] = Grid(Fraction(value["delta"]), int(value["points"]), int(value["reverse_points"]))
            case "positions":
                read[name] = tuple(map(int, value))
            case "orders":
                read[name] = tuple(map(Fraction, value))
            case _:
                read[name] = _plain(name, value)
    return read


def _moment(value: Mapping[str, str]) -> Mark:
    return Mark(**{key: int(n) for key, n in value.items()})


def _plain(name: str, value: Any) -> Any:
    if not isinstance(value, str) or not value[:1].isdigit():
        return value
    return int(value) if name in _WHOLE else Fraction(value)


def _phase(given: Mapping[str, Any], batch_size: int) -> Phase:
    return Phase(
        epochs=int(given["epochs"]),
        batches=int(given["batches"]),
        batch_size=int(given.get("batch_size", batch_size)),
        step_size=Fraction(given["step_size"]),
        noise_std=Fraction(given["noise_std"]),
        records=tuple((int(position), int(count)) for position, count in given["records"]),
    )


# --- symbols and their values -----------------------------------------------------------------------------------------


def _strings(value: Any) -> set[str]:
    """Every string of the certificate: the numbers that a report may show."""
    if isinstance(value, Mapping):
        return set().union(*map(_strings, value.values()))
    if isinstance(value, list):
        return set().union(*map(_strings, value))
    return {value} if isinstance(value, str) else set()


def _values(formulas: Mapping[int, tuple[Formula, ...]], names: Names, known: set[str]) -> tuple[Value, ...]:
    used = {s for group in formulas.values() for formula in group for s, _ in formula.values}
    used |= {formula.left for group in formulas.values() for formula in group} & set(names.values)
    values = []
    for name, value in names.values.items():
        if name in used:
            text = canonical(Fraction(int(value.p), int(value.q))) if value.is_Rational else None
            values.append(Value(symbol(name), names.meaning(name), text if text in known else None))
    return tuple(values)
