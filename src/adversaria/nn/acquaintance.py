"""Players that must see inputs once before they begin: a reference batch, the scale of what will come."""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Acquainted(Protocol):
    """A player that sets buffers or parameters from a first batch of its own inputs.

    All that it sets is saved and loaded with its weights, so it is called for fresh weights only.
    """

    def acquaint(self, inputs: Tensor, y: Tensor | None = None) -> None:
        """See inputs (B, ...), latents or samples, with their classes if there are any."""
        ...
