"""Where each argument of a step comes from: the run implies it, or its rule says that a proof may choose it."""

from __future__ import annotations

import pytest

from certify import checker
from tests.certify.checking.cases import ACCEPT, statement_of

# What the premises of a step, or the place where it stands, say; the others are in the one table of a run.
HERE = {
    "T10": {"phases"}, "T24": {"phase"}, "T1": {"phases"}, "T6": {"phases"}, "T6c": {"phases"}, "T6m": {"phases"},
    "T15": {"placement", "beta", "window"}, "T20d": {"noise_multiplier", "epochs", "neighbours"},
    **{id: {"releases", "neighbours"} for id in ("T20f", "T20l", "T18", "T19", "T19l")},
    **{id: {"releases", "neighbours", "group"} for id in ("T27", "T27l")},
    "T20": {"releases", "samples", "max_batch_size"},
}  # fmt: skip
TRAINING = {"T11", "T2", "T7", "T14", "T14g", "T15", "T18", "T19", "T19l", "T20", "T20d", "T20f", "T20l", "T27", "T27l"}


def implied_by_any_run(training: bool) -> set[str]:
    """The names in the tables of all accepted runs."""
    names: set[str] = set()
    for path in ACCEPT:
        run = statement_of(path.stem)["predicate"].get("run")
        if run is None or (run["mechanism"]["kind"] in checker.TRAINING) is not training:
            continue
        if training:
            names |= {"delta", "gradient_norm_bound", *checker.map_arguments(run["scaling"])}
        else:
            names |= checker.implied_arguments(checker.read_run(run)).keys()
    return names


def test_free_arguments_are_those_of_their_rules() -> None:
    assert sum(bool(rule.free) for rule in checker.RULES.values()) > 10
    for theorem, rule in checker.RULES.items():
        assert rule.free <= rule.arguments.keys(), theorem
        assert not rule.free & HERE.get(theorem, set()), theorem


@pytest.mark.parametrize("training", [False, True])
def test_every_argument_is_free_or_implied(training: bool) -> None:
    """By name, for every rule that such a run may use: none is left out in silence."""
    known = implied_by_any_run(training)
    for theorem, rule in checker.RULES.items():
        if (theorem in TRAINING) is training or theorem in ("T11", "T2", "T7"):
            given = rule.free | HERE.get(theorem, set()) | known
            assert rule.arguments.keys() <= given, theorem


def test_what_neither_is_free_nor_implied_is_no_argument() -> None:
    step = {"theorem": "T11", "args": {"delta": "1/10"}, "premises": ["0"], "concludes": {"epsilon": "1"}}
    with pytest.raises(KeyError, match="delta"):
        checker.Proof([step], {}).premises("0", "T11", 1)
    with pytest.raises(checker.DoesNotFollow, match=r"step 0 \(gaussian_profile\): delta is not what the run implies"):
        checker.Proof([step], {"delta": "1/100"}).premises("0", "T11", 1)
    assert checker.Proof([step], {"delta": "1/100"}).premises("0", "T11", 1, delta="1/10") == ["0"]
