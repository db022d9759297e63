"""Executed runs whose finite precision is charged too little, or not by their own numbers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from tests.vectors.producer.executed import executed
from tests.vectors.producer.numbers import Json, exact, lower_by_a_digit
from tests.vectors.producer.precision import in_finite_precision
from tests.vectors.producer.reject.cases import Cases, put
from tests.vectors.producer.runs import small
from tests.vectors.producer.statements import statement
from tests.vectors.producer.table import accepted

# fmt: off

PLACE = ("execution", "finite_precision")


def of_finite_precision(made: Cases) -> None:
    """Each has one fault; a number that follows from a changed one stands as it was."""
    base = accepted("executed_in_finite_precision")
    stated = base["predicate"]["execution"]["finite_precision"]
    softmax = accepted("executed_in_finite_precision_softmax")
    every = in_finite_precision(executed(statement(small(
        mechanism={"unlearning_epochs": ["1", "1"], "noise_std": "2"}, requests={"sizes": ["1", "2"]},
        threat={"release": "all"}, target={"epsilon": "9"})), 0))

    def less(key: str) -> Callable[[Json], None]:
        return put(*PLACE, "executed", key, lower_by_a_digit(stated["executed"][key]))

    def drop(key: str) -> Callable[[Json], None]:
        return lambda p: p["execution"]["finite_precision"].pop(key)

    for key in ("mu", "gamma", "t", "epsilon"):
        message = f"executed.{key}: less than T28 implies"
        made.edited(f"finite_precision_{key}_one_digit_less", 1, message, less(key), base)
        made.edited(f"finite_precision_{key}_of_the_ideal_run", 1, message, put(
            *PLACE, "executed", key, base["predicate"][key]["upper"] if key in ("mu", "epsilon") else "0"), base)
        made.edited(f"finite_precision_{key}_beyond_meaning", 1, "says nothing", put(
            *PLACE, "executed", key, "1000001"), base)
    for name, code, message, edit, of in (
        ("grid_twice_as_wide", 1, "grid: the run's noise implies", put(
            *PLACE, "grid", exact(2 * Fraction(stated["grid"]))), base),
        ("grid_half_as_wide", 1, "grid: the run's noise implies", put(
            *PLACE, "grid", exact(Fraction(stated["grid"]) / 2)), base),
        ("grid_that_is_no_power_of_two", 1, "grid: the run's noise implies", put(*PLACE, "grid", "0.0078"), base),
        ("grid_negative", 2, "an exact number", put(*PLACE, "grid", "-0.0078125"), base),
        ("step_error_negative", 2, "an exact number", put(*PLACE, "step_error", "-0.0000000000004"), base),
        ("step_error_zero", 1, "0 < step_error", put(*PLACE, "step_error", "0"), base),
        ("step_error_as_wide_as_the_grid", 1, "0 < step_error", put(*PLACE, "step_error", stated["grid"]), base),
        ("step_error_a_sixteenth_of_the_grid", 1, "0 < step_error", put(
            *PLACE, "step_error", exact(Fraction(stated["grid"]) / 16)), base),
        ("larger_errors_at_the_same_cost", 1, "less than T28 implies", put(
            *PLACE, "step_error", "0.0000000000005"), base),
        ("more_parameters_at_the_same_cost", 1, "less than T28 implies", put(*PLACE, "dimension", "3"), base),
        ("more_failures_at_the_same_cost", 1, "executed.t: less", put(*PLACE, "failure", "0.000000000002"), base),
        ("more_uncoupled_at_the_same_cost", 1, "executed.t: less", put(
            *PLACE, "uncoupled", "0.000000000005"), base),
        ("always_uncoupled", 1, "probabilities below 1", put(*PLACE, "uncoupled", "1"), base),
        ("always_failing", 1, "probabilities below 1", put(*PLACE, "failure", "1"), base),
        ("no_parameters", 1, "needs a parameter", put(*PLACE, "dimension", "0"), base),
        ("dimension_of_another_model", 1, "dimension: the run implies 6", put(*PLACE, "dimension", "7"), softmax),
        ("delta_of_another_claim", 1, "delta: not that of the claim", put(
            *PLACE, "executed", "delta", "0.0000100000000001"), base),
        ("of_noise_drawn_again", 1, "can be drawn again", put("execution", "noise", "reproducible"), base),
        ("of_several_models", 1, "one released model, and 3 were seen", put(
            "execution", executed(every, 2)["predicate"]["execution"] | {
                "finite_precision": every["predicate"]["execution"]["finite_precision"]}), every),
        ("of_clipped_steps", 1, "no known Lipschitz constant", put(*PLACE, stated),
         executed(accepted("clipped"))),
        ("of_training", 1, "a training run has no steps that forget", put(*PLACE, stated),
         accepted("executed_training")),
        ("empty", 2, "missing key", put(*PLACE, {}), base),
        ("null", 2, "needs an object", put(*PLACE, None), base),
        ("unknown_key", 2, "unknown key", put(*PLACE, "ulps", "4"), base),
        *((f"without_{key}", 2, "missing key", drop(key), base) for key in stated),
        *((f"without_executed_{key}", 2, "missing key", lambda p, key=key: p["execution"]["finite_precision"][
            "executed"].pop(key), base) for key in stated["executed"]),
    ):
        made.edited(f"finite_precision_{name}", code, message, edit, of)
