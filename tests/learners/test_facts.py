"""What the theorems say of a run is what runs do, for every loss: distances (T1), the μ of pairs of runs, rounding."""

from __future__ import annotations

import math
from fractions import Fraction as F
from itertools import chain

import pytest

torch = pytest.importorskip("torch")
from accountant import FloatingPoint, derive, enclose, executed_charge  # noqa: E402
from learners import moments  # noqa: E402
from learners.models import Numbers, model_of  # noqa: E402
from learners.noise import seeded  # noqa: E402
from learners.stepping import Rule, run, step  # noqa: E402
from tests.learners.cases import CASES, data_of, mechanism_of  # noqa: E402
from tests.learners.witnesses import WITNESSES  # noqa: E402

pytestmark = pytest.mark.learn


def rates(mechanism) -> tuple[float, float]:
    """(c, s) of docs/theory.md C1 or T22, and C2, from L, m, M."""
    constants, eta = mechanism.loss.constants(), mechanism.step_size
    ways = {"replace-one": 2, "remove-one": 1}[mechanism.neighbours]
    shift = ways * eta * constants.gradient_bound / mechanism.batch_size
    if not constants.convex:
        return float(1 + eta * constants.smoothness), float(shift)
    expands = abs(1 - eta * constants.smoothness)
    return float(max(abs(1 - eta * constants.strong_convexity), expands)), float(shift)


def distances(mechanism, model, histories, start, normals):
    """Distance after every step of two coupled runs (the largest of several chains), and T1's bound on it.

    histories: for each run its batches in every epoch; normals (steps, chains, p): the same for both.
    """
    rule, (c, s) = Rule.of(mechanism), rates(mechanism)
    one = other = start.expand_as(normals[0]).clone()
    seen, bounds, bound = [], [], 0.0
    steps = zip(*(chain.from_iterable(history) for history in histories), strict=True)
    for normal, (first, second) in zip(normals, steps, strict=True):
        one, other = (step(x, batch, model, normal, rule)[0] for x, batch in ((one, first), (other, second)))
        differs = not (torch.equal(first.features, second.features) and torch.equal(first.labels, second.labels))
        bound = c * bound + s * differs
        bound = bound if rule.radius is None else min(bound, 2 * rule.radius)
        seen.append(torch.linalg.vector_norm(one - other, dim=-1).max().item())
        bounds.append(bound)
    return seen, bounds


@pytest.mark.parametrize("neighbours", ["replace-one", "remove-one"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_coupled_runs_are_never_further_apart_than_t1_says(case, neighbours) -> None:
    """Anywhere on the path: learning with and without a record, then unlearning it."""
    mechanism = mechanism_of(case, neighbours=neighbours, noise_std="0.02")
    model = model_of(mechanism.loss, 3, Rule.of(mechanism).gradient_bound, Numbers(length=3))
    close = []
    for seed in range(4):
        data = data_of(case, seed=seed)
        after = data.replaced((9,), data_of(case, 1, seed=77) if neighbours == "replace-one" else None)

        def cut(records):
            there = torch.ones(4, dtype=torch.bool)
            return [model.batch(records.features[i : i + 4], records.labels[i : i + 4], there) for i in (0, 4, 8)]

        histories = [[cut(data)] * 5 + [cut(after)] * 2, [cut(after)] * 7]
        normals = seeded(seed, "coupled")((21, 8, model.parameters))
        seen, bounds = distances(mechanism, model, histories, torch.zeros(model.parameters).double(), normals)
        assert all(a <= b * (1 + 1e-9) + 1e-12 for a, b in zip(seen, bounds, strict=True))
        close.append(max(a / b for a, b in zip(seen, bounds, strict=True) if b))
    assert max(close) > 1e-3


@pytest.mark.parametrize("witness", WITNESSES.values(), ids=WITNESSES)
def test_on_witness_data_they_are_as_far_apart_as_t1_says(witness) -> None:
    mechanism, model = witness.mechanism, witness.model()
    first, second = witness.batches(False), witness.batches(True)
    histories = [[first] * 6 + [second] * 2, [second] * 8]
    start = torch.tensor(witness.start, dtype=torch.float64)
    seen, bounds = distances(mechanism, model, histories, start, seeded(1, "w")((24, 4, model.parameters)))
    for a, b in zip(seen, bounds, strict=True):
        assert b * (1 - 2 * witness.nearly) - 1e-10 <= a <= b * (1 + 1e-9) + 1e-10
    assert bounds[17] > bounds[23] > 0


def simulated(witness, pairs: int, seed: int):
    """Final coordinates of `pairs` histories and as many references, all with noise of their own."""
    mechanism, model, rule = witness.mechanism, witness.model(), Rule.of(witness.mechanism)
    first, second = witness.batches(False), witness.batches(True)
    ends = []
    for name, phases in (("history", ((first, 6), (second, 2))), ("reference", ((second, 8),))):
        x, noise = torch.tensor(witness.start, dtype=torch.float64).expand(pairs, model.parameters), seeded(seed, name)
        for batches, epochs in phases:
            x, _ = run(x, batches, model, noise, rule, epochs)
        ends.append(witness.along(x))
    assert mechanism.epochs == 6
    return ends


def check_mu(witness, pairs: int, seed: int) -> None:
    """μ of the simulated pairs lies between the witness's and the certified one, to 4.5 standard errors of both; and so
    does the rate of errors of the test that tells the runs apart best."""
    one, other = simulated(witness, pairs, seed)
    spread = math.sqrt((one.var().item() + other.var().item()) / 2)
    mu = abs((one.mean() - other.mean()).item()) / spread
    certified, least = float(enclose(derive(witness.mechanism)).upper), moments(witness.mechanism).mu
    assert least <= certified * (1 + 1e-9) and certified < 1.05 * least  # T6's witness is that close to the bound
    error = math.sqrt(2 / pairs + mu**2 / (4 * pairs))
    assert mu > 10 * error, "too little to be seen"
    assert least * (1 - 2 * witness.nearly) - 4.5 * error < mu < certified + 4.5 * error
    middle, sign = (one.mean() + other.mean()) / 2, 1 if one.mean() > other.mean() else -1
    wrong = ((sign * (one - middle) < 0).double().mean() + (sign * (other - middle) > 0).double().mean()).item() / 2
    rates = [0.5 * math.erfc(value / 2 / math.sqrt(2)) for value in (certified, least * (1 - 2 * witness.nearly))]
    error = 4.5 * math.sqrt(rates[1] / (2 * pairs))
    assert rates[0] - error < wrong < rates[1] + error


@pytest.mark.parametrize("witness", WITNESSES.values(), ids=WITNESSES)
def test_ten_thousand_pairs_reproduce_the_certified_mu(witness) -> None:
    check_mu(witness, 10_000, 7)


@pytest.mark.slow
@pytest.mark.parametrize("witness", WITNESSES.values(), ids=WITNESSES)
def test_a_million_pairs_reproduce_the_certified_mu(witness) -> None:
    check_mu(witness, 1_000_000, 8)


@pytest.mark.parametrize("name", ["huber", "smoothed hinge", "least squares, clipped", "logistic, scaled by clip"])
def test_an_adversarially_rounded_run_is_between_the_uncharged_and_the_charged_bound(name) -> None:
    """Each step is off by four units in the last place of float32, away from the other run; the noise is as it was, so
    both ends are Gaussian, their means where a run without noise ends."""
    witness = WITNESSES[name]
    mechanism, model, rule = witness.mechanism, witness.model(), Rule.of(witness.mechanism)
    numbers = FloatingPoint("float32", 1, F(1))
    off = 4 * float(numbers.spacing)
    first, second = witness.batches(False), witness.batches(True)
    zero = torch.zeros(1, dtype=torch.float64)
    direction, ends = None, []
    for rounding in (0.0, off):
        one = other = torch.tensor(witness.start, dtype=torch.float64)
        for epoch in range(8):
            for batch, reference in zip(first if epoch < 6 else second, second, strict=True):
                one, other = step(one, batch, model, zero, rule)[0], step(other, reference, model, zero, rule)[0]
                if direction is not None:
                    one, other = one + direction * rounding, other - direction * rounding
        direction = torch.sign(one - other)
        ends.append((one - other).abs().item())
    c = float(1 - mechanism.step_size * mechanism.loss.constants().strong_convexity)
    spread = rule.noise_scale * math.sqrt((1 - c**48) / (1 - c**2))
    uncharged, charge = float(enclose(derive(mechanism)).upper), float(executed_charge(mechanism, numbers))
    exact, rounded = (end / spread for end in ends)
    assert exact == pytest.approx(uncharged, rel=1e-3) and exact <= uncharged * (1 + 1e-9)
    assert uncharged < rounded <= uncharged + charge
    assert rounded - exact > charge / 10
