#!/usr/bin/env bash
# torch 2.13.0: an activation in place after a layer silently changes the gradient that is asked for at the layer's output.
# Expected: `autograd.grad(loss, output)` with the output that a forward hook saw is the gradient at that output, or an error.
# Happens: after ReLU(inplace=True) the same tensor stands for the activation's output, and so does its gradient; with it the
# layer's own weight gradient comes out wrong. The edge that `get_gradient_edge` gives in the hook stays the right place.
# Matters: book-keeping and ghost clipping compute norms of weight gradients from gradients at outputs; torchvision's networks
# activate in place. Keep the edge, or refuse outputs whose version has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import torch
from torch.autograd.graph import get_gradient_edge

torch.manual_seed(0)
layer, x, seen = torch.nn.Linear(4, 5), torch.randn(6, 4), []
network = torch.nn.Sequential(layer, torch.nn.ReLU(inplace=True), torch.nn.Linear(5, 3))
layer.register_forward_hook(lambda module, inputs, output: seen.extend((output, get_gradient_edge(output))))
loss = network(x).square().sum()
at_output, at_edge, truth = torch.autograd.grad(loss, [*seen, layer.weight])
print("norm of the weight's gradient:", truth.norm().item())
print("from the gradient at the output:", (at_output.T @ x).norm().item(), "at the edge:", (at_edge.T @ x).norm().item())
assert torch.allclose(at_edge.T @ x, truth, rtol=1e-5) and not torch.allclose(at_output.T @ x, truth, rtol=0.1)
PY
