"""What is learned in an experiment: binary logistic regression on data that come with scikit-learn, or on MNIST's 3 and
8 in a folder of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certify.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from learners import Dataset

DEFAULT = "digits-3-8"
EMBEDDED = ("digits-3-8", "breast-cancer")
MNIST_FILES = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")


@dataclass(frozen=True)
class Problem:
    """data: an embedded set's name, or a folder with MNIST's four files. samples, tested: records to learn from and to
    test on. batch_size: where the experiment does not vary it."""

    data: str
    samples: int
    tested: int
    batch_size: int
    epochs: int
    regularization: str

    @property
    def subject(self) -> str:
        return f"logistic regression, m = {self.regularization}, T = {self.epochs}, η = 1/L, δ = 1/n"

    def tables(
        self, *, epsilon: str, batch_size: int | None = None, unlearning_epochs: Any = 1, **others: Mapping[str, Any]
    ) -> dict[str, Any]:
        """A run file's tables, without noise_std; `others` are further tables."""
        mechanism = {
            "kind": "pnsgd",
            "samples": self.samples,
            "batch_size": self.batch_size if batch_size is None else batch_size,
            "epochs": self.epochs,
            "unlearning_epochs": unlearning_epochs,
            "step_size": "1/L",
            "remainder": "drop",
        }
        return {
            "mechanism": mechanism,
            "loss": {"kind": "logistic", "regularization": self.regularization, "feature_norm": 1},
            "target": {"epsilon": epsilon, "delta": "1/n"},
            "threat": {"release": "final"},
        } | others

    def as_json(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "samples": self.samples,
            "tested": self.tested,
            "loss": "logistic",
            "regularization": self.regularization,
            "epochs": self.epochs,
            "step_size": "1/L",
            "delta": "1/n",
        }


# b, T and m: of the digits those of examples/digits.toml, of MNIST those of Chien et al. 2024.
_SETTINGS = {"digits-3-8": (128, 20, "0.1"), "breast-cancer": (112, 30, "0.02"), "mnist": (128, 100, "0.011264")}


def problem_of(data: str) -> Problem:
    """The problem that `--data` names.

    Raises:
        UsageError: neither an embedded set nor a folder with MNIST's files in it; torch or another package is missing.
    """
    train, test = load(data)
    batch_size, epochs, regularization = _SETTINGS[data if data in EMBEDDED else "mnist"]
    return Problem(data, len(train), len(test), min(batch_size, len(train)), epochs, regularization)


@lru_cache(maxsize=2)
def load(data: str) -> tuple[Dataset, Dataset]:
    """(train, test), labels ±1, every row of norm 1. Raises UsageError as `problem_of`."""
    try:
        import learners

        if data in EMBEDDED:
            return learners.embedded(data)  # type: ignore[arg-type]
        folder = Path(data)
        if not folder.is_dir():
            raise UsageError(
                f"--data: {data!r} is not a folder; write {', '.join(EMBEDDED)}, or a folder of MNIST's files"
            )
        train, test = (_threes_and_eights(folder, name) for name in MNIST_FILES)
        return train, test
    except ImportError as missing:
        raise UsageError(f"experiments need {missing.name}; pip install 'plumbline-dp[learn]'") from None


def _threes_and_eights(folder: Path, name: str) -> Dataset:
    """MNIST's 3 (−1) and 8 (+1): pixels divided by 255, a bias feature appended, every row scaled to norm 1."""
    import numpy as np
    import torch

    from learners import Dataset, normalise
    from learners.data import InvalidTable, open_source

    path = next((path for path in (folder / name, folder / f"{name}.gz") if path.exists()), None)
    if path is None:
        raise UsageError(f"--data: {folder} has no {name}, also not with .gz; give a folder of MNIST's four files")
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    try:
        for batch in open_source(path).batches(["images", "labels"], 4096):
            digits = batch.column("labels").to_numpy(zero_copy_only=False)
            pixels = batch.column("images").flatten().to_numpy(zero_copy_only=False).reshape(len(digits), -1)
            chosen = (digits == 3) | (digits == 8)
            images.append(pixels[chosen] / 255.0)
            labels.append(np.where(digits[chosen] == 8, 1.0, -1.0))
    except (InvalidTable, KeyError) as problem:
        raise UsageError(f"--data: {problem}") from None
    features = np.concatenate(images)
    if not len(features):
        raise UsageError(f"--data: {path} has no 3 and no 8; give MNIST's files")
    rows = normalise(torch.from_numpy(np.column_stack([features, np.ones(len(features))])))
    return Dataset(f"mnist-3-8/{name.partition('-')[0]}", rows, torch.from_numpy(np.concatenate(labels)))
