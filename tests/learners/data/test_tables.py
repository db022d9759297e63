"""The same table in every format is the same data set; what a format may hold and is not read is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as parquet  # noqa: E402

from learners.data import InvalidTable, Scratch, read_records, read_table  # noqa: E402
from learners.data import read as read_module  # noqa: E402
from learners.data.encode import Encoder  # noqa: E402
from tests.learners.data.files import columns, write_csv, write_every_format  # noqa: E402

pytestmark = pytest.mark.learn
TABLE = {
    "extra.1": ["p", "q", "r", "s", "t"],
    "y": ["yes", "no", "no", "yes", "no"],
    "b": [0, 5, 10, -10, 3],
    "region": ["n", "s", "n", "n", "s"],
    "a": [0.0, 2.5, 10.0, 0.1, 9.0],
    "id": ["007", "7", "ä", "x y", "1e3"],
}
SAID = columns(
    id="id",
    positive=("yes",),
    numeric={"a": (0, 10), "b": (-10, 10)},
    categorical={"region": ("s", "n")},
    intercept=True,
    normalise="row",
)


def test_every_format_gives_the_same_records(tmp_path):
    paths = write_every_format(tmp_path, TABLE)
    first, *others = [read_records(path, SAID) for path in paths]
    assert first.ids == tuple(TABLE["id"]) and first.labels.tolist() == [1, -1, -1, 1, -1]
    directions = first.features / first.features[:, -1:]  # the intercept was 1
    rows = zip(TABLE["a"], TABLE["b"], TABLE["region"], strict=True)
    expected = [[a / 5 - 1, b / 10, float(region == "s"), float(region == "n"), 1.0] for a, b, region in rows]
    assert torch.allclose(directions, torch.tensor(expected, dtype=torch.float64), atol=1e-15)
    for path, records in zip(paths[1:], others, strict=True):
        assert torch.equal(records.features, first.features) and torch.equal(records.labels, first.labels), path
        assert records.ids == first.ids
        assert records.first_row == (2 if ".csv" in path.name or ".tsv" in path.name else 1)


def test_batches_of_any_size_give_the_same_records(tmp_path, monkeypatch):
    paths = write_every_format(tmp_path, TABLE)
    whole = read_table(paths[0], SAID).fingerprint
    monkeypatch.setattr(read_module, "NUMBERS_AT_ONCE", 5)  # one row
    assert {read_table(path, SAID).fingerprint for path in paths} == {whole}


def test_features_are_written_to_a_file_and_stay_there(tmp_path):
    path = write_every_format(tmp_path, TABLE)[0]
    there = read_table(path, SAID, store=tmp_path / "features.f64")
    assert there.file is not None and there.file.path == tmp_path / "features.f64"
    assert there.fingerprint == read_table(path, SAID).fingerprint
    erased = there.replaced((2,))
    assert not erased.features[2].any() and there.features[2].any()
    assert (tmp_path / "features.f64").read_bytes() == there.features.numpy().astype("<f8").tobytes()


def test_a_scratch_file_has_no_name(tmp_path):
    """So nothing of it can stay, however the process ends."""
    path = write_every_format(tmp_path, TABLE)[0]
    (folder := tmp_path / "scratch").mkdir()
    whole = read_table(path, SAID)
    there = read_table(path, SAID, store=Scratch(folder))
    holes = there.placed([0, 1, 3, 4, 6], 7).replaced((3,))
    assert list(folder.iterdir()) == []
    assert there.file is not None and there.fingerprint == whole.fingerprint
    assert holes.file is not None and holes.fingerprint == whole.placed([0, 1, 3, 4, 6], 7).replaced((3,)).fingerprint
    assert torch.equal(there.rows(torch.tensor([4, 0])), whole.features[[4, 0]])
    small = read_table(path, SAID, store=Scratch(folder, beyond=len(whole) * whole.features.shape[1] * 8))
    assert small.file is None and small.fingerprint == whole.fingerprint
    with pytest.raises(FileNotFoundError) as refused:
        read_table(path, SAID, store=Scratch(tmp_path / "away"))
    assert refused.value.filename == str(tmp_path / "away")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_what_is_written_to_a_file_was_never_in_memory_whole(tmp_path, monkeypatch):
    rows, width = 60_000, 200  # 96 MB
    images = np.memmap(tmp_path / "raw", dtype=np.uint8, mode="w+", shape=(rows, width))
    images[:, 0] = 255
    np.savez(tmp_path / "t.npz", images=images, y=np.arange(rows) % 2)
    monkeypatch.setattr(read_module, "NUMBERS_AT_ONCE", 1 << 18)
    used, encode = [], Encoder.features

    def watched(self, batch, row):
        used.append(int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]) * 1024)
        return encode(self, batch, row)

    monkeypatch.setattr(Encoder, "features", watched)
    said = columns(numeric={"images": (0, 255, width)}, normalise="row")
    dataset = read_table(tmp_path / "t.npz", said, store=tmp_path / "features.f64")
    assert len(dataset) == rows and max(used) - used[0] < rows * width * 8 / 2


def test_a_file_that_nobody_here_made():
    """The irises that come with scikit-learn: its header is three names and two counts, in the wrong places."""
    datasets = pytest.importorskip("sklearn.datasets")
    path = Path(datasets.__file__).parent / "data" / "iris.csv"
    limits = dict.fromkeys(("150", "4", "setosa", "versicolor"), (0, 10))
    dataset = read_table(path, columns(numeric=limits, target="virginica", classes=("0", "1", "2")))
    raw, target = datasets.load_iris(return_X_y=True)
    assert torch.allclose(dataset.features, torch.from_numpy(raw / 5 - 1), atol=1e-15)
    assert dataset.labels.tolist() == target.tolist()


def written(tmp_path, arrays: dict, name: str = "t.parquet"):
    path = tmp_path / name
    parquet.write_table(pa.table(arrays), path)
    return path


@pytest.mark.parametrize(
    "values, expected",
    [
        (pa.array([0, 10], pa.int8()), [-1, 1]),
        (pa.array([0, 10], pa.uint64()), [-1, 1]),
        (pa.array([2.5, 10], pa.float32()), [-0.5, 1]),
        (pa.array([Decimal("2.50"), Decimal("10.00")]), [-0.5, 1]),
        (pa.array(["2.5", "1e1"]), [-0.5, 1]),
        (pa.array(["2.5", "1e1"], pa.large_string()), [-0.5, 1]),
        (pa.array(["2.5", "1e1"], pa.string_view()), [-0.5, 1]),
        (pa.array([2.5, 10]).dictionary_encode(), [-0.5, 1]),
    ],
    ids=str,
)
def test_numbers_of_any_type(tmp_path, values, expected):
    path = written(tmp_path, {"a": values, "y": ["1", "0"]})
    assert read_table(path, columns()).features[:, 0].tolist() == expected


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["0", "1", "0"]),
        pa.array([0, 1, 0], pa.int64()),
        pa.array([0.0, 1.0, 0.0]),
        pa.array(["0", "1", "0"]).dictionary_encode(),
        pa.array([0, 1, 0]).dictionary_encode(),
        pa.array(["0", "1", "0"], pa.string_view()),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.uint32()), pa.array(["0", "1"], pa.string_view())),
    ],
    ids=lambda values: str(values.type),
)
def test_a_typed_label_is_the_text_that_it_would_be(tmp_path, values):
    path, table = tmp_path / "t.arrow", pa.table({"a": [1, 2, 3], "y": values})
    with path.open("wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    assert read_table(path, columns()).labels.tolist() == [-1, 1, -1]


def test_true_and_false_are_spelt_out(tmp_path):
    path = written(tmp_path, {"a": [1, 2], "y": [True, False]})
    assert read_table(path, columns(positive=("true",), negative=("false",))).labels.tolist() == [1, -1]


def test_a_name_with_a_dot_is_a_name(tmp_path):
    path = written(tmp_path, {"a.b": [0, 10], "y": ["1", "0"]})
    assert read_table(path, columns(numeric={"a.b": (0, 10)})).features.tolist() == [[-1], [1]]


def test_arrays_in_a_row_are_read_with_their_width(tmp_path):
    images = np.arange(12, dtype=np.float32).reshape(3, 4)
    flat = pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), 4)
    np.savez(tmp_path / "t.npz", images=images, y=np.array([1, 0, 1]))
    for path in (written(tmp_path, {"images": flat, "y": [1, 0, 1]}), tmp_path / "t.npz"):
        read = read_table(path, columns(numeric={"images": (0, 12, 4)})).features
        assert torch.allclose(read, torch.from_numpy(images.astype(np.float64) / 6 - 1), atol=1e-15)
        with pytest.raises(InvalidTable, match=r"row 1, column images: holds 4 numbers a row, and the run file says 5"):
            read_table(path, columns(numeric={"images": (0, 12, 5)}))
        with pytest.raises(InvalidTable, match=r"holds 4 numbers a row; write the width behind its limits"):
            read_table(path, columns(numeric={"images": (0, 12)}))
        with pytest.raises(InvalidTable, match=r"row 3, column images: 9 is outside the limits \[0, 8\]"):
            read_table(path, columns(numeric={"images": (0, 8, 4)}))
    with pytest.raises(InvalidTable, match=r"holds one int64 a row, and the run file says 4; leave the width out"):
        read_table(written(tmp_path, {"images": [1, 2, 3], "y": [1, 0, 1]}), columns(numeric={"images": (0, 12, 4)}))


REFUSED = {
    "null": ({"a": [1.0, None], "y": [1, 0]}, r"t\.parquet: row 2, column a: is empty"),
    "nan": ({"a": [1.0, float("nan")], "y": [1, 0]}, r"row 2, column a: nan is not a finite number"),
    "inexact": ({"a": [1, 2**53 + 1], "y": [1, 0]}, r"row 2, column a: 9007199254740993 is not a finite number that"),
    "true as number": ({"a": [True, False], "y": [1, 0]}, r"column a: holds bool; numbers are read"),
    "binary": ({"a": [b"1", b"2"], "y": [1, 0]}, r"column a: holds binary"),
    "null label": ({"a": [1, 2], "y": [1, None]}, r"row 2, column y: is empty"),
    "date label": ({"a": [1, 2], "y": pa.array([1, 2], pa.date32())}, r"column y: holds date32\[day\]; categories are"),
    "float id": ({"a": [1], "y": [1], "id": [7.0]}, r"row 1, column id: holds double; ids are whole numbers and text"),
    "null id": ({"a": [1, 2], "y": [1, 0], "id": ["x", None]}, r"row 2, column id: is empty"),
    "lists of any size": ({"a": [[1.0], [2.0, 3.0]], "y": [1, 0]}, r"column a: holds list<"),
    "no rows": ({"a": pa.array([], pa.int64()), "y": pa.array([], pa.int64())}, r"holds no records"),
}


@pytest.mark.parametrize("table, message", REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_with_its_place(tmp_path, table, message):
    with pytest.raises(InvalidTable, match=message):
        read_table(written(tmp_path, table), columns(id="id" if "id" in table else None))


def test_ids_may_be_whole_numbers(tmp_path):
    path = written(tmp_path, {"a": [1, 2], "y": [1, 0], "id": pa.array([2**63, 7], pa.uint64())})
    assert read_table(path, columns(id="id")).ids == ("9223372036854775808", "7")


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.feather", "t.npz", "train-images-idx3-ubyte"])
def test_a_file_that_is_cut_off_or_something_else_is_refused(tmp_path, name):
    write_every_format(tmp_path, TABLE)
    path = tmp_path / name
    whole = path.read_bytes() if path.exists() else b"\0\0"
    for content in (b"", b"hello, world", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(InvalidTable, match=rf"{name}: .*(write it again|holds no records|no column)"):
            read_table(path, SAID)


def test_a_name_of_no_format_is_refused(tmp_path):
    with pytest.raises(InvalidTable, match=r"people\.xlsx: is of no format that is read: \.csv, "):
        read_table(write_csv(tmp_path / "people.xlsx", [["a"]]), SAID)
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "nowhere.csv", SAID)
    with pytest.raises(InvalidTable, match=r"a folder with neither data_batch_1\.bin nor"):
        read_table(tmp_path, SAID)


NPZ = {
    "objects": (np.array([1, "x"], dtype=object), r"column a: holds object; numbers, true/false and text"),
    "complex": (np.array([1j, 2]), r"column a: holds complex128"),
    "bytes": (np.array([b"1", b"2"]), r"column a: holds \|S1"),
    "three dimensions": (np.zeros((2, 2, 2)), r"column a: has the shape \(2, 2, 2\)"),
    "by column": (np.asfortranarray(np.zeros((2, 3))), r"column a: is stored column by column"),
    "nothing in a row": (np.zeros((2, 0)), r"column a: has the shape \(2, 0\)"),
    "another length": (np.zeros(3), r"arrays of different lengths: y 2, a 3"),
}


@pytest.mark.parametrize("array, message", NPZ.values(), ids=NPZ)
def test_arrays_that_are_no_column_are_refused(tmp_path, array, message):
    np.savez(tmp_path / "t.npz", a=array, y=np.array([1, 0]))
    with pytest.raises(InvalidTable, match=message):
        read_table(tmp_path / "t.npz", columns(numeric={"a": (0, 10, 3)} if array.ndim > 1 else {"a": (0, 10)}))


def test_numbers_of_the_other_byte_order_are_numbers(tmp_path):
    np.savez(tmp_path / "t.npz", a=np.array([0, 10], dtype=">i4"), y=np.array([1, 0], dtype=">u2"))
    assert read_table(tmp_path / "t.npz", columns()).features[:, 0].tolist() == [-1, 1]
