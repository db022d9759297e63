"""Which datasets are neighbours: one record more or less, a record whose term is zero, or a record replaced."""

from __future__ import annotations

from typing import Literal, get_args

NeighboursName = Literal["add-or-remove-one", "remove-one", "replace-one"]
FixedSizeNeighbours = Literal["replace-one", "remove-one"]  # of data whose number of records is public

NEIGHBOURS: tuple[str, ...] = get_args(NeighboursName)
FIXED_SIZE: tuple[str, ...] = get_args(FixedSizeNeighbours)


def replaces(neighbours: str) -> bool:
    """Whether the record that differs has another value in the second dataset; else it is not there, or its term is 0,
    which for a sum is the same."""
    return neighbours == "replace-one"


def sides(neighbours: str, group: int = 1) -> tuple[int, int]:
    """(how many terms only the first dataset has, how many only the second has) where `group` records differ; where
    they are added or removed, one of the ways to share them out."""
    return (group, group) if replaces(neighbours) else (group, 0)


def shift_of(neighbours: str, group: int = 1) -> int:
    """How far apart two sums are at most that have the records of the group in them, in units of the largest term: a
    replaced record counts twice, for its term may change sign."""
    return sum(sides(neighbours, group))
