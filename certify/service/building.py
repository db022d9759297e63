"""What `train` builds before its first step: records, model, optimizer, schedule and loss.

Loaded only when asked for; needs torch.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certify.errors import UsageError
from certify.runfile.read import Run
from certify.runfile.train_table import TrainTable
from certify.service.data import read_records
from certify.service.driving import load_learners, module_of, refusals

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

EMBEDDED = "digits"
DIGITS = 10


@dataclass(frozen=True)
class TrainingData:
    """dataset: records by index, (features, label). fingerprint: SHA-256 (hex) of all of them in their order, for the
    owner alone. source: where they were read."""

    dataset: Any
    fingerprint: str
    source: Mapping[str, Any]


class Stored:
    """Records whose features stay in a file, read where they are drawn."""

    def __init__(self, features: Any, labels: Tensor, dtype: torch.dtype) -> None:
        self.features, self.labels, self.dtype = features, labels, dtype

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        return self.__getitems__([place])[0]

    def __getitems__(self, places: list[int]) -> list[tuple[Tensor, Tensor]]:
        rows = self.features.read(places).to(self.dtype)
        return list(zip(rows, self.labels[places], strict=True))


def training_data(run: Run, where: str | Path | None, folder: Path) -> TrainingData:
    """The records of a training run: those of a file by [data], or the first `samples` digits that come along.

    Raises:
        UsageError: no such file, a row that does not fit, another number of records than the run file says.
    """
    load_learners()
    import torch
    from torch.utils.data import TensorDataset

    train, samples = _train(run), run.mechanism.samples
    if samples is None:
        raise UsageError("mechanism.samples: is missing; a training is of a number of records that the run file says")
    dtype = getattr(torch, train.dtype)
    if where is None:
        from learners.data.digits import digits

        if train.loss != "cross-entropy":
            raise UsageError(
                f'--data: is missing; the digits that come along are for loss = "cross-entropy", not "{train.loss}"'
            )
        try:
            with refusals():
                features, labels = digits(samples, dtype=dtype)
        except ModuleNotFoundError as missing:
            raise UsageError(f"running needs {missing.name}; pip install 'plumbline-dp[learn]'") from None
        return TrainingData(TensorDataset(features, labels), _fingerprint(features, labels), {"embedded": EMBEDDED})
    path = Path(where).absolute()
    records = read_records(run, path, folder)
    if records.labels is None:
        raise UsageError(f"--data {path}: has no target column; a training needs one")
    if len(records.labels) != samples:
        raise UsageError(
            f"--data {path}: holds {len(records.labels)} records, and mechanism.samples = {samples}; write that number"
        )
    labels = records.labels.to(torch.int64 if train.loss == "cross-entropy" else dtype)
    about = {"path": str(path)}
    if isinstance(records.features, torch.Tensor):
        features = records.features.to(dtype)
        return TrainingData(TensorDataset(features, labels), _fingerprint(features, labels), about)
    return TrainingData(Stored(records.features, labels, dtype), _fingerprint(records.features, labels), about)


def _fingerprint(features: Any, labels: Tensor) -> str:
    import torch

    digest = hashlib.sha256(labels.numpy().tobytes())
    if isinstance(features, torch.Tensor):
        digest.update(features.numpy().tobytes())
        return digest.hexdigest()
    at_once = 4096
    for first in range(0, len(labels), at_once):
        digest.update(features.read(range(first, min(first + at_once, len(labels)))).numpy().tobytes())
    return digest.hexdigest()


def _train(run: Run) -> TrainTable:
    assert run.train is not None  # of a training run
    return run.train


@contextmanager
def _working_folder_first() -> Iterator[None]:
    """A module beside the run file is found, as by `python -m`."""
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def build_model(run: Run, factory: str, seed: int | None) -> nn.Module:
    """The module that MODULE:FACTORY makes, MODULE looked up in the working folder first, in the type of [train].

    seed: of torch's generator while it is made; None: torch's own.

    Raises:
        UsageError: it cannot be imported or called, or makes no torch module.
    """
    load_learners()
    import torch

    if seed is not None:
        torch.manual_seed(seed)
    with _working_folder_first():
        model: nn.Module = module_of(factory)["model"]
    return model.to(getattr(torch, _train(run).dtype))


def build_optimizer(run: Run, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of [train], of what the model learns."""
    import torch

    train = _train(run)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not learned:
        raise UsageError("--model: no parameter of it requires a gradient; nothing can be learned")
    how: dict[str, Any] = {"lr": float(train.lr), "weight_decay": float(train.weight_decay)}
    match train.optimizer:
        case "sgd":
            momentum = float(train.momentum or 0)
            return torch.optim.SGD(learned, momentum=momentum, nesterov=train.nesterov, **how)
        case "rmsprop":
            return torch.optim.RMSprop(learned, momentum=float(train.momentum or 0), **how)
        case "adagrad":
            return torch.optim.Adagrad(learned, **how)
    decays = (
        0.9 if train.beta1 is None else float(train.beta1),
        0.999 if train.beta2 is None else float(train.beta2),
    )
    return (torch.optim.Adam if train.optimizer == "adam" else torch.optim.AdamW)(learned, betas=decays, **how)


def build_schedule(run: Run, optimizer: torch.optim.Optimizer) -> Any:
    """The schedule of the learning rate, stepped after every step; None where it stays."""
    import torch

    train, steps = _train(run), run.mechanism.steps
    if train.schedule == "constant" and not train.warmup_steps:
        return None
    if train.warmup_steps >= steps:
        raise UsageError(f"train.warmup_steps: {train.warmup_steps} must be below the {steps} steps of the run")

    def factor(step: int) -> float:
        if step < train.warmup_steps:
            return (step + 1) / train.warmup_steps
        part = (step - train.warmup_steps) / max(1, steps - train.warmup_steps)
        if train.schedule == "cosine":
            return (1 + math.cos(math.pi * part)) / 2
        return 1 - part if train.schedule == "linear" else 1.0

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def loss_of(run: Run) -> Callable[[Tensor, Tensor], Tensor]:
    """Each record's loss, (B,), from the model's output and the labels (B,).

    The function raises:
        UsageError: an output of another shape than the loss takes.
    """
    import torch
    from torch.nn import functional

    kind = _train(run).loss
    classes = DIGITS if run.columns is None else len(run.columns.classes)

    def of_classes(output: Tensor, labels: Tensor) -> Tensor:
        if output.ndim != 2 or len(output) != len(labels):
            raise UsageError(
                f"--model: its output has shape {tuple(output.shape)} for {len(labels)} records; cross-entropy takes "
                "one score for each class, (B, classes)"
            )
        if output.shape[1] < classes:
            raise UsageError(f"--model: makes {output.shape[1]} scores, of {classes} classes; make one for each")
        return functional.cross_entropy(output, labels, reduction="none")

    def of_score(output: Tensor, labels: Tensor) -> Tensor:
        if output.shape not in (labels.shape, (*labels.shape, 1)):
            raise UsageError(
                f'--model: its output has shape {tuple(output.shape)} for {len(labels)} records; loss = "{kind}" takes '
                "one number for each, (B,) or (B, 1)"
            )
        score = output.reshape(labels.shape)
        if kind == "logistic":
            return functional.softplus(-labels * score)
        if kind == "squared":
            return torch.square(score - labels) / 2
        return functional.huber_loss(score, labels, reduction="none")

    return of_classes if kind == "cross-entropy" else of_score
