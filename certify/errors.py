"""What can go wrong, and the exit code that says so. A crash (70) never looks like another code."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0  # certified, verified
    NOT_CERTIFIED = 1  # not certified, out of reach, or a claim that does not follow or has expired
    USAGE = 2  # usage or malformed input
    INDETERMINATE = 3
    MISMATCH = 4  # digest, signature or subject
    AUDIT = 5  # an audit exceeds the claim
    INTERNAL = 70


class UsageError(ValueError):
    """Malformed input; one line that names the key, the value and the fix."""


class OutOfReach(ValueError):
    """No value of the tuned parameter meets the target."""
