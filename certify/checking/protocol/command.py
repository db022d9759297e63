"""Command line."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from certify.checking.limits import MAX_BYTES, MAX_KEY, WORK, CheckError, Malformed
from certify.checking.protocol.verification import verify
from certify.checking.reading import end_of, pattern


def from_file(name: str, read: Callable[[BinaryIO], Any]) -> Any:
    try:
        with open(name, "rb") as file:
            return read(file)
    except (OSError, ValueError) as error:
        raise Malformed(f"cannot read {name!a}: {getattr(error, 'strerror', None) or error}") from None


def read_file(name: str, most: int = MAX_BYTES) -> bytes:
    return from_file(name, lambda file: file.read(most + 1))


def sha256_of(file: BinaryIO) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def read_arguments(arguments: list[str]) -> tuple[str, dict[str, list[str]]]:
    """The certificate's file, and the values of each option."""
    once = ("--digest", "--threshold", "--date", "--certificate", "--work")
    known = ("--digest", "--key", "--threshold", "--subject", *once[2:])
    names, options, rest = [], {name: [] for name in known}, iter(arguments)
    for word in rest:
        if word in options:
            value = next(rest, None)
            if value is None:
                raise Malformed(f"{word}: needs a value")
            options[word].append(value)
        elif word.startswith("-"):
            raise Malformed(f"no such option: {word!a}; see checker.py --help")
        else:
            names.append(word)
    if len(names) != 1:
        raise Malformed(f"usage: checker.py CERTIFICATE [{'] ['.join(f'{name} VALUE' for name in options)}]")
    for name in once:
        if len(options[name]) > 1:
            raise Malformed(f"{name}: given twice")
    return names[0], options


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code, and leaves no traceback."""
    out = err = ""
    try:
        if list(arguments) in (["-h"], ["--help"]):
            print(__doc__)
            return 0
        name, options = read_arguments(list(arguments))
        for threshold in options["--threshold"]:
            pattern(r"[1-9][0-9]?", "a number of keys")(threshold, "--threshold")
        for work in options["--work"]:
            pattern(r"[1-9][0-9]{0,17}", "a number of units")(work, "--work")
        report = verify(
            read_file(name),
            *options["--digest"],
            keys=[read_file(key, MAX_KEY) for key in options["--key"]],
            threshold=next(map(int, options["--threshold"]), None),
            subjects=[from_file(subject, sha256_of) for subject in options["--subject"]],
            now=next(map(end_of, options["--date"]), None),
            certificate=next(map(read_file, options["--certificate"]), None),
            work=next(map(int, options["--work"]), WORK),
        )
        out, code = str(report), report.exit_code
    except CheckError as error:
        out, err, code = "\n".join(error.steps), str(error), error.exit_code
    except Exception as error:
        err, code = f"internal error: {type(error).__name__}: {ascii(error)[:200]}", 70
    try:
        if out:
            print(out, flush=True)
    except OSError:  # nobody can read the report: that is no verification
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter fails again at its exit
        err, code = "the report could not be written", 70
    if err:
        print(f"checker: {err}", file=sys.stderr)
    return code


if __name__ == "__main__":
    if sys.stdout is not None:
        sys.stdout.reconfigure(encoding="utf-8")  # the assumptions have Greek letters
    sys.exit(main(sys.argv[1:]))
