r"""Toy laws: points in one or two dimensions whose density is known exactly.

A mixture of M Gaussians of equal weight, with centres m_k in R^d and standard deviation σ in every direction:

    p(x) = 1/M Σ_k N(x; m_k, σ² I)

    Grid25            {−2, −1, 0, 1, 2}², σ 0.05; scaled: {−4, −2, 0, 2, 4}² and σ 0.05, all divided by 2.828
    Ring8             eight centres on the circle of radius 2, σ 0.02, all divided by 1.414
    Mixture1D         {−3, −1, 1, 3}, σ 0.2

The swiss roll is a spiral with noise. Its parameter is uniform, so its inner end is the denser:

    X = (T cos T, T sin T)/7.5 + (0.25/7.5) ε        T ~ U(3π/2, 9π/2),  ε ~ N(0, I)
    p(x) = 1/(3π) ∫ N(x; c(t), s² I) dt              c(t) = (t cos t, t sin t)/7.5,  s = 0.25/7.5

The integral is evaluated by quadrature to the precision of float64.

The scaled grid, the ring and the roll are those of Gulrajani's experiments (Improved Training of Wasserstein GANs,
2017, https://arxiv.org/abs/1704.00028, file gan_toy.py of its code); the unit grid is that of the papers on correcting
GANs (Azadi et al., Discriminator Rejection Sampling, 2019, https://arxiv.org/abs/1810.06758). For the four Gaussians
on the line no published centres are known; these are 10σ apart, so that four standard deviations around them are
disjoint.
"""

import math
from functools import cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from adversaria.errors import DataError


class ToyLaw(Protocol):
    """A law on R^dim with exact density."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def dim(self) -> int:
        """Dimension of its points."""
        ...

    @property
    def modes(self) -> Tensor | None:
        """Centres (M, dim), float32, or None if it has no modes."""
        ...

    @property
    def scale(self) -> float | None:
        """Standard deviation σ of a mode in each direction, or None."""
        ...

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """n points (n, dim), float32, on the generator's device."""
        ...

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats, float64 (n,), of points (n, dim); −∞ at infinity.

        Raises:
            DataError: the points have another shape.
        """
        ...


def _points(x: Tensor, dim: int) -> Tensor:
    if x.ndim != 2 or x.shape[1] != dim:
        raise DataError(f"expected points of shape (n, {dim}), came {tuple(x.shape)}; reshape them")
    return x


class GaussianMixture:
    """Gaussians of equal weight and equal standard deviation σ > 0 in every direction.

    Arguments:
        name: for people.
        modes: centres (M, d).
        scale: σ.
    """

    def __init__(self, name: str, modes: Tensor, scale: float) -> None:
        self.name = name
        self.dim = modes.shape[1]
        self.modes = modes.to(torch.float32)
        self.scale = scale
        self._centres = modes.to(torch.float64)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """n points (n, d), float32, on the generator's device."""
        device = generator.device
        which = torch.randint(len(self.modes), (n,), generator=generator, device=device)
        noise = torch.randn(n, self.dim, generator=generator, device=device)
        return self.modes.to(device).index_select(0, which).add_(noise, alpha=self.scale)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats, float64 (n,), of points (n, d); −∞ at infinity."""
        x = _points(x, self.dim).to(torch.float64)
        centres = self._centres.to(x.device)
        squares = torch.stack([(x[:, None, axis] - centres[:, axis]).square() for axis in range(self.dim)]).sum(0)
        log_kernel = torch.logsumexp(-0.5 / self.scale**2 * squares, dim=1)
        return log_kernel - math.log(len(centres)) - self.dim * math.log(self.scale * math.sqrt(2 * math.pi))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(modes={len(self.modes)}, dim={self.dim}, scale={self.scale:.4g})"


class Grid25(GaussianMixture):
    """Twenty-five Gaussians on a grid: spacing 1 and σ 0.05, or scaled: spacing 2 and σ 0.05, divided by 2.828."""

    def __init__(self, scaled: bool = False) -> None:
        line = torch.arange(-2, 3, dtype=torch.float64)
        grid = torch.cartesian_prod(line, line)
        if scaled:
            super().__init__("grid25-scaled", 2 * grid / 2.828, 0.05 / 2.828)
        else:
            super().__init__("grid25", grid, 0.05)


class Ring8(GaussianMixture):
    """Eight Gaussians evenly on the circle of radius 2, the first at angle 0, σ 0.02, all divided by 1.414."""

    def __init__(self) -> None:
        angle = torch.arange(8, dtype=torch.float64) * (math.pi / 4)
        super().__init__("ring8", 2 * torch.stack((angle.cos(), angle.sin()), 1) / 1.414, 0.02 / 1.414)


class Mixture1D(GaussianMixture):
    """Four Gaussians on the line, at −3, −1, 1 and 3, σ 0.2."""

    def __init__(self) -> None:
        super().__init__("mixture1d", torch.tensor([[-3.0], [-1.0], [1.0], [3.0]]), 0.2)


# --- swiss roll ------------------------------------------------------------------------------------------------

_START, _END = 1.5 * math.pi, 4.5 * math.pi
_UNIT = 7.5
_NOISE = 0.25
_ORDER = 32  # nodes of Gauss and Legendre in each panel
_MOST_PANELS = 1024
_CHUNK = 1 << 21  # values of the integrand at once


class SwissRoll:
    """A spiral with noise in the plane; see the module for its law. It has no modes.

    The density is a sum over Gauss–Legendre panels, uniform in t² (nearly the arc length). Seen from a point at
    distance r, the integrand has the width σ / √(1 + 7.5 r t) in t, so the number of panels grows with the square
    root of the farthest point. Against quadrature in 40 digits, log p is wrong by less than 1e-13 for |x| ≤ 2, and
    by less than 2e-16 of itself up to |x| = 100.
    """

    name = "swiss-roll"
    dim = 2
    modes: Tensor | None = None
    scale: float | None = None

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """n points (n, 2), float32, on the generator's device."""
        device = generator.device
        t = torch.rand(n, 1, generator=generator, device=device).mul_(_END - _START).add_(_START)
        noise = torch.randn(n, 2, generator=generator, device=device)
        return torch.cat((t.cos(), t.sin()), 1).mul_(t).add_(noise, alpha=_NOISE).div_(_UNIT)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats, float64 (n,), of points (n, 2); −∞ at infinity."""
        x = _points(x, self.dim).to(torch.float64) * _UNIT
        finite = x.detach().abs().amax(1)
        farthest = float(finite[torch.isfinite(finite)].max()) if torch.isfinite(finite).any() else 0.0
        panels = min(_MOST_PANELS, math.ceil(32 * math.sqrt(max(1.0, farthest / _END))))
        spiral, log_weight = (value.to(x.device) for value in _spiral(panels))
        parts = [_log_integral(part, spiral, log_weight) for part in x.split(max(1, _CHUNK // len(spiral)))]
        constant = 2 * math.log(_UNIT) - math.log(3 * math.pi) - math.log(2 * math.pi * _NOISE**2)
        return torch.cat(parts) + constant

    def __repr__(self) -> str:
        return "SwissRoll()"


def _log_integral(x: Tensor, spiral: Tensor, log_weight: Tensor) -> Tensor:
    """log Σ_j w_j exp(−|x − c_j|² / 2σ²), (n,)."""
    squares = (x[:, :1] - spiral[:, 0]).square() + (x[:, 1:] - spiral[:, 1]).square()
    return torch.logsumexp(log_weight - squares / (2 * _NOISE**2), dim=1)


@cache
def _spiral(panels: int) -> tuple[Tensor, Tensor]:
    """Nodes on the spiral (m, 2) and the logarithms of their weights dt (m,)."""
    nodes, weights = np.polynomial.legendre.leggauss(_ORDER)
    edges = np.linspace(_START**2, _END**2, panels + 1)
    half = (edges[1:] - edges[:-1]) / 2
    squared = ((edges[1:] + edges[:-1]) / 2)[:, None] + half[:, None] * nodes
    t = np.sqrt(squared).ravel()
    log_weight = np.log((half[:, None] * weights).ravel() / (2 * t))
    spiral = np.stack((t * np.cos(t), t * np.sin(t)), 1)
    return torch.from_numpy(spiral), torch.from_numpy(log_weight)
