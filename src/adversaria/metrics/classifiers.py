r"""Classifiers that try to tell two samples apart.

    score = classifier(x, fake, test, generator)

learns from rows x (N, F), of which those with `fake` (N,) true are fakes, and gives each row of `test` a score: above 0
for a fake, below 0 for a real sample, 0 for even odds. Both sides weigh the same, however many samples each has.

Sources: Lopez-Paz & Oquab, Revisiting classifier two-sample tests (2017), https://arxiv.org/abs/1610.06545
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import softplus

from adversaria.errors import MetricError
from adversaria.kernels import squared_distances
from adversaria.metrics.samples import ROWS

EVERY = 25
"""Steps of training between two looks at what was kept."""


class Classifier(Protocol):
    """Learns from labelled rows, scores others; printed as what it is."""

    def __call__(self, x: Tensor, fake: Tensor, test: Tensor, generator: torch.Generator) -> Tensor:
        """Scores (n,) of the rows of `test`: above 0 for a fake."""
        ...


@dataclass(frozen=True)
class NearestNeighbours:
    """The share of fakes among the k nearest rows, against that of reals. Distances are Euclidean, in float64.

    It sees local differences. In many dimensions it is blind to a difference of spread: the nearest rows of every point
    are then those of the narrower law.

    Arguments:
        k: neighbours; None is ⌊√N⌋, as published.

    Raises:
        MetricError: k is not between 1 and N.
    """

    k: int | None = None

    def __call__(self, x: Tensor, fake: Tensor, test: Tensor, generator: torch.Generator) -> Tensor:
        """Scores (n,)."""
        k = math.isqrt(len(x)) if self.k is None else self.k
        if not 1 <= k <= len(x):
            raise MetricError(f"k must be between 1 and the {len(x)} samples that are learned from, got {k}")
        order = torch.randperm(len(x), generator=generator).to(x.device)  # ties go to either side alike
        x, fake = x[order].double(), fake[order]
        weight = torch.where(fake, 1 / fake.sum(), -1 / (~fake).sum()).double()
        rows = max(1, 2**22 // len(x))
        scores = []
        for part in test.split(rows):
            nearest = squared_distances(part.double(), x).topk(k, dim=1, largest=False).indices
            scores.append(weight[nearest].sum(1))
        score = torch.cat(scores)
        return torch.where(score.abs() < 1e-12, 0, score)


@dataclass(frozen=True)
class Perceptron:
    """One hidden layer of ReLU units on standardised features, trained by Adam in float64.

    The mean square of the features is an input beside them: in many dimensions a difference of spread, as between a
    sample and a less diverse one, is plain there, and not to be learned from a few thousand rows otherwise.

    A fifth of the rows is kept to choose the step to stop at; where nothing can be learned that is step 0, at which
    every score is 0.

    Arguments:
        width: hidden units.
        steps: of Adam, at most.
        batch: rows of a step.
        rate: of Adam.
    """

    width: int = 32
    steps: int = 500
    batch: int = 128
    rate: float = 3e-3

    def __call__(self, x: Tensor, fake: Tensor, test: Tensor, generator: torch.Generator) -> Tensor:
        """Scores (n,)."""
        order = torch.randperm(len(x), generator=generator).to(x.device)
        kept, learned = order.tensor_split([max(1, len(x) // 5)])
        scale = _Scale.of(x)
        layers = self._layers(x.shape[1] + 1, generator, x.device)
        with torch.enable_grad():
            best = self._train(layers, scale, (x, fake), learned, kept, generator)
        return torch.cat([_score(best, scale(rows)) for rows in test.split(ROWS)])

    def _layers(self, features: int, generator: torch.Generator, device: torch.device) -> list[Tensor]:
        hidden = torch.randn(features, self.width, generator=generator, dtype=torch.float64) * (2 / features) ** 0.5
        shapes = [(self.width,), (self.width,), (1,)]  # 0, so that a network that has not learned has even odds
        rest = [torch.zeros(shape, dtype=torch.float64) for shape in shapes]
        return [layer.to(device).requires_grad_() for layer in (hidden, *rest)]

    def _train(
        self,
        layers: list[Tensor],
        scale: "_Scale",
        labelled: tuple[Tensor, Tensor],
        learned: Tensor,
        kept: Tensor,
        generator: torch.Generator,
    ) -> list[Tensor]:
        """The layers at the step that does best on what was kept."""
        x, fake = labelled
        optimiser = torch.optim.Adam(layers, lr=self.rate)
        best, least = [layer.detach().clone() for layer in layers], math.log(2)
        for step in range(1, self.steps + 1):
            draw = torch.randint(len(learned), (self.batch,), generator=generator).to(x.device)
            rows = learned[draw]
            optimiser.zero_grad()
            _loss(layers, scale(x[rows]), fake[rows]).backward()
            optimiser.step()
            if step % EVERY == 0:
                with torch.no_grad():
                    loss = _loss(layers, scale(x[kept]), fake[kept]).item()
                if loss < least:
                    best, least = [layer.detach().clone() for layer in layers], loss
        return best


class _Scale(NamedTuple):
    """Features less their mean, in units of their standard deviation; beside them their mean square, alike."""

    mean: Tensor
    deviation: Tensor
    spread: Tensor

    @classmethod
    def of(cls, x: Tensor) -> "_Scale":
        mean = x.mean(0, dtype=torch.float64)
        square = torch.stack([(rows.double() - mean).square().sum(0) for rows in x.split(ROWS)]).sum(0) / len(x)
        scale = cls(mean, _positive(square.sqrt()), torch.ones_like(mean[0]))
        lengths = torch.cat([scale(rows)[:, -1] for rows in x.split(ROWS)])
        return scale._replace(spread=_positive(lengths.std(correction=0)))

    def __call__(self, rows: Tensor) -> Tensor:
        """(n, F) → (n, F + 1)."""
        standard = (rows.double() - self.mean) / self.deviation
        length = (standard.square().mean(1, keepdim=True) - 1) / self.spread
        return torch.cat([standard, length], dim=1)


def _positive(deviation: Tensor) -> Tensor:
    return torch.where(deviation > 0, deviation, 1)


def _score(layers: Sequence[Tensor], rows: Tensor) -> Tensor:
    hidden, offset, head, bias = layers
    return (rows @ hidden + offset).relu() @ head + bias


def _loss(layers: Sequence[Tensor], rows: Tensor, fake: Tensor) -> Tensor:
    """Cross-entropy in nats, both sides weighed equally; ln 2 for even odds."""
    score = _score(layers, rows)
    sides = [softplus(sign * score[side]) for sign, side in ((-1, fake), (1, ~fake))]
    return torch.stack([side.mean() for side in sides if len(side)]).mean()
