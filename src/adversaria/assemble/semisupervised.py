"""Semi-supervised classification: players, game, batches."""

import math
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn

from adversaria import nn as networks
from adversaria import objectives, recipes
from adversaria.assemble.acquaintance import acquaint, introduce
from adversaria.assemble.averages import averages
from adversaria.assemble.data import Data
from adversaria.assemble.descents import descent
from adversaria.assemble.feeds import feed, few_labels_feed
from adversaria.assemble.networks import critic, generator, placed
from adversaria.assemble.pictures import picture
from adversaria.assemble.priors import prior
from adversaria.assemble.records import labels_told, records
from adversaria.assemble.states import state
from adversaria.assemble.techniques import feature_matching
from adversaria.assemble.unknown import unknown
from adversaria.data import ImageData, Splits, choose_labelled
from adversaria.errors import DataError
from adversaria.games.semisupervised import Fooling, GeneratorPlay, Matching, semisupervised
from adversaria.randomness import generator_for
from adversaria.recipes import SampleSpace
from adversaria.training.feed import Feed
from adversaria.training.state import State

ACQUAINTED = 500
"""Images, about, by which first weights are scaled, as published."""

picture.register(recipes.SemiSupervised, picture.dispatch(recipes.GAN))


@generator.register
def _(
    config: recipes.SoftplusGenerator, latent_dim: int, shape: tuple[int, ...], classes: int, random: torch.Generator
) -> nn.Module:
    return networks.SoftplusGenerator(
        latent_dim,
        shape,
        width=config.width,
        depth=config.depth,
        input=config.input,
        classes=classes,
        generator=random,
    )


@singledispatch
def classifier(config: Any, shape: tuple[int, ...], outputs: int, random: torch.Generator) -> nn.Module:
    """A critic with as many scores as there are classes, with fresh weights."""
    raise unknown(config)


@classifier.register
def _(config: recipes.NoisyCritic, shape: tuple[int, ...], outputs: int, random: torch.Generator) -> nn.Module:
    return networks.NoisyCritic(
        shape,
        widths=config.widths,
        input_noise=config.input_noise,
        hidden_noise=config.hidden_noise,
        outputs=outputs,
        generator=random,
    )


@classifier.register(recipes.MLPCritic)
@classifier.register(recipes.DCGANCritic)
def _(config: Any, shape: tuple[int, ...], outputs: int, random: torch.Generator) -> nn.Module:
    return critic(config.model_copy(update={"outputs": outputs}), shape, 0, random)


def semisupervised_networks(recipe: recipes.SemiSupervised, space: SampleSpace) -> tuple[nn.Module, nn.Module]:
    """Generator and critic of a recipe, with the fresh weights of its seed.

    Raises:
        DataError: the data has fewer than two classes.
    """
    if len(space.classes) < 2:
        raise DataError(
            f"semi-supervised classification needs data of at least 2 classes, got {len(space.classes)}; put each "
            f"class in a folder of its own"
        )
    random = generator_for(recipe.seed, "weights")
    made = generator(recipe.generator, recipe.prior.dim, space.shape, 0, random)
    return made, classifier(recipe.critic, space.shape, len(space.classes), random)


def generator_play(config: recipes.FeatureMatching | None) -> GeneratorPlay:
    """What the generator descends: the critic's features, or else its verdict."""
    matching = feature_matching(config)
    return Fooling(objectives.Minimax()) if matching is None else Matching(matching)


@state.register
def _(recipe: recipes.SemiSupervised, space: SampleSpace, device: torch.device) -> State:
    made, judge = semisupervised_networks(recipe, space)
    game = semisupervised(
        placed(made, device),
        placed(judge, device),
        prior(recipe.prior),
        generator_play(recipe.feature_matching),
        unlabelled_weight=recipe.unlabelled_weight,
        share_fakes=recipe.share_fakes,
    )
    descents = {
        "generator": descent(recipe.generator_optimiser, made, history=recipe.historical_averaging),
        "critic": descent(recipe.critic_optimiser, judge, history=recipe.historical_averaging),
    }
    return State(game, descents, averages(recipe.averaging, game), steps=recipe.steps)


def labelled_part(recipe: recipes.SemiSupervised, train: ImageData) -> Tensor:
    """Which of the training images are labelled, ascending: int64 (labels,).

    Raises:
        DataError: see `data.choose_labelled`.
    """
    return choose_labelled(train.labels, train.classes, recipe.labels, seed=recipe.seed)


@feed.register
def _(recipe: recipes.SemiSupervised, source: Data, device: torch.device) -> Feed:
    assert isinstance(source, Splits)  # noqa: S101
    return few_labels_feed(
        recipe, source.train, labelled_part(recipe, source.train), recipe.labelled_batch_size, device
    )


@records.register
def _(recipe: recipes.SemiSupervised, source: Data) -> dict[str, Any]:
    assert isinstance(source, Splits)  # noqa: S101
    return labels_told(source.train, labelled_part(recipe, source.train))


@acquaint.register
def _(recipe: recipes.SemiSupervised, state: State, feed: Feed) -> None:
    def samples() -> tuple[Tensor, None]:
        count = math.ceil(ACQUAINTED / recipe.batch_size)
        return torch.cat([feed.batch(number).real for number in range(count)]), None

    introduce(state, "critic", samples)
