"""[meta]: how people call a run. Shown wherever it is reported, and in no digest: nothing depends on it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from certify.runfile.values import Table

MAX_CHARACTERS = 200


def _one_line(value: str) -> str:
    if not value.strip():
        raise ValueError("is blank; write it out, or leave the key out")
    if len(value) > MAX_CHARACTERS:
        raise ValueError(f"{len(value)} characters; at most {MAX_CHARACTERS} are shown everywhere")
    if not value.isprintable():
        raise ValueError("has a line break or another character that is not printed; write one line")
    return value


Line = Annotated[str, AfterValidator(_one_line)]


class MetaTable(Table):
    model: Line | None = Field(None, description="what the model is called")
    owner: Line | None = Field(None, description="who answers for it")
    purpose: Line | None = Field(None, description="what it is for")
    version: Line | None = Field(None, description="its version")

    @property
    def given(self) -> dict[str, str]:
        """The keys that are there."""
        return {key: value for key, value in self if value is not None}
