"""Players: networks that know nothing of losses or training.

    generator(z), generator(z, y)  →  samples (B, *shape), in (−1, 1) for images
    critic(x), critic(x, y)        →  raw scores (B, k), never probabilities
    critic.features(x)             →  the last hidden layer (B, F)

The shape of a sample is an argument, never a class. All weights come from an explicit generator.
"""

from adversaria.nn.dcgan import DCGANCritic, DCGANGenerator
from adversaria.nn.mlp import MLPCritic, MLPGenerator

__all__ = ["DCGANCritic", "DCGANGenerator", "MLPCritic", "MLPGenerator"]
