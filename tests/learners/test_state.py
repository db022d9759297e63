"""Records and folders: one canonical spelling, nothing unpickled, a changed byte noticed, never half a state."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from accountant.losses import ConstantLoss  # noqa: E402
from learners import (  # noqa: E402
    RunRecord,
    StateMismatch,
    canonical_json,
    learn,
    load,
    mechanism_fingerprint,
    save,
    unlearn,
)
from learners import state as state_module  # noqa: E402
from learners.record import NOT_NOISED, mechanism_from_json, mechanism_to_json, parameters_hash  # noqa: E402

pytestmark = pytest.mark.learn


@pytest.fixture
def state(make_data, make_mechanism):
    mechanism = make_mechanism(requests=(1, 1), unlearning_epochs=1, batch_order="secret", radius=2, clip="1/3")
    return unlearn(learn(mechanism, make_data(), device="cpu"), [11], device="cpu")


def test_record_says_what_was_done(state, make_data):
    record = state.record
    assert record.mechanism_digest == mechanism_fingerprint(state.mechanism)
    first, second = record.phases
    assert first.parameters_after == second.parameters_before
    assert first.released_after == first.model_after == second.model_before == second.released_before
    assert second.model_after == parameters_hash(state.released) != second.parameters_after
    assert second.parameters_after == parameters_hash(state.parameters)
    assert first.data_before == first.data_after == second.data_before == make_data().fingerprint
    assert second.data_after == state.dataset.fingerprint != second.data_before
    assert set(first.versions) == {"torch", "python", "plumbline-dp"} and first.versions["torch"] == torch.__version__
    assert first.started <= first.finished and first.finished.endswith("Z")
    assert 0 < float(first.max_shift) <= 2 * float(state.mechanism.step_size) / 3 / 4
    assert (first.device, record.batches, record.batch_size, record.reproducible) == ("cpu", 3, 4, False)


def test_record_never_says_which_records(make_data, make_mechanism):
    """The same run with another id: only hashes, norms and times may differ; 'erased' is a count."""
    record = unlearn(learn(make_mechanism(), make_data(), seed=1), [11], seed=1).record.to_json()
    other = unlearn(learn(make_mechanism(), make_data(), seed=1), [10], seed=1).record.to_json()
    free = {*NOT_NOISED, "parameters_after", "released_after", "started", "finished"}
    for one, two in zip(record.pop("phases"), other.pop("phases"), strict=True):
        assert {k: v for k, v in one.items() if k not in free} == {k: v for k, v in two.items() if k not in free}
    assert record == other


def test_public_record_holds_no_unprotected_figure(state):
    public = state.record.public()
    assert all(key not in phase for phase in public["phases"] for key in NOT_NOISED)
    assert "parameters_after" not in public["phases"][0]
    assert all("parameters_after" not in phase for phase in public["phases"])
    assert "released_after" not in public["phases"][0]
    assert public["phases"][1]["released_after"] == parameters_hash(state.released)
    assert "max_shift" in state.record.to_json()["phases"][0]  # the record itself is unchanged


def test_canonical_json_and_digest(state):
    text = canonical_json(state.record.to_json())
    again = RunRecord.from_json(json.loads(text))
    assert again == state.record and again.digest == state.record.digest
    assert canonical_json({"b": 1, "a": [2]}) == '{"a":[2],"b":1}'
    with pytest.raises(ValueError):
        canonical_json(float("nan"))


def test_given_digest_is_taken(make_data, make_mechanism):
    state = learn(make_mechanism(), make_data(), mechanism_digest="ab" * 32)
    assert unlearn(state, [0]).record.mechanism_digest == "ab" * 32


def test_mechanism_round_trip_and_fingerprint(state, make_mechanism):
    assert mechanism_from_json(json.loads(canonical_json(mechanism_to_json(state.mechanism)))) == state.mechanism
    assert mechanism_fingerprint(make_mechanism(noise_std="0.10")) == mechanism_fingerprint(
        make_mechanism(noise_std="1/10")
    )
    changes = (
        {"noise_std": "0.2"},
        {"clip": 1},
        {"radius": 1},
        {"neighbours": "remove-one"},
        {"unlearning_epochs": (3,)},
    )
    prints = {mechanism_fingerprint(make_mechanism(**change)) for change in ({}, *changes)}
    assert len(prints) == 1 + len(changes)
    with pytest.raises(TypeError, match="loss: ConstantLoss is not one that learners execute"):
        mechanism_fingerprint(make_mechanism(loss=ConstantLoss(1, 0, 1)))


def test_save_and_load_go_on_where_they_stopped(state, tmp_path):
    folder = save(state, tmp_path / "model")
    again = load(folder)
    assert torch.equal(again.parameters, state.parameters) and torch.equal(again.order, state.order)
    assert (again.mechanism, again.erased, again.record) == (state.mechanism, state.erased, state.record)
    assert again.dataset.fingerprint == state.dataset.fingerprint and again.dataset.name == state.dataset.name
    assert torch.equal(unlearn(again, [3], seed=1).parameters, unlearn(state, [3], seed=1).parameters)
    assert sorted(p.name for p in folder.iterdir()) == [
        "features.npy", "labels.npy", "order.npy", "parameters.npy", "record.json", "released.npy", "state.json",
    ]  # fmt: skip


def test_saving_again_replaces_the_erased_data(state, tmp_path):
    folder = save(state, tmp_path / "model")
    save(unlearn(load(folder), [0]), folder)
    assert load(folder).erased == (11, 0)
    assert not np.load(folder / "features.npy")[[0, 11]].any()
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_is_no_state_is_left_alone(state, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StateMismatch, match="exists and is not a saved state; give a new directory"):
        save(state, tmp_path)
    with pytest.raises(StateMismatch, match="exists and is not a saved state"):
        save(state, tmp_path / "letter.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_a_failed_save_leaves_the_former_state(state, tmp_path, monkeypatch):
    folder = save(state, tmp_path / "model")

    def full(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(state_module.np, "save", full)
    with pytest.raises(OSError, match="disk full"):
        save(state, folder)
    assert load(folder).record == state.record and [p.name for p in tmp_path.iterdir()] == ["model"]


def flip(path):
    """Change one number of an array; the last row of the features is of an erased record."""
    array = np.load(path)
    if path.stem == "order":
        array[-1] = array[0]
    elif path.stem == "features":
        array[0, 0] += 1e-9
    else:
        array[-1] = -array[-1] - (0 if path.stem == "labels" else 1e-9)
    np.save(path, array)


@pytest.mark.parametrize("name", ["parameters", "released", "features", "labels", "order"])
def test_a_changed_array_is_refused(name, state, tmp_path):
    folder = save(state, tmp_path / "model")
    flip(folder / f"{name}.npy")
    with pytest.raises(StateMismatch, match=rf"{name}\.npy.*: hash \w+…, the record says \w+…; restore it from a copy"):
        load(folder)


@pytest.mark.parametrize("key, value", [("noise_std", "9"), ("mechanism_digest", "0" * 64)])
def test_a_changed_record_is_refused(key, value, state, tmp_path):
    folder = save(state, tmp_path / "model")
    content = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps(content | {key: value}))
    with pytest.raises(StateMismatch, match=r"record\.json: hash"):
        load(folder)


@pytest.mark.parametrize("name", ["state.json", "record.json", "parameters.npy", "features.npy", "order.npy"])
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated"])
def test_a_damaged_file_is_refused_by_name(name, damage, state, tmp_path):
    folder = save(state, tmp_path / "model")
    if damage == "missing":
        (folder / name).unlink()
    else:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    with pytest.raises(StateMismatch, match=rf"{name}: not a saved state, or damaged"):
        load(folder)


def test_parameters_of_another_shape_or_type_are_refused(state, tmp_path):
    """The hash is of the numbers' bytes: shape and type are checked beside it."""
    folder = save(state, tmp_path / "model")
    for array in (state.parameters.numpy()[:, None], state.parameters.numpy().astype("f4")):
        np.save(folder / "parameters.npy", array)
        with pytest.raises(StateMismatch, match=r"parameters\.npy: not a saved state, or damaged"):
            load(folder)


class Intruder:
    """Unpickling it would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickles_are_never_read(state, tmp_path):
    folder = save(state, tmp_path / "model")
    np.save(folder / "parameters.npy", np.array([Intruder(tmp_path / "intruded")], dtype=object), allow_pickle=True)
    with pytest.raises(StateMismatch, match=r"parameters\.npy: not a saved state, or damaged"):
        load(folder)
    assert not (tmp_path / "intruded").exists()


def test_learners_never_load_certify():
    root = Path(__file__).parents[2]
    code = "import learners, sys; sys.exit(any(m.split('.')[0] == 'certify' for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=root).returncode == 0
