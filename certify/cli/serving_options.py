"""The options of the service's commands, and their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from certify.cli.serving import (
    received,
    run_export,
    run_key,
    run_learn,
    run_predict,
    run_retrain,
    run_status,
    run_unlearn,
    run_unlearn_many,
)

Command = Callable[..., argparse.ArgumentParser]

STATE_HELP = "folder that `plumbline learn` wrote"
DATA_HELP = "where the records are now (default: where they were)"
LEDGER_HELP = "the ledger's URL or file, where it is not the one that the state names"
DEVICE_HELP = "cpu, cuda or auto"
FORMAT_HELP = "what stdout gets"
FORCE_HELP = "replace what is there already (default: refused)"
WORKERS_HELP = "processes here (0: one for each core), dask://HOST:PORT or ray://HOST:PORT"


def add_service(command: Command) -> None:
    """Add learn, unlearn, unlearn-many, status, predict, retrain, export and key."""
    made = command(
        "learn",
        run_learn,
        "certify a run, learn by it, and leave a state to which erasure requests can be made",
        "Nothing is trained unless the target is met (exit 1). It prints first how many records the target covers.",
    )
    made.add_argument("file", metavar="RUN.toml", help="run file (TOML); its keys are in docs/run-file.md")
    made.add_argument("-o", "--output", metavar="STATE", required=True, help="folder to write, new or empty")
    made.add_argument("--data", metavar="FILE", help="records to learn from (default: an embedded set of that size)")
    made.add_argument(
        "--model",
        metavar="MODULE:FACTORY",
        help='makes the torch module, for loss.kind = "clipped"; its folder on PYTHONPATH',
    )
    made.add_argument("--ledger", metavar="URL", help="database to keep the ledger in (default: STATE/ledger.sqlite)")
    made.add_argument("--device", default="auto", help=f"{DEVICE_HELP} (default: auto)")
    experiment = "draw the noise from a seed: an experiment, never certified as executed"
    made.add_argument("--reproducible", metavar="SEED", type=int, help=experiment)
    made.add_argument("--format", choices=("text", "json"), default="text", help=FORMAT_HELP)

    made = _of_state(command, "unlearn", run_unlearn, "honour an erasure request, certified over the whole history")
    made.add_argument("--records", metavar="ID,ID,…", action="append", help="ids to erase (may be given several times)")
    made.add_argument("--file", dest="id_file", metavar="F", help="a file with one id a line")
    made.add_argument("--epochs", metavar="K", type=int, help="at least the certified number (default: that one)")
    made.add_argument("--received", metavar="TIME", type=received, help="when the request came in, with its time zone")
    made.add_argument("--device", help=f"{DEVICE_HELP} (default: as it was learned)")

    made = command(
        "unlearn-many",
        run_unlearn_many,
        "honour requests to many states at once, each certified and recorded by itself",
        "The exit code is the largest of the requests'; those that are refused change nothing.",
    )
    made.add_argument("requests", metavar="REQUESTS.csv", help="columns state,id; one row for each record to erase")
    made.add_argument("--workers", metavar="W", help=f"{WORKERS_HELP}; default: one for each core")
    made.add_argument("--device", help=f"{DEVICE_HELP} (default: as it was learned)")
    made.add_argument("--format", choices=("text", "json"), default="text", help=FORMAT_HELP)

    _of_state(command, "status", run_status, "show what a state has done, and whether it is whole", data=False)

    details = "That is a release, and the ledger has a row of it."
    made = command("predict", run_predict, "apply a state's model to records", details)
    made.add_argument("state", metavar="STATE", help=STATE_HELP)
    made.add_argument("--data", metavar="FILE", required=True, help="records, with or without target and id columns")
    made.add_argument("-o", "--output", metavar="OUT.csv", required=True, help="where to write the predictions")
    made.add_argument("--force", action="store_true", help=FORCE_HELP)
    made.add_argument("--ledger", metavar="URL", help=LEDGER_HELP)
    made.add_argument("--format", choices=("text", "json"), default="text", help=FORMAT_HELP)

    made = _of_state(command, "retrain", run_retrain, "train the reference: from the start, without what was erased")
    made.add_argument("--device", help=f"{DEVICE_HELP} (default: as it was learned)")

    made.add_argument("--force", action="store_true", help=FORCE_HELP)

    made = command("export", run_export, "write a state's model for use elsewhere", details)
    made.add_argument("state", metavar="STATE", help=STATE_HELP)
    written = "npz, state-dict (tensors of torch), or sklearn (a pickle: it runs code when it is loaded)"
    made.add_argument("--format", choices=("npz", "state-dict", "sklearn"), default="npz", help=written)
    made.add_argument("-o", "--output", metavar="FILE", required=True, help="where to write it")
    reference = "the reference that `retrain` wrote: no request is honoured after it, for no certificate counts it"
    made.add_argument("--retrained", action="store_true", help=reference)
    made.add_argument("--force", action="store_true", help=FORCE_HELP)
    made.add_argument("--ledger", metavar="URL", help=LEDGER_HELP)

    made = command(
        "key",
        run_key,
        "back up, restore or rotate the key that opens a state's commitments",
        "Rotating makes the fingerprints anew from the data; former erasure records open with the former key.",
    )
    made.add_argument("action", choices=("backup", "restore", "rotate"))
    made.add_argument("state", metavar="STATE", help=STATE_HELP)
    made.add_argument("-o", "--output", metavar="FILE", help="backup: where to write it")
    made.add_argument("--from", dest="source", metavar="FILE", help="restore: the back-up")
    made.add_argument("--data", metavar="FILE", help=f"rotate: {DATA_HELP}")
    made.add_argument("--ledger", metavar="URL", help=LEDGER_HELP)


def _of_state(
    command: Command,
    name: str,
    run: Callable[[argparse.Namespace], int],
    help: str,
    *,
    data: bool = True,
) -> argparse.ArgumentParser:
    made = command(name, run, help)
    made.add_argument("state", metavar="STATE", help=STATE_HELP)
    if data:
        made.add_argument("--data", metavar="FILE", help=DATA_HELP)
    made.add_argument("--ledger", metavar="URL", help=LEDGER_HELP)
    made.add_argument("--format", choices=("text", "json"), default="text", help=FORMAT_HELP)
    return made
