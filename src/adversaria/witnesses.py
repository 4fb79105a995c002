"""A critic of several features as a critic of one score: its witness function, set against samples that stand for both
sides.

A critic that plays for a discrepancy maps samples to features, whose mean says nothing. What tells reals from fakes is

    f(x) = ⟨k(h(x), h(real))⟩ − ⟨k(h(x), h(fake))⟩

(`objectives.MMD`; its like for `objectives.Cramer`), with the means over training images, or fresh points of a law, and
fresh samples of the model. With that in the critic's place, everything that looks at scores works as for other models:
calibration, corrected samples, the report's histograms and fields.
"""

from dataclasses import replace

from torch import Tensor, nn

from adversaria.data import Splits, ToyLaw
from adversaria.model import Model
from adversaria.objectives import Objective, Scored
from adversaria.randomness import generator_for, permutation, seed_for

REFERENCE = 1000
"""Samples that stand for each side, at most."""


class Witness(nn.Module):
    """x ↦ the witness of an objective at a critic's features of x, against fixed features of both sides.

    Arguments:
        critic: x (B, ...), or x and classes (B,), → features (B, k).
        objective: whose witness.
        real: (m, k), features of reals.
        fake: (n, k), features of fakes.
    """

    real: Tensor
    fake: Tensor

    def __init__(self, critic: nn.Module, objective: Objective, real: Tensor, fake: Tensor) -> None:
        super().__init__()
        self.critic, self.objective = critic, objective
        self.register_buffer("real", real, persistent=False)
        self.register_buffer("fake", fake, persistent=False)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (B, ...), y (B,) where the critic takes classes: (B, 1)."""
        at = self.critic(x) if y is None else self.critic(x, y)
        return self.objective.witness(at, self.real, self.fake)


def by_witness(model: Model, source: Splits | ToyLaw, *, seed: int) -> Model:
    """The model with a critic of one score that tells reals from fakes: its witness where it plays for a discrepancy.

    Other models are returned as they are.

    Arguments:
        source: what the model was trained on.
        seed: of the samples that stand for both sides.
    """
    if isinstance(model.objective, Scored):
        return model
    fake_label = model.classes(REFERENCE, seed=seed_for(seed, "witness")) if model.conditional else None
    fake = model.scores(model.sample(REFERENCE, seed=seed_for(seed, "witness")), y=fake_label)
    if isinstance(source, Splits):
        chosen = permutation(len(source.train), seed, "witness")[:REFERENCE].sort().values
        labels = source.train.labels
        label = labels[chosen].long() if model.conditional and labels is not None else None
        real = model.scores(source.train.to_float(chosen), y=label)
    else:
        real = model.scores(source.sample(REFERENCE, generator=generator_for(seed, "witness")).float())
    witness = Witness(model.critic, model.objective, real.to(model.device), fake.to(model.device))
    return replace(model, critic=witness.eval())
