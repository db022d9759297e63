"""A training report names both kinds of inference, and how many records its claim is about."""

from __future__ import annotations

import pytest

from certify import certify
from certify.report.content import compose
from certify.report.markdown import render
from certify.report.reading import read
from certify.trust.certificate import make_statement
from tests.certify.envelopes import MADE, seal
from tests.certify.report.samples import NOW, ON
from tests.certify.runs import training

POISSON = {"noise_multiplier": 2, "steps": 20, "sample_rate": "0.1"}


def written(keys: dict, **tables: object) -> tuple[str, dict]:
    result = certify(training(keys, **tables))
    statement = make_statement(result, created=MADE)
    reading = read(seal(statement), now=NOW)
    return render(compose(reading, ON)).decode(), result.as_json()


@pytest.mark.parametrize("threat", [{}, {"neighbours": "replace-one"}, {"group_size": 2}])
def test_both_kinds_are_named_with_their_figures(threat: dict) -> None:
    text, result = written(POISSON, threat=threat)
    assert [kind["name"] for kind in result["guarantees"]] == ["membership", "attribute or label"]
    for kind in result["guarantees"]:
        assert kind["name"] in text and kind["epsilon"]["upper"] in text
    own = next(k for k in result["guarantees"] if k["neighbours"] == (threat.get("neighbours") or "add-or-remove-one"))
    assert own["epsilon"]["upper"] == result["epsilon"]["upper"]
    assert ("by 2 records, each in only one of them" in text) == ("group_size" in threat)
    assert "T27" in text or "group_size" not in threat


def test_batches_of_a_fixed_size_say_what_to_do_instead() -> None:
    text, result = written(
        {**POISSON, "samples": 100, "sampling": "without-replacement"}, threat={"neighbours": "replace-one"}
    )
    assert result["guarantees"][0] == {
        "name": "membership",
        "neighbours": None,
        "epsilon": {"lower": None, "upper": None},
    }
    assert "no bound is known" in text and "Poisson" in text
