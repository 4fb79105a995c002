"""Parts of autoencoders: encoders, posteriors, likelihoods, labels, and the noise that a critic sees."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from adversaria.recipes.config import Config, NonNegative, OneOf, Positive


class MLPEncoder(Config):
    """Fully connected encoder."""

    kind: Literal["mlp"] = "mlp"
    width: PositiveInt = 1_000
    """Units in each hidden layer."""
    depth: PositiveInt = 2
    """Hidden layers."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Rate at which hidden units are dropped while it learns."""


class DCGANEncoder(Config):
    """Strided convolutions; sides 8, 16, 32, 64, 128 and 28."""

    kind: Literal["dcgan"] = "dcgan"
    width: PositiveInt = 32
    """Channels at the finest hidden resolution; doubled at each coarser one, to at most 8 times."""
    normalisation: Literal["none", "batch"] = "none"
    """Batch normalisation couples the codes of a batch while training."""


Encoder = Annotated[MLPEncoder | DCGANEncoder, *OneOf]


class DeterministicPosterior(Config):
    """z = f(x)."""

    kind: Literal["deterministic"] = "deterministic"


class GaussianPosterior(Config):
    """z ~ N(μ(x), diag σ²(x))."""

    kind: Literal["gaussian"] = "gaussian"


class UniversalPosterior(Config):
    """z = f(x, η) with noise η: any law at all."""

    kind: Literal["universal"] = "universal"
    numbers: PositiveInt = 10
    """Entries of η ~ N(0, I)."""


Posterior = Annotated[DeterministicPosterior | GaussianPosterior | UniversalPosterior, *OneOf]


class GaussianLikelihood(Config):
    """Pixels, or coordinates, with independent normal errors."""

    kind: Literal["gaussian"] = "gaussian"
    deviation: Positive = 1.0
    """Standard deviation of an error, for pixels in [-1, 1]."""


class BernoulliLikelihood(Config):
    """Pixels that are black or white with a probability: the cross-entropy."""

    kind: Literal["bernoulli"] = "bernoulli"


Likelihood = Annotated[GaussianLikelihood | BernoulliLikelihood, *OneOf]


class FewLabels(Config):
    """The training samples whose labels are told, equally many of each class."""

    count: PositiveInt = 100
    """How many in all."""
    batch_size: PositiveInt = 100
    """How many of them a step sees."""


class InputNoise(Config):
    """Normal noise on what a critic sees."""

    deviation: NonNegative = 0.3
    """Its standard deviation at the beginning."""
    last: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of it that is left at the end of the run."""
