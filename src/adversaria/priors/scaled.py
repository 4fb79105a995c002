r"""Priors at another scale: the law of c·z for z of some prior and c > 0.

    log p_c(z) = log p(z/c) − d·log c,    mean c·E z,    covariance c²·Cov z,    mismatch(t) as before

KL does not see a common scale of prior and interpolate, so what a law's shape does for walks and what its small
deviation does for a network can be told apart: compare `with_deviation(prior, σ)` at one σ.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from adversaria.priors.gamma import Gamma
from adversaria.priors.histogram import Histogram
from adversaria.priors.normal import Normal
from adversaria.priors.prior import Law, Prior, PriorError, positive
from adversaria.priors.sphere import Sphere


@dataclass(frozen=True)
class ScaledLaw:
    """The law of factor·z.

    Arguments:
        of: the law of z.
        factor: c, positive and finite.

    Raises:
        RecipeError: the factor is not positive and finite.
    """

    of: Law
    factor: float

    def __post_init__(self) -> None:
        positive(self, factor=self.factor)

    @property
    def dim(self) -> int:
        """d."""
        return self.of.dim

    @property
    def mean(self) -> Tensor | None:
        """c·E z; None if that does not exist."""
        mean = self.of.mean
        return None if mean is None else self.factor * mean

    @property
    def covariance(self) -> Tensor | None:
        """c²·Cov z; None if that does not exist."""
        covariance = self.of.covariance
        return None if covariance is None else self.factor**2 * covariance

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device."""
        return self.factor * self.of.sample(n, generator=generator)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d): (...) float64; for a sphere with respect to surface measure, as there."""
        freedom = self.dim - isinstance(self.of, Sphere)
        return self.of.log_prob(z.double() / self.factor) - freedom * math.log(self.factor)


@dataclass(frozen=True)
class Scaled(ScaledLaw):
    """A prior at another scale: its walks and its mismatch are those of the prior itself.

    >>> from adversaria.priors import Uniform
    >>> half = Scaled(Uniform(3), 0.5)
    >>> half.covariance[0, 0].item() == 0.25 / 3, half.mismatch(0.5) == Uniform(3).mismatch(0.5)
    (True, True)
    """

    of: Prior

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The prior's own walk; lines and arcs do not depend on the scale."""
        return self.of.interpolate(a, b, t)

    def interpolate_law(self, t: float) -> ScaledLaw:
        """The prior's, scaled."""
        return ScaledLaw(self.of.interpolate_law(t), self.factor)

    def mismatch(self, t: float) -> float:
        """The prior's: KL is invariant."""
        return self.of.mismatch(t)

    def match(self, y: Tensor, weights: Sequence[float]) -> Tensor:
        """c·match(y/c)."""
        return self.factor * self.of.match(y / self.factor, weights)


def deviation(prior: Law) -> float | None:
    """√(Tr Cov z/d), the root mean square deviation of a coordinate; None where there is no covariance.

    >>> deviation(Normal(3))
    1.0
    """
    covariance = prior.covariance
    return None if covariance is None else math.sqrt(float(covariance.trace()) / prior.dim)


def with_deviation(prior: Prior, wanted: float | None) -> Prior:
    """The prior scaled so that a coordinate has the standard deviation `wanted`; None: as it is.

    Raises:
        RecipeError: `wanted` is not positive and finite.
        PriorError: the prior has no deviation (a Cauchy law), or it is 0.

    >>> with_deviation(Normal(3), 0.25)
    Normal(dim=3, scale=0.25)
    """
    if wanted is None:
        return prior
    positive(prior, deviation=wanted)
    own = deviation(prior)
    if not own:
        raise PriorError(
            f"{type(prior).__name__} has no standard deviation to set to {wanted:g}: its moments do not exist, or it "
            f"is a single point; leave the deviation out"
        )
    return _scaled(prior, wanted / own)


def _scaled(prior: Prior, factor: float) -> Prior:
    """As a law of the prior's own family where that has a scale."""
    match prior:
        case Normal():
            return replace(prior, scale=factor * prior.scale)
        case Gamma():
            return replace(prior, scale=factor**2 * prior.scale)
        case Histogram(support=(low, high)):
            return replace(prior, support=(factor * low, factor * high))
        case _:
            return Scaled(prior, factor)
