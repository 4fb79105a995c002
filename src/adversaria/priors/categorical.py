"""One-hot latents."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adversaria.errors import RecipeError
from adversaria.priors.mixture import draw_labels
from adversaria.priors.paths import lerp
from adversaria.priors.prior import Labelled, OfDimension, PriorError, inside
from adversaria.priors.sums import normalised


@dataclass(frozen=True)
class Categorical(OfDimension):
    """z = e_k, a unit vector of ℝ^d, with probability p_k; its label is k. Densities are masses: log p(e_k) = log p_k.

    Arguments:
        dim: d, the number of classes.
        probabilities: d non-negative numbers, divided by their sum; by default equal.

    >>> round(Categorical(10).mismatch(0.5) * 10, 4) == round(math.log(10), 4)
    True
    """

    probabilities: Sequence[float] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        p = np.asarray(self.probabilities or np.ones(self.dim), dtype=np.float64)
        if p.shape != (self.dim,) or not np.isfinite(p).all() or (p < 0).any() or not p.any():
            raise RecipeError(
                f"{self.dim} classes need as many finite, non-negative probabilities, got {self.probabilities}"
            )
        object.__setattr__(self, "probabilities", normalised(p.tolist()))

    @property
    def components(self) -> int:
        """d."""
        return self.dim

    @property
    def mean(self) -> Tensor:
        """p."""
        return torch.tensor(self.probabilities, dtype=torch.float64)

    @property
    def covariance(self) -> Tensor:
        """diag(p) − p pᵀ."""
        return torch.diag(self.mean) - torch.outer(self.mean, self.mean)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device."""
        return self.sample_labelled(n, generator=generator).z

    def sample_labelled(self, n: int, *, generator: torch.Generator) -> Labelled:
        """`n` independent latents and the class of each."""
        labels = draw_labels(self.probabilities, n, generator)
        return Labelled(self.sample_given(labels, generator=generator), labels)

    def sample_given(self, labels: Tensor, *, generator: torch.Generator) -> Tensor:
        """The unit vectors of these classes, labels (n,) int64: (n, d) float32, on the generator's device."""
        return torch.nn.functional.one_hot(labels.to(generator.device), self.dim).float()

    def log_prob(self, z: Tensor) -> Tensor:
        """Log mass at `z` (..., d): (...) float64; −∞ at anything but a unit vector."""
        return _log_mass(self._check(z), torch.eye(self.dim, dtype=torch.float64), self.mean)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The straight line, on which no point but the ends has been seen."""
        return lerp(self._check(a), self._check(b), t)

    def interpolate_law(self, t: float) -> "Atoms":
        """The points (1−t)·e_i + t·e_j with masses p_i·p_j."""
        eye = torch.eye(self.dim, dtype=torch.float64)
        points = ((1 - inside(t)) * eye[:, None] + t * eye).reshape(-1, self.dim)
        places, which = torch.unique(points, dim=0, return_inverse=True)
        mass = torch.zeros(len(places), dtype=torch.float64)
        mass.index_add_(0, which.flatten(), torch.outer(self.mean, self.mean).flatten())
        return Atoms(places, mass)

    def mismatch(self, t: float) -> float:
        """H(p)/d, the entropy: only equal ends, of probability p_k², lead to e_k."""
        inside(t)
        return -math.fsum(p * math.log(p) for p in self.probabilities if p > 0) / self.dim

    def match(self, y: Tensor, weights: Sequence[float]) -> Tensor:
        """There is no such map.

        Raises:
            PriorError: always.
        """
        raise PriorError("there is no continuous walk among the classes of a categorical prior; keep the class fixed")


@dataclass(frozen=True, eq=False)
class Atoms:
    """Finitely many points with masses: the law of a categorical prior's interpolate."""

    points: Tensor
    """(K, d) float64."""
    mass: Tensor
    """(K,) float64."""

    @property
    def dim(self) -> int:
        """d."""
        return self.points.shape[1]

    @property
    def mean(self) -> Tensor:
        """Σ mass·point."""
        return self.mass @ self.points

    @property
    def covariance(self) -> Tensor:
        """Σ mass·(point − mean)(point − mean)ᵀ."""
        off = self.points - self.mean
        return (self.mass[:, None] * off).T @ off

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent points, (n, d) float32, on the generator's device."""
        labels = draw_labels(self.mass.tolist(), n, generator)
        return self.points.to(labels.device)[labels].float()

    def log_prob(self, z: Tensor) -> Tensor:
        """Log mass at `z` (..., d): (...) float64."""
        return _log_mass(z, self.points, self.mass)


def _log_mass(z: Tensor, points: Tensor, mass: Tensor) -> Tensor:
    points, mass = points.to(z.device), mass.to(z.device)
    # A float32 latent lies within its rounding of the point it stands for.
    near = (z.double()[..., None, :] - points).abs().amax(-1) < 1e-6
    return (near * mass).sum(-1).log()
