"""Random runs without convexity: the slow producer and the checker agree, above the truth."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from certify import checker
from certify.checker import Interval
from tests.certify.checking.cases import BITS, ends
from tests.vectors import make_certificates as make


def random_run(draw: st.DrawFn) -> tuple[Any, dict[str, Any]]:
    """A run without convexity, and how to prove something about it."""
    pick = lambda *options: draw(st.sampled_from(options))  # noqa: E731
    kind, bounded, batch = pick("clipped", "wavy", "softmax"), draw(st.booleans()), pick("5", "10", "30")
    requests = draw(st.integers(1, 2))
    unlearning = [str(draw(st.integers(0, 2))) for _ in range(requests)]
    radius, threat = pick("0.1", "0.75") if bounded else None, {"neighbours": pick("replace-one", "remove-one")}
    if bounded and int(unlearning[0]):
        threat["reference"] = pick("retrain", "stationary")
    rates = [pick("T22", "T23") for _ in range(requests + 1)]
    alone = bounded and requests == 1 and threat.get("reference") != "stationary" and kind != "clipped"
    if not alone:
        rates = ["T23"] * (requests + 1)
    sizes = ["1"] if alone else [str(draw(st.integers(1, 12))) for _ in range(requests)]
    loss = {
        "clipped": make.CLIPPED,
        "wavy": make.WAVY,
        "softmax": {"kind": "softmax", "regularization": "0.1", "feature_norm": "1", "classes": "3", "clip": "0.5"},
    }[kind]
    mechanism = {"batch_size": batch, "epochs": "2", "unlearning_epochs": unlearning, "radius": radius}
    mechanism |= {"step_size": pick("0.05", "0.3"), "noise_std": pick("2", "9"), "batch_order": pick("fixed", "secret")}
    if not alone and threat.get("reference") != "stationary":
        mechanism["initial_distance"] = pick("0", "0.05")
    choices: dict[str, Any] = {"rates": tuple(rates), "restart": bounded}
    if bounded and all(map(int, unlearning)) and draw(st.booleans()):
        choices["before_noise"] = (1, "T23" if kind == "clipped" else pick("T22", "T23"))
    elif threat.get("reference") != "stationary" and int(unlearning[0]):
        threat["release"] = pick("final", "all")
    run = make.small(mechanism=mechanism, loss=loss, requests={"sizes": sizes}, threat=threat)
    return run, choices


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_random_runs_without_convexity(data: st.DataObject) -> None:
    """The slow producer and the checker agree on all digits; a digit less is refused."""
    run, choices = random_run(data.draw)
    stated = make.statement(run, **choices)
    report = checker.verify(make.seal(stated))
    assert report.assumptions[0][:2] == ("convexity", "violated")
    assert "The run does not have this, and no step of the proof rests on it:\n  violated  convexity" in str(report)
    shown = stated["predicate"]["epsilon"]["upper"]
    if shown not in ("0", stated["predicate"]["epsilon"]["target"]):
        lie = json.dumps(stated).replace(f'"{shown}"', f'"{make.lower_by_a_digit(shown)}"')
        with pytest.raises(checker.DoesNotFollow):
            checker.verify(make.seal(json.loads(lie)))


@pytest.mark.parametrize("rates", [("T22", "T22"), ("T22", "T23"), ("T23", "T22"), ("T23", "T23")])
@pytest.mark.parametrize(("radius", "unlearning"), [("0.5", "0"), ("0.5", "1"), ("0.1", "1")])
def test_bounds_without_convexity_are_above_the_truth(rates: tuple[str, str], radius: str, unlearning: str) -> None:
    """Concave records that push the runs apart as fast as L allows: densities on a grid (in doubles, to about 1e-4)."""
    mechanism = {"step_size": "0.1", "epochs": "2", "unlearning_epochs": [unlearning], "radius": radius}
    stated = make.statement(make.small(mechanism=mechanism, loss=make.WAVY), rates=rates, restart=True)
    checker.verify(make.seal(stated))
    mu = Fraction(stated["predicate"]["mu"]["upper"])
    points, tau = np.linspace(-float(radius), float(radius), 401), 0.5 * np.sqrt(0.2)
    edges = np.concatenate(([-np.inf], (points[1:] + points[:-1]) / 2, [np.inf]))
    for position in (0, 1, 2):  # the last batch is the worst, whatever rates the phases go by
        finals = []
        for sign in (1, -1):
            weights = (points == 0).astype(float)
            for step in range(3 * (2 + int(unlearning))):
                shifted = step < 6 and step % 3 == position
                concave = -1.1 * points * (0.9 if shifted else 1)  # data curvature -(L + m) of the other records
                moved = points - 0.1 * (0.1 * points + concave) - sign * (0.1 / 10 if shifted else 0)
                weights = weights @ np.diff(ndtr((edges - moved[:, None]) / tau), axis=1)
            finals.append(weights)
        for epsilon in (Fraction(0), Fraction(1, 20)):
            truth = np.maximum(finals[0] - np.exp(float(epsilon)) * finals[1], 0).sum()
            bound = ends(checker.profile(epsilon, Interval.of(mu, BITS)))[1]
            assert truth <= float(bound) + 1e-4
            if rates == ("T22", "T22") and unlearning == "0" and epsilon == 0 and position == 2:
                assert truth >= float(bound) / 2  # and not by accident
