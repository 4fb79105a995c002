"""Players: generators and critics."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from adversaria.recipes.config import Config, OneOf

Outputs = Annotated[int, Field(ge=1, le=256)]


class MLPGenerator(Config):
    """Fully connected generator."""

    kind: Literal["mlp"] = "mlp"
    width: PositiveInt = 128
    """Units in each hidden layer."""
    depth: PositiveInt = 3
    """Hidden layers."""
    input: Literal["plain", "arctan"] = "plain"
    """arctan: bring each coordinate of the latent into (−1, 1) first, by 2/π·arctan; a Cauchy prior needs it."""


class MLPCritic(Config):
    """Fully connected critic."""

    kind: Literal["mlp"] = "mlp"
    width: PositiveInt = 128
    """Units in each hidden layer."""
    depth: PositiveInt = 3
    """Hidden layers."""
    normalisation: Literal["none", "spectral"] = "none"
    """Spectral normalisation bounds each layer's Lipschitz constant by 1."""
    outputs: Outputs = 1
    """Scores of each sample: 1, or the dimension of the features that mmd and cramer compare, 16 or 256 usually."""


class DCGANGenerator(Config):
    """Transposed convolutions with batch normalisation; sides 8, 16, 32, 64, 128 and 28."""

    kind: Literal["dcgan"] = "dcgan"
    width: PositiveInt = 32
    """Channels at the finest hidden resolution; doubled at each coarser one, to at most 8 times."""
    input: Literal["plain", "arctan"] = "plain"
    """arctan: bring each coordinate of the latent into (−1, 1) first, by 2/π·arctan; a Cauchy prior needs it."""


class DCGANCritic(Config):
    """Strided convolutions; sides 8, 16, 32, 64, 128 and 28."""

    kind: Literal["dcgan"] = "dcgan"
    width: PositiveInt = 32
    """Channels at the finest hidden resolution; doubled at each coarser one, to at most 8 times."""
    normalisation: Literal["none", "batch", "spectral"] = "none"
    """Batch normalisation couples the samples of a batch, so it cannot be combined with gradient penalties."""
    outputs: Outputs = 1
    """Scores of each sample: 1, or the dimension of the features that mmd and cramer compare, 16 or 256 usually."""


Generator = Annotated[MLPGenerator | DCGANGenerator, *OneOf]
Critic = Annotated[MLPCritic | DCGANCritic, *OneOf]
