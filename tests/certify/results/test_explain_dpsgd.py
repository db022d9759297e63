"""What `explain` estimates about a training run, against certified neighbours of it."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from accountant import enclose
from accountant.dpsgd.derive import derive_training
from certify import read_run
from certify.results.explain_dpsgd import analyse_training
from tests.certify.runs import training

RUN = training({"sample_rate": "0.02", "steps": 400}, target={"epsilon": 3, "delta": "0.00001"})


def changed(**mechanism: object):
    return read_run(RUN | {"mechanism": RUN["mechanism"] | mechanism})


def certified(of) -> float:
    return float(enclose(derive_training(of.mechanism, of.target_delta).upper).upper)


@pytest.fixture(scope="module")
def found():
    return analyse_training(changed())


@pytest.mark.parametrize(
    ("parameter", "halved", "doubled"),
    [
        ("noise_multiplier", {"noise_multiplier": "0.5"}, {"noise_multiplier": 2}),
        ("sample_rate", {"sample_rate": "0.01"}, {"sample_rate": "0.04"}),
        ("steps", {"steps": 200}, {"steps": 800}),
    ],
)
def test_changes_are_close_to_what_is_certified(found, parameter: str, halved: dict, doubled: dict) -> None:
    change = next(c for c in found.changes if c.parameter == parameter)
    assert change.halved == pytest.approx(certified(changed(**halved)), rel=5e-3)
    assert change.doubled == pytest.approx(certified(changed(**doubled)), rel=5e-3)
    # ε is nearly a power of each parameter: the slope at the middle lies between the two chords.
    chords = [math.log(found.epsilon / change.halved, 2), math.log(change.doubled / found.epsilon, 2)]
    assert min(chords) - 0.05 < change.elasticity < max(chords) + 0.05


def test_releases_one_by_one_are_below_the_whole() -> None:
    staged = read_run(RUN | {"stages": [{"noise_multiplier": 2}], "releases": [{"mu": "0.1", "text": "a histogram"}]})
    found = analyse_training(staged)
    assert [r.release.split()[0] for r in found.releases] == ["400", "400", "1"]
    assert all(r.epsilon < found.epsilon for r in found.releases)
    assert found.releases[0].epsilon > found.releases[1].epsilon
    text = found.text()
    assert "What dominates" in text and "no bounds" in text and found.latex() == ""
    assert set(found.as_json()) == {"estimates"}


def test_what_has_no_neighbour_is_left_out() -> None:
    full = read_run(RUN | {"mechanism": RUN["mechanism"] | {"sampling": "full", "sample_rate": 1, "steps": 3}})
    found = analyse_training(full)
    by_name = {c.parameter: c for c in found.changes}
    assert "sample_rate" not in by_name and by_name["steps"].elasticity is None
    assert by_name["noise_multiplier"].elasticity == pytest.approx(-1.3, abs=0.3)
    often = analyse_training(changed(sample_rate="0.6", steps=100))
    assert next(c for c in often.changes if c.parameter == "sample_rate").doubled is None
    likely = analyse_training(read_run(RUN | {"target": {"epsilon": 3, "delta": Fraction(3, 5)}}))
    assert next(c for c in likely.changes if c.parameter == "delta").doubled is None
