"""Our bound beside the others: in order, and each only where it speaks."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from mpmath import mp, mpf

from certify import calibrate, certify, compare
from certify.results.compare import LABELS, Row
from tests.certify.runs import EXAMPLES, constants, mnist, plumbline, tables, to_toml, valid_runs
from tests.oracles.published import epsilon_converged, mnist_setting

TIE = Fraction(1, 10**10)  # both sides are rounded outward to twelve digits


def rows(run: Any) -> dict[str, Row]:
    return {row.name: row for row in compare(run).rows}


@settings(max_examples=50)
@given(valid_runs(radius=False))
def test_lower_bound_ours_and_distance_alone_are_in_order(run: Any) -> None:
    found = rows(run)
    lower, ours, alone = (found[name] for name in ("lower_bound", "plumbline", "wasserstein_only"))
    assert lower.epsilon is not None and ours.epsilon is not None
    assert Fraction(lower.epsilon) <= Fraction(ours.epsilon)
    if alone.epsilon is not None:
        assert Fraction(ours.epsilon) <= Fraction(alone.epsilon) * (1 + TIE) + TIE
    if lower.noise_std is not None and ours.noise_std is not None:
        assert lower.noise_std <= ours.noise_std * (1 + 1e-10)
    if alone.noise_std is not None and ours.noise_std is not None:
        assert ours.noise_std <= alone.noise_std * (1 + 1e-10)
    for name in ("chien2024", "chien2024_finite_T"):
        if name in found:
            assert Fraction(ours.epsilon) <= Fraction(found[name].epsilon or "0") * (1 + TIE)


@pytest.mark.slow
@settings(max_examples=40)
@given(valid_runs())
def test_ours_is_no_worse_than_distance_alone_with_a_radius_either(run: Any) -> None:
    found = rows(run)
    ours, alone = found["plumbline"], found["wasserstein_only"]
    if alone.epsilon is not None and ours.epsilon is not None:
        assert Fraction(ours.epsilon) <= Fraction(alone.epsilon) * (1 + TIE) + TIE
    assert (found["lower_bound"].epsilon is None) == ("radius" in run["mechanism"])


@pytest.mark.slow
@settings(max_examples=40)
@given(valid_runs())
def test_the_published_bound_speaks_only_where_it_may(run: Any) -> None:
    mechanism, found = compare(run).result.run.mechanism, rows(run)
    single = len(mechanism.requests) == 1 and mechanism.requests[0] <= mechanism.batch_size
    loss = mechanism.loss.constants()
    eta = mechanism.step_size
    c = max(abs(1 - eta * loss.strong_convexity), abs(1 - eta * loss.smoothness))
    speaks = single and mechanism.unlearning_epochs[0] > 0 and 0 < c < 1 and not mechanism.initial_distance
    speaks = speaks and loss.gradient_bound > 0
    assert ("chien2024" in found) == speaks
    assert ("chien2024_finite_T" in found) == (speaks and mechanism.radius is None)
    assert list(found)[:3] == ["lower_bound", "plumbline", "wasserstein_only"]
    assert (certify(run).published["chien2024"]["epsilon"] is not None) == speaks


@pytest.mark.parametrize(
    "run",
    [
        tables(mechanism={"unlearning_epochs": 0}),
        tables(loss=constants(1, 0), mechanism={"step_size": "1/L"}),
        tables(mechanism={"unlearning_epochs": [1, 0]}, requests={"sizes": [1, 1]}),
        tables(mechanism={"initial_distance": 1}),
        tables(requests={"sizes": [5]}),
    ],
)
def test_no_published_row(run: Any) -> None:
    assert list(rows(run)) == ["lower_bound", "plumbline", "wasserstein_only"]


def test_learning_has_no_unlearning_noise() -> None:
    found = rows(tables(mechanism={"unlearning_epochs": 0}))
    assert found["wasserstein_only"] == Row("wasserstein_only", LABELS["wasserstein_only"], None, None)


def test_published_epsilon_against_the_oracle() -> None:
    """The converged form, by the oracle's own search over α."""
    found = rows(EXAMPLES / "mnist.toml")
    truth = epsilon_converged(mnist_setting(128), 0.00410007312893974, 1)
    assert abs(float(found["chien2024"].epsilon or 0) / truth - 1) < 1e-6


def test_ratios_of_the_paper() -> None:
    """8.7 to 13.1 times less noise than the published bound."""
    for epsilon, least, most in (("0.05", 13.05, 13.15), ("5", 8.75, 8.85)):
        found = compare(mnist(target={"epsilon": epsilon}))
        by_name = {row.name: found.ratio(row) for row in found.rows}
        assert by_name["plumbline"] == 1
        assert least < (by_name["chien2024_finite_T"] or 0) < most
        assert 0.999999 < (by_name["lower_bound"] or 0) <= 1
    assert abs(found.rows[1].noise_std / float(calibrate(mnist(target={"epsilon": "5"})).value) - 1) < 1e-8


def test_json(tmp_path: Path) -> None:
    done = plumbline("compare", EXAMPLES / "mnist.toml", "--format", "json")
    assert (done.code, done.err) == (0, "")
    shown = json.loads(done.out)
    assert set(shown) == {"delta", "target", "noise_std", "bounds", "digest"}
    assert shown["digest"] == certify(EXAMPLES / "mnist.toml").digest
    assert list(shown["bounds"]) == [*LABELS]
    for name, bound in shown["bounds"].items():
        assert set(bound) == {"label", "epsilon", "noise_std", "noise_ratio"}
        assert all(isinstance(bound[key], str) for key in bound)
        row = next(row for row in compare(EXAMPLES / "mnist.toml").rows if row.name == name)
        assert abs(float(bound["noise_std"]) / (row.noise_std or 0) - 1) < 1e-8
    path = tmp_path / "run.toml"
    path.write_text(to_toml(tables(mechanism={"radius": 1, "unlearning_epochs": 0})))
    bounds = json.loads(plumbline("compare", path, "--format", "json").out)["bounds"]
    assert bounds["lower_bound"]["epsilon"] is None and bounds["wasserstein_only"]["noise_ratio"] is None


def test_text() -> None:
    done = plumbline("compare", EXAMPLES / "mnist.toml")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("δ = 0.000088778409091")
    ours = next(line for line in lines if line.startswith(LABELS["plumbline"]))
    assert ours.split()[-3:] == ["0.0779602571713", "0.000426460544", "1"]
    assert sum(line.startswith(tuple(LABELS.values())) for line in lines) == 5


def test_a_target_that_is_missed_is_compared_too(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(tables(target={"epsilon": "0.01"})))
    assert plumbline("certify", path).code == 1 and plumbline("compare", path).code == 0


def test_nobody_differs() -> None:
    found = compare(tables(loss=constants(1, "1/2", 0)))
    assert [found.ratio(row) for row in found.rows] == [None, None, None]
    assert {row.epsilon for row in found.rows} == {"0"}


def test_the_noise_of_a_row_meets_the_target() -> None:
    """Each σ put back gives the target's ε, by the row's own bound."""
    for name, row in rows(tables()).items():
        again = rows(tables(mechanism={"noise_std": Fraction(repr(row.noise_std))}))[name]
        with mp.workdps(30):
            assert abs(mpf(again.epsilon) - 1) < mpf("1e-8"), name
