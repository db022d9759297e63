"""The model of train-digits.toml."""

from torch import nn


def mlp() -> nn.Module:
    """64 pixels to a score for each digit."""
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
