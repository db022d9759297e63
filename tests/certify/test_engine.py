"""Work that is spread: the same results bit for bit, in order, on this machine's processes and on a Dask cluster."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from accountant.core.arithmetic import ConditionViolated
from accountant.pnsgd.estimates.sweep import sweep as sweep_at_once
from certify import UsageError, plan, sweep
from certify.engine import spread
from certify.results import sweep as blocks
from tests.certify.runs import EXAMPLES, plumbline, refused, tables

SETTINGS: dict[str, Any] = {
    "samples": 1000,
    "batch_size": np.array([[50], [100], [1000]]),
    "epochs": 10,
    "unlearning_epochs": np.array([1, 2, 3])[:, None, None],
    "noise_std": np.geomspace(1e-3, 1e3, 40),
    "step_size": 0.5,
    "strong_convexity": 0.1,
    "smoothness": 1.1,
    "gradient_bound": 1,
    "delta": 1e-5,
}


@pytest.fixture(scope="module")
def dask() -> Iterator[str]:
    """A scheduler with two worker processes on this machine, as --workers names it."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster.scheduler_address.replace("tcp://", "dask://")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 50)


def process_of(_: int) -> int:
    return os.getpid()


@pytest.mark.parametrize("workers", [None, 1, "1", 2, "2", 0])
def test_results_come_in_order(workers: Any) -> None:
    with spread(workers) as each:
        assert list(each(math.sqrt, range(20))) == [math.sqrt(i) for i in range(20)]
        assert list(each(math.sqrt, [])) == []


def test_processes_are_others(dask: str) -> None:
    here = os.getpid()
    for workers, others in ((1, False), (2, True), (dask, True)):
        with spread(workers) as each:
            assert (here not in set(each(process_of, range(8)))) is others


@pytest.mark.parametrize("workers", ["x", "-1", "1.5", "", "spark://a", "dask://", True, 10**6, 2.5])
def test_what_is_no_engine_is_refused(workers: Any) -> None:
    with pytest.raises(UsageError, match=r"^--workers: got .*; write a number"), spread(workers):
        pass


def test_a_scheduler_that_is_away_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")

    def away(*_: Any, **__: Any) -> None:
        raise OSError("Timed out trying to connect")

    monkeypatch.setattr(distributed, "Client", away)
    says = r"^--workers: no Dask scheduler answers at 127\.0\.0\.1:9: "
    with pytest.raises(UsageError, match=says) as error, spread("dask://127.0.0.1:9"):
        pass
    assert len(str(error.value).splitlines()) == 1


def test_a_sweep_is_the_same_on_every_engine(small_blocks: None, dask: str) -> None:
    alone = sweep(**SETTINGS, workers=1)
    assert alone.mu.shape == alone.epsilon.shape == (3, 3, 40)
    for workers in (2, dask):
        found = sweep(**SETTINGS, workers=workers)
        assert found.mu.tobytes() == alone.mu.tobytes() and found.epsilon.tobytes() == alone.epsilon.tobytes()


def test_blocks_are_what_is_computed_at_once(small_blocks: None) -> None:
    found, whole = sweep(**SETTINGS, workers=1), sweep_at_once(**SETTINGS)
    assert (found.mu == whole.mu).all()
    np.testing.assert_allclose(found.epsilon, np.broadcast_to(whole.epsilon, found.epsilon.shape), rtol=1e-11)
    one = {**SETTINGS, "noise_std": np.geomspace(1e-3, 1e3, 501)[:, None, None, None]}  # another axis is the longest
    found, whole = sweep(**one, workers=1), sweep_at_once(**one)
    assert found.mu.shape == (501, 3, 3, 1) and (found.mu == whole.mu).all()
    assert sweep(**{**SETTINGS, "noise_std": 1.0, "batch_size": 100, "unlearning_epochs": 1}).mu.shape == ()


def test_a_value_out_of_range_is_refused_in_whatever_block(small_blocks: None) -> None:
    with pytest.raises(ConditionViolated, match="0 < σ"):
        sweep(**{**SETTINGS, "noise_std": np.array([1.0] * 60 + [0.0])}, workers=1)


def test_a_plan_is_the_same_on_every_engine(dask: str) -> None:
    run = tables(target={"epsilon": 5})
    choices: dict[str, Any] = {"batch_sizes": [4, 6], "unlearning_epochs": [1, 2]}
    steps: list[tuple[int, int]] = []
    alone = plan(run, **choices)
    assert plan(run, **choices, workers=2, progress=lambda *step: steps.append(step)).as_json() == alone.as_json()
    assert plan(run, **choices, workers=dask).as_json() == alone.as_json()
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_command_takes_it() -> None:
    asked = ("plan", EXAMPLES / "digits.toml", "--unlearning-epochs", "1", "--batch-sizes", "256")
    assert "--workers: got 'many'" in refused(plumbline(*asked, "--workers", "many"))
    assert plumbline(*asked, "--workers", "2") == plumbline(*asked)
