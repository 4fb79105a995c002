"""How players descend."""

from functools import singledispatch
from typing import Any

from torch import nn

from adversaria import recipes
from adversaria.assemble.unknown import unknown
from adversaria.training import optimisers, schedules
from adversaria.training.optimisers import Descent
from adversaria.training.schedules import Schedule


@singledispatch
def schedule(config: Any) -> Schedule:
    """The factor on a learning rate over the run."""
    raise unknown(config)


@schedule.register
def _(config: recipes.Constant) -> Schedule:
    return schedules.constant


@schedule.register
def _(config: recipes.Linear) -> Schedule:
    return schedules.linear(start=config.start, last=config.last)


@schedule.register
def _(config: recipes.Cosine) -> Schedule:
    return schedules.cosine(warmup=config.warmup)


def descent(config: recipes.Adam, player: nn.Module, *, history: float | None) -> Descent:
    """How a player descends; `history` is the recipe's weight of historical averaging."""
    optimiser = optimisers.adam(
        player.parameters(),
        rate=config.rate,
        betas=config.betas,
        epsilon=config.epsilon,
        weight_decay=config.weight_decay,
    )
    return Descent(optimiser, config.rate, schedule(config.schedule), config.clip_norm, history)
