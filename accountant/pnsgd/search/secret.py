"""The Rényi curve under a secret batch order: which batches T9r looks at."""

from __future__ import annotations

from fractions import Fraction

from accountant import theorems
from accountant.core.kernel import Derivation, apply

MAX_CURVE_POSITIONS = 200


def curve_positions(batches: int) -> tuple[int, ...]:
    """All of few batches. Of many half are evenly spaced, which is sharp where μ_j hardly grows, and half are closer
    and closer together towards the last, where μ_j grows fast."""
    last, half = batches - 1, (MAX_CURVE_POSITIONS - 2) // 2
    if batches <= MAX_CURVE_POSITIONS:
        return tuple(range(batches))
    chosen = {0, last} | {last * i // (half + 1) for i in range(1, half + 1)}
    back, left = 0, half
    while left:
        # The ratio at which the rest reaches the first batch; one step at least.
        back = max(back + 1, int(back * (last / max(back, 1)) ** (1 / (left + 1))))
        chosen.add(max(last - back, 0))
        left -= 1
    return tuple(sorted(chosen))


def derive_secret_renyi(timeline: Derivation, orders: tuple[Fraction, ...]) -> Derivation:
    """T9r on a timeline (T10) of T9: one record, in the last batch.

    Raises:
        TheoremError: T9 does not apply to the timeline, or an order is at most 1.
    """
    positions = curve_positions(timeline.preview.blocks[0].batches)
    return apply(theorems.secret_renyi, timeline, orders=orders, positions=positions)
