"""Excursions, T26."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from certify import checker
from certify.checker import Interval, Phase, Timeline
from tests.certify.checking.cases import BITS, contains, ends, real_of
from tests.vectors import make_certificates as make

pytestmark = pytest.mark.usefixtures("sixty_digits")


def drawn_timeline(data: st.DataObject, several: bool = True) -> Timeline:
    """Phases that drift and phases that do not, with records in any batches."""
    batches, phases = data.draw(st.integers(1, 3)), []
    tenth = lambda most: st.fractions(0, most, max_denominator=10)  # noqa: E731
    for _ in range(data.draw(st.integers(1, 3))):
        positions = data.draw(st.sets(st.integers(0, batches - 1), max_size=batches if several else 1))
        counts = tuple(data.draw(st.integers(1, 3 if several else 1)) for _ in positions)
        shift, drifts = data.draw(tenth(1)), data.draw(st.booleans())
        factor = data.draw(st.one_of(st.just(Fraction(0)), st.just(Fraction(1)), tenth(1)))
        drift = shift * max([1, *counts]) * data.draw(st.fractions(1, 4, max_denominator=4)) if drifts else None
        epochs, noise = data.draw(st.integers(1, 3)), data.draw(st.fractions(Fraction(1, 4), 2, max_denominator=4))
        phases.append(Phase(epochs, batches, factor, noise, shift, tuple(sorted(positions)), counts, drift))
    start, diameter = data.draw(st.one_of(st.just(Fraction(0)), tenth(2))), data.draw(st.one_of(st.none(), tenth(3)))
    return Timeline(start, diameter, tuple(phases))


def single_steps(timeline: Timeline) -> list[Any]:
    """(moment, ρ, s, d, τ²) of each step."""
    found = []
    for block, phase in enumerate(timeline.phases):
        shifts = {p: n * phase.shift for p, n in zip(phase.positions, phase.counts, strict=True)}
        for step in range(phase.steps):
            s = shifts.get(step % phase.batches, Fraction(0))
            found.append(((block, step), phase.factor, s, s if phase.drift is None else phase.drift, phase.noise))
    return found


def as_moment(timeline: Timeline, step: int) -> dict[str, str]:
    """Just before the step of that number, from the start."""
    for block, phase in enumerate(timeline.phases):
        if step < phase.steps:
            epoch, position = divmod(step, phase.batches)
            return {"block": str(block), "epoch": str(epoch), "position": str(position)}
        step -= phase.steps
    return {"block": str(len(timeline.phases)), "epoch": "0", "position": "0"}


@given(st.data())
def test_distances_that_drift(data: st.DataObject) -> None:
    """T1 against its steps one by one, at every end of a phase."""
    timeline = drawn_timeline(data)
    cap = timeline.diameter
    w = timeline.start if cap is None else min(timeline.start, cap)
    for (block, step), rho, s, d, _ in single_steps(timeline):
        w = rho * w + (d if w > 0 else s)
        w = w if cap is None else min(w, cap)
        if step == timeline.phases[block].steps - 1:
            assert checker.wasserstein_tracking(timeline, (block + 1, 0), None) == w
            assert contains(checker.wasserstein_tracking(timeline, (block + 1, 0), BITS), real_of(w), "1e-25")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_gauges_are_a_schedule(data: st.DataObject) -> None:
    """Whatever excursions are accepted: a_k ≥ 0 with z_k ≥ ψ_k(z_(k-1)) - a_k, z_k ≥ 0, z_N = 0, and Σ a²/τ² = μ²; and
    excursions that are refused because z dips below zero have none of that form."""
    timeline = drawn_timeline(data, several=data.draw(st.booleans()))
    steps = single_steps(timeline)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(steps)), max_size=4)))
    restart = data.draw(st.integers(1, len(steps))) if timeline.diameter and data.draw(st.booleans()) else None
    apart = timeline.start if restart is None else timeline.diameter
    begin = restart or 0
    cuts = [cut for cut in cuts if cut >= begin]
    if apart and begin not in cuts:
        cuts = [begin, *cuts]
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    args: Any = {"excursions": [{"from": as_moment(timeline, i), "to": as_moment(timeline, j)} for i, j in pairs]}
    args |= {"restart": as_moment(timeline, restart)} if restart else {}
    try:
        excursions, name, composed = checker.gauges(timeline, args)
    except checker.DoesNotFollow:
        assume(False)
    unknown = any(phase.batches > 1 and sum(phase.counts) > 1 for phase in timeline.phases)
    total, least, k = Fraction(0), Fraction(0), begin
    while k < len(steps):
        end = dict(pairs).get(k)
        if end is None:  # composed
            total += steps[k][2] ** 2 / steps[k][4]
            k += 1
            continue
        z = apart if k == begin else Fraction(0)
        moves = [(rho, d, noise) if z or i or unknown else (rho, s, noise)
                 for i, (_, rho, s, d, noise) in enumerate(steps[k:end])]  # fmt: skip
        w, v = z, Fraction(0)
        for rho, move, noise in moves:
            w, v = rho * w + move, rho**2 * v + noise
        weight = [Fraction(1)]
        for rho, *_ in moves[:0:-1]:
            weight.append(weight[-1] * rho)
        for (rho, move, noise), c in zip(moves, weight[::-1], strict=True):
            a = w / v * c * noise
            z, total = rho * z + move - a, total + a**2 / noise
            least = min(least, z)
        assert z == 0
        k = end
    above = all(excursion.stays_above_zero(None) for excursion, _ in excursions)
    assert above == (least >= 0)
    assert contains((checker.energy(excursions, name, BITS) + composed), real_of(total), "1e-20")


def test_gauges_of_the_theory() -> None:
    """ρ = .5, τ = 1, s = (1, 0, .1), d = (1, .1, 1): .298, where composition costs 1.01."""
    rows = [("1", "1"), ("0", "0.1"), ("0.1", "1")]
    phases = tuple(Phase(1, 1, Fraction(1, 2), Fraction(1), Fraction(s), (0,), (1,), Fraction(d)) for s, d in rows)
    timeline = Timeline(Fraction(0), None, phases)
    moments = [{"block": str(i), "epoch": "0", "position": "0"} for i in range(4)]
    for pairs, cost in (([(0, 2)], "0.298"), ([], "1.01")):
        given_ = {"excursions": [{"from": moments[i], "to": moments[j]} for i, j in pairs]}
        excursions, name, composed = checker.gauges(timeline, given_)
        value = checker.energy(excursions, name, BITS) + composed
        assert all(excursion.stays_above_zero(BITS) for excursion, _ in excursions)
        assert contains(value, mp.mpf(cost), "1e-20")
    least = make.gauges([((i, 0, 0), mp.mpf(1) / 2, mp.mpf(s), mp.mpf(d), mp.mpf(1)) for i, (s, d) in enumerate(rows)]
                        + [((3, 0, 0), None, None, None, None)], mp.mpf(0), False, True, set())  # fmt: skip
    assert abs(least[1] - mp.mpf("0.298")) < mp.mpf(10) ** -30


CLIPPED_RUNS: list[tuple[Any, Any, list[list[int]]]] = [  # run, choices, batches that the differing records are in
    ({"samples": "3", "batch_size": "1", "noise_std": "1"}, {}, [[0], [1], [2]]),
    ({"samples": "6", "batch_size": "2", "noise_std": "1", "unlearning_epochs": ["0"]}, {}, [[0, 0], [0, 1], [0, 2]]),
    (
        {"samples": "4", "batch_size": "2", "noise_std": "1", "radius": "0.5"},
        {"restart": True},
        [[0, 0], [0, 1], [1, 1]],
    ),
    ({"samples": "2", "batch_size": "2", "noise_std": "1", "epochs": "6"}, {}, [[0], [0, 0]]),
]


@pytest.mark.parametrize("row", range(len(CLIPPED_RUNS)))
@pytest.mark.parametrize("by_batch", [False, True])
@pytest.mark.parametrize("decay", ["1.6", "0.2"])
def test_gauges_are_above_the_truth(row: int, by_batch: bool, decay: str) -> None:
    """Gradients that point away from where the other run is, as far as the clip allows: densities on a grid."""
    mechanism, choices, placements = CLIPPED_RUNS[row]
    loss = {"kind": "clipped", "regularization": decay, "clip": "0.5"} | ({"clipping": "batch"} if by_batch else {})
    points, eta, bound = np.linspace(-3, 3, 241), 0.5, 0.5
    for placed in placements:
        run = make.small(mechanism={"step_size": "0.5"} | mechanism, loss=loss, requests={"sizes": [str(len(placed))]},
                         target={"epsilon": "50"})  # fmt: skip
        stated = make.statement(run, rates=("T23b" if by_batch else "T23",) * 2, **choices)
        checker.verify(make.seal(stated))
        mu, read = Fraction(stated["predicate"]["mu"]["upper"]), run["mechanism"]
        batch, epochs, later = int(read["batch_size"]), int(read["epochs"]), int(read["unlearning_epochs"][0])
        batches, radius = int(read["samples"]) // batch, float(read["radius"] or 3)
        edges = np.concatenate(([-np.inf], (points[1:] + points[:-1]) / 2, [np.inf]))
        for tilt in (0.0, 1.0):  # all others push outward, from 0; or towards +1
            finals = []
            for sign in (1, -1):
                weights = (np.abs(points) < 1e-9).astype(float)
                for step in range(batches * (epochs + later)):
                    count = placed.count(step % batches) if step < batches * epochs else 0
                    push = np.sign(points - tilt) if tilt else np.sign(points)
                    if by_batch:
                        gradient = np.full_like(points, sign * bound) if count else bound * push
                    else:
                        gradient = ((batch - count) * bound * push + count * sign * bound) / batch
                    moved = np.clip(points, -radius, radius) * (1 - eta * float(decay)) + eta * gradient
                    weights = weights @ np.diff(ndtr((edges - moved[:, None]) / np.sqrt(2 * eta)), axis=1)
                finals.append(weights)
            for epsilon in (0.0, 0.3):
                truth = np.maximum(finals[0] - np.exp(epsilon) * finals[1], 0).sum()
                above = ends(checker.profile(Fraction(epsilon).limit_denominator(10), Interval.of(mu, BITS)))[1]
                assert truth <= float(above) + 1e-3, (placed, tilt, epsilon)


def test_a_drift_is_not_left_out_while_the_runs_are_apart() -> None:
    """ρ = 0, s = (1, 0), and then both runs go to ±1 by their sign: the shifts alone would give μ = 0; TV is 0.3655."""
    first = Phase(1, 1, Fraction(0), Fraction(1), Fraction(1), (0,), (1,), Fraction(2))
    second = replace(first, positions=(), counts=())
    timeline = Timeline(Fraction(0), None, (first, second))
    at = [{"block": str(i), "epoch": "0", "position": "0"} for i in range(3)]
    for pairs in ([], [(0, 2)], [(0, 1)]):
        excursions, name, composed = checker.gauges(
            timeline, {"excursions": [{"from": at[i], "to": at[j]} for i, j in pairs]}
        )
        bound = checker.profile(Fraction(0), (checker.energy(excursions, name, BITS) + composed).sqrt())
        assert ends(bound)[1] > Fraction("0.3655")
