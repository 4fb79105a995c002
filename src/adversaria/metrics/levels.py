r"""Rules by which images become the 256 levels of stored ones.

    uint8 levels v      →  v
    float x in [−1, 1]  →  Rounded    v = round(127.5 (x + 1))
                           Floored    v = ⌊255 (x/2 + ½)⌋

Both sides must carry the rounding of a stored image, or a score depends on whether the samples were saved first.
`Rounded` gives back what was stored. `Floored`, which is how torchmetrics takes floats, lowers 63 of the 256 levels by
one where they were normalised and back in float32, and every other value by half a level on average: it is here only so
that its numbers can be compared with.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from adversaria.errors import MetricError

HALF_A_LEVEL = 0.5 / 127.5
"""How far beyond [−1, 1] a float image may reach: it still rounds to a level that exists."""


@dataclass(frozen=True)
class Levels(ABC):
    """A rule that makes uint8 levels of images. `str(rule)` names it for protocols."""

    def __call__(self, images: Tensor, first: int = 0) -> Tensor:
        """uint8 levels, of the shape of `images`, the first of which errors call `first`.

        Raises:
            MetricError: neither uint8 nor float; floats that are NaN or outside [−1, 1] (names the image).
        """
        if images.dtype == torch.uint8:
            return images
        if not images.is_floating_point():
            raise MetricError(f"expected images as uint8, or float in [-1, 1], got {images.dtype}")
        outside = ~(images.abs() <= 1 + HALF_A_LEVEL).flatten(1).all(dim=1)  # true for NaN as well
        if outside.any():
            index = int(outside.nonzero()[0])
            low, high = images[index].min().item(), images[index].max().item()
            raise MetricError(
                f"float images must lie in [-1, 1]; image {first + index} lies in [{low:.4g}, {high:.4g}]; rescale "
                "them, or give uint8"
            )
        return self.of(images.float()).clamp(0, 255).to(torch.uint8)

    @abstractmethod
    def of(self, images: Tensor) -> Tensor:
        """Whole numbers, of floats near [−1, 1]."""


class Rounded(Levels):
    """To the nearest level.

    >>> Rounded()(torch.tensor([[-1.0, 0.0, 1.0]]))
    tensor([[  0, 128, 255]], dtype=torch.uint8)
    """

    def of(self, images: Tensor) -> Tensor:
        """round(127.5 (x + 1)), halves to even."""
        return ((images + 1) * 127.5).round()

    def __str__(self) -> str:
        return "rounded to 256 levels, [-1, 1]"


class Floored(Levels):
    """To the level below.

    >>> Floored()(torch.tensor([[-1.0, 0.0, 0.9999, 1.0]]))
    tensor([[  0, 127, 254, 255]], dtype=torch.uint8)
    """

    def of(self, images: Tensor) -> Tensor:
        """⌊255 (x/2 + ½)⌋."""
        return ((images * 0.5 + 0.5) * 255).floor()

    def __str__(self) -> str:
        return "floored to 256 levels, [-1, 1], as torchmetrics"
