"""Published bounds on other ways to unlearn, and on many requests: to reproduce and to beat. Kept as published."""

from __future__ import annotations

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family
from accountant.core.kernel import theorem
from accountant.core.quantities import ApproximateDP
from accountant.theorems.conditions import below, inside_unit
from accountant.theorems.published import clamp_order, learned_distance

FORMS = ("loose", "authors-code")
_STEPS = ("convexity", "smoothness", "gradient_bound", "gaussian_noise", "batches:fixed", "reference:retrain")
_OUTPUT = ("convexity", "smoothness", "gradient_bound", "output_noise", "converged", "reference:retrain")


@theorem(
    "P1s",
    concludes=ApproximateDP,
    facts=Facts(
        Direction.ABOVE,
        Family.PUBLISHED,
        None,
        formula=None,
        profile=None,
        label="Chien et al. 2024, one request after the other (P1s)",
    ),
    source="docs/theory.md P1s, P1, T10; Chien, Wang, Chen, Li, NeurIPS 2024 (arXiv 2403.17105), authors' code",
    assumes=_STEPS,
    oracle="tests/accountant/pnsgd/test_published.py::test_reproduces_the_authors_epochs_for_a_hundred_requests",
)
def chien2024_sequential(
    A: Arithmetic,
    *,
    contraction: Number,
    shift: Number,
    variance: Number,
    batches: int,
    sizes: tuple[int, ...],
    unlearning_epochs: tuple[int, ...],
    request: int | None,
    form: str,
    delta: Number,
    diameter: Number | None,
) -> ApproximateDP:
    """ε of the published bound for requests one after the other, from a converged model, α continuous on [2, 10⁴].

    Z₁ = Z_B, Z_{r+1} = min(c^(K_r l)·Z_r + Z_B, 2R), Z_B = min(S_r·s/(1 − c^l), 2R) for a request of S_r records in one
    batch; ε(α) = αX_r, X_r = Z_r²·c^(2K_r l)/(2ησ²), converted by Mironov. `request` (0-based): the one that is
    bounded; None: the worst.

    `form`: "loose", or "authors-code", which from the second request on puts c^(2t)(1−c²)/(1−c^(2t)) for c^(2t).
    """
    A.require(inside_unit(A, delta), "0 < δ < 1", delta)
    A.require(form in FORMS, "form is loose or authors-code", form)
    A.require(len(sizes) >= 1, "one request at least", len(sizes))
    A.require(len(sizes) == len(unlearning_epochs), "one K for each request", len(unlearning_epochs))
    A.require(request is None or 0 <= request < len(sizes), "0 ≤ request < number of requests", request)
    distance, rates = A.of(0), []
    for size, epochs in zip(sizes, unlearning_epochs, strict=True):
        A.require(size >= 1, "S ≥ 1", size)
        A.require(epochs >= 1, "K ≥ 1", epochs)
        distance = distance + learned_distance(A, contraction, size * shift, variance, batches, diameter)
        distance = distance if diameter is None else A.minimum(distance, diameter)
        sharper = form == "authors-code" and bool(rates)
        rates.append(request_rate(A, distance, contraction, variance, batches * epochs, sharper=sharper))
        distance = distance * A.power(contraction, batches * epochs)
    worst = rates[0 if request is None else request]
    for rate in rates if request is None else ():
        worst = A.maximum(worst, rate)
    return ApproximateDP(rate_epsilon(A, worst, delta), delta)


def request_rate(
    A: Arithmetic, distance: Number, contraction: Number, variance: Number, steps: int, *, sharper: bool
) -> Number:
    """X = ε(α)/α after `steps` steps from `distance`; sharper: all their noise is counted, not the last step's."""
    rate = (distance * A.power(contraction, steps)) ** 2 / variance
    return rate / A.geometric(contraction**2, steps) if sharper else rate


def rate_epsilon(A: Arithmetic, rate: Number, delta: Number) -> Number:
    """The least αX + log(1/δ)/(α−1) over α in [2, 10⁴]."""
    budget = -A.log(delta)
    order = clamp_order(A, 1 + A.sqrt(budget / rate))
    return order * rate + budget / (order - 1)


@theorem(
    "P2",
    concludes=ApproximateDP,
    facts=Facts(Direction.ABOVE, Family.PUBLISHED, None, formula=None, profile=None, label="Langevin unlearning (P2)"),
    source="docs/theory.md P2; Chien, Wang, Chen, Li, NeurIPS 2024 (arXiv 2401.10371), authors' code",
    assumes=_STEPS,
    oracle="tests/accountant/pnsgd/test_published.py::test_reproduces_the_langevin_epochs_of_every_request",
)
def langevin_unlearning(
    A: Arithmetic,
    *,
    contraction: Number,
    shift: Number,
    variance: Number,
    sizes: tuple[int, ...],
    unlearning_epochs: tuple[int, ...],
    order: Number,
    delta: Number,
) -> ApproximateDP:
    """ε of Langevin unlearning after the last of these requests, full batch, at the order α, by Mironov's conversion.

    ε₀(α) = 2α(S·s)²/((1−c)·2ησ²), for c = 1−ηm and s = 2ηM/n the published 4αS²M²/(mσ²n²): learning, which one request
    with K = 0 returns. ε₁(α) = e^(−(1−c)K₁/α)·ε₀(α), and ε_r(α) = e^(−(1−c)K_r/α)·(α−½)/(α−1)·(ε₀(2α) + ε_{r−1}(2α)), S
    being the size of the request at hand. Published for η ≤ 1/L; T3 shows it for every c < 1.
    """
    A.require(A.at_least(contraction, A.of(0)), "0 ≤ c", contraction)
    A.require(below(A, contraction, A.of(1)), "c < 1", contraction)
    A.require(below(A, A.of(0), shift), "0 < s", shift)
    A.require(below(A, A.of(0), variance), "0 < τ²", variance)
    A.require(below(A, A.of(1), order), "1 < α", order)
    A.require(inside_unit(A, delta), "0 < δ < 1", delta)
    A.require(len(sizes) >= 1, "one request at least", len(sizes))
    A.require(len(sizes) == len(unlearning_epochs), "one K for each request", len(unlearning_epochs))
    for size, epochs in zip(sizes, unlearning_epochs, strict=True):
        A.require(size >= 1, "S ≥ 1", size)
        A.require(epochs >= 0, "K ≥ 0", epochs)
    divergence = langevin_renyi(A, contraction, shift, variance, sizes, unlearning_epochs, order)
    return ApproximateDP(divergence - A.log(delta) / (order - 1), delta)


def langevin_renyi(
    A: Arithmetic,
    contraction: Number,
    shift: Number,
    variance: Number,
    sizes: tuple[int, ...],
    unlearning_epochs: tuple[int, ...],
    order: Number,
) -> Number:
    """ε_r(α) of P2, from the first request on, which is taken at the order 2^(r−1)·α."""
    unit, half = 2 * shift**2 / ((1 - contraction) * variance), A.of(1) / 2  # ε₀(α)/α of one record
    divergence = A.of(0)
    for later, size, epochs in zip(reversed(range(len(sizes))), sizes, unlearning_epochs, strict=True):
        alpha = order * A.of(2**later)
        if later == len(sizes) - 1:
            divergence = alpha * size**2 * unit
        else:
            divergence = (alpha - half) / (alpha - 1) * (2 * alpha * size**2 * unit + divergence)
        divergence = divergence * A.exp(-(1 - contraction) * epochs / alpha)
    return divergence


@theorem(
    "P3",
    concludes=ApproximateDP,
    facts=Facts(
        Direction.ABOVE,
        Family.PUBLISHED,
        None,
        formula=None,
        profile=None,
        label="descent-to-delete (P3; noise on the output alone, step 2/(L+m))",
    ),
    source="docs/theory.md P3; Neel et al., ALT 2021 (arXiv 2007.02923), as in the code of arXiv 2401.10371",
    assumes=_OUTPUT,
    oracle="tests/accountant/pnsgd/test_published.py::test_reproduces_the_noise_of_descent_to_delete",
)
def descent_to_delete(
    A: Arithmetic,
    *,
    strong_convexity: Number,
    smoothness: Number,
    gradient_bound: Number,
    samples: int,
    iterations: int,
    noise_std: Number,
    delta: Number,
) -> ApproximateDP:
    """ε of descent-to-delete with output noise σ: I full-batch steps of length 2/(L+m) erase one record.

    Solved for ε: σ = 4√2·Mγ^I/(mn(1−γ^I)(√(log(1/δ)+ε) − √log(1/δ))), γ = (L−m)/(L+m); so ε = x² + 2x√log(1/δ) with x
    the difference of the roots. Another mechanism than PNSGD: noise is added once, the state without it stays secret.
    """
    A.require(below(A, A.of(0), noise_std), "0 < σ", noise_std)
    scale = _descent(A, strong_convexity, smoothness, gradient_bound, samples, iterations, delta)
    x = 4 * A.sqrt(A.of(2)) * scale / noise_std
    return ApproximateDP(x**2 + 2 * x * A.sqrt(-A.log(delta)), delta)


def descent_noise(
    A: Arithmetic,
    *,
    strong_convexity: Number,
    smoothness: Number,
    gradient_bound: Number,
    samples: int,
    iterations: int,
    epsilon: Number,
    delta: Number,
) -> Number:
    """The output noise σ that P3 asks for (ε, δ)."""
    scale = _descent(A, strong_convexity, smoothness, gradient_bound, samples, iterations, delta)
    budget = -A.log(delta)
    return 4 * A.sqrt(A.of(2)) * scale / root_gap(A, budget, epsilon)


@theorem(
    "P3s",
    concludes=ApproximateDP,
    facts=Facts(Direction.ABOVE, Family.PUBLISHED, None, formula=None, profile=None, label=None),
    source="docs/theory.md P3s, P3; the code of arXiv 2401.10371, status code",
    assumes=_OUTPUT,
    oracle="tests/accountant/pnsgd/test_published.py::test_reproduces_sequential_descent_to_delete",
)
def descent_to_delete_sequential(
    A: Arithmetic,
    *,
    strong_convexity: Number,
    smoothness: Number,
    gradient_bound: Number,
    samples: int,
    iterations: int,
    request: int,
    dimension: int,
    noise_std: Number,
    epsilon: Number,
    delta: Number,
) -> ApproximateDP:
    """(ε, δ) after request i (from 1) where each release is noisy and the next request starts from it, d parameters.

    Holds if I·log(1/γ) ≥ log(√(2d)/((1−γ)(√(2log(2/δ)+ε) − √(2log(2/δ))))) + log log(4di/δ) and
    σ ≥ 8Mγ^I/(mn(1−γ^I)(√(2log(2/δ)+3ε) − √(2log(2/δ)+2ε))). Read off the code; the printed theorem was not at hand.
    """
    A.require(below(A, A.of(0), epsilon), "0 < ε", epsilon)
    A.require(request >= 1, "i ≥ 1", request)
    A.require(dimension >= 1, "d ≥ 1", dimension)
    scale = _descent(A, strong_convexity, smoothness, gradient_bound, samples, iterations, delta)
    first, second = sequential_contraction(A, strong_convexity, smoothness, request, dimension, epsilon, delta)
    rate = A.log((smoothness + strong_convexity) / (smoothness - strong_convexity))
    A.require(A.at_least(iterations * rate, first + second), "I as many as the request asks", iterations)
    least = 8 * scale / root_gap(A, 2 * A.log(2 / delta) + 2 * epsilon, epsilon)
    A.require(A.at_least(noise_std, least), "σ as large as the request asks", noise_std)
    return ApproximateDP(epsilon, delta)


def sequential_contraction(
    A: Arithmetic,
    strong_convexity: Number,
    smoothness: Number,
    request: int,
    dimension: int,
    epsilon: Number,
    delta: Number,
) -> tuple[Number, Number]:
    """What I·log(1/γ) has to reach: the part of every request, and that of this one."""
    budget = 2 * A.log(2 / delta)
    complement = 2 * strong_convexity / (smoothness + strong_convexity)  # 1 − γ
    every = A.log(A.sqrt(A.of(2 * dimension)) / (complement * root_gap(A, budget, epsilon)))
    return every, A.log(A.log(4 * dimension * request / delta))


def root_gap(A: Arithmetic, budget: Number, epsilon: Number) -> Number:
    """√(B+ε) − √B, without cancellation."""
    return epsilon / (A.sqrt(budget + epsilon) + A.sqrt(budget))


def _descent(
    A: Arithmetic,
    strong_convexity: Number,
    smoothness: Number,
    gradient_bound: Number,
    samples: int,
    iterations: int,
    delta: Number,
) -> Number:
    """M·γ^I/(mn(1 − γ^I))."""
    A.require(below(A, A.of(0), strong_convexity), "0 < m", strong_convexity)
    A.require(below(A, strong_convexity, smoothness), "m < L", smoothness)
    A.require(below(A, A.of(0), gradient_bound), "0 < M", gradient_bound)
    A.require(samples >= 1, "n ≥ 1", samples)
    A.require(iterations >= 1, "I ≥ 1", iterations)
    A.require(inside_unit(A, delta), "0 < δ < 1", delta)
    power = A.power((smoothness - strong_convexity) / (smoothness + strong_convexity), iterations)
    return gradient_bound * power / (strong_convexity * samples * (1 - power))
