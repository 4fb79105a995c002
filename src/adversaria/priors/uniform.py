"""The uniform law on the cube."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adversaria.priors.paths import lerp
from adversaria.priors.prior import OfDimension, inside, live
from adversaria.priors.sums import carry, uniform_sum


@dataclass(frozen=True)
class Uniform(OfDimension):
    """z ~ U([−1, 1]^d), with log p(z) = −d·log 2 in the cube and −∞ outside. Each coordinate has variance ⅓.

    >>> Uniform(2).log_prob(torch.tensor([[0.5, -1.0], [0.5, 1.1]]))
    tensor([-1.3863,    -inf], dtype=torch.float64)
    >>> round(Uniform(100).mismatch(0.5), 4)
    0.3069
    """

    @property
    def mean(self) -> Tensor:
        """0."""
        return self._origin()

    @property
    def covariance(self) -> Tensor:
        """⅓ I."""
        return self._isotropic(1 / 3)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device."""
        return 2 * torch.rand(n, self.dim, generator=generator, device=generator.device, dtype=torch.float32) - 1

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d): (...) float64."""
        outside = (self._check(z).abs() > 1).any(-1)
        within = torch.full(outside.shape, -self.dim * math.log(2), dtype=torch.float64, device=z.device)
        return within.masked_fill(outside, -math.inf)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The straight line: the cube is convex, so it stays in the support (though not in the law, which on the
        line is a trapezium denser at the centre); an arc through two corners would leave the cube."""
        return lerp(self._check(a), self._check(b), t)

    def interpolate_law(self, t: float) -> "Trapezium":
        """Independent coordinates, each with a trapezium for density; at t = ½ a triangle."""
        return Trapezium(self.dim, inside(t))

    def mismatch(self, t: float) -> float:
        """log m + 2(1 − m) with m = max(t, 1−t); at t = ½ that is 1 − ln 2 = 0.3069."""
        m = max(inside(t), 1 - t)
        return math.log(m) + 2 * (1 - m)

    def match(self, y: Tensor, weights: Sequence[float]) -> Tensor:
        """2F(y_i) − 1 with F the distribution function of Σ w_i·z_i: in closed form for two weights."""
        kept = live(weights)
        if len(kept) > 2:
            return carry(self._check(y), uniform_sum(kept).cdf, lambda u: 2 * u - 1)
        wide, narrow = [*sorted(map(abs, kept), reverse=True), 0.0][:2]
        x = self._check(y).double()
        # The density's flat part is |x| ≤ wide − narrow; beyond it the distribution function is a parabola.
        beyond = ((wide + narrow) - x.abs()).clamp_min(0)
        tail = beyond.square() / (4 * wide * narrow) if narrow > 0 else torch.zeros_like(x)
        share = torch.where(x.abs() <= wide - narrow, x / wide, x.sign() * (1 - tail))
        return share.clamp(-1, 1).to(y.dtype)


@dataclass(frozen=True)
class Trapezium(OfDimension):
    """The law of (1−t)·a + t·b, a and b uniform on [−1, 1]^d: with m = max(t, 1−t), per coordinate

    p(x) = min(1/(2m), (1 − |x|)/(4m(1−m))) on [−1, 1].
    """

    t: float

    def __post_init__(self) -> None:
        super().__post_init__()
        inside(self.t)

    @property
    def mean(self) -> Tensor:
        """0."""
        return self._origin()

    @property
    def covariance(self) -> Tensor:
        """⅓(t² + (1−t)²) I."""
        return self._isotropic((self.t**2 + (1 - self.t) ** 2) / 3)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent points, (n, d) float32, on the generator's device."""
        a, b = (Uniform(self.dim).sample(n, generator=generator) for _ in range(2))
        return lerp(a, b, self.t)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d): (...) float64."""
        m = max(self.t, 1 - self.t)
        slope = (1 - self._check(z).double().abs()).clamp_min(0) / (4 * m * (1 - m))
        return slope.clamp_max(1 / (2 * m)).log().sum(-1)
