"""CONTRIBUTING.md's steps for a theorem, a loss, a way of drawing batches and a run key, followed in a copy: they are
all that it takes."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("accountant", "certify", "docs", "examples", "findings", "hooks", "learners", "notebooks", "tests")
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^ *```\w+ (\S+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# What looks at a new theorem before anybody uses it. Of the long files, the tests of the tables.
TABLES = ("tests/test_theorem_facts.py", "tests/test_theory_page.py", "tests/test_docs_fresh.py")
KERNEL = "tests/accountant/core/test_kernel.py"
VECTORS = "tests/accountant/theorems/test_reject_vectors.py"
ABOUT = "table or T90 or weaker or imports"


def put_before(path: Path, line: str, text: str) -> None:
    """`text` before the one place where `line` stands."""
    content = path.read_text(encoding="utf-8")
    assert content.count(line) == 1, (path, line)
    path.write_text(content.replace(line, text + line), encoding="utf-8")


def blocks_of(section: str) -> dict[str, str]:
    """What is to be written where, in the section "How to add …"."""
    (text,) = (part for part in PAGE.split("\n## How to add ") if part.startswith(section))
    return dict(BLOCK.findall(text))


def copied(folder: Path) -> None:
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "accept", ".*")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy(path, folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy with the example of a theorem in it, step by step."""
    copied(tmp_path)
    blocks = blocks_of("a theorem")
    page = tmp_path / "docs/theory.md"
    put_before(page, "## 4. Conversions, secret orders, range before noise\n", blocks.pop("docs/theory.md") + "\n")
    put_before(page, "\n* [4. Conversions", ",\n  [T90](#t90-a-weaker-bound)")
    for name, content in blocks.items():
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(content, encoding="utf-8")
    package = tmp_path / "accountant/theorems/__init__.py"
    put_before(package, "from accountant.theorems.witnesses", "from accountant.theorems.weaker import weaker_bound\n")
    put_before(package, '    "wasserstein_tracking",\n]', '    "weaker_bound",\n')
    assert python(tmp_path, "docs/generate.py").returncode == 0
    return tmp_path


def python(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, env={"PYTHONPATH": "."})


def tables(project: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *more)


def test_the_steps_are_complete(project: Path) -> None:
    done = tables(project, *TABLES, KERNEL, VECTORS, "tests/accountant/theorems/test_weaker.py", "-k", ABOUT)
    assert done.returncode == 0, done.stdout
    assert "T90" in (project / "THEOREMS.md").read_text(encoding="utf-8")


LEFT_OUT = {
    "a formula that nobody wrote": ("formula=None", 'formula="weaker"', "every_table_has_what_a_theorem_names[T90]"),
    "a statement that the checker does not read": ("FORM, None", "FORM, States.MU", "a_certificate_states_what_the_"),
    "a picture that nobody draws": (
        "profile=None",
        "profile=Profile.CURVED",
        "every_table_has_what_a_theorem_names[T90]",
    ),
}


def test_what_is_left_out_is_named(project: Path) -> None:
    path = project / "accountant/theorems/weaker.py"
    whole = path.read_text(encoding="utf-8").replace("Facts, Family\n", "Facts, Family, Profile, States\n")
    for old, new, test in LEFT_OUT.values():
        assert old in whole
        path.write_text(whole.replace(old, new), encoding="utf-8")
        done = tables(project, "tests/test_theorem_facts.py", "-k", "T90 or checker")
        assert done.returncode == 1 and f"FAILED tests/test_theorem_facts.py::test_{test}" in done.stdout, done.stdout
    path.write_text(whole.replace(", label=None", ""), encoding="utf-8")
    done = python(project, "-c", "import accountant.theorems")
    assert done.returncode == 1 and "missing 1 required keyword-only argument: 'label'" in done.stderr


# --- a loss, and a key of the run file --------------------------------------------------------------------------------

RUN = """
[mechanism]
kind = "pnsgd"
samples = 1000
batch_size = 100
epochs = 5
noise_std = 0.5
[loss]
kind = "{kind}"
regularization = 0.1
{clip}
[target]
epsilon = 5
delta = 1e-5
"""
SCALED = '[scaling]\nkind = "auto-s"\nmax_grad_norm = 1\nr = 0.1\n'


def certified(project: Path, run: str) -> dict[str, Any]:
    """What `certify` prints of it; its certificate is accepted by the checker's one file."""
    (project / "run.toml").write_text(run, encoding="utf-8")
    done = python(project, "-m", "certify.cli", "certify", "run.toml", "-o", "out", "--format", "json")
    assert done.returncode == 0, done.stderr
    checked = python(project, "certify/checker.py", "out/certificate.json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return json.loads(done.stdout)


def test_a_loss_is_added_by_its_steps(tmp_path: Path) -> None:
    """Three files of the source: its own, the list of losses, the checker's statement."""
    copied(tmp_path)
    blocks = blocks_of("a loss")
    put_before(tmp_path / "docs/theory.md", "### L7: ", blocks["docs/theory.md"] + "\n")
    own = "accountant/losses/log_cosh.py"
    (tmp_path / own).write_text(blocks[own], encoding="utf-8")
    losses = tmp_path / "accountant/losses/__init__.py"
    names = ("LogCoshLoss", "log_cosh_constants", "log_cosh_model")
    put_before(
        losses, "from accountant.losses.logistic", f"from accountant.losses.log_cosh import {', '.join(names)}\n"
    )
    put_before(losses, "    ConstantLoss,\n    ClippedLoss,\n)", "    LogCoshLoss,\n")
    put_before(losses, '    "LogisticLoss",\n', "".join(f'    "{name}",\n' for name in names))
    checker = tmp_path / "certify/checking/descent/losses.py"
    put_before(checker, '    "clipped": ("L7", ()),\n', blocks["checker:kinds"])
    put_before(checker, '    constants = {"curvature"', blocks["checker:models"])
    put_before(checker, '    Rule("L7", ', blocks["checker:rules"])
    assert python(tmp_path, "docs/generate.py").returncode == 0
    plain = certified(tmp_path, RUN.format(kind="log-cosh", clip="clip = 0.5"))
    assert "L90" in plain["theorems"]
    assert plain["epsilon"] == certified(tmp_path, RUN.format(kind="huber", clip="threshold = 0.5"))["epsilon"]
    scaled = certified(tmp_path, RUN.format(kind="log-cosh", clip="") + SCALED)
    assert {"L90u", "T16"} <= set(scaled["theorems"])
    explained = python(tmp_path, "-m", "certify.cli", "explain", "run.toml")
    assert explained.returncode == 0 and "log_cosh_model" in explained.stdout
    assert "log-cosh" in (tmp_path / "docs/run-file.md").read_text(encoding="utf-8")
    assert python(tmp_path, "-c", "from accountant import LogCoshLoss; LogCoshLoss('0.1').constants()").returncode == 0


def test_a_run_key_is_added_by_its_steps(tmp_path: Path) -> None:
    """Two files; a run without the key keeps its digest, one with it its ε."""
    copied(tmp_path)
    blocks = blocks_of("a key")
    run = RUN.format(kind="logistic", clip="clip = 1")
    before = certified(tmp_path, run)
    key = textwrap.indent(textwrap.dedent(blocks["run-file:key"]), "    ")
    put_before(tmp_path / "certify/runfile/pnsgd_tables.py", '    dtype: Literal["float64", "float32"]', key)
    put_before(
        tmp_path / "certify/checking/format/shapes.py", '"dimension?": integer,', blocks["checker:key"].strip() + " "
    )
    assert python(tmp_path, "docs/generate.py").returncode == 0
    assert certified(tmp_path, run)["digest"] == before["digest"]
    after = certified(tmp_path, run + '[execution]\nmachine = "a laptop"\n')
    assert after["digest"] != before["digest"] and after["epsilon"] == before["epsilon"]
    assert after["assumptions"] == before["assumptions"]


# Each record joins by a coin of rate q, and by a second, fair one counts twice: a pair of its own.
DOUBLED_PAIR = """@final
@dataclass(frozen=True)
class Doubled(DominatingPair):
    up, down, mirrored = 2, 0, False

    def weights(self, rate: Fraction) -> Weights:
        return (1 - rate, rate / 2, rate / 2), (Fraction(1),)

    @property
    def attained(self) -> Doubled:
        return self


"""
DOUBLED = """@final
@dataclass(frozen=True)
class DoubledCoins(Sampling):
    name = "doubled"
    words = "drawn by coins, half of what is drawn counting twice"
    neighbours = ("add-or-remove-one", "remove-one")
    instead = 'replace-one has its bound for sampling = "poisson"'
    renyi_neighbours, rather = (), None
    amplifies = shards = needs_rate = True
    bounds_groups = own_coins = disjoint = can_be_cut = whole_batches = ends_epochs = False

    def pair(self, square: Fraction, up: int, down: int) -> tuple[Fraction, DominatingPair]:
        return square, Doubled()

    def check_rate(self, rate: Fraction, samples: int | None, shown: str) -> None:
        if rate == 1:
            raise InvalidMechanism("sample_rate", f"{shown} must be below 1")


"""
DOUBLED_WEIGHTS = """        if self.doubled:
            return (1 - q, q / 2, q / 2), (Fraction(1),)
"""
DRAWN = """
[mechanism]
kind = "dp-sgd"
sampling = "doubled"
sample_rate = 0.01
steps = 1
noise_multiplier = 1
[scaling]
kind = "clip"
max_grad_norm = 1
[target]
epsilon = 10
delta = 1e-4
"""


def replace_once(path: Path, old: str, new: str) -> None:
    content = path.read_text(encoding="utf-8")
    assert content.count(old) == 1, (path, old)
    path.write_text(content.replace(old, new), encoding="utf-8")


def doubled_delta(epsilon: float) -> float:
    """sup_S P(S) - e^ε·Q(S), by the midpoint rule: 0.99·N(0,1) + 0.005·N(1,1) + 0.005·N(2,1) against N(0,1)."""
    step, total = 1e-3, 0.0
    for i in range(-12000, 14000):
        x = (i + 0.5) * step
        p, moved, twice = (math.exp(-((x - j) ** 2) / 2) for j in range(3))
        forward = 0.99 * p + 0.005 * moved + 0.005 * twice
        total += max(0.0, forward - math.exp(epsilon) * p) * step
    return total / math.sqrt(2 * math.pi)


def test_a_way_of_drawing_with_a_pair_of_its_own_is_three_files(tmp_path: Path) -> None:
    copied(tmp_path)
    put_before(tmp_path / "accountant/mechanisms/pairs.py", "@final\n@dataclass(frozen=True)\nclass Symm", DOUBLED_PAIR)
    path = tmp_path / "accountant/mechanisms/sampling.py"
    put_before(path, "class Disjoint(Sampling)", DOUBLED)
    replace_once(path, "import Coins, DominatingPair", "import Coins, Doubled, DominatingPair")
    replace_once(path, '"shuffled", "fixed"]', '"shuffled", "fixed", "doubled"]')
    replace_once(path, "SHUFFLED, FIXED)\n", "SHUFFLED, FIXED, DoubledCoins())\n")
    path = tmp_path / "certify/checking/sampled/schedule.py"
    put_before(path, "}\n\nSensitivity", '    "doubled": ("add-or-remove-one", "remove-one"),\n')
    replace_once(path, 'in ("poisson", "without-replacement", "full")\n', 'in ("poisson", "full", "doubled")\n')
    replace_once(path, 'one_of("poisson", "without-replacement", "full")', 'one_of("poisson", "full", "doubled")')
    put_before(path, "\n    @property\n    def kinked", "    doubled: bool = False\n")
    put_before(path, "        first, second = (\n", DOUBLED_WEIGHTS)
    replace_once(path, 'key = rate, shift, kind == "without-replacement"', 'key = rate, shift, kind == "doubled"')
    replace_once(path, "Release(rate, shift, steps, True) if", "Release(rate, shift, steps, False, 2, 0, True) if")
    assert python(tmp_path, "docs/generate.py").returncode == 0
    bounds = certified(tmp_path, DRAWN)["epsilon"]
    assert doubled_delta(float(bounds["upper"])) <= 1e-4 * (1 + 1e-6)
    assert doubled_delta(float(bounds["lower"])) >= 1e-4 * (1 - 1e-6)
    assert float(bounds["upper"]) <= 1.01 * float(bounds["lower"])


def test_every_file_that_is_named_is_there() -> None:
    """But for those that the examples write."""
    written = {name for section in ("a theorem", "a loss") for name in blocks_of(section)}
    named = set(re.findall(r"`((?:accountant|certify|learners|tests|docs)/[\w/.]+)`", PAGE)) - written
    missing = {name for name in named if "NAME" not in name and not (ROOT / name).exists()}
    assert len(named) > 20 and not missing
