"""Grids that T19 brings: malformed, beyond the limits, or too poor for the claim."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction

from tests.vectors.producer.numbers import Json, exact
from tests.vectors.producer.table import accepted

# fmt: off

def rejected_grids(edited: Callable, lied: Callable, put: Callable, find: Callable) -> None:
    """Grids that T19 brings: malformed, beyond the limits, or too poor for the claim."""
    grids = accepted("training_with_grids")

    def both(*edits: Callable[[Json], None]) -> Callable[[Json], None]:
        def edit(p: Json) -> None:
            for one in edits:
                one(p)

        return edit

    of_bound, refused = ("proof", "steps", find("T19", grids), "args", "grid", "witness"), "is not shown to be at most"
    for name, code, message, edit in (
        ("of_a_negative_step", 2, "an exact number", put(*of_bound, 0, "step", "-0.001")),
        ("of_a_float", 2, "an integer", put(*of_bound, 0, "digits", "2e1")),
        ("with_masses", 2, "unknown key", put(*of_bound, 0, "masses", [])),
        ("without_a_cut", 2, "missing key", lambda p: p["proof"]["steps"][find("T19", grids)]["args"]["grid"][
            "witness"][0].pop("cut")),
        ("of_no_step", 1, "needs a step from", put(*of_bound, 0, "step", "0")),
        ("of_a_tiny_step", 1, "needs a step from", put(*of_bound, 0, "step", exact(Fraction(1, 2**65)))),
        ("of_a_step_above_one", 1, "needs a step from", put(*of_bound, 0, "step", "1.5")),
        ("of_no_digits", 1, "needs from 1 to", put(*of_bound, 0, "digits", "0")),
        ("of_too_many_digits", 1, "needs from 1 to", put(*of_bound, 0, "digits", "1001")),
        ("of_too_many_nodes", 1, "524288 nodes or more", put(*of_bound, 0, "windows", [["12", "524276"]])),
        ("of_endless_nodes", 1, "nodes or more", put(*of_bound, 0, "windows", [["12", "9" * 400]])),
        ("without_window", 1, "windows need 1 entries", put(*of_bound, 0, "windows", [])),
        ("of_another_release", 1, "halvings need 1 entries", put(*of_bound, 0, "halvings", [["0"] * 7] * 2)),
        ("of_fewer_steps", 1, "need 7 halvings", put(*of_bound, 0, "halvings", [["0"] * 6])),
        ("of_too_many_halvings", 1, "more than 64 halvings", put(*of_bound, 0, "halvings", [["0"] * 6 + ["65"]])),
        ("of_one_node", 1, "the grid is too wide", put(*of_bound, 0, "windows", [["0", "0"]])),
        ("beyond_all_losses", 1, "the grid is too wide", put(*of_bound, 0, "step", "1")),
        ("left_out", 1, "needs 1 grids", put(*of_bound, [])),
        ("of_both_directions", 1, "needs 1 grids", put(*of_bound, grids["predicate"]["proof"]["steps"][
            find("T19", grids)]["args"]["grid"]["witness"] * 2)),
        ("that_is_coarse", 1, refused, put(*of_bound, 0, "step", "0.02")),
        ("that_is_short", 1, refused, put(*of_bound, 0, "windows", [["12", "400"]])),
        ("that_is_short_below", 1, refused, put(*of_bound, 0, "windows", [["2", "2900"]])),
        ("that_cuts_much", 1, refused, put(*of_bound, 0, "cut", "1" + "0" * 15)),
        ("of_few_digits", 1, refused, both(put(*of_bound, 0, "digits", "8"), put(*of_bound, 0, "cut", "0"))),
        ("that_is_halved_early", 1, refused, put(*of_bound, 0, "halvings", [["4", "0", "0", "0", "0", "0", "0"]])),
    ):
        edited(f"training_grid_{name}", code, message, edit, grids)
    below = ("proof", "steps", find("T19l", grids), "args", "grid", "witness")
    edited("training_grid_of_two_witnesses", 1, "needs one grid", put(*below, []), grids)
    lied("training_grid_of_a_lie", refused, "epsilon", "upper", exact(Fraction("0.71802") * Fraction("0.995")),
         json.loads(json.dumps(grids).replace('"0.717"', '"0.5"')))
