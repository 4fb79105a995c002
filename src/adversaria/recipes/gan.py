"""A generator against a critic."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, PositiveInt, model_validator

from adversaria.recipes.config import Positive, one_or_many
from adversaria.recipes.descent import Adam
from adversaria.recipes.networks import Critic, DCGANCritic, Generator
from adversaria.recipes.objectives import NonSaturating, Objective, Penalty, Wasserstein
from adversaria.recipes.priors import Cauchy
from adversaria.recipes.run import Generative


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
        if self.penalties and isinstance(self.critic, DCGANCritic) and self.critic.normalisation == "batch":
            raise ValueError(
                "a gradient penalty needs a critic that scores each sample by itself, and batch normalisation mixes "
                "them; set critic.normalisation to none or spectral, or penalties to []"
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
    def _wasserstein_critic_is_lipschitz(self) -> Self:
        bounded = self.penalties or self.clip_weights is not None or self.critic.normalisation == "spectral"
        if isinstance(self.objective, Wasserstein) and not bounded:
            raise ValueError(
                "a Wasserstein critic needs a bounded slope, or its loss has no minimum; add "
                "penalties=gradient-penalty, critic.normalisation=spectral, or clip_weights"
            )
        return self
