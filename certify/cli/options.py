"""The options of every command, and their help."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import NoReturn

from accountant.mechanisms.neighbours import NEIGHBOURS
from accountant.mechanisms.sampling import SAMPLINGS
from certify.cli.computing import run_calibrate, run_certify, run_compare, run_explain, run_plan
from certify.cli.experimenting import add_experiment
from certify.cli.ledger_options import add_ledger
from certify.cli.serving_options import WORKERS_HELP, add_service
from certify.cli.training import add_training
from certify.cli.trusting import run_gate, run_keygen, run_report, run_sign, run_verify
from certify.errors import Exit, UsageError

Command = Callable[..., argparse.ArgumentParser]

RUN_HELP = "run file (TOML); its keys are in docs/run-file.md"
KEY_HELP = "public key whose signature is asked for (may be given several times)"
THRESHOLD_HELP = "how many of the given keys must have signed (default: all)"
HELP = "show the help of a command, as COMMAND --help does"
EXIT_CODES = """exit codes:
  0  certified, verified; every certificate passes the gate
  1  not certified; a target out of reach; an intact certificate whose claim does not follow or has expired; a rule of
     the gate is violated
  2  usage or malformed input
  3  indeterminate
  4  digest, signature or subject does not match
  70 internal error"""


class Parser(argparse.ArgumentParser):
    """Errors are one line, exit 2."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def command_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; what it parses has `run`, the command's function."""
    parser = Parser(
        prog="plumbline",
        description="Tells whether a privacy claim about noisy-gradient training or unlearning is true, and shows why.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)

    def command(name: str, run: Callable[[argparse.Namespace], int], help: str, details: str = "") -> Parser:
        options = commands.add_parser(
            name,
            help=help,
            description=f"{help[0].upper()}{help[1:]}. {details}".strip(),
            epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        options.set_defaults(run=run)
        return options

    _computing(command)
    _trusting(command)
    add_ledger(command, _whole, _day)
    add_experiment(command, _whole, WORKERS_HELP)
    add_service(command)
    add_training(command, _exact, _as_written)
    options = command(
        "help", lambda arguments: _help(parser, commands.choices[arguments.of or "help"], arguments), HELP
    )
    options.add_argument(
        "of", metavar="COMMAND", nargs="?", choices=tuple(commands.choices), help="default: all of them"
    )
    return parser


def _help(parser: Parser, command: Parser, arguments: argparse.Namespace) -> int:
    (parser if arguments.of is None else command).print_help()
    return Exit.OK


def _computing(command: Command) -> None:
    options = command(
        "certify",
        run_certify,
        "decide whether a run meets its target, and bound what it does meet",
        "With --from: what ε has a run that another accountant recorded, and is the ε that it printed above the truth? "
        "-o then writes a certificate of that run at that ε.",
    )
    options.add_argument("file", metavar="RUN.toml", help=RUN_HELP + "; with --from that record")
    options.add_argument("-o", "--output", metavar="DIR", help="write DIR/certificate.json (whatever the verdict)")
    options.add_argument("--format", choices=("text", "json", "junit"), default="text", help="what stdout gets")
    # The choices are those of results.peers.FORMATS, which is loaded only when asked for.
    options.add_argument(
        "--from",
        dest="written_by",
        choices=("opacus", "dp-accounting", "triples"),
        help="who wrote FILE: opacus (JSON of state_dict(), or its history), dp-accounting (the text of a DpEvent, or "
        "of its named tuple), triples (rows of noise multiplier, sample rate, steps, with or without a heading)",
    )
    options.add_argument("--delta", metavar="D", type=_exact, help="δ, a decimal or p/q; goes with --from")
    options.add_argument(
        "--epsilon", metavar="E", type=_as_written, help="the ε that was printed, to be judged; with --from"
    )
    sampling = (
        "how batches were really drawn; with --from (default: what the record says, else poisson, and it says so)"
    )
    options.add_argument(
        "--sampling", metavar="S", choices=tuple(SAMPLINGS), help=f"{sampling}: {', '.join(SAMPLINGS)}"
    )
    neighbours = "with --from (default: what goes with the sampling)"
    options.add_argument("--neighbours", metavar="N", choices=NEIGHBOURS, help=f"{', '.join(NEIGHBOURS)}; {neighbours}")

    options = command("calibrate", run_calibrate, "find the value that meets the target, rounded to the safe side")
    options.add_argument("file", metavar="RUN.toml", help=RUN_HELP + "; the tuned key may be absent")
    tunable = (
        "noise_std (the default), unlearning_epochs, epochs, batch_size, radius or step_size; of a training run "
        "noise_multiplier (the default), steps, epochs, sample_rate or batch_size; the least noise_std, "
        "noise_multiplier, unlearning_epochs or (of pnsgd) batch_size, the largest of any other"
    )
    options.add_argument("--tune", metavar="PARAMETER", help=tunable)
    options.add_argument("--format", choices=("text", "json"), default="text", help="what stdout gets")

    options = command("compare", run_compare, "put our bound beside the published ones and the lower bound")
    options.add_argument("file", metavar="RUN.toml", help=RUN_HELP)
    options.add_argument("--format", choices=("text", "json"), default="text", help="what stdout gets")

    options = command(
        "plan",
        run_plan,
        "show what unlearning costs: the least certified noise by unlearning epochs and batch size",
        "Marked are the rows with the least noise for their number of gradients.",
    )
    options.add_argument("file", metavar="RUN.toml", help=RUN_HELP + "; the varied keys may be absent")
    options.add_argument("--batch-sizes", metavar="B,B,…", type=_wholes, help="default: at most six divisors of n")
    options.add_argument("--unlearning-epochs", metavar="K,K,…", type=_wholes, help="default: 1,2,3,5,8,13 below T")
    options.add_argument("--workers", metavar="W", help=f"{WORKERS_HELP}; default: no others")
    options.add_argument("-o", "--output", metavar="DIR", help="write DIR/plan.json and DIR/plan.png")
    options.add_argument("--format", choices=("text", "json"), default="text", help="what stdout gets")

    options = command(
        "explain",
        run_explain,
        "show the derivation as a tree and as formulas, its limits, and what it depends on",
        "Limits (T → ∞, K → ∞, c → 1), derivatives of ε, the same run with one change, and what dominates.",
    )
    options.add_argument("file", metavar="RUN.toml", help=RUN_HELP)
    options.add_argument("--format", choices=("text", "latex", "json"), default="text", help="what stdout gets")
    options.add_argument("--lower", action="store_true", help="explain the lower bound instead (its derivation alone)")
    options.add_argument("--brief", action="store_true", help="the derivation alone: no limits, sensitivities, shares")
    options.add_argument("--request", type=int, metavar="R", help="the request, counted from 1 (default: the worst)")
    pictures = "write DIR/scaling.png, of a run that scales gradients; of another, its taut string: DIR/string.png"
    options.add_argument("-o", "--output", metavar="DIR", help=pictures)


def _trusting(command: Command) -> None:
    options = command(
        "verify",
        run_verify,
        "re-derive a certificate's claim in exact integers, trusting nobody who made it",
        "The same check without Plumbline: python checker.py CERT, with certify/checker.py alone.",
    )
    options.add_argument("file", metavar="CERT", help="certificate.json, or the record of an erasure")
    options.add_argument(
        "--run", metavar="RUN.toml", dest="run_file", help="refuse a certificate about another run than this"
    )
    options.add_argument("--key", metavar="NAME.pub", dest="keys", action="append", default=[], help=KEY_HELP)
    options.add_argument("--threshold", metavar="N", type=_whole, help=THRESHOLD_HELP)
    subject = "refuse a certificate that is not about this file (may be given several times)"
    options.add_argument("--subject", metavar="FILE", dest="subjects", action="append", default=[], help=subject)
    whole = "of an erasure record: the certificate that it names, which is verified too"
    options.add_argument("--certificate", metavar="CERT", dest="of", help=whole)
    options.add_argument("--date", metavar="YYYY-MM-DD", type=_day, help="the day to judge expiry by (default: now)")
    work = "how much work may be done, in units of about a microsecond (default: 16000000); used up: exit 3"
    options.add_argument("--work", metavar="N", type=_whole, help=work)
    options.add_argument("--format", choices=("text", "json"), default="text", help="what stdout gets")

    options = command("keygen", run_keygen, "make a key pair for signing: NAME.key, which stays secret, and NAME.pub")
    options.add_argument("name", metavar="NAME", help="where to write; nothing is overwritten")
    passphrase = "encrypt NAME.key; asked for on the terminal, or taken from PLUMBLINE_PASSPHRASE"
    options.add_argument("--passphrase", action="store_true", help=passphrase)

    options = command(
        "sign",
        run_sign,
        "verify a certificate or erasure record, and add a signature to it",
        "What does not verify is not signed; a NOT_CERTIFIED certificate verifies.",
    )
    options.add_argument("file", metavar="FILE", help="certificate.json, or the record of an erasure")
    key = "private key; its passphrase, if it has one, as for keygen"
    options.add_argument("--key", metavar="NAME.key", required=True, help=key)
    expires = "the first day (UTC) on which the certificate holds no more; before the first signature"
    options.add_argument("--expires", metavar="YYYY-MM-DD", type=_day, help=expires)
    options.add_argument(
        "-o", "--output", metavar="OUT", help="write OUT, which must not be there yet, instead of FILE"
    )

    options = command(
        "report",
        run_report,
        "verify a certificate, and write it up for people",
        "A certificate that is not intact, does not follow, or has expired gets no report.",
    )
    options.add_argument("file", metavar="CERT", help="certificate.json")
    report = "what to write; the suffix says how: .html, .pdf or .md"
    options.add_argument("-o", "--output", metavar="FILE", required=True, help=report)
    options.add_argument("--key", metavar="NAME.pub", dest="keys", action="append", default=[], help=KEY_HELP)
    options.add_argument("--threshold", metavar="N", type=_whole, help=THRESHOLD_HELP)
    options.add_argument(
        "--date", metavar="YYYY-MM-DD", type=_day, help="the day that it is as of (default: today, UTC)"
    )

    options = command(
        "gate",
        run_gate,
        "verify certificates, and hold them to a policy: limits, assumptions, signers, age",
        "The policy's keys are in docs/policy.md. Every rule that is violated is a line of its own.",
    )
    options.add_argument("policy", metavar="POLICY.toml", help="what a certificate must meet (TOML)")
    options.add_argument("files", metavar="CERT", nargs="+", help="certificate.json")
    options.add_argument("--date", metavar="YYYY-MM-DD", type=_day, help="the day to judge by (default: now)")
    options.add_argument("--format", choices=("text", "json", "junit"), default="text", help="what stdout gets")


def _wholes(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}; write whole numbers with commas in between") from None


def _exact(text: str) -> Fraction:
    from accountant.core.exact import exact

    try:
        return exact(text, "value")
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem).removeprefix("value: ")) from None


def _as_written(text: str) -> str:
    """A number's text: how many digits it was printed with counts."""
    _exact(text)
    return text


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"got {text!r}; write a whole number")
    return int(text)


def _day(text: str) -> date:
    try:
        if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):  # date knows further forms
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}; write a day as YYYY-MM-DD") from None
