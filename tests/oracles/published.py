"""docs/theory.md P1, P2, P3 (unlearning as published) and T10's W∞ recursion as scalar loops, and the reference rows.

**Own error**: the formulas are plain doubles (about 1e-15 relative per Rényi value; c^{2Kl} is a power, not a product).
`mironov` minimises over α by a 400-point logarithmic scan, golden section to 1e-9 in log α, and both end points: the
value is that of one admissible α, so never below the true minimum by more than rounding, and above it by < 1e-12
relative. `noise_for` bisects log σ to 1e-13.

Reference data (tests/oracles/data, copied from the authors' code's output; "authors' code", not "Table 3"):
* `published_epsilon_mnist.csv`, thinned: `converged` uses α in [2, 1e4], `exact-sum` α in [2, 1e5], `finite-T` α in
  [2, 1e4]. Its optimiser never reaches the ends: where the minimum is at α = 2 it stopped at 2.0000063746590504, which
  makes ε up to 1.07e-6 relative too large; at `alpha_opt` itself the formulas agree to rounding.
* `sequential_mnist.json`: K of each of 100 requests; see `SEQUENCE_FORMS`. Entry 0 is a filler.
* `baselines_LU_D2D.json`: Langevin unlearning's σ are ends of a bisection to an absolute 1e-8; its K are least for
  ε = 1, σ = 0.03, α in [2, 1e5], S records a request. Descent-to-delete's values are the closed forms, to rounding.
* `sigma_mnist.json`: see `SIGMA_FORMULAS`; values at 4.248354255291589e-18 are the floor of a search, not a solution.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"
SIGMA_FLOOR = 4.248354255291589e-18


@dataclass(frozen=True)
class Setting:
    """Constants of one PNSGD run: `shift` = 2ηM/b, `batches` = l = n//b."""

    eta: float
    c: float
    shift: float
    batches: int
    delta: float


@cache
def mnist_setting(batch_size: int) -> Setting:
    """The authors' MNIST constants: η = 1/L, c = 1 − ηm, δ = 1/n, M = 1."""
    row = load_constants()["table1"]["MNIST"]
    eta = 1 / row["L"]
    return Setting(eta, 1 - eta * row["m"], 2 * eta * row["M"] / batch_size, row["n"] // batch_size, 1 / row["n"])


def wasserstein(setting: Setting, radius: float | None = None) -> float:
    """Z_B = min(s/(1−c^l), 2R) for the worst batch (the last), T → ∞."""
    z = setting.shift / (1 - setting.c**setting.batches)
    return z if radius is None else min(z, 2 * radius)


def wasserstein_by_batch(setting: Setting) -> list[float]:
    """Z_j(∞) = s c^{l−1−j}/(1−c^l) for j = 0 … l−1."""
    l = setting.batches  # noqa: E741
    return [setting.shift * setting.c ** (l - 1 - j) / (1 - setting.c**l) for j in range(l)]


def renyi_converged(alpha: float, setting: Setting, sigma: float, k: int) -> float:
    """ε(α) = α Z²/(2ησ²)·c^{2Kl}."""
    z = wasserstein(setting)
    return alpha * z * z / (2 * setting.eta * sigma**2) * setting.c ** (2 * k * setting.batches)


def renyi_exact_sum(alpha: float, setting: Setting, sigma: float, k: int, factor: float = 2.0) -> float:
    """Sharper form: c^{2Kl} → c^{2Kl}(1−c²)/(1−c^{2Kl}); `factor` 4 uses the noise variance 2ησ² fully."""
    z, decay = wasserstein(setting), setting.c ** (2 * k * setting.batches)
    return alpha * z * z / (factor * setting.eta * sigma**2) * decay * (1 - setting.c**2) / (1 - decay)


def renyi_finite(alpha: float, setting: Setting, sigma: float, k: int, t: int, radius: float) -> float:
    """ε(α) = ((α−½)/(α−1))·(ε₁(2α) + ε₂(2α)); t epochs of learning, k of unlearning, ball of radius `radius`."""
    learned = setting.c ** (t * setting.batches)
    z = wasserstein(setting, radius)
    unit = 2 * alpha / (2 * setting.eta * sigma**2)
    first = unit * (2 * radius) ** 2 * learned**2
    second = unit * (z + 2 * radius * learned) ** 2 * setting.c ** (2 * k * setting.batches)
    return (alpha - 0.5) / (alpha - 1) * (first + second)


def renyi_finite_limit(alpha: float, setting: Setting, sigma: float, k: int) -> float:
    """`renyi_finite` as T → ∞ with R above Z/2: the triangle factor stays, ((α−½)/(α−1))·ε_converged(2α)."""
    return (alpha - 0.5) / (alpha - 1) * renyi_converged(2 * alpha, setting, sigma, k)


def renyi_random_order(alpha: float, by_batch: Sequence[float]) -> float:
    """(1/(α−1)) log mean_B e^{(α−1) ε_B}, `by_batch` = the ε_B(α)."""
    top = max(by_batch)
    mean = math.fsum(math.exp((alpha - 1) * (e - top)) for e in by_batch) / len(by_batch)
    return top + math.log(mean) / (alpha - 1)


def mironov(
    curve: Callable[[float], float], delta: float, lowest: float = 2.0, highest: float = 1e4
) -> tuple[float, float]:
    """(ε, α): least curve(α) + log(1/δ)/(α−1) over the continuous range [lowest, highest]."""

    def objective(u: float) -> float:
        alpha = math.exp(u)
        return curve(alpha) + math.log(1 / delta) / (alpha - 1)

    first, final = math.log(lowest), math.log(highest)
    grid = [first + (final - first) * i / 400 for i in range(401)]
    best = min(range(401), key=lambda i: objective(grid[i]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, 400)]
    golden = (math.sqrt(5) - 1) / 2
    while high - low > 1e-9:
        inner, outer = high - golden * (high - low), low + golden * (high - low)
        if objective(inner) < objective(outer):
            high = outer
        else:
            low = inner
    ends = [(curve(a) + math.log(1 / delta) / (a - 1), a) for a in (lowest, highest)]
    return min([*ends, (objective((low + high) / 2), math.exp((low + high) / 2))])


def epsilon_converged(setting: Setting, sigma: float, k: int) -> float:
    """Published ε, converged form: α in [2, 1e4], Mironov, δ = 1/n."""
    return mironov(lambda a: renyi_converged(a, setting, sigma, k), setting.delta)[0]


def epsilon_finite(setting: Setting, sigma: float, k: int, t: int, radius: float) -> float:
    """Published ε, finite T: α in [2, 1e4], Mironov, δ = 1/n."""
    return mironov(lambda a: renyi_finite(a, setting, sigma, k, t, radius), setting.delta)[0]


Curve = Callable[[float, Setting, float, int], float]

# The columns of sigma_mnist.json and the formula whose exact solution they are.
SIGMA_FORMULAS: dict[str, Curve] = {
    "hi_precision_finiteT_limit_weaktriangle": renyi_finite_limit,
    "hi_precision_converged_factor2": renyi_converged,
    "own_tight_factor4_exactsum_NOT_PAPER": lambda a, s, sigma, k: renyi_exact_sum(a, s, sigma, k, 4.0),
    "official_binary_search_tol1e8": renyi_finite_limit,  # to an absolute 1e-8 above only: a bisection on σ
}


def noise_for(epsilon: float, setting: Setting, k: int, curve: Curve) -> float:
    """Least σ whose published ε (Mironov, α in [2, 1e4]) is `epsilon`; bisection on log σ."""
    low, high = -90.0, 20.0
    while high - low > 1e-13:
        middle = (low + high) / 2
        sigma = math.exp(middle)
        if mironov(lambda a, sigma=sigma: curve(a, setting, sigma, k), setting.delta)[0] > epsilon:
            low = middle
        else:
            high = middle
        if (low + high) / 2 in (low, high):
            break
    return math.exp(high)


def load_constants() -> dict:
    """constants.json, whole."""
    return json.loads((DATA / "constants.json").read_text())


def load_sigmas() -> dict:
    """sigma_mnist.json, whole."""
    return json.loads((DATA / "sigma_mnist.json").read_text())


def load_wasserstein_by_batch() -> dict[str, list[float]]:
    """Z_j by batch position, keyed by batch size (the authors' code; MNIST)."""
    return json.loads((DATA / "wasserstein_by_batch_mnist.json").read_text())["MNIST"]


@dataclass(frozen=True)
class PublishedRow:
    """One row of published_epsilon_mnist.csv; `form` is "converged", "exact-sum" or "finite"."""

    form: str
    batch_size: int
    k: int
    t: int | None
    radius: float | None
    sigma: float
    alpha: float
    epsilon: float
    renyi_2: float
    renyi_10: float

    @property
    def highest_order(self) -> float:
        """Upper end of the α range of that row."""
        return 1e5 if self.form == "exact-sum" else 1e4

    @property
    def at_lower_end(self) -> bool:
        """The reference's optimiser ran into α = 2 and stopped just above it: ε is up to 1.07e-6 relative too large."""
        return self.alpha < 2.0001

    def curve(self, alpha: float) -> float:
        """This row's Rényi curve, from this file's formulas."""
        setting = mnist_setting(self.batch_size)
        if self.form == "converged":
            return renyi_converged(alpha, setting, self.sigma, self.k)
        if self.form == "exact-sum":
            return renyi_exact_sum(alpha, setting, self.sigma, self.k)
        assert self.t is not None and self.radius is not None
        return renyi_finite(alpha, setting, self.sigma, self.k, self.t, self.radius)


def load_published() -> list[PublishedRow]:
    """The thinned rows of published_epsilon_mnist.csv."""
    rows = []
    with (DATA / "published_epsilon_mnist.csv").open(newline="") as handle:
        for r in csv.DictReader(handle):
            form = next(f for f in ("converged", "exact-sum", "finite") if r["formula"].startswith(f))
            rows.append(
                PublishedRow(
                    form,
                    int(r["b"]),
                    int(r["K"]),
                    None if r["T"] == "inf" else int(r["T"]),
                    None if r["R"] == "na" else float(r["R"]),
                    float(r["sigma"]),
                    float(r["alpha_opt"]),
                    float(r["eps_delta"]),
                    float(r["rdp_at_alpha2"]),
                    float(r["rdp_at_alpha10"]),
                )
            )
    return rows


# --- requests one after the other (T10's W∞ form, P1) -----------------------------------------------------------------

# The columns of sequential_mnist.json: is the sharper form used for the (first, later) requests?
SEQUENCE_FORMS = {"consistent_loose_k": (False, False), "official_code_k": (False, True)}


def sequence_epsilons(
    setting: Setting,
    sigma: float,
    ks: Sequence[int],
    sharper: tuple[bool, bool],
    sizes: Sequence[int] | None = None,
    diameter: float = math.inf,
) -> list[float]:
    """ε after each request with these K: Z₁ = Z_B, Z_{r+1} = min(c^{K_r l} Z_r + Z_B, 2R)."""
    found, distance = [], 0.0
    for r, k in enumerate(ks):
        size = 1 if sizes is None else sizes[r]
        one = min(size * setting.shift / (1 - setting.c**setting.batches), diameter)
        distance = min(distance + one, diameter)
        left = distance
        for _ in range(k * setting.batches):
            left *= setting.c
        unit = left * left / (2 * setting.eta * sigma**2)
        if sharper[r > 0]:
            unit /= math.fsum(setting.c ** (2 * i) for i in range(k * setting.batches))
        found.append(mironov(lambda alpha, unit=unit: alpha * unit, setting.delta)[0])
        distance = left
    return found


def load_sequences() -> dict[tuple[float, float, int], dict[str, list[int]]]:
    """(ε, σ, batch size) -> {column: K of each request}, without the filler."""
    found = {}
    for key, columns in json.loads((DATA / "sequential_mnist.json").read_text()).items():
        values = dict(part.split("=") for part in key.split("|")[2:])
        size = load_constants()["table1"]["MNIST"]["n"] if values["b"] == "full" else int(values["b"])
        found[float(values["eps"]), float(values["sigma"]), size] = {name: ks[1:] for name, ks in columns.items()}
    return found


# --- Langevin unlearning (P2) -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FullBatch:
    """Constants of a full-batch run of the authors': m = 1e-6·n, L = 1/4 + m, M = 1, η = 1/L, δ = 1/n."""

    n: int
    dimension: int

    @property
    def m(self) -> float:
        return 1e-6 * self.n

    @property
    def smoothness(self) -> float:
        return 0.25 + self.m

    @property
    def delta(self) -> float:
        return 1 / self.n


def langevin_renyi(alpha: float, run: FullBatch, sigma: float, sizes: Sequence[int], ks: Sequence[int]) -> float:
    """ε_r(α), the recursion from the last request down to the first."""

    def learned(a: float, size: int) -> float:
        return 4 * a * size**2 / (run.m * sigma**2 * run.n**2)

    decay = math.exp(-run.m / run.smoothness * ks[-1] / alpha)
    if len(ks) == 1:
        return decay * learned(alpha, sizes[-1])
    before = langevin_renyi(2 * alpha, run, sigma, sizes[:-1], ks[:-1])
    return decay * (alpha - 0.5) / (alpha - 1) * (learned(2 * alpha, sizes[-1]) + before)


def langevin_epsilon(run: FullBatch, sigma: float, sizes: Sequence[int], ks: Sequence[int]) -> float:
    """ε after the last request: α in [2, 1e5], Mironov, δ = 1/n."""
    return mironov(lambda a: langevin_renyi(a, run, sigma, sizes, ks), run.delta, 2.0, 1e5)[0]


# --- descent-to-delete (P3) -------------------------------------------------------------------------------------------


def descent_noise(run: FullBatch, iterations: int, epsilon: float) -> float:
    """σ = 4√2·Mγ^I/(m n (1−γ^I)(√(log(1/δ)+ε) − √log(1/δ)))."""
    gamma, power = (run.smoothness - run.m) / (run.smoothness + run.m), 1.0
    for _ in range(iterations):
        power *= gamma
    budget = math.log(1 / run.delta)
    return 4 * math.sqrt(2) * power / (run.m * run.n * (1 - power) * (math.sqrt(budget + epsilon) - math.sqrt(budget)))


def descent_sequence(run: FullBatch, request: int, epsilon: float) -> tuple[int, int, float]:
    """(I of every request, I of this one, its σ) of the sequential variant in the code of arXiv 2401.10371."""
    gamma = (run.smoothness - run.m) / (run.smoothness + run.m)
    budget = 2 * math.log(2 / run.delta)
    gap = math.sqrt(budget + epsilon) - math.sqrt(budget)
    every = math.ceil(math.log(math.sqrt(2 * run.dimension) / (1 - gamma) / gap) / math.log(1 / gamma))
    own = math.ceil(math.log(math.log(4 * run.dimension * request / run.delta)) / math.log(1 / gamma))
    power = gamma ** (every + own)
    width = math.sqrt(budget + 3 * epsilon) - math.sqrt(budget + 2 * epsilon)
    return every, every + own, 8 * power / (run.m * run.n * (1 - power) * width)


BASELINE_TARGETS = (0.05, 0.1, 0.5, 1.0, 2.0, 5.0)  # of the lists LU_sigma_S1 and D2D_sigma


def load_baselines() -> dict[FullBatch, dict]:
    """baselines_LU_D2D.json by setting; the authors' own printed values left out."""
    content = json.loads((DATA / "baselines_LU_D2D.json").read_text())
    return {
        FullBatch(int(key.split("n=")[1]), 784 if key.startswith("MNIST") else 512): columns
        for key, columns in content.items()
        if "|n=" in key
    }
