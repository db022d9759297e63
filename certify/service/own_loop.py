"""A training loop of one's own: its noise calibrated, and the trainer's record joined with a certificate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accountant import Indeterminate
from accountant.core.exact import canonical, exact
from certify.errors import OutOfReach, UsageError
from certify.files import output_directory, write_atomically
from certify.results.calibrate import calibrate
from certify.results.certify import certify
from certify.results.claims import Verdict
from certify.results.result import Result
from certify.runfile.dpsgd_tables import KIND_OF
from certify.runfile.given import as_written
from certify.runfile.read import read_run
from certify.service.driving import check_certificate, load_learners, refusals, sha256
from certify.trust.certificate import FILE_NAME, certificate_bytes, refuse_signed
from certify.trust.execution import make_training_execution
from certify.trust.precision import executed_sums
from certify.trust.together import appearing

if TYPE_CHECKING:
    import torch
    from torch import nn

    from learners.training import PrivateTrainer

MODEL_FILE, RECORD_FILE = "model.npz", "run_record.json"
Number = Fraction | int | str | float


@dataclass(frozen=True)
class CertifiedTraining:
    """result: what the certificate claims, of all planned steps; files: those that were written, by name."""

    result: Result
    files: Mapping[str, Path]

    @property
    def certificate(self) -> Path:
        return self.files[FILE_NAME]

    def __str__(self) -> str:
        """One line, as `plumbline train` prints it."""
        result, epsilon = self.result, self.result.epsilon
        claim = f"{result.verdict.value}: ε ≤ {epsilon['upper']} at δ = {result.delta}"
        return f"{claim} (target ε ≤ {epsilon['target']}), {self.certificate}"


def private(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    dataset: Any,
    *,
    target_epsilon: Number,
    target_delta: Number,
    max_grad_norm: Number,
    batch_size: int | None = None,
    sample_rate: Number | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    scaling: str = "clip",
    r: Number | None = None,
    s: Number | None = None,
    sampling: str = "poisson",
    **how: Any,
) -> PrivateTrainer:
    """A trainer with the least noise that meets the target, found before the first step (`plumbline calibrate`).

    Numbers are exact: whole numbers, fractions, strings such as "1.1"; a float is read as the shortest decimal that
    prints it, 1e-5 as a hundred-thousandth.

    Args:
        batch_size, sample_rate: one of them; batch_size is the mean size of a batch, and what sums are divided by.
        epochs, steps: one of them.
        scaling: "clip", "auto-s" (needs r), "psac" (r) or "psasc" (r and s).
        sampling: how batches are drawn, as in a run file.
        how: further arguments of `PrivateTrainer` (device, micro_batch, seed, autocast, schedule, ema, …).

    Raises:
        OutOfReach: no noise meets the target. UsageError: what is missing, contradicts, or does not fit.
    """
    load_learners()
    from learners.training import PrivateTrainer

    if scaling not in KIND_OF:
        raise UsageError(f"scaling: got {scaling!r}; write one of {', '.join(KIND_OF)}")
    with refusals():
        from learners.training.reading import length

        samples = length(dataset)
    mechanism = {
        "kind": KIND_OF[scaling],
        "samples": samples,
        "sampling": sampling,
        "batch_size": batch_size,
        "sample_rate": _text(sample_rate, "sample_rate"),
        "epochs": epochs,
        "steps": steps,
    }
    scale = {"kind": scaling, "max_grad_norm": _text(max_grad_norm, "max_grad_norm"), "r": _text(r, "r")}
    found = calibrate(
        {
            "mechanism": {key: value for key, value in mechanism.items() if value is not None},
            "scaling": {key: value for key, value in (scale | {"s": _text(s, "s")}).items() if value is not None},
            "target": {
                "epsilon": _text(target_epsilon, "target_epsilon"),
                "delta": _text(target_delta, "target_delta"),
            },
        }
    )
    run = found.result.run
    with refusals():
        return PrivateTrainer(model, optimizer, dataset, run.mechanism, delta=run.target_delta, **how)


def certify_training(
    trainer: PrivateTrainer, output: str | Path, *, target_epsilon: Number | None = None, name: str = "records"
) -> CertifiedTraining:
    """Write certificate.json, run_record.json and model.npz of a training, together or not at all.

    The claim is that of all planned steps, however many were taken: it holds whatever was looked at, of what was
    released, to decide when to stop.

    Args:
        output: a folder, new or without files of these names.
        target_epsilon: what is to be certified; by default the least ε, rounded up.
        name: what the data are called in the certificate.

    Raises:
        OutOfReach: the target is not met; nothing is written. UsageError: steps were refused because of the data, after
            which nothing is certified; no step was taken; files in the way.
    """
    record = trainer.record()
    if record.steps_refused:
        raise UsageError(
            f"steps: {record.steps_refused} were refused because of the data, which no noise hides; train anew"
        )
    if not record.steps_taken:
        raise UsageError("steps: none was taken; iterate over the trainer first")
    run = read_run(_tables(trainer, target_epsilon))
    result = certify(run)
    if target_epsilon is None:
        result = certify(run.with_target(Fraction(result.epsilon["upper"])))
    if result.verdict is Verdict.INDETERMINATE:
        raise Indeterminate("whether the target is met could not be decided; nothing was written")
    if result.verdict is not Verdict.CERTIFIED:
        raise OutOfReach(f"{result.verdict}: ε ≤ {result.epsilon['upper']}, target ε ≤ {result.epsilon['target']}")
    public = dict(record.public()) | {"run": result.digest}
    files = {MODEL_FILE: _weights(trainer), RECORD_FILE: (json.dumps(public, indent=2, sort_keys=True) + "\n").encode()}
    files[FILE_NAME] = certificate_bytes(
        result,
        execution=make_training_execution(public, result=result, dataset=name),
        subjects={"model": sha256(files[MODEL_FILE]), "run_record": sha256(files[RECORD_FILE])},
        executed=executed_sums(result, public),
    )
    check_certificate(files[FILE_NAME])
    folder = output_directory(output)
    refuse_signed(folder / FILE_NAME)
    for file in (MODEL_FILE, RECORD_FILE):
        if (folder / file).exists():
            raise UsageError(f"{folder / file}: is that of another training; write to another folder")
    with appearing(folder, last=FILE_NAME) as fresh:
        for file, content in files.items():
            write_atomically(fresh / file, content)
    return CertifiedTraining(result, {file: folder / file for file in files})


def _text(value: Number | None, key: str) -> str | None:
    """An exact number as a run file has it. Raises UsageError."""
    if value is None:
        return None
    try:
        return canonical(exact(as_written(value), key))
    except (TypeError, ValueError) as problem:
        raise UsageError(str(problem)) from None


def _tables(trainer: PrivateTrainer, target: Number | None) -> dict[str, Any]:
    """The run file of a trainer's mechanism."""
    m = trainer.mechanism
    first, *rest = (
        {
            "noise_multiplier": canonical(stage.noise_multiplier),
            "sample_rate": canonical(stage.sample_rate),
            "steps": stage.steps,
        }
        for stage in m.stages
    )
    scaling = {"kind": m.scaling.kind} | {key: canonical(value) for key, value in vars(m.scaling).items()}
    if m.gradient_norm_bound is not None:
        scaling["gradient_norm_bound"] = canonical(m.gradient_norm_bound)
    kind = KIND_OF[m.scaling.kind]
    more = {"samples": m.samples, "max_batch_size": m.max_batch_size}
    return {
        "mechanism": {"kind": kind, "sampling": m.sampling, "normaliser": canonical(trainer.normaliser)}
        | first
        | {key: value for key, value in more.items() if value is not None},
        "stages": rest,
        "scaling": scaling,
        "momentum": {
            "outer": canonical(m.momentum.outer),
            "inner_beta": canonical(m.momentum.inner_beta),
            "inner_window": m.momentum.inner_window,
        },
        "releases": [{"mu": canonical(mu)} for mu in m.others],
        "threat": {"neighbours": m.neighbours, "group_size": m.group_size, "group_sampling": m.group_sampling},
        "target": {"epsilon": _text(target, "target_epsilon") or "1", "delta": canonical(trainer.budget.delta)},
    }


def _weights(trainer: PrivateTrainer) -> bytes:
    """model.npz: every tensor of the model by its name, without pickle."""
    import numpy as np

    content = BytesIO()
    state = trainer.model.state_dict()
    np.savez(content, **{f"model.{name}": value.detach().cpu().numpy() for name, value in state.items()})
    return content.getvalue()
