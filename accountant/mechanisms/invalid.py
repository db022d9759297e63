"""What a description that cannot be accounted for raises."""

from __future__ import annotations


class InvalidMechanism(ValueError):
    """A parameter out of its range; the message names the key, the value and the fix. `key` is the run file's."""

    def __init__(self, key: str, message: str):
        super().__init__(f"{key}: {message}")
        self.key = key
