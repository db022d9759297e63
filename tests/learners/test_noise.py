"""The secret noise: its numbers are those of its statement, at both ends of the uniform bits, as close as it says."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from mpmath import mp  # noqa: E402
from scipy.stats import kstest  # noqa: E402

from learners import noise  # noqa: E402

pytestmark = pytest.mark.learn


class Given:
    """A cipher whose keystream is given."""

    def __init__(self, words):
        self.words = np.array(words, dtype="<u8")

    def encryptor(self):
        return self

    def update(self, zeros):
        assert len(zeros) == self.words.nbytes and not any(zeros)
        return self.words.tobytes()


ENDS = [
    (0, 1, 5), (0, 2**63, 2**64 - 1), (1, 0, 2**62), (2**63 - 1, 7, 2**63), (2**63, 0, 2**61),
    (2**64 - 1, 2**64 - 1, 1),
    (2**64 - 1, 2**63, 123456789), (3 * 2**62, 1, 2**64 - 2**11), (2**64 - 2**30, 99, 2**60 + 1), (2**40, 2**40, 2**59),
    (12345678901234567, 0, 11111111111111111111), (2**64 - 12345678901, 0, 9999999999999999999),
]  # fmt: skip


def test_every_number_is_within_its_stated_error_of_the_exact_one(monkeypatch) -> None:
    """Box and Muller in 60 digits on the middle of the cell of bits that was drawn; the cell is as narrow as is said,
    but at its very ends, which are left out by their probability."""
    high, low, angle = (np.array(column, dtype="<u8") for column in zip(*ENDS, strict=True))
    monkeypatch.setattr(noise, "Cipher", lambda *_: Given([*high, *low, *angle]))
    drawn = noise.secret()((2 * len(ENDS),)).numpy()
    with mp.workdps(60):
        for i, (h, l, a) in enumerate(ENDS):  # noqa: E741
            for shift in (0, 1):  # from one end of the cell to the other
                u = (mp.mpf(h) * 2**64 + l + shift) / mp.mpf(2) ** 128
                if not 0 < u < 1 or min(u, 1 - u) < mp.mpf(2) ** -75:
                    continue
                radius, turn = mp.sqrt(-2 * mp.log(u)), 2 * mp.pi * (mp.mpf(a) + shift) / mp.mpf(2) ** 64
                for number, exact in ((drawn[i], radius * mp.cos(turn)), (drawn[i + len(ENDS)], radius * mp.sin(turn))):
                    assert abs(mp.mpf(float(number)) - exact) < noise.COUPLED_WITHIN
    assert np.isfinite(drawn).all() and np.abs(drawn).max() < noise.LARGEST
    assert math.sqrt(2 * 129 * math.log(2)) < noise.LARGEST and np.hypot(drawn[0], drawn[len(ENDS)]) > 13.2


def test_the_numbers_are_normal_and_independent() -> None:
    """A false alarm once in 10⁶ runs for each statement."""
    sample = noise.secret()((200_001,)).numpy()
    assert kstest(sample, "norm").pvalue > 1e-6
    pairs = sample[:200_000].reshape(2, -1)
    for one, other in ((pairs[0], pairs[1]), (sample[:-2], sample[2:]), (pairs[0] ** 2 - 1, pairs[1] ** 2 - 1)):
        correlation = np.corrcoef(one, other)[0, 1]
        assert abs(correlation) < 5.1 / math.sqrt(len(one))


def test_a_key_is_used_for_one_stream(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(noise.os, "urandom", lambda count: asked.append(count) or bytes(count))
    streams = [noise.secret() for _ in range(2)]
    assert asked == [32, 16, 32, 16]
    one, other = (stream((1000,)) for stream in streams)
    assert torch.equal(one, other)  # of equal keys: the key is all that is secret
    assert not torch.equal(one, streams[0]((1000,)))
