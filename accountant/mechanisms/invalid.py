"""What a description that cannot be accounted for raises."""

from __future__ import annotations

from accountant.core.exact import InvalidValue


class InvalidMechanism(InvalidValue):
    """Of a mechanism, or of where it is executed."""
