"""Where the noise comes from. Whoever can guess it can take it away: it is secret, or the run is marked reproducible.

torch's CPU generator keeps 32 bits of its seed (seeds 5 and 5 + 2³² give the same numbers; seen with torch 2.13) and
the Mersenne twister behind it can be reconstructed from its output; so secret noise is drawn from the operating
system's cryptographic generator instead. Noise is always drawn on the CPU, so that a run means the same on every
device.

Either source gives float64 numbers that are *close to* a Gaussian: finitely many values, tails cut at |N| < 9.5,
rounding. The theorems assume exact Gaussians: that is the assumption `gaussian_noise` of the certificate, and no code
here proves it.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

Noise = Callable[[tuple[int, ...]], Tensor]
"""Shape ↦ a float64 tensor of independent standard normals, on the CPU; new ones at every call."""


def secret(shape: tuple[int, ...]) -> Tensor:
    """Standard normals of `shape` by Box and Muller (1958) from 64-bit uniforms of os.urandom."""
    pairs = (math.prod(shape) + 1) // 2
    uniform = (np.frombuffer(os.urandom(16 * pairs), dtype="<u8").astype(np.float64) + 0.5) * 2.0**-64  # in (0, 1]
    length, angle = np.sqrt(-2 * np.log(uniform[:pairs])), 2 * math.pi * uniform[pairs:]
    normals = np.concatenate([length * np.cos(angle), length * np.sin(angle)])
    return torch.from_numpy(normals[: math.prod(shape)].reshape(shape))


def seeded(seed: int, stretch: int | str) -> Noise:
    """The noise of one stretch of a reproducible experiment; stretches with the same seed get independent streams."""
    key = int.from_bytes(hashlib.sha256(f"plumbline noise/{seed}/{stretch}".encode()).digest(), "big")
    generator = np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence(key)))
    return lambda shape: torch.from_numpy(generator.standard_normal(shape))


def source(seed: int | None, stretch: int | str) -> Noise:
    """`secret`, or the seeded noise of `stretch` where a seed is given."""
    return secret if seed is None else seeded(seed, stretch)


@contextmanager
def layers_drawing(seed: int | None, stretch: int | str) -> Iterator[None]:
    """Where layers such as dropout draw from torch's own generators: these are seeded here, and put back afterwards.

    What layers draw is independent of the data and of the noise, and need not be secret: a claim holds given any draws.
    """
    drawn = hashlib.sha256(os.urandom(32) if seed is None else f"plumbline layers/{seed}/{stretch}".encode()).digest()
    with torch.random.fork_rng():
        torch.manual_seed(int.from_bytes(drawn[:4], "big"))
        yield
