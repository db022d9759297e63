"""The main job, `make certify`: certify, train, honour an erasure request, verify, compare, draw, report. Writes into
out/; a second time into out/run-2, and so on, for no run replaces what another one left.

python examples/walkthrough.py [--output DIR] [--seed N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from accountant import ConstantLoss, NoisySGD
from certify import compare, read_run
from certify.cli.text import comparison_text, result_text
from certify.errors import UsageError
from certify.pictures.draw import draw_noise, draw_string
from certify.report import write_report
from certify.service import Execution, NotCertified, execute
from certify.service.training import train as train_privately

EXAMPLES = Path(__file__).parent
CHECKER = EXAMPLES.parent / "certify" / "checker.py"
ERASED = [7]  # the record whose owner asks for erasure

# The MNIST constants again, with four batches an epoch and few epochs, so that every stair can be seen.
STAIRS = {
    "samples": 11264,
    "batch_size": 2816,
    "epochs": 12,
    "noise_std": "0.01",
    "loss": ConstantLoss("0.261264", "0.011264", 1),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("out"), help="directory to write into (default: out)")
    parser.add_argument("--seed", type=int, help="make it a reproducible experiment, which is not private")
    arguments = parser.parse_args()
    say = Console(soft_wrap=True, highlight=False).print
    try:
        return walk(unused(arguments.output), arguments.seed, say)
    except (UsageError, NotCertified) as problem:
        print(f"walkthrough: {problem}", file=sys.stderr)
        return 2 if isinstance(problem, UsageError) else 1


def unused(output: Path) -> Path:
    """The folder, or the first of its run-2, run-3 … that holds no earlier run."""
    folder, number = output, 1
    while (folder / "erasure-1.json").exists():
        number += 1
        folder = output / f"run-{number}"
    return folder


def walk(output: Path, seed: int | None, say) -> int:
    """The seven stations, each announced."""
    from learners import embedded

    run_file = EXAMPLES / "digits.toml"
    run = read_run(run_file)
    train, test = embedded("digits-3-8")

    say(f"[bold]1  Certify {run_file.name}, then run what was certified[/] ({train.name}: {len(train)} records)\n")
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bars:
        tasks: dict[str, object] = {}

        def progress(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of)
            bars.update(tasks[what], completed=done)

        asked = [datetime.now(UTC)]
        done = execute(run, train, [ERASED], output, seed=seed, received=asked, progress=progress)
    say(result_text(done.result), markup=False)

    say("\n[bold]2  Learn, receive an erasure request, unlearn; retraining beside it[/]\n")
    report_accuracy(done, test, say)
    report_erasure(done, say)

    say("\n[bold]3  Verify certificate, files and erasure record with the standalone checker: nothing but Python[/]\n")
    files = [option for file in (done.model, done.record) for option in ("--subject", str(file))]
    of = ["--certificate", str(done.certificate)]
    for asked in ([str(done.certificate), *files], *([str(path), *of] for path in done.erasure_files)):
        checked = subprocess.run(
            [sys.executable, "-I", "-S", str(CHECKER), *asked], capture_output=True, text=True, check=False
        )
        say((checked.stdout + checked.stderr).strip() + "\n", markup=False)
        if checked.returncode != 0:
            return checked.returncode

    say("[bold]4  The paper's MNIST setting: ours beside the published bound[/]\n")
    mnist = read_run(EXAMPLES / "mnist.toml")
    say(comparison_text(compare(mnist)), markup=False)

    say("\n[bold]5  Two pictures[/]\n")
    string = draw_string(
        [
            ("Learning alone: the last shift comes too late to be spread", NoisySGD(**STAIRS)),
            ("With K = 3 epochs of unlearning: one straight string", NoisySGD(**STAIRS, unlearning_epochs=3)),
        ],
        output / "taut_string.png",
    )
    noise = draw_noise(mnist, output / "noise_against_epsilon.png")
    say(f"   {string}\n   {noise}")

    say("\n[bold]6  The certificate as a report, for those who sign, read and keep it[/]\n")
    reports = [write_report(done.certificate, output / f"report.{kind}") for kind in ("html", "pdf")]
    for path in (done.certificate, done.record, done.model, *done.erasure_files, *reports):
        say(f"   {path}")

    say("\n[bold]7  DP-SGD on a torch module, certified and then trained[/]\n")
    model = "digits_model:mlp"  # beside this script
    trained = train_privately(EXAMPLES / "train-digits.toml", output / "trained", model=model, seed=seed)
    epsilon, steps = trained.result.epsilon["upper"], trained.record.steps_taken
    say(f"   {steps} steps, ε ≤ {epsilon} at δ = {trained.result.delta}\n   {output / 'trained' / 'certificate.json'}")
    return 0


def report_accuracy(done: Execution, test, say) -> None:
    """Accuracy and effort of the three models."""
    from learners import accuracy, distance

    mechanism = done.result.run.mechanism
    unlearning = sum(mechanism.unlearning_epochs)
    rows = [
        ("learned", done.learned, mechanism.epochs),
        (f"record {ERASED[0]} unlearned", done.unlearned, unlearning),
        ("retrained without it", done.retrained, mechanism.epochs + unlearning),
    ]
    say(f"   {'model':<22}  {'test accuracy':>13}  {'epochs spent':>12}", markup=False)
    for name, state, epochs in rows:
        say(f"   {name:<22}  {accuracy(state.released, test):>12.1%}  {epochs:>12}", markup=False)
    gap = distance(done.unlearned.released, done.retrained.released)
    say(f"\n   unlearned and retrained parameters are {gap:.3g} apart, most of it the noise of two runs", markup=False)


def report_erasure(done: Execution, say) -> None:
    """What the erasure record says, and where it says no more."""
    erasure, file = done.erasures[0], done.erasure_files[0]
    used = f"{erasure.cumulative} of {erasure.cap} certified"
    say(f"   {file.name}: request {erasure.id}, records unlearned: {erasure.records} ({used})", markup=False)
    say(f"   which one it was opens with the key in {done.key} alone; keep that apart", markup=False)


if __name__ == "__main__":
    sys.exit(main())
