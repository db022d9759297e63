"""The trusted core: what a theorem is, what a derivation is, and how one is evaluated.

    @theorem(id, concludes=…, premises=(…), facts=…, source=…, assumes=(…))  declare
    apply(theorem, *premises, **arguments) -> Derivation                  derive: the only way to make a Derivation
    evaluate(derivation, arithmetic) -> quantity                          compute, in floats, balls, fractions or
    symbols

A theorem body is a pure function `body(A, *premises, **arguments)`: side conditions as `A.require(…)`, then the
formula. Assumptions are never dropped: a derivation carries those of every theorem below it.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from types import MappingProxyType, UnionType
from typing import Any, Generic, TypeVar, final, get_args

from accountant.core.arithmetic import Arithmetic, Ball, ConditionViolated, Exact, Undecided
from accountant.core.arithmetic.balls import precision
from accountant.core.exact import settle
from accountant.core.facts import Direction, Facts
from accountant.core.kinds import Kind, Record, UnknownKind, Whole, kind_of, parameters

ASSUMPTIONS: dict[str, str] = {
    "convexity": "The data loss of every record is convex in the parameters, and the regulariser makes the loss "
    "m-strongly convex, alike for neighbours.",
    "smoothness": "The regularised loss is L-smooth in the parameters.",
    "gradient_bound": "The data gradient of every record has norm at most M at every parameter vector.",
    "feature_norm": "Every feature vector has norm at most feature_norm and every label is -1 or +1.",
    "features": "Every feature vector has norm at most feature_norm.",
    "target_bound": "Every target lies between -target_bound and target_bound.",
    "counts": "Every target lies between 0 and target_bound.",
    "classes": "Every label is one of the classes.",
    "domain": "Where there is a radius, its ball is centred at the origin and every gradient is taken in it; the "
    "loss's constants hold there.",
    "gaussian_noise": "Every step adds independent exact Gaussian noise N(0, 2ησ²I) that the observer does not know.",
    "noise_above_rounding": "With the dtype, dimension and largest_coordinate of [execution], and an error of at most "
    "4 units in the last place in each coordinate of each step, rounding adds at most a hundredth of the mu that the "
    "target allows.",
    "output_noise": "Exact Gaussian noise is added once, to the released parameters alone; the steps add none.",
    "noisy_sums": "Every step releases a sum with one term for each record of its batch, of norm at most the "
    "sensitivity, plus exact Gaussian noise that the observer does not know; whatever it is divided by is public.",
    "sampling": "The batches are drawn anew at every step as the schedule says, independently of the data, and the "
    "observer does not see who is in them.",
    "batches:disjoint": "Every record is in exactly one batch of each epoch; the order does not depend on the data.",
    "converged": "Learning ran until its distance to the minimiser was what the publication asks, however long.",
    "projection": "Every step ends with the projection on the ball of the given radius, and both starts lie in it.",
    "starts": "The two runs start at most initial_distance apart, independently of the data.",
    "neighbours:replace-one": "Neighbouring datasets differ in the value of the named records; "
    "their number is the same.",
    "neighbours:remove-one": "Neighbouring datasets differ in that the data gradients of the named records are zero; "
    "the batches keep their size.",
    "neighbours:add-or-remove-one": "Neighbouring datasets differ by one record that only one of them has.",
    "group:independent": "What is said of neighbours holds for group_size such differences at once; each of these "
    "records is drawn for itself.",
    "group:together": "What is said of neighbours holds for group_size such differences at once; these records are "
    "drawn together or not at all.",
    "other_releases": "Every other release in the budget is Gaussian-DP with its stated mu, about the same records and "
    "neighbours; it may depend on what was released before.",
    "per_record_clipping": "Each record's gradient is clipped (or scaled) by itself, before the sum; the regulariser "
    "is added after.",
    "batch_clipping": "The mean gradient of every batch is clipped to norm clip as a whole; the regulariser is added "
    "after.",
    "weight_decay": "The regulariser is the weight decay (m/2)‖θ‖² with m = strong_convexity, alike for neighbours.",
    "batches:fixed": "The batches are fixed in advance, visited in the same order every epoch, and alike in both runs.",
    "batches:secret": "The assignment of the records to batches was drawn uniformly, independently of data and noise, "
    "is alike in both runs, and the observer does not know it.",
    "release:sums": "The observer may see every noisy sum, and with it every iterate.",
    "release:final": "The observer sees the final model alone; which records are asked for, and when, does not depend "
    "on any released model.",
    "release:all": "The observer sees the model after learning and after every request; which records are asked for, "
    "and when, does not depend on any released model.",
    "release:adaptively": "The observer sees the model after learning and after every request; the set of records that "
    "the claim is about is fixed in advance, and everything else about the requests may be chosen from the released "
    "models.",
    "reference:retrain": "Unlearning is compared with retraining for as many epochs, with the same start and batches, "
    "without the records to be unlearned.",
    "reference:retrain-T": "Unlearning is compared with retraining for the learning epochs alone, with the same "
    "batches, without the records to be unlearned.",
    "reference:stationary": "Unlearning is compared with the stationary distribution of training with the same "
    "batches, without the records to be unlearned.",
}

Q = TypeVar(
    "Q", covariant=True
)  # what a theorem concludes: a frozen dataclass, of accountant.core.quantities or others

PREVIEW_PRECISION = 128

THEOREMS: dict[str, Theorem[Any]] = {}


class TheoremError(ValueError):
    """A theorem was applied where it does not hold; names theorem, condition and value."""


@final
@dataclass(frozen=True)
class Theorem(Generic[Q]):
    """A closed table entry: `THEOREMS[id]`. `premises` are the kinds that it takes, the last one repeated if
    `variadic`."""

    id: str
    name: str
    body: Callable[..., Q] = field(repr=False, compare=False)
    concludes: type[Q]
    premises: tuple[type | UnionType, ...]
    facts: Facts  # what others must know of it; it proves nothing
    variadic: bool
    rational: bool
    source: str
    assumes: tuple[str, ...]
    oracle: str
    kinds: Mapping[str, Kind] = field(init=False, repr=False, compare=False)  # of its arguments, by name

    def __post_init__(self) -> None:
        taken, kinds = parameters(self.body)
        kind_of(self.concludes, f"{self.name} concludes")
        declared = [set(get_args(kind) or (kind,)) for kind in self.premises]
        if self.variadic:
            declared = [set().union(*declared)]
        if [set(get_args(hint) or (hint,)) for hint in taken.values()] != declared:
            raise UnknownKind(f"{self.name} ({self.id}): takes {self.premises}, but its body says {taken}")
        settle(self, kinds=MappingProxyType(kinds))

    @property
    def statement(self) -> str:
        return inspect.cleandoc(self.body.__doc__ or "")

    @property
    def conditions(self) -> tuple[str, ...]:
        """The side conditions, read off the `require` calls of the body and of the helpers that it calls."""
        return tuple(dict.fromkeys(_required(self.body, set())))


def _required(function: Callable[..., Any], visited: set[Callable[..., Any]]) -> Iterator[str]:
    """The conditions in source order; a value in braces is filled in where the helper is called."""
    visited.add(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        match call.func:
            case ast.Attribute(attr="require"):
                text = call.args[1]
                yield text.value if isinstance(text, ast.Constant) else ast.unparse(text)[2:-1]
            case ast.Name(id=name):
                helper = function.__globals__.get(name)
                if inspect.isfunction(helper) and helper.__module__.startswith("accountant.") and helper not in visited:
                    yield from _required(helper, visited)


def theorem(
    id: str,
    *,
    concludes: type[Q],
    premises: tuple[type | UnionType, ...] = (),
    facts: Facts,
    variadic: bool = False,
    rational: bool = False,
    source: str,
    assumes: tuple[str, ...] = (),
    oracle: str,
) -> Callable[[Callable[..., Q]], Theorem[Q]]:
    """Register a theorem body under its id (theory.md's, or one of the README's additions).

    facts: its record for explanations, pictures, certificates and comparisons.
    oracle: the test that attacks it, "file::name"; a test checks that it exists.
    """

    def register(body: Callable[..., Q]) -> Theorem[Q]:
        if id in THEOREMS:
            raise ValueError(f"theorem id {id} is taken by {THEOREMS[id].name}")
        unknown = set(assumes) - set(ASSUMPTIONS)
        if unknown:
            raise ValueError(f"theorem {id} assumes {sorted(unknown)}, which are not in ASSUMPTIONS")
        declared = Theorem(
            id, body.__name__, body, concludes, premises, facts, variadic, rational, source, assumes, oracle
        )
        THEOREMS[id] = declared
        return declared

    return register


def _fits(kind: type | UnionType, conclusion: type) -> bool:
    return conclusion in (get_args(kind) or (kind,))


@final
@dataclass(frozen=True, eq=False)
class Derivation(Generic[Q]):
    """A theorem applied to exact arguments and to derivations that conclude what it takes. Only `apply` makes one."""

    theorem: Theorem[Q]
    premises: tuple[Derivation[Any], ...]
    arguments: tuple[tuple[str, Any], ...]
    _preview: Q | None = field(repr=False, init=False)  # the conclusion at PREVIEW_PRECISION; None while undecided

    def __post_init__(self) -> None:
        t = self.theorem
        if THEOREMS.get(t.id) is not t:
            raise TheoremError(f"{t.id} is not a theorem of this table")
        for p in self.premises:
            if not isinstance(p, Derivation):
                raise TypeError(f"{t.name} ({t.id}): a premise is a Derivation, made by `apply`; got {p!r}")
        kinds = t.premises
        if t.variadic:
            kinds = (kinds * len(self.premises))[: len(self.premises)]
        if len(kinds) != len(self.premises) or not all(
            _fits(kind, p.theorem.concludes) for kind, p in zip(kinds, self.premises, strict=False)
        ):
            premise_types = ", ".join(p.theorem.concludes.__name__ for p in self.premises) or "nothing"
            raise TheoremError(f"{t.name} ({t.id}): takes {kinds}, got {premise_types}")
        given = dict(self.arguments)
        for name in given.keys() ^ t.kinds.keys():
            raise TypeError(f"{t.name} ({t.id}): {name} is {'no argument' if name in given else 'missing'}")
        for name, value in given.items():
            t.kinds[name].check(value, f"{t.name}.{name}")
        settle(self, _preview=self._look())

    def _look(self) -> Q | None:
        """Check the side conditions here, where the theorem is applied, as far as the preview's precision decides
        them."""
        if not all(p.decided for p in self.premises):
            return None
        try:
            with precision(PREVIEW_PRECISION):
                return _conclude(self, Ball(), tuple(p.preview for p in self.premises))
        except Undecided:
            return None

    @property
    def decided(self) -> bool:
        """Whether every side condition below holds, as far as the preview's precision can tell."""
        return self._preview is not None

    @property
    def preview(self) -> Q:
        """The conclusion in balls of PREVIEW_PRECISION bits. Raises Undecided where a side condition is open there."""
        if self._preview is None:
            raise Undecided(f"{self.theorem.name} ({self.theorem.id}): a side condition")
        return self._preview

    @property
    def direction(self) -> Direction:
        """On which side of the truth the conclusion lies."""
        own = self.theorem.facts.direction
        return self.premises[0].direction if own is Direction.OF_PREMISE else own

    @property
    def assumptions(self) -> frozenset[str]:
        """The ids in ASSUMPTIONS on which the conclusion rests."""
        return frozenset(a for d in self.nodes() for a in d.theorem.assumes)

    def nodes(self) -> Iterator[Derivation[Any]]:
        """Every derivation below this one, and this one last; each once, premises first."""
        visited: set[int] = set()

        def walk(d: Derivation[Any]) -> Iterator[Derivation[Any]]:
            if id(d) not in visited:
                visited.add(id(d))
                for p in d.premises:
                    yield from walk(p)
                yield d

        return walk(self)


def apply(theorem: Theorem[Q], *premises: Derivation[Any], **arguments: Any) -> Derivation[Q]:
    """The theorem, applied.

    Raises:
        TypeError: a float or another inexact argument.
        TheoremError: premises of the wrong kind, or a side condition that provably fails.
    """
    return Derivation(theorem, premises, tuple(arguments.items()))


def numbers(A: Arithmetic, value: Any) -> Any:
    """A quantity, or another record, in A: its exact numbers become numbers of A, counts and names stay."""
    return Record(type(value)).convert(A, value)


def conclude(theorem: Theorem[Q], A: Arithmetic, *premises: object, **arguments: Any) -> Q:
    """What the theorem concludes of quantities and exact arguments in A. No derivation: nothing is proved by it.

    Raises:
        ConditionViolated, Undecided: a side condition fails, or is open.
        TypeError: the body turned exact numbers into a float, or its conclusion is not of the declared type.
    """
    converted = [Record(type(premise)).convert(A, premise, Whole) for premise in premises]
    named = {name: kind.convert(A, arguments[name], Whole) for name, kind in theorem.kinds.items()}
    conclusion = theorem.body(A, *converted, **named)
    if type(conclusion) is not theorem.concludes:
        raise TypeError(f"{theorem.name} ({theorem.id}): concludes {conclusion!r}, no {theorem.concludes.__name__}")
    return numbers(A, conclusion)


def _conclude(d: Derivation[Q], A: Arithmetic, premises: tuple[object, ...]) -> Q:
    if d.theorem.rational and not A.symbolic:
        A = Exact()
    try:
        return conclude(d.theorem, A, *premises, **dict(d.arguments))
    except ConditionViolated as violated:
        raise TheoremError(f"{d.theorem.name} ({d.theorem.id}): {violated}") from violated


def evaluate(derivation: Derivation[Q], A: Arithmetic, known: MutableMapping[Derivation[Any], Any] | None = None) -> Q:
    """The conclusion, computed in A from the leaves up; each node once. `known` remembers them for the next call in A.

    Raises:
        TheoremError: a side condition fails.
        Undecided: a side condition is open at this precision.
    """
    known = {} if known is None else known
    for d in derivation.nodes():
        if d not in known:
            known[d] = _conclude(d, A, tuple(known[p] for p in d.premises))
    return numbers(A, known[derivation])
