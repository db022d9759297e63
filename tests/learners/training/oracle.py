"""The slow, obvious way: every record's gradient by a backward pass of its own, scaled in float64, added in a loop."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from accountant import Momentum, ScaledSGD, Stage
from accountant.core.scaling import AutoS, Clip, Psac, Psasc
from learners.training import PrivateTrainer

MAPS = {
    "clip": Clip("1"),
    "auto-s": AutoS("1", "0.01"),
    "psac": Psac("1", "0.1"),
    "psasc": Psasc("1", "0.1", "2"),
}


def losses_of(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of each record (B,)."""
    return functional.cross_entropy(model(x), y, reduction="none")


def mechanism_of(scaling: Any = MAPS["clip"], **changes: Any) -> ScaledSGD:
    """Five steps at q = 1/4 and z = 1 on 40 records; keywords change it: z, q, steps, or fields of ScaledSGD."""
    stage = Stage(changes.pop("z", "1"), changes.pop("q", "1/4"), changes.pop("steps", 5))
    fields = {"samples": 40, "normaliser": "10"} | changes
    return ScaledSGD(scaling, fields.pop("stages", (stage,)), **fields)


def data(n: int = 40, features: int = 6, classes: int = 3, seed: int = 1) -> TensorDataset:
    """Random records of very different sizes."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, features, generator=draw) * torch.logspace(-3, 1, n)[:, None]
    return TensorDataset(x, torch.randint(classes, (n,), generator=draw))


def network(seed: int = 0, dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)


def sgd(model: nn.Module, lr: float = 0.5, **more: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=lr, **more)


def trainer_of(
    mechanism: ScaledSGD | None = None, model: nn.Module | None = None, dataset: Any = None, **how: Any
) -> PrivateTrainer:
    """A seeded trainer on the CPU; keywords change it, `optimizer` too. By default of `network` on `data`, q = 1/2."""
    model = network() if model is None else model
    how = {"delta": "1e-5", "device": "cpu", "seed": 5, "optimizer": sgd(model)} | how
    dataset = data() if dataset is None else dataset
    return PrivateTrainer(model, how.pop("optimizer"), dataset, mechanism or mechanism_of(q="1/2"), **how)


def weight(scaling: Any, x: float) -> float:
    """w(x), from the formulas of docs/theory.md T14."""
    C, r, s = (float(getattr(scaling, name, 1)) for name in ("max_grad_norm", "r", "s"))
    return {
        "clip": lambda: min(1.0, C / x) if x else 1.0,
        "auto-s": lambda: C / (x + r),
        "psac": lambda: C / (x + r / (x + r)),
        "psasc": lambda: C / (s * x + r / (x + r)),
    }[scaling.kind]()


def gradient(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """One record's gradient over all learned parameters, as one vector (d,) in float64."""
    model.zero_grad()
    losses_of(model, x[None], y[None]).sum().backward()
    vector = torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad]).double()
    model.zero_grad()
    return vector


def scaled_sum(model: nn.Module, x: Tensor, y: Tensor, scaling: Any, gradient_of: Callable[..., Tensor] = gradient):
    """Σ w(|g|)·g (d,), float64, without any margin."""
    total = torch.zeros(sum(p.numel() for p in model.parameters() if p.requires_grad), dtype=torch.float64)
    for record, label in zip(x, y, strict=True):
        g = gradient_of(model, record, label)
        total += weight(scaling, g.norm().item()) * g
    return total


def flat(model: nn.Module) -> Tensor:
    """The learned parameters, as one vector (d,)."""
    return torch.cat([p.detach().flatten().clone() for p in model.parameters() if p.requires_grad])


def grads(model: nn.Module) -> Tensor:
    """What is in `.grad` (d,)."""
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])


INNER = Momentum(inner_beta=Fraction(1, 2), inner_window=3)
