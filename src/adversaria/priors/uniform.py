"""The uniform law on the cube."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from adversaria.priors.paths import lerp
from adversaria.priors.prior import OfDimension


@dataclass(frozen=True)
class Uniform(OfDimension):
    """z ~ U([−1, 1]^d), with log p(z) = −d·log 2 in the cube and −∞ outside. Each coordinate has variance ⅓.

    >>> Uniform(2).log_prob(torch.tensor([[0.5, -1.0], [0.5, 1.1]]))
    tensor([-1.3863,    -inf], dtype=torch.float64)
    """

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device."""
        return 2 * torch.rand(n, self.dim, generator=generator, device=generator.device, dtype=torch.float32) - 1

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d): (...) float64."""
        outside = (self._check(z).abs() > 1).any(-1)
        inside = torch.full(outside.shape, -self.dim * math.log(2), dtype=torch.float64, device=z.device)
        return inside.masked_fill(outside, -math.inf)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The straight line: the cube is convex, so it stays in the support (though not in the law, which on the
        line is a trapezium denser at the centre); an arc through two corners would leave the cube."""
        return lerp(self._check(a), self._check(b), t)
