"""Random bits for draws: secret ones from the keystream of AES-256, or the seeded ones of a reproducible run.

Everything is exact for uniform bits: a coin of rational probability, a whole number below n, a permutation, a subset.
Nothing is made from floats: float32 uniforms draw a probability of 1e-9 fifty times too often.
"""

from __future__ import annotations

import hashlib
import os
from fractions import Fraction
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

WORD = 2**64


class Keystream:
    """AES-256 in counter mode under a new key of the operating system, which is not kept; in a forked process, which
    would draw the same, under another one."""

    def __init__(self) -> None:
        self._renew()

    def update(self, data: bytes) -> bytes:
        """As the cipher's."""
        return self._own().update(data)

    def update_into(self, data: bytes, buffer: Any) -> int:
        """As the cipher's."""
        return self._own().update_into(data, buffer)

    def _own(self) -> CipherContext:
        if self._owner != os.getpid():
            self._renew()
        return self._cipher

    def _renew(self) -> None:
        self._cipher = Cipher(algorithms.AES(os.urandom(32)), modes.CTR(os.urandom(16))).encryptor()
        self._owner = os.getpid()


class Bits:
    """A stream of independent uniform words of 64 bits.

    Without a seed, the keystream of AES-256 in counter mode under a key of the operating system that is not kept: that
    it cannot be told from uniform bits is a computational assumption. With one, the stream named `use`, again each
    time.
    """

    def __init__(self, seed: int | None, use: str) -> None:
        self._stream, self._generator = None, None
        if seed is None:
            self._stream = Keystream()
        else:
            key = int.from_bytes(hashlib.sha256(f"plumbline draws/{seed}/{use}".encode()).digest(), "big")
            self._generator = np.random.PCG64DXSM(np.random.SeedSequence(key))

    def words(self, count: int) -> np.ndarray:
        """(count,), uint64."""
        if self._stream is not None:
            return np.frombuffer(self._stream.update(bytes(8 * count)), dtype="<u8")
        assert self._generator is not None
        return self._generator.random_raw(count)

    def coins(self, probability: Fraction, count: int) -> np.ndarray:
        """(count,), bool: each True with exactly that probability, by itself.

        A word is a number of 64 binary digits; below p's own it is True, above it False, and where all are equal the
        next 64 digits decide.
        """
        digits, rest = divmod(probability.numerator * WORD, probability.denominator)
        if digits >= WORD:
            return np.ones(count, dtype=bool)
        words = self.words(count)
        found = words < np.uint64(digits)
        equal = np.flatnonzero(words == np.uint64(digits))
        if rest and len(equal):
            found[equal] = self.coins(Fraction(rest, probability.denominator), len(equal))
        return found

    def below(self, n: int, count: int) -> np.ndarray:
        """(count,), int64: whole numbers from 0 to n − 1, each equally likely. 1 ≤ n ≤ 2⁶³."""
        limit = WORD - WORD % n  # words from there on would favour small numbers
        words = self.words(count)
        while len(again := np.flatnonzero(words > np.uint64(limit - 1))):
            words = words.copy()
            words[again] = self.words(len(again))
        return (words % np.uint64(n)).astype(np.int64)

    def permutation(self, n: int) -> np.ndarray:
        """(n,), int64: 0 … n − 1 in an order of which each is equally likely: that of keys of 128 bits, drawn anew if
        two are equal."""
        while True:
            high, low = self.words(2 * n).reshape(2, n)
            order = np.lexsort((low, high))
            same = (np.diff(high[order]) == 0) & (np.diff(low[order]) == 0)
            if not same.any():
                return order.astype(np.int64)

    def subset(self, n: int, size: int) -> np.ndarray:
        """(size,), sorted int64: a subset of 0 … n − 1, each of that size equally likely."""
        if 2 * size > n:
            return np.setdiff1d(np.arange(n), self.subset(n, n - size), assume_unique=True)
        found = np.empty(0, dtype=np.int64)
        while len(found) < size:  # the first `size` different numbers of a sequence
            sequence = np.concatenate([found, self.below(n, size + size // 4 + 8)])
            _, first = np.unique(sequence, return_index=True)
            found = sequence[np.sort(first)[:size]]
        return np.sort(found)
