"""The command line, thin: read arguments, call the library, print, answer with the exit code. stdout is data, stderr
is for people."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, NoReturn

from certify.errors import Exit, OutOfReach, UsageError
from certify.files import output_directory

MOST_CHARACTERS = 500  # of a line on stderr
PATIENCE = 2  # seconds before a progress bar shows
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

    made = command(
        "certify",
        _certify,
        "decide whether a run meets its target, and bound what it does meet",
        "With --from: what ε has a run that another accountant recorded, and is the ε that it printed above the truth?",
    )
    made.add_argument("file", metavar="RUN.toml", help=RUN_HELP + "; with --from that record")
    made.add_argument("-o", "--output", metavar="DIR", help="write DIR/certificate.json (whatever the verdict)")
    made.add_argument("--format", choices=("text", "json", "junit"), default="text", help="what stdout gets")
    # The choices are those of certify.peers.FORMATS, which is loaded only when asked for.
    made.add_argument(
        "--from",
        dest="written_by",
        choices=("opacus", "dp-accounting", "triples"),
        help="who wrote FILE: opacus (JSON of state_dict(), or its history), dp-accounting (the text of a DpEvent), "
        "triples (rows of noise multiplier, sample rate, steps)",
    )
    made.add_argument("--delta", metavar="D", type=_exact, help="δ, a decimal or p/q; goes with --from")
    made.add_argument("--epsilon", metavar="E", type=_exact, help="the ε that was printed, to be judged; with --from")

    made = command("calibrate", _calibrate, "find the value that meets the target, rounded to the safe side")
    made.add_argument("file", metavar="RUN.toml", help=RUN_HELP + "; the tuned key may be absent")
    tunable = (
        "noise_std (the default), unlearning_epochs, epochs, batch_size, radius or step_size; of a training run "
        "noise_multiplier, steps, epochs, sample_rate or batch_size"
    )
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
    pictures = "write DIR/scaling.png, of a run that scales gradients; of another, its taut string: DIR/string.png"
    made.add_argument("-o", "--output", metavar="DIR", help=pictures)

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


def _exact(text: str) -> Fraction:
    from accountant.exact import exact

    try:
        return exact(text, "value")
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem).removeprefix("value: ")) from None


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
def _progress(label: str) -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar on stderr for work that takes longer than PATIENCE; none when stderr is no terminal. It is told what is
    being done, how much of it is done, and of how much (0: unknown, and the bar only moves)."""
    if not sys.stderr.isatty():
        yield None
        return
    from threading import Timer

    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, visible=False, total=None)
        timer = Timer(PATIENCE, bar.update, (task,), {"visible": True})
        timer.daemon = True
        timer.start()

        def advance(what: str, done: int, of: int) -> None:
            bar.update(task, description=what, completed=done, total=of or None)

        try:
            yield advance
        finally:
            timer.cancel()


def _certify(arguments: argparse.Namespace) -> int:
    from certify.certificate import write_certificate
    from certify.junit import junit
    from certify.result import certify
    from certify.text import result_text

    if arguments.written_by is not None:
        return _crosscheck(arguments)
    if arguments.delta is not None or arguments.epsilon is not None:
        raise UsageError("--delta, --epsilon: go with --from; a run file has them in [target]")
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


def _crosscheck(arguments: argparse.Namespace) -> int:
    from certify.crosscheck import crosscheck

    if arguments.delta is None:
        raise UsageError("--delta: is missing; --from needs it")
    if arguments.output is not None:
        raise UsageError("-o: makes no certificate with --from; write a run file for one")
    if arguments.format == "junit":
        raise UsageError("--format: junit does not go with --from; write text or json")
    with _progress("certify") as progress:
        found = crosscheck(
            arguments.file,
            written_by=arguments.written_by,
            delta=arguments.delta,
            printed=arguments.epsilon,
            progress=progress,
        )
    if arguments.format == "json":
        _print_json(found.as_json())
    else:
        _print(found.text())
    return found.exit_code


def _calibrate(arguments: argparse.Namespace) -> int:
    from certify.calibration import calibrate
    from certify.text import calibration_text

    with _progress("calibrate") as progress:
        found = calibrate(arguments.file, tune=arguments.tune, progress=progress)
    if arguments.format == "json":
        _print_json(found.as_json())
    else:
        _print(calibration_text(found))
    return found.result.exit_code


def _compare(arguments: argparse.Namespace) -> int:
    from certify.comparison import compare
    from certify.text import comparison_text

    with _progress("compare") as progress:
        found = compare(arguments.file, progress=progress)
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
            progress=progress and (lambda done, of: progress("plan", done, of)),
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
    from certify.scaling_section import ScalingSection, draw, scaling_of

    output = output_directory(arguments.output)
    with _progress("explain") as progress:
        result = certify(arguments.file, progress=progress)
    claim = result.worst
    if arguments.request is not None:
        if not 1 <= arguments.request <= len(result.claims):
            raise UsageError(f"--request: {arguments.request} is none of the requests 1 … {len(result.claims)}")
        claim = result.claims[arguments.request - 1]
    derivation = claim.lower if arguments.lower else claim.upper
    if derivation is None:
        raise UsageError("--lower: there is no lower bound with an active projection")
    written = draw(result, claim, output) if output else None
    parts: list[Any] = [explain(derivation)]
    in_full = not (arguments.brief or arguments.lower)
    if in_full and (scaling := scaling_of(result.run.mechanism)):
        parts.append(ScalingSection(scaling))
    if in_full and isinstance(result.run.mechanism, NoisySGD):
        request = result.claims.index(claim)
        parts.append(analyse(result.run.mechanism, result.run.target_delta, request, claim.upper, claim.bound))
    if arguments.format == "json":
        _print_json({key: value for part in parts for key, value in part.as_json().items()})
    elif arguments.format == "latex":
        print("\n\n".join(filter(None, (part.latex() for part in parts))))
    else:
        print("\n\n".join(part.text() for part in parts))
    if written:
        print(f"wrote {written}", file=sys.stderr)
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
