r"""The Inception Score: how surely a classifier knows each sample, and how many classes it sees in all.

    IS = exp E_x KL( p(y|x) ‖ p(y) ),     p(y) = E_x p(y|x),     log IS = H(p(y)) − E_x H(p(y|x)),

between 1 (every sample has the same p(y|x)) and C (each class as often, each known for certain). Nothing is compared
with real data.

**As published**: the samples, in random order, are cut into 10 parts i n/10 … (i + 1) n/10, each with a p(y) of its
own, and the mean over parts is the score. The published ± is the standard deviation over parts (divided by their
number, not one less); it is the error of one part, not of the score, and stands in the protocol as `spread`.

**Its standard error.** Let h(x) = KL(p(y|x) ‖ p(y)), the influence of x on log IS, and Γ the covariance of p(y|x).
With n_k samples, first and second order of log IS have the variances

    Var h / n_k     and     ½ Tr (D⁻¹Γ)² / n_k²,     D = diag p(y);

the second is all that is left where h is constant, as for a classifier that is always sure of classes that are equally
often. Both are estimated from all samples together; at their own p(y), Var h is too large by Tr (D⁻¹Γ)² / n, which is
taken off. Parts share no samples, so se² is the sum over parts of IS_k² times both, over their number squared.

**Bias.** E H(p̂(y)) falls short of H(p(y)) by Tr (D⁻¹Γ) / 2n_k, so the score of parts is too small, the more parts the
more. `inception_score_of_all` takes all samples as one part and adds that term: what is left is of order 1/n².

Sources: Salimans et al., Improved techniques for training GANs (2016), https://arxiv.org/abs/1606.03498; Barratt &
Sharma, A note on the Inception Score (2018), https://arxiv.org/abs/1801.01973; Miller, Note on the bias of information
estimates (1955), of which the last is a generalisation
"""

import math
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
    parts = [order[i * n // splits : (i + 1) * n // splits] for i in range(splits)]
    log_scores, law = _measured(x, parts)
    scores = log_scores.exp()
    variances = torch.tensor([law.variance(len(part)) for part in parts], dtype=torch.float64, device=x.device)
    variance = (variances * scores.square()).sum().item() / splits**2
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
    n = len(x)
    log_scores, law = _measured(x, [torch.arange(n, device=x.device)])
    # E e^L of a normal L is e^{E L + Var L / 2}.
    score = math.exp(log_scores.item() + law.ratio / (2 * n) - law.variance(n) / 2)
    protocol: Protocol = {"estimator": "one part, bias removed to first order", "classes": x.shape[1]}
    return Estimate(score, score * math.sqrt(law.variance(n)), (n, 0), "inception_score_of_all", protocol)


def _checked(logits: Features, splits: int) -> Tensor:
    x = matrix(logits, "logits", 2)
    if x.shape[1] < 2:
        raise MetricError("logits must be of at least 2 classes, got 1")
    if splits < 1 or len(x) < 2 * splits:
        raise MetricError(f"{len(x)} samples cannot be cut into {splits} parts of at least 2 each; set splits lower")
    return x


class _Law(NamedTuple):
    """What the errors are made of: Var h, Tr D⁻¹Γ, Tr (D⁻¹Γ)²."""

    first: float
    ratio: float
    second: float

    def variance(self, n: int) -> float:
        """Of log IS of n samples."""
        return self.first / n + 0.5 * self.second / n**2


def _measured(x: Tensor, parts: list[Tensor]) -> tuple[Tensor, _Law]:
    """log IS of each part, and the law of them all, in one pass."""
    stream, log_scores = MomentStream(), []
    for part in parts:
        marginal = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
        certainty = marginal.new_zeros(())
        for rows in part.split(ROWS):
            log_p = x[rows].double().log_softmax(1)
            p = log_p.exp()
            sure = (p * log_p).sum(1, keepdim=True)
            marginal += p.sum(0)
            certainty += sure.sum()
            stream.add(torch.cat([p, sure], dim=1))
        marginal /= len(part)
        log_scores.append((certainty / len(part) - torch.xlogy(marginal, marginal).sum()).clamp(min=0))
    return torch.stack(log_scores), _law(stream.moments())


def _law(moments: Moments) -> _Law:
    """From the moments of (p(y|x), Σ_y p log p): h is Σ_y p log p − Σ_y p(y|x) log p(y), which is linear in them."""
    marginal, covariance = moments.mean[:-1], moments.covariance
    seen = marginal > 0  # p(y) = 0: no p(y|x) differs from 0
    slope = torch.cat([torch.where(seen, -marginal.log(), 0.0), marginal.new_ones(1)])
    inverse = torch.where(seen, marginal.rsqrt(), 0.0)
    scaled = inverse[:, None] * covariance[:-1, :-1] * inverse
    second = scaled.square().sum()
    first = slope @ covariance @ slope - second / moments.n
    return _Law(first.clamp(min=0).item(), scaled.trace().item(), second.item())
