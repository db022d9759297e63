"""Groups of records."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from tests.vectors.producer.envelopes import seal
from tests.vectors.producer.losses import LOGISTIC
from tests.vectors.producer.numbers import Json
from tests.vectors.producer.runs import small, training_run
from tests.vectors.producer.statements import statement
from tests.vectors.producer.table import accepted
from tests.vectors.producer.training import training_statement

# fmt: off

def rejected_groups(raw: Callable, edited: Callable, lied: Callable, put: Callable, find: Callable) -> None:
    """Records that are replaced under Poisson (T17r), groups (T27), and the two guarantees."""
    plain, replaced, pair, every, full, drawn = (accepted(f"training_{name}") for name in (
        "poisson", "replace_one", "group", "group_replaced", "group_full", "without_replacement"))
    cut, together, stages = (accepted(f"training_{name}") for name in ("group_cut", "group_together", "stages"))
    mechanism, threat = ("run", "mechanism"), ("run", "threat")
    claim = ("proof", "claims", 0)

    def both(*edits: Callable[[Json], Any]) -> Callable[[Json], None]:
        def edit(p: Json) -> None:
            for one in edits:
                one(p)

        return edit

    def of_step(of: Json, theorem: str, key: str, value: Json) -> Callable:
        return put("proof", "steps", find(theorem, of), "args", key, value)

    def poisson(z: str, steps: str = "100", rate: str = "0.01") -> list[Json]:
        return [{"sampling": "poisson", "noise_multiplier": z, "sample_rate": rate, "steps": steps}]

    def one_record(of: Json, releases: list[Json]) -> Callable[[Json], None]:
        """The bound by T19 in place of T27."""

        def edit(p: Json) -> None:
            step = p["proof"]["steps"][find("T27", of)]
            step["theorem"] = "T19"
            del step["args"]["group"]
            step["args"]["releases"] = releases

        return edit

    for name, code, message, edit, of in (
        # 3 types
        ("size_spelled_out", 2, "has its default", put(*threat, "group_size", "1"), pair),
        ("coins_spelled_out", 2, "has its default", put(*threat, "group_sampling", "independent"), pair),
        ("coins_unknown", 2, "needs one of", put(*threat, "group_sampling", "apart"), pair),
        # 5 side conditions
        ("of_nobody", 1, "group_size from 2 to", put(*threat, "group_size", "0"), pair),
        ("too_large", 1, "group_size from 2 to", put(*threat, "group_size", "129"), pair),
        ("coins_without_size", 1, "group_sampling needs", put(*threat, "group_sampling", "together"), plain),
        ("without_replacement", 1, "groups without replacement", put(*threat, "group_size", "2"), drawn),
        ("larger_than_the_data", 1, "group_size <= samples", put(*mechanism, "samples", "1"), pair),
        ("together_in_batches_that_are_cut", 1, "drawn together", put(*threat, "group_sampling", "together"), cut),
        ("larger_than_a_batch", 1, "more records than a batch", both(
            put(*threat, "group_size", "4"), put(*mechanism, "samples", "10")), accepted("training_group_fixed")),
        ("larger_than_a_batch_that_is_cut", 1, ">= group_size", put(*threat, "group_size", "71"), cut),
        ("of_another_size", 1, "group is not what", put(*threat, "group_size", "3"), pair),
        ("of_another_size_in_the_proof", 1, "group is not what", of_step(pair, "T27", "group", "3"), pair),
        ("witness_of_another_size", 1, "group is not what", of_step(pair, "T27l", "group", "3"), pair),
        ("by_the_pair_of_one_coin", 1, "T27 is needed here", one_record(pair, poisson("0.5")), pair),
        ("by_compositions_of_one_record", 1, "T27 is needed here", one_record(pair, poisson("1", "200")), pair),
        ("by_k_mu", 1, "releases is not what", of_step(pair, "T27", "releases", poisson("0.5")), pair),
        ("by_a_higher_rate", 1, "releases is not what", of_step(pair, "T27", "releases", poisson("1", "100", "0.0199")),
         pair),
        ("together_as_if_apart", 1, "T27 is needed here", lambda p: p["run"]["threat"].pop("group_sampling"), together),
        ("apart_as_if_together", 1, "T19 is needed here", put(*threat, "group_sampling", "together"), pair),
        ("full_of_one_record", 1, "releases is not what", lambda p: p["run"]["threat"].pop("group_size"), full),
        ("replaced_as_if_added", 1, "neighbours is not what", of_step(every, "T27", "neighbours", "add-or-remove-one"),
         every),
        ("cut_of_fewer_records", 1, "samples is not what", of_step(cut, "T20", "samples", "2000"), cut),
        ("not_assumed", 1, "assumptions: not what", lambda p: p.update(
            assumptions=[a for a in p["assumptions"] if a["id"] != "group:independent"]), pair),
        ("of_one_in_the_proof", 1, "group is not what", of_step(pair, "T27", "group", "1"), pair),
    ):
        edited(f"group_{name}", code, message, edit, of)
    for name, of, low in (("group", pair, "1.3"), ("group_replaced", every, "2.6"), ("replace_one", replaced, "0.6"),
                          ("group_together", together, "6")):
        lied(f"{name}_epsilon_understated", "at most delta", "epsilon", "upper", low, json.loads(
            json.dumps(of).replace(f'"{of["predicate"]["epsilon"]["lower"]}"', '"0.1"')))
    for name, of, more in (("group", pair, "2"), ("replace_one", replaced, "1.4")):
        lied(f"{name}_witness_overstated", "epsilon does not follow", "epsilon", "lower", more, json.loads(
            json.dumps(of).replace(f'"{of["predicate"]["epsilon"]["upper"]}"', f'"{more}1"')))
    # at ε = 0 the pair of one coin has δ = .00954, k coins .01523
    run = training_run(mechanism={"steps": "1"}, target={"epsilon": "1", "delta": "0.01"},
                       threat={"neighbours": "add-or-remove-one", "group_size": "4"})
    raw("group_of_four_by_one_coin", seal(training_statement(run, ("0", "0"), other="1")), 1, "at most delta")
    run["target"]["delta"] = "0.0153"
    raw("group_of_four", seal(training_statement(run | {"target": {"epsilon": "0", "delta": "0.0153"}},
                                                 ("0", "0.001"), other="1")), 1, "NOT_CERTIFIED: After")

    def curve(of: Json, theorem: str) -> Callable[[Json], None]:
        given = of["predicate"]["proof"]["steps"][find(theorem, of)]["args"]

        def edit(p: Json) -> None:
            p["proof"]["claims"][0]["renyi"] = str(len(p["proof"]["steps"]))
            p["proof"]["steps"].append({"theorem": "T18", "premises": [], "concludes": {"renyi": ["99"]}, "args": {
                "releases": given["releases"], "neighbours": given["neighbours"], "orders": ["2"]}})
            p["renyi"], p["theorems"] = [{"order": "2", "upper": "99"}], sorted([*p["theorems"], "T18"])

        return edit

    edited("group_curve", 1, "coins of their own", curve(pair, "T27"), pair)
    edited("replace_one_curve", 1, "added or removed", curve(replaced, "T19"), replaced)
    # the two guarantees
    other = int(plain["predicate"]["proof"]["claims"][0]["guarantees"][1])
    base = statement(small(mechanism={"noise_std": "1"}, loss=LOGISTIC))
    for name, code, message, edit, of in (
        ("left_out", 2, "belong to training runs", lambda p: p.pop("guarantees"), plain),
        ("of_descent", 2, "belong to training runs", put("guarantees", plain["predicate"]["guarantees"]), base),
        ("one_of_them", 2, "list of 2", lambda p: p["guarantees"].pop(), plain),
        ("reversed", 2, "needs one of", lambda p: p["guarantees"].reverse(), plain),
        ("claimed_once", 2, "list of 2", lambda p: p["proof"]["claims"][0]["guarantees"].pop(), plain),
        ("not_claimed", 2, "missing key", lambda p: p["proof"]["claims"][0].pop("guarantees"), plain),
        ("attribute_by_membership", 1, "neighbours is not what", both(
            put(*claim, "guarantees", 1, plain["predicate"]["proof"]["claims"][0]["bound"]),
            put("guarantees", 1, "epsilon", "upper", plain["predicate"]["epsilon"]["upper"])), plain),
        ("membership_by_attribute", 1, "is not the claim's bound",
         put(*claim, "guarantees", 0, str(other)), plain),
        ("attribute_left_out", 1, "nothing refers to it", put(*claim, "guarantees", 1, None), plain),
        ("membership_left_out", 1, "is not the claim's bound", put(*claim, "guarantees", 0, None), plain),
        ("membership_of_what_is_drawn", 1, "nothing is known", put(*claim, "guarantees", 0, drawn["predicate"]["proof"][
            "claims"][0]["bound"]), drawn),
        ("membership_of_other_releases", 1, "nothing is known", put(*claim, "guarantees", 0, accepted("training_full")[
            "predicate"]["proof"]["claims"][0]["bound"]), accepted("training_full")),
        ("shown_smaller", 1, "guarantees: not what", put("guarantees", 1, "epsilon", "upper", "0.7"), plain),
        ("lower_invented", 1, "guarantees: not what", put("guarantees", 1, "epsilon", "lower", "0.7"), plain),
        ("lower_hidden", 1, "guarantees: not what", put("guarantees", 0, "epsilon", "lower", None), plain),
        ("of_other_neighbours", 1, "guarantees: not what", put("guarantees", 1, "neighbours", "remove-one"), plain),
        ("of_other_releases_once", 1, "releases is not what", lambda p: p["proof"]["steps"][
            int(stages["predicate"]["proof"]["claims"][0]["guarantees"][1])]["args"]["releases"][-1].update(
                noise_multiplier="20"), stages),
        ("of_one_record", 1, "group is not what", lambda p: p["proof"]["steps"][
            int(pair["predicate"]["proof"]["claims"][0]["guarantees"][1])]["args"].update(group="3"), pair),
    ):
        edited(f"guarantees_{name}", code, message, edit, of)
    changed = copy.deepcopy(plain)
    changed["predicate"]["proof"]["steps"][other]["concludes"]["epsilon"] = "0.6"
    changed["predicate"]["guarantees"][1]["epsilon"]["upper"] = "0.6"
    raw("guarantees_attribute_understated", seal(changed), 1, "at most delta")
