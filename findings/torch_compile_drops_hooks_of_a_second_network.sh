#!/usr/bin/env bash
# torch 2.13.0: once a network of the same class was compiled, forward hooks of a second compiled one never fire.
# Expected: `torch.compile(second)` calls the hooks that are registered on the layers of `second`, as eager mode does, and
# as it does when nothing was compiled before.
# Happens: the code that was compiled for the first network is used again for the second; no hook is called, nothing warns.
# Matters: whatever collects activations or per-record gradients by hooks collects nothing, or only a part, without a word;
# a clipped norm is then too small and the noise too little. Count the calls of every hooked layer, each step.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import torch


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(x).relu()


def calls_of_hook(network):
    calls = []
    network.layer.register_forward_hook(lambda *_: calls.append(1))
    torch.compile(network, backend="eager")(torch.randn(5, 4))
    return len(calls)


alone = calls_of_hook(Network())
torch._dynamo.reset()
torch.compile(Network(), backend="eager")(torch.randn(5, 4))
second = calls_of_hook(Network())
print("calls of the hook: alone", alone, "after another network of the class was compiled", second)
assert alone == 1 and second == 0
PY
