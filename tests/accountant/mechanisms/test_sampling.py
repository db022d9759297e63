"""How batches are drawn: every way answers every question, and nobody else compares their names."""

from __future__ import annotations

import ast
from fractions import Fraction as F
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from accountant.core.exact import Rounding
from accountant.core.scaling import Clip
from accountant.dpsgd.estimate import estimate_training
from accountant.mechanisms import sampling
from accountant.mechanisms.dpsgd import ScaledSGD, Stage
from accountant.mechanisms.invalid import InvalidMechanism
from accountant.mechanisms.neighbours import FIXED_SIZE, NEIGHBOURS, replaces, shift_of, sides
from accountant.mechanisms.pairs import Coins, DominatingPair, Symmetrised, Way
from accountant.mechanisms.release import InvalidRelease, Part, Release, check, parts
from accountant.mechanisms.sampling import (
    FIXED,
    FULL,
    POISSON,
    RELEASED,
    SAMPLINGS,
    SHUFFLED,
    WITHOUT_REPLACEMENT,
    Sampling,
    SamplingName,
    sampling_of,
)
from accountant.pld.compose import composed
from accountant.pld.mixture import pair_of

ROOT = Path(__file__).parents[3]
SCHEMES = list(SAMPLINGS.values())
RATE = F(1, 3)


def descendants(cls: type) -> set[type]:
    return {cls}.union(*(descendants(child) for child in cls.__subclasses__()))


def test_one_of_every_final_class_is_listed_under_its_name() -> None:
    final = {cls for cls in descendants(Sampling) if getattr(cls, "__final__", False)}
    assert {type(scheme) for scheme in SCHEMES} == final and len(final) == len(SCHEMES)
    assert get_args(SamplingName) == tuple(SAMPLINGS) == tuple(scheme.name for scheme in SCHEMES)
    assert all(sampling_of(name) is scheme for name, scheme in SAMPLINGS.items())
    assert all(not cls.__subclasses__() for cls in final), "abstract or final"
    with pytest.raises(InvalidMechanism, match="sampling: got 'weekly'; write one of poisson, without-replacement"):
        sampling_of("weekly")


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_every_way_answers_every_question(scheme: Sampling) -> None:
    assert set(scheme.neighbours) <= set(NEIGHBOURS) and scheme.neighbours
    assert set(scheme.renyi_neighbours) <= set(scheme.neighbours)
    assert scheme.words and scheme.instead, "said of the neighbours that have no bound"
    for question in get_type_hints(Sampling):  # every one is declared there
        assert getattr(scheme, question, "unanswered") != "unanswered", question
    flags = [name for name, hint in get_type_hints(Sampling).items() if get_args(hint) == (bool,)]
    assert len(flags) >= 8 and all(isinstance(getattr(scheme, name), bool) for name in flags)
    assert scheme.rather is None or set(SAMPLINGS[scheme.rather].neighbours) > set(scheme.neighbours)
    for neighbours in scheme.neighbours:
        square, pair = scheme.pair(F(1, 4), *sides(neighbours, 1))
        assert isinstance(square, F) and square > 0 and isinstance(pair, DominatingPair)
        assert isinstance(scheme.directed(neighbours), bool)
    assert isinstance(scheme.participations(7, RATE), int) and isinstance(scheme.steps_of_epoch(RATE), int)
    assert scheme.accounted.accounted is scheme.accounted and scheme.accounted.name in RELEASED
    assert 0 < scheme.accounted_rate(RATE) <= 1


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_every_way_can_be_described_and_accounted_for(scheme: Sampling) -> None:
    stage = Stage(2, RATE if scheme.needs_rate else 1, 6)
    for neighbours in NEIGHBOURS:
        if neighbours in scheme.neighbours:
            run = ScaledSGD(Clip(1), (stage,), sampling=scheme.name, neighbours=neighbours, samples=9)
            assert run.scheme is scheme and run.participations(stage) == scheme.participations(6, stage.sample_rate)
        else:
            with pytest.raises(InvalidMechanism, match="no bound for sampling = ") as refused:
                ScaledSGD(Clip(1), (stage,), sampling=scheme.name, neighbours=neighbours, samples=9)
            assert str(refused.value).endswith(scheme.instead)
    release = Release(scheme.accounted.name, 2, scheme.accounted_rate(RATE), 6)
    check((release,), scheme.neighbours[0])
    assert release.scheme is scheme.accounted


def test_the_answers() -> None:
    """A table by hand, against the classes."""
    # name: (default neighbours, released as, sums of 7 at rate 1/3 that a record is in, steps of an epoch at 2/5)
    assert {s.name: (s.neighbours[0], s.accounted.name, s.participations(7, RATE), s.steps_of_epoch(F(2, 5)))
            for s in SCHEMES} == {
        "poisson": ("add-or-remove-one", "poisson", 7, 3),
        "without-replacement": ("replace-one", "without-replacement", 7, 3),
        "full": ("add-or-remove-one", "full", 7, 3),
        "shuffled": ("replace-one", "full", 3, 2),
        "fixed": ("replace-one", "full", 3, 2),
    }  # fmt: skip
    assert POISSON.pair(F(1), 2, 1) == (1, Coins(2, 1)) and WITHOUT_REPLACEMENT.pair(F(1), 1, 1) == (4, Symmetrised())
    assert FULL.pair(F(1, 4), 1, 1) == SHUFFLED.pair(F(1, 4), 1, 1) == FIXED.pair(F(1, 4), 1, 1) == (1, Coins())
    assert {s.name for s in SCHEMES if s.directed("add-or-remove-one")} == {"poisson"}
    assert not any(s.directed("replace-one") for s in SCHEMES)
    assert [s.name for s in SCHEMES if s.symmetrised] == ["without-replacement"]
    assert Symmetrised().mirrored and Symmetrised().attained == Coins() == Coins().attained
    assert Coins(2, 2).mirrored and not Coins(2, 0).mirrored


def test_the_shift_of_a_sum() -> None:
    assert {name: (shift_of(name), shift_of(name, 3), sides(name, 3)) for name in NEIGHBOURS} == {
        "add-or-remove-one": (1, 3, (3, 0)),
        "remove-one": (1, 3, (3, 0)),
        "replace-one": (2, 6, (3, 3)),
    }
    assert [name for name in NEIGHBOURS if replaces(name)] == ["replace-one"]
    assert set(FIXED_SIZE) == {"replace-one", "remove-one"}


def test_equal_pairs_of_two_ways_stay_apart() -> None:
    """Poisson batches with half the noise have the μ of those without replacement, not their pair."""
    both = (Release("without-replacement", 2, F(1, 9), 3), Release("poisson", 1, F(1, 9), 2))
    first, second = parts(both, "replace-one")
    assert (first.square, first.rate) == (second.square, second.rate)
    assert (first.pair, second.pair) == (Coins(1, 1), Symmetrised())


def test_releases_have_no_disjoint_batches() -> None:
    """They are accounted as full ones."""
    with pytest.raises(InvalidRelease, match="write one of poisson, without-replacement, full"):
        check((Release("shuffled", 1, RATE, 1),), "replace-one")


def test_a_pair_of_which_nothing_is_computed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new way with a new pair must not be taken for the pair that happens to have its (up, down)."""

    class Unknown(DominatingPair):
        up, down, mirrored, attained = 1, 0, False, Coins()

        def weights(self, rate: F) -> None:
            return None

    with pytest.raises(TypeError, match="Unknown: nothing computes"):
        pair_of(Part(F(1), RATE, 1, Unknown()))
    monkeypatch.setattr(sampling.Poisson, "pair", lambda self, square, up, down: (square, Unknown()))
    with pytest.raises(TypeError, match="Unknown: nothing estimates"):
        estimate_training((Release("poisson", 1, RATE, 3),), "add-or-remove-one", 1e-5)


def test_neither_a_flag_nor_a_number_stands_for_a_rounding_or_a_way() -> None:
    part = (Part(F(1), RATE, 1),)
    for rounding in (True, False, 1, None):
        with pytest.raises(ValueError):
            composed(part, Way.FORWARD, rounding, F(1, 1000), 64)
    with pytest.raises(ValueError):
        composed(part, 0, Rounding.UP, F(1, 1000), 64)
    with pytest.raises(TypeError, match="write `is Rounding"):
        bool(Rounding.DOWN)
    assert Rounding.UP.opposite is Rounding.DOWN and Rounding.DOWN.opposite is Rounding.UP


# --- nobody else compares names --------------------------------------------------------------------------------------

CHECKER = ("certify/checker.py", "certify/checking/")  # its own statement of the theorems; imports nothing of ours
COMPARES_SAMPLING = {
    "accountant/pnsgd/published.py": "the order of PNSGD's batches",
    "certify/report/evidence.py": "reads what somebody wrote about batches, in words",
}
COMPARES_NEIGHBOURS = {
    "accountant/mechanisms/neighbours.py": "their own module",
    "certify/report/sections/wording.py": "words for each",
    "learners/audits/canaries.py": "what the other value of a replaced canary is",
    "learners/checks.py": "what a learner does with an erased record",
    "learners/witness.py": "what a learner does with an erased record",
}


def compares(path: Path, names: set[str]) -> bool:
    """Whether one of the names is compared, matched, or looked for in a tuple, list or set that is written out. A name
    in a call, a dict or a Literal is none of these."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        operands: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            operands = [node.value]
        for operand in operands:
            one_of = operand.elts if isinstance(operand, ast.Tuple | ast.List | ast.Set) else [operand]
            if any(isinstance(part, ast.Constant) and part.value in names for part in one_of):
                return True
    return False


@pytest.mark.parametrize(
    ("names", "allowed"),
    [(set(SAMPLINGS), COMPARES_SAMPLING), (set(NEIGHBOURS), COMPARES_NEIGHBOURS)],
    ids=["sampling", "neighbours"],
)
def test_names_are_compared_in_few_places(names: set[str], allowed: dict[str, str]) -> None:
    paths = [path for package in ("accountant", "certify", "learners") for path in (ROOT / package).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in paths if compares(path, names)}
    assert {name for name in found if not name.startswith(CHECKER)} == set(allowed)


def test_a_comparison_is_seen(tmp_path: Path) -> None:
    """The finder itself, on what it must find and what it must let pass."""
    path, names = tmp_path / "some.py", {"poisson", "full"}
    for line in ('s == "poisson"', 's in ("full", "x")', '"full" in s', 'match s:\n  case "full": pass', 's != "full"'):
        path.write_text(line)
        assert compares(path, names), line
    for line in ('f("poisson")', 'd = {"full": 1}', 's == "other"', 'd["full"] == 1', "s is FULL"):
        path.write_text(line)
        assert not compares(path, names), line
