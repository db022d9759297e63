"""Verdicts that the numbers do not give."""

from __future__ import annotations

from tests.vectors.producer.envelopes import seal
from tests.vectors.producer.losses import LOGISTIC
from tests.vectors.producer.numbers import Json
from tests.vectors.producer.reject.cases import Cases, put
from tests.vectors.producer.runs import small
from tests.vectors.producer.statements import statement

# fmt: off

def of_the_target(made: Cases) -> None:
    raw, edited, at = made.raw, made.edited, made.at
    # 7 target
    strict = statement(small(mechanism={"noise_std": "1"}, loss=LOGISTIC, target={"epsilon": "0.5"}))
    raw("not_certified", seal(strict), 1, "NOT_CERTIFIED: After")
    edited("certified_above_target", 1, "the verdict is NOT_CERTIFIED", put("verdict", "CERTIFIED"), strict)
    edited("indeterminate_though_provable", 1, "the verdict is NOT_CERTIFIED", put("verdict", "INDETERMINATE"), strict)
    edited("not_certified_below_target", 1, "the verdict is CERTIFIED", put("verdict", "NOT_CERTIFIED"))
    edited("out_of_reach_hidden", 1, "out_of_reach", put("out_of_reach", False), strict)
    edited("out_of_reach_invented", 1, "out_of_reach", put("out_of_reach", True))

    def weaken(p: Json) -> None:  # a bound above the target, though a better one would be below it
        p["epsilon"]["upper"] = p["requests"][0]["epsilon"] = "2.5"
        at("T11", "concludes", "epsilon", "2.5")(p)
        p["verdict"] = "INDETERMINATE"

    edited("indeterminate", 3, "INDETERMINATE: After", weaken)
