"""An index page to look at: a model of each standing."""

from __future__ import annotations

from datetime import date

from certify.ledger.revocation import Revocation
from certify.ledger.rows import Head
from certify.ledger.summary import Summary, due
from certify.report.html import IndexPage
from certify.report.index import compose

ON = date(2026, 12, 1)


def summary(number: int, **changes: object) -> Summary:
    values: dict[str, object] = {
        "model": f"{number}1111111-1111-4111-8111-111111111111",
        "name": f"churn {number}",
        "owner": "Risk team",
        "purpose": "which contracts end",
        "version": "3",
        "claim": "(1.06041551230, 0.00001)-DP, unlearning against retrain, replace-one",
        "verdict": "CERTIFIED",
        "digest": f"{number}" * 64,
        "theorems": ("T1", "T2"),
        "honoured": 2,
        "erased": 3,
        "left": 7,
        "released": 1,
        "expires": None,
        "revoked": None,
        "experiment": False,
        "created": "2026-11-01T08:00:00Z",
        "last": "2026-11-20T08:00:00Z",
        "rows": 6,
    }
    return Summary(**(values | changes))  # type: ignore[arg-type]


def summaries(text: str) -> tuple[Summary, ...]:
    """`text`: somebody's words, which stand wherever words of others can."""
    nothing = dict.fromkeys(("name", "owner", "purpose", "version", "claim", "verdict", "digest", "left"))
    return (
        summary(1),
        summary(2, name=text, owner=text, purpose=text, version=text),
        summary(3, revoked=Revocation(9, "3", "3" * 64, "2026-11-30T10:00:00Z", text)),
        summary(4, expires="2026-12-24T00:00:00Z", theorems=("T1", "T99")),
        summary(5, expires="2026-12-01T00:00:00Z"),
        summary(6, experiment=True),
        summary(7, **nothing, theorems=()),
    )


def index_page(text: str) -> IndexPage:
    models = summaries(text)
    return compose("postgresql://risk@db/ledger", Head(42, "ab" * 32), models, due(models, ON), ON)
