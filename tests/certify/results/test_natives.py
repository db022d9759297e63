"""μ, W∞ and the Rényi curve on the front page are the run's: the largest of all requests, each number by itself."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from scipy.special import logsumexp

from accountant import derive_farthest, enclose
from accountant.core.kernel import Derivation
from accountant.pnsgd.derive import RENYI_ORDERS
from certify import certify
from certify.results.result import Result
from certify.trust.certificate import make_statement
from tests.certify.runs import valid_runs

N, B, ETA, M, SIGMA = 40, 10, 0.1, 1.0, 0.02
L = N // B


def secret(delta: str, epochs: list[int], sizes: list[int]) -> dict[str, Any]:
    return {
        "mechanism": {
            "kind": "pnsgd", "samples": N, "batch_size": B, "epochs": 1, "unlearning_epochs": epochs,
            "noise_std": "0.02", "step_size": "0.1", "batch_order": "secret",
        },
        "loss": {"kind": "constants", "smoothness": 1, "strong_convexity": 1, "gradient_bound": 1},
        "requests": {"sizes": sizes},
        "target": {"epsilon": 1, "delta": delta},
        "threat": {"neighbours": "replace-one", "reference": "retrain", "release": "final"},
    }  # fmt: skip


def witness_divergence(order: float) -> float:
    """Oracle: D_α of a witness of request 1 (one epoch of learning, one of unlearning), by the trapezoidal rule.

    Losses are linear, and all other records have the gradient of the one that replaces the erased one: then the second
    run is one Gaussian wherever the record is, and the first a mixture over its secret position, d_j away.
    """
    c, s = 1 - ETA, 2 * ETA * M / B
    apart = np.array([s * c ** (L + j) for j in range(L)])
    deviation = np.sqrt(2 * ETA * SIGMA**2 * sum(c ** (2 * i) for i in range(2 * L)))
    x = np.arange(-400, 400, 0.01)  # in deviations
    p = logsumexp(-((x - apart[:, None] / deviation) ** 2) / 2, axis=0) - np.log(L)
    q = -(x**2) / 2
    return float(logsumexp(order * p + (1 - order) * q + np.log(0.01 / np.sqrt(2 * np.pi))) / (order - 1))


def at(result: Result, order: int) -> F:
    return next(F(point["upper"]) for point in result.renyi if point["order"] == str(order))


def test_the_curve_of_a_run_bounds_the_witness_of_every_request() -> None:
    """Request 2 has the larger ε; at order 256 a witness of request 1 has the larger divergence. Printed was the curve
    of request 2."""
    result = certify(secret("0.05", [1, 5], [1, 3]))
    first, second = (F(request["epsilon"]) for request in result.requests)
    assert result.claims.index(result.worst) == 1 and second > first
    one, two = result.natives
    assert F(two.renyi[-1]) < 57.2 < 62.8 < witness_divergence(256) < at(result, 256) == F(one.renyi[-1])
    assert at(result, 2) == F(two.renyi[1]) > F(one.renyi[1])


def test_mu_and_distance_belong_to_the_run_as_well() -> None:
    """The other way round: request 1 has the larger ε, and request 2 the larger W∞ after learning."""
    result = certify(secret("1e-5", [1, 5], [1, 3]))
    assert result.claims.index(result.worst) == 0
    one, two = result.natives
    assert result.wasserstein["learned"] == two.distance_learned and F(two.distance_learned) > F(one.distance_learned)
    assert result.mu["upper"] == max((enclose(claim.bound).upper_decimal() for claim in result.claims), key=F)
    assert result.mu["lower"] is None


def columns(result: Result) -> tuple[list[F], list[F], list[F], list[list[F]]]:
    """Computed again for each request by itself."""
    mus = [F(enclose(claim.bound).upper_decimal()) for claim in result.claims]
    curves = [[F(value) for value in native.renyi] for native in result.natives]
    learned = [F(native.distance_learned) for native in result.natives]
    released = [F(native.distance_released) for native in result.natives]
    return mus, learned, released, curves


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(valid_runs())
def test_the_front_page_has_the_largest_of_each(run) -> None:
    result = certify(run)
    mus, learned, released, curves = columns(result)
    assert F(result.mu["upper"]) == max(mus)
    assert (F(result.wasserstein["learned"]), F(result.wasserstein["released"])) == (max(learned), max(released))
    assert [F(point["upper"]) for point in result.renyi] == [max(column) for column in zip(*curves, strict=True)]
    lowers = [F(mu) for claim in result.claims if (mu := claim.mu_lower()) is not None]
    assert F(result.mu["lower"] or 0) == max(lowers, default=0)
    assert result.mu["lower"] is None or F(result.mu["lower"]) <= F(result.mu["upper"])
    for request, claim in enumerate(result.claims):
        far = derive_farthest(result.run.mechanism, request)
        assert far.theorem.id == "T10" and claim in result.claims


def test_every_claim_of_a_certificate_has_its_own() -> None:
    result = certify(secret("0.05", [1, 5], [1, 3]))
    predicate = make_statement(result)["predicate"]
    steps, claims = predicate["proof"]["steps"], predicate["proof"]["claims"]
    assert [set(claim) for claim in claims] == [
        {"bound", "lower", "renyi", "learned", "released", "mu"},
        {"bound", "lower", "renyi", "learned", "released"},
    ]
    curves = [steps[int(claim["renyi"])] for claim in claims]
    assert [step["theorem"] for step in curves] == ["T9r", "T2"]
    shown = [max(F(step["concludes"]["renyi"][i]) for step in curves) for i in range(len(RENYI_ORDERS))]
    assert [F(point["upper"]) for point in predicate["renyi"]] == shown
    for name in ("learned", "released"):
        stated = [F(steps[int(claim[name])]["concludes"]["wasserstein"]) for claim in claims]
        assert F(predicate["wasserstein"][name]) == max(stated)


def test_of_many_requests_each_timeline_is_derived_once(monkeypatch) -> None:
    """The work that is counted: T10 is applied once for each request, not again for its curve and its distances."""
    from accountant.theorems import requests as timeline

    applied = []
    whole = Derivation.__post_init__

    def counted(self: Derivation) -> None:
        applied.append(self.theorem)
        whole(self)

    monkeypatch.setattr(Derivation, "__post_init__", counted)
    run = secret("1e-5", [1] * 8, [1] * 8) | {"target": {"epsilon": 9, "delta": "1e-5"}}
    run["mechanism"]["batch_order"] = "fixed"
    certify(run)
    assert applied.count(timeline) == 8 + 8  # under the other release the last request's eight stretches are looked at
