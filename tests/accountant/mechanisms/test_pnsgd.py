"""NoisySGD: what a description may say, and what it is told when it may not."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from fractions import Fraction as F

import pytest

from accountant import ConstantLoss, InvalidMechanism, LogisticLoss, NoisySGD, derive, derive_epsilon
from tests.accountant import cases
from tests.accountant.cases import mu_squared


def run(**changes) -> NoisySGD:
    """Six records in batches of two; keywords change it, and nothing else with it."""
    return dataclasses.replace(cases.run(), **changes)


def test_numbers_are_stored_exactly_whatever_they_were_written_as() -> None:
    for noise in ("0.1", F(1, 10), Decimal("0.1"), "1/10", "1e-1"):
        made = run(noise_std=noise, radius="2.5", initial_distance="0.25")
        assert (made.noise_std, made.radius, made.initial_distance, made.diameter) == (
            F(1, 10),
            F(5, 2),
            F(1, 4),
            F(5),
        )
    assert run(noise_std="0.1") == run(noise_std=F(1, 10)) and hash(run()) == hash(run())


def test_descriptions_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        run().noise_std = F(1)


def test_named_step_sizes() -> None:
    assert run(step_size="1/L").step_size == 1
    assert run(step_size="2/(L+m)").step_size == F(4, 3)
    assert run(loss=LogisticLoss("0.1", 2), step_size="1/L").step_size == 1 / F("1.1")


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"samples": 0}, "samples", "at least 1"),
        ({"samples": 2.0}, "samples", "whole number"),
        ({"samples": True}, "samples", "whole number"),
        ({"samples": 10**16, "batch_size": 10**16}, "samples", "beyond 10^15"),
        ({"batch_size": 0}, "batch_size", "at least 1"),
        ({"batch_size": 7}, "batch_size", "7 > samples = 6"),
        ({"batch_size": 4}, "batch_size", 'does not divide samples = 6; choose a divisor, or remainder = "drop"'),
        ({"epochs": -1}, "epochs", "at least 0"),
        ({"epochs": 0, "unlearning_epochs": 0}, "epochs", "nothing is run before a release"),
        ({"noise_std": 0}, "noise_std", "gives no privacy"),
        ({"noise_std": "-0.1"}, "noise_std", "must be positive"),
        ({"initial_distance": "-1"}, "initial_distance", "negative"),
        ({"radius": 0}, "radius", "leave it out for no projection"),
        ({"radius": 1, "initial_distance": "2.5"}, "initial_distance", "beyond the ball's diameter 2"),
        ({"step_size": 0}, "step_size", "must be positive"),
        ({"step_size": "2.01"}, "step_size", "2.01 > 2/L = 2: the step is not a contraction"),
        ({"step_size": "1/L", "loss": ConstantLoss(0, 0, 1)}, "step_size", "needs smoothness > 0"),
        ({"batch_order": "shuffled"}, "batch_order", "write one of fixed, secret"),
        ({"remainder": "keep"}, "remainder", "write one of error, drop"),
        ({"neighbours": "add-one"}, "neighbours", "write one of replace-one, remove-one"),
        ({"reference": "none"}, "reference", "write one of retrain"),
        ({"release": "some"}, "release", "write one of final, all"),
        ({"requests": ()}, "requests.sizes", "is empty"),
        ({"requests": (0,)}, "requests.sizes", "at least 1"),
        ({"requests": (7,)}, "requests.sizes", "7 records in all, but samples = 6"),
        ({"requests": (1, 2, 3), "unlearning_epochs": (1, 2)}, "unlearning_epochs", "2 entries for 3 requests"),
        ({"unlearning_epochs": -1}, "unlearning_epochs", "at least 0"),
        ({"batch_size": 4, "remainder": "drop", "requests": (5,)}, "requests.sizes", "more than the batches hold"),
    ],
)
def test_what_may_not_be_is_refused_by_name(changes, key: str, says: str) -> None:
    with pytest.raises(InvalidMechanism) as refusal:
        run(**changes)
    assert refusal.value.key == key
    assert str(refusal.value).startswith(f"{key}: ") and says in str(refusal.value)


@pytest.mark.parametrize("key", ["noise_std", "step_size", "radius", "initial_distance"])
def test_floats_are_refused_with_what_to_write(key: str) -> None:
    with pytest.raises(TypeError, match=f'{key}: a float is not exact; write the decimal string "0.5"'):
        run(**{key: 0.5})


def test_a_loss_must_be_a_loss() -> None:
    with pytest.raises(TypeError, match="dict is not a loss"):
        run(loss={"kind": "logistic"})


def test_one_number_serves_all_requests() -> None:
    assert run(requests=(1, 2), unlearning_epochs=3).unlearning_epochs == (3, 3)
    assert run(requests=(2,), unlearning_epochs=(1, 2)).requests == (2, 2)
    assert run(unlearning_epochs=4).unlearning_epochs == (4,)


def test_a_remainder_is_dropped_when_asked() -> None:
    assert run(batch_size=4, remainder="drop").batches == 1
    assert run(samples=6, batch_size=6).batches == 1 and run(samples=6, batch_size=1).batches == 6


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"reference": "stationary", "unlearning_epochs": 1}, "reference", "needs a radius"),
        ({"reference": "retrain-T", "unlearning_epochs": 1}, "reference", "needs a radius"),
        (
            {"reference": "retrain-T", "epochs": 0, "unlearning_epochs": 1, "radius": 1},
            "reference",
            '"retrain-T" needs epochs of learning to compare with',
        ),
        (
            {"reference": "stationary", "unlearning_epochs": 1, "radius": 1, "release": "all"},
            "release",
            '"all" goes with reference = "retrain", not "stationary"',
        ),
        (
            {"release": "all", "epochs": 0, "unlearning_epochs": 1, "initial_distance": 1},
            "release",
            "shows the starts themselves",
        ),
        (
            {"reference": "retrain-T", "unlearning_epochs": (0, 1), "radius": 1, "release": "all"},
            "release",
            'not "retrain-T"',
        ),
    ],
)
def test_threats_that_no_theorem_speaks_about_are_refused(changes, key: str, says: str) -> None:
    test_what_may_not_be_is_refused_by_name(changes, key, says)


def test_learning_itself_has_no_reference() -> None:
    """K = 0: whatever is written there, the claim is the same one about learning."""
    for reference in ("retrain-T", "stationary"):
        for release in ("final", "all"):
            made = run(reference=reference, release=release)
            assert mu_squared(derive(made)) == mu_squared(derive(run()))
    groups = run(requests=(1, 2), unlearning_epochs=(0, 0))
    assert mu_squared(derive(groups, 0)) == mu_squared(derive(run()))
    assert mu_squared(derive(groups, 1)) == mu_squared(derive(run(requests=(3,))))


@pytest.mark.parametrize("delta", ["0", "1", "-1e-9", "1.5"])
def test_delta_lies_strictly_between_zero_and_one(delta: str) -> None:
    with pytest.raises(ValueError, match="0 < δ < 1"):
        derive_epsilon(derive(run()), delta)


def test_delta_as_a_float_is_refused() -> None:
    with pytest.raises(TypeError, match="delta: a float is not exact"):
        derive_epsilon(derive(run()), 1e-5)


def test_every_field_matters_or_is_checked() -> None:
    """Complete enough for a stranger: no field is ignored, so equal descriptions are equal claims."""
    names = {field.name for field in dataclasses.fields(NoisySGD)}
    assert names == {
        "samples", "batch_size", "epochs", "noise_std", "loss", "unlearning_epochs", "step_size", "radius",
        "initial_distance", "batch_order", "remainder", "requests", "neighbours", "reference", "release", "chosen",
    }  # fmt: skip
