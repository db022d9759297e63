"""One noisy sum: scaled, added up, noised, rounded to a public grid, divided by a public number.

Weights. A record's gradient g of exact norm x enters as w·g, with w computed in float64 from the norm x̃ as computed,
or from the lesser G where every norm is known to be at most G. φ(t) = t·w(t) is non-decreasing for all four maps, and
at most Δ (Δ = φ(G) where G is known). For x ≤ x⁺ = x̃(1 + m) + a, m = `accountant.norm_margin`, a what underflow takes,

    |w(x̃)·g| = w(x̃)·x ≤ w(x̃)·x̃·(1 + m) + w(x̃)·a ≤ Δ(1 + m) + a·sup w,

and rounding w, in float64 and once to the gradients' type, makes that at most 1 + κ times Δ. Every weight is therefore
multiplied by 1 − `shrink`, shrink ≥ κ/(1 + κ) by `accountant.shrink_for`: as exact products of the weight as executed
and the gradient as it is, all terms are at most Δ long. The products' own rounding, and the sum's, is in ρ, by which
docs/theory.md T28s enlarges Δ (`Precision.execution`). Where two neighbours replace a record each of the two terms is
at most Δ long, and the accountant reckons with 2Δ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import torch
from torch import Tensor

from accountant.core.scaling import Scaling
from learners.models.scaling import Scaled
from learners.noise import Noise
from learners.stepping import RunCheckFailed, below
from learners.training.precision import Precision


def weights(scaling: Scaling, norms: Tensor, precision: Precision, bound: Fraction | None = None) -> Tensor:
    """The weight of each record, of norms (B,) in float32 or wider; in the norms' type, on their device.

    bound: G, where every gradient's norm is known to be at most that.

    Raises:
        RunCheckFailed: norms of a narrower type.
    """
    if norms.dtype not in (torch.float32, torch.float64):
        raise RunCheckFailed(f"norms: {norms.dtype} numbers; norms are computed in float32 or float64")
    computed = norms.to(torch.float64)
    if bound is not None:
        computed = computed.clamp(max=float(bound))
    return (Scaled.of(scaling).weight(computed) * (1 - float(precision.shrink))).to(norms.dtype)


def check_bound(norms: Tensor, precision: Precision, bound: Fraction | None) -> None:
    """Whether gradients are as short as the mechanism says.

    Raises:
        RunCheckFailed: a norm beyond G and what rounding explains.
    """
    if bound is None or not norms.numel():
        return
    longest = norms.max().item()
    if longest > below(bound) * (1 + 2 * float(precision.shrink)):
        raise RunCheckFailed(
            f"gradient_norm_bound: a gradient of norm {longest:.6g} > G = {float(bound):.6g}, which the mechanism "
            "states; certify without it, or with a larger one"
        )


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each learned parameter lies in one long vector."""

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]

    @classmethod
    def of(cls, parameters: Iterable[tuple[str, Tensor]]) -> Layout:
        pairs = tuple((name, parameter.shape) for name, parameter in parameters)
        return cls(tuple(name for name, _ in pairs), tuple(shape for _, shape in pairs))

    @property
    def dimension(self) -> int:
        return sum(shape.numel() for shape in self.shapes)

    def split(self, vector: Tensor) -> Iterable[tuple[str, Tensor]]:
        """Views (*shape) of a vector (d,), by name."""
        pieces = vector.split([shape.numel() for shape in self.shapes])
        return ((name, piece.view(shape)) for name, piece, shape in zip(self.names, pieces, self.shapes, strict=True))


@dataclass(eq=False)
class Sum:
    """The scaled gradients of one batch, added up in float64, part after part; two more numbers count its records and
    what was not finite, so that one addition over processes carries all."""

    layout: Layout
    device: torch.device
    vector: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.vector = torch.zeros(self.layout.dimension + 2, dtype=torch.float64, device=self.device)

    def add(self, weighted: Mapping[str, Tensor]) -> None:
        """Σ w_i g_i of a part, by parameter.

        Raises:
            RunCheckFailed: a parameter is missing, or of another shape.
        """
        if set(weighted) != set(self.layout.names):
            differing = sorted(set(weighted) ^ set(self.layout.names))
            raise RunCheckFailed(f"gradient: not of the parameters that are learned, but for {', '.join(differing)}")
        for (name, view), shape in zip(self.layout.split(self.vector[:-2]), self.layout.shapes, strict=True):
            if weighted[name].dtype not in (torch.float32, torch.float64):
                raise RunCheckFailed(
                    f"gradient of {name}: added up in {weighted[name].dtype}, whose rounding no bound has"
                )
            if weighted[name].shape != shape:
                raise RunCheckFailed(f"gradient of {name}: shape {tuple(weighted[name].shape)}, not {tuple(shape)}")
            view.add_(weighted[name])

    def count(self, records: int) -> None:
        """So many records were in the part."""
        self.vector[-2] += records

    def mark(self) -> None:
        """Something in the part was not finite."""
        self.vector[-1] += 1

    @property
    def records(self) -> int:
        return int(self.vector[-2])

    @property
    def finite(self) -> bool:
        return bool((self.vector[-1] == 0) & self.vector.isfinite().all())

    @property
    def total(self) -> Tensor:
        """Σ w_i g_i (d,), float64."""
        return self.vector[:-2]


def release(total: Tensor, noise: Noise, std: float, grid: Fraction, normaliser: Fraction) -> Tensor:
    """(total + std·N) on the grid, over the normaliser: what is released of a batch (d,), in float64.

    Raises:
        RunCheckFailed: noise of a narrower type than float64, whose low bits could be told from the sum's.
    """
    normals = noise((len(total),))
    if normals.dtype != torch.float64 or total.dtype != torch.float64:
        raise RunCheckFailed(f"noise: {normals.dtype} numbers on {total.dtype} ones; both must be torch.float64")
    noisy = normals.mul_(std).to(total.device).add_(total)
    cell = float(grid)  # a power of two: dividing and multiplying by it is exact
    return noisy.div_(cell).round_().mul_(cell).div_(float(normaliser))
