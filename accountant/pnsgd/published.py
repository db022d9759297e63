"""From a mechanism to the published bounds that others would give it (P1s, P2, P3); their searches, in doubles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from fractions import Fraction

import numpy as np

from accountant import theorems
from accountant.core.arithmetic import Float
from accountant.core.exact import exact
from accountant.core.kernel import Derivation, apply
from accountant.mechanisms.pnsgd import NoisySGD
from accountant.pnsgd.derive import PublishedStep, chien2024_step
from accountant.theorems import baselines
from accountant.theorems.published import MAX_ORDER, learned_distance

MIN_LANGEVIN_ORDER, MAX_LANGEVIN_ORDER = 2, 100_000  # the range that the authors' code searches
MAX_LANGEVIN_REQUESTS = 200  # ε doubles with each request: beyond these the bound is useless, and soon overflows


def step_in_order(mechanism: NoisySGD) -> PublishedStep | None:
    """The step of Chien et al. 2024 where the batches have a fixed order as well, as in their sequences of requests."""
    return chien2024_step(mechanism) if mechanism.batch_order == "fixed" else None


def derive_sequential(mechanism: NoisySGD, delta: Fraction | str, form: str = "loose") -> Derivation | None:
    """P1s: the published bound for several requests, on the worst of them; None where it does not apply.

    It applies to two requests or more, each of at most a batch, with K ≥ 1, and c < 1.
    """
    step = step_in_order(mechanism) if len(mechanism.requests) > 1 else None
    if step is None or min(mechanism.unlearning_epochs) < 1:
        return None
    return apply(
        theorems.chien2024_sequential,
        **asdict(step),
        batches=mechanism.batches,
        sizes=mechanism.requests,
        unlearning_epochs=mechanism.unlearning_epochs,
        request=None,
        form=form,
        delta=exact(delta, "delta"),
        diameter=mechanism.diameter,
    )


def derive_langevin(mechanism: NoisySGD, delta: Fraction | str) -> Derivation | None:
    """P2 on the worst request, at the order that a search in doubles finds; None where it does not apply.

    It applies to full batches, η ≤ 1/L, 0 < m, at most 200 requests; to learning too (one request, K = 0). None also
    where doubles overflow.
    """
    step = _langevin_step(mechanism)
    if step is None:
        return None
    delta = exact(delta, "delta")
    bounds = []
    try:
        for count in range(1, len(mechanism.requests) + 1):
            order, epsilon = best_order(_langevin_curve(mechanism, step, count), float(delta))
            bounds.append((epsilon, count, order))
    except ArithmeticError:  # beyond doubles
        return None
    epsilon, count, order = max(bounds)
    if not math.isfinite(epsilon):
        return None
    return apply(
        theorems.langevin_unlearning,
        **asdict(step),
        sizes=mechanism.requests[:count],
        unlearning_epochs=mechanism.unlearning_epochs[:count],
        order=Fraction(order),
        delta=delta,
    )


def _langevin_step(mechanism: NoisySGD) -> PublishedStep | None:
    constants = mechanism.loss.constants()
    if not constants.convex or mechanism.batches > 1 or mechanism.step_size * constants.smoothness > 1:
        return None
    return step_in_order(mechanism) if len(mechanism.requests) <= MAX_LANGEVIN_REQUESTS else None


Curve = Callable[[np.ndarray], np.ndarray]


def _langevin_curve(mechanism: NoisySGD, step: PublishedStep, count: int) -> Curve:
    """D_α after that many requests, by P2's own formula in doubles."""
    known = {name: float(value) for name, value in asdict(step).items()}
    sizes, epochs = mechanism.requests[:count], mechanism.unlearning_epochs[:count]

    def curve(orders: np.ndarray) -> np.ndarray:
        return baselines.langevin_renyi(Float(), **known, sizes=sizes, unlearning_epochs=epochs, order=orders)

    return curve


def best_order(
    curve: Curve,
    delta: float,
    least: float = MIN_LANGEVIN_ORDER,
    greatest: float = MAX_LANGEVIN_ORDER,
) -> tuple[float, float]:
    """(α, ε): the least curve(α) + log(1/δ)/(α−1) on [least, greatest], in doubles; proves nothing."""
    return _least(lambda orders: curve(orders) - math.log(delta) / (orders - 1), least, greatest)


def _least(value: Curve, least: float, greatest: float) -> tuple[float, float]:
    """(argument, value) of the minimum by three nested logarithmic grids; of a curve with one valley."""
    for _ in range(3):
        grid = np.geomspace(least, greatest, 401)
        with np.errstate(all="ignore"):
            values = np.nan_to_num(value(grid), nan=math.inf)
        best = int(np.argmin(values))
        least, greatest = grid[max(best - 1, 0)], grid[min(best + 1, 400)]
    return float(grid[best]), float(values[best])


def langevin_noise(mechanism: NoisySGD, epsilon: float, delta: float) -> float | None:
    """The σ at which P2 meets ε on every request: D_α is proportional to 1/σ², so the best α is searched for once."""
    mechanism = replace(mechanism, noise_std=Fraction(1))
    step, budget = _langevin_step(mechanism), -math.log(delta)
    if step is None or epsilon <= budget / (MAX_LANGEVIN_ORDER - 1):
        return None
    least = max(MIN_LANGEVIN_ORDER, (1 + budget / epsilon) * (1 + 1e-12))
    factor = 0.0
    for count in range(1, len(mechanism.requests) + 1):
        curve = _langevin_curve(mechanism, step, count)

        def square(orders: np.ndarray, curve: Curve = curve) -> np.ndarray:
            return curve(orders) / (epsilon - budget / (orders - 1))

        factor = max(factor, _least(square, least, MAX_LANGEVIN_ORDER)[1])
    return math.sqrt(factor) if math.isfinite(factor) else None


def derive_descent_to_delete(mechanism: NoisySGD, delta: Fraction | str) -> Derivation | None:
    """P3 with I = K and the run's σ as output noise; None where it does not apply.

    It applies to full batches, one request of one record, K ≥ 1, 0 < m < L. Its step is 2/(L+m), whatever the run's is.
    """
    arguments = _descent_arguments(mechanism)
    if arguments is None:
        return None
    return apply(theorems.descent_to_delete, **arguments, noise_std=mechanism.noise_std, delta=exact(delta, "delta"))


def descent_to_delete_noise(mechanism: NoisySGD, epsilon: float, delta: float) -> float | None:
    """The output noise at which P3 meets ε."""
    arguments = _descent_arguments(mechanism)
    if arguments is None or epsilon <= 0:
        return None
    known = {name: float(value) if isinstance(value, Fraction) else value for name, value in arguments.items()}
    noise = float(baselines.descent_noise(Float(), **known, epsilon=epsilon, delta=delta))
    return noise if math.isfinite(noise) else None


def _descent_arguments(mechanism: NoisySGD) -> dict[str, Fraction | int] | None:
    constants = mechanism.loss.constants()
    size, k = mechanism.requests[0], mechanism.unlearning_epochs[0]
    claim = (mechanism.reference, mechanism.release)
    one = len(mechanism.requests) == 1 and size == 1 and k >= 1 and mechanism.batches == 1
    if not one or claim != ("retrain", "final") or constants.gradient_bound == 0 or not constants.convex:
        return None
    if not 0 < constants.strong_convexity < constants.smoothness:
        return None
    return {
        "strong_convexity": constants.strong_convexity,
        "smoothness": constants.smoothness,
        "gradient_bound": constants.gradient_bound,
        "samples": mechanism.batch_size,
        "iterations": k,
    }


def chien2024_epochs(
    *,
    contraction: float,
    shift: float,
    variance: float,
    batches: int,
    sizes: Sequence[int],
    epsilon: float,
    delta: float,
    form: str = "loose",
    diameter: float | None = None,
) -> list[int]:
    """The least K for each request at which P1s meets ε, one after the other, each with the K found before it.

    In doubles; docs/theory.md P1, T10. Raises ValueError where no K meets ε: the conversion alone exceeds it.
    """
    A = Float()
    if -math.log(delta) / (MAX_ORDER - 1) >= epsilon:
        raise ValueError(f"epsilon: {epsilon} is below log(1/δ)/(10⁴ − 1), what Mironov's conversion costs alone")
    epochs: list[int] = []
    distance = 0.0
    for size in sizes:
        distance += float(learned_distance(A, contraction, size * shift, variance, batches, diameter))
        distance = distance if diameter is None else min(distance, diameter)
        sharper = form == "authors-code" and bool(epochs)

        def meets(k: int, distance: float = distance, sharper: bool = sharper) -> bool:
            rate = baselines.request_rate(A, distance, contraction, variance, batches * k, sharper=sharper)
            return rate == 0 or bool(baselines.rate_epsilon(A, rate, delta) <= epsilon)

        epochs.append(_least_count(meets))
        distance *= contraction ** (batches * epochs[-1])
    return epochs


def descent_to_delete_iterations(
    *,
    strong_convexity: float,
    smoothness: float,
    dimension: int,
    request: int,
    epsilon: float,
    delta: float,
) -> int:
    """I of P3s as the authors' code takes it: each of the two parts rounded up by itself. In doubles."""
    rate = math.log((smoothness + strong_convexity) / (smoothness - strong_convexity))
    parts = baselines.sequential_contraction(Float(), strong_convexity, smoothness, request, dimension, epsilon, delta)
    return sum(math.ceil(part / rate) for part in parts)


def _least_count(holds: Callable[[int], bool]) -> int:
    """The least k ≥ 1 for which a monotone statement holds."""
    high = 1
    while not holds(high):
        high *= 2
    low = high // 2  # fails, or is 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
