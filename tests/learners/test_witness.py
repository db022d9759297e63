"""The straight witness: its recursion against docs/theory.md T4, T6, its simulation against the recursion (5 sigma)."""

import math
from fractions import Fraction

import pytest

torch = pytest.importorskip("torch")
from accountant.losses import ConstantLoss, LogisticLoss  # noqa: E402
from accountant.mechanisms.pnsgd import NoisySGD  # noqa: E402
from learners import LearnerRefused, moments, simulate  # noqa: E402

pytestmark = pytest.mark.learn

CHAINS = 20_000


def mechanism(**changes):
    fields = {"samples": 12, "batch_size": 4, "epochs": 6, "noise_std": "0.2", "unlearning_epochs": (2,)}
    return NoisySGD(**({"loss": LogisticLoss("0.1")} | fields | changes))


CASES = {
    "unlearning": ({}, None),
    "first batch": ({}, 0),
    "learning alone": ({"unlearning_epochs": (0,)}, None),
    "two requests": ({"requests": (3, 2), "unlearning_epochs": (1, 2)}, None),
    "zeroed": ({"neighbours": "remove-one", "requests": (2,)}, None),
    "starts apart": ({"initial_distance": "0.7"}, 1),
    "no contraction": ({"loss": ConstantLoss(1, 0, "0.5")}, None),
    "clip": ({"loss": LogisticLoss("0.3", 1, "0.25"), "step_size": "2/(L+m)"}, None),
    "full batch": ({"batch_size": 12}, None),
}


@pytest.mark.parametrize("changes, position", CASES.values(), ids=CASES)
def test_simulation_agrees_with_the_exact_gaussian(changes, position):
    one, other = simulate(mechanism(**changes), chains=CHAINS, seed=11, position=position)
    exact = moments(mechanism(**changes), position)
    assert one.shape == other.shape == (CHAINS,)
    assert exact.mu > 0
    error = math.sqrt(2 * exact.variance / CHAINS)
    assert abs((one.mean() - other.mean()).item() - exact.distance) < 5 * error
    for final in (one, other):
        centred = (final - final.mean()) / math.sqrt(exact.variance)
        assert abs(centred.square().mean().item() - 1) < 5 * math.sqrt(2 / CHAINS)
        assert abs(centred.pow(3).mean().item()) < 5 * math.sqrt(6 / CHAINS)  # no skew: a Gaussian
        assert abs(centred.pow(4).mean().item() - 3) < 5 * math.sqrt(24 / CHAINS) + 0.05


def test_the_observer_tells_the_runs_apart_exactly_as_mu_says():
    """Threshold test at the middle: its error rate is Φ(−μ/2)."""
    one, other = simulate(mechanism(), chains=CHAINS, seed=5)
    exact = moments(mechanism())
    middle = (one.mean() + other.mean()) / 2
    wrong = ((one < middle).double().mean() + (other > middle).double().mean()).item() / 2
    rate = 0.5 * math.erfc(exact.mu / 2 / math.sqrt(2))
    assert abs(wrong - rate) < 5 * math.sqrt(rate * (1 - rate) / (2 * CHAINS))


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("epochs, unlearning", [(1, 1), (6, 2), (40, 3)])
def test_recursion_equals_the_closed_form(epochs, unlearning, position):
    """μ_low·sqrt(ratio of T6) = μ of T4 for one record in batch j; D_N is Z_j(T)·c^{Kl} of T1."""
    m = mechanism(epochs=epochs, unlearning_epochs=(unlearning,))
    eta, c, l, j = m.step_size, 1 - m.step_size * Fraction(1, 10), m.batches, position  # noqa: E741
    s, steps = 2 * eta / 4, 3 * (epochs + unlearning)
    z = s * c ** (l - 1 - j) * (1 - c ** (l * epochs)) / (1 - c**l)
    exact = moments(m, position)
    assert exact.distance == pytest.approx(float(z * c ** (unlearning * l)), rel=1e-12)
    variance = 2 * eta * Fraction(1, 25) * (1 - c ** (2 * steps)) / (1 - c**2)
    assert exact.variance == pytest.approx(float(variance), rel=1e-12)
    tau = math.sqrt(2 * eta) * 0.2
    upper = float(z) * float(c) ** (unlearning * l) * math.sqrt((1 - c**2) / (1 - c ** (2 * (steps - j)))) / tau
    ratio = math.sqrt((1 - c ** (2 * steps)) / (1 - c ** (2 * (steps - j))))
    assert exact.mu * ratio == pytest.approx(upper, rel=1e-12)


def test_requests_fill_the_last_batch_first_and_cumulate():
    """Five records in batches of four: four in the last, one before; the first request's stop pulling after it."""
    m = mechanism(requests=(3, 2), unlearning_epochs=(1, 2), epochs=2)
    c, s = float(1 - m.step_size / 10), float(2 * m.step_size / 4)
    d = 0.0
    for epochs, counts in ((2, (0, 1, 4)), (1, (0, 1, 1)), (2, (0, 0, 0))):
        for count in counts * epochs:
            d = c * d + s * count
    assert moments(m).distance == pytest.approx(d, rel=1e-12)


@pytest.mark.parametrize(
    "changes, position, message",
    [
        ({"radius": 3}, None, "radius: the witness is for runs without projection; leave radius out"),
        ({"release": "all"}, None, 'the witness compares with "retrain" and shows the "final" model only'),
        ({"requests": (5,)}, 0, "position: 5 records do not fit in batches 0 to 0 of 3"),
        ({}, 3, "position: 1 records do not fit in batches 0 to 3 of 3"),
    ],
)
def test_what_the_witness_is_not_for(changes, position, message):
    for function in (moments, lambda m, p: simulate(m, chains=2, position=p)):
        with pytest.raises(LearnerRefused, match=message):
            function(mechanism(**changes), position)
