"""The swiss roll in the plane, labelled along its length."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from adversaria.errors import RecipeError
from adversaria.priors.mixture import Mixture, gaussian_net, log_mixture, quasi_divergence
from adversaria.priors.paths import lerp
from adversaria.priors.prior import Labelled, OfDimension, PriorError, inside, positive

BEGIN, END, SHRINK = 1.5 * math.pi, 4.5 * math.pi, 7.5


@dataclass(frozen=True)
class SwissRoll(OfDimension):
    """z = (T cos T, T sin T)/7.5 + s·ε, T ~ U(3π/2, 9π/2), ε ~ N(0, I₂); the label is T's place in equal sections.

    Arguments:
        dim: 2.
        sections: number of labels.
        scale: s > 0.
    """

    dim: int = 2
    sections: int = 10
    scale: float = 0.25 / 7.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dim != 2:
            raise RecipeError(f"a swiss roll lies in the plane: dim must be 2, got {self.dim}")
        if not isinstance(self.sections, int) or self.sections < 1:
            raise RecipeError(f"a swiss roll needs a whole number of sections, at least 1, got {self.sections!r}")
        positive(self, scale=self.scale)

    @property
    def components(self) -> int:
        """The sections."""
        return self.sections

    @property
    def mean(self) -> Tensor:
        """By quadrature along the roll."""
        centres, weights = _nodes(640)
        return weights @ centres

    @property
    def covariance(self) -> Tensor:
        """That of the curve, plus s² I."""
        centres, weights = _nodes(640)
        off = centres - self.mean
        return (weights[:, None] * off).T @ off + self._isotropic(self.scale**2)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, 2) float32, on the generator's device."""
        return self.sample_labelled(n, generator=generator).z

    def sample_labelled(self, n: int, *, generator: torch.Generator) -> Labelled:
        """`n` independent latents and the section of each."""
        share = _uniform(n, generator)
        return Labelled(self._along(share, generator), (share * self.sections).long().clamp_max(self.sections - 1))

    def sample_given(self, labels: Tensor, *, generator: torch.Generator) -> Tensor:
        """A latent from each of these sections, labels (n,) int64: (n, 2) float32, on the generator's device."""
        place = labels.to(generator.device) + _uniform(len(labels), generator)
        return self._along(place / self.sections, generator)

    def _along(self, share: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.randn(len(share), 2, generator=generator, device=generator.device, dtype=torch.float32)
        angle = BEGIN + (END - BEGIN) * share
        return torch.stack([angle.cos(), angle.sin()], -1) * angle[:, None] / SHRINK + self.scale * noise

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., 2): (...) float64, by quadrature along the roll (640 Gauss-Legendre nodes)."""
        centres, weights = _nodes(640)
        return log_mixture(self._check(z), centres.to(z.device), weights.to(z.device), self.scale)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The straight line, across the roll."""
        return lerp(self._check(a), self._check(b), t)

    def interpolate_law(self, t: float) -> Mixture:
        """By quadrature in both ends: a mixture of 192² Gaussians."""
        centres, weights = _nodes(192)
        pairs = ((1 - inside(t)) * centres[:, None] + t * centres).reshape(-1, 2)
        return Mixture(
            pairs.tolist(), self.scale * math.hypot(t, 1 - t), torch.outer(weights, weights).flatten().tolist()
        )

    def mismatch(self, t: float) -> float:
        """By quasi-Monte Carlo over 512 latents; relative error about two per cent."""
        net = gaussian_net(3, 1 << 9)
        angle = BEGIN + (END - BEGIN) * torch.special.ndtr(net[:, 0])
        curve = torch.stack([angle.cos(), angle.sin()], -1) * angle[:, None] / SHRINK
        z = curve + self.scale * net[:, 1:]
        return quasi_divergence(self, self.interpolate_law(t), (z, torch.full((len(z),), 1 / len(z)).double())) / 2

    def match(self, y: Tensor, weights: Sequence[float]) -> Tensor:
        """There is no known map.

        Raises:
            PriorError: always.
        """
        raise PriorError("no distribution-matching map is known for the swiss roll; walk along its angle instead")


def _uniform(n: int, generator: torch.Generator) -> Tensor:
    return torch.rand(n, generator=generator, device=generator.device, dtype=torch.float32)


@lru_cache(maxsize=4)
def _nodes(count: int) -> tuple[Tensor, Tensor]:
    x, w = np.polynomial.legendre.leggauss(count)
    angle = BEGIN + (END - BEGIN) * (x + 1) / 2
    return torch.from_numpy(np.stack([np.cos(angle), np.sin(angle)], 1) * angle[:, None] / SHRINK), torch.from_numpy(
        w / 2
    )
