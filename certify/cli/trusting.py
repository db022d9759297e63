"""The commands about trust: verify, keygen, sign, report, gate."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from certify.checker import CheckError
from certify.cli.output import fail, one_line, print_json, progress_bar, tell
from certify.errors import Exit, UsageError


@contextmanager
def _about(file: str) -> Iterator[None]:
    """A refusal names the file."""
    try:
        yield
    except CheckError as refused:
        raise type(refused)(f"{file}: {refused}") from None


def run_verify(arguments: argparse.Namespace) -> int:
    from certify.trust.verify import verify

    with progress_bar("verify"):
        verification = verify(
            arguments.file,
            run=arguments.run_file,
            keys=arguments.keys,
            threshold=arguments.threshold,
            subjects=arguments.subjects,
            of=arguments.of,
            on=arguments.date,
            work=arguments.work,
        )
    if arguments.format == "json":
        print_json(verification.as_json())
    else:
        print(verification.text())
        if verification.problem:
            fail(verification.problem, verification.exit_code)
    return verification.exit_code


def run_keygen(arguments: argparse.Namespace) -> int:
    from certify.trust.keys import ask_passphrase, key_files, keygen

    private, _ = key_files(arguments.name)  # refused before anything is asked
    written_key = keygen(
        arguments.name, passphrase=ask_passphrase(str(private), new=True) if arguments.passphrase else None
    )
    print(written_key.keyid)
    tell(f"wrote {written_key.private} ({'encrypted' if written_key.encrypted else 'not encrypted'}; keep it secret)")
    tell(f"wrote {written_key.public}")
    return Exit.OK


def run_sign(arguments: argparse.Namespace) -> int:
    from certify.trust.keys import ask_passphrase, load_private_key
    from certify.trust.sign import sign

    key = load_private_key(arguments.key, ask_passphrase)  # no bar while something is asked
    with _about(arguments.file), progress_bar("sign"):
        signed = sign(arguments.file, key=key, expires=arguments.expires, output=arguments.output)
    print(signed.keyid)
    tell(f"wrote {signed.path} ({signed.signatures} signature{'s' if signed.signatures > 1 else ''})")
    for record in signed.records:
        tell(f"wrote {record} (UNSIGNED), which names the certificate as it is now")
    return Exit.OK


def run_report(arguments: argparse.Namespace) -> int:
    from certify.report import write_report
    from certify.trust.keys import read_public_keys

    if arguments.threshold is not None and not arguments.keys:
        raise UsageError("--threshold: needs a --key")
    keys = read_public_keys(arguments.keys)
    with _about(arguments.file), progress_bar("report"):
        written = write_report(
            arguments.file,
            arguments.output,
            keys=keys,
            threshold=arguments.threshold,
            on=arguments.date,
        )
    print(written)
    return Exit.OK


def run_gate(arguments: argparse.Namespace) -> int:
    from certify.cli.junit import gate_junit
    from certify.gating.gate import gate

    with progress_bar("gate") as progress:
        judgement = gate(arguments.policy, arguments.files, on=arguments.date, progress=progress)
    if arguments.format == "json":
        print_json(judgement.as_json())
    elif arguments.format == "junit":
        print(gate_junit(judgement))
    else:
        print("\n".join(map(one_line, judgement.lines())))
    return judgement.exit_code
