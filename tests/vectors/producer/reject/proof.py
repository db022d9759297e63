"""Side conditions of the proof, and what does not follow."""

from __future__ import annotations

import copy
from collections.abc import Callable

from tests.vectors.producer.envelopes import seal
from tests.vectors.producer.numbers import ORDERS, Json
from tests.vectors.producer.reject.cases import Cases, put
from tests.vectors.producer.runs import small
from tests.vectors.producer.statements import statement

# fmt: off

def of_the_proof(made: Cases) -> None:
    raw, edited, lied, find = made.raw, made.edited, made.lied, made.find
    at, base, learning, bounded = made.at, made.base, made.learning, made.bounded
    double = made.double
    # 5 side conditions: of the proof
    edited("step_for_another_run", 1, "step_size is not what", at("C1", "args", "step_size", "0.5"))
    edited("smoothness_of_another_run", 1, "feature_norm is not what", at("L1", "args", "feature_norm", "2"))
    edited("batch_size_of_another_run", 1, "batch_size is not what", at("C2", "args", "batch_size", "11"))
    edited("neighbours_of_another_run", 1, "neighbours is not what", at("C2", "args", "neighbours", "remove-one"))
    edited("noise_of_another_run", 1, "phases is not what",
           lambda p: p["proof"]["steps"][find("T10")]["args"]["phases"][0].update(noise_std="0.6"))
    edited("shift_in_a_better_batch", 1, "phases is not what",
           lambda p: p["proof"]["steps"][find("T10")]["args"]["phases"][0].update(records=[["0", "1"]]))
    edited("shift_left_out", 1, "phases is not what",
           lambda p: p["proof"]["steps"][find("T10")]["args"]["phases"][0].update(records=[]))
    edited("extra_unlearning_phase", 1, "phases is not what",
           lambda p: p["proof"]["steps"][find("T10")]["args"]["phases"].append(
               p["proof"]["steps"][find("T10")]["args"]["phases"][1]))
    edited("start_of_another_run", 1, "start is not what", at("T10", "args", "start", "0.1"))
    edited("diameter_invented", 1, "diameter is not what", at("T10", "args", "diameter", "0.1"))
    edited("delta_of_another_run", 1, "delta is not what", at("T11", "args", "delta", "0.5"))
    edited("witness_of_another_loss", 1, "strong_convexity is not what", at("T6", "args", "strong_convexity", "0"))
    edited("learned_after_unlearning", 1, "phases is not what",
           put("proof", "steps", find("T1"), "args", "phases", "2"))
    edited("request_swapped", 1, "needs 4 premises",
           lambda p: p["proof"]["claims"][0].update(bound=p["proof"]["claims"][1]["bound"]), double)
    edited("request_without_claim", 1, "one entry for each request", lambda p: p["proof"]["claims"].pop(0), double)
    # 6: the front page has the largest of all requests, each number by itself
    def told_of(name: str, request: int, of: Json) -> Callable[[Json], None]:
        """The front page says what is proved of one request."""

        def edit(p: Json) -> None:
            steps, claim = p["proof"]["steps"], p["proof"]["claims"][request]
            curve = steps[int(claim["renyi"])]
            if name == "mu":
                p["mu"]["upper"] = steps[int(claim.get("mu", curve["premises"][0]))]["concludes"]["mu"]
            elif name == "renyi":
                p["renyi"] = [{"order": order, "upper": value} for order, value in
                              zip(ORDERS, curve["concludes"]["renyi"], strict=True)]
            else:
                p["wasserstein"][name] = steps[int(claim[name])]["concludes"]["wasserstein"]

        return edit

    three = statement(small(mechanism={"samples": "80", "batch_order": "secret", "unlearning_epochs": ["1", "0"],
                                       "noise_std": "2"}, requests={"sizes": ["1", "2"]}, target={"epsilon": "9"}),
                      mixed=[0, 3, 5, 6, 7])
    for name in ("mu", "renyi", "learned", "released"):
        shown = "wasserstein" if name[-1] == "d" else name
        edited(f"{name}_of_one_request", 1, f"{shown}: not what the proof", told_of(name, 0, three), three)
    edited("details_of_the_worst_request_alone", 2, "missing key", lambda p: [
        p["proof"]["claims"][0].pop(key) for key in ("renyi", "learned", "released", "mu")], three)
    edited("curve_of_another_request", 1, "not of the string that bounds epsilon", lambda p: p["proof"]["claims"][
        1].update(renyi=p["proof"]["claims"][0]["renyi"]), double)
    edited("curves_of_other_orders", 1, "needs the orders of the first claim", lambda p: p["proof"]["steps"][int(
        p["proof"]["claims"][1]["renyi"])]["args"].update(orders=["1.5", "2", "8", "65"]), three)
    edited("bound_is_the_witness", 1, "T3 is needed here",
           lambda p: p["proof"]["claims"][0].update(bound=p["proof"]["claims"][0]["lower"]))
    edited("bound_is_no_profile", 1, "T11", lambda p: p["proof"]["claims"][0].update(bound=str(find("T3"))))
    edited("bound_after_the_last_step", 1, "T11", put("proof", "claims", 0, "bound", "99"))
    edited("witness_left_out", 1, "needs a witness", put("proof", "claims", 0, "lower", None))
    edited("witness_under_projection", 1, "no witness",
           lambda p: p["proof"]["claims"][0].update(lower=p["proof"]["claims"][0]["bound"]), bounded)
    edited("premise_is_later", 1, "not an earlier step",
           put("proof", "steps", find("T3"), "premises", [str(find("T3"))]))
    edited("premise_missing", 1, "premises", put("proof", "steps", find("T10"), "premises", ["1", "2"]))
    edited("premise_of_the_wrong_theorem", 1, "C2 is needed here",
           put("proof", "steps", find("T10"), "premises", ["1", "1", "1", "1"]))
    edited("step_without_use", 1, "nothing refers to it",
           lambda p: p["proof"]["steps"].append(copy.deepcopy(p["proof"]["steps"][0])))
    # 6 recomputation: each conclusion
    edited("smoothness_understated", 1, "smoothness is", at("L1", "concludes", "smoothness", "0.2"))
    edited("gradient_bound_understated", 1, "gradient_bound is", at("L1", "concludes", "gradient_bound", "0.9"))
    edited("contraction_understated", 1, "contraction is", at("C1", "concludes", "contraction", "0.9"))
    edited("shift_understated", 1, "shift is", at("C2", "concludes", "shift", "0.1"))
    edited("steps_overstated", 1, "steps is", at("T10", "concludes", "steps", "16"))
    lied("learned_distance_understated", "wasserstein does not follow", "wasserstein", "learned")
    lied("released_distance_understated", "wasserstein does not follow", "wasserstein", "released")
    lied("mu_understated", "mu does not follow", "mu", "upper", "0.1", bounded)
    lied("mu_understated_by_a_digit", "mu does not follow", "mu", "upper")
    lied("epsilon_understated", "epsilon does not follow", "epsilon", "upper", "0.5", bounded)
    lied("epsilon_understated_by_a_digit", "epsilon does not follow", "epsilon", "upper")
    lied("epsilon_zero", "epsilon does not follow", "epsilon", "upper", "0", bounded)
    lied("upper_below_lower", "the lower bound exceeds the upper bound", "mu", "upper", "0.1")
    lied("witness_overstated", "mu does not follow", "mu", "lower", base["predicate"]["mu"]["upper"])
    lied("lower_bound_overstated", "epsilon does not follow", "epsilon", "lower", base["predicate"]["epsilon"]["upper"])
    renyi = copy.deepcopy(base)
    renyi["predicate"]["renyi"][2]["upper"] = "0.1"
    renyi["predicate"]["proof"]["steps"][find("T2")]["concludes"]["renyi"][2] = "0.1"
    raw("renyi_understated", seal(renyi), 1, "renyi does not follow")
    for name, message, first in (
        ("order_of_one", "orders > 1", "1"),
        ("order_below_one", "orders > 1", "0.5"),
        ("orders_repeated", "ascend", "2"),
    ):
        edited(name, 1, message, lambda p, first=first: (
            at("T2", "args", "orders", [first, *ORDERS[1:]])(p), put("renyi", 0, "order", first)(p)))
    edited("order_without_bound", 1, "one bound for each", at("T2", "args", "orders", [*ORDERS, "128"]))
    # 6 recomputation: the schedule
    corner = {"block": "0", "position": "2", "first": "0", "last": "0"}
    edited("schedule_dips_below_zero", 1, "dips below zero", at("T3", "args", "corners", [], learning), learning)
    edited("schedule_dips_at_the_last_shift", 1, "dips below zero",
           at("T3", "args", "corners", [corner], learning), learning)
    for name, message, change in (
        ("corner_after_the_end", "after the end", {"block": "1"}),
        ("corner_outside_the_epoch", "not in the epoch", {"position": "3"}),
        ("corner_outside_the_block", "not in the block", {"first": "4", "last": "4"}),
        ("corner_range_reversed", "not in the block", {"first": "1", "last": "0"}),
        ("corner_at_the_start", "after the start", {"position": "0"}),
    ):
        edited(name, 1, message, at("T3", "args", "corners", [corner | change], learning), learning)
    edited("corner_repeated", 1, "ascend strictly", at("T3", "args", "corners", [corner, corner], learning), learning)
    edited("corners_descending", 1, "ascend strictly",
           at("T3", "args", "corners", [corner | {"first": "3", "last": "3"}, corner], learning), learning)
    # 6 recomputation: the displayed numbers
    edited("epsilon_shown_smaller", 1, "epsilon: not what", put("epsilon", "upper", "0.1"))
    edited("target_shown_larger", 1, "epsilon: not what", put("epsilon", "target", "3"))
    edited("mu_shown_smaller", 1, "mu: not what", put("mu", "upper", "0.1"))
    edited("delta_shown_smaller", 1, "delta", put("delta", "0.000001"))
    edited("delta_shown_larger", 1, "delta", put("delta", "0.00002"))
    edited("renyi_entry_dropped", 1, "renyi: not what", lambda p: p["renyi"].pop())
    edited("wasserstein_shown_smaller", 1, "wasserstein: not what", put("wasserstein", "released", "0.1"))
    edited("request_epochs_shown_larger", 1, "requests: not what", put("requests", 0, "epochs", "2"))
    edited("theorem_not_listed", 1, "theorems: not what", lambda p: p["theorems"].remove("T3"))
    edited("theorem_listed_twice", 1, "theorems: not what", lambda p: p["theorems"].append("T6"))
    edited("assumption_dropped", 1, "assumptions: not what", lambda p: p["assumptions"].pop())
    edited("assumption_without_proof", 1, "assumptions: not what", put("assumptions", 4, "status", "proved"))
    edited("assumptions_reordered", 1, "assumptions: not what", lambda p: p["assumptions"].reverse())
