"""A loss of the user's own, by its constants."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from accountant.core.exact import canonical
from accountant.core.quantities import LossBounds
from accountant.losses.base import InvalidLoss, store


@dataclass(frozen=True)
class ConstantLoss:
    """A loss known by its constants alone; somebody must attest them.

    convex: whether every record's data loss is. m is the regulariser's, (m/2)|θ|², alike for neighbours.

    Raises:
        InvalidLoss: a negative constant, m > L, or a `convex` that is neither true nor false.
    """

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
