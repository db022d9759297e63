"""DP-SGD rows of the benchmark table: brackets and calibrations beside the peers that are installed, in one run."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

from certify import calibrate
from tests.benchmarks.pld import SETTINGS, memory, sampled, timed
from tests.benchmarks.rows import Row, shown

NONE = "no peer installed (pip install 'plumbline-dp[peers]')"


def brackets(quick: bool) -> Iterator[Row]:
    """A bracket at most 0.1 % wide of each reference setting, both directions; nothing remembered."""
    for found in sampled(quick):
        aim, met = "width ≤ 1e-3", found.width <= 1e-3
        ours = f"[{float(found.lower):.6g}, {float(found.upper):.6g}], width {found.width:.1e}, {shown(found.seconds)}"
        if not found.peers:
            yield Row(f"bracket, {found.name}", ours, NONE, "–", aim, met)
        for name, took, epsilon in found.peers:
            faster = f"{took / found.seconds:.3g} times faster"
            slow = "no slower" if name.startswith("dp_accounting") else "–"
            yield Row(
                f"bracket, {found.name}; {name}", ours, f"{epsilon:.6g} in {shown(took)}", faster, f"{aim}, {slow}",
                met and (slow == "–" or took >= found.seconds),
            )  # fmt: skip
    if not quick:
        yield from _narrow()
        yield from _memory()


def _memory() -> Iterator[Row]:
    """Of our process alone, without a peer in it."""
    if not Path("/proc/self/status").exists():
        return
    for row in (SETTINGS[1], SETTINGS[4]):
        for width in ("0.001", "0.0001"):
            before, peak, points = memory(row, width)
            name = f"memory of a bracket, width {width}, z = {row['noise_multiplier']}, T = {row['steps']}"
            ours = f"{peak:.0f} MB at the peak, {before:.0f} MB of them after the imports; {points} points"
            yield Row(name, ours, "–", "–", "–", None)


def _narrow() -> Iterator[Row]:
    """The width that is asked for ten times smaller."""
    from accountant.pld import Release, bracket

    for row in SETTINGS[:3]:
        release = Release("poisson", row["noise_multiplier"], row["sample_rate"], row["steps"])
        took, found = timed(
            lambda r=release, d=row["delta"]: bracket((r,), "add-or-remove-one", d, width=Fraction(1, 10_000)), 1
        )
        width = float((found.upper - found.lower) / found.upper)
        name = f"z = {row['noise_multiplier']}, q = {row['sample_rate']}, T = {row['steps']}"
        yield Row(f"bracket of width 1e-4, {name}", f"width {width:.1e}, {shown(took)}", "–", "–", "–", None)


def calibrations(quick: bool) -> Iterator[Row]:
    """The noise multiplier for the ε of each reference setting, certified."""
    for row in SETTINGS[:1] if quick else SETTINGS:
        target = str(round(float(row["dp_accounting_pld"]), 4))
        tables = {
            "mechanism": {"kind": "dp-sgd", "sample_rate": row["sample_rate"], "steps": row["steps"]},
            "scaling": {"kind": "clip", "max_grad_norm": 1},
            "target": {"epsilon": target, "delta": row["delta"]},
        }
        took, found = timed(lambda tables=tables: calibrate(tables, tune="noise_multiplier"), 1 if quick else 3)
        name = f"noise multiplier for ε = {target}, q = {row['sample_rate']}, T = {row['steps']}"
        if quick or not find_spec("dp_accounting"):
            yield Row(name, f"{found.value} in {shown(took)}", NONE, "–", "≥ 10 times faster", None)
            continue
        theirs, value = _dp_accounting(float(row["sample_rate"]), row["steps"], float(target), float(row["delta"]))
        yield Row(
            f"{name}; dp_accounting PLD", f"{found.value} in {shown(took)}", f"{value:.6g} in {shown(theirs)}",
            f"{theirs / took:.3g} times faster", "≥ 10 times faster", theirs >= 10 * took,
        )  # fmt: skip


def _dp_accounting(q: float, steps: int, epsilon: float, delta: float) -> tuple[float, float]:
    import dp_accounting
    from dp_accounting.pld import PLDAccountant

    def event(z: float) -> dp_accounting.DpEvent:
        one = dp_accounting.GaussianDpEvent(z)
        sampled = dp_accounting.PoissonSampledDpEvent(q, one) if q < 1 else one
        return dp_accounting.SelfComposedDpEvent(sampled, steps)

    bracket = dp_accounting.ExplicitBracketInterval(0.3, 20)
    return timed(
        lambda: dp_accounting.calibrate_dp_mechanism(PLDAccountant, event, epsilon, delta, bracket, tol=1e-4), 1
    )


def plain_gaussians(quick: bool) -> Iterator[Row]:
    """T-fold Gaussians, whose ε is exact (T11): what the peers that are installed print."""
    if quick or not find_spec("dp_accounting"):
        return
    from dp_accounting.pld import privacy_loss_distribution

    from accountant import apply, enclose
    from accountant.pld import Release
    from accountant.pnsgd.derive import derive_epsilon
    from accountant.theorems import full_batches

    settings = ((100, 10**4, "1e-12"), (20, 5 * 10**4, "1e-10"), (10, 10**4, "1e-8"), (100, 10**4, "1e-30"))
    for z, steps, delta in settings:
        mu = apply(full_batches, releases=(Release("full", z, 1, steps),), neighbours="add-or-remove-one")
        truth = enclose(derive_epsilon(mu, delta))
        one = privacy_loss_distribution.from_gaussian_mechanism(z, value_discretization_interval=1e-3)
        printed = one.self_compose(steps).get_epsilon_for_delta(float(delta))
        verdict = "BELOW THE TRUTH" if printed < truth.lower else "above"
        yield Row(
            f"{steps} full batches, z = {z}, δ = {delta}; dp_accounting PLD, self_compose, grid 1e-3, prints",
            f"[{truth.lower_decimal(8)}, {truth.upper_decimal(8)}]", f"{printed:.8g}", verdict, "–", None,
        )  # fmt: skip
