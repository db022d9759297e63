"""[data] and [meta]: what they mean, what the digest covers, and what fits which loss."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Any

import pytest

from accountant import losses
from certify import checker
from certify.errors import UsageError
from certify.results.certify import certify
from certify.runfile.data_table import TARGET_OF, DataColumns
from certify.runfile.meta_table import MetaTable
from certify.runfile.read import read_run
from certify.trust.certificate import make_statement
from tests.certify.envelopes import seal
from tests.certify.runs import plumbline, refused, tables, to_toml, training

LOGISTIC = {"kind": "logistic", "regularization": "0.5"}
DATA = {
    "target": "bought",
    "positive": "yes",
    "id": "customer",
    "numeric": {"income": [-10, "1e6"], "age": [0, 100], "image": [0, 255, 4]},
    "categorical": {"region": ["n", "s", ""], "member": [True, 7]},
}
META = {"model": "Churn", "owner": "A. Müller", "purpose": "offers", "version": "2.1"}
TARGETS: dict[str | None, dict[str, Any]] = {
    "positive": {"positive": "yes"},
    "classes": {"classes": [0, 1, "x"]},
    "target_limits": {"target_limits": ["-0.5", 4]},
    None: {},
}
LOSS_KEYS = {
    "logistic": {},
    "smoothed-hinge": {"smoothing": 1},
    "softmax": {"classes": 3},
    "least-squares": {"target_bound": 1, "clip": 1},
    "huber": {"threshold": 1},
    "poisson": {"target_bound": 9, "clip": 1},
}


def run_of(data: dict[str, Any] = DATA, loss: dict[str, Any] = LOGISTIC, **more: Any) -> Any:
    return tables(loss, data=data, **more)


def columns_of(**changes: Any) -> DataColumns:
    columns = read_run(run_of(DATA | changes)).columns
    assert columns is not None
    return columns


def test_what_the_columns_are() -> None:
    columns = columns_of()
    assert columns.positive == ("yes",) and columns.negative == () == columns.classes
    assert columns.numeric == {"age": (0, 100), "image": (0, 255), "income": (-10, 10**6)}
    assert columns.widths == {"image": 4} and columns.categorical["member"] == ("true", "7")
    assert (columns.intercept, columns.outside, columns.normalise) == (True, "refuse", "row")
    assert columns.dimension == 1 + 4 + 1 + 3 + 2 + 1
    assert read_run(tables(LOGISTIC)).columns is None


def test_the_order_in_which_columns_are_listed_does_not_matter() -> None:
    turned = {key: dict(reversed(v.items())) if isinstance(v, dict) else v for key, v in reversed(DATA.items())}
    one, other = read_run(run_of()), read_run(run_of(turned))
    assert one.digest == other.digest and one.columns == other.columns
    again = read_run(json.loads(json.dumps(one.canonical, sort_keys=True)))
    assert again.digest == one.digest and again.columns == one.columns


def test_the_digest_covers_data_and_not_meta() -> None:
    plain, own = read_run(tables(LOGISTIC)), read_run(run_of())
    assert "data" not in plain.canonical and plain.digest != own.digest
    seen = {own.digest}
    for change in (
        {"target": "sold"}, {"positive": "no"}, {"negative": "no"}, {"id": None}, {"intercept": False},
        {"outside": "clip"}, {"normalise": "limits"}, {"numeric": DATA["numeric"] | {"age": [0, 101]}},
        {"categorical": DATA["categorical"] | {"region": ["s", "n", ""]}},
    ):  # fmt: skip
        seen.add(read_run(run_of(DATA | change)).digest)
    assert len(seen) == 10
    assert read_run(run_of(DATA | {"normalise": "row", "outside": "refuse", "negative": None})).digest == own.digest
    called = read_run(run_of(meta=META))
    assert called.digest == own.digest and called.canonical == own.canonical and called.meta == META
    assert called.with_values(noise_std="0.7").meta == META == called.with_target(Fraction(3)).meta
    assert own.meta == {} == read_run(run_of(meta={})).meta


def test_every_loss_has_its_target() -> None:
    kinds = {loss.kind for loss in losses.LOSSES}
    assert set(TARGET_OF) == kinds - {"constants", "clipped"} == set(LOSS_KEYS)


@pytest.mark.parametrize("kind", TARGET_OF)
def test_a_target_that_does_not_fit_its_loss_is_refused(kind: str) -> None:
    loss = {"kind": kind, "regularization": "0.5", **LOSS_KEYS[kind]}
    step = {"step_size": "0.01"}
    bare = {key: value for key, value in DATA.items() if key != "positive"}
    for key, target in TARGETS.items():
        run = run_of(bare | target, loss, mechanism=step)
        if key == TARGET_OF[kind]:
            columns = read_run(run).columns
            assert columns is not None and columns.normalise == ("row" if key in ("positive", "classes") else "limits")
        else:
            with pytest.raises(UsageError, match=r"^data\."):
                read_run(run)


def test_any_model_takes_any_one_target() -> None:
    loss = {"kind": "clipped", "regularization": "0.05", "clip": 1}
    bare = {key: value for key, value in DATA.items() if key != "positive"}
    for key, target in TARGETS.items():
        run = run_of(bare | target, loss, mechanism={"step_size": "0.1"})
        if key is None:
            with pytest.raises(UsageError, match=r"data\.target: nothing says what it holds; give one of positive"):
                read_run(run)
        else:
            columns = read_run(run).columns
            assert columns is not None and columns.normalise == "none"


def test_the_number_of_features_is_that_of_the_parameters() -> None:
    read_run(run_of(execution={"dimension": 12}))
    softmax = {"kind": "softmax", "regularization": "0.5", "classes": 3}
    data = {key: value for key, value in DATA.items() if key != "positive"} | TARGETS["classes"]
    step = {"step_size": "0.01"}
    read_run(run_of(data, softmax, mechanism=step, execution={"dimension": 36}))
    with pytest.raises(UsageError, match=r"execution\.dimension: 12, and \[data\] makes 12 features times 3 classes"):
        read_run(run_of(data, softmax, mechanism=step, execution={"dimension": 12}))


@pytest.mark.parametrize(
    "limits", [["0", "1e400"], [0, Fraction(1, 10**400)], ["1e301", "1e302"], [1, "1.00000000000000000001"]]
)
def test_limits_that_float64_does_not_tell_apart_are_refused(limits: list[Any]) -> None:
    with pytest.raises(UsageError, match=r"^data\.numeric\.age: "):
        columns_of(numeric={"age": limits})


@pytest.mark.parametrize("name", ["", "two\nlines", "x" * 201, "\u202eb"])
def test_a_name_that_no_column_has_is_refused(name: str) -> None:
    for change in ({"target": name}, {"id": name}, {"numeric": {name: [0, 1]}}, {"categorical": {name: ["a"]}}):
        with pytest.raises(UsageError, match=r"^data\..*is not the name of a column; write text of one line"):
            columns_of(**change)


def test_a_value_of_two_lines_is_refused() -> None:
    for change in ({"positive": "a\r\nb"}, {"negative": ["a\n"]}, {"categorical": {"c": ["a", "\x00"]}}):
        with pytest.raises(UsageError, match=r"^data\.[a-z.]+: '.*' has a line break"):
            columns_of(**change)


def test_a_training_run_has_meta_and_data_outside_its_digest() -> None:
    run = read_run(training(meta=META))
    assert run.meta == META
    with_data = read_run(training(meta=META, data=DATA, train={"loss": "logistic"}))
    assert with_data.columns is not None
    assert with_data.digest == run.digest


@pytest.mark.parametrize("run", [run_of(meta=META), training(meta=META)], ids=["pnsgd", "dp-sgd"])
def test_a_certificate_carries_meta_and_the_checker_shows_it(run: Any) -> None:
    result = certify(run)
    statement = make_statement(result)
    assert statement["predicate"]["meta"] == META == result.as_json()["meta"]
    report = checker.verify(seal(statement))
    assert report.notes[0] == (
        "in the words of whoever wrote it, this is about model Churn, owner A. Müller, purpose offers, version 2.1"
    )
    del statement["predicate"]["meta"]
    assert checker.verify(seal(statement)).digest == report.digest == result.digest


def test_meta_is_shown_where_a_run_is_reported(tmp_path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(run_of(meta=META)), encoding="utf-8")
    done = plumbline("certify", path, "-o", tmp_path)
    assert re.search(r"^model +Churn\nowner +A. Müller\npurpose +offers\nversion +2.1\nguarantee ", done.out, re.M)
    (tmp_path / "policy.toml").write_text("[limits]\nmax_epsilon = 100\n", encoding="utf-8")
    gate = plumbline("gate", tmp_path / "policy.toml", tmp_path / "certificate.json").out
    assert "certificate.json, model Churn, owner A. Müller, purpose offers, version 2.1" in gate
    plumbline("report", tmp_path / "certificate.json", "-o", tmp_path / "report.md")
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert report.startswith("# Privacy certificate report: Churn 2.1\n")
    assert "; owner: A. Müller; purpose: offers" in report.splitlines()[2]
    assert "| `image` | `[0, 255, 4]` |" in report and "| `region` | `[n, s, ]` |" in report


def test_the_keys_of_meta_are_those_of_the_checker() -> None:
    assert {f"{key}?" for key in MetaTable.model_fields} == set(checker.META)


def test_an_unreadable_run_is_one_line(tmp_path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(run_of(DATA | {"numeric": {"age": [5, 5]}})), encoding="utf-8")
    assert "data.numeric.age: [5, 5]: the second must be larger" in refused(plumbline("certify", path))
