"""Encoders, decoders, and how codes are made: all of an autoencoder that is kept as the model."""

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import torch
from torch import nn

from adversaria import nn as networks
from adversaria import priors, recipes
from adversaria.assemble.networks import generator
from adversaria.assemble.priors import prior
from adversaria.assemble.unknown import unknown
from adversaria.errors import RecipeError
from adversaria.games import likelihoods, posteriors
from adversaria.games.likelihoods import Likelihood
from adversaria.games.posteriors import Posterior
from adversaria.nn import ClusterHeads
from adversaria.randomness import generator_for
from adversaria.recipes import SampleSpace


@dataclass(frozen=True)
class Coding:
    """An autoencoder with fresh weights.

    Arguments:
        encoder: samples [, noise] → heads, style (B, s) and, unless labels are told, logits (B, K).
        decoder: what it is given (B, c) → samples.
        heads: y (B, K) → y·W (B, d); None where content and style are put side by side.
        posterior: how a style is made.
        prior: the law of styles.
        likelihood: of a sample, given its code.
        contents: K; 0 where a code is a style alone.
    """

    encoder: nn.Module
    decoder: nn.Module
    heads: ClusterHeads | None
    posterior: Posterior
    prior: priors.Prior
    likelihood: Likelihood
    contents: int

    @property
    def learning(self) -> Posterior:
        """How a style is made while the encoder learns: with units dropped, if it drops any."""
        units = self.encoder.dropped if isinstance(self.encoder, networks.MLPEncoder) else 0
        return posteriors.Dropped(self.posterior, units) if units else self.posterior


def coding(recipe: recipes.Autoencoder, space: SampleSpace, random: torch.Generator | None = None) -> Coding:
    """The autoencoder of a recipe.

    Arguments:
        random: of the weights; None: that of the recipe's seed.

    Raises:
        RecipeError: the recipe needs classes and the data has none, or a likelihood of images and there are points.
    """
    if isinstance(recipe.likelihood, recipes.BernoulliLikelihood) and len(space.shape) != 3:
        raise RecipeError("a Bernoulli likelihood is one of pixels, and the data is points; set likelihood to gaussian")
    random = generator_for(recipe.seed, "weights") if random is None else random
    how, styles, count = posterior(posterior_of(recipe)), prior(recipe.prior), contents(recipe, space)
    reducing = isinstance(recipe, recipes.ReducingAAE)
    logits = count if isinstance(recipe, recipes.Categorical) else 0
    given = styles.dim if reducing else styles.dim + count
    return Coding(
        encoder=encoder(recipe.encoder, space.shape, how.outputs(styles.dim), logits, how.given, random),
        decoder=generator(recipe.decoder, given, space.shape, 0, random),
        heads=ClusterHeads(count, styles.dim, generator=random) if reducing else None,
        posterior=how,
        prior=styles,
        likelihood=likelihood(recipe.likelihood),
        contents=count,
    )


# --- what the discrete part says -------------------------------------------------------------------------------


@singledispatch
def contents(recipe: Any, space: SampleSpace) -> int:
    """K, the contents that a code can have; 0 if it has none.

    Raises:
        RecipeError: the data has no classes and the recipe needs some, or more than it has room for.
    """
    return 0


@contents.register(recipes.SupervisedAAE)
@contents.register(recipes.SemiSupervisedAAE)
def _(recipe: recipes.SupervisedAAE | recipes.SemiSupervisedAAE, space: SampleSpace) -> int:
    return classes(recipe, space)


@contents.register
def _(recipe: recipes.ClusteringAAE, space: SampleSpace) -> int:
    return recipe.clusters


@contents.register
def _(recipe: recipes.ReducingAAE, space: SampleSpace) -> int:
    if recipe.labels is not None and (count := classes(recipe, space)) > recipe.clusters:
        raise RecipeError(f"{count} classes are labelled, but there are {recipe.clusters} clusters; set as many")
    return recipe.clusters


def classes(recipe: recipes.Recipe, space: SampleSpace) -> int:
    """How many classes the data has.

    Raises:
        RecipeError: none.
    """
    if not space.classes:
        raise RecipeError(f"'{recipe.name}' learns from labels; take labelled data, each class in a folder of its own")
    return len(space.classes)


# --- parts -----------------------------------------------------------------------------------------------------


def posterior_of(recipe: recipes.Autoencoder) -> Any:
    """How the recipe makes codes: as it says, and Gaussian in the variational autoencoder."""
    return recipe.posterior if isinstance(recipe, recipes.Adversarial) else recipes.GaussianPosterior()


@singledispatch
def posterior(config: Any) -> Posterior:
    """How codes are made."""
    raise unknown(config)


@posterior.register
def _(config: recipes.DeterministicPosterior) -> Posterior:
    return posteriors.Deterministic()


@posterior.register
def _(config: recipes.GaussianPosterior) -> Posterior:
    return posteriors.Gaussian()


@posterior.register
def _(config: recipes.UniversalPosterior) -> Posterior:
    return posteriors.Universal(config.numbers)


@singledispatch
def likelihood(config: Any) -> Likelihood:
    """The law of a sample, given its code."""
    raise unknown(config)


@likelihood.register
def _(config: recipes.GaussianLikelihood) -> Likelihood:
    return likelihoods.GaussianLikelihood(config.deviation)


@likelihood.register
def _(config: recipes.BernoulliLikelihood) -> Likelihood:
    return likelihoods.BernoulliLikelihood()


@singledispatch
def encoder(
    config: Any, shape: tuple[int, ...], style: int, classes: int, noise: int, random: torch.Generator
) -> nn.Module:
    """An encoder with fresh weights."""
    raise unknown(config)


@encoder.register
def _(
    config: recipes.MLPEncoder, shape: tuple[int, ...], style: int, classes: int, noise: int, random: torch.Generator
) -> nn.Module:
    return networks.MLPEncoder(
        shape,
        style,
        classes=classes,
        noise=noise,
        width=config.width,
        depth=config.depth,
        dropout=config.dropout,
        generator=random,
    )


@encoder.register
def _(
    config: recipes.DCGANEncoder, shape: tuple[int, ...], style: int, classes: int, noise: int, random: torch.Generator
) -> nn.Module:
    return networks.DCGANEncoder(
        shape,
        style,
        classes=classes,
        noise=noise,
        width=config.width,
        normalisation=config.normalisation,
        generator=random,
    )
