r"""How images are prepared for a network that was trained on photographs.

    x (B, 1 or 3, H, W) in [−1, 1]  →  v = 127.5 (x + 1)  →  resized  →  (v − m) / s for each of three colours

m and s are in levels of 0..255. Gray is repeated to three colours, and the protocol says that it would be.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.resize import Resize

USUAL = 32
"""Side of images below which features of photographs are not to be trusted: CIFAR-10's, the smallest in common use."""


@dataclass(frozen=True)
class Range:
    """(v − mean) / deviation, of each colour.

    Arguments:
        formula: it, as people write it.
        mean, deviation: of red, green and blue, in levels of 0..255.
    """

    formula: str
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def __call__(self, levels: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) levels → (B, 3, H, W) numbers of order one."""
        mean, deviation = (
            torch.tensor(three, dtype=levels.dtype, device=levels.device)[:, None, None]
            for three in (self.mean, self.deviation)
        )
        return (levels - mean) / deviation

    def __str__(self) -> str:
        return self.formula


def of_unit(mean: tuple[float, float, float], deviation: tuple[float, float, float]) -> Range:
    """Of a mean and deviation of v / 255, as most libraries have them."""
    red, green, blue = (255 * value for value in mean)
    wide = (255 * deviation[0], 255 * deviation[1], 255 * deviation[2])
    return Range(f"(v/255 - {mean}) / {deviation}", (red, green, blue), wide)


TENSORFLOW = Range("(v - 128) / 128", (128.0, 128.0, 128.0), (128.0, 128.0, 128.0))
"""In the graph of Inception of 2015: −1 to 0.992."""

IMAGENET = of_unit((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Of torchvision's networks, and of DINOv2."""

CLIP = of_unit((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
"""Of CLIP."""


@dataclass(frozen=True)
class Preparation:
    """The rule of resizing and the rule of the range, one after the other.

    >>> from adversaria.metrics.resize import TF1Bilinear
    >>> Preparation(TF1Bilinear(4), TENSORFLOW)(torch.ones(2, 1, 2, 2)).shape
    torch.Size([2, 3, 4, 4])
    """

    resize: Resize
    range: Range

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) in [−1, 1] → (B, 3, size, size).

        Raises:
            MetricError: another number of channels.
        """
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise MetricError(
                f"expected images (B, C, H, W) with 1 or 3 channels, got {tuple(images.shape)}: choose the channels to "
                "look at, or measure in features that take others (pixels, random-projection, your own)"
            )
        return self.range(self.resize((images + 1) * 127.5))

    @property
    def protocol(self) -> dict[str, str]:
        """It, in words."""
        return {
            "colours": "three; gray repeated to three",
            "resize": str(self.resize),
            "range": f"{self.range}, v in 0..255",
        }


def notes_of_photographs(name: str, shape: tuple[int, ...]) -> list[str]:
    """What a reader must know of the features that a network of photographs has of images (C, H, W)."""
    channels, rows, columns = shape
    if channels == 3 and min(rows, columns) >= USUAL:
        return []
    repeated = ", repeated to three colours," if channels == 1 else ""
    return [
        f"{name} was trained on photographs; what it sees in {'gray ' if channels == 1 else ''}images of "
        f"{channels}×{rows}×{columns}{repeated} may mean little. Measure them in features of a network trained on such "
        "images too (adversaria features train)"
    ]
