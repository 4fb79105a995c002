"""Parts that any GAN can take or leave."""

from adversaria import nn as networks
from adversaria import objectives, recipes
from adversaria.games.noise import FadingNoise


def feature_matching(config: recipes.FeatureMatching | None) -> objectives.FeatureMatching | None:
    """What the generator matches, if it does."""
    return None if config is None else objectives.FeatureMatching(config.norm)


def instance_noise(config: recipes.InstanceNoise | None) -> FadingNoise | None:
    """What the critic sees everything through, if anything."""
    return None if config is None else FadingNoise(config.deviation, last=0.0, until=config.until)


def minibatch(config: recipes.MinibatchDiscrimination | None) -> networks.MinibatchDiscrimination | None:
    """What the critic sees of its batch, if anything."""
    return None if config is None else networks.MinibatchDiscrimination(config.kernels, config.dim, config.variant)
