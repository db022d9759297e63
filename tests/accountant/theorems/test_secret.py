"""T9: a secret batch order, against the mean of δ over all batches in mpmath."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from scipy import special

from accountant import (
    ConstantLoss,
    NoisySGD,
    TheoremError,
    apply,
    derive,
    derive_epsilon,
    derive_timeline,
    derive_upper,
    enclose,
    enclose_all,
    evaluate,
    theorems,
)
from accountant.core.arithmetic import Float
from accountant.core.arithmetic.floats import log_gaussian_delta
from accountant.pnsgd.derive import RENYI_ORDERS, derive_renyi, derive_secret
from accountant.pnsgd.search.secret import MAX_CURVE_POSITIONS, curve_positions, derive_secret_renyi
from accountant.pnsgd.search.witness import MAX_EXACT, MAX_POSITIONS, choose_positions
from accountant.theorems.secret import weights_of
from tests.accountant.cases import Stage, history, mnist, run, stage, unroll
from tests.multiprecision import big
from tests.oracles import conversions
from tests.oracles import timeline as oracle

DELTA = F(1, 11264)
CHORD = "for the chord rule"


def two_phases(c: F, batches: int, epochs: int, erased: int, position: int, noise: F = F(1), shift: F = F(1)):
    """Learning with the record in that batch, then K epochs without it."""
    learning = stage(c, shift, epochs=epochs, batches=batches, records=[(position, 1)], noise_std=noise)
    return [learning, stage(c, shift, epochs=erased, batches=batches, noise_std=noise)] if erased else [learning]


def secret(stages: list[Stage], delta: F | str, positions: tuple[int, ...] | None = None, rule: str = "chord"):
    """T9; every batch is looked at unless said otherwise."""
    positions = tuple(range(stages[0].batches)) if positions is None else positions
    return apply(theorems.secret_order, history(stages), delta=F(delta), positions=positions, rule=rule)


def brute_force_mus(c: F, batches: int, epochs: int, erased: int, noise: F = F(1)) -> list[mpf]:
    """μ_j of every batch: the string under each staircase, step by step in rationals; its root at the digits in
    force."""
    mus = []
    for j in range(batches):
        square, _ = oracle.taut_string(unroll(two_phases(c, batches, epochs, erased, j, noise)))
        mus.append(mp.sqrt(mpf(square.numerator) / square.denominator))
    return mus


@pytest.mark.parametrize("erased", [0, 1, 2])
@pytest.mark.parametrize(("c", "batches", "epochs"), [(F(9, 10), 5, 2), (F(1), 4, 3), (F(1, 2), 3, 1), (F(3, 4), 1, 2)])
def test_secret_order_against_mpmath(c: F, batches: int, epochs: int, erased: int) -> None:
    """The mean of δ over the batches is at most δ at the upper end of ε, and at least δ at the lower end."""
    for delta, noise in (("1e-5", F(1)), ("1e-9", F(1, 3)), ("0.02", F(4))):
        found = enclose(secret(two_phases(c, batches, epochs, erased, batches - 1, noise), delta))
        with mp.workdps(80):
            mus = brute_force_mus(c, batches, epochs, erased, noise)
            assert conversions.secret_order_delta(big(found.upper), mus) <= mpf(delta)
            if found.lower > 0:
                assert found.sharp
                assert conversions.secret_order_delta(big(found.lower), mus) >= mpf(delta)
            else:
                assert conversions.secret_order_delta(0, mus) <= mpf(delta)


def test_no_contraction_at_all_and_none_left() -> None:
    """c = 0: after a clean step nothing is left; while learning only the last batch tells anything."""
    assert enclose(secret(two_phases(F(0), 4, 3, 1, 3), "1e-5")).upper == 0
    learned = enclose(secret(two_phases(F(0), 4, 3, 0, 3), "1e-5"))
    with mp.workdps(60):
        assert conversions.secret_order_delta(big(learned.upper), [0, 0, 0, 1]) <= mpf("1e-5")
        assert conversions.secret_order_delta(big(learned.lower), [0, 0, 0, 1]) >= mpf("1e-5")


# --- rules ------------------------------------------------------------------------------------------------------------


def test_weights_add_up_to_the_batches() -> None:
    for positions in ((0,), (0, 1), (0, 9), (0, 4, 9), tuple(range(10)), (0, 7, 8, 9)):
        for rule in ("chord", "right"):
            assert sum(weights_of(positions, rule)) == positions[-1] + 1
    assert weights_of((0, 4, 9), "right") == [1, 4, 5]
    assert weights_of((0, 4, 9), "chord") == [F(5, 2), F(9, 2), F(3)]
    assert weights_of((0, 1, 2), "chord") == [1, 1, 1] == weights_of((0, 1, 2), "right")


@settings(max_examples=60)
@given(
    st.sampled_from([F(1, 2), F(9, 10), F(99, 100), F(1)]),
    st.integers(2, 12),
    st.integers(1, 4),
    st.integers(0, 2),
    st.sampled_from([F(1, 2), F(1), F(5)]),
    st.sampled_from(["1e-6", "0.01", "0.2"]),
    st.data(),
)
def test_looking_at_fewer_batches_is_never_less(c, batches, epochs, erased, noise, delta, data) -> None:
    """Either rule bounds the exact mean from above, and "right" by more; "chord" only where it is proved."""
    made = two_phases(c, batches, epochs, erased, batches - 1, noise)
    inside = data.draw(st.sets(st.integers(0, batches - 1)))
    positions = tuple(sorted(inside | {0, batches - 1}))
    exact = enclose(secret(made, delta))
    right = enclose(secret(made, delta, positions, "right"))
    assert right.upper >= exact.lower
    if len(positions) == batches:
        assert right == exact
    try:
        chord = enclose(secret(made, delta, positions, "chord"))
    except TheoremError as refused:
        assert CHORD in str(refused) and len(positions) < batches
        return
    assert exact.lower <= chord.upper and chord.lower <= right.upper


@pytest.mark.parametrize("rule", ["chord", "right"])
def test_the_rules_converge_to_the_exact_mean(rule: str) -> None:
    made = two_phases(F(99, 100), 65, 3, 1, 64, F(2))
    exact, gaps = enclose(secret(made, "1e-5")).upper, []
    for every in (32, 16, 8, 4, 2):
        found = enclose(secret(made, "1e-5", tuple(range(0, 65, every)), rule)).upper
        gaps.append(float(found / exact - 1))
    assert gaps == sorted(gaps, reverse=True) and gaps[-1] > 0
    assert all(later / earlier < (0.4 if rule == "chord" else 0.7) for earlier, later in pairwise(gaps))


def test_the_chord_is_refused_where_the_mean_is_not_convex() -> None:
    """While learning, where the two segments of the string meet; and at ε below μ²/2, where δ bends the other way."""
    with pytest.raises(TheoremError, match=r"secret_order \(T9\): needs K ≥ 1 for the chord rule"):
        secret(two_phases(F(9, 10), 5, 3, 0, 4), "1e-5", (0, 4))
    with pytest.raises(TheoremError, match=r"secret_order \(T9\): needs μ² ≤ 2ε for the chord rule"):
        secret(two_phases(F(9, 10), 5, 3, 1, 4, F(1, 9)), "0.4", (0, 4))
    for made, delta in ((two_phases(F(9, 10), 5, 3, 0, 4), "1e-5"), (two_phases(F(9, 10), 5, 3, 1, 4, F(1, 9)), "0.4")):
        assert enclose(secret(made, delta)).upper > 0  # where every batch is looked at, both are exact
        assert enclose(secret(made, delta, (0, 4), "right")).upper > enclose(secret(made, delta)).upper


def test_the_chord_would_be_wrong_there() -> None:
    """δ is concave in μ beyond √(2ε): the mean of the ends lies below the mean of all."""
    with mp.workdps(50):
        mus = brute_force_mus(F(9, 10), 5, 3, 1, F(1, 9))
        ends = (5 * conversions.delta_gdp(1, mus[0]) + 5 * conversions.delta_gdp(1, mus[-1])) / 10
        assert ends < conversions.secret_order_delta(1, mus)


# --- where it applies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"requests": (2,)},
        {"initial_distance": F(1, 100)},
        {"step_size": F(5, 2), "radius": 3},
        {"release": "all"},
        {"reference": "stationary", "radius": 3},
        {"batch_order": "fixed"},
    ],
)
def test_where_it_does_not_apply_the_worst_batch_counts(changes) -> None:
    made = run(**({"unlearning_epochs": 1, "batch_order": "secret"} | changes))
    upper = derive_upper(made, "1e-5")
    assert upper.theorem.id in ("T11", "T24") and "batches:secret" not in upper.assumptions
    worst = enclose(derive_epsilon(derive(made), "1e-5"))
    assert enclose(upper) == worst if upper.theorem.id == "T11" else enclose(upper).upper < worst.lower


def test_the_second_request_is_not_hidden() -> None:
    made = run(requests=(1, 1), unlearning_epochs=(1, 1), batch_order="secret")
    assert [derive_upper(made, "1e-5", request).theorem.id for request in (0, 1)] == ["T9", "T11"]


def test_two_records_are_refused_by_the_theorem_itself() -> None:
    """Two records share a batch with probability 1/l alone: their shift may not be doubled and then averaged."""
    for records in ([(3, 2)], [(2, 1), (3, 1)]):
        made = [stage(F(9, 10), epochs=2, batches=4, records=records), stage(F(9, 10), batches=4)]
        with pytest.raises(TheoremError, match="one differing record, in the last batch of learning"):
            secret(made, "1e-5")


def test_averaging_a_doubled_shift_would_print_less_than_the_truth() -> None:
    """c = 1, no clean steps counted: two records anywhere against two records in one uniform batch."""
    l, steps = 4, [(F(1, 4), F(0), F(1))] * 4  # noqa: E741

    def square(*positions: int) -> F:
        return oracle.straight_witness(
            [(c, F(positions.count(k)), v) for k, (c, _, v) in enumerate(steps)]
        )[0] ** 2  # fmt: skip

    variance = oracle.straight_witness(steps)[1]
    with mp.workdps(40):
        apart = [mp.sqrt(big(square(i, j) / variance)) for i in range(l) for j in range(l)]
        doubled = [mp.sqrt(big(square(j, j) / variance)) for j in range(l)]
        assert conversions.secret_order_delta(2, apart) < conversions.secret_order_delta(2, doubled[-1:])
        assert conversions.secret_order_delta("0.01", apart) > conversions.secret_order_delta("0.01", doubled)


# --- facts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch_size", "epochs", "sigma", "epsilon"),
    [(128, 100, "0.00410007312893974", 0.0423035), (512, 200, "0.0296407", 0.0577226)],
)
def test_facts_of_the_published_setting(batch_size: int, epochs: int, sigma: str, epsilon: float) -> None:
    made = mnist(batch_size, epochs, 1, sigma, batch_order="secret")
    hidden, fixed = derive_upper(made, DELTA), derive_upper(mnist(batch_size, epochs, 1, sigma), DELTA)
    assert (hidden.theorem.id, fixed.theorem.id) == ("T9", "T11")
    assert float(enclose(hidden).upper) == pytest.approx(epsilon, abs=6e-8)
    assert enclose(hidden).upper < enclose(fixed).lower
    assert hidden.assumptions == fixed.assumptions | {"batches:secret"}
    assert float(evaluate(hidden, Float()).epsilon) == pytest.approx(float(enclose(hidden).upper), rel=1e-9)


@settings(max_examples=60)
@given(
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(0, 2),
    st.sampled_from([F(1, 4), F(1), F(3, 2), F(2)]),
    st.sampled_from(["1/5", "1", "6"]),
    st.sampled_from(["1e-8", "1e-3", "0.3"]),
)
def test_a_secret_order_is_never_worse_than_a_fixed_one(batches, epochs, erased, step, noise, delta) -> None:
    made = run(batches, epochs=epochs, unlearning_epochs=erased, step_size=step, noise_std=noise, batch_order="secret")
    hidden, fixed = enclose(derive_upper(made, delta)), enclose(derive_epsilon(derive(made), delta))
    assert hidden.lower <= fixed.upper
    if batches == 1:
        assert hidden.lower <= fixed.upper and fixed.lower <= hidden.upper


def float_mus(made: NoisySGD) -> np.ndarray:
    """μ_j of every batch in doubles, K ≥ 1, from the recursion's closed sums."""
    l, c = made.batches, 1 - float(made.step_size * made.loss.strong_convexity)  # noqa: E741
    s = 2 * float(made.step_size * made.loss.gradient_bound) / made.batch_size
    variance, k = 2 * float(made.step_size) * float(made.noise_std) ** 2, made.unlearning_epochs[0]
    j = np.arange(l)
    learned = s * c ** (l - 1 - j) * (1 - c ** (l * made.epochs)) / (1 - c**l)
    return learned * c ** (l * k) / np.sqrt(variance * (1 - c ** (2.0 * (l * (made.epochs + k) - j))) / (1 - c * c))


def mean_delta(mus: np.ndarray, epsilon: float) -> float:
    """The whole mean in doubles."""
    return float(np.exp(special.logsumexp(log_gaussian_delta(mus, epsilon)))) / len(mus)


@pytest.mark.parametrize(("batches", "noise"), [(3_000, "0.001"), pytest.param(10**6, "0.01", marks=pytest.mark.slow)])
def test_many_batches_are_nearly_the_whole_mean(batches: int, noise: str) -> None:
    """So many that not all can be looked at: an upper bound, within 1e-3 of the mean over every one of them."""
    loss = ConstantLoss(1, F(2, batches), 1)
    made = run(batches, 1, loss=loss, step_size=1, unlearning_epochs=1, noise_std=noise, batch_order="secret")
    mus = float_mus(made)
    assert mus.max() == pytest.approx(float(enclose(derive(made)).upper), rel=1e-6)
    upper = derive_upper(made, "1e-5")
    assert len(dict(upper.arguments)["positions"]) <= MAX_POSITIONS + 1
    assert "batches:secret" in upper.assumptions
    found = float(enclose(upper).upper)
    assert mean_delta(mus, found) <= 1e-5 * (1 + 1e-9) and mean_delta(mus, found * (1 - 1e-3)) > 1e-5


def test_positions_are_chosen_as_the_theorem_wants_them() -> None:
    for batches, erased in ((3, 1), (MAX_EXACT, 1), (MAX_EXACT + 1, 1), (50_000, 0), (50_000, 2)):
        made = run(batches, 1, epochs=2, unlearning_epochs=erased, noise_std=3, loss=ConstantLoss(1, F(1, 100), 1))
        positions, rule = choose_positions(derive_timeline(made).preview, 1e-6)
        assert positions == tuple(sorted(set(positions))) and (positions[0], positions[-1]) == (0, batches - 1)
        assert len(positions) <= MAX_POSITIONS + 1
        assert batches > MAX_EXACT or (len(positions), rule) == (batches, "chord")
        assert erased or rule == "right" or batches <= MAX_EXACT


# --- attacked by exact mixtures ---------------------------------------------------------------------------------------


def straight_mixture(made: NoisySGD) -> tuple[list[F], F]:
    """(distance with the record in each batch, variance) of the linear members of the class, step by step."""
    slope, shift = 1 - made.step_size * made.loss.strong_convexity, 2 * made.step_size * made.loss.gradient_bound
    distances, variance = [], F(0)
    for j in range(made.batches):
        epoch = [(slope, shift / made.batch_size if k == j else 0, 2 * made.step_size * made.noise_std**2)
                 for k in range(made.batches)]  # fmt: skip
        clean = [(c, 0, v) for c, _, v in epoch]
        d, variance = oracle.straight_witness(epoch * made.epochs + clean * made.unlearning_epochs[0])
        distances.append(d)
    return distances, variance


@settings(max_examples=25)
@given(
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(0, 1),
    st.sampled_from([F(1, 4), F(1), F(4, 3)]),
    st.sampled_from(["1/5", "1", "4"]),
    st.sampled_from(["1e-6", "1e-2", "0.2"]),
)
def test_exact_mixtures_of_gaussians_stay_below_it(batches, epochs, erased, step, noise, delta) -> None:
    """Linear losses, the record in a uniform batch: δ(ε) of the two mixtures, exactly, is at most δ at T9's ε."""
    made = run(batches, epochs=epochs, unlearning_epochs=erased, step_size=step, noise_std=noise, batch_order="secret")
    epsilon = enclose(derive_upper(made, delta)).upper
    distances, variance = straight_mixture(made)
    with mp.workdps(50):
        truth = conversions.secret_order_witness(big(epsilon), [big(d) for d in distances], big(variance))
        assert truth <= mpf(delta) + mpf(10) ** -40


def test_the_mixture_attack_would_find_a_mean_that_forgets_the_worst_batch() -> None:
    """The same attack refutes the mean over the better half of the batches."""
    made = run(4, epochs=3, unlearning_epochs=0, noise_std=1, batch_order="secret")
    distances, variance = straight_mixture(made)
    with mp.workdps(50):
        mus = [mp.sqrt(big(d * d / variance)) for d in distances]
        truth = conversions.secret_order_witness(1, [big(d) for d in distances], big(variance))
        assert truth > conversions.secret_order_delta(1, mus[:2])


def test_messages_name_the_theorem() -> None:
    for positions in ((1, 2), (0, 1), (0, 2, 2), ()):
        with pytest.raises(TheoremError, match=r"secret_order \(T9\): needs positions ascend from 0 to l − 1"):
            secret(two_phases(F(9, 10), 3, 2, 1, 2), "1e-5", positions)


# --- T9r: the Rényi curve ---------------------------------------------------------------------------------------------

ORDERS = tuple(F(a) for a in ("1.001", "1.5", "2", "7", "64", "1000", "1000000"))


def curve(stages: list[Stage], positions: tuple[int, ...] | None = None, orders: tuple[F, ...] = ORDERS):
    """T9r; every batch is looked at unless said otherwise."""
    positions = tuple(range(stages[0].batches)) if positions is None else positions
    return apply(theorems.secret_renyi, history(stages), orders=orders, positions=positions)


@pytest.mark.parametrize("erased", [0, 1, 2])
@pytest.mark.parametrize(
    ("c", "batches", "epochs"), [(F(9, 10), 5, 2), (F(1), 4, 3), (F(0), 3, 2), (F(1, 2), 3, 1), (F(3, 4), 1, 2)]
)
def test_secret_curve_against_mpmath(c: F, batches: int, epochs: int, erased: int) -> None:
    """log-mean-exp of the brute-force μ_j, at orders from just above 1 to a million, where doubles would overflow."""
    for noise in (F(1), F(1, 100), F(40)):
        found = enclose_all(curve(two_phases(c, batches, epochs, erased, batches - 1, noise)))
        with mp.workdps(120):
            mus = brute_force_mus(c, batches, epochs, erased, noise)
        for order, enclosure in zip(ORDERS, found, strict=True):
            with mp.workdps(80):
                truth = conversions.secret_order_renyi(big(order), mus)
                slack = mpf(10) ** -40 * (1 + truth)  # the oracle's own error, at orders next to 1
                assert big(enclosure.lower) <= truth + slack and truth - slack <= big(enclosure.upper)
                assert enclosure.sharp


def test_the_curve_of_one_batch_is_that_of_one_gaussian() -> None:
    made = run(1, epochs=4, unlearning_epochs=1, batch_order="secret")
    hidden = enclose_all(derive_secret_renyi(derive_timeline(made), RENYI_ORDERS))
    for one, other in zip(hidden, enclose_all(derive_renyi(derive(made))), strict=True):
        assert one.lower <= other.upper and other.lower <= one.upper


@settings(max_examples=40)
@given(
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(0, 2),
    st.sampled_from([F(1, 4), F(1), F(3, 2), F(2)]),
    st.sampled_from(["1/50", "1", "6"]),
)
def test_the_curve_is_never_above_that_of_the_worst_batch(batches, epochs, erased, step, noise) -> None:
    made = run(batches, epochs=epochs, unlearning_epochs=erased, step_size=step, noise_std=noise, batch_order="secret")
    hidden = enclose_all(derive_secret_renyi(derive_timeline(made), RENYI_ORDERS))
    worst = enclose_all(derive_renyi(derive(made)))
    for order, one, other in zip(RENYI_ORDERS, hidden, worst, strict=True):
        assert one.lower <= other.upper
        # And not below it by more than the chance of the worst batch: E exp((α−1)D) ≥ exp((α−1)D_worst)/l.
        assert float(one.upper) >= float(other.lower) - np.log(batches) / float(order - 1) - 1e-9


@settings(max_examples=40)
@given(
    st.sampled_from([F(1, 2), F(9, 10), F(99, 100), F(1)]),
    st.integers(2, 12),
    st.integers(0, 2),
    st.sampled_from([F(1, 20), F(1), F(5)]),
    st.data(),
)
def test_a_curve_of_fewer_batches_is_never_less(c, batches, erased, noise, data) -> None:
    made = two_phases(c, batches, 3, erased, batches - 1, noise)
    positions = tuple(sorted(data.draw(st.sets(st.integers(0, batches - 1))) | {0, batches - 1}))
    exact, fewer = enclose_all(curve(made)), enclose_all(curve(made, positions))
    assert all(coarse.upper >= one.lower for coarse, one in zip(fewer, exact, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("batches", [3, 201, 3_000])
@pytest.mark.parametrize("noise", ["0.002", "0.05", "3"])
def test_the_curve_converts_to_no_less_than_the_profile(batches: int, noise: str) -> None:
    """T12 at every order stays above T9 with every batch looked at; the best order is not far above it."""
    loss = ConstantLoss(1, F(2, batches), 1)
    made = run(batches, 1, loss=loss, step_size=1, unlearning_epochs=1, noise_std=noise, batch_order="secret")
    timeline = derive_timeline(made)
    exact = enclose(
        apply(theorems.secret_order, timeline, delta=F(1, 10**5), positions=tuple(range(batches)), rule="chord")
        if batches <= 201
        else derive_secret(timeline, F(1, 10**5))
    )
    orders = tuple(F(a) for a in ("1.5", "2", "3", "5", "8", "16", "32", "64", "256", "1024"))
    pair = derive_secret_renyi(timeline, orders)
    found = [
        enclose(apply(theorems.renyi_conversion, pair, delta=F(1, 10**5), order=i)).upper for i in range(len(orders))
    ]
    assert min(found) >= exact.lower * (1 if batches <= 201 else F(999, 1000))
    assert min(found) <= 2 * exact.upper


def test_the_batches_of_the_curve() -> None:
    for batches in (1, 2, 3, 199, 200, 201, 202, 300, 5_000, 10**6, 10**15):
        positions = curve_positions(batches)
        assert positions == tuple(sorted(set(positions))) and (positions[0], positions[-1]) == (0, batches - 1)
        assert len(positions) == min(batches, len(positions)) <= MAX_CURVE_POSITIONS
        assert len(positions) == batches or batches > MAX_CURVE_POSITIONS
        assert max(b - a for a, b in pairwise((-1, *positions))) <= max(1, batches // 90)


@pytest.mark.parametrize("c", [F(1), F(999_999, 10**6), F(999, 1000), F(1, 2)])
def test_two_hundred_batches_are_nearly_all(c: F) -> None:
    """Against the whole mean in doubles: 20 000 batches, one epoch of learning, μ_j² = c^(2i)/(τ² Σ_{k≤i} c^(2k))."""
    batches, orders = 20_000, tuple(F(a) for a in ("1.5", "2", "16"))
    made = two_phases(c, batches, 1, 0, batches - 1, F(1, 2))
    found = enclose_all(derive_secret_renyi(history(made), orders))
    late, rate, variance = np.arange(batches)[::-1] + 0.0, float(c), float(made[0].variance)
    gathered = late + 1 if c == 1 else (1 - rate ** (2 * (late + 1))) / (1 - rate**2)
    squares = np.maximum(rate ** (2 * late) / (variance * gathered), 1e-300)
    for order, enclosure in zip(orders, found, strict=True):
        a = float(order)
        whole = (special.logsumexp((a - 1) * a * squares / 2) - np.log(batches)) / (a - 1)
        assert whole * (1 - 1e-9) <= float(enclosure.upper) <= whole * 1.1


def test_the_curve_in_doubles() -> None:
    """At exponents that would overflow, and with μ_j so small that every term is nearly 1."""
    for noise in (F(1, 1000), F(1), F(1000)):
        made = curve(two_phases(F(9, 10), 6, 3, 1, 5, noise), orders=(F(2), F(10**6)))
        for enclosure, value in zip(enclose_all(made), evaluate(made, Float()).divergences, strict=True):
            assert float(value) == pytest.approx(float(enclosure.upper), rel=1e-6)


def test_the_curve_knows_what_it_assumes() -> None:
    made = derive_secret_renyi(derive_timeline(run(unlearning_epochs=1, batch_order="secret")), (F(2),))
    assert "batches:secret" in made.assumptions
    with pytest.raises(TheoremError, match=r"secret_renyi \(T9r\): needs 1 < α"):
        derive_secret_renyi(derive_timeline(run()), (F(1),))
    two = [stage(F(9, 10), epochs=2, batches=4, records=[(3, 2)])]
    with pytest.raises(TheoremError, match="one differing record, in the last batch of learning"):
        derive_secret_renyi(history(two), (F(2),))
