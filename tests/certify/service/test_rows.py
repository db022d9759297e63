"""Keyed fingerprints: a file may lack rows that were erased, and nothing else may differ."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certify.errors import UsageError
from certify.service.rows import GONE, Rows, RowsChanged, id_digest

KEY, OTHER = b"k" * 32, b"o" * 32


def named(contents: list[bytes], ids: list[str] | None = None) -> Rows:
    return Rows.of(KEY, contents, ids)


@given(st.data())
def test_a_file_without_erased_rows_keeps_every_place(data: st.DataObject) -> None:
    """Few values, so that equal rows are frequent."""
    contents = data.draw(st.lists(st.sampled_from([b"a", b"b", b"c"]), min_size=1, max_size=12))
    erased = data.draw(st.sets(st.integers(0, len(contents) - 1)))
    gone = data.draw(st.sets(st.sampled_from(sorted(erased)))) if erased else set()
    ids = [f"id {i}" for i in range(len(contents))] if data.draw(st.booleans()) else None
    rows = named(contents, ids).erase(sorted(erased), 1)
    left = [place for place in range(len(contents)) if place not in gone]
    places = rows.match(KEY, [contents[p] for p in left], None if ids is None else [ids[p] for p in left])
    if ids is not None:
        assert places == tuple(left)
    assert [contents[place] for place in places] == [contents[place] for place in left]  # equal rows may change places
    assert set(range(len(contents))) - set(places) <= erased and list(places) == sorted(set(places))


@given(st.data())
def test_any_other_change_is_refused(data: st.DataObject) -> None:
    contents = [bytes([i]) for i in range(data.draw(st.integers(2, 8)))]
    ids = [f"id {i}" for i in range(len(contents))] if data.draw(st.booleans()) else None
    erased = data.draw(st.sets(st.integers(0, len(contents) - 1), max_size=len(contents) - 1))
    rows = named(contents, ids).erase(sorted(erased), 1)
    place = data.draw(st.sampled_from([p for p in range(len(contents)) if p not in erased]))
    change = data.draw(st.sampled_from(["value", "gone", "twice", "moved"]))
    now, names = list(contents), list(ids or ())
    if change == "value":
        now[place] = b"another"
    elif change == "gone":
        del now[place]
        del names[place : place + 1]
    elif change == "twice":
        now.insert(place, now[place])
        names = [*names[:place], "id new", *names[place:]] if ids else names
    else:
        now = now[place:] + now[:place]
        names = names[place:] + names[:place]
        if now == contents:
            return
    with pytest.raises(RowsChanged, match=r"^data: "):
        rows.match(KEY, now, names if ids else None)


def test_the_first_row_that_changed_is_named() -> None:
    rows = named([b"a", b"b", b"c"], ["x", "y", "z"])
    with pytest.raises(RowsChanged, match=r"row 1 \(id 'y'\) has changed"):
        rows.match(KEY, [b"a", b"B", b"c"], ["x", "y", "z"])
    with pytest.raises(RowsChanged, match=r"row 1 is not the one"):
        named([b"a", b"b"]).match(KEY, [b"a", b"c"], None)
    with pytest.raises(RowsChanged, match="the record that was in row 1 is gone, and was not erased"):
        rows.match(KEY, [b"a", b"c"], ["x", "z"])


def test_requests_name_records_by_id_or_by_number() -> None:
    rows = named([b"a", b"b", b"c"], ["x", "y", "007"])
    assert rows.places_of(KEY, ["007", "x"]) == (2, 0)
    assert named([b"a", b"b"]).places_of(KEY, ["1"]) == (1,)
    for ids, problem in (
        (["q"], "no record has the id 'q'"),
        (["7"], "no record has the id '7'"),
        (["x", "x"], "'x' is named twice"),
        ([], "names no record"),
    ):
        with pytest.raises(UsageError, match=problem):
            rows.places_of(KEY, ids)
    for id in ("2", "-1", "01", "1.0", "²", " 1", "9" * 5000):
        with pytest.raises(UsageError, match="rows are 0 to 1"):
            named([b"a", b"b"]).places_of(KEY, [id])
    with pytest.raises(UsageError, match="'x' is already erased, by request 3"):
        rows.erase((0,), 3).places_of(KEY, ["x"])


def test_the_file_shows_nothing_without_the_key_and_reads_back() -> None:
    rows = named([b"a", b"a"], ["Ada", "Bob"]).erase((1,), 2)
    text = rows.to_json()
    assert b"Ada" not in text and b"Bob" not in text
    assert Rows.from_json(text, "rows.json") == rows
    assert Rows.of(OTHER, [b"a"], ["Ada"]).fingerprints != rows.fingerprints[:1]
    assert id_digest(KEY, "Ada") != id_digest(OTHER, "Ada")
    for damage in (b"", b"[]", b"{}", text.replace(b"rows/1", b"rows/9"), json.dumps({"schema": 1}).encode()):
        with pytest.raises(UsageError, match=r"^rows\.json: is damaged"):
            Rows.from_json(damage, "rows.json")


def test_another_key_knows_the_rows_that_are_there() -> None:
    contents, ids = [b"a", b"b", b"c"], ["x", "y", "z"]
    rows = named(contents, ids).erase((1,), 1)
    fresh = rows.rekeyed(Rows.of(OTHER, [b"a", b"c"], ["x", "z"]), (0, 2))
    assert fresh.match(OTHER, [b"a", b"c"], ["x", "z"]) == (0, 2)
    assert fresh.fingerprints[1] == GONE and fresh.erased == {1: 1}
    with pytest.raises(RowsChanged):
        fresh.match(OTHER, contents, ids)  # the erased row is known by nothing any more
    with pytest.raises(UsageError, match="no record has the id 'y'"):
        fresh.places_of(OTHER, ["y"])
