"""A loss of the user's own, by its constants."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import final

from accountant.core.exact import canonical
from accountant.core.quantities import LossBounds
from accountant.losses.base import InvalidLoss, Key, NamedLoss, store


@final
@dataclass(frozen=True)
class ConstantLoss(NamedLoss):
    """A loss known by its constants alone; somebody must attest them.

    convex: whether every record's data loss is. m is the regulariser's, (m/2)|θ|², alike for neighbours.

    Raises:
        InvalidLoss: a negative constant, m > L, or a `convex` that is neither true nor false.
    """

    kind = "constants"
    words = "a loss known by its constants, which somebody attests"
    run_keys = MappingProxyType(
        {
            "smoothness": Key("L of the regularised loss", "L"),
            "strong_convexity": Key("m, of the regulariser (m/2)|θ|²", "m"),
            "gradient_bound": Key("M, bound on the norm of one record's data gradient", "M"),
            "convex": Key("whether every record's data loss is convex"),
        }
    )

    smoothness: Fraction
    strong_convexity: Fraction
    gradient_bound: Fraction
    convex: bool = True

    def __post_init__(self) -> None:
        smoothness = store(self, "smoothness")
        strong_convexity = store(self, "strong_convexity")
        store(self, "gradient_bound")
        if not isinstance(self.convex, bool):
            raise InvalidLoss("convex", f"{self.convex!r} must be true or false")
        if strong_convexity > smoothness:
            raise InvalidLoss(
                "strong_convexity",
                f"m = {canonical(strong_convexity)} > L = {canonical(smoothness)} is impossible; "
                "smoothness includes the regulariser",
            )

    def constants(self) -> LossBounds:
        return LossBounds(self.smoothness, self.strong_convexity, self.gradient_bound, self.convex)
