"""The four maps that scale one record's data gradient (docs/theory.md T16), on tensors of gradient norms."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from accountant.core.scaling import Scaling


@dataclass(frozen=True)
class Scaled:
    """w(x) of `accountant.core.scaling`, in floating point: a gradient of norm x becomes w(x) times itself."""

    kind: str
    max_grad_norm: float
    r: float = 0.0  # which clipping does not have
    s: float = 1.0  # which psasc alone has: psac is psasc with s = 1

    @classmethod
    def of(cls, scaling: Scaling) -> Scaled:
        numbers = {key: value for key, value in scaling.arguments().items() if key != "kind" and value is not None}
        return cls(scaling.kind, **{key: float(value) for key, value in numbers.items()})

    @property
    def steepest(self) -> float:
        """sup φ′ of φ(x) = x·w(x), as T16 has it."""
        if self.kind == "clip":
            return 1.0
        if self.kind == "auto-s":
            return self.max_grad_norm / self.r
        least = min(self.r * self.s, 1.0)
        return self.max_grad_norm * math.sqrt(27 / (least * (4 - least) ** 3))

    def weight(self, norms: Tensor) -> Tensor:
        """w of norms ≥ 0, of any shape."""
        if self.kind == "clip":
            return self.max_grad_norm / norms.clamp(min=self.max_grad_norm)
        if self.kind == "auto-s":
            return self.max_grad_norm / (norms + self.r)
        return self.max_grad_norm / (self.s * norms + self.r / (norms + self.r))
