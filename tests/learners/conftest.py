"""Shared values of the learners' tests: small random data that meet the stated norm, and one thread for torch."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)


@pytest.fixture
def make_data():
    """(n, d, seed) -> a Dataset with rows of different norms up to 1."""
    import numpy as np
    import torch

    from learners import Dataset, normalise

    def make(n=12, d=3, seed=0):
        rng = np.random.default_rng(seed)
        rows = normalise(torch.from_numpy(rng.normal(size=(n, d)))) * torch.from_numpy(rng.uniform(0.2, 1, size=(n, 1)))
        return Dataset(f"random {seed}", rows, torch.from_numpy(rng.choice([-1.0, 1.0], n)))

    return make


@pytest.fixture
def make_mechanism():
    """A small NoisySGD; keywords change it. `loss` keywords: regularization, feature_norm, clip."""
    from accountant.losses import LogisticLoss
    from accountant.mechanisms.pnsgd import NoisySGD

    def make(regularization="0.1", clip=None, feature_norm=1, **changes):
        fields = {"samples": 12, "batch_size": 4, "epochs": 5, "noise_std": "0.1", "unlearning_epochs": (2,)} | changes
        loss = LogisticLoss(regularization, feature_norm, clip)
        return NoisySGD(**({"loss": loss} | fields))

    return make
