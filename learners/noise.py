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
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from torch import Tensor

Noise = Callable[[tuple[int, ...]], Tensor]
"""Shape ↦ a float64 tensor of independent standard normals, on the CPU; new ones at every call."""

COUPLED_WITHIN = 2.0**-44  # of an exact normal, for each one drawn, see `secret`
NOT_COUPLED = 2.0**-74  # with at most that probability
LARGEST = 13.4  # no normal drawn is larger in size


def secret() -> Noise:
    """A new stream of standard normals by Box and Muller (1958), under a new key of the operating system.

    The radius r = √(−2 log U) takes 128 uniform bits, the angle 64. log U is taken from the nearer end of (0, 1), so
    that it has a relative error of a few units in the last place wherever U does not begin with 75 equal bits. With
    log, log1p, sine and cosine of the libraries within 4 units in the last place (measured by others, assumed here),
    every number is within 2⁻⁴⁴ of one that is exactly normal, except with probability 2⁻⁷⁴ for each; and at most
    √(2·129·log 2) < 13.4.
    """
    stream = Cipher(algorithms.AES(os.urandom(32)), modes.CTR(os.urandom(16))).encryptor()

    def draw(shape: tuple[int, ...]) -> Tensor:
        count = math.prod(shape)
        pairs = (count + 1) // 2
        high, low, angle = np.frombuffer(stream.update(bytes(24 * pairs)), dtype="<u8").reshape(3, pairs)
        near = high < 2**63  # U < 1/2; else 1 − U is taken, which is what the complement says
        bits, rest = (np.where(near, part, ~part).astype(np.float64) for part in (high, low))
        end = torch.from_numpy((bits + (rest + 0.5) * 2.0**-64) * 2.0**-64)
        logs = torch.where(torch.from_numpy(near), end.log(), torch.log1p(-end))
        radius, turn = (-2 * logs).sqrt(), torch.from_numpy(angle.astype(np.float64) * (2 * math.pi * 2.0**-64))
        return torch.cat([radius * turn.cos(), radius * turn.sin()])[:count].reshape(shape)

    return draw


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
