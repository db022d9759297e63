"""`predict` and `export`: what lets somebody see the model. The ledger has a row of it before anything is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from certify.errors import OutOfReach, UsageError
from certify.files import make_directory, write_atomically
from certify.service.driving import read_parameters, require_learners, sha256
from certify.service.folder import MODEL_FILE, REFERENCE, RETRAINED_FILE, Change, State, not_named, opened, read_bytes
from certify.service.trained import exported_training

FORMATS = ("npz", "state-dict", "sklearn")
REFERENCE_NOTE = "the reference has been seen as well, which no certificate counts: no further request is covered"


@dataclass(frozen=True)
class Released:
    """What was written, and what it means for later requests: `note` is None where they are covered as before."""

    state: State
    output: Path
    kind: str
    note: str | None

    def as_json(self) -> dict[str, Any]:
        return {
            "state": str(self.state.folder),
            "model": self.state.model,
            "row": self.kind,
            "output": str(self.output),
            "note": self.note,
        }


def export(
    folder: str | Path,
    output: str | Path,
    *,
    format: str = "npz",
    ledger: str | None = None,
    retrained: bool = False,
    force: bool = False,
) -> Released:
    """Write the model for use elsewhere.

    It takes features as the run file's [data] table encodes them: scaled from the public limits, and then normalised.

    Args:
        format: "npz" (numpy: one array `parameters`), "state-dict" (torch.save of tensors, which torch.load reads with
            weights_only), or "sklearn" (a fitted scikit-learn model by joblib: a pickle, which runs code when it is
            loaded; give it to those who trust you, and load none that you do not trust).
        retrained: the reference that `retrain` wrote, in the model's place. Nothing covers that it is seen as well, so
            that no request is honoured after it.
        force: replace a file that is there.

    Raises:
        UsageError: another format, a loss without a counterpart in scikit-learn, an output that is there or cannot be
            written, no reference. OutOfReach: a reference that shares a secret order with the model.
        Mismatch: the state is a copy, or its ledger is another one.
    """
    if format not in FORMATS:
        raise UsageError(f"--format: got {format!r}; write one of {', '.join(FORMATS)}")
    require_learners()
    written = check_output(output, force=force)
    with opened(Path(folder), ledger=ledger, trained=True) as change:
        state = change.state
        change.require_files()
        if state.trained:
            if retrained:
                raise UsageError("--retrained: a training has no reference; leave it out")
            content = exported_training(state, format)
        else:
            content = _of_learned(change, format, retrained=retrained)
        about = {"format": format, "output": sha256(content)}
        release(change, "exported", about | ({REFERENCE: True} if retrained else {}))
    write_atomically(written, content)
    return Released(state, written, "exported", REFERENCE_NOTE if retrained else note_of(state))


def _of_learned(change: Change, format: str, *, retrained: bool) -> bytes:
    state = change.state
    if retrained:
        _refuse_reference(change)
    if format == "sklearn":
        _refuse_unknown(state)
    return _exported(state, read_parameters(state, RETRAINED_FILE if retrained else MODEL_FILE), format)


def _refuse_reference(change: Change) -> None:
    """Raises UsageError where there is no reference of the last request, Mismatch where it is another one, OutOfReach
    where it may not be seen."""
    state = change.state
    rows = [row.content for row in change.turn.rows if row.kind == "retrained"]
    if not rows or rows[-1]["request"] != str(state.requests):
        which = "none was trained" if not rows else f"the one there is was trained after request {rows[-1]['request']}"
        raise UsageError(f"--retrained: {which}; `plumbline retrain {state.folder}` trains it")
    path = state.folder / RETRAINED_FILE
    if sha256(read_bytes(path)) != rows[-1]["files"].get(RETRAINED_FILE):
        raise not_named(path)
    if state.run.mechanism.batch_order == "secret":
        raise OutOfReach(
            '--retrained: the reference shares the batches of the model, and batch_order = "secret" asks that nobody '
            "learns them; learn a model of its own on what is left"
        )


def release(change: Change, kind: str, about: dict[str, Any]) -> None:
    """Append the row of a release; what it is about may be written once the turn has ended."""
    state = change.state
    change.commit(kind, {"request": str(state.requests), "certificate": state.certificate} | about, {}, state)


def note_of(state: State) -> str | None:
    if state.trained or state.run.mechanism.release == "all":
        return None
    return 'the model has been seen: with release = "final" no further request is covered'


def check_output(output: str | Path, *, force: bool) -> Path:
    """The file to write, once its row is there. Raises UsageError before anything counts; where it is there already,
    unless forced."""
    path = Path(output)
    make_directory(path.absolute().parent)
    if path.is_dir():
        raise UsageError(f"-o {output}: is a directory; name a file")
    if os.path.lexists(path) and not force:
        raise UsageError(f"-o {output}: exists already; write to another file, or replace it with --force")
    write_atomically(path.with_name(f".{path.name}.probe"), b"")
    path.with_name(f".{path.name}.probe").unlink(missing_ok=True)
    return path


def _exported(state: State, parameters: Any, format: str) -> bytes:
    content = BytesIO()
    if format == "npz":
        import numpy as np

        np.savez(content, parameters=parameters.numpy())
    elif format == "state-dict":
        import torch

        torch.save(_state_dict(state, parameters), content)
    else:
        _dump_sklearn(state, parameters, content)
    return content.getvalue()


def _kind(state: State) -> str:
    return state.run.canonical["loss"]["kind"]


def _weights(state: State, parameters: Any) -> Any:
    """(outputs, features): one row for each class of softmax, else one."""
    classes = int(state.run.canonical["loss"].get("classes", 1))
    return parameters.reshape(classes, -1)


def _state_dict(state: State, parameters: Any) -> dict[str, Any]:
    """Tensors by name: those of the module that was brought along, or the `weight` of a linear layer without bias."""
    if state.factory is None:
        return {"weight": _weights(state, parameters)}
    from certify.service.driving import module_of
    from learners import Network

    return dict(Network(module_of(state.factory)["model"]).loaded(parameters).state_dict())


def _logistic(weights: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(fit_intercept=False)
    model.coef_, model.n_iter_ = weights, [0]
    return model


def _hinge(weights: Any) -> Any:
    from sklearn.svm import LinearSVC

    model = LinearSVC(fit_intercept=False)
    model.coef_ = weights
    return model


def _linear(weights: Any) -> Any:
    from sklearn.linear_model import LinearRegression

    model = LinearRegression(fit_intercept=False)
    model.coef_ = weights[0]
    return model


_SKLEARN: dict[str, Callable[[Any], Any]] = {
    "logistic": _logistic,
    "softmax": _logistic,
    "smoothed-hinge": _hinge,
    "least-squares": _linear,
    "huber": _linear,
}


def _refuse_unknown(state: State) -> None:
    """Raises UsageError where scikit-learn has no such model."""
    if _kind(state) not in _SKLEARN:
        known = ", ".join(sorted(_SKLEARN))
        raise UsageError(f'--format: no model of scikit-learn is loss.kind = "{_kind(state)}"; they are of {known}')


def _dump_sklearn(state: State, parameters: Any, content: BytesIO) -> None:
    """A fitted linear model of scikit-learn, with its classes; the intercept is a feature of ours, if there is one."""
    import joblib
    import numpy as np

    kind = _kind(state)
    weights = _weights(state, parameters).numpy()
    model = _SKLEARN[kind](weights)
    model.n_features_in_ = weights.shape[1]
    if kind in ("logistic", "smoothed-hinge"):
        model.classes_, model.intercept_ = np.array([-1, 1]), np.zeros(1)
    elif kind == "softmax":
        model.classes_, model.intercept_ = np.arange(len(weights)), np.zeros(len(weights))
    else:
        model.intercept_ = 0.0
    joblib.dump(model, content)
