"""What is written down of a training."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")

from accountant import Momentum, Stage  # noqa: E402
from learners.training import (  # noqa: E402
    PrivateTrainer,
    TrainingRecord,
    training_fingerprint,
    training_from_json,
    training_to_json,
)
from tests.learners.training.oracle import INNER, MAPS, data, losses_of, mechanism_of, network, sgd  # noqa: E402

pytestmark = pytest.mark.learn


def record_of(seed=None):
    model = network()
    trainer = PrivateTrainer(model, sgd(model), data(), mechanism_of(q="1/2"), delta="1e-5", device="cpu", seed=seed)
    for x, y in trainer:
        trainer.step(losses_of(model, x, y))
    return trainer.record()


@pytest.mark.parametrize("scaling", MAPS.values(), ids=MAPS)
def test_mechanisms_are_written_and_read_back(scaling):
    for mechanism in (
        mechanism_of(scaling),
        mechanism_of(scaling, momentum=INNER, gradient_norm_bound="7/3", others=("0.1", "1/7"), group_size=2),
        mechanism_of(scaling, stages=(Stage("1", "1/2", 2), Stage("1/3", "0.1", 1)), momentum=Momentum("0.9")),
        mechanism_of(scaling, sampling="shuffled", neighbours="remove-one"),
        mechanism_of(scaling, max_batch_size=30, normaliser=None),
    ):
        written = json.loads(json.dumps(training_to_json(mechanism)))
        assert training_from_json(written) == mechanism
        assert training_fingerprint(training_from_json(written)) == training_fingerprint(mechanism)


def test_a_record_is_whole_and_has_one_digest():
    record = record_of()
    again = TrainingRecord.from_json(json.loads(json.dumps(record.to_json())))
    assert again == record and again.digest == record.digest
    assert record.complete and not record.reproducible and record.steps_refused == 0
    assert record.weights_before != record.weights_after
    assert record.training["groups"][0]["lr"] == "0.5" and record.training["optimizer"] == "SGD"
    assert record.stretches[0].seed is None and "AES-256" in record.stretches[0].noise
    with pytest.raises(ValueError, match="this reads plumbline-training-run/1"):
        TrainingRecord.from_json(record.to_json() | {"schema": "plumbline-run/1"})


def test_what_no_noise_protects_is_not_public():
    record = record_of(seed=3)
    assert record.reproducible
    public = json.dumps(record.public())
    assert (
        record.observed.max_gradient_norm not in public
        and 'largest_batch": ' + str(record.observed.largest_batch) not in public
    )
    assert set(record.to_json()) - set(record.public()) == {"data", "observed"}
