"""Parts that any GAN can take or leave (Salimans et al., 2016, https://arxiv.org/abs/1606.03498).

A word or a number alone stands for the part whose first field it is: `feature_matching="absolute"`,
`minibatch="reference"`, `instance_noise=0.1`.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from adversaria.recipes.config import Config, Positive, alone


class FeatureMatching(Config):
    """The generator matches the mean features of real samples, in place of following the critic's scores."""

    norm: Literal["squared", "absolute"] = "squared"
    """Of the difference of means: its mean square, or its mean absolute value."""


class MinibatchDiscrimination(Config):
    """The critic sees how close each sample is to the others of its batch."""

    variant: Literal["published", "reference"] = "published"
    """published: as in the paper. reference: as in its code, without the sample itself, normalised, scaled by data."""
    kernels: PositiveInt = 100
    """Numbers that each sample is given."""
    dim: PositiveInt = 5
    """Dimension in which samples are compared for each of them."""


class InstanceNoise(Config):
    """Gaussian noise on all that the critic sees, real or fake, which becomes less and ends."""

    deviation: Positive
    """Standard deviation at the start, in units of the samples."""
    until: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the run after which there is none; it falls linearly until then."""


Matching = Annotated[FeatureMatching | None, BeforeValidator(alone("norm"))]
Minibatch = Annotated[MinibatchDiscrimination | None, BeforeValidator(alone("variant"))]
Noise = Annotated[InstanceNoise | None, BeforeValidator(alone("deviation"))]
