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
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from accountant import Normals
from learners.randomness import Keystream

Noise = Callable[..., Tensor]
"""Shape ↦ a float64 tensor of independent standard normals, on the CPU; new ones at every call. `secret` and `seeded`
also take `out`, a contiguous float64 tensor of that shape that is filled and returned: new memory costs time."""

COUPLED_WITHIN = 2.0**-44  # of an exact normal, for each one drawn, see `secret`
NOT_COUPLED = 2.0**-74  # with at most that probability
LARGEST = 13.4  # no normal drawn is larger in size
NORMALS = Normals(Fraction(COUPLED_WITHIN), Fraction(NOT_COUPLED), Fraction(str(LARGEST)))  # what T28s is told


BLOCK = 2**15  # pairs of normals that are drawn together: all that is needed for them stays in a core's cache
PLAIN = (2**45, 2**63 - 2**44)  # where 63 bits of U are enough: 2⁻¹⁸ ≤ U < 1 − 2⁻¹⁹
_ZEROS = bytes(16 * BLOCK)


def secret() -> Noise:
    """A new stream of standard normals by Box and Muller (1958), under a new key of the operating system.

    The radius r = √(−2 log U) takes 63 uniform bits, and 64 more where U lies in one of the tails outside `PLAIN`; the
    angle, in [−π, π), takes 64. The exact U lies in the cell of its bits. Where 2⁻¹⁸ ≤ U < ½, rounding to float64 and
    the cell's width 2⁻⁶³ change it by at most (2⁻⁵³ + 2⁻⁶³/U)U, which moves r ≥ 1.17 by less than 2⁻⁴⁷; from ½ to
    1 − 2⁻¹⁹ by 2⁻⁵⁴ + 2⁻⁶³, which moves r by less than (2⁻⁵³ + 2⁻⁶²)/r, and r ≥ 2⁻⁹ by less than 2⁻⁴⁵ + 2⁻⁵³. In the
    tails log U is taken from the nearer end of (0, 1), with a relative error of a few units in the last place wherever
    U does not begin with 75 equal bits. The angle is within 2⁻⁴⁹. With log, log1p, sine and cosine of the libraries
    within 4 units in the last place (measured by others, assumed here), a number made of radius r is off by
    r·(2⁻⁴⁹ + 2⁻⁵⁰ + 2⁻⁵⁰) more than its radius. In each of the three cases (r ≤ 5 and 2⁻⁴⁷; r ≤ 1.18 and
    (2⁻⁵³ + 2⁻⁶²)/r; r < 13.4 and 2⁻⁵⁰) that is less than 2⁻⁴⁴ from a number that is exactly normal, but with
    probability 2⁻⁷⁴ for each; and none is larger than √(2·128·log 2) < 13.4.
    """
    stream = Keystream()
    words = np.empty(16 * BLOCK + 15, dtype=np.uint8)  # the cipher asks for a block more than it writes
    numbers = np.empty((2, BLOCK), dtype=np.float64)

    def draw(shape: tuple[int, ...], out: Tensor | None = None) -> Tensor:
        count = math.prod(shape)
        filled = out if count % 2 == 0 else None  # an odd one is drawn in a pair
        normals = torch.empty(count + count % 2, dtype=torch.float64) if filled is None else filled.view(-1)
        for part in normals.split(2 * BLOCK) if count else ():
            _box_muller(stream, words, numbers, part.view(2, -1))
        if out is None:
            return normals[:count].view(shape)
        return out.copy_(normals[:count].view(shape)) if filled is None else out

    return draw


def _box_muller(stream: Keystream, words: np.ndarray, numbers: np.ndarray, normals: Tensor) -> None:
    """Fills normals (2, n), n pairs. Bits become float64 as signed integers, which is six times as fast."""
    count = normals.shape[1]
    stream.update_into(_ZEROS[: 16 * count], words)
    bits = words[: 16 * count].view("<u8").reshape(2, count)
    high, numbers = bits[0], numbers[:, :count]
    high >>= np.uint64(1)
    np.copyto(numbers, bits.view("<i8"))
    radius, turn = torch.from_numpy(numbers)
    radius.mul_(2.0**-63).log_()
    if high.min() < PLAIN[0] or high.max() >= PLAIN[1]:
        tails = np.flatnonzero((high < PLAIN[0]) | (high >= PLAIN[1]))
        numbers[0, tails] = _tail_logs(high[tails], np.frombuffer(stream.update(bytes(8 * len(tails))), dtype="<u8"))
    radius.mul_(-2).sqrt_()
    turn.mul_(2 * math.pi * 2.0**-64)
    torch.cos(turn, out=normals[0])
    torch.sin(turn, out=normals[1])
    normals.mul_(radius)


def _tail_logs(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """log U from 63 + 64 bits."""
    near = high < 2**62  # U < 1/2; else 1 − U is taken, which is what the complement says
    high, low = np.where(near, high, np.uint64(2**63 - 1) - high), np.where(near, low, ~low)
    end = torch.from_numpy((high.astype(np.float64) + (low.astype(np.float64) + 0.5) * 2.0**-64) * 2.0**-63)
    return torch.where(torch.from_numpy(near), end.log(), torch.log1p(-end)).numpy()


def seeded(seed: int, stretch: int | str) -> Noise:
    """The noise of one stretch of a reproducible experiment; stretches with the same seed get independent streams."""
    key = int.from_bytes(hashlib.sha256(f"plumbline noise/{seed}/{stretch}".encode()).digest(), "big")
    generator = np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence(key)))

    def draw(shape: tuple[int, ...], out: Tensor | None = None) -> Tensor:
        if out is None:
            return torch.from_numpy(generator.standard_normal(shape))
        generator.standard_normal(shape, out=out.numpy())
        return out

    return draw


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
