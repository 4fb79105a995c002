r"""The Inception Score: how surely a classifier knows each sample, and how many classes it sees in all.

    IS = exp E_x KL( p(y|x) ‖ p(y) ),     p(y) = E_x p(y|x),     log IS = H(p(y)) − E_x H(p(y|x)),

between 1 (every sample has the same p(y|x)) and C (each class as often, each known for certain). Nothing is compared
with real data.

**As published**: the samples, in random order, are cut into 10 parts i n/10 … (i + 1) n/10, each with a p(y) of its own,
and the mean over parts is the score. The published ± is the standard deviation over parts (divided by their number,
not one less); it is the error of one part, not of the score, and stands in the protocol as `spread`.

**Its standard error.** Let h(x) = KL(p(y|x) ‖ p(y)), the influence of x on log IS, and Γ the covariance of p(y|x) over x.
With n_k samples, first and second order of log IS have the variances

    Var h / n_k     and     ½ Tr (D⁻¹Γ)² / n_k²,     D = diag p(y);

the second is all that is left where h is constant, as for a classifier that is always sure of classes that are equally
often. Parts do not share samples, so se² is the sum over parts of IS_k² times both, over their number squared.

**Bias.** E H(p̂(y)) falls short of H(p(y)) by Tr (D⁻¹Γ) / 2n_k, so the score of parts is too small, the more parts the
more. `inception_score_of_all` takes all samples as one part and adds that term: what is left is of order 1/n².

Sources: Salimans et al., Improved techniques for training GANs (2016), https://arxiv.org/abs/1606.03498; Barratt &
Sharma, A note on the Inception Score (2018), https://arxiv.org/abs/1801.01973; Miller, Note on the bias of information
estimates (1955), of which the last is a generalisation
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.moments import Moments, MomentStream
from adversaria.metrics.samples import ROWS, Features, matrix
from adversaria.randomness import permutation

WANTED = 5000
"""Samples of a part in published figures."""


def inception_score(logits: Features, *, splits: int = 10, seed: int) -> Estimate:
    """Mean over parts of exp E KL(p(y|x) ‖ p(y)), as published, with its standard error.

    Arguments:
        logits: (n, C) of a classifier, C ≥ 2, before the softmax and in the order they were sampled or any other.
            Published figures use the 1,008 logits of Inception without the bias.
        splits: parts, each of at least 2 samples; published figures use 10.
        seed: of the order of the samples.

    Computed in float64, by blocks. `protocol["spread"]` is the published ±.

    Raises:
        MetricError: not (n, C), NaN or infinite, one class, fewer than one part or than 2 samples for each.

    >>> sure = 50 * torch.eye(4).repeat(100, 1)
    >>> print(inception_score(sure, splits=1, seed=0).value)
    4.0
    """
    x = _checked(logits, splits)
    n, classes = x.shape
    order = permutation(n, seed, "inception_score").to(x.device)
    parts = [_part(x, order[i * n // splits : (i + 1) * n // splits]) for i in range(splits)]
    scores = torch.tensor([math.exp(part.log_score) for part in parts], dtype=torch.float64)
    variance = sum((part.variance * score**2).item() for part, score in zip(parts, scores, strict=True)) / splits**2
    protocol: Protocol = {
        "estimator": "mean over parts, biased downwards",
        "classes": classes,
        "splits": splits,
        "spread": scores.std(correction=0).item(),
        "seed": seed,
    }
    if n < WANTED * splits:
        protocol["notes"] = [
            f"inception_score: parts of {n // splits} samples; the score falls with them, so compare only at this "
            f"size (published: {WANTED} for each of 10)"
        ]
    return Estimate(scores.mean().item(), math.sqrt(variance), (n, 0), "inception_score", protocol)


def inception_score_of_all(logits: Features) -> Estimate:
    """exp E KL(p(y|x) ‖ p(y)) of all samples together, less its bias to the first order in 1/n. Independent of order.

    For comparing samples of different sizes. It is not the published score, which is smaller. May exceed C a little.

    Arguments:
        logits: (n, C), n ≥ 2, C ≥ 2, as for `inception_score`.

    Raises:
        MetricError: as for `inception_score`.

    >>> sure = 50 * torch.eye(4).repeat(100, 1)
    >>> print(inception_score_of_all(sure))
    4.015 ± 0.012
    """
    x = _checked(logits, 1)
    part = _part(x, torch.arange(len(x), device=x.device))
    # E e^L of a normal L is e^{E L + Var L / 2}.
    score = math.exp(part.log_score + part.shortfall - part.variance / 2)
    protocol: Protocol = {"estimator": "one part, bias removed to first order", "classes": x.shape[1]}
    return Estimate(score, score * math.sqrt(part.variance), (len(x), 0), "inception_score_of_all", protocol)


def _checked(logits: Features, splits: int) -> Tensor:
    x = matrix(logits, "logits", 2)
    if x.shape[1] < 2:
        raise MetricError("logits must be of at least 2 classes, got 1")
    if splits < 1 or len(x) < 2 * splits:
        raise MetricError(f"{len(x)} samples cannot be cut into {splits} parts of at least 2 each; set splits lower")
    return x


class _Part(NamedTuple):
    """log IS of a part, its variance, and by how much it is too small on average."""

    log_score: float
    variance: float
    shortfall: float


def _part(x: Tensor, chosen: Tensor) -> _Part:
    moments, certainty = _moments(x, chosen)
    marginal, n = moments.mean, moments.n
    log_score = certainty - torch.xlogy(marginal, marginal).sum()

    divergence = []
    log_marginal = marginal.clamp(min=torch.finfo(torch.float64).tiny).log()
    for p, log_p in _probabilities(x, chosen):
        divergence.append((p * (log_p - log_marginal)).sum(1))
    seen = marginal > 0
    scaled = moments.covariance[seen][:, seen] / marginal[seen].sqrt().outer(marginal[seen].sqrt())
    second = 0.5 * scaled.square().sum() / n**2
    first = torch.cat(divergence).var() / n - 2 * second  # at the estimated p(y), Var h contains the second order twice
    variance = first.clamp(min=0) + second
    return _Part(max(log_score.item(), 0.0), variance.item(), scaled.trace().item() / (2 * n))


def _moments(x: Tensor, chosen: Tensor) -> tuple[Moments, Tensor]:
    """Mean and covariance of p(y|x), and E Σ_y p log p."""
    stream, certainty = MomentStream(), torch.zeros((), dtype=torch.float64, device=x.device)
    for p, log_p in _probabilities(x, chosen):
        stream.add(p)
        certainty += (p * log_p).sum()
    return stream.moments(), certainty / len(chosen)


def _probabilities(x: Tensor, chosen: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """p(y|x) and its logarithm, by blocks."""
    for rows in chosen.split(ROWS):
        log_p = x[rows].double().log_softmax(1)
        yield log_p.exp(), log_p
