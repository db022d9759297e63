"""DP-SGD and its relatives."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from tests.vectors.producer.envelopes import seal
from tests.vectors.producer.losses import LOGISTIC
from tests.vectors.producer.numbers import Json, exact, lower_by_a_digit
from tests.vectors.producer.reject.groups import rejected_groups
from tests.vectors.producer.runs import small, training_run
from tests.vectors.producer.statements import statement
from tests.vectors.producer.table import accepted
from tests.vectors.producer.training import training_statement

# fmt: off

def rejected_training(
    raw: Callable, edited: Callable, lied: Callable, put: Callable, at: Callable, find: Callable
) -> None:
    """DP-SGD and its relatives."""
    plain, stages, cut = (accepted(f"training_{name}") for name in ("poisson", "stages", "truncated"))
    full, shuffled = (accepted(f"training_{name}") for name in ("full", "shuffled"))
    drawn, whole, fixed = (accepted(f"training_{name}") for name in ("without_replacement", "poisson_of_all", "fixed"))
    mechanism, scaling, momentum, threat = (("run", key) for key in ("mechanism", "scaling", "momentum", "threat"))

    def both(*edits: Callable[[Json], Any]) -> Callable[[Json], None]:
        def edit(p: Json) -> None:
            for one in edits:
                one(p)

        return edit

    def sums(theorem: str, key: str, value: str, of: Json = plain) -> Callable:
        return put("proof", "steps", find(theorem, of), "args", "releases", 0, key, value)

    def share(theorem: str, value: str, of: Json) -> Callable:
        return put("proof", "steps", find(theorem, of), "args", "grid", "delta", value)

    # 3 types
    for name, message, edit in (
        ("kind_unknown", "missing key", put(*mechanism, "kind", "adam")),
        ("kind_of_descent", "key", put(*mechanism, "kind", "pnsgd")),
        ("sampling_unknown", "one of", put(*mechanism, "sampling", "cyclic")),
        ("further_grids", "needs a list of 0",
         put("proof", "steps", find("T19", plain), "args", "grid", "further", ["1"])),
        ("release_of_no_kind", "one of", sums("T19", "sampling", "shuffled")),
        ("fractional_order", "an integer", put("proof", "steps", find("T18", plain), "args", "orders", 0, "2.5")),
        ("claim_without_sensitivity", "missing key", lambda p: p["proof"]["claims"][0].pop("sensitivity")),
        ("r_of_a_clip", "unknown key", put(*scaling, "r", "1")),
        ("momentum_of_hidden_iterates", "one of", at("T15", "args", "iterates", "hidden", stages)),
        ("momentum_of_the_batch_in_the_proof", "one of", at("T15", "args", "history", "batch", stages)),
    ):
        edited(f"training_{name}", 2, message, edit, stages if "momentum" in name else plain)
    base = statement(small(mechanism={"noise_std": "1"}, loss=LOGISTIC))
    edited("descent_with_sensitivity", 2, "sensitivity belongs",
           lambda p: p["proof"]["claims"].__setitem__(0, {
               "bound": "0", "lower": None, "renyi": None, "sensitivity": "0", "guarantees": [None, None]}), base)
    # 5 side conditions: of the run
    for name, message, edit, of in (
        ("noise_zero", "noise_multiplier > 0", put(*mechanism, "noise_multiplier", "0"), plain),
        ("rate_above_one", "sample_rate <= 1", put(*mechanism, "sample_rate", "1.5"), plain),
        ("steps_zero", "from 1 to", put(*mechanism, "steps", "0"), plain),
        ("steps_and_epochs", "not both", put(*mechanism, "epochs", "1"), plain),
        ("neither_steps_nor_epochs", "not both", put(*mechanism, "steps", None), plain),
        ("rate_and_batch_size", "which one",
         both(put(*mechanism, "batch_size", "10"), put(*mechanism, "samples", "1000")), plain),
        ("no_rate", "needs sample_rate or", put(*mechanism, "sample_rate", None), plain),
        ("batch_size_without_samples", "batch_size <= samples",
         both(put(*mechanism, "batch_size", "10"), put(*mechanism, "sample_rate", None)), plain),
        ("epochs_of_nothing", "epochs need sample_rate > 0", both(
            put(*mechanism, "epochs", "1"), put(*mechanism, "steps", None), put(*mechanism, "sample_rate", "0")),
         plain),
        ("normaliser_zero", "normaliser > 0", put(*mechanism, "normaliser", "0"), plain),
        ("samples_zero", "samples >= 1", put(*mechanism, "samples", "0"), plain),
        ("delta_of_unknown_samples", "needs samples", put("run", "target", "delta", "1/n"), plain),
        ("delta_one", "strictly between", put("run", "target", "delta", "1"), plain),
        ("max_batch_size_without_samples", "max_batch_size needs", put(*mechanism, "max_batch_size", "50"), plain),
        ("max_batch_size_zero", "max_batch_size >= 1", put(*mechanism, "max_batch_size", "0"), cut),
        ("max_batch_size_of_fixed_batches", "max_batch_size needs", put(*mechanism, "max_batch_size", "500"), drawn),
        ("max_batch_size_cuts_all", "cuts every batch", put(*mechanism, "max_batch_size", "50"), whole),
        ("gradient_norm_bound_zero", "gradient_norm_bound > 0", put(*scaling, "gradient_norm_bound", "0"), full),
        ("map_of_another_kind", "is not the map", put(*mechanism, "kind", "auto-s"), plain),
        ("poisson_replace_one", "neighbours is not what", put(*threat, "neighbours", "replace-one"), plain),
        ("shuffled_add_or_remove", "no statement about shuffled", put(*threat, "neighbours", "add-or-remove-one"),
         shuffled),
        ("without_replacement_remove_one", "no statement about without", put(*threat, "neighbours", "remove-one"),
         drawn),
        ("part_of_a_record", "a whole batch size", put(*mechanism, "sample_rate", "0.0101"), drawn),
        ("full_of_a_part", "full batches need", put(*mechanism, "sample_rate", "0.5"), full),
        ("disjoint_of_nothing", "disjoint batches need", put(*mechanism, "sample_rate", "0"), fixed),
        ("momentum_of_the_batch", "momentum of other records", put(*momentum, "inner_history", "batch"), stages),
        ("momentum_outer_one", "momentum.outer < 1", put(*momentum, "outer", "1"), stages),
        ("momentum_inner_one", "inner_beta < 1", put(*momentum, "inner_beta", "1"), stages),
        ("momentum_inner_zero", "needs inner_beta > 0", put(*momentum, "inner_beta", "0"), stages),
        ("momentum_window_zero", "inner_window >= 1", put(*momentum, "inner_window", "0"), stages),
    ):
        edited(f"training_{name}", 1, message, edit, of)
    # 5 side conditions: of the proof
    tighter = put("proof", "steps", find("T20", cut), "args", "budget", "0.00000002")
    last = len(shuffled["predicate"]["proof"]["steps"]) - 1
    for name, message, edit, of in (
        ("of_fewer_steps", "releases is not what", put(*mechanism, "steps", "101"), plain),
        ("of_a_smaller_rate", "releases is not what", put(*mechanism, "sample_rate", "0.0101"), plain),
        ("of_a_smaller_rate_in_the_proof", "releases is not what", sums("T19", "sample_rate", "0.0099"), plain),
        ("of_more_noise", "releases is not what", sums("T19", "noise_multiplier", "1.01"), plain),
        ("of_another_sampling", "releases is not what", sums("T19", "sampling", "full"), plain),
        ("of_a_later_stage", "releases is not what", put("run", "stages", 0, "steps", "51"), stages),
        ("epochs_of_larger_batches", "releases is not what", put(*mechanism, "batch_size", "200"), stages),
        ("other_release_left_out", "releases is not what", lambda p: p["proof"]["steps"][find("T19", stages)]["args"][
            "releases"].pop(), stages),
        ("other_release_is_worse", "releases is not what", put("run", "releases", 0, "mu", "0.2"), stages),
        ("other_release_as_witness", "releases is not what",
         lambda p: p["proof"]["steps"][find("T19l", stages)]["args"].update(
             releases=p["proof"]["steps"][find("T19", stages)]["args"]["releases"]), stages),
        ("poisson_claimed_for_shuffled", "T11 is needed here", both(
            put(*mechanism, "sampling", "shuffled"), put(*threat, "neighbours", "remove-one")), plain),
        ("poisson_claimed_without_replacement", "releases is not what", both(
            put(*mechanism, "sampling", "without-replacement"), put(*threat, "neighbours", "replace-one"),
            put(*mechanism, "samples", "1000")), plain),
        ("neighbours_of_another_run", "neighbours is not what", at("T19", "args", "neighbours", "replace-one", plain),
         plain),
        ("delta_of_another_run", "delta is not what", share("T19", "0.0001", plain), plain),
        ("witness_for_another_delta", "delta is not what", share("T19l", "0.000001", plain), plain),
        ("budget_overstated", "delta is not what", tighter, cut),
        ("budget_forgotten", "T20 is needed here", put("proof", "claims", 0, "bound", str(find("T19", cut))), cut),
        ("batches_not_cut", "T19 is needed here", put(*mechanism, "max_batch_size", None), cut),
        ("cut_more_often", "max_batch_size is not what", put(*mechanism, "max_batch_size", "60"), cut),
        ("of_more_records", "samples is not what", at("T20", "args", "samples", "1999", cut), cut),
        ("profile_of_another_delta", "delta is not what", at("T11", "args", "delta", "0.001", full), full),
        ("full_release_left_out", "releases is not what", lambda p: p["proof"]["steps"][find("T20f", full)]["args"][
            "releases"].pop(), full),
        ("full_witness_of_more", "releases is not what", lambda p: at(
            "T20l", "args", "releases", p["proof"]["steps"][find("T20f", full)]["args"]["releases"], full)(p), full),
        ("full_removed_only", "neighbours is not what", at("T20f", "args", "neighbours", "remove-one", full), full),
        ("epoch_left_out", "epochs is not what", at("T20d", "args", "epochs", "4", shuffled), shuffled),
        ("disjoint_of_more_noise", "noise_multiplier is not", at("T20d", "args", "noise_multiplier", "7", shuffled),
         shuffled),
        ("stage_left_out", "needs 3 premises", lambda p: p["proof"]["steps"][find("T7", shuffled)]["premises"].pop(0),
         shuffled),
        ("last_epoch_dropped", "epochs is not what", at("T20d", "args", "epochs", "3", fixed), fixed),
        ("momentum_left_out", "T15 is needed here", put("proof", "claims", 0, "sensitivity", str(find("T14", stages))),
         stages),
        ("momentum_in_another_order", "placement is not what", both(
            at("T15", "args", "placement", "outer", stages),
            at("T15", "args", "placement", "inner", stages, last=True)), stages),
        ("momentum_of_another_window", "window is not what", at("T15", "args", "window", "3", stages), stages),
        ("momentum_invented", "T14 is needed here", put(*momentum, "outer", "0"), shuffled),
        ("sensitivity_of_another_map", "kind is not what", at("T14", "args", "kind", "psac", plain), plain),
        ("sensitivity_of_another_norm", "max_grad_norm is not", at("T14", "args", "max_grad_norm", "0.5", plain),
         plain),
        ("gradients_of_another_bound", "gradient_norm_bound is", at("T14g", "args", "gradient_norm_bound", "6", full),
         full),
        ("gradients_bounded_by_nobody", "T14 is needed here", put(*scaling, "gradient_norm_bound", None), full),
        ("curve_of_another_bound", "not of the releases", lambda p: p["proof"]["steps"][find("T2", full)].update(
            premises=[str(find("T20l", full))]), full),
        ("bound_after_the_last_step", "there is no step", put("proof", "claims", 0, "bound", str(last + 1)), shuffled),
        ("two_claims", "needs one entry", lambda p: p["proof"]["claims"].append(p["proof"]["claims"][0]), plain),
        ("no_claim", "needs one entry", put("proof", "claims", []), plain),
        ("step_without_use", "nothing refers to it", put("proof", "claims", 0, "renyi", None), plain),
    ):
        edited(f"training_{name}", 1, message, edit, of)

    def curve(of: Json, releases: Json, neighbours: str) -> Callable:
        def edit(p: Json) -> None:
            p["proof"]["claims"][0]["renyi"] = str(len(p["proof"]["steps"]))
            p["proof"]["steps"].append({
                "theorem": "T18", "premises": [], "concludes": {"renyi": ["99"]},
                "args": {"releases": releases, "neighbours": neighbours, "orders": ["2"]}})
            p["renyi"], p["theorems"] = [{"order": "2", "upper": "99"}], sorted([*p["theorems"], "T18"])

        return edit

    made = cut["predicate"]["proof"]["steps"][find("T19", cut)]["args"]["releases"]
    edited("training_curve_of_cut_batches", 1, "batches that are cut", curve(cut, made, "add-or-remove-one"), cut)
    made = drawn["predicate"]["proof"]["steps"][find("T19", drawn)]["args"]["releases"]
    edited("training_curve_without_replacement", 1, "needs Poisson sampling", curve(drawn, made, "replace-one"), drawn)
    # 6 recomputation
    half = [exact(Fraction("0.71802") * share) for share in (Fraction("0.995"), Fraction("1.005"))]
    lied("training_epsilon_understated", "is not shown to be at most delta", "epsilon", "upper", half[0],
         json.loads(json.dumps(plain).replace('"0.717"', '"0.5"')))
    lied("training_witness_overstated", "epsilon does not follow", "epsilon", "lower", half[1],
         json.loads(json.dumps(plain).replace('"0.719"', '"0.73"')))
    for i, order in enumerate(("2", "32")):
        low = lower_by_a_digit(plain["predicate"]["renyi"][{"2": 0, "32": 3}[order]]["upper"])
        edited(f"training_renyi_understated_{i}", 1, "renyi does not follow", both(
            put("renyi", 3 * i, "upper", low),
            put("proof", "steps", find("T18", plain), "concludes", "renyi", 3 * i, low)), plain)
    for name, message, orders in (
        ("order_of_one", "from 2 to 512", ["1", "3", "8", "32"]),
        ("order_too_large", "from 2 to 512", ["2", "3", "8", "513"]),
        ("orders_repeated", "must ascend", ["2", "2", "8", "32"]),
    ):
        edited(f"training_{name}", 1, message, both(
            at("T18", "args", "orders", orders, plain),
            *(put("renyi", i, "order", order) for i, order in enumerate(orders))), plain)
    edited("training_order_without_bound", 1, "one bound for each",
           at("T18", "args", "orders", ["2", "3", "8", "32", "64"], plain), plain)
    edited("training_budget_of_nothing", 1, "costs more than the budget", both(
        share("T19", "0.00001", cut), put("proof", "steps", find("T20", cut), "args", "budget", "0")), cut)
    edited("training_cut_of_more_than_claimed", 1, "epsilon does not follow",
           at("T19", "concludes", "epsilon", "0.73", cut), cut)
    sensed = find("T14", plain)
    edited("training_sensitivity_understated", 1, "sensitivity is",
           at("T14", "concludes", "sensitivity", "0.99", plain), plain)
    edited("training_bounded_sensitivity_understated", 1, "sensitivity is",
           at("T14g", "concludes", "sensitivity", "0.49", full), full)
    edited("training_attained_denied", 1, "attained is True",
           put("proof", "steps", sensed, "concludes", "attained", False), plain)
    edited("training_momentum_sensitivity_understated", 1, "sensitivity is",
           at("T15", "concludes", "sensitivity", "1", stages), stages)
    for of, name in ((full, "full"), (shuffled, "shuffled")):
        lied(f"training_{name}_mu_understated", "mu does not follow", "mu", "upper", of=of)
        lied(f"training_{name}_epsilon_understated", "epsilon does not follow", "epsilon", "upper", of=of)
        shown = of["predicate"]["mu"]["lower"]
        lied(f"training_{name}_witness_overstated", "mu does not follow", "mu", "lower",
             str(Context(prec=12).next_plus(Context(prec=12).next_plus(Decimal(shown)))), of)
    edited("training_stage_understated", 1, "mu does not follow", at("T20d", "concludes", "mu", "0.7", shuffled),
           shuffled)
    edited("training_mu_invented", 1, "mu: not what", put("mu", "upper", "0.1"), plain)
    edited("training_distance_invented", 1, "wasserstein: not what", put("wasserstein", "released", "0.1"), plain)
    edited("training_request_invented", 1, "requests: not what",
           put("requests", [{"size": "1", "epochs": "1", "epsilon": "0.1"}]), plain)
    for name, of in (("sampling", plain), ("other_releases", full), ("batches:disjoint", shuffled),
                     ("gradient_bound", full), ("noisy_sums", shuffled)):
        edited(f"training_{name.replace(':', '_')}_not_assumed", 1, "assumptions: not what",
               lambda p, name=name: p.update(assumptions=[a for a in p["assumptions"] if a["id"] != name]), of)
    rejected_groups(raw, edited, lied, put, find)
    # 7 target
    strict = training_statement(training_run(target={"epsilon": "0.71"}), ("0.717", "0.719"), other="0.9")
    raw("training_not_certified", seal(strict), 1, "NOT_CERTIFIED: After")
    edited("training_indeterminate", 3, "INDETERMINATE: After", put("verdict", "INDETERMINATE"), strict)
    edited("training_certified_above_target", 1, "the verdict is NOT_CERTIFIED", put("verdict", "CERTIFIED"), strict)
    edited("training_not_certified_below_target", 1, "the verdict is CERTIFIED", put("verdict", "NOT_CERTIFIED"), plain)
    edited("training_out_of_reach_hidden", 1, "out_of_reach", put("out_of_reach", False), strict)
    edited("training_out_of_reach_invented", 1, "out_of_reach", put("out_of_reach", True), plain)
