"""The numbers on the front page are those of the proof."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from certify.checking.format.run import Run, implied_assumptions
from certify.checking.format.training import Training, training_assumptions
from certify.checking.limits import require


def largest_of(texts: Iterable[str | None]) -> str | None:
    """Of all requests: whichever is looked at."""
    return max((text for text in texts if text is not None), key=Fraction, default=None)


def front_page(
    predicate: dict[str, Any], run: Run | Training, worst: int, first: int, guarantees: list[Training | None]
) -> dict[str, Any]:
    """What the proof and the run imply of it. `first`: the request of the first claim."""
    steps, claims = predicate["proof"]["steps"], predicate["proof"]["claims"]
    claim, training = claims[worst], isinstance(run, Training)
    theorems = {step["theorem"] for step in steps}

    def concluded(index: str | None, key: str) -> Any:
        return None if index is None else steps[int(index)]["concludes"][key]

    def bounded(lower: str | None, upper: str | None, key: str = "epsilon") -> dict[str, Any]:
        return {"lower": concluded(lower, key), "upper": concluded(upper, key)}

    def mu_below(index: str | None) -> str | None:  # the step about μ that a step T11 stands on
        if index is not None and steps[int(index)]["theorem"] == "T11":
            return steps[int(index)]["premises"][0]
        return None if index is None or training or steps[int(index)]["theorem"] == "T6m" else index

    curves = [steps[int(claim["renyi"])] for claim in claims if claim["renyi"] is not None]
    uppers = zip(*(curve["concludes"]["renyi"] for curve in curves), strict=False)  # recompute counts them
    orders = curves[0]["args"]["orders"] if curves else []
    asked: list[tuple[Any, ...]] = []
    if isinstance(run, Training):
        mus, assumed = [mu_below(claim["bound"])], training_assumptions(run, theorems)
    else:
        mus = [claim.get("mu", curve["premises"][0]) for claim, curve in zip(claims, curves, strict=True)]
        asked = list(zip(run.sizes[first:], run.unlearning_epochs[first:], claims, strict=True))
        assumed = implied_assumptions(run, predicate["run"], theorems, predicate.get("execution", {}))
    both = zip(("membership", "attribute or label"), guarantees, claim.get("guarantees", ()), strict=True)
    promised = [
        {"name": name, "neighbours": None if index is None else of.neighbours,
         "epsilon": bounded(claim["lower"] if of is run else None, index)}
        for name, of, index in (both if training else ())
    ]  # fmt: skip
    return {
        "epsilon": bounded(claim["lower"], claim["bound"]) | {"target": predicate["run"]["target"]["epsilon"]},
        "mu": {"lower": largest_of(concluded(mu_below(claim["lower"]), "mu") for claim in claims),
               "upper": largest_of(concluded(mu, "mu") for mu in mus)},
        **({"guarantees": promised} if training else {}),
        "wasserstein": {key: largest_of(concluded(claim.get(key), "wasserstein") for claim in claims)
                        for key in ("learned", "released")},
        "renyi": [{"order": x, "upper": y} for x, y in zip(orders, map(largest_of, uppers), strict=False)],
        "requests": [{"size": str(size), "epochs": str(epochs), "epsilon": concluded(claim["bound"], "epsilon")}
                     for size, epochs, claim in asked],
        "theorems": sorted(theorems),
        "assumptions": assumed,
    }  # fmt: skip


def check_displayed(predicate: dict[str, Any], expected: dict[str, Any], delta: Fraction) -> None:
    """The front page says this, and δ rounded up; no lower bound is above its upper bound."""
    for key, value in expected.items():
        require(predicate[key] == value, f"{key}: not what the proof and the run say")
    shown = Fraction(predicate["delta"])
    require(delta <= shown <= delta * (1 + Fraction(1, 10**11)), "delta: not rounded up to twelve digits")
    for key in ("epsilon", "mu"):
        low, high = predicate[key]["lower"], predicate[key]["upper"]
        require(low is None or Fraction(low) <= Fraction(high), f"{key}: the lower bound exceeds the upper bound")
