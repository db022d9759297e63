"""Beyond convexity: steps of smooth or of clipped losses, and what noise after a bounded range gives.

The weaker facts that remain where convexity fails; `accountant.pnsgd.fallback` says which a run uses, and why.
"""

from __future__ import annotations

from dataclasses import replace

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, Profile, States
from accountant.core.kernel import theorem
from accountant.core.quantities import ApproximateDP, GaussianDP, LossBounds
from accountant.mechanisms.timeline import Phase
from accountant.theorems.conditions import below, derived, inside_unit, per_record
from accountant.theorems.timelines import Contraction, Drift

MAX_RANGE_STEPS = 20_000  # of T24: each is computed one by one, by the checker too


@theorem(
    "T22",
    rational=True,
    concludes=Contraction,
    premises=(LossBounds,),
    variadic=True,
    facts=Facts(Direction.EXACT, Family.NONCONVEX_STEP, States.CONTRACTION, formula="body", profile=None, label=None),
    source="docs/theory.md T22",
    assumes=("smoothness",),
    oracle="tests/accountant/theorems/test_nonconvex.py::test_smooth_steps_against_exact_densities",
)
def nonconvex_step(A: Arithmetic, *loss: LossBounds, step_size: Number, smoothness: Number) -> Contraction:
    """A noiseless step x − η∇f(x) multiplies distances by at most c = 1 + ηL, whether f is convex or not.

    f is L-smooth: |x − y − η(∇f(x) − ∇f(y))| ≤ (1 + ηL)|x − y|. Clipping a gradient is a projection, which is
    1-Lipschitz: clipped data gradients are no less smooth.
    """
    A.require(all(known.smoothness is not None for known in loss), "a smooth loss")
    smoothness = derived(A, "smoothness", smoothness, loss)
    A.require(A.at_least(smoothness, A.of(0)), "0 ≤ L", smoothness)
    A.require(A.at_least(step_size, A.of(0)), "0 ≤ η", step_size)
    return Contraction(1 + step_size * smoothness, step_size)


@theorem(
    "T23",
    rational=True,
    concludes=Drift,
    premises=(LossBounds,),
    variadic=True,
    facts=Facts(Direction.EXACT, Family.NONCONVEX_STEP, States.DRIFT, formula="drift", profile=None, label=None),
    source="docs/theory.md T23, T2; Koloskova et al. 2025",
    assumes=("gradient_bound", "weight_decay"),
    oracle="tests/accountant/theorems/test_nonconvex.py::test_clipped_steps_against_exact_densities",
)
def clipped_step(
    A: Arithmetic, *loss: LossBounds, step_size: Number, strong_convexity: Number, gradient_bound: Number
) -> Drift:
    """Two noiseless steps φ(x) = (1 − ηm)x − ηg(x), with data gradients of norm at most M, satisfy |φ(x) − φ'(y)| ≤
    (1 − ηm)|x − y| + 2ηM: for any loss, on any two datasets, at every step.

    m is that of the regulariser (m/2)|θ|² (weight decay), which is alike in both runs; M bounds the gradient of every
    record, by clipping or otherwise, and so the mean of a batch's, zeroed ones included.
    """
    per_record(A, loss)
    return _drift(A, loss, step_size, strong_convexity, gradient_bound)


@theorem(
    "T23b",
    rational=True,
    concludes=Drift,
    premises=(LossBounds,),
    facts=Facts(Direction.EXACT, Family.NONCONVEX_STEP, States.DRIFT, formula="drift", profile=None, label=None),
    source="docs/theory.md T23b, T26, T23",
    assumes=("batch_clipping", "weight_decay"),
    oracle="tests/accountant/theorems/test_gauges.py::test_clipped_batches_against_exact_densities",
)
def batch_clipped_step(
    A: Arithmetic, *loss: LossBounds, step_size: Number, strong_convexity: Number, gradient_bound: Number
) -> Drift:
    """T23 where the mean data gradient of a batch is clipped to norm M as a whole: then even from one point, x = y, one
    differing record moves a step by as much as 2ηM, however large the batch, and more of them by no more."""
    A.require(all(known.whole_batch for known in loss), "a batch's gradient that is clipped as a whole")
    return replace(_drift(A, loss, step_size, strong_convexity, gradient_bound), whole_batch=True)


def _drift(
    A: Arithmetic, loss: tuple[LossBounds, ...], step_size: Number, strong_convexity: Number, gradient_bound: Number
) -> Drift:
    m = derived(A, "strong_convexity", strong_convexity, loss)
    M = derived(A, "gradient_bound", gradient_bound, loss)
    A.require(A.at_least(m, A.of(0)), "0 ≤ m", m)
    A.require(A.at_least(M, A.of(0)), "0 ≤ M", M)
    A.require(A.at_least(step_size, A.of(0)), "0 ≤ η", step_size)
    A.require(A.at_least(1 - step_size * m, A.of(0)), "0 ≤ 1 − ηm", 1 - step_size * m)
    return Drift(1 - step_size * m, 2 * step_size * M, step_size)


@theorem(
    "T24",
    concludes=ApproximateDP,
    premises=(GaussianDP, Contraction | Drift),
    facts=Facts(
        Direction.ABOVE,
        Family.RANGE,
        States.EPSILON,
        formula="diffusion",
        profile=Profile.RANGE,
        label="Plumbline (range before the last noises, T24)",
        omits_batch_size=True,
    ),
    source="docs/theory.md T24; Balle, Barthe, Gaboardi 2018, Theorem 2, for the tilted order",
    assumes=("projection", "gaussian_noise", "batches:fixed"),
    oracle="tests/accountant/theorems/test_nonconvex.py::test_range_before_noise_against_mpmath",
)
def range_before_noise(
    A: Arithmetic, pair: GaussianDP, rate: Contraction | Drift, *, phase: Phase, diameter: Number, delta: Number
) -> ApproximateDP:
    """ε(δ) after more steps in a ball of diameter 2R, alike in both runs: at fixed ε, δ₀ is T11's and each step makes
    it δ ← δ·Θ_ε̃(D/τ), ε̃ = log(1 + (e^ε − 1)/δ), Θ_e(r) = Φ(r/2 − e/r) − e^e·Φ(−r/2 − e/r).

    D = c·2R (+ the drift's 2ηM) is how far apart the step's noiseless images of two points of the ball can be. Split
    P and e^ε·Q into what they share, of mass 1 − δ, and the rest, of masses δ and e^ε − 1 + δ: after the step only the
    rests count, δ' = δ·H_ε̃(of the rests) ≤ δ·Θ_ε̃(D/τ) by joint convexity. As a supremum over tests of the functions
    δ(P − Q) − (e^ε − 1)Q, which do not fall as δ grows where they are positive, the map is increasing in δ: upper
    bounds stay upper bounds.
    """
    steps = phase.epochs * phase.batches
    A.require(inside_unit(A, delta), "0 < δ < 1", delta)
    A.require(A.at_least(diameter, A.of(0)), "0 ≤ 2R", diameter)
    A.require(phase.epochs >= 1, "epochs ≥ 1", phase.epochs)
    A.require(phase.batches >= 1, "batches ≥ 1", phase.batches)
    A.require(steps <= MAX_RANGE_STEPS, "at most 20000 steps", steps)
    A.require(not phase.records, "no differing record in these steps", phase.records)
    same = A.at_least(rate.step_size, phase.step_size), A.at_least(phase.step_size, rate.step_size)
    A.require(False not in same, "contraction or drift of these steps", rate.step_size)
    variance = 2 * phase.step_size * phase.noise_std**2
    A.require(below(A, A.of(0), variance), "0 < τ²", variance)
    spread = rate.factor * diameter + (rate.distance if isinstance(rate, Drift) else A.of(0))
    return ApproximateDP(A.diffused_epsilon(pair.mu, spread / A.sqrt(variance), steps, delta), delta)
