"""The standard normal law."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from adversaria.priors.paths import lerp
from adversaria.priors.prior import OfDimension


@dataclass(frozen=True)
class Normal(OfDimension):
    """z ~ N(0, I_d), with log p(z) = −½‖z‖² − (d/2)·log 2π.

    ‖z‖² has mean d and variance 2d: for large d the latents lie near the sphere of radius √d.

    >>> Normal(2).log_prob(torch.zeros(1, 2))
    tensor([-1.8379], dtype=torch.float64)
    """

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device."""
        return torch.randn(n, self.dim, generator=generator, device=generator.device, dtype=torch.float32)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d): (...) float64."""
        squares = self._check(z).double().square().sum(-1)
        return -0.5 * squares - 0.5 * self.dim * math.log(2 * math.pi)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The straight line, for want of a right answer: every walk between two normal latents leaves their law.

        On the line the point is normal with standard deviation √(t² + (1−t)²), at t = ½ 0.71 of what the generator
        was trained on. The arc (`slerp`) restores the mean of ‖z‖² but halves its variance. The line is the simpler
        map, it is what published figures show, and its mismatch with the prior has a closed form.
        """
        return lerp(self._check(a), self._check(b), t)
