"""The two networks of `training`, for square images of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from certify.experiments.images import CLASSES

if TYPE_CHECKING:
    from torch import nn


def mlp(channels: int, side: int) -> nn.Module:
    """One hidden layer of 64; 4 810 parameters for 8 × 8 images."""
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, 64), nn.Tanh(), nn.Linear(64, CLASSES))


def cnn(channels: int, side: int) -> nn.Module:
    """Two convolutions, of 8 and 16 maps, each with max-pooling; 1 898 parameters for 8 × 8 images."""
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(channels, 8, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(16 * (side // 4) ** 2, CLASSES)),
    )


NETWORKS: dict[str, Callable[[int, int], nn.Module]] = {"mlp": mlp, "cnn": cnn}
