"""Limits and formulas of `explain`, against the brute-force string far out and against mpmath."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F

import pytest
import sympy
from hypothesis import given, settings
from mpmath import mp, mpf

from accountant import ConstantLoss, NoisySGD, derive_lower, derive_timeline, derive_upper, enclose
from accountant.core.arithmetic.symbols import tidy, without_sign
from accountant.core.enclose import enclosed
from accountant.explain import explain
from accountant.explain.evaluate import ball_of
from accountant.explain.formula import Formula
from accountant.explain.limits import Limit, at_infinity, limits
from accountant.explain.names import Names
from accountant.pnsgd.search.secret import derive_secret_renyi
from certify.runfile.read import read_run
from tests.accountant.cases import run
from tests.certify.runs import valid_runs
from tests.multiprecision import big
from tests.oracles import conversions
from tests.oracles import timeline as oracle

DELTA = F(1, 10**5)
FLAT = ConstantLoss(1, 0, 2)


def by_name(mechanism: NoisySGD, request: int = 0) -> dict[str, Limit]:
    return {limit.towards: limit for limit in limits(mechanism, DELTA, request)}


def square_by_hand(mechanism: NoisySGD, *, c: F | None = None, epochs: int | None = None, erased: int | None = None):
    """μ² of the string under the staircase, step by step in rationals: one record, no projection, retrain."""
    m, eta = mechanism.loss.constants().strong_convexity, mechanism.step_size
    c = 1 - eta * m if c is None else c
    shift, variance = 2 * eta * mechanism.loss.gradient_bound / mechanism.batch_size, 2 * eta * mechanism.noise_std**2
    clean = [(c, F(0), variance)] * mechanism.batches
    dirty = [*clean[:-1], (c, shift, variance)]
    epochs = mechanism.epochs if epochs is None else epochs
    erased = mechanism.unlearning_epochs[0] if erased is None else erased
    square, _ = oracle.taut_string(dirty * epochs + clean * erased, mechanism.initial_distance)
    return square


def value(formula: Formula, **more: int) -> mpf:
    """The right side in mpmath, its symbols replaced by their exact values."""
    known = {**{str(s): v for s, v in formula.values}, **more}
    found = formula.right.subs({s: sympy.sympify(known[str(s)]) for s in formula.right.free_symbols})
    return mpf(str(sympy.N(found, 40)))


RUNS = {
    "learning": {},
    "one epoch": {"epochs": 1},
    "unlearning": {"unlearning_epochs": 2},
    "one batch": {"batches": 1, "unlearning_epochs": 1},
    "unequal starts": {"unlearning_epochs": 1, "initial_distance": 1},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_limits_against_the_brute_force_string_far_out(name: str) -> None:
    changes = dict(RUNS[name])
    made = run(changes.pop("batches", 3), **changes)
    found = by_name(made)
    with mp.workdps(40):
        limit = found["T → ∞"]
        far = big(square_by_hand(made, epochs=16))
        assert limit.far is None and not limit.infinite and limit.leading is None
        assert 0 < abs(value(limit.formula) / far - 1) < 4 * mpf("0.75") ** (16 * made.batches)
        mu = mp.sqrt(value(limit.formula))
        assert big(limit.mu.lower) <= mu * (1 + mpf("1e-30")) and mu * (1 - mpf("1e-30")) <= big(limit.mu.upper)
        epsilon = conversions.epsilon_gdp(mpf("1e-5"), mu)
        assert big(limit.epsilon.lower) <= epsilon * (1 + mpf("1e-25"))
        assert epsilon * (1 - mpf("1e-25")) <= big(limit.epsilon.upper)
        if "unlearning_epochs" in changes:
            limit = found["K → ∞"]
            assert limit.zero and limit.epsilon.upper == limit.mu.upper == 0
            near, nearer = (value(limit.leading, K=k) / big(square_by_hand(made, erased=k)) - 1 for k in (6, 14))
            assert abs(nearer) < abs(near) < mpf("0.1") and abs(nearer) < mpf("1e-3")
        else:
            assert "K → ∞" not in found
        flat = [value(found["c → 1"].formula) / big(square_by_hand(made, c=1 - F(1, 10**e))) - 1 for e in (4, 8)]
        assert abs(flat[1]) < mpf("1e-6") and abs(flat[1]) <= abs(flat[0])


@pytest.mark.parametrize(("erased", "start"), [(0, 0), (2, 0), (2, 1)])
def test_limits_without_convexity(erased: int, start: int) -> None:
    """c = 1: the bound grows like √T without end, and falls like 1/√K."""
    made = run(3, loss=FLAT, unlearning_epochs=erased, initial_distance=start)
    found = by_name(made)
    assert set(found) == {"T → ∞", "K → ∞"} if erased else {"T → ∞"}
    with mp.workdps(40):
        limit = found["T → ∞"]
        assert limit.infinite and limit.mu is limit.epsilon is None and limit.formula.right == sympy.oo
        ratios = [value(limit.leading, T=t) / big(square_by_hand(made, epochs=t)) - 1 for t in (10, 40)]
        assert abs(ratios[1]) < abs(ratios[0]) / 3 and abs(ratios[1]) < mpf("0.2")
        if erased:
            limit = found["K → ∞"]
            assert limit.zero and limit.epsilon.upper == 0
            ratios = [value(limit.leading, K=k) / big(square_by_hand(made, erased=k)) - 1 for k in (10, 40)]
            assert abs(ratios[1]) < abs(ratios[0]) / 3 and abs(ratios[1]) < mpf("0.2")


@pytest.mark.slow
def test_the_published_limit_of_the_mnist_setting() -> None:
    """T4, T → ∞: μ = (Z/τ)·c^(Kl)·√(1−c²), Z = s/(1−c^l)."""
    made = run(3, unlearning_epochs=2)
    formula = by_name(made)["T → ∞"].formula
    c, s, tau, l, K = sympy.symbols("c s tau l K", positive=True)  # noqa: E741
    expected = s**2 * c ** (2 * K * l) * (1 - c**2) / (tau**2 * (1 - c**l) ** 2)
    same = {s_: {"c": c, "s": s, "tau": tau, "l": l, "K": K}[str(s_)] for s_ in formula.right.free_symbols}
    assert sympy.simplify(formula.right.subs(same) - expected) == 0
    assert formula.theorem == "T3" and "K" in {str(s_) for s_, _ in formula.values}


def test_limits_in_a_ball() -> None:
    """Convex learning stays bounded for every T, and the formula says by what."""
    made = run(3, loss=FLAT, radius=F(1, 10), epochs=30)
    found = by_name(made)
    assert set(found) == {"T → ∞"}
    limit = found["T → ∞"]
    far = enclose(derive_upper(replace(made, epochs=10**6), DELTA))
    assert not limit.infinite and limit.epsilon.lower <= far.upper and far.lower <= limit.epsilon.upper
    assert limit.far is not None or value(limit.formula) > 0


def test_limits_of_a_secret_order() -> None:
    made = run(4, unlearning_epochs=1, batch_order="secret")
    found = by_name(made)
    assert found["T → ∞"].far and found["K → ∞"].zero
    with mp.workdps(40):
        mus = [mp.sqrt(value(found["T → ∞"].formula, j=j)) for j in range(4)]
        at = found["T → ∞"].epsilon
        assert conversions.secret_order_delta(big(at.upper) * (1 + mpf("1e-9")), mus) <= mpf("1e-5")
        assert conversions.secret_order_delta(big(at.lower) * (1 - mpf("1e-9")), mus) >= mpf("1e-5")
    learned = by_name(run(4, batch_order="secret"))["T → ∞"]
    assert learned.formula is None and learned.far and learned.epsilon.upper > 0


def test_limits_of_every_release() -> None:
    """The learned model's own release is what costs: more unlearning does not help."""
    made = run(3, unlearning_epochs=(1, 1), requests=(1, 1), release="all")
    found = by_name(made, 1)
    here = enclose(derive_upper(made, DELTA, 1))
    assert abs(found["K → ∞"].epsilon.upper / here.upper - 1) < F(1, 10**12) and found["K → ∞"].leading is None
    far = enclose(derive_upper(replace(made, epochs=60), DELTA, 1))
    assert abs(found["T → ∞"].epsilon.upper / far.upper - 1) < F(1, 10**9)


def test_where_there_is_no_limit_it_says_so() -> None:
    assert limits(run(radius=1, step_size=F(5, 2)), DELTA) == ()
    slow = run(loss=ConstantLoss(1, F(1, 10**16), 1), step_size=1, unlearning_epochs=1)
    for name in ("T → ∞", "K → ∞"):
        limit = by_name(slow)[name]
        assert limit.formula is None and limit.epsilon is None and "so close to 1" in limit.note
    nothing = by_name(run(loss=ConstantLoss(1, 1, 1), step_size=1))
    assert set(nothing) == {"T → ∞", "c → 1"} and nothing["T → ∞"].far  # c = 0 has no formula, and a bound


@settings(max_examples=12)
@given(valid_runs(requests=2))
def test_limits_of_random_runs_agree_with_runs_far_out(tables) -> None:
    """Whatever has a finite formula for T → ∞ is what is certified at yet another, larger T."""
    made = read_run(tables)
    request = len(made.mechanism.requests) - 1
    for limit in limits(made.mechanism, made.target_delta, request):
        assert limit.towards in ("T → ∞", "K → ∞", "c → 1")
        assert limit.formula or limit.epsilon or limit.note
        if limit.towards != "T → ∞" or limit.epsilon is None or limit.far:
            continue
        c = 1 - made.mechanism.step_size * made.mechanism.loss.constants().strong_convexity
        if not 0 <= c <= F(31, 32):
            continue
        far = enclose(derive_upper(replace(made.mechanism, epochs=5000), made.target_delta, request))
        assert abs(limit.epsilon.upper - far.upper) <= F(1, 10**9) * (far.upper + F(1, 10**9))


# --- how they are made ------------------------------------------------------------------------------------------------


def test_at_infinity() -> None:
    names = Names()
    c, l = names.name("c", F(1, 2)), names.count("l", 3)  # noqa: E741
    T, s = names.epochs(0, 1, 50).symbol, names.name("s", F(1, 3))
    l = l.symbol  # noqa: E741
    power = c ** (l * T)
    assert at_infinity(s * (1 - power) / (1 - c**l), T, names) == (s / (1 - c**l), None) or (
        sympy.simplify(at_infinity(s * (1 - power) / (1 - c**l), T, names)[0] - s / (1 - c**l)) == 0
    )
    value, leading = at_infinity(s * power**2 / (1 + power), T, names)
    assert value == 0 and sympy.simplify(leading - s * power**2) == 0
    value, leading = at_infinity(s / power + 1, T, names)
    assert value == sympy.oo and sympy.simplify(leading - s / power) == 0
    value, leading = at_infinity(s * T**2 / (T + 1) + s, T, names)
    assert value == sympy.oo and sympy.simplify(leading - s * T) == 0
    assert at_infinity(T * power, T, names) is None  # neither rational in c^(lT) nor in T
    grows = names.name("c", F(3, 2))
    assert at_infinity(1 / (1 + grows ** (l * T)), T, names) is None  # c > 1


def test_values_in_balls() -> None:
    x = sympy.Symbol("x", positive=True)
    made = (1 - x**3) / sympy.sqrt(x + sympy.Rational(1, 7)) ** 3
    found = enclosed(lambda: ball_of(made, {x: sympy.Rational(2, 3)}))
    with mp.workdps(60):
        truth = (1 - mpf(8) / 27) / mp.sqrt(mpf(2) / 3 + mpf(1) / 7) ** 3
        assert big(found.lower) <= truth <= big(found.upper) and found.sharp
    for bad in (sympy.sin(x), sympy.Symbol("y"), x ** sympy.Rational(1, 3), sympy.Float(0.5)):
        with pytest.raises(ValueError, match="has no value in balls"):
            ball_of(bad, {x: sympy.Rational(2, 3)})


def test_a_sign_goes_where_it_reads_best() -> None:
    c, s = sympy.symbols("c s", positive=True)
    for term in (-s * (c - 1) * (c + 1), -(c - 1) / s, -s, s * (c - 1), -(s**2) * (c + 1)):
        assert sympy.expand(without_sign(term) - term) == 0
    assert str(without_sign(-s * (c - 1))) == "s*(1 - c)"
    assert sympy.expand(tidy(s**2 - s * (c - 1)) - (s**2 - s * (c - 1))) == 0


def test_formulas_of_lists_name_their_numbers() -> None:
    """T9, T9r, T6m, T6c and T7 say what μ_j, d_j and the slopes are, with this run's own symbols."""
    hidden = run(4, unlearning_epochs=1, batch_order="secret")
    for made in (derive_upper(hidden, DELTA), derive_secret_renyi(derive_timeline(hidden), (F(2),))):
        of_batch = explain(made).steps[-1].formulas[1]
        with mp.workdps(40):
            for j in range(4):
                stages = replace(hidden, batch_order="fixed")
                square = square_by_hand_at(stages, j)
                assert abs(value(of_batch, j=j) / square - 1) < mpf("1e-30")
    lower = explain(derive_lower(hidden, DELTA)).steps[-1]
    assert lower.theorem == "T6m" and [str(f.left) for f in lower.formulas] == ["delta", "d[j]", "V"]
    with mp.workdps(40):
        d, v = (value(lower.formulas[1], j=3), value(lower.formulas[2]))
        eta = hidden.step_size
        steps = [(F(3, 4), 2 * eta * 2 / hidden.batch_size if k == 3 else F(0), 2 * eta * hidden.noise_std**2)
                 for k in range(4)]  # fmt: skip
        clean = [(x, F(0), z) for x, _, z in steps]
        distance, variance = oracle.straight_witness(steps * hidden.epochs + clean)
        assert abs(d / big(distance) - 1) < mpf("1e-30") and abs(v / big(variance) - 1) < mpf("1e-30")
    several = explain(derive_upper(run(unlearning_epochs=(1, 1), requests=(1, 1), release="all"), DELTA, 1))
    (formula,) = several.steps[-2].formulas
    assert several.steps[-2].theorem == "T7" and not formula.right.has(sympy.Sum)
    curved = explain(derive_lower(run(4, 4), DELTA)).steps[-1]
    if curved.theorem == "T6c":
        assert [str(f.left) for f in curved.formulas][:2] == ["delta", "mu_low**2"]


def square_by_hand_at(mechanism: NoisySGD, j: int) -> mpf:
    eta = mechanism.step_size
    shift, variance = 2 * eta * mechanism.loss.gradient_bound / mechanism.batch_size, 2 * eta * mechanism.noise_std**2
    c = 1 - eta * mechanism.loss.strong_convexity
    dirty = [(c, shift if k == j else F(0), variance) for k in range(mechanism.batches)]
    clean = [(c, F(0), variance)] * mechanism.batches
    return big(oracle.taut_string(dirty * mechanism.epochs + clean * mechanism.unlearning_epochs[0])[0])


def test_the_table_of_values() -> None:
    found = explain(derive_upper(run(unlearning_epochs=1), DELTA))
    values = {str(v.symbol): v for v in found.values}
    assert set(values) >= {"c", "s", "tau", "l", "T", "K", "eta", "sigma"}
    assert values["c"].value == sympy.Rational(3, 4) and values["c"].text == "0.75"
    assert values["tau"].value ** 2 == sympy.Rational(1, 9) and "noise" in values["tau"].meaning
    text = found.text()
    assert text.splitlines()[-len(found.values) - 1] == "Values" and "epochs of unlearning" in text
