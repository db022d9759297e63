"""Requests to many states: each honoured by itself, whatever comes of the others, wherever they are computed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.learn

import numpy as np  # noqa: E402

from certify import UsageError, checker  # noqa: E402
from certify.ledger import Ledger  # noqa: E402
from certify.service.many import read_requests, unlearn_many  # noqa: E402
from tests.certify.runs import plumbline, refused  # noqa: E402
from tests.certify.service.test_service import records, write_data, write_run  # noqa: E402


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three states over one file of records, drawn from a seed so that they can be compared."""
    folder = tmp_path_factory.mktemp("many")
    write_data(folder / "records.csv", records())
    run = write_run(folder / "run.toml")
    for number in range(3):
        asked = ("learn", run, "--data", folder / "records.csv", "-o", folder / f"state-{number}")
        assert plumbline(*asked, "--reproducible", number).code == 0
    return folder


@pytest.fixture
def folder(learned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(learned, tmp_path / "many"))


def write_requests(folder: Path, *rows: str) -> Path:
    path = folder / "requests.csv"
    path.write_text("\n".join(("state,id", *rows)) + "\n")
    return path


def test_each_state_gets_its_request(folder: Path) -> None:
    path = write_requests(folder, "state-0,c003", "state-1,c004", "state-0,c007")
    done = plumbline("unlearn-many", path, "--workers", "2", "--format", "json")
    answers = json.loads(done.out)["requests"]
    assert done.code == 0 and [answer["done"]["records"] for answer in answers] == [2, 1]
    for number, answer in enumerate(answers):
        state = folder / f"state-{number}"
        assert answer["state"] == str(state) and answer["problem"] is None
        assert checker.verify((state / "certificate-1.json").read_bytes()).verdict == "CERTIFIED"
        assert [row.kind for row in Ledger.open(state).rows()][-2:] == ["requested", "erased"]
    assert not (folder / "state-2" / "certificate-1.json").exists()


def test_what_is_refused_changes_nothing_and_stops_nobody(folder: Path) -> None:
    before = Ledger.open(folder / "state-1").rows()
    path = write_requests(folder, "state-0,c003", "state-1,nobody", "nowhere,c001", "state-2,c005")
    done = plumbline("unlearn-many", path, "--workers", "1")
    lines = done.out.splitlines()
    assert done.code == 2 and lines[0] == "2 of 4 requests honoured" and len(lines) == 5
    assert "nobody" in lines[2] and "nowhere" in lines[3] and "request 1, 1 record, ε ≤ " in lines[4]
    assert Ledger.open(folder / "state-1").rows() == before


def test_the_model_does_not_depend_on_where_it_is_computed(folder: Path, learned: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(learned, tmp_path / "again"))
    asked = {"state-0": ("c003",), "state-1": ("c004", "c005")}
    for where, workers in ((folder, 1), (again, 2)):
        answers = unlearn_many({where / name: ids for name, ids in asked.items()}, workers=workers)
        assert [answer.exit_code for answer in answers] == [0, 0]
    for name in asked:
        one, other = (np.load(where / name / "model.npz")["parameters"] for where in (folder, again))
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "row 1 must be state,id"),
        ("state,who\na,b\n", "row 1 must be state,id; got 'state,who'"),
        ("state,id\n", "names no record"),
        ("state,id\na\n", "row 2: needs a state's folder and one record's id"),
        ("state,id\na,b,c\n", "row 2: needs"),
        ("id,state\nb,a\n,a\n", "row 3: needs"),
        ('state,id\na,"b\n', "unexpected end of data"),
    ],
)
def test_a_list_that_cannot_be_read(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    path.write_text(text)
    assert problem in refused(plumbline("unlearn-many", path))


def test_lists_as_programs_write_them(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    path.write_bytes('\ufeffid,state\r\n"a,1",here\r\nÄ2,there\r\n007,here\r\n'.encode())
    here, there = (str(tmp_path / name) for name in ("here", "there"))
    assert read_requests(path) == {here: ("a,1", "007"), there: ("Ä2",)}
    path.write_bytes(b"state,id\na,\xff\n")
    assert "is not UTF-8 text" in refused(plumbline("unlearn-many", path))
    assert "No such file" in refused(plumbline("unlearn-many", tmp_path / "absent.csv"))


def test_two_names_of_one_state_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two of them name one state"):
        unlearn_many({tmp_path / "a": ["1"], tmp_path / "b" / ".." / "a": ["2"]})
