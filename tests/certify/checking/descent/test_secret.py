"""A secret order of the batches: T9, T9r and T6m."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import mpmath as mp
import pytest

from certify import checker
from tests.certify.checking.cases import BITS, contains, ends, exact_delta, hidden_timeline, real
from tests.vectors import make_certificates as make

pytestmark = pytest.mark.usefixtures("sixty_digits")


@pytest.mark.parametrize("c", ["0", "0.3", "0.95", "1"])
@pytest.mark.parametrize(("batches", "learning", "unlearning"), [(4, 3, 1), (4, 3, 0), (1, 2, 0), (3, 1, 2), (5, 1, 0)])
def test_squared_mus(c: str, batches: int, learning: int, unlearning: int) -> None:
    """Against the lower convex hull of each position's own timeline."""
    timeline, described = hidden_timeline(c, batches, learning, unlearning)
    found = checker.squared_mus(timeline, list(range(batches)), BITS)
    for position, square in enumerate(found):
        moments, w, v, _ = make.walk(make.moved(described, position), Fraction(0), Fraction(c), Fraction(2))
        assert contains(square, make.string(moments, w, v, Fraction(c))[1])
    some = checker.squared_mus(timeline, [0, batches - 1], BITS)
    assert [ends(x)[0] <= ends(y)[1] <= ends(x)[1] * 2 for x, y in zip(some, (found[0], found[-1]), strict=True)]
    assert all(ends(x)[0] <= ends(y)[1] for x, y in pairwise(found))  # the last position is the worst


@pytest.mark.parametrize("c", ["0.7", "0.95", "1"])
@pytest.mark.parametrize("unlearning", [0, 1])
def test_secret_order(c: str, unlearning: int) -> None:
    """The mean over all positions, from mpmath; with gaps, the rules are on the right side of it."""
    timeline, _ = hidden_timeline(c, 9, 3, unlearning)
    squares = checker.squared_mus(timeline, list(range(9)), 256)
    for epsilon in (Fraction(1, 2), Fraction(2), Fraction(5)):
        mean = sum(exact_delta(epsilon, sum(ends(square.sqrt())) / 2) for square in squares) / 9
        for rule in ("chord", "right", "left"):
            assert contains(checker.secret_order(timeline, list(range(9)), rule)(epsilon, 256), mean, "1e-40")
        for positions in ([0, 8], [0, 5, 7, 8], [0, 1, 2, 8]):
            right, left = (checker.secret_order(timeline, positions, r)(epsilon, BITS) for r in ("right", "left"))
            assert real(left.low) <= mean * (1 + mp.mpf("1e-25")) and mean <= real(right.high) * (1 + mp.mpf("1e-25"))
            try:
                chord = checker.secret_order(timeline, positions, "chord")(epsilon, BITS)
            except checker.DoesNotFollow:
                assert not unlearning or max(ends(squares[-1])) > 2 * epsilon
            else:
                assert unlearning and mean <= real(chord.high) and real(chord.low) <= real(right.high)


def test_secret_order_of_the_mnist_run() -> None:
    """ε 0.0423035 against 0.0779603 with a fixed order; and a large epoch with few positions takes seconds."""
    step, run = Fraction(1) / Fraction("0.261264"), make.run_file()["mechanism"]
    phases = [
        {"epochs": epochs, "batches": "88", "step_size": str(step), "noise_std": run["noise_std"], "records": records}
        for epochs, records in (("100", [["87", "1"]]), ("1", []))
    ]
    shift, c = 2 * step / 128, 1 - step * Fraction("0.011264")
    timeline = checker.requests(Fraction(0), None, phases, [c, c], [shift, shift])
    delta = checker.secret_order(timeline, list(range(88)), "chord")
    assert delta(Fraction("0.0423036"), BITS) <= Fraction(1, 11264) < delta(Fraction("0.0423034"), BITS)
    phases[0] |= {"batches": "1000000", "records": [["999999", "1"]]}
    large = checker.requests(Fraction(0), None, phases[:1], [c], [shift])
    positions = [*range(0, 999_000, 1500), *range(999_000, 10**6, 5), 999_999]
    assert checker.secret_order(large, positions, "right")(Fraction("0.01"), BITS) > 0


@pytest.mark.parametrize("positions", [[0, 1, 2, 3, 4, 5], [0, 3, 5]])
def test_secret_witness(positions: list[int]) -> None:
    """Against the mixtures themselves; with gaps it is below them."""
    _, described = hidden_timeline("1", 6, 2, 1)
    m, one, threshold, epsilon = Fraction(1, 5), Fraction(7, 2), Fraction("2.5"), Fraction(3, 2)
    distances = []
    for position in range(6):
        _, w, v, _ = make.walk(make.moved(described, position), Fraction(0), 1 - m / 2, one)
        distances.append(w)
    root, t = mp.sqrt(v), make.real(threshold)
    p, q = (mp.fsum(mp.ncdf((sign * d / 2 - t) / root) for d in distances) / 6 for sign in (1, -1))
    truth = p - mp.exp(make.real(epsilon)) * q
    found = checker.secret_witness(m, one, described, positions, threshold, epsilon)(BITS)
    if len(positions) == 6:
        assert contains(found, truth)
    else:
        assert real(found.high) < truth


@pytest.mark.parametrize("positions", [list(range(6)), [0, 3, 5], [0, 5]])
@pytest.mark.parametrize("unlearning", [0, 1])
def test_secret_renyi(positions: list[int], unlearning: int) -> None:
    """Above the divergence of two mixtures of Gaussians that are as far apart; with all positions, the formula."""
    timeline, described = hidden_timeline("0.9", 6, 2, unlearning)
    mus = []
    for position in range(6):
        moments, w, v, _ = make.walk(make.moved(described, position), Fraction(0), Fraction("0.9"), Fraction(2))
        mus.append(mp.sqrt(make.string(moments, w, v, Fraction("0.9"))[1]))
    is_below = checker.secret_renyi(timeline, positions)
    for order in (Fraction(3, 2), Fraction(8)):
        a = make.real(order)
        formula = mp.log(mp.fsum(mp.exp((a - 1) * a * mu**2 / 2) for mu in mus) / 6) / (a - 1)
        low, high = (Fraction(make.outward(formula, up)) for up in (False, True))
        assert not is_below(order, low, BITS)
        if len(positions) == 6:
            assert is_below(order, high, BITS)
        else:
            assert is_below(order, Fraction(make.outward(a * mus[-1] ** 2 / 2, True)), BITS)  # the worst position

        def integrand(x: mp.mpf, a: mp.mpf = a) -> mp.mpf:
            p, q = (mp.fsum(mp.npdf(x, sign * mu / 2) for mu in mus) / 6 for sign in (1, -1))
            return p**a * q ** (1 - a)

        with mp.workdps(20):
            assert mp.log(mp.quad(integrand, [-40, -10, -3, 0, 3, 10, 40])) / (a - 1) <= formula
