"""`plumbline experiment`: its options and the command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from certify.cli.output import print_json, print_text, progress_bar
from certify.errors import Exit
from certify.files import output_directory

# Those of certify.experiments, which is loaded only when asked for.
NAMES = ("accuracy", "sequential", "tradeoff", "scaling", "training")
SCALES = ("small", "full")
DATA = "digits-3-8"
IMAGES = "digits"
DETAILS = (
    "accuracy: against ε, one record erased, our σ beside the published ones and other ways to unlearn. sequential: "
    "100 requests one after the other. tradeoff: noise, accuracy and cost over the batch size. scaling: maps of "
    "per-sample gradients. training: two networks by DP-SGD, AUTO-S, DP-PSAC and DP-PSASC, with and without momentum, "
    "at equal ε. All runs are seeded: anybody gets the same numbers, and the models are not private."
)


def add_experiment(
    command: Callable[..., argparse.ArgumentParser], whole: Callable[[str], Any], workers_help: str
) -> None:
    """Add `experiment`. `whole` reads a number."""
    options: argparse.ArgumentParser = command(
        "experiment", run_experiment, "measure what a certified noise costs in accuracy and gradients", DETAILS
    )
    options.add_argument("name", metavar="NAME", choices=NAMES, help=", ".join(NAMES))
    scale = "how many seeds and points: small (minutes; the default) or full (longer; hours for training, and MNIST)"
    options.add_argument("--scale", choices=SCALES, default="small", help=scale)
    data = (
        f"digits-3-8, breast-cancer, or a folder with MNIST's four files (default: {DATA}); for training {IMAGES} "
        "(the default), or a folder with MNIST's or CIFAR-10's files"
    )
    options.add_argument("--data", metavar="DATA", help=data)
    options.add_argument("--seeds", metavar="N", type=whole, help="how often each run is repeated (default: by scale)")
    options.add_argument("--workers", metavar="W", help=workers_help)
    options.add_argument("-o", "--output", metavar="DIR", help="write DIR/NAME.json, DIR/NAME.txt and DIR/NAME.png")
    options.add_argument("--format", choices=("text", "json"), default="text", help="what stdout gets")


def run_experiment(arguments: argparse.Namespace) -> int:
    from certify.experiments import experiment
    from certify.experiments.run import write_outcome

    output = output_directory(arguments.output)
    with progress_bar("experiment") as progress:
        outcome = experiment(
            arguments.name,
            scale=arguments.scale,
            data=arguments.data,
            seeds=arguments.seeds,
            workers=arguments.workers,
            progress=progress,
        )
    written = write_outcome(outcome, output) if output else ()
    if arguments.format == "json":
        print_json(outcome.as_json())
    else:
        print_text(outcome.text())
    for path in written:
        print(f"wrote {path}", file=sys.stderr)
    return Exit.OK
