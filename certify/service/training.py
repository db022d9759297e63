"""`train`: certify a run of DP-SGD or a relative, train by it, and leave a state; nothing is trained unless certified.

The folder until the training ends: run.toml, and in private/, for the owner alone, training.json (what it was begun
with) and checkpoint.pt. From the last checkpoint the same command goes on; steps after it were seen by nobody, and are
made anew. At the end model, run record, certificate, state.json and the ledger's row appear together, or none does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from accountant import ExecutedTraining, Indeterminate, ScaledSGD
from certify.errors import OutOfReach, UsageError
from certify.files import make_directory, output_directory, write_atomically
from certify.results.certify import certify
from certify.results.claims import Verdict
from certify.results.result import Result
from certify.runfile.read import Run, canonical_json, read_run
from certify.service.building import (
    TrainingData,
    build_model,
    build_optimizer,
    build_schedule,
    loss_of,
    training_data,
)
from certify.service.commit import PRIVATE, check_writable, place, stage
from certify.service.driving import Progress, check_certificate, load_learners, refusals, sha256
from certify.service.folder import (
    BEGUN_FILE,
    CERTIFICATE_FILE,
    MODEL_FILE,
    RECORD_FILE,
    RUN_FILE,
    STATE_FILE,
    State,
    read_bytes,
    read_json,
    read_state,
)
from certify.service.learning import LEDGER_FILE, finish_killed, lasting
from certify.trust.certificate import certificate_bytes, payload_digest
from certify.trust.execution import make_training_execution
from certify.trust.precision import executed_sums
from certify.trust.together import alone

if TYPE_CHECKING:
    import torch

    from learners.training import PrivateTrainer, TrainingRecord

CHECKPOINT_FILE = f"{PRIVATE}/checkpoint.pt"
CHECKPOINTS = 20  # in a training, unless [train] says how often
SCHEMA = "plumbline-training/1"


@dataclass(frozen=True)
class Trained:
    """What `train` did. result: what the certificate claims; record: what was executed; independently: whether the
    claim is of the steps taken, as somebody attested; executed: ε of the claimed steps with their rounding counted,
    where it has a bound (docs/theory.md T28s)."""

    state: State
    result: Result
    record: TrainingRecord
    independently: bool
    executed: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "state": str(self.state.folder),
            "model": self.state.model,
            "verdict": str(self.result.verdict),
            "epsilon": dict(self.result.epsilon),
            "delta": self.result.delta,
            "steps": {"taken": self.record.steps_taken, "planned": self.record.steps_planned},
            "stopped_independently": self.independently,
            "executed_epsilon": self.executed,
            "certificate": str(self.state.folder / CERTIFICATE_FILE),
            "reproducible": self.state.seed is not None,
        }


@dataclass(frozen=True)
class Begun:
    """What a training was begun with, so that it goes on with the same. model: its name in the ledger. data: see
    `TrainingData`. stopped: why it must not go on; None as long as it may."""

    model: str
    run: str
    train: Mapping[str, Any]
    data: Mapping[str, Any]
    fingerprint: str
    factory: str
    seed: int | None
    device: str
    ledger: str | None
    stopped: str | None = None

    def write(self, folder: Path, **changes: Any) -> None:
        content = {"schema": SCHEMA, **vars(self), **changes}
        write_atomically(folder / BEGUN_FILE, canonical_json(content) + b"\n")

    @classmethod
    def read(cls, folder: Path) -> Begun:
        """Raises UsageError: damaged, or of another version."""
        content, path = read_json(folder / BEGUN_FILE), folder / BEGUN_FILE
        if content.pop("schema", None) != SCHEMA:
            raise UsageError(f"{path}: is of another version than {SCHEMA}; use the version that wrote it")
        try:
            return cls(**content)
        except TypeError:
            raise UsageError(f"{path}: is damaged; remove {folder}, and train anew") from None


def train(
    source: str | Path,
    output: str | Path | None = None,
    *,
    model: str | None = None,
    data: str | Path | None = None,
    ledger: str | None = None,
    device: str | None = None,
    seed: int | None = None,
    stop_after: int | None = None,
    stopped_independently: bool = False,
    tell: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Certify a run, train by it, and leave a state; or go on with a training that was interrupted.

    Args:
        source: the run file; or the folder of a training that was interrupted, which says everything else.
        output: the state's folder: new, empty, or that of the same training, interrupted.
        model: MODULE:FACTORY of a torch module; MODULE is looked up in the working folder first.
        data: a file of records; the digits that come along, unless given.
        ledger: URL of a database; STATE/ledger.sqlite, unless given.
        device: "auto", "cpu" or "cuda"; that of [train], unless given.
        seed: makes it a reproducible experiment, which is not private.
        stop_after: steps, in all, after which the training ends; the run's own number, unless given.
        stopped_independently: whoever calls attests that `stop_after` was chosen without a look at the data or at any
            model of this training: the certificate then claims the ε of the steps taken. Else it claims that of all
            planned steps, which holds however it was decided to stop, as long as that was decided on what was released.
        tell: is told what is certified, before anything is trained.
        progress: called as progress(what, steps done, of).

    Raises:
        OutOfReach: not certified; nothing is trained or written. Indeterminate: undecided.
        UsageError: anything that stands in the way, in one line, before the first step.
    """
    load_learners()
    again = Path(source).is_dir()
    folder = output_directory(source if again and output is None else output)
    if folder is None:
        raise UsageError("-o: is missing; name the folder to write")
    begun = _begun(folder)
    if again:
        if begun is None:
            _refuse_finished(folder)
            raise UsageError(f"{folder}: holds no training that was interrupted; give a run file and -o")
        source = folder / RUN_FILE
    run = _run(source)
    factory = model or (begun.factory if begun else None)
    if factory is None:
        raise UsageError("--model: is missing; write MODULE:FACTORY, a function that makes the torch module")
    stop = _stop(run, stop_after, stopped_independently)
    _refuse_finished(folder)
    result = _certified(run)
    if tell is not None:
        tell(
            f"{result.verdict}: ε ≤ {result.epsilon['upper']} at δ = {result.delta} (target ε ≤ "
            f"{result.epsilon['target']}) after {run.mechanism.steps} steps"
        )
    if again and begun is not None:
        data = data if data is not None else begun.data.get("path")
        seed, device, ledger = begun.seed, device or begun.device, ledger or begun.ledger
    records = training_data(run, data, folder)
    assert run.train is not None
    asked = Begun(
        model=str(uuid4()),
        run=run.digest,
        train=run.train.as_json(),
        data=dict(records.source),
        fingerprint=records.fingerprint,
        factory=factory,
        seed=seed,
        device=device or run.train.device,
        ledger=None if ledger is None else lasting(ledger),
    )
    text = read_bytes(Path(source))
    network = build_model(run, factory, seed)
    with _folder(folder):
        begun = _begun(folder)  # nobody else writes here now
        if begun is not None:
            _check_same(begun, asked, folder)
        trainer = _trainer(run, network, records, asked, None if begun is None else folder)
        if begun is None:
            begun = asked
            check_writable(folder)
            (folder / PRIVATE).mkdir(mode=0o700, exist_ok=True)
            write_atomically(folder / RUN_FILE, text)
            _create_row(folder, begun, run)
            begun.write(folder)
        try:
            _steps(trainer, loss_of(run), stop, folder, run, progress)
        except load_learners().RunCheckFailed as failed:
            begun.write(folder, stopped=str(failed))
            raise UsageError(f"{failed}; nothing was released, train anew in another folder") from None
        finally:
            trainer.close()
        record = trainer.record()
        if stopped_independently and record.steps_taken < run.mechanism.steps:
            result = _certified(run.with_values(steps=record.steps_taken, epochs=None))
        executed = executed_sums(result, record.public())
        state = _finished(folder, begun, result, run, trainer, record, executed, independently=stopped_independently)
    return Trained(state, result, record, stopped_independently, None if executed is None else executed.epsilon)


def _run(source: str | Path) -> Run:
    run = read_run(Path(source))
    if not isinstance(run.mechanism, ScaledSGD):
        raise UsageError('mechanism.kind: "pnsgd" is learned by `plumbline learn`; train runs dp-sgd and its relatives')
    return run


def _stop(run: Run, stop_after: int | None, independently: bool) -> int:
    """The step after which the training ends."""
    planned = run.mechanism.steps
    if stop_after is None:
        if independently:
            raise UsageError("--stopped-independently: goes with --stop-after, the number of steps")
        return planned
    if stop_after < 1:
        raise UsageError(f"--stop-after: {stop_after} must be at least 1")
    if stop_after > planned:
        raise UsageError(f"--stop-after: {stop_after} is more than the {planned} steps that are certified")
    if independently and len(run.mechanism.stages) > 1 and stop_after < planned:
        raise UsageError(
            "--stopped-independently: the run has stages; write a run file of the steps that are taken, and train by it"
        )
    return stop_after


def _certified(run: Run) -> Result:
    result = certify(run)
    if result.verdict is Verdict.INDETERMINATE:
        raise Indeterminate("whether the target is met could not be decided; nothing was trained")
    if result.verdict is not Verdict.CERTIFIED:
        raise OutOfReach(
            f"{result.verdict}: ε ≤ {result.epsilon['upper']} against the target ε ≤ {result.epsilon['target']}; "
            "nothing was trained (`plumbline calibrate` finds the noise)"
        )
    return result


def _refuse_finished(folder: Path) -> None:
    if (folder / STATE_FILE).exists():
        raise UsageError(
            f"{folder}: holds a state already, whose steps are all that is certified; write to another folder"
        )


def _begun(folder: Path) -> Begun | None:
    return Begun.read(folder) if (folder / BEGUN_FILE).exists() else None


def _check_same(begun: Begun, asked: Begun, folder: Path) -> None:
    """Whether an interrupted training is the one that is asked for.

    Raises:
        UsageError: what differs.
    """
    if begun.stopped is not None:
        raise UsageError(f"{folder}: was stopped, and must not go on: {begun.stopped}; train anew in another folder")
    fix = f"give what it was begun with (`plumbline train {folder}`), or write to another folder"
    if begun.run != asked.run:
        raise UsageError(f"{folder}: holds an interrupted training of another mechanism or target; {fix}")
    if begun.fingerprint != asked.fingerprint:
        raise UsageError(
            f"{folder}: the data changed since its training began, and the model has learned from those before; train "
            "anew in another folder"
        )
    for key, option in (("train", "[train]"), ("factory", "--model"), ("seed", "--reproducible")):
        if getattr(begun, key) != getattr(asked, key):
            raise UsageError(f"{folder}: holds an interrupted training with another {option}; {fix}")


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """The folder of a training, new or begun, which nobody else writes to.

    Raises:
        UsageError: it holds something else.
    """
    make_directory(folder)
    with alone(folder):
        finish_killed(folder)
        _refuse_finished(folder)
        if not (folder / BEGUN_FILE).exists():
            ours = (RUN_FILE, PRIVATE)  # of a command that was killed before its first step
            others = [p.name for p in folder.iterdir() if not p.name.startswith(LEDGER_FILE) and p.name not in ours]
            if others:
                raise UsageError(f"{folder}: is not empty ({others[0]!a:.60}); write to another folder")
        try:
            yield
        except BaseException:
            with suppress(OSError):
                folder.rmdir()  # if nothing is in it
            raise


def _create_row(folder: Path, begun: Begun, run: Run) -> None:
    from certify.ledger import Ledger

    with Ledger.open(begun.ledger or folder, create=True).transaction(begun.model) as turn:
        turn.append("created", {"run": run.digest, "reproducible": begun.seed is not None})


def _trainer(run: Run, network: Any, records: TrainingData, asked: Begun, resumed: Path | None) -> PrivateTrainer:
    """The trainer, from the last checkpoint where there is one."""
    import torch

    from learners.training import PrivateTrainer

    settings = run.train
    assert settings is not None
    optimizer = build_optimizer(run, network)
    how: dict[str, Any] = {
        "delta": run.target_delta,
        "device": asked.device,
        "micro_batch": settings.micro_batch,
        "seed": asked.seed,
        "autocast": torch.bfloat16 if settings.autocast else None,
        "schedule": build_schedule(run, optimizer),
        "ema": None if settings.ema is None else float(settings.ema),
        "probe": (_made_up(records),),
    }
    checkpoint = None if resumed is None else resumed / CHECKPOINT_FILE
    with refusals():
        if checkpoint is not None and checkpoint.exists():
            return PrivateTrainer.load(checkpoint, network, optimizer, records.dataset, run.mechanism, **how)
        return PrivateTrainer(network, optimizer, records.dataset, run.mechanism, **how)


def _made_up(records: TrainingData) -> torch.Tensor:
    """A few records of the data's shape, with which the model is tried before any of the data are touched."""
    import torch

    features = records.dataset[0][0]
    generator = torch.Generator().manual_seed(0)
    return torch.rand((4, *features.shape), dtype=features.dtype, generator=generator)


def _steps(
    trainer: PrivateTrainer, loss: Callable[..., Any], stop: int, folder: Path, run: Run, progress: Progress | None
) -> None:
    """Every step up to `stop`, with checkpoints on the way."""
    assert run.train is not None
    every = run.train.checkpoint_every or max(1, run.mechanism.steps // CHECKPOINTS)
    saved = trainer.steps_taken
    while trainer.steps_taken < stop:
        with refusals_but_checks():
            for features, labels in trainer.until(min(saved + every, stop)):
                with trainer.autocast():
                    trainer.step(lambda x=features, y=labels: loss(trainer.model(x), y))
        if trainer.steps_taken < stop:
            with refusals():
                trainer.save(folder / CHECKPOINT_FILE)
        saved = trainer.steps_taken
        if progress is not None:
            spent, left = trainer.epsilon_spent(), trainer.epsilon_left()
            progress(f"train, ε ≤ {_up(spent)} spent, {_down(left)} left", trainer.steps_taken, stop)


@contextmanager
def refusals_but_checks() -> Iterator[None]:
    """What the learners refuse, as UsageError; a check that failed while running is for the caller."""
    known = load_learners()
    try:
        yield
    except known.LearnerRefused as problem:
        raise UsageError(str(problem)) from None


def _up(value: Fraction) -> str:
    return f"{-((-value * 1000) // 1) / 1000:.3f}"


def _down(value: Fraction) -> str:
    return f"{(value * 1000) // 1 / 1000:.3f}"


def _finished(
    folder: Path,
    begun: Begun,
    result: Result,
    run: Run,
    trainer: PrivateTrainer,
    record: TrainingRecord,
    executed: ExecutedTraining | None,
    *,
    independently: bool,
) -> State:
    """Everything that a state holds, staged with the ledger's row."""
    from certify.ledger import Ledger
    from certify.ledger.payloads import certificate_entry

    public = dict(record.public()) | {
        "train": dict(begun.train),
        "run": run.digest,
        "stopped_independently": independently,
        **({"data_table": dict(run.outside["data"])} if "data" in run.outside else {}),
    }
    files = {
        MODEL_FILE: _model_file(trainer),
        RECORD_FILE: (json.dumps(public, indent=2, sort_keys=True) + "\n").encode(),
    }
    certificate = certificate_bytes(
        result,
        execution=make_training_execution(public, result=result, dataset=_named(begun)),
        subjects={"model": sha256(files[MODEL_FILE]), "run_record": sha256(files[RECORD_FILE])},
        executed=executed,
    )
    check_certificate(certificate)
    state = State(
        folder=folder,
        model=begun.model,
        run=run,
        sizes=(),
        epochs=(),
        data=dict(begun.data),
        device=begun.device,
        seed=begun.seed,
        factory=begun.factory,
        certificate=payload_digest(certificate),
        key="",
        ledger=begun.ledger,
    )
    files |= {
        RUN_FILE: read_bytes(folder / RUN_FILE),
        CERTIFICATE_FILE: certificate,
        f"{PRIVATE}/{RECORD_FILE}": canonical_json(record.to_json()) + b"\n",
    }
    payload = {
        "certificate": certificate_entry(certificate),
        "reproducible": begun.seed is not None,
        "steps": {"taken": str(record.steps_taken), "planned": str(record.steps_planned)},
    }
    with Ledger.open(begun.ledger or folder).transaction(begun.model) as turn:
        name = stage(folder, turn, "learned", payload, files, state.as_json())
    place(folder, name)
    for left in (CHECKPOINT_FILE, BEGUN_FILE):
        (folder / left).unlink(missing_ok=True)
    return read_state(folder)


def _named(begun: Begun) -> str:
    """The data's name in the certificate: that of the file, never its path."""
    path = begun.data.get("path")
    return str(begun.data.get("embedded")) if path is None else Path(path).name


def _model_file(trainer: PrivateTrainer) -> bytes:
    """model.npz: every tensor of the model by its name, and those of the average of its weights, if there is one."""
    import numpy as np

    arrays = {f"model.{name}": value.detach().cpu().numpy() for name, value in trainer.model.state_dict().items()}
    if trainer.record().average_after is not None:
        with trainer.averaged():
            averaged = {name: p.detach().cpu().numpy().copy() for name, p in trainer.model.named_parameters()}
        arrays |= {f"average.{name}": value for name, value in averaged.items()}
    content = BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()
