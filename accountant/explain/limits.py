"""What becomes of a bound in the limit: T → ∞, K → ∞, c → 1. The formula is that of a run far out, its limit taken
symbol by symbol, and kept only if the bound that is certified far out agrees with it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from fractions import Fraction

import sympy

from accountant.core.arithmetic import Ball
from accountant.core.arithmetic.symbols import tidy, without_sign
from accountant.core.enclose import Enclosure, enclose, enclosed
from accountant.core.facts import Profile
from accountant.core.kernel import Derivation
from accountant.explain.derivatives import REFUSALS, short
from accountant.explain.evaluate import ball_of
from accountant.explain.formula import MU, MU_J, Formula, formula
from accountant.explain.names import Names
from accountant.explain.strings import by_batch, square
from accountant.mechanisms.pnsgd import NoisySGD
from accountant.mechanisms.timeline import unlearning_epochs
from accountant.pnsgd.derive import derive_upper

MAX_EPOCHS = 10**14
_GONE = 120  # c^(l·epochs) below e^−120 is negligible, also where the corners of the string are decided
_AGREE = Fraction(1, 1000)  # relative, of the limit (or its leading term) with what is certified far out


@dataclass(frozen=True)
class Limit:
    """The limit of the bound as one parameter goes to its own.

    towards: "T → ∞" and the like. formula: the limit of μ² (of μ_j² for a secret order), 0 and infinite (oo) included;
    None where it has no readable form. leading: its leading term, if the limit is 0 or infinite.
    mu, epsilon: enclosures at the limit; None where infinite or not known. far: epsilon is not the limit's but that
    certified at so many epochs. note: why something is missing, or what is held.
    """

    towards: str
    formula: Formula | None = None
    leading: Formula | None = None
    mu: Enclosure | None = None
    epsilon: Enclosure | None = None
    far: int | None = None
    note: str = ""

    @property
    def infinite(self) -> bool:
        return self.formula is not None and self.formula.right == sympy.oo

    @property
    def zero(self) -> bool:
        return self.formula is not None and self.formula.right == 0


def limits(mechanism: NoisySGD, delta: Fraction, request: int = 0) -> tuple[Limit, ...]:
    """The limits of the bound on one request (0-based) that exist for this run: in T where there is learning, in K
    where there is unlearning, in c where 0 < c < 1."""
    c = _contraction(mechanism)
    if c is None or c > 1:
        return ()
    existing = []
    if mechanism.epochs:
        existing.append(_far_out("T", mechanism, delta, request))
    if mechanism.unlearning_epochs[request]:
        existing.append(_far_out("K", mechanism, delta, request))
    if c < 1:
        existing.append(_without_convexity(mechanism, delta, request))
    return tuple(existing)


def _contraction(mechanism: NoisySGD) -> Fraction | None:
    """c of a convex loss's step; None where nothing is known of it."""
    constants = mechanism.loss.constants()
    if constants.smoothness is None or not constants.convex:
        return None
    return max(abs(1 - mechanism.step_size * x) for x in (constants.strong_convexity, constants.smoothness))


def _far_out(name: str, mechanism: NoisySGD, delta: Fraction, request: int) -> Limit:
    towards, epochs = f"{name} → ∞", _out_of_sight(mechanism, request)
    if epochs is None:
        return Limit(towards, note=f"c is so close to 1 that {MAX_EPOCHS} epochs do not show it")
    if name == "T":
        there = replace(mechanism, epochs=epochs)
    else:
        lengths = list(mechanism.unlearning_epochs)
        lengths[request] = epochs
        there = replace(mechanism, unlearning_epochs=tuple(lengths))
    try:
        upper = derive_upper(there, delta, request)
        limit = _symbolic(towards, upper, {epochs, epochs - unlearning_epochs(mechanism, request)})
        if limit is None:
            return Limit(towards, epsilon=enclose(upper), far=epochs)
        return _with_numbers(*limit, upper, epochs, delta)
    except REFUSALS as refused:
        return Limit(towards, note=short(refused))


def _out_of_sight(mechanism: NoisySGD, request: int) -> int | None:
    """So many epochs that more make no difference, or (c = 1) so many that the leading term is all that counts; unlike
    any other number of epochs of the run."""
    c, lengths = _contraction(mechanism), (mechanism.epochs, *mechanism.unlearning_epochs[: request + 1])
    epochs = 10**6 * (sum(lengths) + 1) if c == 1 else 8
    if 0 < c < 1:
        rate = -math.log1p(-float(1 - c)) * mechanism.batches
        epochs += math.ceil(_GONE / rate) if rate else MAX_EPOCHS
    # The reference retrain-T leaves out as many of learning as there are of unlearning.
    epochs += sum(mechanism.unlearning_epochs[: request + 1])
    while {epochs, epochs - unlearning_epochs(mechanism, request)} & set(lengths):
        epochs += 1
    return epochs if epochs <= MAX_EPOCHS else None


def _squared(upper: Derivation, names: Names) -> tuple[str, sympy.Expr, sympy.Expr] | None:
    """(theorem id, μ², its formula), for a secret order that of batch j; None if there is no readable formula."""
    match upper.theorem.facts.profile:
        case Profile.MIXTURE:
            whose, left, right = upper, MU_J**2, by_batch(upper, names)
        case Profile.GAUSSIAN:
            whose, left, right = upper.premises[0], MU**2, square(upper.premises[0], names)
        case _:
            return None
    return None if right is None or right.has(sympy.Piecewise) else (whose.theorem.id, left, right)


def _symbolic(towards: str, upper: Derivation, far: set[int]) -> tuple[Limit, Names] | None:
    """The limit's formula and leading term."""
    names = Names()
    pair = _squared(upper, names)
    if pair is None:
        return None
    id, left, squared = pair
    length = next((n for n in names.lengths if names.values[n] in far), None)
    if length is None or length not in squared.free_symbols:  # the bound does not depend on it
        return Limit(towards, formula(id, left, tidy(squared), names)), names
    taken = at_infinity(squared, length, names)
    if taken is None:
        return None
    value, leading = taken
    limit = Limit(
        towards,
        formula(id, left, value, names),
        None if leading is None else _but(length, formula(id, left, leading, names)),
    )
    return limit, names


def _but(length: sympy.Symbol, formula: Formula) -> Formula:
    """Without the value of what goes to infinity."""
    return replace(formula, values=tuple(pair for pair in formula.values if pair[0] != length))


def at_infinity(squared: sympy.Expr, length: sympy.Symbol, names: Names) -> tuple[sympy.Expr, sympy.Expr | None] | None:
    """(limit, leading term where that is 0 or infinite) of an expression that is rational in c^(l·length), c < 1, or
    in `length` itself; None for any other."""
    parts = _generators(squared)
    if parts is None:
        return None
    rational, meaning = parts
    fast = [g for g, power in meaning.items() if power.exp.has(length)]
    if len(fast) > 1 or (fast and rational.has(length)):
        return None
    if fast and not names.values.get(meaning[fast[0]].base, 2) < 1:
        return None
    variable = fast[0] if fast else length
    terms = [_leading(term, variable, towards_zero=bool(fast)) for term in sympy.Add.make_args(rational)]
    if None in terms:
        return None
    # The orders at which the terms grow, counted so that the largest wins.
    order = max(order for order, _ in terms)
    first = sympy.Add(*(ratio for exponent, ratio in terms if exponent == order)).xreplace(meaning)
    first = sympy.Add(*(without_sign(sympy.powsimp(term, deep=True)) for term in sympy.Add.make_args(first)))
    if order == 0:
        return first, None
    power = meaning[variable] ** -order if fast else length**order
    return sympy.oo if order > 0 else sympy.Integer(0), without_sign(sympy.powsimp(first * power, deep=True))


def _generators(expression: sympy.Expr) -> tuple[sympy.Expr, dict[sympy.Symbol, sympy.Expr]] | None:
    """The expression with c^l, c^(lT) and the like as symbols of their own, in which it is rational; what they stand
    for. None where a power has another form."""
    symbols: dict[sympy.Expr, sympy.Symbol] = {}
    swaps = {}
    for power in expression.atoms(sympy.Pow):
        if not power.exp.free_symbols:
            continue
        if not power.base.is_Symbol:
            return None
        product = sympy.Integer(1)
        for part in sympy.Add.make_args(sympy.expand(power.exp)):
            times, monomial = part.as_coeff_Mul()
            if not times.is_Integer:
                return None
            if monomial == 1:
                product *= power.base**times
            else:
                product *= symbols.setdefault(power.base**monomial, sympy.Dummy(positive=True)) ** times
        swaps[power] = product
    return expression.xreplace(swaps), {symbol: power for power, symbol in symbols.items()}


def _leading(term: sympy.Expr, variable: sympy.Symbol, *, towards_zero: bool) -> tuple[int, sympy.Expr] | None:
    """(order, coefficient) of a rational function's leading term: it grows like coefficient·variable^order at infinity,
    or coefficient/variable^order at 0."""
    ends = []
    for part in sympy.fraction(sympy.together(term)):
        known = [(powers[0], c) for powers, c in sympy.Poly(part, variable).terms() if c != 0]
        if not known:
            return None
        ends.append((min if towards_zero else max)(known, key=lambda end: end[0]))
    (p, a), (q, b) = ends
    return (q - p if towards_zero else p - q), sympy.factor(a / b)


def _with_numbers(limit: Limit, names: Names, upper: Derivation, epochs: int, delta: Fraction) -> Limit:
    """The limit's μ and ε in balls; without a formula if the certified bound far out does not agree with it."""
    out, nothing = enclose(upper), Enclosure(Fraction(0), Fraction(0))
    if upper.theorem.facts.profile is Profile.MIXTURE:
        # The formula is each batch's own; the mixture's ε is the one far out.
        if limit.infinite:
            return limit
        return replace(limit, epsilon=nothing) if limit.zero else replace(limit, epsilon=out, far=epochs)
    squared, there = (limit.leading or limit.formula).right, enclose(upper.premises[0])
    claimed = enclosed(lambda: ball_of(squared, names.values).sqrt())
    if abs(claimed.upper - there.upper) > _AGREE * there.upper:
        return Limit(limit.towards, epsilon=out, far=epochs)
    if limit.infinite:
        return limit
    if limit.zero:
        return replace(limit, mu=nothing, epsilon=nothing)
    A = Ball()
    epsilon = enclosed(lambda: A.gaussian_epsilon(ball_of(squared, names.values).sqrt(), A.of(delta)))
    return replace(limit, mu=claimed, epsilon=epsilon)


def _without_convexity(mechanism: NoisySGD, delta: Fraction, request: int) -> Limit:
    """c → 1 is m → 0 at the same step size: the bound is continuous there, and c = 1 is a run like any other."""
    towards, held, names = "c → 1", "m → 0 at the same step size", Names()
    keys = [f.name for f in fields(mechanism.loss) if f.name in ("strong_convexity", "regularization")]
    try:
        flat = replace(mechanism, loss=replace(mechanism.loss, **dict.fromkeys(keys, Fraction(0))))
        upper = derive_upper(flat, delta, request)
        limit = Limit(towards, epsilon=enclose(upper), note=held)
        if upper.theorem.facts.profile is Profile.GAUSSIAN:
            limit = replace(limit, mu=enclose(upper.premises[0]))
    except REFUSALS as refused:
        return Limit(towards, note=f"{held}: {short(refused)}")
    pair = _squared(upper, names)
    if pair is None:
        return limit
    return replace(limit, formula=formula(pair[0], pair[1], tidy(pair[2]), names))
