"""The formulas of the lower bounds: T6, T6c, T6m."""

from __future__ import annotations

from typing import Any

import sympy

from accountant.core.arithmetic.symbols import Symbol
from accountant.core.kernel import Derivation
from accountant.explain.formula import EXITS, MAX_BLOCKS, MU_LOW, Formula, J, formula, tidied, with_sums
from accountant.explain.names import Names, position_from_end
from accountant.mechanisms.neighbours import shift_of
from accountant.theorems.witnesses import _exit_probability, _straight_flow, two_slopes


def witness(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """T6: μ² = D²/V; the slope 1 − ηm is called c, as in the string's formula."""
    arguments = dict(node.arguments)
    if not _straight(arguments):
        return ()
    called = _named(arguments, names)
    mu = node.theorem.body(Symbol(), **called).mu
    return (tidied(node.theorem.id, MU_LOW**2, _with_slopes(mu**2, names), names),)


def _straight(arguments: dict[str, Any]) -> bool:
    m, history = arguments["strong_convexity"], arguments["phases"]
    return len(history) <= MAX_BLOCKS and not any(m * phase.step_size in (0, 1) for phase in history)


def _named(arguments: dict[str, Any], names: Names) -> dict[str, Any]:
    phases = arguments["phases"]
    return names.arguments(arguments) | {
        "phases": tuple(names.phase(i, len(phases), phase) for i, phase in enumerate(phases))
    }


def _with_slopes(expression: sympy.Expr, names: Names) -> sympy.Expr:
    for m_value, m in list(names.given.get("m", {}).items()):
        for eta_value, eta in list(names.given.get("eta", {}).items()):
            if {m, eta} <= expression.free_symbols and m_value * eta_value != 1:
                expression = expression.subs(m, (1 - names.factor(1 - m_value * eta_value)) / eta)
    return expression


def secret_witness(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """T6m: the test's formula, and how far apart the runs are with the record in batch j."""
    arguments, formulas = dict(node.arguments), list(with_sums(node))
    if _straight(arguments):
        called = _named({k: arguments[k] for k in ("strong_convexity", "gradient_bound", "phases")}, names)
        A, (m, M, phases) = Symbol(), (called[k] for k in ("strong_convexity", "gradient_bound", "phases"))
        flow = _straight_flow(A, (), m, M, arguments["neighbours"], phases)
        distance = flow.shift * (1 - phases[0].step_size * m) ** (phases[0].batches.symbol - 1 - J)
        formulas.append(tidied(node.theorem.id, sympy.IndexedBase("d")[J], _with_slopes(distance, names), names))
        formulas.append(
            tidied(node.theorem.id, sympy.Symbol("V", positive=True), _with_slopes(flow.variance, names), names)
        )
    return tuple(formulas)


def curved_witness(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """T6c: the Gaussian pair with its two slopes, the exit probability, and the test's formula."""
    arguments = dict(node.arguments)
    (phase,) = arguments["phases"]
    ((position, count),) = phase.records
    own, others, m = (arguments[name] for name in ("own", "others", "strong_convexity"))
    slopes = (
        1 - phase.step_size * (m + own * (phase.batch_size - count) / phase.batch_size),
        1 - phase.step_size * (m + others),
    )
    if 0 in slopes or not phase.noise_std:
        return with_sums(node)
    A = Symbol()
    of_own, of_others = names.name("c_own", slopes[0]), names.name("c_others", slopes[1])
    change = shift_of(arguments["neighbours"])
    one = change * phase.step_size * arguments["gradient_bound"] / phase.batch_size
    shift = count * names.name("s", one)
    variance = names.name("tau", 2 * phase.step_size * phase.noise_std**2) ** 2
    called = names.phase(0, 1, phase)
    from_end = position_from_end(position, called.batches)
    flow = two_slopes(A, called.batches, from_end, called.epochs, of_own, of_others, shift, variance)
    formulas = [*with_sums(node), tidied(node.theorem.id, MU_LOW**2, flow.shift**2 / flow.variance, names)]
    curvatures = [names.name("h", h) if h else sympy.Integer(0) for h in (own, others)]
    if any(curvatures):
        bound = names.name("M", arguments["gradient_bound"])
        exits = _exit_probability(A, called, *curvatures, of_own, of_others, shift, variance, bound, ())
        formulas.append(formula(node.theorem.id, EXITS, exits, names))
    return tuple(formulas)
