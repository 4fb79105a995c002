"""Games at their beginning."""

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import torch

from adversaria import objectives, recipes
from adversaria.assemble.averages import averages
from adversaria.assemble.descents import descent
from adversaria.assemble.networks import gan_networks, placed
from adversaria.assemble.objectives import objective, penalty
from adversaria.assemble.priors import prior
from adversaria.assemble.techniques import feature_matching, instance_noise
from adversaria.assemble.unknown import unknown
from adversaria.errors import RecipeError
from adversaria.games import bilinear
from adversaria.games.classification import classification
from adversaria.games.game import Game
from adversaria.games.gan import gan
from adversaria.metrics.lenet import LeNet
from adversaria.randomness import generator_for
from adversaria.recipes import SampleSpace
from adversaria.training import optimisers
from adversaria.training.optimisers import Descent
from adversaria.training.state import State


@singledispatch
def state(recipe: Any, space: SampleSpace, device: torch.device) -> State:
    """A game at its beginning."""
    raise unknown(recipe)


@state.register
def _(recipe: recipes.GAN, space: SampleSpace, device: torch.device) -> State:
    made, judge = gan_networks(recipe, space)
    game = gan(
        placed(made, device),
        placed(judge, device),
        prior(recipe.prior),
        objective(recipe.objective),
        penalties={config.kind: penalty(config) for config in recipe.penalties},
        feature_matching=feature_matching(recipe.feature_matching),
        instance_noise=instance_noise(recipe.instance_noise),
        critic_steps=recipe.critic_steps,
        share_fakes=recipe.share_fakes,
        constraint=None if recipe.clip_weights is None else objectives.clip(recipe.clip_weights),
    )
    descents = {
        "generator": descent(recipe.generator_optimiser, made, history=recipe.historical_averaging),
        "critic": descent(recipe.critic_optimiser, judge, history=recipe.historical_averaging),
    }
    return State(game, descents, averages(recipe.averaging, game), steps=recipe.steps)


@state.register
def _(recipe: recipes.Bilinear, space: SampleSpace, device: torch.device) -> State:
    game, make_optimiser = _bilinear_play(recipe)
    descents = {
        name: Descent(make_optimiser(player.parameters()), recipe.rate, history=recipe.historical_averaging)
        for name, player in game.players.items()
    }
    return State(game, descents, steps=recipe.steps)


def _bilinear_play(recipe: recipes.Bilinear) -> tuple[Game, Callable[[Any], torch.optim.Optimizer]]:
    x, y = recipe.start
    rate = recipe.rate
    match recipe.play:
        case "simultaneous":
            return bilinear.simultaneous(x, y), lambda p: torch.optim.SGD(p, rate)
        case "alternating":
            return bilinear.alternating(x, y), lambda p: torch.optim.SGD(p, rate)
        case "extragradient":
            return bilinear.simultaneous(x, y, times=2), lambda p: optimisers.ExtragradientSGD(p, rate)
        case "optimistic":
            return bilinear.simultaneous(x, y), lambda p: optimisers.OptimisticSGD(p, rate)


@state.register
def _(recipe: recipes.Classifier, space: SampleSpace, device: torch.device) -> State:
    if not space.classes:
        raise RecipeError("a classifier needs labelled data; put each class in a folder of its own")
    network = LeNet(
        space.shape, len(space.classes), width=recipe.width, generator=generator_for(recipe.seed, "weights")
    )
    game = classification(placed(network, device), shift=recipe.shift)
    history = recipe.historical_averaging
    return State(game, {"classifier": descent(recipe.optimiser, network, history=history)}, steps=recipe.steps)
