"""μ² of the taut string in symbols, by the theorems' own code."""

from __future__ import annotations

from dataclasses import replace

import sympy

from accountant.core.arithmetic.symbols import Count, Symbol
from accountant.core.facts import Family
from accountant.core.kernel import Derivation
from accountant.explain.formula import MAX_BLOCKS, J
from accountant.explain.names import Names, corner_in, mark_in
from accountant.explain.sampled import square_of
from accountant.theorems.flow import Flows, Mark
from accountant.theorems.gauges import Excursion, gauge_energy
from accountant.theorems.shifts import energy, position_mu
from accountant.theorems.timelines import Contraction, Drift, Shift, Timeline

_MAX_SHIFTS = 64  # in an epoch; each is a term of the sums


def square(node: Derivation, names: Names) -> sympy.Expr | None:
    """μ² of T3, T5, T26, T26r or T7 in symbols, not tidied; None where it has no readable form."""
    match node.theorem.facts.family:
        case Family.STRING:
            return _string_square(node, names)
        case Family.COMPOSITION:
            parts = [
                square_of(part, names)
                if part.theorem.facts.family is Family.SAMPLED
                else _string_square(part, names, first=i, of=len(node.premises))
                for i, part in enumerate(node.premises)
            ]
            if not parts or len(parts) > MAX_BLOCKS or None in parts:
                return None
            return sympy.Add(*parts)
    return None


def readable(timeline: Timeline) -> bool:
    return len(timeline.blocks) <= MAX_BLOCKS and not any(
        block.expanding or not block.contraction or len(block.shifts) > _MAX_SHIFTS for block in timeline.blocks
    )


def plain(node: Derivation) -> bool:
    """Whether it is a timeline of contractions, drifts and shifts."""
    rates = (Contraction, Drift, Shift)
    return node.theorem.concludes is Timeline and all(p.theorem.concludes in rates for p in node.premises)


def _string_square(node: Derivation, names: Names, first: int = 0, of: int | None = None) -> sympy.Expr | None:
    """Σ w²/v over the string's segments, and Σ s²/τ² over composed steps, by the body's own code."""
    if node.theorem.facts.family is not Family.STRING:
        return None
    premise, arguments = node.premises[0], dict(node.arguments)
    if not plain(premise) or not readable(premise.preview):
        return None
    timeline = names.timeline(premise, first, of)
    start, distance = Mark(0), timeline.start
    if "restart" in arguments:
        # The restarts that help are those at which the projection keeps the runs 2R apart, to 1e-12.
        start, distance = mark_in(arguments["restart"], timeline), timeline.diameter
    timeline = replace(timeline, diameter=None)  # the sums over one segment have no cap
    flows = Flows(Symbol(), timeline)
    if "excursions" in arguments:
        ends = ((mark_in(e.start, timeline), mark_in(e.end, timeline)) for e in arguments["excursions"])
        return gauge_energy(Symbol(), flows, start, distance, tuple(Excursion(*pair) for pair in ends))
    corners = tuple(corner_in(corner, timeline) for corner in arguments["corners"])
    return energy(Symbol(), flows, corners, start, distance)


def by_batch(node: Derivation, names: Names) -> sympy.Expr | None:
    """μ_j² of T9 in symbols, by the formula of T4, not tidied; None for c = 0; while learning with both
    branches, for the string bends for some batches and not for others."""
    (premise,) = node.premises
    if not plain(premise) or not readable(premise.preview):
        return None
    timeline = names.timeline(premise)
    learning = timeline.blocks[0]
    known = (learning.contraction, learning.shifts[0][1], learning.variance, learning.batches)
    last, epochs = int(learning.batches) - 1, learning.epochs
    erased = timeline.blocks[1].epochs if len(timeline.blocks) == 2 else 0

    def first_is_larger(x: sympy.Expr, y: sympy.Expr) -> bool | None:
        return None if last else bool(_number(x - y, names) >= 0)

    return position_mu(Symbol(first_is_larger), *known, Count(last, J), epochs, erased) ** 2


def _number(expression: sympy.Expr, names: Names) -> sympy.Expr:
    return sympy.N(expression.subs(J, 0).subs(names.values), 30)
