"""Autoencoders: variational, and adversarial in all their forms."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, PositiveInt, model_validator

from adversaria.recipes.coding import (
    BernoulliLikelihood,
    DeterministicPosterior,
    Encoder,
    FewLabels,
    InputNoise,
    Likelihood,
    MLPEncoder,
    Posterior,
)
from adversaria.recipes.config import NonNegative, Positive, one_or_many
from adversaria.recipes.descent import Adam
from adversaria.recipes.networks import Generator, MLPCritic, MLPGenerator
from adversaria.recipes.objectives import NonSaturating, Objective, Penalty, Wasserstein
from adversaria.recipes.priors import GaussianRing, Normal, Petals, Roll
from adversaria.recipes.run import Generative

LABELLED = (GaussianRing, Petals, Roll)
"""Priors in parts that bear labels."""


class Autoencoder(Generative):
    """Samples to codes and back, codes pressed into the law `prior`."""

    encoder: Encoder = MLPEncoder()
    """The player that makes codes of samples."""
    decoder: Generator = MLPGenerator(width=1_000, depth=2)
    """The player that makes samples of codes."""
    likelihood: Likelihood = BernoulliLikelihood()
    """How far a sample is from what is decoded of its code."""
    reconstruction_optimiser: Adam = Adam(rate=1e-3, betas=(0.9, 0.999))
    """Of encoder and decoder, while they reconstruct."""


class VAE(Autoencoder):
    """Variational: the codes' law is held to the prior by its divergence."""

    kind: Literal["vae"] = "vae"
    beta: NonNegative = 1.0
    """Weight of the divergence; 1 for the bound on the evidence."""


class Adversarial(Autoencoder):
    """The codes' law is held to the prior by a critic."""

    posterior: Posterior = DeterministicPosterior()
    """How a code is made of what the encoder says."""
    critic: MLPCritic = MLPCritic(width=1_000, depth=2)
    """The player that scores codes."""
    objective: Objective = NonSaturating()
    """What critic and encoder play for."""
    penalties: Annotated[tuple[Penalty, ...], BeforeValidator(one_or_many)] = ()
    """Added to the loss of each critic."""
    critic_optimiser: Adam = Adam(rate=1e-3)
    """Of each critic."""
    regularisation_optimiser: Adam = Adam(rate=2e-4)
    """Of the encoder, while it plays against the critics: apart from the one with which it reconstructs."""

    @model_validator(mode="after")
    def _penalties_differ(self) -> Self:
        kinds = [penalty.kind for penalty in self.penalties]
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"penalties should be of different kinds, got {', '.join(kinds)}; add up their weights")
        return self

    @model_validator(mode="after")
    def _wasserstein_critic_is_lipschitz(self) -> Self:
        bounded = self.penalties or self.critic.normalisation == "spectral"
        if isinstance(self.objective, Wasserstein) and not bounded:
            raise ValueError(
                "a Wasserstein critic needs a bounded slope, or its loss has no minimum; add "
                "penalties=gradient-penalty, or critic.normalisation=spectral"
            )
        return self


class AAE(Adversarial):
    """The critic compares codes with the prior; told labels, each with the part of the prior that bears its own."""

    kind: Literal["aae"] = "aae"
    labels: FewLabels | None = None
    """Labelled samples, of which the critic is told the label; None: it is told nothing."""

    @model_validator(mode="after")
    def _labels_have_a_place(self) -> Self:
        if self.labels is not None and not isinstance(self.prior, LABELLED):
            raise ValueError(
                f"labels need a prior in parts that bear them, and '{self.prior.kind}' has none; set the prior to "
                f"mixture, petals or swiss-roll, or labels to none"
            )
        return self


class SupervisedAAE(Adversarial):
    """The decoder is given the label of every sample, and the code holds what is left: the style."""

    kind: Literal["supervised-aae"] = "supervised-aae"
    critic_told: bool = True
    """The critic is told the label too, so that styles of every class have the law of the prior; published: false."""


class Categorical(Adversarial):
    """A code has a discrete part beside the style, and a critic for each."""

    content_critic: MLPCritic = MLPCritic(width=1_000, depth=2)
    """The player that scores the discrete part."""
    content_noise: InputNoise | None = InputNoise()
    """What hides from it that a softmax is never quite one-hot; None: nothing does."""


class SemiSupervisedAAE(Categorical):
    """The discrete part is the class, learnt from a few labels and from all samples."""

    kind: Literal["semi-supervised-aae"] = "semi-supervised-aae"
    labels: FewLabels = FewLabels()
    """Labelled samples."""
    classification_optimiser: Adam = Adam(rate=1e-3)
    """Of the encoder, while it learns labels."""


class ClusteringAAE(Categorical):
    """The discrete part is a cluster; there are no labels."""

    kind: Literal["clustering-aae"] = "clustering-aae"
    clusters: PositiveInt = 16
    """How many."""


class ReducingAAE(Categorical):
    """A code is a point about the head of its cluster: dimensionality reduction."""

    kind: Literal["reducing-aae"] = "reducing-aae"
    clusters: PositiveInt = 20
    """How many heads; with labels at least as many as classes."""
    margin: Positive = 2.0
    """Heads repel each other up to this distance."""
    repulsion: Positive = 1.0
    """Weight of that, in nats a sample for each unit of distance."""
    labels: FewLabels | None = None
    """Labelled samples; None: heads are found without."""
    classification_optimiser: Adam = Adam(rate=1e-3)
    """Of the encoder, while it learns labels."""

    @model_validator(mode="after")
    def _styles_are_normal(self) -> Self:
        if not isinstance(self.prior, Normal):
            raise ValueError(f"styles about heads are normal, got the prior '{self.prior.kind}'; set it to normal")
        return self
