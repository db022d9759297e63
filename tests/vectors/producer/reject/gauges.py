"""Gauges that do not hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.vectors.producer.numbers import Json
from tests.vectors.producer.runs import CLIPPED, small
from tests.vectors.producer.statements import statement
from tests.vectors.producer.table import accepted

# fmt: off

def rejected_gauges(edited: Callable, lied: Callable, put: Callable, at: Callable, find: Callable) -> None:
    """Steps that drift only once the runs have parted (T26), and where the records are."""
    single, several, soft = (accepted(name) for name in ("clipped_one_record", "wavy_drifts", "softmax_active_clip"))
    batches, mixed, apart = (accepted(name) for name in (
        "batch_clipped_one_record", "drifts_then_contracts", "clipped_unequal_starts"))
    ball, clipped, wide = (accepted(name) for name in ("clipped_stationary", "clipped", "expansive_bounded"))

    def both(*edits: Callable[[Json], Any]) -> Callable[[Json], None]:
        def edit(p: Json) -> None:
            for one in edits:
                one(p)

        return edit

    def excursions(*pairs: tuple[Json, Json]) -> list[Json]:
        return [{"from": dict(zip(("block", "epoch", "position"), x.split(), strict=True)),
                 "to": dict(zip(("block", "epoch", "position"), y.split(), strict=True))} for x, y in pairs]

    def premised(of: Json, *theorems: str) -> Callable[[Json], None]:
        """The premises of the first T10 begin with these."""
        given = [str(find(theorem, of)) for theorem in theorems]
        old = of["predicate"]["proof"]["steps"][find("T10", of)]["premises"]
        return put("proof", "steps", find("T10", of), "premises", [*given, *old[len(given) :]])

    def shift_of_a_record(p: Json) -> None:
        """A C2 beside the T23b of the first phase."""
        steps = p["proof"]["steps"]
        rate = find("T23b", batches)
        steps.insert(rate, {"theorem": "C2", "premises": [str(find("L7b", batches))], "concludes": {"shift": "0.0625"},
                            "args": {"step_size": "0.5", "batch_size": "4", "gradient_bound": "0.5",
                                     "neighbours": "remove-one"}})
        for step in steps[rate + 1 :]:
            step["premises"] = [str(int(i) + (int(i) >= rate)) for i in step["premises"]]
            if step["theorem"] == "T10":
                step["premises"][1] = str(rate)
        for claim in p["proof"]["claims"]:
            claim.update({key: value and str(int(value) + (int(value) >= rate)) for key, value in claim.items()})

    # what a step does
    for name, message, edit, of in (
        ("drift_without_its_shift", "C2 is needed here", premised(soft, "T23", "T23"), soft),
        ("drift_as_a_shift_alone", "C2 is needed here", premised(soft, "T22", "T23"), soft),
        ("batch_clipped_with_the_shift_of_a_record", "stands for both", shift_of_a_record, batches),
        ("batch_clipped_as_by_records", "batches are clipped, or records", lambda p: [
            step.update(theorem="T23") for step in p["proof"]["steps"] if step["theorem"] == "T23b"], batches),
        ("batch_clipped_called_by_records", "batches are clipped, or records",
         lambda p: p["run"]["loss"].pop("clipping"), batches),
        ("clipped_called_by_batches", "batches are clipped, or records", put("run", "loss", "clipping", "batch"),
         clipped),
        ("batch_drift_understated", "shift is", at("T23b", "concludes", "shift", "0.125", batches), batches),
        ("batch_drift_contraction_understated", "contraction is",
         at("T23b", "concludes", "contraction", "0.1", batches), batches),
        ("batch_clip_understated", "gradient_bound is", at("L7b", "concludes", "gradient_bound", "0.25", batches),
         batches),
        ("batch_clip_of_another_run", "clip is not what", at("L7b", "args", "clip", "0.25", batches), batches),
    ):
        edited(name, 1, message, edit, of)
    edited("clipping_by_records_spelled_out", 2, "has its default", put("run", "loss", "clipping", "per-record"),
           clipped)
    edited("clipping_unknown", 2, "needs one of", put("run", "loss", "clipping", "layer"), clipped)
    edited("clipping_of_another_loss", 2, "unknown key", put("run", "loss", "clipping", "batch"), soft)
    # where the records are
    for name, message, of, records in (
        ("tracked_in_the_last_batch", "phases is not what", single, [["2", "1"]]),
        ("expansion_tracked_in_the_last_batch", "phases is not what", wide, [["2", "1"]]),
        ("several_tracked_in_the_last_batches", "phases is not what", several, [["1", "1"], ["2", "10"]]),
    ):
        tracked = find("T10", of, True)
        edited(name, 1, message, lambda p, tracked=tracked, records=records: p["proof"]["steps"][tracked]["args"][
            "phases"][0].update(records=records), of)
    bound = int(wide["predicate"]["proof"]["steps"][find("T3", wide)]["premises"][0])
    edited("string_in_the_first_batch", 1, "phases is not what", lambda p: p["proof"]["steps"][bound]["args"]["phases"][
        0].update(records=[["0", "1"]]), wide)
    edited("batch_records_in_one_batch", 1, "phases is not what", lambda p: [
        step["args"]["phases"][0].update(records=[["2", "2"]]) for step in p["proof"]["steps"]
        if step["theorem"] == "T10"], accepted("batch_clipped"))
    own = accepted("expansive_wide_ball")
    assert own["predicate"]["wasserstein"] == {"learned": "0.254100000001", "released": "0.254100000001"}
    lied("wide_ball_distance_of_the_last_batch", "wasserstein does not follow", "wasserstein", "learned",
         "0.210000000001", own)
    lied("wide_ball_distance_a_digit_short", "wasserstein does not follow", "wasserstein", "learned",
         "0.254099999999", own)
    tracked, told = find("T10", own, True), json.dumps(own).replace("0.254100000001", "0.210000000001")
    edited("wide_ball_tracked_in_the_last_batch", 1, "phases is not what", lambda p: p["proof"]["steps"][tracked][
        "args"]["phases"][0].update(records=[["2", "1"]]), json.loads(told))
    lied("expansion_distance_of_the_last_batch", "wasserstein does not follow", "wasserstein", "released", "2.49", wide)
    # the schedule
    steady = statement(small(mechanism={"step_size": "0.5"}, loss=CLIPPED), rates=("T23",) * 2)
    for name, message, pairs, of in (
        ("excursion_from_a_step_without_shift", "no step without a shift", (("0 0 0", "0 3 2"),), single),
        ("excursion_after_the_last_shift", "no step without a shift", (("1 0 0", "2 0 0"),), single),
        ("excursions_overlap", "must not overlap", (("0 0 2", "0 2 1"), ("0 1 2", "0 3 0")), single),
        ("excursions_descend", "must not overlap", (("0 2 2", "0 3 0"), ("0 0 2", "0 2 1")), single),
        ("excursion_of_no_steps", "at least one step", (("0 0 2", "0 0 2"),), single),
        ("excursion_backwards", "must not overlap", (("0 2 2", "0 1 0"),), single),
        ("excursion_outside_the_epoch", "not in the epoch", (("0 0 3", "0 2 0"),), single),
        ("excursion_outside_the_block", "not in the block", (("0 0 2", "0 4 0"),), single),
        ("excursion_after_the_end", "after the end", (("0 0 2", "2 0 1"),), single),
        ("excursion_from_nowhere", "after the end", (("3 0 0", "3 0 0"),), single),
        ("excursions_of_single_steps_cost_more", "mu does not follow", (), single),
        ("excursion_ends_early", "mu does not follow", (("0 0 2", "0 2 2"),), single),
        ("runs_apart_without_excursion", "begin apart", (), apart),
        ("runs_apart_with_a_late_excursion", "begin apart", (("0 0 2", "1 0 0"),), apart),
        ("excursion_within_an_epoch", "of whole epochs", (("0 0 1", "1 0 0"),), clipped),
        ("excursion_ends_within_an_epoch", "of whole epochs", (("0 0 0", "1 0 1"),), clipped),
        ("dip_below_zero", "dips below zero", (("0 0 2", "0 1 1"),), steady),
        ("excursion_of_several_records_without_drift", "need drift", (("0 0 0", "1 0 0"),), mixed),
    ):
        edited(f"gauges_{name}", 1, message, at("T26", "args", "excursions", excursions(*pairs), of, True), of)
    for name, message, restart in (
        ("at_the_start", "after the start and before the end", "0 0 0"),
        ("at_the_end", "after the start and before the end", "2 0 0"),
        ("outside_the_epoch", "not in the epoch", "0 0 3"),
    ):
        begin = dict(zip(("block", "epoch", "position"), restart.split(), strict=True))
        edited(f"gauges_restart_{name}", 1, message, both(
            at("T26r", "args", "restart", begin, ball),
            at("T26r", "args", "excursions",
               [{"from": begin, "to": {"block": "2", "epoch": "0", "position": "0"}}], ball)), ball)
    for name, first, to in (
        ("restart_ends_within_an_epoch", "0 1 0", "0 2 1"), ("again_within_an_epoch", "0 0 1", "0 1 0")
    ):
        begin = dict(zip(("block", "epoch", "position"), first.split(), strict=True))
        pairs = excursions((first, to), *[("0 1 2", "1 0 0")] * (name == "again_within_an_epoch"))
        edited(f"gauges_{name}", 1, "of whole epochs", both(
            at("T26r", "args", "restart", begin, ball), at("T26r", "args", "excursions", pairs, ball)), ball)
    edited("gauges_restart_without_excursion", 1, "begin apart", at("T26r", "args", "excursions", [], ball), ball)
    edited("gauges_restart_without_radius", 1, "gauges_in_a_ball needs a radius", lambda p: [
        step.update(theorem="T26r", args={"restart": {"block": "0", "epoch": "0", "position": "1"}, "excursions": []})
        for step in p["proof"]["steps"] if step["theorem"] == "T26"], single)
    for name, position, last in (("drift_corner_in_an_epoch", "1", "0"), ("drift_corner_after_the_block", "0", "4")):
        corner = {"block": "0", "position": position, "first": "0", "last": last}
        edited(name, 1, "not for steps that drift", lambda p, corner=corner: [
            step.update(theorem="T3", args={"corners": [corner]}) for step in p["proof"]["steps"]
            if step["theorem"] == "T26"], single)
    edited("drift_restart_in_an_epoch", 1, "not for steps that drift", lambda p: [
        step.update(theorem="T5", args={"corners": [], "restart": {"block": "0", "epoch": "0", "position": "1"}})
        for step in p["proof"]["steps"] if step["theorem"] == "T26r"], ball)
    edited("gauges_called_a_string", 1, "not for steps that drift", lambda p: [
        step.update(theorem="T3", args={"corners": []}) for step in p["proof"]["steps"] if step["theorem"] == "T26"],
        single)
    edited("gauges_called_a_bounded_string", 1, "not for steps that drift", lambda p: [
        step.update(theorem="T5", args={"corners": [], "restart": step["args"]["restart"]})
        for step in p["proof"]["steps"] if step["theorem"] == "T26r"], ball)
    lied("gauges_mu_understated", "mu does not follow", "mu", "upper", of=single)
    lied("gauges_restarted_mu_understated", "mu does not follow", "mu", "upper", "0.889999999999", ball)
    lied("composed_mu_understated", "mu does not follow", "mu", "upper", of=accepted("expansion_by_gauges"))
    # shifts alone, though the runs are apart
    lied("gauges_mu_of_shifts_while_apart", "mu does not follow", "mu", "upper", "0.01", single)
    for name, of in (("weight_decay", soft), ("per_record_clipping", clipped), ("batch_clipping", batches),
                     ("weight_decay", several), ("per_record_clipping", accepted("scaled_huber"))):
        kind = of["predicate"]["run"]["loss"]["kind"].replace("-", "_")
        edited(f"{kind}_{name}_not_assumed", 1, "assumptions: not what", lambda p, name=name: p.update(
            assumptions=[a for a in p["assumptions"] if a["id"] != name]), of)
    edited("batch_clipped_gradient_bound_assumed", 1, "assumptions: not what", lambda p: p["assumptions"].insert(
        2, next(a for a in clipped["predicate"]["assumptions"] if a["id"] == "gradient_bound")), batches)
