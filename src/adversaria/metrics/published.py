"""Published weights as tensors: read without executing anything of the file."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from adversaria.errors import MetricError


def read_pickle(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a `.pth` file, by name, on the CPU. Only tensors are built of it, whatever else it asks for.

    Raises:
        MetricError: it cannot be read, or holds anything but tensors (a TorchScript file is a program, for instance).
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises all manner of errors on a damaged or hostile file
        raise MetricError(f"{path}: expected weights as PyTorch saves them, tensors alone: {_brief(error)}") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise MetricError(f"{path}: expected tensors by name, as of state_dict(), came {type(state).__name__}")
    return dict(state)


def fill(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Put weights into a network, which must have exactly these.

    Raises:
        MetricError: some are missing, too many, or of another shape.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise MetricError(f"these are not the weights of {what}: {_brief(error)}") from error
    network.requires_grad_(False).eval()


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]} …"
