"""Verdicts: never a guess, and never better than the truth as mpmath finds it."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from accountant import ASSUMPTIONS
from certify import certify
from certify.errors import UsageError
from certify.results.claims import Verdict
from certify.runfile.read import read_run
from tests.certify.runs import EXAMPLES, constants, mnist, plumbline, tables, to_toml, valid_runs
from tests.multiprecision import big
from tests.oracles.conversions import delta_gdp, epsilon_gdp
from tests.oracles.timeline import Phase, expand, taut_string


def unlearning_mu(run: Any) -> mpf:
    """T4's closed form for one record in the last batch, equal starts, c < 1, K ≥ 1; 60 digits."""
    m = run.mechanism
    constants = m.loss.constants()
    with mp.workdps(60):
        eta, sigma = big(m.step_size), big(m.noise_std)
        c = 1 - eta * big(constants.strong_convexity)
        s = 2 * eta * big(constants.gradient_bound) / m.batch_size
        batches, epochs, k = m.batches, m.epochs, m.unlearning_epochs[0]
        learned = s * (1 - c ** (batches * epochs)) / (1 - c**batches)
        steps = batches * (epochs + k) - (batches - 1)
        return learned * c ** (batches * k) / (mp.sqrt(2 * eta) * sigma) * mp.sqrt((1 - c**2) / (1 - c ** (2 * steps)))


def exact_decimal(x: mpf) -> Fraction:
    with mp.workdps(60):
        return Fraction(mp.nstr(x, 50, strip_zeros=False))


@cache
def truth(name: str) -> tuple[dict[str, Any], Fraction]:
    """A run's tables and its true ε to 44 digits."""
    made = {"mnist": mnist(), "small": tables()}[name]
    run = read_run(made)
    with mp.workdps(60):
        return made, exact_decimal(epsilon_gdp(big(run.target_delta), unlearning_mu(run)))


def verdict_at(made: dict[str, Any], target: Fraction) -> Verdict:
    return certify(made | {"target": {**made["target"], "epsilon": target}}).verdict


# --- the target close to the bound -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnist", "small"])
def test_the_printed_bounds_enclose_the_truth_tightly(name: str) -> None:
    made, epsilon = truth(name)
    result = certify(made)
    upper = Fraction(result.epsilon["upper"])
    assert epsilon < upper <= epsilon * (1 + Fraction(2, 10**11))
    assert Fraction(result.epsilon["lower"]) < epsilon


@settings(max_examples=150)
@given(st.sampled_from(["mnist", "small"]), st.integers(3, 40), st.integers(1, 99), st.sampled_from([-1, 1]))
def test_never_certified_below_the_truth(name: str, digits: int, mantissa: int, sign: int) -> None:
    """CERTIFIED only where the target is no less than the true ε, NOT_CERTIFIED only where it is less."""
    made, epsilon = truth(name)
    target = epsilon * (1 + sign * Fraction(mantissa, 10**digits))
    verdict = verdict_at(made, target)
    if target < epsilon:
        assert verdict is not Verdict.CERTIFIED
    else:
        assert verdict is not Verdict.NOT_CERTIFIED
    if abs(target - epsilon) > epsilon * Fraction(2, 10**11):
        assert verdict is (Verdict.CERTIFIED if sign > 0 else Verdict.NOT_CERTIFIED)


@pytest.mark.parametrize("name", ["mnist", "small"])
def test_target_at_the_printed_decimal(name: str) -> None:
    made, epsilon = truth(name)
    upper = Fraction(certify(made).epsilon["upper"])
    unit = Fraction(1, 10 ** len(certify(made).epsilon["upper"].partition(".")[2]))
    assert verdict_at(made, upper) is Verdict.CERTIFIED
    assert verdict_at(made, upper + unit) is Verdict.CERTIFIED
    assert verdict_at(made, upper - unit) in (Verdict.NOT_CERTIFIED, Verdict.INDETERMINATE)
    assert upper - 2 * unit < epsilon and verdict_at(made, upper - 2 * unit) is Verdict.NOT_CERTIFIED


@pytest.mark.parametrize("name", ["mnist", "small"])
def test_the_sliver_between_truth_and_decimal_is_indeterminate(name: str, tmp_path: Any) -> None:
    made, epsilon = truth(name)
    target = epsilon * (1 + Fraction(1, 10**30))
    assert verdict_at(made, target) is Verdict.INDETERMINATE
    path = tmp_path / "run.toml"
    path.write_text(to_toml(made | {"target": {**made["target"], "epsilon": target}}))
    done = plumbline("certify", path)
    assert done.code == 3 and done.out.startswith("INDETERMINATE: ")
    assert plumbline("certify", path, "--format", "json").code == 3


@settings(max_examples=25)
@given(valid_runs(radius=False))
def test_verdict_against_brute_force(run: Any) -> None:
    """Every request against the step-by-step string in rationals and mpmath's δ."""
    result = certify(run)
    mechanism, target = result.run.mechanism, result.run.target_epsilon
    constants = mechanism.loss.constants()
    eta = mechanism.step_size
    c = max(abs(1 - eta * constants.strong_convexity), abs(1 - eta * constants.smoothness))
    change = 2 if mechanism.neighbours == "replace-one" else 1
    shift = change * eta * constants.gradient_bound / mechanism.batch_size
    exceeds = []
    for r, claim in enumerate(result.claims):
        phases = []
        for i, epochs in enumerate((mechanism.epochs, *mechanism.unlearning_epochs[: r + 1])):
            left, records = sum(mechanism.requests[i : r + 1]), {}
            for position in reversed(range(mechanism.batches)):
                here = min(left, mechanism.batch_size)
                left -= here
                if here:
                    records[position] = here * shift
            phases.append(Phase(epochs, mechanism.batches, c, 2 * eta * mechanism.noise_std**2, records))
        squared, _ = taut_string(expand(phases), mechanism.initial_distance)
        with mp.workdps(60):
            mu = mp.sqrt(big(Fraction(squared)))
            delta = big(result.run.target_delta)
            printed = big(Fraction(claim.printed(target)))
            assert delta_gdp(printed, mu) <= delta * (1 + mpf(10) ** -40)
            if printed > 0:
                assert delta_gdp(printed * (1 - mpf(10) ** -9), mu) > delta
            exceeds.append(bool(delta_gdp(big(target), mu) > delta))
    if any(exceeds):
        assert result.verdict is not Verdict.CERTIFIED
    if result.verdict is Verdict.NOT_CERTIFIED:
        assert any(exceeds)
    assert result.exit_code == {"CERTIFIED": 0, "NOT_CERTIFIED": 1, "INDETERMINATE": 3}[result.verdict]


def test_out_of_reach() -> None:
    """Below the lower bound: no certificate exists from these constants, and the text says so."""
    result = certify(tables())
    lower, upper = Fraction(result.epsilon["lower"]), Fraction(result.epsilon["upper"])
    between, below = (lower + upper) / 2, lower - Fraction(1, 10**6)
    assert not result.out_of_reach
    assert not certify(tables(target={"epsilon": between})).out_of_reach
    assert certify(tables(target={"epsilon": between})).verdict is Verdict.NOT_CERTIFIED
    far = certify(tables(target={"epsilon": below}))
    assert far.out_of_reach and far.verdict is Verdict.NOT_CERTIFIED


def test_out_of_reach_text(tmp_path: Any) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(tables(target={"epsilon": "0.1"})))
    done = plumbline("certify", path)
    assert done.code == 1
    assert done.out.splitlines()[0].startswith("NOT_CERTIFIED: not certifiable from these constants")
    path.write_text(to_toml(tables(target={"epsilon": "0.518"})))
    done = plumbline("certify", path)
    assert done.code == 1
    assert done.out.splitlines()[0] == "NOT_CERTIFIED: the bound provably exceeds the target"
    assert "not certifiable" not in done.out and "violates" not in done.out


# --- the parts of a result -------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(valid_runs())
def test_attributes_are_the_json(run: Any) -> None:
    result = certify(run)
    shown = result.as_json()
    assert set(shown) == {
        *("verdict", "out_of_reach", "epsilon", "delta", "mu", "wasserstein", "renyi", "requests", "theorems"),
        *("assumptions", "published", "fallback", "digest"),
        *(["other_release"] if any(run["mechanism"]["unlearning_epochs"]) or len(result.requests) > 1 else []),
    }
    for key, value in shown.items():
        attribute = getattr(result, key)
        assert (list(attribute) if isinstance(value, list) else attribute) == value
    assert shown["digest"] == result.run.digest
    assert (shown["epsilon"]["lower"] is None) == (result.run.mechanism.radius is not None)
    assert (shown["mu"]["lower"] is None) == (result.run.mechanism.radius is not None)


@settings(max_examples=30)
@given(valid_runs())
def test_the_other_release_costs_what_it_costs_when_certified(run: Any) -> None:
    other = {"final": "all", "all": "final"}
    found = certify(run).other_release
    if found is None:
        assert run["mechanism"]["unlearning_epochs"] == [0]
        return
    assert found["release"] == other[run["threat"]["release"]]
    try:
        alone = certify(run | {"threat": run["threat"] | {"release": found["release"]}})
    except UsageError:
        assert found["epsilon"] is None
        return
    assert Fraction(found["epsilon"]) == pytest.approx(Fraction(alone.epsilon["upper"]), rel=1e-11)
    assert alone.other_release["release"] == run["threat"]["release"]


def test_under_all_the_learned_model_costs_too() -> None:
    result = certify(tables(mechanism={"unlearning_epochs": 9}))
    assert result.other_release["release"] == "all"
    assert Fraction(result.other_release["epsilon"]) > Fraction(result.epsilon["upper"])
    assert certify(tables(mechanism={"unlearning_epochs": 0})).other_release is None
    together = certify(tables(threat={"release": "final", "reference": "retrain-T"}, mechanism={"radius": 1}))
    assert together.other_release == {"release": "all", "epsilon": None}, "all goes with retrain alone"


@settings(max_examples=60)
@given(valid_runs())
def test_the_worst_request_is_on_top(run: Any) -> None:
    result = certify(run)
    assert [r["size"] for r in result.requests] == list(result.run.mechanism.requests)
    assert [r["epochs"] for r in result.requests] == list(result.run.mechanism.unlearning_epochs)
    assert Fraction(result.epsilon["upper"]) == max(Fraction(r["epsilon"]) for r in result.requests)
    lower = result.epsilon["lower"]
    assert lower is None or Fraction(lower) <= Fraction(result.epsilon["upper"])
    assert result.mu["lower"] is None or Fraction(result.mu["lower"]) <= Fraction(result.mu["upper"])
    mu = Fraction(result.mu["upper"])
    for point in result.renyi:  # D_α ≤ αμ²/2, with the last of twelve digits rounded up
        exact = Fraction(point["order"]) * mu * mu / 2
        assert abs(Fraction(point["upper"]) - exact) <= exact * Fraction(1, 10**10)
    learned, released = (Fraction(result.wasserstein[key]) for key in ("learned", "released"))
    if result.run.mechanism.radius is not None:
        slack = 1 + Fraction(1, 10**10)
        assert max(learned, released) <= 2 * result.run.mechanism.radius * slack


def test_assumptions_follow_the_run() -> None:
    def ids(run: Any) -> list[str]:
        found = certify(run).assumptions
        assert all(a["text"] == ASSUMPTIONS[a["id"]] for a in found)
        return [f"{a['id']} {a['status']}" for a in found]

    usual = ["convexity attested", "smoothness attested", "gradient_bound attested", "gaussian_noise attested"]
    more = ["neighbours:replace-one attested", "batches:fixed attested", "release:final attested"]
    compared = "reference:retrain attested"
    assert ids(tables()) == [*usual, "starts attested", *more, compared]
    assert ids(tables(mechanism={"unlearning_epochs": 0})) == [*usual, "starts attested", *more]
    bounded = ids(tables(mechanism={"radius": 1}))
    assert bounded == [*usual, "projection attested", "starts attested", *more, compared]
    removed = ids(tables(threat={"neighbours": "remove-one"}))
    assert "neighbours:remove-one attested" in removed and "neighbours:replace-one attested" not in removed
    logistic = ids(tables(loss={"kind": "logistic", "regularization": "0.1"}))
    assert logistic[:4] == ["convexity proved", "smoothness proved", "gradient_bound proved", "feature_norm attested"]


def test_known_values() -> None:
    found = certify(EXAMPLES / "mnist.toml")
    assert found.verdict is Verdict.CERTIFIED
    assert found.epsilon == {"lower": "0.0779602571712", "upper": "0.0779602571713", "target": "1"}
    assert found.mu == {"lower": "0.03234896368", "upper": "0.0323489636801"}
    assert found.wasserstein["learned"].startswith("0.06106879870")
    assert found.delta == "0.000088778409091"
    assert found.published["chien2024"]["epsilon"].startswith("0.69274515")
    learning = certify(EXAMPLES / "learning.toml")
    assert learning.mu["upper"] == "0.432318844838" and learning.published == {"chien2024": {"epsilon": None}}


def test_degenerate_runs_have_their_own_answers() -> None:
    never_differ = certify(tables(loss=constants(1, "1/2", 0), target={"epsilon": 0}))
    assert never_differ.verdict is Verdict.CERTIFIED and never_differ.epsilon["upper"] == "0"
    forgotten = certify(tables(loss=constants(1, 1), mechanism={"step_size": "1/L"}, target={"epsilon": 0}))
    assert forgotten.verdict is Verdict.CERTIFIED and forgotten.mu["upper"] == "0"
    large_delta = certify(tables(target={"epsilon": 0, "delta": "0.5"}))
    assert large_delta.verdict is Verdict.CERTIFIED and large_delta.epsilon["upper"] == "0"
    assert Fraction(large_delta.mu["upper"]) > 0
    for start in (0, 1):
        with pytest.raises(UsageError, match=r"^mechanism\.epochs: 0, and no unlearning epochs either"):
            certify(tables(mechanism={"epochs": 0, "unlearning_epochs": 0, "initial_distance": start}))


@pytest.mark.parametrize(
    ("loss", "mechanism"),
    [
        (constants("3/8", "3/8"), {"step_size": "1/L", "initial_distance": 1}),  # slope 0
        (constants("3/8", "3/8"), {"step_size": "16/3", "epochs": 2, "samples": 4, "unlearning_epochs": 0}),  # slope -1
    ],
)
def test_witness_that_ends_at_zero(loss: Any, mechanism: Any) -> None:
    assert certify(tables(loss=loss, mechanism=mechanism)).mu["lower"] == "0"


def test_learning_with_steps_beyond_one_over_m() -> None:
    """ηm > 1: the witness's slope is negative, and there is no room for curvature."""
    found = certify(tables(mechanism={"step_size": "2.2", "unlearning_epochs": 0}, loss=constants("0.9", "0.8")))
    assert Fraction(found.mu["lower"]) <= Fraction(found.mu["upper"])


def test_equal_shifts_in_every_batch() -> None:
    """c = 1, every record differs, η no dyadic number: all the points of the staircase lie on one line."""
    everybody = tables(loss=constants("3/8", 0), mechanism={"step_size": "1/L", "unlearning_epochs": 0})
    assert certify(everybody | {"requests": {"sizes": [12]}}).verdict is Verdict.NOT_CERTIFIED


@pytest.mark.parametrize("epochs", [10**6, 10**12, 10**15])
def test_long_histories_are_as_quick(epochs: int) -> None:
    converged = certify(tables(mechanism={"epochs": epochs}))
    assert Fraction(converged.epsilon["upper"]) - Fraction(converged.epsilon["lower"]) < Fraction(1, 10**10)
    forgotten = certify(tables(mechanism={"unlearning_epochs": epochs}))
    assert 0 < Fraction(forgotten.mu["upper"]) < Fraction(1, 10**300) and forgotten.epsilon["upper"] == "0"


def test_progress_is_told_after_each_request() -> None:
    told: list[tuple[str, int, int]] = []
    certify(EXAMPLES / "breast_cancer.toml", progress=lambda *step: told.append(step))
    assert told == [("certify", 1, 3), ("certify", 2, 3), ("certify", 3, 3)]


def test_takes_a_run_that_was_read() -> None:
    run = read_run(EXAMPLES / "digits.toml")
    assert certify(run).as_json() == certify(EXAMPLES / "digits.toml").as_json()
