"""T19: many steps, and what they come to."""

from __future__ import annotations

import decimal
from fractions import Fraction

from certify.checking.limits import MAX_NODES, require
from certify.checking.numbers.elementary import e_to
from certify.checking.numbers.fixed import fixed
from certify.checking.numbers.intervals import Interval
from certify.checking.sampled.below import from_below
from certify.checking.sampled.distributions import Grid, Losses, from_above
from certify.checking.sampled.schedule import Release
from certify.checking.work import spend


def coarser(x: Losses, grid: Grid) -> Losses:
    """On every other node. A mass p between two of them is split 1 : e^-step, which keeps its Q-mass p·e^-x too."""
    bits = grid.unit.bit_length() + 8
    spend(2 * len(x.masses))
    share = 1 / (1 + e_to(-grid.at(x.level), bits + 64))  # goes up
    up, down = fixed(share, bits) + 2, fixed(1 - share, bits) + 2
    masses = [0] * (x.first % 2) + x.masses
    masses += [0] * (1 - len(masses) % 2)  # from an even node to an even node
    even, odd = masses[::2], masses[1::2]
    rising, falling = [0] + [-(-p * up >> bits) for p in odd], [-(-p * down >> bits) for p in odd] + [0]
    return Losses(x.first // 2, [sum(three) for three in zip(even, rising, falling, strict=True)], x.lost, x.level + 1)


def coarser_below(x: Losses, grid: Grid) -> tuple[Losses, int]:
    """On every other node, from below, one way; and how much mass fell by a whole step without need.

    Parts a at x-h and b at x+h make one with what is at x: merging outcomes lowers H. Where b ≥ a·e^h the loss of
    the whole is at least x; it is set to x, which lowers H of (P,Q) again. So an odd node gives some mass to the node
    above, and the rest, at least e^h times what comes up to the node below from the other side, to that below.
    """
    bits = 64
    spend(2 * len(x.masses))
    fall = fixed(e_to(-grid.at(x.level), 2 * bits), bits)  # e^-h, rounded down
    share = (fall << bits) // ((1 << bits) + fall) // 2  # what goes up, of both neighbours, where masses are smooth
    masses = [0] * (x.first % 2) + x.masses + [0]
    masses += [0] * (1 - len(masses) % 2)  # from an even node to an even node
    even, odd = masses[::2], masses[1::2]
    up, lost = [0] * (len(odd) + 1), 0  # up[k]: from odd[k - 1] to even[k]
    for k in range(len(odd) - 1, -1, -1):  # odd[k] lies above even[k]
        room = (odd[k] - up[k + 1]) * fall >> bits
        if k:
            up[k] = min((odd[k - 1] + odd[k]) * share >> bits, room, odd[k - 1])
        lost += odd[k] - up[k + 1] - up[k]
    down = [p - a for p, a in zip(odd, up[1:], strict=True)] + [0]
    made = [p + a + b for p, a, b in zip(even, up, down, strict=True)]
    return Losses(x.first // 2, made, x.lost, x.level + 1), max(0, lost)


def raised(x: Losses, level: int, grid: Grid) -> Losses:
    """On the nodes of a coarser level."""
    while x.level < level:
        x = coarser(x, grid) if grid.upward else coarser_below(x, grid)[0]
    return x


def polynomial_product(x: list[int], y: list[int]) -> list[int]:
    """The product of two polynomials with coefficients ≥ 0: one product of two long decimal numbers (Kronecker)."""
    width = len(str(sum(x) * sum(y)))  # no coefficient is larger than this
    spend((len(x) + len(y)) * (2 + width // 48))
    context = decimal.Context(
        prec=width * (len(x) + len(y)), Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[decimal.Inexact]
    )
    first = decimal.Decimal("".join([f"{c:0{width}d}" for c in x]))
    second = first if x is y else decimal.Decimal("".join([f"{c:0{width}d}" for c in y]))
    digits = str(context.multiply(first, second)).zfill(width * (len(x) + len(y) - 1))
    return [int(digits[i : i + width]) for i in range(0, len(digits), width)]


def composed(x: Losses, y: Losses, grid: Grid, allowance: int) -> Losses:
    """The convolution. What is cut off at either end has at most mass `allowance` under P and under Q.

    Where the loss is ≥ 0, Q has less mass than P; where it is ≤ 0, P has less than Q, which has p·e^-loss. One way, the
    mass under P alone matters.
    """
    require(x.level == y.level, "loss_distribution: two grids")
    masses, first, unit = polynomial_product(x.masses, y.masses), x.first + y.first, grid.unit
    budget, end = allowance * unit, len(masses)
    while end > 1 and (grid.one_way or first + end - 1 >= 0) and masses[end - 1] <= budget:
        end -= 1
        budget -= masses[end]
    lost = allowance * unit - budget
    budget, begin, step = allowance * unit, 0, grid.at(x.level)
    weight = down = 1 << 64
    if not grid.one_way:
        weight, down = fixed(e_to(-first * step, 400), 64) + 2, fixed(e_to(-step, 400), 64) + 2
    low = end if grid.one_way else min(end, 1 - first)
    while begin < min(low, end - 1) and (charge := (masses[begin] * weight >> 64) + 1) <= budget:
        budget -= charge
        begin += 1
        weight = (weight * down >> 64) + 1
    lost += allowance * unit - budget
    require(end - begin <= 2 * MAX_NODES, "loss_distribution: the losses are too far apart for this grid")
    given = x.lost + y.lost
    if grid.upward:
        return Losses(first + begin, [-(-c // unit) for c in masses[begin:end]], given - (-lost // unit), x.level)
    return Losses(first + begin, [c // unit for c in masses[begin:end]], given, x.level)


def repeated_losses(base: Losses, steps: int, grid: Grid, halvings: tuple[int, ...]) -> Losses:
    """`steps` equal steps from above, by squaring. A grid of step h costs about h²/8 a step, so it may be coarser where
    fewer steps are still to be multiplied."""
    result, left = base, steps.bit_length() - 1
    for digit, count in zip(bin(steps)[3:], halvings, strict=True):
        left -= 1
        allowance = max(1, grid.allowance >> left)
        result = composed(result, result, grid, allowance)
        if digit == "1":
            result = composed(result, base, grid, allowance)
        result, base = (raised(x, x.level + count, grid) for x in (result, base))
    return result


def repeated_from_below(base: Losses, steps: int, grid: Grid, halvings: tuple[int, ...]) -> Losses:
    """`steps` equal steps from below: the powers of two, and the product of those that are needed, so that what is
    halved is smooth."""
    power, total = base, None
    for i, digit in enumerate(reversed(bin(steps)[2:])):
        allowance = max(1, grid.allowance >> steps.bit_length() - 1 - i)
        if i:
            power = composed(power, power, grid, allowance)
            power = raised(power, power.level + halvings[i - 1], grid)
            total = total and raised(total, power.level, grid)
        if digit == "1":
            total = composed(total, power, grid, allowance) if total else power
    return total


def joined(x: Losses, y: Losses, grid: Grid) -> Losses:
    """Of two releases, on the coarser of their levels."""
    level = max(x.level, y.level)
    return composed(raised(x, level, grid), raised(y, level, grid), grid, grid.allowance)


def loss_distribution(releases: list[Release], grid: Grid, backward: bool = False) -> Losses:
    """The composed distribution. `backward`: as in `from_above`."""
    total, build = None, from_above if grid.upward else from_below
    repeat = repeated_losses if grid.upward else repeated_from_below
    for release, nodes, (level, *halvings) in zip(releases, grid.windows, grid.halvings, strict=True):
        part = repeat(build(release, nodes, grid, level, backward), release.steps, grid, tuple(halvings))
        total = part if total is None else joined(total, part, grid)
    return total


def excess(x: Losses, epsilon: Fraction, grid: Grid, bits: int = 192) -> tuple[Interval, Interval]:
    """δ(ε) of (P,Q) and of (Q,P): lost + Σ p·(1 - e^(ε-x)) over x > ε, lost + Σ p·(e^-x - e^ε) over x < -ε.

    The upper (lower) end is the bound; from below, `lost` is taken off.
    """
    step, unit = grid.at(x.level), grid.unit
    forward = backward = Interval.of(0, bits)
    lost = x.lost if grid.upward else -x.lost
    begin = max(0, epsilon // step + 1 - x.first)
    weight, down = e_to(epsilon - (x.first + begin) * step, bits), e_to(-step, bits)
    for p in x.masses[begin:]:
        forward = forward + p * (1 - weight)
        weight = weight * down
    if grid.one_way:
        return ((forward + lost) / unit,)
    end = min(len(x.masses), max(0, -(epsilon // step) - x.first))
    weight, growth = e_to(-x.first * step, bits), e_to(epsilon, bits)
    for p in x.masses[:end]:
        backward = backward + p * (weight - growth)
        weight = weight * down
    return (forward + lost) / unit, (backward + lost) / unit
