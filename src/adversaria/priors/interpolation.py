r"""Walks between latents, and what they do to the law.

Every operation here is a combination y = Σ w_i·z_i of independent latents:

    between two points     (1−t)·a + t·b
    among n points         Σ w_i·z_i
    an analogy             a − b + c
    in the vicinity        z + ε·u,  u another latent

and a *walk* says what becomes of it:

    Linear      y itself
    Spherical   the direction of y (between two points: of the arc), and the weighted mean of the norms
    Matched     T(y), T the monotone map per coordinate (or of the norm) that carries the law of y back to the prior

Only for `Matched` does y have the prior's law for every prior with a known map: Normal, Uniform, Histogram, Cauchy,
Sphere, Gamma, and their products. Linear keeps the Cauchy law if Σ|w_i| = 1; Spherical keeps the Sphere, and of the
normal law only the mean of ‖z‖².

Source: Agustsson, Sage, Timofte & Van Gool, Optimal transport maps for distribution preserving operations on latent
spaces of generative models, 2019, https://arxiv.org/abs/1711.01970; White, Sampling generative networks, 2016,
https://arxiv.org/abs/1609.04468.

>>> generator = torch.Generator().manual_seed(0)
>>> a, b = Normal(1000).sample(2, generator=generator)
>>> [round(walk.between(Normal(1000), a, b, 0.5).square().mean().item(), 1) for walk in (Linear(), Matched())]
[0.5, 1.0]
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from adversaria.priors.cauchy import Cauchy
from adversaria.priors.gamma import Gamma
from adversaria.priors.histogram import Histogram
from adversaria.priors.normal import Normal
from adversaria.priors.paths import lerp, slerp
from adversaria.priors.prior import Prior, PriorError, live
from adversaria.priors.product import Product
from adversaria.priors.scaled import Scaled
from adversaria.priors.sphere import Sphere
from adversaria.priors.uniform import Uniform


class Walk(Protocol):
    """A rule that turns combinations of latents into latents."""

    def preserves(self, prior: Prior, weights: Sequence[float] = (0.5, 0.5)) -> bool:
        """Whether the combination with these weights of independent latents has exactly the prior's law."""
        ...

    def between(self, prior: Prior, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The point at share `t` of the way from `a` to `b`; shapes as in `Prior.interpolate`."""
        ...

    def combine(self, prior: Prior, points: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
        """The combination of latents, each (..., d)."""
        ...


def analogy(walk: Walk, prior: Prior, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """a − b + c: what is to c as a is to b."""
    return walk.combine(prior, (a, b, c), (1.0, -1.0, 1.0))


def vicinity(walk: Walk, prior: Prior, z: Tensor, reach: float, *, generator: torch.Generator) -> Tensor:
    """z + reach·u with u fresh from the prior: a latent near each z (n, d); `reach` 0 gives z, ∞ would give u."""
    u = prior.sample(z.reshape(-1, prior.dim).shape[0], generator=generator).reshape(z.shape).to(z)
    return walk.combine(prior, (z, u), (1.0, float(reach)))


def _weighted(points: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    if len(points) != len(weights) or not points:
        raise PriorError(f"a combination needs a weight for each point, got {len(points)} and {len(weights)}")
    live(weights)
    return torch.stack([weight * z for z, weight in zip(points, weights, strict=True)]).sum(0)


@dataclass(frozen=True)
class Linear:
    """The combination itself."""

    def preserves(self, prior: Prior, weights: Sequence[float] = (0.5, 0.5)) -> bool:
        """True of one point of weight 1, and of the Cauchy law if Σ|w_i| = 1."""
        kept = live(weights)
        if isinstance(prior, Product):
            return all(self.preserves(factor, weights) for factor in prior.factors)
        if isinstance(prior, Scaled):
            return self.preserves(prior.of, weights)
        return kept == (1.0,) or (isinstance(prior, Cauchy) and math.isclose(sum(map(abs, kept)), 1, rel_tol=1e-12))

    def between(self, prior: Prior, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """(1−t)·a + t·b."""
        return lerp(a, b, t)

    def combine(self, prior: Prior, points: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
        """Σ w_i·z_i."""
        return _weighted(points, weights)


@dataclass(frozen=True)
class Spherical:
    """The direction of the combination, with the mean norm; between two points the arc at constant speed."""

    def preserves(self, prior: Prior, weights: Sequence[float] = (0.5, 0.5)) -> bool:
        """True of the Sphere, and of one point of weight 1."""
        unscaled = prior.of if isinstance(prior, Scaled) else prior
        return live(weights) == (1.0,) or isinstance(unscaled, Sphere)

    def between(self, prior: Prior, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The arc; see `paths.slerp`."""
        return slerp(a, b, t)

    def combine(self, prior: Prior, points: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
        """Σ w_i·z_i, scaled to the norm Σ|w_i|‖z_i‖/Σ|w_i|."""
        y = _weighted(points, weights)
        shares = [abs(weight) / sum(map(abs, weights)) for weight in weights]
        norms = [torch.linalg.vector_norm(z, dim=-1, keepdim=True) for z in points]
        return _weighted(norms, shares) * torch.nn.functional.normalize(y, dim=-1)


@dataclass(frozen=True)
class Matched:
    """The combination, carried back to the prior's law by its monotone map; see `Prior.match`."""

    def preserves(self, prior: Prior, weights: Sequence[float] = (0.5, 0.5)) -> bool:
        """True of every prior with a known map."""
        live(weights)
        if isinstance(prior, Product):
            return all(self.preserves(factor, weights) for factor in prior.factors)
        if isinstance(prior, Scaled):
            return self.preserves(prior.of, weights)
        return isinstance(prior, Normal | Uniform | Histogram | Cauchy | Sphere | Gamma)

    def between(self, prior: Prior, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """match((1−t)·a + t·b), one map for each value of t; the ends are a and b."""
        shares = torch.as_tensor(t, dtype=torch.float64, device=a.device)
        y = lerp(a, b, shares.to(a.dtype))
        shares = shares.broadcast_to(y.shape[:-1])
        carried = torch.empty_like(y)
        for share in torch.unique(shares).tolist():
            where = shares == share
            carried[where] = y[where] if share in (0, 1) else prior.match(y[where], (1 - share, share))
        return carried

    def combine(self, prior: Prior, points: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
        """match(Σ w_i·z_i)."""
        return prior.match(_weighted(points, weights), weights)
