"""Scalar linear models whose per-record data gradients are scaled by one of the four maps."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, final

from accountant.core.arithmetic import Exact
from accountant.core.exact import settle
from accountant.core.kernel import THEOREMS, Theorem, conclude
from accountant.core.quantities import LossBounds
from accountant.core.scaling import Scaling
from accountant.losses.base import DerivedLoss, InvalidLoss

Numeral = int | str | Fraction
_SHARED = ("regularization", "feature_norm", "clip")


@cache
def linear_losses() -> dict[str, type[DerivedLoss]]:
    """By kind: the losses of one inner product a record, which stay convex when their gradients are scaled."""
    from accountant.losses import LOSSES  # whole only when every loss is declared

    return {loss.kind: loss for loss in LOSSES if issubclass(loss, DerivedLoss) and loss.unscaled is not None}


@final
@dataclass(frozen=True, init=False)
class ScaledLoss(DerivedLoss):
    """A loss of one inner product a record, |x| ≤ feature_norm, whose data gradient is scaled before the batch's mean
    is taken; the regulariser's gradient is added afterwards (T16).

    model: the kind of a loss that has an `unscaled` theorem, with the numbers that this loss has (own), each also by
    its name: `ScaledLoss("huber", 1, scaling, threshold=2).threshold`. `radius` is that of the mechanism's ball, for
    least squares and Poisson regression, which need none here: the map bounds the gradient.

    Raises:
        InvalidLoss: a number out of its range, one missing, or one that the model does not have.
        TypeError: a map other than the four.
    """

    model: str
    regularization: Fraction
    scaling: Scaling
    feature_norm: Fraction
    own: tuple[tuple[str, Any], ...]  # the model's other numbers, in the order of its fields

    def __init__(
        self,
        model: str,
        regularization: Numeral,
        scaling: Scaling,
        feature_norm: Numeral = Fraction(1),
        own: tuple[tuple[str, Any], ...] = (),  # as `dataclasses.replace` has them
        **numbers: Any,
    ) -> None:
        if model not in linear_losses():
            raise InvalidLoss(
                "kind",
                f"{model!r} is not a scalar linear model, and scaling keeps convexity for those alone; "
                f"write one of {', '.join(linear_losses())}",
            )
        if not isinstance(scaling, Scaling):
            raise TypeError(f"scaling: {type(scaling).__name__} is not a map of accountant.core.scaling")
        make: Any = linear_losses()[model]
        needed = {field.name: field.default is MISSING for field in fields(make) if field.name not in _SHARED}
        given = {key: value for key, value in (dict(own) | numbers).items() if value is not None}
        for key in given:
            if key not in needed:
                raise InvalidLoss(key, f"a {model} loss has none; leave it out")
        for key in needed:
            if needed[key] and key not in given:
                raise InvalidLoss(key, f"is missing; a {model} loss needs it")
        # The loss looks at its numbers itself; one with a clip needs no radius.
        loss: Any = make(regularization=regularization, feature_norm=feature_norm, clip=1, **given)
        settle(self, model=model, regularization=loss.regularization, scaling=scaling, feature_norm=loss.feature_norm)
        settle(self, own=tuple((key, getattr(loss, key)) for key in needed))

    def __getattr__(self, name: str) -> Any:
        for key, value in self.__dict__.get("own", ()):
            if key == name:
                return value
        raise AttributeError(f"a {self.__dict__.get('model')} loss has no {name}")

    @property
    def theorem(self) -> Theorem:  # type: ignore[override]
        """About the model before any scaling; T16 takes its conclusion."""
        theorem = linear_losses()[self.model].unscaled
        assert theorem is not None
        return theorem

    def arguments(self) -> dict[str, Any]:
        """The arguments of `theorem`."""
        return {"regularization": self.regularization, "feature_norm": self.feature_norm} | dict(self.own)

    def numbers(self) -> dict[str, Fraction]:
        return {name: value for name, value in self.arguments().items() if value is not None}

    def constants(self) -> LossBounds:
        """L, m, M as exact rationals: the model's theorem, then T16."""
        return _constants(self)


@lru_cache(maxsize=4096)
def _constants(loss: ScaledLoss) -> LossBounds:
    A = Exact()
    return conclude(THEOREMS["T16"], A, conclude(loss.theorem, A, **loss.arguments()), **loss.scaling.arguments())
