"""Every loss: what is executed is what docs/theory.md states, record by record; labels; noiseless runs end where SciPy
does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scipy.optimize import minimize, root  # noqa: E402

from accountant import ClippedLoss, ConstantLoss, NoisySGD  # noqa: E402
from learners import Dataset, LearnerRefused, learn, objective, predict, retrain, unlearn, vouch  # noqa: E402
from learners.models import Numbers, model_of  # noqa: E402
from learners.noise import seeded  # noqa: E402
from learners.stepping import Rule, run  # noqa: E402
from tests.learners.cases import CASES, Case, by_hand, data_of, field, mechanism_of  # noqa: E402

pytestmark = pytest.mark.learn


def oracle(case: Case, mechanism: NoisySGD, features, labels, x, order, normals):
    """Algorithm 1 of arXiv 2403.17105 on `by_hand`'s gradients; ours differs by rounding and a hair of 2⁻⁴⁰."""
    eta, b = float(mechanism.step_size), mechanism.batch_size
    tau = np.sqrt(2 * eta) * float(mechanism.noise_std)
    for epoch in normals:
        for j, normal in enumerate(epoch):
            rows = order[j * b : (j + 1) * b]
            x = x - eta * field(case, x, features[rows], labels[rows], b) + tau * normal
            if mechanism.radius is not None:
                x = x * min(1.0, float(mechanism.radius) / np.linalg.norm(x))
    return x


@pytest.mark.parametrize("neighbours", ["replace-one", "remove-one"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_executed_is_what_is_stated(case, neighbours) -> None:
    mechanism, data = mechanism_of(case, neighbours=neighbours), data_of(case)
    state = learn(mechanism, data, seed=3, order_seed=1)
    order, d = state.order.tolist(), len(state.parameters)
    assert d == 3 * case.width
    features, labels = data.features.numpy().copy(), data.labels.numpy().copy()

    def noises(seed, stretch, epochs):
        return seeded(seed, stretch)((epochs, 3, d)).numpy()

    learned = oracle(case, mechanism, features, labels, np.zeros(d), order, noises(3, "learn", 5))
    assert np.allclose(state.parameters.numpy(), learned, rtol=1e-9, atol=1e-10)

    spare = data_of(case, 1, seed=9) if neighbours == "replace-one" else None
    features[2] = 0 if spare is None else spare.features[0].numpy()
    labels[2] = labels[2] if spare is None else spare.labels[0].item()
    after = unlearn(state, [2], seed=4, replacements=spare)
    expected = oracle(case, mechanism, features, labels, learned, order, noises(4, "unlearn 0", 2))
    assert np.allclose(after.parameters.numpy(), expected, rtol=1e-9, atol=1e-10)

    reference = retrain(mechanism, data, [2], seed=5, order=state.order, replacements=spare)
    expected = oracle(case, mechanism, features, labels, np.zeros(d), order, noises(5, "learn", 7))
    assert np.allclose(reference.parameters.numpy(), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_no_gradient_is_longer_than_was_certified(case) -> None:
    """Far from the origin, where slopes saturate and exponentials overflow, and at it."""
    mechanism = mechanism_of(case)
    bound, rule = mechanism.loss.constants().gradient_bound, Rule.of(mechanism)
    model, data = model_of(mechanism.loss, 3, rule.gradient_bound, Numbers(length=3)), data_of(case)
    batch = model.batch(data.features, data.labels, torch.ones(12, dtype=torch.bool))
    for size in (0.0, 1.0, 1e3, 1e6):
        radius = float(mechanism.radius or size)
        x = torch.randn(40, model.parameters, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        x = x / torch.linalg.vector_norm(x, dim=1, keepdim=True) * min(size, radius)
        mean, norms = model.gradient(x, batch)
        assert mean.isfinite().all() and norms.shape == (40, 12)
        assert norms.max() <= rule.gradient_bound <= bound


def noiseless(mechanism: NoisySGD, data: Dataset, steps: int) -> np.ndarray:
    rule = replace(Rule.of(mechanism), noise_scale=0.0)
    model = model_of(mechanism.loss, data.features.shape[1], rule.gradient_bound, Numbers(length=3))
    batch = model.batch(data.features, data.labels, torch.ones(len(data), dtype=torch.bool))
    start = torch.zeros(model.parameters, dtype=torch.float64)
    return run(start, (batch,), model, lambda shape: torch.zeros(shape, dtype=torch.float64), rule, steps)[0].numpy()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_without_noise_a_full_batch_ends_at_the_optimum_of_scipy(case) -> None:
    """Where the data gradients are cut or scaled, at the zero of the field that is descended; in a ball, at the point
    from which a step and the projection lead back."""
    mechanism, data = mechanism_of(case, batch_size=12), data_of(case)
    ended = noiseless(mechanism, data, 800)
    features, labels, start = data.features.numpy(), data.labels.numpy(), np.zeros(3 * case.width)

    def descended(theta):
        return field(case, theta, features, labels, 12)

    plain = case.clip is None and not hasattr(case.loss, "scaling")
    if plain:
        best = minimize(
            lambda theta: objective(torch.from_numpy(theta), mechanism, data), start, jac=descended, tol=1e-14,
            method="trust-constr" if mechanism.radius else "BFGS", options={"gtol": 1e-9},
            constraints=[{"type": "ineq", "fun": lambda theta: float(mechanism.radius) - np.linalg.norm(theta)}]
            if mechanism.radius else (),
        ).x  # fmt: skip
    else:
        best = root(descended, start, tol=1e-12).x
    if mechanism.radius is None or np.linalg.norm(best) < float(mechanism.radius) - 1e-3:
        assert np.abs(ended - best).max() < 1e-6
    moved = ended - float(mechanism.step_size) * descended(ended)
    if mechanism.radius is not None:
        moved *= min(1.0, float(mechanism.radius) / np.linalg.norm(moved))
    assert np.abs(moved - ended).max() < 1e-8


WRONG = [
    ("logistic", 0.0, r"labels 0; write \+1 for one class and -1 for the other"),
    ("smoothed hinge", 2.0, r"labels 2; write \+1 for one class"),
    ("logistic, scaled by auto-s", 0.5, r"labels 0.5; write \+1 for one class"),
    ("hinge, scaled by psasc", -2.0, r"labels -2; write \+1 for one class"),
    ("softmax", 3.0, "labels 3; number the classes from 0 to 2"),
    ("softmax", 0.5, "labels 0.5; number the classes from 0 to 2"),
    ("softmax", -1.0, "labels -1; number the classes from 0 to 2"),
    ("least squares in a ball", -2.0000001, r"labels -2; scale the targets to \[-2, 2\]"),
    ("least squares, scaled by psac", 2.5, r"labels 2.5; scale the targets to \[-2, 2\]"),
    ("poisson, clipped", 1.5, "labels 1.5; write a whole number from 0 to target_bound = 4"),
    ("poisson, clipped", -1.0, "labels -1; write a whole number from 0"),
    ("poisson, scaled by auto-s", 5.0, "labels 5; write a whole number from 0 to target_bound = 4"),
]


@pytest.mark.parametrize("name, label, message", WRONG)
def test_a_label_that_the_loss_does_not_have_is_refused(name, label, message) -> None:
    case = CASES[name]
    data = data_of(case)
    labels = data.labels.clone()
    labels[7] = label
    wrong = replace(data, labels=labels)
    with pytest.raises(LearnerRefused, match=rf"^record 7: {message}"):
        vouch(mechanism_of(case), wrong)
    erased = wrong.replaced((7,))
    vouch(mechanism_of(case), erased)  # an absent record has no label to be looked at
    assert learn(mechanism_of(case), erased, seed=1).record.phases


def test_losses_of_which_constants_alone_are_known_are_refused() -> None:
    data = data_of(CASES["logistic"])
    with pytest.raises(LearnerRefused, match="loss: constants alone cannot be executed, nor vouched for; write a loss"):
        vouch(NoisySGD(12, 4, 1, "1", ConstantLoss(1, 0, 1)), data)
    with pytest.raises(LearnerRefused, match="loss"):
        vouch(NoisySGD(12, 4, 1, "1", ClippedLoss("0.1", 1), step_size="0.1"), data)


def test_predictions_are_in_the_terms_of_the_data() -> None:
    theta = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    rows = data_of(CASES["logistic"]).features
    scores = rows @ theta
    for name, expected in (
        ("logistic", torch.where(scores > 0, 1.0, -1.0).double()),
        ("hinge, scaled by psasc", torch.where(scores > 0, 1.0, -1.0).double()),
        ("huber", scores),
        ("least squares, clipped", scores),
        ("poisson, scaled by auto-s", scores.exp()),
    ):
        prediction = predict(theta, mechanism_of(CASES[name]), rows)
        assert torch.equal(prediction.labels, expected) and torch.equal(prediction.scores, scores)
    wide = torch.arange(9, dtype=torch.float64)
    chosen = predict(wide, mechanism_of(CASES["softmax"]), rows)
    assert chosen.scores.shape == (12, 3) and set(chosen.labels.tolist()) <= {0.0, 1.0, 2.0}
    assert torch.allclose(chosen.scores[:, 1], rows @ wide[3:6])
    with pytest.raises(ValueError, match=r"features: \(12, 2\); give \(n, 3\)"):
        predict(theta, mechanism_of(CASES["huber"]), rows[:, :2])


@pytest.mark.parametrize("name", ["logistic", "softmax", "huber", "smoothed hinge", "poisson, clipped"])
def test_the_gradient_is_that_of_the_objective(name) -> None:
    """Central differences of `objective` against `by_hand`, unclipped, with an absent record in the mean."""
    case = replace(CASES[name], clip=None)
    mechanism, data = mechanism_of(case), data_of(case).replaced((1,))
    theta = np.linspace(-0.4, 0.5, 3 * case.width)
    slopes = []
    for i in range(len(theta)):
        ends = [objective(torch.from_numpy(theta + s * np.eye(len(theta))[i]), mechanism, data) for s in (1e-5, -1e-5)]
        slopes.append((ends[0] - ends[1]) / 2e-5)
    there = [i for i in range(12) if i != 1]
    features, labels = data.features.numpy()[there], data.labels.numpy()[there]
    assert np.allclose(slopes, field(case, theta, features, labels, 12), atol=1e-8)
    assert by_hand(case, theta, features[0], labels[0]).shape == theta.shape
