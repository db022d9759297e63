"""The weights of a model that `train` made, for use elsewhere. Loaded only when asked for."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from certify.errors import UsageError
from certify.service.folder import MODEL_FILE, State, read_bytes

if TYPE_CHECKING:
    import numpy as np

MODEL, AVERAGE = "model.", "average."


def read_weights(state: State, part: str = MODEL) -> dict[str, np.ndarray]:
    """The model's tensors by name; with `part` = AVERAGE, those of the average of its weights (none without `ema`).

    Raises:
        UsageError: the file is damaged.
    """
    import numpy as np

    path = state.folder / MODEL_FILE
    try:
        with np.load(BytesIO(read_bytes(path)), allow_pickle=False) as arrays:
            return {name.removeprefix(part): arrays[name] for name in arrays.files if name.startswith(part)}
    except (OSError, ValueError, KeyError) as problem:
        raise UsageError(f"{path}: is damaged ({problem}); restore it from a back-up") from None


def exported_training(state: State, format: str) -> bytes:
    """The model's tensors: npz by name, or a state-dict that `load_state_dict` takes; of the average of the weights,
    where [train] keeps one.

    Raises:
        UsageError: scikit-learn has no such model.
    """
    if format == "sklearn":
        raise UsageError("--format: no model of scikit-learn is a torch module; write npz or state-dict")
    weights: dict[str, Any] = read_weights(state) | read_weights(state, AVERAGE)
    content = BytesIO()
    if format == "npz":
        import numpy as np

        np.savez(content, **{f"{MODEL}{name}": value for name, value in weights.items()})
    else:
        import torch

        torch.save({name: torch.from_numpy(value) for name, value in weights.items()}, content)
    return content.getvalue()
