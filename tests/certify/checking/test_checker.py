"""The standalone checker: it accepts what follows, and nothing else."""

from __future__ import annotations

import ast
import base64
import copy
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from certify import checker
from certify.checker import Interval, Phase, Timeline, Undecided
from tests.vectors import make_certificates as make

VECTORS = Path(make.__file__).parent
ACCEPT = sorted((VECTORS / "accept").glob("*.json"))
EXPECTED = json.loads((VECTORS / "reject/certificates/expected.json").read_text("utf-8"))
BITS = 128


def statement_of(name: str) -> Any:
    """The statement inside an accepted vector."""
    return json.loads(base64.b64decode(json.loads((VECTORS / "accept" / f"{name}.json").read_bytes())["payload"]))


# --- the vectors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ACCEPT, ids=lambda path: path.stem)
def test_accepts(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = "erasure_record" in path.stem
    of = "executed_two_of_two" if path.stem.endswith("first_of_two") else "executed"
    of = "executed_last_request_alone" if path.stem.endswith("last_request_alone") else of
    whole = VECTORS / "accept" / f"{of}.json"
    assert checker.main([str(path), *(["--certificate", str(whole)] if record else [])]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count(" ok") == (5 if record else 8)
    assert ("SIGNED" if path.stem.startswith("signed") else "UNSIGNED") in out
    if record:
        assert "ERASURE_RECORD: request" in out and "CERTIFIED" not in out and "assumptions" not in out
        assert "which was verified" in out and checker.main([str(path)]) == 3  # alone it is only known to be whole
        assert "which was not looked at" in capsys.readouterr().out
    else:
        assert checker.main([str(path), "--certificate", str(whole)]) == 2
        assert "CERTIFIED" in out and ("noisy_sums" if "training" in path.stem else "gaussian_noise") in out
    report = checker.verify(path.read_bytes())
    assert checker.verify(path.read_bytes(), report.digest) == report
    assert not report.signed and not report.signers and report.threshold is None


@pytest.mark.parametrize("name", EXPECTED)
def test_rejects(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = checker.main([str(VECTORS / "reject/certificates" / f"{name}.json")])
    out, err = capsys.readouterr()
    assert code == EXPECTED[name]["exit"]
    assert EXPECTED[name]["contains"] in out + err
    assert "Traceback" not in out + err and len(err.splitlines()) == (0 if "After" in out else 1)


def test_every_vector_is_expected() -> None:
    stored = {path.stem for path in (VECTORS / "reject/certificates").glob("*.json")} - {"expected"}
    assert stored == EXPECTED.keys()
    assert {path.stem for path in ACCEPT} == make.ACCEPT.keys() | make.SEALED.keys()


def test_vectors_are_up_to_date() -> None:
    for name in MUTATED + SLOWLY:
        assert make.seal(make.accepted(name)) == (VECTORS / "accept" / f"{name}.json").read_bytes()
    for name, made in make.SEALED.items():
        assert made() == (VECTORS / "accept" / f"{name}.json").read_bytes()
    for name, (data, code, message) in make.rejected().items():
        if len(data) < 2**20:
            assert (VECTORS / "reject/certificates" / f"{name}.json").read_bytes() == data, name
            assert EXPECTED[name] == {"exit": code, "contains": message}


@pytest.mark.parametrize(
    ("name", "mu", "epsilon"),
    [
        ("mnist_unlearning_b128", "0.0323489637", "0.0779602572"),
        ("mnist_unlearning_b512", None, "0.0779728"),
        ("mnist_unlearning_full_batch", None, "0.0779604"),
        ("mnist_learning", "0.4323188", None),
        ("secret_mnist_b512", None, "0.0577226"),
    ],
)
def test_known_values(name: str, mu: str | None, epsilon: str | None) -> None:
    predicate = statement_of(name)["predicate"]
    for key, value in (("mu", mu), ("epsilon", epsilon)):
        if value:
            assert abs(Fraction(predicate[key]["upper"]) / Fraction(value) - 1) < Fraction(1, 10**6)
    if name.startswith("mnist_unlearning"):
        assert Fraction(predicate["epsilon"]["upper"]) <= Fraction(predicate["epsilon"]["lower"]) * Fraction("1.000001")
    corners = next(s["args"]["corners"] for s in predicate["proof"]["steps"] if s["theorem"] == "T3")
    moments = {"mnist_unlearning_b128": [("87", "0", "0")], "mnist_learning": [("87", "0", "0"), ("87", "99", "99")]}
    if name in moments:
        assert [(c["position"], c["first"], c["last"]) for c in corners] == moments[name]


# --- the command line ------------------------------------------------------------------------------------------------


def run_alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "checker.py", *arguments]
    # -S: not even site-packages
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_runs_alone_in_an_empty_directory(tmp_path: Path) -> None:
    shutil.copy(checker.__file__, tmp_path / "checker.py")
    shutil.copy(VECTORS / "accept/mnist_unlearning_b128.json", tmp_path / "good.json")
    shutil.copy(VECTORS / "reject/certificates/epsilon_understated.json", tmp_path / "bad.json")
    good = run_alone(tmp_path, "good.json")
    assert (good.returncode, good.stderr) == (0, "")
    assert "0.0779602571713" in good.stdout
    bad = run_alone(tmp_path, "bad.json")
    assert bad.returncode == 1 and "6 recomputation    FAILED" in bad.stdout and len(bad.stderr.splitlines()) == 1


def test_a_closed_pipe_is_no_success(tmp_path: Path) -> None:
    shutil.copy(VECTORS / "accept/mnist_unlearning_b128.json", tmp_path / "good.json")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-I", "-S", checker.__file__, "good.json"]
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 70 and done.stderr == "checker: the report could not be written\n"


def test_imports_only_the_standard_library() -> None:
    tree = ast.parse(Path(checker.__file__).read_text("utf-8"))

    def imported(root: ast.AST) -> set[str]:
        nodes = list(ast.walk(root))
        assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level]
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        return {name.split(".")[0] for name in names}

    (reads,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "read_keys"]
    tree.body.remove(reads)
    assert imported(tree) <= sys.stdlib_module_names
    assert imported(reads) == {"cryptography"}  # only where keys are given


# A grid, and about where a ratio takes a value; the rest helps them.
CHOOSES = {"plain_grid", "places"} | {"log_of", "loss_window", "added_variance"}


def test_floats_choose_grids_and_nothing_else() -> None:
    tree = ast.parse(Path(checker.__file__).read_text("utf-8"))
    for node in ast.walk(tree):  # functions, and methods of classes
        if isinstance(node, ast.Module | ast.ClassDef):
            node.body = [part for part in node.body if not (isinstance(part, ast.FunctionDef) and part.name in CHOOSES)]
    exact = {"floor", "ceil", "isqrt", "comb"}  # of rationals and integers
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float))
        assert not (isinstance(node, ast.Name) and node.id == "float")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "math":
            assert node.attr in exact, node.attr
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = {f.id if isinstance(f, ast.Name) else f.attr for f in functions if isinstance(f, ast.Name | ast.Attribute)}
    # On any grid, and with any line, masses are rounded the safe way.
    assert called & CHOOSES == {"plain_grid", "places"}


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--what"], ["missing.json"], ["."], ["x", "--digest"], ["\0"]])
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert checker.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1


def test_digest_option(capsys: pytest.CaptureFixture[str]) -> None:
    path = VECTORS / "accept/mnist_learning.json"
    digest = checker.verify(path.read_bytes()).digest
    assert checker.main([str(path), "--digest", digest]) == 0
    assert checker.main(["--digest", "0" * 64, str(path)]) == 4
    assert checker.main([str(path), "--digest", "beef"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_too_large_is_malformed() -> None:
    with pytest.raises(checker.Malformed, match="bytes"):
        checker.verify(b" " * (checker.MAX_BYTES + 1))


def test_internal_error_is_70(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(checker, "recompute", lambda *_: 1 // 0)
    assert checker.main([str(ACCEPT[0])]) == 70
    assert "internal error" in capsys.readouterr().err


# --- mutations -------------------------------------------------------------------------------------------------------

# What may change unnoticed, and why. Everything else must be refused.
HARMLESS = {
    "producer": "says who wrote the file; nothing follows from it",
    "created": "says when the file was written; nothing follows from it",
    "run.attest": "free text that the run's digest covers: refused unless the subject is recomputed",
    "run.mechanism.normaliser": "a public constant, on which nothing depends: refused unless the subject is recomputed",
    "run.releases.0.text": "free text that the run's digest covers: refused unless the subject is recomputed",
    "run.mechanism.remainder": "the same run where the batch size divides: refused unless the subject is recomputed",
    "run.data": "the columns of the records, which no number depends on: refused unless the subject is recomputed",
    "meta": "what people call it; nothing follows from it",
    "figures": "held against the claim; what it does not imply of them is not re-derived, and the report says so",
    "expires": "any later day, or none; it is signed",
    "execution.dataset": "a name",
    "execution.order": "a name, unless the order must be secret",
}
# Of phases and erasures: who, where and when. The producer's word, which is signed.
WORDS = re.compile(
    r"execution\.(phases\.[0-9]+\.(device|device_name|versions|started|finished)"
    r"|erasures\.[0-9]+\.(id|received|started|finished|scope|sign_off))\b"
)
# A proof may choose these as it likes, as long as its bounds follow; they are all printed in the certificate.
CHOSEN = ("restart", "corners", "positions", "threshold", "own", "others", "direction")
HINTS = ("points", "reverse_points")  # of a grid that the checker does not use


SHOWN_AS_LARGEST = ("mu", "epsilon", "wasserstein", "renyi")  # of all requests: the others' are shown nowhere


def weaker(predicate: Any, path: tuple[Any, ...], value: Any) -> bool:
    """Whether the change overstates an upper bound, or understates a lower one, that is shown nowhere."""
    steps, lower = predicate["proof"]["steps"], {claim["lower"] for claim in predicate["proof"]["claims"]}
    if path[:2] != ("proof", "steps") or path[3:4] != ("concludes",) or path[4] not in SHOWN_AS_LARGEST:
        hint = path[4:5] == ("grid",) and path[5:6] and path[5] in HINTS
        return path[:2] == ("proof", "steps") and path[3:4] == ("args",) and (hint or path[4] in CHOSEN)
    step, before = steps[path[2]], steps[path[2]]["concludes"]
    for key in path[4:]:
        before = before[key]
    if not isinstance(value, str) or not isinstance(before, str):
        return False
    before = Fraction(before)
    below = step["theorem"] in ("T6", "T6c", "T6m", "T20l") or (step["theorem"] == "T11" and str(path[2]) in lower)
    return Fraction(value) <= before if below else Fraction(value) >= before


SWAPS = {"CERTIFIED": "NOT_CERTIFIED", "attested": "proved", "proved": "attested", "error": "drop"}
SWAPS |= {"replace-one": "remove-one", "remove-one": "replace-one", "1/L": "2/(L+m)", "1/n": "0.5"}
SWAPS |= {"fixed": "secret", "secret": "fixed", "final": "all", "all": "final", "chord": "right", "right": "chord"}
SWAPS |= {"retrain": "retrain-T", "retrain-T": "stationary", "stationary": "retrain", "T3": "T5", "T5": "T3"}
SWAPS |= {"poisson": "full", "full": "poisson", "remove": "add", "inner": "outer", "outer": "inner", "own": "batch"}
SWAPS |= {"clip": "psac", "psac": "clip", "T14": "T14g", "T20f": "T20l", "T20l": "T20f", "T19": "T19l", "T19l": "T19"}
SWAPS |= {"violated": "attested", "C1": "T22", "T22": "C1", "T23": "C1", "T24": "T11", "T9r": "T2"}


def mutants(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """(path, new value) for small changes of every leaf, entry and key; the value `...` means: drop it."""
    if isinstance(node, dict):
        yield (*path, "extra"), "1"
        for key, value in node.items():
            yield (*path, key), ...
            yield from mutants(value, (*path, key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield (*path, i), ...
            yield path, [*node[: i + 1], *node[i:]]
            yield from mutants(value, (*path, i))
        if node[::-1] != node:
            yield path, node[::-1]
        yield path, []
    elif isinstance(node, str):
        yield path, SWAPS.get(node, "0")
        try:
            value = Fraction(node)
        except ValueError:
            yield from ((path, None), (path, node + "x"))
            return
        if value.denominator == 1:
            yield from ((path, str(value + 1)), (path, str(abs(value - 1))))
        elif "." in node and node[-1].isdigit():
            yield from ((path, node[:-1] + str((int(node[-1]) + move) % 10)) for move in (1, 9))
        else:
            yield from ((path, make.exact(value * (1 + Fraction(move, 10**6)))) for move in (-1, 1))
    elif node is None:
        yield from ((path, "1"), (path, {}), (path, ""))
    else:
        yield path, not node


def mutated(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the node with one change; what is not on the path is shared."""
    if not path:
        return value
    changed = copy.copy(node)
    if len(path) == 1 and value is ...:
        del changed[path[0]]
    else:
        inner = node[path[0]] if isinstance(node, list) or path[0] in node else None
        changed[path[0]] = mutated(inner, path[1:], value)
    return changed


MUTATED = ["restart_expansive", "retrain_T", "release_all_without_learning", "secret_learning", "curved_flat"]
MUTATED += [
    "executed",
    "softmax_active_clip",
    "clipped_stationary",
    "scaled_poisson_ball",
    "training_full",
    "training_shuffled",
]
SLOWLY = ["two_requests_two_batches", "secret_curve_learning", "wavy_drifts", "noise_in_a_ball_stationary"]
SLOWLY += ["clipped_noise_in_a_ball", "training_stages", "own_data"]

# Changes after which a vector says the same, or less.
SAME = {
    "retrain_T": {
        "run.mechanism.initial_distance",  # that the starts are 2R apart is what the ball says already
        "proof.steps.9.concludes.wasserstein", "proof.steps.12.concludes.wasserstein",  # 2R = 1 exactly
    },
    "training_full": {
        "run.mechanism.sample_rate", "run.stages.0.sample_rate",  # all is all
        "run.mechanism.samples",  # nothing is divided by them
        "run.momentum.inner_history",  # of no inner momentum
    },
    "training_shuffled": {
        "run.mechanism.batch_size", "run.mechanism.samples", "run.stages.0.steps",  # as many epochs of as many batches
        "run.momentum.inner_history",
        "proof.steps.2.concludes.mu",  # of a release with exactly this mu: the last digit is not needed
    },
    "noise_in_a_ball_stationary": {f"proof.steps.{i}.concludes.wasserstein" for i in (11, 12, 16, 17)},  # 2R = 1/4
    "training_stages": {"delta"},  # shown as larger than it is, in the twelfth digit
}  # fmt: skip


@pytest.mark.parametrize("name", [*MUTATED, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOWLY)])
def test_every_mutation_is_refused(name: str) -> None:
    original = statement_of(name)
    survivors = set()
    for path, value in mutants(original):
        changed = mutated(original, path, value)
        if changed == original:
            continue
        where = ".".join(map(str, path[1:]))
        try:
            try:
                checker.verify(make.envelope(json.dumps(changed).encode()))
            except checker.Mismatch:  # the subject gave it away: once more, with the subject recomputed
                assert where.startswith(("run", "0"))
                checker.verify(make.seal(changed))
        except checker.CheckError:
            continue
        if not weaker(original["predicate"], path[1:], value):
            survivors.add(where)
    survivors -= SAME.get(name, set())
    if set(original["predicate"]["run"]["mechanism"].get("unlearning_epochs", ())) == {"0"}:  # no reference
        survivors -= {"run.threat.reference"}
    words = {path for path in survivors if WORDS.match(path)}
    unexpected = {path for path in survivors - words if not any(path.startswith(prefix) for prefix in HARMLESS)}
    assert not unexpected
    assert any(path.startswith("run.attest") for path in survivors)


def test_a_single_release_may_be_called_final() -> None:
    """Without unlearning there is one model: T7 over one stretch, or the string itself."""
    changed = json.loads(json.dumps(make.accepted("curved_flat")))
    changed["predicate"]["run"]["threat"]["release"] = "all"
    for entry in changed["predicate"]["assumptions"]:
        if entry["id"] == "release:final":
            entry |= {"id": "release:all", "text": checker.ASSUMPTIONS["release:all"]}
    assert checker.verify(make.seal(changed)).exit_code == 0
    assert "T7" in make.accepted("release_all_learning")["predicate"]["theorems"]


def test_weaker_claims_may_be_made() -> None:
    """Overstating all of one bound consistently is no lie."""
    text = json.dumps(statement_of("mnist_unlearning_b128"))
    predicate = json.loads(text)["predicate"]
    for shown, weaker in ((predicate["epsilon"]["upper"], "0.08"), (predicate["mu"]["upper"], "0.033"),
                          (predicate["epsilon"]["lower"], "0.07"), (predicate["mu"]["lower"], "0.03")):  # fmt: skip
        assert checker.verify(make.seal(json.loads(text.replace(f'"{shown}"', f'"{weaker}"')))).exit_code == 0
        for lie in (make.lower_by_a_digit(shown), make.exact(Fraction(shown) + Fraction(1, 10**13))):
            if (lie < shown) == (shown == predicate["epsilon"]["upper"] or shown == predicate["mu"]["upper"]):
                with pytest.raises(checker.DoesNotFollow):
                    checker.verify(make.seal(json.loads(text.replace(f'"{shown}"', f'"{lie}"'))))


# --- intervals -------------------------------------------------------------------------------------------------------

mantissas = st.integers(-(2**BITS) + 1, 2**BITS - 1)
dyadics = st.tuples(mantissas, st.integers(-400, 400))
rationals = st.fractions(max_denominator=10**30)


def exactly(number: tuple[int, int]) -> Fraction:
    return Fraction(number[0]) * Fraction(2) ** number[1]


def ends(interval: Interval) -> tuple[Fraction, Fraction]:
    return exactly(interval.low), exactly(interval.high)


def encloses_tightly(interval: Interval, truth: Fraction, bits: int = BITS) -> bool:
    low, high = ends(interval)
    return low <= truth <= high and high - low <= abs(truth) * Fraction(4, 2**bits)


@settings(max_examples=60, deadline=None)
@given(rationals)
def test_of_encloses(value: Fraction) -> None:
    assert encloses_tightly(Interval.of(value, BITS), value)


@settings(max_examples=100, deadline=None)
@given(dyadics, dyadics)
def test_operations_on_points(x: tuple[int, int], y: tuple[int, int]) -> None:
    a, b, p, q = Interval(x, x, BITS), Interval(y, y, BITS), exactly(x), exactly(y)
    assert encloses_tightly(a + b, p + q)
    assert encloses_tightly(a - b, p - q)
    assert encloses_tightly(a * b, p * q)
    assert ends(-a) == (-p, -p) and ends(abs(a)) == (abs(p), abs(p))
    if q > 0:
        assert encloses_tightly(a / b, p / q)
        low, high = ends(b.sqrt())
        assert low**2 <= q <= high**2 and high - low <= high * Fraction(4, 2**BITS)
    else:
        with pytest.raises(Undecided):
            a / b
    assert (a <= b) == (p <= q) and (a < b) == (p < q) and (a >= b) == (p >= q) and (a > b) == (p > q)


@settings(max_examples=100, deadline=None)
@given(*[st.tuples(rationals, rationals, st.integers(0, 4))] * 2)
def test_operations_on_intervals_contain_every_member(x: Any, y: Any) -> None:
    """Members p, q of wide intervals: the result contains p ∘ q; comparisons answer only when all members agree."""
    (p0, p1), (q0, q1) = sorted(x[:2]), sorted(y[:2])
    a = Interval(Interval.of(p0, BITS).low, Interval.of(p1, BITS).high, BITS)
    b = Interval(Interval.of(q0, BITS).low, Interval.of(q1, BITS).high, BITS)
    p, q = p0 + (p1 - p0) * x[2] / 4, q0 + (q1 - q0) * y[2] / 4
    for result, truth in ((a + b, p + q), (a - b, p - q), (a * b, p * q), (abs(a), abs(p)), (3 - a, 3 - p)):
        assert ends(result)[0] <= truth <= ends(result)[1]
    assert ends(checker.smaller(a, b))[0] <= min(p, q) <= ends(checker.smaller(a, b))[1]
    if q0 > 0:
        assert ends(a / b)[0] <= p / q <= ends(a / b)[1]
    try:
        assert (a <= b) == (p <= q)
    except Undecided:
        assert ends(a)[1] > ends(b)[0] and ends(a)[0] <= ends(b)[1]


def test_addition_of_very_different_sizes() -> None:
    """2^(10^15) and 2^-(10^15) cannot be aligned; the sum still rounds the right way."""
    one, tiny = Interval.of(1, BITS), Interval((1, -(10**15)), (1, -(10**15)), BITS)
    for total, sign in ((one + tiny, 1), (one - tiny, -1), (tiny + one, 1), (-tiny + one, -1)):
        low, high = ends(total)
        assert low <= 1 <= high and (high > 1 if sign > 0 else low < 1) and high - low < Fraction(1, 2**100)
    assert (tiny < one) and (one > tiny) and not (tiny >= one)
    assert ends(one + Interval.of(0, BITS)) == (1, 1)


@settings(max_examples=60, deadline=None)
@given(st.fractions(min_value=-2, max_value=2, max_denominator=1000), st.integers(0, 60), st.integers(1, 4))
def test_powers_and_geometric_sums(c: Fraction, n: int, stride: int) -> None:
    total = sum((c ** (stride * i) for i in range(n)), Fraction(0))
    assert checker.power(c, n, None) == c**n and checker.geometric(c, stride, n, None) == total
    for interval, truth in (
        (checker.power(c, n, BITS), c**n),
        (checker.geometric(c, stride, n, BITS), total),
    ):
        assert ends(interval)[0] <= truth <= ends(interval)[1]
        if c >= 0:
            assert encloses_tightly(interval, truth, BITS - 12)


# --- exp and the normal distribution ---------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mp.workdps(60):
        yield


def real(number: tuple[int, int]) -> mp.mpf:
    return mp.ldexp(mp.mpf(number[0]), number[1])


def contains(interval: Interval, truth: mp.mpf, tolerance: str = "1e-30") -> bool:
    """mpmath's 60 digits are not exact either: the enclosure may miss them by 1e-50."""
    low, high = real(interval.low), real(interval.high)
    slack = abs(truth) * mp.mpf("1e-50")
    return bool(low <= truth + slack and truth - slack <= high and high - low <= abs(truth) * mp.mpf(tolerance))


@settings(max_examples=40, deadline=None)
@given(st.fractions(min_value=0, max_value=10**6, max_denominator=10**9))
def test_exp(x: Fraction) -> None:
    assert contains(checker.exp(Interval.of(x, 192)), mp.exp(make.real(x)))
    assert contains(checker.exp_minus(Interval.of(x, 192)), mp.exp(-make.real(x)))


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.fractions(1, 10**6, max_denominator=10**9), st.integers(1, 10**300)))
def test_log(x: Fraction) -> None:
    for y in (x, 1 + 1 / Fraction(x)):
        found, truth = checker.log(Interval.of(y, 192)), mp.log(make.real(Fraction(y)))
        slack = mp.mpf("1e-50") * (1 + truth)
        assert real(found.low) <= truth + slack and truth - slack <= real(found.high)
        assert real(found.high) - real(found.low) <= mp.mpf("1e-50") * (1 + truth)
    wide = checker.log(Interval(Interval.of(x, 64).low, Interval.of(2 * x, 64).high, 64))
    assert ends(wide)[0] <= Fraction(float(mp.log(make.real(Fraction(x))))) + Fraction(1, 10**9)
    assert ends(wide)[1] >= Fraction(float(mp.log(make.real(Fraction(2 * x))))) - Fraction(1, 10**9)


def test_log_is_exact_where_it_can_be() -> None:
    assert checker.log(Interval.of(1, BITS)).is_zero()
    assert contains(checker.log(Interval.of(2**1000, 192)), 1000 * mp.log(2))


def test_pi() -> None:
    for bits in (64, 128, 180):
        assert contains(checker.pi(bits), +mp.pi, "1e-18")


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.fractions(0, 8, max_denominator=10**6), st.fractions(0, 10**4, max_denominator=100)))
def test_mills(t: Fraction) -> None:
    with mp.workdps(100):
        x = make.real(t)
        truth = mp.erfc(x / mp.sqrt(2)) / 2 / mp.npdf(x)
    assert contains(checker.mills(Interval.of(t, 128)), truth, "1e-34" if t < 8 else "1e-26")


def exact_delta(epsilon: Fraction, mu: Fraction) -> mp.mpf:
    """T11 by erfc, with enough digits to survive the cancellation."""
    with mp.workdps(80 + int(epsilon * mp.mpf("0.45"))):
        e, m = make.real(epsilon), make.real(mu)
        upper, lower = (mp.erfc((e / m + sign * m / 2) / mp.sqrt(2)) / 2 for sign in (-1, 1))
        return upper - mp.exp(e) * lower


@pytest.mark.parametrize("mu", ["1e-9", "1e-4", "0.0323489637", "0.5", "1", "2", "7", "40", "1000"])
def test_profile(mu: str) -> None:
    m = Fraction(mu)
    for z in (-30, -6, -1, Fraction(-1, 10**6), 0, Fraction(1, 3), 1, 4, 6, 11, 23, 37):  # δ from 1 to 1e-300
        epsilon = m * (z + m / 2)
        if 0 <= epsilon <= 2000:
            assert contains(checker.profile(epsilon, Interval.of(m, 256)), exact_delta(epsilon, m), "1e-25")
    low, high = ends(checker.profile(m * m / 2 + 37 * m, Interval.of(m, 256)))
    assert 0 < low <= high < low * (1 + Fraction(1, 10**20)) and high < Fraction(1, 10**298)


@settings(max_examples=40, deadline=None)
@given(st.floats(-9, 3), st.floats(-3, 37))
def test_profile_anywhere(log_mu: float, z: float) -> None:
    mu = Fraction(10.0**log_mu).limit_denominator(10**12) or Fraction(1, 10**9)
    epsilon = max(Fraction(0), mu * (Fraction(z) + mu / 2))
    if epsilon <= 1000:
        assert contains(checker.profile(epsilon, Interval.of(mu, 256)), exact_delta(epsilon, mu), "1e-20")


def test_profile_far_away() -> None:
    assert checker.profile(Fraction(10) ** 9000, Interval.of(1, BITS)) <= Fraction(1, 10**9000)
    assert checker.profile(Fraction(10**5), Interval.of(Fraction(1, 10**9), BITS)) <= Fraction(1, 10**9000)
    assert checker.profile(Fraction(0), Interval.of(0, BITS)).is_zero()
    half = checker.profile(Fraction(1, 2), Interval.of(1, BITS))  # ε = μ²/2 exactly: the sign of x is open
    assert contains(half, mp.mpf(1) / 2 - mp.exp(mp.mpf(1) / 2) * mp.ncdf(-1))


# --- the theorems against step-by-step rationals ---------------------------------------------------------------------

small = st.fractions(min_value=0, max_value=Fraction(3, 2), max_denominator=8)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """A few phases of a few epochs."""
    phases = []
    for _ in range(draw(st.integers(1, 3))):
        batches = draw(st.integers(1, 4))
        positions = sorted(draw(st.sets(st.integers(0, batches - 1), max_size=3)))
        counts = tuple(draw(st.integers(1, 3)) for _ in positions)
        factor, noise = draw(small), draw(st.fractions(Fraction(1, 8), 4, max_denominator=8))
        epochs, shift = draw(st.integers(1, 5)), draw(st.fractions(0, 2, max_denominator=8))
        phases.append(Phase(epochs, batches, factor, noise, shift, tuple(positions), counts))
    return Timeline(draw(small), draw(st.one_of(st.none(), st.fractions(Fraction(1, 4), 4))), tuple(phases))


def steps_of(timeline: Timeline) -> list[tuple[tuple[int, int], Fraction, Fraction, Fraction]]:
    """Every step as (moment before it, c, shift, noise)."""
    return [
        ((block, k), p.factor, p.shift * dict(zip(p.positions, p.counts, strict=True)).get(k % p.batches, 0), p.noise)
        for block, p in enumerate(timeline.phases)
        for k in range(p.steps)
    ]


@settings(max_examples=50, deadline=None)
@given(timelines(), st.data())
def test_stretch(timeline: Timeline, data: st.DataObject) -> None:
    phase = timeline.phases[0]
    begin = data.draw(st.integers(0, phase.steps))
    end = data.draw(st.integers(begin, phase.steps))
    w, v = Fraction(1, 3), Fraction(1, 5)
    r, s, q = checker.stretch(phase, begin, end, None)
    expected = (r * w + s, r * r * v + q)
    for (block, k), c, shift, noise in steps_of(timeline):
        if block == 0 and begin <= k < end:
            w, v = c * w + shift, c * c * v + noise
    assert expected == (w, v)


def tracked(timeline: Timeline) -> Iterator[tuple[tuple[int, int], Fraction]]:
    """(moment, W∞) before every step, and at the end."""
    cap = timeline.diameter
    w = timeline.start if cap is None else min(timeline.start, cap)
    for moment, c, shift, _ in steps_of(timeline):
        yield moment, w
        w = c * w + shift if cap is None else min(c * w + shift, cap)
    yield timeline.end, w


@settings(max_examples=50, deadline=None)
@given(timelines())
def test_wasserstein_tracking(timeline: Timeline) -> None:
    for moment, w in tracked(timeline):
        assert encloses_tightly(checker.wasserstein_tracking(timeline, moment, BITS), w, BITS - 12)
        assert checker.wasserstein_tracking(timeline, moment, None) == w


@settings(max_examples=80, deadline=None)
@given(timelines(), st.data())
def test_taut_string_is_the_cost_of_its_schedule(timeline: Timeline, data: st.DataObject) -> None:
    """The schedule of T2, step by step: z_N = 0, its cost is that of `taut_string`, and z ≥ 0 is seen exactly.

    With a restart (T5) the schedule begins there, at the distance of T1.
    """
    steps, begin = steps_of(timeline), 0
    if timeline.diameter is not None:
        begin = data.draw(st.integers(0, len(steps) - 1))
        block, k = steps[begin][0]
        batches = timeline.phases[block].batches
        restart = {"block": str(block), "epoch": str(k // batches), "position": str(k % batches)}
        timeline = checker.restarted(timeline, restart)
    start = list(tracked(timeline))[begin][1]
    later = [step[0] for step in steps[begin + 1 :]]
    moments = data.draw(st.sets(st.sampled_from(later), max_size=4)) if later else set()
    corners = []
    for block, k in sorted(moments):
        epoch, position = map(str, divmod(k, timeline.phases[block].batches))
        corners.append({"block": str(block), "position": position, "first": epoch, "last": epoch})
    cuts = [begin, *(i for i, step in enumerate(steps) if step[0] in moments), len(steps)]
    z, cost, admissible = start, Fraction(0), True
    for first, last in pairwise(cuts):
        w, v = start if first == begin else Fraction(0), Fraction(0)
        for _, c, shift, noise in steps[first:last]:
            w, v = c * w + shift, c * c * v + noise
        assert z == (start if first == begin else 0)
        for k in range(first, last):
            _, c, shift, noise = steps[k]
            weight = Fraction(1)
            for step in steps[k + 1 : last]:
                weight *= step[1]
            a = w / v * weight * noise
            z, cost = c * z + shift - a, cost + a * a / noise
            admissible &= z >= 0
    assert z == 0
    assert checker.stays_above_zero(timeline, corners, None) == admissible
    assert checker.admissible(timeline, corners) == admissible
    assert encloses_tightly(checker.taut_string(timeline, corners, BITS), cost, BITS - 12)


def test_ranges_of_corners_are_single_corners() -> None:
    phase = Phase(6, 3, Fraction(11, 10), Fraction(1), Fraction(1), (2,), (1,))
    timeline = Timeline(Fraction(0), None, (phase, Phase(2, 3, Fraction(11, 10), Fraction(1), Fraction(1), (), ())))
    single = [{"block": "0", "position": "2", "first": str(e), "last": str(e)} for e in range(6)]
    ranged = [{"block": "0", "position": "2", "first": "0", "last": "5"}]
    assert checker.admissible(timeline, single) and checker.admissible(timeline, ranged)
    one, many = checker.taut_string(timeline, single, BITS), checker.taut_string(timeline, ranged, BITS)
    assert ends(one)[0] <= ends(many)[1] and ends(many)[0] <= ends(one)[1]


@pytest.mark.parametrize("c", ["0", "0.95", "1", "1.01"])
def test_a_thousand_million_epochs(c: str) -> None:
    epochs = 10**9
    phases = (
        Phase(epochs, 88, Fraction(c), Fraction(1, 50), Fraction(1, 7), (87,), (1,)),
        Phase(2, 88, Fraction(c), Fraction(1, 50), Fraction(1, 7), (), ()),
    )
    last = epochs - 1 if Fraction(c) > 1 else 0
    corners = [{"block": "0", "position": "87", "first": "0", "last": str(last)}]
    for diameter in (None, Fraction(10)):
        timeline = Timeline(Fraction(0), diameter, phases)
        assert checker.admissible(timeline, corners)
        assert (checker.taut_string(timeline, corners, BITS) > 0) == (Fraction(c) > 0)
        assert checker.wasserstein_tracking(timeline, timeline.end, BITS) >= 0
        if diameter is not None and Fraction(c) <= 1:  # the last epoch alone, from wherever the runs are
            restart = {"block": "0", "epoch": str(epochs - 1), "position": "0"}
            assert checker.taut_string(checker.restarted(timeline, restart), [], BITS) >= 0


def test_ten_thousand_single_shifts_of_an_expansion() -> None:
    phase = Phase(10**4, 88, Fraction("1.01"), Fraction(1, 50), Fraction(1, 7), (87,), (1,))
    timeline = Timeline(Fraction(0), Fraction(10), (phase,))
    corners = [{"block": "0", "position": "87", "first": str(e), "last": str(e)} for e in range(10**4)]
    assert checker.admissible(timeline, [*corners[:2000], corners[2000] | {"last": "9999"}])
    assert not checker.admissible(timeline, corners[:1])


def test_a_later_position_costs_no_less() -> None:
    """Why the requests fill the last batch first (c ≤ 1)."""

    @cache
    def mu(position: int, c: Fraction, start: Fraction) -> mp.mpf:
        phases = [
            {"epochs": "3", "batches": "4", "step_size": "1", "noise_std": "1", "records": [[str(position), "1"]]},
            {"epochs": "1", "batches": "4", "step_size": "1", "noise_std": "1", "records": []},
        ]
        moments, w, v, _ = make.walk(phases, start, c, Fraction(1))
        return make.string(moments, w, v, c)[1]

    for c in (Fraction(1, 2), Fraction(9, 10), Fraction(1)):
        for start in (Fraction(0), Fraction(1), Fraction(20)):
            assert all(mu(p, c, start) <= mu(p + 1, c, start) * (1 + mp.mpf("1e-50")) for p in range(3))


def test_hundred_requests_take_seconds() -> None:
    """The phases of a hundred requests, without the slow producer."""
    phases = tuple(
        Phase(5, 60, Fraction("0.957"), Fraction(1, 50), Fraction(1, 7), (58, 59), (100 - i, 10)) for i in range(100)
    )
    corners = [{"block": "0", "position": "58", "first": "0", "last": "0"}]
    for r in range(5, 101, 5):  # a fifth of them
        timeline = Timeline(Fraction(0), None, phases[100 - r :])
        checker.admissible(timeline, corners)
        checker.taut_string(timeline, corners, BITS)


# --- a secret batch order --------------------------------------------------------------------------------------------


def hidden_timeline(c: str, batches: int, learning: int, unlearning: int) -> tuple[Timeline, list[Any]]:
    """One record in the last of the batches, as the checker and as the producer write it."""
    described = [
        {"epochs": str(epochs), "batches": str(batches), "step_size": "0.5", "noise_std": "1.5", "records": records}
        for epochs, records in ((learning, [[str(batches - 1), "1"]]), (unlearning, []))
        if epochs
    ]
    factors = [Fraction(c)] * len(described)
    return checker.requests(Fraction(0), None, described, factors, [Fraction(2)] * len(described)), described


@pytest.mark.parametrize("c", ["0", "0.3", "0.95", "1"])
@pytest.mark.parametrize(("batches", "learning", "unlearning"), [(4, 3, 1), (4, 3, 0), (1, 2, 0), (3, 1, 2), (5, 1, 0)])
def test_squared_mus(c: str, batches: int, learning: int, unlearning: int) -> None:
    """Against the lower convex hull of each position's own timeline."""
    timeline, described = hidden_timeline(c, batches, learning, unlearning)
    found = checker.squared_mus(timeline, list(range(batches)), BITS)
    for position, square in enumerate(found):
        moments, w, v, _ = make.walk(make.moved(described, position), Fraction(0), Fraction(c), Fraction(2))
        assert contains(square, make.string(moments, w, v, Fraction(c))[1])
    some = checker.squared_mus(timeline, [0, batches - 1], BITS)
    assert [ends(x)[0] <= ends(y)[1] <= ends(x)[1] * 2 for x, y in zip(some, (found[0], found[-1]), strict=True)]
    assert all(ends(x)[0] <= ends(y)[1] for x, y in pairwise(found))  # the last position is the worst


@pytest.mark.parametrize("c", ["0.7", "0.95", "1"])
@pytest.mark.parametrize("unlearning", [0, 1])
def test_secret_order(c: str, unlearning: int) -> None:
    """The mean over all positions, from mpmath; with gaps, the rules are on the right side of it."""
    timeline, _ = hidden_timeline(c, 9, 3, unlearning)
    squares = checker.squared_mus(timeline, list(range(9)), 256)
    for epsilon in (Fraction(1, 2), Fraction(2), Fraction(5)):
        mean = sum(exact_delta(epsilon, sum(ends(square.sqrt())) / 2) for square in squares) / 9
        for rule in ("chord", "right", "left"):
            assert contains(checker.secret_order(timeline, list(range(9)), rule)(epsilon, 256), mean, "1e-40")
        for positions in ([0, 8], [0, 5, 7, 8], [0, 1, 2, 8]):
            right, left = (checker.secret_order(timeline, positions, r)(epsilon, BITS) for r in ("right", "left"))
            assert real(left.low) <= mean * (1 + mp.mpf("1e-25")) and mean <= real(right.high) * (1 + mp.mpf("1e-25"))
            try:
                chord = checker.secret_order(timeline, positions, "chord")(epsilon, BITS)
            except checker.DoesNotFollow:
                assert not unlearning or max(ends(squares[-1])) > 2 * epsilon
            else:
                assert unlearning and mean <= real(chord.high) and real(chord.low) <= real(right.high)


def test_secret_order_of_the_mnist_run() -> None:
    """ε 0.0423035 against 0.0779603 with a fixed order; and a large epoch with few positions takes seconds."""
    step, run = Fraction(1) / Fraction("0.261264"), make.run_file()["mechanism"]
    phases = [
        {"epochs": epochs, "batches": "88", "step_size": str(step), "noise_std": run["noise_std"], "records": records}
        for epochs, records in (("100", [["87", "1"]]), ("1", []))
    ]
    shift, c = 2 * step / 128, 1 - step * Fraction("0.011264")
    timeline = checker.requests(Fraction(0), None, phases, [c, c], [shift, shift])
    delta = checker.secret_order(timeline, list(range(88)), "chord")
    assert delta(Fraction("0.0423036"), BITS) <= Fraction(1, 11264) < delta(Fraction("0.0423034"), BITS)
    phases[0] |= {"batches": "1000000", "records": [["999999", "1"]]}
    large = checker.requests(Fraction(0), None, phases[:1], [c], [shift])
    positions = [*range(0, 999_000, 1500), *range(999_000, 10**6, 5), 999_999]
    assert checker.secret_order(large, positions, "right")(Fraction("0.01"), BITS) > 0


@pytest.mark.parametrize("positions", [[0, 1, 2, 3, 4, 5], [0, 3, 5]])
def test_secret_witness(positions: list[int]) -> None:
    """Against the mixtures themselves; with gaps it is below them."""
    _, described = hidden_timeline("1", 6, 2, 1)
    m, one, threshold, epsilon = Fraction(1, 5), Fraction(7, 2), Fraction("2.5"), Fraction(3, 2)
    distances = []
    for position in range(6):
        _, w, v, _ = make.walk(make.moved(described, position), Fraction(0), 1 - m / 2, one)
        distances.append(w)
    root, t = mp.sqrt(v), make.real(threshold)
    p, q = (mp.fsum(mp.ncdf((sign * d / 2 - t) / root) for d in distances) / 6 for sign in (1, -1))
    truth = p - mp.exp(make.real(epsilon)) * q
    found = checker.secret_witness(m, one, described, positions, threshold, epsilon)(BITS)
    if len(positions) == 6:
        assert contains(found, truth)
    else:
        assert real(found.high) < truth


# --- the curved witness ----------------------------------------------------------------------------------------------


CURVED = [("0.23", "0.8", "1"), ("0.2", "1", "1"), ("0.2", "0.8", "0.3")]  # noise_std, own, others


def curved(noise_std: str, own: str, others: str, epsilon: str) -> Interval:
    """δ_low: two epochs of three batches of 16 records, m = 0.1, L = 1.1, M = 1, η = 0.5, τ² = noise_std²."""
    phase = {"epochs": "2", "batches": "3", "step_size": "0.5", "noise_std": noise_std, "records": [["2", "1"]]}
    args = {"start": "0", "strong_convexity": "0.1", "gradient_bound": "1", "smoothness": "1.1"}
    args["phases"] = [phase | {"batch_size": "16"}]
    one = checker.gradient_shift(Fraction(1, 2), 16, Fraction(1), "replace-one")
    return checker.curved_witness(args, one, Fraction(own), Fraction(others), Fraction(epsilon))(BITS)


@pytest.mark.parametrize(("noise_std", "own", "others"), CURVED)
def test_curved_witness_is_below_the_truth(noise_std: str, own: str, others: str) -> None:
    """The two runs with their true Huber losses: their densities on a grid (in doubles, right to about 1e-6)."""
    x = np.linspace(-3, 3, 801)
    width, variance, densities = x[1] - x[0], float(noise_std) ** 2, []
    for sign in (1, -1):
        density = (x == 0) / width  # both runs start at 0
        for step in range(6):
            mixed = step % 3 == 2
            curvature = float(own if mixed else others)
            huber = np.clip(curvature * x, -1, 1)
            drift = x - 0.5 * (0.1 * x + ((15 * huber - sign) / 16 if mixed else huber))
            kernel = np.exp(-((x[:, None] - drift) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
            density = kernel @ density * width
        densities.append(density)
    p, q = densities
    assert abs(p.sum() * width - 1) < 1e-9
    for epsilon in ("0", "0.1", "0.4"):
        low = curved(noise_std, own, others, epsilon)
        truth = float(np.maximum(p - np.exp(float(epsilon)) * q, 0).sum() * width)
        assert truth - 0.1 < real(low.low) and real(low.high) <= truth + 1e-6


@pytest.mark.parametrize(("noise_std", "own", "others"), CURVED)
def test_curved_witness_is_its_formula(noise_std: str, own: str, others: str) -> None:
    h, g, tau, epsilon = mp.mpf(own), mp.mpf(others), mp.mpf(noise_std), mp.mpf(1) / 4
    quiet, mixed = 1 - (mp.mpf("0.1") + g) / 2, 1 - (mp.mpf("0.1") + h * 15 / 16) / 2
    d = v = mp.mpf(0)
    for slope, shift in ((quiet, 0), (quiet, 0), (mixed, mp.mpf(1) / 16)) * 2:
        d, v = slope * d + shift, slope**2 * v + tau**2
    q = max(quiet, mixed)
    p = 12 * mp.ncdf(-(1 / max(h, g) - 1 / (16 * (1 - q))) / mp.sqrt(tau**2 / (1 - q**2)))
    truth = make.delta_of(epsilon, d / mp.sqrt(v)) - (1 + mp.exp(epsilon)) * p
    assert contains(curved(noise_std, own, others, "0.25"), truth, "1e-25")


def test_curved_witness_of_the_mnist_run() -> None:
    predicate = statement_of("curved_mnist")["predicate"]
    assert 0 < Fraction(predicate["mu"]["upper"]) - Fraction(predicate["mu"]["lower"]) < Fraction(3, 10**5)
    assert abs(Fraction(predicate["mu"]["lower"]) - Fraction("0.432298")) < Fraction(1, 10**6)


# --- beyond convexity ------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_clipped_step_bounds_any_two_steps(data: st.DataObject) -> None:
    """Exactly, on rational points: gradients of norm up to M, anything at all of the states."""
    tenth = st.fractions(-5, 5, max_denominator=10)
    m, eta = data.draw(st.fractions(0, 1, max_denominator=10)), data.draw(st.fractions(Fraction(1, 10), 1))
    bound = data.draw(st.fractions(0, 3, max_denominator=10))
    drift = checker.clipped_step(eta, m, bound)
    for signs in ((1, 1), (1, -1), (-1, 1)):
        x, y = data.draw(tenth), data.draw(tenth)
        moved = [z - eta * (m * z + sign * bound) for z, sign in zip((x, y), signs, strict=True)]
        assert abs(moved[0] - moved[1]) <= drift.factor * abs(x - y) + drift.distance
    apart = [z - eta * (m * z - sign * bound) for z, sign in ((Fraction(2), 1), (Fraction(-1), -1))]
    assert apart[0] - apart[1] == drift.factor * 3 + drift.distance  # attained


def test_nonconvex_step_is_attained() -> None:
    """f(x) = -L/2·x² for |x| ≤ 1: the step takes x to (1+ηL)·x."""
    eta, smooth = Fraction(1, 3), Fraction(2)
    assert checker.nonconvex_step(eta, smooth) * (Fraction(1) - Fraction(-1)) == 2 * (1 + eta * smooth)


# --- gauges (T26) ----------------------------------------------------------------------------------------------------


def drawn_timeline(data: st.DataObject, several: bool = True) -> Timeline:
    """Phases that drift and phases that do not, with records in any batches."""
    batches, phases = data.draw(st.integers(1, 3)), []
    tenth = lambda most: st.fractions(0, most, max_denominator=10)  # noqa: E731
    for _ in range(data.draw(st.integers(1, 3))):
        positions = data.draw(st.sets(st.integers(0, batches - 1), max_size=batches if several else 1))
        counts = tuple(data.draw(st.integers(1, 3 if several else 1)) for _ in positions)
        shift, drifts = data.draw(tenth(1)), data.draw(st.booleans())
        factor = data.draw(st.one_of(st.just(Fraction(0)), st.just(Fraction(1)), tenth(1)))
        drift = shift * max([1, *counts]) * data.draw(st.fractions(1, 4, max_denominator=4)) if drifts else None
        epochs, noise = data.draw(st.integers(1, 3)), data.draw(st.fractions(Fraction(1, 4), 2, max_denominator=4))
        phases.append(Phase(epochs, batches, factor, noise, shift, tuple(sorted(positions)), counts, drift))
    start, diameter = data.draw(st.one_of(st.just(Fraction(0)), tenth(2))), data.draw(st.one_of(st.none(), tenth(3)))
    return Timeline(start, diameter, tuple(phases))


def single_steps(timeline: Timeline) -> list[Any]:
    """(moment, ρ, s, d, τ²) of each step."""
    found = []
    for block, phase in enumerate(timeline.phases):
        shifts = {p: n * phase.shift for p, n in zip(phase.positions, phase.counts, strict=True)}
        for step in range(phase.steps):
            s = shifts.get(step % phase.batches, Fraction(0))
            found.append(((block, step), phase.factor, s, s if phase.drift is None else phase.drift, phase.noise))
    return found


def as_moment(timeline: Timeline, step: int) -> dict[str, str]:
    """Just before the step of that number, from the start."""
    for block, phase in enumerate(timeline.phases):
        if step < phase.steps:
            epoch, position = divmod(step, phase.batches)
            return {"block": str(block), "epoch": str(epoch), "position": str(position)}
        step -= phase.steps
    return {"block": str(len(timeline.phases)), "epoch": "0", "position": "0"}


@given(st.data())
def test_distances_that_drift(data: st.DataObject) -> None:
    """T1 against its steps one by one, at every end of a phase."""
    timeline = drawn_timeline(data)
    cap = timeline.diameter
    w = timeline.start if cap is None else min(timeline.start, cap)
    for (block, step), rho, s, d, _ in single_steps(timeline):
        w = rho * w + (d if w > 0 else s)
        w = w if cap is None else min(w, cap)
        if step == timeline.phases[block].steps - 1:
            assert checker.wasserstein_tracking(timeline, (block + 1, 0), None) == w
            assert contains(checker.wasserstein_tracking(timeline, (block + 1, 0), BITS), real_of(w), "1e-25")


def real_of(value: Fraction) -> mp.mpf:
    return mp.mpf(value.numerator) / value.denominator


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_gauges_are_a_schedule(data: st.DataObject) -> None:
    """Whatever excursions are accepted: a_k ≥ 0 with z_k ≥ ψ_k(z_(k-1)) - a_k, z_k ≥ 0, z_N = 0, and Σ a²/τ² = μ²; and
    excursions that are refused because z dips below zero have none of that form."""
    timeline = drawn_timeline(data, several=data.draw(st.booleans()))
    steps = single_steps(timeline)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(steps)), max_size=4)))
    restart = data.draw(st.integers(1, len(steps))) if timeline.diameter and data.draw(st.booleans()) else None
    apart = timeline.start if restart is None else timeline.diameter
    begin = restart or 0
    cuts = [cut for cut in cuts if cut >= begin]
    if apart and begin not in cuts:
        cuts = [begin, *cuts]
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    args: Any = {"excursions": [{"from": as_moment(timeline, i), "to": as_moment(timeline, j)} for i, j in pairs]}
    args |= {"restart": as_moment(timeline, restart)} if restart else {}
    try:
        excursions, composed = checker.gauges(timeline, args)
    except checker.DoesNotFollow:
        assume(False)
    unknown = any(phase.batches > 1 and sum(phase.counts) > 1 for phase in timeline.phases)
    total, least, k = Fraction(0), Fraction(0), begin
    while k < len(steps):
        end = dict(pairs).get(k)
        if end is None:  # composed
            total += steps[k][2] ** 2 / steps[k][4]
            k += 1
            continue
        z = apart if k == begin else Fraction(0)
        moves = [(rho, d, noise) if z or i or unknown else (rho, s, noise)
                 for i, (_, rho, s, d, noise) in enumerate(steps[k:end])]  # fmt: skip
        w, v = z, Fraction(0)
        for rho, move, noise in moves:
            w, v = rho * w + move, rho**2 * v + noise
        weight = [Fraction(1)]
        for rho, *_ in moves[:0:-1]:
            weight.append(weight[-1] * rho)
        for (rho, move, noise), c in zip(moves, weight[::-1], strict=True):
            a = w / v * c * noise
            z, total = rho * z + move - a, total + a**2 / noise
            least = min(least, z)
        assert z == 0
        k = end
    above = all(excursion.stays_above_zero(None) for excursion, _ in excursions)
    assert above == (least >= 0)
    assert contains(checker.squared_gauges(excursions, composed, BITS), real_of(total), "1e-20")


def test_gauges_of_the_theory() -> None:
    """ρ = .5, τ = 1, s = (1, 0, .1), d = (1, .1, 1): .298, where composition costs 1.01."""
    rows = [("1", "1"), ("0", "0.1"), ("0.1", "1")]
    phases = tuple(Phase(1, 1, Fraction(1, 2), Fraction(1), Fraction(s), (0,), (1,), Fraction(d)) for s, d in rows)
    timeline = Timeline(Fraction(0), None, phases)
    moments = [{"block": str(i), "epoch": "0", "position": "0"} for i in range(4)]
    for pairs, cost in (([(0, 2)], "0.298"), ([], "1.01")):
        given_ = {"excursions": [{"from": moments[i], "to": moments[j]} for i, j in pairs]}
        excursions, composed = checker.gauges(timeline, given_)
        value = checker.squared_gauges(excursions, composed, BITS)
        assert all(excursion.stays_above_zero(BITS) for excursion, _ in excursions)
        assert contains(value, mp.mpf(cost), "1e-20")
    least = make.gauges([((i, 0, 0), mp.mpf(1) / 2, mp.mpf(s), mp.mpf(d), mp.mpf(1)) for i, (s, d) in enumerate(rows)]
                        + [((3, 0, 0), None, None, None, None)], mp.mpf(0), False, True, set())  # fmt: skip
    assert abs(least[1] - mp.mpf("0.298")) < mp.mpf(10) ** -30


CLIPPED_RUNS: list[tuple[Any, Any, list[list[int]]]] = [  # run, choices, batches that the differing records are in
    ({"samples": "3", "batch_size": "1", "noise_std": "1"}, {}, [[0], [1], [2]]),
    ({"samples": "6", "batch_size": "2", "noise_std": "1", "unlearning_epochs": ["0"]}, {}, [[0, 0], [0, 1], [0, 2]]),
    (
        {"samples": "4", "batch_size": "2", "noise_std": "1", "radius": "0.5"},
        {"restart": True},
        [[0, 0], [0, 1], [1, 1]],
    ),
    ({"samples": "2", "batch_size": "2", "noise_std": "1", "epochs": "6"}, {}, [[0], [0, 0]]),
]


@pytest.mark.parametrize("row", range(len(CLIPPED_RUNS)))
@pytest.mark.parametrize("by_batch", [False, True])
@pytest.mark.parametrize("decay", ["1.6", "0.2"])
def test_gauges_are_above_the_truth(row: int, by_batch: bool, decay: str) -> None:
    """Gradients that point away from where the other run is, as far as the clip allows: densities on a grid."""
    mechanism, choices, placements = CLIPPED_RUNS[row]
    loss = {"kind": "clipped", "regularization": decay, "clip": "0.5"} | ({"clipping": "batch"} if by_batch else {})
    points, eta, bound = np.linspace(-3, 3, 241), 0.5, 0.5
    for placed in placements:
        run = make.small(mechanism={"step_size": "0.5"} | mechanism, loss=loss, requests={"sizes": [str(len(placed))]},
                         target={"epsilon": "50"})  # fmt: skip
        stated = make.statement(run, rates=("T23b" if by_batch else "T23",) * 2, **choices)
        checker.verify(make.seal(stated))
        mu, read = Fraction(stated["predicate"]["mu"]["upper"]), run["mechanism"]
        batch, epochs, later = int(read["batch_size"]), int(read["epochs"]), int(read["unlearning_epochs"][0])
        batches, radius = int(read["samples"]) // batch, float(read["radius"] or 3)
        edges = np.concatenate(([-np.inf], (points[1:] + points[:-1]) / 2, [np.inf]))
        for tilt in (0.0, 1.0):  # all others push outward, from 0; or towards +1
            finals = []
            for sign in (1, -1):
                weights = (np.abs(points) < 1e-9).astype(float)
                for step in range(batches * (epochs + later)):
                    count = placed.count(step % batches) if step < batches * epochs else 0
                    push = np.sign(points - tilt) if tilt else np.sign(points)
                    if by_batch:
                        gradient = np.full_like(points, sign * bound) if count else bound * push
                    else:
                        gradient = ((batch - count) * bound * push + count * sign * bound) / batch
                    moved = np.clip(points, -radius, radius) * (1 - eta * float(decay)) + eta * gradient
                    weights = weights @ np.diff(ndtr((edges - moved[:, None]) / np.sqrt(2 * eta)), axis=1)
                finals.append(weights)
            for epsilon in (0.0, 0.3):
                truth = np.maximum(finals[0] - np.exp(epsilon) * finals[1], 0).sum()
                above = ends(checker.profile(Fraction(epsilon).limit_denominator(10), Interval.of(mu, BITS)))[1]
                assert truth <= float(above) + 1e-3, (placed, tilt, epsilon)


def test_a_drift_is_not_left_out_while_the_runs_are_apart() -> None:
    """ρ = 0, s = (1, 0), and then both runs go to ±1 by their sign: the shifts alone would give μ = 0; TV is 0.3655."""
    first = Phase(1, 1, Fraction(0), Fraction(1), Fraction(1), (0,), (1,), Fraction(2))
    second = replace(first, positions=(), counts=())
    timeline = Timeline(Fraction(0), None, (first, second))
    at = [{"block": str(i), "epoch": "0", "position": "0"} for i in range(3)]
    for pairs in ([], [(0, 2)], [(0, 1)]):
        excursions, composed = checker.gauges(
            timeline, {"excursions": [{"from": at[i], "to": at[j]} for i, j in pairs]}
        )
        bound = checker.profile(Fraction(0), checker.squared_gauges(excursions, composed, BITS).sqrt())
        assert ends(bound)[1] > Fraction("0.3655")


def range_delta(ratio: str, factor: str, drift: str, steps: int, mu: str, epsilon: str, bits: int = 192) -> Interval:
    """δ(ε) by T24 where τ = 1 and the diameter is `ratio`; no claimed δ stops it."""
    phase = {"epochs": str(steps), "batches": "1", "step_size": "0.5", "noise_std": "1", "records": []}
    rate = checker.Drift(Fraction(factor), Fraction(drift)) if drift != "0" else Fraction(factor)
    of_mu = cache(lambda bits: Interval.of(Fraction(mu) ** 2, bits))
    return checker.range_before_noise(of_mu, rate, Fraction(ratio), phase, Fraction(0))(Fraction(epsilon), bits)


RANGES = [  # diameter, factor, drift, steps, mu, epsilon
    ("2", "1", "0", 1, "1", "0.5"), ("2", "1", "0", 3, "1", "0.5"), ("5", "0.9", "0", 40, "2", "0"),
    ("6", "0.9", "0.5", 30, "2", "0.01"), ("0.5", "1.2", "0", 4, "0.3", "0.001"), ("9", "1", "1", 12, "3", "4"),
    ("2", "0", "0", 1, "1", "0.1"), ("1", "0", "0.5", 3, "40", "2"),
]  # fmt: skip


@pytest.mark.parametrize("row", RANGES)
def test_range_before_noise_is_its_recursion(row: Any) -> None:
    diameter, factor, drift, steps, mu, epsilon = row
    reach = Fraction(factor) * Fraction(diameter) + Fraction(drift)
    with mp.workdps(150):
        e, left = make.real(Fraction(epsilon)), make.delta_of(make.real(Fraction(epsilon)), make.real(Fraction(mu)))
        for _ in range(steps):
            left *= make.delta_of(mp.log1p(mp.expm1(e) / left), make.real(reach)) if reach else 0
    assert contains(range_delta(*row), left, "1e-20")


@pytest.mark.parametrize("wave", ["contract", "expand", "wave", "jump"])
@pytest.mark.parametrize("epsilon", ["0", "0.05", "0.4"])
def test_range_before_noise_is_above_the_truth(wave: str, epsilon: str) -> None:
    """Exact chains on a grid: rounding to the grid after the noise and the projection is post-processing."""
    radius, points = 1.0, np.linspace(-1, 1, 201)
    maps = {
        "contract": (lambda x: 0.8 * x, "0.8", "0"),
        "expand": (lambda x: 1.25 * x, "1.25", "0"),
        "wave": (lambda x: x + 0.5 * np.sin(2 * x) / 2, "1.5", "0"),
        "jump": (lambda x: 0.5 * x + 0.3 * np.sign(x), "0.5", "0.6"),  # no Lipschitz map at all
    }
    move, factor, drift = maps[wave]
    edges = np.concatenate(([-np.inf], (points[1:] + points[:-1]) / 2, [np.inf]))

    def cells(mean: Any, std: float) -> Any:
        return np.diff(ndtr((edges - np.atleast_1d(mean)[:, None]) / std), axis=1)

    p, q, kernel = cells(-0.2, 0.5)[0], cells(0.2, 0.5)[0], cells(move(points), 1.0)  # 0.8-GDP
    for steps in range(1, 5):
        p, q = p @ kernel, q @ kernel
        truth = np.maximum(p - np.exp(float(epsilon)) * q, 0).sum()
        bound = range_delta(str(int(2 * radius)), factor, drift, steps, "0.8", epsilon)
        assert truth <= float(real(bound.high)) + 1e-12


def test_range_before_noise_stops_at_the_claimed_delta() -> None:
    phase = {"epochs": "50", "batches": "4", "step_size": "0.5", "noise_std": "1", "records": []}
    one = cache(lambda bits: Interval.of(1, bits))
    stopped = checker.range_before_noise(one, Fraction(1), Fraction(4), phase, Fraction(1, 100))(Fraction(0), BITS)
    assert stopped <= Fraction(1, 100) and not stopped > Fraction(1, 100)
    low, high = ends(range_delta("4", "1", "0", 200, "1", "0"))
    assert ends(stopped)[0] <= low <= high < Fraction(1, 1000) < ends(stopped)[1]
    with pytest.raises(checker.DoesNotFollow, match="steps"):
        checker.range_before_noise(one, Fraction(1), Fraction(4), phase | {"epochs": "5001"}, Fraction(1, 100))


@pytest.mark.parametrize("positions", [list(range(6)), [0, 3, 5], [0, 5]])
@pytest.mark.parametrize("unlearning", [0, 1])
def test_secret_renyi(positions: list[int], unlearning: int) -> None:
    """Above the divergence of two mixtures of Gaussians that are as far apart; with all positions, the formula."""
    timeline, described = hidden_timeline("0.9", 6, 2, unlearning)
    mus = []
    for position in range(6):
        moments, w, v, _ = make.walk(make.moved(described, position), Fraction(0), Fraction("0.9"), Fraction(2))
        mus.append(mp.sqrt(make.string(moments, w, v, Fraction("0.9"))[1]))
    is_below = checker.secret_renyi(timeline, positions)
    for order in (Fraction(3, 2), Fraction(8)):
        a = make.real(order)
        formula = mp.log(mp.fsum(mp.exp((a - 1) * a * mu**2 / 2) for mu in mus) / 6) / (a - 1)
        low, high = (Fraction(make.outward(formula, up)) for up in (False, True))
        assert not is_below(order, low, BITS)
        if len(positions) == 6:
            assert is_below(order, high, BITS)
        else:
            assert is_below(order, Fraction(make.outward(a * mus[-1] ** 2 / 2, True)), BITS)  # the worst position

        def integrand(x: mp.mpf, a: mp.mpf = a) -> mp.mpf:
            p, q = (mp.fsum(mp.npdf(x, sign * mu / 2) for mu in mus) / 6 for sign in (1, -1))
            return p**a * q ** (1 - a)

        with mp.workdps(20):
            assert mp.log(mp.quad(integrand, [-40, -10, -3, 0, 3, 10, 40])) / (a - 1) <= formula


def random_run(draw: st.DrawFn) -> tuple[Any, dict[str, Any]]:
    """A run without convexity, and how to prove something about it."""
    pick = lambda *options: draw(st.sampled_from(options))  # noqa: E731
    kind, bounded, batch = pick("clipped", "wavy", "softmax"), draw(st.booleans()), pick("5", "10", "30")
    requests = draw(st.integers(1, 2))
    unlearning = [str(draw(st.integers(0, 2))) for _ in range(requests)]
    radius, threat = pick("0.1", "0.75") if bounded else None, {"neighbours": pick("replace-one", "remove-one")}
    if bounded and int(unlearning[0]):
        threat["reference"] = pick("retrain", "stationary")
    rates = [pick("T22", "T23") for _ in range(requests + 1)]
    alone = bounded and requests == 1 and threat.get("reference") != "stationary" and kind != "clipped"
    if not alone:
        rates = ["T23"] * (requests + 1)
    sizes = ["1"] if alone else [str(draw(st.integers(1, 12))) for _ in range(requests)]
    loss = {
        "clipped": make.CLIPPED,
        "wavy": make.WAVY,
        "softmax": {"kind": "softmax", "regularization": "0.1", "feature_norm": "1", "classes": "3", "clip": "0.5"},
    }[kind]
    mechanism = {"batch_size": batch, "epochs": "2", "unlearning_epochs": unlearning, "radius": radius}
    mechanism |= {"step_size": pick("0.05", "0.3"), "noise_std": pick("2", "9"), "batch_order": pick("fixed", "secret")}
    if not alone and threat.get("reference") != "stationary":
        mechanism["initial_distance"] = pick("0", "0.05")
    choices: dict[str, Any] = {"rates": tuple(rates), "restart": bounded}
    if bounded and all(map(int, unlearning)) and draw(st.booleans()):
        choices["before_noise"] = (1, "T23" if kind == "clipped" else pick("T22", "T23"))
    elif threat.get("reference") != "stationary" and int(unlearning[0]):
        threat["release"] = pick("final", "all")
    run = make.small(mechanism=mechanism, loss=loss, requests={"sizes": sizes}, threat=threat)
    return run, choices


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_random_runs_without_convexity(data: st.DataObject) -> None:
    """The slow producer and the checker agree on all digits; a digit less is refused."""
    run, choices = random_run(data.draw)
    stated = make.statement(run, **choices)
    report = checker.verify(make.seal(stated))
    assert report.assumptions[0][:2] == ("convexity", "violated")
    assert "The run does not have this, and no step of the proof rests on it:\n  violated  convexity" in str(report)
    shown = stated["predicate"]["epsilon"]["upper"]
    if shown not in ("0", stated["predicate"]["epsilon"]["target"]):
        lie = json.dumps(stated).replace(f'"{shown}"', f'"{make.lower_by_a_digit(shown)}"')
        with pytest.raises(checker.DoesNotFollow):
            checker.verify(make.seal(json.loads(lie)))


@pytest.mark.parametrize("rates", [("T22", "T22"), ("T22", "T23"), ("T23", "T22"), ("T23", "T23")])
@pytest.mark.parametrize(("radius", "unlearning"), [("0.5", "0"), ("0.5", "1"), ("0.1", "1")])
def test_bounds_without_convexity_are_above_the_truth(rates: tuple[str, str], radius: str, unlearning: str) -> None:
    """Concave records that push the runs apart as fast as L allows: densities on a grid (in doubles, to about 1e-4)."""
    mechanism = {"step_size": "0.1", "epochs": "2", "unlearning_epochs": [unlearning], "radius": radius}
    stated = make.statement(make.small(mechanism=mechanism, loss=make.WAVY), rates=rates, restart=True)
    checker.verify(make.seal(stated))
    mu = Fraction(stated["predicate"]["mu"]["upper"])
    points, tau = np.linspace(-float(radius), float(radius), 401), 0.5 * np.sqrt(0.2)
    edges = np.concatenate(([-np.inf], (points[1:] + points[:-1]) / 2, [np.inf]))
    for position in (0, 1, 2):  # the last batch is the worst, whatever rates the phases go by
        finals = []
        for sign in (1, -1):
            weights = (points == 0).astype(float)
            for step in range(3 * (2 + int(unlearning))):
                shifted = step < 6 and step % 3 == position
                concave = -1.1 * points * (0.9 if shifted else 1)  # data curvature -(L + m) of the other records
                moved = points - 0.1 * (0.1 * points + concave) - sign * (0.1 / 10 if shifted else 0)
                weights = weights @ np.diff(ndtr((edges - moved[:, None]) / tau), axis=1)
            finals.append(weights)
        for epsilon in (Fraction(0), Fraction(1, 20)):
            truth = np.maximum(finals[0] - np.exp(float(epsilon)) * finals[1], 0).sum()
            bound = ends(checker.profile(epsilon, Interval.of(mu, BITS)))[1]
            assert truth <= float(bound) + 1e-4
            if rates == ("T22", "T22") and unlearning == "0" and epsilon == 0 and position == 2:
                assert truth >= float(bound) / 2  # and not by accident


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["certificate", "erasure"])
@pytest.mark.parametrize("rest", [{}, {"predicate": 1}, {"predicate": {"run": {}}}])
def test_an_earlier_format_names_what_reads_it(kind: str, rest: Any) -> None:
    """Whatever its shape was."""
    with pytest.raises(checker.Malformed) as refused:
        checker.check_types({"predicateType": f"urn:plumbline-dp:{kind}:v1"} | rest)
    assert str(refused.value).endswith(f"{kind}:v1 is an earlier format; plumbline-dp 0.1 reads it")


def test_a_newer_key_is_absent_where_it_has_its_default() -> None:
    shape = {"neighbours": checker.text, "group_size?": checker.newer(checker.integer, "1")}
    checker.check_shape({"neighbours": "replace-one"}, shape, "threat")
    checker.check_shape({"neighbours": "replace-one", "group_size": "2"}, shape, "threat")
    for value, message in (("1", "threat.group_size: has its default value"), ("1.5", "needs an integer")):
        with pytest.raises(checker.Malformed, match=message):
            checker.check_shape({"neighbours": "replace-one", "group_size": value}, shape, "threat")
