"""Two processes under torchrun, four in the slow tests: each draws from its own records, noise is added once, and one
process does the same."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from torch import distributed  # noqa: E402

from learners.training import PrivateTrainer  # noqa: E402
from learners.training.distributed import Processes  # noqa: E402
from tests.learners.training.oracle import data, flat, losses_of, network, sgd  # noqa: E402

pytestmark = [
    pytest.mark.learn,
    pytest.mark.skipif(not (distributed.is_available() and distributed.is_gloo_available()), reason="needs gloo"),
]
ROOT = Path(__file__).parents[3]


def outcomes_of(count: int, folder: Path) -> list[dict]:
    """What each of so many processes wrote."""
    job = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    job += ["-m", "tests.learners.training.processes", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}  # where torchrun leaves its folders
    done = subprocess.run(job, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(count)]


@pytest.fixture(scope="module", params=[2, pytest.param(4, marks=pytest.mark.slow)], ids=["two", "four"])
def outcomes(request, tmp_path_factory):
    return outcomes_of(request.param, tmp_path_factory.mktemp("processes"))


def alone():
    """The same training of the whole data, in this process."""
    from tests.learners.training.processes import FULL

    model = network()
    trainer = PrivateTrainer(model, sgd(model, 0.5, momentum=0.9), data(), FULL, delta="1e-5", device="cpu", seed=5)
    for x, y in trainer:
        trainer.step(losses_of(model, x, y))
    return flat(model)


def test_several_processes_do_what_one_does(outcomes):
    one, *others = (torch.tensor(outcome["full"]["weights"]) for outcome in outcomes)
    assert all(torch.equal(one, other) for other in others)
    gap = (one - alone()).abs()
    assert gap.median() < 1e-6 and gap.max() < 0.01  # a cell of the grid, where float32 sums differ
    for outcome in outcomes:
        assert outcome["full"]["records"] == 120 and outcome["full"]["processes"] == len(outcomes)
        assert outcome["start"] == outcomes[0]["full"]["weights"]
        assert outcome["resumed"]["weights"] == outcome["full"]["weights"]


def test_each_draws_from_its_own_records_and_all_count_all(outcomes):
    one, *others = (outcome["poisson"] for outcome in outcomes)
    assert all(other == one for other in others) and one["steps"] == 12
    assert 0 < one["records"] < 60  # of 24 expected: six standard deviations are 29
    assert [Processes(rank, 3).shard(10) for rank in range(3)] == [range(0, 3), range(3, 6), range(6, 10)]


def test_noise_is_added_once_in_all(outcomes):
    """2490 normals: their deviation is 1, and not √2 or 2; all processes step with the same ones."""
    assert all(outcome["noise"] == outcomes[0]["noise"] for outcome in outcomes)
    drawn = torch.tensor(outcomes[0]["noise"], dtype=torch.float64)
    assert abs(drawn.std().item() - 1) < 6 / math.sqrt(2 * len(drawn))


def test_a_loss_that_is_no_number_in_one_process_is_refused_in_all(outcomes):
    for outcome in outcomes:
        assert (outcome["poisoned"]["refused"], outcome["poisoned"]["steps"]) == (1, 3)
    assert all(outcome["poisoned"] == outcomes[0]["poisoned"] for outcome in outcomes)


def test_what_does_not_fall_into_shards_is_refused(outcomes):
    for outcome in outcomes:
        fixed, cut, sharded = outcome["refused"]
        assert fixed.startswith(f'LearnerRefused: sampling: "without-replacement" in {len(outcomes)} processes')
        assert cut.startswith(f'LearnerRefused: sampling: "poisson" with max_batch_size in {len(outcomes)} processes')
        assert sharded.startswith("LearnerRefused: model: ") and "sharded over processes (FSDP)" in sharded
