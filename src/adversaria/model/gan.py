"""A trained generator with the critic that it played against."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from adversaria import assemble, priors, recipes
from adversaria.errors import ModelError
from adversaria.model.building import Weights, built, built_from, fill
from adversaria.model.generative import CHUNK, GenerativeModel, filled
from adversaria.objectives import Objective
from adversaria.recipes import SampleSpace


@dataclass(frozen=True, kw_only=True)
class Model(GenerativeModel):
    """A trained generator and critic.

    Arguments:
        critic: samples (B, ...) → scores (B, k); in evaluation mode.
    """

    critic: nn.Module

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Generator and critic."""
        return super().parts | {"critic": self.critic}

    @property
    def objective(self) -> Objective:
        """What the critic was trained for, which says how its scores tell of the density ratio."""
        assert isinstance(self.recipe, recipes.GAN)  # noqa: S101 (see `built`)
        return assemble.objective(self.recipe.objective)

    @property
    def scores_alone(self) -> bool:
        """Whether a sample's score is a function of the sample: not if the critic compares those of a batch."""
        return not isinstance(self.recipe, recipes.GAN) or self.recipe.critic.minibatch is None

    @torch.no_grad()
    def scores(self, samples: Tensor, *, y: Tensor | None = None) -> Tensor:
        """The critic's raw scores of samples (n, ...), (n, k), in chunks of fixed size.

        Raises:
            ModelError: the critic sees its batch (minibatch discrimination), so no sample has a score of its own.
        """
        check_scores_alone(self)
        made = [
            self.critic(*(filled(part, start).to(self.device) for part in (samples, y) if part is not None))
            for start in range(0, max(1, len(samples)), CHUNK)
        ]
        return torch.cat(made)[: len(samples)]

    def of_class(self, y: int) -> "OneClass":
        """The model with its class fixed: an unconditional model of that class, for samplers and calibration.

        Raises:
            ModelError: the model is unconditional, or has no class y.
        """
        if not self.conditional:
            raise ModelError(f"'{self.recipe.name}' was trained without classes, so none can be fixed")
        count = len(self.space.classes)
        if isinstance(y, bool) or not isinstance(y, int) or not 0 <= y < count:
            raise ModelError(f"a class should be a whole number from 0 to {count - 1}, got {y!r}")
        return OneClass(self, y, _Fixed(self.generator, y).eval(), _Fixed(self.critic, y).eval())


class _Fixed(nn.Module):
    """(x, y) ↦ network(x, y) with y fixed."""

    def __init__(self, network: nn.Module, y: int) -> None:
        super().__init__()
        self.network, self.y = network, y

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x, torch.full((len(x),), self.y, device=x.device))


@dataclass(frozen=True)
class OneClass:
    """A conditional model seen as an unconditional model of one of its classes; made by `Model.of_class`.

    Arguments:
        model: of all classes.
        y: the class.
        generator: z (B, d) → samples (B, ...) of the class.
        critic: samples (B, ...) → scores (B, k), taken for samples of the class.
    """

    model: Model
    y: int
    generator: nn.Module
    critic: nn.Module

    @property
    def prior(self) -> priors.Prior:
        """The law of z."""
        return self.model.prior

    @property
    def recipe(self) -> recipes.Generative:
        """How the model was trained."""
        return self.model.recipe

    @property
    def space(self) -> SampleSpace:
        """Shape of a sample, and all classes."""
        return self.model.space

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    def latents(self, n: int, *, seed: int) -> Tensor:
        """As `Model.latents`."""
        return self.model.latents(n, seed=seed)

    def sample(self, n: int, *, seed: int) -> Tensor:
        """n samples of the class, the same as `Model.sample(n, seed=seed, y=y)`."""
        return self.model.sample(n, seed=seed, y=self.y)

    def scores(self, samples: Tensor) -> Tensor:
        """As `Model.scores`, for samples of the class."""
        return self.model.scores(samples, y=torch.full((len(samples),), self.y))


def judged(model: GenerativeModel) -> Model:
    """The model, if it has a critic of its samples.

    Raises:
        ModelError: it has none, or one that scores no sample by itself.
    """
    if not isinstance(model, Model):
        raise ModelError(
            f"'{model.recipe.name}' has no critic of its samples, and this needs one; use a GAN, or leave out what is "
            f"to be done by a critic"
        )
    check_scores_alone(model)
    return model


def check_scores_alone(model: Model) -> None:
    """Refuse a critic whose score of a sample depends on the others of a batch.

    Raises:
        ModelError: it does.
    """
    if not model.scores_alone:
        raise ModelError(
            f"the critic of '{model.recipe.name}' compares the samples of a batch (critic.minibatch), so no sample has "
            f"a score of its own, and there is nothing to calibrate; train without it, or call model.critic on batches "
            f"of one size, real or generated ones apart"
        )


@built.register
def _(recipe: recipes.GAN, space: SampleSpace, weights: Weights, step: int) -> Model:
    generator, critic = built_from(recipe, lambda: assemble.gan_networks(recipe, space))
    fill(generator, weights, "generator")
    fill(critic, weights, "critic")
    return Model(
        generator=generator, critic=critic, prior=assemble.prior(recipe.prior), recipe=recipe, space=space, step=step
    )
