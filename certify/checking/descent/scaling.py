"""Maps that scale each gradient: the constants of a scaled loss (T16)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.checking.descent.losses import CONSTANTS, Constants
from certify.checking.limits import require
from certify.checking.numbers.exact import root_rounded_up
from certify.checking.reading import exact, one_of, optional
from certify.checking.rules import Rule, Step, declare

MAPS = {"clip": (), "auto-s": ("r",), "psac": ("r",), "psasc": ("r", "s")}  # scaling map -> what it needs besides C


@dataclass(frozen=True)
class Scaling:
    """φ(x) = x·w(x), what scaling makes of a gradient of norm x: min(x, C), C·x/(x + r), or C/(s + r/(x(x + r))).

    φ increases, to Δ = C or C/s. (psac is psasc with s = 1.)
    """

    kind: str
    c: Fraction
    r: Fraction
    s: Fraction

    @property
    def limit(self) -> Fraction:
        return self.c / self.s

    def of(self, x: Fraction) -> Fraction:
        """φ(x)"""
        if self.kind == "clip":
            return min(x, self.c)
        if self.kind == "auto-s":
            return self.c * x / (x + self.r)
        return self.c * x * (x + self.r) / (self.s * x * (x + self.r) + self.r)

    @property
    def slope(self) -> Fraction:
        """At least sup φ'. psasc: with u = x(x+r), φ' = C·r·sqrt(r² + 4u)/(su + r)², largest at u = r(1-rs)/(3s), where
        it is C·sqrt(27/(v(4-v)³)), v = rs; from v = 1 on at u = 0, where it is C."""
        if self.kind == "clip":
            return Fraction(1)
        if self.kind == "auto-s":
            return self.c / self.r
        v = min(self.r * self.s, Fraction(1))
        return self.c * root_rounded_up(27 / (v * (4 - v) ** 3))

    @property
    def steepness(self) -> Fraction:
        """At least sup x·φ'(x). auto-s: C·r·x/(x+r)² ≤ C/4; psasc: C·r·(2x² + rx)/(su + r)² ≤ 2C·ru/(4s·ur)."""
        return {"clip": self.c, "auto-s": self.c / 4}.get(self.kind, self.c / (2 * self.s))


def read_scaling(args: dict[str, Any], name: str) -> Scaling:
    """The map of a run's table, or of a step (where the keys that it does not have are null)."""
    kind, c = args["kind"], Fraction(args["max_grad_norm"])
    require(c > 0, f"{name}: needs max_grad_norm > 0")
    for key in ("r", "s"):
        require((args.get(key) is not None) == (key in MAPS[kind]), f"{name}: {kind} and {key} do not go together")
        require(args.get(key) is None or Fraction(args[key]) > 0, f"{name}: needs {key} > 0")
    return Scaling(kind, c, Fraction(args.get("r") or 1), Fraction(args.get("s") or 1))


def scaled_constants(model: Constants, scaling: Scaling) -> Constants:
    """T16. The scaled gradient sign(a')·φ(|a'||x|)·x/|x| of L1u to L5u rises with ⟨x,θ⟩, with slope φ'(t)·(slope of the
    data gradient), t = |a'·x|: it is the gradient of a convex loss. Norms are at most φ(M)."""
    bounds = [] if model["curvature"] is None else [scaling.slope * model["curvature"]]
    if model["growth"] is not None:
        bounds.append(model["growth"] * scaling.steepness + scaling.slope * model["floor"])
    m, bound = model["regularization"], model["gradient_bound"]
    bound = scaling.limit if bound is None else scaling.of(bound)
    return {"smoothness": m + min(bounds), "strong_convexity": m, "gradient_bound": bound, "convex": True}


def check_scaled(step: Step) -> Constants:
    return step.equal(scaled_constants(step.given[0], read_scaling(step.args, "scaled_linear_constants")))


MAP = {"kind": one_of(*MAPS), "max_grad_norm": exact, "r": optional(exact), "s": optional(exact)}

declare(
    Rule("T16", "scaled_linear_constants", MAP, CONSTANTS, check_scaled, "L1u … L5u",
         "`r`, `s`: null where the map has none; always convex"),
)  # fmt: skip
