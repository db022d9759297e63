"""What the run says about the columns of the records, and what people call it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.checking.limits import Malformed, require
from certify.checking.reading import exact, named, one_of, optional, text

LABELS = {  # loss -> what says what the target holds: the others are null. None: counts, which no key describes
    "logistic": "positive", "smoothed-hinge": "positive", "softmax": "classes", "least-squares": "target_limits",
    "huber": "target_limits", "poisson": None,
}  # fmt: skip
MAX_LINE = 200  # characters


def signed(value: Any, where: str) -> None:
    """An exact number, which may be negative."""
    exact(value.removeprefix("-") if isinstance(value, str) else value, where)
    if value == "-0":
        raise Malformed(f"{where}: -0 is not in canonical form")


def line_of_text(value: Any, where: str) -> None:
    """Text of one line, 200 characters at most."""
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_LINE or not value.isprintable():
        raise Malformed(f"{where}: needs a line of at most {MAX_LINE} printable characters, got {ascii(value)[:60]}")


DATA = {
    "target": text, "positive": optional([text]), "negative": optional([text]), "classes": optional([text]),
    "target_limits": optional((signed, signed)), "id": optional(text), "numeric": named(text, [signed]),
    "categorical": named(text, [text]), "intercept": one_of(True, False), "outside": one_of("refuse", "clip"),
    "normalise": one_of("row", "limits", "none"),
}  # fmt: skip
META = {"model?": line_of_text, "owner?": line_of_text, "purpose?": line_of_text, "version?": line_of_text}


def check_data(data: dict[str, Any], loss: dict[str, Any]) -> None:
    """The columns fit the loss: rows stay within feature_norm, where the loss has one, and labels are its labels."""
    kind = loss["kind"]
    require(kind != "constants", "run: data describe no records of a loss that is known by its constants alone")
    bounded = kind == "clipped" or data["normalise"] != "none"
    require(bounded, "run: data.normalise = none leaves rows beyond feature_norm")
    given = [key for key in ("positive", "classes", "target_limits") if data[key] is not None]
    if kind == "clipped":
        require(len(given) == 1, "run: data need one of positive, classes, target_limits")
    else:
        wanted = LABELS[kind]
        require(given == ([] if wanted is None else [wanted]), f"run: data.target does not fit a {kind} loss")
    require(data["negative"] is None or data["positive"] is not None, "run: data.negative without data.positive")
    require(kind != "softmax" or str(len(data["classes"])) == loss["classes"], "run: data.classes are not loss.classes")
    limits = [*data["numeric"].values(), *([] if data["target_limits"] is None else [data["target_limits"]])]
    for entry in limits:
        require(len(entry) in (2, 3) and Fraction(entry[0]) < Fraction(entry[1]), "run: data need limits lo < hi")
        require(len(entry) == 2 or (entry[2].isdigit() and entry[2] != "0"), "run: data need a width of at least 1")
    require(data["numeric"] or data["categorical"], "run: data have no features")
