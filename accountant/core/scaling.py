"""Per-sample scaling: four maps that bound one record's gradient, as data.

A record's data gradient g, x = |g|, enters the batch as w(x)·g; the regulariser is added afterwards. `weight` is w,
`scaled_norm` is φ(x) = x·w(x), `steepest_slope` is sup φ′: each is written once, over any arithmetic. x, C and Δ are in
units of the gradient, which has to be fixed beforehand: r/(x + r) is added to s·x.

    Clip(C)           w = min(1, C/x)                 DP-SGD
    AutoS(C, r)       w = C/(x + r)                   AUTO-S, NSGD
    Psac(C, r)        w = C/(x + r/(x + r))           DP-PSAC, arXiv 2212.00328
    Psasc(C, r, s)    w = C/(s·x + r/(x + r))         DP-PSASC, arXiv 2411.03059 (our reading of it)
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import ClassVar, final

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.exact import InvalidValue, canonical, exact, settle
from accountant.core.rounding import sqrt_above

KINDS = ("clip", "auto-s", "psac", "psasc")


class InvalidScaling(InvalidValue):
    """Of a map that scales gradients."""


# --- the maps, over an arithmetic -------------------------------------------------------------------------------------


def weight(A: Arithmetic, kind: str, x: Number, max_grad_norm: Number, r: Number | None, s: Number | None) -> Number:
    """w(x) for x ≥ 0, positive C, r, s. `r` is None for clipping, `s` for all but psasc."""
    if kind == "clip":
        return max_grad_norm / A.maximum(x, max_grad_norm)  # min(1, C/x), and 1 at x = 0 without a division by zero
    if kind == "auto-s":
        return max_grad_norm / (x + r)
    return max_grad_norm / (_slope(A, kind, s) * x + r / (x + r))


def scaled_norm(
    A: Arithmetic, kind: str, x: Number, max_grad_norm: Number, r: Number | None, s: Number | None
) -> Number:
    """φ(x) = x·w(x), the norm of the scaled gradient: non-decreasing in x, and φ(0) = 0."""
    return x * weight(A, kind, x, max_grad_norm, r, s)


def greatest_norm(A: Arithmetic, kind: str, max_grad_norm: Number, s: Number | None) -> Number:
    """sup φ: C/s for psasc, else C. Attained by clipping alone; the others approach it."""
    return max_grad_norm / _slope(A, kind, s)


def steepest_slope(A: Arithmetic, kind: str, max_grad_norm: Number, r: Number | None, s: Number | None) -> Number:
    """sup φ′ over x ≥ 0.

    clip: 1. auto-s: C/r, at 0. psac (s = 1), psasc: with y = 2x + r, φ′ = 16·C·r·y/(s·y² + 4r − s·r²)²; for rs ≥ 1 it
    falls from φ′(0) = C, else it peaks at y² = r(4 − rs)/(3s). Both are C·√(27/(v(4 − v)³)), v = min(rs, 1). In
    fractions the root is the least decimal of 18 significant digits that is not below it; it is 1 exactly for rs ≥ 1.
    """
    if kind == "clip":
        return A.of(1)
    if kind == "auto-s":
        return max_grad_norm / r
    v = A.minimum(r * _slope(A, kind, s), A.of(1))
    return max_grad_norm * sqrt_above(A, 27 / (v * (4 - v) ** 3))


def steepest_log_slope(A: Arithmetic, kind: str, max_grad_norm: Number, s: Number | None) -> Number:
    """A bound on x·φ′(x) = dφ/d log x over x ≥ 0, whatever r is.

    clip: C. auto-s: C·rx/(x + r)² ≤ C/4, at x = r. psac, psasc: with u = x(x + r), x(2x + r) ≤ 2u, so that
    x·φ′ = C·r·x(2x + r)/(s·u + r)² ≤ 2C·ru/(s·u + r)² ≤ C/(2s).
    """
    if kind == "clip":
        return max_grad_norm
    return max_grad_norm / 4 if kind == "auto-s" else max_grad_norm / (2 * _slope(A, kind, s))


def _slope(A: Arithmetic, kind: str, s: Number | None) -> Number:
    """The factor of x in w's denominator; psac is psasc with s = 1."""
    return s if kind == "psasc" else A.of(1)


def momentum_weights(A: Arithmetic, beta: Number, window: int) -> tuple[Number, ...]:
    """β̂_0 … β̂_{k−1}, newest first: β^j over their sum, so that they add up to 1. 0 ≤ β < 1, k = `window` ≥ 1."""
    total = A.geometric(beta, window)
    return tuple((A.of(1) if j == 0 else A.power(beta, j)) / total for j in range(window))


# --- the maps, as data ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Map:
    """A map with its exact parameters. Raises InvalidScaling on one that is not positive, TypeError on a float."""

    kind: ClassVar[str]

    max_grad_norm: Fraction

    def __post_init__(self) -> None:
        for field in fields(self):
            value = exact(getattr(self, field.name), field.name)
            if value <= 0:
                raise InvalidScaling(field.name, f"{canonical(value)} must be positive")
            settle(self, **{field.name: value})

    def arguments(self) -> dict[str, str | Fraction | None]:
        """The map as arguments of a theorem (T14, T16)."""
        return {
            "kind": self.kind,
            "max_grad_norm": self.max_grad_norm,
            "r": getattr(self, "r", None),
            "s": getattr(self, "s", None),
        }

    def numbers(self, A: Arithmetic) -> tuple[Number, Number | None, Number | None]:
        """C, r, s as numbers of A."""
        C, r, s = self.max_grad_norm, getattr(self, "r", None), getattr(self, "s", None)
        return A.of(C), None if r is None else A.of(r), None if s is None else A.of(s)

    def weight(self, A: Arithmetic, x: Number) -> Number:
        """w(x)."""
        return weight(A, self.kind, x, *self.numbers(A))

    def scaled_norm(self, A: Arithmetic, x: Number) -> Number:
        """φ(x) = x·w(x)."""
        return scaled_norm(A, self.kind, x, *self.numbers(A))

    @property
    def monotone(self) -> bool:
        """Whether w never increases: a smaller gradient never weighs less. It fails where rs < 1; no theorem needs
        it."""
        r, s = getattr(self, "r", None), getattr(self, "s", None)
        return self.kind in ("clip", "auto-s") or r * (1 if s is None else s) >= 1


@final
@dataclass(frozen=True)
class Clip(_Map):
    """min(1, C/x): gradients longer than C are cut to C."""

    kind: ClassVar[str] = "clip"


@final
@dataclass(frozen=True)
class AutoS(_Map):
    """C/(x + r): every gradient is brought near norm C; r keeps small ones small."""

    kind: ClassVar[str] = "auto-s"

    r: Fraction


@final
@dataclass(frozen=True)
class Psac(_Map):
    """C/(x + r/(x + r)): as AUTO-S, yet the smallest gradients weigh about C, not C/r."""

    kind: ClassVar[str] = "psac"

    r: Fraction


@final
@dataclass(frozen=True)
class Psasc(_Map):
    """C/(s·x + r/(x + r)): as PSAC, with an s that trades the limit C/s of long gradients against short ones."""

    kind: ClassVar[str] = "psasc"

    r: Fraction
    s: Fraction


Scaling = Clip | AutoS | Psac | Psasc
