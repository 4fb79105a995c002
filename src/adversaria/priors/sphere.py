"""The uniform law on the sphere."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from adversaria.priors.paths import slerp
from adversaria.priors.prior import OfDimension


@dataclass(frozen=True)
class Sphere(OfDimension):
    """z uniform on the sphere of radius √d in ℝ^d, d ≥ 2; each coordinate has mean 0 and variance 1.

    The radius makes it the scale-matched twin of `Normal(d)`: the same directions, and ‖z‖² = d, the normal's mean.

    >>> round(math.exp(-float(Sphere(2).log_prob(torch.tensor([1.0, 1.0]))) ) / math.sqrt(2), 4)   # 2π
    6.2832
    """

    least: ClassVar[int] = 2

    @property
    def radius(self) -> float:
        """√d."""
        return math.sqrt(self.dim)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device: normal directions, rescaled."""
        z = torch.randn(n, self.dim, generator=generator, device=generator.device, dtype=torch.float32)
        return self.radius * torch.nn.functional.normalize(z, dim=-1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d) with respect to surface measure: (...) float64.

        On the sphere −log A, A = 2·π^{d/2}·√d^{d−1}/Γ(d/2); −∞ where ‖z‖ differs from √d by more than one part in
        ten thousand, which is beyond the rounding of a float32 latent.
        """
        log_area = (
            math.log(2)
            + 0.5 * self.dim * math.log(math.pi)
            - math.lgamma(0.5 * self.dim)
            + (self.dim - 1) * math.log(self.radius)
        )
        norm = torch.linalg.vector_norm(self._check(z).double(), dim=-1)
        off = (norm - self.radius).abs() > 1e-4 * self.radius
        return torch.full_like(norm, -log_area).masked_fill(off, -math.inf)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The arc: the shortest walk that stays on the sphere. See `paths.slerp` for its limits at 0 and π."""
        return slerp(self._check(a), self._check(b), t)
