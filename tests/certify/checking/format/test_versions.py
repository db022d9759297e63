"""Earlier formats, and newer keys of the canonical run."""

from __future__ import annotations

from typing import Any

import pytest

from certify import checker


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
