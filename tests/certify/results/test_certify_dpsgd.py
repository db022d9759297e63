"""`certify` on DP-SGD and its relatives: figures against peers and closed forms, verdicts, assumptions, refusals."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import json
import time
from fractions import Fraction as F
from pathlib import Path

import pytest
from mpmath import mp

from accountant.dpsgd import derive as engine
from accountant.theorems.privacy import gaussian_profile
from certify.cli import output
from certify.cli.text import result_text
from certify.errors import UsageError
from certify.results import certify_dpsgd as training_result
from certify.results.certify import certify
from certify.results.claims import Verdict
from certify.service import execute
from certify.trust.certificate import make_statement, write_certificate
from tests.certify.runs import EXAMPLES, plumbline, refused, to_toml, training
from tests.oracles.conversions import delta_gdp

SETTINGS = json.loads((Path(__file__).parents[2] / "oracles/data/peer_sampled.json").read_text())["settings"]
WITHOUT_REPLACEMENT = {
    "noise_multiplier": 3, "sample_rate": None, "batch_size": 10, "samples": 1000, "steps": 10,
    "sampling": "without-replacement",
}  # fmt: skip
FULL = {"noise_multiplier": 5, "sample_rate": None, "sampling": "full"}
DISJOINT = {"noise_multiplier": 20, "sample_rate": "0.1", "steps": 100, "sampling": "shuffled"}


def ends(result) -> tuple[F, F]:
    return F(result.epsilon["lower"]), F(result.epsilon["upper"])


def assumed(result) -> list[str]:
    return [row["id"] for row in result.assumptions]


# --- figures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: f"z={s['noise_multiplier']},q={s['sample_rate']}")
def test_the_reference_settings(setting) -> None:
    """docs/theory.md §9: within 1e-3 of dp_accounting's PLD from above, and the bracket no wider than that."""
    keys = {key: setting[key] for key in ("noise_multiplier", "sample_rate", "steps")}
    result = certify(training(keys, target={"epsilon": 20, "delta": setting["delta"]}))
    lower, upper = ends(result)
    assert lower < upper <= F(setting["dp_accounting_pld"]) * F(1001, 1000)
    assert upper - lower <= upper / 1000
    assert lower < F(setting["prv_upper_0.01"]), "the peer's upper bound holds here"
    assert result.verdict is Verdict.CERTIFIED


def test_full_batches_are_the_gaussian_profile() -> None:
    result = certify(training(FULL))
    lower, upper = ends(result)
    with mp.workdps(40):
        found = [delta_gdp(mp.mpf(result.epsilon[end]), mp.mpf(2)) for end in ("lower", "upper")]
        assert found[0] > mp.mpf("1e-5") > found[1]
    assert upper - lower < F(1, 10**9)


def test_disjoint_batches_have_no_amplification() -> None:
    """Ten batches an epoch, a hundred steps: ten sums that one record is in, 2√10/20 where it is replaced."""
    result = certify(training(DISJOINT))
    assert F(result.mu["lower"]) ** 2 < F(1, 10) < F(result.mu["upper"]) ** 2
    zeroed = certify(training(DISJOINT, threat={"neighbours": "remove-one"}))
    assert F(zeroed.mu["lower"]) ** 2 < F(1, 40) < F(zeroed.mu["upper"]) ** 2


def test_ten_orders_of_which_a_certificate_shows_nine() -> None:
    result = certify(training())
    orders = [row["order"] for row in result.as_json()["renyi"]]
    assert orders == ["1.5", "2", "3", "4", "8", "16", "32", "64", "128", "256"]
    bounds = [F(row["upper"]) for row in result.renyi]
    assert all(a < b for a, b in itertools.pairwise(bounds))
    assert {"T18", "T18f"} <= set(result.theorems)
    predicate = make_statement(result)["predicate"]
    assert [row["order"] for row in predicate["renyi"]] == orders[1:]
    assert predicate["theorems"] == sorted({step["theorem"] for step in predicate["proof"]["steps"]})
    assert "T18f" not in predicate["theorems"]


def test_gaussian_runs_show_every_order_everywhere() -> None:
    result = certify(training(FULL))
    assert len(make_statement(result)["predicate"]["renyi"]) == len(result.renyi) == 10
    assert "T2" in result.theorems and "T18f" not in result.theorems
    for row in result.renyi:  # αμ²/2, μ² = 100/25
        assert 0 < F(row["upper"]) - 2 * F(row["order"]) < F(1, 10**6)


def test_without_replacement_there_is_no_curve() -> None:
    result = certify(training(WITHOUT_REPLACEMENT))
    assert result.renyi == () and result.curve is None
    assert make_statement(result)["predicate"]["renyi"] == []


def test_where_batches_are_cut_there_is_no_curve() -> None:
    """A record more can push another one out of the batch, and the sum then moves by more than Δ: T20 charges that to
    δ, and a Rényi divergence has none."""
    result = certify(training({"samples": 1000, "max_batch_size": 50}))
    assert result.renyi == () and "T18" not in result.theorems and "T20" in result.theorems
    assert F(result.epsilon["upper"]) > F(certify(training()).epsilon["upper"])


def test_a_json_object_has_every_field() -> None:
    shown = certify(training()).as_json()
    assert shown["mu"] == {"lower": None, "upper": None}
    assert shown["wasserstein"] == {"learned": None, "released": None}
    assert shown["requests"] == [] and shown["published"] == {"chien2024": {"epsilon": None}}
    assert shown["fallback"] is None and len(shown["digest"]) == 64


# --- assumptions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (training(), ["neighbours:add-or-remove-one", "noisy_sums", "release:sums", "sampling"]),
        (training(FULL), ["neighbours:add-or-remove-one", "noisy_sums", "release:sums"]),
        (training({"sample_rate": 1}), ["neighbours:add-or-remove-one", "noisy_sums", "release:sums"]),
        (training(DISJOINT), ["batches:disjoint", "neighbours:replace-one", "noisy_sums", "release:sums"]),
        (
            training(DISJOINT, releases=[{"mu": "0.1"}]),
            ["batches:disjoint", "neighbours:replace-one", "noisy_sums", "release:sums", "other_releases"],
        ),
        (
            training(FULL, scaling={"kind": "clip", "max_grad_norm": 1, "gradient_norm_bound": 2}),
            ["gradient_bound", "neighbours:add-or-remove-one", "noisy_sums", "release:sums"],
        ),
        (
            training(WITHOUT_REPLACEMENT),
            ["neighbours:replace-one", "noisy_sums", "release:sums", "sampling"],
        ),
    ],
    ids=["poisson", "full", "poisson of everything", "disjoint", "other releases", "gradient bound", "fixed size"],
)
def test_what_is_assumed(tables, expected) -> None:
    result = certify(tables)
    assert assumed(result) == expected
    assert {row["status"] for row in result.assumptions} == {"attested"}


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_a_target_inside_the_bracket_is_decided() -> None:
    lower, upper = ends(certify(training()))
    width = upper - lower
    above, below = upper - width / 5, lower + width / 5
    assert certify(training(target={"epsilon": above, "delta": "1e-5"})).verdict is Verdict.CERTIFIED
    missed = certify(training(target={"epsilon": below, "delta": "1e-5"}))
    assert missed.verdict is Verdict.NOT_CERTIFIED and missed.out_of_reach


def test_where_memory_ends_it_is_indeterminate(monkeypatch, tmp_path) -> None:
    lower, upper = ends(certify(training()))
    coarse = functools.partial(engine.derive_training, most_points=1 << 11)
    monkeypatch.setattr(training_result, "derive_training", coarse)
    tables = training(target={"epsilon": (lower + upper) / 2, "delta": "1e-5"})
    result = certify(tables)
    assert result.verdict is Verdict.INDETERMINATE and not result.out_of_reach
    path = tmp_path / "run.toml"
    path.write_text(to_toml(tables))
    shown = plumbline("certify", path)
    assert shown.code == 3 and shown.out.startswith("INDETERMINATE")


def test_out_of_reach() -> None:
    result = certify(training(target={"epsilon": "0.01", "delta": "1e-5"}))
    assert result.verdict is Verdict.NOT_CERTIFIED and result.out_of_reach
    assert F(result.epsilon["lower"]) > F("0.01")


def test_without_replacement_a_bound_can_miss_what_is_not_out_of_reach() -> None:
    """The symmetrised pair is no mechanism's: between its ε and the one that is attained, this bound alone misses."""
    lower, upper = ends(certify(training(WITHOUT_REPLACEMENT)))
    assert upper > lower * F(102, 100)
    result = certify(training(WITHOUT_REPLACEMENT, target={"epsilon": (lower + upper) / 2, "delta": "1e-5"}))
    assert result.verdict is Verdict.NOT_CERTIFIED and not result.out_of_reach


def test_other_releases_count_from_above_alone() -> None:
    alone = certify(training())
    more = certify(training(releases=[{"mu": "0.3", "text": "a histogram"}]))
    assert F(more.epsilon["lower"]) <= F(alone.epsilon["upper"])  # nothing is known from below of the other release
    assert float(more.epsilon["lower"]) == pytest.approx(float(alone.epsilon["lower"]), rel=1e-3)
    assert F(more.epsilon["upper"]) > F(alone.epsilon["upper"])


def test_the_width_that_is_asked_for() -> None:
    run = certify(training(target={"epsilon": "0.5", "delta": "1e-5"})).run
    for width in (F(1, 50), F(1, 4000)):
        lower, upper = ends(training_result.certify_training(run, width=width))
        assert upper - lower <= width * upper * (1 + F(1, 10**9))


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        (training(momentum={"inner_beta": "0.5", "inner_window": 2, "inner_history": "batch"}), "other records"),
        (training(momentum={"inner_history": "batch"}), "other records"),
        (training({"samples": 1000, "max_batch_size": 11}), "mechanism.max_batch_size: 11 cuts"),
        (training({"samples": 1000, "max_batch_size": 5}), "mechanism.max_batch_size: 5 cuts"),
        (training({"sample_rate": 1, "samples": 50, "max_batch_size": 50}), "mechanism.max_batch_size: 50 cuts"),
    ],
)
def test_what_no_theorem_covers(tables, says) -> None:
    with pytest.raises(UsageError) as problem:
        certify(tables)
    assert says in str(problem.value) and "\n" not in str(problem.value)


def test_a_cut_that_never_happens_costs_nothing() -> None:
    free = certify(training({"sample_rate": 1, "noise_multiplier": 40}))
    cut = certify(training({"sample_rate": 1, "noise_multiplier": 40, "samples": 50, "max_batch_size": 51}))
    assert cut.epsilon == free.epsilon


def test_no_learner_runs_it_and_nothing_is_planned(tmp_path) -> None:
    with pytest.raises(UsageError, match="not run by any learner"):
        execute(EXAMPLES / "dpsgd.toml", None, [], tmp_path / "out")
    assert not (tmp_path / "out" / "certificate.json").exists()
    assert "calibrate" in refused(plumbline("plan", EXAMPLES / "dpsgd.toml"))


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_in_every_format(tmp_path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(training(scaling={"kind": "psasc", "max_grad_norm": 1, "r": "0.1", "s": 3})
                            | {"mechanism": training({"kind": "dp-psasc"})["mechanism"]}))  # fmt: skip
    text = plumbline("certify", path)
    assert text.code == 0 and text.err == "" and text.out.startswith("CERTIFIED")
    assert "below 0.333333333334" in text.out  # Δ = C/s, rounded up: with less noise the bound would not hold
    shown = json.loads(plumbline("certify", path, "--format", "json").out)
    assert shown == certify(path).as_json()
    assert '<testsuite name="plumbline certify" tests="1"' in plumbline("certify", path, "--format", "junit").out
    assert plumbline("explain", path, "--brief").code == 0
    assert plumbline("explain", path, "--lower", "--brief").code == 0


def test_progress_is_told(monkeypatch) -> None:
    told: list[tuple[str, int, int]] = []
    certify(training({"noise_multiplier": "1.01"}), progress=lambda *step: told.append(step))
    assert told and all(what and (done, of) == (0, 0) for what, done, of in told)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("patience", [0, 60])
def test_a_bar_shows_on_a_terminal_after_a_while(monkeypatch, patience) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(output, "PATIENCE", patience)
    screen = Terminal()
    with contextlib.redirect_stderr(screen), output.progress_bar("certify") as progress:
        progress("upper bound: 2048 points", 0, 0)
        deadline = time.monotonic() + 20
        while not patience and "2048 points" not in screen.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert ("2048 points" in screen.getvalue()) == (not patience)


def test_no_bar_without_a_terminal() -> None:
    with contextlib.redirect_stderr(io.StringIO()), output.progress_bar("certify") as progress:
        assert progress is None


def test_upper_and_lower_are_what_they_are_called() -> None:
    result = certify(training(FULL))
    assert result.worst.upper.theorem is result.worst.lower.theorem is gaussian_profile
    assert [d.theorem.id for d in result.worst.lower.premises] == ["T20l"]


# --- a bracket that is wider than it should be ------------------------------------------------------------------------


def test_a_bracket_says_how_wide_it_is() -> None:
    found = certify(training()).as_json()["bracket"]
    assert found["sharp"] is True and F(found["width"]) <= F(found["asked"]) == F(1, 1000)
    assert "bracket" not in certify(training(FULL)).as_json()  # exact


def test_a_bracket_that_misses_its_width_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """In text and JSON; the certificate, of which both ends are part, says nothing more of it."""
    few = functools.partial(engine.derive_training, most_points=1 << 8)
    monkeypatch.setattr(training_result, "derive_training", few)
    result = certify(training(target={"epsilon": 20, "delta": "1e-5"}))
    lower, upper = ends(result)
    found = result.as_json()["bracket"]
    assert found["sharp"] is False and F(found["width"]) > F(found["asked"]) == F(1, 1000)
    assert (upper - lower) / upper <= F(found["width"]) * F(1000001, 1000000)
    (line,) = (line for line in result_text(result).splitlines() if line.startswith("bracket"))
    assert found["width"] in line and "wider" in line
    assert "bracket" not in make_statement(result)["predicate"]


def test_a_certificate_with_a_large_share_for_what_is_cut_verifies(tmp_path) -> None:
    """.62 of δ is T20's, which was refused from a quarter on; the checker charges the cut by itself."""
    keys = {"steps": 1000, "samples": 10000, "max_batch_size": 170}
    result = certify(training(keys, target={"epsilon": "1.9553", "delta": "1e-5"}))
    assert result.verdict is Verdict.CERTIFIED
    (share,) = (dict(node.arguments)["budget"] for node in result.worst.upper.nodes() if node.theorem.id == "T20")
    assert F("0.5e-5") < share < F("1e-5")
    path = write_certificate(result, tmp_path)
    assert plumbline("verify", path).code == 0
