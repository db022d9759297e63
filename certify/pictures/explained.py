"""The picture that `explain -o` writes: of the run's scaling map, or of its taut string where it has no map."""

from __future__ import annotations

from pathlib import Path

from certify.errors import UsageError
from certify.files import make_directory
from certify.pictures.draw import draw_string, is_taut_string
from certify.pictures.scaling import draw_scaling
from certify.results.claims import Claim
from certify.results.result import Result
from certify.results.scaling_section import scaling_of


def draw(result: Result, claim: Claim, directory: Path) -> Path:
    """Write the run's picture: scaling.png where a map scales the gradients, else string.png. Returns its path.

    Raises:
        UsageError: matplotlib is missing; or a run without a map whose bound is not one string from start to end.
    """
    scaling = scaling_of(result.run.mechanism)
    if scaling is None and (not is_taut_string(claim.bound) or len(result.claims) > 1):
        raise UsageError(
            f"-o: there is no picture of this run: it has no [scaling], and its bound ({claim.bound.theorem.id}, "
            f"{len(result.claims)} requests) is not one taut string; leave -o out"
        )
    make_directory(directory)
    if scaling is not None:
        return draw_scaling(directory / "scaling.png", [scaling])
    return draw_string([("taut string", result.run.mechanism)], directory / "string.png")
