"""Certify, then run, then record: the one place that drives the learners. Loaded only when asked for; needs torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accountant import NoisySGD
from certify.errors import UsageError
from certify.files import output_directory, write_atomically
from certify.pictures.figures import make_figures
from certify.results.certify import certify
from certify.results.claims import Verdict
from certify.results.floor import allowed_mu
from certify.results.result import Result
from certify.runfile.read import Run, read_run
from certify.service.key import KEY_FILE, make_key, read_key
from certify.trust.certificate import FILE_NAME, refuse_signed, write_certificate
from certify.trust.erasure import (
    Erasure,
    check_key,
    check_text,
    make_erasures,
    make_requests,
    write_erasure_records,
)
from certify.trust.execution import make_execution
from certify.trust.together import appearing, clear

if TYPE_CHECKING:
    from learners import Dataset, State

RECORD_FILE, MODEL_FILE = "run_record.json", "model.npy"
PRIVATE = "private"  # for its owner only


class NotCertified(ValueError):
    """A run that is not certified is not executed."""


@dataclass(frozen=True)
class Execution:
    """What was certified and what was run: the learned model, the one after the last request, and the retrained
    reference; and where it was written. key: None where the caller keeps it."""

    result: Result
    learned: State
    unlearned: State
    retrained: State
    certificate: Path
    record: Path
    model: Path
    erasures: tuple[Erasure, ...]
    erasure_files: tuple[Path, ...]
    key: Path | None


def execute(
    source: str | Path | Run,
    dataset: Dataset,
    requests: Sequence[Sequence[int]],
    output: str | Path,
    *,
    device: str = "cpu",
    seed: int | None = None,
    erasure_key: bytes | None = None,
    received: Sequence[datetime | None] | None = None,
    scope: str | None = None,
    ids: Sequence[str] | None = None,
    sign_off: Mapping[str, str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Execution:
    """Certify a run, execute it on `dataset` with these erasure requests, and retrain beside it.

    With release = "final" the model after the last of these requests is the one that is released. To honour another
    request later is to release another model: certify that with release = "all".

    Args:
        requests: for each request of the run file, the indices of the records to erase.
        output: directory that gets model.npy, the released model; run_record.json (its public part); certificate.json,
            which names both; erasure-1.json, … beside it, one for each request. They appear together, or none of them
            does, also if the process is killed; what a killed one left hidden beside the directory is removed. A
            directory that has such files already is refused.
        seed: makes it a reproducible experiment, which is not private; None: secret noise.
        erasure_key: under it the erasure records hide who asked, and models that are not released. None: that of
            `output`/private/erasure.key, which is made where it is missing, readable by its owner only. Keep it apart
            from the certificates.
        received, scope, ids, sign_off: what erasure records say about the requests; see `make_requests`.
        progress: called as progress(what, epochs done, of).

    Raises:
        NotCertified: the run misses its target; nothing is executed or written.
        UsageError: a malformed run file, a learner that refuses the run or the data, a key that others can read; one
            line.
    """
    try:
        import numpy as np

        import learners
    except ImportError as missing:
        raise UsageError(f"running needs {missing.name}; pip install 'plumbline-dp[learn]'") from None

    target = output_directory(output)
    run = source if isinstance(source, Run) else read_run(source)
    if not isinstance(run.mechanism, NoisySGD):
        kind = run.canonical["mechanism"]["kind"]
        raise UsageError(f'mechanism.kind: "{kind}" is certified, and not run by any learner here; run "pnsgd"')
    check_text("dataset.name", dataset.name)
    asked = make_requests(requests, received=received, scope=scope, ids=ids, sign_off=sign_off)
    clear(target, last=FILE_NAME)
    _refuse_leftovers(target)
    kept = target / PRIVATE / KEY_FILE if erasure_key is None else None
    key = read_key(kept) if erasure_key is None else check_key(erasure_key)
    result = certify(run)
    if result.verdict is not Verdict.CERTIFIED:
        raise NotCertified(f"{result.verdict}: ε ≤ {result.epsilon['upper']} against ε = {result.epsilon['target']}")
    figures = make_figures(result, progress=progress)

    def told(what: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, of: progress(what, done, of)

    above: dict[str, Any] = {"allowed_mu": allowed_mu(run), "execution": run.execution}
    try:
        learned = learners.learn(
            run.mechanism,
            dataset,
            device=device,
            seed=seed,
            mechanism_digest=run.digest,
            progress=told("learn"),
            **above,
        )
        state = learned
        for i, request in enumerate(asked):
            what = f"unlearn request {i + 1}"
            state = learners.unlearn(state, request.records, device=device, seed=seed, progress=told(what), **above)
        retrained = learners.retrain(
            run.mechanism,
            dataset,
            [record for request in asked for record in request.records],
            device=device,
            seed=seed,
            order=learned.order,
            mechanism_digest=run.digest,
            progress=told("retrain"),
            **above,
        )
    except (
        learners.LearnerRefused,
        learners.RunCheckFailed,
        learners.InvalidDataset,
        learners.FeatureNormExceeded,
    ) as refused:
        raise UsageError(str(refused)) from None
    released = BytesIO()
    np.save(released, state.released.numpy(), allow_pickle=False)
    public = state.record.public()
    files = {
        "model": (MODEL_FILE, released.getvalue()),
        "run_record": (RECORD_FILE, (json.dumps(public, indent=2, sort_keys=True) + "\n").encode()),
    }
    with appearing(target, last=FILE_NAME) as folder:
        if key is None:  # before anything that it opens
            key = make_key((target if (target / PRIVATE).exists() else folder) / PRIVATE / KEY_FILE)
        for name, content in files.values():
            write_atomically(folder / name, content)
        erasures = make_erasures(result, state.record, asked, key)
        certificate = write_certificate(
            result,
            folder,
            figures=figures,
            execution=make_execution(public, erasures, result=result),
            subjects={name: hashlib.sha256(content).hexdigest() for name, (_, content) in files.items()},
        )
        records = write_erasure_records(certificate)
        _refuse_leftovers(target)  # once more: somebody else may have run meanwhile
    return Execution(
        result=result,
        learned=learned,
        unlearned=state,
        retrained=retrained,
        certificate=target / certificate.name,
        record=target / RECORD_FILE,
        model=target / MODEL_FILE,
        erasures=erasures,
        erasure_files=tuple(target / path.name for path in records),
        key=kept,
    )


def _refuse_leftovers(output: Path) -> None:
    """What an earlier run left is never replaced: its erasure records are what its owner answers with, and beside this
    run's they would read as requests more."""
    refuse_signed(output / FILE_NAME)
    for path in (*sorted(output.glob("erasure-*.json")), output / MODEL_FILE, output / RECORD_FILE):
        if os.path.lexists(path):
            what = "the record of another run" if path.suffix == ".json" else "the model of another run"
            raise UsageError(f"{path}: is {what}; move it away, or write to another directory")
