r"""Isotropic laws: a uniform direction and an independent norm.

For independent isotropic a and b the cosine c of their angle has (c + 1)/2 ~ Beta((d−1)/2, (d−1)/2), so the norm of
their sum has

    P(‖a + b‖ ≤ x) = E F_c((x² − ‖a‖² − ‖b‖²)/(2‖a‖‖b‖)),

a quadrature over two norms.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.special
import torch
from torch import Tensor

from adversaria.priors.prior import OfDimension
from adversaria.priors.sums import Array, Cells, carry


@dataclass(frozen=True)
class Norms:
    """Norms r_i with weights p_i: nodes of a quadrature over the law of a norm."""

    r: Array
    p: Array

    def times(self, factor: float) -> "Norms":
        """Of |factor|·z."""
        return Norms(abs(factor) * self.r, self.p)


def sum_of_norms(dim: int, a: Norms, b: Norms, cells: int = 1024) -> Cells:
    """The law of ‖a + b‖, on equal cells from 0 to the greatest norm; exact at their edges but for the quadrature."""
    edges = np.linspace(0.0, a.r.max() + b.r.max(), cells + 1)
    cosines = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 8193))  # dense at the ends, where F_c bends most for d = 2
    below = scipy.special.betainc((dim - 1) / 2, (dim - 1) / 2, (cosines + 1) / 2)
    squares, products = np.add.outer(a.r**2, b.r**2), 2 * np.outer(a.r, b.r)
    joint = np.outer(a.p, b.p)
    cumulative = [float(np.sum(joint * np.interp((x * x - squares) / products, cosines, below))) for x in edges]
    mass = np.maximum(np.diff(cumulative), 0.0)
    return Cells(mass / mass.sum(), 0.0, float(edges[-1]))


def as_nodes(cells: Cells, count: int = 256) -> Norms:
    """`count` nodes of equal probability."""
    return Norms(cells.quantile((np.arange(count) + 0.5) / count), np.full(count, 1 / count))


@dataclass(frozen=True)
class Radial(OfDimension):
    """A uniform direction, and a norm with the law of `cells`, which start at 0; d ≥ 2."""

    cells: Cells
    least = 2

    @property
    def mean(self) -> Tensor:
        """0."""
        return self._origin()

    @property
    def covariance(self) -> Tensor:
        """E ‖z‖²/d · I."""
        edges = self.cells.edges
        squares = (edges[1:] ** 2 + edges[1:] * edges[:-1] + edges[:-1] ** 2) / 3
        return self._isotropic(float(self.cells.mass @ squares) / self.dim)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent points, (n, d) float32, on the generator's device."""
        draws = torch.randn(n, self.dim, generator=generator, device=generator.device, dtype=torch.float32)
        u = torch.rand(n, 1, generator=generator, device=generator.device, dtype=torch.float64)
        return carry(u, lambda x: x, self.cells.quantile).float() * torch.nn.functional.normalize(draws, dim=-1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d): (...) float64; that of the norm, less that of the sphere's area."""
        norm = torch.linalg.vector_norm(self._check(z).double(), dim=-1)
        density = torch.tensor([*self.cells.mass, 0.0], dtype=torch.float64, device=z.device) / self.cells.width
        place = (norm / self.cells.width).long().clamp_max(len(self.cells.mass))
        return density[place].log() - log_area(self.dim, norm)


def log_area(dim: int, radius: Tensor) -> Tensor:
    """The log area of a sphere of the given radius in ℝ^d: log 2 + (d/2)·log π − log Γ(d/2) + (d−1)·log r."""
    return math.log(2) + 0.5 * dim * math.log(math.pi) - math.lgamma(0.5 * dim) + (dim - 1) * radius.log()
