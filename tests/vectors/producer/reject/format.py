"""Bytes that are no certificate: size, envelope, types, subject."""

from __future__ import annotations

import base64
import copy

from tests.vectors.producer.envelopes import envelope, seal
from tests.vectors.producer.reject.cases import Cases, put

# fmt: off

def malformed(made: Cases) -> None:
    raw, edited, find, at = made.raw, made.edited, made.find, made.at
    base, sealed, payload = made.base, made.sealed, made.payload
    # 1 size
    raw("huge_file", b" " * (16 * 2**20 + 1), 2, "bytes")  # made by the test, not stored
    raw("deep_nesting", b"[" * 3000 + b"]" * 3000, 2, "nested")
    raw("empty", b"", 2, "not valid JSON")
    raw("truncated", sealed[: len(sealed) // 2], 2, "not valid JSON")
    raw("not_utf8", sealed.replace(b"in-toto", b"in-t\xff"), 2, "UTF-8")
    none = b'"signatures": []'
    raw("duplicate_keys", sealed.replace(none, none + b", " + none), 2, "duplicate key")
    raw("huge_integer", sealed.replace(none, b'"signatures": [' + b"9" * 10_000 + b"]"), 2, "bare number")
    raw("bare_nan", sealed.replace(none, b'"signatures": [NaN]'), 2, "bare number")
    raw("two_documents", sealed + sealed, 2, "not valid JSON")
    # 2 envelope
    raw("not_an_envelope", b"[]\n", 2, "needs an object")
    raw("unknown_key_in_envelope", envelope(payload, note="x"), 2, "unknown key")
    raw("digest_missing", sealed.replace(b'"digest"', b'"digesd"'), 2, "key")
    raw("signed", envelope(payload, signatures=[{"keyid": "k", "sig": "AAAA"}]), 2, "keyid: needs 64")
    raw("payload_type_unknown", envelope(payload, payloadType="text/plain"), 4, "payloadType")
    raw("payload_not_base64", envelope(payload, payload="!" * 8), 4, "base64")
    raw("payload_base64_with_newline", envelope(payload, payload=base64.encodebytes(payload).decode()), 4, "base64")
    raw("payload_altered", envelope(payload, payload=base64.b64encode(payload + b" ").decode()), 4, "digest")
    # 3 types
    raw("payload_not_json", envelope(b"{"), 2, "not valid JSON")
    raw("payload_not_utf8", envelope(b'"\xff"'), 2, "UTF-8")
    raw("payload_deep_nesting", envelope(b"[" * 5000 + b"]" * 5000), 2, "nested")
    raw("payload_duplicate_keys", envelope(payload.replace(b'"verdict"', b'"created"')), 2, "duplicate key")
    raw("payload_bare_number", envelope(payload.replace(b'"samples": "30"', b'"samples": 30')), 2, "bare number")
    raw("payload_infinity", envelope(payload.replace(b'"samples": "30"', b'"samples": Infinity')), 2, "bare number")
    raw("payload_bare_huge_number", envelope(payload.replace(b'"samples": "30"', b'"samples": 1e999999999')), 2, "bare")
    raw("half_surrogate", envelope(payload.replace(b'"attest": null', b'"attest": "\\ud800"')), 2, "UTF-8")
    edited("premise_bare_index", 2, "bare number", put("proof", "steps", find("T3"), "premises", [3]))
    edited("unknown_theorem_id", 2, "unknown theorem id", put("proof", "steps", 0, "theorem", "T99"))
    edited("unknown_key", 2, "unknown key", put("comment", "trust me"))
    edited("unknown_argument", 2, "unknown key", at("T3", "args", "slack", "1"))
    edited("unknown_mechanism", 2, "needs one of", put("run", "mechanism", "kind", "sgd"))
    edited("batch_order_unknown", 2, "needs one of", put("run", "mechanism", "batch_order", "shuffled"))
    edited("release_unknown", 2, "needs one of", put("run", "threat", "release", "some"))
    edited("reference_unknown", 2, "needs one of", put("run", "threat", "reference", "none"))
    edited("missing_key", 2, "missing key", lambda p: p.pop("assumptions"))
    edited("long_number", 2, "an integer", put("run", "mechanism", "samples", "1" * 401))
    edited("huge_exponent", 2, "a decimal", at("T3", "concludes", "mu", "1e99999"))
    edited("too_many_digits", 2, "fifteen", at("T3", "concludes", "mu", "0.12345678901234567"))
    edited("negative_number", 2, "an exact number", put("run", "mechanism", "noise_std", "-0.5"))
    edited("not_lowest_terms", 2, "canonical", put("run", "target", "delta", "2/6"))
    edited("trailing_zero", 2, "canonical", put("run", "mechanism", "noise_std", "0.50"))
    edited("leading_zero", 2, "an integer", put("run", "mechanism", "samples", "030"))
    edited("exponent_in_the_run", 2, "an exact number", put("run", "mechanism", "noise_std", "5e-1"))
    edited("division_by_zero", 2, "an exact number", put("run", "mechanism", "noise_std", "1/0"))
    edited("foreign_digits", 2, "an integer", put("run", "mechanism", "samples", "٣٠"))
    edited("epsilon_null", 2, "a decimal", put("epsilon", "upper", None))
    edited("epsilon_nan", 2, "a decimal", put("epsilon", "upper", "nan"))
    edited("out_of_reach_text", 2, "needs one of", put("out_of_reach", "false"))
    edited("attest_true", 2, "text, lists and objects", put("run", "attest", {"ok": True}))
    edited("created_never", 2, "no such time", put("created", "2026-02-30T00:00:00Z"))
    edited("producer_control_characters", 2, "a name", put("producer", "name", "x\u001b[2J"))
    edited("requests_without_epochs", 2, "one entry", put("run", "mechanism", "unlearning_epochs", ["1", "1"]))
    edited("no_requests", 2, "one entry", lambda p: p["run"].update(requests={"sizes": []}))
    # 4 subject
    altered = copy.deepcopy(base)
    altered["predicate"]["run"]["attest"] = {"by": "somebody else"}
    raw("run_altered", seal(altered, subject=False), 4, "subject's digest")
