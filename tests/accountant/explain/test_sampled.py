"""Formulas of sampled batches: evaluated by mpmath and quadrature, against what is certified."""

from __future__ import annotations

from fractions import Fraction as F

import mpmath
import pytest
import sympy
from mpmath import mp, mpf

from accountant import apply, enclose, enclose_all
from accountant.core.enclose import enclosed
from accountant.core.kernel import Derivation
from accountant.explain.evaluate import ball_of
from accountant.explain.formula import MAX_BLOCKS, MU, MU_LOW, Formula
from accountant.explain.formulas import formulas
from accountant.explain.names import Names
from accountant.explain.sampled import charge
from accountant.pld import Grid, Release
from accountant.theorems.gaussian_sums import full_batches, full_batches_witness
from accountant.theorems.privacy import adaptive_composition
from accountant.theorems.scaling import bounded_sensitivity, scaled_sensitivity
from accountant.theorems.subsampled import (
    disjoint_batches,
    group_distribution,
    loss_distribution,
    subsampled_renyi,
    truncated_poisson,
)

TWO = (  # one sampled and one full release: every kind of term
    Release("poisson", F(3, 2), F(1, 10), 4),
    Release("full", F(5), F(1), 2),
)


def of(node: Derivation) -> tuple[Formula, ...]:
    return formulas(node, Names())


def exactly(formula: Formula, **more: object) -> sympy.Expr:
    """The right side with its values, and those of `more`, put in; sums of known length are carried out."""
    known = {symbol: value for symbol, value in formula.values}
    known |= {s: sympy.sympify(more[str(s)]) for s in formula.right.free_symbols if str(s) in more}
    return formula.right.subs(known).doit()


@pytest.mark.parametrize("neighbours", ["add-or-remove-one", "replace-one"])
@pytest.mark.parametrize("made", [full_batches, full_batches_witness])
def test_square_of_full_batches(made, neighbours: str) -> None:
    releases = (Release("full", F(5), F(1), 20), Release("full", F(7, 2), F(1), 3))
    (formula,) = of(apply(made, releases=releases, neighbours=neighbours))
    change = 2 if neighbours == "replace-one" else 1
    assert exactly(formula) == change**2 * (sympy.Rational(20, 25) + sympy.Rational(3 * 4, 49))
    assert formula.left == (MU if made is full_batches else MU_LOW) ** 2
    many = tuple(Release("full", F(5 + i), F(1), 1) for i in range(MAX_BLOCKS + 1))
    assert of(apply(made, releases=many, neighbours=neighbours)) == ()


def test_square_of_disjoint_batches() -> None:
    node = apply(disjoint_batches, noise_multiplier=F(3), epochs=7, neighbours="replace-one")
    (formula,) = of(node)
    assert exactly(formula) == sympy.Rational(28, 9)
    assert {str(s) for s in formula.right.free_symbols} == {"E", "z"}
    found = enclosed(lambda: ball_of(formula.right, dict(formula.values)))
    assert found.lower <= enclose(node).upper ** 2 and enclose(node).lower ** 2 <= found.upper


def test_stages_of_disjoint_batches_add_up() -> None:
    """What a shuffled run in stages is: T7 on T20d and T20f."""
    stages = [
        apply(disjoint_batches, noise_multiplier=F(z), epochs=e, neighbours="remove-one") for z, e in ((3, 7), (2, 1))
    ]
    other = apply(full_batches, releases=(Release("full", F(5), F(1), 1),), neighbours="remove-one")
    (formula,) = of(apply(adaptive_composition, *stages, other))
    assert exactly(formula) == sympy.Rational(7, 9) + sympy.Rational(1, 4) + sympy.Rational(1, 25)


@pytest.mark.parametrize("order", [2, 3, 8])
def test_renyi_sum_is_the_certified_one(order: int) -> None:
    node = apply(subsampled_renyi, releases=TWO, neighbours="add-or-remove-one", orders=(order,))
    (formula,) = of(node)
    (certified,) = enclose_all(node)
    value = F(str(sympy.N(exactly(formula, alpha=order), 40)))
    assert certified.lower - F(1, 10**30) < value < certified.upper + F(1, 10**30)


def test_loss_formula_gives_the_certified_profile() -> None:
    """One step: E (1 − e^{ε−L})₊ under the mixture, by quadrature of the printed loss."""
    release, delta = Release("poisson", F(1), F(1, 4), 1), F(1, 1000)
    node = apply(
        loss_distribution,
        releases=(release,),
        neighbours="add-or-remove-one",
        grid=Grid(delta=delta, points=1 << 12, reverse_points=1 << 12, further=()),
    )
    whole, step = of(node)
    assert str(whole.left) == "delta" and whole.right.func == sympy.Function("E")
    x = next(s for s in step.right.free_symbols if str(s) == "x")
    loss = sympy.lambdify(x, step.right.subs(dict(step.values)), "mpmath")
    epsilon = mpf(enclose(node).upper.numerator) / enclose(node).upper.denominator
    with mp.workdps(30):
        start = mpmath.findroot(lambda v: loss(v) - epsilon, 2)
        density = lambda v: mpf("0.75") * mpmath.npdf(v) + mpf("0.25") * mpmath.npdf(v, 1)  # noqa: E731
        found = mpmath.quad(lambda v: density(v) * (1 - mp.exp(epsilon - loss(v))), [start, start + 2, 12])
    assert 0.97 * float(delta) < found <= float(delta)


def test_cut_batches_are_charged_what_the_formula_says() -> None:
    names = Names()
    releases = (Release("poisson", F(1), F(1, 10), 6),)

    class Node:
        theorem = truncated_poisson
        arguments = (("releases", releases), ("samples", 9), ("max_batch_size", 3), ("budget", F(1, 10)))

    (formula,) = charge(Node(), names)  # type: ignore[arg-type]
    tail = sum(mpmath.binomial(10, k) * mpf("0.1") ** k * mpf("0.9") ** (10 - k) for k in range(4, 11))
    assert abs(mpf(str(sympy.N(exactly(formula, epsilon=1), 20))) - 6 * (1 + mp.e) * tail) < 1e-12


def test_sensitivity_of_the_maps() -> None:
    psasc = {"kind": "psasc", "max_grad_norm": F(2), "r": F(1, 10), "s": F(1, 2)}
    (whole,) = of(apply(scaled_sensitivity, **psasc))
    assert exactly(whole) == 4 and {str(s) for s in whole.right.free_symbols} == {"C", "s_map"}
    node = apply(bounded_sensitivity, **psasc, gradient_norm_bound=F(3))
    (bounded,) = of(node)
    value = exactly(bounded)
    assert F(int(value.p), int(value.q)) == node.preview.norm


@pytest.mark.parametrize("group", [1, 3])
@pytest.mark.parametrize("neighbours", ["add-or-remove-one", "replace-one"])
def test_losses_of_replaced_records_and_groups(neighbours: str, group: int) -> None:
    """The printed loss is the log ratio of the two mixtures, at any noise x; a full release's is a normal's."""
    theorem, more = (loss_distribution, {}) if group == 1 else (group_distribution, {"group": group})
    releases = (Release("poisson", F(3, 2), F(1, 4), 1), Release("full", F(5), F(1), 1))
    grid = Grid(delta=F(1, 1000), points=1 << 9, reverse_points=1 << 9, further=())
    _, *steps = of(apply(theorem, releases=releases, neighbours=neighbours, grid=grid, **more))
    other = group if neighbours == "replace-one" else 0

    def log_density(x: mpf, count: int, sign: int, z: mpf, q: mpf) -> mpf:
        weights = [mpmath.binomial(count, j) * q**j * (1 - q) ** (count - j) for j in range(count + 1)]
        return mp.log(sum(w * mpmath.npdf(x, sign * j, z) for j, w in enumerate(weights)))

    with mp.workdps(30):
        for x in (mpf(-2), mpf("0.3"), mpf(4)):
            drawn, full = (mpf(str(sympy.N(exactly(step, x=sympy.Rational(str(x))), 25))) for step in steps)
            z, q = mpf("1.5"), mpf("0.25")
            truth = log_density(x, group, 1, z, q) - log_density(x, other, -1, z, q)
            assert abs(drawn - truth) < mpf(10) ** -20
            d = group + other
            assert abs(full - (2 * d * x - d * d) / mpf(50)) < mpf(10) ** -20
