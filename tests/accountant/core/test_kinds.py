"""Kinds of arguments: by resolved annotations, never by their text; an integer among numbers is a number."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction as F
from types import ModuleType
from typing import Any

import pytest

from accountant import THEOREMS, apply, enclose, evaluate
from accountant.core.arithmetic import Arithmetic, Ball, Exact, Float, Number
from accountant.core.kernel import Theorem, theorem
from accountant.core.kinds import Record, UnknownKind, Whole, parameters
from accountant.core.quantities import GaussianDP, LinearLoss, LossBounds
from accountant.theorems.timelines import Timeline
from tests.accountant.cases import FACTS


@pytest.fixture
def declare() -> Iterator[Callable[..., Theorem]]:
    """`@theorem` under a new id, taken out of the table again."""
    before = dict(THEOREMS)

    def declared(body: Callable[..., Any], **more: Any) -> Theorem:
        return theorem("X1", **({"concludes": GaussianDP, "facts": FACTS, "source": "", "oracle": ""} | more))(body)

    yield declared
    THEOREMS.clear()
    THEOREMS.update(before)


def module(text: str) -> ModuleType:
    """A module of that text, where its functions find their names."""
    made = ModuleType("module_of_a_test")
    exec(text, made.__dict__)
    return made


def holds_two_thirds(t: Theorem, a: int | F, b: int | F) -> bool:
    enclosure = enclose(apply(t, a=a, b=b))
    return enclosure.lower < F(2, 3) < enclosure.upper and evaluate(apply(t, a=a, b=b), Exact()).mu == F(2, 3)


BODY = "def ratio(A, *, a: {number}, b: {number}) -> Q.GaussianDP:\n    return Q.GaussianDP(a / b)\n"
HEADS = {
    "without the future import": ("from accountant.core.arithmetic import Number", "Number"),
    "under another name": ("from accountant.core.arithmetic import Number as Real", "Real"),
    "both, with the future import": (
        "from __future__ import annotations\nfrom accountant.core.quantities import Number as Real", "Real"),
    "a word that holds no Number": ("from accountant.core import arithmetic as N", "N.Number"),
    "a fraction": ("from fractions import Fraction as Number", "Number"),
}  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
def test_an_integer_among_numbers_is_a_number(head: str, declare) -> None:
    """However the annotation is written: 2/3 is enclosed, not rounded to a double."""
    imports, number = HEADS[head]
    text = f"{imports}\nfrom accountant.core import quantities as Q\n{BODY.format(number=number)}"
    t = declare(module(text).ratio)
    for a, b in ((2, 3), (F(2), 3), (2, F(3)), (F(2), F(3))):
        assert holds_two_thirds(t, a, b)


def test_a_count_whose_name_says_number_stays_a_count(declare) -> None:
    text = "NumberOfSteps = int\nfrom accountant.core.quantities import GaussianDP\n"
    text += "def steps(A, *, n: NumberOfSteps) -> GaussianDP:\n    return GaussianDP(A.of(len(range(n))))\n"
    t = declare(module(text).steps)
    assert evaluate(apply(t, n=5), Exact()).mu == 5
    with pytest.raises(TypeError, match=r"steps.n: a whole number \(int\) is needed, got Fraction"):
        apply(t, n=F(5))


@dataclass(frozen=True)
class Pair:
    top: Number
    bottom: F
    kept: tuple[F, ...] = field(default=(), metadata={"exact": True})
    inner: Pair | None = None


def test_integers_in_records_and_tuples_are_numbers_too(declare) -> None:
    def of_a_record(A: Arithmetic, *, pair: Pair) -> GaussianDP:
        assert all(type(value) is F for value in pair.kept)
        return GaussianDP(pair.inner.top / pair.inner.bottom)

    def of_a_tuple(A: Arithmetic, *, rows: tuple[tuple[int, Number], ...]) -> GaussianDP:
        return GaussianDP(rows[0][1] / rows[1][1])

    first = apply(declare(of_a_record), pair=Pair(1, 1, (2, 3), Pair(2, 3)))
    assert evaluate(first, Exact()).mu == F(2, 3)
    del THEOREMS["X1"]
    assert evaluate(apply(declare(of_a_tuple), rows=((0, 2), (1, 3))), Exact()).mu == F(2, 3)


def test_integers_in_premises_are_numbers_too(declare) -> None:
    """A field with an integer for its default (LinearLoss.floor), or a body that concludes with one."""

    def two(A: Arithmetic) -> LinearLoss:
        return LinearLoss(3, None, None, floor=2)

    def ratio(A: Arithmetic, loss: LinearLoss) -> GaussianDP:
        return GaussianDP(loss.floor / loss.regularization)

    premise = apply(declare(two, concludes=LinearLoss))
    t = theorem("X2", concludes=GaussianDP, premises=(LinearLoss,), facts=FACTS, source="", oracle="")(ratio)
    enclosure = enclose(apply(t, premise))
    assert enclosure.lower < F(2, 3) < enclosure.upper


def test_a_quotient_of_counts_is_refused(declare) -> None:
    def ratio(A: Arithmetic, *, a: int, b: int) -> GaussianDP:
        return GaussianDP(A.of(1) * ((2 * a - a) / b))

    with pytest.raises(TypeError, match=r"2 and 3 are counts, their quotient is a float; write A\.of\(count\)"):
        apply(declare(ratio), a=2, b=3)


def test_a_float_that_a_body_makes_is_refused(declare) -> None:
    def literal(A: Arithmetic) -> GaussianDP:
        return GaussianDP(2 / 3)

    with pytest.raises(TypeError, match=r"0\.66.* is a float among the numbers of Ball"):
        apply(declare(literal))


def test_a_conclusion_is_of_the_kind_that_is_declared(declare) -> None:
    def timeline(A: Arithmetic) -> Timeline:
        return GaussianDP(A.of(1))

    with pytest.raises(TypeError, match=r"timeline \(X1\): concludes GaussianDP.*, no Timeline"):
        apply(declare(timeline, concludes=Timeline))


def untyped(A, *, x):
    return GaussianDP(x)


def listed(A: Arithmetic, *, x: list[int]) -> GaussianDP:
    return GaussianDP(A.of(1))


def anything(A: Arithmetic, *, x: Any) -> GaussianDP:
    return GaussianDP(x)


def inexact(A: Arithmetic, *, x: float) -> GaussianDP:
    return GaussianDP(x)


def either(A: Arithmetic, *, x: int | Number) -> GaussianDP:
    return GaussianDP(x)


def unresolved(A: Arithmetic, *, x: Nowhere) -> GaussianDP:  # noqa: F821
    return GaussianDP(x)


def several(A: Arithmetic, **x: Number) -> GaussianDP:
    return GaussianDP(x["x"])


def defaulted(A: Arithmetic, *, x: Number = 2) -> GaussianDP:
    return GaussianDP(x / 3)


@dataclass
class Mutable:
    x: Number


def mutable(A: Arithmetic, *, x: Mutable) -> GaussianDP:
    return GaussianDP(x.x)


@pytest.mark.parametrize(
    "body",
    [untyped, listed, anything, inexact, either, unresolved, several, defaulted, mutable],
    ids=lambda b: b.__name__,
)
def test_a_parameter_of_unknown_kind_is_refused(body) -> None:
    with pytest.raises(UnknownKind, match=rf"^{body.__name__}\.?x?"):
        theorem("X1", concludes=GaussianDP, facts=FACTS, source="", oracle="")(body)
    assert "X1" not in THEOREMS


def test_premises_are_those_that_the_body_says() -> None:
    def pair(A: Arithmetic, pair: GaussianDP) -> GaussianDP:
        return pair

    for premises in ((), (Timeline,), (GaussianDP, GaussianDP), (GaussianDP | Timeline,)):
        with pytest.raises(UnknownKind, match=r"pair \(X1\): takes"):
            theorem("X1", concludes=GaussianDP, premises=premises, facts=FACTS, source="", oracle="")(pair)


@pytest.mark.parametrize("id", THEOREMS)
def test_every_parameter_of_the_table_has_its_kind(id: str) -> None:
    taken, kinds = parameters(THEOREMS[id].body)
    assert kinds == dict(THEOREMS[id].kinds)
    assert all(dataclasses.is_dataclass(part) for hint in taken.values() for part in getattr(hint, "__args__", (hint,)))


def test_counts_stay_counts_under_sums_and_products() -> None:
    n = Whole(6)
    for made in (n + 1, 1 + n, n - 1, 1 - n, 2 * n, n * n, -n):
        assert type(made) is Whole
    for quotient in (lambda: n / 3, lambda: 3 / n, lambda: n / n, lambda: (n - 1) / 2):
        with pytest.raises(TypeError, match="counts"):
            quotient()
    assert n / F(4) == F(3, 2) and (Ball().of(1) * n / 7 - Ball().of(F(6, 7))).contains(0)
    assert n // 4 == 1 and Float().of(1) / n == 1 / 6 and hash(n) == hash(6) and n == 6


def test_what_a_body_sees_of_a_quantity_holds_no_int_among_numbers() -> None:
    bounds = Record(LossBounds).convert(Ball(), LossBounds(1, 2, F(3), convex=True))
    assert all(
        type(x) is type(Ball().of(1)) for x in (bounds.smoothness, bounds.strong_convexity, bounds.gradient_bound)
    )
    assert bounds.convex is True
