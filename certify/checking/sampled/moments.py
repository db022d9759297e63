"""T11, T18, T20."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from certify.checking.descent.steps import NEIGHBOURS
from certify.checking.descent.strings import MU, SquaredMu
from certify.checking.limits import MAX_ORDER, MAX_ORDERS, require
from certify.checking.numbers.elementary import e_to, pi, profile
from certify.checking.numbers.exact import canonical, number
from certify.checking.numbers.intervals import Interval, decide, smaller
from certify.checking.numbers.powers import to_the
from certify.checking.reading import exact, integer, rounded
from certify.checking.rules import RULES, Rule, Step, declare
from certify.checking.sampled.schedule import SAMPLED, SUMS, Schedule, read_schedule


def binomial_tail(n: int, rate: Fraction, cap: int, bits: int) -> Interval:
    """An upper bound of P[Bin(n, rate) > cap], 0 < rate < 1, within about 1/(12·cap) of it where the tail is small.

    With k = cap + 1 and Robbins' form of Stirling's formula, sqrt(2πm)·(m/e)^m·e^(1/(12m+1)) < m! < the same with
    e^(1/(12m)): P[Bin = k] < sqrt(n/(2πk(n-k)))·(nq/k)^k·(n(1-q)/(n-k))^(n-k) for 0 < k < n, as 12n ≥ 12k + 1.
    Each further term is the one before times (n-k)q/((k+1)(1-q)), which falls: the rest is at most a geometric series.
    """
    k, one = cap + 1, Interval.of(1, bits)
    if k > n:
        return one - one
    q, p = rate, 1 - rate
    if k == n:
        return to_the(Interval.of(q, bits), n)
    if (n - k) * q >= (k + 1) * p:
        return one
    first = to_the(Interval.of(n * q / k, bits), k) * to_the(Interval.of(n * p / (n - k), bits), n - k)
    term = first * (Interval.of(Fraction(n, 2 * k * (n - k)), bits) / pi(bits)).sqrt()
    total = one - one
    for i in range(k, min(n, k + 4000)):
        ratio = Fraction(n - i) * q / ((i + 1) * p)
        rest = total + term / (1 - ratio)
        if ratio * 2 < 1 or i == min(n, k + 4000) - 1:
            break
        total, term = total + term, term * ratio
    return smaller(rest, one)


def truncation_charge(schedule: Schedule, epsilon: Fraction, bits: int) -> Interval:
    """T20. Batches of more than `cap` records, cut off: each step adds (1 + e^ε)·P[Bin(n⁺, q) > cap] to δ."""
    total = Interval.of(0, bits)
    for n, rate, cap, steps in schedule.truncations:
        if rate == 1:
            tail = Interval.of(int(n > cap), bits)
        else:
            tail = binomial_tail(n, rate, cap, bits) if rate else Interval.of(0, bits)
        total = total + tail * steps * (1 + e_to(epsilon, bits))
    return total


def check_gaussian(schedule: Schedule, epsilon: Fraction, delta: Fraction, below: bool = True) -> None:
    """T11. Gaussian releases compose to μ² = Σ steps·(shift)², and δ(ε) is exact. `below=False`: δ(ε) >= delta."""
    require(not schedule.sampled, "gaussian_profile: needs releases without sampling")

    def holds(bits: int) -> bool:
        value = profile(epsilon, Interval.of(schedule.mu_squared, bits).sqrt())
        charge = truncation_charge(schedule, epsilon, bits)
        return value + charge <= delta if below else value - charge >= delta

    require(decide(holds, "gaussian_profile"), "gaussian_profile: delta(epsilon) is on the other side of delta")


def renyi_moment(schedule: Schedule, order: int, bits: int) -> Interval:
    """T18. e^((α-1)·D_α) of all releases, Poisson sampling, integer α ≥ 2:

    Π_steps Σ_k binom(α,k)·(1-q)^(α-k)·q^k·e^(s²·k(k-1)/2), times e^(α(α-1)μ²/2) of those without sampling. It bounds
    both directions (Mironov, Talwar, Zhang 2019).
    """
    whole = isinstance(order, int) and 2 <= order <= MAX_ORDER
    require(whole, f"subsampled_renyi: needs an integer order from 2 to {MAX_ORDER}")
    total = e_to(order * (order - 1) * schedule.mu_squared / 2, bits)
    for release in schedule.sampled:
        require(not release.symmetrised, "subsampled_renyi: needs Poisson sampling")
        require(release.alone, "subsampled_renyi: needs one record that is added or removed")
        q, growth = release.rate, e_to(release.shift**2, bits)
        odds, factor = Interval.of(q / (1 - q), bits), Interval.of(1, bits)  # factor = e^(s²·k)
        term = step = to_the(Interval.of(1 - q, bits), order)
        for k in range(order):
            term = term * odds * factor * Fraction(order - k, k + 1)
            factor, step = factor * growth, step + term
        total = total * to_the(step, release.steps)
    return total


def renyi_is_below(schedule: Schedule, order: int, value: Fraction) -> bool:
    """T18. D_order ≤ value, both directions."""

    def holds(bits: int) -> bool:
        return renyi_moment(schedule, order, bits) <= e_to((order - 1) * value, bits)

    return decide(holds, "subsampled_renyi")


def described(sampling: str, noise_multiplier: Fraction, rate: Fraction, steps: int) -> dict[str, str]:
    """Equal releases as the proof writes them."""
    numbers = {"noise_multiplier": canonical(noise_multiplier), "sample_rate": canonical(rate), "steps": str(steps)}
    return {"sampling": sampling, **numbers}


def check_sampled_curve(step: Step) -> None:
    orders, uppers = [int(x) for x in step.args["orders"]], [Fraction(x) for x in step.concludes["renyi"]]
    require(all(x < y for x, y in pairwise(orders)), f"{step.name}: orders must ascend")
    require(len(orders) == len(uppers), f"{step.name}: needs one bound for each order")
    require(len(orders) <= MAX_ORDERS, f"{step.name}: more than {MAX_ORDERS} orders")
    schedule = read_schedule(step.args["releases"], step.args["neighbours"])
    for order, upper in zip(orders, uppers, strict=True):
        step.follows("renyi", renyi_is_below(schedule, order, upper))


def check_truncation(step: Step) -> Fraction:
    """T20. The premise's ε, where the share of δ that is left out of it pays for what is cut."""
    budget, stated = step.argument("budget"), step.stated("epsilon")
    samples, cap = int(step.args["samples"]), int(step.args["max_batch_size"])
    require(0 <= budget < 1, f"{step.name}: needs a budget from 0 to 1")
    step.follows("epsilon", stated >= step.given[0])  # a larger ε needs no more of δ
    schedule = read_schedule(step.args["releases"], "add-or-remove-one", (samples, cap))
    fits = decide(lambda bits: truncation_charge(schedule, stated, bits) <= budget, step.name)
    require(fits, f"{step.name}: what is cut costs more than the budget")
    return stated


def check_all_records(step: Step) -> SquaredMu:
    """T20f, T20l, T20d. μ² of releases of all records, exactly."""
    if step.theorem == "T20d":
        releases = [described("full", step.argument("noise_multiplier"), Fraction(1), int(step.args["epochs"]))]
    else:
        releases = step.args["releases"]
    schedule = read_schedule(releases, step.args["neighbours"])
    require(not schedule.sampled, f"{step.name}: needs releases of all records")
    total, stated = schedule.mu_squared, step.stated("mu")
    step.follows("mu", stated**2 <= total if RULES[step.theorem].lower else total <= stated**2)
    return lambda bits: number(total, bits)


CUT = {"budget": exact, "releases": SUMS, "samples": integer, "max_batch_size": integer}
DISJOINT = {"noise_multiplier": exact, "epochs": integer, "neighbours": NEIGHBOURS}

declare(
    Rule("T18", "subsampled_renyi", SAMPLED | {"orders": [integer]}, {"renyi": [rounded]}, check_sampled_curve,
         free={"orders"}),
    Rule("T20", "truncated_poisson", CUT, {"epsilon": rounded}, check_truncation, "T19 or T27",
         "at the premise's `grid.delta` + `budget`", free={"budget"}),
    Rule("T20d", "disjoint_batches", DISJOINT, MU, check_all_records),
    Rule("T20f", "full_batches", SAMPLED, MU, check_all_records),
    Rule("T20l", "full_batches_witness", SAMPLED, MU, check_all_records, lower=True),
)  # fmt: skip
