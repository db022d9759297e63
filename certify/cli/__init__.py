"""The command line, thin: read arguments, call the library, print, answer with the exit code. stdout is data, stderr
is for people. The options are in options.py, the commands in computing.py and trusting.py."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper

from accountant.core.arithmetic.base import Indeterminate
from certify.checker import CheckError
from certify.cli.options import command_parser
from certify.cli.output import discard, fail, tell
from certify.errors import Exit, OutOfReach, UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; every failure is one line on stderr and its own exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # output has Greek letters; names of files may have any bytes
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        parser = command_parser()
        parsed = parser.parse_args(arguments)
        if parsed.version:
            from importlib.metadata import version

            print(f"plumbline-dp {version('plumbline-dp')}")
            return Exit.OK
        if parsed.command is None:  # prints the help and fails: a script whose command is empty has done nothing
            parser.print_help(sys.stderr)
            return Exit.USAGE
        code = int(parsed.run(parsed))
        sys.stdout.flush()  # what cannot be written fails here, not while Python exits
        return code
    except UsageError as problem:
        code = fail(problem, Exit.USAGE)
        for note in getattr(problem, "__notes__", ()):
            tell(note)
        return code
    except CheckError as refused:
        return fail(refused, refused.exit_code)
    except OutOfReach as problem:
        return fail(problem, Exit.NOT_CERTIFIED)
    except Indeterminate as problem:
        return fail(f"{problem}", Exit.INDETERMINATE)
    except BrokenPipeError:
        # The reader of stdout has gone without the verdict: the exit code must not say certified or verified.
        discard(sys.stdout)
        return Exit.INTERNAL
    except OSError as problem:  # a full disk, under stdout or elsewhere
        discard(sys.stdout)
        return fail(f"{problem.filename or 'output'}: {problem.strerror or problem}", Exit.USAGE)
    except KeyboardInterrupt:
        return fail("interrupted", 130)
    except SystemExit:  # --help
        raise
    except BaseException as problem:  # a panic of Rust code is not an Exception
        return _crashed(problem)


def _crashed(problem: BaseException) -> int:
    """Python's own exit code of an error that nobody caught is 1, which says NOT_CERTIFIED."""
    if os.environ.get("PLUMBLINE_TRACEBACK"):
        traceback.print_exception(problem)
    return fail(f"internal error: {problem!r} (PLUMBLINE_TRACEBACK=1 shows where)", Exit.INTERNAL)
