"""The four maps that scale one record's data gradient (docs/theory.md T16), on tensors of gradient norms."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from accountant.core.scaling import Scaling


@dataclass(frozen=True)
class Scaled:
    """w(x) of `accountant.core.scaling`, in floating point: a gradient of norm x becomes w(x) times itself."""

    kind: str
    max_grad_norm: float
    r: float | None = None
    s: float | None = None

    @classmethod
    def of(cls, scaling: Scaling) -> Scaled:
        numbers = {key: value for key, value in scaling.arguments().items() if key != "kind" and value is not None}
        return cls(scaling.kind, **{key: float(value) for key, value in numbers.items()})

    def weight(self, norms: Tensor) -> Tensor:
        """w of norms ≥ 0, of any shape."""
        if self.kind == "clip":
            return self.max_grad_norm / norms.clamp(min=self.max_grad_norm)
        if self.kind == "auto-s":
            return self.max_grad_norm / (norms + self.r)
        slope = 1.0 if self.s is None else self.s  # psac is psasc with s = 1
        return self.max_grad_norm / (slope * norms + self.r / (norms + self.r))
