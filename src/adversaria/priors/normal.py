"""The isotropic normal law."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adversaria.priors.paths import lerp
from adversaria.priors.prior import OfDimension, inside, live, positive


@dataclass(frozen=True)
class Normal(OfDimension):
    """z ~ N(0, s² I_d), by default s = 1, with log p(z) = −½‖z/s‖² − d·log s − (d/2)·log 2π.

    ‖z/s‖² has mean d and variance 2d: for large d the latents lie near the sphere of radius s√d.

    >>> Normal(2).log_prob(torch.zeros(1, 2))
    tensor([-1.8379], dtype=torch.float64)
    >>> round(Normal(100).mismatch(0.5), 4)
    0.1534
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, scale=self.scale)

    @property
    def mean(self) -> Tensor:
        """0."""
        return self._origin()

    @property
    def covariance(self) -> Tensor:
        """s² I."""
        return self._isotropic(self.scale**2)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device."""
        z = torch.randn(n, self.dim, generator=generator, device=generator.device, dtype=torch.float32)
        return z if self.scale == 1 else self.scale * z

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d): (...) float64."""
        squares = (self._check(z).double() / self.scale).square().sum(-1)
        return -0.5 * squares - 0.5 * self.dim * math.log(2 * math.pi * self.scale**2)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The straight line, for want of a right answer: every walk between two normal latents leaves their law.

        On the line the point is normal with standard deviation √(t² + (1−t)²), at t = ½ 0.71 of what the generator
        was trained on. The arc (`slerp`) restores the mean of ‖z‖² but halves its variance. The line is the simpler
        map, it is what published figures show, and its mismatch with the prior has a closed form. For a walk that
        keeps the law at every t, see `interpolation.Matched`.
        """
        return lerp(self._check(a), self._check(b), t)

    def interpolate_law(self, t: float) -> "Normal":
        """N(0, s²(t² + (1−t)²) I)."""
        return Normal(self.dim, self.scale * math.hypot(inside(t), 1 - t))

    def mismatch(self, t: float) -> float:
        """½(1/v − 1 + log v), v = t² + (1−t)²; at t = ½ that is ½(1 − ln 2) = 0.1534."""
        v = inside(t) ** 2 + (1 - t) ** 2
        return 0.5 * (1 / v - 1 + math.log(v))

    def match(self, y: Tensor, weights: Sequence[float]) -> Tensor:
        """y/√Σw²."""
        return self._check(y) / math.hypot(*live(weights))
