"""The valid certificates by name, each made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tests.vectors.producer.numbers import Json
from tests.vectors.producer.statements import statement

# fmt: off

ACCEPT: dict[str, Callable[[], Json]] = {}  # name -> a run, or a whole statement; filled by accept/

CHOICES: dict[str, Json] = {
    "restart_convex": {"restart": True}, "restart_expansive": {"restart": True}, "stationary": {"restart": True},
    "retrain_T": {"restart": True}, "release_all_bounded": {"restart": True},
    "secret_mnist_b128": {"looked_at": [0, 40, 56, 64, 70, 74, 77, 79, 81, 83, 84, 85, 86, 87]},
    "secret_learning": {"looked_at": [0, 3, 5, 6, 7], "rule": "right"},
    "secret_bounded_remainder_dropped": {"looked_at": [0, 4, 6, 7], "rule": "right"},
    "secret_curve": {"mixed": [0, 3, 5, 6, 7]},
    "secret_curve_learning": {"looked_at": [0, 3, 5, 6], "rule": "right", "mixed": list(range(7))},
    "wavy_in_a_ball": {"rates": ("T22", "T22"), "restart": True}, "wavy_drifts": {"rates": ("T23",) * 3},
    "wavy_then_drifts": {"rates": ("T22", "T23"), "restart": True},
    "wavy_learning_of_all_models": {"rates": ("T22",) * 2}, "clipped": {"rates": ("T23",) * 3},
    "clipped_release_all": {"rates": ("T23",) * 4}, "clipped_stationary": {"rates": ("T23",) * 2, "restart": True},
    "softmax_active_clip": {"rates": ("T23", "T22"), "restart": True}, "expansive_drifts": {"rates": ("T23",) * 2},
    "clipped_one_record": {"rates": ("T23",) * 2}, "clipped_one_batch": {"rates": ("T23",) * 2},
    "own_data_of_any_model": {"rates": ("T23",) * 2},
    "clipped_two_excursions": {"rates": ("T23",) * 4}, "clipped_unequal_starts": {"rates": ("T23",) * 2},
    "clipped_retrain_T": {"rates": ("T23",) * 2, "restart": True}, "batch_clipped": {"rates": ("T23b",) * 3},
    "batch_clipped_one_record": {"rates": ("T23b",) * 2},
    "batch_clipped_noise_in_a_ball": {"rates": ("T23b",) * 2, "before_noise": (2, "T23b"), "restart": True},
    "drifts_then_contracts": {"rates": ("T23", "C1", "C1"), "gauged": True},
    "contracts_then_drifts": {"rates": ("C1", "T23")},
    "expansion_by_gauges": {"rates": ("T22", "T22"), "gauged": True},
    "noise_in_a_ball": {"before_noise": (2, "C1"), "restart": True},
    "noise_in_a_ball_stationary": {"before_noise": (1, "C1"), "restart": True},
    "wavy_noise_in_a_ball": {"rates": ("T22", "T23"), "before_noise": (4, "T22"), "restart": True},
    "clipped_noise_in_a_ball": {"rates": ("T23",) * 2, "before_noise": (3, "T23"), "restart": True},
    "curved_mnist": {"curved": ("0.25", "0.25")},
    "curved_two_records": {"curved": ("0.2", "0.25")},
    "curved_flat": {"curved": ("0", "0")},
}


@cache
def accepted(name: str) -> Json:
    """The statement of an accepted vector."""
    made = ACCEPT[name]()
    return made if "predicate" in made else statement(made, **CHOICES.get(name, {}))
