"""Scored proposals: networks in evaluation mode, batches of fixed shape, and no score that is not finite.

Each of these was wrong in published code: batch statistics of whatever happened to be scored together entered the
score, and an acceptance of ∞/∞ or NaN counted as accepted.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from adversaria.errors import SamplingError
from adversaria.randomness import generator_for
from adversaria.sampling.source import LogRatio, Source

BATCH = 1024
"""Most samples that a network sees at once."""

NUMBERS = 2**18
"""Most numbers (samples × pixels × channels) that a network sees at once, where one sample has fewer."""

BATCHES = 5
"""Batches whose proposals are drawn together: five of 1,024 hold eight chains of 640 without a rest."""

PILOT = 10_000
"""Proposals by which the maximum of a ratio is found, as published."""

PROBED = 8
"""Samples that are scored in two ways, to see whether batches matter."""


@contextmanager
def evaluating(*parts: Any) -> Iterator[None]:
    """All networks among `parts`, and among their `critic` and `generator`, in evaluation mode; as before at the end.

    Batch normalisation then uses its fixed statistics, so that a score depends on its sample alone.
    """
    roots = [root for part in parts for root in (part, getattr(part, "critic", None), getattr(part, "generator", None))]
    networks = [root for root in roots if isinstance(root, nn.Module)]
    training = {module for network in networks for module in network.modules() if module.training}
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def checked(values: Tensor, n: int, what: str) -> Tensor:
    """Scores as (n,) float64; of k scores for each sample (n, k) their mean.

    Raises:
        SamplingError: another shape, or NaN or infinite scores.
    """
    if not isinstance(values, Tensor) or values.ndim not in (1, 2) or len(values) != n or not values.numel():
        came = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise SamplingError(f"{what} should give scores ({n},) or ({n}, k) for {n} samples, came {came}")
    scores = values.double() if values.ndim == 1 else values.double().mean(1)
    if math.isfinite(float(scores.detach().sum())):  # then so is each, and this is much the cheaper question
        return scores
    wrong = int((~scores.isfinite()).sum())
    if wrong:
        nan = int(scores.isnan().sum())
        raise SamplingError(
            f"{what} gave {wrong} of {n} scores that are not finite ({nan} NaN, {wrong - nan} infinite); no sample can "
            "be accepted or refused by such a score: look for samples or weights that have diverged"
        )
    return scores


def rows_for(sample: Tensor) -> int:
    """How many samples like this one (...) a network should see at once: a function of its shape alone."""
    return max(1, min(BATCH, NUMBERS // max(1, sample.numel())))


def in_batches(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """function(x) of samples x (n, ...), n ≥ 1, a batch at a time."""
    return torch.cat([function(part) for part in x.split(rows_for(x[0]))])


def _joined(scores: list[Any]) -> Any:
    """Scores of several batches as of one; left to `checked` if they are no tensors that can be joined."""
    if len(scores) == 1 or not all(isinstance(score, Tensor) and score.ndim for score in scores):
        return scores[0]
    return torch.cat(scores)


class Scored(NamedTuple):
    """Proposals and their log ratios."""

    kept: Tensor
    """(n, ...) in the form in which they are kept."""
    log_ratio: Tensor
    """(n,) float64, on the CPU."""


@dataclass
class Weights:
    """What the proposals' weights w = exp(log ratio) say of a ratio, summed up as they pass.

    The effective sample size per proposal, (E w)²/E w² ∈ (0, 1], is the share of independent samples that n weighted
    proposals are worth (Kong, 1992): 1 if nothing needs correcting.
    """

    count: int = 0
    largest: float = -math.inf
    _sum: float = 0.0
    _squares: float = 0.0

    def add(self, log_ratio: Tensor) -> None:
        """Take in log ratios (n,), n ≥ 1."""
        largest = max(self.largest, float(log_ratio.max()))
        weights = (log_ratio - largest).exp()
        before = math.exp(self.largest - largest)  # sums are kept relative to the largest weight so far
        self._sum = self._sum * before + float(weights.sum())
        self._squares = self._squares * before**2 + float(weights.dot(weights))
        self.count, self.largest = self.count + len(log_ratio), largest

    @property
    def effective(self) -> float | None:
        """(Σ w)²/(n Σ w²); None before there are any."""
        return self._sum**2 / self._squares / self.count if self.count else None

    @property
    def log_largest(self) -> float:
        """log M of the largest weight over the mean one, M = max w / E w ≥ 1."""
        return math.log(self.count / self._sum)


class Proposals:
    """Scored draws of a source, and how many there were.

    Raises:
        SamplingError: a score is not finite, or depends on what else is in the batch.
    """

    def __init__(self, source: Source, ratio: LogRatio) -> None:
        self.source, self.ratio = source, ratio
        self.weights = Weights()
        few = source.propose(PROBED, generator_for(0, "probe"))
        self._check_rows_are_apart(few)
        self.rows = rows_for(source.decode(few[:1])[0])

    def chains_of(self, length: int) -> int:
        """How many chains of `length` proposals to draw together: a function of the length and the sample's shape."""
        return max(1, BATCHES * self.rows // length)

    def draw(self, n: int, generator: torch.Generator) -> Scored:
        """n proposals, n ≥ 1; the networks see them in batches whose shapes depend on n alone."""
        kept = self.source.propose(n, generator)
        even = -(-n // -(-n // self.rows))
        log_ratio = self._score(kept, even).cpu()
        self.weights.add(log_ratio)
        return Scored(kept, log_ratio)

    def decode(self, kept: Tensor) -> Tensor:
        """The samples (n, ...) of what was kept, n ≥ 1, in batches of fixed shape, so that none depends on n."""
        missing = -len(kept) % self.rows
        filled = torch.cat([kept, kept[:1].expand(missing, *kept.shape[1:])])
        return torch.cat([self.source.decode(part) for part in filled.split(self.rows)])[: len(kept)]

    def _score(self, kept: Tensor, rows: int = PROBED) -> Tensor:
        # Checked all at once: a check costs as much as a small layer.
        scores = [self.ratio(self.source.decode(part)) for part in kept.split(rows)]
        return checked(_joined(scores), len(kept), "the ratio")

    def _check_rows_are_apart(self, kept: Tensor) -> None:
        """Refuse networks whose answer for some samples changes with the others beside them."""
        whole, part = self._score(kept), self._score(kept[: PROBED // 2])
        gap = float((whole[: len(part)] - part).abs().max())
        if gap > 1e-3 * (1 + float(whole.abs().max())):
            raise SamplingError(
                f"the score of a sample changes by {gap:.3g} with the samples that are scored beside it, so it is no "
                "function of the sample: is a network in training mode? call .eval() on it"
            )


def pilot(source: Source, ratio: LogRatio) -> Weights:
    """The weights of 10,000 proposals, which belong to the source and the ratio, whatever the seed of sampling."""
    proposals = Proposals(source, ratio)
    for part in range(-(-PILOT // BATCH)):
        proposals.draw(BATCH, generator_for(0, "pilot", part))
    return proposals.weights
