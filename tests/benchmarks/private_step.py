"""Rows of the benchmark table: a whole private step of a network, beside the plain step and Opacus's.

python -m tests.benchmarks.private_step [--quick] [--models logistic,mlp,cnn,transformer] [--batch 256] [--threads 1]

A private step is everything from the batch to the moved parameters: forward, norms, clipping, sum, noise, update. Ours
is the engine with the learners' secret float64 noise; Opacus's noise is torch's generator, not secure (`secure_mode` is
slower). Times are processor times, so that other jobs matter less; the ways take turns, and each ratio is one of
medians. Nothing is timed in the tests.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from tests.benchmarks.rows import Row, shown

MODES = ("hooks", "functorch", "ew", "ghost")
AIMS = {"logistic": (4, 0.9), "mlp": (2.5, 0.75), "cnn": (1.5, 0.8), "transformer": (1.5, 0.75)}
CLIP, NOISE, RATE = 1.0, 1.0, 0.1


def network(name: str) -> Any:
    """One of the four networks, from seed 0."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    if name == "logistic":
        return nn.Linear(784, 10)
    if name == "mlp":
        return nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
        )  # fmt: skip
    if name == "cnn":  # the one of Opacus's own MNIST example: 26,010 parameters
        return nn.Sequential(
            nn.Conv2d(1, 16, 8, 2, padding=3), nn.ReLU(), nn.MaxPool2d(2, 1),
            nn.Conv2d(16, 32, 4, 2), nn.ReLU(), nn.MaxPool2d(2, 1),
            nn.Flatten(), nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, 10),
        )  # fmt: skip
    return _transformer()


def _transformer() -> Any:
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Block(nn.Module):
        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
            self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            batch, positions, width = x.shape
            q, k, v = (
                part.view(batch, positions, self.heads, -1).transpose(1, 2)
                for part in self.project(self.before(x)).chunk(3, -1)
            )
            mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, positions, width)
            x = x + self.out(mixed)
            return x + self.narrow(F.gelu(self.wide(self.after(x))))

    class Transformer(nn.Module):
        def __init__(self, rows: int = 256, width: int = 128, layers: int = 2) -> None:
            super().__init__()
            self.embedding = nn.Embedding(rows, width)
            self.blocks = nn.Sequential(*(Block(width, 4) for _ in range(layers)))
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.norm(self.blocks(self.embedding(x))).mean(1))

    return Transformer()


def data(name: str, batch: int) -> tuple[Any, Any]:
    import torch

    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 10, (batch,), generator=generator)
    if name == "transformer":
        return torch.randint(0, 256, (batch, 64), generator=generator), labels
    shape = (batch, 1, 28, 28) if name == "cnn" else (batch, 784)
    return torch.randn(shape, generator=generator), labels


def plain(name: str, batch: int) -> Callable[[], Any]:
    """Forward, backward and step of torch, as one writes it."""
    import torch
    import torch.nn.functional as F

    module, (x, y) = network(name), data(name, batch)
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(module(x), y).backward()
        optimizer.step()

    return step


def ours(name: str, batch: int) -> Callable[[], Any]:
    """The engine; clipping; secret noise in float64 on the sum; plain SGD in place."""
    import torch
    import torch.nn.functional as F

    from learners.engines import BookKeeping
    from learners.noise import secret

    module, (x, y) = network(name), data(name, batch)
    engine, draw = BookKeeping(module), secret()
    parameters = dict(module.named_parameters())
    count = sum(one.numel() for one in parameters.values())

    cell, summed, moved = 2.0**-5, torch.empty(count), torch.empty(count)
    sizes = [one.numel() for one in parameters.values()]
    pieces = dict(zip(parameters, summed.split(sizes), strict=True))
    moves = [piece.view(one.shape) for piece, one in zip(moved.split(sizes), parameters.values(), strict=True)]
    values = list(parameters.values())
    chunks = list(zip(summed.split(2**16), moved.split(2**16), strict=True))

    @torch.no_grad()
    def release(found: Any) -> None:
        for key, value in found.weighted((CLIP / found.norms).clamp_(max=1)).items():
            pieces[key].copy_(value.view(-1))
        for total, move in chunks:
            noisy = torch.add(total.double(), draw(total.shape), alpha=NOISE * CLIP)
            move.copy_(noisy.mul_(1 / cell).round_())
        torch._foreach_sub_(values, moves, alpha=RATE / batch * cell)

    def step() -> None:
        release(engine.gradients(F.cross_entropy(module(x), y, reduction="none")))

    return step


def opacus(name: str, batch: int, mode: str) -> Callable[[], Any]:
    """Opacus's module and optimizer in one of its modes."""
    import torch
    from opacus import PrivacyEngine

    module, (x, y) = network(name), data(name, batch)
    rows = torch.utils.data.TensorDataset(torch.zeros(4 * batch, 1), torch.zeros(4 * batch))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = PrivacyEngine(accountant="rdp").make_private(
            module=module, optimizer=torch.optim.SGD(module.parameters(), lr=RATE),
            criterion=torch.nn.CrossEntropyLoss(), data_loader=torch.utils.data.DataLoader(rows, batch_size=batch),
            noise_multiplier=NOISE, max_grad_norm=CLIP, poisson_sampling=False, grad_sample_mode=mode,
        )  # fmt: skip
    module, optimizer = parts[0], parts[1]
    criterion = parts[2] if mode == "ghost" else torch.nn.CrossEntropyLoss()

    def step() -> None:
        optimizer.zero_grad()
        criterion(module(x), y).backward()
        optimizer.step()

    return step


def measured(works: dict[str, Callable[[], Any]], times: int, least: float) -> dict[str, float]:
    """Median processor time of a step; each turn of a way is repeated for `least` seconds."""
    counts: dict[str, int] = {}
    for name, work in works.items():
        work()
        start = time.process_time()
        work()
        counts[name] = max(1, round(least / max(time.process_time() - start, 1e-5)))
    took: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(times):
        for name, work in works.items():
            start = time.process_time()
            for _ in range(counts[name]):
                work()
            took[name].append((time.process_time() - start) / counts[name])
    return {name: statistics.median(found) for name, found in took.items()}


def network_steps(quick: bool, models: tuple[str, ...] = tuple(AIMS), batch: int = 256) -> Iterator[Row]:
    """For each network a row against the plain step and one against every mode of Opacus that runs."""
    if not find_spec("torch"):
        return
    import torch

    for name in models:
        works = {"ours": ours(name, batch), "plain": plain(name, batch)}
        if find_spec("opacus"):
            works |= {mode: opacus(name, batch, mode) for mode in MODES}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            times = measured(works, *((3, 0.02) if quick else (15, 0.1)))
        against_opacus, against_plain = AIMS[name]
        step = times.pop("ours")
        base = times.pop("plain")
        what = f"private step, {name}, b = {batch}, {torch.get_num_threads()} threads"
        yield Row(
            f"{what}; plain step", shown(step), shown(base), f"{base / step:.3g} of its steps per second",
            f"≥ {against_plain}", base / step >= against_plain,
        )  # fmt: skip
        for mode, value in sorted(times.items(), key=lambda item: item[1]):
            best = value == min(times.values())
            aim = (f"≥ {against_opacus} times", value >= against_opacus * step) if best else ("–", None)
            yield Row(f"{what}; Opacus, {mode}", shown(step), shown(value), f"{value / step:.3g} times faster", *aim)


def main() -> None:
    parser = argparse.ArgumentParser(description="Private steps of networks, as ratios measured in one run.")
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument("--models", default=",".join(AIMS), help="of: %(default)s")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    import torch

    torch.set_num_threads(asked.threads)
    for row in network_steps(asked.quick, tuple(asked.models.split(",")), asked.batch):
        met = {None: "–", True: "yes", False: "**no**"}[row.met]
        print("|", " | ".join([row.what, row.ours, row.against, row.ratio, row.aim, met]), "|", flush=True)


if __name__ == "__main__":
    main()
