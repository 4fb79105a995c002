"""A trained generator with the critic that it played against, which tells classes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from adversaria import assemble, recipes
from adversaria.model.building import Weights, built, built_from, fill
from adversaria.model.gan import Model
from adversaria.model.generative import CHUNK, filled
from adversaria.objectives import Minimax, Objective
from adversaria.objectives.semisupervised import realness
from adversaria.recipes import SampleSpace


class Realness(nn.Module):
    """x ↦ logsumexp of the logits of its classes, (B, 1): the logit of being real."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B, 1)."""
        return realness(self.classifier(x))


@dataclass(frozen=True, kw_only=True)
class SemiSupervised(Model):
    """A model whose critic was told few classes, and tells those of others.

    As a critic of samples it scores each by the logit of its being real, (B, 1): that of a logistic game.

    Arguments:
        classifier: samples (B, ...) → logits (B, K); in evaluation mode.
    """

    classifier: nn.Module

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Generator and critic, as they are kept."""
        return super().parts | {"critic": self.classifier}

    @property
    def objective(self) -> Objective:
        """That of which the critic's scores are the logits."""
        return Minimax()

    @torch.no_grad()
    def classify(self, samples: Tensor) -> Tensor:
        """Probabilities of the classes `space.classes` of samples (n, ...), taken for real: (n, K), on the CPU.

        Those of a sample do not depend on the others.

        Raises:
            DataError: the samples are of another shape.
        """
        parts = [
            self.classifier(filled(samples, start).to(self.device)).double().softmax(dim=1).cpu()
            for start in range(0, max(1, len(samples)), CHUNK)
        ]
        return torch.cat(parts)[: len(samples)]


@built.register
def _(recipe: recipes.SemiSupervised, space: SampleSpace, weights: Weights, step: int) -> SemiSupervised:
    generator, classifier = built_from(recipe, lambda: assemble.semisupervised_networks(recipe, space))
    fill(generator, weights, "generator")
    fill(classifier, weights, "critic")
    return SemiSupervised(
        generator=generator,
        critic=Realness(classifier).eval(),
        classifier=classifier,
        prior=assemble.prior(recipe.prior),
        recipe=recipe,
        space=space,
        step=step,
    )
