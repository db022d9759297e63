"""Rows of the benchmark table: a private step of the learners, beside the plain step and Opacus's."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from accountant import LogisticLoss, NoisySGD
from tests.benchmarks.rows import Row, shown

BATCH, FEATURES, BATCHES = 256, 784, 16
OPACUS_MODES = ("hooks", "functorch", "ew", "ghost")


def private_steps(quick: bool) -> Iterator[Row]:
    """b = 256, 784 features, one output; the same batches and model for all. Processor time of one thread, the median
    of several stretches of steps that are taken in turns, so that a busy minute meets all of them."""
    if not find_spec("torch"):
        return
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from _measured(*((1, 1) if quick else (2, 15)))
    finally:
        torch.set_num_threads(threads)


def _measured(epochs: int, times: int) -> Iterator[Row]:
    works: dict[str, Callable[[], Any]] = {"ours": ours(epochs), "plain": plain(epochs, "float64")}
    works["plain, float32"] = plain(epochs, "float32")
    if find_spec("opacus"):
        for dtype in ("float32", "float64"):
            works |= {f"{mode}, {dtype}": opacus(epochs, mode, dtype) for mode in OPACUS_MODES}
    took: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(times):
        for name, work in works.items():
            start = time.process_time()
            work()
            took[name].append((time.process_time() - start) / (epochs * BATCHES))
    medians = {name: statistics.median(found) for name, found in took.items()}
    step = medians["ours"]
    what = f"private step, b = {BATCH}, {FEATURES} features, float64"
    for name in ("plain", "plain, float32"):
        ratio = step / medians[name]
        aim = ("≤ 1.25 times", ratio <= 1.25) if name == "plain" else ("–", None)
        yield Row(f"{what}; {name} step of torch", shown(step), shown(medians[name]), f"{ratio:.3g} times", *aim)
    modes = {name: value for name, value in medians.items() if name != "ours" and not name.startswith("plain")}
    for name, value in sorted(modes.items(), key=lambda item: item[1]):
        best = value == min(modes.values())
        goal = ("≥ 2.5 times faster", value >= 2.5 * step) if best else ("–", None)
        yield Row(f"{what}; Opacus, {name}", shown(step), shown(value), f"{value / step:.3g} times faster", *goal)


def _data(dtype: str) -> Any:
    import torch

    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(BATCHES * BATCH, FEATURES, generator=generator, dtype=torch.float64)
    rows = torch.nn.functional.normalize(rows) * (1 - 2.0**-30)
    labels = torch.randint(0, 2, (len(rows),), generator=generator).double() * 2 - 1
    return rows.to(getattr(torch, dtype)), labels.to(getattr(torch, dtype))


def ours(epochs: int) -> Callable[[], Any]:
    """The learners' own loop, with secret noise and every check."""
    import torch

    from learners.models import Numbers, model_of
    from learners.noise import secret
    from learners.stepping import Rule, run

    mechanism = NoisySGD(BATCHES * BATCH, BATCH, epochs, "0.01", LogisticLoss("0.01"))
    rule, (rows, labels) = Rule.of(mechanism), _data("float64")
    model = model_of(mechanism.loss, FEATURES, rule.gradient_bound, Numbers(length=FEATURES))
    there = torch.ones(BATCH, dtype=torch.bool)
    cut = [slice(i, i + BATCH) for i in range(0, len(rows), BATCH)]
    batches = [model.batch(rows[i].clone(), labels[i], there) for i in cut]
    start = torch.zeros(FEATURES, dtype=torch.float64)
    return lambda: run(start, batches, model, secret(), rule, epochs)


def _loop(epochs: int, dtype: str, wrap: Callable[..., Any]) -> Callable[[], Any]:
    """Forward, backward and step of torch, as one writes it."""
    import torch

    rows, labels = _data(dtype)
    module = torch.nn.Linear(FEATURES, 1, bias=False, dtype=getattr(torch, dtype))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, weight_decay=0.01)
    module, optimizer, criterion = wrap(module, optimizer, torch.nn.BCEWithLogitsLoss())
    batches = [(rows[i : i + BATCH].clone(), (labels[i : i + BATCH] + 1) / 2) for i in range(0, len(rows), BATCH)]

    def work() -> None:
        for _ in range(epochs):
            for features, targets in batches:
                optimizer.zero_grad()
                criterion(module(features).squeeze(1), targets).backward()
                optimizer.step()

    return work


def plain(epochs: int, dtype: str) -> Callable[[], Any]:
    return _loop(epochs, dtype, lambda *parts: parts)


def opacus(epochs: int, mode: str, dtype: str) -> Callable[[], Any]:
    """Opacus's optimiser and module in one of its modes, fed the same batches; its noise is torch's, not secure."""
    import warnings

    import torch
    from opacus import PrivacyEngine

    def wrap(module: Any, optimizer: Any, criterion: Any) -> Any:
        rows = torch.utils.data.TensorDataset(torch.zeros(BATCHES * BATCH, FEATURES), torch.zeros(BATCHES * BATCH))
        loader = torch.utils.data.DataLoader(rows, batch_size=BATCH)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parts = PrivacyEngine(accountant="rdp").make_private(
                module=module, optimizer=optimizer, criterion=criterion, data_loader=loader, noise_multiplier=1.0,
                max_grad_norm=1.0, poisson_sampling=False, grad_sample_mode=mode,
            )  # fmt: skip
        return parts[0], parts[1], parts[2] if mode == "ghost" else criterion

    return _loop(epochs, dtype, wrap)
