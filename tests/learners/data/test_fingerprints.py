"""A record's bytes: equal for equal records, different where anything differs, and never ambiguous."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from learners.data import Dataset, record_bytes, row_bytes  # noqa: E402

pytestmark = pytest.mark.learn
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
RECORDS = st.tuples(st.lists(NUMBERS, min_size=1, max_size=4), NUMBERS, st.text(max_size=4))


def spelt(record) -> bytes:
    features, label, id = record
    return row_bytes(torch.tensor(features, dtype=torch.float64), label, id)


def test_the_form_is_the_one_that_is_written_down():
    name = "ä7".encode()
    content = b"plumbline-row-1\n" + struct.pack("<QQ", 3, 2) + name + struct.pack("<ddd", -1.0, 0.5, 0.0)
    assert spelt(([0.5, -0.0], -1.0, "ä7")) == content


@given(RECORDS, RECORDS)
def test_bytes_are_equal_where_records_are(one, other):
    assert (spelt(one) == spelt(other)) == (one == other)


def test_a_record_of_a_set():
    dataset = Dataset("n", torch.tensor([[0.5], [0.25]]), torch.tensor([1.0, -1.0]), 1, ("a", "b"))
    assert record_bytes(dataset, 1) == spelt(([0.25], -1.0, "b"))
    assert record_bytes(dataset.replaced((0,)), 1) == record_bytes(dataset, 1)
