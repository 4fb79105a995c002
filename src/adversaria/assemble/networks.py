"""Players with fresh weights."""

from functools import singledispatch
from typing import Any

import torch
from torch import nn

from adversaria import nn as networks
from adversaria import recipes
from adversaria.assemble.techniques import minibatch
from adversaria.assemble.unknown import unknown
from adversaria.errors import RecipeError
from adversaria.randomness import generator_for
from adversaria.recipes import SampleSpace


@singledispatch
def generator(config: Any, latent_dim: int, shape: tuple[int, ...], classes: int, random: torch.Generator) -> nn.Module:
    """A generator with fresh weights."""
    raise unknown(config)


@generator.register
def _(
    config: recipes.MLPGenerator, latent_dim: int, shape: tuple[int, ...], classes: int, random: torch.Generator
) -> nn.Module:
    return networks.MLPGenerator(
        latent_dim,
        shape,
        width=config.width,
        depth=config.depth,
        input=config.input,
        normalisation=config.normalisation,
        classes=classes,
        generator=random,
    )


@generator.register
def _(
    config: recipes.DCGANGenerator, latent_dim: int, shape: tuple[int, ...], classes: int, random: torch.Generator
) -> nn.Module:
    return networks.DCGANGenerator(
        latent_dim,
        shape,
        width=config.width,
        input=config.input,
        normalisation=config.normalisation,
        classes=classes,
        generator=random,
    )


@singledispatch
def critic(config: Any, shape: tuple[int, ...], classes: int, random: torch.Generator) -> nn.Module:
    """A critic with fresh weights."""
    raise unknown(config)


@critic.register
def _(config: recipes.MLPCritic, shape: tuple[int, ...], classes: int, random: torch.Generator) -> nn.Module:
    return networks.MLPCritic(
        shape,
        width=config.width,
        depth=config.depth,
        normalisation=config.normalisation,
        minibatch=minibatch(config.minibatch),
        classes=classes,
        outputs=config.outputs,
        generator=random,
    )


@critic.register
def _(config: recipes.DCGANCritic, shape: tuple[int, ...], classes: int, random: torch.Generator) -> nn.Module:
    return networks.DCGANCritic(
        shape,
        width=config.width,
        normalisation=config.normalisation,
        minibatch=minibatch(config.minibatch),
        classes=classes,
        outputs=config.outputs,
        generator=random,
    )


def gan_networks(recipe: recipes.GAN, space: SampleSpace) -> tuple[nn.Module, nn.Module]:
    """Generator and critic of a recipe, with the fresh weights of its seed.

    Raises:
        RecipeError: the recipe is conditional and the data has no classes.
    """
    if recipe.conditional and not space.classes:
        raise RecipeError("conditional=true needs labelled data; put each class in a folder of its own")
    classes = len(space.classes) if recipe.conditional else 0
    random = generator_for(recipe.seed, "weights")
    made = generator(recipe.generator, recipe.prior.dim, space.shape, classes, random)
    return made, critic(recipe.critic, space.shape, classes, random)


def placed(module: nn.Module, device: torch.device) -> nn.Module:
    """The module on a device. Channels last is the layout in which convolutions are fastest, on CPUs and GPUs alike."""
    return module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
