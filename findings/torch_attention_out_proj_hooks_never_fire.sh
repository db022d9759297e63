#!/usr/bin/env bash
# torch 2.13.0: forward hooks on a submodule of MultiheadAttention never fire, although its parameters are trained.
# Expected: a hook on `out_proj` (a Linear with weight and bias) is called in every forward pass, like on any other Linear.
# Happens: only the hook of the attention module itself is called; out_proj's gradient is there all the same.
# Matters: per-record gradients that are collected by hooks silently miss these parameters, so a clipped norm is too small and
# the sensitivity is not what is certified. Count the calls of every hooked layer, each step.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import torch

torch.manual_seed(0)
attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
calls = []
for name, module in attention.named_modules():
    module.register_forward_hook(lambda *_, name=name: calls.append(name or "the whole"))
x = torch.randn(3, 5, 8)
attention(x, x, x)[0].square().sum().backward()
norm = attention.out_proj.weight.grad.norm().item()
print("hooks called:", calls, "gradient of out_proj:", norm)
assert calls == ["the whole"] and norm > 0
PY
