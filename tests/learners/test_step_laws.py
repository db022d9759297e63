"""Laws of the noiseless step that every certificate rests on: contraction c and shift s, for any data."""

import pytest

torch = pytest.importorskip("torch")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from accountant.losses import LogisticLoss  # noqa: E402
from accountant.mechanisms.pnsgd import NoisySGD  # noqa: E402
from learners import normalise  # noqa: E402
from learners.models import Numbers, model_of  # noqa: E402
from learners.stepping import Rule, below, step  # noqa: E402

pytestmark = pytest.mark.learn

SLACK = 1 + 1e-9  # rounding of float64, nothing else


@st.composite
def situations(draw):
    """A rule, a batch of 1–5 records in dimension 1–3, two parameter vectors and one record more."""
    b, d = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    clip = draw(st.sampled_from([None, "0.05", "0.5", "2"]))
    loss = LogisticLoss(draw(st.sampled_from(["0", "0.01", "0.3", "2"])), 1, clip)
    smoothness = loss.constants().smoothness
    size = draw(st.sampled_from([1, 2])) / (smoothness * draw(st.integers(1, 4)))
    radius = draw(st.sampled_from([None, "0.5", "3"]))
    mechanism = NoisySGD(b, b, 1, "0.1", loss, step_size=size, radius=radius)
    number = st.floats(-8, 8, allow_subnormal=False)

    def tensor(rows):
        return torch.tensor([[draw(number) for _ in range(d)] for _ in range(rows)], dtype=torch.float64)

    features, labels = (
        normalise(tensor(b + 1)),
        torch.tensor([draw(st.sampled_from([-1.0, 1.0])) for _ in range(b + 1)]),
    )
    return mechanism, features, labels.double(), tensor(1)[0], tensor(1)[0]


def move(x, features, labels, mechanism):
    rule, numbers = Rule.of(mechanism), Numbers(length=features.shape[1])
    model = model_of(mechanism.loss, features.shape[1], rule.gradient_bound, numbers)
    batch = model.batch(features, labels, torch.ones(len(labels), dtype=torch.bool))
    return step(x, batch, model, torch.zeros_like(x), rule)


@settings(max_examples=150, deadline=None)
@given(situations())
def test_the_noiseless_step_contracts(situation):
    mechanism, features, labels, x, y = situation
    constants = mechanism.loss.constants()
    eta = mechanism.step_size
    c = float(max(abs(1 - eta * constants.strong_convexity), abs(1 - eta * constants.smoothness)))
    moved = [move(p, features[:-1], labels[:-1], mechanism)[0] for p in (x, y)]
    assert torch.linalg.vector_norm(moved[0] - moved[1]) <= c * torch.linalg.vector_norm(x - y) * SLACK + 1e-12


@settings(max_examples=150, deadline=None)
@given(situations(), st.booleans())
def test_one_record_shifts_the_step_by_at_most_s(situation, zeroed):
    mechanism, features, labels, x, _ = situation
    other, signs = features[:-1].clone(), labels[:-1].clone()
    other[0], signs[0] = (0.0, 1.0) if zeroed else (features[-1], labels[-1])
    moved = [move(x, f, y, mechanism)[0] for f, y in ((features[:-1], labels[:-1]), (other, signs))]
    ways = 1 if zeroed else 2
    shift = float(ways * mechanism.step_size * mechanism.loss.constants().gradient_bound / mechanism.batch_size)
    rounding = 1e-13 * (1 + torch.linalg.vector_norm(x).item())
    assert torch.linalg.vector_norm(moved[0] - moved[1]).item() <= shift + rounding


@settings(max_examples=150, deadline=None)
@given(situations())
def test_bounds_hold_without_any_slack(situation):
    """Clipped gradients and projected parameters stay within their bounds in float64 itself."""
    mechanism, features, labels, x, _ = situation
    rule = Rule.of(mechanism)
    moved, norms = move(x, features[:-1], labels[:-1], mechanism)
    assert norms.max() <= below(mechanism.loss.constants().gradient_bound)
    if rule.radius is not None:
        assert torch.linalg.vector_norm(moved) <= below(mechanism.radius)


def test_the_shift_bound_is_attained_by_opposite_gradients():
    """Saturated logistic losses with opposite features: the shift comes within a hair of s, so s is no smaller."""
    mechanism = NoisySGD(2, 2, 1, "0.1", LogisticLoss("0.1"))
    x = torch.tensor([40.0], dtype=torch.float64)
    ends = []
    for feature, label in ((1.0, -1.0), (-1.0, -1.0)):  # slope 1 at score 40, slope 0 at score −40: half of s
        ends.append(
            move(x, torch.tensor([[feature], [0.0]]).double(), torch.tensor([label, 1.0]).double(), mechanism)[0]
        )
    half = float(mechanism.step_size) / 2
    assert abs((ends[0] - ends[1]).item()) == pytest.approx(half, rel=1e-9)
