"""The formulas of theorems about sampled batches, clipped steps and a bounded range."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from accountant.core.arithmetic.symbols import Count, Symbol
from accountant.core.kernel import Derivation
from accountant.core.quantities import GaussianWitness
from accountant.explain.formula import MAX_BLOCKS, MU, MU_LOW, Formula, formula, tidied
from accountant.explain.names import Names
from accountant.mechanisms.neighbours import shift_of, sides
from accountant.mechanisms.pairs import Coins
from accountant.mechanisms.release import Release
from accountant.mechanisms.sampling import Sampling

EPSILON, DELTA, ALPHA, X = sympy.symbols("epsilon delta alpha x", positive=True)
LOSS = sympy.IndexedBase("L")
STEP, ORDER = sympy.symbols("i k", integer=True)


@dataclass(frozen=True)
class _Called:
    """A release whose numbers are symbols; where q is 1 it stays 1."""

    noise_multiplier: sympy.Expr
    sample_rate: sympy.Expr | int
    steps: Count
    scheme: Sampling


def _named(releases: tuple[Release, ...], names: Names) -> tuple[_Called, ...]:
    return tuple(
        _Called(
            names.name("z", release.noise_multiplier),
            1 if release.sample_rate == 1 else names.name("q", release.sample_rate),
            names.count("N_steps", release.steps),
            release.scheme,
        )
        for release in releases
    )


def square_of(node: Derivation, names: Names) -> sympy.Expr | None:
    """μ² of T20f, T20l and T20d, the body run on symbols, not tidied; None where it is too long to be read."""
    given, A = dict(node.arguments), Symbol()
    if "epochs" in given:  # T20d's: a record meets one sum of each
        z, epochs = names.name("z", given["noise_multiplier"]), names.count("E", given["epochs"])
        return node.theorem.body(A, noise_multiplier=z, epochs=epochs, neighbours=given["neighbours"]).mu ** 2
    if len(given["releases"]) > MAX_BLOCKS:
        return None
    releases = _named(given["releases"], names)
    return node.theorem.body(A, releases=releases, neighbours=given["neighbours"]).mu ** 2


def square_of_sums(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """T20f, T20l, T20d: μ² of noisy sums in which every record is, or that a record meets once an epoch."""
    mu_squared, lower = square_of(node, names), node.theorem.concludes is GaussianWitness
    return () if mu_squared is None else (tidied(node.theorem.id, (MU_LOW if lower else MU) ** 2, mu_squared, names),)


def renyi_of_sampled(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """T18: the sum over k, for every integer order α."""
    given = dict(node.arguments)
    releases = given["releases"]
    if len(releases) > MAX_BLOCKS:
        return ()
    total: sympy.Expr = sympy.Integer(0)
    for release in _named(releases, names):
        z, q, steps = release.noise_multiplier, release.sample_rate, release.steps.symbol
        if q == 1:
            total += steps * ALPHA * shift_of(given["neighbours"]) ** 2 / (2 * z**2)
            continue
        term = (
            sympy.binomial(ALPHA, ORDER)
            * (1 - q) ** (ALPHA - ORDER)
            * q**ORDER
            * sympy.exp(ORDER * (ORDER - 1) / (2 * z**2))
        )
        total += steps * sympy.log(sympy.Sum(term, (ORDER, 0, ALPHA))) / (ALPHA - 1)
    return (formula(node.theorem.id, sympy.Symbol("D_alpha"), total, names),)


def loss_of_sampled(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """T19, T19l, T27, T27l: the profile of the sum of the steps' losses, and each step's loss at noise x. Where records
    are added or removed, those of removing all of them: what T27 maximises over has this one for its first."""
    given = dict(node.arguments)
    releases, group = given["releases"], given.get("group", 1)
    if len(releases) > MAX_BLOCKS:
        return ()
    one = sides(given["neighbours"])
    plain = all(isinstance(release.scheme.pair(Fraction(1), *one)[1], Coins) for release in releases)
    records = group if group == 1 else names.name("g", group, integer=True)
    total: sympy.Expr = sympy.Integer(0)
    steps = []
    for i, release in enumerate(_named(releases, names)):
        own = LOSS[STEP] if len(releases) == 1 else sympy.IndexedBase(f"L_{i + 1}")[STEP]
        total += sympy.Sum(own, (STEP, 1, release.steps.symbol))
        z, q = release.noise_multiplier, release.sample_rate
        if release.sample_rate == 1:
            d = release.scheme.distance(*one) * records
            loss = (2 * d * X - d * d) / (2 * z**2)
        else:
            _, pair = release.scheme.pair(Fraction(1), *one)
            loss = sympy.log(_ratio(pair.up * records, z, q, 1))
            loss -= sympy.log(_ratio(pair.down * records, z, q, -1)) if pair.down else 0
        steps.append(formula(node.theorem.id, sympy.Function(str(own.base))(X), loss, names))
    gap = sympy.Max(0, 1 - sympy.exp(EPSILON - total))
    whole = formula(node.theorem.id, DELTA, sympy.Function("E")(gap), names)
    # Without replacement the losses above 0 are those of the mixture, the ones below 0 those of the reverse: no formula
    # in one line says it, nor of another pair than that of coins.
    return (whole, *steps) if plain else (whole,)


def _ratio(records: sympy.Expr | int, z: sympy.Expr, q: sympy.Expr, sign: int) -> sympy.Expr:
    """The density of Σ_j Bin(records, q; j)·N(sign·j, z²) at x, over that of N(0, z²)."""
    if records == 1:
        return 1 - q + q * sympy.exp((2 * sign * X - 1) / (2 * z**2))
    weight = sympy.binomial(records, ORDER) * q**ORDER * (1 - q) ** (records - ORDER)
    return sympy.Sum(weight * sympy.exp((2 * sign * ORDER * X - ORDER**2) / (2 * z**2)), (ORDER, 0, records))


def charge(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """T20: what cutting a batch adds to δ."""
    given = dict(node.arguments)
    releases = given["releases"]
    if len(releases) > MAX_BLOCKS:
        return ()
    n, cap = names.name("n", given["samples"], integer=True), names.name("B", given["max_batch_size"], integer=True)
    total: sympy.Expr = sympy.Integer(0)
    for release in _named(releases, names):
        q = release.sample_rate
        chance = sympy.binomial(n + 1, ORDER) * q**ORDER * (1 - q) ** (n + 1 - ORDER)
        total += release.steps.symbol * sympy.Sum(chance, (ORDER, cap + 1, n + 1))
    return (formula(node.theorem.id, sympy.Symbol("delta_cut"), (1 + sympy.exp(EPSILON)) * total, names),)


def drift(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """T23, T23b: contraction and drift of a clipped step with weight decay."""
    conclusion = node.theorem.body(Symbol(), **names.arguments(dict(node.arguments)))
    pairs = (("c", conclusion.factor), ("d", conclusion.distance))
    return tuple(tidied(node.theorem.id, sympy.Symbol(left), right, names) for left, right in pairs)


def sensitivity(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """T14, T14g: Δ of the map, the body run on symbols."""
    called: dict[str, Any] = {}
    roles = {"max_grad_norm": "C", "r": "r", "s": "s_map", "gradient_norm_bound": "G"}
    for key, value in dict(node.arguments).items():
        called[key] = names.name(roles[key], value) if key in roles and value is not None else value
    conclusion = node.theorem.body(Symbol(), **called)
    return (tidied(node.theorem.id, sympy.Symbol("Delta"), conclusion.norm, names),)


def diffusion(node: Derivation, names: Names) -> tuple[Formula, ...]:
    """T24: one step of the recursion at fixed ε."""
    A = Symbol()
    here, reach, tau = sympy.symbols("delta_before D tau", positive=True)
    tilted = sympy.log(1 + (sympy.exp(EPSILON) - 1) / here)
    later = here * A.gaussian_delta(reach / tau, tilted)
    return (Formula(node.theorem.id, sympy.Symbol("delta_after", positive=True), later, ()),)
