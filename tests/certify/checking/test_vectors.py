"""Every vector of certificates: accepted, or refused for the reason that it was written for."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from certify import checker
from tests.certify.checking.cases import ACCEPT, MUTATED, SLOWLY, VECTORS, statement_of
from tests.vectors import make_certificates as make

EXPECTED = json.loads((VECTORS / "reject/certificates/expected.json").read_text("utf-8"))


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
        sums = "training" in path.stem or "_sums" in path.stem
        assert "CERTIFIED" in out and ("noisy_sums" if sums else "gaussian_noise") in out
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
