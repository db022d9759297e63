"""`certify --from`: the ε that other accountants print, judged; below the truth (theory §9), above it, or neither."""

from __future__ import annotations

import json
from fractions import Fraction as F

import pytest

from certify.crosscheck import Judgement, crosscheck
from certify.errors import UsageError
from tests.certify.runs import plumbline, refused

OPACUS = '{"history": [[1.0, 0.01, 600], [1.0, 0.01, 400]], "mechanism": "prv"}'
EVENTS = (
    "SelfComposedDpEvent(event=PoissonSampledDpEvent(sampling_probability=0.01, "
    "event=GaussianDpEvent(noise_multiplier=1.0)), count=1000)"
)


@pytest.fixture
def record(tmp_path):
    def write(text: str):
        path = tmp_path / "record"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("row", "delta", "printed", "code", "judgement"),
    [
        ("100,1,10000", "1e-12", "7.2132", 1, "BELOW THE TRUTH"),  # dp_accounting 0.6.0
        ("100,1,10000", "1e-12", "7.2145", 1, "BELOW THE TRUTH"),  # prv_accountant 0.2.0
        ("100,1,10000", "1e-12", "7.2386", 0, "HOLDS"),
        ("20,1,50000", "1e-10", "132.794", 1, "BELOW THE TRUTH"),  # dp_accounting 0.6.0
        ("20,1,50000", "1e-10", "132.832", 0, "HOLDS"),
    ],
)
def test_what_peers_print(record, row, delta, printed, code, judgement) -> None:
    outcome = plumbline("certify", "--from", "triples", record(row), "--delta", delta, "--epsilon", printed)
    assert outcome.code == code and outcome.err == ""
    assert outcome.out.splitlines()[-1].startswith(f"{judgement}: ")


@pytest.mark.parametrize(("written_by", "text"), [("opacus", OPACUS), ("dp-accounting", EVENTS)])
def test_a_peer_that_is_loose(record, written_by, text) -> None:
    """1.83837 is half a per cent above the truth."""
    found = crosscheck(record(text), written_by=written_by, delta=F(1, 10**5), printed=F("1.83837"))
    assert found.judgement is Judgement.HOLDS and found.exit_code == 0
    assert found.stages == (found.stages[0],) and found.stages[0].steps == 1000
    least, most = found.looseness
    assert 1.004 < least < most < 1.006
    assert F(found.upper) - F(found.lower) <= F(found.upper) / 1000


def test_json_is_one_object(record) -> None:
    outcome = plumbline("certify", "--from", "opacus", record(OPACUS), "--delta", "1e-5", "--format", "json")
    shown = json.loads(outcome.out)
    assert outcome.code == 0 and shown["judgement"] == "NOT_GIVEN"
    assert shown["from"] == "opacus" and shown["epsilon"]["printed"] is None
    assert shown["stages"] == [{"noise_multiplier": "1", "sample_rate": "0.01", "steps": 1000}]
    assert (shown["sampling"], shown["neighbours"]) == ("poisson", "add-or-remove-one")
    assert F(shown["epsilon"]["lower"]) < F("1.8285") < F(shown["epsilon"]["upper"])  # dp_accounting's: 1.82824


def test_finer_grids_decide_what_a_coarse_one_does_not(record) -> None:
    path, delta = record("1,0.01,100"), F(1, 10**5)
    first = crosscheck(path, written_by="triples", delta=delta)
    lower, upper = F(first.lower), F(first.upper)
    printed = upper - (upper - lower) / 5
    found = crosscheck(path, written_by="triples", delta=delta, printed=printed)
    assert found.judgement is Judgement.HOLDS and F(found.upper) <= printed < upper


def test_what_stays_open_is_undecided(record, monkeypatch) -> None:
    """Without replacement the bound is no mechanism's: between the two nothing is known, however fine the grid."""
    text = "SelfComposedDpEvent(SampledWithoutReplacementDpEvent(1000, 10, GaussianDpEvent(3)), 10)"
    monkeypatch.setattr("certify.crosscheck.FINEST", F(1, 1000))
    first = crosscheck(record(text), written_by="dp-accounting", delta=F(1, 10**5))
    assert first.neighbours == "replace-one"
    between = (F(first.lower) + F(first.upper)) / 2
    arguments = ["--from", "dp-accounting", record(text), "--delta", "1/100000", "--epsilon", str(between)]
    outcome = plumbline("certify", *arguments)
    assert outcome.code == 3 and "UNDECIDED" in outcome.out


def test_a_run_that_tells_nothing_is_no_division_by_zero(record) -> None:
    found = crosscheck(record("1,0,10"), written_by="triples", delta=F(1, 10**5), printed=F(1))
    assert found.judgement is Judgement.HOLDS and found.looseness is None
    assert found.text().endswith("is above the truth")


def test_exactly_the_bound_holds(record) -> None:
    """ε = 0 of nothing: equal to the truth, not below it."""
    found = crosscheck(record("1,0,10"), written_by="triples", delta=F(1, 10**5), printed=F(0))
    assert found.judgement is Judgement.HOLDS


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "opacus", "R"], "--delta: is missing"),
        (["--from", "opacus", "R", "--delta", "0"], "strictly between"),
        (["--from", "opacus", "R", "--delta", "1"], "strictly between"),
        (["--from", "opacus", "R", "--delta", "nan"], "no finite number"),
        (["--from", "opacus", "R", "--delta", "1e-5", "--epsilon", "inf"], "no finite number"),
        (["--from", "opacus", "R", "--delta", "1e-5", "--epsilon=-1"], "at least 0"),
        (["--from", "opacus", "R", "--delta", "1e-5", "-o", "out"], "no certificate"),
        (["--from", "opacus", "R", "--delta", "1e-5", "--format", "junit"], "junit"),
        (["--from", "prv", "R", "--delta", "1e-5"], "invalid choice"),
        (["--from", "triples", "R", "--delta", "1e-5"], "is no triples record"),
        (["R", "--delta", "1e-5"], "go with --from"),
        (["R", "--epsilon", "1"], "go with --from"),
    ],
)
def test_wrong_input_is_one_line(record, arguments, says, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = record(OPACUS)
    assert says in refused(plumbline("certify", *(path if a == "R" else a for a in arguments)))
    assert not (tmp_path / "out").exists()


def test_numbers_of_absurd_size_are_refused_at_once(record) -> None:
    for text in ("1,0.01,1e999999999", "1e-999999999,0.01,1"):
        with pytest.raises(UsageError):
            crosscheck(record(text), written_by="triples", delta=F(1, 10**5))


def test_progress_is_told(record) -> None:
    told: list[tuple[str, int, int]] = []
    crosscheck(
        record("1.02,0.01,50"), written_by="triples", delta=F(1, 10**5), progress=lambda *step: told.append(step)
    )
    assert told and all((done, of) == (0, 0) for _, done, of in told)
