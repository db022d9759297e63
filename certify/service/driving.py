"""What every command that drives a learner shares: loading torch, the learners' refusals, the model's file."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from types import ModuleType
from typing import TYPE_CHECKING, Any

from accountant import Indeterminate
from certify import checker
from certify.errors import UsageError
from certify.results.floor import allowed_mu
from certify.runfile.read import Run, canonical_json
from certify.service.folder import MODEL_FILE, State, read_bytes, read_json

if TYPE_CHECKING:
    import learners

SALT_BYTES = 32


def require_learners() -> None:
    """Raise UsageError where torch is not installed, without the time that loading it takes."""
    if find_spec("torch") is None:
        raise _missing("torch")


def load_learners() -> ModuleType:
    """The learners. Raises UsageError where torch, or what else they need, is missing.

    It takes seconds: whatever can be refused without them is refused before.
    """
    try:
        import learners
    except ImportError as missing:
        raise _missing(missing.name) from None
    return learners


def _missing(name: str | None) -> UsageError:
    return UsageError(f"running needs {name}; pip install 'plumbline-dp[learn]'")


Progress = Callable[[str, int, int], None]  # what is being done, how much of it is done, of how much


def told_epochs(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    """What a learner calls after each epoch; None where nobody wants to know."""
    if progress is None:
        return None

    def tell(done: int, of: int) -> None:
        progress(what, done, of)

    return tell


@contextmanager
def refusals() -> Iterator[None]:
    """What the learners refuse, as UsageError."""
    known = load_learners()
    refused = (
        known.LearnerRefused,
        known.RunCheckFailed,
        known.InvalidDataset,
        known.FeatureNormExceeded,
        known.StateMismatch,
    )
    try:
        yield
    except refused as problem:
        refusal = UsageError(str(problem))
        for note in getattr(problem, "__notes__", ()):  # other dirty cells of the data
            refusal.add_note(note)
        raise refusal from None


def told_to_learners(run: Run, device: str, seed: int | None) -> dict[str, Any]:
    """What `learners.learn`, `unlearn` and `retrain` are told besides mechanism and data."""
    return {"device": device, "seed": seed, "allowed_mu": allowed_mu(run), "execution": run.execution}


def module_of(factory: str | None) -> dict[str, Any]:
    """The model that MODULE:FACTORY makes, as an argument of the learners; none where nothing is given.

    Raises:
        UsageError: it cannot be imported or called, or makes no torch module.
    """
    if factory is None:
        return {}
    from pkgutil import resolve_name

    from torch import nn

    if ":" not in factory:
        raise UsageError(f"--model: got {factory!a:.100}; write MODULE:FACTORY")
    try:
        made = resolve_name(factory)()
    except Exception as problem:  # whatever a user's own code raises
        unknown = isinstance(problem, ModuleNotFoundError) and problem.name == factory.partition(":")[0].split(".")[0]
        advice = "; put its folder on PYTHONPATH, and write MODULE without .py" if unknown else ""
        raise UsageError(f"--model: {factory!a:.100} cannot be called: {problem}{advice}") from None
    if not isinstance(made, nn.Module):
        raise UsageError(f"--model: {factory!a:.100} makes {type(made).__name__}, not a torch.nn.Module")
    return {"model": made}


def model_file(parameters: Any) -> bytes:
    """model.npz: the parameters, one flat float64 vector, and a random salt.

    Certificates name the SHA-256 of this file. The salt keeps it from being a look at a model that is not released.
    """
    import numpy as np

    content = BytesIO()
    salt = np.frombuffer(secrets.token_bytes(SALT_BYTES), dtype=np.uint8)
    np.savez(content, parameters=np.asarray(parameters, dtype="<f8"), salt=salt)
    return content.getvalue()


def read_parameters(state: State, name: str = MODEL_FILE) -> Any:
    """The parameters in a state's file, its model's unless named, as a torch vector.

    Raises:
        UsageError: the file is damaged.
    """
    load_learners()
    import numpy as np
    import torch

    path = state.folder / name
    try:
        with np.load(BytesIO(read_bytes(path)), allow_pickle=False) as arrays:
            parameters = torch.from_numpy(np.array(arrays["parameters"], dtype="<f8"))
    except (OSError, ValueError, KeyError) as problem:
        raise UsageError(f"{path}: is damaged ({problem}); restore it from a back-up") from None
    return parameters


def continued(state: State, dataset: learners.Dataset) -> learners.State:
    """The learner's state: parameters, released or not, order and record as they were left."""
    import numpy as np
    import torch

    known = load_learners()
    from learners.models import as_network
    from learners.record import mechanism_from_json, parameters_hash

    record_path = state.private / "run_record.json"
    try:
        record = known.RunRecord.from_json(read_json(record_path))
        mechanism = mechanism_from_json(record.mechanism)
        order, parameters = (
            torch.from_numpy(np.load(BytesIO(read_bytes(state.private / f"{name}.npy")), allow_pickle=False))
            for name in ("order", "parameters")
        )
    except (TypeError, KeyError, ValueError) as problem:
        raise UsageError(f"{record_path}: is damaged ({problem}); restore it from a back-up") from None
    released, last = read_parameters(state), record.phases[-1]
    if (parameters_hash(parameters), parameters_hash(released)) != (last.parameters_after, last.model_after):
        raise UsageError(f"{state.folder / MODEL_FILE}: is not the model of the run record; restore it from a back-up")
    erased = tuple(place for place, _ in sorted(state.rows().erased.items(), key=lambda entry: entry[1]))
    network = as_network(module_of(state.factory).get("model"))
    return known.State(mechanism, dataset, parameters, order, erased, record, network, released)


def private_files(state: learners.State) -> dict[str, bytes]:
    """The private run record, the order behind the batches, and the parameters on which the next request goes on: what
    is released of them is rounded."""
    import numpy as np

    files = {"private/run_record.json": canonical_json(state.record.to_json()) + b"\n"}
    for name, values in (("order", state.order), ("parameters", state.parameters)):
        content = BytesIO()
        np.save(content, values.numpy(), allow_pickle=False)
        files[f"private/{name}.npy"] = content.getvalue()
    return files


def public_record(record: learners.RunRecord, run: Run) -> dict[str, Any]:
    """The run record's public part; under release = "final" without the digest of a model that is not released yet."""
    public: dict[str, Any] = dict(record.public())
    if run.mechanism.release == "final":
        phases = [dict(phase) for phase in public["phases"]]
        for key in ("parameters_after", "released_after"):
            phases[-1].pop(key, None)
        public["phases"] = phases
    return public


def check_certificate(certificate: bytes) -> None:
    """Let the checker follow a certificate before anything counts.

    Raises:
        Indeterminate: it does not follow. Where it would take longer than a checker's default work that is not looked
            at.
    """
    try:
        checker.verify(certificate)
    except checker.OutOfWork:
        return
    except checker.CheckError as problem:
        raise Indeterminate(f"no certificate: the checker does not follow: {problem}; nothing was counted") from None


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
