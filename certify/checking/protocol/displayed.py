"""The numbers on the front page are those of the proof."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from certify.checking.format.run import Run, implied_assumptions
from certify.checking.format.training import Training, training_assumptions
from certify.checking.limits import require


def check_displayed(predicate: dict[str, Any], run: Run, worst: int, first: int) -> None:
    """The numbers on the front page are those of the proof. `first`: the request of the first claim."""
    steps, claims = predicate["proof"]["steps"], predicate["proof"]["claims"]

    def concluded(index: str | None, key: str) -> Any:
        return None if index is None else steps[int(index)]["concludes"][key]

    def witness_of(claim: dict[str, Any]) -> str | None:  # of μ
        witness = claim["lower"]
        if witness is not None and steps[int(witness)]["theorem"] == "T11":
            (witness,) = steps[int(witness)]["premises"]
        return None if witness is None or steps[int(witness)]["theorem"] == "T6m" else witness

    def largest(texts: Iterable[str | None]) -> str | None:  # of all requests: whichever is looked at
        return max((text for text in texts if text is not None), key=Fraction, default=None)

    claim, curves = claims[worst], [steps[int(claim["renyi"])] for claim in claims]
    uppers = zip(*(curve["concludes"]["renyi"] for curve in curves), strict=False)  # recompute counts them
    orders = zip(curves[0]["args"]["orders"], map(largest, uppers), strict=False)
    mus = [claim.get("mu", curve["premises"][0]) for claim, curve in zip(claims, curves, strict=True)]
    expected = {
        "epsilon": {
            "lower": concluded(claim["lower"], "epsilon"),
            "upper": concluded(claim["bound"], "epsilon"),
            "target": predicate["run"]["target"]["epsilon"],
        },
        "mu": {
            "lower": largest(concluded(witness_of(claim), "mu") for claim in claims),
            "upper": largest(concluded(mu, "mu") for mu in mus),
        },
        "wasserstein": {
            key: largest(concluded(claim[key], "wasserstein") for claim in claims) for key in ("learned", "released")
        },
        "renyi": [{"order": order, "upper": upper} for order, upper in orders],
        "requests": [
            {"size": str(size), "epochs": str(epochs), "epsilon": concluded(claims[i]["bound"], "epsilon")}
            for i, (size, epochs) in enumerate(zip(run.sizes[first:], run.unlearning_epochs[first:], strict=True))
        ],
        "theorems": sorted({step["theorem"] for step in steps}),
        "assumptions": implied_assumptions(
            run, predicate["run"], {step["theorem"] for step in steps}, predicate.get("execution", {})
        ),
    }
    compare_displayed(predicate, expected, run.delta)


def check_training_displayed(predicate: dict[str, Any], run: Training, guarantees: list[Training | None]) -> None:
    """The numbers on the front page of a training run are those of the proof."""
    steps, (claim,) = predicate["proof"]["steps"], predicate["proof"]["claims"]

    def concluded(index: str | None, key: str) -> Any:
        return None if index is None else steps[int(index)]["concludes"][key]

    def under(index: str | None) -> str | None:  # the one premise of a T11
        return steps[int(index)]["premises"][0] if run.gaussian and index is not None else None

    theorems = {step["theorem"] for step in steps}
    curve = None if claim["renyi"] is None else steps[int(claim["renyi"])]
    pairs = [] if curve is None else zip(curve["args"]["orders"], curve["concludes"]["renyi"], strict=False)
    expected = {
        "epsilon": {
            "lower": concluded(claim["lower"], "epsilon"),
            "upper": concluded(claim["bound"], "epsilon"),
            "target": predicate["run"]["target"]["epsilon"],
        },
        "mu": {"lower": concluded(under(claim["lower"]), "mu"), "upper": concluded(under(claim["bound"]), "mu")},
        "guarantees": [
            {
                "name": name,
                "neighbours": None if index is None else of.neighbours,
                "epsilon": {
                    "lower": concluded(claim["lower"], "epsilon") if of is run else None,
                    "upper": concluded(index, "epsilon"),
                },
            }
            for name, of, index in zip(
                ("membership", "attribute or label"), guarantees, claim["guarantees"], strict=True
            )
        ],
        "wasserstein": {"learned": None, "released": None},
        "renyi": [{"order": order, "upper": upper} for order, upper in pairs],
        "requests": [],
        "theorems": sorted(theorems),
        "assumptions": training_assumptions(run, theorems),
    }
    compare_displayed(predicate, expected, run.delta)


def compare_displayed(predicate: dict[str, Any], expected: dict[str, Any], delta: Fraction) -> None:
    """The front page says this, and δ rounded up; no lower bound is above its upper bound."""
    for key, value in expected.items():
        require(predicate[key] == value, f"{key}: not what the proof and the run say")
    shown = Fraction(predicate["delta"])
    require(delta <= shown <= delta * (1 + Fraction(1, 10**11)), "delta: not rounded up to twelve digits")
    for key in ("epsilon", "mu"):
        low, high = predicate[key]["lower"], predicate[key]["upper"]
        require(low is None or Fraction(low) <= Fraction(high), f"{key}: the lower bound exceeds the upper bound")
