"""Kilcher's law: a uniform direction and a squared norm that is gamma distributed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import scipy.special
import scipy.stats
import torch
from torch import Tensor

from adversaria.errors import RecipeError
from adversaria.priors.paths import lerp
from adversaria.priors.prior import OfDimension, inside, live, positive
from adversaria.priors.radial import Norms, Radial, as_nodes, log_area, sum_of_norms
from adversaria.priors.sums import Array, Cells, carry


@dataclass(frozen=True)
class Gamma(OfDimension):
    r"""z = r·u, u uniform on the unit sphere of ℝ^d, d ≥ 2, and r² ~ Γ(k, scale θ), k = `degrees`/2.

        p(z) = 2r·γ(r²)/(A·r^{d−1}),    γ the gamma density, A the area of the unit sphere;    E z_i² = kθ/d

    By default k = ½ and θ = 2: r = |N(0, 1)|, whatever d is, so that the norm of a mid-point is about as likely as
    that of a latent. `degrees` = d and θ = 2 is the standard normal law. For degrees < d the density is infinite at 0.

    Source: Kilcher, Lucchi & Hofmann, Semantic interpolation in implicit models, 2018,
    https://arxiv.org/abs/1710.11381; its θ is not known to us.

    >>> Gamma(100).covariance[0, 0].item()
    0.01
    """

    degrees: int = 1
    scale: float = 2.0
    least: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.degrees, int) or self.degrees < 1:
            raise RecipeError(f"Gamma needs a whole number of degrees, at least 1, got {self.degrees!r}")
        positive(self, scale=self.scale)

    @property
    def mean(self) -> Tensor:
        """0."""
        return self._origin()

    @property
    def covariance(self) -> Tensor:
        """kθ/d · I."""
        return self._isotropic(0.5 * self.degrees * self.scale / self.dim)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device."""
        shape = (n, self.dim + self.degrees)
        draws = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float32)
        radius = math.sqrt(self.scale / 2) * torch.linalg.vector_norm(draws[:, self.dim :], dim=-1, keepdim=True)
        return radius * torch.nn.functional.normalize(draws[:, : self.dim], dim=-1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d): (...) float64; at 0 infinite if degrees < d."""
        r, k = torch.linalg.vector_norm(self._check(z).double(), dim=-1), 0.5 * self.degrees
        constant = math.log(2) - k * math.log(self.scale) - math.lgamma(k) - float(log_area(self.dim, torch.ones(())))
        power = self.degrees - self.dim
        return constant + torch.xlogy(torch.full_like(r, power), r) - r.square() / self.scale

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The straight line, for which this law was made."""
        return lerp(self._check(a), self._check(b), t)

    def interpolate_law(self, t: float) -> Radial:
        """Isotropic, its norm a histogram of 1,024 cells; see `radial`."""
        return Radial(self.dim, _norm_of_sum(self, (1 - inside(t), t)))

    def mismatch(self, t: float) -> float:
        """KL of the laws of the norms, over d, on the cells of `interpolate_law`; good to about one per cent."""
        law = self.interpolate_law(t).cells
        p = np.diff(self._cdf(law.edges))
        seen = (p > 0) & (law.mass > 0)
        return float(np.sum(p[seen] * np.log(p[seen] / law.mass[seen]))) / self.dim

    def match(self, y: Tensor, weights: Sequence[float]) -> Tensor:
        """Keeps the direction of y and carries its norm to the quantile of the prior's."""
        norm = torch.linalg.vector_norm(self._check(y), dim=-1, keepdim=True)
        carried = carry(norm, _norm_of_sum(self, live(weights)).cdf, self._quantile)
        return carried * torch.nn.functional.normalize(y, dim=-1)

    def _cdf(self, r: Array) -> Array:
        return scipy.special.gammainc(0.5 * self.degrees, r**2 / self.scale)

    def _quantile(self, u: Array) -> Array:
        # At u = 1 the norm would be infinite; a table of cells gives 1 to what lies beyond its last edge.
        return np.sqrt(self.scale * scipy.special.gammaincinv(0.5 * self.degrees, np.minimum(u, 1 - 1e-12)))


@lru_cache(maxsize=64)
def _norm_of_sum(prior: Gamma, weights: tuple[float, ...]) -> Cells:
    farthest = float(prior._quantile(np.array(1 - 1e-12)))
    x, w = np.polynomial.legendre.leggauss(160)
    r = 0.5 * farthest * (x + 1)
    p = w * r * scipy.stats.gamma.pdf(r**2, 0.5 * prior.degrees, scale=prior.scale)
    one = Norms(r, p / p.sum())
    if len(weights) == 1:
        edges = np.linspace(0, farthest, 4097)
        return Cells(np.diff(prior._cdf(edges)), 0.0, abs(weights[0]) * farthest)
    total = sum_of_norms(prior.dim, one.times(weights[0]), one.times(weights[1]))
    for weight in weights[2:]:
        total = sum_of_norms(prior.dim, as_nodes(total), one.times(weight))
    return total
