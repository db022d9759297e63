"""What the tests of `certify` share: small runs as tables, a strategy for valid ones, TOML, the command in-process."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from accountant.core.exact import canonical
from certify.cli import main
from certify.runfile.pnsgd_tables import LOSSES

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
REJECT = ROOT / "tests/vectors/reject/runs"
F = Fraction


def tables(loss: Mapping[str, Any] | None = None, **changes: Mapping[str, Any]) -> dict[str, Any]:
    """A small run (three batches of four, c = 3/4) as tables; a keyword changes keys of one table, `loss` all of it."""
    made: dict[str, Any] = {
        "mechanism": {
            "kind": "pnsgd",
            "samples": 12,
            "batch_size": 4,
            "epochs": 3,
            "unlearning_epochs": 1,
            "noise_std": "0.5",
            "step_size": "1/2",
        },
        "loss": dict(loss) if loss else constants(1, "1/2"),
        "target": {"epsilon": 1, "delta": "0.001"},
        "threat": {"release": "final"},
    }
    for name, keys in changes.items():
        made[name] = {**made.get(name, {}), **keys}
    return made


def training(mechanism: Mapping[str, Any] | None = None, **tables: Any) -> dict[str, Any]:
    """A short DP-SGD run as tables; `mechanism` changes keys of that table (None: left out), a keyword a whole one."""
    keys = {"kind": "dp-sgd", "noise_multiplier": 1, "sample_rate": "0.01", "steps": 100, **(mechanism or {})}
    return {
        "mechanism": {key: value for key, value in keys.items() if value is not None},
        "scaling": {"kind": "clip", "max_grad_norm": 1},
        "target": {"epsilon": 2, "delta": "1e-5"},
        **tables,
    }


def constants(smoothness: Any, strong_convexity: Any, gradient_bound: Any = 1) -> dict[str, Any]:
    return {
        "kind": "constants",
        "smoothness": smoothness,
        "strong_convexity": strong_convexity,
        "gradient_bound": gradient_bound,
    }


def mnist(**changes: Mapping[str, Any]) -> dict[str, Any]:
    """The MNIST setting of the paper, b = 128, T = 100, K = 1."""
    mechanism = {
        "kind": "pnsgd",
        "samples": 11264,
        "batch_size": 128,
        "epochs": 100,
        "unlearning_epochs": 1,
        "noise_std": "0.00410007312893974",
        "step_size": "1/L",
    }
    made: dict[str, Any] = {
        "mechanism": mechanism,
        "loss": constants("0.261264", "0.011264"),
        "target": {"epsilon": 1, "delta": "1/n"},
        "threat": {"release": "final"},
    }
    for name, keys in changes.items():
        made[name] = {**made.get(name, {}), **keys}
    return made


def to_toml(run: Mapping[str, Any]) -> str:
    """Tables of scalars, lists and inline tables as TOML; Fractions become strings."""

    def value(item: Any) -> str:
        if isinstance(item, list | tuple):
            return f"[{', '.join(map(value, item))}]"
        if isinstance(item, Mapping):
            return f"{{ {', '.join(f'{value(key)} = {value(inner)}' for key, inner in item.items())} }}"
        if isinstance(item, Fraction):
            item = canonical(item)
        return json.dumps(item, ensure_ascii=False)

    parts = []
    for name, table in run.items():
        parts += [f"[{name}]", *(f"{key} = {value(item)}" for key, item in table.items() if item is not None), ""]
    return "\n".join(parts)


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def plumbline(*arguments: str | Path) -> Outcome:
    """The command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:  # --help
            code = int(ended.code or 0)
    return Outcome(int(code), out.getvalue(), err.getvalue())


def refused(outcome: Outcome, code: int = 2) -> str:
    """The one line on stderr of a refusal: nothing on stdout, no traceback."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert len(lines) == 1 and outcome.err.endswith("\n"), outcome.err
    assert lines[0].startswith("plumbline: ") and "internal error" not in lines[0]
    return lines[0]


positive = st.fractions(F(1, 8), 4, max_denominator=16)


@st.composite
def losses(draw: st.DrawFn) -> dict[str, Any]:
    """Constants (m from 0 to L), or one of the losses whose constants are derived, clipped or not."""
    kind = draw(st.sampled_from(["constants", "constants", *DERIVED]))
    if kind == "constants":
        smoothness = draw(positive)
        convexity = draw(st.one_of(st.just(F(0)), st.just(smoothness), st.fractions(0, smoothness, max_denominator=16)))
        return constants(smoothness, convexity, draw(st.one_of(st.just(F(0)), positive, positive)))
    made = {"kind": kind, "regularization": draw(st.fractions(0, 1, max_denominator=16))}
    made |= {"feature_norm": draw(positive)} | {key: draw(positive) for key in DERIVED[kind]}
    if kind == "softmax":
        made["classes"] = 3
    elif kind in ("least-squares", "poisson") or draw(st.booleans()):  # these two need a clip, where there is no ball
        made["clip"] = draw(positive)
    return made


DERIVED = {  # what each needs besides
    "logistic": (),
    "least-squares": ("target_bound",),
    "huber": ("threshold",),
    "smoothed-hinge": ("smoothing",),
    "poisson": ("target_bound",),
    "softmax": (),
}


def smoothness_of(loss: Mapping[str, Any]) -> Fraction:
    """L. In a ball that of Poisson regression may be smaller still."""
    made = {key: value for key, value in loss.items() if key != "kind"}
    return LOSSES[loss["kind"]][1](**made).constants().smoothness


@st.composite
def valid_runs(draw: st.DrawFn, *, radius: bool = True, requests: int = 3) -> dict[str, Any]:
    """Tables of runs that some theorem covers: c = 0, c < 1, c = 1 and (with a radius) c > 1, with and without a
    radius, learning and unlearning, sequences, batches of requests, unequal starts, dropped remainders.

    Some step is taken before each request is judged: without any, an unequal start has no noise to hide in.
    """
    batches, batch_size = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    spare = draw(st.integers(0, batch_size - 1))
    loss = draw(losses())
    expanding = radius and draw(st.integers(0, 5)) == 0
    bounded = radius and (expanding or draw(st.booleans()))
    r = draw(st.fractions(F(1, 4), 8, max_denominator=8)) if bounded else None
    smoothness = smoothness_of(loss)
    if expanding:
        step: Any = draw(st.fractions(F(33, 16), 4, max_denominator=16)) / smoothness
    else:
        number = st.fractions(F(1, 16), 2, max_denominator=16).map(lambda x: x / smoothness)
        step = draw(st.one_of(st.sampled_from(["1/L", "2/(L+m)"]), number))
    epochs = draw(st.integers(0, 6))
    count = 1 if expanding else draw(st.integers(1, requests))
    sizes: list[int] = []
    for left in range(count, 0, -1):
        most = batches * batch_size - sum(sizes) - (left - 1)
        if most >= 1:
            sizes.append(1 if expanding else draw(st.integers(1, most)))
    unlearning = [draw(st.integers(0, 3)) for _ in sizes]
    if (len(sizes) > 1 and not any(unlearning)) or (epochs == 0 and unlearning[0] == 0):
        unlearning[0] = 1
    start = F(0)
    if not expanding and draw(st.booleans()):
        start = draw(st.fractions(0, 2 * r if r else 4, max_denominator=8))
    mechanism = {
        "kind": "pnsgd",
        "samples": batches * batch_size + spare,
        "batch_size": batch_size,
        "epochs": epochs,
        "unlearning_epochs": unlearning,
        "noise_std": draw(st.fractions(F(1, 8), 4, max_denominator=32)),
        "step_size": step,
        "initial_distance": start,
        "remainder": "drop" if spare else draw(st.sampled_from(["error", "drop"])),
    }
    if r:
        mechanism["radius"] = r
    return {
        "mechanism": mechanism,
        "loss": loss,
        "requests": {"sizes": sizes},
        "target": {
            "epsilon": draw(st.fractions(0, 8, max_denominator=10)),
            "delta": draw(st.one_of(st.sampled_from(["1e-5", "1e-30", "0.5"]), st.fractions(F(1, 10**6), F(1, 10)))),
        },
        "threat": {"neighbours": draw(st.sampled_from(["replace-one", "remove-one"])), "release": "final"},
    }
