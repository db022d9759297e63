"""`record`: an Opacus training, as its accountant wrote it down, as a run record and a certificate.

Opacus is never imported: the history is read as text, or off the objects that are handed over. A history says how much
noise was added how often, and at which rate; whatever else a claim rests on is listed, for nobody vouches for it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from accountant.core.exact import Rounding, canonical, decimal, exact, round_decimal
from certify.errors import Exit, UsageError
from certify.files import output_directory, write_atomically
from certify.results.certify import certify
from certify.results.claims import Verdict
from certify.results.crosscheck import crosscheck, described_run
from certify.results.crosscheck_result import CrossCheck
from certify.results.peers import load_opacus
from certify.results.result import Progress, Result
from certify.trust.certificate import FILE_NAME, certificate_bytes, payload_digest, refuse_signed
from certify.trust.together import appearing

RECORD_FILE, SCHEMA = "run_record.json", "plumbline-foreign-run/1"
DIGITS = 3  # of the ε that is certified, unless one is given

FLOAT32 = 2**24  # steps of a float32 uniform
NOT_VOUCHED = {  # key: what nobody can see in a history
    "sampling": "that batches were drawn by Poisson sampling: the history is the same with "
    "poisson_sampling=False, which shuffles, and for a loader that was not made private",
    "rate": "that records were drawn at the rate of the history, 1/len(loader); of n records in batches of b that is "
    "1/⌈n/b⌉ and not b/n, so that the mean batch is another one than was asked for",
    "divisor": "that sums were divided by a public number: Opacus divides by expected_batch_size, from the length of "
    "the data set, which counts as public then",
    "generator": "that the noise cannot be drawn again: without secure_mode it comes from torch's default generator, "
    "and a seed that somebody knows takes it off the model",
    "precision": "that the noise is above rounding: it is drawn and added in the parameters' type, and not rounded to "
    "a public grid, so that low bits of the gradients may show (T28)",
    "clipping": "that each record's gradient was clipped as a whole to max_grad_norm: with per-layer clipping it is "
    "clipped layer by layer, and a layer that mixes records, or a weight that is used twice, has no gradient "
    "by record",
    "steps": "that every noisy step is in the history: it counts what the optimizer told its accountant, and not a "
    "step by an optimizer without one, nor one that was skipped or repeated",
    "others": "that nothing else about the same records was released: other trainings, a search for hyper-parameters, a"
    " loss or an accuracy on the training data",
}


@dataclass(frozen=True)
class Recorded:
    """What `record` made. content: the run record; written: the files, if there are any."""

    result: Result
    checked: CrossCheck
    content: Mapping[str, Any]
    certificate: bytes
    written: tuple[Path, ...] = ()

    @property
    def exit_code(self) -> Exit:
        return self.result.exit_code

    def as_json(self) -> dict[str, Any]:
        return {
            "verdict": str(self.result.verdict),
            "epsilon": dict(self.result.epsilon),
            "delta": self.result.delta,
            "record": dict(self.content),
            "written": [str(path) for path in self.written],
        }

    def text(self) -> str:
        """For people; the verdict first."""
        result, history = self.result, self.content["history"]
        steps = sum(int(row["steps"]) for row in history)
        lines = [
            f"{result.verdict}: ε ≤ {result.epsilon['upper']} at δ = {result.delta} (target ε ≤ "
            f"{result.epsilon['target']})",
            f"{steps} steps of Opacus as its accountant wrote them down, {self.checked.sampling} batches, "
            f"{self.checked.neighbours}",
            *(f"seen: {text}" for text in self.content["seen"]),
            "nobody vouches:",
            *(f"  {entry['text']}" for entry in self.content["not_vouched"]),
        ]
        return "\n".join(lines)


def record(
    source: Any,
    *,
    delta: Any,
    epsilon: Any = None,
    sampling: str | None = None,
    neighbours: str | None = None,
    optimizer: Any = None,
    loader: Any = None,
    output: str | Path | None = None,
    progress: Progress | None = None,
) -> Recorded:
    """The training in an Opacus accountant's history, recorded and certified.

    Args:
        source: a PrivacyEngine, its accountant, the accountant's `state_dict()`, or a path to that as JSON.
        delta, epsilon: numbers or their text; epsilon: the ε to certify, by default the least, rounded up.
        sampling, neighbours: how batches were really drawn, see `crosscheck`.
        optimizer, loader: those that `make_private` returned: what they show is noted, and what contradicts the history
            is refused.
        output: a folder that gets run_record.json and certificate.json, both or neither.

    Raises:
        UsageError: unreadable, a value out of range, an optimizer or loader of another training.
    """
    state = _state(source)
    kind, stages = load_opacus(state)
    if not stages:
        raise UsageError("record: the history is empty; no step was taken with this accountant")
    history = [
        {"noise_multiplier": canonical(z), "sample_rate": canonical(_rate(q)), "steps": str(steps)}
        for z, q, steps in stages
    ]
    rows = {"history": [[row["noise_multiplier"], row["sample_rate"], row["steps"]] for row in history]}
    checked = crosscheck(
        rows if kind is None else rows | {"mechanism": kind},
        written_by="opacus",
        delta=delta,
        printed=epsilon,
        sampling=sampling,
        neighbours=neighbours,
        progress=progress,
    )
    seen, settled = _seen(source, optimizer, loader, stages)
    result = _certified(checked, progress)
    known = {key: text for key, text in NOT_VOUCHED.items() if key not in settled}
    if checked.sampling_from == "given":
        known["sampling"] = f'that batches were drawn with sampling = "{checked.sampling}": whoever recorded it says so'
    certificate = certificate_bytes(result)
    content = {
        "schema": SCHEMA,
        "written_by": "opacus",
        "accountant": kind,
        "history": history,
        "sampling": checked.sampling,
        "neighbours": checked.neighbours,
        "delta": checked.delta,
        "run": result.digest,
        "certificate": payload_digest(certificate),
        "verdict": str(result.verdict),
        "epsilon": dict(result.epsilon),
        "seen": seen,
        "not_vouched": [{"id": key, "text": text} for key, text in known.items()],
    }
    done = Recorded(result, checked, content, certificate)
    return done if output is None else replace(done, written=_write(done, output_directory(output)))


def _state(source: Any) -> Any:
    """What holds the history: a path, or a mapping."""
    if isinstance(source, str | Path | Mapping):
        return source
    accountant = getattr(source, "accountant", source)
    states = getattr(accountant, "state_dict", None)
    if not callable(states):
        raise UsageError(
            f"record: got a {type(source).__name__}; give a PrivacyEngine, its accountant, its state_dict(), or a path"
        )
    return dict(states())


def _rate(rate: Fraction) -> Fraction:
    """Opacus writes 1/l as a double, which may be below it; the ratio, where it is the same double."""
    if not rate:
        return rate
    simple = Fraction(1, max(1, round(1 / rate)))
    return simple if float(simple) == float(rate) else rate


def _certified(checked: CrossCheck, progress: Progress | None) -> Result:
    """The result about the ε that was given, or about the least one, rounded up."""
    if checked.printed is not None:
        return certify(described_run(checked), progress=progress)
    upper = exact(checked.upper, "epsilon") * Fraction(1001, 1000)
    for _ in range(3):
        printed = decimal(round_decimal(upper, DIGITS, Rounding.UP), DIGITS)
        result = certify(described_run(replace(checked, printed=printed)), progress=progress)
        if result.verdict is Verdict.CERTIFIED:
            return result
        upper = max(exact(result.epsilon["upper"], "epsilon"), upper) * Fraction(101, 100)
    return result


def _seen(source: Any, optimizer: Any, loader: Any, stages: tuple[Any, ...]) -> tuple[list[str], set[str]]:
    """(what the objects show, which of NOT_VOUCHED that settles).

    Raises:
        UsageError: an optimizer or a loader that does not fit the history.
    """
    seen: list[str] = []
    settled: set[str] = set()
    if getattr(source, "secure_mode", None) is True:
        seen.append("secure_mode is on: noise comes from a cryptographic generator")
        settled.add("generator")
    if optimizer is not None:
        noise = getattr(optimizer, "noise_multiplier", None)
        if noise is None:
            raise UsageError("optimizer: has no noise_multiplier; give the one that make_private returned")
        if float(noise) != float(stages[-1][0]):
            raise UsageError(
                f"optimizer: its noise_multiplier is {noise!r}, the history ends with {canonical(stages[-1][0])}; "
                "it is that of another training"
            )
        name, clip = type(optimizer).__name__, getattr(optimizer, "max_grad_norm", None)
        seen.append(f"optimizer {name}, max_grad_norm {clip!r}")
    if loader is not None:
        _check_loader(loader, stages, seen, settled)
    return seen, settled


def _check_loader(loader: Any, stages: tuple[Any, ...], seen: list[str], settled: set[str]) -> None:
    sampler = getattr(loader, "batch_sampler", None)
    rate, records = getattr(loader, "sample_rate", None), getattr(sampler, "num_samples", None)
    name = type(sampler).__name__
    if rate is None or getattr(sampler, "sample_rate", None) != rate or records is None:
        raise UsageError(f"loader: its sampler {name} draws no Poisson batches; leave it out, and give sampling=")
    if float(rate) != float(stages[-1][1]):
        raise UsageError(
            f"loader: draws at {rate!r}, and the history ends with {canonical(stages[-1][1])}; it is that of another "
            "training, or rate and history disagree"
        )
    seen.append(f"loader {type(loader).__name__} with {name}: rate {rate!r} of {records} records")
    drawn = Fraction(math.ceil(Fraction(rate) * FLOAT32), FLOAT32)
    if drawn <= Fraction(rate):
        settled.add("rate")
    else:
        seen.append(
            f"its uniforms have 24 bits: at that rate records are drawn with probability {float(drawn)!r}, which is "
            "more than is certified"
        )


def _write(done: Recorded, folder: Path) -> tuple[Path, ...]:
    """Both files, or neither. Raises UsageError."""
    refuse_signed(folder / FILE_NAME)
    with appearing(folder, last=FILE_NAME) as fresh:
        text = json.dumps(done.content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        write_atomically(fresh / RECORD_FILE, text)
        write_atomically(fresh / FILE_NAME, done.certificate)
    return (folder / FILE_NAME, folder / RECORD_FILE)
