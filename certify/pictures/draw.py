"""Two pictures: the taut string itself, and the noise that each bound needs. Needs matplotlib (the extra `report`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from accountant import Derivation, NoisySGD, derive, derive_timeline, derive_witness, enclose, theorems
from accountant.core.arithmetic import Float
from accountant.core.arithmetic.floats import gaussian_mu
from accountant.core.kernel import evaluate
from accountant.pnsgd.search.string import outline
from certify.errors import UsageError
from certify.files import make_directory, write_atomically
from certify.results.calibrate import distance_noise, least_noise, published_noise
from certify.results.plan import Plan, noise_floor
from certify.runfile.read import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_STEPS = 20_000
# Okabe and Ito's colours can be told apart by everybody, in grey as well.
_INK, _STRING, _NOISE = "#222222", "#D55E00", "#0072B2"
_CURVES = {
    "published, finite T (Chien et al. 2024)": ("#CC79A7", "-."),
    "published, converged (Chien et al. 2024)": ("#E69F00", "--"),
    "W∞ alone (noise of unlearning only)": ("#009E73", "-"),
    "Plumbline (taut string)": ("#D55E00", "-"),
    "lower bound (no σ below is possible)": ("#000000", (0, (6, 4))),
}

_UNDATED = {  # no date and no version in the file
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def _pyplot():
    try:
        import matplotlib
    except ImportError:
        raise UsageError("pictures need matplotlib; pip install 'plumbline-dp[report]'") from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure, whole or not at all, without date or version, and close it. The suffix says in which format."""
    path, content = Path(path), BytesIO()
    figure.savefig(content, dpi=150, format=path.suffix.lstrip(".") or "png", metadata=_UNDATED.get(path.suffix))
    _pyplot().close(figure)
    write_atomically(path, content.getvalue())
    return path


def draw_string(mechanisms: Sequence[tuple[str, NoisySGD]], path: str | Path) -> Path:
    """The taut string of each mechanism (title, mechanism), side by side, written to `path` (png, svg or pdf).

    Raises:
        UsageError: matplotlib is missing, or a run of more than 20 000 steps.
    """
    plt = _pyplot()
    figure, panels = plt.subplots(1, len(mechanisms), figsize=(6.4 * len(mechanisms), 4.8), squeeze=False)
    for axes, (title, mechanism) in zip(panels[0], mechanisms, strict=True):
        _string_panel(axes, title, mechanism)
    figure.tight_layout()
    return save_figure(figure, path)


def is_taut_string(bound: Derivation) -> bool:
    """Whether the bound is one string from start to end, which is what is drawn."""
    return bound.theorem is theorems.taut_string


def _string_panel(axes: Axes, title: str, mechanism: NoisySGD) -> None:
    steps = mechanism.batches * (mechanism.epochs + sum(mechanism.unlearning_epochs))
    if steps > MAX_STEPS:
        raise UsageError(f"a picture of {steps} steps shows nothing; at most {MAX_STEPS} are drawn")
    timeline = evaluate(derive_timeline(mechanism), Float())
    derivation = derive(mechanism)
    if not is_taut_string(derivation):
        raise UsageError(f"there is no picture of this run: its bound ({derivation.theorem.id}) is not one taut string")
    drawn = outline(Float(), timeline, dict(derivation.arguments)["corners"])
    v, d = np.array(drawn.staircase, dtype=float).T
    string_v, string_d = np.array(drawn.string, dtype=float).T
    # A shift arrives at the start of its step, before that step's noise: the stair is climbed on its left.
    axes.step(v, d, where="pre", color=_NOISE, lw=1.4, label="distance that has arrived, D")
    axes.fill_between(v, d, step="pre", color=_NOISE, alpha=0.08, lw=0)
    axes.plot(string_v, string_d, color=_STRING, lw=2, label="distance hidden by then: the taut string")
    axes.plot(string_v[1:-1], string_d[1:-1], "o", color=_STRING, ms=6, mec="white", label="corners")
    axes.annotate(
        f"μ = √(Σ ΔD²/ΔV) = {float(enclose(derivation).upper):.5g}",
        (0.97, 0.27),
        xycoords="axes fraction",
        ha="right",
        color=_INK,
    )
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel("cumulative variance V of the noise, in units of the last step (parameter²)")
    axes.set_ylabel("cumulative shift, in units of the last step (parameter)")
    axes.set_xlim(0, v[-1] * 1.02)
    axes.set_ylim(0, max(d.max(), string_d.max()) * 1.08)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def noise_curves(run: Run, epsilons: np.ndarray) -> dict[str, np.ndarray]:
    """The σ that each bound needs at each ε; NaN where it does not apply or cannot reach it."""
    # μ is inversely proportional to σ: one σ for the run's own target gives the whole curve.
    own = float(gaussian_mu(float(run.target_epsilon), float(run.target_delta)))
    mus = gaussian_mu(epsilons, float(run.target_delta))

    def scaled(noise: float | None) -> np.ndarray:
        return np.full_like(epsilons, np.nan) if noise is None else noise * own / mus

    published: dict[str, list[float]] = {"chien2024_finite_T": [], "chien2024": []}
    for epsilon in epsilons:
        sigmas = published_noise(run.with_target(Fraction(float(epsilon))))
        for name, values in published.items():
            noise = sigmas.get(name)
            values.append(np.nan if noise is None else noise)
    values = (
        np.array(published["chien2024_finite_T"]),
        np.array(published["chien2024"]),
        scaled(distance_noise(run)),
        scaled(least_noise(run, derive)),
        scaled(least_noise(run, derive_witness)),
    )
    return dict(zip(_CURVES, values, strict=True))


def draw_noise(run: Run, path: str | Path, *, least: float = 0.05, most: float = 5, points: int = 41) -> Path:
    """σ against ε for the published bounds, W∞ alone, ours and the lower bound, written to `path`.

    Raises:
        UsageError: matplotlib is missing.
    """
    plt = _pyplot()
    epsilons = np.geomspace(least, most, points)
    figure, axes = plt.subplots(figsize=(7.4, 5))
    for name, sigma in noise_curves(run, epsilons).items():
        colour, style = _CURVES[name]
        if not np.all(np.isnan(sigma)):
            broad = name.startswith("W∞")  # it often runs under ours
            axes.loglog(
                epsilons, sigma, color=colour, ls=style, lw=6 if broad else 2, alpha=0.5 if broad else 1, label=name
            )
    mechanism = run.mechanism
    axes.plot(
        float(run.target_epsilon), float(mechanism.noise_std), "s", color=_INK, ms=6, label="the run file's (ε, σ)"
    )
    axes.set_xlabel(f"ε at δ = {float(run.target_delta):.4g}")
    axes.set_ylabel("noise_std σ that the bound needs (parameter units)")
    k = ", ".join(str(k) for k in mechanism.unlearning_epochs[:3])
    axes.set_title(
        f"Noise for (ε, δ)-unlearning: n = {mechanism.samples}, b = {mechanism.batch_size}, "
        f"T = {mechanism.epochs}, K = {k}",
        loc="left",
        fontsize=11,
    )
    axes.grid(True, which="both", lw=0.3, alpha=0.5)
    axes.legend(frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return save_figure(figure, path)


def draw_plan(plan: Plan, path: str | Path | BinaryIO) -> None:
    """The least noise against the gradients that one request costs, a line for each batch size; to a path or a file
    (png).

    Raises:
        UsageError: matplotlib is missing.
    """
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(8.6, 5))
    certified, floor = [row for row in plan.rows if row.certified], noise_floor(plan.run)
    sizes = sorted({row.batch_size for row in certified})
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(sizes)))
    for size, colour in zip(sizes, colours, strict=True):
        points = [(row.gradients, max(float(row.noise_std), floor)) for row in certified if row.batch_size == size]
        axes.plot(*zip(*points, strict=True), "o-", color=colour, ms=4, label=f"b = {size}")
    best = [(row.gradients, float(row.noise_std)) for row in certified if row.pareto]
    label = "less would cost more"
    axes.plot(*np.array(best).reshape(-1, 2).T, "o", ms=11, mfc="none", mec=_STRING, mew=1.5, label=label)
    if any(row.lost for row in certified):
        axes.axhspan(floor / 2, floor, color=_INK, alpha=0.15, lw=0, label="lost in rounding")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("per-record gradients of one erasure request, K·n")
    axes.set_ylabel("least certified noise_std σ (parameter units)")
    shown, mechanism = plan.as_json()["target"], plan.run.mechanism
    axes.set_title(
        f"Noise for ε ≤ {shown['epsilon']} at δ = {shown['delta']}: n = {mechanism.samples}, T = {mechanism.epochs}",
        loc="left",
        fontsize=11,
    )
    axes.grid(True, which="both", lw=0.3, alpha=0.5)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=150, format="png", metadata={"Software": None})
    plt.close(figure)


def write_plan(plan: Plan, directory: str | Path) -> tuple[Path, Path]:
    """Write plan.json and plan.png, each whole or not at all; the directory is made. Returns their paths.

    Raises:
        UsageError: matplotlib is missing; then nothing is written.
    """
    picture = BytesIO()
    draw_plan(plan, picture)
    directory = Path(directory)
    make_directory(directory)
    paths = directory / "plan.json", directory / "plan.png"
    write_atomically(paths[0], json.dumps(plan.as_json(), indent=1, ensure_ascii=False) + "\n")
    write_atomically(paths[1], picture.getvalue())
    return paths
