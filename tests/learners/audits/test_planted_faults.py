"""Six faults, planted in the trainer one by one: each is found, and the trainer without it passes the same audit.

Level 1e-6 each. Which part finds which: the lower bound on ε (`private` is False) finds noise halved, a layer that is
not clipped, shuffling sold as Poisson, and noise scaled by C where C/s is larger; the χ² test of blank coordinates
finds noise of every rank, which gives more privacy than claimed and less use, noise scaled by C where C/s is smaller,
and a normaliser that is the drawn batch's size.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from accountant.core.scaling import Psasc  # noqa: E402
from learners.audits import audit  # noqa: E402
from learners.samplers import Shuffled  # noqa: E402
from learners.training import PrivateTrainer, gathering, trainer  # noqa: E402
from tests.learners.training.oracle import mechanism_of  # noqa: E402

pytestmark = pytest.mark.learn
LEVEL = 1e-6
FULL = {"samples": 1000, "normaliser": "1000", "sampling": "full", "q": "1", "steps": 1}


def audited(mechanism, delta="1/20", canaries=10_000, trainer=PrivateTrainer):
    return audit(mechanism, delta=delta, canaries=canaries, seed=2, level=LEVEL, trainer=trainer)


def plant_noise(monkeypatch, factor):
    release = trainer.release
    monkeypatch.setattr(trainer, "release", lambda total, noise, std, *rest: release(total, noise, std * factor, *rest))


def test_noise_halved(monkeypatch):
    mechanism = mechanism_of(**FULL, z="1")
    assert audited(mechanism).passed
    plant_noise(monkeypatch, 0.5)
    faulty = audited(mechanism)
    assert not faulty.private and not faulty.noise.passed and "CONTRADICTS" in str(faulty)


def test_one_layer_unclipped(monkeypatch):
    mechanism = mechanism_of(**FULL, z="2")
    assert audited(mechanism).passed
    gather = gathering.Gatherer.gather

    def unclipped(self, *args, **how):
        gathered = gather(self, *args, **how)
        return replace(
            gathered,
            weighted=lambda w: (
                gathered.weighted(w) | {"second.weight": gathered.weighted(torch.ones_like(w))["second.weight"]}
            ),
        )

    monkeypatch.setattr(gathering.Gatherer, "gather", unclipped)
    faulty = audited(mechanism)
    assert not faulty.private and faulty.noise.passed


def test_noise_of_every_rank(monkeypatch):
    mechanism = mechanism_of(**FULL, z="1")
    release = trainer.release

    def of_two(total, noise, *rest):  # each of two processes adds the whole noise, as their sum would have it
        return release(total, lambda shape: noise(shape) + noise(shape), *rest)

    monkeypatch.setattr(trainer, "release", of_two)
    faulty = audited(mechanism)
    assert faulty.private and not faulty.passed and (faulty.noise.lower > 1.2).all()


class SoldAsPoisson(PrivateTrainer):
    def _sampler_of(self, stage, state=None):
        return Shuffled(self.mechanism.samples, self.mechanism.stages[stage].sample_rate, self._seed, "planted", state)


def test_shuffling_sold_as_poisson():
    """A record that a Poisson sampler misses with probability .9^10 = .35 is always drawn once: at δ = .7, where the
    claim is almost ε = 0."""
    mechanism = mechanism_of(samples=1000, normaliser="100", q="1/10", steps=10, z="1/5")
    assert audited(mechanism, "7/10").passed
    faulty = audited(mechanism, "7/10", trainer=SoldAsPoisson)
    assert not faulty.private and faulty.noise.passed and float(faulty.certified) < 0.1


def test_noise_scaled_by_the_norm_bound_instead_of_the_sensitivity(monkeypatch):
    small, large = (mechanism_of(Psasc("1", "1/10", s), **FULL, z="1") for s in ("1/2", "2"))
    assert audited(small).passed and audited(large).passed
    with monkeypatch.context() as patch:
        plant_noise(patch, 0.5)  # C = s·(C/s), s = 1/2
        assert not audited(small).private
    plant_noise(monkeypatch, 2.0)  # s = 2: more noise than claimed
    faulty = audited(large)
    assert faulty.private and not faulty.noise.passed


class DividesByTheBatch(PrivateTrainer):
    def _finish(self):
        self.normaliser = max(self._sum.records, 1)
        super()._finish()


def test_normaliser_from_the_drawn_batch():
    """The noise of a step then follows how many records were drawn."""
    mechanism = mechanism_of(samples=100, normaliser="10", q="1/10", steps=10, z="1")
    assert audited(mechanism, canaries=500).passed
    assert not audited(mechanism, canaries=500, trainer=DividesByTheBatch).noise.passed
