"""The commands of the service: learn, unlearn, status, predict, retrain, export, key."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from certify.cli.output import one_line, print_json, print_text, progress_bar, tell
from certify.errors import Exit, UsageError

MAX_FILE = 1 << 26  # bytes of a list of ids


def run_learn(arguments: argparse.Namespace) -> int:
    from certify.service.learning import learn
    from certify.service.reporting import several

    as_json = arguments.format == "json"
    with progress_bar("learn") as progress:
        learned = learn(
            arguments.file,
            arguments.output,
            data=arguments.data,
            model=arguments.model,
            ledger=arguments.ledger,
            device=arguments.device,
            seed=arguments.reproducible,
            tell=tell if as_json else lambda text: print(text, flush=True),
            progress=progress,
        )
    state, mechanism = learned.state, learned.state.run.mechanism
    if as_json:
        print_json(learned.as_json())
    else:
        k, result = learned.epochs_sentence(), learned.result
        records = several(learned.learning.records)
        print_text(
            f"{result.verdict}: ε ≤ {result.epsilon['upper']} at δ = {result.delta} for {records} at once "
            f"(target ε ≤ {result.epsilon['target']})\n{k}\n"
            f"learned {mechanism.epochs} epochs from {mechanism.samples} records"
        )
    _tell_experiment(state.seed)
    _tell_written(state.folder, "certificate.json (UNSIGNED)", "model.npz", "run_record.json")
    return Exit.OK


def run_unlearn(arguments: argparse.Namespace) -> int:
    from certify.service.reporting import several
    from certify.service.unlearning import unlearn

    with progress_bar("unlearn") as progress:
        done = unlearn(
            arguments.state,
            _ids(arguments),
            data=arguments.data,
            ledger=arguments.ledger,
            epochs=arguments.epochs,
            received=arguments.received,
            device=arguments.device,
            progress=progress,
        )
    if arguments.format == "json":
        print_json(done.as_json())
    else:
        result = done.result
        records = several(done.records)
        lines = [
            f"{result.verdict}: request {done.request}, {records} erased with K = {done.certified.epochs}: "
            f"ε ≤ {result.epsilon['upper']} at δ = {result.delta} (target ε ≤ {result.epsilon['target']})",
            *([] if done.left is None else [f"{several(done.left)} more may be asked for"]),
            *([] if done.certified.note is None else [done.certified.note]),
            *([] if done.expiry_note is None else [done.expiry_note]),
        ]
        print_text("\n".join(lines))
    _tell_experiment(done.state.seed)
    _tell_written(done.state.folder, f"certificate-{done.request}.json (UNSIGNED)", f"erasure-{done.request}.json")
    return Exit.OK


def run_unlearn_many(arguments: argparse.Namespace) -> int:
    from certify.service.many import read_requests, unlearn_many
    from certify.service.reporting import several

    with progress_bar("unlearn") as progress:
        answers = unlearn_many(
            read_requests(arguments.requests), workers=arguments.workers, device=arguments.device, progress=progress
        )
    if arguments.format == "json":
        print_json({"requests": [answer.as_json() for answer in answers]})
    else:
        honoured = sum(answer.problem is None for answer in answers)
        lines = [f"{honoured} of {len(answers)} requests honoured"]
        for answer in answers:
            if answer.done is None:
                lines.append(f"  {answer.state}: {one_line(answer.problem or '')}")
            else:
                about = several(answer.done["records"])
                lines.append(f"  {answer.state}: request {answer.done['request']}, {about}, ε ≤ {_upper(answer.done)}")
        print_text("\n".join(lines))
    return max(answer.exit_code for answer in answers)


def _upper(done: Any) -> str:
    return done["epsilon"]["upper"]


def run_status(arguments: argparse.Namespace) -> int:
    from certify.service.reporting import status

    found = status(arguments.state, ledger=arguments.ledger)
    if arguments.format == "json":
        print_json(found.as_json())
    else:
        print_text(found.text())
    return Exit.OK


def run_predict(arguments: argparse.Namespace) -> int:
    from certify.service.predicting import predict

    done = predict(arguments.state, arguments.data, arguments.output, ledger=arguments.ledger, force=arguments.force)
    if arguments.format == "json":
        print_json(done.as_json())
    else:
        print_text(done.text())
    return _tell_released(done.released)


def run_retrain(arguments: argparse.Namespace) -> int:
    from certify.service.retraining import retrain

    with progress_bar("retrain") as progress:
        done = retrain(
            arguments.state,
            data=arguments.data,
            ledger=arguments.ledger,
            device=arguments.device,
            progress=progress,
            force=arguments.force,
        )
    if arguments.format == "json":
        print_json(done.as_json())
    else:
        print_text(f"retrained {done.epochs} epochs without the records of {done.state.requests} requests")
    tell("the reference is for you alone: no certificate counts that somebody sees it (`plumbline export --retrained`)")
    print(f"wrote {done.output}", file=sys.stderr)
    return Exit.OK


def run_export(arguments: argparse.Namespace) -> int:
    from certify.service.releasing import export

    done = export(
        arguments.state,
        arguments.output,
        format=arguments.format,
        ledger=arguments.ledger,
        retrained=arguments.retrained,
        force=arguments.force,
    )
    if arguments.format == "sklearn":
        tell(f"{done.output}: is a pickle (joblib), which runs code when it is loaded; npz and state-dict do not")
    return _tell_released(done)


def run_key(arguments: argparse.Namespace) -> int:
    from certify.service.keys import back_up_key, restore_key, rotate_key

    def needed(name: str) -> Any:
        value = getattr(arguments, name)
        if value is None:
            option = "from" if name == "source" else name
            raise UsageError(f"--{option}: is missing; key {arguments.action} needs it")
        return value

    match arguments.action:
        case "backup":
            done = back_up_key(arguments.state, needed("output"), ledger=arguments.ledger)
        case "restore":
            done = restore_key(arguments.state, needed("source"), ledger=arguments.ledger)
        case _:
            done = rotate_key(arguments.state, data=arguments.data, ledger=arguments.ledger)
    print(f"{done.action}: key {done.fingerprint}, {done.path}")
    return Exit.OK


def _ids(arguments: argparse.Namespace) -> list[str]:
    """The ids that --records and --file name, as they are written there."""
    given = [id for listed in arguments.records or () for id in listed.split(",")]
    if arguments.id_file is not None:
        path = Path(arguments.id_file)
        try:
            with path.open("rb") as file:
                content = file.read(MAX_FILE + 1)
            lines = content.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
        except OSError as problem:
            raise UsageError(f"{path}: {problem.strerror or problem}") from None
        except UnicodeDecodeError:
            raise UsageError(f"{path}: is not UTF-8 text; write one id a line") from None
        if len(content) > MAX_FILE:
            raise UsageError(f"{path}: a list of more than {MAX_FILE} bytes is not read")
        given += [line for line in lines if line.strip()]
    if not given:
        raise UsageError("--records, --file: one of them is needed; name the records to erase")
    return given


def received(text: str) -> datetime:
    """When a request came in."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}; write a time as 2026-01-31T12:00:00+00:00") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"got {text!r}; write its time zone too: 2026-01-31T12:00:00+00:00")
    return moment


def _tell_released(done: Any) -> int:
    if done.note is not None:
        tell(f"released: {done.note}")
    print(f"wrote {done.output}", file=sys.stderr)
    return Exit.OK


def _tell_written(folder: Path, *names: str) -> None:
    print(f"wrote {', '.join(str(folder / name) for name in names)}", file=sys.stderr)


def _tell_experiment(seed: int | None) -> None:
    if seed is not None:
        tell("REPRODUCIBLE EXPERIMENT: the noise can be drawn again; no privacy claim holds for this model")
