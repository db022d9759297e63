#!/usr/bin/env bash
# dp-accounting 0.6.0: RdpAccountant answers REPLACE_ONE for Gaussian events with the number of ADD_OR_REMOVE_ONE.
# Expected: replacing a record moves a sum by twice the sensitivity of adding one, so ε grows (μ doubles).
# Happens: z = 5, T = 100, δ = 1e-5: 10.7255 for both neighbours; PLDAccountant of the same package says 24.3816.
# Matters: the number is below the exact ε of that pair (24.3816): whoever reads it as a bound under replace-one is wrong.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check dp-accounting==0.6.0
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import math

from scipy.optimize import brentq
from scipy.stats import norm


def exact_epsilon(mu, delta):
    """Of a Gaussian pair, from its closed form."""

    def excess(e):
        return norm.cdf(mu / 2 - e / mu) - math.exp(e + norm.logcdf(-mu / 2 - e / mu)) - delta

    return brentq(excess, 0, 1000, xtol=1e-12)


import dp_accounting as dp

T, z, delta = 100, 5.0, 1e-5
printed = {}
for relation in (dp.NeighboringRelation.ADD_OR_REMOVE_ONE, dp.NeighboringRelation.REPLACE_ONE):
    for accountant in (dp.rdp.RdpAccountant, dp.pld.PLDAccountant):
        run = accountant(neighboring_relation=relation)
        run.compose(dp.GaussianDpEvent(z), T)
        printed[relation.name, accountant.__name__] = run.get_epsilon(delta)
for key, epsilon in printed.items():
    print(*key, f"{epsilon:.4f}")
truth = exact_epsilon(2 * math.sqrt(T) / z, delta)
print(f"exact under REPLACE_ONE {truth:.4f}")
rdp = printed["REPLACE_ONE", "RdpAccountant"]
assert rdp == printed["ADD_OR_REMOVE_ONE", "RdpAccountant"] and rdp < 0.5 * truth
assert abs(printed["REPLACE_ONE", "PLDAccountant"] - truth) < 1e-3
PY
