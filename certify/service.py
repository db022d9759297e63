"""Certify, then run, then record: the one place that drives the learners. Loaded only when asked for; needs torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from accountant import NoisySGD
from certify.certificate import write_certificate
from certify.claims import Verdict
from certify.errors import UsageError
from certify.files import output_directory, write_atomically
from certify.outcome import Result
from certify.result import certify
from certify.spec import Run, read_run

if TYPE_CHECKING:
    from learners import Dataset, State

RECORD_FILE, MODEL_FILE = "run_record.json", "model.npy"


class NotCertified(ValueError):
    """A run that is not certified is not executed."""


@dataclass(frozen=True)
class Execution:
    """What was certified and what was run: the learned model, the one after the last request, and the retrained
    reference."""

    result: Result
    learned: State
    unlearned: State
    retrained: State
    certificate: Path
    record: Path
    model: Path


def execute(
    source: str | Path | Run,
    dataset: Dataset,
    requests: Sequence[Sequence[int]],
    output: str | Path,
    *,
    device: str = "cpu",
    seed: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Execution:
    """Certify a run, execute it on `dataset` with these erasure requests, and retrain beside it.

    Args:
        requests: for each request of the run file, the indices of the records to erase.
        output: directory that gets certificate.json, run_record.json (its public part) and model.npy, the released
        model. seed: makes it a reproducible experiment, which is not private; None: secret noise.
        progress: called as progress(what, epochs done, of).

    Raises:
        NotCertified: the run misses its target; nothing is executed or written.
        UsageError: a malformed run file, or a learner that refuses the run or the data; one line.
    """
    try:
        import numpy as np

        import learners
    except ImportError as missing:
        raise UsageError(f"running needs {missing.name}; pip install 'plumbline-dp[learn]'") from None

    output = output_directory(output)
    run = source if isinstance(source, Run) else read_run(source)
    if not isinstance(run.mechanism, NoisySGD):
        kind = run.canonical["mechanism"]["kind"]
        raise UsageError(f'mechanism.kind: "{kind}" is certified, and not run by any learner here; run "pnsgd"')
    result = certify(run)
    if result.verdict is not Verdict.CERTIFIED:
        raise NotCertified(f"{result.verdict}: ε ≤ {result.epsilon['upper']} against ε = {result.epsilon['target']}")

    def told(what: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, of: progress(what, done, of)

    try:
        learned = learners.learn(
            run.mechanism, dataset, device=device, seed=seed, mechanism_digest=run.digest, progress=told("learn")
        )
        state = learned
        for i, records in enumerate(requests):
            what = f"unlearn request {i + 1}"
            state = learners.unlearn(state, records, device=device, seed=seed, progress=told(what))
        erased = [record for records in requests for record in records]
        retrained = learners.retrain(
            run.mechanism,
            dataset,
            erased,
            device=device,
            seed=seed,
            order=learned.order,
            mechanism_digest=run.digest,
            progress=told("retrain"),
        )
    except (learners.LearnerRefused, learners.InvalidDataset, learners.FeatureNormExceeded) as refused:
        raise UsageError(str(refused)) from None
    certificate = write_certificate(result, output)
    record, model = output / RECORD_FILE, output / MODEL_FILE
    write_atomically(record, json.dumps(state.record.public(), indent=2, sort_keys=True) + "\n")
    released = BytesIO()
    np.save(released, state.parameters.numpy(), allow_pickle=False)
    write_atomically(model, released.getvalue())
    return Execution(result, learned, state, retrained, certificate, record, model)
