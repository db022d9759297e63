"""Executed training runs whose finite precision is charged too little, or not by their own numbers."""

from __future__ import annotations

from fractions import Fraction

from tests.vectors.producer.numbers import exact, lower_by_a_digit
from tests.vectors.producer.reject.cases import Cases, put
from tests.vectors.producer.table import accepted

# fmt: off

PLACE = ("execution", "finite_precision")


def of_executed_sums(made: Cases) -> None:
    """Each has one fault; a number that follows from a changed one stands as it was."""
    base, poisson, shuffled = (accepted(f"executed_sums{name}") for name in ("", "_poisson", "_shuffled"))
    cut = accepted("executed_sums_truncated")
    stated = base["predicate"]["execution"]["finite_precision"]
    executed = stated["executed"]
    for key in ("gamma", "t", "epsilon"):
        made.edited(f"executed_sums_{key}_one_digit_less", 1, f"executed.{key}: less than T28s implies", put(
            *PLACE, "executed", key, lower_by_a_digit(executed[key])), base)
        made.edited(f"executed_sums_{key}_beyond_meaning", 1, "says nothing", put(
            *PLACE, "executed", key, "1000001"), base)
    for name, code, message, edit, of in (
        ("epsilon_of_the_exact_run", 1, "epsilon: less", put(
            *PLACE, "executed", "epsilon", base["predicate"]["epsilon"]["upper"]), base),
        ("bound_of_the_exact_run", 1, "not what the run implies", lambda p: p["proof"]["claims"][0].update(
            executed=p["proof"]["claims"][0]["bound"]), base),
        ("without_enlargement_charged", 1, "not what the run implies", put(*PLACE, "enlargement", "0.02"), base),
        ("enlargement_of_one", 1, "enlargement: needs one below 1", put(*PLACE, "enlargement", "1"), base),
        ("sums_epsilon_less", 1, "not what its step concludes", put(
            *PLACE, "executed", "sums", "epsilon", lower_by_a_digit(executed["sums"]["epsilon"])), base),
        ("sums_delta_of_another_step", 1, "not what the run implies", put(
            *PLACE, "executed", "sums", "delta", "0.00000998"), base),
        ("grids_of_others", 1, "grids: the run's noise implies", put(
            *PLACE, "grids", [exact(2 * Fraction(stated["grids"][0]))]), base),
        ("grid_half_as_wide", 1, "grids: the run's noise implies", put(
            *PLACE, "grids", [exact(Fraction(stated["grids"][0]) / 2)]), base),
        ("a_stage_without_a_grid", 1, "grids: the run's noise implies", lambda p: p["execution"][
            "finite_precision"]["grids"].pop(), shuffled),
        ("error_zero", 1, "0 < error", put(*PLACE, "error", "0"), base),
        ("error_a_sixteenth_of_the_grid", 1, "0 < error", put(*PLACE, "error", "0.0625"), base),
        ("larger_error_at_the_same_cost", 1, "gamma: less", put(*PLACE, "error", "0.0000000000019"), base),
        ("more_parameters_than_the_run", 1, "dimension: the run implies 26", put(*PLACE, "dimension", "25"), base),
        ("more_parameters_at_the_same_cost", 1, "gamma: less", put(*PLACE, "dimension", "27"), poisson),
        ("no_parameters", 1, "needs a parameter", put(*PLACE, "dimension", "0"), base),
        ("always_uncoupled", 1, "probabilities below 1", put(*PLACE, "uncoupled", "1"), base),
        ("more_uncoupled_at_the_same_cost", 1, "executed.t: less", put(*PLACE, "uncoupled", "0.0000000001"), base),
        ("always_spare", 1, "probabilities below 1", put(*PLACE, "executed", "spare", "1"), base),
        ("spare_not_in_t", 1, "executed.t: less", put(*PLACE, "executed", "spare", "0.000000000001"), base),
        ("batches_smaller_than_they_are", 1, "batches have up to 11", put(*PLACE, "largest_batch", "10"), base),
        ("batches_smaller_than_the_cut", 1, "batches have up to 70", put(*PLACE, "largest_batch", "69"), cut),
        ("tail_of_batches_not_in_t", 1, "executed.t: less", put(*PLACE, "largest_batch", "50"), poisson),
        ("of_noise_drawn_again", 1, "can be drawn again", put("execution", "noise", "reproducible"), base),
        ("delta_of_another_claim", 1, "delta: not that of the claim", put(
            *PLACE, "executed", "delta", "0.0000100000000001"), base),
        ("that_no_claim_proves", 1, "need each other", lambda p: p["proof"]["claims"][0].pop("executed"), base),
        ("proved_and_not_stated", 1, "need each other", lambda p: p["execution"].pop("finite_precision"), base),
        ("of_unlearning", 1, "release no sums of their own", put(*PLACE, stated),
         accepted("executed_in_finite_precision")),
        *((f"without_{key}", 2, "missing key", lambda p, key=key: p["execution"]["finite_precision"].pop(key), base)
          for key in stated if key != "grids"),
    ):
        made.edited(f"executed_sums_{name}", code, message, edit, of)
