"""What players see before a game begins."""

from collections.abc import Callable
from functools import singledispatch
from typing import Any

from torch import Tensor, nn

from adversaria import recipes
from adversaria.assemble.priors import prior
from adversaria.nn.acquaintance import Acquainted
from adversaria.randomness import generator_for
from adversaria.training.feed import Feed
from adversaria.training.state import State

Inputs = tuple[Tensor, Tensor | None]
"""Of one player, with their classes."""


@singledispatch
def acquaint(recipe: Any, state: State, feed: Feed) -> None:
    """Show the players of a game at its beginning what they must have seen; most need nothing."""


@acquaint.register
def _(recipe: recipes.GAN, state: State, feed: Feed) -> None:
    def samples() -> Inputs:
        batch = feed.batch(0)
        return batch.real, batch.label

    def latents() -> Inputs:
        random = generator_for(recipe.seed, "acquaintance")
        label = feed.batch(0).label
        return prior(recipe.prior).sample(recipe.batch_size, generator=random), label

    introduce(state, "critic", samples)
    introduce(state, "generator", latents)


def introduce(state: State, name: str, inputs: Callable[[], Inputs]) -> None:
    """Show a player its inputs if it wants to see any; its average begins as it does."""
    player = state.game.players[name]
    if not isinstance(player, Acquainted):
        return
    weight = next(player.parameters())
    seen, label = inputs()
    player.acquaint(seen.to(weight.device), None if label is None else label.to(weight.device))
    if name in state.averages:
        average: nn.Module = state.averages[name].module
        average.load_state_dict(player.state_dict())
