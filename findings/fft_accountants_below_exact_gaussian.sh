#!/usr/bin/env bash
# dp-accounting 0.6.0 (PLD) and prv-accountant 0.2.0: many weak Gaussian steps at a tiny δ print an ε below the exact one.
# Expected: a "pessimistic estimate" and an `eps_upper` are at least the exact ε, which a closed form gives.
# Happens: z = 100, T = 10^4 (so μ = 1), δ = 1e-12: 7.2168 (composed by self_compose) and 7.2145; exact is 7.2385.
# Matters: the error of a fast Fourier transform in doubles is of the order of 1e-15 a point and charged by neither; at small
# δ it decides. An upper bound has to charge it, or to compute in integers.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check dp-accounting==0.6.0 prv-accountant==0.2.0
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


from dp_accounting.pld import privacy_loss_distribution
from prv_accountant import PRVAccountant
from prv_accountant.privacy_random_variables import GaussianMechanism

z, T, delta = 100, 10_000, 1e-12
truth = exact_epsilon(math.sqrt(T) / z, delta)
pld = privacy_loss_distribution.from_gaussian_mechanism(z).self_compose(T).get_epsilon_for_delta(delta)
accountant = PRVAccountant(
    prvs=[GaussianMechanism(z)], max_self_compositions=[T], eps_error=0.01, delta_error=1e-15
)
_, _, upper = accountant.compute_epsilon(delta=delta, num_self_compositions=[T])
print(f"exact {truth:.4f}  dp-accounting, pessimistic {pld:.4f}  prv-accountant, eps_upper {upper:.4f}")
assert 7.2384 < truth < 7.2386 and pld < truth - 0.01 and upper < truth - 0.01
PY
