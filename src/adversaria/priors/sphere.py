"""The uniform law on the sphere."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.special
import torch
from torch import Tensor

from adversaria.priors.paths import slerp
from adversaria.priors.prior import OfDimension, inside, live
from adversaria.priors.radial import Radial, log_area
from adversaria.priors.sums import Cells


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

    @property
    def mean(self) -> Tensor:
        """0."""
        return self._origin()

    @property
    def covariance(self) -> Tensor:
        """I."""
        return self._isotropic(1.0)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device: normal directions, rescaled."""
        z = torch.randn(n, self.dim, generator=generator, device=generator.device, dtype=torch.float32)
        return self.radius * torch.nn.functional.normalize(z, dim=-1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d) with respect to surface measure: (...) float64.

        On the sphere −log A, A = 2·π^{d/2}·√d^{d−1}/Γ(d/2); −∞ where ‖z‖ differs from √d by more than one part in
        ten thousand, which is beyond the rounding of a float32 latent.
        """
        norm = torch.linalg.vector_norm(self._check(z).double(), dim=-1)
        off = (norm - self.radius).abs() > 1e-4 * self.radius
        area = float(log_area(self.dim, torch.tensor(self.radius, dtype=torch.float64)))
        return torch.full_like(norm, -area).masked_fill(off, -math.inf)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The arc: the shortest walk that stays on the sphere. See `paths.slerp` for its limits at 0 and π."""
        return slerp(self._check(a), self._check(b), t)

    def interpolate_law(self, t: float) -> Radial:
        """The law on the chord, not on the arc: isotropic, ‖z‖² = d·(1 − 2t(1−t)(1 − c)) with c the cosine."""
        spread = 2 * inside(t) * (1 - t)
        edges = np.linspace(0.0, self.radius, 4097)
        cosine = np.clip(1 - (1 - edges**2 / self.dim) / spread, -1, 1)
        half = (self.dim - 1) / 2
        return Radial(self.dim, Cells(np.diff(scipy.special.betainc(half, half, (cosine + 1) / 2)), 0.0, self.radius))

    def mismatch(self, t: float) -> float:
        """∞: almost no point of a chord lies on the sphere. On the arc the prior is kept exactly."""
        inside(t)
        return math.inf

    def match(self, y: Tensor, weights: Sequence[float]) -> Tensor:
        """√d·y/‖y‖: the direction of a sum of isotropic points is uniform."""
        live(weights)
        return self.radius * torch.nn.functional.normalize(self._check(y), dim=-1)
