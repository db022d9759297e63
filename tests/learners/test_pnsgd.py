"""The algorithm: equal to a plain oracle on the same noise; batches, bounds, erasure, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from accountant.losses import ConstantLoss  # noqa: E402
from accountant.mechanisms.pnsgd import NoisySGD  # noqa: E402
from learners import (  # noqa: E402
    Dataset,
    FeatureNormExceeded,
    LearnerRefused,
    RunCheckFailed,
    accuracy,
    distance,
    embedded,
    learn,
    mean_loss,
    retrain,
    stepping,
    unlearn,
)
from learners.data import permutation  # noqa: E402
from learners.models import Linear, Logistic  # noqa: E402
from learners.noise import secret, seeded  # noqa: E402

pytestmark = pytest.mark.learn


def oracle(mechanism, features, labels, x, order, normals):
    """Algorithm 1 of arXiv 2403.17105, clipped, record by record; slow. Ours differs by rounding and 2⁻⁴⁰."""
    constants = mechanism.loss.constants()
    eta, m, bound = float(mechanism.step_size), float(constants.strong_convexity), float(constants.gradient_bound)
    tau, b = np.sqrt(2 * eta) * float(mechanism.noise_std), mechanism.batch_size
    for epoch in normals:
        for j, normal in enumerate(epoch):
            total = np.zeros_like(x)
            for i in order[j * b : (j + 1) * b]:
                gradient = -labels[i] * features[i] / (1 + np.exp(labels[i] * (features[i] @ x)))
                norm = np.linalg.norm(gradient)
                total += gradient * min(1, bound / norm) if norm else 0
            x = x - eta * (total / b + m * x) + tau * normal
            if mechanism.radius is not None:
                x = x * min(1, float(mechanism.radius) / np.linalg.norm(x))
    return x


def normals(seed, stretch, mechanism, d, epochs):
    noise = seeded(seed, stretch)
    return [noise((mechanism.batches, d)).numpy() for _ in range(epochs)]


VARIANTS = {
    "plain": {},
    "clip active": {"clip": "0.2"},
    "projection active": {"radius": "0.3"},
    "dropped remainder": {"batch_size": 5, "remainder": "drop"},
    "full batch": {"batch_size": 12},
    "single records": {"batch_size": 1},
    "no regulariser": {"regularization": 0},
    "large steps": {"step_size": "2/(L+m)"},
    "expanding, in a ball": {"step_size": 7, "radius": 1},
    "zeroed": {"neighbours": "remove-one"},
    "secret order": {"batch_order": "secret"},
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_learning_unlearning_and_retraining_equal_the_oracle(variant, make_data, make_mechanism):
    mechanism, data = make_mechanism(**variant), make_data()
    state = learn(mechanism, data, seed=3)
    x, y, order = data.features.numpy().copy(), data.labels.numpy().copy(), state.order.tolist()
    expected = oracle(mechanism, x, y, np.zeros(3), order, normals(3, "learn", mechanism, 3, 5))
    assert np.allclose(state.parameters.numpy(), expected, rtol=1e-10, atol=1e-11)

    after = unlearn(state, [order[2]], seed=4)
    x[order[2]], y[order[2]] = 0, 1
    expected = oracle(mechanism, x, y, expected, order, normals(4, "unlearn 0", mechanism, 3, 2))
    assert np.allclose(after.parameters.numpy(), expected, rtol=1e-10, atol=1e-11)

    reference = retrain(mechanism, data, [order[2]], seed=5, order=state.order)
    expected = oracle(mechanism, x, y, np.zeros(3), order, normals(5, "learn", mechanism, 3, 7))
    assert np.allclose(reference.parameters.numpy(), expected, rtol=1e-10, atol=1e-11)
    assert reference.dataset.fingerprint == after.dataset.fingerprint


def test_replacements_take_the_places_in_order(make_data, make_mechanism):
    mechanism, data, spare = make_mechanism(requests=(2,)), make_data(), make_data(2, 3, 9)
    after = unlearn(learn(mechanism, data, seed=1), [7, 2], replacements=spare, seed=1)
    assert torch.equal(after.dataset.features[[7, 2]], spare.features)
    assert torch.equal(after.dataset.labels[[7, 2]], spare.labels)
    assert retrain(mechanism, data, [7, 2], replacements=spare, seed=1).dataset.fingerprint == after.dataset.fingerprint


def test_steps_epochs_and_phases_are_the_mechanisms(make_data, make_mechanism):
    mechanism = make_mechanism(batch_size=5, remainder="drop", requests=(1, 2), unlearning_epochs=(3, 1))
    seen = []
    state = learn(mechanism, make_data(), progress=lambda done, total: seen.append((done, total)))
    state = unlearn(unlearn(state, [0]), [1, 2])
    assert seen == [(i, 5) for i in range(1, 6)]
    assert [(p.kind, p.epochs, p.steps, p.erased) for p in state.record.phases] == [
        ("learn", 5, 10, 0),
        ("unlearn", 3, 6, 1),
        ("unlearn", 1, 2, 2),
    ]
    assert state.erased == (0, 1, 2) and state.requests_done == 2
    assert retrain(mechanism, make_data(), [0]).record.phases[0].epochs == 8
    assert retrain(mechanism, make_data(), [0, 1, 2]).record.phases[0].epochs == 9
    assert retrain(make_mechanism(reference="retrain-T", radius=9), make_data(), [0]).record.phases[0].epochs == 5


def test_no_epochs_change_nothing(make_data, make_mechanism):
    start = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    state = learn(make_mechanism(epochs=0, unlearning_epochs=(1,)), make_data(), start=start)
    assert torch.equal(state.parameters, start)


def test_batches_are_cyclic_and_fixed(make_data, make_mechanism, monkeypatch):
    """Every epoch meets the same records in the same batches; what is left over is never met."""
    data, met = make_data(), []

    def spy(x, batch, *rest):
        met.append(tuple(int((data.features == row).all(dim=1).nonzero()) for row in batch.features))
        return original(x, batch, *rest)

    original = stepping.move
    monkeypatch.setattr(stepping, "move", spy)
    learn(make_mechanism(batch_size=5, remainder="drop", epochs=3), data)
    assert met == [(0, 1, 2, 3, 4), (5, 6, 7, 8, 9)] * 3
    met.clear()
    state = learn(make_mechanism(epochs=2), data, order_seed=7)
    order = permutation(12, "order 7")
    assert met == [tuple(order[0:4]), tuple(order[4:8]), tuple(order[8:12])] * 2
    assert state.order.tolist() == order and state.record.order == "public, seed 7"


def test_secret_orders_differ_and_are_kept(make_data, make_mechanism):
    mechanism, data = make_mechanism(batch_order="secret"), make_data()
    states = [learn(mechanism, data) for _ in range(3)]
    assert len({tuple(s.order.tolist()) for s in states}) > 1  # fails once in 12!² runs
    assert torch.equal(unlearn(states[0], [1]).order, states[0].order)
    assert states[0].record.order == "secret"
    with pytest.raises(LearnerRefused, match='order_seed: a public order under batch_order = "secret"'):
        learn(mechanism, data, order_seed=1)


def test_projection_and_clipping_bind_and_are_never_exceeded(make_data, make_mechanism):
    phase = learn(make_mechanism(radius="0.3", clip="0.2"), make_data(), seed=0).record.phases[0]
    assert 0.3 * (1 - 1e-9) < float(phase.max_parameter_norm) <= 0.3
    assert 0.2 * (1 - 1e-9) < float(phase.max_gradient_norm) <= 0.2
    free = learn(make_mechanism(), make_data(), seed=0).record.phases[0]
    assert float(free.max_parameter_norm) > 0.3 and float(free.max_gradient_norm) > 0.2


def test_the_erased_record_has_no_influence_after_retraining(make_data, make_mechanism):
    """Data that differ in record 5 alone: retrained they agree bit by bit; unlearning knows its start only."""
    mechanism, one = make_mechanism(), make_data()
    features = one.features.clone()
    features[5] = -features[5]
    other = Dataset("other", features, one.labels)
    learned = [learn(mechanism, data, seed=1) for data in (one, other)]
    assert not torch.equal(learned[0].parameters, learned[1].parameters)
    assert torch.equal(*(retrain(mechanism, data, [5], seed=1).parameters for data in (one, other)))
    # The same start instead of two learned ones: then the unlearning phase cannot tell the data apart.
    nothing = make_mechanism(epochs=0)
    assert torch.equal(*(unlearn(learn(nothing, data), [5], seed=2).parameters for data in (one, other)))


def test_unlearning_brings_runs_together_as_fast_as_it_says(make_data, make_mechanism):
    """Same noise in learned and retrained runs: their distance stays below T1's Z_j(T)·c^{Kl}."""
    mechanism, data = make_mechanism(epochs=30, regularization="0.3"), make_data()
    l, k = mechanism.batches, 2  # noqa: E741
    eta, m = float(mechanism.step_size), 0.3
    c, s = 1 - eta * m, 2 * eta / mechanism.batch_size
    noise = seeded(1, "shared")
    draws = [noise((30 * l, 3)), noise((2 * l, 3))]
    whole = [torch.cat(draws)]
    rule = stepping.Rule.of(mechanism)
    model, ends = Linear(Logistic(), 3, rule.gradient_bound), []
    for phases in ([(data, 30), (data.replaced((11,)), 2)], [(data.replaced((11,)), 32)]):
        feed, x = iter(draws if len(phases) == 2 else whole), torch.zeros(3, dtype=torch.float64)
        for chosen, epochs in phases:
            cut = [slice(i, i + 4) for i in range(0, 12, 4)]
            there = torch.ones(4, dtype=torch.bool)
            batches = tuple(model.batch(chosen.features[i], chosen.labels[i], there) for i in cut)
            x, _ = stepping.run(x, batches, model, lambda _, feed=feed: next(feed), rule, epochs)
        ends.append(x)
    assert 0 < distance(*ends) <= s * (1 - c ** (30 * l)) / (1 - c**l) * c ** (k * l)


def test_reproducible_with_a_seed_only(make_data, make_mechanism):
    mechanism, data = make_mechanism(), make_data()
    one, same, other = (learn(mechanism, data, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(one.parameters, same.parameters) and not torch.equal(one.parameters, other.parameters)
    assert one.record.reproducible and "not private" in one.record.phases[0].noise and one.record.phases[0].seed == 5
    free = [learn(mechanism, data) for _ in range(2)]
    assert not torch.equal(free[0].parameters, free[1].parameters)
    assert not free[0].record.reproducible and free[0].record.phases[0].seed is None
    assert unlearn(free[0], [0], seed=1).record.reproducible and unlearn(one, [0]).record.reproducible
    huge = [learn(mechanism, data, seed=seed).parameters for seed in (5, 5 + 2**32, 2**200)]
    assert not torch.equal(huge[0], huge[1]) and not torch.equal(huge[0], huge[2])


def test_noise_is_standard_and_streams_are_apart():
    n = 400_000
    for sample in (
        seeded(1, "a")((n,)),
        secret()((n,)),
    ):  # 6 standard errors: a false alarm in 10⁸ runs for the secret one
        assert sample.dtype == torch.float64 and sample.isfinite().all()
        assert abs(sample.mean()) < 6 / n**0.5
        assert abs(sample.square().mean() - 1) < 6 * (2 / n) ** 0.5
        assert abs(sample.pow(4).mean() - 3) < 6 * (96 / n) ** 0.5
        assert abs((sample[: n // 2] * sample[n // 2 :]).mean()) < 6 / (n / 2) ** 0.5
    stream = secret()
    assert stream((3, 5)).shape == (3, 5) and not torch.equal(stream((4,)), stream((4,)))
    assert not torch.equal(secret()((4,)), secret()((4,)))
    assert not torch.equal(seeded(1, "a")((4,)), seeded(1, "b")((4,)))
    phases = seeded(1, "a")
    assert not torch.equal(phases((4,)), phases((4,)))


@pytest.mark.parametrize("name, batch_size, least", [("digits-3-8", 32, 0.9), ("breast-cancer", 64, 0.88)])
def test_models_are_useful(name, batch_size, least, make_mechanism):
    pytest.importorskip("sklearn")
    train, test = embedded(name)
    mechanism = make_mechanism("0.01", samples=len(train), batch_size=batch_size, epochs=50, noise_std="0.01")
    state = learn(mechanism, train, seed=0)
    assert accuracy(state.parameters, test) > least
    assert mean_loss(state.parameters, train, mechanism.loss.regularization) < 0.6  # log 2 = 0.69 at the start
    after = unlearn(state, [7], seed=0)
    assert accuracy(after.parameters, test) > least
    reference = retrain(mechanism, train, [7], seed=0).parameters
    assert distance(after.parameters, reference) < distance(reference, 0 * reference) / 2


def test_evaluation_by_hand():
    data = Dataset("two", torch.tensor([[1.0], [0.5], [0.0]]), torch.tensor([1.0, 1.0, -1.0]))
    x = torch.tensor([2.0], dtype=torch.float64)
    assert accuracy(x, data) == pytest.approx(2 / 3) and accuracy(-x, data) == 0
    expected = (np.log1p(np.exp(-2)) + np.log1p(np.exp(-1)) + np.log(2)) / 3 + 0.5 / 2 * 4
    assert mean_loss(x, data, 0.5) == pytest.approx(expected) and distance(x, -x) == 4


REFUSED_AT_LEARNING = [
    ({"loss": ConstantLoss(1, "0.1", 1)}, {}, LearnerRefused, r"loss: constants alone cannot be executed"),
    ({"samples": 16}, {}, LearnerRefused, r"samples: the data hold 12 records, the mechanism says 16; give that many"),
    ({"feature_norm": "0.5"}, {}, FeatureNormExceeded, r"record \d+: norm 0\.\d+ > feature_norm = 0\.5; scale"),
    ({}, {"start": torch.zeros(4)}, LearnerRefused, r"start: shape \(4,\); give 3 finite numbers"),
    ({}, {"start": torch.full((3,), float("nan"))}, LearnerRefused, r"start: .*finite"),
    (
        {"radius": 1},
        {"start": torch.ones(3)},
        LearnerRefused,
        r"start: norm 1.73205 outside the ball of radius 1; project",
    ),
    ({}, {"device": "meta"}, LearnerRefused, r"device: meta is not available for float64 arithmetic here; take cpu"),
    ({}, {"device": "abacus"}, LearnerRefused, r"device: 'abacus' is unknown; take auto, cpu or cuda"),
]


def test_a_label_that_the_loss_does_not_have_is_refused(make_data, make_mechanism):
    good = make_data()
    labels = good.labels.clone()
    labels[3] = 0.0
    with pytest.raises(LearnerRefused, match=r"record 3: labels 0; write \+1 for one class and -1 for the other"):
        learn(make_mechanism(), Dataset("bad", good.features, labels))
    with pytest.raises(LearnerRefused, match="record 0: labels 2"):
        spare = Dataset("spare", good.features[:1], torch.tensor([2.0]))
        unlearn(learn(make_mechanism(), good), [0], replacements=spare)


@pytest.mark.parametrize("changes, arguments, error, message", REFUSED_AT_LEARNING)
def test_learning_refuses(changes, arguments, error, message, make_data, make_mechanism):
    with pytest.raises(error, match=message):
        learn(make_mechanism(**changes), make_data(), **arguments)


def test_other_mechanisms_are_refused(make_data):
    with pytest.raises(LearnerRefused, match="mechanism: str is none that this learner executes; give a NoisySGD"):
        learn("pnsgd", make_data())


@pytest.mark.parametrize(
    "records, message",
    [
        (
            [0, 1],
            r"requests.sizes: request 1 is certified for 1 records, got 2; ask for that many, or certify other sizes",
        ),
        ([], r"requests.sizes: request 1 is certified for 1 records, got 0"),
        ([12], r"records: 12 is not the index of a record; write a number from 0 to 11"),
        ([-1], r"records: -1 is not the index"),
        ([True], r"records: True is not the index"),
        ([1.0], r"records: 1.0 is not the index"),
    ],
)
def test_unlearning_refuses(records, message, make_data, make_mechanism):
    state = learn(make_mechanism(), make_data())
    with pytest.raises(LearnerRefused, match=message):
        unlearn(state, records)


def test_requests_beyond_the_certificate_are_refused(make_data, make_mechanism):
    state = unlearn(learn(make_mechanism(requests=(1, 2), unlearning_epochs=1), make_data()), [3])
    with pytest.raises(LearnerRefused, match="records: 3 is erased already, or named twice; name each record once"):
        unlearn(state, [3, 4])
    with pytest.raises(LearnerRefused, match="records: 4 is erased already, or named twice"):
        unlearn(state, [4, 4])
    state = unlearn(state, [4, 5])
    with pytest.raises(LearnerRefused, match=r"all 2 certified requests are executed; certify more, and learn anew"):
        unlearn(state, [6])


def test_replacements_that_do_not_fit_are_refused(make_data, make_mechanism):
    state = learn(make_mechanism(), make_data())
    with pytest.raises(
        LearnerRefused, match=r"replacements: features \(2, 3\); need \(1, 3\), one for each erased record"
    ):
        unlearn(state, [0], replacements=make_data(2, 3))
    long = Dataset("long", torch.tensor([[2.0, 0.0, 0.0]]), torch.ones(1), 2)
    with pytest.raises(FeatureNormExceeded, match="record 0: norm 2 > feature_norm = 1"):
        unlearn(state, [0], replacements=long)
    zeroed = learn(make_mechanism(neighbours="remove-one"), make_data())
    with pytest.raises(LearnerRefused, match='neighbours = "remove-one" zeroes the gradient; leave them out'):
        unlearn(zeroed, [0], replacements=make_data(1, 3))


def test_retraining_refuses(make_data, make_mechanism):
    mechanism, data = make_mechanism(requests=(2, 1)), make_data()
    with pytest.raises(
        LearnerRefused, match=r"requests.sizes: got 1 records; the first requests erase \[2, 3\] in all"
    ):
        retrain(mechanism, data, [0])
    with pytest.raises(LearnerRefused, match=r"order: no permutation of 0 … 11; give the order of a State"):
        retrain(mechanism, data, [0, 1], order=torch.zeros(12))
    with pytest.raises(LearnerRefused, match='reference: "stationary" is a limit that no run reaches'):
        retrain(make_mechanism(reference="stationary", radius=1), data, [0])
    with pytest.raises(LearnerRefused, match="state: a retrained reference takes no requests"):
        unlearn(retrain(mechanism, data, [0, 1]), [2, 3])


class Steep:
    """A loss that lies: its slope is not a number."""

    def slope(self, scores, labels):
        return scores * float("nan")

    def value(self, scores, labels):
        return scores


def test_run_time_checks(make_data, make_mechanism):
    rule = stepping.Rule.of(make_mechanism(radius=1))
    data, there = make_data(4, 3), torch.ones(4, dtype=torch.bool)
    x, noise = torch.zeros(3, dtype=torch.float64), seeded(1, 1)
    model, steep = (Linear(score, 3, rule.gradient_bound) for score in (Logistic(), Steep()))
    batch = model.batch(data.features, data.labels, there)
    with pytest.raises(RunCheckFailed, match="finite: parameters of norm nan in epoch 1; take a smaller step_size"):
        stepping.run(x, (batch,), steep, noise, rule, 1)
    short = model.batch(data.features[:3], data.labels[:3], there[:3])
    with pytest.raises(RunCheckFailed, match="batch: 3 records, batch_size = 4"):
        stepping.run(x, (short,), model, noise, rule, 1)
    loose = replace(batch, norms=batch.norms * 9)
    with pytest.raises(RunCheckFailed, match=r"gradient_bound: a data gradient of norm \S+ > M = 1.0"):
        stepping.run(x, (loose,), model, noise, rule, 1)
    with pytest.raises(RunCheckFailed, match=r"radius: parameters of norm \S+ outside the ball of radius 1.0"):
        stepping.run(x + 9, (batch,), model, noise, replace(rule, room=1.5), 1)


def test_a_mechanism_is_executed_not_changed(make_data):
    """The numbers of the step are the mechanism's: an untouched 1/L and σ in the record, exactly."""
    from accountant.losses import LogisticLoss

    mechanism = NoisySGD(12, 4, 1, "1/3", LogisticLoss("0.1"))
    record = learn(mechanism, make_data()).record
    assert (record.step_size, record.noise_std, record.shift) == ("20/7", "1/3", "10/7")
    rule = stepping.Rule.of(mechanism)
    assert rule.noise_scale == pytest.approx((2 * 20 / 7 / 9) ** 0.5, rel=1e-15)
    assert rule.step_size == 20 / 7 and rule.regularization == 0.1 and rule.radius is None
