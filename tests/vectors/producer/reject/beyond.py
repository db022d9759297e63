"""The curved witness, losses without convexity, the range before the noise, the Rényi curve."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal

from tests.vectors.producer.envelopes import seal
from tests.vectors.producer.losses import LOGISTIC
from tests.vectors.producer.numbers import ORDERS, Json, lower_by_a_digit
from tests.vectors.producer.reject.cases import Cases, both, put
from tests.vectors.producer.runs import CLIPPED, CONVEX, WAVY, small
from tests.vectors.producer.statements import statement
from tests.vectors.producer.table import accepted

# fmt: off

def of_other_theorems(made: Cases) -> None:
    raw, edited, lied, find = made.raw, made.edited, made.lied, made.find
    at, accepted_and, bounded = made.at, made.accepted_and, made.bounded
    mechanism = ("run", "mechanism")
    threat = ("run", "threat")
    eight = {"samples": "80", "batch_order": "secret", "noise_std": "1"}
    secret = statement(small(mechanism=eight), looked_at=[0, 4, 6, 7])
    # 5, 6: the curved witness
    curved, change = accepted_and("curved_two_records")
    for name, message, edit in (
        ("curvature_above_L_minus_m", "L - m", change("T6c", "args", "others", "0.26")),
        ("own_curvature_above_L_minus_m", "L - m", change("T6c", "args", "own", "0.26")),
        ("witness_interval_too_small", "interval is too small", change("T6c", "args", "own", "0")),
        ("curved_witness_for_another_delta", "delta is not what", change("T6c", "args", "delta", "0.000001")),
        ("curved_witness_of_another_loss", "strong_convexity is not", change("T6c", "args", "strong_convexity", "0")),
        ("curved_witness_of_a_rougher_loss", "smoothness is not", change("T6c", "args", "smoothness", "0.5")),
        ("curved_witness_concludes_more", "epsilon does not follow", change("T6c", "args", "epsilon", "1")),
        ("curved_mu_concludes_more", "mu does not follow", change("T6c", "args", "mu", "0.5")),
    ):
        edited(name, 1, message, edit, curved)
    for name, message, keys, size, loss, others in (
        ("curved_witness_in_two_batches", "in the last batch", {}, "12", LOGISTIC, "0.1"),
        ("curved_witness_after_unlearning", "a single phase", {"unlearning_epochs": ["1"]}, "1", LOGISTIC, "0.1"),
        ("curved_witness_from_unequal_starts", "equal starts", {"initial_distance": "1"}, "1", LOGISTIC, "0.1"),
        ("curved_witness_with_a_slope_of_one", "slopes", {}, "1", CONVEX, "0"),
        ("curved_witness_with_a_negative_slope", "slopes", {"step_size": "2/(L+m)"}, "1", LOGISTIC, "0.25"),
    ):
        slopes = (others, others)
        run = small(mechanism={"unlearning_epochs": ["0"]} | keys, requests={"sizes": [size]}, loss=loss)
        raw(name, seal(statement(run, curved=(*slopes, "0.1", "0.1"))), 1, message)
    for key in ("epsilon", "mu"):
        shown = curved["predicate"][key]["lower"]
        more = str(Context(prec=12).next_plus(Decimal(shown)))
        lied(f"curved_{key}_overstated", f"{key} does not follow", key, "lower", more, curved)
    # 5, 6: neither convex nor, sometimes, smooth
    wavy, change = accepted_and("wavy_drifts")
    clipped = accepted("clipped")
    soft, of_soft = accepted_and("softmax_active_clip")

    def replaced(theorem: str, made: Json, of: Json) -> Callable[[Json], None]:
        return put("proof", "steps", find(theorem, of), made)

    expanded = {"theorem": "T22", "args": {"step_size": "0.5", "smoothness": "1"}, "premises": ["0"],
                "concludes": {"contraction": "1.5"}}
    convexity = ("assumptions", 0, "status")
    edited("convex_missing", 2, "missing key", lambda p: p["run"]["loss"].pop("convex"), wavy)
    edited("convex_text", 2, "needs one of", put("run", "loss", "convex", "true"), wavy)
    edited("clipped_with_a_feature_norm", 2, "unknown key", put("run", "loss", "feature_norm", "1"), clipped)
    edited("clipped_without_clip", 2, "an exact number", put("run", "loss", "clip", None), clipped)
    edited("clipped_clip_zero", 1, "clip > 0", put("run", "loss", "clip", "0"), clipped)
    edited("clipped_smoothness_invented", 2, "needs one of", at("L7", "concludes", "smoothness", "1", clipped), clipped)
    edited("clipped_called_convex", 1, "convex is False", at("L7", "concludes", "convex", True, clipped), clipped)
    edited("softmax_called_convex", 1, "convex is False", of_soft("L6", "concludes", "convex", True), soft)
    edited("convex_called_wavy", 1, "convex is True", at("L1", "concludes", "convex", False))
    edited("step_size_rule_without_smoothness", 1, "needs a known smoothness",
           put(*mechanism, "step_size", "1/L"), clipped)
    edited("contraction_without_convexity", 1, "not convex", put("run", "loss", "convex", False), bounded)
    edited("expansion_without_smoothness", 1, "no smoothness", replaced("T23", expanded, clipped), clipped)
    edited("convexity_attested_though_violated", 1, "assumptions: not what", put(*convexity, "attested"), wavy)
    edited("smoothness_attested_though_violated", 1, "assumptions: not what",
           put("assumptions", 1, "status", "attested"), clipped)
    edited("convexity_violated_though_proved", 1, "assumptions: not what", put(*convexity, "violated"))
    edited("noise_violated", 1, "assumptions: not what", put("assumptions", 3, "status", "violated"), wavy)
    edited("expansion_understated", 1, "contraction is", of_soft("T22", "concludes", "contraction", "1.05"), soft)
    edited("expansion_of_another_loss", 1, "smoothness is not what", of_soft("T22", "args", "smoothness", "0.5"), soft)
    edited("expansion_of_another_step", 1, "step_size is not what", of_soft("T22", "args", "step_size", "0.01"), soft)
    edited("drift_understated", 1, "shift is", change("T23", "concludes", "shift", "1.99"), wavy)
    edited("drift_contraction_understated", 1, "contraction is", change("T23", "concludes", "contraction", "0.8"), wavy)
    edited("drift_of_another_clip", 1, "gradient_bound is not", change("T23", "args", "gradient_bound", "0.5"), wavy)
    edited("drift_of_another_decay", 1, "strong_convexity is", change("T23", "args", "strong_convexity", "0.2"), wavy)
    edited("drift_of_another_step", 1, "step_size is not what", change("T23", "args", "step_size", "0.1"), wavy)
    steep = statement(small(mechanism={"step_size": "20.5", "noise_std": "9"}, loss=CLIPPED), rates=("T23",) * 2)
    edited("drift_of_a_negative_factor", 1, "needs step_size * strong_convexity <= 1",
           at("T23", "concludes", "contraction", "0", steep), steep)
    edited("wavy_witness_left_out", 1, "needs a witness", put("proof", "claims", 1, "lower", None), wavy)
    edited("clipped_witness", 1, "no witness", put("proof", "claims", 0, "lower", "0"), clipped)
    curve = {"mechanism": {"unlearning_epochs": ["0"]}, "loss": WAVY}
    raw("curved_witness_without_convexity", seal(statement(small(**curve), rates=("T23",) * 2, curved=("0", "0"))), 1,
        "not convex")
    edited("secret_order_without_convexity", 1, "T11 is needed here", put("run", "loss", "convex", False), secret)
    for name, of in (("wavy_mu", wavy), ("clipped_mu", clipped), ("softmax_mu", soft)):
        lied(f"{name}_understated", "mu does not follow", "mu", "upper", of=of)
    lied("drift_distance_understated", "wasserstein does not follow", "wasserstein", "released", of=clipped)
    # 5, 6: the range before the noise
    ball, change = accepted_and("noise_in_a_ball")
    of_clipped = accepted("clipped_noise_in_a_ball")
    phase = ball["predicate"]["proof"]["steps"][find("T24", ball)]["args"]["phase"]
    before = find("T24", ball)
    for name, message, edit in (
        ("range_without_radius", "needs a radius", put(*mechanism, "radius", None)),
        ("range_for_retrain_T", "not for retrain-T", put(*threat, "reference", "retrain-T")),
        ("range_of_all_models", "T11 is needed here", put(*threat, "release", "all")),
        ("range_of_more_epochs", "the last epochs of", change("T24", "args", "phase", phase | {"epochs": "4"})),
        ("range_of_no_epochs", "the last epochs of", change("T24", "args", "phase", phase | {"epochs": "0"})),
        ("range_while_learning", "the last epochs of unlearning", put(*mechanism, "unlearning_epochs", ["0"])),
        ("range_of_everything", "epochs before the last",
         both(put(*mechanism, "epochs", "0"), change("T24", "args", "phase", phase | {"epochs": "3"}))),
        ("range_of_more_batches", "phase is not what", change("T24", "args", "phase", phase | {"batches": "4"})),
        ("range_of_more_noise", "phase is not what", change("T24", "args", "phase", phase | {"noise_std": "0.6"})),
        ("range_with_differing_records", "phase is not what",
         change("T24", "args", "phase", phase | {"records": [["2", "1"]]})),
        ("range_in_another_ball", "diameter is not what", change("T24", "args", "diameter", "0.3")),
        ("range_for_another_delta", "delta is not what", change("T24", "args", "delta", "0.5")),
        ("range_overlaps_the_string", "needs 2 premises",
         change("T24", "args", "phase", phase | {"epochs": "3"})),
        ("range_leaves_a_gap", "phases is not what", change("T24", "args", "phase", phase | {"epochs": "1"})),
        ("range_without_a_rate", "2 premises", lambda p: p["proof"]["steps"][before]["premises"].pop()),
        ("range_with_a_shift_as_rate", "C1 is needed here",
         lambda p: p["proof"]["steps"][before]["premises"].__setitem__(1, str(find("C2", ball)))),
        ("range_of_a_loss_without_convexity", "not convex", put("run", "loss", "convex", False)),
    ):
        edited(name, 1, message, edit, ball)
    lied("range_epsilon_understated", "epsilon does not follow", "epsilon", "upper", of=ball)
    lied("range_clipped_epsilon_understated", "epsilon does not follow", "epsilon", "upper", of=of_clipped)
    long = small(mechanism={"radius": "0.2", "unlearning_epochs": ["6667"]}, loss=CONVEX)
    raw("range_of_too_many_steps", seal(statement(long, before_noise=(6667, "C1"))), 1, "1 to 20000 steps")
    close = small(mechanism={"radius": "0.2", "unlearning_epochs": ["2"]}, loss=CONVEX, target={"epsilon": "0.001"})
    narrow = statement(close, before_noise=(1, "C1"), restart=True)
    raw("range_not_certified", seal(narrow), 1, "NOT_CERTIFIED: After")
    edited("range_indeterminate_though_provable", 1, "the verdict is NOT_CERTIFIED",
           put("verdict", "INDETERMINATE"), narrow)
    # 5, 6: the Rényi curve under a secret order
    mixture, change = accepted_and("secret_curve")
    for name, message, chosen in (
        ("curve_skips_the_last_batch", "end with the last batch", ["0", "3"]),
        ("curve_skips_the_first_batch", "begin with batch 0", ["3", "7"]),
        ("curve_positions_descend", "must ascend", ["0", "6", "4", "7"]),
    ):
        edited(name, 1, message, change("T9r", "args", "positions", chosen), mixture)
    for name, message, edit in (
        ("curve_of_fewer_positions", "renyi does not follow", change("T9r", "args", "positions", ["0", "7"])),
        ("curve_without_mu", "mu is named", lambda p: p["proof"]["claims"][0].pop("mu")),
        ("curve_order_of_one", "orders > 1",
         both(change("T9r", "args", "orders", ["1", *ORDERS[1:]]), put("renyi", 0, "order", "1"))),
        ("curve_order_without_bound", "one bound for each", change("T9r", "args", "orders", [*ORDERS, "128"])),
        ("curve_mu_of_no_string", "T3 is needed here", put("proof", "claims", 0, "mu", str(find("T9", mixture)))),
    ):
        edited(name, 1, message, edit, mixture)
    edited("mu_named_beside_its_own_curve", 1, "mu is named",
           lambda p: p["proof"]["claims"][0].update(mu=str(find("T3", secret))), secret)
    two = accepted("secret_two_records")
    edited("curve_where_the_order_is_as_good_as_fixed", 1, "T2 is needed here", both(
        put("proof", "steps", find("T2", two), "theorem", "T9r"), at("T2", "args", "positions", ["0", "2"], two)), two)
    for i in (0, 3):
        low = lower_by_a_digit(mixture["predicate"]["renyi"][i]["upper"])
        edited(f"curve_understated_at_order_{ORDERS[i].replace('.', '_')}", 1, "renyi does not follow", both(
            put("renyi", i, "upper", low), put("proof", "steps", find("T9r", mixture), "concludes", "renyi", i, low)),
            mixture)
    lied("curve_mu_understated", "mu does not follow", "mu", "upper", of=mixture)
