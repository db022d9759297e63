#!/usr/bin/env bash
# opacus 1.6.0 (torch 2.13.0): a private loader draws each record with probability 1/len(loader), not batch_size/n.
# Expected: DataLoader(1000 records, batch_size=300) becomes Poisson sampling at q = 0.3, gradients divided by 300.
# Happens: the loader has 4 batches, so q = 0.25, the expected batch size is 250, and an epoch has 4 steps.
# Matters: whoever accounts with q = b/n, or restates the run in another library, describes another mechanism (here with other
# noise on the mean too); the accountant's state says q = 0.25 and is the one to believe.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 opacus==1.6.0
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import torch
from opacus import PrivacyEngine
from torch.utils.data import DataLoader, TensorDataset

data = TensorDataset(torch.randn(1000, 4), torch.zeros(1000, dtype=torch.long))
model = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
engine = PrivacyEngine(accountant="prv")
model, optimizer, loader = engine.make_private(
    module=model,
    optimizer=optimizer,
    data_loader=DataLoader(data, batch_size=300),
    noise_multiplier=1.0,
    max_grad_norm=1.0,
)
rate = loader.batch_sampler.sample_rate
print("asked for 0.3; drawn with", rate, "expected batch", optimizer.expected_batch_size, "steps an epoch", len(loader))
assert rate == 0.25 and optimizer.expected_batch_size == 250 and len(loader) == 4
PY
