"""`retrain`: the reference that unlearning is compared with, from the start and without the erased records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certify.errors import UsageError
from certify.service.commit import check_writable
from certify.service.data import check_source, data_of
from certify.service.driving import (
    Progress,
    continued,
    load_learners,
    model_file,
    module_of,
    refusals,
    require_learners,
    told_epochs,
    told_to_learners,
)
from certify.service.folder import RETRAINED_FILE, State, opened


@dataclass(frozen=True)
class Retrained:
    """epochs: how many it took; output: where the reference was written, as model.npz is."""

    state: State
    epochs: int
    output: Path

    def as_json(self) -> dict[str, Any]:
        return {
            "state": str(self.state.folder),
            "model": self.state.model,
            "requests": self.state.requests,
            "epochs": self.epochs,
            "output": str(self.output),
        }


def retrain(
    folder: str | Path,
    *,
    data: str | Path | None = None,
    ledger: str | None = None,
    device: str | None = None,
    progress: Progress | None = None,
    force: bool = False,
) -> Retrained:
    """Train the reference on the data without the erased records; it shares the batches of the state's model.

    It is written to STATE/private/retrained.npz, for the owner alone: no certificate counts that somebody sees it as
    well. Whoever shows it does so by `export(…, retrained=True)`, which the ledger records.

    Args:
        force: replace a reference that is there.

    Raises:
        UsageError: no request was honoured yet, a reference that is there, or that no run reaches, data that changed.
        Mismatch: the state is a copy, or its ledger is another one.
    """
    require_learners()
    folder = Path(folder)
    with opened(folder, ledger=ledger) as change:
        state = change.state
        change.require_files()
        if not state.requests:
            raise UsageError(f"{folder}: no request was honoured yet; there is nothing to leave out")
        if (folder / RETRAINED_FILE).exists() and not force:
            raise UsageError(f"{folder / RETRAINED_FILE}: exists already; replace it with --force")
        check_writable(folder)
        check_source(state.run, data if data is not None else state.data.get("path"))
        known = load_learners()
        records = data_of(state, state.read_key(), data)
        run = state.run.with_requests(state.sizes, state.epochs)
        former = continued(state, records.dataset)
        with refusals():
            reference = known.retrain(
                run.mechanism,
                records.dataset,
                former.erased,
                order=former.order,
                mechanism_digest=run.digest,
                progress=told_epochs(progress, "retrain"),
                **module_of(state.factory),
                **told_to_learners(run, device or state.device, state.seed),
            )
        epochs = reference.record.phases[-1].epochs
        about = {"request": str(state.requests), "records": str(sum(state.sizes)), "epochs": str(epochs)}
        change.commit("retrained", about, {RETRAINED_FILE: model_file(reference.released)}, state)
    return Retrained(state, epochs, folder / RETRAINED_FILE)
