"""The small tables of values in comments are what the code gives: each is computed again here, digit by digit."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction as F
from pathlib import Path

import pytest

from accountant.core.arithmetic import Float
from accountant.core.enclose import precision
from accountant.core.exact import Rounding
from accountant.dpsgd.estimate import estimate_training
from accountant.mechanisms.pairs import Way
from accountant.mechanisms.release import Part, Release, parts
from accountant.pld import bracket
from accountant.pld.compose import tail_of
from accountant.pld.ends import CellEndSearch
from accountant.pld.masses import Masses, coarsen, from_values
from accountant.pld.merge import merge
from accountant.pld.mixture import pair_of
from accountant.pld.pair import ball
from accountant.pld.split import border_of
from accountant.pld.spread import spread
from accountant.pld.tilt import FLAT, choose_tilt
from accountant.pnsgd.search.excursions import best_path
from accountant.pnsgd.search.string import corners, outline
from accountant.theorems.flow import Flows, Mark
from accountant.theorems.shifts import energy
from accountant.theorems.timelines import Block, Timeline

ROOT = Path(__file__).parents[2]
DELTA = F(1, 10**5)
BITS = 40


def poisson(rate: str, steps: int) -> Release:
    return Release(noise_multiplier=1, sample_rate=rate, steps=steps, sampling="poisson")


def schedule(rate: str, steps: int) -> tuple[Part, ...]:
    return parts([poisson(rate, steps)], "add-or-remove-one")


def shown(values: list[float], width: int = 9, digits: int = 4) -> str:
    return "".join(f"{value:{width}.{digits}f}" for value in values)


def probabilities(m: Masses) -> list[float]:
    return [value / 2**m.bits for value in m.values()]


def points(m: Masses) -> list[float]:
    return [float(m.offset + i * m.spacing) for i in range(m.count)]


def one_step(method: Callable[..., Masses]) -> list[str]:
    m = method(schedule("1/2", 1)[0], Way.FORWARD, 1, BITS, F(1, 1000))
    mean = sum(p * math.e**-x for p, x in zip(probabilities(m), points(m), strict=True))
    return [
        "z = 1, q = 1/2, h = 1/2, at most 1/1000 below:",
        f"  loss x {shown(points(m))}       ∞",
        f"  mass p {shown(probabilities(m))}{m.infinite / 2**BITS:8.4f}   Σ p·e^−x = {mean:.4f}",
    ]


def coarsened() -> list[str]:
    lines = ["h = 1/2, masses on five points, and what coarsening makes of them (Σ mass·e^−x in the last column):"]
    masses = [0.1, 0.2, 0.4, 0.2, 0.1]
    for rounding, name in ((Rounding.UP, "spread up"), (Rounding.DOWN, "merged down")):
        m = from_values(F(0), 1, [int(mass * 2**BITS) for mass in masses], 0, BITS, rounding)
        for label, grid in (("given", m), (name, coarsen(m))):
            if label == "given" and rounding is Rounding.DOWN:
                continue
            at = dict(zip(points(grid), probabilities(grid), strict=True))
            row = "".join(f"{at[x / 2]:9.4f}" if x / 2 in at else " " * 9 for x in range(-1, 6))
            mean = sum(p * math.e**-x for x, p in at.items())
            lines.append(f"  {label:12}{row}{mean:12.4f}")
    lines.insert(1, f"  {'x':12}{shown([x / 2 for x in range(-1, 6)], 9, 1)}")
    return lines


def cell_ends() -> list[str]:
    part, h = schedule("1/2", 1)[0], F(1, 4)
    with precision(64):
        search = CellEndSearch(pair_of(part), 2, FLAT, h)
        ends = search.until(Way.FORWARD, 0.5, h / 2, 3.0)
        losses = [float(search.pair.ratio(ball(F(end))).log().mid()) for _, end in ends]
    return [
        "z = 1, q = 1/2, h = 1/4, from u = 0.5 on, where the loss is 0: cells, each with its mean at its point:",
        f"  point      {shown([float(h / 2 + (index - 1) * h) for index, _ in ends])}",
        f"  end in u   {shown([end for _, end in ends])}",
        f"  loss there {shown(losses)}",
    ]


def borders() -> list[str]:
    lines = ["z = 1, δ = 1e-5: border c, P[|loss| > c] of a step, size of most losses (— if one grid is enough):"]
    for rate, steps in (("1/1000", 10**4), ("1/1000000", 10**7), ("1/10000000", 10**8)):
        part = schedule(rate, steps)
        border = border_of(part[0], Way.FORWARD, choose_tilt(part, Way.FORWARD, DELTA), tail_of(part, DELTA), DELTA)
        text = "—" if border is None else f"{float(border.loss):.3g}, {border.beyond:.3g}, {border.size:.3g}"
        lines.append(f"  q = {float(F(rate)):.0e}, T = {steps:.0e}:  {text}")
    return lines


def tilts() -> list[str]:
    lines = ["z = 1, q = 0.01, T = 1000: θ, the estimated ε, and a lower bound on ε by integers:"]
    part, release = schedule("1/100", 1000), poisson("1/100", 1000)
    for delta in (F(1, 1000), DELTA, F(1, 10**10)):
        tilt = choose_tilt(part, Way.FORWARD, delta)
        lower = bracket([release], "add-or-remove-one", delta, width=F(1, 100)).lower
        lines.append(f"  δ = {float(delta):.0e}: θ = {tilt.slope:7.4f}, ε ≈ {tilt.epsilon:.4f} (≥ {float(lower):.4f})")
    return lines


def estimates() -> list[str]:
    lines = ["z = 1, q = 0.01, T = 1000: the estimate, and the rough one:"]
    release = poisson("1/100", 1000)
    for delta in (1e-3, 1e-5, 1e-10):
        both = (estimate_training((release,), "add-or-remove-one", delta, rough=rough) for rough in (False, True))
        lines.append(f"  δ = {delta:.0e}: ε ≈ {', '.join(f'{epsilon:.4f}' for epsilon in both)}")
    return lines


def short_timeline(**changes) -> Timeline:
    """Three epochs of two steps with c = 1/2, τ = 1; a shift of 1 in the last batch."""
    block = Block(3, 2, 0.5, 1.0, ((1, 1.0),), expanding=False, **changes)
    return Timeline(0.0, None, (block,), equal_starts=True, uniform=True, single=True)


def string() -> list[str]:
    A, timeline = Float(), short_timeline()
    bends = corners(A, timeline)
    picture = outline(A, timeline, bends)
    mu_squared = energy(A, Flows(A, timeline), bends, Mark(0), 0.0)
    return [
        "c = 1/2, τ = 1, three epochs of two batches, a shift of 1 in the second: staircase and string:",
        f"  V          {shown([v for v, _ in picture.staircase])}",
        f"  D          {shown([d for _, d in picture.staircase])}",
        f"  corner V   {shown([v for v, _ in picture.string])}",
        f"  corner A   {shown([a for _, a in picture.string])}   μ² = {mu_squared:.4f}",
    ]


def paths() -> list[str]:
    lines = [
        "c = 1/2, τ = 1, three epochs of two batches, a shift of 1 in the second: μ² and the excursions, by drift:"
    ]
    for drift in (None, 0.2, 1.0, 3.0):
        path = best_path(short_timeline(drift=drift))
        spans = [f"steps {number_of_steps(e.start) + 1} to {number_of_steps(e.end)}" for e in path.excursions]
        text = " and ".join(spans) or "composition alone"
        lines.append(f"  drift {drift or 'none':>4}: μ² = {path.energy:.4f}, {text}")
    return lines


def number_of_steps(mark: Mark) -> int:
    """Before that moment of the short timeline."""
    return 6 * mark.block + 2 * mark.epoch + mark.position


TABLES: dict[str, Callable[[], list[str]]] = {
    "accountant/pld/ends.py": cell_ends,
    "accountant/pld/split.py": borders,
    "accountant/pld/merge.py": lambda: one_step(merge),
    "accountant/pld/spread.py": lambda: one_step(spread),
    "accountant/pld/tilt.py": tilts,
    "accountant/pld/masses.py": coarsened,
    "accountant/pnsgd/search/string.py": string,
    "accountant/pnsgd/search/excursions.py": paths,
    "accountant/dpsgd/estimate.py": estimates,
}


@pytest.mark.parametrize("path", TABLES)
def test_the_table_in_the_comment_is_what_the_code_gives(path: str) -> None:
    lines = ["Example values (a test computes them again):", *TABLES[path]()]
    comment = "\n".join(f"# {line}".rstrip() for line in lines)
    assert comment in (ROOT / path).read_text(encoding="utf-8"), f"write into {path}:\n{comment}"
