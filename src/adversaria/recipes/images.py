"""Runs on images: DCGAN (Radford et al., 2016, https://arxiv.org/abs/1511.06434) for sides 8 to 128."""

from adversaria.recipes.data import Images
from adversaria.recipes.descent import Adam, Linear
from adversaria.recipes.gan import GAN
from adversaria.recipes.kernels import RationalQuadraticKernel
from adversaria.recipes.networks import DCGANCritic, DCGANGenerator
from adversaria.recipes.objectives import MMD, R1, ActivationPenalty, GradientPenalty
from adversaria.recipes.priors import Normal, Uniform
from adversaria.recipes.run import Averaging, Evaluation


def digits_dcgan() -> GAN:
    """The 1,797 scanned 8×8 digits that ship with the package: a minute on a laptop."""
    return GAN(
        name="digits-dcgan",
        steps=4_000,
        data=Images(source="digits", held_out=0.2),
        prior=Normal(dim=32),
        generator=DCGANGenerator(width=32),
        critic=DCGANCritic(width=32),
        penalties=(R1(weight=0.1),),
        averaging=Averaging(halflife=200),
        generator_optimiser=Adam(rate=1e-3, schedule=Linear(start=0.5)),
        critic_optimiser=Adam(rate=1e-3, schedule=Linear(start=0.5)),
        sample_every=500,
        checkpoint_every=1_000,
        evaluation=Evaluation(features="lenet-digits"),
    )


def mnist_dcgan() -> GAN:
    """MNIST in a quarter of an hour on a CPU."""
    return GAN(
        name="mnist-dcgan",
        steps=9_000,
        data=Images(source="mnist"),
        generator=DCGANGenerator(width=32),
        critic=DCGANCritic(width=32),
        penalties=(R1(weight=0.1),),
        generator_optimiser=Adam(rate=1e-3, schedule=Linear(start=0.5)),
        critic_optimiser=Adam(rate=1e-3, schedule=Linear(start=0.5)),
        sample_every=1_000,
        checkpoint_every=1_000,
        evaluation=Evaluation(features="lenet-mnist"),
    )


def mnist_mmd() -> GAN:
    """MNIST by the maximum mean discrepancy of 16 features, in a tenth of the published steps.

    The settings of Bińkowski et al., 2018 (https://arxiv.org/abs/1801.01401): the rational quadratic kernel with a
    linear one, both penalties, five steps of a critic without batch normalisation. Theirs took 50,000 steps at a rate
    of 1e-4; in a tenth of them, ours is higher. They clip the gradient of each tensor at norm 1, and here that of each
    player is clipped.
    """
    adam = Adam(rate=5e-4, betas=(0.5, 0.9), clip_norm=1.0, schedule=Linear(start=0.5))
    return GAN(
        name="mnist-mmd",
        steps=5_000,
        data=Images(source="mnist"),
        prior=Uniform(dim=128),
        generator=DCGANGenerator(width=16),
        critic=DCGANCritic(width=16, outputs=16),
        objective=MMD(kernel=RationalQuadraticKernel(add_linear=1.0)),
        penalties=(GradientPenalty(weight=1.0), ActivationPenalty(weight=1.0)),
        critic_steps=5,
        generator_optimiser=adam,
        critic_optimiser=adam,
        sample_every=500,
        checkpoint_every=500,
        evaluation=Evaluation(features="lenet-mnist"),
    )


def cifar10_dcgan() -> GAN:
    """CIFAR-10 at the width of the published DCGAN; for a GPU."""
    return GAN(
        name="cifar10-dcgan",
        steps=100_000,
        data=Images(source="cifar10", flip=True),
        prior=Normal(dim=100),
        generator=DCGANGenerator(width=64),
        critic=DCGANCritic(width=64, normalisation="spectral"),
        sample_every=2_000,
        checkpoint_every=5_000,
    )


def images_dcgan() -> GAN:
    """Any folder of images, at 32×32: minutes on a CPU. With a GPU add --data.resolution 64 --steps 50000."""
    return GAN(
        name="images-dcgan",
        steps=5_000,
        data=Images(source="images", resolution=32),
        generator=DCGANGenerator(width=32),
        critic=DCGANCritic(width=32),
        penalties=(R1(weight=0.1),),
        generator_optimiser=Adam(rate=5e-4),
        critic_optimiser=Adam(rate=5e-4),
        sample_every=500,
        checkpoint_every=500,
    )
