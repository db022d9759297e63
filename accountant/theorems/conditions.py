"""Strict comparisons that several theorems share; each answers True, False or None (undecided)."""

from __future__ import annotations

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.quantities import LossBounds


def below(A: Arithmetic, x: Number, y: Number) -> bool | None:
    """x < y."""
    answer = A.at_least(x, y)
    return None if answer is None else not answer


def inside_unit(A: Arithmetic, delta: Number) -> bool | None:
    """0 < δ < 1."""
    answers = below(A, A.of(0), delta), below(A, delta, A.of(1))
    return None if None in answers else all(answers)


def derived(A: Arithmetic, name: str, given: Number, loss: tuple[LossBounds, ...]) -> Number:
    """The loss's own constant where it was derived (the argument only repeats it), else the attested argument."""
    if not loss:
        return given
    value = getattr(loss[0], name)
    agree = A.at_least(value, given) is not False and A.at_least(given, value) is not False
    A.require(agree, f"{name} as derived from the loss", given)
    return value


def per_record(A: Arithmetic, loss: tuple[LossBounds, ...]) -> None:
    """Require that M bounds each record's gradient, and not only that of a batch which is clipped as a whole."""
    A.require(not any(known.whole_batch for known in loss), "a bound on each record's gradient")


def check_positions(A: Arithmetic, positions: tuple[int, ...], batches: int) -> None:
    """Require that the batches that are looked at ascend from the first to the last."""
    A.require(
        positions == tuple(sorted(set(positions))) and positions[:1] == (0,) and positions[-1:] == (batches - 1,),
        "positions ascend from 0 to l − 1",
        len(positions),
    )
