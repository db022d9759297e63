"""What pictures are drawn from lies on its safe side: beside closed forms, quadratures and finer grids."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import mpmath
import pytest
from hypothesis import given, settings
from scipy.stats import binom

from accountant import apply, enclose, theorems
from accountant.pld import delta_bracket
from certify import certify, checker
from certify.pictures import sweeps as swept
from certify.pictures.figures import make_figures
from certify.results.compare_dpsgd import compare_training
from certify.trust.certificate import make_statement
from tests.certify.envelopes import seal
from tests.certify.runs import EXAMPLES, constants, mnist, tables, training, valid_runs
from tests.multiprecision import big

F = Fraction
SHORT = {"sampling": "poisson", "noise_multiplier": "0.8", "sample_rate": "0.1", "steps": 1}


def figures(source: Any) -> tuple[Any, dict[str, Any]]:
    result = certify(source)
    return result, make_figures(result)


def rows(profile: dict[str, Any]) -> list[tuple[Fraction, Fraction, Fraction | None]]:
    columns = profile["epsilon"], profile["upper"], profile["lower"]
    return [(F(e), F(u), None if low is None else F(low)) for e, u, low in zip(*columns, strict=True)]


def gaussian(mu: Any, epsilon: Fraction) -> mpmath.mpf:
    """Theory T11."""
    mu, epsilon = mpmath.mpf(mu), mpmath.mpf(epsilon.numerator) / epsilon.denominator
    first = mpmath.ncdf(mu / 2 - epsilon / mu)
    return first - mpmath.exp(epsilon) * mpmath.ncdf(-mu / 2 - epsilon / mu)


def check_shape(result: Any, made: dict[str, Any]) -> None:
    """What holds of any profile; and the checker takes the certificate."""
    if made is not None and made["profile"] is not None:
        found = rows(made["profile"])
        epsilons = [e for e, _, _ in found]
        assert epsilons == sorted(set(epsilons)) and epsilons[0] == 0
        assert {F(result.epsilon["upper"]), result.run.target_epsilon} <= set(epsilons)
        assert all(low is None or low <= up for _, up, low in found)
        assert all(later <= up for (_, up, _), (_, later, _) in pairwise(found))
        own = next(up for e, up, _ in found if e == F(result.epsilon["upper"]))
        assert own <= result.run.target_delta * (1 + F(1, 10**7))
    statement = make_statement(result, figures=made)
    report = checker.verify(seal(statement))
    assert report.verdict == str(result.verdict)


@settings(max_examples=20, deadline=None)
@given(run=valid_runs())
def test_any_run_has_figures_that_the_checker_takes(run: dict[str, Any]) -> None:
    result, made = figures(run)
    check_shape(result, made)
    assert make_figures(certify(run)) == made, "the same run, the same figures"


@pytest.mark.parametrize(
    "run",
    [
        training({"sampling": "full", "sample_rate": None, "steps": 20, "noise_multiplier": 5}),
        training({"steps": 20}),
        training({"sampling": "without-replacement", "samples": 200, "batch_size": 2, "sample_rate": None, "steps": 9}),
        training({"samples": 6000, "sample_rate": "0.01", "max_batch_size": 120, "steps": 20}),
        tables(mechanism={"radius": 1, "unlearning_epochs": 4}, threat={"reference": "stationary"}),
        tables(mechanism={"unlearning_epochs": [1, 2]}, requests={"sizes": [1, 1]}, threat={"release": "all"}),
        tables(mechanism={"noise_std": "1e5"}),
        tables(target={"epsilon": 0, "delta": "1e-30"}),
    ],
)
def test_other_kinds_of_runs_have_them_too(run: dict[str, Any]) -> None:
    check_shape(*figures(run))


def test_the_gaussian_profile_against_mpmath() -> None:
    result, made = figures(EXAMPLES / "digits.toml")
    with mpmath.workdps(60):
        for epsilon, up, low in rows(made["profile"]):
            least, most = (gaussian(result.mu[side], epsilon) for side in ("lower", "upper"))
            assert mpmath.mpf(low.numerator) / low.denominator <= most
            assert least <= mpmath.mpf(up.numerator) / up.denominator <= most * (1 + mpmath.mpf(10) ** -6)


def test_the_profile_of_a_secret_order_is_the_mean_over_the_batches() -> None:
    """T9 by T4: c = 3/4, three batches, μ_j = Z_j c^{Kl} sqrt((1−c²)/(1−c^{2(l(T+K)−j)}))/τ."""
    _, made = figures(tables(mechanism={"batch_order": "secret"}))
    with mpmath.workdps(40):
        c, s, tau = mpmath.mpf("0.75"), mpmath.mpf("0.25"), mpmath.sqrt("0.25")  # s = 2ηM/b, τ² = 2ησ²
        z = [s * c ** (2 - j) * (1 - c**9) / (1 - c**3) for j in range(3)]
        mus = [z[j] * c**3 * mpmath.sqrt((1 - c**2) / (1 - c ** (2 * (12 - j)))) / tau for j in range(3)]
        for epsilon, up, low in rows(made["profile"]):
            truth = sum(gaussian(mu, epsilon) for mu in mus) / 3
            above = mpmath.mpf(up.numerator) / up.denominator
            assert truth <= above <= truth * (1 + mpmath.mpf(10) ** -4) + mpmath.mpf(10) ** -60
            assert low is not None
            # the two runs of the witness: mixtures with the same μ_j, so that no test on them tells more
            assert mpmath.mpf(low.numerator) / low.denominator <= truth


def test_the_profile_of_a_range_inverts_its_theorem() -> None:
    result, made = figures(EXAMPLES / "network.toml")
    upper = result.worst.upper
    assert upper.theorem.id == "T24"
    sampled = [(epsilon, up) for epsilon, up, _ in rows(made["profile"])[8:-1:8] if up > F(1, 10**300)]
    assert len(sampled) >= 4  # beyond them δ is so small that the theorem does not decide
    for epsilon, up in sampled:
        delta = up * F(1001, 1000)
        arguments = dict(upper.arguments) | {"delta": delta}
        again = enclose(apply(theorems.range_before_noise, *upper.premises, **arguments)).upper
        assert again <= epsilon  # at a δ that is a little larger the theorem gives no larger ε
        assert again >= epsilon * F(99, 100) or up == result.run.target_delta


def diffused(mu: Any, ratio: Any, steps: int, epsilon: Fraction) -> mpmath.mpf:
    """Theory T24."""
    delta, grown = gaussian(mu, epsilon), mpmath.expm1(big(epsilon))
    for _ in range(steps):
        if delta < mpmath.mpf(10) ** -40:  # below what the digits can tell apart
            return mpmath.mpf(0)
        odds = 1 + grown / delta
        bend = mpmath.log(odds) / ratio
        delta *= mpmath.ncdf(ratio / 2 - bend) - odds * mpmath.ncdf(-ratio / 2 - bend)
    return delta


@pytest.mark.parametrize(("epochs", "noise"), [([8, 8], "1"), ([1, 8], "0.3"), ([1, 3], "0.5")])
def test_the_profile_of_several_requests_is_above_each(epochs: list[int], noise: str) -> None:
    """Which of them is the worst differs with ε: a picture of the one that is it at the target's δ would be too low."""
    run = tables(
        loss={"kind": "clipped", "regularization": "0.1", "clip": 1},
        mechanism={"radius": "0.5", "noise_std": noise, "step_size": "0.2", "unlearning_epochs": epochs},
        requests={"sizes": [1, 2]},
        target={"epsilon": 30},
    )
    result, made = figures(run)
    with mpmath.workdps(60):
        tau = mpmath.sqrt(big(2 * F("0.2") * F(noise) ** 2))
        for claim in result.claims:
            assert claim.upper.theorem.id == "T24"
            pair, rate = claim.upper.premises
            arguments, shift = dict(claim.upper.arguments), getattr(rate.preview, "distance", F(0))
            steps = arguments["phase"].epochs * arguments["phase"].batches
            ratio = big(rate.preview.factor * arguments["diameter"] + shift) / tau
            for epsilon, up, _ in rows(made["profile"])[::5]:
                mu, whole = big(enclose(pair).lower), big(enclose(claim.bound).lower)
                least = min(diffused(mu, ratio, steps, epsilon), gaussian(whole, epsilon))
                if epsilon >= F(claim.epsilon.upper_decimal()):
                    least = min(least, big(result.run.target_delta))
                assert big(up) >= least


def one_step(q: Any, z: Any, epsilon: Fraction) -> tuple[mpmath.mpf, mpmath.mpf]:
    """δ of one Poisson step in both directions, from the densities: the likelihood ratio grows with x."""
    q, z, e = mpmath.mpf(q), mpmath.mpf(z), mpmath.mpf(epsilon.numerator) / epsilon.denominator

    def at(ratio: mpmath.mpf) -> mpmath.mpf:
        """The x with (1−q) + q·exp((x − 1/2)/z²) = ratio."""
        return z**2 * mpmath.log((ratio - 1 + q) / q) + mpmath.mpf(1) / 2

    def tail(x: mpmath.mpf, mean: int) -> mpmath.mpf:
        return mpmath.ncdf((mean - x) / z)

    x = at(mpmath.exp(e))
    removed = (1 - q) * tail(x, 0) + q * tail(x, 1) - mpmath.exp(e) * tail(x, 0)
    if mpmath.exp(-e) <= 1 - q:
        return removed, mpmath.mpf(0)
    x = at(mpmath.exp(-e))
    added = (1 - tail(x, 0)) - mpmath.exp(e) * ((1 - q) * (1 - tail(x, 0)) + q * (1 - tail(x, 1)))
    return removed, max(added, mpmath.mpf(0))


def test_one_sampled_step_against_its_densities() -> None:
    _, made = figures(training(SHORT))
    with mpmath.workdps(40):
        for epsilon, up, low in rows(made["profile"]):
            truth = max(one_step("0.1", "0.8", epsilon))
            assert mpmath.mpf(low.numerator) / low.denominator <= truth
            assert truth <= mpmath.mpf(up.numerator) / up.denominator


def test_a_composed_profile_encloses_a_finer_one() -> None:
    result, made = figures(training({"steps": 300, "sample_rate": "0.02"}))
    (whole,) = (node for node in result.worst.upper.nodes() if node.theorem.id == "T19")
    releases = dict(whole.arguments)["releases"]
    for epsilon, up, low in rows(made["profile"])[::7]:
        least, most = delta_bracket(releases, "add-or-remove-one", epsilon, points=1 << 12)
        assert low <= most and least <= up
        assert up <= 2 * most


def test_cut_batches_pay_for_their_tail() -> None:
    result, made = figures(training({"samples": 6000, "sample_rate": "0.01", "max_batch_size": 110, "steps": 20}))
    (whole,) = (node for node in result.worst.upper.nodes() if node.theorem.id == "T19")
    releases = dict(whole.arguments)["releases"]
    missed = F(float(binom.sf(110, 6001, 0.01)))  # P[Bin > c]; the theorem has an upper bound of it
    for epsilon, up, _ in rows(made["profile"])[::9]:
        least, _ = delta_bracket(releases, "add-or-remove-one", epsilon, points=1 << 10)
        assert up >= least * F(999, 1000) + 20 * (1 + F(float(mpmath.exp(float(epsilon))))) * missed * F(999, 1000)


def test_the_lower_profile_of_learning_is_nearly_the_upper_one() -> None:
    """T6c at every ε; the straight witness alone is far below."""
    result, made = figures(EXAMPLES / "learning.toml")
    assert result.worst.lower.theorem.id == "T6c"
    for _, up, low in rows(made["profile"]):
        assert up * F(99, 100) <= low <= up


@pytest.mark.parametrize("name", ["digits", "breast_cancer"])
def test_a_sweep_says_what_certify_says_of_the_changed_run(name: str) -> None:
    result, made = figures(EXAMPLES / f"{name}.toml")
    sweep, request = made["sweep"], result.claims.index(result.worst)
    own = result.run.mechanism.unlearning_epochs
    assert sweep["parameter"] == "unlearning_epochs" and str(own[request]) in sweep["values"]
    at = sweep["values"].index(str(own[request]))
    assert (sweep["upper"][at], sweep["lower"][at]) == (result.epsilon["upper"], result.epsilon["lower"])
    for value in ("1", "3", "5"):
        changed = [int(value) if i == request else k for i, k in enumerate(own)]
        claim = certify(result.run.with_values(unlearning_epochs=changed)).claims[request]
        i = sweep["values"].index(value)
        assert claim.epsilon.lower <= F(sweep["upper"][i]) <= claim.epsilon.upper * (1 + F(1, 10**6))
        assert claim.witness_epsilon.lower * (1 - F(1, 10**6)) <= F(sweep["lower"][i]) <= claim.witness_epsilon.upper


def test_the_sweep_of_learning_varies_its_epochs() -> None:
    result, made = figures(EXAMPLES / "learning.toml")
    sweep = made["sweep"]
    assert sweep["parameter"] == "epochs" and "100" in sweep["values"] and sweep["published_name"] is None
    i = 3
    found = certify(result.run.with_values(epochs=int(sweep["values"][i])))
    assert F(sweep["upper"][i]) >= F(found.epsilon["lower"])
    assert F(found.epsilon["lower"]) * F(999, 1000) <= F(sweep["lower"][i]) <= F(found.epsilon["upper"])


def test_the_published_bounds_are_those_of_the_comparison() -> None:
    result, made = figures(mnist())
    sweep = made["sweep"]
    assert sweep["published_name"] == "chien2024" and made["published"] == dict(result.published)
    assert F(sweep["published"][0]) == pytest.approx(F(result.published["chien2024"]["epsilon"]), rel=1e-7)
    result, made = figures(EXAMPLES / "network.toml")
    assert made["sweep"]["published_name"] == "koloskova2025"


@pytest.mark.parametrize("sampled", [False, True])
def test_the_sweep_of_training_stops_and_goes_on(sampled: bool) -> None:
    mechanism = {"steps": 40} if sampled else {"sampling": "full", "sample_rate": None, "steps": 40}
    run = training(mechanism | {"noise_multiplier": 4})
    result, made = figures(run)
    sweep = made["sweep"]
    assert (sweep["parameter"], sweep["published_name"]) == ("steps", "renyi")
    for value in ("20", "100"):
        i = sweep["values"].index(value)
        found = certify(result.run.with_values(steps=int(value)))
        assert F(found.epsilon["lower"]) <= F(sweep["upper"][i]) <= F(found.epsilon["upper"]) * F(11, 10)
        assert F(found.epsilon["lower"]) * F(9, 10) <= F(sweep["lower"][i]) <= F(found.epsilon["upper"])
    own = sweep["values"].index("40")
    route = next(row.epsilon for row in compare_training(result.run).rows if row.name == "renyi")
    assert F(sweep["published"][own]) == pytest.approx(F(route), rel=5e-3)
    assert F(sweep["published"][own]) >= F(result.epsilon["lower"])


def test_stages_are_a_prefix_and_the_last_one_goes_on() -> None:
    run = training({"steps": 30}, stages=[{"noise_multiplier": 4, "steps": 30}])
    _, made = figures(run)
    sweep = made["sweep"]
    assert sweep["values"] == ["8", "15", "30", "60", "90", "150", "240"]
    first = certify(training({"steps": 15}))
    i = sweep["values"].index("15")
    assert F(first.epsilon["lower"]) <= F(sweep["upper"][i]) <= F(first.epsilon["upper"]) * F(11, 10)


def test_a_long_history_has_no_sweep_and_nothing_to_hide_no_profile() -> None:
    many = swept.MAX_REQUESTS + 1
    run = mnist(mechanism={"unlearning_epochs": [1] * many}, requests={"sizes": [1] * many})
    _, made = figures(run)
    assert made["sweep"] is None and made["profile"] is not None
    _, made = figures(tables(constants(1, "1/2", 0)))
    assert made["profile"] is None


def test_a_point_that_is_refused_is_null(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = swept.derive_upper

    def refuse(mechanism: Any, *arguments: Any) -> Any:
        if mechanism.unlearning_epochs == (3,):
            raise swept.TheoremError("no")
        return usual(mechanism, *arguments)

    monkeypatch.setattr(swept, "derive_upper", refuse)
    _, made = figures(tables())
    sweep = made["sweep"]
    assert [v for v, e in zip(sweep["values"], sweep["upper"], strict=True) if e is None] == ["3"]
