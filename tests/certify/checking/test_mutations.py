"""Accepted certificates, changed in one place: each is refused, but for weaker claims."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from certify import checker
from tests.certify.checking.cases import MUTATED, SLOWLY, statement_of
from tests.vectors import make_certificates as make

# What may change unnoticed, and why. Everything else must be refused.
HARMLESS = {
    "producer": "says who wrote the file; nothing follows from it",
    "created": "says when the file was written; nothing follows from it",
    "run.attest": "free text that the run's digest covers: refused unless the subject is recomputed",
    "run.mechanism.normaliser": "a public constant, on which nothing depends: refused unless the subject is recomputed",
    "run.releases.0.text": "free text that the run's digest covers: refused unless the subject is recomputed",
    "run.mechanism.remainder": "the same run where the batch size divides: refused unless the subject is recomputed",
    "run.data": "the columns of the records, which no number depends on: refused unless the subject is recomputed",
    "meta": "what people call it; nothing follows from it",
    "figures": "held against the claim; what it does not imply of them is not re-derived, and the report says so",
    "expires": "any later day, or none; it is signed",
    "execution.dataset": "a name",
    "execution.order": "a name, unless the order must be secret",
}
# Of phases and erasures: who, where and when. The producer's word, which is signed.
WORDS = re.compile(
    r"execution\.(phases\.[0-9]+\.(device|device_name|versions|started|finished)"
    r"|erasures\.[0-9]+\.(id|received|started|finished|scope|sign_off))\b"
)
# A proof may choose these as it likes, as long as its bounds follow; they are all printed in the certificate.
CHOSEN = ("restart", "corners", "positions", "threshold", "own", "others", "direction")
HINTS = ("points", "reverse_points")  # of a grid that the checker does not use
SHOWN_AS_LARGEST = ("mu", "epsilon", "wasserstein", "renyi")  # of all requests: the others' are shown nowhere


def weaker(predicate: Any, path: tuple[Any, ...], value: Any) -> bool:
    """Whether the change overstates an upper bound, or understates a lower one, that is shown nowhere."""
    steps, lower = predicate["proof"]["steps"], {claim["lower"] for claim in predicate["proof"]["claims"]}
    if path[:2] != ("proof", "steps") or path[3:4] != ("concludes",) or path[4] not in SHOWN_AS_LARGEST:
        hint = path[4:5] == ("grid",) and path[5:6] and path[5] in HINTS
        return path[:2] == ("proof", "steps") and path[3:4] == ("args",) and (hint or path[4] in CHOSEN)
    step, before = steps[path[2]], steps[path[2]]["concludes"]
    for key in path[4:]:
        before = before[key]
    if not isinstance(value, str) or not isinstance(before, str):
        return False
    before = Fraction(before)
    below = step["theorem"] in ("T6", "T6c", "T6m", "T20l") or (step["theorem"] == "T11" and str(path[2]) in lower)
    return Fraction(value) <= before if below else Fraction(value) >= before


SWAPS = {"CERTIFIED": "NOT_CERTIFIED", "attested": "proved", "proved": "attested", "error": "drop"}
SWAPS |= {"replace-one": "remove-one", "remove-one": "replace-one", "1/L": "2/(L+m)", "1/n": "0.5"}
SWAPS |= {"fixed": "secret", "secret": "fixed", "final": "all", "all": "final", "chord": "right", "right": "chord"}
SWAPS |= {"retrain": "retrain-T", "retrain-T": "stationary", "stationary": "retrain", "T3": "T5", "T5": "T3"}
SWAPS |= {"poisson": "full", "full": "poisson", "remove": "add", "inner": "outer", "outer": "inner", "own": "batch"}
SWAPS |= {"clip": "psac", "psac": "clip", "T14": "T14g", "T20f": "T20l", "T20l": "T20f", "T19": "T19l", "T19l": "T19"}
SWAPS |= {"violated": "attested", "C1": "T22", "T22": "C1", "T23": "C1", "T24": "T11", "T9r": "T2"}


def mutants(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """(path, new value) for small changes of every leaf, entry and key; the value `...` means: drop it."""
    if isinstance(node, dict):
        yield (*path, "extra"), "1"
        for key, value in node.items():
            yield (*path, key), ...
            yield from mutants(value, (*path, key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield (*path, i), ...
            yield path, [*node[: i + 1], *node[i:]]
            yield from mutants(value, (*path, i))
        if node[::-1] != node:
            yield path, node[::-1]
        yield path, []
    elif isinstance(node, str):
        yield path, SWAPS.get(node, "0")
        try:
            value = Fraction(node)
        except ValueError:
            yield from ((path, None), (path, node + "x"))
            return
        if value.denominator == 1:
            yield from ((path, str(value + 1)), (path, str(abs(value - 1))))
        elif "." in node and node[-1].isdigit():
            yield from ((path, node[:-1] + str((int(node[-1]) + move) % 10)) for move in (1, 9))
        else:
            yield from ((path, make.exact(value * (1 + Fraction(move, 10**6)))) for move in (-1, 1))
    elif node is None:
        yield from ((path, "1"), (path, {}), (path, ""))
    else:
        yield path, not node


def mutated(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the node with one change; what is not on the path is shared."""
    if not path:
        return value
    changed = copy.copy(node)
    if len(path) == 1 and value is ...:
        del changed[path[0]]
    else:
        inner = node[path[0]] if isinstance(node, list) or path[0] in node else None
        changed[path[0]] = mutated(inner, path[1:], value)
    return changed


# Changes after which a vector says the same, or less.
SAME = {
    "retrain_T": {
        "run.mechanism.initial_distance",  # that the starts are 2R apart is what the ball says already
        "proof.steps.9.concludes.wasserstein", "proof.steps.12.concludes.wasserstein",  # 2R = 1 exactly
    },
    "training_full": {
        "run.mechanism.sample_rate", "run.stages.0.sample_rate",  # all is all
        "run.mechanism.samples",  # nothing is divided by them
        "run.momentum.inner_history",  # of no inner momentum
    },
    "training_shuffled": {
        "run.mechanism.batch_size", "run.mechanism.samples", "run.stages.0.steps",  # as many epochs of as many batches
        "run.momentum.inner_history",
        "proof.steps.2.concludes.mu",  # of a release with exactly this mu: the last digit is not needed
    },
    "noise_in_a_ball_stationary": {f"proof.steps.{i}.concludes.wasserstein" for i in (11, 12, 16, 17)},  # 2R = 1/4
    "training_stages": {"delta"},  # shown as larger than it is, in the twelfth digit
}  # fmt: skip


@pytest.mark.parametrize("name", [*MUTATED, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOWLY)])
def test_every_mutation_is_refused(name: str) -> None:
    original = statement_of(name)
    survivors = set()
    for path, value in mutants(original):
        changed = mutated(original, path, value)
        if changed == original:
            continue
        where = ".".join(map(str, path[1:]))
        try:
            try:
                checker.verify(make.envelope(json.dumps(changed).encode()))
            except checker.Mismatch:  # the subject gave it away: once more, with the subject recomputed
                assert where.startswith(("run", "0"))
                checker.verify(make.seal(changed))
        except checker.CheckError:
            continue
        if not weaker(original["predicate"], path[1:], value):
            survivors.add(where)
    survivors -= SAME.get(name, set())
    if set(original["predicate"]["run"]["mechanism"].get("unlearning_epochs", ())) == {"0"}:  # no reference
        survivors -= {"run.threat.reference"}
    words = {path for path in survivors if WORDS.match(path)}
    unexpected = {path for path in survivors - words if not any(path.startswith(prefix) for prefix in HARMLESS)}
    assert not unexpected
    assert any(path.startswith("run.attest") for path in survivors)


def test_a_single_release_may_be_called_final() -> None:
    """Without unlearning there is one model: T7 over one stretch, or the string itself."""
    changed = json.loads(json.dumps(make.accepted("curved_flat")))
    changed["predicate"]["run"]["threat"]["release"] = "all"
    for entry in changed["predicate"]["assumptions"]:
        if entry["id"] == "release:final":
            entry |= {"id": "release:all", "text": checker.ASSUMPTIONS["release:all"]}
    assert checker.verify(make.seal(changed)).exit_code == 0
    assert "T7" in make.accepted("release_all_learning")["predicate"]["theorems"]


def test_weaker_claims_may_be_made() -> None:
    """Overstating all of one bound consistently is no lie."""
    text = json.dumps(statement_of("mnist_unlearning_b128"))
    predicate = json.loads(text)["predicate"]
    for shown, weaker in ((predicate["epsilon"]["upper"], "0.08"), (predicate["mu"]["upper"], "0.033"),
                          (predicate["epsilon"]["lower"], "0.07"), (predicate["mu"]["lower"], "0.03")):  # fmt: skip
        assert checker.verify(make.seal(json.loads(text.replace(f'"{shown}"', f'"{weaker}"')))).exit_code == 0
        for lie in (make.lower_by_a_digit(shown), make.exact(Fraction(shown) + Fraction(1, 10**13))):
            if (lie < shown) == (shown == predicate["epsilon"]["upper"] or shown == predicate["mu"]["upper"]):
                with pytest.raises(checker.DoesNotFollow):
                    checker.verify(make.seal(json.loads(text.replace(f'"{shown}"', f'"{lie}"'))))
