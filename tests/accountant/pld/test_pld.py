"""The engine of sampled Gaussians: integers on a grid, every step of it against brute force."""

from __future__ import annotations

import hashlib
from fractions import Fraction as F

import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from accountant.core.arithmetic.balls import ends, precision
from accountant.core.exact import Rounding
from accountant.mechanisms.pairs import Coins, DominatingPair, Symmetrised, Way
from accountant.mechanisms.release import Part, parts
from accountant.pld import InvalidRelease, Release, Tolerances, bracket, delta_bracket, profile
from accountant.pld.compose import composed, epsilon_at, fineness_of, scale_of, unit_of
from accountant.pld.masses import (
    Masses,
    coarsen,
    compose,
    convolve,
    fit,
    from_sparse,
    from_values,
    pack,
    power,
    trim,
    width,
)
from accountant.pld.merge import merge
from accountant.pld.normal import upper_tail
from accountant.pld.spread import spread
from accountant.pld.tilt import FLAT, Tilt, choose_tilt
from tests.multiprecision import big
from tests.oracles import conversions
from tests.oracles import subsampled as oracle

UP, DOWN = Rounding.UP, Rounding.DOWN
BITS = 94  # three 64-bit words hold a product


@pytest.fixture(autouse=True, scope="module")
def digits():
    """Sixty of them wherever mpmath's numbers are compared."""
    with mp.workdps(60):
        yield


def pair_of_kind(direction: str) -> DominatingPair:
    """The oracle has three kinds of one record; both directions are of the same pair."""
    return Symmetrised() if direction == "symmetric" else Coins()


def way_of(direction: str) -> Way:
    return Way.REVERSED if direction == "add" else Way.FORWARD


def brute_delta(m: Masses, epsilon: F) -> mpf:
    """δ(ε) of the integers as they stand, in mpmath."""
    with mp.workdps(60):
        total = mpf(m.infinite)
        for i, mass in enumerate(m.values()):
            gap = epsilon - m.offset - i * m.spacing
            if gap < 0:
                total += mass * -mp.expm1(big(gap))
        return total / mpf(2) ** m.bits


@st.composite
def masses(draw, rounding: Rounding | None = None, most: int = 12) -> Masses:
    """A small distribution: random integers that add up to one, or somewhat less."""
    rounding = draw(st.sampled_from([UP, DOWN])) if rounding is None else rounding
    weights = draw(st.lists(st.integers(0, 1000), min_size=1, max_size=most))
    infinite = draw(st.integers(0, 50)) if rounding is UP else 0
    total = sum(weights) + infinite + draw(st.integers(1, 50))
    values = [w * 2**BITS // total for w in weights]
    offset = draw(st.fractions(-3, 3, max_denominator=64))
    return from_values(offset, draw(st.integers(1, 3)), values, infinite * 2**BITS // total, BITS, rounding)


EPSILONS = st.fractions(-4, 6, max_denominator=97)
TINY = mpf(2) ** (20 - BITS)


# --- integers on a grid -----------------------------------------------------------------------------------------------


def test_packing() -> None:
    values = [0, 1, 2**BITS - 3, 7]
    m = from_values(F(0), 3, values, 5, BITS, UP)
    assert m.values() == values and m.total == sum(values) and width(BITS) == 192
    assert pack(values, BITS) == sum(v << (192 * i) for i, v in enumerate(values))
    assert from_sparse(F(1), 3, {2: 5, -1: 7}, 5, BITS, UP) == from_values(F(7, 8), 3, [7, 0, 0, 5], 5, BITS, UP)
    many = [i * i for i in range(9000)]
    assert pack(many, BITS) == sum(v << (192 * i) for i, v in enumerate(many))
    with pytest.raises(ArithmeticError, match="more mass"):
        from_values(F(0), 3, [2**BITS, 2**BITS], 0, BITS, UP)


@given(masses(), masses())
def test_convolution_is_the_exact_one_rounded_outward(one: Masses, other: Masses) -> None:
    other = from_values(
        other.offset, one.fineness, other.values(), other.infinite * (one.rounding is UP), BITS, one.rounding
    )
    found = convolve(one, other)
    a, b = one.values(), other.values()
    for k, value in enumerate(found.values()):
        exact = F(sum(a[i] * b[k - i] for i in range(len(a)) if 0 <= k - i < len(b)), 2**BITS)
        assert (exact <= value < exact + 1) if one.rounding is UP else (exact - 1 < value <= exact)
    whole = (sum(a) + one.infinite) * (sum(b) + other.infinite) - sum(a) * sum(b)
    assert found.infinite >= F(whole, 2**BITS) and found.offset == one.offset + other.offset
    assert found.total >= sum(found.values())


@given(masses(), st.integers(0, 2**BITS // 3), EPSILONS)
def test_cutting_never_crosses(m: Masses, budget: int, epsilon: F) -> None:
    cut = trim(m, budget)
    before, after = brute_delta(m, epsilon), brute_delta(cut, epsilon)
    if m.rounding is UP:
        assert after >= before and sum(cut.values()) + cut.infinite == sum(m.values()) + m.infinite
    else:
        assert after <= before and sum(m.values()) - sum(cut.values()) <= budget
    assert abs(after - before) <= 2 * mpf(budget) / mpf(2) ** BITS
    assert cut.offset >= m.offset and cut.count <= m.count


@settings(max_examples=60)
@given(masses(most=16), masses(most=4), EPSILONS, st.booleans())
def test_coarsening_never_crosses_whatever_it_is_composed_with(
    m: Masses, other: Masses, epsilon: F, inside: bool
) -> None:
    """δ(ε) of the coarsened one is on the bound's side, alone and next to any other step."""
    other = from_values(other.offset, m.fineness - 1, other.values(), 0, BITS, m.rounding)
    fine = brute_pair(m, other, epsilon) if inside else brute_delta(m, epsilon)
    rough = brute_pair(coarsen(m), other, epsilon) if inside else brute_delta(coarsen(m), epsilon)
    assert (rough >= fine - mpf(10) ** -40) if m.rounding is UP else (rough <= fine + mpf(10) ** -40)
    assert coarsen(m).fineness == m.fineness - 1
    assert sum(coarsen(m).values()) == sum(m.values())


def brute_pair(one: Masses, other: Masses, epsilon: F) -> mpf:
    """Two steps, summed over the second one's points."""
    with mp.workdps(60):
        points = enumerate(other.values())
        return sum(
            (mass * brute_delta(one, epsilon - other.offset - i * other.spacing) for i, mass in points if mass), mpf(0)
        ) / mpf(2) ** other.bits  # fmt: skip


@given(st.lists(st.integers(1, 1000), min_size=3, max_size=60))
def test_spreading_keeps_the_mean_of_the_ratio(weights: list[int]) -> None:
    m = from_values(F(0), 2, [w * 2**BITS // 10**6 for w in weights], 0, BITS, UP)
    fine, rough = (
        sum(v * mp.exp(-big(k.offset + i * k.spacing)) for i, v in enumerate(k.values())) for k in (m, coarsen(m))
    )
    assert rough == pytest.approx(fine, rel=1e-14)


@pytest.mark.parametrize("fineness", [-5, -6, -7, -10, -40, -400])
@pytest.mark.parametrize("bits", [64, 80])
def test_points_far_apart_share_no_more_than_there_is(fineness: int, bits: int) -> None:
    """Spacings of 32, 64 … 2^400: e^{−h} is nothing at the working precision, and a share is still one of [0, 1]."""
    for values in ([5, 7, 0, 3], [0, 1 << (bits - 3)], [1, 1, 1, 1, 1]):
        for rounding in (UP, DOWN):
            fine = from_values(F(0), fineness, values, 0, bits, rounding)
            coarse = coarsen(fine)
            assert sum(coarse.values()) == sum(values) and min(coarse.values()) >= 0
            assert max(coarse.values()) <= sum(values)
            for m in (fine, coarse):
                assert profile.delta(m, F(-1)) >= 0 and profile.epsilon(m, F(1, 2)) is not None


@pytest.mark.parametrize("rounding", [UP, DOWN])
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 13])
def test_powers_by_squaring_are_repeated_convolutions(rounding: Rounding, steps: int) -> None:
    m = from_values(F(-1, 3), 2, [2**BITS // 9, 2**BITS // 3, 0, 2**BITS // 5, 2**BITS // 4], 0, BITS, rounding)
    slow = m
    for _ in range(steps - 1):
        slow = convolve(slow, m)
    fast = power(m, steps, 0, 1 << 10)
    assert fast.offset == slow.offset and fast.count == slow.count
    assert max(abs(a - b) for a, b in zip(fast.values(), slow.values(), strict=True)) <= 2 * steps * 5
    assert fit(fast, 0, 8).count <= 8


@given(masses(), st.integers(0, 2**BITS // 3), st.integers(0, 2**BITS // 3))
def test_cutting_takes_as_much_as_it_may(m: Masses, above: int, below: int) -> None:
    values, low, high = m.values(), 0, m.count
    while low < m.count - 1 and sum(values[: low + 1]) <= below:
        low += 1
    while high > low + 1 and sum(values[high - 1 :]) <= above:
        high -= 1
    cut = trim(m, above, below)
    assert (cut.count, cut.offset) == (high - low, m.offset + low * m.spacing)
    assert (m.rounding is UP) == (cut.infinite - m.infinite == sum(values[high:])) or not sum(values[high:])


@pytest.mark.parametrize("rounding", [UP, DOWN])
def test_powers_on_coarser_and_coarser_grids(rounding: Rounding) -> None:
    """On its side of the one grid's at every ε, whatever the bulk is thought to be, and close to it."""
    part = Part(F(1), F(1, 5), 1)
    base = (spread if rounding is UP else merge)(part, Way.FORWARD, 4, BITS, F(1, 10**12))
    fine = power(base, 150, 0, 1 << 16, bulk=0.0)
    rough = power(base, 150, 0, 1 << 16)
    assert fine.fineness == 4 and rough.fineness == 2
    for epsilon in (F(0), F(5), F(15), F(30), F(501, 10)):
        a, b = profile.delta(fine, epsilon), profile.delta(rough, epsilon)
        off = F(2 * 150 << 16, 2**BITS)
        assert (a - off <= b < a + F(1, 200)) if rounding is UP else (a - F(1, 200) < b <= a + off)


def test_a_grid_s_mantissa_follows_the_number_of_points() -> None:
    part, tail = Part(F(1), F(1, 100), 1), F(1, 10**12)
    spacings = []
    for points in range(64, 140, 4):
        unit, fineness = unit_of(points), fineness_of(part, Way.FORWARD, tail, points)
        made = spread(part, Way.FORWARD, fineness, BITS, tail, FLAT, unit)
        assert made.count <= points + 2 and made.spacing == unit * F(2) ** -fineness
        spacings.append(made.spacing)
    assert spacings == sorted(spacings, reverse=True) and len(set(spacings)) == len(spacings)
    assert unit_of(64) == unit_of(1 << 17) == 1
    with pytest.raises(ValueError, match="must agree"):
        convolve(made, spread(part, Way.FORWARD, fineness, BITS, tail))


def test_different_grids_meet_on_the_coarser_one() -> None:
    a = from_values(F(0), 3, [2**BITS // 3] * 3, 0, BITS, UP)
    b = from_values(F(1, 7), 1, [2**BITS // 2] * 2, 0, BITS, UP)
    assert compose(a, b, 0, 100) == compose(b, a, 0, 100)
    assert compose(a, b, 0, 100).fineness == 1
    with pytest.raises(ValueError, match="must agree"):
        convolve(a, b)


@given(masses(), EPSILONS)
def test_delta_is_the_sum_rounded_the_way_of_the_bound(m: Masses, epsilon: F) -> None:
    found, brute = big(profile.delta(m, epsilon)), brute_delta(m, epsilon)
    assert 0 <= found <= 1 and abs(found - brute) < TINY
    assert (found >= brute - mpf(10) ** -45) if m.rounding is UP else (found <= brute + mpf(10) ** -45)


@given(masses(), st.fractions(F(1, 10**6), F(1, 2), max_denominator=10**7))
def test_epsilon_inverts_delta_from_the_right_side(m: Masses, delta: F) -> None:
    found = profile.epsilon(m, delta)
    if found is None:
        assert m.rounding is UP and F(m.infinite, 2**BITS) >= delta
        return
    here, wanted = brute_delta(m, found), big(delta)
    if m.rounding is UP:
        assert here <= wanted + mpf(10) ** -45
        assert found == 0 or brute_delta(m, found - F(1, 2**60)) > wanted - TINY
    else:
        assert found == 0 or here >= wanted - mpf(10) ** -45
        assert brute_delta(m, found + F(1, 2**60)) < wanted + TINY or here <= wanted


# --- one step ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [64, 130, 300])
def test_tails_against_mpmath(bits: int) -> None:
    with precision(bits), mp.workdps(bits // 3 + 30):
        for numerator in range(-30, 12000, 97):
            x = F(numerator, 301)
            found = upper_tail(arb(x.numerator) / x.denominator)
            lower, upper = (big(end) for end in ends(found))
            truth = mp.erfc(big(x) / mp.sqrt(2)) / 2
            assert lower <= truth <= upper
            assert (upper - lower) < truth * mpf(2) ** (24 - bits)


ONE_STEP = [
    (z, q, direction)
    for z, q in (("1", "0.01"), ("0.5", "0.3"), ("3", "0.9"), ("0.3", "0.0001"), ("20", "0.5"), ("1", "1"))
    for direction in ("remove", "add", "symmetric")
]


@pytest.mark.parametrize(("z", "q", "direction"), ONE_STEP)
def test_one_step_lies_between_its_bounds_everywhere(z: str, q: str, direction: str) -> None:
    """Spread above, merge below the exact profile, at grid points and between them; and close to it."""
    shift = 2 if direction == "symmetric" else 1
    part = Part((shift / F(z)) ** 2, F(q), 1, pair_of_kind(direction if q != "1" else "remove"))
    way, tail = way_of(direction), F(1, 10**15)
    fineness = fineness_of(part, way, tail, 500)
    upper, lower = (f(part, way, fineness, BITS, tail) for f in (spread, merge))
    assert upper.rounding is UP and lower.rounding is DOWN
    assert F(sum(lower.values()), 2**BITS) <= 1 <= F(sum(upper.values()) + upper.infinite, 2**BITS)
    low, high = upper.offset, upper.offset + (upper.count - 1) * upper.spacing
    kind = "remove" if q == "1" and direction == "symmetric" else direction
    for k in range(-3, 44):
        epsilon = low + (high - low) * F(k, 40) + F(k, 977) * upper.spacing
        with mp.workdps(60):
            truth = oracle.delta_one(z, q, big(epsilon), kind, shift)
            above, below = big(profile.delta(upper, epsilon)), big(profile.delta(lower, epsilon))
            assert below <= truth + mpf(10) ** -40 and truth <= above + mpf(10) ** -40
            assert above - below <= mpf(3) * big(upper.spacing)


@pytest.mark.parametrize("slope", [0.0, 2.0, 9.0])
@pytest.mark.parametrize("direction", ["remove", "add", "symmetric"])
@pytest.mark.parametrize(("z", "q"), [("1", "0.01"), ("0.5", "0.3"), ("2", "1")])
def test_long_cells_are_bounds_too(z: str, q: str, direction: str, slope: float) -> None:
    """Where a cell takes 3, 9, … units: on either side of the exact profile, and nearly as close as on short ones."""
    shift = 2 if direction == "symmetric" else 1
    kind = "remove" if q == "1" and direction == "symmetric" else direction
    part = Part((shift / F(z)) ** 2, F(q), 1, pair_of_kind(kind))
    way, tail, points = way_of(kind), F(1, 10**15), 3000
    fineness = fineness_of(part, way, tail, points)
    upper, lower = (f(part, way, fineness, BITS, tail, Tilt(slope, 1.0), unit_of(points)) for f in (spread, merge))
    for made in (upper, lower):
        assert sum(value > 0 for value in made.values()) < made.count * F(2, 3) or slope == 9 or (z, q) != ("1", "0.01")
    for k in range(-3, 44):
        epsilon = upper.offset + upper.count * upper.spacing * F(k, 40) + F(k, 977) * upper.spacing
        with mp.workdps(60):
            truth = oracle.delta_one(z, q, big(epsilon), kind, shift)
            above, below = big(profile.delta(upper, epsilon)), big(profile.delta(lower, epsilon))
            assert below <= truth + mpf(10) ** -40 and truth <= above + mpf(10) ** -40
            assert above - below <= mpf(3) * big(upper.spacing)


MASS = (
    st.sampled_from(["0.3", "1", "3", "20"]),
    st.sampled_from(["1e-5", "0.01", "0.3", "0.95"]),
    st.sampled_from(["remove", "add", "symmetric"]),
)


@settings(max_examples=15)
@given(*MASS, st.integers(64, 300))
def test_one_step_has_no_more_mass_than_it_may(z: str, q: str, direction: str, points: int) -> None:
    hold_the_mass(z, q, direction, points)


@pytest.mark.slow
@settings(max_examples=100)
@given(*MASS, st.integers(64, 600))
def test_one_step_has_no_more_mass_than_it_may_anywhere(z: str, q: str, direction: str, points: int) -> None:
    hold_the_mass(z, q, direction, points)


def hold_the_mass(z: str, q: str, direction: str, points: int) -> None:
    """The cell in the middle of the symmetrised pair holds the loss 0, however the cells are moved."""
    shift = 2 if direction == "symmetric" else 1
    part = Part((shift / F(z)) ** 2, F(q), 1, pair_of_kind(direction))
    way, tail = way_of(direction), F(1, 10**9)
    fineness, unit = fineness_of(part, way, tail, points), unit_of(points)
    lower = merge(part, way, fineness, BITS, tail, choose_tilt((part,), way, F(1, 10**5)), unit)
    assert 1 - F(1, 10**6) <= F(lower.total, 2**BITS) <= 1
    upper = spread(part, way, fineness, BITS, tail, choose_tilt((part,), way, F(1, 10**5)), unit)
    assert 1 <= F(upper.total + upper.infinite, 2**BITS) <= 1 + F(1, 10**20)
    for epsilon in (F(0), F(1, 3), F(2)):
        with mp.workdps(60):
            truth = oracle.delta_one(z, q, big(epsilon), direction, shift)
            assert big(profile.delta(lower, epsilon)) <= truth + mpf(10) ** -25
            assert truth <= big(profile.delta(upper, epsilon)) + mpf(10) ** -25


@pytest.mark.parametrize(
    ("z", "q", "points"), [("0.8", "0.004", 14848), ("0.6", "0.001", 21504), ("1", "0.01", 3968), ("2", "0.05", 1216)]
)
def test_the_lower_bound_s_cells_do_not_alternate(z: str, q: str, points: int) -> None:
    """Neighbours' masses are a smooth sequence in the bulk; cells 0 and 2 units wide lost twice as much."""
    part, tail = Part((1 / F(z)) ** 2, F(q), 1), F(1, 10**15)
    values = merge(
        part, Way.FORWARD, fineness_of(part, Way.FORWARD, tail, points), BITS, tail, FLAT, unit_of(points)
    ).values()
    for i in range(10, 40):
        assert abs(values[i - 1] + values[i + 1] - 2 * values[i]) < values[i] / 5


@pytest.mark.parametrize(
    ("z", "q", "points"), [("1", "1e-9", 8192), ("1", "0.01", 3840), ("0.6", "0.001", 8192), ("2", "0.05", 1216)]
)
def test_the_lower_bound_s_cells_lose_no_mean(z: str, q: str, points: int) -> None:
    """Q's mass, the mean of e^{−x}, comes out at 1 to a millionth of a cell: a mass one point too low would show."""
    part, tail = Part((1 / F(z)) ** 2, F(q), 1), F(1, 10**15)
    made = merge(part, Way.FORWARD, fineness_of(part, Way.FORWARD, tail, points), 150, tail, FLAT, unit_of(points))
    with mp.workdps(50):
        mean = sum(v * mp.exp(-big(made.offset + i * made.spacing)) for i, v in enumerate(made.values()) if v)
        assert 0 <= mean / mpf(2) ** 150 - 1 < big(made.spacing) * mpf(10) ** -6


def test_coarser_grids_keep_a_mean_next_to_nothing() -> None:
    """Where one step's loss has few cells, many of them must come together before every second point is merged."""
    part, points = Part(F(1), F("1e-9"), 10**9), 1 << 13
    lower, upper = (epsilon_at((part,), Way.FORWARD, rounding, F(1, 10**5), points) for rounding in (DOWN, UP))
    assert F("1.4e-5") < lower < F("1.5426e-5") < upper < F("1.8e-5")


@pytest.mark.parametrize(("z", "q", "steps"), [("2", "1e-6", 10**6), ("2", "1e-8", 10**8)])
def test_tiny_losses_are_bracketed_and_near_their_normal_limit(z: str, q: str, steps: int) -> None:
    """ε of 1e-3 and 1e-4: many equal small losses add up like a T-fold Gaussian's, μ² = T q²(e^{1/z²} − 1)."""
    found = bracket((Release("poisson", z, q, steps),), "add-or-remove-one", "1e-5", width="0.01")
    with mp.workdps(40):
        limit = conversions.epsilon_gdp("1e-5", mpf(q) * mp.sqrt(steps * mp.expm1(1 / mpf(z) ** 2)))
        assert found.sharp and found.points < 1 << 12
        assert big(found.lower) * mpf("0.999") <= limit <= big(found.upper) * mpf("1.001")


@pytest.mark.parametrize("sampling", ["poisson", "without-replacement"])
def test_ends_that_need_not_be_equally_good(sampling: str) -> None:
    release, kind = (Release(sampling, 1, "0.01", 500),), "replace-one" if sampling[0] == "w" else "add-or-remove-one"
    apart = bracket(release, kind, "1e-5", width=Tolerances(F(1, 2000), F(1, 100)))
    fine = bracket(release, kind, "1e-5", width="2e-4")
    assert apart.lower_points < apart.points and fine.lower_points == fine.points
    assert fine.pair_lower <= apart.upper <= fine.upper * (1 + F(1, 2000))
    assert fine.pair_lower * (1 - F(2, 100)) <= apart.pair_lower <= fine.upper
    assert apart.lower <= apart.pair_lower and (apart.lower == apart.pair_lower) == (sampling == "poisson")


@pytest.mark.parametrize(("z", "steps", "delta"), [(10, 100, "1e-5"), (20, 50000, "1e-10"), (3, 9, "0.01")])
def test_where_the_tail_lies(z: int, steps: int, delta: str) -> None:
    """A Gaussian's estimate against T11; it chooses the grid, so that a few percent do."""
    for way in Way:
        found = choose_tilt((Part(F(1, z * z), F(1), steps),), way, F(delta))
        truth = conversions.epsilon_gdp(delta, mp.sqrt(steps) / z)
        assert found.epsilon == pytest.approx(float(truth), rel=0.03)
    assert found.longest(-60.0, 0.0) > found.longest(-20.0, 0.0) > found.longest(-3.0, 0.0) == 1
    assert found.longest(-40.0, 2.0) <= found.longest(-40.0, 1.0)


def test_losses_too_rare_to_count_do_not_tilt() -> None:
    """At θ = 45 the moments of (q = 1e-9, z = 1) are all in losses that no run will see; ε is about 2e-5 or 2e-4."""
    for delta, truth in (("1e-5", 1.5e-5), ("1e-12", 2.1e-4)):
        found = choose_tilt((Part(F(1), F("1e-9"), 10**9),), Way.FORWARD, F(delta))
        assert truth / 2 < found.epsilon < truth * 2 and found.slope > 1e4


def test_the_grid_is_foreseen() -> None:
    """One computation of each bound where losses add up like a normal; where rare large ones do, not by orders more."""
    for row, most in (
        (("1", "0.01", 1000, "1e-5"), 1),
        (("2", "0.05", 500, "1e-5"), 1),
        (("0.3", "1e-4", 5000, "1e-5"), 3),
    ):
        z, q, steps, delta = row
        lines: list[str] = []
        found = bracket((Release("poisson", z, q, steps),), "add-or-remove-one", delta, progress=lines.append)
        assert found.sharp and found.points < 20000 and sum(line.startswith("upper") for line in lines) <= most


@pytest.mark.parametrize(("direction", "shift"), [("add", 1), ("symmetric", 2)])
@pytest.mark.parametrize("points", [64, 300])
def test_where_the_whole_range_is_next_to_nothing(direction: str, shift: int, points: int) -> None:
    """Losses of 1e-7 but with the probability that is cut, where they are hundreds: no endless grid between them."""
    made = (Part((shift / F("0.1")) ** 2, F("1e-7"), 1, pair_of_kind(direction)),)
    for rounding in (UP, DOWN):
        assert epsilon_at(made, way_of(direction), rounding, F("0.2"), points) == 0


ONE_STEP_S = st.tuples(
    st.sampled_from(["0.1", "0.3", "0.8", "1", "5", "100", "1000"]),
    st.sampled_from(["1e-7", "0.001", "0.1", "0.5", "0.99"]),
    st.sampled_from(["remove", "add", "symmetric"]),
    st.sampled_from(["1e-3", "1e-9", "1e-30", "0.2"]),
    st.sampled_from([64, 300]),
)


# With rates next to 0 and little noise all above the top is one cell, whose mean is millions of points further up.
@settings(max_examples=15)
@given(ONE_STEP_S.filter(lambda row: row[1] != "1e-7" or row[0] not in ("0.1", "0.3")))
def test_one_step_s_epsilon_is_bracketed(row: tuple[str, str, str, str, int]) -> None:
    hold_one_step(*row)


@pytest.mark.slow
@settings(max_examples=50)
@given(ONE_STEP_S)
def test_one_step_s_epsilon_is_bracketed_everywhere(row: tuple[str, str, str, str, int]) -> None:
    hold_one_step(*row)


def hold_one_step(z: str, q: str, direction: str, delta: str, points: int) -> None:
    shift = 2 if direction == "symmetric" else 1
    made = (Part((shift / F(z)) ** 2, F(q), 1, pair_of_kind(direction)),)
    way = way_of(direction)
    upper, lower = (epsilon_at(made, way, rounding, F(delta), points) for rounding in (UP, DOWN))
    with mp.workdps(60):
        if upper is not None:
            assert lower <= upper
            assert oracle.delta_one(z, q, big(upper), direction, shift) <= mpf(delta) + mpf(10) ** -45
        if lower:
            assert oracle.delta_one(z, q, big(lower), direction, shift) >= mpf(delta) - mpf(10) ** -45


# --- many steps -------------------------------------------------------------------------------------------------------


def forced(z: int, steps: int, delta: str, points: int) -> tuple[F, F]:
    """A T-fold Gaussian, which T11 knows exactly, through the grid."""
    made = (Part(F(1, z * z), F(1), steps),)
    return tuple(epsilon_at(made, Way.FORWARD, rounding, F(delta), points) for rounding in (DOWN, UP))


TRAPS = [(100, 10**4, "1e-12"), (20, 5 * 10**4, "1e-10"), (10, 100, "1e-5"), (1, 100, "1e-30"), (100, 100, "1e-15")]
MORE_TRAPS = [(z, t, d) for z in (1, 10, 20, 100) for t in (100, 10**4, 5 * 10**4) for d in ("1e-5", "1e-15", "1e-30")]


def check_forced(z: int, steps: int, delta: str, points: int, most: float) -> None:
    lower, upper = forced(z, steps, delta, points)
    with mp.workdps(60):
        truth = conversions.epsilon_gdp(delta, mp.sqrt(steps) / z)
        assert big(lower) <= truth <= big(upper)
        assert big(upper - lower) <= most * truth


@pytest.mark.parametrize(("z", "steps", "delta"), TRAPS)
def test_gaussians_through_the_grid(z: int, steps: int, delta: str) -> None:
    """Where doubles print less than the truth: 7.2132 and 7.2145 for 7.2385, 132.794 for 132.831."""
    check_forced(z, steps, delta, 1 << 11, 5e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("z", "steps", "delta"), MORE_TRAPS)
def test_more_gaussians_through_the_grid(z: int, steps: int, delta: str) -> None:
    check_forced(z, steps, delta, 1 << 13, 1e-3)


def test_what_peers_printed_for_gaussians_is_below_our_lower_bound() -> None:
    assert forced(100, 10**4, "1e-12", 1 << 12)[0] > F("7.2145")
    assert forced(20, 5 * 10**4, "1e-10", 1 << 13)[0] > F("132.794")


SCHEDULES = st.tuples(
    st.sampled_from(["poisson", "without-replacement"]),
    st.sampled_from(["0.3", "0.7", "1", "4", "50"]),
    st.sampled_from(["0.0001", "0.01", "0.2", "0.95"]),
    st.integers(1, 5000),
    st.sampled_from(["0.1", "1e-5", "1e-12"]),
)


@settings(max_examples=12)
@given(SCHEDULES, st.sampled_from([64, 200]))
def test_bounds_never_cross_and_finer_grids_agree(schedule, points: int) -> None:
    hold_on_finer_grids(schedule, points)


@pytest.mark.slow
@settings(max_examples=50)
@given(SCHEDULES, st.sampled_from([64, 200, 500]))
def test_bounds_never_cross_and_finer_grids_agree_everywhere(schedule, points: int) -> None:
    hold_on_finer_grids(schedule, points)


def hold_on_finer_grids(schedule, points: int) -> None:
    sampling, z, q, steps, delta = schedule
    made = parts((Release(sampling, z, q, steps),), "replace-one" if sampling[0] == "w" else "add-or-remove-one")
    fine_upper, fine_lower = (epsilon_at(made, Way.FORWARD, rounding, F(delta), 4 * points) for rounding in (UP, DOWN))
    upper, lower = (epsilon_at(made, Way.FORWARD, rounding, F(delta), points) for rounding in (UP, DOWN))
    for above in (upper, fine_upper):
        for below in (lower, fine_lower):
            assert above is None or below <= above


@pytest.mark.parametrize("sampling", ["poisson", "without-replacement"])
def test_monotone_in_every_parameter(sampling: str) -> None:
    """A lower bound of the more private one is no more than an upper bound of the other, and steps of 30 % show."""
    neighbours = "replace-one" if sampling[0] == "w" else "add-or-remove-one"

    def ends_of(z="1", q="0.02", steps=200, delta="1e-5") -> tuple[F, F]:
        found = bracket((Release(sampling, z, q, steps),), neighbours, delta, width="0.02")
        return found.pair_lower, found.upper

    middle = ends_of()
    for worse in ({"z": "0.8"}, {"q": "0.03"}, {"steps": 300}, {"delta": "1e-6"}):
        assert ends_of(**worse)[0] > middle[1], worse
    for better in ({"z": "1.3"}, {"q": "0.014"}, {"steps": 120}, {"delta": "1e-4"}):
        assert ends_of(**better)[1] < middle[0], better


@pytest.mark.slow
def test_order_and_splitting_of_a_schedule_do_not_matter() -> None:
    a, b, c = Release("poisson", 1, "0.01", 300), Release("poisson", "1.5", "0.02", 200), Release("full", 40, 1, 7)
    whole = parts((a, b, c), "add-or-remove-one")
    assert parts((c, b, a), "add-or-remove-one") == whole
    halves = (Release("poisson", 1, "0.01", 100), b, Release("poisson", "1", "1/100", 200), Release("full", 40, 1, 7))
    assert parts(halves, "add-or-remove-one") == whole
    assert whole[0] == Part(F(7, 1600), F(1), 1) and len(whole) == 3
    assert parts((Release("full", 2, 1, 1),), "replace-one") == (Part(F(1), F(1), 1),)
    assert parts((Release("poisson", 1, 0, 5), Release("poisson", 1, "0.5", 0)), "add-or-remove-one") == ()
    for permuted in (whole, whole[::-1], (whole[1], whole[2], whole[0])):
        upper, lower = (epsilon_at(permuted, Way.FORWARD, rounding, F(1, 10**6), 1 << 10) for rounding in (UP, DOWN))
        reference = epsilon_at(whole, Way.FORWARD, UP, F(1, 10**6), 1 << 10)
        assert lower < reference and abs(upper - reference) < reference / 200


@pytest.mark.slow
def test_a_mixed_schedule_is_bracketed_by_its_parts() -> None:
    """More releases cost more; and a Gaussian release next to sampled ones costs what T11 says where they are few."""
    few = Release("poisson", 50, "1e-6", 3)
    alone = bracket((Release("full", 2, 1, 4),), "add-or-remove-one", "1e-6")
    both = bracket((Release("full", 2, 1, 4), few), "add-or-remove-one", "1e-6")
    assert alone.upper - alone.lower < F(1, 10**30) and alone.points == 0
    assert both.lower <= alone.upper * F(10001, 10000) and alone.lower <= both.upper < alone.upper * F(1002, 1000)


def test_further_releases_count_from_above_alone() -> None:
    release = (Release("poisson", 1, "0.01", 100),)
    plain = bracket(release, "add-or-remove-one", "1e-5", width="0.01")
    more = bracket(release, "add-or-remove-one", "1e-5", width="0.01", extra="0.04")
    same = bracket((*release, Release("full", 5)), "add-or-remove-one", "1e-5", width="0.01")
    assert more.upper == same.upper > plain.upper and more.lower < same.lower


def test_nothing_to_tell_apart() -> None:
    for releases in ((), (Release("poisson", 1, 0, 100),), (Release("poisson", 1, "0.5", 0),)):
        found = bracket(releases, "add-or-remove-one", "1e-5")
        assert (found.lower, found.upper, found.points) == (0, 0, 0)
        assert delta_bracket(releases, "add-or-remove-one", 1) == (0, 0)
    assert bracket((Release("poisson", 1000, "1e-7", 100),), "add-or-remove-one", "1e-5").upper == 0


def test_the_memory_cap_is_kept_and_said() -> None:
    lines: list[str] = []
    release = (Release("poisson", "0.6", "0.001", 50000),)
    found = bracket(release, "add-or-remove-one", "1e-7", most_points=1 << 11, progress=lines.append)
    assert not found.sharp and found.points == 1 << 11 and found.lower < F("5.866") < found.upper
    assert lines[0] == "upper bound: 2048 points"


@pytest.mark.parametrize(
    ("release", "neighbours", "message"),
    [
        (Release("poisson", 0, "0.1"), "add-or-remove-one", "noise_multiplier: 0 gives no privacy"),
        (Release("poisson", 1, 2), "add-or-remove-one", "sample_rate: 2 is not a probability"),
        (Release("poisson", 1, "0.1", -1), "add-or-remove-one", "steps: -1 must be a whole number"),
        (Release("shuffled", 1, "0.1"), "add-or-remove-one", "sampling: got 'shuffled'"),
        (Release("full", 1, "0.1"), "replace-one", "sample_rate: 1/10 with sampling"),
        (Release("without-replacement", 1, "0.1"), "add-or-remove-one", "write replace-one"),
    ],
)
def test_what_is_not_known_is_refused(release: Release, neighbours: str, message: str) -> None:
    with pytest.raises(InvalidRelease, match=message):
        bracket((release,), neighbours, "1e-5")


def test_floats_and_senseless_targets_are_refused() -> None:
    with pytest.raises(TypeError, match='write the decimal string "0'):
        Release("poisson", 0.1)
    with pytest.raises(TypeError, match="delta: a float"):
        bracket((Release("poisson", 1, "0.1"),), "add-or-remove-one", 1e-5)
    for delta in ("0", "1", "-1", "2"):
        with pytest.raises(ValueError, match="not between 0 and 1"):
            bracket((Release("poisson", 1, "0.1"),), "add-or-remove-one", delta)


def test_profiles_hold_the_gaussian_one() -> None:
    """δ(ε) of steps at q next to 1 lies under that at q = 1, and above that with a step less."""
    for epsilon in ("0.5", "2", "8"):
        lower, upper = delta_bracket(
            (Release("poisson", 5, "0.999", 100),), "add-or-remove-one", epsilon, points=1 << 11
        )
        with mp.workdps(40):
            assert big(lower) <= conversions.delta_gdp(epsilon, 2)
            assert big(upper) >= conversions.delta_gdp(epsilon, mpf("0.998") * 2)
            assert 0 < upper - lower < upper / 20


def test_the_scale_follows_delta_and_steps() -> None:
    made = (Part(F(1), F(1, 100), 1000),)
    wide = scale_of(made, F(1, 10**30), 1 << 12)
    assert scale_of(made, F(1, 10**5), 1 << 12) < wide and 2**wide > 10**30 * 1000 * 2**12 * 2**17
    assert width(wide) < width(wide + 1)  # no room is left over


# --- the same integers everywhere -------------------------------------------------------------------------------------


def digest(m: Masses) -> str:
    fields = f"{m.offset} {m.fineness} {m.count} {m.infinite} {m.bits} {m.rounding is UP} {m.packed:x}"
    return hashlib.sha256(fields.encode()).hexdigest()[:16]


GOLDEN = {
    ("1", "1/100", 50, False, 1, True, 256): "d73bfc550f12fdab",
    ("1", "1/100", 50, False, 1, False, 256): "e1744cf8d24e49ac",
    ("4", "3/10", 7, False, -1, True, 200): "dcb9da1d911a75c9",
    ("4", "3/10", 7, False, -1, False, 200): "aea06fb3cda5fb51",
    ("1/4", "1/50", 1000, True, 1, True, 128): "c9603493269464e3",
    ("1/4", "1/50", 1000, True, 1, False, 128): "558d126239854195",
    ("1/400", "1", 300, False, 1, True, 128): "58d252e5f07f9be4",
    ("1/400", "1", 300, False, 1, False, 128): "1a1c02d5e24640a4",
}  # fmt: skip


@pytest.mark.parametrize("key", GOLDEN, ids=str)
def test_golden_integers(key) -> None:
    """Grids, cells and windows come from exact numbers, balls and IEEE sums and products: no machine differs."""
    square, rate, steps, symmetric, sign, upper, points = key
    made = (Part(F(square), F(rate), steps, Symmetrised() if symmetric else Coins()),)
    assert digest(composed(made, Way(sign), UP if upper else DOWN, F(1, 10**6), points)) == GOLDEN[key]
