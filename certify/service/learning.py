"""`learn`: certify, train, and write a state; nothing is trained or written unless the target is met."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from accountant import NoisySGD
from certify.errors import UsageError
from certify.files import make_directory, output_directory
from certify.results.history import Learning, certify_learning
from certify.runfile.read import load_tables, read_run
from certify.service.commit import PREFIX, check_writable, place, recover, stage
from certify.service.data import check_source, read_data
from certify.service.driving import (
    Progress,
    check_certificate,
    load_learners,
    model_file,
    module_of,
    private_files,
    public_record,
    refusals,
    require_learners,
    sha256,
    told_epochs,
    told_to_learners,
)
from certify.service.folder import (
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
from certify.service.key import key_fingerprint, key_text, new_key
from certify.trust.certificate import certificate_bytes, payload_digest
from certify.trust.execution import make_execution
from certify.trust.together import alone

LEDGER_FILE = "ledger.sqlite"  # and what SQLite lays beside it


@dataclass(frozen=True)
class Learned:
    """What `learn` did. learning: what was certified; state: what was written."""

    state: State
    learning: Learning

    @property
    def result(self) -> Any:
        return self.learning.result

    def epochs_sentence(self) -> str:
        """How long each request runs, and why."""
        k = self.learning.epochs
        if self.state.run.mechanism.release == "all":
            return (
                'release = "all": the learned model is seen, and what it shows no later epoch takes back; '
                f"each request runs K = {k}"
            )
        return f'release = "final": that many at once take K = {k}; each request runs the least K that is certified'

    def as_json(self) -> dict[str, Any]:
        run = self.state.run
        return {
            "state": str(self.state.folder),
            "model": self.state.model,
            "release": run.mechanism.release,
            "records": self.learning.records,
            "covered": self.learning.covered,
            "unlearning_epochs": self.learning.epochs,
            "epsilon": dict(self.result.epsilon),
            "delta": self.result.delta,
            "certificate": str(self.state.folder / CERTIFICATE_FILE),
            "reproducible": self.state.seed is not None,
        }


def learn(
    run_file: str | Path,
    output: str | Path,
    *,
    data: str | Path | None = None,
    model: str | None = None,
    ledger: str | None = None,
    device: str = "auto",
    seed: int | None = None,
    tell: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Learned:
    """Certify a run, learn by it, and leave a state that requests can be made to.

    Args:
        output: the state's folder, which is new or empty.
        data: a file of records; the embedded set of as many records, unless given.
        model: MODULE:FACTORY of a torch module, for loss.kind = "clipped".
        ledger: URL of a database; STATE/ledger.sqlite, unless given.
        seed: makes it a reproducible experiment, which cannot be certified as executed.
        tell: is told how many records the target covers, before anything is trained.
        progress: called as progress(what, done, of).

    Raises:
        OutOfReach: the target is not met; nothing is trained or written.
        UsageError: anything that stands in the way, in one line, before the first step.
    """
    require_learners()
    tables = load_tables(Path(run_file))
    run = read_run(tables)
    if not isinstance(run.mechanism, NoisySGD):
        kind = run.canonical["mechanism"]["kind"]
        raise UsageError(f'mechanism.kind: "{kind}" is certified, and not learned by this command; write "pnsgd"')
    if "release" not in tables.get("threat", {}):
        raise UsageError(
            'threat.release: is missing; write [threat] release = "all" where the model is used between requests, or '
            'release = "final" where only the one after the last request is ever seen'
        )
    folder = output_directory(output)
    assert folder is not None
    _refuse_filled(folder)
    check_source(run, data)
    learning = certify_learning(run)
    if tell is not None:
        tell(learning.sentence())
    certified = learning.result.run
    known = load_learners()
    from learners.models import as_network

    records = read_data(run, data, folder)
    module = module_of(model)
    with refusals():
        known.vouch(certified.mechanism, records.dataset, as_network(module.get("model")))
    text = read_bytes(Path(run_file))
    with _new_folder(folder), _turn(folder, ledger) as (address, turn):
        key = new_key()
        rows = records.rows(key)
        with refusals():
            learned = known.learn(
                certified.mechanism,
                records.dataset,
                mechanism_digest=certified.digest,
                progress=told_epochs(progress, "learn"),
                **module,
                **told_to_learners(run, device, seed),
            )
        public = public_record(learned.record, run)
        files = {
            MODEL_FILE: model_file(learned.released),
            RECORD_FILE: (json.dumps(public, indent=2, sort_keys=True) + "\n").encode(),
        }
        certificate = certificate_bytes(
            learning.result,
            execution=make_execution(public, (), result=learning.result),
            subjects={"model": sha256(files[MODEL_FILE]), "run_record": sha256(files[RECORD_FILE])},
        )
        check_certificate(certificate)
        state = State(
            folder=folder,
            model=turn.model,
            run=run,
            sizes=(),
            epochs=(),
            data=dict(records.source),
            device=device,
            seed=seed,
            factory=model,
            certificate=payload_digest(certificate),
            key=key_fingerprint(key),
            ledger=address,
        )
        files |= {
            RUN_FILE: text,
            CERTIFICATE_FILE: certificate,
            "private/erasure.key": key_text(key).encode(),
            "private/rows.json": rows.to_json(),
            **private_files(learned),
        }
        from certify.ledger.payloads import certificate_entry

        reproducible = seed is not None
        turn.append("created", {"run": run.digest, "release": run.mechanism.release, "reproducible": reproducible})
        payload = {"certificate": certificate_entry(certificate), "records": str(learning.records)}
        stage(folder, turn, "learned", payload | {"reproducible": reproducible}, files, state.as_json())
    return Learned(read_state(folder), learning)


@contextmanager
def _turn(folder: Path, url: str | None) -> Iterator[tuple[str | None, Any]]:
    """A new model's turn with its ledger, and the ledger's address where it is not the folder's own."""
    from certify.ledger import Ledger

    ledger = Ledger.open(url or folder, create=True)
    with ledger.transaction(str(uuid4())) as turn:
        yield None if url is None else lasting(ledger.address), turn


def lasting(address: str) -> str:
    """A file by its whole path, for later calls come from other folders."""
    return address if "://" in address else str(Path(address).absolute())


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """A folder for a new state, which nobody else fills. What is staged when the block ends is moved into place; what a
    killed `learn` left is finished or removed before.

    Raises:
        UsageError: it holds something.
    """
    fresh = not folder.exists()
    make_directory(folder)
    with alone(folder):
        finish_killed(folder)
        _refuse_filled(folder)
        check_writable(folder)
        try:
            yield
        except BaseException:
            if fresh and not any(folder.glob(f"{PREFIX}*")):  # else the row may be there: `finish_killed` looks
                shutil.rmtree(folder, ignore_errors=True)
            raise
        for staged in folder.glob(f"{PREFIX}*"):
            place(folder, staged.name)


def _refuse_filled(folder: Path) -> None:
    """Raise UsageError where a folder holds more than a ledger, and what a `learn` that was killed left, which is
    finished or removed when the folder is taken."""
    if (folder / STATE_FILE).exists():
        raise UsageError(f"{folder}: holds a state already; write to another folder, or `plumbline unlearn` it")
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    cut_off = any(name.startswith(PREFIX) for name in names)
    others = [name for name in names if not name.startswith((LEDGER_FILE, PREFIX))]
    if others and not cut_off:
        raise UsageError(f"{folder}: is not empty ({others[0]!a:.60}); write to another folder")


def finish_killed(folder: Path) -> None:
    """What a `learn` that was killed left: finished where its row counts, else removed."""
    from certify.ledger import Ledger

    for staged in sorted(folder.glob(f"{PREFIX}*")):
        path = staged / STATE_FILE
        if not path.exists():
            shutil.rmtree(staged) if staged.is_dir() else staged.unlink()
            continue
        named = read_json(path)
        with Ledger.open(named.get("ledger") or folder).transaction(str(named["model"])) as turn:
            recover(folder, turn.rows)
