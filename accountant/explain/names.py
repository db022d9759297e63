"""Names for the numbers of a derivation, and its timelines, corners and phases written in them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import sympy

from accountant.core.arithmetic.symbols import Count
from accountant.core.kernel import Derivation
from accountant.losses import LOSSES
from accountant.mechanisms.timeline import Phase
from accountant.theorems.flow import Mark
from accountant.theorems.shifts import Corner
from accountant.theorems.timelines import Block, Timeline

_NAMES = {
    "step_size": "eta",
    "noise_std": "sigma",
    "strong_convexity": "m",
    "regularization": "m",
    "smoothness": "L",
    "gradient_bound": "M",
    "feature_norm": "X",
    "radius": "R",
    "clip": "C",
    "batch_size": "b",
    "start": "z_0",
    "diameter": "D",
    "delta": "delta",
    "contraction": "c",
    "shift": "s",
    "drift": "d",
    "variance": "V",
}

MEANING = {
    "eta": "step size",
    "sigma": "noise_std",
    "tau": "deviation of one step's noise, √(2ησ²)",
    "m": "strong convexity",
    "L": "smoothness",
    "M": "bound on one record's data gradient",
    "X": "feature_norm",
    "R": "radius",
    "C": "clip, or max_grad_norm",
    "b": "batch_size",
    "z_0": "distance of the starts",
    "c": "contraction of a step",
    "s": "shift of one differing record",
    "d": "drift of a step once the runs are apart",
    "l": "batches of an epoch",
    "T": "epochs of learning",
    "K": "epochs of unlearning",
    "N": "epochs on equal data",
    "h": "curvature of the witness's other records",
    "z": "noise_multiplier",
    "q": "sample_rate",
    "N_steps": "steps",
    "E": "epochs",
    "g": "group_size",
    "n": "samples",
    "B": "max_batch_size",
    "G": "gradient_norm_bound",
    "r": "r of the scaling map",
    "s_map": "s of the scaling map",
}

# A loss brings the letters of its own numbers.
_LETTERS = {name: key.letter for loss in LOSSES for name, key in loss.run_keys.items() if key.letter is not None}
_NAMES |= {name: letter for name, letter in _LETTERS.items() if name not in _NAMES}
MEANING |= {letter: name for name, letter in _LETTERS.items() if letter not in MEANING}


class Names:
    """Equal numbers in the same role get one symbol, others a subscript. `values` says which number each one is."""

    def __init__(self) -> None:
        self.given: dict[str, dict[Any, sympy.Symbol]] = {}
        self.values: dict[sympy.Symbol, sympy.Expr] = {}
        self.roles: dict[sympy.Symbol, str] = {}
        self.lengths: list[sympy.Symbol] = []  # the symbols that count epochs

    def name(self, role: str, value: Fraction | int, *, integer: bool = False) -> sympy.Symbol:
        known = self.given.setdefault(role, {})
        if value not in known:
            label, i = role, 0
            while any(str(symbol) == label for symbol in self.values):
                i += 1
                label = f"{role}_{i}"
            symbol = sympy.Symbol(label, positive=True, integer=integer or None)
            known[value] = symbol
            exact = Fraction(value)
            number = sympy.Rational(exact.numerator, exact.denominator)
            # A variance goes by the name of its root.
            self.values[symbol] = sympy.sqrt(number) if role == "tau" else number
            self.roles[symbol] = role
        return known[value]

    def meaning(self, symbol: sympy.Symbol) -> str:
        """What the symbol stands for, in words; empty where its name says it."""
        role = self.roles.get(symbol, "")
        return MEANING.get(role) or MEANING.get(role.partition("_")[0], "")

    def count(self, role: str, value: int) -> Count:
        return Count(value, self.name(role, value, integer=True))

    def epochs(self, i: int, of: int, value: int, *, clean: bool = False) -> Count:
        """T for learning, K for the one unlearning phase, K_1, K_2 … for several; N for a first phase on equal data."""
        first = "N" if clean else "T"
        count = self.count(first if i == 0 else ("K" if of == 2 else f"K_{i}"), value)
        if count.symbol not in self.lengths:
            self.lengths.append(count.symbol)
        return count

    def values_in(self, expression: sympy.Expr) -> tuple[tuple[sympy.Symbol, sympy.Expr], ...]:
        """The values of the symbols in an expression."""
        return tuple((s, self.values[s]) for s in sorted(expression.free_symbols, key=str) if s in self.values)

    def arguments(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """A theorem's arguments: numbers that have a name by it, 0 and everything else as they are."""
        return {
            key: self.name(_NAMES[key], value)
            if key in _NAMES and isinstance(value, int | Fraction) and value != 0
            else (sympy.Integer(0) if isinstance(value, Fraction) else value)
            for key, value in arguments.items()
        }

    def factor(self, contraction: Fraction) -> sympy.Expr:
        """c; 0 and 1 are written as they are, a geometric sum in c has no value there."""
        return sympy.Integer(int(contraction)) if contraction in (0, 1) else self.name("c", contraction)

    def timeline(self, node: Derivation, first: int = 0, of: int | None = None) -> Timeline:
        """A timeline (T10) in symbols: c, s, τ, l, T and K; where shifts lie and where it bends stays as it is.

        first, of: of how many phases in all its own are which, where it is one stretch of several.
        """
        timeline: Timeline = node.preview
        shift_of = [premise.preview.distance for premise in node.premises[1::2]]
        phases = len(timeline.blocks) if of is None else of
        blocks = tuple(self._block(first + i, phases, block, shift_of[i]) for i, block in enumerate(timeline.blocks))
        start = self.name("z_0", timeline.start) if timeline.start else sympy.Integer(0)
        diameter = None if timeline.diameter is None else 2 * self.name("R", timeline.diameter / 2)
        return replace(timeline, start=start, diameter=diameter, blocks=blocks, exact=None)

    def _block(self, i: int, of: int, block: Block, shift: Fraction) -> Block:
        batches = self.count("l", block.batches)
        s = self.name("s", shift) if shift else sympy.Integer(0)
        drift = block.drift
        if drift is not None:
            drift = self.name("d", drift) if drift else sympy.Integer(0)
        return replace(
            block,
            epochs=self.epochs(i, of, block.epochs, clean=not block.shifts),
            batches=batches,
            contraction=self.factor(block.contraction),
            variance=self.name("tau", block.variance) ** 2,
            drift=drift,
            shifts=tuple(
                (position_from_end(position, batches), (distance / shift if shift else 0) * s)
                for position, distance in block.shifts
            ),
        )

    def phase(self, i: int, of: int, phase: Phase) -> Phase:
        batches = self.count("l", phase.batches)
        return Phase(
            epochs=self.epochs(i, of, phase.epochs, clean=not phase.records),
            batches=batches,
            batch_size=self.count("b", phase.batch_size),
            step_size=self.name("eta", phase.step_size),
            noise_std=self.name("sigma", phase.noise_std),
            records=tuple((position_from_end(p, batches), count) for p, count in phase.records),
        )


def position_from_end(position: int, batches: Count) -> int:
    """Positions count from the end of the epoch, where the worst batches are."""
    return batches - (int(batches) - position)


def _epoch(e: int, block: Block) -> int:
    """Epochs count from the nearer end of the block."""
    return e if 2 * e < block.epochs else block.epochs - (int(block.epochs) - e)


def corner_in(corner: Corner, timeline: Timeline) -> Corner:
    """A corner on a timeline in symbols."""
    block = timeline.blocks[corner.block]
    return Corner(
        corner.block,
        position_from_end(corner.position, block.batches),
        _epoch(corner.first, block),
        _epoch(corner.last, block),
    )


def mark_in(mark: Mark, timeline: Timeline) -> Mark:
    """A moment on a timeline in symbols; position 0 is where the epoch begins."""
    if mark.block == len(timeline.blocks):
        return mark
    block = timeline.blocks[mark.block]
    position = position_from_end(mark.position, block.batches) if mark.position else 0
    return Mark(mark.block, _epoch(mark.epoch, block), position)
