"""What runs show of themselves."""

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn

from adversaria import recipes
from adversaria.assemble.priors import prior
from adversaria.randomness import generator_for
from adversaria.recipes import SampleSpace
from adversaria.training.state import State


@singledispatch
def picture(recipe: Any, state: State, space: SampleSpace) -> Callable[[], Tensor] | None:
    """What a run shows of itself now and then; None for games that have nothing to show."""
    return None


@picture.register
def _(recipe: recipes.GAN, state: State, space: SampleSpace) -> Callable[[], Tensor] | None:
    count = 64 if len(space.shape) == 3 else 2048
    latent = prior(recipe.prior).sample(count, generator=generator_for(recipe.seed, "picture"))
    label = (torch.arange(count) % len(space.classes),) if recipe.takes_classes else ()
    shown = state.averages["generator"].module if state.averages else state.game.players["generator"]

    @torch.no_grad()
    def samples() -> Tensor:
        device = next(shown.parameters()).device
        return at_rest(shown, latent.to(device), *(y.to(device) for y in label))

    return samples


def at_rest(network: nn.Module, *inputs: Tensor) -> Tensor:
    """What a network makes of its inputs in evaluation mode; it is put back into the mode it was in."""
    training = network.training
    network.eval()
    made = network(*inputs)
    network.train(training)
    return made
