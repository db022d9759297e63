"""What the checker's tests share: accepted vectors, timelines, and enclosures beside the truth."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath as mp
from hypothesis import strategies as st

from certify import checker
from certify.checker import Interval, Phase, Timeline
from tests.vectors import make_certificates as make

VECTORS = Path(make.__file__).parent
ACCEPT = sorted((VECTORS / "accept").glob("*.json"))
BITS = 128
small = st.fractions(min_value=0, max_value=Fraction(3, 2), max_denominator=8)
MUTATED = [
    "restart_expansive",
    "retrain_T",
    "release_all_without_learning",
    "secret_learning",
    "curved_flat",
    "executed",
    "softmax_active_clip",
    "clipped_stationary",
    "scaled_poisson_ball",
    "training_full",
    "training_shuffled",
]
SLOWLY = [
    "two_requests_two_batches",
    "secret_curve_learning",
    "wavy_drifts",
    "noise_in_a_ball_stationary",
    "clipped_noise_in_a_ball",
    "training_stages",
    "own_data",
]


def statement_of(name: str) -> Any:
    """The statement inside an accepted vector."""
    return json.loads(base64.b64decode(json.loads((VECTORS / "accept" / f"{name}.json").read_bytes())["payload"]))


def exactly(number: tuple[int, int]) -> Fraction:
    return Fraction(number[0]) * Fraction(2) ** number[1]


def ends(interval: Interval) -> tuple[Fraction, Fraction]:
    return exactly(interval.low), exactly(interval.high)


def encloses_tightly(interval: Interval, truth: Fraction, bits: int = BITS) -> bool:
    low, high = ends(interval)
    return low <= truth <= high and high - low <= abs(truth) * Fraction(4, 2**bits)


def real(number: tuple[int, int]) -> mp.mpf:
    return mp.ldexp(mp.mpf(number[0]), number[1])


def contains(interval: Interval, truth: mp.mpf, tolerance: str = "1e-30") -> bool:
    """mpmath's 60 digits are not exact either: the enclosure may miss them by 1e-50."""
    low, high = real(interval.low), real(interval.high)
    slack = abs(truth) * mp.mpf("1e-50")
    return bool(low <= truth + slack and truth - slack <= high and high - low <= abs(truth) * mp.mpf(tolerance))


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """A few phases of a few epochs."""
    phases = []
    for _ in range(draw(st.integers(1, 3))):
        batches = draw(st.integers(1, 4))
        positions = sorted(draw(st.sets(st.integers(0, batches - 1), max_size=3)))
        counts = tuple(draw(st.integers(1, 3)) for _ in positions)
        factor, noise = draw(small), draw(st.fractions(Fraction(1, 8), 4, max_denominator=8))
        epochs, shift = draw(st.integers(1, 5)), draw(st.fractions(0, 2, max_denominator=8))
        phases.append(Phase(epochs, batches, factor, noise, shift, tuple(positions), counts))
    return Timeline(draw(small), draw(st.one_of(st.none(), st.fractions(Fraction(1, 4), 4))), tuple(phases))


def steps_of(timeline: Timeline) -> list[tuple[tuple[int, int], Fraction, Fraction, Fraction]]:
    """Every step as (moment before it, c, shift, noise)."""
    return [
        ((block, k), p.factor, p.shift * dict(zip(p.positions, p.counts, strict=True)).get(k % p.batches, 0), p.noise)
        for block, p in enumerate(timeline.phases)
        for k in range(p.steps)
    ]


def tracked(timeline: Timeline) -> Iterator[tuple[tuple[int, int], Fraction]]:
    """(moment, W∞) before every step, and at the end."""
    cap = timeline.diameter
    w = timeline.start if cap is None else min(timeline.start, cap)
    for moment, c, shift, _ in steps_of(timeline):
        yield moment, w
        w = c * w + shift if cap is None else min(c * w + shift, cap)
    yield timeline.end, w


def hidden_timeline(c: str, batches: int, learning: int, unlearning: int) -> tuple[Timeline, list[Any]]:
    """One record in the last of the batches, as the checker and as the producer write it."""
    described = [
        {"epochs": str(epochs), "batches": str(batches), "step_size": "0.5", "noise_std": "1.5", "records": records}
        for epochs, records in ((learning, [[str(batches - 1), "1"]]), (unlearning, []))
        if epochs
    ]
    factors = [Fraction(c)] * len(described)
    return checker.requests(Fraction(0), None, described, factors, [Fraction(2)] * len(described)), described


def real_of(value: Fraction) -> mp.mpf:
    return mp.mpf(value.numerator) / value.denominator


def exact_delta(epsilon: Fraction, mu: Fraction) -> mp.mpf:
    """T11 by erfc, with enough digits to survive the cancellation."""
    with mp.workdps(80 + int(epsilon * mp.mpf("0.45"))):
        e, m = make.real(epsilon), make.real(mu)
        upper, lower = (mp.erfc((e / m + sign * m / 2) / mp.sqrt(2)) / 2 for sign in (-1, 1))
        return upper - mp.exp(e) * lower


def is_admissible(timeline: Timeline, corners: list[Any]) -> bool:
    return checker.admissible(timeline, checker.string_pieces(timeline, corners), "taut_string")


def taut_string(timeline: Timeline, corners: list[Any], bits: int) -> Interval:
    """μ² of the string with these corners."""
    return checker.energy(checker.string_pieces(timeline, corners), "taut_string", bits)
