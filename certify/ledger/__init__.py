"""The ledger: an append-only table of what was learned, asked for, erased and released, one chain of hashes.

    ledger = Ledger.open(where, create=False)     where: state folder, .sqlite file, or URL of a database
    with ledger.transaction(model) as turn:       one caller at a time
        turn.rows, turn.head                      this model's rows, whose hashes were checked
        turn.append(kind, payload)                counts when the block ends, all of it or nothing
    ledger.rows(model); ledger.models(); ledger.verify()

What the rows hold is in payloads.py, how they are chained in rows.py, what the databases do in databases/.
docs/ledger.md says what it guarantees. SQLAlchemy (extra `ledger`) is loaded when a ledger is opened.
"""

from certify.ledger.ledger import Ledger
from certify.ledger.report import LedgerReport
from certify.ledger.rows import Head, Row
from certify.ledger.turn import Turn

__all__ = ["Head", "Ledger", "LedgerReport", "Row", "Turn"]
