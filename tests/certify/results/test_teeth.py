"""`calibrate` where ε is a saw-tooth: batch sizes and sample rates of runs that last a number of epochs."""

from __future__ import annotations

import math
from fractions import Fraction as F

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certify import calibrate, certify
from certify.errors import OutOfReach, UsageError
from certify.results.certify_dpsgd import certify_training
from certify.results.claims import Verdict
from certify.results.teeth import FOUND, Search, values_of
from certify.runfile.read import read_run
from tests.certify.runs import training

PROVED = "proved: nothing larger is certified"


def epochs(keys, **more):
    return training({"steps": None, "sample_rate": None} | keys, **more)


def tuned(tables, tune: str, value):
    return tables | {"mechanism": tables["mechanism"] | {tune: value}}


def largest_of_all(tables) -> int | None:
    """The oracle: every batch size is certified by itself."""
    sizes = range(1, int(tables["mechanism"]["samples"]) + 1)
    runs = {b: read_run(tuned(tables, "batch_size", b)) for b in sizes}
    verdicts = {b: certify_training(run, guarantees=False).verdict for b, run in runs.items()}
    assert Verdict.INDETERMINATE not in verdicts.values()
    return max((b for b, verdict in verdicts.items() if verdict is Verdict.CERTIFIED), default=None)


def agrees(tables) -> None:
    expected = largest_of_all(tables)
    try:
        found = calibrate(tables, tune="batch_size")
    except OutOfReach as problem:
        assert expected == (tables["mechanism"]["samples"] if "nothing to tune" in str(problem) else None)
    else:
        assert (found.value, found.note) == (expected, PROVED)
        assert found.result.verdict is Verdict.CERTIFIED


def test_a_larger_batch_beyond_the_first_crossing() -> None:
    """About 17450 ε crosses the target, in its tooth; in the next one 20000 is below it again."""
    run = epochs({"samples": 60000, "epochs": 10, "noise_multiplier": 8}, target={"epsilon": "0.87", "delta": "1e-5"})
    found = calibrate(run, tune="batch_size")
    assert found.result.verdict is Verdict.CERTIFIED and found.note == PROVED
    assert found.value == 20106 and math.ceil(60000 / found.value) == 3
    assert certify(tuned(run, "batch_size", 20107)).verdict is Verdict.NOT_CERTIFIED
    assert certify(tuned(run, "batch_size", 30000)).verdict is Verdict.NOT_CERTIFIED  # the next tooth begins here
    assert certify(tuned(run, "batch_size", 17600)).verdict is Verdict.NOT_CERTIFIED


@pytest.mark.parametrize(
    ("keys", "more", "epsilon"),
    [
        ({"samples": 10, "epochs": 5, "noise_multiplier": "2.5"}, {}, "2.562"),
        ({"samples": 9, "epochs": 2, "noise_multiplier": "2.5"}, {"stages": [{"noise_multiplier": 3}]}, "2.5"),
        ({"samples": 8, "epochs": 2, "noise_multiplier": 3, "sampling": "without-replacement"}, {}, "2.5"),
    ],
    ids=["one stage", "two stages", "without replacement"],
)
def test_every_batch_size_of_a_small_run(keys, more, epsilon) -> None:
    agrees(epochs(keys, target={"epsilon": epsilon, "delta": "1e-5"}, **more))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([7, 12, 24, 40]),
    st.sampled_from([1, 2, 5]),
    st.sampled_from(["1", "2.5", "6"]),
    st.sampled_from(["poisson", "poisson", "without-replacement"]),
    st.sampled_from(
        [{}, {"stages": [{"epochs": 2, "noise_multiplier": 3}]}, {"threat": {"neighbours": "replace-one"}}]
    ),
    st.fractions(0, 1, max_denominator=50),
)
def test_every_batch_size_of_any_small_run(n, length, noise, sampling, more, part) -> None:
    keys = {"samples": n, "epochs": length, "noise_multiplier": noise, "sampling": sampling}
    run = epochs(keys, target={"epsilon": 1, "delta": "1e-5"}, **more)
    low, high = (F(certify(tuned(run, "batch_size", b)).epsilon["upper"]) for b in (1, n))
    agrees(run | {"target": {"epsilon": low + (high - low) * part**2, "delta": "1e-5"}})


def test_a_rate_is_the_largest_of_all_teeth() -> None:
    run = epochs({"epochs": 10, "noise_multiplier": 8}, target={"epsilon": "0.87", "delta": "1e-5"})
    found = calibrate(run, tune="sample_rate")
    value = F(found.value)
    assert found.result.verdict is Verdict.CERTIFIED and found.note.startswith("proved: nothing more than 0.02 %")
    for further in (value * F(1001, 1000), F(1, 2), F(1)):  # the least rate of a tooth is the best of it
        assert value < further and certify(tuned(run, "sample_rate", further)).verdict is Verdict.NOT_CERTIFIED
    assert certify(tuned(run, "sample_rate", F(1, 3))).verdict is Verdict.CERTIFIED


def test_a_cut_is_accounted_for_and_nothing_is_promised_of_larger_batches() -> None:
    """Batches of more than 40 records are cut: long before the noise it is the cut that costs too much."""
    keys = {"samples": 400, "epochs": 2, "noise_multiplier": 6, "max_batch_size": 40}
    run = epochs(keys, target={"epsilon": 2, "delta": "1e-5"})
    found = calibrate(run, tune="batch_size")
    assert found.result.verdict is Verdict.CERTIFIED and found.note == FOUND
    with pytest.raises(UsageError, match="cuts batches so often that no share of δ covers it"):
        certify(tuned(run, "batch_size", found.value + 1))


def test_nothing_and_everything() -> None:
    keys = {"samples": 100, "epochs": 2, "noise_multiplier": 1}
    with pytest.raises(OutOfReach, match=r"batch_size = 100, the largest there is, meets it: nothing to tune"):
        calibrate(epochs(keys | {"noise_multiplier": 100}), tune="batch_size")
    with pytest.raises(OutOfReach, match="found no batch_size from 1 up"):
        calibrate(epochs(keys, target={"epsilon": "0.01", "delta": "1e-9"}), tune="batch_size")


@pytest.mark.slow
def test_many_records_and_many_epochs() -> None:
    """A batch of one record would mean more than 10^9 steps; that is no reason to refuse the run."""
    run = epochs({"samples": 10**9, "epochs": 10, "noise_multiplier": 1}, target={"epsilon": 2, "delta": "1e-10"})
    assert values_of(read_run(tuned(run, "batch_size", 10**9)), "batch_size").count == 10**9
    found = calibrate(run, tune="batch_size")
    assert found.result.verdict is Verdict.CERTIFIED


def test_the_decimals_of_a_rate() -> None:
    run = read_run(epochs({"epochs": 1, "sample_rate": 1}))
    values = values_of(run, "sample_rate")
    assert values.value(values.count) == 1 and values.value(1) == F(1, 10**9)
    assert values.value(values.first(F(1, 3))) == F("0.333334")
    sample = [values.value(i) for i in range(1, values.count, 1234)]
    assert sample == sorted(set(sample))


def test_what_was_left_out_is_looked_at_again() -> None:
    """Ranges that an estimate leaves out are proved to exceed the target; a range that does not is told apart."""
    run = read_run(
        epochs(
            {"samples": 100, "epochs": 5, "noise_multiplier": 4, "batch_size": 100},
            target={"epsilon": 2, "delta": "1e-5"},
        )
    )
    search = Search(run, values_of(run, "batch_size"), None)
    value, _, note = search.largest()
    assert note == PROVED and search.skipped and all(low > value for low, _ in search.skipped)
    search.skipped = [(value - 1, value - 1)]  # this one meets the target
    assert not search._prove()
