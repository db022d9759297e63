"""What may not be said of requests within limits, chosen from the released models, or certified one by one."""

from __future__ import annotations

from tests.vectors.producer.numbers import hexed
from tests.vectors.producer.reject.cases import Cases, put
from tests.vectors.producer.table import accepted

# fmt: off

def of_requests_one_by_one(made: Cases) -> None:
    chosen, limited = accepted("requests_chosen_adaptively"), accepted("requests_within_limits")
    single, ran = accepted("last_request_alone"), accepted("executed_last_request_alone")
    seen, figures = accepted("release_all"), accepted("executed")["predicate"]["figures"]
    requests, erasure = ("run", "requests"), ("execution", "erasures", 0)
    for name, code, message, edit, of in (
        ("adaptively_called_independently", 2, "has its default value",
         put(*requests, "chosen", "independently"), chosen),
        ("adaptively_taken_for_independently", 1, "phases is not what",
         lambda p: p["run"]["requests"].pop("chosen"), chosen),
        ("independently_taken_for_adaptively", 1, "phases is not what", put(*requests, "chosen", "adaptively"), seen),
        ("adaptively_without_its_assumption", 1, "assumptions: not what",
         lambda p: p["assumptions"].remove(next(a for a in p["assumptions"] if a["id"] == "release:adaptively")),
         chosen),
        ("adaptively_before_any_release", 1, "needs release = all", put(*requests, "chosen", "adaptively"), made.base),
        ("more_records_than_max_records", 1, "more records than requests.max_records",
         put(*requests, "max_records", "2"), limited),
        ("more_epochs_than_max_epochs", 1, "more unlearning_epochs than requests.max_epochs",
         put(*requests, "max_epochs", "1"), limited),
        ("max_records_is_no_number", 2, "an integer", put(*requests, "max_records", "many"), limited),
        ("predecessor_is_no_digest", 2, "64", put("predecessor", "the one before"), single),
        ("predecessor_left_out", 1, "one entry for each request", lambda p: p.pop("predecessor"), single),
        ("predecessor_of_all_requests", 1, "one entry for each request", put("predecessor", hexed("another")),
         made.double),
        ("predecessor_with_figures", 2, "without figures", put("figures", figures), single),
        ("predecessor_shows_another_request", 1, "requests: not what", put("requests", 0, "size", "1"), single),
        ("last_request_alone_executed_by_nobody", 1, "that of the last request, and no other",
         put("execution", "erasures", []), ran),
        ("last_request_alone_is_another", 1, "request: not what", put(*erasure, "request", "2"), ran),
        ("last_request_alone_counts_itself_alone", 1, "cumulative: not what", put(*erasure, "cumulative", "1"), ran),
        ("last_request_alone_retrained", 1, "that of its request alone",
         lambda p: p["execution"]["phases"].append({**p["execution"]["phases"][0], "kind": "retrain"}), ran),
        ("last_request_alone_with_learning", 1, "phases[0].kind",
         lambda p: p["execution"]["phases"].insert(0, {**p["execution"]["phases"][0], "kind": "learn"}), ran),
    ):
        made.edited(name, code, message, edit, of)
    made.lied("adaptive_composition_understated", "mu does not follow", "mu", "upper", of=chosen)
    made.lied("last_request_alone_understated", "mu does not follow", "mu", "upper", of=single)
