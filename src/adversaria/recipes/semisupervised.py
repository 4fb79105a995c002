"""Classes learnt from few labels and many samples without."""

from typing import Annotated, Literal, Self

from pydantic import PositiveInt, model_validator

from adversaria.recipes.config import Config, NonNegative, OneOf
from adversaria.recipes.data import Images
from adversaria.recipes.descent import Adam
from adversaria.recipes.networks import DCGANCritic, DCGANGenerator, MLPCritic, MLPGenerator
from adversaria.recipes.run import Generative
from adversaria.recipes.techniques import FeatureMatching, Matching


class SoftplusGenerator(Config):
    """Fully connected generator with batch normalisation and softplus."""

    kind: Literal["softplus"] = "softplus"
    width: PositiveInt = 500
    """Units in each hidden layer."""
    depth: PositiveInt = 2
    """Hidden layers."""
    input: Literal["plain", "arctan"] = "plain"
    """arctan: bring each coordinate of the latent into (−1, 1) first, by 2/π·arctan; a Cauchy prior needs it."""


class NoisyCritic(Config):
    """Fully connected, weight-normalised critic with noise in every layer while it learns. As published for MNIST."""

    kind: Literal["noisy"] = "noisy"
    widths: tuple[PositiveInt, ...] = (1000, 500, 250, 250, 250)
    """Units of each hidden layer."""
    input_noise: NonNegative = 0.6
    """Standard deviation of the noise on pixels in [−1, 1]; published: 0.3 on pixels in [0, 1], which is the same."""
    hidden_noise: NonNegative = 0.5
    """Standard deviation of the noise on hidden units."""


class SemiSupervised(Generative):
    """A generator against a critic that learns classes from few labels."""

    kind: Literal["semisupervised"] = "semisupervised"
    data: Images
    """Labelled images, of most of which the labels are not looked at."""
    labels: PositiveInt = 100
    """How many images are labelled, in all: a multiple of the number of classes, equally many of each, by the seed."""
    generator: Annotated[SoftplusGenerator | MLPGenerator | DCGANGenerator, *OneOf] = SoftplusGenerator()
    """The player that makes samples of latents."""
    critic: Annotated[NoisyCritic | MLPCritic | DCGANCritic, *OneOf] = NoisyCritic()
    """The player that tells classes, and real from fake."""
    feature_matching: Matching = FeatureMatching()
    """What the generator descends; none: log(1 − D), as published for better samples at the price of worse classes."""
    unlabelled_weight: NonNegative = 1.0
    """What samples without labels, and fakes, count for in the critic's loss; 0: it learns from labels alone."""
    share_fakes: bool = True
    """Judge the generator on the fakes and the noise of the critic's step instead of on new ones."""
    batch_size: PositiveInt = 100
    """Samples without labels, and fakes, per phase."""
    labelled_batch_size: PositiveInt = 100
    """Samples with labels per phase."""
    generator_optimiser: Adam = Adam(rate=3e-3)
    """The generator's optimiser."""
    critic_optimiser: Adam = Adam(rate=3e-3)
    """The critic's optimiser."""

    @model_validator(mode="after")
    def _a_score_for_each_class(self) -> Self:
        if isinstance(self.critic, NoisyCritic):
            return self
        if self.critic.outputs != 1:
            raise ValueError(
                f"the critic has as many scores as the data has classes, so critic.outputs is not to be set; got "
                f"{self.critic.outputs}"
            )
        if self.critic.minibatch is not None:
            raise ValueError(
                "a critic that tells classes must judge each image by itself, and minibatch discrimination compares "
                "them; set critic.minibatch to none"
            )
        return self
