"""One file that a training goes on from exactly: model, optimizer, schedule, average, sampler, counts, seed.

torch's format, read with weights_only: tensors, numbers and strings, no code. Private: without a seed it says which
records the rest of a shuffled epoch visits, and it holds counts that no noise protects.
"""

from __future__ import annotations

import os
import pickle
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from accountant.core.exact import canonical
from learners.refused import LearnerRefused
from learners.state import StateMismatch
from learners.training.checks import Unchanged
from learners.training.record import training_from_json, training_to_json, weights_hash

if TYPE_CHECKING:
    from learners.training.trainer import PrivateTrainer

SCHEMA = "plumbline-checkpoint/1"


def content_of(trainer: PrivateTrainer) -> dict[str, Any]:
    """Tensors, numbers, strings, lists and dicts: everything that `restore` needs."""
    window = trainer._window
    return {
        "schema": SCHEMA,
        "mechanism": training_to_json(trainer.mechanism),
        **_agreed(trainer),
        "steps_taken": trainer.steps_taken,
        "weights": weights_hash(trainer._parameters),
        "model": dict(trainer.model.state_dict()),
        "optimizer": trainer.optimizer.state_dict(),
        "schedule": None if trainer._schedule is None else trainer._schedule.state_dict(),
        "average": None if trainer._average is None else trainer._average.values,
        "window": None if window is None else list(window.iterates),
        "stage": trainer._stage,
        "sampler": _tensors(trainer._sampler.state()),
        "recorder": trainer._recorder.state(trainer.steps_taken),
    }


def restore(trainer: PrivateTrainer, content: dict[str, Any], path: str | Path) -> None:
    """Put a trainer that was just built where the checkpoint was.

    Raises:
        StateMismatch: names what is not the checkpoint's.
    """
    try:
        former = training_from_json(content["mechanism"])
        if former != trainer.mechanism:
            old, new = training_to_json(former), training_to_json(trainer.mechanism)
            differing = next(key for key in old if old[key] != new.get(key))
            raise StateMismatch(
                f"{path}: a checkpoint of another mechanism: {differing} was {old[differing]}, is "
                f"{new.get(differing)}; give the one that it was begun with"
            )
        for key, value in _agreed(trainer).items():
            if content[key] != value:
                raise StateMismatch(f"{path}: {key} was {content[key]}, is {value}; give what it was begun with")
        trainer.model.load_state_dict(content["model"])
        if weights_hash(trainer._parameters) != content["weights"]:
            raise StateMismatch(f"{path}: its weights do not come back as they were saved; the model has other types")
        trainer.optimizer.load_state_dict(content["optimizer"])
        if trainer._schedule is not None:
            trainer._schedule.load_state_dict(content["schedule"])
        if trainer._average is not None:
            for name, value in trainer._average.values.items():
                value.copy_(content["average"][name])
        if trainer._window is not None:
            trainer._window.iterates.clear()
            for iterate in content["window"]:
                trainer._window.iterates.append({k: v.to(trainer.device) for k, v in iterate.items()})
        trainer.steps_taken, trainer._stage = content["steps_taken"], content["stage"]
        trainer._sampler = trainer._sampler_of(content["stage"], _arrays(content["sampler"]))
        trainer._recorder.restore(content["recorder"], content["steps_taken"])
    except StateMismatch:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise StateMismatch(f"{path}: does not fit ({' '.join(str(error).split())})") from error
    trainer._unchanged = Unchanged.of(trainer.model, trainer.dataset, trainer._parameters, trainer.optimizer)


def write(path: str | Path, content: dict[str, Any]) -> Path:
    """Whole or not at all, readable by its owner only.

    Raises:
        LearnerRefused: something in it could not be read back.
    """
    target = Path(path).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            _load(name)
        except pickle.UnpicklingError as error:
            what = re.search(r"GLOBAL ([\w.]+)", str(error))
            raise LearnerRefused(
                "save: the optimizer or its schedule holds more than tensors and numbers"
                + (f": {what[1]}" if what else "")
            ) from None
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return target


def read(path: str | Path) -> dict[str, Any]:
    """What `write` wrote; no code in it is run.

    Raises:
        StateMismatch: not a checkpoint, or damaged.
    """
    try:
        content = _load(path)
        schema = content["schema"]
    except (OSError, pickle.UnpicklingError, RuntimeError, ValueError, TypeError, KeyError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StateMismatch(f"{path}: not a checkpoint, or damaged ({reason}); restore it from a copy") from error
    if schema != SCHEMA:
        raise StateMismatch(f"{path}: of version {schema}, this reads {SCHEMA}")
    return content


def _load(path: str | Path) -> Any:
    with torch.serialization.safe_globals([Counter]):  # the milestones of a schedule
        return torch.load(path, map_location="cpu", weights_only=True)


def _agreed(trainer: PrivateTrainer) -> dict[str, Any]:
    """What must be the same when the training goes on."""
    return {
        "delta": canonical(trainer.budget.delta),
        "target_epsilon": None if trainer.target is None else canonical(trainer.target),
        "normaliser": canonical(trainer.normaliser),
        "seed": trainer._seed,
        "samples": trainer._unchanged.samples,
        "processes": trainer.processes.size,
        "rank": trainer.processes.rank,
        "optimizer_class": type(trainer.optimizer).__name__,
        "schedule_class": None if trainer._schedule is None else type(trainer._schedule).__name__,
        "micro_batch": trainer._micro_batch,  # T28s reckons with it
        "ema": None if trainer._average is None else trainer._average.decay,
    }


def _tensors(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, dict):
        return {key: _tensors(part) for key, part in value.items()}
    return [_tensors(part) for part in value] if isinstance(value, list | tuple) else value


def _arrays(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.numpy()
    if isinstance(value, dict):
        return {key: _arrays(part) for key, part in value.items()}
    return [_arrays(part) for part in value] if isinstance(value, list) else value
