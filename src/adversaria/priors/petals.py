"""Gaussians in the plane, stretched away from the origin."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from adversaria.errors import RecipeError
from adversaria.priors.mixture import draw_labels, gaussian_net, quasi_divergence
from adversaria.priors.paths import lerp
from adversaria.priors.prior import Labelled, OfDimension, PriorError, inside, positive

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Blend:
    """A mixture of any Gaussians: Σ_k w_k N(m_k, R_k R_kᵀ)."""

    means: Tensor
    """(K, d) float64."""
    roots: Tensor
    """(K, d, d) float64, lower triangular: R."""
    weights: Tensor
    """(K,) float64, of sum 1."""
    whitening: Tensor
    """(K, d, d) float64: R⁻¹."""

    @classmethod
    def of(cls, means: Array, covariances: Array, weights: Array) -> "Blend":
        """From covariances (K, d, d)."""
        # In numpy, so that a recorded round finds finished tensors here, and no factorisation.
        roots = np.linalg.cholesky(covariances)
        return cls(*map(torch.from_numpy, (means, roots, weights, np.linalg.inv(roots))))

    @property
    def dim(self) -> int:
        """d."""
        return self.means.shape[1]

    @property
    def mean(self) -> Tensor:
        """Σ w m."""
        return self.weights @ self.means

    @property
    def covariances(self) -> Tensor:
        """R Rᵀ, (K, d, d)."""
        return self.roots @ self.roots.transpose(1, 2)

    @property
    def covariance(self) -> Tensor:
        """Σ w (R Rᵀ + (m − mean)(m − mean)ᵀ)."""
        off = self.means - self.mean
        spread = self.covariances + off[:, :, None] * off[:, None]
        return (self.weights[:, None, None] * spread).sum(0)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device."""
        return self.sample_given(draw_labels(self.weights.tolist(), n, generator), generator=generator)

    def sample_given(self, labels: Tensor, *, generator: torch.Generator) -> Tensor:
        """A latent from each of these components, labels (n,) int64: (n, d) float32, on the generator's device."""
        noise = torch.randn(len(labels), self.dim, generator=generator, device=generator.device, dtype=torch.float32)
        means, roots = (part.to(noise)[labels.to(noise.device)] for part in (self.means, self.roots))
        return means + (roots * noise[:, None]).sum(-1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d): (...) float64."""
        means, whitening, weights = (part.to(z.device) for part in (self.means, self.whitening, self.weights))
        off = z.double()[..., None, :] - means
        normal = (whitening * off[..., None, :]).sum(-1)
        density = whitening.diagonal(dim1=-2, dim2=-1).log().sum(-1) - 0.5 * self.dim * math.log(2 * math.pi)
        return torch.logsumexp(weights.log() + density - 0.5 * normal.square().sum(-1), dim=-1)


@dataclass(frozen=True)
class Petals(OfDimension):
    """K Gaussians in the plane about r·(cos a_k, sin a_k), a_k = 2πk/K, long away from the origin and thin across.

    The label of a latent is its k. The defaults are those in which implementations of adversarial autoencoders draw a
    mixture of ten Gaussians, touching at the origin; with `Mixture.ring` the components are round and apart.

    Arguments:
        dim: 2.
        components: K.
        radius: r > 0.
        along: standard deviation away from the origin, > 0.
        across: standard deviation across that, > 0.

    Raises:
        RecipeError: the dimension is not 2, there is no component, or a length is not positive.

    >>> Petals(radius=1.0, along=0.5, across=0.5).covariance.diagonal()
    tensor([0.7500, 0.7500], dtype=torch.float64)
    """

    dim: int = 2
    components: int = 10
    radius: float = 1.4
    along: float = 0.5
    across: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dim != 2:
            raise RecipeError(f"petals lie in the plane: dim must be 2, got {self.dim}")
        if not isinstance(self.components, int) or self.components < 1:
            raise RecipeError(f"petals need a whole number of components, at least 1, got {self.components!r}")
        positive(self, radius=self.radius, along=self.along, across=self.across)

    @property
    def mean(self) -> Tensor:
        """0, but for a single petal."""
        return self._law.mean

    @property
    def covariance(self) -> Tensor:
        """½(r² + along² + across²) I for three petals or more."""
        return self._law.covariance

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, 2) float32, on the generator's device."""
        return self.sample_labelled(n, generator=generator).z

    def sample_labelled(self, n: int, *, generator: torch.Generator) -> Labelled:
        """`n` independent latents and the petal of each."""
        labels = draw_labels(self._law.weights.tolist(), n, generator)
        return Labelled(self.sample_given(labels, generator=generator), labels)

    def sample_given(self, labels: Tensor, *, generator: torch.Generator) -> Tensor:
        """A latent from each of these petals, labels (n,) int64: (n, 2) float32, on the generator's device."""
        return self._law.sample_given(labels, generator=generator)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., 2): (...) float64."""
        return self._law.log_prob(self._check(z))

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The straight line; between two petals it crosses a region where the prior has little mass."""
        return lerp(self._check(a), self._check(b), t)

    def interpolate_law(self, t: float) -> Blend:
        """K² Gaussians about (1−t)·m_i + t·m_j, of covariance (1−t)²·C_i + t²·C_j."""
        law, s = self._law, 1 - inside(t)
        means = s * law.means[:, None] + t * law.means
        covariances = s**2 * law.covariances[:, None] + t**2 * law.covariances
        weights = torch.outer(law.weights, law.weights)
        return Blend.of(means.flatten(0, 1).numpy(), covariances.flatten(0, 1).numpy(), weights.flatten().numpy())

    def mismatch(self, t: float) -> float:
        """By quasi-Monte Carlo over 2,048 latents of each petal."""
        law, net = self._law, gaussian_net(2, 1 << 11)
        nodes = law.means[:, None] + net @ law.roots.transpose(1, 2)
        weights = law.weights[:, None].expand(-1, len(net)) / len(net)
        return quasi_divergence(self, self.interpolate_law(t), (nodes.flatten(0, 1), weights.flatten())) / 2

    def match(self, y: Tensor, weights: Sequence[float]) -> Tensor:
        """There is no known map.

        Raises:
            PriorError: always.
        """
        raise PriorError("no distribution-matching map is known for petals; walk linearly within one")

    @property
    def _law(self) -> Blend:
        return _petals(self.components, self.radius, self.along, self.across)


@lru_cache(maxsize=16)
def _petals(components: int, radius: float, along: float, across: float) -> Blend:
    angle = np.arange(components) * (2 * math.pi / components)
    out, aside = np.stack([np.cos(angle), np.sin(angle)], -1), np.stack([-np.sin(angle), np.cos(angle)], -1)
    covariances = along**2 * out[:, :, None] * out[:, None] + across**2 * aside[:, :, None] * aside[:, None]
    return Blend.of(radius * out, covariances, np.full(components, 1 / components))
