"""Modules that were run again for every record, compared with the batch: what torch itself says of the sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from learners.engines.layers import GenericRule, Part
from learners.engines.units import Unit
from learners.stepping import RunCheckFailed

TOLERANCE, HALF = 1e-3, 0.1  # of the records' norms together, in float32 and where anything was in half precision


def repeated(units: Sequence[Unit], learned: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Parameters whose modules are run again for every record, by name in the network."""
    return {
        name: learned[name] for unit in units if isinstance(unit.rule, GenericRule) for name in unit.parameters.values()
    }


def check_repeated(
    parts: tuple[tuple[dict[str, str], Part], ...], truth: dict[str, Tensor | None], gradients: Sequence[Tensor | None]
) -> None:
    """Compares sums over records with torch's own gradients.

    parts: of all units. truth: torch's gradients of the summed losses for `repeated`, None where they do not depend on
    it. gradients: at the layers' outputs, for their types.

    RunCheckFailed where they differ by more than rounding: the module draws numbers, or keeps something between calls.
    """
    if not truth:
        return
    half = any(one is not None and one.dtype in (torch.float16, torch.bfloat16) for one in gradients)
    tolerance = HALF if half else TOLERANCE
    seen: set[str] = set()
    for names, part in parts:
        if not set(names.values()) & truth.keys():
            continue
        for own, each in part.per_record().items():
            expected = truth.get(names[own])
            seen.add(names[own])
            if names[own] in truth:
                difference = each.sum(0) - (0 if expected is None else expected)
                size = each.flatten(1).norm(dim=1).sum()
                if difference.norm() > tolerance * size + 1e-12:
                    raise RunCheckFailed(
                        f"parameters: {names[own]}: its module, run again for each record, has another gradient than "
                        "for the batch; it draws random numbers, keeps something between calls or is used elsewhere"
                    )
    missing = sorted(name for name, one in truth.items() if one is not None and name not in seen and one.any())
    if missing:
        raise RunCheckFailed(f"parameters: {', '.join(missing)}: no call of their module explains their gradients")
