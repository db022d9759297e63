"""Calibration: the issue's numbers, the safe side, and what cannot be tuned."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accountant.core.exact import Rounding, round_decimal
from certify import calibrate, certify
from certify.errors import OutOfReach, UsageError
from certify.results import tuning
from certify.results.claims import Verdict
from certify.runfile.read import read_run
from tests.certify.runs import EXAMPLES, constants, mnist, plumbline, refused, tables, to_toml, valid_runs
from tests.oracles.published import load_sigmas

# ε: (ours, the published bound for finite T without a radius), both as the issue prints them
SIGMAS = {
    "0.05": ("0.00603457", "0.0790560"),
    "0.1": ("0.00329600", "0.0396070"),
    "0.5": ("0.000789945", "0.00804660"),
    "1": ("0.000426461", "0.00410007"),
    "2": ("0.000231898", "0.00212453"),
    "5": ("0.000106255", "0.000933120"),
}


def rounded(value: str, digits: int) -> Fraction:
    """To the nearest, on so many significant digits."""
    exact = Fraction(value)
    low, high = round_decimal(exact, digits, Rounding.DOWN), round_decimal(exact, digits, Rounding.UP)
    return low if exact - low < high - exact else high


@pytest.mark.parametrize("index", range(6))
def test_the_papers_settings(index: int) -> None:
    """Ours to six digits; the published bound as the authors' search finds it, which stops 1e-8 above at most."""
    sigmas = load_sigmas()
    epsilon, (ours, published) = list(SIGMAS.items())[index]
    authors = sigmas["authors_log"]["b=128,K=1"][index]
    assert sigmas["eps_targets"][index] == float(epsilon) and rounded(repr(authors), 6) == Fraction(published)
    found = calibrate(mnist(target={"epsilon": epsilon}))
    assert rounded(found.value, 6) == Fraction(ours)
    assert -1e-12 < authors - float(found.published["chien2024_finite_T"] or 0) < 1e-8
    assert found.result.verdict is Verdict.CERTIFIED
    assert 8.7 < authors / float(found.value) < 13.2


def test_the_found_value_is_certified_and_a_little_less_is_not() -> None:
    found = calibrate(mnist())
    value = Fraction(found.value)
    assert len(found.value.strip("0.")) <= 9
    assert certify(mnist(mechanism={"noise_std": value})).verdict is Verdict.CERTIFIED
    less = certify(mnist(mechanism={"noise_std": value * (1 - Fraction(1, 10**8))}))
    assert less.verdict is Verdict.NOT_CERTIFIED
    assert found.result.epsilon == certify(mnist(mechanism={"noise_std": value})).epsilon
    assert found.result.digest == read_run(mnist(mechanism={"noise_std": value})).digest


@settings(max_examples=15)
@given(valid_runs(), st.fractions(Fraction(1, 100), 10, max_denominator=100))
def test_the_safe_side(run: Any, epsilon: Fraction) -> None:
    """What is found is certified; 1e-8 less of it is not."""
    run = run | {"target": {**run["target"], "epsilon": epsilon}}
    assume(Fraction(certify(run).mu["upper"]) > 0)
    found = calibrate(run)
    value = Fraction(found.value)
    assert found.result.verdict is Verdict.CERTIFIED  # by `make_claim`, as `certify` decides it
    less = certify(run | {"mechanism": {**run["mechanism"], "noise_std": value * (1 - Fraction(1, 10**8))}})
    assert less.verdict is not Verdict.CERTIFIED
    assert Fraction(found.result.epsilon["upper"]) <= epsilon


def test_a_request_that_needs_no_noise_decides_nothing() -> None:
    """The first request is about data that no step has seen; the second needs noise, and T24 is about the first."""
    mechanism = {
        "samples": 2,
        "batch_size": 2,
        "epochs": 0,
        "unlearning_epochs": [1, 0],
        "step_size": "1/L",
        "radius": "1/4",
    }
    run = tables(
        constants("1/8", 0, "1/8"),
        mechanism=mechanism,
        requests={"sizes": [1, 1]},
        target={"epsilon": 1, "delta": "1e-5"},
    )
    found = calibrate(run)
    assert Fraction(found.result.epsilon["upper"]) > Fraction(999, 1000) and found.result.verdict is Verdict.CERTIFIED


@pytest.mark.slow
@settings(max_examples=15)
@given(valid_runs(), st.sampled_from(["1e-30", "1/7", "1000000"]))
def test_the_noise_of_the_file_does_not_matter(run: Any, noise: str) -> None:
    assume(Fraction(certify(run).mu["upper"]) > 0)
    mechanism = {key: value for key, value in run["mechanism"].items() if key != "noise_std"}
    run = run | {"target": {"epsilon": 1, "delta": "1e-5"}}
    absent = calibrate(run | {"mechanism": mechanism})
    given_one = calibrate(run | {"mechanism": {**mechanism, "noise_std": noise}})
    assert abs(Fraction(absent.value) - Fraction(given_one.value)) <= Fraction(absent.value) * Fraction(2, 10**9)


def test_noise_std_may_be_absent(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("\n".join(x for x in to_toml(tables()).splitlines() if "noise_std" not in x))
    assert "noise_std: is missing" in refused(plumbline("certify", path))
    done = plumbline("calibrate", path, "--format", "json")
    assert (done.code, done.err) == (0, "")
    shown = json.loads(done.out)
    assert set(shown) >= {"parameter", "value", "epsilon", "certified", "published"}
    assert shown["parameter"] == "noise_std" and shown["certified"] is True
    assert set(shown["epsilon"]) == {"lower", "upper", "target"}
    assert Fraction(shown["epsilon"]["upper"]) <= 1 and isinstance(shown["value"], str)
    assert isinstance(shown["published"]["chien2024"]["value"], str)
    assert certify(tables(mechanism={"noise_std": shown["value"]})).verdict is Verdict.CERTIFIED


def test_text() -> None:
    done = plumbline("calibrate", EXAMPLES / "mnist.toml")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "CERTIFIED: the bound is proved to meet the target"
    assert any(line.split() == ["noise_std", "0.000426460545"] for line in lines)
    assert "0.00410006592" in done.out and "9.614 times as much" in done.out


def test_published_says_nothing_where_it_does_not_speak() -> None:
    assert calibrate(tables(mechanism={"unlearning_epochs": 0})).as_json()["published"] == {
        "chien2024": {"value": None}
    }


@pytest.mark.parametrize("epsilon", ["1e-40", 0])
def test_a_target_that_nothing_found_meets(epsilon: Any, tmp_path: Path) -> None:
    """So little ε and δ that the search leaves its range: one clear line, and no claim that no value exists."""
    run = tables(target={"epsilon": epsilon, "delta": "1e-60"})
    path = tmp_path / "run.toml"
    path.write_text(to_toml(run))
    try:
        found = calibrate(run)
    except OutOfReach as problem:
        line = refused(plumbline("calibrate", path), code=1)
        assert str(problem) in line and "target.epsilon: found no noise_std" in line and "δ = 1e-60" in line
    else:  # a better search may find it
        assert found.result.verdict is Verdict.CERTIFIED


@pytest.mark.parametrize(
    "run",
    [
        tables(loss=constants(1, "1/2", 0)),  # no gradient
        tables(loss=constants(1, 1), mechanism={"step_size": "1/L"}),  # forgets at once
        tables(mechanism={"epochs": 0}),  # nothing learned
        tables(mechanism={"unlearning_epochs": 10**6}),  # far more unlearning than doubles can tell
    ],
)
def test_nothing_to_tune(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(run))
    assert "nothing to tune" in refused(plumbline("calibrate", path), code=1)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"target": {"epsilon": "1e301"}}, "target.epsilon"),
        ({"target": {"delta": "1e-301"}}, "target.delta"),
        ({"target": {"delta": "0." + "9" * 40}}, "target.delta"),
        ({"mechanism": {"noise_std": "1e-301"}}, "mechanism.noise_std"),
        ({"mechanism": {"noise_std": 10**301}}, "mechanism.noise_std"),
    ],
)
def test_numbers_beyond_doubles_are_refused(change: Any, key: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(tables(**change)))
    for command in ("calibrate", "compare"):
        assert f"plumbline: {key}: " in refused(plumbline(command, path))


@pytest.mark.parametrize("gradient_bound", ["1e9", "1e-9"])
def test_constants_of_any_size(gradient_bound: str) -> None:
    """The noise grows with the gradients, exactly."""
    one = Fraction(calibrate(tables()).value)
    other = Fraction(calibrate(tables(loss=constants(1, "1/2", gradient_bound))).value)
    assert abs(other / Fraction(gradient_bound) / one - 1) < Fraction(1, 10**8)


@pytest.mark.parametrize("tune", ["noise", "learning_rate", "", "noise_std "])
def test_unknown_parameter(tune: str) -> None:
    line = refused(plumbline("calibrate", EXAMPLES / "mnist.toml", "--tune", tune))
    assert "--tune" in line and "noise_std" in line and repr(tune) in line
    with pytest.raises(UsageError, match="noise_std"):
        calibrate(mnist(), tune=tune)


def test_a_float_means_its_shortest_decimal() -> None:
    assert calibrate(tables(mechanism={"noise_std": 0.5})).value == calibrate(tables()).value


def test_every_request_counts() -> None:
    """The value is that of the worst request; each of them is met."""
    run = tables(mechanism={"unlearning_epochs": [1, 0, 2]}, requests={"sizes": [1, 5, 6]})
    found = calibrate(run)
    assert [Fraction(r["epsilon"]) <= 1 for r in found.result.requests] == [True] * 3
    assert max(Fraction(r["epsilon"]) for r in found.result.requests) > 1 - Fraction(1, 10**7)


def test_epochs_of_a_sequence_beside_the_authors() -> None:
    """Full batch, MNIST, σ = .03, T = 1000, ε = 1: the first 12 requests of the authors' own lists."""
    run = mnist(mechanism={"batch_size": 11264, "epochs": 1000, "noise_std": "0.03"}, requests={"sizes": [1] * 12})
    del run["mechanism"]["unlearning_epochs"]
    found = calibrate(run, tune="unlearning_epochs")
    lists = json.loads((Path(__file__).parents[2] / "oracles" / "data" / "sequential_mnist.json").read_text())
    theirs = lists["MNIST|sequential|eps=1|sigma=0.03|b=full"]
    assert found.published["chien2024_sequential"] == theirs["consistent_loose_k"][1:13]
    assert found.published["chien2024_sequential_code"] == theirs["official_code_k"][1:13]
    assert isinstance(found.value, list)
    assert all(ours <= other for ours, other in zip(found.value, theirs["official_code_k"][1:13], strict=True))
    assert found.as_json()["published"]["chien2024"] == {"value": None}


def test_the_ball_of_a_loss_whose_constants_depend_on_it() -> None:
    loss = {"kind": "least-squares", "regularization": "0.1", "feature_norm": 1, "target_bound": 1}
    run = tables(loss=loss, mechanism={"noise_std": 1, "epochs": 5, "step_size": "1/L", "radius": 4})
    found = calibrate(run, tune="radius")
    assert found.result.verdict is Verdict.CERTIFIED
    wider = {**run["mechanism"], "radius": Fraction(found.value) * Fraction(101, 100)}
    assert certify({**run, "mechanism": wider}).verdict is Verdict.NOT_CERTIFIED


def test_epochs_from_starts_apart_are_not_monotone() -> None:
    """One epoch is too few to forget where the runs began, thirty are too many: the largest of those between."""
    keys = {"initial_distance": 5, "unlearning_epochs": 0}
    run = tables(loss=constants(1, 0), mechanism=keys, target={"epsilon": "10.8"})
    certified = [t for t in range(1, 40) if verdict(run, "epochs", t) is Verdict.CERTIFIED]
    assert 1 not in certified and 39 not in certified
    found = calibrate(run, tune="epochs")
    assert found.value == certified[-1] and found.note is not None and "not proved" in found.note


def verdict(run: Any, tune: str, value: Any) -> Verdict:
    return certify({**run, "mechanism": run["mechanism"] | {tune: value}}).verdict


@pytest.mark.parametrize(("epsilon", "least"), [("2.5", 3), ("1.4", 6), ("1.1", 12)])
def test_a_batch_size_that_leaves_a_remainder(epsilon: str, least: int) -> None:
    """Where it may be dropped every size is looked at, divisors or not."""
    keys = {"samples": 14, "remainder": "drop", "epochs": 8, "unlearning_epochs": 0}
    run = tables(mechanism=keys, target={"epsilon": epsilon})
    certified = [b for b in range(1, 15) if verdict(run, "batch_size", b) is Verdict.CERTIFIED]
    found = calibrate(run, tune="batch_size")
    assert found.value == certified[0] == least and found.note is None


@settings(max_examples=40, deadline=None)
@given(valid_runs(), st.sampled_from(["noise_std", "unlearning_epochs", "epochs"]))
def test_what_is_bisected_is_monotone(run: Any, tune: str) -> None:
    """ε of a few values, one by one; where `is_monotone` denies it nothing is claimed."""
    falls = tune != "epochs"
    assume(tune != "unlearning_epochs" or len(run.get("requests", {"sizes": [1]})["sizes"]) == 1)
    assume(tuning.is_monotone(read_run(run), tune))
    values = [Fraction(1, 4), 1, 4] if tune == "noise_std" else [1, 2, 3, 7]
    uppers = [
        Fraction(certify({**run, "mechanism": run["mechanism"] | {tune: value}}).epsilon["upper"]) for value in values
    ]
    for one, following in itertools.pairwise(uppers):
        less, more = (following, one) if falls else (one, following)
        assert less <= more * (1 + Fraction(1, 10**6))


def test_a_step_size_is_said_to_be_found_only() -> None:
    found = calibrate(tables(mechanism={"noise_std": "2"}), tune="step_size")
    assert found.result.verdict is Verdict.CERTIFIED and "the largest found; not proved" in found.note


def test_where_doubles_and_balls_disagree_the_next_batch_size_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that takes every size for good enough: what is returned is the least that balls certify."""
    monkeypatch.setattr(tuning, "all_meet", lambda *_: True)
    run = tables(mechanism={"epochs": 8, "unlearning_epochs": 0}, target={"epsilon": "1.7"})
    certified = [b for b in (1, 2, 3, 4, 6, 12) if verdict(run, "batch_size", b) is Verdict.CERTIFIED]
    assert certified[0] > 1
    assert calibrate(run, tune="batch_size").value == certified[0]
