"""The page docs/policy.md, whose tables are drawn from `certify.gating.policy`; `docs/generate.py` writes it."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel

from certify.gating.policy import TABLES

INTRODUCTION = """
`plumbline gate POLICY.toml CERT…` verifies each certificate, as `plumbline verify` does, and then holds it to a
policy. Every rule that is violated is a line of its own: the file, the rule, what the certificate has, and the limit.
`--format junit` gives one test suite for each certificate and one test case for each rule, `--format json` the same
as one object; `--date` judges expiry and age by another day than today. A certificate that was created after that day
passes no policy.

Exit codes: **0** all pass · **4** some digest or signature does not match · else **2** some certificate, or the
policy, is malformed · else **1** some rule is violated, some claim does not follow, or some certificate has expired.
An erasure record is no certificate, and malformed here.

A policy is TOML, read as strictly as a run file: numbers are exact, and an unknown key, an unknown assumption or a
value out of range is refused in one line that names the key, the value and the fix (exit 2). Every table and every
key is optional, except `keys` in `[signatures]`; a key with several values takes one value too.
`examples/policy.toml` is one to start from.
"""

BY_ID = """
Further keys of this table are ids of assumptions, those of [the certificate](certificate.md), each with the statuses
that this assumption may have instead of `allowed`: `convexity = ["proved"]`, or `"release:final" = ["attested"]`.
Only there may `"violated"` stand: the run does not have this, and no step of the proof rests on it. A certificate
need not make an assumption that is named. `noise_above_rounding` may not be `"violated"` there either: such a
certificate is INDETERMINATE, and passes no policy. Where it is proved, `limits.max_epsilon` is held against the target
of the run as well: rounding, which the proved bound does not count, is known to be little beside that.
"""

OF_TRAINING = """
Only certificates of training runs state both. Any other certificate, and one that claims nothing of the kind (its
guarantee is null), does not meet these limits. `limits.max_epsilon` is about the neighbours of the run, whichever these
are.
"""

REVOKED = """
`not_revoked` asks the [ledgers](ledger.md) at the time of the gate. A certificate and the same one with an expiry date
are revoked together. A ledger that is away, or whose chain of hashes is broken, lets nothing pass (exit 2 and 4).
"""

WARNINGS = """
Both are about the report of the certificate as of the gate's day: `max_warnings` counts every warning of its first page
(that nobody signed it, or that no `[signatures]` asks who did, is one), and prints their names.
"""

IN_CI = """
## In continuous integration

`action.yml` in the repository's root is a composite GitHub Action; `.pre-commit-hooks.yaml` has a hook for pre-commit
that looks at every `certificate.json` that is committed. Both need Python 3.11 or later.

```yaml
- uses: OWNER/REPOSITORY@COMMIT
  with:
    policy: policy.toml
    certificates: |
      models/**/certificate.json
    format: junit
    output: junit.xml
```

```yaml
repos:
  - repo: ADDRESS OF THE REPOSITORY
    rev: COMMIT
    hooks:
      - id: plumbline-gate
        args: [policy.toml]
```

A pattern that matches no file is a failure (exit 2): nothing passes because it was not found. A pattern does not look
into folders whose names begin with a dot. A change of the policy alone does not wake the hook;
`pre-commit run --all-files` looks at all certificates.
"""


def policy_page(keys: Callable[[str, tuple[type[BaseModel], ...], str, str], list[str]], notice: str) -> str:
    """The page. `keys` draws the section of one table, `notice` says that the page is drawn."""
    lines = ["# The policy of a gate", "", notice, INTRODUCTION]
    lines += ["Tables: " + ", ".join(f"[`[{name}]`](#{name})" for name in TABLES) + ".", ""]
    notes = {"assumptions": BY_ID, "guarantees": OF_TRAINING, "freshness": REVOKED, "report": WARNINGS}
    for name, choices in TABLES.items():
        lines += keys(name, choices, "##", "")
        lines += [notes[name].lstrip("\n")] if name in notes else []
    return "\n".join(lines).rstrip() + "\n" + IN_CI
