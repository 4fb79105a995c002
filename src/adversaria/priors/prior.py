"""What every prior offers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor

from adversaria.errors import AdversariaError, RecipeError


class PriorError(AdversariaError, ValueError):
    """A prior has no answer to what it was asked: a share t outside (0, 1), a transport that does not exist."""


class Labelled(NamedTuple):
    """Latents with the number of the component that each came from."""

    z: Tensor
    """(n, d) float32."""
    labels: Tensor
    """(n,) int64."""


class Law(Protocol):
    """A law of points z ∈ ℝ^d that can be sampled and evaluated."""

    @property
    def dim(self) -> int:
        """Dimension d of the latent."""
        ...

    @property
    def mean(self) -> Tensor | None:
        """E z, (d,) float64; None if it does not exist."""
        ...

    @property
    def covariance(self) -> Tensor | None:
        """E (z − E z)(z − E z)ᵀ, (d, d) float64; None if it does not exist."""
        ...

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device."""
        ...

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density in nats at `z` (..., d): (...) float64; −∞ outside the support."""
        ...


class Prior(Law, Protocol):
    """A law of latents that one can walk in, and that knows what a walk makes of it."""

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The point at share `t` ∈ [0, 1] of the way from `a` to `b`.

        `a` and `b` are (..., d); `t` is a number, or a tensor whose shape broadcasts against that of `a[..., 0]`.
        So two latents (d,) and `t` (T,) give a walk (T, d), and two rows (n, d) and `t` (T, 1) give (T, n, d).
        """
        ...

    def interpolate_law(self, t: float) -> Law:
        """The law of (1−t)·a + t·b for independent a and b from this prior, t ∈ (0, 1)."""
        ...

    def mismatch(self, t: float) -> float:
        """KL(prior ‖ law of (1−t)·a + t·b)/d, in nats per dimension, t ∈ (0, 1); ∞ where that law has no density."""
        ...

    def match(self, y: Tensor, weights: Sequence[float]) -> Tensor:
        """Carry y = Σ w_i·z_i (..., d), of independent z_i from this prior, back to this prior's law, monotonely.

        Raises:
            PriorError: no such map is known for this prior, or no weight differs from zero.
        """
        ...


class LabelledPrior(Prior, Protocol):
    """A prior in parts that bear labels 0 … components − 1, each latent with the label of its part."""

    @property
    def components(self) -> int:
        """How many parts."""
        ...

    def sample_labelled(self, n: int, *, generator: torch.Generator) -> Labelled:
        """`n` independent latents and the part of each."""
        ...

    def sample_given(self, labels: Tensor, *, generator: torch.Generator) -> Tensor:
        """A latent from each of these parts, labels (n,) int64: (n, d) float32, on the generator's device."""
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
        if not isinstance(self.dim, int) or isinstance(self.dim, bool) or self.dim < self.least:
            raise RecipeError(
                f"{type(self).__name__} needs an integer dimension of at least {self.least}, got {self.dim!r}; "
                f"set the prior's dim"
            )

    def _check(self, z: Tensor) -> Tensor:
        if z.ndim < 1 or z.shape[-1] != self.dim:
            raise ValueError(f"expected latents of shape (..., {self.dim}), got {tuple(z.shape)}")
        return z

    def _isotropic(self, variance: float) -> Tensor:
        return variance * torch.eye(self.dim, dtype=torch.float64)

    def _origin(self) -> Tensor:
        return torch.zeros(self.dim, dtype=torch.float64)


def positive(owner: object, **values: float) -> None:
    """Refuse a value that is not a positive number."""
    for name, value in values.items():
        if not 0 < value < float("inf"):
            raise RecipeError(f"{type(owner).__name__} needs a positive, finite {name}, got {value!r}")


def inside(t: float) -> float:
    """`t`, if it lies in (0, 1)."""
    if not 0 < t < 1:
        raise PriorError(f"a share t of an interpolate lies in (0, 1), got {t!r}; at 0 and 1 it is an end itself")
    return float(t)


def live(weights: Sequence[float]) -> tuple[float, ...]:
    """The weights that differ from zero, of which there must be one, all finite."""
    kept = tuple(float(w) for w in weights if w != 0)
    if not kept or not all(abs(w) < float("inf") for w in kept):
        raise PriorError(f"a combination needs finite weights of which one at least is not zero, got {tuple(weights)}")
    return kept
