"""A model with its history, in memory and in a folder: private to whoever holds the data, but for `released`."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from accountant.core.exact import canonical, settle
from accountant.mechanisms.pnsgd import NoisySGD
from learners.data import Dataset
from learners.models import Network, as_network
from learners.record import RunRecord, canonical_json, mechanism_from_json, parameters_hash, sha256

SCHEMA = "plumbline-arrays/2"
ARRAYS = ("parameters", "released", "features", "labels", "order")


class StateMismatch(ValueError):
    """A folder whose files do not belong together: changed, incomplete or no state at all."""


@dataclass(frozen=True, eq=False)
class State:
    """What a learner leaves behind, and takes up again for the next request.

    dataset is the *current* one: erased records are replaced in it already. order (n,) holds the fixed permutation
    behind the batches, private when batch_order = "secret". erased lists the ids erased so far, private too.
    released (p,): the parameters as they may be shown, rounded to a public grid (docs/theory.md T28); the next request
    goes on from `parameters`, which stay private. Both are float64, on the CPU; class by class for softmax regression,
    in the order of `named_parameters` for a module, which `network` holds.
    """

    mechanism: NoisySGD
    dataset: Dataset
    parameters: Tensor
    order: Tensor
    erased: tuple[int, ...]
    record: RunRecord
    network: Network | None = None
    released: Tensor = None  # type: ignore[assignment]  # the parameters, once built, where nothing else is given

    def __post_init__(self) -> None:
        if self.released is None:
            settle(self, released=self.parameters)

    @property
    def requests_done(self) -> int:
        """How many of the mechanism's requests were executed."""
        return sum(phase.kind == "unlearn" for phase in self.record.phases)


def _order_hash(order: np.ndarray) -> str:
    return sha256(order.astype("<i8").tobytes())


def save(state: State, directory: str | Path) -> Path:
    """Write the state to `directory`: its arrays as .npy, record.json, and state.json with what else is private.

    The folder appears whole or not at all; a former state there is replaced, and with it the data that were erased
    since (unlinked, not wiped from the disk).

    Raises:
        StateMismatch: the directory exists and is neither empty nor a state; nothing is touched.
    """
    target = Path(directory).absolute()
    former = target.exists()
    if former and not (target.is_dir() and ((target / "state.json").is_file() or not any(target.iterdir()))):
        raise StateMismatch(f"{target}: exists and is not a saved state; give a new directory")
    target.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        "parameters": state.parameters.numpy(),
        "released": state.released.numpy(),
        "features": state.dataset.features.numpy(),
        "labels": state.dataset.labels.numpy(),
        "order": state.order.numpy(),
    }
    private = {
        "schema": SCHEMA,
        "record_digest": state.record.digest,
        "erased": list(state.erased),
        "order_hash": _order_hash(arrays["order"]),
        "feature_norm": canonical(state.dataset.feature_norm),
        "absent": list(state.dataset.absent),
        "ids": list(state.dataset.ids),
    }
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))  # readable by its owner only
    try:
        for name, array in arrays.items():
            np.save(fresh / f"{name}.npy", array, allow_pickle=False)
        (fresh / "record.json").write_text(canonical_json(state.record.to_json()), encoding="utf-8")
        (fresh / "state.json").write_text(canonical_json(private), encoding="utf-8")
        for file in fresh.iterdir():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        if former:  # a folder cannot be replaced in one move: for a moment the former one stands aside, whole
            aside = fresh.with_name(fresh.name + ".former")
            target.rename(aside)
            fresh.rename(target)
            shutil.rmtree(aside)
        else:
            fresh.rename(target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return target


def load(directory: str | Path, *, model: nn.Module | Network | None = None) -> State:
    """Read what `save` wrote. Nothing is unpickled; every file must match its hash in the record or in state.json.

    model: the module that was learned, where it is to take requests; its code is not saved.

    A signature is certify's matter: somebody who rewrites every file alike is not noticed here.

    Raises:
        StateMismatch: names the file that is missing, unreadable or changed.
    """
    folder, name = Path(directory), "state.json"
    try:
        private = json.loads((folder / name).read_text(encoding="utf-8"))
        if private["schema"] != SCHEMA:
            raise ValueError(f"of version {private['schema']}, this reads {SCHEMA}")
        name = "record.json"
        record = RunRecord.from_json(json.loads((folder / name).read_text(encoding="utf-8")))
        mechanism = mechanism_from_json(record.mechanism)
        arrays = {}
        for array in ARRAYS:
            name = f"{array}.npy"
            with (folder / name).open("rb") as handle:  # np.load would take zip files as well
                arrays[array] = np.lib.format.read_array(handle, allow_pickle=False)
            if arrays[array].dtype != ("<i8" if array == "order" else "<f8"):
                raise ValueError(f"numbers of type {arrays[array].dtype}")
        parameters, released = torch.from_numpy(arrays["parameters"]), torch.from_numpy(arrays["released"])
        order = torch.from_numpy(arrays["order"])
        name = "features.npy"
        dataset = Dataset(
            record.dataset,
            torch.from_numpy(arrays["features"]),
            torch.from_numpy(arrays["labels"]),
            private["feature_norm"],
            tuple(private["ids"]),
            absent=tuple(private["absent"]),
        )
        last = record.phases[-1]
        if released.shape != parameters.shape or parameters.shape != (last.dimension or dataset.features.shape[1],):
            name = "parameters.npy"
            raise ValueError(f"shape {tuple(parameters.shape)} for {dataset.features.shape[1]} features")
        expected = {
            "record.json": (record.digest, private["record_digest"]),
            "parameters.npy": (parameters_hash(parameters), last.parameters_after),
            "released.npy": (parameters_hash(released), last.released_after),
            "features.npy or labels.npy": (dataset.fingerprint, last.data_after),
            "order.npy": (_order_hash(arrays["order"]), private["order_hash"]),
        }
        erased = tuple(private["erased"])
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, RecursionError) as error:
        raise StateMismatch(
            f"{folder / name}: not a saved state, or damaged ({error}); restore it from a copy"
        ) from error
    for name, (found, stated) in expected.items():
        if found != stated:
            raise StateMismatch(
                f"{folder / name}: hash {found[:12]}…, the record says {stated[:12]}…; restore it from a copy"
            )
    return State(mechanism, dataset, parameters, order, erased, record, as_network(model), released)
