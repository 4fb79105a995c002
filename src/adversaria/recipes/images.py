"""Runs on images: DCGAN (Radford et al., 2016, https://arxiv.org/abs/1511.06434) for sides 8 to 128."""

from adversaria.recipes.data import Images
from adversaria.recipes.descent import Adam, Linear
from adversaria.recipes.gan import GAN
from adversaria.recipes.networks import DCGANCritic, DCGANGenerator
from adversaria.recipes.objectives import R1
from adversaria.recipes.priors import Normal
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
