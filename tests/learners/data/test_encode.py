"""From public limits to features and labels: each value by itself, each row by itself, nothing beyond its bound."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("pyarrow")
from learners.data import InvalidTable, as_written, feature_names, read_records, read_table  # noqa: E402
from tests.learners.data.files import columns, write_csv  # noqa: E402

pytestmark = pytest.mark.learn


def read(tmp_path, rows, said, **options):
    return read_table(write_csv(tmp_path / "t.csv", rows), said, **options)


def squared(row) -> Fraction:
    return sum((Fraction(value) ** 2 for value in row), Fraction(0))


def test_limits_are_brought_to_the_ends_exactly(tmp_path):
    said = columns(numeric={"a": ("0.1", "0.7")})
    read_in = read(tmp_path, [["a", "y"], ["0.1", 1], ["0.7", 1], ["0.4", 1], [".25", 1]], said)
    assert read_in.features[:2, 0].tolist() == [-1, 1]
    assert read_in.features[2:, 0].tolist() == pytest.approx([0, -0.5], abs=1e-15)


def test_features_come_in_an_order_that_the_run_file_does_not_change(tmp_path):
    given = {
        "numeric": {"b": (0, 1), "a": (0, 1)},
        "categorical": {"d": ("y", "x"), "c": ("v",)},
    }
    turned = {key: dict(reversed(value.items())) for key, value in given.items()}
    rows = [["d", "b", "c", "a", "y"], ["x", 1, "v", 0, 1]]
    one, other = columns(**given, intercept=True), columns(**turned, intercept=True)
    assert feature_names(one) == feature_names(other) == ("a", "b", "c = v", "d = y", "d = x", "intercept")
    for said in (one, other):
        assert read(tmp_path, rows, said).features.tolist() == [[-1, 1, 1, 0, 1, 1]]
    assert feature_names(columns(numeric={"p": (0, 1, 3)})) == ("p[0]", "p[1]", "p[2]")


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(0, 1e-3)), min_size=1, max_size=30),
    norm=st.sampled_from(["1", "0.3", "7"]),
    normalise=st.sampled_from(["row", "limits"]),
    intercept=st.booleans(),
)
def test_no_row_is_beyond_the_norm_and_none_depends_on_another(tmp_path_factory, values, norm, normalise, intercept):
    folder = tmp_path_factory.mktemp("rows")
    numeric = {"a": (-1000, 1000), "b": (0, "0.001")}
    said = columns(numeric=numeric, categorical={"c": ("u", "v")}, intercept=intercept, normalise=normalise)
    rows = [[repr(a), repr(b), "u", 1] for a, b in values]
    head = ["a", "b", "c", "y"]
    read_in = read(folder, [head, *rows], said, feature_norm=norm)
    assert read_in.feature_norm == Fraction(norm)
    for place, row in enumerate(read_in.features.tolist()):
        size = squared(row)
        assert size <= Fraction(norm) ** 2  # in rationals
        if normalise == "row":
            assert size >= Fraction(norm) ** 2 * (1 - Fraction(1, 2**35))
        assert read(folder, [head, rows[place]], said, feature_norm=norm).features[0].tolist() == row


def test_by_the_limits_the_largest_row_reaches_the_norm(tmp_path):
    said = columns(
        numeric={"a": (0, 1), "b": (0, 1)}, categorical={"c": ("u", "v")}, intercept=True, normalise="limits"
    )
    rows = [["a", "b", "c", "y"], [1, 0, "u", 1], [0.5, 0.5, "v", 1]]
    read_in = read(tmp_path, rows, said, feature_norm=2)
    sizes = [float(squared(row)) for row in read_in.features.tolist()]
    assert sizes == pytest.approx([4, 2])  # 4 and 2 of the largest square 4, times 2²/4


def test_without_normalising_the_norm_is_what_the_limits_allow(tmp_path):
    said = columns(numeric={"a": (0, 1), "b": (0, 1)}, intercept=True, normalise="none")
    read_in = read(tmp_path, [["a", "b", "y"], [1, 0, 1]], said, feature_norm="0.5")
    assert read_in.features.tolist() == [[1, -1, 1]]
    assert 3 <= read_in.feature_norm**2 <= 3 + Fraction(1, 10**5)


def test_a_row_at_the_middle_of_all_limits_stays_zero(tmp_path):
    assert read(tmp_path, [["a", "y"], [5, 1]], columns(normalise="row")).features.tolist() == [[0.0]]


def test_numbers_outside_are_clipped_where_the_run_file_says_so(tmp_path):
    said = columns(outside="clip", target="t", target_limits=(Fraction(0), Fraction(4)))
    read_in = read(tmp_path, [["a", "t"], [-1, 9], [1e9, -9], [5, 3]], said, target_bound=Fraction(2))
    assert read_in.features[:, 0].tolist() == [-1, 1, 0]
    assert read_in.labels.tolist() == pytest.approx([2, -2, 1])
    with pytest.raises(InvalidTable, match=r"row 2, column a: 'nan' is not a finite"):
        read(tmp_path, [["a", "t"], ["nan", 9]], said)


CATEGORIES = columns(numeric={}, categorical={"c": ("n", "s", "07")})


@pytest.mark.parametrize(
    "value, message",
    [
        ("N", r"row 3, column c: 'N' is an unknown category; the run file lists 'n', 's', '07'"),
        ("7", r"row 3, column c: '7' is an unknown category"),
        ("s ", r"row 3, column c: 's ' is an unknown category"),
        ("", r"row 3, column c: is empty"),
    ],
)
def test_an_unknown_category_is_refused(tmp_path, value, message):
    with pytest.raises(InvalidTable, match=message):
        read(tmp_path, [["c", "y"], ["07", 1], [value, 1]], CATEGORIES)


def test_an_empty_category_may_be_listed(tmp_path):
    said = columns(numeric={}, categorical={"c": ("n", "")})
    assert read(tmp_path, [["c", "y"], ["", 1], ["n", 1]], said).features.tolist() == [[0, 1], [1, 0]]


def test_labels_that_are_listed_on_both_sides(tmp_path):
    said = columns(positive=("yes", "y"), negative=("no", "n"))
    rows = [["a", "y"], *([1, label] for label in ("yes", "n", "y", "no"))]
    assert read(tmp_path, rows, said).labels.tolist() == [1, -1, 1, -1]
    with pytest.raises(
        InvalidTable, match=r"row 6, column y: 'No' is an unknown label; the run file lists 'yes', 'y',"
    ):
        read(tmp_path, [*rows, [1, "No"]], said)


def test_classes_are_numbered_as_they_are_listed(tmp_path):
    said = columns(classes=("c", "a", "b"))
    assert read(tmp_path, [["a", "y"], [1, "a"], [1, "b"], [1, "c"]], said).labels.tolist() == [1, 2, 0]
    with pytest.raises(
        InvalidTable, match=r"row 2, column y: 'd' is an unknown class; the run file lists 'c', 'a', 'b'"
    ):
        read(tmp_path, [["a", "y"], [1, "d"]], said)


def test_targets_are_scaled_from_their_limits(tmp_path):
    said = columns(target="t", target_limits=(Fraction(-10), Fraction(30)))
    rows = [["a", "t"], [1, -10], [1, 30], [1, 10], [1, "1.5e1"]]
    read_in = read(tmp_path, rows, said, target_bound=Fraction("0.3"))
    assert read_in.labels.tolist() == pytest.approx([-0.3, 0.3, 0, 0.075])
    assert all(abs(Fraction(label)) <= Fraction("0.3") for label in read_in.labels.tolist())
    assert read(tmp_path, rows, said).labels.tolist() == [-1, 1, 0, 0.25]
    for value, message in (("31", r"31 is outside the limits \[-10, 30\]"), ("x", r"'x' is not a finite")):
        with pytest.raises(InvalidTable, match=rf"row 6, column t: {message}"):
            read(tmp_path, [*rows, [1, value]], said)


def test_labels_are_written_as_the_column_has_them(tmp_path):
    limits = columns(target="t", target_limits=(Fraction(-10), Fraction(30)))
    for said, name, values, bound in (
        (columns(positive=("yes", "y"), negative=("no", "n")), "y", ["yes", "no"], None),
        (columns(classes=("c", "a", "b")), "y", ["b", "c", "a"], None),
        (limits, "t", ["-10.0", "30.0", "10.0", "-2.5"], None),
        (limits, "t", ["-10.0", "30.0", "10.0", "-2.5"], Fraction("0.3")),
        (columns(target="n", positive=()), "n", ["0.0", "7.0"], None),
    ):
        labels = read(tmp_path, [["a", name], *([1, value] for value in values)], said, target_bound=bound).labels
        written = as_written(said, labels, bound)
        if said.target_limits is None:
            assert written == values
        assert name == "y" or [float(text) for text in written] == pytest.approx([float(value) for value in values])
    signs = as_written(columns(positive=("yes",)), torch.tensor([1.0, -1.0]))
    assert signs == ["yes", "not yes"]


def test_counts_are_not_scaled(tmp_path):
    said = columns(target="n", positive=())
    rows = [["a", "n"], [1, 0], [1, "7"], [1, "2.0"]]
    assert read(tmp_path, rows, said, target_bound=Fraction("7.5")).labels.tolist() == [0, 7, 2]
    for value, message in (
        ("-1", "-1 is not a count; write a whole number"),
        ("0.5", r"0\.5 is not a count"),
        ("8", r"8 is beyond loss\.target_bound"),
        ("nan", "'nan' is not a finite"),
        ("", "is empty"),
    ):
        with pytest.raises(InvalidTable, match=rf"row 5, column n: {message}"):
            read(tmp_path, [*rows, [1, value]], said, target_bound=Fraction("7.5"))


def test_records_are_named_for_their_file_and_numbered_without_ids(tmp_path):
    dataset = read(tmp_path, [["a", "y"], [1, 1], [2, 0]], columns())
    assert dataset.name == "t.csv" and dataset.ids == ("0", "1")
    assert read_records(tmp_path / "t.csv", columns()).ids is None
