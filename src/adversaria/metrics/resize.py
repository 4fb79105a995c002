r"""Rules by which images are resized before a network sees them: most of why libraries disagree about one FID.

Every rule here is linear in each direction, so that it is two matrix products, whatever the library it came from:

    Y = V X Wᵀ,        V (size, rows),   W (size, columns),   each row of V and W sums to 1.

Pixel j of the source is centred at j + ½ (half-pixel rules) or at j (the rule of TensorFlow 1, which thereby shifts the
picture); for output i and scale s = n_in / n_out, and with k the triangle or cubic kernel,

    TF1              at  i·s,              lerp of the two neighbours below and above, the last one repeated
    HalfPixel        at  (i + ½)·s − ½,    the same, the first one repeated too
    Antialiased      at  (i + ½)·s,        weights k((j + ½ − at) / max(s, 1)) over all j in reach, made to sum to 1
    Bicubic          the same with the cubic kernel (a = −½), which can leave [0, 255] at edges
    ClippedBicubic   the same, cut off to [0, 255] at the end
    StoredBicubic    the same as Pillow does it to a stored image: weights of 22 binary places, columns first, rounded
                     to levels 0..255 after each direction; equal to Pillow bit for bit

Where s ≤ 1 Antialiased and HalfPixel agree; where s > 1 HalfPixel skips pixels, and so sees aliases that are not there.
TF1 against HalfPixel is a shift of ½(1 − s) source pixels: 0.4465 of them (4.2 of the target) from 32 to 299.

Sources: Parmar, Zhang & Zhu, On aliased resizing and surprising subtleties in GAN evaluation (2022),
https://arxiv.org/abs/2104.11222; Keys, Cubic convolution interpolation for digital image processing (1981),
https://doi.org/10.1109/TASSP.1981.1163711
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from adversaria.errors import MetricError

PLACES = 22
"""Binary places of Pillow's weights for images of 8 bits: 32 less 8 of the level and 2 of headroom."""


@dataclass(frozen=True)
class Resize(ABC):
    """A rule that makes levels (B, C, H, W) in [0, 255] to levels (B, C, size, size). Not square becomes square.

    Arguments:
        size: side of the result, at least 1.

    `str(rule)` names it for protocols.

    Raises:
        MetricError: the size is not positive.
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise MetricError(f"images are resized to a side of at least 1, got {self.size}")

    @abstractmethod
    def weights(self, length: int) -> Tensor:
        """(size, length) float64: what each of `length` pixels in a row adds to each pixel of the result."""

    def __call__(self, levels: Tensor) -> Tensor:
        """Levels (B, C, size, size) of floating-point levels (B, C, H, W), as Y = V X Wᵀ in their type."""
        rows, columns = (_kept(self, side).to(levels) for side in levels.shape[-2:])
        return rows @ (levels @ columns.T)


@lru_cache(maxsize=32)
def _kept(rule: Resize, length: int) -> Tensor:
    return rule.weights(length)


class TF1Bilinear(Resize):
    """As TensorFlow 1 resized in the graph of the first FID, without half pixels and without antialiasing.

    >>> TF1Bilinear(4).weights(2)
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000],
            [0.0000, 1.0000],
            [0.0000, 1.0000]], dtype=torch.float64)
    """

    def weights(self, length: int) -> Tensor:
        """Lerp at i·s."""
        return _lerp(torch.arange(self.size, dtype=torch.float32) * _scale(length, self.size), length)

    def __str__(self) -> str:
        return f"bilinear to {self.size}, as TensorFlow 1: corners shifted, not antialiased"


class HalfPixelBilinear(Resize):
    """As `torch.nn.functional.interpolate(..., align_corners=False)`, and pytorch-fid with it.

    >>> HalfPixelBilinear(4).weights(2)
    tensor([[1.0000, 0.0000],
            [0.7500, 0.2500],
            [0.2500, 0.7500],
            [0.0000, 1.0000]], dtype=torch.float64)
    """

    def weights(self, length: int) -> Tensor:
        """Lerp at (i + ½)·s − ½."""
        at = (torch.arange(self.size, dtype=torch.float32) + 0.5) * _scale(length, self.size) - 0.5
        return _lerp(at.clamp(min=0), length)

    def __str__(self) -> str:
        return f"bilinear to {self.size}, half pixels, not antialiased"


class AntialiasedBilinear(Resize):
    """As `torch.nn.functional.interpolate(..., antialias=True)`, and torchmetrics since 1.8 with it.

    >>> AntialiasedBilinear(2).weights(4)
    tensor([[0.4286, 0.4286, 0.1429, 0.0000],
            [0.0000, 0.1429, 0.4286, 0.4286]], dtype=torch.float64)
    """

    def weights(self, length: int) -> Tensor:
        """The triangle, widened to the scale."""
        return _spread(length, self.size, _triangle, reach=1.0)

    def __str__(self) -> str:
        return f"bilinear to {self.size}, half pixels, antialiased"


class Bicubic(Resize):
    """As `jax.image.resize(..., "bicubic")`, and the reference of CMMD with it: cubic, antialiased, unbounded.

    >>> Bicubic(2).weights(3)
    tensor([[ 0.6501,  0.3900, -0.0401],
            [-0.0401,  0.3900,  0.6501]], dtype=torch.float64)
    """

    def weights(self, length: int) -> Tensor:
        """The cubic kernel, widened to the scale."""
        return _spread(length, self.size, _cubic, reach=2.0)

    def __str__(self) -> str:
        return f"bicubic to {self.size}, half pixels, antialiased, not rounded"


class ClippedBicubic(Bicubic):
    """As clean-fid: what Pillow makes of floats, cut off to [0, 255], not rounded.

    >>> ClippedBicubic(3)(torch.tensor([[[[0.0, 255.0]]]]))[0, 0, 0]
    tensor([  0.0000, 127.5000, 255.0000])
    """

    def __call__(self, levels: Tensor) -> Tensor:
        """Levels in [0, 255]."""
        return super().__call__(levels).clamp(0, 255)

    def __str__(self) -> str:
        return f"{super().__str__()}, cut off to 0..255"


class StoredBicubic(Bicubic):
    """As Pillow resizes stored images, and torchvision's `Resize` of them, and dgm-eval with it: rounded to levels.

    >>> StoredBicubic(1)(torch.tensor([[[[0.0, 255.0], [255.0, 255.0]]]]))
    tensor([[[[192.]]]])
    """

    def __call__(self, levels: Tensor) -> Tensor:
        """Whole levels in 0..255, of levels that are rounded first."""
        # Sums of whole numbers below 2⁵³ are exact in float64, in any order; MPS has none.
        exact = levels.round().to("cpu" if levels.device.type == "mps" else levels.device, torch.float64)
        rows, columns = (_whole(_kept(self, side)).to(exact) for side in levels.shape[-2:])
        return _stored(rows @ _stored(exact @ columns.T)).to(levels)

    def __str__(self) -> str:
        return f"bicubic to {self.size}, half pixels, antialiased, rounded to levels as Pillow rounds stored images"


def _whole(weights: Tensor) -> Tensor:
    """Weights in units of 2⁻²², halves away from zero."""
    scaled = weights * 2**PLACES
    return torch.trunc(scaled + 0.5 * scaled.sign())


def _stored(sums: Tensor) -> Tensor:
    """Levels of sums in units of 2⁻²²."""
    return ((sums + 2 ** (PLACES - 1)) / 2**PLACES).floor().clamp(0, 255)


def _scale(length: int, size: int) -> Tensor:
    """s in float32, as both libraries have it: at 1,024 pixels its rounding moves a level by up to a hundredth."""
    return torch.tensor(length / size, dtype=torch.float32)


def _lerp(at: Tensor, length: int) -> Tensor:
    at = at.double()
    below = at.floor().long().clamp(max=length - 1)
    above = (below + 1).clamp(max=length - 1)
    share = (at - below)[:, None]
    weights = torch.zeros(len(at), length, dtype=torch.float64)
    weights.scatter_add_(1, below[:, None], 1 - share)
    return weights.scatter_add_(1, above[:, None], share)


def _triangle(x: Tensor) -> Tensor:
    return (1 - x.abs()).clamp(min=0)


def _cubic(x: Tensor) -> Tensor:
    """Keys' kernel with a = −½: 1 at 0, 0 at the other whole numbers and from 2 on."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x.square() + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


def _spread(length: int, size: int, kernel: Callable[[Tensor], Tensor], reach: float) -> Tensor:
    """Weights of a kernel that is widened where pixels are lost, over the pixels whose middles it reaches."""
    scale = length / size
    wide = max(scale, 1.0)
    at = (torch.arange(size, dtype=torch.float64)[:, None] + 0.5) * scale
    first = (at - reach * wide + 0.5).clamp(min=0).floor()
    last = (at + reach * wide + 0.5).floor().clamp(max=length)
    pixel = torch.arange(length, dtype=torch.float64)
    weights = kernel((pixel + 0.5 - at) / wide) * ((pixel >= first) & (pixel < last))
    return weights / weights.sum(dim=1, keepdim=True)
