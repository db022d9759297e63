"""The text of a dp_accounting `DpEvent`, or of its named tuple (`to_named_tuple()`, also as JSON): literals, parsed.

Numbers are taken as they are written. Several Gaussians on one sample are one, of noise (Σ z_i⁻²)^(−1/2).
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from accountant.core.exact import exact
from accountant.mechanisms.dpsgd import Stage
from accountant.mechanisms.pnsgd import InvalidMechanism
from accountant.mechanisms.sampling import POISSON, WITHOUT_REPLACEMENT
from certify.results.peers.record import Record, merged, whole

FIELDS = {  # of dp_accounting 0.6.0, in their order
    "ComposedDpEvent": ("events",),
    "SelfComposedDpEvent": ("event", "count"),
    "PoissonSampledDpEvent": ("sampling_probability", "event"),
    "SampledWithoutReplacementDpEvent": ("source_dataset_size", "sample_size", "event"),
    "TruncatedSubsampledGaussianDpEvent": (
        "dataset_size",
        "sampling_probability",
        "truncated_batch_size",
        "noise_multiplier",
    ),
    "GaussianDpEvent": ("noise_multiplier",),
    "NoOpDpEvent": (),
    "NonPrivateDpEvent": (),
}
DIGITS = 40  # of a noise multiplier that is irrational
_TUPLE = re.compile(r"_?(\w+DpEvent)NamedTupleWrapper")
_NUMPY = re.compile(r"(?:np\.|numpy\.)?(?:u?int(?:8|16|32|64|c|p)?|float(?:16|32|64)?|longlong|longdouble)")


@dataclass(frozen=True)
class _Step:
    """A noisy step, `noisier` with its noise multiplier rounded up; way: how its batch is drawn; cut: (number of
    records, largest batch) of a Poisson batch that is cut; a step without noise has neither stage."""

    way: str
    stage: Stage | None = None
    noisier: Stage | None = None
    cut: tuple[int, int] | None = None


def read_events(text: str) -> Record:
    """The run that an event describes.

    Raises:
        ValueError, SyntaxError, InvalidMechanism: an event that is not understood, or a value out of range.
    """
    source = " ".join(text.split())  # one line, so that a number's place in it is its column
    steps = list(_Reader(source.encode()).steps(ast.parse(source, mode="eval").body, 1))
    if any(step.way == "in the clear" for step in steps):
        return Record((), rows=len(steps), sampling="full", in_the_clear=True)
    if not steps:
        raise ValueError("no noisy step in it")
    ways, cuts = {step.way for step in steps}, {step.cut for step in steps}
    if {POISSON.name, WITHOUT_REPLACEMENT.name} <= ways:
        raise ValueError("Poisson sampling and sampling without replacement in one run are not composed here")
    if len(cuts) > 1:
        raise ValueError("batches that are cut, and others or otherwise cut ones, in one run are not composed here")
    samples, max_batch_size = cuts.pop() or (None, None)
    return Record(
        stages=merged(step.stage for step in steps),
        rows=len(steps),
        sampling=next(iter(ways - {"full"}), "full"),
        noisier=merged(step.noisier for step in steps) if any(s.noisier != s.stage for s in steps) else None,
        samples=samples,
        max_batch_size=max_batch_size,
    )


@dataclass(frozen=True)
class _Reader:
    source: bytes

    def steps(self, node: ast.expr, count: int) -> Iterator[_Step]:
        """The noisy steps of an event that is repeated `count` times."""
        name, given = self.event(node)
        match name:
            case "ComposedDpEvent":
                for i, event in enumerate(_list(given["events"]), 1):
                    try:
                        yield from self.steps(event, count)
                    except ValueError as problem:
                        raise ValueError(f"event {i}: {problem}") from None
            case "SelfComposedDpEvent":
                yield from self.steps(given["event"], count * self.times(given["count"]))
            case "PoissonSampledDpEvent":
                rate = self.number(given["sampling_probability"], "sampling_probability")
                yield from self.gaussian(given["event"], "poisson", rate, count)
            case "SampledWithoutReplacementDpEvent":
                size, of = self.whole(given, "sample_size"), self.whole(given, "source_dataset_size")
                if not 1 <= size <= of:
                    raise ValueError(f"a sample of {size} of {of} records")
                yield from self.gaussian(given["event"], "without-replacement", Fraction(size, of), count)
            case "TruncatedSubsampledGaussianDpEvent":
                rate = self.number(given["sampling_probability"], "sampling_probability")
                stage = Stage(self.number(given["noise_multiplier"], "noise_multiplier"), rate, count)
                cut = self.whole(given, "dataset_size"), self.whole(given, "truncated_batch_size")
                yield _Step("poisson", stage, stage, cut)
            case "GaussianDpEvent":
                yield from self.gaussian(node, "full", Fraction(1), count)
            case "NonPrivateDpEvent":
                yield _Step("in the clear")

    def gaussian(self, node: ast.expr, way: str, rate: Fraction, count: int) -> Iterator[_Step]:
        """All that is released of one sample, as one Gaussian."""
        precision = self.precision(node)
        if precision:
            below, above = _root(1 / precision)
            yield _Step(way, Stage(below, rate, count), Stage(above, rate, count))

    def precision(self, node: ast.expr) -> Fraction:
        """Σ z⁻² of the Gaussians that an event is composed of."""
        name, given = self.event(node)
        match name:
            case "GaussianDpEvent":
                z = self.number(given["noise_multiplier"], "noise_multiplier")
                return 1 / Stage(z, 1, 1).noise_multiplier ** 2
            case "ComposedDpEvent":
                return sum((self.precision(event) for event in _list(given["events"])), Fraction(0))
            case "SelfComposedDpEvent":
                return self.precision(given["event"]) * self.times(given["count"])
            case "NoOpDpEvent":
                return Fraction(0)
        raise ValueError(f"{name} inside a sampled event; only GaussianDpEvent and compositions of it are read there")

    def event(self, node: ast.expr) -> tuple[str, dict[str, ast.expr]]:
        """Its name and its fields, all of them and no other."""
        name, positional, named = self._parts(node)
        if name not in FIELDS:
            raise ValueError(f"{name:.60} is not accounted for here; these are: {', '.join(FIELDS)}")
        fields = FIELDS[name]
        if len(positional) > len(fields):
            raise ValueError(f"{name} with {len(positional)} arguments; it has {', '.join(fields) or 'none'}")
        given = dict(zip(fields, positional, strict=False))
        for key, value in named:
            if key not in fields or key in given:
                raise ValueError(f"{name}: {key:.60} is {'given twice' if key in given else 'not one of its fields'}")
            given[key] = value
        missing = [key for key in fields if key not in given]
        if missing:
            raise ValueError(f"{name} without {missing[0]}")
        return name, given

    def _parts(self, node: ast.expr) -> tuple[str, list[ast.expr], list[tuple[str, ast.expr]]]:
        """(name, positional arguments, named ones) of a call, or of a named tuple as a list or an object."""
        match node:
            case ast.Call():
                name = ast.unparse(node.func).rpartition(".")[2]
                named = [(keyword.arg, keyword.value) for keyword in node.keywords]
                if any(key is None for key, _ in named) or any(isinstance(a, ast.Starred) for a in node.args):
                    raise ValueError("arguments with * are not read")
                tuple_of = _TUPLE.fullmatch(name)
                return self._of_tuple(node.args, named, tuple_of[1]) if tuple_of else (name, node.args, named)
            case ast.List() | ast.Tuple():
                return self._of_tuple(node.elts, [], None)
            case ast.Dict():
                keys = [_text(key) for key in node.keys]
                if None in keys:
                    raise ValueError("a key is not text")
                return self._of_tuple([], list(zip(keys, node.values, strict=True)), None)
        raise ValueError("a DpEvent is needed: the text of one, or of its named tuple")

    @staticmethod
    def _of_tuple(
        positional: list[ast.expr], named: list[tuple[str, ast.expr]], name: str | None
    ) -> tuple[str, list[ast.expr], list[tuple[str, ast.expr]]]:
        """A named tuple begins with the names of the module and of the class."""
        first = [_text(node) for node in positional[:2]]
        about = dict(zip(("module_name", "class_name"), first, strict=False))
        about |= {key: _text(node) for key, node in named if key in ("module_name", "class_name")}
        class_name = about.get("class_name")
        if class_name is None or about.get("module_name") is None or class_name != (name or class_name):
            raise ValueError("a named tuple that does not say which event it is (module_name, class_name)")
        return class_name, positional[2:], [(key, node) for key, node in named if key not in about]

    def times(self, node: ast.expr) -> int:
        count = whole(self.number(node, "count"), "count")
        if count < 1:
            raise InvalidMechanism("count", f"{count} must be at least 1: without a repetition there are no steps")
        return count

    def whole(self, given: dict[str, ast.expr], key: str) -> int:
        return whole(self.number(given[key], key), key)

    def number(self, node: ast.expr, name: str) -> Fraction:
        """The number as it is written, not its double; one of numpy's too, and one number divided by another."""
        match node:
            case ast.Call(args=[ast.Constant() as inner], keywords=[]) if _NUMPY.fullmatch(ast.unparse(node.func)):
                return self.number(inner, name)
            case ast.BinOp(left=ast.Constant() | ast.Call(), op=ast.Div(), right=ast.Constant() | ast.Call()):
                divisor = self.number(node.right, name)
                if not divisor:
                    raise ValueError(f"{name}: divides by zero")
                return self.number(node.left, name) / divisor
            case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
                written = self.source[node.col_offset : node.end_col_offset].decode()
                return exact(written.replace("_", ""), name)
        raise ValueError(f"{name}: an argument is not a number")


def _list(node: ast.expr) -> list[ast.expr]:
    if not isinstance(node, ast.List | ast.Tuple):
        raise ValueError("the events of a ComposedDpEvent are not a list")
    return node.elts


def _text(node: ast.expr | None) -> str | None:
    """A literal text, or one of bytes; None for anything else."""
    value = node.value if isinstance(node, ast.Constant) else None
    return value.decode(errors="replace") if isinstance(value, bytes) else value if isinstance(value, str) else None


def _root(square: Fraction) -> tuple[Fraction, Fraction]:
    """√ of it, rounded down and up to DIGITS digits; exact where it is a fraction."""
    top, bottom = math.isqrt(square.numerator), math.isqrt(square.denominator)
    if top**2 == square.numerator and bottom**2 == square.denominator:
        return Fraction(top, bottom), Fraction(top, bottom)
    scale = 10 ** max(0, DIGITS - (square.numerator.bit_length() - square.denominator.bit_length()) * 3 // 20)
    below = math.isqrt(square.numerator * scale**2 // square.denominator)
    return Fraction(below, scale), Fraction(below + 1, scale)
