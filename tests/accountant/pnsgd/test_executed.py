"""T28 for one released model: against step-by-step sums in 40 digits, and against runs that are rounded on purpose."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from accountant import ClippedLoss, ConstantLoss, Indeterminate, InvalidMechanism, NoisySGD
from accountant.pnsgd.executed import ExecutedBound, Execution, executed_bound, public_grid, satisfies, step_rate
from accountant.theorems.executed import REACH

TINY, RARE = F(1, 10**13), F(1, 10**12)


def mechanism(c: F = F(3, 4), noise_std: F = F(1), **changes) -> NoisySGD:
    """A run whose steps contract by c: m = L = 1 − c, η = 1."""
    loss = ConstantLoss(smoothness=1 - c, strong_convexity=1 - c, gradient_bound=1)
    known = {"loss": loss, "samples": 4, "batch_size": 2, "epochs": 3, "step_size": F(1)} | changes
    return NoisySGD(noise_std=noise_std, **known)


def execution(of: NoisySGD, **changes) -> Execution:
    known = {"steps": 6, "dimension": 3, "step_error": TINY, "grid": public_grid(of)}
    return Execution(**({"uncoupled": F(1, 2**74), "failure": RARE} | known | changes))


def real(value: F | str) -> mpf:
    value = F(value)
    return mpf(value.numerator) / value.denominator


def delta_of(mu: mpf, epsilon: mpf) -> mpf:
    return mp.ncdf(mu / 2 - epsilon / mu) - mp.exp(epsilon) * mp.ncdf(-mu / 2 - epsilon / mu)


def oracle(of: NoisySGD, mu: F, run: Execution) -> tuple[mpf, mpf, mpf]:
    """μ', γ and t as docs/theory.md states them, E by its recursion; slow: a step at a time, with 40 digits."""
    c, total = step_rate(of), F(0)
    for _ in range(run.steps - 1):
        total = c * total + run.step_error
    if of.radius is not None:
        total = min(total, 2 * of.radius)
    tau = mp.sqrt(2 * real(of.step_size)) * real(of.noise_std)
    width = (real(run.grid) + real(run.step_error)) / tau
    inner = 2 * real(run.step_error) / real(run.grid) * mp.exp((REACH + width) * width)
    missed = run.steps * run.dimension * real(run.uncoupled) + real(run.failure)
    gamma, t = -run.dimension * mp.log(1 - inner), 2 * run.dimension * mp.ncdf(-REACH + width) + missed
    return real(mu) + 2 * real(c) * real(total) / tau, gamma, t


def stated(bound: ExecutedBound) -> tuple[F, F, F]:
    return F(bound.mu), F(bound.gamma), F(bound.t)


RUNS = [
    (mechanism(), {}),
    (mechanism(F(0)), {"steps": 1}),
    (mechanism(F(1)), {"steps": 200}),
    (mechanism(F(999, 1000), F(1, 100)), {"steps": 500, "dimension": 7850}),
    (mechanism(F(1, 2), F(20)), {"step_error": F(1, 10**4)}),
    (mechanism(F(1), F(5), radius=F(1, 1000)), {"step_error": F(1, 10**4), "steps": 300}),
    (mechanism(loss=ConstantLoss(smoothness=F(1, 50), strong_convexity=0, gradient_bound=1, convex=False)), {}),
]


@pytest.mark.parametrize(("of", "changes"), RUNS)
@pytest.mark.parametrize("mu", [F(0), F(1, 3), F(2)])
def test_every_number_is_where_the_recursion_puts_it_and_no_lower(of: NoisySGD, changes: dict, mu: F) -> None:
    run = execution(of, **changes)
    bound = executed_bound(of, mu, F(1, 10**5), run)
    with mp.workdps(40):
        for shown, exact in zip(stated(bound), oracle(of, mu, run), strict=True):
            assert exact <= real(shown) <= exact * (1 + mpf(10) ** -11)


@settings(max_examples=15, deadline=None)
@given(
    st.fractions(0, 1, max_denominator=1000),
    st.fractions(F(1, 100), 3, max_denominator=100),
    st.integers(1, 60),
    st.integers(1, 10**4),
    st.integers(6, 20),
    st.integers(3, 8),
)
def test_the_stated_epsilon_holds_and_one_digit_less_does_not(c, mu, steps, dimension, digits, delta_digits) -> None:
    """With the printed μ', γ and t the sum of T28 is at most δ at the printed ε, and above δ a little below."""
    of, delta = mechanism(c), F(1, 10**delta_digits)
    run = execution(of, steps=steps, dimension=dimension, step_error=F(1, 10**digits))
    bound = executed_bound(of, mu, delta, run)
    new_mu, gamma, t = stated(bound)
    with mp.workdps(40):
        m, g, lost = real(new_mu), real(gamma), real(t)

        def total(epsilon: mpf) -> mpf:
            ideal = epsilon - 2 * g
            return mp.exp(g) * delta_of(m, ideal) + (1 + mp.exp(ideal + 2 * g)) * lost

        if bound.epsilon is None:  # not even beside a little room
            assert all(total(2 * g + mpf(i) / 8) > real(delta) * (1 - mpf(10) ** -3) for i in range(300))
            return
        epsilon = real(bound.epsilon)
        assert epsilon >= 2 * g
        assert total(epsilon) <= real(delta)
        plain = delta_of(m, mpf(0)) * mp.exp(g) + (1 + mp.exp(2 * g)) * lost <= real(delta)  # no ε' is needed
        tangent = (1 + mp.exp(epsilon)) * lost > real(delta) / 2  # the sum hardly falls there any more
        assert plain or tangent or total(epsilon * (1 - mpf(10) ** -10)) > real(delta)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 50), st.integers(1, 500), st.fractions(F(1, 10**14), F(1, 10**6)), st.integers(1, 5))
def test_more_steps_parameters_or_errors_never_cost_less(steps: int, dimension: int, error: F, factor: int) -> None:
    of = mechanism(F(9, 10))
    known = {"steps": steps, "dimension": dimension, "step_error": error}
    base = executed_bound(of, F(1, 2), F(1, 10**5), execution(of, **known))
    for key in known:
        larger = executed_bound(of, F(1, 2), F(1, 10**5), execution(of, **known | {key: known[key] * factor}))
        assert all(x >= y for x, y in zip(stated(larger), stated(base), strict=True))
        assert larger.epsilon is None or F(larger.epsilon) >= F(base.epsilon)


@pytest.mark.parametrize("share", [F(1, 20), F(1, 200), F(1, 10**6)])
@pytest.mark.parametrize("centres", [F(1, 7), F(0), F(-3)])
def test_the_grid_costs_what_a_worst_rounding_shows(share: F, centres: F) -> None:
    """One coordinate: two exact normals, of which each value is moved by e before it is rounded to the grid, in the one
    run away from a cell's middle and in the other towards it. The exact laws of the cells obey T28's inequality."""
    of = mechanism(F(0))
    grid = public_grid(of)
    error = grid * share
    run = execution(of, steps=1, dimension=1, step_error=error, uncoupled=F(0), failure=F(0))
    tau = mp.sqrt(2)
    with mp.workdps(40):
        mu = F(1, 2)
        new_mu, gamma, t = stated(executed_bound(of, mu, F(1, 10**5), run))
        assert new_mu > mu * (1 - F(1, 10**9))
        e, size, start = real(error), real(grid), real(centres)

        def mass(low: mpf, high: mpf, centre: mpf) -> mpf:
            return mp.ncdf((high - centre) / tau) - mp.ncdf((low - centre) / tau)

        for cell in range(-900, 900, 61):
            low, high = (cell - mpf(1) / 2) * size, (cell + mpf(1) / 2) * size
            ideal = mass(low, high, start)
            widest, narrowest = mass(low - e, high + e, start), mass(low + e, high - e, start)
            assert widest <= mp.exp(real(gamma)) * ideal + real(t)
            assert ideal <= mp.exp(real(gamma)) * narrowest + real(t)


def test_the_grid_is_the_largest_power_of_two_below_a_256th_of_the_noise() -> None:
    for noise in (F(1, 1000), F(3, 7), F(1), F(12345), F(1, 2**30)):
        grid = public_grid(mechanism(noise_std=noise))
        assert (256 * grid) ** 2 <= 2 * noise**2 < (512 * grid) ** 2
        assert grid.numerator == 1 or grid.denominator == 1
    exactly = mechanism(step_size=F(1, 2), noise_std=F(256))  # τ = 256: the boundary itself
    assert public_grid(exactly) == 1


def test_no_epsilon_is_stated_where_the_failures_alone_are_more_than_delta() -> None:
    of = mechanism()
    assert executed_bound(of, F(1, 2), F(1, 10**5), execution(of, failure=F(1, 10**5))).epsilon is None
    assert executed_bound(of, F(1, 2), F(1, 10**5), execution(of, failure=F(1, 10**7))).epsilon is not None


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"steps": 0}, "executed.steps"),
        ({"dimension": 0}, "executed.dimension"),
        ({"step_error": F(0)}, "executed.step_error"),
        ({"step_error": -TINY}, "executed.step_error"),
        ({"step_error": F(1)}, "executed.step_error"),
        ({"grid": F(0)}, "executed.grid"),
        ({"grid": F(1)}, "executed.grid"),
        ({"uncoupled": F(1)}, "executed.uncoupled"),
        ({"uncoupled": F(-1, 9)}, "executed.uncoupled"),
        ({"failure": F(3, 2)}, "executed.failure"),
    ],
)
def test_side_conditions(changes: dict, key: str) -> None:
    of = mechanism()
    with pytest.raises(InvalidMechanism) as refused:
        executed_bound(of, F(1), F(1, 10**5), execution(of, **changes))
    assert refused.value.key == key


def test_an_error_of_a_sixteenth_of_the_grid_is_too_much() -> None:
    of = mechanism()
    with pytest.raises(InvalidMechanism, match="less than 1/16"):
        execution(of, step_error=public_grid(of) / 16)
    execution(of, step_error=public_grid(of) / 17)


@pytest.mark.parametrize(("mu", "delta"), [(F(-1), F(1, 9)), (F(1), F(0)), (F(1), F(1))])
def test_a_claim_that_is_none_is_refused(mu: F, delta: F) -> None:
    of = mechanism()
    with pytest.raises(InvalidMechanism):
        executed_bound(of, mu, delta, execution(of))


def test_steps_without_a_lipschitz_constant_are_refused() -> None:
    of = mechanism(loss=ClippedLoss(regularization=F(1, 2), clip=1))
    with pytest.raises(InvalidMechanism, match="no known Lipschitz constant"):
        executed_bound(of, F(1), F(1, 10**5), execution(of))


def test_errors_that_grow_beyond_meaning_are_refused() -> None:
    growing = ConstantLoss(smoothness=1, strong_convexity=0, gradient_bound=1, convex=False)
    of = mechanism(loss=growing)
    with pytest.raises(Indeterminate, match="says nothing"):
        executed_bound(of, F(1), F(1, 10**5), execution(of, steps=1000))


def test_an_epsilon_below_what_gamma_alone_costs_is_never_right() -> None:
    assert not satisfies(F(0), F(1, 2), F(0), F(99, 100), F(1, 2))
    assert satisfies(F(0), F(1, 2), F(0), F(1), F(1, 2))
