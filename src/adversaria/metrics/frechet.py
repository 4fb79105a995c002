r"""The Fréchet distance between Gaussians fitted to two samples.

    d² = |μ₁ − μ₂|² + Tr Σ₁ + Tr Σ₂ − 2 Tr (Σ₁ Σ₂)^½,

the squared 2-Wasserstein distance of N(μ₁, Σ₁) and N(μ₂, Σ₂). On Inception features this is FID.

It is computed exactly, by singular values or what a bound shows to be as good (bures.py), so it is 0 for equal samples
and never negative.

**Its standard error**, to first order, by the influence ψ of a sample on d² (there, too):

    se² = Var ψ₁ / n + Var ψ₂ / m.

The error is the infinitesimal jackknife. Far from equality it is exact as n grows. As the two laws approach, ψ tends
to 0 and d² becomes a quadratic form of the fluctuations, whose variance the jackknife counts twice: at equality the
error is too large by √2, and in between by less. It errs on the safe side.

**Bias.** d² of samples exceeds d² of the laws, and the error does not contain that. For equal laws N(μ, v I), n and m
large, E d² ≈ v F (F + 5)/4 · (1/n + 1/m): with n = m = 10 F, one twentieth of the features' whole variance F v.
Compare only at equal sample sizes.

Sources: Dowson & Landau, The Fréchet distance between multivariate normal distributions (1982),
https://doi.org/10.1016/0047-259X(82)90077-X; Heusel et al., GANs trained by a two time-scale update rule (2017),
https://arxiv.org/abs/1706.08500; Efron & Stein, The jackknife estimate of variance (1981),
https://doi.org/10.1214/aos/1176345462
"""

import math

from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.bures import Opposite, distance, measured
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.gaussian import Gaussian
from adversaria.metrics.moments import Moments
from adversaria.metrics.samples import Features, matrix, pair
from adversaria.metrics.statistics import Statistics

Side = Features | Statistics
"""Features (n, F), or what was kept of them."""


def frechet_distance(fake: Side, real: Side) -> Estimate:
    """d² of Gaussians fitted to two sides. Never negative; 0 for equal samples.

    Arguments:
        fake: features (n, F), n ≥ 2, or their `Statistics`.
        real: features (m, F), m ≥ 2, or their `Statistics`.

    What is given decides what can be known. Of features on both sides, the standard error is that of both samplings.
    Against statistics, it is that of the features' sampling alone, given the statistics, which a note says. Of
    statistics on both sides there is none, and the distance takes half the time: this is the form for when only the
    value is wanted. Statistics keep their factor, so a second distance from the same ones is cheaper again.

    Computed in float64. Memory beside the features: O(F²), or O(n F) for the smaller side if it has fewer samples
    than features. Symmetric, and invariant to the order of samples and to rotations of the features.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, fewer than 2 samples on a side, statistics of features
            that were made by different protocols.

    >>> import torch
    >>> x = torch.tensor([[-1.0], [1.0]])
    >>> frechet_distance(x, x + 3).value
    9.0
    >>> print(frechet_distance(Statistics.of(x, protocol={}), Statistics.of(x + 3, protocol={})))
    9
    """
    if isinstance(fake, Statistics) and isinstance(real, Statistics):
        return _between(fake, real)
    x, y = sides(fake, real)
    if isinstance(y, Tensor) and (isinstance(x, Statistics) or len(y) < len(x)):
        parts = measured(y, opposite(x))
    else:
        assert isinstance(x, Tensor)
        parts = measured(x, opposite(y))
    influences = [parts.own] if parts.other is None else [parts.own, parts.other]
    variance = sum(influence.var().item() / len(influence) for influence in influences)
    return estimated(parts.value, math.sqrt(variance), x, y)


def frechet_distance_of_moments(fake: Moments, real: Moments) -> Estimate:
    """d² of Gaussians given by moments. Moments do not determine the standard error, so it is None.

    Raises:
        MetricError: different numbers of features, or fewer than 2 samples on a side.
    """
    return _between(Statistics.of_moments(fake, protocol={}), Statistics.of_moments(real, protocol={}))


def frechet_distance_of_gaussians(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """d² of N(mean1, cov1) and N(mean2, cov2): means (F,), covariances (F, F), singular ones included.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities.

    >>> import torch
    >>> I = torch.eye(5)
    >>> round(frechet_distance_of_gaussians(torch.zeros(5), I, torch.ones(5), 4 * I), 12)
    10.0
    """
    width = mean1.shape[0]
    if mean2.shape != (width,) or cov1.shape != (width, width) or cov2.shape != (width, width):
        raise MetricError(
            f"expected means (F,) and covariances (F, F) of one F, got {tuple(mean1.shape)}, {tuple(cov1.shape)}, "
            f"{tuple(mean2.shape)}, {tuple(cov2.shape)}"
        )
    mean1, cov1, mean2, cov2 = mean1.double(), cov1.double(), mean2.double(), cov2.double()
    if not all(part.isfinite().all() for part in (mean1, cov1, mean2, cov2)):
        raise MetricError("a mean or covariance has NaN or infinite entries")
    return distance(Gaussian(mean1, cov1), Gaussian(mean2, cov2))


# --- both sides, checked --------------------------------------------------------------------------------------


def sides(fake: Side, real: Side) -> tuple[Tensor | Statistics, Tensor | Statistics]:
    """Both, features checked and statistics on their device; at most one is statistics."""
    if isinstance(fake, Statistics):
        assert not isinstance(real, Statistics)
        y = matrix(real, "real", 2)
        return fake.beside(y, "real"), y
    if isinstance(real, Statistics):
        x = matrix(fake, "fake", 2)
        return x, real.beside(x, "fake")
    return pair(fake, real)


def opposite(side: Tensor | Statistics) -> Opposite:
    """What is at hand of a side."""
    return Opposite(None, side.gaussian) if isinstance(side, Statistics) else Opposite(side, None)


def _between(fake: Statistics, real: Statistics) -> Estimate:
    fake.check_comparable(real)
    return estimated(distance(fake.gaussian, real.to(fake.mean.device).gaussian), None, fake, real)


def estimated(value: float, se: float | None, fake: Tensor | Statistics, real: Tensor | Statistics) -> Estimate:
    """The number with its protocol and notes."""
    width = real.shape[1] if isinstance(real, Tensor) else len(real.mean)
    protocol: Protocol = {"estimator": "plug-in, biased upwards by about F/4 (1/n + 1/m) of Tr Σ", "dimensions": width}
    notes = []
    for side in (fake, real):
        if isinstance(side, Statistics):
            protocol = side.protocol | protocol
            notes += [f"frechet_distance: {note}" for note in side.notes]
    if isinstance(fake, Statistics) != isinstance(real, Statistics):
        given = "fakes" if isinstance(fake, Statistics) else "reals"
        notes.append(f"frechet_distance: the error does not contain the sampling of the {given}, given as statistics")
    n = (_size(fake), _size(real))
    if min(size or math.inf for size in n) <= width:
        notes.append(
            f"frechet_distance: {n[0]} fake and {n[1]} real samples for {width} dimensions; a covariance is singular "
            f"and the bias is large, so compare only at these sample sizes (wanted: {10 * width} or more)"
        )
    return Estimate(value, se, n, "frechet_distance", protocol | ({"notes": notes} if notes else {}))


def _size(side: Tensor | Statistics) -> int:
    return (side.n or 0) if isinstance(side, Statistics) else len(side)
