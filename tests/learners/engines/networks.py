"""Random small networks with a batch for them (Hypothesis), and the plain per-record loop that every engine must equal.

`networks()` draws a `Case`: a module, its batch of records, and targets. Everything is built in float64 from a drawn
seed, so that a failure is reproduced by its case; `Case.to(dtype)` gives the same network in another type.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn

CLASSES = 3


@dataclass(frozen=True)
class Case:
    """x: (B, …), records along the first dimension; y: (B,) classes; what: the layers, for messages."""

    module: nn.Module
    x: Tensor
    y: Tensor
    what: str

    def to(self, dtype: torch.dtype) -> Case:
        x = self.x.to(dtype) if self.x.is_floating_point() else self.x
        return replace(self, module=copy.deepcopy(self.module).to(dtype), x=x)

    def losses(self, rows: slice = slice(None)) -> Tensor:
        return F.cross_entropy(self.module(self.x[rows]), self.y[rows], reduction="none")

    def __repr__(self) -> str:
        return f"Case({self.what}, x {tuple(self.x.shape)})"


def plain_loop(case: Case) -> dict[str, Tensor]:
    """(B, *shape) by parameter: one forward and one backward pass for each record, alone in its batch."""
    learned = {name: one for name, one in case.module.named_parameters() if one.requires_grad}
    rows: dict[str, list[Tensor]] = {name: [] for name in learned}
    for i in range(len(case.x)):
        loss = case.losses(slice(i, i + 1)).sum()
        found = torch.autograd.grad(loss, list(learned.values()), allow_unused=True)
        for (name, parameter), gradient in zip(learned.items(), found, strict=True):
            rows[name].append(torch.zeros_like(parameter) if gradient is None else gradient)
    return {name: torch.stack(one) for name, one in rows.items()}


class Head(nn.Module):
    """Whatever comes out, averaged over positions and mapped to classes."""

    def __init__(self, width: int):
        super().__init__()
        self.last = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(x.flatten(2).mean(2) if x.dim() > 2 else x)


class ChannelsFirst(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


@st.composite
def vectors(draw: Any) -> tuple[list[nn.Module], tuple[int, ...]]:
    """Linear layers, with normalisation between them, on (B, d)."""
    width = start = draw(st.integers(1, 6))
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 3))):
        wider = draw(st.integers(1, 6))
        layers += [nn.Linear(width, wider, bias=draw(st.booleans())), nn.Tanh()]
        width = wider
        norms: list[Callable[[], nn.Module]] = [
            lambda width=width: nn.LayerNorm(width, bias=draw(st.booleans())),
            lambda width=width: nn.RMSNorm(width),
            nn.Identity,
        ]
        if width > 1:  # torch refuses to normalise a single value
            norms.append(lambda width=width: nn.GroupNorm(1, width))
        layers.append(draw(st.sampled_from(norms))())
    return [*layers, Head(width)], (start,)


@st.composite
def sequences(draw: Any) -> tuple[list[nn.Module], tuple[int, ...]]:
    """Linear layers on sequences (B, T, d), or (B, S, T, d): wide and short ones take the Gram form."""
    positions = draw(st.lists(st.integers(1, 5), min_size=1, max_size=2))
    width = start = draw(st.integers(1, 12))
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 2))):
        wider = draw(st.integers(1, 12))
        layers += [nn.Linear(width, wider, bias=draw(st.booleans())), nn.GELU()]
        width = wider
        layers.append(draw(st.sampled_from([nn.LayerNorm(width), nn.RMSNorm(width, eps=1e-6), nn.Identity()])))
    return [*layers, nn.Flatten(1, -2), ChannelsFirst(), Head(width)], (*positions, start)


@st.composite
def images(draw: Any, dimensions: int) -> tuple[list[nn.Module], tuple[int, ...]]:
    """Convolutions with everything that they take, on (B, C, …)."""
    convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1]
    instance = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)[dimensions - 1]
    sizes = st.lists(st.integers(4, 6), min_size=dimensions, max_size=dimensions)
    groups = draw(st.integers(1, 2))
    channels = start = groups * draw(st.integers(1, 2))
    positions = size = draw(sizes)
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 2))):
        wider = 2 * draw(st.integers(1, 2))
        kernel = tuple(draw(st.integers(1, 3)) for _ in range(dimensions))
        padding: Any = draw(st.one_of(st.sampled_from(["same", "valid"]), st.integers(0, 2)))
        stride = 1 if padding == "same" else draw(st.integers(1, 2))
        dilation = draw(st.integers(1, 2)) if min(positions) >= 5 else 1
        mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
        if mode == "reflect" and padding not in ("same", "valid"):
            padding = min(padding, 1)
        layer = convolution(
            channels, wider, kernel, stride, padding, dilation, groups, bias=draw(st.booleans()), padding_mode=mode
        )
        try:
            after = layer(torch.zeros(1, channels, *positions)).shape[2:]
        except (RuntimeError, ValueError, AssertionError):  # too small for its kernel, or for its padding
            layer, after = convolution(channels, wider, 1), torch.Size(positions)
        layers += [layer, nn.Tanh()]
        channels, positions = wider, list(after)
        norms: list[nn.Module] = [nn.Identity()]
        if math.prod(positions) > 1:
            norms += [nn.GroupNorm(2, channels), instance(channels, affine=True)]
        layers.append(draw(st.sampled_from(norms)))
        groups = draw(st.sampled_from([1, 2]))
    return [*layers, Head(channels)], (start, *size)


@st.composite
def texts(draw: Any) -> tuple[list[nn.Module], tuple[int, ...], int]:
    """Embeddings of indices that repeat, and what follows them: (B, T) integers below the number that is returned."""
    rows, width = draw(st.integers(2, 6)), draw(st.integers(1, 5))
    padding = draw(st.one_of(st.none(), st.integers(0, rows - 1)))
    layers: list[nn.Module] = [nn.Embedding(rows, width, padding_idx=padding)]
    if draw(st.booleans()):
        layers += [nn.Linear(width, width), nn.Tanh(), nn.LayerNorm(width)]
    return [*layers, ChannelsFirst(), Head(width)], (draw(st.integers(1, 6)),), rows


@st.composite
def networks(draw: Any, kinds: tuple[str, ...] = ("vectors", "sequences", "images", "texts")) -> Case:
    """A network, one to five records for it, and which of its parameters are frozen (sometimes, never all)."""
    seed = draw(st.integers(0, 2**31 - 1))
    kind, rows = draw(st.sampled_from(kinds)), 0
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if kind == "vectors":
            layers, shape = draw(vectors())
        elif kind == "sequences":
            layers, shape = draw(sequences())
        elif kind == "images":
            layers, shape = draw(images(draw(st.sampled_from([1, 2, 2, 3]))))
        else:
            layers, shape, rows = draw(texts())
        module = nn.Sequential(*layers).double()
        for parameter in module.parameters():
            if parameter.dim() == 1:  # not the ones and zeros that layers start with
                nn.init.normal_(parameter)
        batch = draw(st.integers(1, 5))
        size = (batch, *shape)
        x = torch.randint(0, rows, size) if rows else torch.randn(size, dtype=torch.float64)
        y = torch.randint(0, CLASSES, (batch,))
    parameters = list(module.parameters())
    for parameter in draw(st.one_of(st.just([]), st.lists(st.sampled_from(parameters), max_size=3))):
        parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in parameters):
        parameters[0].requires_grad_(True)
    return Case(module, x, y, f"seed {seed}: {', '.join(map(str, layers[:-1]))}")
