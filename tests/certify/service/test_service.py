"""The service: a state learned, requests honoured one by one, and everything that must stop before the first step."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.learn

import numpy as np  # noqa: E402
import torch  # noqa: E402

from certify import checker, keygen, sign  # noqa: E402
from certify.ledger import Ledger  # noqa: E402
from certify.service import unlearning  # noqa: E402
from certify.service.learning import learn  # noqa: E402
from certify.service.predicting import _metric  # noqa: E402
from tests.certify.runs import Outcome, plumbline, refused, to_toml  # noqa: E402

ROWS, COLUMNS = 60, ("age", "income")


def run_tables(**changes: Any) -> dict[str, Any]:
    """Sixty records of two columns, batches of twenty; enough noise for five of them."""
    tables: dict[str, Any] = {
        "mechanism": {
            "kind": "pnsgd",
            "samples": ROWS,
            "batch_size": 20,
            "epochs": 5,
            "noise_std": "3",
            "step_size": "1/L",
        },
        "loss": {"kind": "logistic", "regularization": "0.1"},
        "requests": {"max_records": 5},
        "target": {"epsilon": 1, "delta": "1e-3"},
        "threat": {"release": "all"},
        "data": {"target": "bought", "positive": "yes", "id": "customer"},
    }
    for name, keys in changes.items():
        tables[name] = {**tables[name], **keys}
    return tables


def write_run(path: Path, **changes: Any) -> Path:
    numeric = "numeric = { age = [0, 100], income = [0, 1000] }\n"
    path.write_text(to_toml(run_tables(**changes)).replace('id = "customer"\n', f'id = "customer"\n{numeric}'))
    return path


def records() -> list[list[str]]:
    draw = random.Random(1)
    rows = []
    for i in range(ROWS):
        age, income = draw.randint(0, 100), draw.randint(0, 1000)
        rows.append([f"c{i:03d}", str(age), str(income), "yes" if age + income / 10 > 100 else "no"])
    return rows


def write_data(path: Path, rows: list[list[str]], header: tuple[str, ...] = ("customer", *COLUMNS, "bought")) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with run.toml, records.csv, and two states: `all` and `final`."""
    folder = tmp_path_factory.mktemp("service")
    write_data(folder / "records.csv", records())
    write_run(folder / "run.toml")
    write_run(folder / "final.toml", threat={"release": "final"}, mechanism={"noise_std": "1"})
    for run, name in (("run", "all"), ("final", "final")):
        done = plumbline("learn", folder / f"{run}.toml", "--data", folder / "records.csv", "-o", folder / name)
        assert done.code == 0, done
    return folder


@pytest.fixture
def state(made: Path, tmp_path: Path) -> Path:
    """A state of its own, of which every model is seen. The copy has its ledger with it."""
    return Path(shutil.copytree(made / "all", tmp_path / "all"))


@pytest.fixture
def final(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "final", tmp_path / "final"))


def unlearn(state: Path, *ids: str, **options: Any) -> Outcome:
    more = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    return plumbline("unlearn", state, "--records", ",".join(ids), *more)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_year_of_requests(state: Path, made: Path, tmp_path: Path) -> None:
    """Each is certified over all before it; everything verifies; the erased rows may leave the file."""
    rows = records()
    for number, ids in enumerate((["c003"], ["c010", "c050"], ["c059"]), start=1):
        data = write_data(tmp_path / f"left-{number}.csv", rows)
        done = plumbline(
            "unlearn", state, "--records", ids[0], *(["--records", ids[1]] if ids[1:] else []), "--data", data
        )
        assert done.code == 0 and done.out.startswith(f"CERTIFIED: request {number}, "), done
        rows = [row for row in rows if row[0] not in ids]
    certificates = [json.loads((state / f"certificate{suffix}.json").read_bytes()) for suffix in ("", "-1", "-2", "-3")]
    for number, envelope in enumerate(certificates):
        report = checker.verify(json.dumps(envelope).encode())
        assert report.exit_code == 0, report
        if number:
            digest = certificates[number - 1]["digest"]["sha256"]
            assert any(digest in note for note in report.notes)
            record = (state / f"erasure-{number}.json").read_bytes()
            of = (state / f"certificate-{number}.json").read_bytes()
            assert checker.verify(record, certificate=of).exit_code == 0
    assert plumbline("verify", state / "certificate-3.json", "--subject", state / "model.npz").code == 0
    shown = json.loads(plumbline("status", state, "--format", "json").out)
    assert shown["left"] == 1 and shown["records"] == 4 and shown["open"] and len(shown["requests"]) == 3
    assert shown["requests"][1] == {"size": 2, "unlearning_epochs": 1}
    assert plumbline("ledger", "verify", state).code == 0
    private = json.loads((state / "private/rows.json").read_bytes())
    assert private["erased"] == {"3": 1, "10": 2, "50": 2, "59": 3}


def test_a_certificate_is_held_against_the_one_before_it(state: Path, final: Path, tmp_path: Path) -> None:
    for number, folder in ((1, state), (2, state), (1, final)):
        assert unlearn(folder, f"c00{number}").code == 0
    last = state / "certificate-2.json"
    assert plumbline("verify", last).code == 0 and plumbline("verify", state / "certificate-1.json").code == 0
    shutil.copy(last, tmp_path)
    assert plumbline("verify", tmp_path / last.name).code == 0  # nothing lies beside it
    shutil.copy(final / "certificate-1.json", tmp_path)
    mixed = plumbline("verify", tmp_path / last.name)
    assert mixed.code == 4 and "is another certificate than the one that is named" in mixed.err
    assert plumbline("keygen", tmp_path / "lead").code == 0
    signed = ("--key", tmp_path / "lead.key", "--expires", "2999-01-01")
    assert plumbline("sign", state / "certificate-1.json", *signed).code == 0
    assert plumbline("verify", last).code == 0  # a date of expiry that was set since changes nothing
    assert plumbline("status", state).code == 0 and unlearn(state, "c003").code == 0


def test_from_python_as_from_the_command_line(made: Path, tmp_path: Path) -> None:
    import plumbline as front_door

    told: list[str] = []
    learned = front_door.learn(
        made / "run.toml", tmp_path / "state", data=made / "records.csv", tell=told.append, device="cpu"
    )
    assert learned.learning.records == 5 and told == [learned.learning.sentence()]
    done = front_door.unlearn(tmp_path / "state", ["c001", "c002"])
    assert done.request == 1 and done.left == 3 and done.certified.epochs == 1
    assert front_door.status(tmp_path / "state").releases == 0
    assert front_door.Ledger.open(tmp_path / "state").verify().intact


def test_no_id_leaves_the_private_folder(state: Path) -> None:
    assert unlearn(state, "c003").code == 0
    written = re.compile(rb"(?<![0-9a-f])c003(?![0-9a-f])")  # within a random key or hash it is chance
    assert written.search(b'["c003"]')
    for name, content in snapshot(state).items():
        assert not written.search(content), name
    assert not any(written.search(row.payload.encode()) for row in Ledger.open(state).rows())


def test_learning_says_what_the_target_covers_and_trains_nothing_beyond(made: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run.toml", requests={"max_records": 50})
    done = plumbline("learn", run, "--data", made / "records.csv", "-o", tmp_path / "state")
    assert "is met for" in refused(done, 1) and "not for 50" in done.err
    assert not (tmp_path / "state").exists()
    said = (made / "run.toml").read_text().replace('release = "all"', "")
    (tmp_path / "unsaid.toml").write_text(said)
    unsaid = plumbline("learn", tmp_path / "unsaid.toml", "--data", made / "records.csv", "-o", tmp_path / "state")
    assert "threat.release: is missing" in refused(unsaid)
    again = plumbline("learn", made / "run.toml", "--data", made / "records.csv", "-o", made / "all")
    assert "holds a state already" in refused(again)


def test_the_final_model_alone_is_released_once(final: Path, made: Path, tmp_path: Path) -> None:
    assert unlearn(final, "c001").code == 0
    with_target = plumbline("predict", final, "--data", made / "records.csv", "-o", tmp_path / "p.csv")
    assert with_target.code == 0 and "accuracy" in with_target.out and "no further request" in with_target.err
    done = unlearn(final, "c002")
    assert "its model was released" in refused(done, 1) and 'release = "all"' in done.err
    assert not json.loads(plumbline("status", final, "--format", "json").out)["open"]


def test_a_model_that_is_not_released_shows_in_no_public_file(final: Path) -> None:
    """Its file's hash is salted, and the run record has no digest of it."""
    assert unlearn(final, "c001").code == 0
    with np.load(final / "model.npz") as arrays:
        plain = hashlib.sha256(arrays["parameters"].tobytes()).hexdigest()
        assert arrays["salt"].size == 32
    for path in final.glob("*.json"):
        text = path.read_bytes()
        assert plain.encode() not in text, path
        assert plain.encode() not in base64.b64decode(json.loads(text).get("payload", ""))


def test_predictions_need_neither_target_nor_id(state: Path, tmp_path: Path) -> None:
    rows = [row[1:3] for row in records()[:7]]
    data = write_data(tmp_path / "new.csv", rows, COLUMNS)
    assert plumbline("predict", state, "--data", data, "-o", tmp_path / "p.csv").code == 0
    lines = list(csv.reader((tmp_path / "p.csv").open()))
    assert lines[0] == ["row", "prediction", "score"] and len(lines) == 8 and lines[1][0] == "2"
    assert all(line[1] == ("yes" if float(line[2]) > 0 else "not yes") for line in lines[1:])
    rows_of = Ledger.open(state).rows()
    assert rows_of[-1].kind == "released" and rows_of[-1].content["records"] == "7"


def test_exports_hold_the_same_numbers(state: Path, tmp_path: Path) -> None:
    import joblib

    for name in ("npz", "state-dict", "sklearn"):
        done = plumbline("export", state, "--format", name, "-o", tmp_path / name)
        assert done.code == 0 and ("is a pickle" in done.err) == (name == "sklearn")
    with np.load(state / "model.npz") as arrays, np.load(tmp_path / "npz") as exported:
        parameters = arrays["parameters"]
        assert (exported["parameters"] == parameters).all()
    tensors = torch.load(tmp_path / "state-dict", weights_only=True)
    assert (tensors["weight"].numpy() == parameters.reshape(1, -1)).all()
    model = joblib.load(tmp_path / "sklearn")
    features = np.random.default_rng(1).normal(size=(9, len(parameters)))
    assert (model.predict(features) == np.where(features @ parameters > 0, 1, -1)).all()
    assert [row.kind for row in Ledger.open(state).rows()].count("exported") == 3


def test_retraining_leaves_the_model_as_it_is(state: Path) -> None:
    assert "no request was honoured yet" in refused(plumbline("retrain", state))
    assert unlearn(state, "c003").code == 0
    before = (state / "model.npz").read_bytes()
    assert plumbline("retrain", state).code == 0
    reference = state / "private/retrained.npz"
    assert (state / "model.npz").read_bytes() == before and reference.exists()
    assert "retrained.npz: exists already; replace it with --force" in refused(plumbline("retrain", state))
    assert plumbline("retrain", state, "--force").code == 0
    assert unlearn(state, "c004").code == 0 and not reference.exists()  # it had learned from c004
    assert plumbline("status", state).code == 0


def test_a_reference_that_is_shown_is_a_release_that_ends_the_requests(state: Path, tmp_path: Path) -> None:
    show = ("export", state, "--retrained", "-o", tmp_path / "r.npz")
    assert "--retrained: none was trained; `plumbline retrain" in refused(plumbline(*show))
    assert unlearn(state, "c003").code == 0 and plumbline("retrain", state).code == 0
    reference = state / "private/retrained.npz"
    kept = reference.read_bytes()
    reference.write_bytes((state / "model.npz").read_bytes())
    assert "is not the file that the ledger names" in refused(plumbline(*show), 4)
    reference.write_bytes(kept)
    done = plumbline(*show)
    assert done.code == 0 and "no further request is covered" in done.err
    with np.load(reference) as own, np.load(tmp_path / "r.npz") as shown:
        assert (own["parameters"] == shown["parameters"]).all()
    row = Ledger.open(state).rows()[-1]
    assert row.kind == "exported" and row.content["reference"] is True
    assert "its retrained reference was released" in refused(unlearn(state, "c004"), 1)
    status = json.loads(plumbline("status", state, "--format", "json").out)
    assert status["reference_seen"] and not status["open"]
    assert "the retrained reference was released" in plumbline("status", state).out


def test_a_reference_of_an_earlier_request_is_not_shown(state: Path, tmp_path: Path) -> None:
    assert unlearn(state, "c003").code == 0 and plumbline("retrain", state).code == 0
    assert unlearn(state, "c004").code == 0
    show = plumbline("export", state, "--retrained", "-o", tmp_path / "r.npz")
    assert "the one there is was trained after request 1" in refused(show)


def test_an_output_that_is_there_is_not_replaced_unless_that_is_asked_for(
    state: Path, made: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    before = len(Ledger.open(state).rows())
    commands: list[tuple[Any, ...]] = [("predict", state, "--data", made / "records.csv"), ("export", state)]
    for command in commands:
        there.write_text("mine")
        problem = refused(plumbline(*command, "-o", there))
        assert "there: exists already; write to another file, or replace it with --force" in problem
        assert there.read_text() == "mine" and len(Ledger.open(state).rows()) == before
    for command in commands:
        assert plumbline(*command, "-o", there, "--force").code == 0 and there.read_bytes() != b"mine"


def test_a_date_of_expiry_goes_on_to_the_next_certificate(state: Path, tmp_path: Path) -> None:
    private = keygen(tmp_path / "lead").private
    assert "expires" not in unlearn(state, "c001").out
    sign(state / "certificate-1.json", key=private, expires=date(2099, 1, 1))
    done = unlearn(state, "c002")
    assert "certificate-2.json expires on 2099-01-01T00:00:00Z, as certificate-1.json does" in done.out
    assert checker.verify((state / "certificate-2.json").read_bytes()).expires == "2099-01-01T00:00:00Z"
    assert plumbline("verify", state / "erasure-2.json", "--certificate", state / "certificate-2.json").code == 0
    assert json.loads(plumbline("ledger", "list", state, "--format", "json").out)["models"][0]["expires"] is not None
    sign(state / "certificate-2.json", key=private, expires=date(2098, 1, 1))  # nobody has signed it: the date is free
    assert unlearn(state, "c003").code == 0
    assert checker.verify((state / "certificate-3.json").read_bytes()).expires == "2098-01-01T00:00:00Z"
    for number in (1, 2, 3):
        assert plumbline("verify", state / f"certificate-{number}.json", "--key", tmp_path / "lead.pub").code == (
            0 if number < 3 else 4
        )
    (state / "certificate-3.json").unlink()
    assert "certificate-3.json is not there: certificate-4.json has no date of expiry" in unlearn(state, "c004").out


def test_a_date_of_expiry_that_has_passed_is_told_and_not_taken_over(state: Path, tmp_path: Path) -> None:
    sign(state / "certificate.json", key=keygen(tmp_path / "lead").private, expires=date(2099, 1, 1))
    envelope = json.loads((state / "certificate.json").read_bytes())
    payload = base64.b64decode(envelope["payload"]).replace(b"2099-01-01", b"2020-01-01")
    envelope |= {"payload": base64.b64encode(payload).decode(), "signatures": []}
    envelope["digest"]["sha256"] = hashlib.sha256(payload).hexdigest()
    (state / "certificate.json").write_text(json.dumps(envelope))
    done = unlearn(state, "c001")
    assert done.code == 0 and "certificate.json has expired (2020-01-01T00:00:00Z)" in done.out
    assert "plumbline sign" in done.out and checker.verify((state / "certificate-1.json").read_bytes()).expires is None


def test_the_run_file_is_held_against_a_states_certificates(state: Path, made: Path, tmp_path: Path) -> None:
    assert unlearn(state, "c001", "c002").code == 0 and unlearn(state, "c003").code == 0
    for name, said in (("certificate", "[5]"), ("certificate-1", "[2]"), ("certificate-2", "[2, 1]")):
        done = plumbline("verify", state / f"{name}.json", "--run", made / "run.toml")
        assert done.code == 0, done
        assert f"with the requests that are certified here: requests.sizes = {said}" in done.out
    record = ("verify", state / "erasure-2.json", "--certificate", state / "certificate-2.json", "--run")
    assert plumbline(*record, made / "run.toml").code == 0
    other = write_run(tmp_path / "run.toml", loss={"regularization": "0.2"}, target={"epsilon": 2})
    for command in (("verify", state / "certificate-2.json", "--run", other), (*record, other)):
        done = plumbline(*command)
        problem = done.err
        assert (
            done.code == 4
            and "it differs in loss.regularization, target.epsilon" in problem
            and "STATE/run.toml" in problem
        )
    few = write_run(tmp_path / "few.toml", requests={"max_records": 2})
    assert plumbline("verify", state / "certificate-2.json", "--run", few).code == 4
    (state / "erasure-1.json").write_bytes((state / "erasure-2.json").read_bytes())
    mixed = plumbline("verify", state / "certificate-2.json", "--run", made / "run.toml")
    assert mixed.code == 4 and "erasure-1.json: is of 1 records" in mixed.err


def test_what_needs_no_torch_is_refused_before_it_is_loaded(state: Path, final: Path, made: Path) -> None:
    """In a process of its own, where torch cannot have been loaded before."""
    unsaid = made / "unsaid.toml"
    unsaid.write_text((made / "run.toml").read_text().replace('release = "all"', ""))
    many = write_run(made / "many.toml", requests={"max_records": 50})
    data = str(made / "records.csv")
    commands = [
        ["learn", unsaid, "--data", data, "-o", made / "new"],
        ["learn", many, "--data", data, "-o", made / "new"],
        ["learn", made / "run.toml", "--data", data, "-o", state],
        ["learn", made / "run.toml", "--data", made / "away.csv", "-o", made / "new"],
        ["unlearn", state, "--records", "c999"],
        ["unlearn", state, "--records", "c001", "--data", made / "away.csv"],
        ["unlearn", state, "--records", "c001", "--ledger", final / "ledger.sqlite"],
        ["unlearn", final, "--records", "c001", "--epochs", "0"],
        ["retrain", state],
        ["export", state, "-o", data],
        ["predict", state, "--data", data, "-o", data],
    ]
    script = (
        "import json, sys\nfrom certify.cli import main\n"
        "print([(main(c), 'torch' in sys.modules) for c in json.loads(sys.argv[1])])"
    )
    texts = json.dumps([[str(part) for part in command] for command in commands])
    done = subprocess.run([sys.executable, "-c", script, texts], capture_output=True, text=True)
    assert done.stdout.strip() == str([(code, False) for code in (2, 1, 2, 2, 2, 2, 4, 2, 2, 2, 2)]), done.stderr


def test_the_key_is_backed_up_rotated_and_restored(state: Path, tmp_path: Path) -> None:
    key, backup = state / "private/erasure.key", tmp_path / "key"
    assert plumbline("key", "backup", state, "-o", backup).code == 0
    assert backup.stat().st_mode & 0o777 == 0o600 and backup.read_bytes() == key.read_bytes()
    assert "exists already" in refused(plumbline("key", "backup", state, "-o", backup))
    assert unlearn(state, "c003").code == 0
    assert plumbline("key", "rotate", state).code == 0
    assert key.read_bytes() != backup.read_bytes() and Ledger.open(state).rows()[-1].kind == "rotated"
    assert "does not hold the key" in refused(plumbline("key", "restore", state, "--from", backup))
    assert "--from: is missing; key restore needs it" in refused(plumbline("key", "restore", state))
    assert unlearn(state, "c004").code == 0 and "already erased" in refused(unlearn(state, "c003"))
    assert plumbline("key", "backup", state, "-o", tmp_path / "second").code == 0
    key.unlink()
    assert "erasure.key: is missing" in refused(unlearn(state, "c005"))
    assert plumbline("key", "restore", state, "--from", tmp_path / "second").code == 0
    assert unlearn(state, "c005").code == 0


def _damage(name: str) -> Callable[[Path, Path], None]:
    def change_row(state: Path, folder: Path) -> None:
        rows = records()
        rows[20][1] = "1"
        write_data(folder / "data.csv", rows)

    def drop_row(state: Path, folder: Path) -> None:
        write_data(folder / "data.csv", [row for row in records() if row[0] != "c030"])

    def edit_state(**changes: Any) -> Callable[[Path, Path], None]:
        def edit(state: Path, folder: Path) -> None:
            content = json.loads((state / "state.json").read_bytes())
            (state / "state.json").write_text(json.dumps(content | changes))

        return edit

    return {
        "data: row 22 (id 'c020') has changed": change_row,
        "data: the record that was in row 32 is gone, and was not erased": drop_row,
        "of version 'plumbline-state/9'": edit_state(schema="plumbline-state/9"),
        "run.toml: is not the run file": lambda state, _: write_run(state / "run.toml", target={"epsilon": 2}) and None,
        "open to others than its owner": lambda state, _: (state / "private/erasure.key").chmod(0o644),
    }[name]


@pytest.mark.parametrize(
    "problem",
    [
        "data: row 22 (id 'c020') has changed",
        "data: the record that was in row 32 is gone, and was not erased",
        "of version 'plumbline-state/9'",
        "run.toml: is not the run file",
        "open to others than its owner",
    ],
)
def test_what_stops_before_the_first_step(problem: str, state: Path, tmp_path: Path) -> None:
    write_data(tmp_path / "data.csv", records())
    _damage(problem)(state, tmp_path)
    before = snapshot(state)
    assert problem in refused(unlearn(state, "c001", data=tmp_path / "data.csv"))
    assert snapshot(state) == before


@pytest.mark.parametrize(
    "name", ["model.npz", "run_record.json", *(f"private/{n}" for n in ("rows.json", "order.npy", "parameters.npy"))]
)
def test_a_file_of_an_older_back_up_is_refused(name: str, state: Path, made: Path, tmp_path: Path) -> None:
    older = (state / name).read_bytes()
    assert unlearn(state, "c003").code == 0
    (state / name).write_bytes(older if name != "private/order.npy" else older + b"\0")
    before = snapshot(state)
    commands: list[tuple[Any, ...]] = [
        ("unlearn", state, "--records", "c003"),
        ("retrain", state),
        ("key", "rotate", state),
        ("export", state, "-o", tmp_path / "model.npz"),
        ("predict", state, "--data", made / "records.csv", "-o", tmp_path / "out.csv"),
        ("status", state),
    ]
    for command in commands:
        outcome = plumbline(*command)
        assert outcome.code == 4 and f"{name}: is not the file that the ledger names" in outcome.err
    assert snapshot(state) == before and not list(tmp_path.glob("model.npz")) + list(tmp_path.glob("out.csv"))


@pytest.mark.parametrize(
    "edited",
    [
        {"sizes": [], "epochs": []},
        {"sizes": ["1"]},
        {"certificate": "0" * 64},
        {"seed": 1},
        {"device": 7},
        {"data": {"path": 5}},
    ],
    ids=lambda edited: next(iter(edited)),
)
def test_an_edited_state_is_refused(edited: dict[str, Any], state: Path) -> None:
    assert unlearn(state, "c003").code == 0
    path = state / "state.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | edited))
    before = snapshot(state)
    for outcome in (unlearn(state, "c004"), plumbline("status", state)):
        assert outcome.code == 4 and "state.json: is not the file that the ledger names" in outcome.err
    assert snapshot(state) == before


def test_a_ledger_by_a_relative_path_is_known_from_elsewhere(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    learn(made / "run.toml", "new", data=made / "records.csv", ledger="all.sqlite")
    monkeypatch.chdir("/")
    assert unlearn(tmp_path / "new", "c003").code == 0


def test_a_folder_whose_name_is_no_text(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"not-\xff-text")
    learn(made / "run.toml", folder, data=made / "records.csv")
    assert Ledger.open(folder).rows()[-1].kind == "learned"


def test_unknown_and_erased_ids_and_epochs(state: Path, final: Path) -> None:
    assert "no record has the id 'c999'" in refused(unlearn(state, "c999"))
    assert unlearn(state, "c001").code == 0
    assert "'c001' is already erased, by request 1" in refused(unlearn(state, "c002", "c001"))
    assert "max_records: 5" in refused(unlearn(state, *(f"c01{i}" for i in range(5))))
    assert "--records, --file" in refused(plumbline("unlearn", state))
    assert "is below the certified" in refused(unlearn(final, "c001", "c002", epochs=0))


def test_a_row_may_be_gone_from_the_file_when_its_request_comes(state: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "left.csv", [row for row in records() if row[0] not in ("c001", "c059")])
    assert "was in row 61 is gone" in refused(unlearn(state, "c001", data=data))
    assert unlearn(state, "c001", "c059", data=data).code == 0
    assert unlearn(state, "c002", data=data).code == 0


def test_a_certificate_that_the_checker_does_not_follow_counts_nothing(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from certify.service import driving

    def disagrees(_: bytes) -> None:
        raise checker.DoesNotFollow("mu does not follow")

    before = snapshot(state)
    monkeypatch.setattr(driving.checker, "verify", disagrees)
    assert "does not follow: mu does not follow; nothing was counted" in refused(unlearn(state, "c001"), 3)
    assert snapshot(state) == before


def test_a_list_of_ids_in_a_file(state: Path, tmp_path: Path) -> None:
    (tmp_path / "ids").write_bytes(b"\xef\xbb\xbfc001\r\nc002\r\n\r\n")
    assert plumbline("unlearn", state, "--file", tmp_path / "ids").code == 0
    assert json.loads(plumbline("status", state, "--format", "json").out)["records"] == 2


def test_a_copy_that_went_another_way_is_refused(made: Path, tmp_path: Path) -> None:
    """Two copies of one state with one ledger: whoever comes second has a former head."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    state, copy = tmp_path / "state", tmp_path / "copy"
    learned = plumbline("learn", made / "run.toml", "--data", made / "records.csv", "-o", state, "--ledger", url)
    assert learned.code == 0 and not (state / "ledger.sqlite").exists()
    shutil.copytree(state, copy)
    assert unlearn(state, "c001").code == 0
    done = unlearn(copy, "c002")
    assert "was written at row 2" in refused(done, 4) and "is at row 4" in done.err
    assert "no row of this model" in refused(plumbline("status", copy, "--ledger", made / "all" / "ledger.sqlite"), 4)
    (tmp_path / "ledger.sqlite").unlink()
    assert unlearn(state, "c003").code == 2


def test_data_that_stay_in_a_file_are_learned_and_forgotten_as_in_memory(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erased rows in the file, then gone from it; nothing is left beside the state."""
    from certify.service import data

    monkeypatch.delenv("TMPDIR", raising=False)
    left = write_data(tmp_path / "left.csv", [row for row in records() if row[0] != "c001"])
    ends = []
    for name, limit in (("memory", data.MAX_IN_MEMORY), ("file", 0)):
        monkeypatch.setattr(data, "MAX_IN_MEMORY", limit)
        state = tmp_path / name
        learn(made / "run.toml", state, data=made / "records.csv", seed=7, device="cpu")
        assert unlearn(state, "c001").code == 0 and unlearn(state, "c002", data=left).code == 0
        assert plumbline("retrain", state).code == 0 and plumbline("key", "rotate", state).code == 0
        assert plumbline("predict", state, "--data", left, "-o", tmp_path / f"{name}.csv").code == 0
        ends.append((np.load(state / "model.npz")["parameters"].tobytes(), (tmp_path / f"{name}.csv").read_bytes()))
        ends[-1] += (sorted(path.name for path in state.rglob("*")),)
    assert ends[0] == ends[1]
    monkeypatch.setenv("TMPDIR", str(tmp_path / "away"))
    refusal = refused(unlearn(tmp_path / "file", "c003"))
    assert "away: No such file or directory" in refusal and "set TMPDIR to a folder with more room" in refusal


def test_a_reproducible_experiment_says_so_everywhere(made: Path, tmp_path: Path) -> None:
    states = [tmp_path / "one", tmp_path / "other"]
    for state in states:
        learned = plumbline(
            "learn", made / "run.toml", "--data", made / "records.csv", "-o", state, "--reproducible", 7
        )
        assert learned.code == 0 and "REPRODUCIBLE EXPERIMENT" in learned.err
        assert unlearn(state, "c001").code == 0
        report = checker.verify((state / "certificate-1.json").read_bytes())
        assert "THE NOISE CAN BE DRAWN AGAIN" in report.claim
        assert "REPRODUCIBLE EXPERIMENT" in plumbline("status", state).out
        assert json.loads(Ledger.open(state).rows()[0].payload)["reproducible"] is True
    models = [np.load(state / "model.npz")["parameters"] for state in states]
    assert (models[0] == models[1]).all()


def test_a_full_disk_counts_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from certify.service import commit

    def full(path: Path, content: bytes, *, private: bool = False) -> None:
        if len(content) > 1:  # not the probe
            raise OSError(28, "No space left on device")
        path.write_bytes(content)

    before = snapshot(state)
    monkeypatch.setattr(commit, "_write", full)
    assert "No space left on device; nothing was counted" in refused(unlearn(state, "c001"))
    monkeypatch.undo()
    assert snapshot(state) == before and unlearn(state, "c001").code == 0


def test_a_folder_that_cannot_be_written(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen before anything is run."""
    from certify.service import commit

    def read_only(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(commit, "_write", read_only)
    monkeypatch.setattr(unlearning, "_execute", lambda *_: pytest.fail("was run"))
    assert "Read-only file system" in refused(unlearn(state, "c001"))


def test_a_crash_between_the_row_and_the_files_is_made_good(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from certify.service import folder

    monkeypatch.setattr(folder, "place", lambda *_: None)
    assert unlearn(state, "c001").code in (0, 2)
    monkeypatch.undo()
    assert json.loads((state / "state.json").read_bytes())["sizes"] == []
    assert json.loads(plumbline("status", state, "--format", "json").out)["records"] == 1
    assert json.loads((state / "state.json").read_bytes())["sizes"] == [1]
    assert "already erased" in refused(unlearn(state, "c001"))


def test_what_a_killed_learn_left_is_finished_or_removed(made: Path, tmp_path: Path) -> None:
    for name, counted in (("counted", True), ("not counted", False)):
        state = tmp_path / name
        shutil.copytree(made / "all", state)
        staged = state / ".staged-0123"
        if counted:
            content = json.loads(Ledger.open(state).rows()[-1].payload)
            staged = state / content["staged"]
        else:
            (state / "ledger.sqlite").unlink()
        staged.mkdir()
        for path in list(state.iterdir()):
            if not path.name.startswith((".staged", "ledger")):
                shutil.move(path, staged / path.name)
        if not counted:
            (staged / "state.json").unlink()
        done = plumbline("learn", made / "run.toml", "--data", made / "records.csv", "-o", state)
        assert done.code == (2 if counted else 0), done
        assert unlearn(state, "c001").code == 0


def test_any_torch_module_with_clipped_gradients(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_model.py").write_text(
        "from torch import nn\n\n\ndef make():\n    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = write_run(
        tmp_path / "run.toml",
        mechanism={"noise_std": "9", "step_size": "0.1"},
        loss={"kind": "clipped", "regularization": "0.1", "clip": 1},
        target={"epsilon": 4},
        requests={"max_records": 1},
    )
    state = tmp_path / "state"
    options = ("--data", made / "records.csv", "--model", "own_model:make")
    learned = plumbline("learn", run, *options, "-o", state)
    assert learned.code == 0, learned
    assert unlearn(state, "c001").code == 0
    assert plumbline("predict", state, "--data", made / "records.csv", "-o", tmp_path / "p.csv").code == 0
    assert plumbline("export", state, "--format", "state-dict", "-o", tmp_path / "m.pt").code == 0
    assert set(torch.load(tmp_path / "m.pt", weights_only=True)) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    wrong = plumbline(
        "learn", run, "--data", made / "records.csv", "--model", "own_model:nothing", "-o", tmp_path / "x"
    )
    assert wrong.code == 2 and "--model: 'own_model:nothing' cannot be called" in wrong.err
    unknown = plumbline("learn", run, "--data", made / "records.csv", "--model", "no_file:make", "-o", tmp_path / "x")
    assert unknown.code == 2 and "put its folder on PYTHONPATH" in unknown.err


def test_the_error_of_a_regression_is_in_the_targets_own_units() -> None:
    columns = SimpleNamespace(positive=(), classes=(), target_limits=(-20, 60))
    state = SimpleNamespace(run=SimpleNamespace(columns=columns, canonical={"loss": {"target_bound": "2"}}))
    target, predicted = (SimpleNamespace(labels=torch.tensor(labels)) for labels in ([2.0, -2.0], [1.0, -2.0]))
    assert _metric(state, target, predicted) == ("mean absolute error", "10")  # 60 against 40, -20 against -20


def test_an_expiry_date_renews_the_record_of_that_request_alone(state: Path, tmp_path: Path) -> None:
    for record in ("c001", "c002"):
        assert unlearn(state, record).code == 0
    first, private = (state / "erasure-1.json").read_bytes(), keygen(tmp_path / "lead").private
    signed = sign(state / "certificate-2.json", key=private, expires=date(2099, 1, 1))
    assert signed.records == (state / "erasure-2.json",) and (state / "erasure-1.json").read_bytes() == first
    assert plumbline("verify", signed.records[0], "--certificate", state / "certificate-2.json").code == 0
    assert plumbline("ledger", "verify", state).code == 0
