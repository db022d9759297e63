"""A line on the terminal while a training runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TextIO

EVERY = 0.2  # seconds


@dataclass(eq=False)
class Bar:
    """spent(steps) is an upper bound on ε; target: what may be spent, or what the whole training spends."""

    steps: int
    spent: Callable[[int], Fraction]
    target: Fraction
    stream: TextIO
    last: float = 0.0

    def show(self, steps: int) -> None:
        """After so many steps."""
        now = time.monotonic()
        if now - self.last < EVERY and steps < self.steps:
            return
        self.last = now
        self.stream.write("\r" + self.line(steps) + "\x1b[K" + ("\n" if steps == self.steps else ""))
        self.stream.flush()

    def line(self, steps: int) -> str:
        done = round(20 * steps / self.steps)
        epsilon = self.spent(steps)
        left = max(self.target - epsilon, Fraction(0))
        return (
            f"step {steps}/{self.steps} [{'#' * done}{'.' * (20 - done)}] "
            f"ε ≤ {_up(epsilon)} spent, {_up(left, down=True)} of {_up(self.target, down=True)} left"
        )


def _up(value: Fraction, *, down: bool = False) -> str:
    """Three decimals, rounded up, or down: a bound that is shown is still one."""
    thousandths = value * 1000
    whole = thousandths.__floor__() if down else thousandths.__ceil__()
    return f"{whole // 1000}.{whole % 1000:03d}"
