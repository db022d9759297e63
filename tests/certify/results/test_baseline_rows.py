"""`compare` beside what others would do: requests in sequence, Langevin unlearning, descent-to-delete."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from certify import certify, compare
from certify.results.compare import BASELINES, LABELS, Row
from tests.certify.runs import mnist, plumbline, tables, to_toml, valid_runs
from tests.oracles import published

OTHERS = ["lower_bound", "plumbline", "wasserstein_only"]
FULL = {"batch_size": 11264, "noise_std": "0.03"}
KS = [4, 4, 7, 8, 9, 9]


def rows(run: Any) -> dict[str, Row]:
    return {row.name: row for row in compare(run).rows}


def full_batch(**changes: Any) -> dict[str, Any]:
    """The MNIST setting with its constants given, so that they are the published ones to the last digit."""
    run = mnist(mechanism=FULL | changes)
    run["loss"] = {
        "kind": "constants",
        "smoothness": "0.261264",
        "strong_convexity": "0.011264",
        "gradient_bound": 1,
    }
    return run | {"target": {"epsilon": 1, "delta": "1/n"}}


def test_one_request_of_a_full_batch() -> None:
    found = rows(full_batch())
    assert list(found) == [*LABELS, "langevin_unlearning", "descent_to_delete"]
    setting = published.FullBatch(11264, 784)
    reference = published.load_baselines()[setting]
    langevin, descent = found["langevin_unlearning"], found["descent_to_delete"]
    assert float(langevin.epsilon) == pytest.approx(published.langevin_epsilon(setting, 0.03, (1,), (1,)), rel=1e-8)
    assert langevin.noise_std == pytest.approx(reference["LU_sigma_S1"]["K=1"][3], abs=1.01e-8)
    assert descent.noise_std == pytest.approx(reference["D2D_sigma"]["I=1"][3], rel=1e-12)
    comparison = compare(full_batch())
    assert comparison.ratio(descent) is None and comparison.ratio(langevin) == pytest.approx(2.0827, abs=1e-4)
    assert {name: found[name].label for name in found if name in BASELINES} == {
        name: BASELINES[name] for name in ("langevin_unlearning", "descent_to_delete")
    }


def test_requests_in_sequence() -> None:
    """Six requests, with the K of the authors' code: its mixed form meets ε = 1, the form of one kind does not."""
    run = full_batch(unlearning_epochs=KS) | {"requests": {"sizes": [1] * 6}}
    found = rows(run)
    assert list(found) == [*OTHERS, "chien2024_sequential", "chien2024_sequential_code", "langevin_unlearning"]
    for name, sharper in (("chien2024_sequential", (False, False)), ("chien2024_sequential_code", (False, True))):
        expected = published.sequence_epsilons(published.mnist_setting(11264), 0.03, KS, sharper)
        assert float(found[name].epsilon) == pytest.approx(max(expected), rel=1e-9)
    assert float(found["chien2024_sequential_code"].epsilon) <= 1 < float(found["chien2024_sequential"].epsilon)
    assert certify(run).published == {"chien2024": {"epsilon": None}}


def test_learning_beside_langevin_and_several_batches_without() -> None:
    assert list(rows(full_batch(unlearning_epochs=0))) == [*OTHERS, "langevin_unlearning"]
    several = rows(tables(mechanism={"unlearning_epochs": [1, 1]}, requests={"sizes": [1, 1]}))
    assert list(several) == [*OTHERS, "chien2024_sequential", "chien2024_sequential_code"]
    fields = {"radius": 1, "unlearning_epochs": [1, 1]}
    bounded = rows(tables(mechanism=fields, requests={"sizes": [1, 1]}))
    assert list(bounded) == [*OTHERS, "chien2024_sequential", "chien2024_sequential_code"]


@pytest.mark.parametrize("changes", [{}, {"unlearning_epochs": [3, 1, 2]}])
def test_the_noise_of_a_row_meets_the_target(changes: dict[str, Any]) -> None:
    run = full_batch(**changes) | ({"requests": {"sizes": [1, 2, 1]}} if changes else {})
    for name in set(rows(run)) & set(BASELINES):
        again = full_batch(**changes, noise_std=Fraction(repr(rows(run)[name].noise_std)))
        assert float(rows(run | {"mechanism": again["mechanism"]})[name].epsilon) == pytest.approx(1, rel=1e-8), name


@pytest.mark.slow
@settings(max_examples=40)
@given(valid_runs())
def test_ours_is_never_above_them(run: Any) -> None:
    """Descent-to-delete is another mechanism, and may be anywhere."""
    found = rows(run)
    ours = found["plumbline"]
    for name in set(found) & set(BASELINES) - {"descent_to_delete"}:
        assert Fraction(ours.epsilon) <= Fraction(found[name].epsilon) * (1 + Fraction(1, 10**10))
        if ours.noise_std is not None and found[name].noise_std is not None:
            assert ours.noise_std <= found[name].noise_std * (1 + 1e-10)


@pytest.mark.parametrize("epsilon", ["1e-200", "0"])
def test_a_target_that_a_baseline_cannot_meet(epsilon: str) -> None:
    found = rows(full_batch() | {"target": {"epsilon": epsilon, "delta": "1e-250"}})
    assert found["langevin_unlearning"].noise_std is None and found["langevin_unlearning"].epsilon is not None


def test_the_text_says_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(full_batch()))
    done = plumbline("compare", path)
    assert done.code == 0 and "Descent-to-delete's σ is noise added once, to the output" in done.out
    line = next(line for line in done.out.splitlines() if line.startswith(BASELINES["descent_to_delete"]))
    assert line.split()[-1] == "–"
    shown = json.loads(plumbline("compare", path, "--format", "json").out)["bounds"]
    assert shown["descent_to_delete"]["noise_ratio"] is None
    path.write_text(to_toml(tables()))
    assert "Descent-to-delete" not in plumbline("compare", path).out
