"""Per-sample scaling: the sensitivity that it gives, momentum beside it, and convexity under it."""

from __future__ import annotations

from functools import reduce

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import theorem
from accountant.core.quantities import LinearLoss, LossBounds, Sensitivity
from accountant.core.scaling import KINDS, greatest_norm, scaled_norm, steepest_log_slope, steepest_slope
from accountant.theorems.conditions import below


def check_map(A: Arithmetic, kind: str, max_grad_norm: Number, r: Number | None, s: Number | None) -> None:
    """Require one of the four maps with the parameters that it has; then φ is non-decreasing."""
    A.require(kind in KINDS, "kind: clip, auto-s, psac or psasc", kind)
    A.require((r is None) == (kind == "clip"), "r for every kind but clip", r)
    A.require((s is None) == (kind != "psasc"), "s for psasc alone", s)
    A.require(below(A, A.of(0), max_grad_norm), "0 < C", max_grad_norm)
    if r is not None:
        A.require(below(A, A.of(0), r), "0 < r", r)
    if s is not None:
        A.require(below(A, A.of(0), s), "0 < s", s)


@theorem(
    "T14",
    rational=True,
    concludes=Sensitivity,
    facts=Facts(Direction.EXACT, Family.SCALING, States.SENSITIVITY, formula="sensitivity", profile=None, label=None),
    source="docs/theory.md T14; arXiv 2411.03059 for psasc (reading), 2212.00328 for psac",
    oracle="tests/accountant/core/test_scaling.py::test_sensitivity_equals_the_searched_supremum",
)
def scaled_sensitivity(
    A: Arithmetic, *, kind: str, max_grad_norm: Number, r: Number | None, s: Number | None
) -> Sensitivity:
    """Sensitivity Δ = sup φ of a sum of scaled per-sample gradients, whatever the gradients are: C, for psasc C/s.

    Add or remove one record; replacing one moves the sum by at most 2Δ. φ(x) = x·w(x) is min(x, C), C/(1 + r/x),
    C/(1 + r/(x(x+r))) or C/(s + r/(x(x+r))): each non-decreasing, as x(x+r) increases. Clipping attains the limit, the
    others do not.
    """
    check_map(A, kind, max_grad_norm, r, s)
    return Sensitivity(greatest_norm(A, kind, max_grad_norm, s), kind == "clip")


@theorem(
    "T14g",
    rational=True,
    concludes=Sensitivity,
    facts=Facts(Direction.EXACT, Family.SCALING, States.SENSITIVITY, formula="sensitivity", profile=None, label=None),
    source="docs/theory.md T14g, T14",
    assumes=("gradient_bound",),
    oracle="tests/accountant/core/test_scaling.py::test_sensitivity_equals_the_searched_supremum",
)
def bounded_sensitivity(
    A: Arithmetic,
    *,
    kind: str,
    max_grad_norm: Number,
    r: Number | None,
    s: Number | None,
    gradient_norm_bound: Number,
) -> Sensitivity:
    """Sensitivity Δ = φ(G) = G·w(G) where every per-sample gradient has norm at most G: φ is non-decreasing.

    Add or remove one record; replacing one moves the sum by at most 2Δ. G is the assumption's M. Attained at G.
    """
    check_map(A, kind, max_grad_norm, r, s)
    A.require(below(A, A.of(0), gradient_norm_bound), "0 < G", gradient_norm_bound)
    return Sensitivity(scaled_norm(A, kind, gradient_norm_bound, max_grad_norm, r, s), True)


@theorem(
    "T15",
    rational=True,
    concludes=Sensitivity,
    premises=(Sensitivity,),
    facts=Facts(Direction.EXACT, Family.SCALING, States.SENSITIVITY, formula=None, profile=None, label=None),
    source="docs/theory.md T15; the placement in arXiv 2411.03059 is a reading, both are offered",
    oracle="tests/accountant/core/test_scaling.py::test_inner_momentum_keeps_the_sensitivity",
)
def momentum(
    A: Arithmetic,
    sensitivity: Sensitivity,
    *,
    placement: str,
    beta: Number,
    window: int | None,
    iterates: str,
    history: str,
    charged: str,
) -> Sensitivity:
    """Momentum leaves the sensitivity Δ as it is, where every noisy aggregate is charged.

    *outer*: on the noisy aggregate, which is post-processing. *inner*: v_i = Σ_{j<k} β̂_j ∇f_i(θ_{t−j}), β̂_j ∝ β^j with
    sum 1, computed afresh for the current batch at the k last iterates and then scaled. Given what was released, v_i
    depends on record i alone; it is an average of gradients, so that a bound G on them bounds it; scaling comes last.
    `iterates`: "released" or not; `history`: "own" where no record's gradient uses un-noised state of another;
    `charged`: "every-aggregate" or "final-model". With hidden iterates (T1–T5) momentum is refused: a step of the state
    (x, v) is no contraction (heavy ball, β = 0.9, one shift of 1: distances 1, 1.9, 2.71).
    """
    A.require(placement in ("none", "outer", "inner"), "placement: none, outer or inner", placement)
    A.require(A.at_least(beta, A.of(0)), "0 ≤ β", beta)
    A.require(below(A, beta, A.of(1)), "β < 1", beta)
    if placement == "none":
        A.require(A.at_least(A.of(0), beta), "β = 0 without momentum", beta)
    else:
        A.require(charged == "every-aggregate", "every noisy aggregate is charged: (x, v) is no contraction", charged)
        A.require(iterates == "released", "gradients at released iterates", iterates)
        A.require(history == "own", "no un-noised state of other records", history)
    fits = window is not None and window >= 1 if placement == "inner" else window is None
    A.require(fits, "window ≥ 1 for inner momentum, none otherwise", window)
    return sensitivity


@theorem(
    "T16",
    rational=True,
    concludes=LossBounds,
    premises=(LinearLoss,),
    facts=Facts(Direction.EXACT, Family.SCALING, States.CONSTANTS, formula=None, profile=None, label=None),
    source="docs/theory.md T16",
    assumes=("per_record_clipping",),
    oracle="tests/accountant/losses/test_scaled_losses.py::test_scaled_constants_resist_an_adversary",
)
def scaled_linear_constants(
    A: Arithmetic, loss: LinearLoss, *, kind: str, max_grad_norm: Number, r: Number | None, s: Number | None
) -> LossBounds:
    """Scaling a scalar linear model's gradients keeps it convex: L = m + sup φ′·L_data, M = φ(G), or sup φ without G.

    A record's scaled data gradient is h(z)·x/|x|, z = ⟨x,θ⟩, h = φ(|ℓ′|·|x|) with the sign of ℓ′. φ is non-decreasing
    with slope at most sup φ′, and φ(0) = 0: so h is non-decreasing, and its slope in θ at most sup φ′·L_data. Where the
    slope of the data gradient is at most g·a + f at norm a, that of h is at most g·sup aφ′(a) + f·sup φ′: the lesser
    counts. sup φ′ is 1 for clip, C/r for auto-s, C·⌈√(27/(v(4−v)³))⌉, v = min(rs, 1), for psac (s = 1) and psasc, ⌈·⌉
    the least decimal of 18 significant digits not below. sup aφ′(a) is C for clip, C/4 for auto-s, at most C/2 for psac
    and C/(2s) for psasc. The regulariser (m/2)|θ|² is added after scaling.
    """
    check_map(A, kind, max_grad_norm, r, s)
    slope = steepest_slope(A, kind, max_grad_norm, r, s)
    curvatures = []
    if loss.curvature is not None:
        curvatures.append(slope * loss.curvature)
    if loss.growth is not None:
        curvatures.append(loss.growth * steepest_log_slope(A, kind, max_grad_norm, s) + slope * loss.floor)
    if loss.gradient_bound is None:
        bound = greatest_norm(A, kind, max_grad_norm, s)
    else:
        bound = scaled_norm(A, kind, loss.gradient_bound, max_grad_norm, r, s)
    return LossBounds(loss.regularization + reduce(A.minimum, curvatures), loss.regularization, bound)
