"""docs/learners.md: its example runs, and its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from accountant.losses import LOSSES, ConstantLoss, ScaledLoss  # noqa: E402
from learners.baselines import METHODS  # noqa: E402

pytestmark = pytest.mark.learn
PAGE = (Path(__file__).parents[2] / "docs" / "learners.md").read_text(encoding="utf-8")


def test_the_example_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict = {}
    exec(code, names)
    state = names["state"]
    assert state.erased == (17,) and state.requests_done == 1
    (rounding,) = {tuple(phase.rounding) for phase in state.record.phases}
    assert set(re.findall(r"`([a-z_]+)`", PAGE.split("| key | meaning |")[1].split("\n\n")[0])) == set(rounding)


def test_every_loss_and_every_method_is_there() -> None:
    for loss in {*LOSSES, ScaledLoss} - {ConstantLoss}:
        assert f"`{loss.__name__}`" in PAGE
    assert all(f"`{name}`" in PAGE for name in METHODS)
