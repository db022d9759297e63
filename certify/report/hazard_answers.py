"""The answers of the hazard checklist that a certificate gives by itself; what it leaves open is asked of [attest].

A function of `FOUND` gets what the certificate tells, and returns what it makes of its question; what no function is
named for is somebody's word, or nobody's (`answered`). To what is computed or evidenced, `certify.report.hazards` adds
somebody's words where there are any. Numbers are the certificate's own strings.
"""

from __future__ import annotations

from collections.abc import Callable

from certify.report.document import Inline, Line, Tone, line
from certify.report.evidence import BOUNDS_OF_DATA, Evidence, Match
from certify.report.found import (
    Finding,
    answered,
    assumed,
    bound,
    code,
    counted,
    denial,
    marked,
    number,
    quoted,
    recorded,
    several,
)
from certify.results.floor import ROUNDING

# --- the guarantee ----------------------------------------------------------------------------------------------------


def definition(e: Evidence) -> Finding:
    neighbours = " ".join(entry["text"] for entry in e.assumptions("neighbours:"))
    compared = "The run, and the run on a neighbouring dataset"
    if e.unlearns:
        compared = "The run with its requests honoured, and the reference that never had the records"
    return Finding(
        "computed", line(f"{compared}: what is seen of them is (ε, δ)-close with ", *bound(e), f". {neighbours}")
    )


def epsilon(e: Evidence) -> Finding:
    target = line(*bound(e), "; the target is ε = ", number(e.predicate["epsilon"]["target"]))
    if e.epsilon_is_large:
        return Finding(
            "computed", line(*marked("Too large"), *target, ". An ε of 10 or more limits hardly anything."), "bad"
        )
    return Finding("computed", line(*target, ". An observer's odds change by the factor e^ε at most, but for δ."))


def delta(e: Evidence) -> Finding:
    shown = line("δ = ", number(e.predicate["delta"]))
    if e.samples is None:
        parts = [". The run does not say how many records there are, so nothing is known of 1/n². It is"]
    else:
        parts = [" is above" if e.delta_exceeds_square else " is not above", " 1/n² with n = "]
        parts += [number(e.run["mechanism"]["samples"]), ", and"]
    parts += [" above 1e-5." if e.delta_is_large else " not above 1e-5."]
    worrying = bool(e.delta_exceeds_square) or e.delta_is_large
    return Finding("computed", line(*shown, *parts), "warning" if worrying else "plain")


def observer(e: Evidence) -> Finding:
    texts = " ".join(entry["text"] for entry in e.assumptions("release:"))
    return Finding("computed", line(f"{texts} Nothing else may be seen."))


def tightness(e: Evidence) -> Finding:
    lower = e.predicate["epsilon"]["lower"]
    if lower is None:
        return Finding(
            "computed", line("No lower bound is given: the bound may be loose, and it is not known how much.")
        )
    unsure = any("lower bound" in note for note in e.reading.report.notes)
    doubt = " The verifier did not confirm this lower bound." if unsure else ""
    parts = ["No bound from what the run states can be below ε = ", number(lower), "; the certified one is "]
    wide = " They are more than 0.1 % of it apart: the bound may be loose by as much." * e.bracket_is_wide
    return Finding("computed", line(*parts, number(e.predicate["epsilon"]["upper"]), f".{wide}{doubt}"))


# --- algorithm and accounting -----------------------------------------------------------------------------------------


def derivation(e: Evidence) -> Finding:
    theorems = several([code(id) for id in e.predicate["theorems"]])
    parts = ["The verifier derived ", *bound(e), " again, from the theorems ", *theorems, ". "]
    target = (" is ε = ", number(e.predicate["epsilon"]["target"]))
    if e.predicate["verdict"] == "CERTIFIED":
        return Finding("computed", line(*parts, "The target, which", *target, ", is met."))
    if e.rounding == "violated":
        text = ", is met in exact arithmetic says nothing of the executed run, whose noise is not above rounding."
        return Finding(
            "computed", line(*marked("Undecided"), *parts, "Whether the target, which", *target, text), "bad"
        )
    if e.predicate["verdict"] == "INDETERMINATE":
        return Finding("computed", line(*parts, "Whether the target", *target, " or not met, is undecided."), "warning")
    reach = " No bound from what the run states can meet it." if e.predicate["out_of_reach"] else ""
    return Finding("computed", line(*marked("Not met"), *parts, "The target", *target, f", not met.{reach}"), "bad")


def properties(e: Evidence) -> Finding:
    if not e.violated:
        return Finding("computed", line("No assumption of the certificate is violated."))
    names = several([code(id) for id in e.violated])
    without = " The run does not have this; no step of the proof rests on it."
    return Finding("computed", line(*marked("Violated", "warning"), *names, f".{without}"), "warning")


def constants(e: Evidence) -> Finding:
    entries = e.assumptions(
        "convexity", "smoothness", "gradient_bound", "weight_decay", "per_record_clipping", "batch_clipping"
    )
    violated, proved, open_ = (
        [entry["id"] for entry in entries if entry["status"] in statuses]
        for statuses in (("violated",), ("proved",), ("attested", "checked"))
    )
    parts: list[Line] = []
    if violated:
        parts += [line(*marked("Violated", "warning"), *several([code(id) for id in violated]), ", and not used.")]
    if proved:
        parts += [
            line(*several([code(id) for id in proved]), " derived from the loss ", code(e.run["loss"]["kind"]), ".")
        ]
    rest = assumed(e, "constants", *open_) if open_ else Finding("computed", ())
    parts += [rest.line] if open_ else []
    spaced = [part for i, one in enumerate(parts) for part in (*(line(" ") if i else ()), *one)]
    return Finding(rest.status, line(*spaced), "warning" if violated else rest.tone)


def data_bounds(e: Evidence) -> Finding:
    return assumed(e, "data_bounds", *BOUNDS_OF_DATA)


def sensitivity(e: Evidence) -> Finding:
    scaling = e.run["scaling"]
    parts = ["Every record's own gradient is scaled by the map ", code(scaling["kind"]), " with max_grad_norm = "]
    parts += [number(scaling["max_grad_norm"]), ", which bounds its influence whatever the record is."]
    if scaling["gradient_norm_bound"] is not None:
        parts += [" A bound on every gradient's norm is assumed besides: ", number(scaling["gradient_norm_bound"]), "."]
    return Finding("computed", line(*parts))


def normaliser(e: Evidence) -> Finding:
    public = e.run["mechanism"]["normaliser"]
    if public is None:
        return assumed(e, "normaliser", "noisy_sums")
    return Finding("computed", line("It is divided by ", number(public), ", a constant that the run states."))


def sampling(e: Evidence) -> Finding:
    way = line("The bound assumes ", code(e.assumed_way), " batches. ")
    if e.execution is not None and e.executed_way is not None:
        match: Match = "differs" if e.attested_way == "differs" else e.executed_way
        order = line("The order was ", code(e.execution["order"]), *recorded(e), ".")
        return Finding("evidenced", line(*_mark(match), *way, *order), _tone(match))
    answer = e.attested("sampling")
    if answer is not None and e.attested_way is not None:
        return Finding("attested", line(*_mark(e.attested_way), *way, *quoted(answer)), _tone(e.attested_way))
    assumption = assumed(e, "sampling", "sampling", "batches:")
    return Finding(assumption.status, line(*way, *assumption.line), assumption.tone)


def _mark(match: Match) -> Line:
    if match == "same":
        return ()
    return marked("Differs") if match == "differs" else marked("Cannot be compared", "warning")


def _tone(match: Match) -> Tone:
    tones: dict[Match, Tone] = {"same": "plain", "differs": "bad", "unclear": "warning"}
    return tones[match]


def earlier_releases(e: Evidence) -> Finding:
    if not e.others:
        return denial(e, "earlier_releases", "The budget counts no other release.")
    listed = [f"{other['text'] or 'without a name'}, μ = " for other in e.others]
    shown = [part for text, other in zip(listed, e.others, strict=True) for part in ("; ", text, number(other["mu"]))]
    counts = f"The budget counts {len(e.others)} other {counted(len(e.others), 'release')}: "
    return Finding("computed", line(counts, *shown[1:], ". Whether there are more it cannot tell."))


def tuning(e: Evidence) -> Finding:
    return denial(e, "tuning")


def start(e: Evidence) -> Finding:
    return assumed(e, "start", "starts")


# --- implementation ---------------------------------------------------------------------------------------------------


NO_EXECUTION = line("The certificate records no execution. ")


def execution(e: Evidence) -> Finding:
    if e.execution is None:
        return answered(e, "execution", NO_EXECUTION)
    phases = [
        f"{phase['kind']} {phase['epochs']} {_epochs(phase)} on {phase['device']}" for phase in e.execution["phases"]
    ]
    versions = sorted({f"{k} {v}" for phase in e.execution["phases"] for k, v in phase["versions"].items()})
    parts = [
        "Phases and requests agree with the run: ",
        "; ".join(phases),
        ". Software: ",
        ", ".join(versions) or "not named",
    ]
    return Finding("evidenced", line(*parts, *recorded(e), "."))


def _epochs(phase: dict[str, str]) -> str:
    return counted(int(phase["epochs"]), "epoch")


def randomness(e: Evidence) -> Finding:
    if e.execution is None:
        return assumed(e, "randomness", "gaussian_noise", "noisy_sums")
    if e.execution["noise"] == "reproducible":
        consequence = "the noise can be drawn again; no privacy claim holds for this model"
        return Finding("evidenced", line(*marked("No"), consequence, *recorded(e), "."), "bad")
    return Finding("evidenced", line("The noise was drawn in secret", *recorded(e), "."))


def floating_point(e: Evidence) -> Finding:
    if e.rounding == "violated":
        text = "what rounding adds to μ is more than a hundredth of what the target allows"
        return Finding("computed", line(*marked("No"), _numbers(e), text, ", or may be."), "bad")
    if e.executed is not None and e.attested("floating_point") is None:
        if e.executed_misses:
            text = "with its rounding the executed run is not shown to meet the target."
            return Finding("computed", line(*marked("No"), text), "bad")
        text = "Its rounding counted, and how close its drawn noise is to an exact Gaussian, the executed run has ε ≤ "
        bound_of_it = (number(e.executed["epsilon"]), " at δ = ", number(e.executed["delta"]), ".")
        return Finding("computed", line(text, *bound_of_it))
    if e.rounding == "proved" and e.attested("floating_point") is None:
        text = (
            "rounding adds at most a hundredth of the μ that the target allows, on top of what is proved. How close "
            "the drawn noise is to an exact Gaussian is not computed."
        )
        return Finding("computed", line(_numbers(e), text))
    return assumed(e, "floating_point", "gaussian_noise", "noisy_sums", ROUNDING)


def _numbers(e: Evidence) -> str:
    numbers = e.run["execution"]
    return f"In {numbers['dtype']}, {numbers['dimension']} coordinates up to {numbers['largest_coordinate']}: "


def audit(e: Evidence) -> Finding:
    if e.execution is None or not e.execution["audits"]:
        return answered(e, "audit", line("The certificate holds no audit. "))
    count = len(e.execution["audits"])
    return Finding("evidenced", line(f"{count} {counted(count, 'audit')} in the certificate", *recorded(e), "."))


# --- governance -------------------------------------------------------------------------------------------------------


def responsible(e: Evidence) -> Finding:
    unread = line(" Not shown, as of no known form: attest.", ", attest.".join(e.unread), ".") if e.unread else ()
    if e.general is None:
        nobody = "Nobody is named who answers for the assumptions that are marked attested."
        return Finding("not assessed", line(nobody, *unread), "muted")
    return Finding("attested", line(*quoted(e.general), *unread))


def signatures(e: Evidence) -> Finding:
    report = e.reading.report
    if report.signers:
        keys = several([code(keyid) for keyid in report.signers])
        given = f"Signed with {len(report.signers)} of the keys that the reader gave: "
        return Finding("computed", line(given, *keys, f"; {report.threshold} needed."))
    if report.signatures:
        many = f"{report.signatures} {counted(report.signatures, 'signature')}"
        return Finding("computed", line(f"It carries {many}; the reader gave no key, so none was checked."), "warning")
    return Finding("computed", line(*marked("Unsigned", "warning"), "nobody vouches for the run."), "warning")


def freshness(e: Evidence) -> Finding:
    report = e.reading.report
    created = line("Created ", number(report.created))
    if report.expires is None:
        return Finding("computed", line(*created, "; it names no day on which it expires."))
    expires = number(report.expires)
    if e.expiry == "passed":
        return Finding("computed", line(*marked("Expired"), *created, ", expired ", expires, "."), "bad")
    return Finding("computed", line(*created, ", expires ", expires, "."), "warning" if e.expiry == "near" else "plain")


# --- unlearning -------------------------------------------------------------------------------------------------------

REFERENCES = {
    "retrain": "with one that was trained for as many epochs in all, with the same start and the same batches",
    "retrain-T": "with one that was trained for the learning epochs alone, with the same batches",
    "stationary": "with the distribution that training without end tends to, with the same batches",
}


def reference(e: Evidence) -> Finding:
    chosen = e.run["threat"]["reference"]
    return Finding(
        "computed",
        line(REFERENCES[chosen].capitalize(), ", never on the records of the requests (", code(chosen), ")."),
    )


def adaptive_requests(e: Evidence) -> Finding:
    if "chosen" in e.run["requests"]:
        text = "The bound is for requests that may be chosen from the released models, about records fixed in advance."
        return Finding("computed", line(text))
    return denial(e, "adaptive_requests", "The bound is for requests that do not depend on any released model.")


def earlier_models(e: Evidence) -> Finding:
    counts = "The bound covers the last model alone."
    if e.run["threat"].get("release") == "all":
        counts = "The bound covers the models after learning and after every request together."
    return denial(e, "earlier_models", counts)


def saved_state(e: Evidence) -> Finding:
    return denial(e, "saved_state")


def capacity(e: Evidence) -> Finding:
    rows = [(r["size"], r["epochs"], r["epsilon"]) for r in e.predicate["requests"]]
    parts: list[Inline | str] = []
    for i, (size, epochs, upper) in enumerate(rows, 1):
        parts += ["; " if parts else "", f"request {i}: {size} {counted(int(size), 'record')}, "]
        parts += [f"{epochs} {counted(int(epochs), 'epoch')}, ε ≤ ", number(upper)]
    done = e.execution["erasures"] if e.execution is not None else ()
    if not done:
        return Finding("computed", line("It covers ", *parts, ". Removing more is outside of it."))
    last = done[-1]
    honoured = line(f". Honoured so far: {len(done)} {counted(len(done), 'request')}, ", number(last["cumulative"]))
    return Finding(
        "evidenced", line("It covers ", *parts, *honoured, " of ", number(last["cap"]), " records", *recorded(e), ".")
    )


NO_REQUEST = line("The certificate records no honoured request. ")


def forget_set(e: Evidence) -> Finding:
    done = e.execution["erasures"] if e.execution is not None else ()
    if not done:
        return answered(e, "forget_set", NO_REQUEST)
    rows = [
        part
        for entry in done
        for part in (
            "; ",
            f"request {entry['request']}, scope “{entry['scope']}”: ",
            code(entry["commitment"]["value"]),
        )
    ]
    shown = line("Which records were removed is fixed by keyed commitments: ", *rows[1:], ". ")
    if e.attested("forget_set") is None:
        return Finding(
            "evidenced", line(*shown, "That these are all that was asked for, nobody has attested."), "warning"
        )
    return Finding("evidenced", shown)


def sign_off(e: Evidence) -> Finding:
    done = e.execution["erasures"] if e.execution is not None else ()
    if not any(entry["sign_off"] for entry in done):
        return answered(e, "sign_off", line("No sign-off is in the certificate. "))
    parts: list[Inline | str] = []
    for entry in done:
        off = entry["sign_off"]
        by = f"{off['name']}, {off['role']}, on {off['date']}: “{off['text']}”" if off else "nobody"
        parts += ["; " if parts else "", f"request {entry['request']}: {by}"]
    whole = all(entry["sign_off"] for entry in done)
    return Finding("attested", line(*parts, "."), "plain" if whole else "warning")


_ANSWERS = (
    *(definition, epsilon, delta, observer, tightness),
    *(
        derivation,
        properties,
        constants,
        data_bounds,
        sensitivity,
        normaliser,
        sampling,
        earlier_releases,
        tuning,
        start,
    ),
    *(execution, randomness, floating_point, audit, responsible, signatures, freshness),
    *(reference, adaptive_requests, earlier_models, saved_state, capacity, forget_set, sign_off),
)
FOUND: dict[str, Callable[[Evidence], Finding]] = {answer.__name__: answer for answer in _ANSWERS}
