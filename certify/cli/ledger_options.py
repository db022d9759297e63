"""The options of `plumbline ledger …`, and their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from typing import Any, NoReturn

from certify.cli.ledger import (
    run_backup,
    run_due,
    run_list,
    run_report,
    run_restore,
    run_revoke,
    run_show,
    run_verify,
)
from certify.errors import UsageError

WHERE = "a state's folder, an .sqlite file, or a database (postgresql://USER@HOST/NAME; the password from PGPASSWORD)"
CERTIFICATES = "a certificate as it is now, whose expiry date is read (those in a state's folder are; may be repeated)"
DETAILS = (
    "Every model that was learned, every request and every release is a row of it; docs/ledger.md says what that shows "
    "and what it does not."
)
Type = Callable[[str], Any]


def add_ledger(command: Callable[..., argparse.ArgumentParser], whole: Type, day: Callable[[str], date]) -> None:
    """Add `ledger` and its commands. `whole` and `day` read a number and a date."""
    ledger: argparse.ArgumentParser = command("ledger", _no_command, "look after the ledger of what was done", DETAILS)
    commands = ledger.add_subparsers(dest="ledger_command", metavar="COMMAND", parser_class=type(ledger))

    def add(
        name: str, run: Callable[[argparse.Namespace], int], help: str, details: str = ""
    ) -> argparse.ArgumentParser:
        options = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}. {details}".strip())
        options.set_defaults(run=run)
        return options

    def of_ledger(name: str, *others: Any) -> argparse.ArgumentParser:
        options = add(name, *others)
        options.add_argument("where", metavar="WHERE", help=WHERE)
        return options

    def with_certificates(options: argparse.ArgumentParser) -> None:
        options.add_argument(
            "--certificate", metavar="CERT", dest="certificates", action="append", default=[], help=CERTIFICATES
        )

    def with_format(options: argparse.ArgumentParser) -> None:
        options.add_argument("--format", choices=("text", "json"), default="text", help="what stdout gets")

    options = of_ledger("list", run_list, "list the models: owner, claim, requests honoured, records left, expiry")
    with_certificates(options)
    with_format(options)

    options = of_ledger("show", run_show, "show the rows, in the order in which they were written")
    options.add_argument(
        "--model", metavar="ID", help="rows of one model alone; the beginning of its identifier will do"
    )
    with_format(options)

    options = of_ledger(
        "verify",
        run_verify,
        "check that no row was changed, removed or put in between (exit 4 if one was)",
        "Of a state's folder also whether the ledger is at the state's head. Rows that were removed from the end show "
        "only against a head that was kept elsewhere.",
    )
    heads = "a head that was printed or backed up before: the hash of a row that must be there (may be repeated)"
    options.add_argument("--head", metavar="HASH", dest="heads", action="append", default=[], help=heads)
    with_format(options)

    options = of_ledger("report", run_report, "write an index page: every model with its claim, requests, expiry")
    options.add_argument("-o", "--output", metavar="FILE.html", required=True, help="what to write")
    with_certificates(options)
    options.add_argument(
        "--date", metavar="YYYY-MM-DD", type=day, help="the day that it is as of (default: today, UTC)"
    )
    options.add_argument("--days", metavar="N", type=whole, default=30, help="days before an expiry date (default: 30)")

    options = add("revoke", run_revoke, "write that a certificate holds no more; gates with not_revoked refuse it then")
    options.add_argument("where", metavar="WHERE", nargs="?", help=f"{WHERE} (default: the folder of CERT)")
    options.add_argument("certificate", metavar="CERT", help="certificate.json, or the digest that a row names")
    options.add_argument("--why", metavar="TEXT", required=True, help="the reason, in one line")
    with_format(options)

    options = of_ledger(
        "due",
        run_due,
        "list the models that must be certified again (exit 1 if there are any)",
        "Their last certificate is revoked, has expired or expires soon, or rests on a theorem that was withdrawn.",
    )
    options.add_argument("--days", metavar="N", type=whole, default=30, help="days before an expiry date (default: 30)")
    options.add_argument("--date", metavar="YYYY-MM-DD", type=day, help="the day to judge by (default: today, UTC)")
    with_certificates(options)
    with_format(options)

    options = of_ledger("backup", run_backup, "write all rows into one file, which any database can be restored from")
    options.add_argument("-o", "--output", metavar="FILE", required=True, help="what to write; nothing is overwritten")
    with_format(options)

    options = of_ledger(
        "restore",
        run_restore,
        "write the rows of a back-up into a new ledger, or add those that an older one lacks",
        "A state that is newer than the back-up is refused from then on: it names a row that is not there.",
    )
    options.add_argument("backup", metavar="FILE", help="what `plumbline ledger backup` wrote")
    with_format(options)


def _no_command(_: argparse.Namespace) -> NoReturn:
    raise UsageError("the following arguments are required: COMMAND (see plumbline ledger --help)")
