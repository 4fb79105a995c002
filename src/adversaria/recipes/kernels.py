"""Kernels by which the features of a critic are compared."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from adversaria.recipes.config import Config, NonNegative, OneOf, Positive

Several = Annotated[tuple[Positive, ...], Field(min_length=1)]


class RBFKernel(Config):
    """Σ_σ exp(−|x − y|²/2σ²)."""

    kind: Literal["rbf"] = "rbf"
    bandwidths: Several = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0)
    """The σ, in units of the features."""


class MedianRBFKernel(Config):
    """The same with bandwidths that follow the features: multiples of the median distance in each batch."""

    kind: Literal["median-rbf"] = "median-rbf"
    factors: Several = (1.0,)
    """The bandwidths in units of the median distance."""


class RationalQuadraticKernel(Config):
    """Σ_α (1 + |x − y|²/2α)^(−α), and a linear kernel beside it if wanted."""

    kind: Literal["rational-quadratic"] = "rational-quadratic"
    alphas: Several = (0.2, 0.5, 1.0, 2.0, 5.0)
    """The exponents."""
    add_linear: NonNegative = 0.0
    """Weight of a linear kernel x·y that is added; 1 is the published rq*."""


class LinearKernel(Config):
    """x·y: the squared distance of mean features."""

    kind: Literal["linear"] = "linear"


class PolynomialKernel(Config):
    """(x·y/k + 1)ᵖ of k features."""

    kind: Literal["polynomial"] = "polynomial"
    degree: PositiveInt = 3
    """p; 3 is the kernel of KID."""


class EnergyKernel(Config):
    """|x| + |y| − |x − y|: the energy distance."""

    kind: Literal["energy"] = "energy"


Kernel = Annotated[
    RBFKernel | MedianRBFKernel | RationalQuadraticKernel | LinearKernel | PolynomialKernel | EnergyKernel, *OneOf
]


def is_bounded(kernel: Kernel) -> bool:
    """Whether the kernel stays bounded however large features are."""
    if isinstance(kernel, RationalQuadraticKernel):
        return kernel.add_linear == 0
    return isinstance(kernel, RBFKernel | MedianRBFKernel)
