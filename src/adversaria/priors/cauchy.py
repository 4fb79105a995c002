"""The isotropic Cauchy law, which straight lines keep."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adversaria.priors.paths import lerp
from adversaria.priors.prior import OfDimension, inside, live, positive


@dataclass(frozen=True)
class Cauchy(OfDimension):
    r"""z = s·n/|c| with n ~ N(0, I_d) and one c ~ N(0, 1): Student's law with one degree of freedom.

        p(z) = Γ((d+1)/2) / (π^{(d+1)/2} s^d) · (1 + ‖z/s‖²)^{−(d+1)/2},    E exp(i⟨u, z⟩) = exp(−s‖u‖)

    By its characteristic function (1−t)·a + t·b has this very law: its mismatch is 0 at every t. The price is that it
    has neither mean nor covariance; ‖z‖ exceeds 100·s√d about once in 125 draws. A network on it should first bring
    its input to a bounded range.

    Source: Leśniak, Sieradzki & Podolak, Distribution-interpolation trade off in generative models, 2019,
    https://openreview.net/forum?id=SyMhLo0qKQ.

    >>> Cauchy(100).mismatch(0.5), Cauchy(100).mean
    (0.0, None)
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, scale=self.scale)

    @property
    def mean(self) -> None:
        """None: E |z_i| = ∞."""
        return None

    @property
    def covariance(self) -> None:
        """None: it does not exist."""
        return None

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device."""
        draws = torch.randn(n, self.dim + 1, generator=generator, device=generator.device, dtype=torch.float32)
        # A divisor below 1e-30 has a probability of 1e-30 and would overflow.
        return self.scale * draws[:, 1:] / draws[:, :1].abs().clamp_min(1e-30)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d): (...) float64."""
        half = 0.5 * (self.dim + 1)
        constant = math.lgamma(half) - half * math.log(math.pi) - self.dim * math.log(self.scale)
        return constant - half * torch.log1p((self._check(z).double() / self.scale).square().sum(-1))

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The straight line, which keeps the law."""
        return lerp(self._check(a), self._check(b), t)

    def interpolate_law(self, t: float) -> "Cauchy":
        """This law."""
        inside(t)
        return self

    def mismatch(self, t: float) -> float:
        """0."""
        inside(t)
        return 0.0

    def match(self, y: Tensor, weights: Sequence[float]) -> Tensor:
        """y/Σ|w|."""
        return self._check(y) / sum(map(abs, live(weights)))
