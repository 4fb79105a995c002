r"""The number of statistically different bins (NDB): in how many parts of the data do fakes come too often or rarely?

The reals are divided into K bins by k-means, each fake belongs to the bin of its nearest centre, and for each bin the
shares p of the n fakes and q of the m reals are compared by the two-proportion test,

    z = (p − q) / √(P (1 − P)(1/n + 1/m)),      P the share of both together,      different if |z| > z_{1−α/2}.

    NDB = number of different bins,      E NDB = α K if the laws are equal;      NDB/K is the published figure.

**Bins of the reals themselves**, as published, follow the accidents of the reals, whose counts therefore vary less
than chance: E NDB at equality is then below α K (measured: 0.7 to 0.9 of it, 2,000 a side, 50 bins, 2 to 8 dimensions).
It is α K, up to the discreteness of counts, where the bins are made of other samples.

A dropped mode shows as bins in which fakes are missing, which a Fréchet distance may not see. NDB grows with the
sample size until every true difference is found: compare only at equal sizes. Bins should expect 5 samples or more.

**Its standard error.** With z ~ N(δ, 1) in each bin, bins nearly independent, the variance is Σ π(1 − π), π(δ) the
chance that |z| exceeds the limit. The observed z scatter about the δ, so δ given z is taken as N(sz, s) with the
shrinkage s = max(1 − 1/mean z², 0) of the bins together, and the variance is averaged over it.

Source: Richardson & Weiss, On GANs and GMMs (2018), https://arxiv.org/abs/1805.12462
"""

import math

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.samples import ROWS, Features, pair
from adversaria.randomness import generator_for

ROUNDS = 100
"""Of k-means, at most; it rarely takes so many."""

EXPECTED = 5
"""Samples that a bin should expect, for the normal approximation of its test."""


def different_bins(
    fake: Features,
    real: Features,
    *,
    bins: int = 100,
    level: float = 0.05,
    made_of: Features | None = None,
    seed: int,
) -> Estimate:
    """The number of bins, of K = `bins`, whose shares of fakes and of reals differ at the level α = `level`.

    Arguments:
        fake: (n, F), n ≥ 2.
        real: (m, F), m ≥ 2.
        bins: K, 100 as published, at least 2.
        level: α in (0, 1), 0.05 as published.
        made_of: (l, F), l ≥ K, samples for k-means; None: the reals, as published.
        seed: of k-means.

    The protocol has `share`, NDB/K, and `at_equality`, αK. Features are not whitened.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, fewer samples for k-means than bins, or fewer different
            ones, bins or level out of range.

    >>> x = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0))
    >>> int(different_bins(x[:1000] * 0, x[1000:], bins=10, seed=0).value)
    10
    """
    fake, real = pair(fake, real)
    source = real if made_of is None else pair(fake, made_of)[1]
    if isinstance(bins, bool) or not isinstance(bins, int) or not 2 <= bins <= len(source):
        raise MetricError(f"bins must be a whole number from 2 to the number of samples, {len(source)}, got {bins!r}")
    if not 0 < level < 1:
        raise MetricError(f"level must be between 0 and 1, got {level}")
    n, m = len(fake), len(real)
    centre, unit = _frame(source)
    centres = k_means((source.double() - centre) / unit, bins, seed)
    counts = [_counts((x.double() - centre) / unit, centres) for x in (fake, real)]
    p, q = counts[0] / n, counts[1] / m
    both = (counts[0] + counts[1]) / (n + m)
    z = (p - q) / np.sqrt(np.maximum(both * (1 - both), 1e-300) * (1 / n + 1 / m))
    limit = float(norm.isf(level / 2))
    different = int((abs(z) > limit).sum())
    protocol: Protocol = {
        "bins": bins,
        "level": float(level),
        "share": different / bins,
        "at_equality": level * bins,
        "dimensions": fake.shape[1],
        "made_of": "the reals" if made_of is None else f"{len(source)} other samples",
        "seed": seed,
    }
    if min(n, m) < EXPECTED * bins:
        protocol["notes"] = [
            f"different_bins: {n} fake and {m} real samples for {bins} bins; the test of a bin is a normal "
            f"approximation (wanted: {EXPECTED * bins} or more on each side, or fewer bins)"
        ]
    return Estimate(float(different), math.sqrt(_variance(z, limit)), (n, m), "different_bins", protocol)


def _counts(x: Tensor, centres: Tensor) -> np.ndarray:
    return np.bincount(_nearest(x, centres)[0].cpu().numpy(), minlength=len(centres))


def _variance(z: np.ndarray, limit: float) -> float:
    shrinkage = max(1 - 1 / max(float(np.mean(z**2)), 1e-300), 0.0)
    nodes, weights = np.polynomial.hermite_e.hermegauss(31)
    delta = shrinkage * z[:, None] + math.sqrt(shrinkage) * nodes
    chance = norm.sf(limit - delta) + norm.cdf(-limit - delta)
    return float(((chance * (1 - chance)) @ weights / weights.sum()).sum())


# --- k-means --------------------------------------------------------------------------------------------------


def k_means(x: Tensor, clusters: int, seed: int) -> Tensor:
    """Centres (K, F) of points (n, F) float64: k-means++, then Lloyd's rounds until nothing moves.

    A centre that loses all its points moves to the point farthest from its own.

    Raises:
        MetricError: fewer than K different points.

    Source: Arthur & Vassilvitskii, k-means++: the advantages of careful seeding (2007),
    https://dl.acm.org/doi/10.5555/1283383.1283494
    """
    centres = _spread(x, clusters, seed)
    labels, distance = _nearest(x, centres)
    for _ in range(ROUNDS):
        counts = torch.bincount(labels, minlength=clusters)
        sums = torch.zeros_like(centres).index_add_(0, labels, x)
        centres = sums / counts.clamp(min=1)[:, None]
        empty = (counts == 0).nonzero()[:, 0]
        centres[empty] = x[distance.topk(len(empty)).indices]
        moved, distance = _nearest(x, centres)
        if torch.equal(moved, labels):
            break
        labels = moved
    return centres


def _spread(x: Tensor, clusters: int, seed: int) -> Tensor:
    """First centres: each point is drawn with probability proportional to its d² from those before."""
    uniform = torch.rand(clusters, generator=generator_for(seed, "k-means"), dtype=torch.float64).to(x.device)
    chosen = x[(uniform[0] * len(x)).long()][None]
    distance = (x - chosen).square().sum(1)
    for draw in uniform[1:]:
        cumulative = distance.cumsum(0)
        if cumulative[-1] == 0:
            raise MetricError(f"k-means has {len(chosen)} different samples for {clusters} bins; ask for fewer bins")
        place = torch.searchsorted(cumulative, draw * cumulative[-1], right=True).clamp(max=len(x) - 1)
        chosen = torch.cat([chosen, x[place][None]])
        distance = torch.minimum(distance, (x - chosen[-1]).square().sum(1))
    return chosen


def _nearest(x: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Index of, and d² to, the nearest centre."""
    squares, labels, distances = centres.square().sum(1), [], []
    for rows in x.split(ROWS):
        least = torch.addmm(squares, rows, centres.T, alpha=-2).min(1)
        labels.append(least.indices)
        distances.append(least.values + rows.square().sum(1))
    return torch.cat(labels), torch.cat(distances)


def _frame(x: Tensor) -> tuple[Tensor, float]:
    centre = x.mean(0, dtype=torch.float64)
    spread = (x.double() - centre).square().mean().sqrt().item()
    return centre, spread or 1.0
