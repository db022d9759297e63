"""What docs/data.md shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("pyarrow")
from tests.learners.data.files import write_csv

pytestmark = pytest.mark.learn
ROOT = Path(__file__).parents[3]
RUN = """
[mechanism]
kind = "pnsgd"
samples = 3
batch_size = 1
epochs = 3
noise_std = 1
[loss]
kind = "logistic"
regularization = 0.1
[target]
epsilon = 1
delta = 0.01
"""


def test_the_page(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "run.toml").write_text(RUN + table, encoding="utf-8")
    head = ["customer", "age", "income", "region"]
    rows = [["007", 25, 1e5, "north"], ["7", 100, 0, "south"], ["x", 0, 2e5, "south"]]
    write_csv(tmp_path / "customers.csv", [[*head, "bought"], *([*row, "yes"] for row in rows)])
    write_csv(tmp_path / "new.csv", [head[1:], *(row[1:] for row in rows)])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout == "('007', '7', 'x') torch.Size([3, 5])\nNone torch.Size([3, 5])\n", done.stderr
