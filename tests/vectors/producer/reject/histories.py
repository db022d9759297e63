"""A bounded domain, all models released, a secret batch order."""

from __future__ import annotations

from decimal import Context, Decimal

from tests.vectors.producer.reject.cases import Cases, both, put
from tests.vectors.producer.runs import small
from tests.vectors.producer.statements import statement
from tests.vectors.producer.table import accepted

# fmt: off

def of_histories(made: Cases) -> None:
    edited, lied, find, at = made.edited, made.lied, made.find, made.at
    accepted_and, learning = made.accepted_and, made.learning
    mechanism = ("run", "mechanism")
    # 5, 6: a bounded domain, and the references that need it
    threat = ("run", "threat")
    restart, change = accepted_and("restart_convex")
    begin = {"block": "0", "epoch": "7", "position": "0"}
    for name, message, part in (
        ("restart_after_the_end", "after the end", {"block": "1", "epoch": "0"}),
        ("restart_outside_the_block", "not in the block", {"epoch": "9"}),
        ("restart_outside_the_epoch", "not in the epoch", {"position": "3"}),
        ("restart_too_late", "mu does not follow", {"epoch": "8"}),
    ):
        edited(name, 1, message, change("T5", "args", "restart", begin | part), restart)
    late = {"block": "0", "position": "2", "first": "8", "last": "8"}
    for name, first in (("corner_before_the_restart", {"first": "6"}), ("corner_at_the_restart", {"first": "7"})):
        where = {"position": "0"} if "at" in name.split("_") else {}
        edited(name, 1, "after the start", change("T5", "args", "corners", [late | first | where]), restart)
    edited("restart_dips_below_zero", 1, "dips below zero",
           both(change("T5", "args", "restart", begin | {"epoch": "6"}), change("T5", "args", "corners", [])), restart)
    lied("restart_mu_understated", "mu does not follow", "mu", "upper", of=restart)
    edited("restart_without_radius", 1, "needs a radius",
           both(at("T3", "args", "restart", begin, learning),
                put("proof", "steps", find("T3", learning), "theorem", "T5")), learning)
    stationary, change = accepted_and("stationary")
    edited("stationary_from_equal_starts", 1, "start is not what",
           change("T10", "args", "start", "0", last=True), stationary)
    edited("stationary_from_the_initial_distance", 1, "start is not what",
           both(put(*mechanism, "initial_distance", "0.1"),
                lambda p: [put("proof", "steps", i, "args", "start", "0.1")(p)
                           for i, s in enumerate(p["proof"]["steps"]) if s["theorem"] == "T10"]), stationary)
    edited("stationary_without_radius", 1, "needs a radius", put(*mechanism, "radius", None), stationary)
    edited("stationary_called_retraining", 1, "start is not what", put(*threat, "reference", "retrain"), stationary)
    edited("retraining_called_stationary", 1, "needs a radius", put(*threat, "reference", "stationary"))
    shorter, change = accepted_and("retrain_T")
    whole = [{**shorter["predicate"]["proof"]["steps"][find("T10", shorter)]["args"]["phases"][0], "epochs": "2"}]
    whole += shorter["predicate"]["proof"]["steps"][find("T10", shorter)]["args"]["phases"][1:]
    edited("retrain_T_of_the_whole_history", 1, "phases is not what", change("T10", "args", "phases", whole), shorter)
    edited("retrain_T_of_no_epochs", 1, "at least one step", put(*mechanism, "epochs", "0"), shorter)
    edited("retrain_T_without_radius", 1, "needs a radius", put(*mechanism, "radius", None), shorter)
    edited("retrain_T_learned_more", 1, "phases is not what", change("T1", "args", "phases", "2"), shorter)
    # 5, 6: all models are released
    seen, change = accepted_and("release_all")
    composed = find("T7", seen, True)
    edited("composition_misses_a_stretch", 1, "premises",
           lambda p: p["proof"]["steps"][composed]["premises"].pop(), seen)
    edited("composition_repeats_a_stretch", 1, "is not what", put("proof", "steps", composed, "premises",
           seen["predicate"]["proof"]["steps"][composed]["premises"][1:] * 2), seen)
    edited("stretch_of_another_start", 1, "start is not what", change("T10", "args", "start", "0"), seen)
    edited("stretch_from_the_initial_distance", 1, "start is not what",
           lambda p: [s["args"].update(start="0.5") for s in p["proof"]["steps"] if s["theorem"] == "T10"], seen)
    edited("release_all_called_final", 1, "T3 is needed here", put(*threat, "release", "final"), seen)
    edited("release_final_called_all", 1, "T7 is needed here", put(*threat, "release", "all"))
    edited("release_all_without_its_assumption", 1, "assumptions: not what",
           lambda p: p["assumptions"].remove(next(a for a in p["assumptions"] if a["id"] == "release:all")), seen)
    lied("composition_understated", "mu does not follow", "mu", "upper", of=seen)
    seen_bounded = accepted("release_all_bounded")
    edited("release_all_stationary", 1, "needs reference = retrain",
           put(*threat, "reference", "stationary"), seen_bounded)
    unlearned = accepted("release_all_without_learning")
    edited("release_all_unequal_starts", 1, "unequal starts", put(*mechanism, "initial_distance", "1"), unlearned)
    # 5, 6: a secret batch order
    eight = {"samples": "80", "batch_order": "secret", "noise_std": "1"}
    secret = statement(small(mechanism=eight), looked_at=[0, 4, 6, 7])
    secret_learning = accepted("secret_learning")
    positions = [str(p) for p in (0, 4, 6, 7)]
    for name, message, chosen in (
        ("positions_skip_the_last_batch", "end with the last batch", positions[:-1]),
        ("positions_skip_the_first_batch", "begin with batch 0", positions[1:]),
        ("positions_missing", "begin with batch 0", []),
        ("positions_descend", "must ascend", ["0", "6", "4", "7"]),
        ("positions_repeat", "must ascend", ["0", "4", "4", "7"]),
        ("positions_after_the_epoch", "end with the last batch", [*positions, "8"]),
    ):
        for theorem in ("T9", "T6m"):
            edited(name + "_witness" * (theorem == "T6m"), 1, message,
                   at(theorem, "args", "positions", chosen, secret), secret)
    edited("chord_rule_where_not_convex", 1, "needs two phases",
           at("T9", "args", "rule", "chord", secret_learning), secret_learning)
    strong = statement(
        small(mechanism=eight | {"noise_std": "0.05"}, target={"delta": "0.3"}), looked_at=[0, 4, 6, 7], rule="right")
    edited("chord_rule_above_the_bend", 1, "mu^2 <= 2 epsilon", at("T9", "args", "rule", "chord", strong), strong)
    edited("rule_unknown", 2, "needs one of", at("T9", "args", "rule", "left", secret), secret)
    edited("secret_order_in_the_best_batch", 1, "phases is not what",
           lambda p: p["proof"]["steps"][find("T10", secret)]["args"]["phases"][0].update(records=[["0", "1"]]), secret)
    for name, message, edit in (
        ("secret_order_with_two_records", "T11 is needed here", put("run", "requests", "sizes", ["2"])),
        ("secret_order_in_a_fixed_run", "T11 is needed here", put(*mechanism, "batch_order", "fixed")),
        ("secret_order_from_unequal_starts", "T11 is needed here", put(*mechanism, "initial_distance", "1")),
        ("secret_order_of_all_models", "T11 is needed here", put(*threat, "release", "all")),
        ("secret_order_against_stationary", "T11 is needed here",
         both(put(*threat, "reference", "stationary"), put(*mechanism, "radius", "1"))),
        ("secret_order_of_an_expansion", "T11 is needed here",
         both(put(*mechanism, "step_size", "50"), put(*mechanism, "radius", "1"))),
        ("secret_order_without_its_assumption", "assumptions: not what",
         lambda p: p["assumptions"].remove(next(a for a in p["assumptions"] if a["id"] == "batches:secret"))),
        ("secret_delta_of_another_run", "delta is not what", at("T9", "args", "delta", "0.5", secret)),
        ("secret_renyi_of_another_string", "T3 is needed here", put("proof", "steps", find("T2", secret), "premises",
         [str(find("T9", secret))])),
        ("secret_witness_under_projection", "no witness",
         both(put(*mechanism, "radius", "1"), at("T10", "args", "diameter", "2", secret))),
        ("secret_witness_with_a_remainder", "no witness",
         both(put(*mechanism, "samples", "81"), put(*mechanism, "remainder", "drop"))),
        ("secret_witness_threshold_elsewhere", "epsilon does not follow", at("T6m", "args", "threshold", "0", secret)),
        ("secret_witness_for_another_delta", "delta is not what", at("T6m", "args", "delta", "0.000001", secret)),
        ("secret_witness_concludes_more", "epsilon does not follow",
         at("T6m", "args", "epsilon", "0.1", secret)),
        ("secret_witness_says_mu", "mu: not what", put("mu", "lower", "0.1")),
    ):
        edited(name, 1, message, edit, secret)
    edited("fixed_order_called_secret", 1, "T9 is needed here", put(*mechanism, "batch_order", "secret"))
    pair = statement(small(mechanism={"noise_std": "1"}, requests={"sizes": ["2"]}, target={"epsilon": "9"}))
    edited("known_batch_as_witness_of_a_secret_order", 1, "no witness",
           put(*mechanism, "batch_order", "secret"), pair)
    lied("secret_epsilon_understated", "epsilon does not follow", "epsilon", "upper", of=secret)
    lied("secret_learning_understated", "epsilon does not follow", "epsilon", "upper", of=secret_learning)
    more = str(Context(prec=12).next_plus(Decimal(secret["predicate"]["epsilon"]["lower"])))
    lied("secret_witness_overstated", "epsilon does not follow", "epsilon", "lower", more, secret)
