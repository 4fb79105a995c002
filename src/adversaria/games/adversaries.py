r"""Adversaries of codes: a critic, the law that codes are compared with, what the two sides play for, and the tricks.

    D ascends on   L_D( D(n + c′), D(n + c) ),   c′ ~ prior,  c = codes,  n ~ N(0, σ_t² I)

**Input noise.** A softmax is never quite one-hot, and a critic would tell the two apart by that alone, whatever the
classes. Noise of a deviation well above the gap hides it. It may shrink over the run (`noise`).

**Labels.** A critic may be told where a code should lie: it judges [c, e], with e the one-hot of the label of the
sample, or an entry K + 1 of its own for samples whose label is not known. What a labelled code is compared with comes
from the part of the prior that bears its label; the others are compared with the whole prior (Makhzani et al., §2.3).
Or it is told the label of every sample, so that no code says what class its sample is of (`Told`, ours).

Reference: A. Makhzani et al., Adversarial autoencoders, 2015, https://arxiv.org/abs/1511.05644.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from adversaria.errors import DataError, RecipeError
from adversaria.games.content import one_hot
from adversaria.games.game import Batch, Labelled, Outcome, Players, Tensors
from adversaria.games.noise import FadingNoise
from adversaria.objectives import Objective, Penalty
from adversaria.priors import LabelledPrior, Prior


class Marking(Protocol):
    """What a critic is told of labels."""

    def shown(self, batch: Batch) -> Tensor:
        """The samples whose codes are judged, (N, ...)."""
        ...

    def draw(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """What their codes are compared with, (N, d)."""
        ...

    def marked(self, code: Tensor, batch: Batch) -> Tensor:
        """Codes (N, d) as the critic is given them, (N, c)."""
        ...


@dataclass(frozen=True)
class Blind:
    """The critic is told nothing: codes (B, d) of the batch, compared with the prior."""

    prior: Prior

    def shown(self, batch: Batch) -> Tensor:
        """The batch."""
        return batch.real

    def draw(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """From the prior."""
        return self.prior.sample(len(batch.real), generator=generator)

    def marked(self, code: Tensor, batch: Batch) -> Tensor:
        """The codes alone."""
        return code


@dataclass(frozen=True)
class Told(Blind):
    """The critic is told the label of each sample: codes and one-hots (B, d + K), both sides with the same labels.

    So the codes of every class are pressed into the prior. A blind critic asks it of all codes together alone, and they
    may then say what the class is.

    Arguments:
        prior: of the codes of every class.
        classes: K, of the data.
    """

    classes: int

    def marked(self, code: Tensor, batch: Batch) -> Tensor:
        """Each code with the one-hot of its label."""
        return torch.cat([code, one_hot(label_of(batch), self.classes, like=code)], dim=1)


@dataclass(frozen=True)
class Informed:
    """The critic is told the labels of a second, labelled batch: codes and one-hots (B + M, d + K + 1).

    Arguments:
        prior: in parts that bear labels.
        classes: K, of the data; class k is carried to part k.

    Raises:
        RecipeError: there are more classes than parts.
    """

    prior: LabelledPrior
    classes: int

    def __post_init__(self) -> None:
        if self.classes > self.prior.components:
            raise RecipeError(
                f"the data has {self.classes} classes, but the prior only {self.prior.components} parts to carry them "
                f"to; give it at least as many"
            )

    def shown(self, batch: Batch) -> Tensor:
        """The batch, and the labelled batch after it."""
        return torch.cat([batch.real, labelled_of(batch).real])

    def draw(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """From the whole prior, and from the part of each label."""
        whole = self.prior.sample(len(batch.real), generator=generator)
        return torch.cat([whole, self.prior.sample_given(labelled_of(batch).label.cpu(), generator=generator)])

    def marked(self, code: Tensor, batch: Batch) -> Tensor:
        """Each code with the one-hot of its label; entry K stands for not knowing."""
        label = labelled_of(batch).label
        unknown = torch.full((len(batch.real),), self.classes, device=label.device)
        return torch.cat([code, one_hot(torch.cat([unknown, label]), self.classes + 1, like=code)], dim=1)


def labelled_of(batch: Batch) -> Labelled:
    """The second, labelled part of a batch.

    Raises:
        DataError: it has none.
    """
    if batch.labelled is None:
        raise DataError("this game learns from a second, labelled batch, and there is none; give it labelled samples")
    return batch.labelled


def label_of(batch: Batch) -> Tensor:
    """The labels of a batch, (B,).

    Raises:
        DataError: it has none.
    """
    if batch.label is None:
        raise DataError("this game needs labelled batches, and this one has no labels; take data with classes")
    return batch.label


@dataclass(frozen=True)
class Adversary:
    """A critic of codes, and what encoder and critic play for.

    Arguments:
        player: the critic's name among the players: codes (N, c) → scores (N, k).
        marking: what the critic is told, and what it compares the codes with.
        objective: the pair of losses; codes are the fakes.
        penalties: added to the critic's loss, by the name under which they are logged.
        noise: on what the critic sees.
    """

    player: str
    marking: Marking
    objective: Objective
    penalties: Mapping[str, Penalty] = field(default_factory=dict)
    noise: FadingNoise | None = None

    def draw(self, batch: Batch, generator: torch.Generator, share: float) -> Tensors:
        """All randomness of the critic's and of the encoder's phase."""
        prior = self.marking.draw(batch, generator)
        draws = {"prior": prior}
        if self.noise is not None:
            draws |= {side: self.noise.draw(prior, generator, share) for side in ("prior_noise", "code_noise")}
        draws |= {name: penalty.draw(prior, generator) for name, penalty in self.penalties.items()}
        return {f"{self.player}.{name}": value for name, value in draws.items()}

    def critic_loss(self, players: Players, batch: Batch, draws: Tensors, code: Tensor) -> Outcome:
        """What the critic descends, of codes (N, c)."""

        def critic(code: Tensor) -> Tensor:
            return players[self.player](self.marking.marked(code, batch))

        prior, code = self._seen("prior", draws[f"{self.player}.prior"], draws), self._seen("code", code, draws)
        on_prior, on_code = critic(prior), critic(code)
        loss = self.objective.critic_loss(on_prior, on_code)
        report = {f"{self.player}_prior_score": on_prior.mean(), f"{self.player}_code_score": on_code.mean()}
        for name, penalty in self.penalties.items():
            slope = penalty.evaluate(critic, prior, code, draws[f"{self.player}.{name}"])
            report[f"{self.player}_{name}"] = slope
            loss = loss + slope
        return Outcome(loss, report)

    def encoder_loss(self, players: Players, batch: Batch, draws: Tensors, code: Tensor) -> Outcome:
        """What the encoder descends, of its codes (N, c)."""
        critic, on_prior = players[self.player], None
        if self.objective.generator_needs_real:
            on_prior = critic(self.marking.marked(self._seen("prior", draws[f"{self.player}.prior"], draws), batch))
        on_code = critic(self.marking.marked(self._seen("code", code, draws), batch))
        score = {f"{self.player}_code_score": on_code.mean()}
        return Outcome(self.objective.generator_loss(on_prior, on_code), score)

    def _seen(self, side: str, code: Tensor, draws: Tensors) -> Tensor:
        return code if self.noise is None else code + draws[f"{self.player}.{side}_noise"]
