"""What every prior offers."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from adversaria.errors import RecipeError


class Prior(Protocol):
    """A law of latents z ∈ ℝ^d that can be sampled, evaluated, and walked in."""

    @property
    def dim(self) -> int:
        """Dimension d of the latent."""
        ...

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device."""
        ...

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density in nats at `z` (..., d): (...) float64; −∞ outside the support."""
        ...

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The point at share `t` ∈ [0, 1] of the way from `a` to `b`.

        `a` and `b` are (..., d); `t` is a number, or a tensor whose shape broadcasts against that of `a[..., 0]`.
        So two latents (d,) and `t` (T,) give a walk (T, d), and two rows (n, d) and `t` (T, 1) give (T, n, d).
        """
        ...


@dataclass(frozen=True)
class OfDimension:
    """What the priors share: a checked dimension.

    Arguments:
        dim: d, at least `least`.

    Raises:
        RecipeError: the dimension is no integer, or too small.
    """

    dim: int
    least: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not isinstance(self.dim, int) or self.dim < self.least:
            raise RecipeError(
                f"{type(self).__name__} needs an integer dimension of at least {self.least}, got {self.dim!r}; "
                f"set the prior's dim"
            )

    def _check(self, z: Tensor) -> Tensor:
        if z.ndim < 1 or z.shape[-1] != self.dim:
            raise ValueError(f"expected latents of shape (..., {self.dim}), got {tuple(z.shape)}")
        return z
