"""Experiments at the tests' scale, each run once for all tests that ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.certify.experiments.scale import TINY


class Outcomes(dict[str, Any]):
    """By name; run when asked for."""

    def __missing__(self, name: str) -> Any:
        from certify.experiments import experiment

        self[name] = experiment(name, scale=TINY)
        return self[name]


@pytest.fixture(scope="session")
def outcomes() -> Mapping[str, Any]:
    return Outcomes()
