"""Tables of noise multiplier, sample rate and steps: no row is passed over, whatever stands in the first one."""

from __future__ import annotations

import json
from fractions import Fraction as F
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from accountant.mechanisms.dpsgd import Stage
from certify.errors import UsageError
from certify.results.peers import read_record
from certify.results.peers.rows import NAMES, ORDER
from tests.certify.runs import plumbline, refused

FOREIGN = Path(__file__).parent / "foreign"
ONE = (Stage("1.1", "0.01", 1000),)
TWO = (Stage("1.1", "0.01", 1000), Stage("0.5", "0.9", 10))


def read(tmp_path: Path, text: str | bytes):
    path = tmp_path / "record"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_record(path, "triples")


@pytest.mark.parametrize(
    "text",
    [
        "1.1,0.01,1000\n0.5,0.9,10",
        "+1.1,+0.01,+1000\n+.5,9e-1,10\n",  # which once were a heading
        "\ufeff1.1,0.01,1000\r\n0.5,0.9,10\r\n",
        "noise_multiplier,sample_rate,steps\n1.1,0.01,1000\n0.5,0.9,10\n",
        "sample_rate,noise_multiplier,steps\n0.01,1.1,1000\n0.9,0.5,10\n",
        "\ufeffsteps;Sampling Probability;SIGMA\r1000;0.01;1.1\r10;0.9;0.5\r",
        "count\tq\tz\n1000\t0.01\t1.1\n10\t0.9\t0.5\n",
        '"Num Steps", "Sample Rate", "Noise-Multiplier"\n1000, "1/100", 1.1\n10, 0.9, 0.5\n',
        "# sample_rate,noise_multiplier,steps\n0.01,1.1,1000\n0.9,0.5,10\n",  # as numpy.savetxt writes a header
        "# q z steps\n0.01,1.1,1000\n0.9,0.5,10\n",
        "# a run of 1000 steps, as in the paper\n\n1.1,0.01,1000\n# then\n0.5,0.9,10\n",
        "[[1.1, 0.01, 1000], [0.5, 0.9, 10]]",
        '[["q", "steps", "z"], [0.01, 1000, 1.1], ["9/10", 10, "0.5"]]',
        '[{"z": 1.1, "q": 0.01, "steps": 1000}, {"steps": 10, "sample rate": 0.9, "sigma": "0.5"}]',
    ],
)
def test_the_same_two_rows(tmp_path, text):
    record = read(tmp_path, text)
    assert (record.stages, record.rows, record.sampling) == (TWO, 2, None)


@pytest.mark.parametrize("column", ORDER)
def test_every_name_in_every_place(tmp_path, column):
    values = dict(zip(ORDER, ("1.1", "0.01", "1000"), strict=True))
    for name in (column, *NAMES[column]):
        for written in (name, name.upper(), name.replace(" ", "_"), name.title().replace(" ", "")):
            for place in range(3):
                others = [other for other in ORDER if other != column]
                heading = [*others[:place], written, *others[place:]]
                cells = [values[column if h == written else h] for h in heading]
                assert read(tmp_path, f"{','.join(heading)}\n{','.join(cells)}\n").stages == ONE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("z,q,0.5\n1,0.5,3\n", "row 1: some of its cells are numbers"),
        ("1,0.5,x\n1,0.5,3\n", "row 1: some of its cells are numbers"),
        ("nan,0.5,3\n1,0.5,3\n", "row 1: some of its cells are numbers"),
        ("1;0,5;3\n", "row 1: some of its cells are numbers"),
        ("a,b,c\n1,0.5,3\n", "row 1: 'a' is not the name of a column"),
        ("nan,nan,nan\n1,0.5,3\n", "row 1: 'nan' is not the name"),
        ("step,z,q\n1,1,0.5\n", "row 1: 'step' is not the name"),
        ("z,q,steps,delta\n1,0.5,3,1e-5\n", "row 1: 'delta' is not the name"),
        (",z,q,steps\n0,1,0.5,3\n", "row 1: a column without a name"),  # as pandas writes its index
        ("z,q,steps\n0,1,0.5,3\n", "row 2: 4 cells"),
        ("z,sigma,steps\n1,1,3\n", "row 1: two columns for noise_multiplier"),
        ("z,q\n1,0.5\n", "row 1: no column for steps"),
        ("z,q,steps\n", "no rows"),
        ("# z,q,steps\n", "no rows"),
        ("# z,q,remark\n1,0.5,3\n", "row 1: 'remark' is not the name"),
        ("1,0.5,3\n# q,z,steps\n0.5,1,3\n", "row 2: a second heading"),
        ("z,q,steps\n1,0.5,3\nz,q,steps\n", "row 3: noise_multiplier"),
        ("", "no rows"),
        ("1,0.5,3\n\n1,0.5\n", "row 3: 2 cells; each row is a triple"),
        ("1 0.5 3\n", "row 1: '1 0.5 3' is not the name of a column"),
        ("1,0.5,3\n,,\n", "row 2: noise_multiplier"),
        ("1,0.5,3\n2,1.5,3\n", "row 2: sample_rate: 1.5"),
        ("1,0.5,3\n-2,0.5,3\n", "row 2: noise_multiplier: -2"),
        ("1,0.5,3\n2,0.5,2.5\n", "row 2: steps: 2.5 must be a whole number"),
        ('1,0.5,3\n"1,0.5,3\n', "row 2: unexpected end of data"),
        ("1,0.5,3\n1,0.5,3\x00\n", "row 2: "),
        ('{"z": [1], "q": [0.5], "steps": [3]}', "a list of rows"),
        ('[{"z": 1, "z": 2, "q": 0.5, "steps": 3}]', "'z' is given twice"),
        ('[{"z": 1, "q": 0.5, "steps": 3}, [1, 0.5, 3]]', "row 2: an object is needed"),
        ('[[1, 0.5, 3], {"z": 1, "q": 0.5, "steps": 3}]', "row 1: an object is needed"),
        ('[{"z": 1, "q": 0.5}]', "row 1: no column for steps"),
        ('[{"z": 1, "q": 0.5, "steps": null}]', "row 1: steps: a number is needed"),
        ('[{"z": 1, "q": 0.5, "steps": true}]', "row 1: steps: a number is needed"),
        ("[]", "no rows"),
        ("[[]]", "row 1: 0 cells"),
        ("[3]", "row 1: no cells"),
    ],
)
def test_what_is_refused_with_its_row(tmp_path, text, says):
    with pytest.raises(UsageError) as problem:
        read(tmp_path, text)
    assert says in str(problem.value) and "\n" not in str(problem.value)


def test_a_heading_in_another_order_is_below_the_truth(tmp_path):
    """Issue 10.1: it was read as z = .9, and ε = 25 held."""
    path = tmp_path / "rows.csv"
    path.write_text("sample_rate,noise_multiplier,steps\n0.9,0.5,10\n")
    outcome = plumbline("certify", "--from", "triples", path, "--delta", "1e-5", "--epsilon", "25", "--format", "json")
    found = json.loads(outcome.out)
    assert outcome.code == 1 and found["judgement"] == "BELOW_THE_TRUTH"
    assert F(found["epsilon"]["lower"]) >= F("43.79") and F(found["below_by"]) >= F("18.79")
    assert found["stages"] == [{"noise_multiplier": "0.5", "sample_rate": "0.9", "steps": 10}] and found["rows"] == 1


def test_a_first_row_with_a_sign_counts(tmp_path):
    path = tmp_path / "rows.csv"
    for first in ("\ufeff0.5,0.9,10\n", "+0.5,0.9,10\n"):
        path.write_text(first + "10,0.01,10\n")
        outcome = plumbline("certify", "--from", "triples", path, "--delta", "1e-5", "--epsilon", "25")
        assert outcome.code == 1 and "BELOW THE TRUTH" in outcome.out and "2 rows" in outcome.out


def test_numpys_header_is_a_heading():
    record = read_record(FOREIGN / "numpy_savetxt.csv", "triples")
    assert record.rows == 2 and [float(stage.noise_multiplier) for stage in record.stages] == [0.5, 1.0]


def test_refusals_on_the_command_line(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("z,q,0.5\n1,0.5,3\n")
    assert "row 1" in refused(plumbline("certify", "--from", "triples", path, "--delta", "1e-5", "--epsilon", "1"))


# --- Whatever is in the file ------------------------------------------------------------------------------------------

words = st.sampled_from(
    ["z", "q", "steps", "sigma", "Sample Rate", "foo", "", "1", "0.5", "+1", "-1", "1e3", "nan", "#"]
)
numbers = st.sampled_from(["1", "0.5", "+2", ".25", "1/4", " 3 ", "1e0"])
cells = st.lists(words | numbers | st.text(max_size=4), min_size=1, max_size=5)


@given(st.lists(cells, max_size=5), st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n", "\r"]))
@example([["#"], ["1", "0.5", "3"]], ",", "\n")
def test_no_row_is_passed_over(tmp_path_factory, rows, delimiter, end):
    """Either refused in one line, or every line that is no comment, no blank and no heading is a row."""
    path = tmp_path_factory.getbasetemp() / "garbage.csv"
    text = end.join(delimiter.join(row) for row in rows)
    path.write_bytes(text.encode(errors="replace"))
    try:
        record = read_record(path, "triples")
    except UsageError as problem:
        assert "\n" not in str(problem)
        return
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    lines = [line for line in lines if not line.strip().startswith("#")]
    heading = not any(character.isdigit() for character in lines[0])
    assert record.rows == len(lines) - heading >= 1
    assert sum(stage.steps for stage in record.stages) >= record.rows


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="replace")))
@pytest.mark.parametrize("written_by", ["triples", "opacus", "dp-accounting"])
def test_garbage_is_one_line(tmp_path_factory, written_by, data):
    path = tmp_path_factory.getbasetemp() / "garbage"
    path.write_bytes(data)
    try:
        assert read_record(path, written_by).rows >= 1
    except UsageError as problem:
        assert str(problem) and "\n" not in str(problem)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(["z", "q", "steps", "1", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["z", "q", "steps", "history", "mechanism", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values)
@pytest.mark.parametrize("written_by", ["triples", "opacus", "dp-accounting"])
def test_any_json_is_rows_or_one_line(tmp_path_factory, written_by, value):
    path = tmp_path_factory.getbasetemp() / "garbage.json"
    path.write_text(json.dumps(value))
    try:
        record = read_record(path, written_by)
    except UsageError as problem:
        assert str(problem) and "\n" not in str(problem)
        return
    rows = value["history"] if isinstance(value, dict) else value
    assert record.rows == len(rows) - (isinstance(rows[0], list) and not isinstance(rows[0][0], int | float))


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 4), st.integers(1, 9)), min_size=1, max_size=6),
    st.permutations(ORDER),
)
def test_any_order_of_columns_is_the_same_run(tmp_path_factory, rows, order):
    path = tmp_path_factory.getbasetemp() / "rows.csv"
    table = [dict(zip(ORDER, (str(z), f"{q}/4", str(steps)), strict=True)) for z, q, steps in rows]
    path.write_text("\n".join([",".join(order), *(",".join(row[name] for name in order) for row in table)]))
    with_heading = read_record(path, "triples")
    path.write_text("\n".join(",".join(row[name] for name in ORDER) for row in table))
    assert read_record(path, "triples") == with_heading
    assert with_heading.rows == len(rows) and sum(s.steps for s in with_heading.stages) == sum(r[2] for r in rows)
    path.write_text(json.dumps(table))
    assert read_record(path, "triples") == with_heading
