"""Independent priors side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adversaria.errors import RecipeError
from adversaria.priors.prior import Law, Prior


@dataclass(frozen=True)
class Joint:
    """Independent laws of consecutive coordinates."""

    factors: Sequence[Law]

    def __post_init__(self) -> None:
        if not self.factors:
            raise RecipeError("a product needs one factor at least")
        object.__setattr__(self, "factors", tuple(self.factors))

    @property
    def dim(self) -> int:
        """Σ d_i."""
        return sum(factor.dim for factor in self.factors)

    @property
    def mean(self) -> Tensor | None:
        """The factors' means in a row; None if one has none."""
        means = [factor.mean for factor in self.factors]
        there = [mean for mean in means if mean is not None]
        return torch.cat(there) if len(there) == len(means) else None

    @property
    def covariance(self) -> Tensor | None:
        """Block-diagonal; None if one factor has none."""
        blocks = [factor.covariance for factor in self.factors]
        there = [block for block in blocks if block is not None]
        return torch.block_diag(*there) if len(there) == len(blocks) else None

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device."""
        return torch.cat([factor.sample(n, generator=generator) for factor in self.factors], dim=1)

    def log_prob(self, z: Tensor) -> Tensor:
        """The sum of the factors' log densities at `z` (..., d): (...) float64."""
        parts = [factor.log_prob(part) for factor, part in zip(self.factors, self._split(z), strict=True)]
        return torch.stack(parts).sum(0)

    def _split(self, z: Tensor) -> Sequence[Tensor]:
        if z.ndim < 1 or z.shape[-1] != self.dim:
            raise ValueError(f"expected latents of shape (..., {self.dim}), got {tuple(z.shape)}")
        return z.split([factor.dim for factor in self.factors], dim=-1)


@dataclass(frozen=True, init=False)
class Product(Joint):
    """Independent priors of consecutive coordinates: `Product(Categorical(10), Normal(54))`.

    Each factor walks in its own way; KL is the sum of the factors', so the mismatch is their mean weighted by d_i.

    Raises:
        RecipeError: there is no factor.

    >>> from adversaria.priors import Normal, Uniform
    >>> round(Product(Uniform(3), Normal(1)).mismatch(0.5), 4)
    0.2685
    """

    factors: Sequence[Prior]

    def __init__(self, *factors: Prior) -> None:
        object.__setattr__(self, "factors", factors)
        self.__post_init__()

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """Each factor's own walk."""
        pairs = zip(self.factors, self._split(a), self._split(b), strict=True)
        return torch.cat([factor.interpolate(x, y, t) for factor, x, y in pairs], dim=-1)

    def interpolate_law(self, t: float) -> Joint:
        """The factors' laws, side by side."""
        return Joint([factor.interpolate_law(t) for factor in self.factors])

    def mismatch(self, t: float) -> float:
        """Σ d_i·mismatch_i/Σ d_i."""
        return sum(factor.dim * factor.mismatch(t) for factor in self.factors) / self.dim

    def match(self, y: Tensor, weights: Sequence[float]) -> Tensor:
        """Factor by factor."""
        maps: list[Callable[[Tensor, Sequence[float]], Tensor]] = [factor.match for factor in self.factors]
        return torch.cat([carry(part, weights) for carry, part in zip(maps, self._split(y), strict=True)], dim=-1)
