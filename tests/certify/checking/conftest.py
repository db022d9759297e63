"""What the checker's tests need around them."""

from __future__ import annotations

from collections.abc import Iterator

import mpmath as mp
import pytest


@pytest.fixture
def sixty_digits() -> Iterator[None]:
    with mp.workdps(60):
        yield
