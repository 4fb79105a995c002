"""Labelled mixtures of Gaussians."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special
import scipy.stats
import torch
from torch import Tensor

from adversaria.errors import RecipeError
from adversaria.priors.paths import lerp
from adversaria.priors.prior import Labelled, Law, PriorError, inside, positive
from adversaria.priors.sums import normalised


def log_mixture(z: Tensor, centres: Tensor, weights: Tensor, scale: float) -> Tensor:
    """log Σ_k weights_k N(z; centres_k, scale² I) at `z` (..., d): (...) float64, in pieces that fit the memory."""
    z = z.double()
    flat, dim = z.reshape(-1, centres.shape[1]), centres.shape[1]
    constant = weights.log() - 0.5 * dim * math.log(2 * math.pi * scale**2)
    rows = max(1, (1 << 22) // len(centres))
    parts = [
        torch.logsumexp(constant - 0.5 * (_distances(part, centres) / scale) ** 2, dim=-1) for part in flat.split(rows)
    ]
    return (torch.cat(parts) if parts else flat.new_zeros(0)).reshape(z.shape[:-1])


def _distances(z: Tensor, centres: Tensor) -> Tensor:
    return torch.cdist(z, centres, compute_mode="donot_use_mm_for_euclid_dist")


@dataclass(frozen=True)
class Mixture:
    """K isotropic Gaussians of one scale: p(z) = Σ_k w_k N(z; m_k, s² I); the label of a latent is its k.

    Arguments:
        centres: K rows m_k of d numbers.
        scale: s > 0.
        weights: K non-negative numbers, divided by their sum; by default equal.

    Raises:
        RecipeError: the centres are no table of finite numbers, the scale is not positive, the weights do not fit.

    >>> Mixture.ring(4, radius=1.0, scale=0.1).covariance.diagonal()
    tensor([0.5100, 0.5100], dtype=torch.float64)
    """

    centres: Sequence[Sequence[float]]
    scale: float
    weights: Sequence[float] = ()

    def __post_init__(self) -> None:
        centres = np.asarray(self.centres, dtype=np.float64)
        if centres.ndim != 2 or centres.size == 0 or not np.isfinite(centres).all():
            raise RecipeError(
                f"a mixture needs a table (components, dim) of finite centres, got an array of shape {centres.shape}"
            )
        positive(self, scale=self.scale)
        weights = np.asarray(self.weights or np.ones(len(centres)), dtype=np.float64)
        if (
            weights.shape != (len(centres),)
            or not np.isfinite(weights).all()
            or (weights < 0).any()
            or not weights.any()
        ):
            raise RecipeError(
                f"a mixture of {len(centres)} components needs as many finite, non-negative weights, got {self.weights}"
            )
        object.__setattr__(self, "centres", tuple(map(tuple, centres.tolist())))
        object.__setattr__(self, "weights", normalised(weights.tolist()))

    @classmethod
    def ring(cls, components: int = 10, *, radius: float = 4.0, scale: float = 0.5, dim: int = 2) -> "Mixture":
        """Centres equally spaced on a circle in the plane of the first two of `dim` coordinates."""
        if components < 1 or dim < 2:
            raise RecipeError(f"a ring needs a component at least and two dimensions, got {components} and {dim}")
        angles = [2 * math.pi * k / components for k in range(components)]
        rest = (0.0,) * (dim - 2)
        return cls(tuple((radius * math.cos(a), radius * math.sin(a), *rest) for a in angles), scale)

    def __repr__(self) -> str:
        return f"Mixture(<{len(self.centres)} centres in {self.dim} dimensions>, scale={self.scale})"

    @property
    def dim(self) -> int:
        """d."""
        return len(self.centres[0])

    @property
    def components(self) -> int:
        """K."""
        return len(self.centres)

    @property
    def mean(self) -> Tensor:
        """Σ w m."""
        return _row(self.weights) @ _row(self.centres)

    @property
    def covariance(self) -> Tensor:
        """s² I + Σ w (m − mean)(m − mean)ᵀ."""
        off = _row(self.centres) - self.mean
        return self.scale**2 * torch.eye(self.dim, dtype=torch.float64) + (_row(self.weights)[:, None] * off).T @ off

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device."""
        return self.sample_labelled(n, generator=generator).z

    def sample_labelled(self, n: int, *, generator: torch.Generator) -> Labelled:
        """`n` independent latents and the component of each."""
        labels = draw_labels(self.weights, n, generator)
        return Labelled(self.sample_given(labels, generator=generator), labels)

    def sample_given(self, labels: Tensor, *, generator: torch.Generator) -> Tensor:
        """A latent from each of these components, labels (n,) int64: (n, d) float32, on the generator's device."""
        noise = torch.randn(len(labels), self.dim, generator=generator, device=generator.device, dtype=torch.float32)
        return _row(self.centres).to(noise)[labels.to(noise.device)] + self.scale * noise

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d): (...) float64."""
        if z.ndim < 1 or z.shape[-1] != self.dim:
            raise ValueError(f"expected latents of shape (..., {self.dim}), got {tuple(z.shape)}")
        return log_mixture(z, _row(self.centres).to(z.device), _row(self.weights).to(z.device), self.scale)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The straight line; between two components it crosses a region where the prior has no mass."""
        return lerp(a, b, t)

    def interpolate_law(self, t: float) -> "Mixture":
        """K² Gaussians about (1−t)·m_i + t·m_j, of scale s·√(t² + (1−t)²)."""
        m, w = _row(self.centres), _row(self.weights)
        pairs = (1 - inside(t)) * m[:, None] + t * m
        weights = torch.outer(w, w).flatten().tolist()
        return Mixture(pairs.reshape(-1, self.dim).tolist(), self.scale * math.hypot(t, 1 - t), weights)

    def mismatch(self, t: float) -> float:
        """By quasi-Monte Carlo in the plane of the centres, in closed form across it; absolute error below 3e-3/d."""
        m = _row(self.centres)
        _, spread, axes = torch.linalg.svd(m - m.mean(0), full_matrices=False)
        rank = max(1, int((spread > 1e-9 * (self.scale + float(spread[0]))).sum()))
        flat = Mixture(((m - m.mean(0)) @ axes[:rank].T).tolist(), self.scale, self.weights)
        divergence = quasi_divergence(flat, flat.interpolate_law(t), flat._nodes())
        v = t**2 + (1 - t) ** 2
        return (divergence + (self.dim - rank) * 0.5 * (1 / v - 1 + math.log(v))) / self.dim

    def match(self, y: Tensor, weights: Sequence[float]) -> Tensor:
        """There is no known map.

        Raises:
            PriorError: always.
        """
        raise PriorError("no distribution-matching map is known for a mixture; walk linearly within a component")

    def _nodes(self) -> tuple[Tensor, Tensor]:
        noise = gaussian_net(self.dim, 1 << 11)
        nodes = _row(self.centres)[:, None] + self.scale * noise
        weights = _row(self.weights)[:, None].expand(-1, len(noise)) / len(noise)
        return nodes.reshape(-1, self.dim), weights.flatten()


def draw_labels(weights: Sequence[float], n: int, generator: torch.Generator) -> Tensor:
    """`n` independent indices with the given probabilities, int64."""
    u = torch.rand(n, generator=generator, device=generator.device, dtype=torch.float64)
    above = torch.tensor(weights, dtype=torch.float64, device=generator.device).cumsum(0)
    # A rounded sum just below 1 must not lead past the last index of positive weight.
    last = max(k for k, weight in enumerate(weights) if weight > 0)
    return torch.searchsorted(above, u, right=True).clamp_max(last)


def gaussian_net(dim: int, count: int) -> Tensor:
    """`count` (a power of two) points (count, dim) that fill N(0, I) evenly: a scrambled Sobol net."""
    u = scipy.stats.qmc.Sobol(dim, scramble=True, rng=0).random(count)
    return torch.from_numpy(scipy.special.ndtri(np.clip(u, 1e-12, 1 - 1e-12)))


def quasi_divergence(p: Law, q: Law, nodes: tuple[Tensor, Tensor]) -> float:
    """Σ w (log p − log q) over nodes of p."""
    z, weights = nodes
    return float(weights @ (p.log_prob(z) - q.log_prob(z)))


def _row(values: Sequence[float] | Sequence[Sequence[float]]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
