"""What the accountant's tests share: square roots kept exact, timelines for code and oracle alike, vectors read."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from accountant import ConstantLoss, Derivation, NoisySGD, apply, evaluate, theorems
from accountant.core.arithmetic import Exact, Number
from accountant.core.facts import Direction, Facts, Family
from accountant.core.kernel import THEOREMS
from accountant.mechanisms.timeline import Phase
from accountant.pld import Grid, Orders, Release
from accountant.pnsgd.derive import pull_taut
from accountant.theorems.flow import Mark
from accountant.theorems.gauges import Excursion
from accountant.theorems.shifts import Corner
from tests.oracles import timeline as oracle

F = Fraction
HALF = F(1, 2)


class Surd:
    """The square root of a rational, kept as its square: μ itself is irrational, μ² is not."""

    def __init__(self, square: Fraction):
        self.square = Fraction(square)

    def __rtruediv__(self, number: Fraction) -> Surd:
        return Surd(Fraction(number) ** 2 / self.square)

    def __mul__(self, other: Surd) -> Fraction:
        assert other is self, "only the square of a root is rational"
        return self.square


class Surds(Exact):
    """Exact arithmetic in which a square root stays one."""

    def sqrt(self, x: Number) -> Number:
        return Surd(x)

    def at_least(self, x: Number, y: Number) -> bool | None:
        if isinstance(x, Surd):  # all that is asked of a root: whether it is negative
            return y <= 0 or x.square >= y * y
        return super().at_least(x, y)


def mu_squared(pair: Derivation) -> Fraction:
    """μ² as an exact rational, computed by the theorem's own body."""
    mu = evaluate(pair, Surds()).mu
    return mu.square if isinstance(mu, Surd) else Fraction(mu) ** 2


@dataclass(frozen=True)
class Stage:
    """One phase with the constants of its loss; gives T10 its premises and the oracle its steps."""

    epochs: int
    batches: int
    batch_size: int
    step_size: Fraction
    noise_std: Fraction
    strong_convexity: Fraction
    smoothness: Fraction
    gradient_bound: Fraction
    records: tuple[tuple[int, int], ...] = ()

    @property
    def factor(self) -> Fraction:
        return max(abs(1 - self.step_size * self.strong_convexity), abs(1 - self.step_size * self.smoothness))

    @property
    def shift(self) -> Fraction:
        return 2 * self.step_size * self.gradient_bound / self.batch_size

    @property
    def variance(self) -> Fraction:
        return 2 * self.step_size * self.noise_std**2

    @property
    def phase(self) -> Phase:
        return Phase(self.epochs, self.batches, self.batch_size, self.step_size, self.noise_std, self.records)


def stage(
    c: Number,
    shift: Number = 1,
    *,
    epochs: int = 1,
    batches: int = 1,
    records: Iterable[tuple[int, int]] = (),
    batch_size: int = 3,
    step_size: Number = HALF,
    noise_std: Number = 1,
) -> Stage:
    """A stage with contraction c and shift `shift` for each differing record."""
    c, eta = Fraction(c), Fraction(step_size)
    m, smoothness = ((1 - c) / eta, 1 / eta) if c <= 1 else (Fraction(0), (1 + c) / eta)
    bound = Fraction(shift) * batch_size / (2 * eta)
    return Stage(epochs, batches, batch_size, eta, Fraction(noise_std), m, smoothness, bound, tuple(records))


def rates(item: Stage) -> tuple[Derivation, Derivation]:
    """C1 and C2 of a stage."""
    return (
        apply(
            theorems.contraction,
            step_size=item.step_size,
            strong_convexity=item.strong_convexity,
            smoothness=item.smoothness,
        ),
        apply(
            theorems.gradient_shift,
            step_size=item.step_size,
            batch_size=item.batch_size,
            gradient_bound=item.gradient_bound,
            neighbours="replace-one",
        ),
    )


def history(stages: Sequence[Stage], start: Number = 0, diameter: Number | None = None) -> Derivation:
    """T10 of these stages."""
    return apply(
        theorems.requests,
        *(rate for item in stages for rate in rates(item)),
        start=Fraction(start),
        diameter=None if diameter is None else Fraction(diameter),
        phases=tuple(item.phase for item in stages),
    )


def unroll(stages: Sequence[Stage]) -> list[oracle.Step]:
    """The same stages, step by step, for the oracle."""
    return oracle.expand(
        oracle.Phase(
            item.epochs,
            item.batches,
            item.factor,
            item.variance,
            {position: count * item.shift for position, count in item.records},
        )
        for item in stages
    )


def taut(stages: Sequence[Stage], start: Number = 0, diameter: Number | None = None) -> Derivation:
    """T3 with the corners that the search finds."""
    return pull_taut(history(stages, start, diameter))


def string(stages: Sequence[Stage], start: Number, corners: Sequence[tuple[int, ...]]) -> Derivation:
    """T3 with corners of one's own, each (block, position, first[, last])."""
    made = tuple(Corner(*corner, corner[-1]) if len(corner) == 3 else Corner(*corner) for corner in corners)
    return apply(theorems.taut_string, history(stages, start), corners=made)


@functools.cache
def closed(c: Fraction, shift: Fraction, variance: Fraction, l: int, j: int, t: int, k: int) -> Derivation:  # noqa: E741
    """T4."""
    return apply(
        theorems.closed_form,
        contraction=c,
        shift=shift,
        variance=variance,
        batches=l,
        position=j,
        epochs=t,
        unlearning_epochs=k,
    )


# The record of a theorem that only a test declares.
FACTS = Facts(Direction.ABOVE, Family.CLOSED_FORM, None, formula=None, profile=None, label=None)


def run(batches: int = 3, batch_size: int = 2, **changes: Any) -> NoisySGD:
    """A small PNSGD run with c = 3/4, η = 1/2; keywords change it."""
    fields = {
        "samples": batches * batch_size,
        "batch_size": batch_size,
        "epochs": 3,
        "noise_std": F(1, 3),
        "loss": ConstantLoss(1, F(1, 2), 2),
        "step_size": F(1, 2),
    }
    return NoisySGD(**(fields | changes))


MNIST = ConstantLoss("0.261264", "0.011264", 1)


def mnist(batch_size: int, epochs: int, unlearning_epochs: int, noise_std: str, **changes: Any) -> NoisySGD:
    """The published MNIST setting: η = 1/L, n = 11264, δ = 1/n."""
    return NoisySGD(
        samples=11264,
        batch_size=batch_size,
        epochs=epochs,
        unlearning_epochs=unlearning_epochs,
        noise_std=noise_std,
        loss=MNIST,
        **changes,
    )


# --- random timelines -------------------------------------------------------------------------------------------------

CONTRACTING = [F(0), F(1, 3), F(1, 2), F(3, 4), F(9, 10), F(1)]
SHIFTS = [F(0), F(1, 2), F(1), F(3)]
NOISES = [F(0), F(1, 4), F(1), F(1), F(3, 2)]


@st.composite
def stages(draw, most: int = 3, contractions: Sequence[Fraction] = CONTRACTING, quiet: bool = True) -> list[Stage]:
    """Up to `most` phases with their own c, s, η, σ, b and batches that several differing records share."""
    made = []
    for _ in range(draw(st.integers(1, most))):
        batches, batch_size = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        positions = draw(st.lists(st.integers(0, batches - 1), unique=True, max_size=3))
        made.append(
            stage(
                draw(st.sampled_from(contractions)),
                draw(st.sampled_from(SHIFTS)),
                epochs=draw(st.integers(1, 4)),
                batches=batches,
                records=[(p, draw(st.integers(1, batch_size))) for p in sorted(positions)],
                batch_size=batch_size,
                step_size=draw(st.sampled_from([F(1, 2), F(1, 3), F(2)])),
                noise_std=draw(st.sampled_from(NOISES if quiet else NOISES[1:])),
            )
        )
    return made


@st.composite
def expanding(draw) -> list[Stage]:
    """Phases of which some expand: one differing record at most, equal starts."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        batches = draw(st.integers(1, 3))
        position = draw(st.integers(0, batches - 1))
        made.append(
            stage(
                draw(st.sampled_from([F(1, 2), F(1), F(9, 8), F(3, 2)])),
                draw(st.sampled_from(SHIFTS)),
                epochs=draw(st.integers(1, 4)),
                batches=batches,
                records=draw(st.sampled_from([(), ((position, 1),)])),
                noise_std=draw(st.sampled_from(NOISES)),
            )
        )
    return made


STARTS = st.sampled_from([F(0), F(0), F(1), F(5, 2)])


# --- vectors ----------------------------------------------------------------------------------------------------------


def decode(value: Any) -> Any:
    """An argument of a vector: "p/q" and decimals become Fractions, objects phases, corners, releases …"""
    if isinstance(value, list):
        return tuple(decode(item) for item in value)
    if isinstance(value, dict):
        kinds = {
            "first": Corner,
            "start": Excursion,
            "epochs": Phase,
            "sampling": Release,
            "points": Grid,
            "values": Orders,
        }
        kind = next((kind for key, kind in kinds.items() if key in value), Mark)
        return kind(**{name: decode(item) for name, item in value.items()})
    if isinstance(value, str):
        try:
            return Fraction(value)
        except ValueError:
            return value
    return value


def premises(vector: dict[str, Any]) -> tuple[Derivation, ...]:
    return tuple(build(premise) for premise in vector.get("premises", ()))


def build(vector: dict[str, Any]) -> Derivation:
    """The derivation that a vector spells out."""
    arguments = {name: decode(value) for name, value in vector.get("arguments", {}).items()}
    return apply(THEOREMS[vector["theorem"]], *premises(vector), **arguments)
