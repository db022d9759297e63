"""The formula of each theorem: its body, run on symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from accountant.core.arithmetic.symbols import Symbol
from accountant.core.kernel import Derivation
from accountant.core.quantities import ApproximateDP, GaussianDP, GaussianWitness, LossBounds, Wasserstein
from accountant.explain.formula import MU, MU_J, Formula, formula, tidied, with_sums
from accountant.explain.names import Names
from accountant.explain.sampled import (
    charge,
    diffusion,
    drift,
    loss_of_sampled,
    renyi_of_sampled,
    sensitivity,
    square_of_sums,
)
from accountant.explain.strings import by_batch, plain, readable, square
from accountant.explain.witnesses import curved_witness, secret_witness, witness
from accountant.theorems.timelines import Contraction, Shift


def formulas(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """The formulas of one step; none of a theorem that has no readable one."""
    name = node.theorem.facts.formula
    return () if name is None else FORMULAS[name](node, names)


def _mu_square(node: Derivation, names: Names) -> tuple[Formula, ...]:
    squared = square(node, names)
    if squared is not None:
        return (tidied(node.theorem.id, MU**2, squared, names),)
    return ()


def _composition(node: Derivation, names: Names) -> tuple[Formula, ...]:
    return _mu_square(node, names) or with_sums(node)


def _body(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """Of a theorem about a few numbers: the body itself."""
    kinds = (p.theorem.concludes for p in node.premises)
    premises = tuple(_as_symbols(kind) for kind in kinds if kind is not LossBounds)
    conclusion = node.theorem.body(Symbol(), *premises, **names.arguments(dict(node.arguments)))
    match conclusion:
        case LossBounds(smoothness, _, gradient_bound):
            pairs = [("L", smoothness), ("M", gradient_bound)]
        case Contraction(factor):
            pairs = [("c", factor)]
        case Shift(distance):
            pairs = [("s", distance)]
        case Wasserstein(distance):
            pairs = [("W_infinity", distance)]
        case GaussianDP(mu):
            return (tidied(node.theorem.id, MU**2, mu**2, names),)
        case ApproximateDP(epsilon, _):
            pairs = [("epsilon", epsilon)]
        case _:
            return ()
    known = [(sympy.Symbol(left), right) for left, right in pairs if right is not None]
    return tuple(tidied(node.theorem.id, left, right, names) for left, right in known)


def _as_symbols(kind: type) -> Any:
    symbol = {Wasserstein: "Z", GaussianDP: "mu", GaussianWitness: "mu"}[kind]
    return kind(sympy.Symbol(symbol, positive=True))


def _tracked(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """T1: the distance, its closed sums."""
    (premise,) = node.premises
    if not plain(premise) or not readable(premise.preview):
        return ()
    conclusion = node.theorem.body(Symbol(), names.timeline(premise), **dict(node.arguments))
    return (tidied(node.theorem.id, sympy.Symbol("W_infinity"), conclusion.distance, names),)


def _noise(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """T10: τ² = 2ησ² of each kind of phase."""
    formulas = []
    for phase in dict.fromkeys((p.step_size, p.noise_std) for p in dict(node.arguments)["phases"]):
        if not phase[1] or not phase[0]:
            continue
        step, noise = names.name("eta", phase[0]), names.name("sigma", phase[1])
        tau = names.name("tau", 2 * phase[0] * phase[1] ** 2)
        formulas.append(formula(node.theorem.id, tau**2, 2 * step * noise**2, names))
    return tuple(formulas)


def _profile(node: Derivation, names: Names) -> tuple[Formula, ...]:
    epsilon, delta = sympy.symbols("epsilon delta", positive=True)
    return (Formula(node.theorem.id, delta, Symbol().gaussian_delta(MU, epsilon), ()),)


def _curve(node: Derivation, names: Names) -> tuple[Formula, ...]:
    alpha = sympy.Symbol("alpha", positive=True)
    (divergence,) = node.theorem.body(Symbol(), GaussianDP(MU), orders=(alpha,)).divergences
    return (Formula(node.theorem.id, sympy.Symbol("D_alpha"), divergence, ()),)


def _mixture(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """T9 and T9r: the mean over the batches, and μ_j² by T4."""
    formulas = list(with_sums(node))
    mu_squared = by_batch(node, names)
    if mu_squared is not None and not mu_squared.has(sympy.Piecewise):
        formulas.append(tidied(node.theorem.id, MU_J**2, mu_squared, names))
    return tuple(formulas)


# By the name that a theorem's facts give it.
FORMULAS: dict[str, Callable[[Derivation, Names], tuple[Formula, ...]]] = {
    "body": _body,
    "charge": charge,
    "composition": _composition,
    "curve": _curve,
    "curved_witness": curved_witness,
    "diffusion": diffusion,
    "drift": drift,
    "loss_of_sampled": loss_of_sampled,
    "mixture": _mixture,
    "mixture_divergence": _mixture,
    "mu_square": _mu_square,
    "noise": _noise,
    "profile": _profile,
    "renyi_of_sampled": renyi_of_sampled,
    "secret_witness": secret_witness,
    "sensitivity": sensitivity,
    "square_of_sums": square_of_sums,
    "tracked": _tracked,
    "witness": witness,
}
