"""The state of an Opacus accountant: its history of (noise multiplier, sample rate, steps).

The state does not say how batches were drawn: with `poisson_sampling=False` Opacus visits the batches in a fixed or
shuffled order, and writes the same.
"""

from __future__ import annotations

from typing import Any

from certify.results.peers.record import Record, load_json, make_stage, merged

CHECKPOINT = "privacy_accountant_state_dict"
HOW_TO_EXPORT = (
    "write the accountant's state as JSON: json.dump(privacy_engine.accountant.state_dict(), file), or of a checkpoint "
    f'json.dump(torch.load(PATH)["{CHECKPOINT}"], file)'
)


def read_history(text: str) -> Record:
    """The run in the JSON of `accountant.state_dict()`, or of its history alone.

    Raises:
        ValueError: anything else, the text of an OrderedDict and a whole checkpoint among it: with how to export it.
    """
    try:
        history = load_json(text)
    except ValueError as problem:
        raise ValueError(f"{problem}; {HOW_TO_EXPORT}") from None
    accountant = None
    if isinstance(history, dict):
        history, accountant = _of_state(history)
    if not isinstance(history, list) or not history:
        raise ValueError(f'no "history" of (noise multiplier, sample rate, steps) in it; {HOW_TO_EXPORT}')
    stages = []
    for i, row in enumerate(history, 1):
        if not isinstance(row, list) or len(row) != 3:
            raise ValueError(f"row {i}: not a triple of noise multiplier, sample rate and steps")
        stages.append(make_stage(*row, f"row {i}"))
    return Record(merged(stages), rows=len(stages), accountant=accountant)


def _of_state(state: dict[str, Any]) -> tuple[Any, str | None]:
    """(history, name of the accountant); what else a state might say is not passed over."""
    if CHECKPOINT in state:
        raise ValueError(f'it is a whole checkpoint, with the key "{CHECKPOINT}"; {HOW_TO_EXPORT}')
    accountant = state.get("mechanism")
    if accountant is not None and not isinstance(accountant, str):
        raise ValueError('"mechanism": the name of an accountant is needed')
    more = [key for key in state if key not in ("history", "mechanism")]
    if "history" in state and more:
        raise ValueError(f'the key {more[0]!r} is not known beside "history" and "mechanism"')
    return state.get("history"), accountant
