"""The benchmarks (design: "Measured, not promised"): one table, every ratio measured in this run.

python -m tests.benchmarks [--quick] [--json FILE]

Times are wall-clock medians. Nothing is written unless --json names a file.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize_scalar

from accountant import ConstantLoss, NoisySGD, derive_upper, enclose
from accountant.pnsgd.estimates.estimate import estimate
from accountant.pnsgd.estimates.sweep import sweep
from certify import Run, calibrate, certify, checker, read_run
from certify.results.calibrate import published_noise
from certify.results.tuning import least_noise
from certify.trust.certificate import make_envelope, make_statement
from tests.benchmarks.rows import Row, shown
from tests.benchmarks.steps import private_steps
from tests.benchmarks.training import brackets, calibrations, plain_gaussians
from tests.oracles import published

SAMPLES = 11264
DELTA = Fraction(1, SAMPLES)
LOSS = ConstantLoss("0.261264", "0.011264", 1)  # MNIST, from the authors' code
EPOCHS = {128: 100, 512: 200, SAMPLES: 3000}  # T of their runs
EPSILONS = ("0.05", "0.1", "0.5", "1", "2", "5")


def run(**changes: Any) -> Run:
    """The paper's MNIST setting; a change of epsilon is one of the target."""
    mechanism = {
        "kind": "pnsgd",
        "samples": SAMPLES,
        "batch_size": 128,
        "epochs": 100,
        "unlearning_epochs": 1,
        "noise_std": "0.0041",
    }
    target, threat = {"epsilon": changes.pop("epsilon", 1), "delta": "1/n"}, {"release": "final"}
    loss = {"kind": "constants", "smoothness": "0.261264", "strong_convexity": "0.011264", "gradient_bound": 1}
    requests = {"sizes": [1] * changes.pop("requests", 1)}
    tables = {"mechanism": mechanism | changes, "loss": loss, "target": target, "requests": requests, "threat": threat}
    return read_run(tables)


def seconds(work: Callable[[], Any], times: int) -> float:
    """The median of several runs; the first one, which loads and warms up, is not counted."""
    work()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def noise(quick: bool) -> Iterator[Row]:
    """σ for the same (ε, 1/n)-unlearning, K = 1, no radius."""
    for size, epochs in EPOCHS.items():
        ours, theirs = [], {"chien2024_finite_T": [], "chien2024": []}
        for epsilon in EPSILONS[:1] if quick else EPSILONS:
            setting = run(batch_size=size, epochs=epochs, epsilon=epsilon)
            ours.append(float(least_noise(setting)))
            found = published_noise(setting)
            for name, values in theirs.items():
                values.append(found[name])
        for name, form in (("chien2024_finite_T", "finite T"), ("chien2024", "converged")):
            ratios = [theirs[name][i] / ours[i] for i in range(len(ours))]
            batch = "full batch" if size == SAMPLES else f"b = {size}"
            yield Row(
                f"σ for (ε, 1/n)-unlearning, {batch}, T = {epochs}, ε = 0.05 … 5; published: {form}",
                f"{ours[0]:.4g} … {ours[-1]:.4g}",
                f"{theirs[name][0]:.4g} … {theirs[name][-1]:.4g}",
                f"{min(ratios):.3g} … {max(ratios):.4g} times less",
                "≥ 8 times less",
                min(ratios) >= 8,
            )


def sharpness(quick: bool) -> Iterator[Row]:
    """Certified ε above the witness's."""
    settings = (
        ("K = 1, σ = 0.0041", run(), 1.000001),
        ("K = 0, σ = 0.05, T = 100", run(unlearning_epochs=0, noise_std="0.05"), 1.001),
    )
    for name, setting, aim in settings:
        result = certify(setting)
        upper, lower = result.epsilon["upper"], result.epsilon["lower"]
        excess = Fraction(upper) / Fraction(lower) - 1
        lower_end = result.worst.lower
        witness = (lower_end.premises[0] if lower_end.theorem.id == "T11" else lower_end).theorem.id
        yield Row(
            f"certified ε, {name}, b = 128", upper, f"{lower} (witness {witness})",
            f"1 + {float(excess):.2g}", f"≤ {aim}", 1 + excess <= Fraction(str(aim)),
        )  # fmt: skip


def long_runs(quick: bool) -> Iterator[Row]:
    """ε of a run of 10⁹ steps; another σ each time, so that nothing is remembered."""
    many, few = (5, 3) if quick else (200, 50)
    for k in (1, 0):
        name, base = f"K = {k}", NoisySGD(SAMPLES, 128, 10**9 // 88, 1, LOSS, unlearning_epochs=(k,))
        fresh = iter([replace(base, noise_std=Fraction(41000 + i, 10**7)) for i in range(many + few + 2)])
        took = seconds(lambda fresh=fresh: estimate(next(fresh), float(DELTA)), many)
        aims = f"≤ {shown(1e-3)}", f"≤ {shown(1e-2)}"
        yield Row(f"float ε, 10⁹ steps, {name}", shown(took), "–", "–", aims[0], took <= 1e-3)
        took = seconds(lambda fresh=fresh: enclose(derive_upper(next(fresh), DELTA)), few)
        yield Row(f"certified ε, 10⁹ steps, {name}, nothing cached", shown(took), "–", "–", aims[1], took <= 1e-2)


def sweeps(quick: bool) -> Iterator[Row]:
    """(σ, K, b) points, ours beside loops over the authors' formula (converged form, Mironov's conversion)."""
    count = 12 if quick else 100
    sizes = np.array([32, 64, 128, 256, 512, 1024, 704, 1408, 2816, SAMPLES])
    noises, epochs = np.geomspace(1e-3, 1, 10 * count), np.arange(1, count + 1)
    axes = noises[:, None, None], epochs[:, None], sizes
    flat = [np.ascontiguousarray(a).ravel() for a in np.broadcast_arrays(*axes)]
    points = flat[0].size

    def swept(sigma: np.ndarray, k: np.ndarray, b: np.ndarray) -> np.ndarray:
        return sweep(
            samples=SAMPLES, batch_size=b, epochs=100, unlearning_epochs=k, noise_std=sigma,
            step_size=1 / 0.261264, strong_convexity=0.011264, smoothness=0.261264, gradient_bound=1, delta=1 / SAMPLES,
        ).epsilon  # fmt: skip

    times = {
        "as triples": seconds(lambda: swept(*flat), 3 if quick else 9),
        "as a grid": seconds(lambda: swept(*axes), 3 if quick else 9),
    }
    rng = np.random.default_rng(0)
    budget = math.log(SAMPLES)

    def searched(sigma: float, k: int, b: int) -> float:
        setting = published.mnist_setting(b)

        def epsilon(alpha: float) -> float:
            return published.renyi_converged(alpha, setting, sigma, k) + budget / (alpha - 1)

        return minimize_scalar(epsilon, bounds=(2, 1e4), method="bounded").fun

    def solved(sigma: float, k: int, b: int) -> float:
        setting = published.mnist_setting(b)
        rate = published.renyi_converged(1.0, setting, sigma, k)
        alpha = min(max(1 + math.sqrt(budget / rate), 2.0), 1e4) if rate else 1e4
        return alpha * rate + budget / (alpha - 1)

    loops = (("order searched by scipy", searched, 2000), ("best order in closed form", solved, 50_000))
    for name, loop, part in loops:
        part = 20 if quick else part
        some = [tuple(a[i] for a in flat) for i in rng.choice(points, part)]
        some = [(float(sigma), int(k), int(b)) for sigma, k, b in some]
        whole = seconds(lambda some=some, loop=loop: [loop(*p) for p in some], 3) * points / part
        for how, took in times.items():
            yield Row(
                f"{points:,} (σ, K, b) points {how}; a Python loop, {name} ({part:,} points, scaled)",
                shown(took), shown(whole), f"{whole / took:,.3g} times faster", "≤ 1 s, ≥ 100 times",
                took <= 1 and whole >= 100 * took,
            )  # fmt: skip


def certificates(quick: bool) -> Iterator[Row]:
    """Size, and time of the standalone checker."""
    settings = [(f"T = {epochs:,}, b = 128, K = 1", run(epochs=epochs)) for epochs in (10**2, 10**4, 10**6)]
    count = 3 if quick else 100
    sequence = run(batch_size=SAMPLES, epochs=1000, noise_std="0.03", unlearning_epochs=[4] * count, requests=count)
    for name, setting in [*settings, (f"{count} requests, full batch, T = 1000, K = 4", sequence)]:
        result = certify(setting)
        data = json.dumps(make_envelope(make_statement(result))).encode()
        took = seconds(lambda data=data: checker.verify(data), 1 if quick else 3)
        yield Row(f"certificate, {name}", f"{len(data) / 1000:.4g} kB, checked in {shown(took)}", "–", "–", "–", None)


def requests(quick: bool) -> Iterator[Row]:
    """Unlearning epochs for 100 requests: full batch, T = 1000, σ = 0.03, ε = 1."""
    count = 3 if quick else 100
    setting = run(batch_size=SAMPLES, epochs=1000, noise_std="0.03", unlearning_epochs=[1] * count, requests=count)
    tables = {name: dict(table) for name, table in setting.canonical.items() if table}
    start = time.perf_counter()
    value = calibrate(tables, tune="unlearning_epochs").value
    took = time.perf_counter() - start
    columns = published.load_sequences()
    (key,) = [key for key in columns if key == (1.0, 0.03, SAMPLES)]
    for name, column in (("theirs", "official_code_k"), ("one form throughout", "consistent_loose_k")):
        ours, theirs = sum(value), sum(columns[key][column][:count])
        yield Row(
            f"unlearning epochs of {count} requests, certified, found in {shown(took)}; authors' code, {name}",
            str(ours), str(theirs), f"{theirs / ours:.3g} times fewer" if ours else "–", "fewer", ours < theirs,
        )  # fmt: skip


BENCHMARKS = (
    noise, sharpness, long_runs, sweeps, certificates, requests, brackets, calibrations, plain_gaussians, private_steps
)  # fmt: skip


def table(rows: list[Row]) -> Table:
    made = Table(title="Plumbline: measured in this run", title_justify="left")
    for column in ("what", "ours", "against", "ratio", "aim", "met?"):
        made.add_column(column, overflow="fold")
    for row in rows:
        met = {None: "–", True: "yes", False: "[bold red]no[/]"}[row.met]
        made.add_row(row.what, row.ours, row.against, row.ratio, row.aim, met)
    return made


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that everything runs, measures nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    chosen = parser.parse_args(arguments)
    rows: list[Row] = []
    for benchmark in BENCHMARKS:
        print(f"{benchmark.__name__} …", file=sys.stderr)
        rows += benchmark(chosen.quick)
    console = Console() if sys.stdout.isatty() else Console(width=180)
    console.print(table(rows))
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
