"""Where independent pieces of work are done: on this machine's cores, or on an engine that runs already.

    with spread("4") as each:                      # four processes here; "dask://HOST:PORT", "ray://HOST:PORT"
        for result in each(function, pieces):      # in the order of the pieces
            ...

Whatever the engine and however many workers, every piece is computed by the same function of the same arguments, so the
results are the same bit for bit; the engine decides only where. joblib drives them all.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from certify.errors import UsageError

Each = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]

ENGINES = ("dask", "ray")
MAX_WORKERS = 1024  # processes on one machine


@contextmanager
def spread(workers: str | int | None) -> Iterator[Each]:
    """`each(function, pieces)`, which yields function(piece) for every piece, in order.

    Args:
        workers: None or 1: here, one after the other. A whole number: as many processes on this machine; 0: one for
            each core. "dask://HOST:PORT": the workers of that Dask scheduler; "ray://HOST:PORT": those of that Ray
            cluster. They must have the same version of this package installed.

    Raises:
        UsageError: no such engine, it is not installed, or it cannot be reached; one line.
    """
    if isinstance(workers, str) and "://" in workers:
        engine, _, address = workers.partition("://")
        if engine not in ENGINES or not address:
            raise UsageError(f"--workers: got {workers!r}; write a number, dask://HOST:PORT or ray://HOST:PORT")
        with (_dask if engine == "dask" else _ray)(address) as each:
            yield each
        return
    count = _count(workers)
    if count == 1:
        yield lambda function, pieces: map(function, pieces)
        return
    with _joblib("loky", count) as each:
        yield each


def _count(workers: str | int | None) -> int:
    try:
        count = 1 if workers is None else int(str(workers))
        if isinstance(workers, bool) or not 0 <= count <= MAX_WORKERS:
            raise ValueError
    except ValueError:
        raise UsageError(
            f"--workers: got {workers!r}; write a number from 0 (every core) to {MAX_WORKERS}, dask://HOST:PORT or "
            "ray://HOST:PORT"
        ) from None
    return count or os.cpu_count() or 1


@contextmanager
def _joblib(backend: str, count: int, **about: Any) -> Iterator[Each]:
    try:
        from joblib import Parallel, delayed, parallel_config
    except ImportError:
        raise UsageError("--workers: needs joblib; pip install 'plumbline-dp[batch]'") from None
    with parallel_config(backend, n_jobs=count, **about), warnings.catch_warnings():
        # loky replaces a worker that has grown by 300 MB, which loading torch alone does; nothing is lost by that.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor", UserWarning)

        def each(function: Callable[[Any], Any], pieces: Sequence[Any]) -> Iterator[Any]:
            return iter(Parallel(return_as="generator", pre_dispatch="2*n_jobs")(delayed(function)(p) for p in pieces))

        yield each


@contextmanager
def _dask(address: str) -> Iterator[Each]:
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--workers: needs distributed; pip install 'plumbline-dp[dask]'") from None
    try:
        client = Client(f"tcp://{address}", timeout="10s", set_as_default=False)
    except (OSError, ValueError) as problem:
        raise UsageError(f"--workers: no Dask scheduler answers at {address}: {problem}") from None
    with client, _joblib("dask", -1, client=client) as each:
        yield each


@contextmanager
def _ray(address: str) -> Iterator[Each]:
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError:
        raise UsageError("--workers: needs ray; pip install ray") from None
    try:
        ray.init(address=f"ray://{address}")
    except (ConnectionError, RuntimeError) as problem:
        raise UsageError(f"--workers: no Ray cluster answers at {address}: {problem}") from None
    try:
        register_ray()
        with _joblib("ray", -1) as each:
            yield each
    finally:
        ray.shutdown()
