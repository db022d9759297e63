"""The formulas of a report: they give the certificate's numbers, and every spelling of them says the same."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import pytest
import sympy
from mpmath import mp, mpf, ncdf

from accountant.explain.formula import Formula, J
from certify.report.document import Mathematics
from certify.report.formulas import MAX_REQUESTS, Formulary, formulary, mathematics
from certify.report.reading import Reading
from certify.report.spelling import spell
from tests.certify.report import samples
from tests.certify.runs import tables
from tests.multiprecision import big

CLOSE = mpf("1e-9")  # the certificate's numbers have twelve digits, rounded to the safe side
PHI = {"Phi": ncdf}


@cache
def drawn(name: str) -> tuple[Reading, Formulary]:
    found = samples.reading(name)
    return found, formulary(found)


def value(formula: Formula, **more: Any) -> mpf:
    """The right side at the values of its symbols, and of those given by name."""
    known = dict(formula.values) | {s: more[str(s)] for s in formula.right.free_symbols if str(s) in more}
    return number(formula.right, known)


def number(expression: sympy.Expr, known: Mapping[sympy.Symbol, Any] = {}) -> mpf:
    """At sixty digits; what a sum runs to is put in exactly, all else as a number."""
    bounds = {
        s for total in expression.atoms(sympy.Sum) for limit in total.limits for x in limit[1:] for s in x.free_symbols
    }
    expression = expression.subs({s: sympy.sympify(known[s]) for s in bounds})
    names = sorted(expression.free_symbols, key=str)
    with mp.workdps(60):
        numbers = [known[s] if isinstance(known[s], mpf) else mpf(str(sympy.N(known[s], 60))) for s in names]
        return +sympy.lambdify(names, expression, modules=[PHI, "mpmath"])(*numbers)


def to_sixty_digits(text: str) -> mpf:
    with mp.workdps(60):
        return big(text)


def at_most(found: mpf, stated: str) -> None:
    """What a formula gives is at most the certificate's number, and near it."""
    assert found <= to_sixty_digits(stated) and to_sixty_digits(stated) - found <= CLOSE * abs(found), (found, stated)


def at_least(found: mpf, stated: str) -> None:
    assert found >= to_sixty_digits(stated) and found - to_sixty_digits(stated) <= CLOSE * abs(found), (found, stated)


def by_left(made: Formulary, step: int) -> dict[str, Formula]:
    return {str(formula.left): formula for formula in made.formulas.get(step, ())}


def mu_of(made: Formulary, step: int, steps: list[Mapping[str, Any]]) -> mpf | None:
    """μ by the formula of its step."""
    found = by_left(made, step).get("mu**2") or by_left(made, step).get("mu_low**2")
    if found is not None and steps[step]["theorem"] == "T7" and not found.values:
        parts = [mu_of(made, int(p), steps) for p in steps[step]["premises"]]
        return None if None in parts else mp.sqrt(sum(part**2 for part in parts))
    return None if found is None else mp.sqrt(value(found))


@pytest.mark.parametrize("name", samples.RUNS)
def test_formulas_give_the_certificates_numbers(name: str) -> None:
    assert evaluated(name)


@cache
def evaluated(name: str) -> frozenset[str]:
    """The theorems whose formulas were compared."""
    found, made = drawn(name)
    checked: set[str] = set()
    steps = found.predicate["proof"]["steps"]
    delta = found.predicate["delta"]
    for i, step in enumerate(steps):
        said, says = by_left(made, i), step["concludes"]
        premises = [int(premise) for premise in step["premises"]]
        match step["theorem"]:
            case "C1" | "T22" | "T23" | "T23b" | "C2" | "L1" | "T14" | "T14g":
                names = {
                    "c": "contraction",
                    "s": "shift",
                    "d": "shift",
                    "L": "smoothness",
                    "M": "gradient_bound",
                    "Delta": "sensitivity",
                }
                for left, formula in said.items():
                    assert abs(value(formula) - to_sixty_digits(says[names[left]])) <= mpf("1e-40")
                    checked.add(step["theorem"])
            case "T3" | "T5" | "T26" | "T26r" | "T7" | "T20f" | "T20d":
                if (mu := mu_of(made, i, steps)) is not None:
                    at_most(mu, says["mu"])
                    checked.add(step["theorem"])
            case "T6" | "T20l":
                if said:
                    at_least(mp.sqrt(value(said["mu_low**2"])), says["mu"])
                    checked.add(step["theorem"])
            case "T1":
                for formula in said.values():
                    at_most(value(formula), says["wasserstein"])
                    checked.add("T1")
            case "T2":
                if said and (mu := mu_of(made, premises[0], steps)) is not None:
                    for order, upper in zip(step["args"]["orders"], says["renyi"], strict=True):
                        at_most(value(said["D_alpha"], mu=mu, alpha=to_sixty_digits(order)), upper)
                    checked.add("T2")
            case "T11":
                mu = mu_of(made, premises[0], steps)
                if said and mu is not None and says["epsilon"] != "0":
                    there = value(said["delta"], mu=mu, epsilon=to_sixty_digits(says["epsilon"]))
                    assert abs(there / to_sixty_digits(delta) - 1) < mpf("1e-6")
                    below = steps[premises[0]]["theorem"] in ("T6", "T20l")
                    assert (there >= to_sixty_digits(step["args"]["delta"])) == below
                    checked.add("T11")
            case "T18":
                for order, upper in zip(step["args"]["orders"], says["renyi"], strict=True):
                    at_most(value(said["D_alpha"], alpha=int(order)), upper)
                checked.add("T18")
            case "T19":
                for formula in made.formulas[i][1:]:
                    agrees_with_densities(formula)
                    checked.add("T19")
            case "T9" | "T9r":
                mean_over_the_batches(made, i, step, delta)
                checked.add(step["theorem"])
            case "T24":
                recursion_ends_below(made, i, step, steps, delta)
                checked.add("T24")
    return frozenset(checked)


def agrees_with_densities(formula: Formula) -> None:
    """T19: the loss at x is the log-ratio of the mixture's density to the normal's."""
    z, q = (to_sixty_digits(str(dict((str(s), v) for s, v in formula.values)[name])) for name in ("z", "q"))
    with mp.workdps(40):
        for x in (mpf("-1.5"), mpf("0.25"), mpf(3)):
            ratio = ((1 - q) * mp.npdf(x, 0, z) + q * mp.npdf(x, 1, z)) / mp.npdf(x, 0, z)
            assert abs(value(formula, x=x) - mp.log(ratio)) < mpf("1e-25")


def mean_over_the_batches(made: Formulary, i: int, step: Mapping[str, Any], delta: str) -> None:
    """T9, T9r: with μ_j by its formula. Every batch of these runs is looked at, so that the mean is exact."""
    every = [f for found in made.formulas.values() for f in found]
    formulas = {str(f.left): f for f in every if f.theorem == step["theorem"]}
    square = next(f for f in every if str(f.left) == "mu[j]**2")
    batches = next(v for s, v in square.values if str(s) == "l")
    mus = [mp.sqrt(number(square.right.subs(J, j), dict(square.values))) for j in range(int(batches))]

    def over(expression: sympy.Expr) -> sympy.Expr:
        whole = expression.subs(sympy.Symbol("l", positive=True), batches).doit()
        return whole.replace(lambda e: isinstance(e, sympy.Indexed), lambda e: sympy.Float(mus[int(e.indices[0])], 50))

    if step["theorem"] == "T9":
        right = over(formulas["delta"].right)
        epsilon = sympy.Symbol("epsilon", positive=True)
        there = number(right.subs(epsilon, sympy.Float(to_sixty_digits(step["concludes"]["epsilon"]), 50)))
        assert there <= to_sixty_digits(delta) and abs(there / to_sixty_digits(delta) - 1) < mpf("1e-6")
        return
    right, alpha = over(formulas["D_alpha"].right), sympy.Symbol("alpha", positive=True)
    for order, upper in zip(step["args"]["orders"], step["concludes"]["renyi"], strict=True):
        at_most(number(right.subs(alpha, sympy.Rational(order))), upper)


def recursion_ends_below(made: Formulary, i: int, step: Mapping[str, Any], steps: Any, delta: str) -> None:
    """T24: its one step, done as often as the phase has steps, from T11's δ of what stood before."""
    (formula,) = made.formulas[i]
    phase, epsilon = step["args"]["phase"], to_sixty_digits(step["concludes"]["epsilon"])
    before, rate = (steps[int(premise)] for premise in step["premises"])
    mu, tau = (
        to_sixty_digits(before["concludes"]["mu"]),
        mp.sqrt(2 * to_sixty_digits(phase["step_size"]) * to_sixty_digits(phase["noise_std"]) ** 2),
    )
    reach = to_sixty_digits(rate["concludes"]["contraction"]) * to_sixty_digits(
        step["args"]["diameter"]
    ) + to_sixty_digits(rate["concludes"].get("shift", "0"))
    with mp.workdps(40):
        here = ncdf(mu / 2 - epsilon / mu) - mp.exp(epsilon) * ncdf(-mu / 2 - epsilon / mu)
        body = sympy.lambdify(
            [sympy.Symbol(s, positive=True) for s in ("delta_before", "epsilon", "D", "tau")],
            formula.right,
            modules=[PHI, "mpmath"],
        )
        for _ in range(int(phase["epochs"]) * int(phase["batches"])):
            here = body(here, epsilon, reach, tau)
        assert abs(here / to_sixty_digits(delta) - 1) < mpf("1e-6")  # μ is given in twelve digits


def test_every_kind_of_formula_was_evaluated() -> None:
    """The table above is about what the samples have."""
    checked = frozenset().union(*map(evaluated, samples.RUNS))
    assert {"C1", "C2", "L1", "T1", "T2", "T3", "T6", "T7", "T9", "T9r", "T11", "T14", "T18", "T19"} <= checked
    assert {"T20d", "T20f", "T20l", "T23", "T24"} <= checked


# --- what stands beside the formulas ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", samples.RUNS)
def test_values_of_symbols_are_the_certificates_strings(name: str) -> None:
    found, made = drawn(name)
    exact = {str_of(s): v for fs in made.formulas.values() for f in fs for s, v in f.values}
    known = set(all_strings(found.predicate))
    for row in made.values:
        if row.number is not None:
            assert row.number in known
            assert sympy.Rational(row.number) == exact[row.symbol.plain]
        assert row.meaning


def str_of(symbol: sympy.Symbol) -> str:
    return spell(symbol, sympy.Integer(0)).plain.removesuffix(" = 0")


def all_strings(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [s for inner in value.values() for s in all_strings(inner)]
    if isinstance(value, list):
        return [s for inner in value for s in all_strings(inner)]
    return [value] if isinstance(value, str) else []


def test_the_taut_string_in_full() -> None:
    """c < 1, one record: T4's closed form, by hand."""
    made = drawn("unlearning")[1]
    (formula,) = (f for fs in made.formulas.values() for f in fs if f.theorem == "T3")
    known = {str(s): number(s, {s: v}) for s, v in formula.values}
    c, s, tau, l, T, K = (known[name] for name in ("c", "s", "tau", "l", "T", "K"))  # noqa: E741
    with mp.workdps(50):
        learned = s * (1 - c ** (l * T)) / (1 - c**l) * c ** (K * l)
        square = learned**2 * (1 - c**2) / (tau**2 * (1 - c ** (2 * (l * (T + K) - l + 1))))
        assert abs(value(formula) / square - 1) < mpf("1e-30")


def test_long_histories_have_the_formulas_of_the_worst_request_alone() -> None:
    many = MAX_REQUESTS + 1
    samples.RUNS["many requests"] = tables(
        mechanism={"samples": 100, "batch_size": 25, "unlearning_epochs": [1] * many, "noise_std": 4},
        requests={"sizes": [1] * many},
    )
    try:
        found = samples.reading("many requests")
        made = formulary(found)
        assert made.omitted and 0 < len(made.formulas) < 12
        assert samples.document("many requests")
    finally:
        del samples.RUNS["many requests"]
    assert not drawn("several requests")[1].omitted


# --- the spellings ----------------------------------------------------------------------------------------------------


FEW = ("unlearning", "every model", "poisson", "not convex")


def every_formula(names: Iterable[str] = samples.RUNS) -> dict[str, tuple[Formula, Mathematics]]:
    found: dict[str, tuple[Formula, Mathematics]] = {}
    for name in names:
        for made in drawn(name)[1].formulas.values():
            for formula in made:
                found.setdefault(str((formula.theorem, formula.left, formula.right)), (formula, mathematics(formula)))
    return found


LETTERS = {"α": "alpha", "β": "beta", "δ": "delta", "ε": "epsilon", "η": "eta", "μ": "mu", "σ": "sigma", "τ": "tau"}
LETTERS |= {"Δ": "Delta", "Φ": "Phi", "∞": "infinity", "γ": "gamma", "κ": "kappa"}


def named(text: str) -> str:
    return LETTERS.get(text, text)


def from_mathml(element: ET.Element) -> str:
    """A Python expression: a reader of presentation MathML that knows nothing of how it was written."""
    children, tag = list(element), element.tag
    match tag:
        case "mi" | "mn":
            return named(element.text or "")
        case "mo":
            return {"\u2062": "*", "·": "*", "−": "-", " ": "_"}.get(element.text or "", element.text or "")
        case "mfrac":
            above, below = map(from_mathml, children)
            return f"binomial({above}, {below})" if element.get("linethickness") == "0" else f"(({above})/({below}))"
        case "msup":
            base, power = map(from_mathml, children)
            return f"exp({power})" if base == "e" else f"(({base})**({power}))"
        case "msub":
            return "_".join(map(from_mathml, children)).replace("(", "").replace(")", "")
        case "msubsup":
            base, below, power = map(from_mathml, children)
            return f"(({base}_{below})**({power}))"
        case "msqrt":
            return f"sqrt({in_a_row(children)})"
    return in_a_row(children)


def in_a_row(children: list[ET.Element]) -> str:
    if len(children) > 1 and children[0].tag == "mo" == children[-1].tag and children[0].text == "|":
        return f"Abs({in_a_row(children[1:-1])})"
    if children and children[0].tag == "munderover":
        low, high = list(children[0])[1:]
        index, first = from_mathml(low).split("==" if "==" in from_mathml(low) else "=")
        return f"Sum({in_a_row(children[1:])}, ({index}, {first}, {from_mathml(high)}))"
    return "".join(map(from_mathml, children))


def from_typst(text: str) -> str:
    """The same for the body of a typst equation: a tokeniser and a descent."""
    tokens = re.findall(r'"[^"]*"|[A-Za-z]+(?:\.alt)?|\d+|<=|[-+(),^_=/]', text)
    at = 0

    def peek() -> str:
        return tokens[at] if at < len(tokens) else ""

    def take(expected: str = "") -> str:
        nonlocal at
        token = tokens[at]
        assert not expected or token == expected, (token, expected, text)
        at += 1
        return token

    def total() -> str:
        made = ""
        while True:
            sign = take() if peek() in ("+", "-") else ""
            made += sign + product()
            if peek() not in ("+", "-"):
                return made

    def product() -> str:
        factors = []
        while peek() not in ("", "+", "-", ")", ",", "=", "<="):
            factors.append(factor())
        return "*".join(factors)

    def listed() -> list[str]:
        take("(")
        found = [total()]
        while peek() == ",":
            take()
            found.append(total())
        take(")")
        return found

    def factor() -> str:
        if peek() == "(":
            made = f"({listed()[0]})"
        else:
            word = take().strip('"').removesuffix(".alt")
            if word in ("frac", "binom"):
                first, second = listed()
                made = f"(({first})/({second}))" if word == "frac" else f"binomial({first}, {second})"
            elif word in ("sqrt", "abs"):
                made = f"{word.replace('abs', 'Abs')}({listed()[0]})"
            elif word == "sum":
                take("_"), take("(")
                index = total()
                take("=")
                first = total()
                take(")"), take("^")
                (high,) = listed()
                return f"Sum({product()}, ({index}, {first}, {high}))"
            else:
                made = word
                if peek() == "_":
                    take()
                    made = "_".join([word, *listed()])
                if peek() == "lr":
                    take(), take("(")
                    arguments = listed()
                    take(")")
                    made = f"{made}({', '.join(arguments)})"
        if peek() == "^":
            take()
            (power,) = listed()
            made = f"exp({power})" if made == "e" else f"(({made})**({power}))"
        return made

    made = total()
    assert at == len(tokens), (tokens[at:], text)
    return made


def same(text: str, expression: sympy.Expr) -> None:
    """A read spelling has the value of the symbolic object, at numbers that have nothing to do with each other."""
    whole = {"l", "r", "T", "K", "N", "N_steps", "alpha", "n", "B"}
    flat = expression.replace(
        lambda e: isinstance(e, sympy.Indexed), lambda e: sympy.Symbol(f"{e.base.label}_{e.indices[0]}")
    )
    names = sorted({str(s) for s in flat.free_symbols | {s for f in flat.atoms(sympy.Sum) for s in f.variables}})
    symbols = {name: sympy.Symbol(name) for name in names}
    flat = flat.subs({s: symbols[str(s)] for s in flat.free_symbols if str(s) in symbols}, simultaneous=True)
    applied = {name: sympy.Function(name) for name in ("Phi", "E", "L", "L_1", "L_2") if f"{name}(" in text}
    functions = {"exp": sympy.exp, "log": sympy.log, "max": sympy.Max, "min": sympy.Min, "Abs": sympy.Abs}
    functions |= {"sqrt": sympy.sqrt, "binomial": sympy.binomial, "Sum": sympy.Sum, "Integer": sympy.Integer}
    quoted = re.sub(r"(?<![\w.])(\d+)(?![\w.])", r"Integer(\1)", text)
    read = eval(quoted, {"__builtins__": {}}, functions | symbols | applied)
    numbers = {s: sympy.Rational(3 if n in whole else 7 * i + 5, 1 if n in whole else 11 * i + 13)
               for i, (n, s) in enumerate(symbols.items())}  # fmt: skip
    known = {"Phi": ncdf, "E": lambda x: x * 3, **{f: (lambda x: x * 5 + 1) for f in ("L", "L_1", "L_2")}}
    values = []
    for which in (read, sympy.sympify(flat)):
        free = {s: v for s, v in numbers.items() if s in which.free_symbols}
        with mp.workdps(40):
            values.append(sympy.lambdify([], which.subs(free).doit(), modules=[known, "mpmath"])())
    assert abs(values[0] - values[1]) <= mpf("1e-30") * max(1, abs(values[1])), (text, expression)


@pytest.mark.parametrize("names", [FEW, pytest.param(tuple(samples.RUNS), marks=pytest.mark.slow)])
def test_every_spelling_is_of_the_same_object(names: tuple[str, ...]) -> None:
    found = every_formula(names)
    assert len(found) > (12 if names == FEW else 25)
    for formula, spelled in found.values():
        tree = ET.fromstring(spelled.mathml)
        signs = [i for i, child in enumerate(tree) if child.tag == "mo" and child.text == "="]
        left, right = list(tree)[: signs[0]], list(tree)[signs[0] + 1 :]
        typst_left, _, typst_right = spelled.typst.partition(" = ")
        for side, mathml, typst in ((formula.left, left, typst_left), (formula.right, right, typst_right)):
            if side.atoms(sympy.Function) and side == formula.left:
                continue  # L(x), which stands for itself
            same(in_a_row(mathml), side)
            same(from_typst(typst), side)


def test_a_wrong_spelling_is_noticed() -> None:
    c, l = sympy.symbols("c l", positive=True)  # noqa: E741
    with pytest.raises(AssertionError):
        same(from_typst("c^(l) - 1"), 1 - c**l)
    with pytest.raises(AssertionError):
        same(in_a_row([ET.fromstring("<msup><mi>c</mi><mn>2</mn></msup>")]), c**l)


def test_spellings_are_clean() -> None:
    for formula, spelled in every_formula().values():
        assert re.fullmatch(r"[^<>&]*", re.sub(r"</?m[a-z]+( [a-z]+=\"[a-z0-9]+\")*/?>", "", spelled.mathml))
        assert " style=" not in spelled.mathml and "mfenced" not in spelled.mathml
        assert "infinity" not in spelled.latex and "**" not in spelled.plain
        assert sympy.latex(formula.left) in spelled.latex or "_" in spelled.latex
        assert spelled.plain.count("(") == spelled.plain.count(")")


def test_what_typst_is_not_known_for_is_refused() -> None:
    with pytest.raises(NotImplementedError):
        spell(sympy.Symbol("x"), sympy.zeta(sympy.Symbol("x")))


def test_sums_begin_without_a_minus() -> None:
    mu, epsilon = sympy.symbols("mu epsilon", positive=True)
    assert spell(mu, mu / 2 - epsilon / mu).plain == "μ = μ/2 − ε/μ"
