"""T20: how δ is shared between a run and the batches of it that are cut."""

from __future__ import annotations

import math
from fractions import Fraction as F

import pytest
from mpmath import mp, mpf

from accountant import enclose
from accountant.core.scaling import Clip
from accountant.dpsgd.derive import derive_training, estimate_mechanism, lower_bound
from accountant.dpsgd.truncation import least_cap, log_tails, most_cost, share
from accountant.mechanisms.dpsgd import ScaledSGD, Stage
from accountant.mechanisms.pnsgd import InvalidMechanism
from accountant.pld import Release, bracket

DELTA = F("1e-5")
STAGE = Stage(1, "0.01", 1000)
RELEASES = (Release("poisson", 1, "0.01", 1000),)


def cut(cap: int | None) -> ScaledSGD:
    return ScaledSGD(Clip(1), (STAGE,), samples=10000, max_batch_size=cap)


def cost(cap: int) -> mpf:
    """C by T20's formula, in many digits."""
    n, k, q = 10001, cap + 1, mpf("0.01")
    return 1000 * (n * q / k) ** k * (n * (1 - q) / (n - k)) ** (n - k)


@pytest.mark.parametrize("cap", [110, 170, 400, 9999])
def test_tails_are_the_formulas(cap: int) -> None:
    with mp.workdps(60):
        assert log_tails(RELEASES, 10001, cap) == pytest.approx(float(mp.log(cost(cap))), rel=1e-11)


def test_tails_at_the_ends() -> None:
    assert log_tails(RELEASES, 10001, 99) == math.inf  # not above the mean batch
    assert log_tails(RELEASES, 10001, 10001) == -math.inf  # nothing is ever cut
    assert log_tails((Release("poisson", 1, 0, 5),), 10001, 3) == -math.inf


@pytest.mark.parametrize("log_cost", [-40.0, -15.0, -14.0, -13.7, -13.6, -13.5, -13.45, -13.42, -13.4, -13.3, -5.0])
def test_the_least_share_against_every_share(log_cost: float) -> None:
    """The oracle looks at ten thousand shares; ε = −log δ/8 + 1, with δ what is left."""

    def epsilon(delta: float) -> float:
        return 1 - math.log(delta) / 8

    def enough(part: float) -> bool:
        return math.exp(log_cost) * (1 + math.exp(epsilon(1e-5 * (1 - part)))) <= 1e-5 * part

    shares = [i / 10**4 for i in range(1, 10**4) if enough(i / 10**4)]
    found = share(log_cost, epsilon, 1e-5)
    if not shares:
        assert found is None or not enough(found * (1 - 1e-3))
        return
    assert found is not None and abs(found - shares[0]) <= max(1e-3, 1e-4)
    assert enough(found * (1 + 1e-5))


def test_the_dearest_cut_that_has_a_share() -> None:
    def epsilon(delta: float) -> float:
        return 1 - math.log(delta) / 8

    most = most_cost(epsilon, 1e-5)
    assert share(most - 1e-3, epsilon, 1e-5) is not None and share(most + 1e-3, epsilon, 1e-5) is None


def test_a_cut_that_costs_most_of_delta_is_answered() -> None:
    """C·(1 + e^ε) is .62 of δ; it was refused from a quarter on. ε is that of the batches as drawn, at the rest."""
    made = derive_training(cut(170), DELTA)
    budget = dict(made.upper.arguments)["budget"]
    epsilon = enclose(made.upper).upper
    assert DELTA / 2 < budget < DELTA
    with mp.workdps(40):
        charge = cost(170) * (1 + mp.exp(mpf(epsilon.numerator) / epsilon.denominator))
        assert charge <= mpf(budget.numerator) / budget.denominator <= charge * mpf("1.01")
    rest = bracket(RELEASES, "add-or-remove-one", DELTA - budget)
    assert rest.pair_lower < epsilon < rest.upper * F(1001, 1000)
    assert abs(estimate_mechanism(cut(170), DELTA) / float(epsilon) - 1) < 1e-3
    assert lower_bound(cut(170), DELTA, width=F(1, 1000)) < epsilon


@pytest.mark.parametrize(("target", "certified"), [("1.9553", True), ("1.95", False)])
def test_the_target_decides_which_shares_are_tried(target: str, certified: bool) -> None:
    """`least` exceeds a target only where no share meets it: ten of them are looked at one by one."""
    made = derive_training(cut(170), DELTA, target=F(target))
    assert (enclose(made.upper).upper <= F(target)) is certified
    assert (made.least > F(target)) is not certified
    if certified:
        return
    for part in range(55, 100, 5):
        left = bracket(RELEASES, "add-or-remove-one", DELTA * F(100 - part, 100)).pair_lower
        needed = cost(170) * (1 + mp.exp(mpf(float(max(left, F(target))))))
        assert left > F(target) or needed > mpf(float(DELTA)) * part / 100


def test_the_least_cap_is_named() -> None:
    with pytest.raises(
        InvalidMechanism, match=r"^max_batch_size: 150 cuts .* no share of δ .*: 170 is the least"
    ) as no:
        derive_training(cut(150), DELTA)
    assert no.value.key == "max_batch_size"
    with pytest.raises(InvalidMechanism, match="170 is the least that works"):
        derive_training(cut(169), DELTA)
    assert least_cap(RELEASES, 10001, log_tails(RELEASES, 10001, 170)) == 170
    assert estimate_mechanism(cut(169), DELTA) == math.inf
    # not even if e^ε were as small as the ε of the batches as drawn, at all of δ, and all of δ were its share
    least = bracket(RELEASES, "add-or-remove-one", DELTA).pair_lower
    assert cost(168) * (1 + mp.exp(mpf(float(least)))) > mpf("1e-5")


def test_a_cut_that_costs_nothing_takes_a_thousandth() -> None:
    made = derive_training(cut(300), DELTA)
    assert dict(made.upper.arguments)["budget"] == DELTA / 1000


def of_thirty_thousand(cap: int | None) -> ScaledSGD:
    return ScaledSGD(Clip(1), (STAGE,), samples=30000, max_batch_size=cap)


def test_a_cap_at_the_mean_batch_is_another_mechanism() -> None:
    """n = 30000, q = .01, T = 1000. At a cap of 460 the cuts cost nothing that is seen (dp_accounting: 1.828); at 300
    half of all batches are cut, dp_accounting gives 11.0, and T20 no bound at all, least of all that of no cuts."""
    assert estimate_mechanism(of_thirty_thousand(460), DELTA) == pytest.approx(1.828, abs=1e-3)
    assert estimate_mechanism(of_thirty_thousand(None), DELTA) == pytest.approx(1.828, abs=1e-3)
    with pytest.raises(InvalidMechanism, match=r"^max_batch_size: 300 cuts .*: 417 is the least that works"):
        derive_training(of_thirty_thousand(300), DELTA)


@pytest.mark.slow
def test_a_cap_above_the_mean_batch_is_certified_as_such() -> None:
    whole, seldom, often = (
        enclose(derive_training(of_thirty_thousand(cap), DELTA).upper).upper for cap in (None, 460, 417)
    )
    assert F("1.828") < whole < seldom < F("1.83") and often > whole * F("1.05")
