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
        self.rest = np.array(words, dtype="<u8").tobytes()

    def encryptor(self):
        return self

    def update_into(self, zeros, buffer):
        assert not any(zeros) and len(buffer) >= len(zeros) + 15 and len(self.rest) >= len(zeros)
        buffer[: len(zeros)] = np.frombuffer(self.rest[: len(zeros)], dtype=np.uint8)
        self.rest = self.rest[len(zeros) :]

    def update(self, zeros):
        buffer = np.empty(len(zeros) + 15, dtype=np.uint8)
        self.update_into(zeros, buffer)
        return buffer[: len(zeros)].tobytes()


ENDS = [
    (0, 1, 5), (0, 2**63, 2**64 - 1), (1, 0, 2**62), (2**63 - 1, 7, 2**63), (2**63, 0, 2**61),
    (2**64 - 1, 2**64 - 1, 1),
    (2**64 - 1, 2**63, 123456789), (3 * 2**62, 1, 2**64 - 2**11), (2**64 - 2**30, 99, 2**60 + 1), (2**40, 2**40, 2**59),
    (12345678901234567, 0, 11111111111111111111), (2**64 - 12345678901, 0, 9999999999999999999),
    (2**46, 0, 2**64 - 1), (2**46 - 1, 5, 2**63 + 1), (2**64 - 2**45 - 1, 0, 3), (2**64 - 2**45, 9, 2**61 - 1),
    (2**64 - 2**45 - 2**11 + 1, 0, 2**62), (2**53 + 1, 0, 2**64 - 2**10 - 1), (2**46 + 1, 0, 2**63 - 1),
    (2**64 - 2**45 - 2**10 - 1, 0, 1), (2**64 - 2**50 - 1, 0, 0), (2**63 + 2**10 - 1, 0, 1), (2**63 - 2**9, 0, 2),
]  # fmt: skip


def test_every_number_is_within_its_stated_error_of_the_exact_one(monkeypatch) -> None:
    """Box and Muller in 60 digits on both ends of the cell of bits that was drawn, of 63 bits or, in the tails, of 127;
    it is as narrow as is said but at the very ends of (0, 1), which are left out by their probability."""
    high, _, angle = (np.array(column, dtype="<u8") for column in zip(*ENDS, strict=True))
    tails = [not 2**45 <= h // 2 < 2**63 - 2**44 for h, _, _ in ENDS]
    low = [one for (_, one, _), tail in zip(ENDS, tails, strict=True) if tail]
    monkeypatch.setattr(noise, "Keystream", lambda: Given([*high, *angle, *low]))
    drawn = noise.secret()((2 * len(ENDS),)).numpy()
    with mp.workdps(60):
        for i, (h, l, a) in enumerate(ENDS):  # noqa: E741
            for shift in (0, 1):  # from one end of the cell to the other
                cell = mp.mpf(h // 2) * 2**64 + l + shift if tails[i] else mp.mpf(h // 2 + shift) * 2**64
                u = cell / mp.mpf(2) ** 127
                if not 0 < u < 1 or min(u, 1 - u) < mp.mpf(2) ** -75:
                    continue
                radius, turn = mp.sqrt(-2 * mp.log(u)), 2 * mp.pi * (mp.mpf(a) + shift) / mp.mpf(2) ** 64
                for number, exact in ((drawn[i], radius * mp.cos(turn)), (drawn[i + len(ENDS)], radius * mp.sin(turn))):
                    assert abs(mp.mpf(float(number)) - exact) < noise.COUPLED_WITHIN
    assert np.isfinite(drawn).all() and np.abs(drawn).max() < noise.LARGEST
    assert math.sqrt(2 * 128 * math.log(2)) < noise.LARGEST and np.hypot(drawn[0], drawn[len(ENDS)]) > 13.2


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


@pytest.mark.parametrize("shape", [(7,), (4, 2), (2 * noise.BLOCK + 3,), (0,), ()])
@pytest.mark.parametrize("stream", [noise.secret, lambda: noise.seeded(1, 2)], ids=["secret", "seeded"])
def test_memory_of_ones_own_is_filled_with_the_same_numbers(monkeypatch, shape, stream) -> None:
    monkeypatch.setattr(noise.os, "urandom", bytes)
    one, other = stream(), stream()
    for _ in range(2):
        given = torch.full(shape, torch.nan, dtype=torch.float64)
        expected = one(shape)
        assert expected.shape == shape and expected.dtype == torch.float64
        assert other(shape, out=given) is given and torch.equal(given, expected)
