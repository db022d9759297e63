"""Exact-integer privacy-loss distributions of noisy sums over sampled batches (docs/theory.md T17, T19)."""

from accountant.mechanisms.release import InvalidRelease, Release
from accountant.pld.account import Bracket, Grid, Tolerances, bracket, delta_bracket, lower_epsilon, upper_epsilon
from accountant.pld.renyi import Orders, renyi_upper

__all__ = [
    "Bracket",
    "Grid",
    "InvalidRelease",
    "Orders",
    "Release",
    "Tolerances",
    "bracket",
    "delta_bracket",
    "lower_epsilon",
    "renyi_upper",
    "upper_epsilon",
]
