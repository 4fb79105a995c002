"""Runs on laws whose density is known."""

from adversaria.recipes.data import Grid25, Ring8
from adversaria.recipes.descent import Adam
from adversaria.recipes.gan import GAN
from adversaria.recipes.networks import MLPCritic, MLPGenerator
from adversaria.recipes.objectives import R1
from adversaria.recipes.priors import Normal
from adversaria.recipes.run import Averaging
from adversaria.recipes.toy_games import Bilinear


def grid25_mlp() -> GAN:
    """Twenty-five Gaussians, fully connected players, R1.

    The law and the 2-D latent are those of Azadi et al., 2019 (https://arxiv.org/abs/1810.06758); the penalty is ours.
    """
    return GAN(
        name="grid25-mlp",
        steps=10_000,
        data=Grid25(),
        prior=Normal(dim=2),
        generator=MLPGenerator(),
        critic=MLPCritic(),
        penalties=(R1(weight=0.1),),
        batch_size=256,
        generator_optimiser=Adam(rate=1e-3),
        critic_optimiser=Adam(rate=1e-3),
        averaging=Averaging(halflife=200),
        log_every=100,
        sample_every=1_000,
        checkpoint_every=2_000,
    )


def ring8_mlp() -> GAN:
    """Eight Gaussians on a ring, fully connected players, R1.

    The law is that of Gulrajani et al., 2017 (https://arxiv.org/abs/1704.00028).
    """
    return GAN(
        name="ring8-mlp",
        steps=5_000,
        data=Ring8(),
        prior=Normal(dim=2),
        generator=MLPGenerator(),
        critic=MLPCritic(),
        penalties=(R1(weight=0.1),),
        batch_size=256,
        generator_optimiser=Adam(rate=1e-3),
        critic_optimiser=Adam(rate=1e-3),
        averaging=Averaging(halflife=200),
        log_every=100,
        sample_every=1_000,
        checkpoint_every=1_000,
    )


def bilinear() -> Bilinear:
    """min_x max_y x·y, both moving at once: the radius grows by √1.01 a step (Goodfellow, 2016)."""
    return Bilinear(name="bilinear", steps=500, play="simultaneous", log_every=1, checkpoint_every=500)
