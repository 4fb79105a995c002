"""Players: generators and critics."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from adversaria.recipes.config import Config, OneOf
from adversaria.recipes.techniques import Minibatch

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
    normalisation: Literal["none", "virtual-batch"] = "none"
    """virtual-batch: of each hidden layer, by a reference batch that is kept; batches need 32 samples."""


class MLPCritic(Config):
    """Fully connected critic."""

    kind: Literal["mlp"] = "mlp"
    width: PositiveInt = 128
    """Units in each hidden layer."""
    depth: PositiveInt = 3
    """Hidden layers."""
    normalisation: Literal["none", "virtual-batch", "spectral", "weight"] = "none"
    """spectral bounds each layer's slope by 1; virtual-batch refers to a batch that is kept; weight: g·v/‖v‖."""
    minibatch: Minibatch = None
    """Let the critic see its batch; it then scores no sample by itself, so there are no penalties or calibration."""
    outputs: Outputs = 1
    """Scores of each sample: 1, or the dimension of the features that mmd and cramer compare, 16 or 256 usually."""


class DCGANGenerator(Config):
    """Transposed convolutions with batch normalisation; sides 8, 16, 32, 64, 128 and 28."""

    kind: Literal["dcgan"] = "dcgan"
    width: PositiveInt = 32
    """Channels at the finest hidden resolution; doubled at each coarser one, to at most 8 times."""
    input: Literal["plain", "arctan"] = "plain"
    """arctan: bring each coordinate of the latent into (−1, 1) first, by 2/π·arctan; a Cauchy prior needs it."""
    normalisation: Literal["batch", "virtual-batch"] = "batch"
    """virtual-batch: by a reference batch that is kept, in place of the batch at hand; batches need 32 samples."""


class DCGANCritic(Config):
    """Strided convolutions; sides 8, 16, 32, 64, 128 and 28."""

    kind: Literal["dcgan"] = "dcgan"
    width: PositiveInt = 32
    """Channels at the finest hidden resolution; doubled at each coarser one, to at most 8 times."""
    normalisation: Literal["none", "batch", "virtual-batch", "spectral", "weight"] = "none"
    """batch couples the samples of a batch, so that no gradient penalty is possible; the others do not."""
    minibatch: Minibatch = None
    """Let the critic see its batch; it then scores no sample by itself, so there are no penalties or calibration."""
    outputs: Outputs = 1
    """Scores of each sample: 1, or the dimension of the features that mmd and cramer compare, 16 or 256 usually."""


Generator = Annotated[MLPGenerator | DCGANGenerator, *OneOf]
Critic = Annotated[MLPCritic | DCGANCritic, *OneOf]
