"""A generator against a critic."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, PositiveInt, model_validator

from adversaria.recipes.config import Positive, one_or_many
from adversaria.recipes.descent import Adam
from adversaria.recipes.kernels import RationalQuadraticKernel, is_bounded
from adversaria.recipes.networks import Critic, Generator
from adversaria.recipes.objectives import MMD, Cramer, NonSaturating, Objective, Penalty, SlopePenalty, Wasserstein
from adversaria.recipes.priors import Cauchy
from adversaria.recipes.run import Generative
from adversaria.recipes.techniques import Matching, Noise


class GAN(Generative):
    """A generator against a critic."""

    kind: Literal["gan"] = "gan"
    generator: Generator
    """The player that makes samples of latents."""
    critic: Critic
    """The player that scores samples."""
    conditional: bool = False
    """Give both players the classes of the data."""
    objective: Objective = NonSaturating()
    """What the two play for."""
    penalties: Annotated[tuple[Penalty, ...], BeforeValidator(one_or_many)] = ()
    """Added to the critic's loss."""
    feature_matching: Matching = None
    """What the generator descends in place of the objective's loss; none: that."""
    instance_noise: Noise = None
    """On all that the critic sees; none: nothing."""
    clip_weights: Positive | None = None
    """Clip the critic's weights to ± this after each of its steps."""
    critic_steps: PositiveInt = 1
    """Critic's steps per round."""
    share_fakes: bool = True
    """Judge the generator on the fakes of the critic's last step instead of on new ones: about a third faster."""
    generator_optimiser: Adam = Adam()
    """The generator's optimiser."""
    critic_optimiser: Adam = Adam()
    """The critic's optimiser."""

    @property
    def takes_classes(self) -> bool:
        """As `conditional` says."""
        return self.conditional

    @model_validator(mode="after")
    def _slopes_are_per_sample(self) -> Self:
        if self._slope_penalties and self.critic.normalisation == "batch":
            raise ValueError(
                "a gradient penalty needs a critic that scores each sample by itself, and batch normalisation mixes "
                "them; set critic.normalisation to none, virtual-batch, spectral or weight, or penalties to []"
            )
        if self._slope_penalties and self.critic.minibatch is not None:
            raise ValueError(
                "a gradient penalty needs a critic that scores each sample by itself, and minibatch discrimination "
                "compares them; set critic.minibatch to none, or penalties to []"
            )
        return self

    @model_validator(mode="after")
    def _heavy_tails_are_compressed(self) -> Self:
        if isinstance(self.prior, Cauchy) and self.generator.input == "plain":
            raise ValueError(
                "a Cauchy prior has no moments, and one latent in a hundred would be fifty times as long as the "
                "median; give the network a bounded input with generator.input=arctan, or choose another prior"
            )
        return self

    @model_validator(mode="after")
    def _penalties_differ(self) -> Self:
        kinds = [penalty.kind for penalty in self.penalties]
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"penalties should be of different kinds, got {', '.join(kinds)}; add up their weights")
        return self

    @model_validator(mode="after")
    def _gains_are_bounded(self) -> Self:
        bounded = self._slope_penalties or self.clip_weights is not None or self.critic.normalisation == "spectral"
        if not bounded and (what := _unbounded(self.objective)) is not None:
            raise ValueError(
                f"{what} needs a critic of bounded slope, or its loss has no minimum; add "
                "penalties=gradient-penalty, critic.normalisation=spectral, or clip_weights"
            )
        return self

    @model_validator(mode="after")
    def _discrepancies_are_of_pairs(self) -> Self:
        if isinstance(self.objective, MMD | Cramer) and self.batch_size < 2:
            raise ValueError(
                f"objective={self.objective.kind} compares different samples of a batch; set batch_size to at least 2"
            )
        return self

    @property
    def _slope_penalties(self) -> bool:
        return any(isinstance(penalty, SlopePenalty) for penalty in self.penalties)


def _unbounded(objective: Objective) -> str | None:
    """What a critic gains from by stretching its scores without end, in words; None if it does not."""
    match objective:
        case Wasserstein() | Cramer():
            return f"objective={objective.kind}"
        case MMD(kernel=RationalQuadraticKernel(add_linear=weight)) if weight:
            return "objective=mmd with a linear kernel in it"
        case MMD(kernel=kernel) if not is_bounded(kernel):
            return f"objective=mmd with the {kernel.kind} kernel"
    return None
