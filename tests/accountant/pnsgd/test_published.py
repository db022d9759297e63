"""P1s, P2, P3 and P3s against what the authors' code gives (tests/oracles/data), and against T3."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accountant import ConstantLoss, Derivation, NoisySGD, apply, derive, derive_epsilon, enclose, evaluate, theorems
from accountant.core.arithmetic import Float
from accountant.pnsgd.published import (
    best_order,
    chien2024_epochs,
    derive_descent_to_delete,
    derive_langevin,
    derive_sequential,
    descent_to_delete_iterations,
    descent_to_delete_noise,
    langevin_noise,
)
from accountant.theorems.baselines import langevin_renyi
from tests.accountant.cases import MNIST, mnist
from tests.accountant.cases import run as small
from tests.oracles import published

SEQUENCES = published.load_sequences()
BASELINES = published.load_baselines()
FORM = {"consistent_loose_k": "loose", "official_code_k": "authors-code"}
ETA = 1 / MNIST.smoothness
C = 1 - ETA * MNIST.strong_convexity


def steps(batch_size: int, sigma: float) -> dict[str, F]:
    return {"contraction": C, "shift": 2 * ETA / batch_size, "variance": 2 * ETA * F(repr(sigma)) ** 2}


def upper(derivation: Derivation) -> float:
    found = enclose(derivation)
    assert found.sharp
    return float(found.upper)


# --- P1s --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", SEQUENCES, ids=str)
@pytest.mark.parametrize("column", FORM)
def test_reproduces_the_authors_epochs_for_a_hundred_requests(key: tuple[float, float, int], column: str) -> None:
    """All 2 × 28 lists, every entry: the first request by the loose form, the later ones by the column's."""
    target, sigma, size = key
    known = {name: float(value) for name, value in steps(size, sigma).items()}
    found = chien2024_epochs(
        **known, batches=11264 // size, sizes=(1,) * 100, epsilon=target, delta=1 / 11264, form=FORM[column]
    )
    assert found == SEQUENCES[key][column]


def sequence(size: int, sigma: float, ks: tuple[int, ...], form: str, request: int | None) -> Derivation:
    return apply(
        theorems.chien2024_sequential,
        **steps(size, sigma),
        batches=11264 // size,
        sizes=(1,) * len(ks),
        unlearning_epochs=ks,
        request=request,
        form=form,
        delta=F(1, 11264),
        diameter=None,
    )


@pytest.mark.parametrize("key", [(0.01, 0.2, 512), (0.01, 0.5, 11264), (1.0, 0.03, 11264), (0.01, 1.0, 512)], ids=str)
@pytest.mark.parametrize("column", FORM)
def test_the_epsilon_of_each_request(key: tuple[float, float, int], column: str) -> None:
    """Against the oracle; the K found are least: ε is met, and one epoch less does not meet it."""
    target, sigma, size = key
    ks = tuple(SEQUENCES[key][column])[:12]
    expected = published.sequence_epsilons(published.mnist_setting(size), sigma, ks, published.SEQUENCE_FORMS[column])
    values = [upper(sequence(size, sigma, ks, FORM[column], r)) for r in range(len(ks))]
    assert values == pytest.approx(expected, rel=1e-9)
    assert upper(sequence(size, sigma, ks, FORM[column], None)) == max(values) <= target
    for r, k in enumerate(ks):
        if k > 1:
            assert upper(sequence(size, sigma, (*ks[:r], k - 1), FORM[column], r)) > target
        short = evaluate(sequence(size, sigma, ks, FORM[column], r), Float()).epsilon
        assert float(short) == pytest.approx(values[r], rel=1e-9)


def test_one_request_is_the_converged_bound() -> None:
    one = sequence(512, 0.02, (2,), "authors-code", 0)
    alone = apply(
        theorems.chien2024_converged,
        **steps(512, 0.02),
        batches=22,
        unlearning_epochs=2,
        delta=F(1, 11264),
        diameter=None,
    )
    assert enclose(one) == enclose(alone)


def test_a_diameter_caps_the_distance() -> None:
    setting = published.mnist_setting(512)
    for diameter in ("0.001", "0.026", "0.035", "10"):
        found = apply(
            theorems.chien2024_sequential,
            **steps(512, 0.05),
            batches=22,
            sizes=(1, 2, 1),
            unlearning_epochs=(1, 1, 2),
            request=None,
            form="loose",
            delta=F(1, 11264),
            diameter=F(diameter),
        )
        expected = published.sequence_epsilons(setting, 0.05, (1, 1, 2), (False, False), (1, 2, 1), float(diameter))
        assert upper(found) == pytest.approx(max(expected), rel=1e-9)


def test_no_epochs_meet_what_the_conversion_alone_exceeds() -> None:
    known = {name: float(value) for name, value in steps(512, 0.1).items()}
    with pytest.raises(ValueError, match="conversion"):
        chien2024_epochs(**known, batches=22, sizes=(1,), epsilon=5e-4, delta=1e-5)


# --- P2 ---------------------------------------------------------------------------------------------------------------


def full_batch(run: published.FullBatch, sigma: float, sizes: tuple[int, ...], ks: tuple[int, ...]) -> NoisySGD:
    m = F(run.n, 10**6)
    return NoisySGD(
        samples=run.n,
        batch_size=run.n,
        epochs=1000,
        noise_std=F(repr(sigma)),
        loss=ConstantLoss(F(1, 4) + m, m, 1),
        requests=sizes,
        unlearning_epochs=ks,
    )


@pytest.mark.parametrize("run", BASELINES, ids=lambda run: str(run.n))
def test_reproduces_the_noise_of_langevin_unlearning(run: published.FullBatch) -> None:
    """Their σ are ends of a bisection, at most 1e-8 above ours; ε at them is the target, or that little below."""
    for k in (1, 2, 5):
        for target, sigma in zip(published.BASELINE_TARGETS, BASELINES[run]["LU_sigma_S1"][f"K={k}"], strict=True):
            mechanism = full_batch(run, sigma, (1,), (k,))
            found = upper(derive_langevin(mechanism, F(1, run.n)))
            assert found == pytest.approx(published.langevin_epsilon(run, sigma, (1,), (k,)), rel=1e-8)
            assert target * (1 - 2.2e-8 / sigma) <= found <= target * (1 + 1e-9)
            assert -1e-12 <= sigma - langevin_noise(mechanism, target, 1 / run.n) <= 1.01e-8


@pytest.mark.parametrize("size", [5, 10, 20])
@pytest.mark.parametrize("run", BASELINES, ids=lambda run: str(run.n))
def test_reproduces_the_langevin_epochs_of_every_request(run: published.FullBatch, size: int) -> None:
    """All 4 × 3 lists: at ε = 1 and σ = 0.03 each K is the least with the ones before it."""
    ks = tuple(BASELINES[run][f"LU_seq_k_S{size}"])[1:]
    assert len(ks) == 100 // size and sum(ks) == BASELINES[run][f"LU_seq_ksum_S{size}"]
    m, smoothness = F(run.n, 10**6), F(1, 4) + F(run.n, 10**6)
    known = {
        "contraction": 1 - m / smoothness,
        "shift": 2 / smoothness / run.n,
        "variance": 2 / smoothness * F("0.03") ** 2,
    }
    floats = {name: float(value) for name, value in known.items()}
    for r in range(1, len(ks) + 1):
        for last, met in ((ks[r - 1], True), (ks[r - 1] - 1, False)):
            sizes, epochs = (size,) * r, (*ks[: r - 1], last)

            def curve(orders: np.ndarray, sizes=sizes, epochs=epochs) -> np.ndarray:
                return langevin_renyi(Float(), **floats, sizes=sizes, unlearning_epochs=epochs, order=orders)

            order, epsilon = best_order(curve, 1 / run.n)
            assert (epsilon <= 1) == met
            if r in (1, 2, len(ks)):
                found = apply(
                    theorems.langevin_unlearning,
                    **known,
                    sizes=sizes,
                    unlearning_epochs=epochs,
                    order=F(order),
                    delta=F(1, run.n),
                )
                assert upper(found) == pytest.approx(published.langevin_epsilon(run, 0.03, sizes, epochs), rel=1e-8)


def test_langevin_is_derived_for_the_worst_request() -> None:
    run = next(iter(BASELINES))
    ks = (436, 100, 2000)
    mechanism = full_batch(run, 0.03, (5, 7, 5), ks)
    expected = [published.langevin_epsilon(run, 0.03, (5, 7, 5)[:r], ks[:r]) for r in (1, 2, 3)]
    assert expected[1] == max(expected)
    assert upper(derive_langevin(mechanism, F(1, run.n))) == pytest.approx(max(expected), rel=1e-8)
    noise = langevin_noise(mechanism, 1.0, 1 / run.n)
    again = full_batch(run, noise, (5, 7, 5), ks)
    assert upper(derive_langevin(again, F(1, run.n))) == pytest.approx(1, rel=1e-8)


def test_langevin_bounds_learning_too() -> None:
    run = next(iter(BASELINES))
    found = derive_langevin(full_batch(run, 0.1, (1,), (0,)), F(1, run.n))
    assert upper(found) == pytest.approx(published.langevin_epsilon(run, 0.1, (1,), (0,)), rel=1e-8)


# --- P3 ---------------------------------------------------------------------------------------------------------------


def constants(run: published.FullBatch) -> dict[str, F | int]:
    m = F(run.n, 10**6)
    return {"strong_convexity": m, "smoothness": F(1, 4) + m, "gradient_bound": F(1), "samples": run.n}


@pytest.mark.parametrize("run", BASELINES, ids=lambda run: str(run.n))
def test_reproduces_the_noise_of_descent_to_delete(run: published.FullBatch) -> None:
    """σ(ε) as their code prints it, to rounding, and back: ε(σ) is the target."""
    for iterations in (1, 2, 5):
        column = BASELINES[run]["D2D_sigma"][f"I={iterations}"]
        for target, sigma in zip(published.BASELINE_TARGETS, column, strict=True):
            mechanism = full_batch(run, sigma, (1,), (iterations,))
            assert descent_to_delete_noise(mechanism, target, 1 / run.n) == pytest.approx(sigma, rel=1e-12)
            assert published.descent_noise(run, iterations, target) == pytest.approx(sigma, rel=1e-12)
            derivation = derive_descent_to_delete(mechanism, F(1, run.n))
            assert upper(derivation) == pytest.approx(target, rel=1e-10)
            assert float(evaluate(derivation, Float()).epsilon) == pytest.approx(target, rel=1e-10)


@pytest.mark.parametrize("run", BASELINES, ids=lambda run: str(run.n))
def test_reproduces_sequential_descent_to_delete(run: published.FullBatch) -> None:
    """I and σ of the first and the hundredth request, the sum over all; P3s accepts them, and no smaller noise."""
    columns = BASELINES[run]
    known = {"strong_convexity": run.m, "smoothness": run.smoothness, "dimension": run.dimension}
    every = [descent_to_delete_iterations(**known, request=i, epsilon=1.0, delta=run.delta) for i in range(1, 101)]
    assert every == [published.descent_sequence(run, i, 1.0)[1] for i in range(1, 101)]
    assert published.descent_sequence(run, 1, 1.0)[0] == columns["D2D_seq_min_I_eps1"]
    assert [every[0], every[-1]] == columns["D2D_seq_k_first_last"]
    assert sum(every) == columns["D2D_seq_k_sum_100_eps1"]
    for i, sigma in zip((1, 100), columns["D2D_seq_sigma_first_last"], strict=True):
        assert published.descent_sequence(run, i, 1.0)[2] == pytest.approx(sigma, rel=1e-12)
        arguments = constants(run) | {
            "iterations": every[i - 1],
            "request": i,
            "dimension": run.dimension,
            "epsilon": F(1),
            "delta": F(1, run.n),
        }
        theorem = theorems.descent_to_delete_sequential
        assert upper(apply(theorem, **arguments, noise_std=F(repr(sigma * (1 + 1e-12))))) == 1
        with pytest.raises(ValueError, match="σ as large"):
            apply(theorem, **arguments, noise_std=F(repr(sigma * (1 - 1e-12))))
        with pytest.raises(ValueError, match="I as many"):
            apply(theorem, **(arguments | {"iterations": every[i - 1] - 2}), noise_std=F(1))


# --- laws -------------------------------------------------------------------------------------------------------------

share = st.fractions(F(1, 8), F(7, 8), max_denominator=8)


@st.composite
def sequences(draw, batches: int | None = None) -> NoisySGD:
    """Full batches or several, m > 0, η ≤ 1/L, one request or several, each within a batch, K ≥ 1."""
    batches = draw(st.integers(1, 3)) if batches is None else batches
    size = draw(st.integers(4, 6))
    count = draw(st.integers(1, 3))
    smoothness = draw(st.sampled_from([F(1), F(7, 3)]))
    return small(
        batches,
        size,
        epochs=draw(st.integers(1, 5)),
        unlearning_epochs=tuple(draw(st.integers(1, 4)) for _ in range(count)),
        requests=tuple(draw(st.sampled_from([1, 1, 2] if count < 3 else [1])) for _ in range(count)),
        noise_std=draw(st.fractions(F(1, 5), 3, max_denominator=5)),
        loss=ConstantLoss(smoothness, smoothness * draw(share), draw(st.fractions(F(1, 4), 4, max_denominator=4))),
        step_size=draw(st.sampled_from([F(1, 2), F(1)])) / smoothness,
        neighbours=draw(st.sampled_from(["replace-one", "remove-one"])),
        radius=draw(st.sampled_from([None, None, F(1, 2), F(20)])),
    )


DELTA = F(1, 1000)
deltas = st.sampled_from([F(1, 10), F(1, 1000), F(1, 10**9)])


@given(sequences(), deltas)
def test_ours_is_never_above_the_sequential_bound(mechanism: NoisySGD, delta: F) -> None:
    bounds = [derive_sequential(mechanism, delta, form) for form in ("loose", "authors-code")]
    if len(mechanism.requests) == 1:
        assert bounds == [None, None]
        return
    for bound in bounds:
        for request in range(len(mechanism.requests)):
            assert enclose(derive_epsilon(derive(mechanism, request), delta)).upper <= enclose(bound).lower
    assert enclose(bounds[1]).lower <= enclose(bounds[0]).upper  # the sharper form is


@given(sequences(batches=1), deltas)
def test_ours_is_never_above_langevin_unlearning(mechanism: NoisySGD, delta: F) -> None:
    bound = enclose(derive_langevin(mechanism, delta))
    for request in range(len(mechanism.requests)):
        assert enclose(derive_epsilon(derive(mechanism, request), delta)).upper <= bound.lower


@given(sequences(batches=1), st.fractions(F(1), 3, max_denominator=4), st.integers(1, 3))
def test_more_noise_and_more_epochs_are_never_worse(mechanism: NoisySGD, factor: F, more: int) -> None:
    """Of the last request; the earlier ones do not see its K."""
    ks = (*mechanism.unlearning_epochs[:-1], mechanism.unlearning_epochs[-1] + more)
    for law in (known_sequential, known_langevin):
        base = law(mechanism, mechanism.noise_std, mechanism.unlearning_epochs)
        assert law(mechanism, factor * mechanism.noise_std, mechanism.unlearning_epochs) <= base * (1 + 1e-12)
        assert law(mechanism, mechanism.noise_std, ks) <= base * (1 + 1e-12)
    known = descent(mechanism.loss.smoothness, mechanism.loss.strong_convexity)
    base = upper(known(3, F(1)))
    assert upper(known(3 + more, F(1))) < base and upper(known(3, factor)) <= base


def known_sequential(mechanism: NoisySGD, noise: F, ks: tuple[int, ...]) -> float:
    c = 1 - mechanism.step_size * mechanism.loss.strong_convexity
    return upper(
        apply(
            theorems.chien2024_sequential,
            contraction=c,
            shift=F(1, 3),
            variance=2 * mechanism.step_size * noise**2,
            batches=1,
            sizes=mechanism.requests,
            unlearning_epochs=ks,
            request=len(ks) - 1,
            form="authors-code",
            delta=DELTA,
            diameter=mechanism.diameter,
        )
    )


def known_langevin(mechanism: NoisySGD, noise: F, ks: tuple[int, ...]) -> float:
    c = 1 - mechanism.step_size * mechanism.loss.strong_convexity
    return upper(
        apply(
            theorems.langevin_unlearning,
            contraction=c,
            shift=F(1, 3),
            variance=2 * mechanism.step_size * noise**2,
            sizes=mechanism.requests,
            unlearning_epochs=ks,
            order=F(5),
            delta=DELTA,
        )
    )


def descent(smoothness: F, convexity: F):
    def bound(iterations: int, noise: F) -> Derivation:
        return apply(
            theorems.descent_to_delete,
            strong_convexity=convexity,
            smoothness=smoothness,
            gradient_bound=F(1),
            samples=100,
            iterations=iterations,
            noise_std=noise,
            delta=DELTA,
        )

    return bound


def test_the_bounds_run_on_arrays() -> None:
    A, sigmas = Float(), np.array([0.01, 0.02, 0.4])
    known = {"contraction": 0.9, "shift": 0.01}
    for body, arguments in (
        (theorems.langevin_unlearning.body, {"order": 7.0}),
        (theorems.chien2024_sequential.body, {"batches": 2, "request": None, "form": "loose", "diameter": None}),
    ):
        arguments = known | arguments | {"sizes": (1, 2), "unlearning_epochs": (1, 3), "delta": 1e-5}
        together = body(A, **arguments, variance=sigmas**2).epsilon
        assert together == pytest.approx([body(A, **arguments, variance=s**2).epsilon for s in sigmas], rel=1e-14)
    known = {"strong_convexity": 0.1, "smoothness": 1.0, "gradient_bound": 1.0, "samples": 100, "iterations": 3}
    together = theorems.descent_to_delete.body(A, **known, noise_std=sigmas, delta=1e-5).epsilon
    assert together.shape == (3,) and np.all(np.diff(together) < 0)


# --- silence ----------------------------------------------------------------------------------------------------------


def test_the_baselines_are_silent_where_they_do_not_speak() -> None:
    fields = {"batch_size": 11264, "epochs": 3, "unlearning_epochs": 1, "noise_std": "0.1"}
    every = (derive_langevin, derive_descent_to_delete)
    assert all(bound(mnist(**fields), DELTA) for bound in every)
    for changes in (
        {"batch_size": 512},
        {"initial_distance": 1},
        {"loss": ConstantLoss("0.25", 0, 1)},
        {"loss": ConstantLoss("0.25", "0.01", 0)},
    ):
        run = NoisySGD(**({"samples": 11264, "loss": MNIST} | fields | changes))
        assert derive_langevin(run, DELTA) is None and langevin_noise(run, 1.0, 1e-5) is None
        if "initial_distance" not in changes:
            assert derive_descent_to_delete(run, DELTA) is None and descent_to_delete_noise(run, 1.0, 1e-5) is None
    assert (
        derive_langevin(mnist(**(fields | {"step_size": 2 / (MNIST.smoothness + MNIST.strong_convexity)})), DELTA)
        is None
    )
    for changes in ({"requests": (2,)}, {"requests": (1, 1)}, {"unlearning_epochs": 0}):
        assert derive_descent_to_delete(mnist(**(fields | changes)), DELTA) is None
    assert langevin_noise(mnist(**fields), 1e-5, 1e-5) is None  # 10⁵ orders are too few
    several = fields | {"batch_size": 512, "requests": (1, 1)}
    assert derive_sequential(mnist(**several), DELTA) is not None
    for changes in (
        {"requests": (1,)},
        {"requests": (600, 1)},
        {"unlearning_epochs": (1, 0)},
        {"initial_distance": 1},
    ):
        assert derive_sequential(mnist(**(several | changes)), DELTA) is None


def test_many_requests_do_not_overflow() -> None:
    run = mnist(11264, 3, (1,) * 150, "0.5", requests=(1,) * 150)
    assert math.isfinite(upper(derive_langevin(run, DELTA)))
    longer = mnist(11264, 3, (1,) * 201, "0.5", requests=(1,) * 201)
    assert derive_langevin(longer, DELTA) is None


@pytest.mark.parametrize("noise", ["1e-300", "1e300"])
def test_a_noise_beyond_doubles_is_no_crash(noise: str) -> None:
    run = mnist(11264, 3, 1, noise)
    for bound in (derive_langevin(run, DELTA), derive_descent_to_delete(run, DELTA)):
        assert bound is None or enclose(bound).lower >= 0
    assert langevin_noise(run, 1.0, 1e-5) == langevin_noise(mnist(11264, 3, 1, "1"), 1.0, 1e-5)
