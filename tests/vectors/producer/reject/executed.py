"""Executions that do not agree with their run."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

from tests.vectors.producer.envelopes import envelope, seal, signature, signed
from tests.vectors.producer.executed import record_of
from tests.vectors.producer.numbers import Json
from tests.vectors.producer.reject.figures import rejected_figures
from tests.vectors.producer.table import accepted

# fmt: off

def rejected_executed(raw: Callable, edited: Callable, put: Callable) -> None:
    """What was run, figures, dates, envelopes with signatures, and erasure records."""
    base, two = accepted("executed"), accepted("executed_two_of_two")
    every, hidden, trained = (accepted(f"executed_{name}") for name in ("release_all", "secret", "training"))
    again, bounded = accepted("executed_reproducible"), accepted("executed_reference_of_T")

    def restated(name: str, code: int, message: str, edit: Callable[[Json], Any], of: Json = base) -> None:
        changed = copy.deepcopy(of)
        edit(changed)
        raw(name, seal(changed), code, message)

    def drop(*path: Json) -> Callable[[Json], None]:
        def edit(node: Json) -> None:
            for key in path[:-1]:
                node = node[key]
            del node[path[-1]]

        return edit

    # 2 envelope
    sealed = seal(base)
    payload = base64.b64decode(json.loads(sealed)["payload"])
    entry = signature(payload, "a")
    sig = entry["sig"]
    other = sig[:-3] + chr(ord(sig[-3]) + 1) + "=="  # the same 64 bytes, other spare bits
    for name, message, changes in (
        ("of_63_bytes", "64 bytes", {"sig": base64.b64encode(base64.b64decode(sig)[:63]).decode()}),
        ("of_65_bytes", "64 bytes", {"sig": base64.b64encode(base64.b64decode(sig) + b"x").decode()}),
        ("base64_not_canonical", "padded base64", {"sig": other}),
        ("base64_unpadded", "padded base64", {"sig": sig[:-2]}),
        ("base64_with_newline", "padded base64", {"sig": sig + "\n"}),
        ("keyid_upper_case", "lower-case", {"keyid": entry["keyid"].upper()}),
        ("keyid_short", "keyid: needs 64", {"keyid": entry["keyid"][:-1]}),
        ("unknown_key", "unknown key", {"cert": "x"}),
    ):
        raw(f"signature_{name}", envelope(payload, signatures=[entry | changes]), 2, message)
    raw("signature_without_keyid", envelope(payload, signatures=[{"sig": sig}]), 2, "missing key")
    raw("signature_bare", envelope(payload, signatures=[sig]), 2, "needs an object")
    raw("signatures_too_many", envelope(payload, signatures=[entry] * 33), 2, "more than 32")
    raw("signed_payload_altered", signed(sealed, "a").replace(
        base64.b64encode(payload), base64.b64encode(payload + b" ")), 4, "digest")
    raw("signed_digest_missing", json.dumps({k: v for k, v in json.loads(signed(sealed, "a")).items() if k != "digest"}
                                            ).encode(), 2, "missing key")
    # 3 types
    for name, code, message, edit in (
        ("expires_no_such_day", 2, "no such time", put("expires", "2027-02-30T00:00:00Z")),
        ("expires_no_such_hour", 2, "no such time", put("expires", "2027-02-28T24:00:00Z")),
        ("expires_in_another_zone", 2, "needs a time", put("expires", "2027-02-28T00:00:00+01:00")),
        ("expires_on_a_day", 2, "needs a time", put("expires", "2027-02-28")),
        ("expires_null", 2, "needs a time", put("expires", None)),
        ("figures_null", 2, "needs an object", put("figures", None)),
        ("figures_unknown_key", 2, "unknown key", put("figures", "extra", [])),
        ("figures_without_sweep", 2, "missing key", drop("figures", "sweep")),
        ("figures_lists_of_different_length", 2, "as many entries", put("figures", "profile", "upper", ["0.2", "0.1"])),
        ("figures_lower_shorter", 2, "as many entries", put("figures", "profile", "lower", [None, None])),
        ("figures_sweep_of_different_length", 2, "as many entries", put("figures", "sweep", "values", ["1", "2"])),
        ("figures_published_shorter", 2, "as many entries", put("figures", "sweep", "published", [])),
        ("figures_epsilon_descends", 2, "ascending", put("figures", "profile", "epsilon", ["0", "1", "0.5", "2", "3"])),
        ("figures_epsilon_repeated", 2, "ascending", put("figures", "profile", "epsilon", ["0", "1", "1", "2", "3"])),
        ("figures_of_one_point", 2, "at least two", put("figures", "profile", {
            "epsilon": ["1"], "upper": ["0.1"], "lower": [None]})),
        ("figures_of_no_point", 2, "from 1 to 200", put("figures", "profile", {
            "epsilon": [], "upper": [], "lower": []})),
        ("figures_of_201_points", 2, "from 1 to 200", put("figures", "profile", {
            "epsilon": [str(i) for i in range(201)], "upper": ["0"] * 201, "lower": [None] * 201})),
        ("figures_without_upper", 2, "needs a decimal", put("figures", "profile", "upper", 1, None)),
        ("figures_bare_number", 2, "bare number", put("figures", "profile", "upper", 1, 0)),
        ("figures_of_text", 2, "needs a decimal", put("figures", "sweep", "upper", 1, "<b>0</b>")),
        ("figures_of_another_parameter", 2, "needs one of", put("figures", "sweep", "parameter", "noise_std")),
        ("figures_of_another_name", 2, "needs one of", put("figures", "sweep", "published_name", "somebody")),
        ("figures_of_half_an_epoch", 2, "needs an integer", put("figures", "sweep", "values", 0, "0.5")),
        ("figures_published_markup", 2, "needs a name", put("figures", "published", "<b>", {"epsilon": "1"})),
        ("figures_published_more", 2, "unknown key", put("figures", "published", "x", {"epsilon": "1", "mu": "1"})),
        ("execution_unknown_key", 2, "unknown key", put("execution", "extra", "1")),
        ("execution_with_audits", 2, "needs a list of 0", put("execution", "audits", ["passed"])),
        ("execution_bare_integer", 2, "bare number", put("execution", "phases", 0, "epochs", 4)),
        ("execution_noise_unknown", 2, "needs one of", put("execution", "noise", "quiet")),
        ("execution_seed_told", 2, "unknown key", put("execution", "phases", 0, "seed", "3")),
        ("execution_phase_unknown", 2, "needs one of", put("execution", "phases", 0, "kind", "forget")),
        ("execution_no_such_day", 2, "no such time", put("execution", "phases", 0, "started", "2027-02-30T00:00:00Z")),
        ("erasure_commitment_without_key", 2, "needs one of",
         put("execution", "erasures", 0, "commitment", "algorithm", "SHA-256")),
        ("erasure_commitment_short", 2, "64 lower-case", put("execution", "erasures", 0, "commitment", "value", "ab")),
        ("erasure_no_such_day", 2, "no such time", put("execution", "erasures", 0, "received", "2027-02-29T00:00:00Z")),
        ("sign_off_no_such_day", 2, "no such time", put("execution", "erasures", 0, "sign_off", "date", "2027-02-30")),
        ("sign_off_of_nobody", 2, "missing key", drop("execution", "erasures", 0, "sign_off", "name")),
        # 6 recomputation
        ("phases_of_another_run", 1, "phases[0].epochs", put("execution", "phases", 0, "epochs", "5")),
        ("phase_of_fewer_steps", 1, "phases[1].steps", put("execution", "phases", 1, "steps", "2")),
        ("phase_unlearns_for_longer", 1, "phases[1].epochs", put("execution", "phases", 1, "epochs", "2")),
        ("phase_erases_in_learning", 1, "phases[0].erased", put("execution", "phases", 0, "erased", "1")),
        ("phase_erases_more", 1, "phases[1].erased", put("execution", "phases", 1, "erased", "2")),
        ("phase_left_out", 1, "imply 2", drop("execution", "phases", 1)),
        ("phases_reversed", 1, "phases[0].kind", lambda p: p["execution"]["phases"].reverse()),
        ("phases_of_nothing", 1, "imply 2", put("execution", "phases", [])),
        ("phase_without_erasure", 1, "imply 1", put("execution", "erasures", [])),
        ("phase_ends_before_it_starts", 1, "ends before", put("execution", "phases", 0, "started",
                                                              "2026-11-20T10:30:01Z")),
        ("erasure_ends_before_it_starts", 1, "finished before", put("execution", "erasures", 0, "finished",
                                                                    "2026-11-20T10:59:59Z")),
        ("erasure_of_more_records", 1, "records: the run allows 1", lambda p: p["execution"]["erasures"][0].update(
            records="2", cumulative="2", cap="2")),
        ("erasure_of_no_record", 1, "1 <= records", put("execution", "erasures", 0, "records", "0")),
        ("erasure_of_another_number", 1, "request: not what", put("execution", "erasures", 0, "request", "2")),
        ("erasure_number_zero", 1, "counted from 1", put("execution", "erasures", 0, "request", "0")),
        ("erasure_cumulative_above_cap", 1, "above the cap", put("execution", "erasures", 0, "cumulative", "2")),
        ("erasure_of_another_cap", 1, "cap: not what", put("execution", "erasures", 0, "cap", "5")),
        ("erasure_of_another_epsilon", 1, "guarantee.epsilon", put(
            "execution", "erasures", 0, "guarantee", "epsilon", "0.1")),
        ("erasure_of_another_delta", 1, "guarantee: not what", put(
            "execution", "erasures", 0, "guarantee", "delta", "0.000001")),
        ("erasure_of_another_reference", 1, "guarantee: not what", put(
            "execution", "erasures", 0, "guarantee", "reference", "stationary")),
        ("erasure_of_other_neighbours", 1, "guarantee: not what", put(
            "execution", "erasures", 0, "guarantee", "neighbours", "remove-one")),
        ("erasure_shows_the_learned_model", 1, "a plain digest", put(
            "execution", "erasures", 0, "model_before", "algorithm", "SHA-256")),
        ("erasure_at_another_time", 1, "finished: not that of its phase", put(
            "execution", "erasures", 0, "finished", "2026-11-20T11:30:01Z")),
        ("erasure_before_the_request", 1, "before it was received", put(
            "execution", "erasures", 0, "received", "2026-11-20T11:00:01Z")),
        ("erasure_without_id", 1, "id: is empty", put("execution", "erasures", 0, "id", " ")),
        ("phases_overlap", 1, "before the phase before it ends", put(
            "execution", "phases", 1, "started", "2026-11-20T10:29:59Z")),
        ("created_before_the_run_ended", 1, "before the run that it tells of ended", put(
            "created", "2026-11-20T11:29:59Z")),
        ("profile_rises", 2, "does not rise", put("figures", "profile", "upper", 1, "0.9")),
        ("profile_crosses", 2, "lies above the upper", put("figures", "profile", "lower", 0, "0.9")),
        ("sweep_crosses", 2, "lies above the upper", put("figures", "sweep", "lower", 1, "9")),
        ("sweep_descends", 2, "must ascend", put("figures", "sweep", "values", ["1", "4", "2"])),
        # 8 expiry
        ("expired", 1, "expired on 2026-11-21T22:00:01Z", put("expires", "2026-11-21T22:00:01Z")),
        ("expires_before_created", 1, "not after created", put("expires", "2026-11-21T21:59:59Z")),
        ("expires_when_created", 1, "not after created", put("expires", "2026-11-21T22:00:00Z")),
    ):
        edited(name, code, message, edit, base)
    for name, message, edit, of in (
        ("erasures_more_than_requests", "has 1 requests", lambda p: p["execution"]["erasures"].append(
            p["execution"]["erasures"][0]), base),
        ("erasure_shows_a_model_between", "a plain digest", lambda p: [
            p["execution"]["erasures"][i][key].update(algorithm="SHA-256")
            for i, key in ((0, "model_after"), (1, "model_before"))], two),
        ("erasure_of_another_model", "not the model after", put(
            "execution", "erasures", 1, "model_before", "value", "0" * 64), two),
        ("erasures_released_do_not_follow", "not the model after", put(
            "execution", "erasures", 1, "model_before", "value", "0" * 64), every),
        ("erasures_of_one_id", "an id is given twice", put("execution", "erasures", 1, "id", "request-1"), two),
        ("erasures_reversed", "records: the run allows 1", lambda p: p["execution"]["erasures"].reverse(), every),
        ("erasure_cumulative_of_one", "cumulative: not what", put("execution", "erasures", 1, "cumulative", "1"), two),
        ("execution_order_not_secret", "secret batch order", put("execution", "order", "given"), hidden),
        ("retrained_for_fewer_epochs", "phases[2].epochs", put("execution", "phases", 2, "epochs", "4"), again),
        ("retrained_on_all_data", "phases[2].erased", put("execution", "phases", 2, "erased", "0"), again),
        ("retrained_twice", "imply 3", lambda p: p["execution"]["phases"].append(
            p["execution"]["phases"][2]), again),
        ("retrained_for_longer_than_T", "phases[2].epochs", put("execution", "phases", 2, "epochs", "5"), bounded),
        ("training_executed_for_more_steps", "phases[0].steps", put("execution", "phases", 0, "steps", "17"), trained),
        ("training_executed_twice", "imply 1", lambda p: p["execution"]["phases"].append(
            p["execution"]["phases"][0]), trained),
        ("training_executed_with_requests", "has no requests", put(
            "execution", "erasures", base["predicate"]["execution"]["erasures"]), trained),
        ("training_executed_by_nobody", "imply 1", put("execution", "phases", []), trained),
    ):
        edited(name, 1, message, edit, of)
    rejected_figures(edited, put)
    seen, plain = accepted("executed_with_clipping_seen"), accepted("executed_one_of_two")

    def called(name: str, status: str) -> Callable[[Json], None]:
        return lambda p: [a.update(status=status) for a in p["assumptions"] if a["id"] == name]

    for name, code, message, edit, of in (
        ("clipping_checked_by_nobody", 1, "assumptions: not what", drop("execution", "clipping"), seen),
        ("clipping_checked_without_execution", 1, "assumptions: not what",
         called("per_record_clipping", "checked"), accepted("figures_of_learning")),
        ("clipping_seen_and_attested", 1, "assumptions: not what", called("per_record_clipping", "attested"), seen),
        ("clipping_seen_and_proved", 1, "assumptions: not what", called("per_record_clipping", "proved"), seen),
        ("clipping_seen_where_there_is_none", 1, "does not clip each record",
         put("execution", "clipping", "per-record"), plain),
        ("clipping_seen_of_training", 1, "does not clip each record",
         put("execution", "clipping", "per-record"), trained),
        ("clipping_seen_of_batches", 2, "needs one of", put("execution", "clipping", "batch"), seen),
        ("noise_checked", 1, "assumptions: not what", called("gaussian_noise", "checked"), seen),
    ):
        edited(name, code, message, edit, of)
    # subjects
    for name, code, message, edit in (
        ("execution_without_model", 1, "model and execution", drop("subject", 1)),
        ("execution_without_run_record", 1, "run_record and execution", drop("subject", 2)),
        ("execution_without_files", 1, "model and execution", lambda s: s.update(subject=s["subject"][:1])),
        ("model_without_execution", 1, "model and execution", drop("predicate", "execution")),
        ("subjects_in_another_order", 2, "in this order", lambda s: s.update(
            subject=[s["subject"][i] for i in (0, 2, 1)])),
        ("subject_twice", 2, "in this order", lambda s: s["subject"].insert(1, s["subject"][1])),
        ("subject_unknown", 2, "in this order", put("subject", 1, "name", "weights")),
        ("subject_of_no_digest", 2, "64 lower-case", put("subject", 1, "digest", "sha256", "0" * 63)),
    ):
        restated(name, code, message, edit)
    # erasure records
    record = record_of(base)
    raw("record_of_another_payload", seal(record).replace(
        json.loads(seal(record))["digest"]["sha256"].encode(), b"0" * 64), 4, "digest")
    for name, code, message, edit in (
        ("unknown_key", 2, "unknown key", put("predicate", "expires", "2027-11-22T00:00:00Z")),
        ("unknown_key_in_erasure", 2, "unknown key", put("predicate", "erasure", "name", "A. Müller")),
        ("with_a_claim", 2, "unknown key", put("predicate", "verdict", "CERTIFIED")),
        ("called_a_certificate", 2, "payload.subject", put("predicateType", "urn:plumbline-dp:certificate:v2")),
        ("of_another_type", 2, "needs one of", put("predicateType", "urn:plumbline-dp:erasure:v3")),
        ("without_certificate", 2, "needs certificate, run", drop("subject", 0)),
        ("without_run", 2, "needs certificate, run", drop("subject", 1)),
        ("with_more_subjects", 2, "needs certificate, run", lambda s: s["subject"].append(s["subject"][2])),
        ("of_no_such_day", 2, "no such time", put("predicate", "created", "2027-02-30T00:00:00Z")),
        ("cumulative_above_cap", 1, "above the cap", put("predicate", "erasure", "cumulative", "2")),
        ("received_late", 1, "before it was received", put("predicate", "erasure", "received", "2026-11-20T11:00:01Z")),
        ("noise_unknown", 2, "noise", put("predicate", "noise", "white")),
        ("ends_before_it_starts", 1, "finished before", put("predicate", "erasure", "started", "2026-11-20T11:30:01Z")),
    ):
        restated(f"record_{name}", code, message, edit, record)
    restated("record_of_the_first_format", 2, "erasure:v1 is an earlier format; plumbline-dp 0.1 reads it",
             put("predicateType", "urn:plumbline-dp:erasure:v1"), record)
    restated("certificate_of_the_first_format", 2, "certificate:v1 is an earlier format; plumbline-dp 0.1 reads it",
             put("predicateType", "urn:plumbline-dp:certificate:v1"))
    restated("certificate_called_a_record", 2, "needs certificate, run",
             put("predicateType", "urn:plumbline-dp:erasure:v2"))
