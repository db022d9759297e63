"""Processes that are killed in the middle of a request, and what must hold after each.

    python -m tests.certify.ledger.crashing WHERE FOLDER POINT [POINT …]

WHERE is a ledger, FOLDER the state's. Each point kills one process: "line:N" with SIGKILL at the N-th line of the
project's own code, "time:S" after S seconds, wherever it is then, in SQLite's or libpq's code too ("share:" and
"time:" of `main` are shares of a request's). The modules are loaded once, and each process is a fork. No torch is
loaded. What a request does here is to add one to a number in a file.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from certify.ledger import Ledger
from certify.ledger.turn import Turn
from tests.certify.ledger.committing import place, recover, stage

MODEL = "11111111-1111-4111-8111-111111111111"
OWN = ("certify/ledger/", "certify/service/", "tests/certify/ledger/committing")
SLOW = 30.0  # seconds that no request takes


@contextmanager
def opened(ledger: Ledger, folder: Path) -> Iterator[Turn]:
    """A turn with the state; what a crash left is finished, and the state fits its ledger."""
    with ledger.transaction(MODEL) as turn:
        recover(folder, turn.rows)
        state = folder / "state.json"
        if state.exists():
            head = json.loads(state.read_bytes())["head"]
            turn.require_head((int(head["seq"]), head["hash"]), folder)
        else:
            assert not turn.rows, "the ledger has rows, and the folder no state"
        yield turn


def request(where: str, folder: Path, token: str) -> None:
    """Add one, once for each token: three files and two rows, together or not at all."""
    names = []
    with opened(Ledger.open(where, create=True), folder) as turn:
        if any(row.content.get("token") == token for row in turn.rows):
            return
        number = number_in(folder) + 1
        files = {
            "number.json": json.dumps(number).encode(),
            f"certificate-{number}.json": token.encode() * 500,
            "private/number.json": json.dumps(-number).encode(),
        }
        turn.append("requested", {"token": token, "request": str(number)})
        names.append(stage(folder, turn, "erased", {"request": str(number)}, files, {"model": MODEL}))
    for name in names:
        place(folder, name)


def number_in(folder: Path) -> int:
    path = folder / "number.json"
    return json.loads(path.read_bytes()) if path.exists() else 0


def check(ledger: Ledger, folder: Path, fewest: int, most: int) -> int:
    """Recover, and look at everything: the ledger whole, each request counted once, files and rows of one moment."""
    from hashlib import sha256

    with opened(ledger, folder) as turn:
        rows = turn.rows
    assert ledger.verify().intact and ledger.rows() == rows
    kinds = [row.kind for row in rows]
    number = len(rows) // 2
    assert kinds == ["requested", "erased"] * number, "half a request was counted"
    assert fewest <= number <= most, f"{number} requests counted, not {fewest} to {most}"
    tokens = [row.content["token"] for row in rows[::2]]
    assert len(set(tokens)) == len(tokens), "a request was counted twice"
    assert number_in(folder) == number, "the files are of another moment than the ledger"
    for row in rows:
        if row is rows[-1] or row.kind == "requested":
            continue
        assert (folder / f"certificate-{row.content['request']}.json").exists(), "a file was lost"
    if rows:
        for name, digest in rows[-1].content["files"].items():
            assert sha256((folder / name).read_bytes()).hexdigest() == digest, name
        assert not list(folder.glob(".staged-*")), "something staged is left"
    return number


def arm_timer(seconds: float) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # whose default is to end the process, at once
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))


def killer(point: str) -> Callable[[], None]:
    """What arms the kill in the process that is to die."""
    kind, _, value = point.partition(":")
    if kind == "time":
        return lambda: arm_timer(float(value))
    left = int(value)

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if not any(part in frame.f_code.co_filename for part in OWN):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return lambda: sys.settrace(trace)


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


def count_lines(where: str, folder: Path) -> int:
    """How many lines of the project's own code one request runs through."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if not any(part in frame.f_code.co_filename for part in OWN):
            return None
        count += event == "line"
        return trace

    sys.settrace(trace)
    try:
        request(where, folder, "counted")
    finally:
        sys.settrace(None)
    return count


def crash(where: str, folder: Path, point: str, *, beside: bool) -> bool:
    """Kill one process at the point, `beside` another that makes a request too. Whether it was killed."""
    ledger = Ledger.open(where)
    before = check(ledger, folder, 0, sys.maxsize)
    arm = killer(point)

    def dying() -> None:
        arm()
        request(where, folder, f"{point} {before}")

    child = fork(dying)
    other = fork(lambda: request(where, folder, f"beside {point} {before}")) if beside else None
    killed = ended(child) < 0
    if other is not None:
        assert ended(other) == 0
    certain = before + (other is not None)
    after = check(ledger, folder, certain, certain + 1)
    assert killed or after == certain + 1
    request(where, folder, f"{point} {before}")  # whoever asked asks again
    assert check(ledger, folder, certain + 1, certain + 1) == certain + 1
    return killed


def main(where: str, folder: Path, points: list[str]) -> None:
    start = time.monotonic()
    lines = count_lines(where, folder)
    seconds = time.monotonic() - start
    if points == ["all"]:
        points = [f"line:{number}" for number in range(1, lines + 1)]
    killed = 0
    for index, point in enumerate(points):
        kind, _, share = point.partition(":")
        if kind == "share":  # of the lines of a request, seeded by whoever asks
            point = f"line:{1 + int(float(share) * lines)}"
        elif kind == "time":  # of the time that it takes
            point = f"time:{float(share) * min(seconds, SLOW)}"
        killed += crash(where, folder, point, beside=index % 3 == 0)
    assert "torch" not in sys.modules
    print(json.dumps({"points": len(points), "killed": killed, "lines": lines}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
