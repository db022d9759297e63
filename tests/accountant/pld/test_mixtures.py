"""Groups and replaced records under Poisson sampling, many steps, against the contour integral; and what is refused."""

from __future__ import annotations

from fractions import Fraction as F

import pytest

from accountant import enclose
from accountant.core.scaling import Clip
from accountant.dpsgd.derive import derive_guarantees, derive_training
from accountant.mechanisms.dpsgd import ScaledSGD, Stage
from accountant.mechanisms.pnsgd import InvalidMechanism
from accountant.pld import Release, bracket
from tests.oracles import mixtures as oracle

ADD, REPLACE = "add-or-remove-one", "replace-one"


def _holds(neighbours: str, group: int, z: str, q: str, steps: int, delta: str, full: bool) -> None:
    """The bracket's ends are ε of a δ no larger, and no smaller, than the largest over the pairs."""
    releases = [Release("poisson", z, q, steps), *([Release("full", 20, 1, 3)] if full else [])]
    found = bracket(releases, neighbours, delta, group=group)
    pairs = [(group, group)] if neighbours == REPLACE else [(a, group - a) for a in range(group + 1)]

    def truth(epsilon: F) -> float:
        def schedule(a: int, b: int) -> list:
            step = [(oracle.Loss(z, q, a, b), steps)]
            return step + ([(oracle.Loss(20 / (a + b), 1, 1, 0), 3)] if full else [])

        return max(oracle.delta_many(schedule(a, b), float(epsilon)) for a, b in pairs)

    assert found.sharp and found.upper - found.lower <= found.upper / 1000
    assert truth(found.upper) <= float(delta) * (1 + 1e-6)
    assert truth(found.lower) >= float(delta) * (1 - 1e-6)


@pytest.mark.parametrize(
    "case",
    [
        (REPLACE, 1, "1", "0.01", 1000, "1e-5", False),
        (REPLACE, 1, "0.7", "0.1", 300, "1e-12", False),
        (REPLACE, 2, "1.5", "0.3", 100, "1e-8", True),
        (ADD, 3, "1.5", "0.01", 3000, "1e-5", False),
        (ADD, 4, "3", "0.1", 1000, "1e-12", True),
    ],
)
def test_brackets_of_many_steps_hold_the_truth(case: tuple) -> None:
    _holds(*case)


def _run(stage: Stage, **more: object) -> ScaledSGD:
    return ScaledSGD(scaling=Clip("1"), stages=(stage,), **more)


def test_a_group_drawn_together_may_overfill_a_batch() -> None:
    """Its batch has Bin(n, q) + k·coin records, of which Bin(n + k, q)'s tail says nothing: here 40 is exceeded with
    probability 1.6e-5 a step, against 1e-13."""
    stage, size = Stage(20, "0.01", 10), {"samples": 1000, "group_size": 20}
    with pytest.raises(InvalidMechanism, match="may cut a batch, which has no bound for group_sampling"):
        _run(stage, **size, max_batch_size=40, group_sampling="together")
    whole = _run(stage, **size, max_batch_size=1020, group_sampling="together")  # nothing is ever cut
    assert enclose(derive_training(whole, "1e-5").upper).upper < F("0.39")
    assert _run(stage, **size, max_batch_size=40).coins == 20


def test_full_batches_of_the_larger_dataset_are_not_cut() -> None:
    more = {"samples": 1000, "group_size": 5}
    with pytest.raises(InvalidMechanism, match="cuts every batch"):
        derive_training(_run(Stage(100, 1, 10), **more, max_batch_size=1004), "1e-5")
    assert derive_training(_run(Stage(100, 1, 10), **more, max_batch_size=1005), "1e-5").mu is not None


def test_a_group_that_does_not_fit_in_a_batch() -> None:
    """k records in different batches are told apart by √k·μ: no mechanism attains k·μ; no lower bound may say so."""
    one_each = {"samples": 1000, "sampling": "fixed", "group_size": 3}
    with pytest.raises(InvalidMechanism, match="group_size: 3 exceeds the batch size 2"):
        _run(Stage(10, F(2, 1000), 500), **one_each)
    assert derive_training(_run(Stage(10, F(3, 1000), 333), **one_each), "1e-5").mu is not None
    with pytest.raises(InvalidMechanism, match="max_batch_size: 2 cuts a group of 3"):
        _run(Stage(1, "0.01", 10), samples=10, max_batch_size=2, group_size=3)


def test_the_other_guarantee_never_refuses_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut batches may cost too much of δ at the larger ε of replace-one; the run's own guarantee stands."""

    def refused(*_: object) -> None:
        raise InvalidMechanism("max_batch_size", "cuts batches so often that it costs too much of δ")

    run = _run(Stage(1, "0.5", 1), samples=20, max_batch_size=20)
    upper = derive_training(run, "1e-3").upper
    monkeypatch.setattr("accountant.dpsgd.derive._other_upper", refused)
    membership, attribute = derive_guarantees(run, "1e-3", upper)
    assert membership.upper is upper
    assert (attribute.neighbours, attribute.upper) == (None, None)


@pytest.mark.parametrize("neighbours", [ADD, "remove-one", REPLACE])
def test_both_are_the_same_from_either_side(neighbours: str) -> None:
    """The guarantee of a kind does not depend on which kind the run asks for."""
    run = _run(Stage(1, "0.05", 20), neighbours=neighbours)
    kinds = derive_guarantees(run, "1e-5", derive_training(run, "1e-5").upper)
    values = [float(enclose(kind.upper).upper) for kind in kinds]
    assert values[0] <= values[1]
    reference = [bracket([Release("poisson", 1, "0.05", 20)], who, "1e-5") for who in (ADD, REPLACE)]
    assert all(float(r.lower) <= v <= float(r.upper) * 1.002 for r, v in zip(reference, values, strict=True))


def test_rare_participation_needs_no_finer_grid_for_replaced_records() -> None:
    """The middle cell is alike under both by symmetry: its mass needs no grid point below its mean. Without that the
    lower bound was 0 on a grid of 640 points, and 20480 were needed."""
    found = bracket([Release("poisson", "0.3", "0.01", 20)], REPLACE, "1e-5")
    assert found.sharp and max(found.points, found.lower_points) <= 1 << 12


@pytest.mark.parametrize(("neighbours", "group"), [(REPLACE, 1), (ADD, 2), (REPLACE, 2)])
def test_losses_that_are_flat_between_the_means_are_inverted(neighbours: str, group: int) -> None:
    """z = 1/20: between its means the loss changes by e^−200 a unit, and grid points lie on such plateaus."""
    found = bracket([Release("poisson", "0.05", "0.5", 1)], neighbours, "1e-5", group=group)
    assert found.sharp and found.lower > 100
