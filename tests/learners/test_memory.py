"""Data larger than memory: read batch by batch from their file, with the same result as from memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from learners import Dataset, batches, learn, retrain, unlearn  # noqa: E402
from learners.data import RowFile  # noqa: E402
from tests.learners.cases import CASES, data_of, mechanism_of  # noqa: E402

pytestmark = pytest.mark.learn
ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is looked at as Linux shows it")


def mapped(data: Dataset, path: Path) -> Dataset:
    path.write_bytes(data.features.numpy().astype("<f8").tobytes())
    return Dataset(data.name, RowFile(path, *data.features.shape), data.labels)


@pytest.mark.parametrize("arguments", [{}, {"order_seed": 3}])
def test_a_file_is_run_as_memory_is(arguments, tmp_path, monkeypatch) -> None:
    mechanism, data = mechanism_of(CASES["logistic"], batch_size=5, remainder="drop"), data_of(CASES["logistic"])
    ends = []
    for dataset, keep in ((data, batches.KEEP), (mapped(data, tmp_path / "rows"), 0)):
        monkeypatch.setattr(batches, "KEEP", keep)
        state = unlearn(learn(mechanism, dataset, seed=1, **arguments), [2], seed=1)
        ends.append((state, retrain(mechanism, dataset, [2], seed=1, order=state.order)))
    for one, other in zip(*ends, strict=True):
        assert torch.equal(one.parameters, other.parameters)
        assert one.dataset.fingerprint == other.dataset.fingerprint and one.dataset.absent == (2,)
    assert ends[1][0].dataset.file is not None


SCRIPT = """
import sys
from pathlib import Path
import numpy as np, torch
from accountant import LogisticLoss, NoisySGD
from learners import Dataset, learn, unlearn
from learners.data import RowFile

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

path, rows, width = Path(sys.argv[1]), int(sys.argv[2]), 784
mechanism = NoisySGD(rows, 256, 1, "0.1", LogisticLoss("0.1"), unlearning_epochs=(1,), remainder="drop")
torch.set_num_threads(1)
small = NoisySGD(512, 256, 1, "0.1", LogisticLoss("0.1"))
learn(small, Dataset("warm", torch.zeros(512, width), torch.ones(512)))  # what torch loads, before the first look
before = resident()
dataset = Dataset("large", RowFile(path, rows, width), torch.from_numpy(np.where(np.arange(rows) % 2, 1.0, -1.0)))
state = unlearn(learn(mechanism, dataset), [5])
print(state.record.phases[1].steps, resident() - before, before)
"""


def run_on(path: Path, rows: int) -> tuple[int, float, float]:
    """(steps of unlearning, MB of resident memory at the peak more than before, MB before) in a process of its own."""
    block = np.random.default_rng(1).normal(size=(1024, 784))
    block /= np.linalg.norm(block, axis=1, keepdims=True) * (1 + 1e-12)
    with path.open("wb") as file:
        for _ in range(rows // 1024):
            file.write(block.astype("<f8").tobytes())
    job = [sys.executable, "-c", SCRIPT, str(path), str(rows)]
    done = subprocess.run(job, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    steps, grown, before = done.stdout.split()
    return int(steps), float(grown), float(before)


@LINUX
def test_a_file_is_not_loaded(tmp_path, monkeypatch) -> None:
    """160 MB of rows, none of which are kept: the process grows by less than half of them."""
    keep = "learners.batches.KEEP = 0\n"
    monkeypatch.setattr(
        sys.modules[__name__], "SCRIPT", SCRIPT.replace("path, rows", f"import learners.batches\n{keep}path, rows", 1)
    )
    steps, grown, _ = run_on(tmp_path / "rows", 25 * 1024)
    assert steps == 100 and grown < 80


@LINUX
@pytest.mark.slow
def test_twenty_gigabytes_are_run_in_two(tmp_path) -> None:
    rows = 3125 * 1024  # 20.07 GB
    if shutil.disk_usage(tmp_path).free < 22e9:
        pytest.skip("needs 22 GB of disk")
    steps, grown, before = run_on(tmp_path / "rows", rows)
    (tmp_path / "rows").unlink()
    assert steps == rows // 256 and grown + before < 2000
