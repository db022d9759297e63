"""Steps without convexity: T22 and T23."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from certify import checker


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_clipped_step_bounds_any_two_steps(data: st.DataObject) -> None:
    """Exactly, on rational points: gradients of norm up to M, anything at all of the states."""
    tenth = st.fractions(-5, 5, max_denominator=10)
    m, eta = data.draw(st.fractions(0, 1, max_denominator=10)), data.draw(st.fractions(Fraction(1, 10), 1))
    bound = data.draw(st.fractions(0, 3, max_denominator=10))
    drift = checker.clipped_step(eta, m, bound)
    for signs in ((1, 1), (1, -1), (-1, 1)):
        x, y = data.draw(tenth), data.draw(tenth)
        moved = [z - eta * (m * z + sign * bound) for z, sign in zip((x, y), signs, strict=True)]
        assert abs(moved[0] - moved[1]) <= drift.factor * abs(x - y) + drift.distance
    apart = [z - eta * (m * z - sign * bound) for z, sign in ((Fraction(2), 1), (Fraction(-1), -1))]
    assert apart[0] - apart[1] == drift.factor * 3 + drift.distance  # attained


def test_nonconvex_step_is_attained() -> None:
    """f(x) = -L/2·x² for |x| ≤ 1: the step takes x to (1+ηL)·x."""
    eta, smooth = Fraction(1, 3), Fraction(2)
    assert checker.nonconvex_step(eta, smooth) * (Fraction(1) - Fraction(-1)) == 2 * (1 + eta * smooth)
