"""Processes that are killed in the middle of a request, and what must hold after each.

    python -m tests.certify.ledger.crashing WHERE FOLDER POINT [POINT …]

WHERE is a database's URL, or "sqlite": then each state has its own ledger. FOLDER is to hold the states. Each point
kills one process: "line:0.3" with SIGKILL at that share of the lines of the project's own code that a request runs
through, "time:0.3" after that share of its time, wherever it is then, in SQLite's or libpq's code too; "all" stands for
every line. Each has a state of its own, with no request before it or with one. The modules are loaded once, and each
process is a fork. No torch is loaded. What a request does here is to add one to a number in a file.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any

from certify.ledger import Ledger
from certify.ledger.turn import Turn
from certify.service.commit import place, recover, stage

OWN = ("certify/ledger/", "certify/service/")


@cache
def known_ledger(where: str) -> Ledger:
    """For the checks: opened once."""
    return Ledger.open(where, create=True)


@dataclass(frozen=True)
class Case:
    """A state, its ledger, and the number of its requests before anybody is killed."""

    where: str
    folder: Path
    model: str
    before: int

    @classmethod
    def new(cls, where: str, root: Path, name: str, before: int) -> Case:
        folder = root / name
        folder.mkdir()
        case = cls(str(folder) if where == "sqlite" else where, folder, name, before)
        for number in range(before):
            case.request(f"former {number}")
        return case

    @contextmanager
    def opened(self, ledger: Ledger) -> Iterator[Turn]:
        """A turn with the state; what a crash left is finished, and the state fits its ledger."""
        with ledger.transaction(self.model) as turn:
            recover(self.folder, turn.rows)
            state = self.folder / "state.json"
            if state.exists():
                head = json.loads(state.read_bytes())["head"]
                turn.require_head((int(head["seq"]), head["hash"]), self.folder)
            else:
                assert not turn.rows, "the ledger has rows, and the folder no state"
            yield turn

    def request(self, token: str) -> None:
        """Add one, once for each token: three files and two rows, together or not at all."""
        names = []
        with self.opened(Ledger.open(self.where, create=True)) as turn:
            if any(row.content.get("token") == token for row in turn.rows):
                return
            number = self.number() + 1
            files = {
                "number.json": json.dumps(number).encode(),
                f"certificate-{number}.json": token.encode() * 500,
                "private/number.json": json.dumps(-number).encode(),
            }
            turn.append("requested", {"token": token, "request": str(number)})
            about = {"model": self.model}
            names.append(stage(self.folder, turn, "erased", {"request": str(number)}, files, about))
        for name in names:
            place(self.folder, name)

    def number(self) -> int:
        path = self.folder / "number.json"
        return json.loads(path.read_bytes()) if path.exists() else 0

    def check(self, fewest: int, most: int) -> None:
        """Recover, and look at everything: the ledger whole, each request counted once, files as the rows say."""
        ledger = known_ledger(self.where)
        with self.opened(ledger) as turn:
            rows = turn.rows
        assert ledger.verify().intact
        number = len(rows) // 2
        assert [row.kind for row in rows] == ["requested", "erased"] * number, "half a request was counted"
        assert fewest <= number <= most, f"{number} requests counted, not {fewest} to {most}"
        tokens = [row.content["token"] for row in rows[::2]]
        assert len(set(tokens)) == len(tokens), "a request was counted twice"
        assert self.number() == number, "the files are of another moment than the ledger"
        for row in rows[1::2]:
            assert (self.folder / f"certificate-{row.content['request']}.json").exists(), "a file was lost"
        for name, digest in rows[-1].content["files"].items() if rows else ():
            assert sha256((self.folder / name).read_bytes()).hexdigest() == digest, name
        assert not list(self.folder.glob(".staged-*")), "something staged is left"


def tracer(act: Callable[[], None]) -> Callable[..., Any]:
    """For sys.settrace: `act` at every line of the project's own code."""

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if not any(part in frame.f_code.co_filename for part in OWN):
            return None
        if event == "line":
            act()
        return trace

    return trace


def kill_at_line(number: int) -> None:
    left = number

    def act() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.settrace(tracer(act))


def kill_after(seconds: float) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # whose default is to end the process, at once
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))


def fork(action: Callable[[], None]) -> int:
    """A child that does it; its exit status is 0, or a signal, or 1 with what went wrong on stderr."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        action()
        code = 0
    except BaseException as problem:
        print(f"child: {problem!r}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """0, or minus the signal."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code <= 0, "a request failed"
    return code


def measure(case: Case) -> tuple[int, float]:
    """How many lines of the project's own code a request runs through, and how many seconds it takes."""
    count = 0

    def act() -> None:
        nonlocal count
        count += 1

    twin = Case.new(
        "sqlite" if case.where == str(case.folder) else case.where,
        case.folder.parent,
        f"{case.model}.twin",
        case.before,
    )
    twin.request("first")  # which imports what a request needs
    start = time.monotonic()
    twin.request("second")
    seconds = time.monotonic() - start
    sys.settrace(tracer(act))
    try:
        case.request("measured")
    finally:
        sys.settrace(None)
    return count, seconds


def crash(case: Case, arm: Callable[[], None], *, beside: bool) -> bool:
    """Kill one process that makes a request, `beside` another that makes one too. Whether it was killed."""

    def dying() -> None:
        arm()
        case.request("killed")

    child = fork(dying)
    other = fork(lambda: case.request("beside")) if beside else None
    killed = ended(child) < 0
    certain = case.before
    if other is not None:
        assert ended(other) == 0
        certain += 1
    case.check(certain, certain + 1)
    if not killed:
        case.check(certain + 1, certain + 1)
    case.request("killed")  # whoever asked asks again
    case.check(certain + 1, certain + 1)
    return killed


def main(where: str, root: Path, points: list[str]) -> None:
    killed, counts = 0, []
    if where != "sqlite":
        Ledger.open(where, create=True)
    for before in (0, 1):
        lines, seconds = measure(Case.new(where, root, f"measured-{before}", before))
        counts.append(lines)
        shares = points if points != ["all"] else [f"line:{(n + 0.5) / lines}" for n in range(lines)]
        for index, (kind, _, share) in enumerate(point.partition(":") for point in shares):
            if points != ["all"] and index % 2 != before:
                continue
            case = Case.new(where, root, f"model-{before}-{index}", before)
            number, delay = 1 + int(float(share) * lines), float(share) * seconds
            arm = partial(kill_at_line, number) if kind == "line" else partial(kill_after, delay)
            killed += crash(case, arm, beside=index % 5 == 0)
            shutil.rmtree(case.folder)
    assert "torch" not in sys.modules
    print(json.dumps({"killed": killed, "lines": counts}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
