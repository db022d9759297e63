"""The chain of hashes by itself: every single change of a row shows, and so does every removal but at the end."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certify.ledger.rows import GENESIS, LEDGER, START, Head, Row, broken_links, hash_of, next_row, state_head

KINDS = st.sampled_from(["created", "learned", "erased", "released", "revoked"])
TEXT = st.dictionaries(st.text(max_size=4), st.text(max_size=6), max_size=2)


@st.composite
def chains(draw: st.DrawFn) -> list[Row]:
    rows: list[Row] = []
    heads: dict[str, Head] = {}
    for model in draw(st.lists(st.sampled_from(["a", "b", LEDGER]), min_size=2, max_size=8)):
        payload = json.dumps(draw(TEXT), sort_keys=True)
        former = rows[-1].head if rows else START
        rows.append(next_row(model, draw(KINDS), payload, heads.get(model, START), former))
        heads[model] = rows[-1].head
    return rows


@given(chains())
def test_a_chain_as_it_was_written_is_whole(rows: list[Row]) -> None:
    assert broken_links(rows, whole=True) == []
    for model in {row.model for row in rows}:
        assert broken_links([row for row in rows if row.model == model], whole=False) == []


@given(chains(), st.data())
def test_every_change_of_a_row_shows(rows: list[Row], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(["model", "kind", "time", "payload", "previous", "former", "hash"]))
    value = data.draw(st.text(max_size=5))
    changed = [*rows]
    changed[index] = replace(rows[index], **{name: value})
    assert broken_links(changed, whole=True) or changed == rows


@given(chains(), st.data())
def test_every_removal_shows_but_at_the_end(rows: list[Row], data: st.DataObject) -> None:
    keep = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    kept = [row for row, kept in zip(rows, keep, strict=True) if kept]
    assert bool(broken_links(kept, whole=True)) == (kept != rows[: len(kept)])
    swapped = data.draw(st.permutations(rows))
    assert bool(broken_links(swapped, whole=True)) == (list(swapped) != rows)


@given(chains(), st.data())
def test_a_forged_row_shows_unless_all_after_it_are_forged_too(rows: list[Row], data: st.DataObject) -> None:
    """Whoever owns the table can: the hashes have no key."""
    index = data.draw(st.integers(0, len(rows) - 2))
    row = rows[index]
    parts = (row.seq, row.model, row.kind, "2000-01-01T00:00:00Z", row.payload, row.previous, row.former)
    forged = [*rows]
    forged[index] = Row(*parts, hash_of(*parts))
    assert broken_links(forged, whole=True)
    rewritten: list[Row] = []
    heads: dict[str, Head] = {}
    for old in forged:
        former = rewritten[-1].head if rewritten else START
        rewritten.append(next_row(old.model, old.kind, old.payload, heads.get(old.model, START), former, old.time))
        heads[old.model] = rewritten[-1].head
    assert broken_links(rewritten, whole=True) == [] and rewritten[-1].hash != rows[-1].hash


def test_the_hash_is_the_one_that_the_documentation_says() -> None:
    columns = {
        "seq": "1",
        "model": "m",
        "kind": "created",
        "time": "2026-11-30T18:00:00Z",
        "payload": '{"owner":"Ω"}',
        "previous": GENESIS,
        "former": GENESIS,
    }
    written = json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    expected = hashlib.sha256(b"plumbline-dp/ledger/row/v1\0" + written.encode()).hexdigest()
    row = next_row("m", "created", '{"owner":"Ω"}', START, START, "2026-11-30T18:00:00Z")
    assert row.hash == expected == hash_of(1, *list(columns.values())[1:])


@pytest.mark.parametrize("payload", ["[]", "{", "3", ""])
def test_a_payload_that_is_no_object_shows(payload: str) -> None:
    assert broken_links([next_row("m", "created", payload, START, START)], whole=True) == [
        "row 1: the payload is not a JSON object"
    ]


def test_a_kind_that_nobody_knows_shows() -> None:
    assert broken_links([next_row("m", "deleted", "{}", START, START)], whole=True) == ["row 1: unknown kind 'deleted'"]


def test_the_head_of_a_state_is_its_own_last_row() -> None:
    first = next_row("m", "learned", "{}", START, START)
    second = next_row("m", "revoked", "{}", first.head, first.head)
    assert state_head([]) == START and state_head([first, second]) == first.head
