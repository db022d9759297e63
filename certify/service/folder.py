"""The folder of a state: what it holds, how it is opened, how it changes. Needs no torch.

STATE/run.toml (as given), certificate.json (the learned model), certificate-R.json and erasure-R.json (request R),
model.npz, run_record.json, state.json, ledger.sqlite (unless the ledger is elsewhere), and in private/, for the owner
alone: erasure.key, rows.json, run_record.json, order.npy, parameters.npy, retrained.npz (the reference). Of a training
(`train`) there are run.toml, certificate.json, model.npz, run_record.json, state.json, the ledger and
private/run_record.json.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accountant import ScaledSGD
from certify.checker import Mismatch
from certify.errors import UsageError
from certify.runfile.read import Run, read_run
from certify.service.commit import PREFIX, PRIVATE, STATE_FILE, place, recover, stage, state_digest
from certify.service.key import KEY_FILE, key_fingerprint, read_key
from certify.service.rows import Rows

if TYPE_CHECKING:
    from certify.ledger import Turn

SCHEMA = "plumbline-state/2"
RUN_FILE, MODEL_FILE, RECORD_FILE, ROWS_FILE = "run.toml", "model.npz", "run_record.json", "rows.json"
CERTIFICATE_FILE, RETRAINED_FILE = "certificate.json", f"{PRIVATE}/retrained.npz"
BEGUN_FILE = f"{PRIVATE}/training.json"  # what an unfinished training was begun with
RELEASES = ("released", "exported")  # rows by which somebody has seen the model
OTHERS = ("certificate", "erasure-", RETRAINED_FILE, "retrained.npz")  # the last is where former versions wrote it
REFERENCE = "reference"  # in such a row: that it was the retrained reference


def certificate_name(request: int) -> str:
    """The certificate of a request (from 1); of the learned model for 0."""
    return f"certificate-{request}.json" if request else CERTIFICATE_FILE


@dataclass(frozen=True)
class State:
    """What state.json says.

    sizes, epochs: of the requests honoured so far. data: where the data were last, and what they are called. seed:
    None, or the state is a reproducible experiment. factory: MODULE:FACTORY of a model that was brought along.
    certificate: digest of the last certificate's payload without a date of expiry, the next one's predecessor. key:
    fingerprint of the key.
    """

    folder: Path
    model: str
    run: Run
    sizes: tuple[int, ...]
    epochs: tuple[int, ...]
    data: Mapping[str, Any]
    device: str
    seed: int | None
    factory: str | None
    certificate: str
    key: str
    ledger: str | None
    head: tuple[int, str] = (0, "")

    @property
    def requests(self) -> int:
        return len(self.sizes)

    def as_json(self) -> dict[str, Any]:
        """What state.json gets, but for the head."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "run": self.run.digest,
            "sizes": list(self.sizes),
            "epochs": list(self.epochs),
            "data": dict(self.data),
            "device": self.device,
            "seed": self.seed,
            "factory": self.factory,
            "certificate": self.certificate,
            "key": self.key,
            **({} if self.ledger is None else {"ledger": self.ledger}),
        }

    @property
    def trained(self) -> bool:
        """Whether `plumbline train` wrote it: it has no requests, no key and no rows."""
        return isinstance(self.run.mechanism, ScaledSGD)

    @property
    def private(self) -> Path:
        return self.folder / PRIVATE

    def read_key(self) -> bytes:
        """The key of the commitments. Raises UsageError where it is missing or another, or others can read it."""
        path = self.private / KEY_FILE
        key = read_key(path)
        if key is None or key_fingerprint(key) != self.key:
            what = "is missing" if key is None else "is another key than that of this state"
            raise UsageError(f"{path}: {what}; `plumbline key restore` puts it back from a back-up")
        return key

    def rows(self) -> Rows:
        path = self.private / ROWS_FILE
        return Rows.from_json(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """Raises UsageError."""
    try:
        return path.read_bytes()
    except OSError as problem:
        raise UsageError(f"{path}: {problem.strerror or problem}") from None


def read_json(path: Path) -> dict[str, Any]:
    """Raises UsageError."""
    try:
        content = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"{path}: is damaged ({problem}); restore it from a back-up") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: is damaged; restore it from a back-up")
    return content


def read_state(folder: Path) -> State:
    """What the folder says, as it lies there.

    Raises:
        UsageError: no state, one of another version, or a damaged one.
    """
    path = folder / STATE_FILE
    if not path.exists():
        raise _no_state(folder)
    content = _of_this_version(path)
    run = read_run(folder / RUN_FILE)
    if run.digest != content.get("run"):
        raise UsageError(f"{folder / RUN_FILE}: is not the run file that the model was learned by; restore it")
    try:
        return State(
            folder=folder,
            model=content["model"],
            run=run,
            sizes=tuple(content["sizes"]),
            epochs=tuple(content["epochs"]),
            data=content["data"],
            device=content["device"],
            seed=content["seed"],
            factory=content["factory"],
            certificate=content["certificate"],
            key=content["key"],
            ledger=content.get("ledger"),
            head=(int(content["head"]["seq"]), content["head"]["hash"]),
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise UsageError(f"{path}: is damaged ({problem!r}); restore it from a back-up") from None


def _of_this_version(path: Path) -> dict[str, Any]:
    content = read_json(path)
    schema = content.get("schema")
    if schema != SCHEMA:
        raise UsageError(f"{path}: is of version {schema!a:.60}, this is {SCHEMA}; use the version that wrote it")
    return content


def read_head(folder: Path) -> tuple[int, str]:
    """The ledger's row at which state.json was written. Raises UsageError as `read_state` does."""
    path = folder / STATE_FILE
    try:
        head = _of_this_version(path)["head"]
        return int(head["seq"]), str(head["hash"])
    except (KeyError, TypeError, ValueError) as problem:
        raise UsageError(f"{path}: is damaged ({problem!r}); restore it from a back-up") from None


@dataclass
class Change:
    """One caller's turn with a state, within the ledger's transaction."""

    state: State
    turn: Turn
    staged: list[str] = field(default_factory=list)

    @property
    def reference_seen(self) -> bool:
        """Whether a row says that somebody saw a retrained reference."""
        return any(row.kind in RELEASES and row.content.get(REFERENCE) for row in self.turn.rows)

    @property
    def releases(self) -> int:
        """How many rows say that somebody saw a model of this state."""
        return sum(row.kind in RELEASES for row in self.turn.rows)

    def require_files(self) -> None:
        """Whoever computes with the files of a state asks first that they are those that the ledger names.

        Raises:
            Mismatch: another file, such as one of an older back-up or of another state. UsageError: none.
        """
        for name, digest in named_files(self.turn.rows).items():
            if name == f"{PRIVATE}/{KEY_FILE}":  # which has a fingerprint
                continue
            if hashlib.sha256(read_bytes(self.state.folder / name)).hexdigest() != digest:
                raise not_named(self.state.folder / name)

    def commit(self, kind: str, payload: Mapping[str, Any], files: Mapping[str, bytes], state: State) -> None:
        """Stage files, the row that names them and state.json: they count when the turn ends."""
        self.staged.append(stage(state.folder, self.turn, kind, payload, files, state.as_json()))


def named_files(rows: Iterable[Any]) -> dict[str, str]:
    """The last digest that a row gives each file; but certificates and erasure records, which may be signed since, and
    references, which nothing is computed from and anybody may remove."""
    named: dict[str, str] = {}
    for row in rows:
        named |= row.content.get("files", {})
    return {name: digest for name, digest in named.items() if not name.startswith(OTHERS)}


def not_named(path: Path) -> Mismatch:
    return Mismatch(f"{path}: is not the file that the ledger names; restore it")


def _require_said(folder: Path, rows: Iterable[Any]) -> None:
    """Refuse a state.json that was edited: history, seed and predecessor are read there."""
    said = [row.content["state"] for row in rows if "state" in row.content]
    if not said or state_digest(read_json(folder / STATE_FILE)) != said[-1]:
        raise not_named(folder / STATE_FILE)


@contextmanager
def opened(folder: Path, *, ledger: str | None = None, trained: bool = False) -> Iterator[Change]:
    """A turn with a state: others wait, what a crash left is finished, and the state fits its ledger.

    ledger: where its ledger is now, if that is not what state.json says. trained: whether it may be one that `plumbline
    train` wrote, to which no requests can be made.

    Raises:
        UsageError: no state, a damaged one, one of another kind, a ledger that is away. Mismatch: the ledger's
            head is not the state's.
    """
    from certify.ledger import Ledger

    named = _named_by(folder)
    model, address = named.get("model"), named.get("ledger")
    if not isinstance(model, str) or not isinstance(address, str | None):
        raise UsageError(f"{folder / STATE_FILE}: names no model, or no ledger; restore it from a back-up")
    with Ledger.open(ledger or address or folder).transaction(model) as turn:
        recover(folder, turn.rows)
        turn.require_head(read_head(folder), folder)
        _require_said(folder, turn.rows)
        state = read_state(folder)
        if state.trained and not trained:
            raise UsageError(
                f"{folder}: holds a model that `plumbline train` made, for which nothing is certified about requests; "
                "status and export are for it, this is for those of `plumbline learn`"
            )
        change = Change(state, turn)
        yield change
    for name in change.staged:
        place(folder, name)


def _named_by(folder: Path) -> dict[str, Any]:
    """What the folder's state.json says, or the one that is staged there: learning may have been cut off."""
    for path in (folder / STATE_FILE, *sorted(folder.glob(f"{PREFIX}*/{STATE_FILE}"))):
        if path.exists():
            return read_json(path)
    raise _no_state(folder)


def _no_state(folder: Path) -> UsageError:
    if (folder / BEGUN_FILE).exists():
        return UsageError(
            f"{folder}: holds a training that is not finished; `plumbline train {folder}` goes on with it"
        )
    return UsageError(f"{folder}: holds no state; `plumbline learn RUN.toml -o {folder}` makes one")
