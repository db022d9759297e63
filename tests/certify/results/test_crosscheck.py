"""`certify --from`: the ε that other accountants print, judged: below the truth (docs/theory.md §9) or above."""

from __future__ import annotations

import json
from fractions import Fraction as F
from pathlib import Path

import pytest

import certify
from accountant.mechanisms.neighbours import NEIGHBOURS
from accountant.mechanisms.sampling import SAMPLINGS
from certify.cli import options as cli_options
from certify.errors import UsageError
from certify.results.crosscheck import crosscheck
from certify.results.crosscheck_result import Judgement
from certify.results.peers import FORMATS
from tests.certify.runs import plumbline, refused

FOREIGN = Path(__file__).parent / "foreign"
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
    monkeypatch.setattr("certify.results.crosscheck.MIN_WIDTH", F(1, 1000))
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
        (["--from", "opacus", "R", "--delta", "nan"], "not a finite number"),
        (["--from", "opacus", "R", "--delta", "1e-5", "--epsilon", "inf"], "not a finite number"),
        (["--from", "opacus", "R", "--delta", "1e-5", "--epsilon=-1"], "at least 0"),
        (["--from", "opacus", "R", "--delta", "1e-5", "-o", "out"], "-o: a certificate has a target"),
        (["--from", "opacus", "R", "--delta", "1e-5", "--format", "junit"], "junit"),
        (["--from", "prv", "R", "--delta", "1e-5"], "invalid choice"),
        (["--from", "triples", "R", "--delta", "1e-5"], "not a valid triples record"),
        (["R", "--delta", "1e-5"], "go with --from"),
        (["R", "--epsilon", "1"], "go with --from"),
        (["R", "--sampling", "fixed"], "go with --from"),
        (["R", "--neighbours", "replace-one"], "go with --from"),
        (["--from", "opacus", "R", "--delta", "1e-5", "--sampling", "cyclic"], "invalid choice"),
        (["--from", "opacus", "R", "--delta", "1e-5", "--neighbours", "two"], "invalid choice"),
        (
            ["--from", "opacus", "R", "--delta", "1e-5", "--sampling", "fixed", "--neighbours", "add-or-remove-one"],
            "--neighbours: ",
        ),
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


# --- What the record does not say -------------------------------------------------------------------------------------


def test_how_batches_were_drawn_is_an_assumption(record) -> None:
    """Issue 10.11: Opacus writes the same state for a fixed order, in which no record is hidden among others."""
    path = record('{"history": [[1.0, 0.25, 20]], "mechanism": "prv"}')
    arguments = ("certify", "--from", "opacus", path, "--delta", "1e-5", "--epsilon", "8.088")
    assumed = plumbline(*arguments)
    assert assumed.code == 0 and "HOLDS" in assumed.out
    assert "assumed: batches were drawn by Poisson sampling: the record does not say how" in assumed.out
    shown = json.loads(plumbline(*arguments, "--format", "json").out)
    assert shown["sampling_from"] == "assumed"
    assert "--sampling" in next(a["text"] for a in shown["assumptions"] if a["id"] == "record:sampling")

    fixed = plumbline(*arguments, "--sampling", "fixed")
    assert fixed.code == 1 and "it would hold for Poisson sampling" in fixed.out
    shown = json.loads(plumbline(*arguments, "--sampling", "fixed", "--format", "json").out)
    assert (shown["sampling"], shown["sampling_from"], shown["neighbours"]) == ("fixed", "given", "remove-one")
    assert abs(F(shown["epsilon"]["lower"]) - F("11.480")) < F("0.0005")
    assert F(shown["below_by"]) > F("3.39")
    stated = json.loads(plumbline(*arguments, "--sampling", "poisson", "--format", "json").out)
    assert stated["sampling_from"] == "given" and stated["judgement"] == "HOLDS"


@pytest.mark.parametrize(
    ("sampling", "neighbours", "releases"),
    [
        ("fixed", "remove-one", 5),
        ("shuffled", "remove-one", 5),
        ("full", "add-or-remove-one", 20),
        ("fixed", "replace-one", 20),  # 5, each of them twice as telling
    ],
)
def test_without_amplification(record, sampling, neighbours, releases) -> None:
    """μ = √(how often the record comes), as that many full batches."""
    path = record("1,0.25,20")
    found = crosscheck(
        path, written_by="triples", delta=F(1, 10**5), sampling=sampling, neighbours=neighbours, printed="1"
    )
    full = crosscheck(record(f"1,1,{releases}"), written_by="triples", delta=F(1, 10**5))
    assert (found.lower, found.upper, found.neighbours) == (full.lower, full.upper, neighbours)


def test_a_rate_that_was_one_of_a_number_of_batches(record) -> None:
    """1/3750 and 1/15 as doubles: ⌊1/q⌋ of their decimals would be a batch less, and an epoch more."""
    ten = F(crosscheck(record("1,1,10"), written_by="triples", delta=F(1, 10**5)).upper)
    for batches in (15, 49, 3750):
        path = record(f"1,{1 / batches!r},{10 * batches}")
        for sampling in ("fixed", "shuffled"):
            found = crosscheck(path, written_by="triples", delta=F(1, 10**5), sampling=sampling)
            assert found.stages[0].sample_rate == F(1, batches)
            assert F(found.upper) == ten


def test_batches_without_replacement_are_a_part_of_some_data(record) -> None:
    path = record(f"1,{256 / 60000!r},10")
    found = crosscheck(path, written_by="triples", delta=F(1, 10**5), sampling="without-replacement")
    assert (found.stages[0].sample_rate, found.neighbours) == (F(8, 1875), "replace-one")


def test_a_fixed_order_goes_on_where_it_was(record) -> None:
    """Two half epochs are one: a lower bound for runs that start again would be above the truth of this one."""
    path = record("1,0.25,2\n2,0.25,2\n")
    with pytest.raises(UsageError, match="stage 1 of 2 ends within an epoch"):
        crosscheck(path, written_by="triples", delta=F(1, 10**5), sampling="fixed")
    with pytest.raises(UsageError, match="stage 1 of 2"):
        crosscheck(path, written_by="triples", delta=F(1, 10**5), sampling="shuffled")


def test_a_record_that_says_how_can_be_contradicted(record) -> None:
    found = crosscheck(record(EVENTS), written_by="dp-accounting", delta=F(1, 10**5), sampling="fixed")
    assert found.sampling_from == "given" and "the record says poisson" in found.assumptions[0]["text"]
    assert crosscheck(record(EVENTS), written_by="dp-accounting", delta=F(1, 10**5)).sampling_from == "record"


# --- Why, by how much, and within what -------------------------------------------------------------------------------


def test_renyi_at_replace_one() -> None:
    """dp_accounting 0.6.0, RdpAccountant at REPLACE_ONE: 4.586 against 12.26."""
    path = FOREIGN / "dp_accounting_without_replacement.txt"
    outcome = plumbline("certify", "--from", "dp-accounting", path, "--delta", "1e-5", "--epsilon", "4.586")
    assert outcome.code == 1
    assert "leaves that out at REPLACE_ONE" in outcome.out.splitlines()[-1]
    found = crosscheck(path, written_by="dp-accounting", delta=1e-5, printed=4.586270766626734)
    assert F("12.26") < F(found.lower) < F("12.261") and found.reason


def test_replace_one_under_poisson(record) -> None:
    """T17r: 2.8434, where 1.8282 is the answer for a record that is added or removed."""
    found = crosscheck(record(OPACUS), written_by="opacus", delta="1e-5", neighbours="replace-one", printed="1.83837")
    assert F(found.lower) < F("2.8434") < F(found.upper) < F("2.846")
    assert found.judgement is Judgement.BELOW_THE_TRUTH and "added or removed" in found.reason
    held = crosscheck(
        record(EVENTS), written_by="dp-accounting", delta="1e-5", neighbours="replace-one", printed="2.85"
    )
    assert held.judgement is Judgement.HOLDS and held.neighbours == "replace-one"


@pytest.mark.parametrize(
    ("row", "printed", "why"),
    [("5,1,100", "10.7255", True), ("5,1,100", "9", False), ("1,1,1", "4.72850", True)],  # RdpAccountant, REPLACE_ONE
)
def test_renyi_of_full_batches_at_replace_one(record, row, printed, why) -> None:
    found = crosscheck(
        record(row), written_by="triples", delta="1e-5", printed=printed, sampling="full", neighbours="replace-one"
    )
    assert found.judgement is Judgement.BELOW_THE_TRUTH and bool(found.reason) is why


def test_the_central_limit_is_no_bound(record) -> None:
    """Opacus 1.6.0, GaussianAccountant: 6.858348859."""
    text = '{"history": [[1.0, 0.25, 20]], "mechanism": "gdp"}'
    found = crosscheck(record(text), written_by="opacus", delta="1e-5", printed="6.858348859")
    assert found.judgement is Judgement.BELOW_THE_TRUTH and "central-limit" in found.reason


@pytest.mark.parametrize(
    ("printed", "within"),
    [
        ("3.34", True),
        ("3.3", True),
        ("3.2", False),
        ("3", True),
        ("3.341", True),
        ("3.340", False),
        ("334e-2", True),
        ("167/50", False),
    ],
)
def test_a_rounded_epsilon_is_below_all_the_same(record, printed, within) -> None:
    """Exit 1 whatever its rounding; the text says where rounding explains it."""
    path = record("1.26491,1,1")  # ε = 3.34141 at δ = 1e-5
    arguments = ("certify", "--from", "triples", path, "--delta", "1e-5", "--epsilon", printed)
    shown = json.loads(plumbline(*arguments, "--format", "json").out)
    assert shown["epsilon"]["lower"].startswith("3.3414") and shown["epsilon"]["printed"] == printed
    assert (shown["judgement"], shown["within_rounding"]) == ("BELOW_THE_TRUTH", within)
    assert 0 < F(shown["below_by"]) <= F(shown["epsilon"]["lower"]) - F(printed)
    outcome = plumbline(*arguments)
    assert outcome.code == 1
    assert ("within the rounding of its last digit" in outcome.out) is within


def test_an_absurd_epsilon_is_no_crash(record) -> None:
    for printed in ("1e399", "0", "1e-399"):
        outcome = plumbline("certify", "--from", "triples", record("1,1,1"), "--delta", "1e-5", "--epsilon", printed)
        assert outcome.code == (0 if printed == "1e399" else 1)
        assert crosscheck(record("1,1,1"), written_by="triples", delta=1e-5, printed=printed).as_json()


# --- The certificate, and the public face ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written_by", "more", "printed", "verdict"),
    [
        (OPACUS, "opacus", (), "1.83837", "CERTIFIED"),
        ("2,0.25,4\n1,0.25,8\n", "triples", ("--sampling", "fixed"), "3", "NOT_CERTIFIED"),
        ("2,0.25,4\n1,0.25,8\n", "triples", ("--sampling", "full"), "30", "CERTIFIED"),
        (
            "PoissonSampledDpEvent(0.01, ComposedDpEvent([GaussianDpEvent(1.0), GaussianDpEvent(3.0)]))",
            "dp-accounting",
            (),
            "1.2",
            "CERTIFIED",
        ),
        ("TruncatedSubsampledGaussianDpEvent(60000, 0.004, 400, 1.0)", "dp-accounting", (), "1", "CERTIFIED"),
        ("SampledWithoutReplacementDpEvent(100, 10, GaussianDpEvent(2))", "dp-accounting", (), "2.5", "CERTIFIED"),
    ],
)
def test_a_certificate_of_the_run(record, tmp_path, text, written_by, more, printed, verdict) -> None:
    """Of the run that the record describes, at the ε and δ that were claimed; the checker re-derives it."""
    arguments = ("certify", "--from", written_by, record(text), "--delta", "1e-5", "--epsilon", printed, *more)
    outcome = plumbline(*arguments, "-o", tmp_path / "out", "--format", "json")
    judged = {"CERTIFIED": "HOLDS", "NOT_CERTIFIED": "BELOW_THE_TRUTH"}[verdict]
    assert json.loads(outcome.out)["judgement"] == judged
    assert outcome.err.strip().endswith(f"certificate.json (UNSIGNED): {verdict}")
    verified = plumbline("verify", tmp_path / "out/certificate.json", "--format", "json")
    assert verified.code == outcome.code and json.loads(verified.out)["verdict"] == verdict


def test_the_public_function(record) -> None:
    """A file, or what is in it; floats are read as their shortest decimals; the answer is frozen."""
    state = {"history": [(1.0, 0.01, 600), (1.0, 0.01, 400)], "mechanism": "prv"}
    found = certify.crosscheck(state, written_by="opacus", delta=1e-5, printed=1.83837)
    assert found == certify.crosscheck(record(OPACUS), written_by="opacus", delta="1e-5", printed="1.83837")
    assert (
        found.as_json()
        == certify.crosscheck(str(record(OPACUS)), written_by="opacus", delta=F(1, 10**5), printed="1.83837").as_json()
    )
    assert isinstance(found, certify.CrossCheck) and found.judgement is certify.Judgement.HOLDS
    with pytest.raises(AttributeError):
        found.printed = "1"
    for wrong in ({"sampling": "cyclic"}, {"neighbours": "two"}, {"delta": 2}, {"delta": "x"}, {"printed": "inf"}):
        with pytest.raises(UsageError):
            certify.crosscheck(state, **{"written_by": "opacus", "delta": 1e-5} | wrong)
    with pytest.raises(UsageError):
        certify.crosscheck(state, written_by="prv", delta=1e-5)


def test_the_choices_of_the_command_line_are_those_of_the_library() -> None:
    assert cli_options.SAMPLINGS is SAMPLINGS and cli_options.NEIGHBOURS is NEIGHBOURS
    with pytest.raises(UsageError, match=", ".join(FORMATS)):
        crosscheck({}, written_by="?", delta=1e-5)
