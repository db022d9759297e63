"""Records that other programs wrote (tests/certify/results/foreign), read and judged."""

from __future__ import annotations

import json
import random
import sys
import types
from collections import OrderedDict
from decimal import Decimal
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

import certify
from accountant.mechanisms.dpsgd import Stage
from certify.errors import UsageError
from certify.results.peers import MAX_BYTES, read_record
from tests.certify.runs import plumbline, refused

FOREIGN = Path(__file__).parent / "foreign"
D = "1e-5"


def events(name: str):
    return read_record(FOREIGN / f"dp_accounting_{name}.txt", "dp-accounting")


@pytest.mark.parametrize(
    ("name", "stages", "sampling"),
    [
        ("poisson", (Stage(1, "0.01", 1000),), "poisson"),
        ("numpy", (Stage(1, "0.01", 100),), "poisson"),
        ("double", (Stage("1.1", "0.004266666666666667", 14062),), "poisson"),
        ("four_on_one_sample", (Stage(1, "0.01", 1000),), "poisson"),
        ("truncated", (Stage(1, "0.004", 1000),), "poisson"),
        ("without_replacement", (Stage(1, "0.1", 10),), "without-replacement"),
        ("ledger", (Stage(1, "0.01", 30), Stage(5, 1, 1)), "poisson"),
    ],
)
def test_events(name, stages, sampling):
    record = events(name)
    assert (record.stages, record.sampling, record.noisier, record.in_the_clear) == (stages, sampling, None, False)


@pytest.mark.parametrize("name", ["poisson", "two_on_one_sample", "truncated", "ledger"])
@pytest.mark.parametrize("suffix", ["_named_tuple.txt", "_named_tuple.json"])
def test_named_tuples_say_the_same(name, suffix):
    assert read_record(FOREIGN / f"dp_accounting_{name}{suffix}", "dp-accounting") == events(name)


def test_named_tuples_as_objects(tmp_path):
    """As `_asdict()` of every level gives it."""
    module = {"module_name": "dp_accounting.dp_event"}
    gaussian = {**module, "class_name": "GaussianDpEvent", "noise_multiplier": 1.0}
    sampled = {**module, "class_name": "PoissonSampledDpEvent", "sampling_probability": 0.01, "event": gaussian}
    whole = {**module, "class_name": "SelfComposedDpEvent", "event": sampled, "count": 1000}
    assert read_record(whole, "dp-accounting") == events("poisson")
    del gaussian["class_name"]
    with pytest.raises(UsageError, match="which event it is"):
        read_record(whole, "dp-accounting")


def test_several_gaussians_on_one_sample():
    """z = (Σ z_i⁻²)^(−1/2): down for the upper bound, up for the lower one, and the truth between."""
    record = events("two_on_one_sample")
    (below,), (above,) = record.stages, record.noisier
    square = 1 / (1 + F(1, 9))
    assert below.noise_multiplier**2 < square < above.noise_multiplier**2
    assert above.noise_multiplier - below.noise_multiplier < F(1, 10**38)
    rng = random.Random(11)
    for _ in range(30):
        z = [F(rng.randint(1, 10**6), rng.choice([1, 10**3, 10**6, 10**30])) for _ in range(rng.randint(1, 4))]
        parts = ", ".join(f"GaussianDpEvent({x.numerator}/{x.denominator})" for x in z)
        text = f"PoissonSampledDpEvent(0.5, ComposedDpEvent([{parts}]))"
        record = read_record(_event(text), "dp-accounting")
        low = record.stages[0].noise_multiplier
        high = (record.noisier or record.stages)[0].noise_multiplier
        with mp.workdps(60):
            exactly = mp.sqrt(1 / sum(mp.mpf(x.denominator) ** 2 / mp.mpf(x.numerator) ** 2 for x in z))
            for end in (low, high):
                assert abs(mp.mpf(end.numerator) / end.denominator / exactly - 1) < mp.mpf(10) ** -37
        assert low**2 <= 1 / sum(1 / x**2 for x in z) <= high**2


def _event(text: str):
    """Something that has `to_named_tuple` and this repr, as an event has."""
    return type("Event", (), {"to_named_tuple": lambda self: None, "__repr__": lambda self: text})()


def test_an_event_itself_is_read():
    assert read_record(_event((FOREIGN / "dp_accounting_numpy.txt").read_text()), "dp-accounting") == events("numpy")


@pytest.mark.parametrize(
    "number", ["np.float32(0.01)", "numpy.float64(0.01)", "np.float16(0.01)", "float(0.01)", "1/100", "256/25600"]
)
def test_ways_to_write_a_number(number):
    text = f"SelfComposedDpEvent(PoissonSampledDpEvent({number}, GaussianDpEvent(np.int64(1))), np.int32(1000))"
    assert read_record(_event(text), "dp-accounting") == events("poisson")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("GaussianDpEvent(1, 2)", "with 2 arguments"),
        ("GaussianDpEvent(1, sensitivity=3)", "sensitivity is not one of its fields"),
        ("GaussianDpEvent(1, noise_multiplier=3)", "noise_multiplier is given twice"),
        ("GaussianDpEvent(**{'noise_multiplier': 1})", "* are not read"),
        ("GaussianDpEvent(1/0)", "divides by zero"),
        ("GaussianDpEvent(0.0)", "gives no privacy"),
        ("PoissonSampledDpEvent(0.1, NonPrivateDpEvent())", "NonPrivateDpEvent inside a sampled event"),
        ("ComposedDpEvent([GaussianDpEvent(1), ComposedDpEvent([GaussianDpEvent(-1)])])", "event 2: event 1: "),
        ("SelfComposedDpEvent(GaussianDpEvent(1), 0)", "count: 0 must be at least 1"),
        ("TruncatedSubsampledGaussianDpEvent(100, 0.1, 50)", "without noise_multiplier"),
        (
            "ComposedDpEvent([TruncatedSubsampledGaussianDpEvent(100, 0.1, 50, 1), GaussianDpEvent(1)])",
            "batches that are cut",
        ),
        ("_GaussianDpEventNamedTupleWrapper(noise_multiplier=1)", "which event it is"),
        (
            "_GaussianDpEventNamedTupleWrapper(module_name='m', class_name='NoOpDpEvent', noise_multiplier=1)",
            "which event it is",
        ),
        ('["dp_accounting.dp_event"]', "which event it is"),
        ('["dp_accounting.dp_event", "GaussianDpEvent"]', "without noise_multiplier"),
        ("event", "a DpEvent is needed"),
        ("MixtureOfGaussiansDpEvent(1, [1], [1])", "MixtureOfGaussiansDpEvent is not accounted for"),
        ("-" * 100_000 + "1", "nested too deeply"),
    ],
)
def test_events_that_are_refused(text, says):
    with pytest.raises(UsageError) as problem:
        read_record(_event(text), "dp-accounting")
    assert says in str(problem.value) and "\n" not in str(problem.value)


def test_without_noise_no_epsilon_holds(tmp_path):
    path = FOREIGN / "dp_accounting_non_private.txt"
    arguments = ("certify", "--from", "dp-accounting", path, "--delta", D)
    outcome = plumbline(*arguments, "--epsilon", "1000")
    assert outcome.code == 1 and "no ε holds" in outcome.out.splitlines()[-1]
    outcome = plumbline(*arguments, "--format", "json")
    assert outcome.code == 1 and json.loads(outcome.out)["epsilon"] == {"lower": None, "upper": None, "printed": None}
    assert "nothing to certify" in refused(plumbline(*arguments, "--epsilon", "9", "-o", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_truncated_batches():
    """dp_accounting's PLD accountant prints .6784963887 (add or remove)."""
    found = certify.crosscheck(FOREIGN / "dp_accounting_truncated.txt", written_by="dp-accounting", delta=1e-5)
    assert (found.samples, found.max_batch_size) == (60000, 400)
    assert F(found.lower) < F("0.67849") < F(found.upper) < F("0.6791")
    assert {"sampling"} < {assumption["id"] for assumption in found.assumptions}


def test_batches_that_are_cut_hide_a_little_more() -> None:
    """The lower bound is of a record that a cut may drop: a rate less than q, by what T20 allows to each stage."""
    text = (
        "ComposedDpEvent([TruncatedSubsampledGaussianDpEvent(1000, 0.1, 180, 2), "
        "SelfComposedDpEvent(TruncatedSubsampledGaussianDpEvent(1000, 0.09, 180, 2), 9)])"
    )
    found = certify.crosscheck(_event(text), written_by="dp-accounting", delta="1e-3")
    whole = certify.crosscheck([[2, "0.1", 1], [2, "0.09", 9]], written_by="triples", delta="1e-3")
    less = [[2, "0.0995", 1], [2, F(9, 100) - F(1, 18000), 9]]
    assert F(found.lower) == F(certify.crosscheck(less, written_by="triples", delta="1e-3").lower) < F(whole.lower)
    assert F(whole.upper) < F(found.upper)


gaussians = st.sampled_from(["1", "1.5", "2"]).map(lambda z: (f"GaussianDpEvent(noise_multiplier={z})", F(z) ** -2))


def _composed(inner):
    """(text, Σ z⁻²) of compositions."""
    lists = st.lists(inner, min_size=1, max_size=3)
    return lists.map(
        lambda parts: (f"ComposedDpEvent(events=[{', '.join(p[0] for p in parts)}])", sum(p[1] for p in parts))
    ) | st.tuples(inner, st.integers(1, 4)).map(
        lambda pair: (f"SelfComposedDpEvent(event={pair[0][0]}, count={pair[1]})", pair[0][1] * pair[1])
    )


samples_of = st.recursive(gaussians, _composed, max_leaves=4)
leaves = gaussians.map(lambda g: (g[0], [(g[1], F(1), 1)])) | st.tuples(
    samples_of, st.sampled_from(["0.1", "0.01"])
).map(lambda pair: (f"PoissonSampledDpEvent({pair[1]}, {pair[0][0]})", [(pair[0][1], F(pair[1]), 1)]))


def _runs(inner):
    lists = st.lists(inner, min_size=1, max_size=3)
    return lists.map(
        lambda parts: (f"ComposedDpEvent([{', '.join(p[0] for p in parts)}])", [s for p in parts for s in p[1]])
    ) | st.tuples(inner, st.integers(1, 4)).map(
        lambda pair: (
            f"SelfComposedDpEvent({pair[0][0]}, {pair[1]})",
            [(precision, rate, steps * pair[1]) for precision, rate, steps in pair[0][1]],
        )
    )


@given(st.recursive(leaves, _runs, max_leaves=6))
def test_every_event_is_composed(event) -> None:
    """Each noisy event is a row, with its own noise, rate and number of repetitions; none is passed over."""
    text, steps = event
    record = read_record(_event(text), "dp-accounting")
    assert record.rows == len(steps)
    for stages, safe in ((record.stages, 1), (record.noisier or record.stages, -1)):
        assert sum(stage.steps for stage in stages) == sum(count for _, _, count in steps)
        total = sum(stage.steps * stage.sample_rate / stage.noise_multiplier**2 for stage in stages)
        assert 0 <= safe * (total / sum(p * rate * count for p, rate, count in steps) - 1) < F(1, 10**36)


# --- Opacus ----------------------------------------------------------------------------------------------------------


def test_opacus_states():
    assert read_record(FOREIGN / "opacus_fixed_order.json", "opacus").stages == (Stage(1, "0.25", 20),)
    record = read_record(FOREIGN / "opacus_noise_schedule.json", "opacus")
    assert record.rows == 3 and [stage.noise_multiplier for stage in record.stages] == [1, F("0.9"), F("0.81")]
    assert record.accountant == "prv" and record.sampling is None


@pytest.mark.parametrize(
    "name",
    [
        "opacus_fixed_order_repr.txt",
        "opacus_checkpoint.json",
        "opacus_checkpoint.pt",
        "opacus_checkpoint_old_format.pt",
        "opacus_state.pkl",
    ],
)
def test_what_must_be_exported_first(name):
    line = refused(plumbline("certify", "--from", "opacus", FOREIGN / name, "--delta", D))
    assert "json.dump(privacy_engine.accountant.state_dict(), file)" in line
    assert 'torch.load(PATH)["privacy_accountant_state_dict"]' in line


def test_a_large_checkpoint_is_called_what_it_is(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes((FOREIGN / "opacus_checkpoint.pt").read_bytes() + bytes(MAX_BYTES))
    with pytest.raises(UsageError, match=r"torch\.save.*json\.dump"):
        read_record(path, "opacus")


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"history": []}, '"history"'),
        ({"history": [[1, 0.5, 3]], "sample_rate": 0.1}, "'sample_rate' is not known"),
        ({"history": [[1, 0.5, 3], [1, 0.5]]}, "row 2: not a triple"),
        ({"history": [[1, 0.5, 3], [1, 2, 3]]}, "row 2: sample_rate"),
        ({"history": [[0.0, 0.5, 3]]}, "row 1: noise_multiplier: 0 gives no privacy"),
        ({"history": [[float("nan"), 0.5, 3]]}, "NaN"),
        ({"history": [[1, 0.5, 3]], "mechanism": 3}, "the name of an accountant"),
        ({"history": {"z": 1}}, '"history"'),
        ({"history": [[types.SimpleNamespace(), 0.5, 3]]}, "row 1: noise_multiplier"),
        (3, "a path, a mapping or a list"),
    ],
)
def test_states_that_are_refused(state, says):
    with pytest.raises(UsageError) as problem:
        read_record(state, "opacus")
    assert says in str(problem.value) and "\n" not in str(problem.value)


def test_states_from_memory():
    """As `accountant.state_dict()` returns it, with the floats and numpy numbers that are in it."""
    state = OrderedDict(history=[(np.float64(1.1), np.float32(0.01), np.int64(1000))], mechanism="rdp")
    assert read_record(state, "opacus").stages == (Stage("1.1", "0.01", 1000),)
    assert read_record([(Decimal("1.1"), F(1, 100), 1000)], "triples").stages == (Stage("1.1", "0.01", 1000),)


def test_nothing_of_theirs_is_imported():
    certify.crosscheck(FOREIGN / "opacus_fixed_order.json", written_by="opacus", delta=1e-5)
    assert not {"opacus", "dp_accounting"} & set(sys.modules)
