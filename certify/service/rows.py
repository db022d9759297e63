"""Which rows a state has learned from: a keyed fingerprint of each, by its place. Needs no torch.

Without the key a fingerprint shows nothing, and neither does the commitment to a row's id; with it any change of a row
is found, and which row it is. Kept in private/rows.json. HMAC-SHA-256, cut to 128 bits.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from certify.errors import UsageError

SCHEMA = "plumbline-rows/1"
GONE = ""  # in the place of a fingerprint or commitment: of an erased row that is known by nothing any more
_HEX = 32  # digits of a fingerprint
_ROW, _ID = b"plumbline-dp/state/row/v1\0", b"plumbline-dp/state/id/v1\0"


class RowsChanged(UsageError):
    """The data are not those that the state has learned from; names the first row."""


def row_digest(key: bytes, row: bytes) -> str:
    """The keyed fingerprint of a row's canonical bytes."""
    return hmac.digest(key, _ROW + row, "sha256").hex()[:_HEX]


def id_digest(key: bytes, id: str) -> str:
    """The keyed commitment to a row's id."""
    return hmac.digest(key, _ID + id.encode(), "sha256").hex()[:_HEX]


@dataclass(frozen=True)
class Rows:
    """The rows of a state by place.

    fingerprints: of each, keyed. ids: the keyed commitment to each id; None where rows are known by their number.
    erased: the request (from 1) that erased a place.
    """

    fingerprints: tuple[str, ...]
    ids: tuple[str, ...] | None
    erased: Mapping[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.fingerprints)

    @classmethod
    def of(cls, key: bytes, contents: Iterable[bytes], ids: Sequence[str] | None) -> Rows:
        """The rows of a data set: canonical bytes of each, and ids where the data have any."""
        return cls(
            tuple(row_digest(key, row) for row in contents),
            None if ids is None else tuple(id_digest(key, id) for id in ids),
        )

    def to_json(self) -> bytes:
        erased = {str(place): request for place, request in sorted(self.erased.items())}
        content = {"schema": SCHEMA, "fingerprints": list(self.fingerprints), "ids": self.ids, "erased": erased}
        return (json.dumps(content, separators=(",", ":")) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes, where: object) -> Rows:
        """Raises UsageError where the file is damaged."""
        try:
            content = json.loads(data)
            if content["schema"] != SCHEMA:
                raise ValueError(f"schema {content['schema']}")
            ids = content["ids"]
            erased = {int(place): int(request) for place, request in content["erased"].items()}
            return cls(tuple(content["fingerprints"]), None if ids is None else tuple(ids), erased)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise UsageError(f"{where}: is damaged ({problem}); restore it from a back-up") from None

    def erase(self, places: Sequence[int], request: int) -> Rows:
        return replace(self, erased={**self.erased, **dict.fromkeys(places, request)})

    def rekeyed(self, given: Rows, places: Sequence[int]) -> Rows:
        """The same places under another key, from the rows that a file still has; what it lacks was erased, and is not
        known by anything any more.

        Args:
            given: the file's rows under the new key. places: of each of them.
        """
        fingerprints = [GONE] * len(self)
        ids = None if self.ids is None else [GONE] * len(self)
        for row, place in enumerate(places):
            fingerprints[place] = given.fingerprints[row]
            if ids is not None and given.ids is not None:
                ids[place] = given.ids[row]
        return Rows(tuple(fingerprints), None if ids is None else tuple(ids), dict(self.erased))

    def places_of(self, key: bytes, ids: Sequence[str]) -> tuple[int, ...]:
        """The places of the records that a request names.

        Raises:
            UsageError: an id that is not there, is already erased, or is named twice; names it.
        """
        known = None if self.ids is None else {digest: place for place, digest in enumerate(self.ids)}
        places: list[int] = []
        for id in ids:
            if known is None:
                whole = len(id) < 19 and id.isascii() and id.isdigit() and str(int(id)) == id and int(id) < len(self)
                place = int(id) if whole else None
            else:
                place = known.get(id_digest(key, id))
            if place is None:
                fix = f"rows are 0 to {len(self) - 1}" if known is None else "write it as the data's id column has it"
                raise UsageError(f"--records: no record has the id {id!a:.80}; {fix}")
            if place in self.erased:
                raise UsageError(f"--records: {id!a:.80} is already erased, by request {self.erased[place]}")
            if place in places:
                raise UsageError(f"--records: {id!a:.80} is named twice; name each record once")
            places.append(place)
        if not places:
            raise UsageError("--records: names no record; give the ids of those to erase")
        return tuple(places)

    def match(
        self, key: bytes, contents: Iterable[bytes], ids: Sequence[str] | None, *, first_row: int = 0
    ) -> tuple[int, ...]:
        """The place of each row of a file, which may lack rows that were erased, and nothing else may differ.

        Args:
            first_row: the number of the file's first record, as a user counts.

        Raises:
            RowsChanged: names the first row that is not the state's.
        """
        if (ids is None) != (self.ids is None):
            raise RowsChanged("data: their rows are not named as when the model was learned; restore the id column")
        given = Rows.of(key, contents, ids)
        return self._in_order(given, first_row) if ids is None else self._by_id(given, ids, first_row)

    def _by_id(self, given: Rows, ids: Sequence[str], first_row: int) -> tuple[int, ...]:
        assert self.ids is not None and given.ids is not None
        known = {digest: place for place, digest in enumerate(self.ids)}
        places: list[int] = []
        for row, (id, digest, content) in enumerate(zip(ids, given.ids, given.fingerprints, strict=True), first_row):
            place = known.get(digest)
            if place is None:
                raise RowsChanged(f"data: row {row} (id {id!a:.80}) was not there when the model was learned")
            if content != self.fingerprints[place]:
                raise RowsChanged(f"data: row {row} (id {id!a:.80}) has changed since the model was learned")
            if places and place <= places[-1]:
                raise RowsChanged(f"data: row {row} (id {id!a:.80}) is in another place; keep the order of the rows")
            places.append(place)
        present = set(places)
        for place in range(len(self)):
            if place not in present and place not in self.erased:
                row = place + first_row
                raise RowsChanged(f"data: the record that was in row {row} is gone, and was not erased")
        return tuple(places)

    def _in_order(self, given: Rows, first_row: int) -> tuple[int, ...]:
        """By content alone: every way to leave out erased rows is followed at once, for equal rows look alike."""
        missing = len(self) - len(given)
        if missing < 0:
            raise RowsChanged(f"data: {len(given)} rows, and the model was learned from {len(self)}")
        if missing > len(self.erased):
            raise RowsChanged(f"data: {missing} of {len(self)} rows are gone, and {len(self.erased)} were erased")
        reached = {0}  # places at which the next row may be looked for
        trail: list[dict[int, int]] = []  # for each row: place that it takes -> place where its search began
        for row, content in enumerate(given.fingerprints):
            taken: dict[int, int] = {}
            for first in reached:
                place = first
                while place < len(self) and place - row <= missing:
                    if self.fingerprints[place] == content and place not in taken:
                        taken[place] = first
                    if place not in self.erased:
                        break
                    place += 1
            if not taken:
                number = row + first_row
                raise RowsChanged(f"data: row {number} is not the one that the model was learned from")
            trail.append(taken)
            reached = {place + 1 for place in taken}
        for first in sorted(reached):
            if all(place in self.erased for place in range(first, len(self))):
                places, following = [], first
                for taken in reversed(trail):
                    place = following - 1
                    places.append(place)
                    following = taken[place]
                return tuple(reversed(places))
        raise RowsChanged("data: rows at the end are gone that were not erased")
