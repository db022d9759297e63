"""What [data] and [meta] may not say."""

from __future__ import annotations

from tests.vectors.producer.reject.cases import Cases, put
from tests.vectors.producer.runs import CONVEX
from tests.vectors.producer.table import accepted

# fmt: off

def of_own_data(made: Cases) -> None:
    own, numbers, any_model = accepted("own_data"), accepted("own_data_of_numbers"), accepted("own_data_of_any_model")
    classes, counts = accepted("own_data_of_classes"), accepted("own_data_of_counts")
    data = ("run", "data")
    for name, code, message, edit, of in (
        ("data_unknown_key", 2, "unknown key 'ids'", put(*data, "ids", "customer"), own),
        ("data_without_outside", 2, "missing key 'outside'", lambda p: p["run"]["data"].pop("outside"), own),
        ("data_null", 2, "needs an object", put("run", "data", None), own),
        ("data_target_null", 2, "needs a string", put(*data, "target", None), own),
        ("data_limits_not_canonical", 2, "canonical", put(*data, "numeric", "age", ["-5.0", "100"]), own),
        ("data_limits_minus_zero", 2, "canonical", put(*data, "numeric", "age", ["-0", "100"]), own),
        ("data_limits_not_exact", 2, "an exact number", put(*data, "numeric", "age", ["-inf", "100"]), own),
        ("data_limits_of_the_target_three", 2, "a list of 2", put(*data, "target_limits", ["0", "1", "2"]), numbers),
        ("data_intercept_text", 2, "needs one of", put(*data, "intercept", "yes"), own),
        ("data_outside_unknown", 2, "needs one of", put(*data, "outside", "drop"), own),
        ("data_normalise_unknown", 2, "needs one of", put(*data, "normalise", None), own),
        ("data_limits_turned_round", 1, "limits lo < hi", put(*data, "numeric", "age", ["100", "-5"]), own),
        ("data_limits_equal", 1, "limits lo < hi", put(*data, "target_limits", ["1", "1"]), numbers),
        ("data_limits_of_one_number", 1, "limits lo < hi", put(*data, "numeric", "age", ["5"]), own),
        ("data_width_zero", 1, "a width of at least 1", put(*data, "numeric", "image", ["0", "255", "0"]), own),
        ("data_width_fraction", 1, "a width of at least 1", put(*data, "numeric", "image", ["0", "255", "0.5"]), own),
        ("data_without_features", 1, "no features", put(*data, "numeric", {}), counts),
        ("data_not_normalised", 1, "beyond feature_norm", put(*data, "normalise", "none"), own),
        ("data_without_positive", 1, "does not fit a logistic loss", put(*data, "positive", None), own),
        ("data_of_numbers_and_classes", 1, "does not fit a huber", put(*data, "classes", ["0", "1"]), numbers),
        ("data_counts_with_limits", 1, "does not fit a poisson", put(*data, "target_limits", ["0", "5"]), counts),
        ("data_target_unsaid", 1, "one of positive, classes", put(*data, "positive", None), any_model),
        ("data_target_said_twice", 1, "one of positive, classes", put(*data, "classes", ["0", "1"]), any_model),
        ("data_negative_alone", 1, "negative without data.positive", put(*data, "negative", ["no"]), numbers),
        ("data_classes_of_another_number", 1, "are not loss.classes", put(*data, "classes", ["0", "1"]), classes),
        ("data_of_constants", 1, "constants alone", put("run", "loss", CONVEX | {"strong_convexity": "0.1"}), own),
        ("meta_unknown_key", 2, "unknown key 'price'", put("meta", "price", "0"), own),
        ("meta_null", 2, "needs an object", put("meta", None), own),
        ("meta_blank", 2, "printable characters", put("meta", "owner", " "), own),
        ("meta_of_two_lines", 2, "printable characters", put("meta", "owner", "A.\nCERTIFIED"), own),
        ("meta_control_characters", 2, "printable characters", put("meta", "model", "\u001b[2Jx"), own),
        ("meta_turned_round", 2, "printable characters", put("meta", "model", "a\u202eb"), own),
        ("meta_long", 2, "at most 200", put("meta", "purpose", "x" * 201), own),
        ("meta_list", 2, "printable characters", put("meta", "model", ["Churn"]), own),
    ):
        made.edited(name, code, message, edit, of)
