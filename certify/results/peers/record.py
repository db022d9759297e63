"""A run as another accountant recorded it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from accountant.core.exact import canonical, exact
from accountant.mechanisms.dpsgd import Stage
from accountant.mechanisms.pnsgd import InvalidMechanism


@dataclass(frozen=True)
class Record:
    """What a record says of a run, and nothing that it does not say.

    stages: equal neighbours as one. noisier: the same stages with every noise multiplier rounded up, where `stages` has
    it rounded down because it is irrational; None where nothing was rounded. rows: how many rows, history entries or
    noisy events were read. sampling: how batches were drawn; None where the record does not say. samples,
    max_batch_size: of Poisson batches that are cut. accountant: the name of the accountant, where the record has it.
    in_the_clear: whether something was released without any noise, so that no ε holds.
    """

    stages: tuple[Stage, ...]
    rows: int
    sampling: str | None = None
    noisier: tuple[Stage, ...] | None = None
    samples: int | None = None
    max_batch_size: int | None = None
    accountant: str | None = None
    in_the_clear: bool = False


def make_stage(noise_multiplier: Any, sample_rate: Any, steps: Any, where: str) -> Stage:
    """A stage of exact numbers. Raises InvalidMechanism and ValueError, with the place in front."""
    try:
        z, q, count = (
            exact(value, name)
            for value, name in (
                (noise_multiplier, "noise_multiplier"),
                (sample_rate, "sample_rate"),
                (steps, "steps"),
            )
        )
        return Stage(z, q, whole(count, "steps"))
    except (ValueError, TypeError) as problem:  # InvalidMechanism is a ValueError
        raise ValueError(f"{where}: {problem}") from None


def whole(value: Fraction, name: str) -> int:
    if value.denominator != 1:
        raise InvalidMechanism(name, f"{canonical(value)} must be a whole number")
    return int(value)


def merged(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """Equal stages next to each other as one."""
    equal = itertools.groupby(stages, key=lambda stage: (stage.noise_multiplier, stage.sample_rate))
    return tuple(Stage(z, q, sum(stage.steps for stage in group)) for (z, q), group in equal)


def load_json(text: str) -> Any:
    """JSON with exact decimals, without NaN and without keys given twice. Raises ValueError."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_once)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a finite number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for key, value in pairs:
        if key in entries:
            raise ValueError(f"the key {key!r:.80} is given twice")
        entries[key] = value
    return entries
