"""DP-SGD rows of the benchmark table: brackets of sampled Gaussians, and the peers that are installed."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from accountant.pld import Release, bracket
from accountant.pld.compose import composed, epsilon_at

SETTINGS = json.loads(
    (Path(__file__).parents[1] / "oracles" / "data" / "peer_sampled.json").read_text(encoding="utf-8")
)["settings"]


@dataclass(frozen=True)
class Sampled:
    """One setting as measured: seconds, the bracket's ends, and (name, seconds, ε) of each peer."""

    name: str
    seconds: float
    lower: Fraction
    upper: Fraction
    points: int
    peers: tuple[tuple[str, float, float], ...]

    @property
    def width(self) -> float:
        return float((self.upper - self.lower) / self.upper)


def timed(work: Callable[[], Any], times: int) -> tuple[float, Any]:
    """The median, nothing remembered from one run to the next but the tables of Φ; and what the last one returned."""
    found = []
    for _ in range(times):
        composed.cache_clear()
        epsilon_at.cache_clear()
        start = time.perf_counter()
        result = work()
        found.append(time.perf_counter() - start)
    return statistics.median(found), result


def sampled(quick: bool = False) -> Iterator[Sampled]:
    """The five reference settings: a bracket 0.1 % wide, both directions."""
    for row in SETTINGS[:1] if quick else SETTINGS:
        z, q, steps, delta = row["noise_multiplier"], row["sample_rate"], row["steps"], row["delta"]
        release = Release("poisson", z, q, steps)
        took, found = timed(
            lambda release=release, delta=delta: bracket((release,), "add-or-remove-one", delta), 1 if quick else 5
        )
        peers = () if quick else tuple(_peers(float(z), float(q), steps, float(delta)))
        name = f"z = {z}, q = {q}, T = {steps}, δ = {delta}"
        yield Sampled(name, took, found.lower, found.upper, found.points, peers)


_ALONE = """
import sys
from fractions import Fraction
from accountant.pld import Release, bracket
def peak():  # ru_maxrss begins at what the process had that started this one
    lines = open("/proc/self/status").readlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
before, (z, q, steps, delta, width) = peak(), sys.argv[1:]
release = Release("poisson", z, q, int(steps))
found = bracket((release,), "add-or-remove-one", delta, width=Fraction(width))
print(before, peak(), found.points)
"""


def memory(row: dict[str, Any], width: str) -> tuple[float, float, int]:
    """(MB after the imports, MB at the peak, points) of a bracket in a process of its own, no peer in it; on Linux."""
    setting = [str(row[key]) for key in ("noise_multiplier", "sample_rate", "steps", "delta")]
    run = subprocess.run([sys.executable, "-c", _ALONE, *setting, width], capture_output=True, check=True, text=True)
    before, peak, points = run.stdout.split()
    return float(before), float(peak), int(points)


def _peers(z: float, q: float, steps: int, delta: float) -> Iterator[tuple[str, float, float]]:
    if find_spec("dp_accounting"):
        import dp_accounting
        from dp_accounting.pld import PLDAccountant

        event = dp_accounting.PoissonSampledDpEvent(q, dp_accounting.GaussianDpEvent(z))
        yield "dp_accounting PLD", *timed(lambda: PLDAccountant().compose(event, steps).get_epsilon(delta), 3)
        coarse = {"value_discretization_interval": 1e-3}
        took = timed(lambda: PLDAccountant(**coarse).compose(event, steps).get_epsilon(delta), 3)
        yield "PLD of dp_accounting on a grid of 1e-3", *took
    if find_spec("prv_accountant"):
        from prv_accountant import PoissonSubsampledGaussianMechanism, PRVAccountant

        def microsoft() -> float:
            mechanism = PoissonSubsampledGaussianMechanism(noise_multiplier=z, sampling_probability=q)
            accountant = PRVAccountant(
                prvs=[mechanism], max_self_compositions=[steps], eps_error=0.01, delta_error=delta / 1000
            )
            return accountant.compute_epsilon(delta=delta, num_self_compositions=[steps])[2]

        yield "prv_accountant", *timed(microsoft, 3)


if __name__ == "__main__":
    for result in sampled():
        rivals = "; ".join(f"{name} {took:.2f} s, ε = {value:.5f}" for name, took, value in result.peers)
        print(
            f"{result.name}: [{float(result.lower):.6f}, {float(result.upper):.6f}], width {result.width:.1e}, "
            f"{result.points} points, {result.seconds:.2f} s; {rivals or 'no peer installed'}"
        )
