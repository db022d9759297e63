"""`compare` on training runs: each row is a bound that holds, the lower bound is below them all."""

from __future__ import annotations

import json
import math
from fractions import Fraction as F

import pytest
from mpmath import mp

from certify.results.compare import compare
from certify.results.compare_dpsgd import TrainingComparison
from tests.certify.runs import EXAMPLES, plumbline, to_toml, training
from tests.oracles.conversions import delta_gdp
from tests.oracles.subsampled import moment

FULL = {"noise_multiplier": 5, "sample_rate": None, "sampling": "full"}
FIXED = {"noise_multiplier": 3, "sample_rate": None, "batch_size": 10, "samples": 1000,
         "sampling": "without-replacement"}  # fmt: skip


def rows(tables) -> dict:
    found = compare(tables)
    assert isinstance(found, TrainingComparison)
    return {row.name: row for row in found.rows}


@pytest.mark.parametrize("keys", [{}, FULL, FIXED, {"sampling": "shuffled", "sample_rate": "0.1"}])
def test_the_order_of_the_rows(keys) -> None:
    found = rows(training(keys))
    names = [name for name in ("lower_bound", "plumbline", "renyi", "renyi_mironov") if name in found]
    bounds = [F(found[name].epsilon) for name in names]
    assert bounds == sorted(bounds) and len(set(bounds)) == len(bounds)
    assert ("no_amplification" in found) == (keys in ({}, FIXED))
    assert ("renyi" in found) == (keys != FIXED)
    if "no_amplification" in found:
        assert F(found["no_amplification"].epsilon) > F(found["plumbline"].epsilon)


def test_where_batches_are_cut_our_bound_stands_alone() -> None:
    found = rows(training({"samples": 1000, "max_batch_size": 50}))
    assert set(found) == {"lower_bound", "plumbline"} and "T20" in found["plumbline"].label


def test_the_renyi_route_against_quadrature() -> None:
    """Moments by tanh-sinh quadrature at every order: T12 and Mironov's conversion, each at its least."""
    found = rows(training())
    with mp.workdps(30):
        log_delta = mp.log(mp.mpf("1e-5"))
        t12, mironov = [], []
        for order in (2, 8, 9, 10, 11, 12, 13, 20):
            d = 100 * max(mp.log(moment(1, "0.01", order, way)) for way in ("remove", "add")) / (order - 1)
            t12.append(d + mp.log(mp.mpf(order - 1) / order) - (log_delta + mp.log(order)) / (order - 1))
            mironov.append(d - log_delta / (order - 1))
    for name, least in (("renyi", min(t12)), ("renyi_mironov", min(mironov))):
        shown = mp.mpf(found[name].epsilon)
        assert least < shown < least * (1 + mp.mpf(10) ** -10)


def test_the_renyi_route_of_gaussians() -> None:
    """D_α = 2α (μ = 2): Mironov's best order is 1 + √(log(1/δ)/2)."""
    logarithm = math.log(1e5)
    best = 2 + 2 * math.sqrt(2 * logarithm)
    assert math.isclose(float(rows(training(FULL))["renyi_mironov"].epsilon), best, rel_tol=1e-9)


@pytest.mark.parametrize(("keys", "mu"), [({}, 10), (FIXED, 20 / 3)])
def test_without_amplification(keys, mu) -> None:
    """√T·s/z, by T11."""
    shown = float(rows(training(keys))["no_amplification"].epsilon)
    assert math.isclose(float(delta_gdp(shown, mu)), 1e-5, rel_tol=1e-6)


def test_the_noise_that_each_bound_needs() -> None:
    """Put in for the run's own, it brings the bound to the target."""
    target = {"epsilon": 2, "delta": "1e-5"}
    found = compare(training(FULL, target=target))
    for row in found.rows:
        if row.factor is not None:
            z = F(round(10**6 * found.noise_multiplier(row)), 10**6)
            again = rows(training(FULL | {"noise_multiplier": z}, target=target))[row.name]
            assert math.isclose(float(again.epsilon), 2, rel_tol=1e-5), row.name
    ratios = [found.ratio(row) for row in found.rows if row.factor is not None]
    assert ratios[0] == 1 and all(ratio > 1 for ratio in ratios[1:])


def test_no_noise_helps_where_another_release_is_too_much() -> None:
    found = rows(training(FULL, releases=[{"mu": 3}]))
    assert found["plumbline"].factor is None and found["renyi"].factor is None


def test_the_central_limit_formula_is_no_row() -> None:
    """docs/theory.md §9: it lies 22 % below the truth on a reference setting."""
    assert set(rows(training())) == {"lower_bound", "plumbline", "renyi", "renyi_mironov", "no_amplification"}


def test_the_command(tmp_path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(training()))
    shown = json.loads(plumbline("compare", path, "--format", "json").out)
    assert set(shown) == {"delta", "target", "noise_multiplier", "bounds", "digest"}
    for bound in shown["bounds"].values():
        assert set(bound) == {"label", "epsilon", "noise_multiplier", "noise_ratio"}
    assert shown["bounds"]["plumbline"]["noise_ratio"] == "1"
    text = plumbline("compare", path)
    assert text.code == 0 and text.err == ""
    for bound in shown["bounds"].values():
        assert bound["label"] in text.out and bound["epsilon"] in text.out
    assert "first stage" in plumbline("compare", EXAMPLES / "psasc.toml").out
