"""Records of other accountants, read as text and never evaluated."""

import json
from fractions import Fraction

import pytest

from accountant.mechanisms.dpsgd import Stage
from certify.errors import UsageError
from certify.results.peers import read_record

ONE = (Stage("1.1", "0.01", 1000),)


def stages(tmp_path, text: str, written_by: str):
    path = tmp_path / "record"
    path.write_text(text)
    found = read_record(path, written_by)
    return found.stages, found.sampling


@pytest.mark.parametrize(
    "text",
    [
        '{"history": [[1.1, 0.01, 1000]], "mechanism": "prv"}',
        "[[1.1, 0.01, 1000]]",
    ],
)
def test_opacus_history(tmp_path, text):
    assert stages(tmp_path, text, "opacus") == (ONE, None)


@pytest.mark.parametrize(
    "text",
    [
        "1.1,0.01,1000\n",
        "noise_multiplier, sample_rate, steps\n1.1, 0.01, 1000\n",
        "# a remark\n\n1.1,1/100,1000\n",
        "[[1.1, 0.01, 1000]]",
    ],
)
def test_triples(tmp_path, text):
    assert stages(tmp_path, text, "triples") == (ONE, None)


def test_equal_stages_in_a_row_are_one(tmp_path):
    found, _ = stages(tmp_path, "1,0.01,10\n1.0,1/100,5\n2,0.01,1\n1,0.01,1\n", "triples")
    assert found == (Stage(1, "0.01", 15), Stage(2, "0.01", 1), Stage(1, "0.01", 1))


def test_triples_vary_along_the_run(tmp_path):
    found, _ = stages(tmp_path, "1,0.01,10\n.5,0.02,20\n", "triples")
    assert found == (Stage(1, "0.01", 10), Stage("0.5", "0.02", 20))


@pytest.mark.parametrize(
    ("text", "expected", "sampling"),
    [
        (
            "SelfComposedDpEvent(event=PoissonSampledDpEvent(sampling_probability=0.01, "
            "event=GaussianDpEvent(noise_multiplier=1.1)), count=1000)",
            ONE,
            "poisson",
        ),
        (
            "dp_accounting.SelfComposedDpEvent(dp_accounting.PoissonSampledDpEvent(0.01, "
            "dp_accounting.GaussianDpEvent(1.1)), 1000)",
            ONE,
            "poisson",
        ),
        ("GaussianDpEvent(noise_multiplier=5)", (Stage(5, 1, 1),), "full"),
        ("GaussianDpEvent(noise_multiplier=np.float64(1_0.5))", (Stage("10.5", 1, 1),), "full"),
        ("ComposedDpEvent(events=[\n    GaussianDpEvent(\n  5),\n\tGaussianDpEvent(5)])", (Stage(5, 1, 2),), "full"),
        (
            "ComposedDpEvent(events=[SelfComposedDpEvent(event=SampledWithoutReplacementDpEvent("
            "source_dataset_size=1000, sample_size=10, event=GaussianDpEvent(noise_multiplier=1.1)), count=1000), "
            "NoOpDpEvent()])",
            ONE,
            "without-replacement",
        ),
        (
            "ComposedDpEvent([GaussianDpEvent(2), SelfComposedDpEvent(PoissonSampledDpEvent(0.01, "
            "GaussianDpEvent(1.1)), 1000)])",
            (Stage(2, 1, 1), *ONE),
            "poisson",
        ),
        (
            "SelfComposedDpEvent(event=SelfComposedDpEvent(event=GaussianDpEvent(3), count=2), count=5)",
            (Stage(3, 1, 10),),
            "full",
        ),
    ],
)
def test_events(tmp_path, text, expected, sampling):
    assert stages(tmp_path, text, "dp-accounting") == (expected, sampling)


def test_numbers_are_taken_as_written(tmp_path):
    found, _ = stages(tmp_path, json.dumps({"history": [[0.1, 0.3, 7]]}), "opacus")
    assert found == (Stage(Fraction(1, 10), Fraction(3, 10), 7),)
    found, _ = stages(tmp_path, "PoissonSampledDpEvent(0.3, GaussianDpEvent(1e-1))", "dp-accounting")
    assert found == (Stage(Fraction(1, 10), Fraction(3, 10), 1),)


@pytest.mark.parametrize(
    ("text", "written_by", "says"),
    [
        ("", "opacus", "not a valid opacus record"),
        ("{}", "opacus", '"history"'),
        ("[[1, 2]]", "opacus", "triple"),
        ("[[1, NaN, 3]]", "opacus", "NaN"),
        ("[[-1, 0.1, 3]]", "opacus", "noise_multiplier"),
        ("[[1, 1.5, 3]]", "opacus", "sample_rate"),
        ("[[1, 0.5, 2.5]]", "opacus", "whole number"),
        ("1,2\n", "triples", "triple"),
        ("z,q,steps\n", "triples", "no rows"),
        ("1,0.5,1e400\n", "triples", "steps"),
        ("__import__('os').system('true')", "dp-accounting", "not accounted for"),
        ("LaplaceDpEvent(noise_multiplier=1)", "dp-accounting", "LaplaceDpEvent"),
        ("GaussianDpEvent(noise_multiplier=f())", "dp-accounting", "is not a number"),
        ("GaussianDpEvent()", "dp-accounting", "without noise_multiplier"),
        ("SelfComposedDpEvent(GaussianDpEvent(1), 2.5)", "dp-accounting", "count: 2.5 must be a whole number"),
        ("SelfComposedDpEvent(GaussianDpEvent(1), 0)", "dp-accounting", "steps"),
        ("SampledWithoutReplacementDpEvent(10, 1.5, GaussianDpEvent(1))", "dp-accounting", "whole number"),
        ("SampledWithoutReplacementDpEvent(0, 1, GaussianDpEvent(1))", "dp-accounting", "a sample of 1 of 0"),
        ("GaussianDpEvent(1e999999999)", "dp-accounting", "not a finite number"),
        ("GaussianDpEvent(-1)", "dp-accounting", "is not a number"),
        ("GaussianDpEvent(True)", "dp-accounting", "is not a number"),
        ("GaussianDpEvent('1')", "dp-accounting", "is not a number"),
        ("GaussianDpEvent(0x10)", "dp-accounting", "not a finite number"),
        ("GaussianDpEvent(1j)", "dp-accounting", "is not a number"),
        ("[[1, 0.5, true]]", "opacus", "a number is needed"),
        ("[[1, 0.5, 1e9], [1, 0.5, 1]]", "opacus", "steps"),
        ("PoissonSampledDpEvent(0.1, LaplaceDpEvent(1))", "dp-accounting", "LaplaceDpEvent"),
        ("ComposedDpEvent(events=x)", "dp-accounting", "not a list"),
        ("NoOpDpEvent()", "dp-accounting", "no noisy step"),
        (
            "ComposedDpEvent([PoissonSampledDpEvent(0.1, GaussianDpEvent(1)), "
            "SampledWithoutReplacementDpEvent(10, 1, GaussianDpEvent(1))])",
            "dp-accounting",
            "not composed",
        ),
        ("(" * 5000, "dp-accounting", "not a valid dp-accounting record"),
    ],
)
def test_refusals_are_one_line(tmp_path, text, written_by, says):
    with pytest.raises(UsageError) as refused:
        stages(tmp_path, text, written_by)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_record(tmp_path / "none", "opacus")
