"""What the composite action (action.yml) runs: `plumbline gate` on the files that its inputs name. It needs Python 3.11
or later and the standard library alone; inputs are in INPUT_… variables. The exit code is that of the gate."""

from __future__ import annotations

import glob
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

MALFORMED, INTERNAL = 2, 70
SOURCE = Path(__file__).resolve().parent.parent


def given(name: str, default: str = "") -> str:
    """An input; empty is as good as absent."""
    return os.environ.get(f"INPUT_{name}", "").strip() or default


def stop(problem: str, code: int = MALFORMED) -> NoReturn:
    print(f"plumbline gate: {problem}", file=sys.stderr)
    raise SystemExit(code)


def installed() -> str:
    """The command, from this repository, in an environment of its own with pinned versions."""
    folder = Path(os.environ.get("RUNNER_TEMP") or ".") / "plumbline-gate"
    bin = folder / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [bin / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", SOURCE / "constraints.txt", SOURCE], check=True)
    return str(bin / "plumbline")


def certificates() -> list[str]:
    """The files that the patterns name, each once. A pattern without a file stops: nothing fails open."""
    found: dict[str, None] = {}
    for pattern in filter(None, map(str.strip, given("CERTIFICATES", "**/certificate.json").splitlines())):
        files = sorted(glob.glob(pattern, recursive=True))
        if not files:
            stop(f"no certificate matches {pattern!r}")
        found |= dict.fromkeys(files)
    return list(found)


def main() -> int:
    if not given("POLICY"):
        stop("the input policy is missing")
    if given("INSTALL", "true") not in ("true", "false"):
        stop(f"the input install: got {given('INSTALL')!r}; write true or false")
    files = certificates()
    plumbline = installed() if given("INSTALL", "true") == "true" else "plumbline"
    options = ["--format", given("FORMAT", "text")]
    if date := given("DATE"):
        options += ["--date", date]
    done = subprocess.run([plumbline, "gate", *options, "--", given("POLICY"), *files], stdout=subprocess.PIPE)
    sys.stdout.buffer.write(done.stdout)
    sys.stdout.flush()
    if output := given("OUTPUT"):
        Path(output).write_bytes(done.stdout)
    return done.returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as problem:  # not 1, which says that a rule is violated
        stop(str(problem) or repr(problem), INTERNAL)
