"""Where configuration becomes objects: one function per kind of thing, one arm per type.

Nothing else in the package knows both the configuration and what it stands for. To add a method is to write its type
in `recipes`, its object where it belongs, and one arm here.
"""

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn

from adversaria import data, objectives, priors, recipes
from adversaria import nn as networks
from adversaria.data import Splits, ToyLaw
from adversaria.errors import RecipeError
from adversaria.games import bilinear
from adversaria.games.classification import classification
from adversaria.games.game import Game
from adversaria.games.gan import gan
from adversaria.metrics.lenet import LeNet
from adversaria.randomness import generator_for
from adversaria.recipes import SampleSpace
from adversaria.training import optimisers, schedules
from adversaria.training.average import Average
from adversaria.training.feed import Feed, ImageFeed, NoFeed, ToyFeed
from adversaria.training.optimisers import Descent
from adversaria.training.schedules import Schedule
from adversaria.training.state import State

Data = Splits | ToyLaw | None
"""Images in three parts, a law, or nothing."""


def _unknown(config: Any) -> RecipeError:
    return RecipeError(f"cannot assemble a {type(config).__name__}; add an arm for it to adversaria/assemble.py")


# --- data ------------------------------------------------------------------------------------------------------


@singledispatch
def load_data(config: Any) -> Data:
    """The data of a `data` field: images (read once, cached), or a law."""
    raise _unknown(config)


@load_data.register
def _(config: recipes.Images) -> Data:
    return data.load(
        config.source,
        resolution=config.resolution,
        channels=config.channels,
        held_out=config.held_out,
        calibration=config.calibration,
    )


@load_data.register
def _(config: recipes.Grid25) -> Data:
    return data.Grid25(scaled=config.scaled)


@load_data.register
def _(config: recipes.Ring8) -> Data:
    return data.Ring8()


@load_data.register
def _(config: recipes.Mixture1D) -> Data:
    return data.Mixture1D()


@load_data.register
def _(config: recipes.SwissRoll) -> Data:
    return data.SwissRoll()


@singledispatch
def data_of(recipe: Any) -> Data:
    """The data that a recipe trains on; None if it needs none."""
    return load_data(recipe.data)


@data_of.register
def _(recipe: recipes.Bilinear) -> Data:
    return None


def space_of(source: Data) -> SampleSpace:
    """What networks must know of the data."""
    if source is None:
        return SampleSpace(shape=())
    if isinstance(source, Splits):
        return SampleSpace(shape=tuple(source.train.shape), classes=source.train.classes)
    return SampleSpace(shape=(source.dim,))


# --- priors ----------------------------------------------------------------------------------------------------


@singledispatch
def prior(config: Any) -> priors.Prior:
    """The law of the latents."""
    raise _unknown(config)


@prior.register
def _(config: recipes.Normal) -> priors.Prior:
    return priors.with_deviation(priors.Normal(config.dim), config.deviation)


@prior.register
def _(config: recipes.Uniform) -> priors.Prior:
    return priors.with_deviation(priors.Uniform(config.dim), config.deviation)


@prior.register
def _(config: recipes.Sphere) -> priors.Prior:
    return priors.with_deviation(priors.Sphere(config.dim), config.deviation)


@prior.register
def _(config: recipes.Gamma) -> priors.Prior:
    return priors.with_deviation(priors.Gamma(config.dim, degrees=config.degrees), config.deviation)


@prior.register
def _(config: recipes.Cauchy) -> priors.Prior:
    return priors.Cauchy(config.dim, scale=config.scale)


@prior.register
def _(config: recipes.Nonparametric) -> priors.Prior:
    return priors.with_deviation(priors.Nonparametric(config.dim, along=config.along), config.deviation)


@prior.register
def _(config: recipes.GaussianRing) -> priors.Prior:
    return priors.Mixture.ring(config.components, radius=config.radius, scale=config.scale, dim=config.dim)


# --- networks --------------------------------------------------------------------------------------------------


@singledispatch
def generator(config: Any, latent_dim: int, shape: tuple[int, ...], classes: int, random: torch.Generator) -> nn.Module:
    """A generator with fresh weights."""
    raise _unknown(config)


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
        classes=classes,
        generator=random,
    )


@generator.register
def _(
    config: recipes.DCGANGenerator, latent_dim: int, shape: tuple[int, ...], classes: int, random: torch.Generator
) -> nn.Module:
    return networks.DCGANGenerator(
        latent_dim, shape, width=config.width, input=config.input, classes=classes, generator=random
    )


@singledispatch
def critic(config: Any, shape: tuple[int, ...], classes: int, random: torch.Generator) -> nn.Module:
    """A critic with fresh weights."""
    raise _unknown(config)


@critic.register
def _(config: recipes.MLPCritic, shape: tuple[int, ...], classes: int, random: torch.Generator) -> nn.Module:
    return networks.MLPCritic(
        shape,
        width=config.width,
        depth=config.depth,
        normalisation=config.normalisation,
        classes=classes,
        generator=random,
    )


@critic.register
def _(config: recipes.DCGANCritic, shape: tuple[int, ...], classes: int, random: torch.Generator) -> nn.Module:
    return networks.DCGANCritic(
        shape, width=config.width, normalisation=config.normalisation, classes=classes, generator=random
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


# --- objectives ------------------------------------------------------------------------------------------------


@singledispatch
def objective(config: Any) -> objectives.Objective:
    """A pair of losses."""
    raise _unknown(config)


@objective.register
def _(config: recipes.Minimax) -> objectives.Objective:
    return objectives.Minimax(real_target=config.real_target)


@objective.register
def _(config: recipes.NonSaturating) -> objectives.Objective:
    return objectives.NonSaturating(real_target=config.real_target)


@objective.register
def _(config: recipes.LeastSquares) -> objectives.Objective:
    return objectives.LeastSquares()


@objective.register
def _(config: recipes.Hinge) -> objectives.Objective:
    return objectives.Hinge()


@objective.register
def _(config: recipes.Wasserstein) -> objectives.Objective:
    return objectives.Wasserstein()


@objective.register
def _(config: recipes.Relativistic) -> objectives.Objective:
    return objectives.Relativistic()


@singledispatch
def penalty(config: Any) -> objectives.Penalty:
    """A term of the critic's loss that depends on its slope."""
    raise _unknown(config)


@penalty.register
def _(config: recipes.GradientPenalty) -> objectives.Penalty:
    return objectives.GradientPenalty(weight=config.weight, one_sided=config.one_sided)


@penalty.register
def _(config: recipes.R1) -> objectives.Penalty:
    return objectives.R1(weight=config.weight)


@penalty.register
def _(config: recipes.R2) -> objectives.Penalty:
    return objectives.R2(weight=config.weight)


@penalty.register
def _(config: recipes.Dragan) -> objectives.Penalty:
    return objectives.Dragan(weight=config.weight)


# --- descent ---------------------------------------------------------------------------------------------------


@singledispatch
def schedule(config: Any) -> Schedule:
    """The factor on a learning rate over the run."""
    raise _unknown(config)


@schedule.register
def _(config: recipes.Constant) -> Schedule:
    return schedules.constant


@schedule.register
def _(config: recipes.Linear) -> Schedule:
    return schedules.linear(start=config.start, last=config.last)


@schedule.register
def _(config: recipes.Cosine) -> Schedule:
    return schedules.cosine(warmup=config.warmup)


def descent(config: recipes.Adam, player: nn.Module) -> Descent:
    """How a player descends."""
    optimiser = optimisers.adam(
        player.parameters(),
        rate=config.rate,
        betas=config.betas,
        epsilon=config.epsilon,
        weight_decay=config.weight_decay,
    )
    return Descent(optimiser, config.rate, schedule(config.schedule), config.clip_norm)


# --- games -----------------------------------------------------------------------------------------------------


@singledispatch
def state(recipe: Any, space: SampleSpace, device: torch.device) -> State:
    """A game at its beginning."""
    raise _unknown(recipe)


@state.register
def _(recipe: recipes.GAN, space: SampleSpace, device: torch.device) -> State:
    made, judge = gan_networks(recipe, space)
    game = gan(
        _placed(made, device),
        _placed(judge, device),
        prior(recipe.prior),
        objective(recipe.objective),
        penalties={config.kind: penalty(config) for config in recipe.penalties},
        critic_steps=recipe.critic_steps,
        share_fakes=recipe.share_fakes,
        constraint=None if recipe.clip_weights is None else objectives.clip(recipe.clip_weights),
    )
    descents = {
        "generator": descent(recipe.generator_optimiser, made),
        "critic": descent(recipe.critic_optimiser, judge),
    }
    averages = {}
    if recipe.averaging is not None:
        averages["generator"] = Average(made, halflife=recipe.averaging.halflife, rampup=recipe.averaging.rampup)
    return State(game, descents, averages, steps=recipe.steps)


@state.register
def _(recipe: recipes.Bilinear, space: SampleSpace, device: torch.device) -> State:
    game, make_optimiser = _bilinear_play(recipe)
    descents = {
        name: Descent(make_optimiser(player.parameters()), recipe.rate) for name, player in game.players.items()
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
        case "historical-averaging":
            weight = recipe.history_weight
            return bilinear.simultaneous(x, y), lambda p: optimisers.pull_to_history(torch.optim.SGD(p, rate), weight)


@state.register
def _(recipe: recipes.Classifier, space: SampleSpace, device: torch.device) -> State:
    if not space.classes:
        raise RecipeError("a classifier needs labelled data; put each class in a folder of its own")
    network = LeNet(
        space.shape, len(space.classes), width=recipe.width, generator=generator_for(recipe.seed, "weights")
    )
    game = classification(_placed(network, device), shift=recipe.shift)
    return State(game, {"classifier": descent(recipe.optimiser, network)}, steps=recipe.steps)


def _placed(module: nn.Module, device: torch.device) -> nn.Module:
    # Channels last is the layout in which convolutions are fastest, on CPUs and GPUs alike.
    return module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


# --- feeds and pictures ----------------------------------------------------------------------------------------


@singledispatch
def feed(recipe: Any, source: Data, device: torch.device) -> Feed:
    """The batches of a run."""
    raise _unknown(recipe)


@feed.register
def _(recipe: recipes.GAN, source: Data, device: torch.device) -> Feed:
    if isinstance(source, Splits):
        assert isinstance(recipe.data, recipes.Images)  # noqa: S101
        return ImageFeed(
            source.train,
            recipe.batch_size,
            seed=recipe.seed,
            flip=recipe.data.flip,
            labelled=recipe.conditional,
            device=device,
        )
    assert source is not None  # noqa: S101
    return ToyFeed(source, recipe.batch_size, seed=recipe.seed, device=device)


@feed.register
def _(recipe: recipes.Bilinear, source: Data, device: torch.device) -> Feed:
    return NoFeed()


@feed.register
def _(recipe: recipes.Classifier, source: Data, device: torch.device) -> Feed:
    assert isinstance(source, Splits)  # noqa: S101
    return ImageFeed(
        source.train, recipe.batch_size, seed=recipe.seed, flip=recipe.data.flip, labelled=True, device=device
    )


@singledispatch
def picture(recipe: Any, state: State, space: SampleSpace) -> Callable[[], Tensor] | None:
    """What a run shows of itself now and then; None for games that have nothing to show."""
    return None


@picture.register
def _(recipe: recipes.GAN, state: State, space: SampleSpace) -> Callable[[], Tensor] | None:
    count = 64 if len(space.shape) == 3 else 2048
    latent = prior(recipe.prior).sample(count, generator=generator_for(recipe.seed, "picture"))
    label = (torch.arange(count) % len(space.classes),) if recipe.conditional else ()
    shown = state.averages["generator"].module if state.averages else state.game.players["generator"]

    @torch.no_grad()
    def samples() -> Tensor:
        device = next(shown.parameters()).device
        training = shown.training
        shown.eval()
        made = shown(latent.to(device), *(y.to(device) for y in label))
        shown.train(training)
        return made

    return samples
