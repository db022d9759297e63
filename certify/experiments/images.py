"""Images in ten classes for `training`: scikit-learn's digits, or MNIST's or CIFAR-10's files in a user's folder.

Records come in three parts: to train on, to choose settings by, and to test on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certify.errors import UsageError
from certify.runfile.dpsgd_tables import KIND_OF

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_IMAGES = "digits"
CLASSES = 10
DELTA = "1e-5"
MEAN = 0.5  # subtracted from pixels between 0 and 1: a public number, not the data's


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the records: pixels (n, channels, height, width), float32 between −0.5 and 0.5; labels (n,), 0 … 9."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Images:
    train: Part
    validation: Part
    test: Part


@dataclass(frozen=True)
class ImageProblem:
    """data: "digits", or a folder. samples, validated, tested: records to train on, to choose settings by, to test on.
    batch_size: the mean of Poisson batches."""

    data: str
    samples: int
    validated: int
    tested: int
    batch_size: int
    epochs: int

    @property
    def subject(self) -> str:
        return (
            f"{self.validated} to choose settings by, mean batch {self.batch_size}, T = {self.epochs} epochs of DP-SGD "
            f"and its relatives, δ = {DELTA}"
        )

    def tables(self, scaling: Mapping[str, str], momentum: Mapping[str, Any], *, epsilon: str) -> dict[str, Any]:
        """A run file's tables, without noise_multiplier."""
        return {
            "mechanism": {
                "kind": KIND_OF[scaling["kind"]],
                "samples": self.samples,
                "batch_size": self.batch_size,
                "epochs": self.epochs,
            },
            "scaling": dict(scaling),
            "momentum": dict(momentum),
            "target": {"epsilon": epsilon, "delta": DELTA},
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "samples": self.samples,
            "validated": self.validated,
            "tested": self.tested,
            "batch_size": self.batch_size,
            "epochs": self.epochs,
            "delta": DELTA,
            "sampling": "poisson",
        }


_SETTINGS = {"digits": (120, 6), "mnist": (500, 10), "cifar-10": (500, 20)}  # mean batch size, epochs


def image_problem_of(data: str) -> ImageProblem:
    """The problem that `--data` names.

    Raises:
        UsageError: neither "digits" nor a folder with MNIST's or CIFAR-10's files; a package is missing.
    """
    images = load_images(data)
    kind = data if data == DEFAULT_IMAGES else "cifar-10" if images.train.pixels.shape[1] == 3 else "mnist"
    batch_size, epochs = _SETTINGS[kind]
    sizes = len(images.train), len(images.validation), len(images.test)
    return ImageProblem(data, *sizes, batch_size=min(batch_size, sizes[0]), epochs=epochs)


@lru_cache(maxsize=2)
def load_images(data: str) -> Images:
    """The three parts. Of the digits 1200, 197 and 400, in their published order; of files the last sixth of the
    training records is to choose settings by.

    Raises:
        UsageError: as `image_problem_of`.
    """
    try:
        if data == DEFAULT_IMAGES:
            return _digits()
        folder = Path(data)
        if not folder.is_dir():
            raise UsageError(
                f"--data: {data!r} is not a folder; for `training` write {DEFAULT_IMAGES}, or a folder of MNIST's or "
                "CIFAR-10's files"
            )
        return _from_folder(folder)
    except ImportError as missing:
        raise UsageError(f"experiments need {missing.name}; pip install 'plumbline-dp[learn]'") from None


def _digits() -> Images:
    from learners.data.digits import RECORDS, digits

    pixels, labels = digits(RECORDS)
    whole = Part(pixels.reshape(RECORDS, 1, 8, 8) - MEAN, labels)
    return Images(_rows(whole, 0, 1200), _rows(whole, 1200, 1397), _rows(whole, 1397, RECORDS))


def _from_folder(folder: Path) -> Images:
    cifar = any(folder.glob("data_batch_*.bin"))
    train = _read(folder, "training set")
    if cifar:
        test = _read(folder / "test_batch.bin", "test set")
    else:
        names = ("t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz")
        test = _read(next((folder / n for n in names if (folder / n).exists()), folder / names[0]), "test set")
    if train.pixels.shape[1:] != test.pixels.shape[1:]:
        raise UsageError(
            f"--data: images to train on are {_size(train)}, those to test on {_size(test)}; give files of one data set"
        )
    first = len(train) - len(train) // 6
    if first == len(train):
        raise UsageError(f"--data: {folder} has {len(train)} records to train on; give 6 or more")
    return Images(_rows(train, 0, first), _rows(train, first, len(train)), test)


def _read(path: Path, what: str) -> Part:
    """Of MNIST's or CIFAR-10's files."""
    import numpy as np
    import torch

    from learners.data import InvalidTable, open_source

    if not path.exists():
        raise UsageError(f"--data: {path.parent} has no {path.name}; give a folder with MNIST's or CIFAR-10's files")
    try:
        pairs = [(pixels, labels) for pixels, labels in _batches(open_source(path))]
    except (InvalidTable, KeyError, OSError) as problem:
        raise UsageError(f"--data: {problem}") from None
    if not pairs:
        raise UsageError(f"--data: the {what} in {path} is empty; give MNIST's or CIFAR-10's files")
    pixels, labels = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    if not ((labels >= 0) & (labels < CLASSES)).all():
        raise UsageError(f"--data: {path} has a label outside of 0 … 9; `training` takes MNIST's or CIFAR-10's files")
    images = torch.from_numpy(pixels).to(torch.float32).div_(255).sub_(MEAN)
    channels = 3 if images.shape[1] == 3 * 32 * 32 else 1
    side = math.isqrt(images.shape[1] // channels)
    if side < 4 or channels * side * side != images.shape[1]:
        raise UsageError(f"--data: {path} has images of {images.shape[1]} pixels; give square ones, of 4 × 4 or more")
    return Part(images.reshape(-1, channels, side, side), torch.from_numpy(labels))


def _batches(source: Any) -> Iterator[tuple[Any, Any]]:
    """(pixels (rows, d) uint8, labels (rows,) int64)."""
    for batch in source.batches(["images", "labels"], 4096):
        labels = batch.column("labels").to_numpy(zero_copy_only=False).astype("int64")
        yield batch.column("images").flatten().to_numpy(zero_copy_only=False).reshape(len(labels), -1), labels


def _rows(part: Part, first: int, end: int) -> Part:
    return Part(part.pixels[first:end], part.labels[first:end])


def _size(part: Part) -> str:
    return " × ".join(map(str, part.pixels.shape[1:]))
