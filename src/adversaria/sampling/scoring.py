"""Scored proposals: networks in evaluation mode, batches of fixed shape, and no score that is not finite.

Each of these was wrong in published code: batch statistics of whatever happened to be scored together entered the
score, and an acceptance of ∞/∞ or NaN counted as accepted.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from adversaria.errors import SamplingError
from adversaria.sampling.source import LogRatio, Source

BATCH = 1024
"""Most samples that a network sees at once."""

NUMBERS = 2**18
"""Most numbers (samples × pixels × channels) that a network sees at once, where one sample has fewer."""


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


def in_batches(function: Callable[[Tensor], Tensor], x: Tensor, rows: int | None = None) -> Tensor:
    """function(x), evaluated on at most `rows` rows of x (n, ...) at a time, n ≥ 1."""
    return torch.cat([function(part) for part in x.split(rows or rows_for(x[0]))])


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
    largest: float = -torch.inf
    _log_sum: Tensor = field(default_factory=lambda: torch.tensor(-torch.inf, dtype=torch.float64))
    _log_squares: Tensor = field(default_factory=lambda: torch.tensor(-torch.inf, dtype=torch.float64))

    def add(self, log_ratio: Tensor) -> None:
        """Take in log ratios (n,), n ≥ 1."""
        self.count += log_ratio.numel()
        self.largest = max(self.largest, float(log_ratio.max()))
        self._log_sum = torch.logaddexp(self._log_sum, log_ratio.logsumexp(0))
        self._log_squares = torch.logaddexp(self._log_squares, (2 * log_ratio).logsumexp(0))

    @property
    def effective(self) -> float | None:
        """(Σ w)²/(n Σ w²); None before there are any."""
        if not self.count:
            return None
        return float((2 * self._log_sum - self._log_squares).exp()) / self.count

    @property
    def log_largest(self) -> float:
        """log M of the largest weight over the mean one, M = max w / E w ≥ 1."""
        return self.largest - (float(self._log_sum) - torch.tensor(self.count, dtype=torch.float64).log().item())


class Proposals:
    """Scored draws of a source, and how many there were.

    Raises:
        SamplingError: a score depends on what else is in the batch.
    """

    def __init__(self, source: Source, ratio: LogRatio) -> None:
        self.source, self.ratio = source, ratio
        self.weights = Weights()
        self._rows: int | None = None

    def draw(self, n: int, generator: torch.Generator) -> Scored:
        """n proposals; the networks see them in batches whose shapes depend on n alone."""
        kept = self.source.propose(n, generator)
        if self._rows is None:
            self._rows = self._probe(kept)
        log_ratio = in_batches(self._score, kept, self._rows).cpu()
        self.weights.add(log_ratio)
        return Scored(kept, log_ratio)

    def decode(self, kept: Tensor) -> Tensor:
        """The samples (n, ...) of what was kept, n ≥ 1, in batches of fixed shape, so that none depends on n."""
        rows = self._rows or 1
        missing = -len(kept) % rows
        filled = torch.cat([kept, kept[:1].expand(missing, *kept.shape[1:])])
        return in_batches(self.source.decode, filled, rows)[: len(kept)]

    def _score(self, kept: Tensor) -> Tensor:
        return checked(self.ratio(self.source.decode(kept)), len(kept), "the ratio")

    def _probe(self, kept: Tensor) -> int:
        """Rows per batch; refuses networks whose answer for some samples changes with the others beside them."""
        few = kept[:8]
        whole, part = self._score(few), self._score(few[: (len(few) + 1) // 2])
        gap = float((whole[: len(part)] - part).abs().max())
        if gap > 1e-3 * (1 + float(whole.abs().max())):
            raise SamplingError(
                f"the score of a sample changes by {gap:.3g} with the samples that are scored beside it, so it is no "
                "function of the sample: is a network in training mode? call .eval() on it"
            )
        return rows_for(self.source.decode(few[:1])[0])
