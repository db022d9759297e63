"""Certificates that reports are drawn from in the tests: every kind of run, executed or not, signed or not, hostile."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from certify import certify
from certify.report.content import compose
from certify.report.document import Document
from certify.report.reading import Reading, read
from certify.trust.certificate import make_statement
from tests.certify.envelopes import MADE, renamed, seal
from tests.certify.runs import EXAMPLES, mnist, tables, training

NOW = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
ON = date(2026, 11, 22)
HEX = "0123456789abcdef" * 4

FULL = {"sample_rate": None, "sampling": "full", "noise_multiplier": 5, "steps": 10}
POISSON = {"noise_multiplier": 2, "steps": 20, "sample_rate": "0.1"}

RUNS: dict[str, Any] = {
    "unlearning": mnist(),
    "learning": tables(mechanism={"unlearning_epochs": 0, "noise_std": 4}),
    "not certified": tables(mechanism={"noise_std": "0.05"}),
    "several requests": tables(mechanism={"unlearning_epochs": [1, 2], "noise_std": 4}, requests={"sizes": [1, 2]}),
    "every model": tables(
        mechanism={"unlearning_epochs": [1, 2], "noise_std": 4}, requests={"sizes": [1, 2]}, threat={"release": "all"}
    ),
    "secret order": tables(mechanism={"batch_order": "secret", "noise_std": 2}),
    "a ball": tables(mechanism={"radius": "1/2", "noise_std": "0.4"}, threat={"reference": "stationary"}),
    "retrain-T": tables(mechanism={"radius": "1/2", "noise_std": 2}, threat={"reference": "retrain-T"}),
    "remove-one": tables(mechanism={"noise_std": 2}, threat={"neighbours": "remove-one"}),
    "not convex": EXAMPLES / "network.toml",
    "logistic": EXAMPLES / "digits.toml",
    "scaled": EXAMPLES / "scaled.toml",
    "full batches": training(FULL),
    "poisson": training(POISSON),
    "adaptive scaling": training(
        {**FULL, "kind": "dp-psasc"},
        scaling={"kind": "psasc", "max_grad_norm": 1, "r": "0.1", "s": "0.5"},
        momentum={"inner_beta": "0.9", "inner_window": 5},
        releases=[{"mu": "0.1", "text": "summary statistics"}],
    ),
    "disjoint batches": training({"sampling": "shuffled", "noise_multiplier": 5, "steps": None, "epochs": 2}),
}


@cache
def certified(name: str) -> Any:
    """The result of a run of `RUNS`."""
    return certify(RUNS[name])


def statement(name: str = "unlearning", **about: Any) -> dict[str, Any]:
    """The statement about a run of `RUNS`; about: as for make_statement, and `expires`, `attest`."""
    attest, expires = about.pop("attest", None), about.pop("expires", None)
    made = copy.deepcopy(make_statement(certified(name), created=MADE, **about))
    if expires:
        made["predicate"]["expires"] = expires
    if attest is not None:
        made["predicate"]["run"]["attest"] = attest
    return renamed(made)


def reading(name: str = "unlearning", **about: Any) -> Reading:
    return read(seal(statement(name, **about)), now=NOW) if about else _reading(name)


@cache
def _reading(name: str) -> Reading:
    return read(seal(statement(name)), now=NOW)


def document(name: str = "unlearning", **about: Any) -> Document:
    return compose(reading(name, **about), ON) if about else _document(name)


@cache
def _document(name: str) -> Document:
    return compose(_reading(name), ON)


@cache
def full_reading() -> Reading:
    """With attestations, pictures, a run record and a request."""
    return reading(attest=ATTEST, **executed())


@cache
def full() -> Document:
    return compose(full_reading(), ON)


# --- what was run, and pictures ---------------------------------------------------------------------------------------

FIGURES = {
    "profile": {
        "epsilon": ["0", "0.02", "0.04", "0.06", "0.08", "0.1"],
        "upper": ["0.013", "0.00535", "0.00172", "0.000415", "0.0000734", "0.00000938"],
        "lower": ["0.0129", "0.00534", "0.00171", "0.000414", "0.0000733", None],
    },
    "sweep": {
        "parameter": "unlearning_epochs",
        "values": ["1", "2", "3", "4"],
        "upper": ["0.0779602571713", "0.000498", "0.0000262", "4.81e-7"],
        "lower": ["0.0779602571712", "0.000497", "0", None],
        "published": ["1.00000000001", "0.0176", None, None],
        "published_name": "chien2024",
    },
    "published": {"chien2024": {"epsilon": "1.00000000001"}},
}


def execution(name: str = "unlearning", *, noise: str = "secret", **texts: Any) -> dict[str, Any]:
    """A record of learning and one unlearning, which agrees with a run of `RUNS` whose first request has one record."""
    predicate = make_statement(certified(name), created=MADE)["predicate"]
    run, worst = predicate["run"], predicate["requests"][0]
    mechanism = run["mechanism"]
    batches = int(mechanism["samples"]) // int(mechanism["batch_size"])
    given = {
        "dataset": "digits 3 and 8",
        "order": "fixed",
        "device": "cpu",
        "device_name": "x86_64",
        "versions": {"python": "3.11.7", "torch": "2.9.1"},
        "scope": "the model in production",
        "id": "request-7f3a",
        "sign_off": {"name": "A. Officer", "role": "data protection", "date": "2026-11-21", "text": "seen and agreed"},
        **texts,
    }

    def phase(kind: str, epochs: str, left_out: str, hour: int) -> dict[str, Any]:
        return {
            "kind": kind,
            "epochs": epochs,
            "steps": str(int(epochs) * batches),
            "erased": left_out,
            **{key: given[key] for key in ("device", "device_name", "versions")},
            "started": f"2026-11-21T{hour}:00:00Z",
            "finished": f"2026-11-21T{hour}:30:00Z",
        }

    honoured = {
        "request": "1",
        "id": given["id"],
        "received": "2026-11-20T09:00:00Z",
        "started": "2026-11-21T12:00:00Z",
        "finished": "2026-11-21T12:30:00Z",
        "scope": given["scope"],
        "records": worst["size"],
        "commitment": {"algorithm": "HMAC-SHA-256", "value": HEX},
        "model_before": {"algorithm": "HMAC-SHA-256", "value": HEX[::-1]},
        "model_after": {"algorithm": "SHA-256", "value": HEX},
        "guarantee": {
            "epsilon": worst["epsilon"],
            "delta": predicate["delta"],
            "reference": run["threat"]["reference"],
            "neighbours": run["threat"]["neighbours"],
        },
        "cumulative": worst["size"],
        "cap": str(sum(map(int, run["requests"]["sizes"]))),
        "sign_off": given["sign_off"],
    }
    return {
        "dataset": given["dataset"],
        "order": given["order"],
        "noise": noise,
        "phases": [
            phase("learn", mechanism["epochs"], "0", 10),
            phase("unlearn", mechanism["unlearning_epochs"][0], worst["size"], 12),
        ],
        "erasures": [honoured],
        "audits": [],
    }


def executed(name: str = "unlearning", **texts: Any) -> dict[str, Any]:
    """`figures`, `execution` and `subjects` for `statement`."""
    noise = texts.pop("noise", "secret")
    return {
        "figures": FIGURES,
        "execution": execution(name, noise=noise, **texts),
        "subjects": {"model": HEX, "run_record": HEX[::-1]},
    }


ATTEST = {
    "text": "The constants were checked against the training code.",
    "date": "2026-11-20",
    "evidence": None,
    "answers": {
        "unit": {"text": "person, one record each", "by": "data team", "date": "2026-11-19", "evidence": None},
        "sampling": {"text": "fixed order", "by": "ML team", "date": "2026-11-19", "evidence": HEX},
    },
}

HOSTILE = (
    "<script>alert(1)</script>",
    "</style><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>&amp;<!-- -->{{ 7*7 }}{% raw %}",
    "| a | b |\n|---|---|\n\n# heading\n- item\n1. one\n> quote\n```\ncode\n```\n[link](javascript:alert(4))",
    "*emphasis* _underlined_ `code` $x^2$ ~~gone~~ https://example.com www.example.com ![i](u) \\",
    "evil \u202etxt.exe\u202c \u2066isolated\u2069 שלום עולם and on",
    "bell \x07 null \x00 escape \x1b[31m delete \x7f nel \x85 line \u2028 zero\u200bwidth \ufeff",
    "W" * 3000,
    '"] } #let x = 1 $ \\u{41} #read("/etc/passwd")',
)


def hostile(text: str) -> dict[str, Any]:
    """Every text that somebody may write, being this one."""
    answers = {
        item: {"text": text, "by": text, "date": "2026-11-20", "evidence": None}
        for item in ("unit", "tuning", "odd item")
    }
    return {
        "attest": {
            "text": text,
            "date": "2026-11-20",
            "evidence": None,
            "answers": answers,
            "more": [text, {text: text}],
        },
        **executed(
            dataset=text,
            order=text,
            device=text,
            device_name=text,
            versions={text: text},
            scope=text,
            id=text,
            sign_off={"name": text, "role": text, "date": "2026-11-21", "text": text},
        ),
    }
