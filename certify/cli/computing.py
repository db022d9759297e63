"""The commands that compute: certify, calibrate, compare, plan, explain."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from certify.cli.output import print_json, print_text, progress_bar, tell
from certify.errors import Exit, UsageError
from certify.files import output_directory

if TYPE_CHECKING:
    from pathlib import Path

    from accountant import Derivation
    from certify.results.claims import Claim
    from certify.results.result import Progress, Result


def run_certify(arguments: argparse.Namespace) -> int:
    from certify.cli.junit import junit
    from certify.cli.text import result_text
    from certify.results.certify import certify

    if arguments.written_by is not None:
        return run_crosscheck(arguments)
    if arguments.delta is not None or arguments.epsilon is not None:
        raise UsageError("--delta, --epsilon: go with --from; a run file has them in [target]")
    if arguments.sampling is not None or arguments.neighbours is not None:
        raise UsageError("--sampling, --neighbours: go with --from; a run file has them in [mechanism] and [threat]")
    output = output_directory(arguments.output)
    with progress_bar("certify") as progress:
        result = certify(arguments.file, progress=progress)
        written = _write(result, output, progress) if output else None
    if arguments.format == "json":
        print_json(result.as_json())
    elif arguments.format == "junit":
        print(junit(result))
    else:
        print_text(result_text(result))
    if written:
        print(f"wrote {written} (UNSIGNED)", file=sys.stderr)
    return result.exit_code


def _write(result: Result, output: Path, progress: Progress | None) -> Path:
    """The certificate with its pictures, and whether the checker verifies it: where it takes long, that is said."""
    from certify.pictures.figures import make_figures
    from certify.trust.certificate import check_certificate, write_certificate

    written = write_certificate(result, output, figures=make_figures(result, progress=progress))
    if progress:
        progress("verify", 0, 0)
    if problem := check_certificate(written):
        tell(f"{written}: {problem}")
    return written


def run_crosscheck(arguments: argparse.Namespace) -> int:
    from certify.results.certify import certify
    from certify.results.crosscheck import crosscheck, described_run

    if arguments.delta is None:
        raise UsageError("--delta: is missing; --from needs it")
    if arguments.output is not None and arguments.epsilon is None:
        raise UsageError("-o: a certificate has a target; give --epsilon, or write a run file")
    if arguments.format == "junit":
        raise UsageError("--format: junit does not go with --from; write text or json")
    output, written = output_directory(arguments.output), None
    with progress_bar("certify") as progress:
        checked = crosscheck(
            arguments.file,
            written_by=arguments.written_by,
            delta=arguments.delta,
            printed=arguments.epsilon,
            sampling=arguments.sampling,
            neighbours=arguments.neighbours,
            progress=progress,
        )
        if output:
            result = certify(described_run(checked), progress=progress)
            written = _write(result, output, progress)
    if arguments.format == "json":
        print_json(checked.as_json())
    else:
        print_text(checked.text())
    if written:
        print(f"wrote {written} (UNSIGNED): {result.verdict}", file=sys.stderr)
    return checked.exit_code


def run_calibrate(arguments: argparse.Namespace) -> int:
    from certify.cli.text import calibration_text
    from certify.results.calibrate import calibrate

    with progress_bar("calibrate") as progress:
        calibration = calibrate(arguments.file, tune=arguments.tune, progress=progress)
    if arguments.format == "json":
        print_json(calibration.as_json())
    else:
        print_text(calibration_text(calibration))
    return calibration.result.exit_code


def run_compare(arguments: argparse.Namespace) -> int:
    from certify.cli.text import comparison_text
    from certify.results.compare import compare

    with progress_bar("compare") as progress:
        comparison = compare(arguments.file, progress=progress)
    if arguments.format == "json":
        print_json(comparison.as_json())
    else:
        print_text(comparison_text(comparison))
    return Exit.OK


def run_plan(arguments: argparse.Namespace) -> int:
    from certify.cli.text import plan_text
    from certify.pictures.draw import write_plan
    from certify.results.plan import plan

    output = output_directory(arguments.output)
    with progress_bar("plan") as progress:
        result = plan(
            arguments.file,
            batch_sizes=arguments.batch_sizes,
            unlearning_epochs=arguments.unlearning_epochs,
            workers=arguments.workers,
            progress=progress and (lambda done, of: progress("plan", done, of)),
        )
    written = write_plan(result, output) if output else ()
    if arguments.format == "json":
        print_json(result.as_json())
    else:
        print_text(plan_text(result))
    for path in written:
        print(f"wrote {path}", file=sys.stderr)
    return Exit.OK


def run_explain(arguments: argparse.Namespace) -> int:
    from certify.pictures.explained import draw
    from certify.results.certify import certify

    output = output_directory(arguments.output)
    with progress_bar("explain") as progress:
        result = certify(arguments.file, progress=progress)
        claim = result.worst
        if arguments.request is not None:
            if not 1 <= arguments.request <= len(result.claims):
                raise UsageError(f"--request: {arguments.request} is not one of the requests 1 … {len(result.claims)}")
            claim = result.claims[arguments.request - 1]
        derivation = claim.lower if arguments.lower else claim.upper
        if derivation is None:
            raise UsageError("--lower: there is no lower bound with an active projection")
        written = draw(result, claim, output) if output else None
        in_full = not (arguments.brief or arguments.lower)
        if progress:
            progress("explain", 0, 0)
        parts = _explained(result, claim, derivation, in_full=in_full)
    if arguments.format == "json":
        print_json({key: value for part in parts for key, value in part.as_json().items()})
    elif arguments.format == "latex":
        print("\n\n".join(filter(None, (part.latex() for part in parts))))
    else:
        print("\n\n".join(part.text() for part in parts))
    if written:
        print(f"wrote {written}", file=sys.stderr)
    return Exit.OK


def _explained(result: Result, claim: Claim, derivation: Derivation, *, in_full: bool) -> list[Any]:
    """The derivation, and in full what else `explain` says of it: parts with `text`, `latex` and `as_json`."""
    from accountant import NoisySGD
    from accountant.explain import explain
    from certify.results.explain import analyse
    from certify.results.explain_dpsgd import analyse_training
    from certify.results.scaling_section import ScalingSection, scaling_of
    from certify.runfile.extremes import within_doubles

    with within_doubles(result.run):
        parts: list[Any] = [explain(derivation)]
        if in_full and (scaling := scaling_of(result.run.mechanism)):
            parts.append(ScalingSection(scaling))
        if in_full and not isinstance(result.run.mechanism, NoisySGD):
            parts.append(analyse_training(result.run))
        elif in_full:
            request = result.claims.index(claim)
            parts.append(analyse(result.run.mechanism, result.run.target_delta, request, claim.upper, claim.bound))
    return parts
