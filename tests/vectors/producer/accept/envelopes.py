"""What is accepted beside the statements of certificates."""

from __future__ import annotations

from collections.abc import Callable

from tests.vectors.producer.envelopes import seal, signed
from tests.vectors.producer.executed import record_of
from tests.vectors.producer.table import accepted

# fmt: off

SEALED: dict[str, Callable[[], bytes]] = {  # accepted too; envelopes, and not the statements of certificates
    "signed_once": lambda: signed(seal(accepted("executed")), "a"),
    "signed_twice": lambda: signed(seal(accepted("executed")), "a", "b"),
    "erasure_record": lambda: seal(record_of(accepted("executed"))),
    "erasure_record_first_of_two": lambda: seal(record_of(accepted("executed_two_of_two"))),
    "erasure_record_of_the_last_request_alone": lambda: seal(record_of(accepted("executed_last_request_alone"), 3)),
    "signed_erasure_record": lambda: signed(seal(record_of(accepted("executed"))), "b"),
}
