"""How a valid certificate is made invalid."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.vectors.producer.envelopes import seal
from tests.vectors.producer.losses import LOGISTIC
from tests.vectors.producer.numbers import Json, lower_by_a_digit
from tests.vectors.producer.runs import CONVEX, small
from tests.vectors.producer.statements import statement
from tests.vectors.producer.table import accepted


@dataclass
class Cases:
    """name -> (bytes, exit code, part of the message), and the certificates that are mostly changed."""

    cases: dict[str, tuple[bytes, int, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base = statement(small(mechanism={"noise_std": "1"}, loss=LOGISTIC))
        self.learning = statement(
            small(mechanism={"unlearning_epochs": ["0"]}, loss=CONVEX | {"strong_convexity": "0.1"})
        )
        self.bounded = statement(small(mechanism={"radius": "5"}, loss=CONVEX | {"strong_convexity": "0.1"}))
        self.double = statement(
            small(
                mechanism={"unlearning_epochs": ["1", "1"], "noise_std": "2"},
                requests={"sizes": ["1", "2"]},
                target={"epsilon": "9"},
            )
        )
        self.sealed = seal(self.base)
        self.payload = base64.b64decode(json.loads(self.sealed)["payload"])

    def raw(self, name: str, data: bytes, code: int, message: str) -> None:
        self.cases[name] = (data, code, message)

    def edited(self, name: str, code: int, message: str, edit: Callable[[Json], Any], of: Json = None) -> None:
        """`edit` gets the predicate, and changes it in place."""
        changed = copy.deepcopy(of or self.base)
        edit(changed["predicate"])
        self.raw(name, seal(changed), code, message)

    def lied(self, name: str, message: str, part: str, key: str, lie: str | None = None, of: Json = None) -> None:
        """A false number, told consistently: in the step and on the front page."""
        of = of or self.base
        shown = of["predicate"][part][key]
        lie = lie or lower_by_a_digit(shown)
        self.raw(name, seal(json.loads(json.dumps(of).replace(f'"{shown}"', f'"{lie}"'))), 1, message)

    def find(self, theorem: str, of: Json = None, last: bool = False) -> int:
        """The index of the theorem's first step."""
        steps = (of or self.base)["predicate"]["proof"]["steps"]
        found = [i for i, s in enumerate(steps) if s["theorem"] == theorem]
        return found[-1 if last else 0]

    def at(self, theorem: str, part: str, key: str, value: Json, of: Json = None, last: bool = False) -> Callable:
        """Set an entry of the theorem's step."""
        return put("proof", "steps", self.find(theorem, of, last), part, key, value)

    def accepted_and(self, name: str) -> tuple[Json, Callable[..., Callable]]:
        """An accepted statement, and `at` for it."""
        made = accepted(name)
        return made, lambda *path, last=False: self.at(*path, of=made, last=last)


def put(*path: Json) -> Callable[[Json], None]:
    """Set the entry at path[:-1] to path[-1]."""

    def edit(node: Json) -> None:
        for key in path[:-2]:
            node = node[key]
        node[path[-2]] = path[-1]

    return edit


def both(*edits: Callable[[Json], Any]) -> Callable[[Json], None]:
    """One edit after the other."""

    def edit(p: Json) -> None:
        for one in edits:
            one(p)

    return edit
