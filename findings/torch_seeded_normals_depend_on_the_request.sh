#!/usr/bin/env bash
# torch 2.13.0, CPU: the first normals of a seeded generator depend on how many are asked for at once.
# Expected: randn(15) and the first 15 of randn(16) agree, and two requests of 10 are one of 20, as with NumPy's Generator.
# Happens: from 16 numbers on another algorithm is used and nothing agrees beyond the first value; 10 + 10 is not 20.
# Matters: a training run that is resumed, sharded over ranks or given a padded parameter draws other noise from the same seed;
# a seed alone does not reproduce a run, the shape of every request belongs to it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import numpy
import torch


def seeded():
    return torch.Generator().manual_seed(1)


sixteen, fifteen = torch.randn(16, generator=seeded()), torch.randn(15, generator=seeded())
generator = seeded()
twice_ten = torch.cat([torch.randn(10, generator=generator), torch.randn(10, generator=generator)])
print("15 of 16 agree:", torch.equal(sixteen[:15], fifteen), "  10 + 10 = 20:", torch.equal(twice_ten, torch.randn(20, generator=seeded())))
assert not torch.equal(sixteen[:15], fifteen)
assert not torch.equal(twice_ten, torch.randn(20, generator=seeded()))

steady = numpy.random.default_rng
assert numpy.array_equal(steady(1).normal(size=16)[:15], steady(1).normal(size=15))
PY
