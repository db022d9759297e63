"""T6c and T6m: lower bounds, against exact densities of the members of the class and against mpmath."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from accountant import (
    ConstantLoss,
    Derivation,
    LogisticLoss,
    NoisySGD,
    TheoremError,
    apply,
    derive,
    derive_epsilon,
    derive_lower,
    derive_upper,
    derive_witness,
    enclose,
    evaluate,
    theorems,
)
from accountant.core.arithmetic import Float
from accountant.mechanisms.timeline import Phase, history
from tests.accountant.cases import mnist, run
from tests.multiprecision import big
from tests.oracles import conversions, density
from tests.oracles import timeline as oracle

DELTA = F(1, 11264)


# --- T6c: the Huber dynamics ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Huber:
    """One phase of learning on linear and Huber losses."""

    batches: int
    batch_size: int
    epochs: int
    noise: F
    record: tuple[int, int]
    own: F
    others: F
    strong_convexity: F = F(1, 2)
    smoothness: F = F(2)
    gradient_bound: F = F(1)
    step_size: F = F(1, 2)
    neighbours: str = "replace-one"

    def claim(self, epsilon: F, delta: F, mu: F = F(1, 10**6)) -> Derivation:
        """T6c: ε is a lower bound at δ."""
        phase = Phase(self.epochs, self.batches, self.batch_size, self.step_size, self.noise, (self.record,))
        return apply(
            theorems.curved_witness,
            start=F(0),
            strong_convexity=self.strong_convexity,
            smoothness=self.smoothness,
            gradient_bound=self.gradient_bound,
            neighbours=self.neighbours,
            phases=(phase,),
            delta=delta,
            epsilon=epsilon,
            mu=mu,
            own=self.own,
            others=self.others,
        )

    def accepts(self, epsilon: F, delta: F) -> bool:
        try:
            return self.claim(epsilon, delta).decided
        except TheoremError:
            return False

    def greatest_delta(self, epsilon: F) -> F:
        """The most that the theorem accepts at this ε; 0 where nothing."""
        low, high = F(0), F(1)
        for _ in range(24):
            middle = (low + high) / 2
            low, high = (middle, high) if self.accepts(epsilon, middle) else (low, middle)
        return low

    def pairs(self) -> list[density.MapPair]:
        """The actual, non-linear steps of the two runs: gradients clipped where the Huber losses end."""
        eta, m, M = (float(x) for x in (self.step_size, self.strong_convexity, self.gradient_bound))
        b, (position, count) = self.batch_size, self.record

        def step(h: F, share: float, push: float) -> Callable[[np.ndarray], np.ndarray]:
            return lambda x: x - eta * (m * x + share * np.clip(float(h) * x, -M, M) - push)

        other = -count * M / b if self.neighbours == "replace-one" else 0.0
        variance, made = 2 * self.step_size * self.noise**2, []
        for _ in range(self.epochs):
            for j in range(self.batches):
                if j == position:
                    phi, phi_prime = (step(self.own, (b - count) / b, push) for push in (count * M / b, other))
                else:
                    phi = phi_prime = step(self.others, 1.0, 0.0)
                made.append(density.MapPair(phi, phi_prime, F(1), F(0), variance))
        return made

    def inside_mu(self) -> float:
        """μ while nobody leaves the interval, by running the two Gaussians forward."""
        share, (position, count) = F(self.batch_size - self.record[1], self.batch_size), self.record
        change = 2 if self.neighbours == "replace-one" else 1
        shift = count * change * self.step_size * self.gradient_bound / self.batch_size
        variance = 2 * self.step_size * self.noise**2
        clean = (1 - self.step_size * (self.strong_convexity + self.others), F(0), variance)
        own = (1 - self.step_size * (self.strong_convexity + self.own * share), shift, variance)
        d, v = oracle.straight_witness([own if j == position else clean for j in range(self.batches)] * self.epochs)
        return float(d) / math.sqrt(v)


CURVED = {
    "the last batch": Huber(2, 6, 2, F(1, 5), (1, 1), F(1), F(1)),
    "half is charged for exits": Huber(2, 6, 2, F(1, 4), (1, 1), F(1), F(1)),
    "remove-one": Huber(3, 5, 2, F(1, 5), (2, 1), F(1), F(1, 2), neighbours="remove-one"),
    "the first batch": Huber(2, 6, 2, F(1, 6), (0, 1), F(1), F(1, 2)),
    "two records": Huber(2, 12, 3, F(1, 6), (1, 2), F(1), F(5, 4)),
    "no regulariser": Huber(2, 8, 2, F(1, 6), (1, 1), F(1), F(1), strong_convexity=F(0)),
    "full batch": Huber(1, 8, 3, F(1, 6), (0, 1), F(3, 4), F(0)),
}


@pytest.mark.parametrize("name", CURVED)
def test_curved_witness_against_exact_densities(name: str) -> None:
    """What it claims at ε is at most the δ(ε) of the actual non-linear runs, exits and all; and is not nothing."""
    member = CURVED[name]
    found = density.delta_of_pair(member.pairs(), [0.25, 1.0])
    claims = [member.greatest_delta(F(e.epsilon)) for e in found]
    for claimed, exact in zip(claims, found, strict=True):
        assert float(claimed) <= min(exact.forward, exact.backward) + exact.error
    assert float(claims[0]) >= 0.4 * found[0].forward


def test_without_the_exit_term_it_would_claim_more_than_the_truth() -> None:
    """Wide noise: the runs leave the interval all the time; what the Gaussians inside say is refuted by the
    densities, and refused by the theorem."""
    member = Huber(3, 4, 2, F(1), (2, 1), F(2), F(2), strong_convexity=F(0))
    (exact,) = density.delta_of_pair(member.pairs(), [0.5])
    inside = density.gdp_delta(0.5, member.inside_mu())
    assert inside > 1.2 * (exact.forward + exact.error)
    with pytest.raises(TheoremError, match=r"curved_witness \(T6c\): needs δ_μ\(ε\) − \(1 \+ e\^ε\)·P\(exit\) ≥ δ"):
        member.claim(F(1, 2), F(inside).limit_denominator(10**6))


def test_quiet_runs_are_charged_nothing() -> None:
    """Little noise: δ is that of the Gaussians inside, and ε and μ are theirs."""
    member = replace(CURVED["the last batch"], noise=F(1, 40))
    mu = member.inside_mu()
    epsilon = conversions.epsilon_gdp("1e-5", mu)
    with mp.workdps(30):
        at = F(int(epsilon * 10**12), 10**12)
    assert member.accepts(at * (1 - F(1, 10**9)), F(1, 10**5))
    assert not member.accepts(at * (1 + F(1, 10**9)), F(1, 10**5))
    below, above = (F(mu).limit_denominator(10**12) * (1 + F(sign, 10**6)) for sign in (-1, 1))
    member.claim(at * (1 - F(1, 10**9)), F(1, 10**5), below)
    with pytest.raises(TheoremError, match="δ of mu at ε is at most δ"):
        member.claim(at * (1 - F(1, 10**9)), F(1, 10**5), above)


@pytest.mark.parametrize("neighbours", ["replace-one", "remove-one"])
def test_the_members_are_in_the_class(neighbours: str) -> None:
    """Their maps are contractions as far apart as the class allows: T3 speaks about them."""
    for member in CURVED.values():
        made = replace(member, neighbours=neighbours)
        slope = 1 - made.step_size * made.strong_convexity
        change = 2 if neighbours == "replace-one" else 1
        shift = made.record[1] * change * made.step_size * made.gradient_bound / made.batch_size
        for k, pair in enumerate(made.pairs()):
            moved = shift if k % made.batches == made.record[0] else F(0)
            assert density.largest_gap(replace(pair, c=slope, s=moved), -4, 4) <= 1e-12


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"own": F(3, 2) + F(1, 10**9)}, "curvature ≤ L − m"),
        ({"others": F(3, 2) + F(1, 10**9)}, "curvature ≤ L − m"),
        ({"own": F(-1, 10**9)}, "0 ≤ curvature"),
        ({"noise": F(2)}, r"δ_μ\(ε\) − \(1 \+ e\^ε\)·P\(exit\) ≥ δ"),
        ({"batch_size": 2}, r"D\* < M/h"),
        ({"record": (1, 7)}, "1 ≤ differing records of a batch ≤ b"),
        ({"record": (2, 1)}, "positions ascend within the epoch"),
        ({"noise": F(0)}, "0 < τ²"),
        ({"step_size": F(1)}, "0 ≤ slope"),
        ({"strong_convexity": F(0), "own": F(0)}, "slope < 1"),
        ({"epochs": 0}, "epochs ≥ 1"),
        ({"smoothness": F(3, 2)}, None),
        ({"own": F(0), "others": F(0)}, None),
    ],
)
def test_each_condition_of_the_curved_witness_is_needed(changes, says: str | None) -> None:
    made = replace(CURVED["the last batch"], **changes)
    if says is None:
        assert made.claim(F(1, 4), F(1, 10**4)).decided
        return
    with pytest.raises(TheoremError, match=rf"curved_witness \(T6c\): needs {says}"):
        made.claim(F(1, 4), F(1, 10**4))


def test_facts_of_the_published_setting() -> None:
    """K = 0, b = 128, σ = 0.05: the two sides meet to 1e-4, and μ = 0.4322979 against the string's 0.4323188."""
    for epochs in (10, 100):
        made = mnist(128, epochs, 0, "0.05")
        lower, upper = derive_lower(made, DELTA), derive_upper(made, DELTA)
        assert (lower.theorem.id, upper.theorem.id) == ("T6c", "T11")
        assert 1 < enclose(upper).upper / enclose(lower).lower <= F(1001, 1000)
        assert F("0.432297") < dict(lower.arguments)["mu"] < F("0.432298")
        assert enclose(lower).lower > enclose(derive_epsilon(derive_witness(made), DELTA)).upper


# --- T6c is never above what is proved --------------------------------------------------------------------------------


@settings(max_examples=300)
@given(
    st.integers(1, 4),
    st.integers(1, 8),
    st.integers(1, 4),
    st.sampled_from([F(1, 50), F(1, 12), F(1, 6), F(1, 4)]),
    st.sampled_from([F(0), F(1, 4), F(1)]),
    st.sampled_from([F(1, 4), F(1, 2)]),
    st.integers(0, 4),
    st.integers(0, 4),
    st.sampled_from(["replace-one", "remove-one"]),
    st.sampled_from([F(1, 10**6), F(1, 100)]),
    st.integers(0, 31),
)
def test_the_curved_witness_is_never_above_the_string(
    batches, batch_size, epochs, noise, m, step, own, others, neighbours, delta, place
) -> None:
    """ε from T3 with the record in that very batch, and a hair more is refused by T6c whatever the curvatures."""
    position = place % batches
    room = F(2) - m
    member = Huber(
        batches, batch_size, epochs, noise, (position, 1), room * own / 4, room * others / 4,
        strong_convexity=m, step_size=step, neighbours=neighbours,
    )  # fmt: skip
    c = max(abs(1 - step * m), abs(1 - step * 2))
    shift = (2 if neighbours == "replace-one" else 1) * step / F(batch_size)
    steps = [(c, shift if j == position else 0, 2 * step * noise**2) for j in range(batches)] * epochs
    square, _ = oracle.taut_string(steps)
    above = float(bisected_epsilon(math.sqrt(square), float(delta))) * (1 + 1e-9) + 1e-12
    assert not member.accepts(F(above), delta)


def bisected_epsilon(mu: float, delta: float) -> float:
    """ε(δ) of μ by bisection in doubles."""
    low, high = 0.0, 1.0
    while density.gdp_delta(high, mu) > delta:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if density.gdp_delta(middle, mu) > delta else (low, middle)
    return high


@settings(max_examples=10)
@given(
    st.integers(1, 5),
    st.integers(2, 8),
    st.integers(1, 6),
    st.sampled_from(["1/100", "1/20", "1/4"]),
    st.sampled_from([F(1, 4), F(1), F(4, 3)]),
    st.sampled_from(["replace-one", "remove-one"]),
    st.sampled_from(["1e-6", "1e-2"]),
)
def test_what_is_found_lies_between_the_straight_witness_and_the_bound(
    batches, batch_size, epochs, noise, step, neighbours, delta
) -> None:
    made = run(batches, batch_size, epochs=epochs, noise_std=noise, step_size=step, neighbours=neighbours)
    lower, upper = derive_lower(made, delta), enclose(derive_upper(made, delta))
    assert lower.theorem.id in ("T6c", "T11")
    assert enclose(lower).lower <= upper.upper
    if lower.theorem.id == "T6c":
        known = dict(lower.arguments)
        assert known["mu"] <= enclose(derive(made)).upper
        if known["epsilon"] < 500:  # e^ε overflows in doubles
            assert float(evaluate(lower, Float()).epsilon) == pytest.approx(float(known["epsilon"]))


def test_the_whole_room_for_curvature_is_used() -> None:
    """Small steps: the best curvature is L − m itself, which is no dyadic number; a tie would be open in balls."""
    made = mnist(128, 20, 0, "0.05", step_size="1")
    lower = derive_lower(made, DELTA)
    assert lower.theorem.id == "T6c"
    assert dict(lower.arguments)["others"] > F("0.25") * (1 - F(1, 10**9))
    assert enclose(lower).lower > enclose(derive_epsilon(derive_witness(made), DELTA)).upper


def test_logistic_constants_serve_the_curved_witness() -> None:
    made = NoisySGD(1024, 64, 20, "0.02", LogisticLoss("0.01"), step_size="2")
    lower = derive_lower(made, "1e-4")
    assert lower.theorem.id == "T6c" and [p.theorem.id for p in lower.premises] == ["L1"]
    assert enclose(lower).lower <= enclose(derive_upper(made, "1e-4")).upper


@pytest.mark.parametrize(
    "changes",
    [{"unlearning_epochs": 1}, {"initial_distance": F(1, 10)}, {"requests": (4,)}, {"release": "all"}],
)
def test_where_it_does_not_apply_the_straight_witness_stands(changes) -> None:
    made = run(3, 3, noise_std=F(1, 30), **changes)
    assert derive_lower(made, "1e-5").theorem.id == "T11"
    assert derive_lower(replace(made, radius=5), "1e-5") is None
    assert derive_lower(run(3, 3, noise_std=F(1, 30)), "1e-5").theorem.id == "T6c"


# --- T6m: the mixture of straight witnesses ---------------------------------------------------------------------------


def straight_mixture(made: NoisySGD) -> tuple[list[F], F]:
    """(distance with the record in each batch, variance), step by step in rationals."""
    slope, change = 1 - made.step_size * made.loss.strong_convexity, 2 if made.neighbours == "replace-one" else 1
    shift, distances, variance = change * made.step_size * made.loss.gradient_bound / made.batch_size, [], F(0)
    for j in range(made.batches):
        noise = 2 * made.step_size * made.noise_std**2
        epoch = [(slope, shift if k == j else 0, noise) for k in range(made.batches)]
        clean = [(slope, 0, noise)] * (made.batches * made.unlearning_epochs[0])
        d, variance = oracle.straight_witness(epoch * made.epochs + clean)
        distances.append(d)
    return distances, variance


def hidden(batches: int, epochs: int, erased: int, noise: str, **changes) -> NoisySGD:
    return run(
        batches, epochs=epochs, unlearning_epochs=erased, noise_std=noise, batch_order="secret", **changes
    )  # fmt: skip


@pytest.mark.parametrize("neighbours", ["replace-one", "remove-one"])
@pytest.mark.parametrize(
    ("batches", "epochs", "erased", "noise"), [(1, 3, 1, "1"), (4, 3, 0, "1/5"), (5, 2, 1, "1"), (3, 1, 2, "1/3")]
)
def test_secret_witness_against_mpmath(batches: int, epochs: int, erased: int, noise: str, neighbours: str) -> None:
    """At the ε that is found, δ of the two mixtures is at least δ; a little higher it is less: the threshold is
    good."""
    made = hidden(batches, epochs, erased, noise, neighbours=neighbours)
    distances, variance = straight_mixture(made)
    for delta in ("1e-6", "1e-2"):
        lower = derive_lower(made, delta)
        with mp.workdps(50):
            ds, v = [big(d) for d in distances], big(variance)
            if lower is None:
                assert conversions.secret_order_witness("1e-9", ds, v) <= mpf(delta)
                continue
            assert lower.theorem.id == "T6m" and lower.decided
            epsilon = big(enclose(lower).lower)
            assert conversions.secret_order_witness(epsilon, ds, v) >= mpf(delta)
            assert conversions.secret_order_witness(epsilon * (1 + mpf("1e-6")), ds, v) < mpf(delta)


def mixture_claim(made: NoisySGD, epsilon: F, threshold: F, positions: tuple[int, ...], delta: F) -> Derivation:
    """T6m with arguments of one's own."""
    constants = made.loss.constants()
    return apply(
        theorems.secret_witness,
        start=F(0),
        strong_convexity=constants.strong_convexity,
        gradient_bound=constants.gradient_bound,
        neighbours=made.neighbours,
        phases=history(made).phases,
        delta=delta,
        epsilon=epsilon,
        threshold=threshold,
        positions=positions,
    )


@settings(max_examples=30)
@given(
    st.integers(1, 6),
    st.integers(0, 1),
    st.sampled_from(["1/5", "1"]),
    st.integers(0, 40),
    st.integers(1, 60),
    st.data(),
)
def test_any_threshold_and_any_batches_prove_no_more_than_the_mixture_gives(
    batches, erased, noise, threshold, epsilon, data
) -> None:
    """Whatever the test and however few batches are looked at: accepted only where δ of the mixtures is at least δ."""
    made = hidden(batches, 3, erased, noise)
    positions = tuple(sorted(data.draw(st.sets(st.integers(0, batches - 1))) | {0, batches - 1}))
    epsilon, threshold = F(epsilon, 20), F(threshold, 20)
    distances, variance = straight_mixture(made)
    with mp.workdps(30):
        truth = conversions.secret_order_witness(big(epsilon), [big(d) for d in distances], big(variance))
        above = F(int(truth * 10**18) + 1, 10**18)
    with pytest.raises(TheoremError, match=r"secret_witness \(T6m\): needs P\(x > t\) − e\^ε·P′\(x > t\) ≥ δ"):
        mixture_claim(made, epsilon, threshold, positions, above)


def test_fewer_batches_prove_less() -> None:
    made = hidden(6, 3, 0, "1/4")
    found = derive_lower(made, "1e-3")
    known = dict(found.arguments)
    threshold, epsilon = known["threshold"], known["epsilon"]
    with pytest.raises(TheoremError, match="needs P"):
        mixture_claim(made, epsilon, threshold, (0, 5), F(1, 1000))
    assert mixture_claim(made, epsilon / 2, threshold, (0, 5), F(1, 1000)).decided


@settings(max_examples=25)
@given(
    st.integers(1, 8),
    st.integers(1, 5),
    st.integers(0, 2),
    st.sampled_from(["1/10", "1", "5"]),
    st.sampled_from([F(1, 4), F(1), F(4, 3), F(2)]),
    st.sampled_from(["replace-one", "remove-one"]),
    st.sampled_from(["1e-8", "1e-3", "0.2"]),
)
def test_the_secret_witness_is_never_above_the_bound(batches, epochs, erased, noise, step, neighbours, delta) -> None:
    made = hidden(batches, epochs, erased, noise, step_size=step, neighbours=neighbours)
    lower, upper = derive_lower(made, delta), derive_upper(made, delta)
    assert upper.theorem.id == "T9"
    if lower is None:
        return
    assert lower.theorem.id == "T6m" and enclose(lower).lower <= enclose(upper).upper
    fixed = derive_epsilon(derive_witness(replace(made, batch_order="fixed")), delta)
    assert enclose(lower).lower <= enclose(fixed).upper  # the last batch is the easiest to see


def test_both_sides_of_the_published_setting() -> None:
    made = mnist(512, 200, 1, "0.0296407", batch_order="secret")
    lower, upper = enclose(derive_lower(made, DELTA)), enclose(derive_upper(made, DELTA))
    assert 1 < upper.upper / lower.lower < F(121, 100)


def test_more_batches_than_are_looked_at() -> None:
    """5000 batches, of which some 2000 are looked at; the others count like earlier ones: valid, and little is lost."""
    made = hidden(5_000, 1, 1, "1/1000", batch_size=1, loss=ConstantLoss(1, F(1, 1000), 1))
    lower = derive_lower(made, "1e-5")
    positions = dict(lower.arguments)["positions"]
    assert lower.decided and len(positions) < 2_100 and (positions[0], positions[-1]) == (0, 4_999)
    fixed = derive_epsilon(derive_witness(replace(made, batch_order="fixed")), "1e-5")
    assert 0 < enclose(lower).lower < enclose(fixed).upper


@pytest.mark.parametrize(
    "changes",
    [
        {"radius": 9},
        {"step_size": F(3), "loss": ConstantLoss(F(1, 2), F(1, 2), 2)},  # 1 − ηm < 0
        {"samples": 7, "remainder": "drop"},
        {"requests": (2,)},
        {"initial_distance": F(1, 10)},
        {"release": "all"},
        {"requests": (1, 1), "unlearning_epochs": (1, 1)},
    ],
)
def test_a_secret_order_without_its_own_witness_has_none(changes) -> None:
    """That of the worst batch would be none: what is hidden in a secret order may lie below it."""
    made = run(**({"unlearning_epochs": 1, "batch_order": "secret"} | changes))
    assert derive_lower(made, "1e-3", len(made.requests) - 1) is None
    assert derive_witness(made) is None


def test_the_worst_batch_is_no_witness_of_a_secret_order() -> None:
    """What is proved of a secret order lies below T6 in the last batch: that bounds nothing here."""
    made = hidden(4, 3, 1, "1")
    fixed = derive_epsilon(derive_witness(replace(made, batch_order="fixed")), "1e-3")
    assert enclose(derive_upper(made, "1e-3")).upper < enclose(fixed).lower
