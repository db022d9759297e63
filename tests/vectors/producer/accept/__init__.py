"""Valid certificates."""

from tests.vectors.producer.accept import beyond, learning, one_by_one, own_data, sampled, sums  # each fills the table
from tests.vectors.producer.accept.envelopes import SEALED
from tests.vectors.producer.table import ACCEPT, accepted

__all__ = ["ACCEPT", "SEALED", "accepted", "beyond", "learning", "one_by_one", "own_data", "sampled", "sums"]
