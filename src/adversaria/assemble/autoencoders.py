"""Autoencoders as games: their states, feeds and pictures."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from adversaria import priors, recipes
from adversaria.assemble.averages import averages
from adversaria.assemble.coding import Coding, classes, coding, contents
from adversaria.assemble.data import Data
from adversaria.assemble.descents import descent
from adversaria.assemble.feeds import feed, few_labels_feed
from adversaria.assemble.networks import critic, placed
from adversaria.assemble.objectives import objective, penalty
from adversaria.assemble.pictures import at_rest, picture
from adversaria.assemble.priors import prior
from adversaria.assemble.records import labels_told, records
from adversaria.assemble.states import state
from adversaria.data import ImageData, Splits, choose_labelled
from adversaria.errors import RecipeError
from adversaria.games.adversaries import Adversary, Blind, Informed, Marking, Told
from adversaria.games.autoencoding import aae, supervised_aae
from adversaria.games.categorical import Separation, clustering_aae, reducing_aae, semi_supervised_aae
from adversaria.games.content import represent
from adversaria.games.game import Game, player_of
from adversaria.games.noise import FadingNoise
from adversaria.games.vae import vae
from adversaria.objectives import Penalty
from adversaria.randomness import generator_for
from adversaria.recipes import SampleSpace
from adversaria.training.feed import Feed, ImageFeed, ToyFeed
from adversaria.training.state import State

# --- states ----------------------------------------------------------------------------------------------------


@state.register
def _(recipe: recipes.VAE, space: SampleSpace, device: torch.device) -> State:
    made = coding(recipe, space)
    encoder, decoder = placed(made.encoder, device), placed(made.decoder, device)
    game = vae(encoder, decoder, made.prior, made.likelihood, beta=recipe.beta, posterior=made.learning)
    return _begun(recipe, game, {})


@state.register
def _(recipe: recipes.AAE, space: SampleSpace, device: torch.device) -> State:
    random = generator_for(recipe.seed, "weights")
    made = coding(recipe, space, random)
    told = 0 if recipe.labels is None else classes(recipe, space)
    marks = told + 1 if told else 0
    judge = critic(recipe.critic, (made.prior.dim + marks,), 0, random)
    encoder, decoder, judge = (placed(player, device) for player in (made.encoder, made.decoder, judge))
    against = _adversary(recipe, "critic", _marking(made.prior, told))
    game = aae(encoder, decoder, judge, against, made.learning, made.likelihood, dim=made.prior.dim)
    return _begun(recipe, game, _adversarial(recipe))


@state.register
def _(recipe: recipes.SupervisedAAE, space: SampleSpace, device: torch.device) -> State:
    random = generator_for(recipe.seed, "weights")
    made = coding(recipe, space, random)
    told = made.contents if recipe.critic_told else 0
    judge = critic(recipe.critic, (made.prior.dim + told,), 0, random)
    encoder, decoder, judge = (placed(player, device) for player in (made.encoder, made.decoder, judge))
    against = _adversary(recipe, "critic", Told(made.prior, told) if told else Blind(made.prior))
    how = made.learning, made.likelihood
    game = supervised_aae(encoder, decoder, judge, against, *how, dim=made.prior.dim, classes=made.contents)
    return _begun(recipe, game, _adversarial(recipe))


@state.register
def _(recipe: recipes.SemiSupervisedAAE, space: SampleSpace, device: torch.device) -> State:
    made, players, adversaries = _categorical(recipe, space, device)
    game = semi_supervised_aae(players, *adversaries, made.learning, made.likelihood, dim=made.prior.dim)
    return _begun(recipe, game, _adversarial(recipe) | {"encoder/classify": recipe.classification_optimiser})


@state.register
def _(recipe: recipes.ClusteringAAE, space: SampleSpace, device: torch.device) -> State:
    made, players, adversaries = _categorical(recipe, space, device)
    game = clustering_aae(players, *adversaries, made.learning, made.likelihood, dim=made.prior.dim)
    return _begun(recipe, game, _adversarial(recipe))


@state.register
def _(recipe: recipes.ReducingAAE, space: SampleSpace, device: torch.device) -> State:
    made, players, adversaries = _categorical(recipe, space, device)
    game = reducing_aae(
        players,
        *adversaries,
        made.learning,
        made.likelihood,
        dim=made.prior.dim,
        heads=Separation(recipe.margin, recipe.repulsion),
        labelled=recipe.labels is not None,
    )
    more = {} if recipe.labels is None else {"encoder/classify": recipe.classification_optimiser}
    return _begun(recipe, game, _adversarial(recipe) | more)


def _categorical(
    recipe: recipes.Categorical, space: SampleSpace, device: torch.device
) -> tuple[Coding, nn.ModuleDict, tuple[Adversary, Adversary]]:
    random = generator_for(recipe.seed, "weights")
    made = coding(recipe, space, random)
    players = {"encoder": made.encoder, "decoder": made.decoder}
    if made.heads is not None:
        players["heads"] = made.heads
    players["critic"] = critic(recipe.critic, (made.prior.dim,), 0, random)
    players["content_critic"] = critic(recipe.content_critic, (made.contents,), 0, random)
    noise = recipe.content_noise
    adversaries = (
        _adversary(recipe, "critic", Blind(made.prior)),
        _adversary(
            recipe,
            "content_critic",
            Blind(priors.Categorical(made.contents)),
            None if noise is None else FadingNoise(noise.deviation, last=noise.last),
        ),
    )
    return made, nn.ModuleDict({name: placed(player, device) for name, player in players.items()}), adversaries


def _adversary(
    recipe: recipes.Adversarial, player: str, marking: Marking, noise: FadingNoise | None = None
) -> Adversary:
    penalties: dict[str, Penalty] = {config.kind: penalty(config) for config in recipe.penalties}
    return Adversary(player, marking, objective(recipe.objective), penalties, noise)


def _marking(prior: priors.Prior, told: int) -> Marking:
    if not told:
        return Blind(prior)
    assert isinstance(prior, priors.Mixture | priors.Petals | priors.SwissRoll)  # noqa: S101 (the recipe sees to it)
    return Informed(prior, told)


def _adversarial(recipe: recipes.Adversarial) -> dict[str, recipes.Adam]:
    """How players descend, but for their reconstruction."""
    return {
        "encoder/regularise": recipe.regularisation_optimiser,
        "critic": recipe.critic_optimiser,
        "content_critic": recipe.critic_optimiser,
    }


def _begun(recipe: recipes.Autoencoder, game: Game, adversarial: dict[str, recipes.Adam]) -> State:
    history = recipe.historical_averaging
    descents = {
        name: descent(
            adversarial.get(name, recipe.reconstruction_optimiser), game.players[player_of(name)], history=history
        )
        for name in dict.fromkeys(name for phase in game.phases for name in phase.descents)
    }
    return State(game, descents, averages(recipe.averaging, game), steps=recipe.steps)


# --- feeds -----------------------------------------------------------------------------------------------------


@feed.register
def _(recipe: recipes.Autoencoder, source: Data, device: torch.device) -> Feed:
    if not isinstance(source, Splits):
        assert source is not None  # noqa: S101
        return ToyFeed(source, recipe.batch_size, seed=recipe.seed, device=device)
    return _images(recipe, source, device, labelled=False)


@feed.register
def _(recipe: recipes.SupervisedAAE, source: Data, device: torch.device) -> Feed:
    return _images(recipe, _labelled(source), device, labelled=True)


@feed.register(recipes.AAE)
@feed.register(recipes.SemiSupervisedAAE)
@feed.register(recipes.ReducingAAE)
def _(
    recipe: recipes.AAE | recipes.SemiSupervisedAAE | recipes.ReducingAAE, source: Data, device: torch.device
) -> Feed:
    if recipe.labels is None:
        return feed.dispatch(recipes.Autoencoder)(recipe, source, device)
    train = _labelled(source).train
    return few_labels_feed(recipe, train, _chosen(recipe, recipe.labels, train), recipe.labels.batch_size, device)


@records.register(recipes.AAE)
@records.register(recipes.SemiSupervisedAAE)
@records.register(recipes.ReducingAAE)
def _(recipe: recipes.AAE | recipes.SemiSupervisedAAE | recipes.ReducingAAE, source: Data) -> dict[str, Any]:
    if recipe.labels is None:
        return {}
    train = _labelled(source).train
    return labels_told(train, _chosen(recipe, recipe.labels, train))


def _chosen(recipe: recipes.Autoencoder, labels: recipes.FewLabels, train: ImageData) -> Tensor:
    return choose_labelled(train.labels, train.classes, labels.count, seed=recipe.seed)


def _labelled(source: Data) -> Splits:
    if not isinstance(source, Splits):
        raise RecipeError("labels are needed, and the data is a law without any; take labelled images")
    return source


def _images(recipe: recipes.Autoencoder, source: Splits, device: torch.device, *, labelled: bool) -> Feed:
    assert isinstance(recipe.data, recipes.Images)  # noqa: S101
    return ImageFeed(
        source.train, recipe.batch_size, seed=recipe.seed, flip=recipe.data.flip, labelled=labelled, device=device
    )


# --- pictures --------------------------------------------------------------------------------------------------


@picture.register
def _(recipe: recipes.Autoencoder, state: State, space: SampleSpace) -> Callable[[], Tensor] | None:
    """Samples decoded from the prior, contents in turn."""
    count = 64 if len(space.shape) == 3 else 2048
    style = prior(recipe.prior).sample(count, generator=generator_for(recipe.seed, "picture"))
    kinds = contents(recipe, space)
    content = torch.eye(kinds)[torch.arange(count) % kinds] if kinds else None
    shown = {name: state.game.players[name] for name in state.game.averaged}
    shown |= {name: average.module for name, average in state.averages.items()}

    @torch.no_grad()
    def samples() -> Tensor:
        decoder = shown["decoder"]
        device = next(decoder.parameters()).device
        given = represent(style, content).to(device)
        if "heads" in shown:
            assert content is not None  # noqa: S101 (heads are heads of contents)
            given = shown["heads"](content.to(device)) + style.to(device)
        return at_rest(decoder, given)

    return samples
