"""The commands about trainings with DP-SGD and its relatives: train, record."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from certify.cli.output import print_json, print_text, progress_bar, tell
from certify.errors import Exit, UsageError

Command = Callable[..., argparse.ArgumentParser]


def run_train(arguments: argparse.Namespace) -> int:
    from certify.service.training import train

    as_json = arguments.format == "json"
    try:
        with progress_bar("train") as progress:
            done = train(
                arguments.file,
                arguments.output,
                model=arguments.model,
                data=arguments.data,
                ledger=arguments.ledger,
                device=arguments.device,
                seed=arguments.reproducible,
                stop_after=arguments.stop_after,
                stopped_independently=arguments.stopped_independently,
                tell=tell if as_json else lambda text: print(text, flush=True),
                progress=progress,
            )
    except KeyboardInterrupt:
        folder = arguments.output or arguments.file
        tell(f"interrupted; `plumbline train {folder}` goes on from the last checkpoint, if there is one")
        return 130
    if as_json:
        print_json(done.as_json())
    else:
        print_text(_trained_text(done))
    folder = done.state.folder
    if done.state.seed is not None:
        tell("REPRODUCIBLE EXPERIMENT: the noise can be drawn again; no privacy claim holds for this model")
    names = ("certificate.json (UNSIGNED)", "model.npz", "run_record.json")
    print(f"wrote {', '.join(str(folder / name) for name in names)}", file=sys.stderr)
    return Exit.OK


def _trained_text(done) -> str:
    taken, planned = done.record.steps_taken, done.record.steps_planned
    line = f"trained {taken} of {planned} steps on {done.state.run.mechanism.samples} records"
    if done.executed is not None:
        line += f"\nas executed, rounding counted: ε ≤ {done.executed}"
    elif done.state.seed is None:
        line += "\nrounding is not counted: some layer's sums have no bound in their type"
    if taken == planned:
        return line
    result = done.result
    claimed = (
        f"the certificate claims ε ≤ {result.epsilon['upper']} of these steps: that the number was chosen "
        "independently of data and models is attested, not checked"
        if done.independently
        else f"the certificate claims ε ≤ {result.epsilon['upper']} of all {planned}, which holds however it was "
        "decided to stop on what was released"
    )
    return f"{line}\n{claimed}"


def run_record(arguments: argparse.Namespace) -> int:
    from certify.service.recording import record

    if arguments.delta is None:
        raise UsageError("--delta: is missing; no accountant's history says it")
    with progress_bar("record") as progress:
        done = record(
            arguments.file,
            delta=arguments.delta,
            epsilon=arguments.epsilon,
            sampling=arguments.sampling,
            neighbours=arguments.neighbours,
            output=arguments.output,
            progress=progress,
        )
    if arguments.format == "json":
        print_json(done.as_json())
    else:
        print_text(done.text())
    for path in done.written:
        print(f"wrote {path}", file=sys.stderr)
    return done.exit_code


def add_training(command: Command, exact: Callable[[str], object], as_written: Callable[[str], str]) -> None:
    """Add train and record."""
    options = command(
        "train",
        run_train,
        "certify a run of DP-SGD or a relative, train a torch module by it, and leave a state with its certificate",
        "Nothing is trained unless the target is met (exit 1). Interrupted, the same command, or `plumbline train "
        "STATE`, goes on from the last checkpoint.",
    )
    options.add_argument(
        "file", metavar="RUN.toml", help="run file (TOML), its keys in docs/run-file.md; or a STATE to go on with"
    )
    options.add_argument(
        "--model",
        metavar="MODULE:FACTORY",
        help="makes the torch module; MODULE is looked up in the working folder first",
    )
    data = "records to train on (default: the first `samples` of scikit-learn's digits)"
    options.add_argument("--data", metavar="FILE", help=data)
    options.add_argument("-o", "--output", metavar="STATE", help="folder to write, new or empty")
    ledger = "database to keep the ledger in (default: STATE/ledger.sqlite)"
    options.add_argument("--ledger", metavar="URL", help=ledger)
    options.add_argument("--device", choices=("auto", "cpu", "cuda"), help="default: that of [train]")
    experiment = "draw batches and noise from a seed: an experiment, which is not private"
    options.add_argument("--reproducible", "--seed", dest="reproducible", metavar="SEED", type=int, help=experiment)
    options.add_argument(
        "--stop-after",
        metavar="STEPS",
        type=int,
        help="end after so many steps in all; the claim stays that of the run",
    )
    attested = "attest that this number was chosen without a look at data or models: the claim is of these steps"
    options.add_argument("--stopped-independently", action="store_true", help=attested)
    options.add_argument("--format", choices=("text", "json"), default="text", help="what stdout gets")

    options = command(
        "record",
        run_record,
        "turn the history of an Opacus training into a run record and a certificate",
        "What the history cannot vouch for is listed, and stands in the run record.",
    )
    options.add_argument("file", metavar="STATE.json", help="JSON of privacy_engine.accountant.state_dict()")
    options.add_argument("--delta", metavar="D", type=exact, help="δ, a decimal or p/q")
    epsilon = "the ε to certify (default: the least one, rounded up to three digits)"
    options.add_argument("--epsilon", metavar="E", type=as_written, help=epsilon)
    options.add_argument(
        "--sampling", metavar="S", help="how batches were really drawn (default: poisson, and it says so)"
    )
    options.add_argument("--neighbours", metavar="N", help="default: what goes with the sampling")
    options.add_argument(
        "-o", "--output", metavar="DIR", help="write DIR/run_record.json and DIR/certificate.json, together"
    )
    options.add_argument("--format", choices=("text", "json"), default="text", help="what stdout gets")
