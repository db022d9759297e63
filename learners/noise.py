"""Where the noise comes from. Whoever can guess it can take it away: it is secret, or the run is marked reproducible.

torch's CPU generator keeps 32 bits of its seed (seeds 5 and 5 + 2³² give the same numbers; seen with torch 2.13) and
the Mersenne twister behind it can be reconstructed from its output. Secret noise is made from the keystream of
AES-256 in counter mode instead, under a key of the operating system that is drawn anew for every stretch of steps and
never kept: that nobody can tell the keystream from uniform bits is a computational assumption, and the run record names
it. Noise is always drawn on the CPU, in float64, so that a run means the same on every device.

Either source gives float64 numbers that are *close to* a Gaussian: finitely many values, tails cut, rounding. The
theorems assume exact Gaussians, or ones that are as close as T28 is told: that is the assumption `gaussian_noise` of
the certificate, and no code here proves it.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from torch import Tensor

Noise = Callable[[tuple[int, ...]], Tensor]
"""Shape ↦ a float64 tensor of independent standard normals, on the CPU; new ones at every call."""

COUPLED_WITHIN = 2.0**-44  # of an exact normal, for each one drawn, see `secret`
NOT_COUPLED = 2.0**-74  # with at most that probability
LARGEST = 13.4  # no normal drawn is larger in size


BLOCK = 2**16  # pairs of normals that are drawn together: their bits and numbers fit a core's cache
PLAIN = (2**51, 2**63 - 2**46)  # where 63 bits of U are enough: 2⁻¹² ≤ U < 1 − 2⁻¹⁷
_ZEROS = bytes(2**16)


def secret() -> Noise:
    """A new stream of standard normals by Box and Muller (1958), under a new key of the operating system.

    The radius r = √(−2 log U) takes 63 uniform bits, and 64 more where U lies in one of the tails outside `PLAIN` (one
    pair in 3972); the angle takes 64. The exact U lies in the cell of its bits. In `PLAIN`, rounding to float64 and the
    cell's width 2⁻⁶³ change it by at most (2⁻⁵³ + 2⁻⁵¹)U where U < ½, which moves r ≥ 1.17 by less than 2⁻⁵⁰; above ½
    by 2⁻⁵⁴ + 2⁻⁶³, which moves r ≥ 2⁻⁸ by less than 2⁻⁴⁶ + 2⁻⁵⁴. In the tails log U is taken from the nearer end of
    (0, 1), with a relative error of a few units in the last place wherever U does not begin with 75 equal bits. The
    angle in [−π, π) is within 2⁻⁴⁹. With log, log1p, sine and cosine of the libraries within 4 units in the last place
    (measured by others, assumed here), a plain number is within 2⁻⁴⁶ + 4.1·2⁻⁴⁹ + 4.1·2⁻⁵⁰ + 2⁻⁴⁸ < 2⁻⁴⁴ of one that is
    exactly normal, and one of the tails within 13.4·(2⁻⁴⁹ + 2⁻⁵⁰ + 2⁻⁵¹) + 2⁻⁴⁸ < 2⁻⁴⁴, but with probability 2⁻⁷⁴ for
    each; and none is larger than √(2·128·log 2) < 13.4.
    """
    stream = Cipher(algorithms.AES(os.urandom(32)), modes.CTR(os.urandom(16))).encryptor()

    def draw(shape: tuple[int, ...]) -> Tensor:
        count = math.prod(shape)
        normals = torch.empty(2, (count + 1) // 2, dtype=torch.float64)
        for start in range(0, normals.shape[1], BLOCK):
            _box_muller(stream, normals[:, start : start + BLOCK])
        return normals.view(-1)[:count].reshape(shape)

    return draw


def _box_muller(stream: CipherContext, normals: Tensor) -> None:
    """Fills normals (2, n), n pairs. Bits become float64 as signed integers, which is six times as fast."""
    count = normals.shape[1]
    high, angle = _words(stream, 2 * count).reshape(2, count)
    high >>= np.uint64(1)
    logs = torch.from_numpy(high.view(np.int64).astype(np.float64)).mul_(2.0**-63).log_()
    first, last = (np.uint64(bound) for bound in PLAIN)
    tails = np.flatnonzero(high - first >= last - first)  # unsigned: what is below `first` wraps around
    if len(tails):
        logs[torch.from_numpy(tails)] = _tail_logs(high[tails], _words(stream, len(tails)))
    radius = logs.mul_(-2).sqrt_()
    turn = torch.from_numpy(angle.view(np.int64).astype(np.float64)).mul_(2 * math.pi * 2.0**-64)
    torch.cos(turn, out=normals[0])
    torch.sin(turn, out=normals[1])
    normals.mul_(radius)


def _tail_logs(high: np.ndarray, low: np.ndarray) -> Tensor:
    """log U from 63 + 64 bits."""
    near = high < 2**62  # U < 1/2; else 1 − U is taken, which is what the complement says
    high, low = np.where(near, high, np.uint64(2**63 - 1) - high), np.where(near, low, ~low)
    end = torch.from_numpy((high.astype(np.float64) + (low.astype(np.float64) + 0.5) * 2.0**-64) * 2.0**-63)
    return torch.where(torch.from_numpy(near), end.log(), torch.log1p(-end))


def _words(stream: CipherContext, count: int) -> np.ndarray:
    """The next `count` words of 64 bits of the keystream: what zeros are encrypted to."""
    size, step = 8 * count, len(_ZEROS)
    words = np.empty(size + 15, dtype=np.uint8)  # the cipher asks for a block more than it writes
    for start in range(0, size, step):
        stream.update_into(_ZEROS[: min(step, size - start)], words[start:])
    return words[:size].view("<u8")


def seeded(seed: int, stretch: int | str) -> Noise:
    """The noise of one stretch of a reproducible experiment; stretches with the same seed get independent streams."""
    key = int.from_bytes(hashlib.sha256(f"plumbline noise/{seed}/{stretch}".encode()).digest(), "big")
    generator = np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence(key)))
    return lambda shape: torch.from_numpy(generator.standard_normal(shape))


def source(seed: int | None, stretch: int | str) -> Noise:
    """`secret()`, or the seeded noise of `stretch` where a seed is given."""
    return secret() if seed is None else seeded(seed, stretch)


@contextmanager
def layers_drawing(seed: int | None, stretch: int | str) -> Iterator[None]:
    """Where layers such as dropout draw from torch's own generators: these are seeded here, and put back afterwards.

    What layers draw is independent of the data and of the noise, and need not be secret: a claim holds given any draws.
    """
    drawn = hashlib.sha256(os.urandom(32) if seed is None else f"plumbline layers/{seed}/{stretch}".encode()).digest()
    with torch.random.fork_rng():
        torch.manual_seed(int.from_bytes(drawn[:4], "big"))
        yield
