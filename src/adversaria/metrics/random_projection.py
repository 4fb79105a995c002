r"""Features that were never trained: they need no download, suit images of any channels, and know no meanings.

    RandomProjection      f = R x / √F,  R (F, C·H·W) of N(0, 1): distances of images, kept on average,
                          E |f − f'|² = |x − x'|², with a relative error of √(2/F)
    RandomConvolutions    three convolutions (3×3, stride 2) of N(0, 2/fan-in), each rectified, then the spatial mean:
                          local structure, blind to where it is

Both are functions of a seed and of the shape of the images, the same on every machine. What they see of photographs is
little against a trained network, but it is not what a network was trained to see either, which is a check.

Sources: Johnson & Lindenstrauss, Extensions of Lipschitz mappings into a Hilbert space (1984),
https://doi.org/10.1090/conm/026/737400; Naeem et al., Reliable fidelity and diversity metrics for generative models
(2020), https://arxiv.org/abs/2002.09797, who measure in a network that was not trained
"""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from adversaria.errors import MetricError
from adversaria.randomness import generator_for


@dataclass(frozen=True)
class RandomProjection:
    """f = R x / √F.

    Arguments:
        features: F, at least 1.
        seed: of R.

    Raises:
        MetricError: F is not positive.

    >>> RandomProjection(features=16, seed=0)(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 16])
    """

    features: int = 256
    seed: int = 0

    name = "random-projection"
    shape = None

    def __post_init__(self) -> None:
        _check(self.features)

    @property
    def fingerprint(self) -> str:
        """Of F and the seed, which fix R for each shape."""
        return hashlib.sha256(f"random-projection/1/{self.features}/{self.seed}".encode()).hexdigest()

    @property
    def protocol(self) -> dict[str, Any]:
        """F and the seed."""
        return {"network": f"random projection to {self.features}", "network_seed": self.seed}

    def __call__(self, images: Tensor) -> Tensor:
        """(B, C, H, W) → (B, F)."""
        flat = images.flatten(1)
        return flat @ _matrix(flat.shape[1], self.features, self.seed).to(flat).T / math.sqrt(self.features)


@dataclass(frozen=True)
class RandomConvolutions:
    """Three rectified convolutions and the spatial mean.

    Arguments:
        features: F, a multiple of 4: the convolutions have F/4, F/2 and F channels.
        seed: of their weights.

    Raises:
        MetricError: F is not a positive multiple of 4.

    >>> RandomConvolutions(features=16, seed=0)(torch.zeros(2, 3, 9, 12)).shape
    torch.Size([2, 16])
    """

    features: int = 256
    seed: int = 0

    name = "random-convolutions"
    shape = None

    def __post_init__(self) -> None:
        _check(self.features)
        if self.features % 4:
            raise MetricError(f"random convolutions have a multiple of 4 features, got {self.features}")

    @property
    def fingerprint(self) -> str:
        """Of F and the seed, which fix the weights for each number of channels."""
        return hashlib.sha256(f"random-convolutions/1/{self.features}/{self.seed}".encode()).hexdigest()

    @property
    def protocol(self) -> dict[str, Any]:
        """F and the seed."""
        return {"network": f"random convolutions to {self.features}", "network_seed": self.seed}

    def __call__(self, images: Tensor) -> Tensor:
        """(B, C, H, W) → (B, F)."""
        x = images
        for weight in _filters(images.shape[1], self.features, self.seed):
            x = functional.conv2d(x, weight.to(x), stride=2, padding=1).relu()
        return x.mean(dim=(2, 3))


def _check(features: int) -> None:
    if features < 1:
        raise MetricError(f"expected at least 1 feature, got {features}")


@lru_cache(maxsize=2)
def _matrix(width: int, features: int, seed: int) -> Tensor:
    return torch.randn(features, width, generator=generator_for(seed, "random-projection", width))


@lru_cache(maxsize=4)
def _filters(channels: int, features: int, seed: int) -> tuple[Tensor, ...]:
    generator = generator_for(seed, "random-convolutions", channels)
    widths = [channels, features // 4, features // 2, features]
    return tuple(
        torch.randn(after, before, 3, 3, generator=generator) * math.sqrt(2 / (9 * before))
        for before, after in zip(widths, widths[1:], strict=False)
    )
