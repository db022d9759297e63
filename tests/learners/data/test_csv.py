"""CSV files as the world writes them: read exactly, or refused with row and column."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("pyarrow")
from learners.data import InvalidTable, read_records, read_table  # noqa: E402
from learners.data import delimited as delimited_module  # noqa: E402
from tests.learners.data.files import columns, write_csv  # noqa: E402

pytestmark = pytest.mark.learn
BY_ID = columns(id="id")


def read(tmp_path, content: bytes, said=BY_ID, **options):
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    return read_records(path, said, **options)


@pytest.mark.parametrize(
    "content",
    [
        b"id,a,y\n007,5,1\n7,10,0\n",
        b"\xef\xbb\xbfid,a,y\n007,5,1\n7,10,0\n",
        b'\xef\xbb\xbf"id",a,y\n007,5,1\n7,10,0\n',
        b"id,a,y\r\n007,5,1\r\n7,10,0\r\n",
        b"id,a,y\r007,5,1\r7,10,0\r",
        b"id,a,y\n007,5,1\n7,10,0",
        b"y,comment,id,a\n1,x,007,5\n0,,7,10\n",
        b'y,comment,id,a\n1,"two\nlines, ""quoted""",007,5.0\n0,NA,"7",1e1\n',
        b"comment,comment,id,a,y\nx,y,007,5,1\nx,y,7,10,0\n",
        "id,größe,a,y\n007,é,5,1\n7,ü,+10.,0\n".encode(),
    ],
    ids=["plain", "bom", "bom-quoted", "crlf", "cr", "no-end", "order", "quoted", "twins-unread", "utf8"],
)
def test_what_stands_in_the_file_is_read(tmp_path, content):
    records = read(tmp_path, content)
    assert records.ids == ("007", "7") and records.first_row == 2
    assert records.features.tolist() == [[0.0], [1.0]] and records.labels.tolist() == [1.0, -1.0]


def test_ids_stay_as_they_are(tmp_path):
    ids = ["123456789012345678901234567890", "0x1F", " 7", "7 ", "1e3", "NA", "ä", "x,y", 'say "A"', "-0"]
    path = write_csv(tmp_path / "t.csv", [["id", "a", "y"], *([id, 1, 1] for id in ids)])
    assert read_table(path, BY_ID).ids == tuple(ids)


REFUSED = {
    "short row": (b"id,a,y\n1,5,1\n2,5\n", r"people\.csv: row 3: has 2 cells and the header 3: '2,5'; repair it"),
    "long row": (b"id,a,y\n1,5,1\n2,1,234,1\n", r"row 3: has 4 cells and the header 3"),
    "after a cell of two lines": (b'id,a,y\n"1\n1",5,1\n2,5\n', r"row 3: has 2 cells"),
    "blank line": (b"id,a,y\n1,5,1\n\n2,5,1\n", r"people\.csv: row 3: is a blank line, or empty in every"),
    "blank end": (b"id,a,y\n1,5,1\n\n", r"row 3: is a blank line"),
    "empty number": (b"id,a,y\n1,5,1\n2,,1\n", r"row 3, column a: is empty; repair the cell"),
    "quoted empty": (b'id,a,y\n1,"",1\n', r"row 2, column a: is empty"),
    "NA": (b"id,a,y\n1,NA,1\n", r"row 2, column a: 'NA' is not a finite decimal number"),
    "nan": (b"id,a,y\n1,5,1\n2,nan,1\n", r"row 3, column a: 'nan' is not a finite decimal number"),
    "inf": (b"id,a,y\n1,-inf,1\n", r"row 2, column a: '-inf' is not a finite"),
    "beyond float64": (b"id,a,y\n1,1e400,1\n", r"row 2, column a: '1e400' is not a finite"),
    "thousands": (b'id,a,y\n1,"1,234",1\n', r"row 2, column a: '1,234' is not a number as it is written here"),
    "decimal comma": (b'id,a,y\n1,"1,5",1\n', r"row 2, column a: '1,5' is not a number as it is written here"),
    "underscore": (b"id,a,y\n1,1_0,1\n", r"row 2, column a: '1_0' is not a number"),
    "hexadecimal": (b"id,a,y\n1,0x1F,1\n", r"row 2, column a: '0x1F' is not a finite decimal"),
    "spaces": (b"id,a,y\n1, 5,1\n", r"row 2, column a: ' 5' has spaces around it"),
    "other digits": ("id,a,y\n1,\u0665,1\n".encode(), r"row 2, column a: '\u0665' is not a finite decimal"),
    "outside, as it is written": (b"id,a,y\n1,5,1\n2,67781.58,0\n", r"column a: 67781\.58 is outside the limits"),
    "outside": (b"id,a,y\n1,5,1\n2,10.5,0\n", r"row 3, column a: 10\.5 is outside the limits \[0, 10\]; repair it"),
    "empty id": (b"id,a,y\n1,5,1\n,5,1\n", r"row 3, column id: is empty; every record needs an id"),
    "same id": (b"id,a,y\n1,5,1\n2,5,1\n1,5,0\n", r"row 4, column id: '1' is the id of row 2 as well"),
    "id of two lines": (b'id,a,y\n"1\n2",5,1\n', r"row 2, column id: '1\\n2' has a line break"),
    "empty label": (b"id,a,y\n1,5,1\n2,5,\n", r"row 3, column y: is empty"),
    "third label": (b"id,a,y\n1,5,1\n2,5,0\n3,5,no\n", r"row 4, column y: 'no' is a third label, beside '1' and '0'"),
    "no such column": (b"id,A,y\n1,5,1\n", r"people\.csv: has no column a; its columns: 'id', 'A', 'y'"),
    "misspelt column": (b"ids,a,y\n1,5,1\n", r"has no column id; did you mean 'ids'\?"),
    "space in the header": (b"id, a,y\n1,5,1\n", r"has no column a; did you mean ' a'\?"),
    "semicolons": (b"id;a;y\n1;5;1\n", r"has no column y; .*separate cells by commas"),
    "same column": (b"id,a,a,y\n1,5,6,1\n", r"people\.csv: has 2 columns named a; give each its own name"),
    "header alone": (b"id,a,y\n", r"people\.csv: holds no records"),
    "nothing": (b"", r"people\.csv: is empty; give a file with a header"),
    "open quote": (b'id,a,y\n1,5,1\n2,5,"1\n3,5,0\n', r"people\.csv: line 3: a quoted cell begins that never ends"),
    "text after a quote": (b'id,a,y\n"1"2,5,1\n', r"line 2: a quote in the middle of a cell"),
    "quote in a cell": (b'id,a,y\n1,5,1\n1"2,5,1\n', r"line 3: a quote in the middle of a cell; quote the whole cell"),
    "latin-1": ("id,a,y\né,5,1\n".encode("latin-1"), r"line 2: is not UTF-8 text; save the file as UTF-8"),
    "cut UTF-8": (b"id,a,y\n1,5,1\xc3", r"line 2: is not UTF-8 text"),
    "utf-16": ("id,a,y\n1,5,1\n".encode("utf-16"), r"people\.csv: is UTF-16; save it as UTF-8"),
    "nul": (b"id,a,y\n1\0,5,1\n", r"row 2, column id: '1\\x00' has a line break or control character"),
}


@pytest.mark.parametrize("content, message", REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_with_its_place(tmp_path, content, message):
    with pytest.raises(InvalidTable, match=message) as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_a_refusal_knows_row_and_column(tmp_path):
    with pytest.raises(InvalidTable) as caught:
        read(tmp_path, b"id,a,y\n1,5,1\n2,x,1\n")
    assert (caught.value.row, caught.value.column) == (3, "a")


def test_rows_are_counted_over_blocks(tmp_path, monkeypatch):
    """Blocks end anywhere: in a record, in a quoted cell, between two quotes, in a character of two bytes."""
    rows = [[f'{i} "é"\n{i}', i % 11, i % 2] for i in range(300)]
    path = write_csv(tmp_path / "t.csv", [["id", "a", "y"], *rows])
    said = columns(id=None)
    whole = read_table(path, said)
    for size in (64, 97, 128):
        monkeypatch.setattr(delimited_module, "BLOCK", size)
        assert read_table(path, said).fingerprint == whole.fingerprint
        for wrong, message in (
            ("x,11,1", r"row 302, column a: 11 is outside"),
            ('x,"1,1', "line 602: a quoted cell begins"),
        ):
            bad = tmp_path / "bad.csv"
            bad.write_bytes(path.read_bytes() + wrong.encode())
            with pytest.raises(InvalidTable, match=message):
                read_table(bad, said)


def test_line_breaks_in_cells_that_are_not_read_change_nothing(tmp_path, monkeypatch):
    rows = [[f'x{i}\r\ny"{i}\r\n', f"id{i}", i % 11, i % 2] for i in range(40)]
    path = write_csv(tmp_path / "t.csv", [["note", "id", "a", "y"], *rows])
    whole = read_table(path, BY_ID)
    for size in range(64, 100):
        monkeypatch.setattr(delimited_module, "BLOCK", size)
        again = read_table(path, BY_ID)
        assert again.ids == whole.ids and again.fingerprint == whole.fingerprint
        with pytest.raises(InvalidTable, match=r"row 2, column note: 'x0\\r.*' has a line break"):
            read_table(path, columns(id="note"))


def test_a_record_that_no_block_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited_module, "BLOCK", 64)
    with pytest.raises(InvalidTable, match=r"has a record of more than 64 bytes"):
        read(tmp_path, b"id,a,y\n1,5,1\n" + b"2" * 200 + b",5,1\n")


CELL = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
# No lone carriage return: Python's csv module leaves it without quotes where lines end otherwise, and nobody can tell
# it from the end of a line then.
LINES = st.lists(st.sampled_from([*'ab",\n;\t é', "\r\n"]), max_size=8).map("".join)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(CELL, st.floats(-1e6, 1e6), LINES), min_size=1, max_size=20, unique_by=lambda row: row[0]),
    end=st.sampled_from(["\r\n", "\n"]),
    quoting=st.sampled_from([0, 1]),
)
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, rows, end, quoting):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    content = [["note", "id", "a", "y"], *([note, id, repr(a), 1] for id, a, note in rows)]
    write_csv(path, content, lineterminator=end, quoting=quoting)
    records = read_records(path, columns(id="id", numeric={"a": (-(10**6), 10**6)}))
    assert records.ids == tuple(id for id, _, _ in rows)
    assert records.features[:, 0].tolist() == pytest.approx([a / 1e6 for _, a, _ in rows], rel=0, abs=4e-16)


def test_records_to_predict_need_no_target_and_no_id(tmp_path):
    content = b"a\n5\n10\n"
    records = read(tmp_path, content, partial=True)
    assert records.labels is None and records.ids is None and records.features.tolist() == [[0.0], [1.0]]
    with pytest.raises(InvalidTable, match="has no column y"):
        read(tmp_path, content)
    with pytest.raises(InvalidTable, match="has no column a"):
        read(tmp_path, b"id,y\n1,1\n", partial=True)
    with pytest.raises(InvalidTable, match="has no target column"):
        records.dataset()


def test_twenty_thousand_rows_of_thirty_columns(tmp_path):
    generator = torch.Generator().manual_seed(1)
    values = (torch.rand(20_000, 30, generator=generator) * 100).tolist()
    names = [f"x{i}" for i in range(30)]
    rows = ([f"{i:06d}", *(f"{v:.4f}" for v in row), i % 2] for i, row in enumerate(values))
    path = write_csv(tmp_path / "large.csv", [["id", *names, "y"], *rows])
    said = columns(id="id", numeric=dict.fromkeys(names, (0, 100)), intercept=True, normalise="row")
    dataset = read_table(path, said)
    assert dataset.features.shape == (20_000, 31) and dataset.ids[-1] == "019999"


def test_dirty_cells_are_listed_together(tmp_path):
    rows = ["1,5,1", "2,,1", "3,x,0", "4,5,", "5,99,0", ",5,1"]
    with pytest.raises(InvalidTable) as refused:
        read(tmp_path, ("id,a,y\n" + "\n".join(rows) + "\n").encode())
    lines = [str(refused.value), *refused.value.__notes__]
    assert sorted(line.split(":")[1] for line in lines) == [
        " row 3, column a",
        " row 4, column a",
        " row 5, column y",
        " row 6, column a",
        " row 7, column id",
    ]


def test_no_more_than_twenty_dirty_cells_are_listed(tmp_path):
    for count, listed in ((20, 20), (21, 21)):  # the 21st line says that there are more
        with pytest.raises(InvalidTable) as refused:
            read(tmp_path, b"id,a,y\n" + b"".join(b"%d,x,1\n" % place for place in range(count)))
        lines = [str(refused.value), *refused.value.__notes__]
        assert len(lines) == listed and ("more rows" in lines[-1]) == (count > 20)
