"""The command line, thin: read arguments, call the library, print, answer with the exit code. stdout is data, stderr
is for people."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from certify.errors import Exit, OutOfReach, UsageError
from certify.files import output_directory

MOST_CHARACTERS = 500  # of a line on stderr
RUN_HELP = "run file (TOML); its keys are in docs/run-file.md"
EXIT_CODES = """exit codes:
  0  certified, verified
  1  not certified; a target out of reach; an intact certificate whose claim does not follow or has expired
  2  usage or malformed input
  3  indeterminate
  4  digest, signature or subject does not match
  70 internal error"""


class _Parser(argparse.ArgumentParser):
    """Errors are one line, exit 2."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="plumbline",
        description="Tells whether a privacy claim about noisy-gradient training or unlearning is true, and shows why.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, run: Callable[[argparse.Namespace], int], help: str, details: str = "") -> _Parser:
        made = commands.add_parser(
            name,
            help=help,
            description=f"{help[0].upper()}{help[1:]}. {details}".strip(),
            epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run)
        return made

    made = command("certify", _certify, "decide whether a run meets its target, and bound what it does meet")
    made.add_argument("file", metavar="RUN.toml", help=RUN_HELP)
    made.add_argument("-o", "--output", metavar="DIR", help="write DIR/certificate.json (whatever the verdict)")
    made.add_argument("--format", choices=("text", "json", "junit"), default="text", help="what stdout gets")

    made = command("calibrate", _calibrate, "find the value that meets the target, rounded to the safe side")
    made.add_argument("file", metavar="RUN.toml", help=RUN_HELP + "; the tuned key may be absent")
    tunable = "noise_std (the default), unlearning_epochs, epochs, batch_size, radius or step_size"
    made.add_argument("--tune", metavar="PARAMETER", default="noise_std", help=tunable)
    made.add_argument("--format", choices=("text", "json"), default="text", help="what stdout gets")

    made = command("compare", _compare, "put our bound beside the published ones and the lower bound")
    made.add_argument("file", metavar="RUN.toml", help=RUN_HELP)
    made.add_argument("--format", choices=("text", "json"), default="text", help="what stdout gets")

    made = command(
        "plan",
        _plan,
        "show what unlearning costs: the least certified noise by unlearning epochs and batch size",
        "Marked are the rows with the least noise for their number of gradients.",
    )
    made.add_argument("file", metavar="RUN.toml", help=RUN_HELP + "; the varied keys may be absent")
    made.add_argument("--batch-sizes", metavar="B,B,…", type=_wholes, help="default: at most six divisors of n")
    made.add_argument("--unlearning-epochs", metavar="K,K,…", type=_wholes, help="default: 1,2,3,5,8,13 below T")
    made.add_argument("-o", "--output", metavar="DIR", help="write DIR/plan.json and DIR/plan.png")
    made.add_argument("--format", choices=("text", "json"), default="text", help="what stdout gets")

    made = command(
        "explain",
        _explain,
        "show the derivation as a tree and as formulas, its limits, and what it depends on",
        "Limits (T → ∞, K → ∞, c → 1), derivatives of ε, the same run with one change, and what dominates.",
    )
    made.add_argument("file", metavar="RUN.toml", help=RUN_HELP)
    made.add_argument("--format", choices=("text", "latex", "json"), default="text", help="what stdout gets")
    made.add_argument("--lower", action="store_true", help="explain the lower bound instead (its derivation alone)")
    made.add_argument("--brief", action="store_true", help="the derivation alone: no limits, sensitivities, shares")
    made.add_argument("--request", type=int, metavar="R", help="the request, counted from 1 (default: the worst)")

    made = command(
        "verify",
        _verify,
        "re-derive a certificate's claim in exact integers, trusting nobody who made it",
        "The same check without Plumbline: python checker.py CERT, with certify/checker.py alone.",
    )
    made.add_argument("file", metavar="CERT", help="certificate.json")
    made.add_argument(
        "--run", metavar="RUN.toml", dest="run_file", help="refuse a certificate about another run than this"
    )
    made.add_argument("--format", choices=("text", "json"), default="text", help="what stdout gets")
    return parser


def _wholes(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}; write whole numbers with commas in between") from None


def _print(text: str) -> None:
    """Text to stdout; the verdict in colour where the terminal has it (rich respects NO_COLOR)."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    shown = Text(text)
    for word, style in (("NOT_CERTIFIED", "bold red"), ("INDETERMINATE", "bold yellow"), ("CERTIFIED", "bold green")):
        if text.startswith(word):
            shown.stylize(style, 0, len(word))
            break
    console.print(shown)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr for work that takes more than two seconds; none when stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    import time

    from rich.console import Console
    from rich.progress import Progress

    started = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True, disable=False) as bar:
        task = bar.add_task(label, visible=False)

        def advance(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of, visible=time.monotonic() - started > 2)

        yield advance


def _certify(arguments: argparse.Namespace) -> int:
    from certify.certificate import write_certificate
    from certify.junit import junit
    from certify.result import certify
    from certify.text import result_text

    output = output_directory(arguments.output)
    with _progress("certify") as progress:
        result = certify(arguments.file, progress=progress)
    written = write_certificate(result, output) if output else None
    if arguments.format == "json":
        _print_json(result.as_json())
    elif arguments.format == "junit":
        print(junit(result))
    else:
        _print(result_text(result))
    if written:
        print(f"wrote {written} (UNSIGNED)", file=sys.stderr)
    return result.exit_code


def _calibrate(arguments: argparse.Namespace) -> int:
    from certify.calibration import calibrate
    from certify.text import calibration_text

    found = calibrate(arguments.file, tune=arguments.tune)
    if arguments.format == "json":
        _print_json(found.as_json())
    else:
        _print(calibration_text(found))
    return found.result.exit_code


def _compare(arguments: argparse.Namespace) -> int:
    from certify.comparison import compare
    from certify.text import comparison_text

    found = compare(arguments.file)
    if arguments.format == "json":
        _print_json(found.as_json())
    else:
        _print(comparison_text(found))
    return Exit.OK


def _plan(arguments: argparse.Namespace) -> int:
    from certify.planning import plan, write_plan
    from certify.text import plan_text

    output = output_directory(arguments.output)
    with _progress("plan") as progress:
        found = plan(
            arguments.file,
            batch_sizes=arguments.batch_sizes,
            unlearning_epochs=arguments.unlearning_epochs,
            progress=progress,
        )
    written = write_plan(found, output) if output else ()
    if arguments.format == "json":
        _print_json(found.as_json())
    else:
        _print(plan_text(found))
    for path in written:
        print(f"wrote {path}", file=sys.stderr)
    return Exit.OK


def _explain(arguments: argparse.Namespace) -> int:
    from accountant import NoisySGD
    from accountant.explain import explain
    from certify.explanation import analyse
    from certify.result import certify

    result = certify(arguments.file)
    claim = result.worst
    if arguments.request is not None:
        if not 1 <= arguments.request <= len(result.claims):
            raise UsageError(f"--request: {arguments.request} is none of the requests 1 … {len(result.claims)}")
        claim = result.claims[arguments.request - 1]
    derivation = claim.lower if arguments.lower else claim.upper
    if derivation is None:
        raise UsageError("--lower: there is no lower bound with an active projection")
    explanation, more = explain(derivation), None
    if not (arguments.brief or arguments.lower) and isinstance(result.run.mechanism, NoisySGD):
        request = result.claims.index(claim)
        more = analyse(result.run.mechanism, result.run.target_delta, request, claim.upper, claim.bound)
    if arguments.format == "json":
        _print_json(explanation.as_json() | (more.as_json() if more else {}))
    elif arguments.format == "latex":
        print("\n\n".join(filter(None, (explanation.latex(), more and more.latex()))))
    else:
        print("\n\n".join(filter(None, (explanation.text(), more and more.text()))))
    return Exit.OK


def _verify(arguments: argparse.Namespace) -> int:
    from certify.verification import verify

    report = verify(arguments.file, run=arguments.run_file)
    if arguments.format == "json":
        _print_json(report.as_json())
    else:
        print(report.text())
        if report.problem:
            _fail(report.problem, report.exit_code)
    return report.exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; every failure is one line on stderr and its own exit code."""
    from accountant import Indeterminate

    try:
        parsed = _parser().parse_args(arguments)
        if parsed.version:
            from importlib.metadata import version

            print(f"plumbline-dp {version('plumbline-dp')}")
            return Exit.OK
        if parsed.command is None:
            raise UsageError("a command is needed (see plumbline --help)")
        code = int(parsed.run(parsed))
        sys.stdout.flush()  # what cannot be written fails here, not while Python exits
        return code
    except UsageError as problem:
        return _fail(problem, Exit.USAGE)
    except OutOfReach as problem:
        return _fail(problem, Exit.NOT_CERTIFIED)
    except Indeterminate as problem:
        return _fail(f"{problem}", Exit.INDETERMINATE)
    except BrokenPipeError:
        # Whoever read stdout has gone, and with them the verdict: no code that says certified or verified.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would complain again while closing it
        return Exit.INTERNAL
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except Exception as problem:
        if os.environ.get("PLUMBLINE_TRACEBACK"):
            raise
        return _fail(f"internal error: {problem!r} (PLUMBLINE_TRACEBACK=1 shows where)", Exit.INTERNAL)


def _fail(problem: object, code: int) -> int:
    print(f"plumbline: {_one_line(str(problem))}", file=sys.stderr)
    return int(code)


def _one_line(text: str) -> str:
    """What a file says is shown without its line breaks and escape sequences, and not at any length."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= MOST_CHARACTERS else f"{shown[: MOST_CHARACTERS - 1]}…"


if __name__ == "__main__":
    sys.exit(main())
