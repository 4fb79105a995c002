"""Networks of a recipe, with weights from a file."""

from collections.abc import Callable
from functools import singledispatch
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from adversaria import recipes
from adversaria.errors import ModelError
from adversaria.model.generative import GenerativeModel
from adversaria.recipes import SampleSpace
from adversaria.training.checkpoint import load_weights, model_tensors
from adversaria.training.state import State

Networks = TypeVar("Networks")

Weights = dict[str, Tensor]
"""`PLAYER.NAME`, and of running averages `average.PLAYER.NAME`."""


@singledispatch
def built(recipe: Any, space: SampleSpace, weights: Weights, step: int) -> GenerativeModel:
    """The model of a recipe, with weights.

    Raises:
        ModelError: the networks cannot be built, or the recipe has no model.
        RunError: the weights do not fit the recipe.
    """
    raise ModelError(f"'{recipe.name}' makes no samples, so there is no model to load; see its report instead")


def standing(recipe: recipes.Generative, space: SampleSpace, state: State) -> GenerativeModel:
    """The model that a checkpoint of `state` would hold if it were made now: a copy, where the players are.

    Raises:
        ModelError: see `built`.
    """
    model = built(recipe, space, model_tensors(state), state.step)
    return placed(model, next(state.game.players.parameters()).device)


def placed(model: GenerativeModel, device: str | torch.device) -> GenerativeModel:
    """The model, its networks moved to a device, in the layout in which convolutions are fastest."""
    for module in model.parts.values():
        module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def built_from(recipe: recipes.Recipe, build: Callable[[], Networks]) -> Networks:
    """Networks with fresh weights.

    Raises:
        ModelError: they cannot be had in such sizes.
    """
    try:
        return build()
    except (RuntimeError, MemoryError, OverflowError, TypeError) as error:  # PyTorch's words for sizes beyond measure
        reason = str(error).partition("\n")[0]
        raise ModelError(f"the networks of '{recipe.name}' cannot be built: {reason}") from error


def fill(module: nn.Module, weights: Weights, name: str) -> None:
    """Load a player's weights, those of its running average where there is one, and put it into evaluation mode.

    Raises:
        RunError: names or shapes do not fit.
    """
    averaged = f"average.{name}"
    prefix = averaged if any(key.startswith(f"{averaged}.") for key in weights) else name
    own = {key.removeprefix(f"{prefix}."): value for key, value in weights.items() if key.startswith(f"{prefix}.")}
    load_weights(module, own, prefix)
    module.eval().requires_grad_(False)
