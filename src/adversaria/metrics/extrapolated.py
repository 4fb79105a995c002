r"""The Fréchet distance extrapolated to infinitely many fakes: FID_∞.

Of N fakes the distance is too large by a bias that falls like 1/N. So it is measured at several N, each on fakes of
its own drawing, and the line

    d²_N = d²_∞ + b / N

is fitted by least squares; its intercept d²_∞ = Σ_k w_k d²_{N_k} is the answer. The sizes are spread evenly from a
tenth of the fakes, or twice the features where there are enough, to all of them.

**What bias stays.** That of the reals, whose number does not change: for equal laws N(μ, v I) about v F (F + 5)/(4m).
At m = 20,000, F = 2,048 that is 2.6 % of Tr Σ; give all the reals there are. And that of the next order, 1/N²: for
Gaussians d²_∞ was found too small by 0.15 % of Tr Σ with n = 20 F fakes, by 0.4 % with 6 F.

**Its standard error.** Let ψ_k be the influence of a sample on d²_{N_k} (bures.py). A fake x_i has the influence
c_i = Σ_k w_k ψ_k(x_i) / N_k on the intercept, over the sizes that it was drawn for, and a real y the influence
Σ_k w_k ψ_k(y):

    se² = Σ_i (c_i − c̄)² + Var(Σ_k w_k ψ_k(y)) / m.

So it knows that the points share samples; the residuals of the line do not, and are no error of it. The fakes' part is
about 1.16 times that of d² itself far from equality. Near equality both are too large, as there.

The value may be negative: it is a difference of distances, and near 0 an unbiased one has to be.

Source: Chong & Forsyth, Effectively unbiased FID and Inception Score and where to find them (2020),
https://arxiv.org/abs/1911.07023
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.bures import Opposite, fitted, measured
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.frechet import Side, estimated, opposite, sides
from adversaria.metrics.samples import Features
from adversaria.metrics.statistics import Statistics
from adversaria.randomness import permutation


def frechet_distance_extrapolated(fake: Features, real: Side, *, seed: int, points: int = 15) -> Estimate:
    """d²_∞: the intercept of d²_N on 1/N, with its standard error. It costs about `points` distances.

    Arguments:
        fake: features (n, F), n ≥ 2 points.
        real: features (m, F), or their `Statistics`; the error then is that of the fakes' sampling alone.
        seed: of which fakes each size is made of.
        points: sizes N to measure at, at least 2; published figures use 15.

    Raises:
        MetricError: as for `frechet_distance`; fewer than 2 points, or too few fakes for so many sizes.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, y = torch.randn(3000, 4, generator=g), torch.randn(3000, 4, generator=g) + 1
    >>> print(frechet_distance_extrapolated(x, y, seed=0))  # the laws are at 4
    4.08 ± 0.11
    """
    if points < 2:
        raise MetricError(f"a line needs at least 2 points, got points={points}")
    if isinstance(fake, Statistics):
        raise MetricError("the fakes must be features, not statistics: smaller samples are drawn from them")
    x, y = sides(fake, real)
    assert isinstance(x, Tensor)
    n, width = x.shape
    sizes = _sizes(n, width, points)
    other = opposite(y)
    if other.samples is not None and n >= width:
        other = Opposite(other.samples, fitted(other.samples))  # once, for all sizes
    value, of_fake, of_real = 0.0, torch.zeros(n, dtype=torch.float64, device=x.device), torch.zeros(1).to(x.device)
    for k, (size, weight) in enumerate(zip(sizes, _intercept(sizes), strict=True)):
        chosen = permutation(n, seed, "frechet_distance_extrapolated", k)[:size].sort().values.to(x.device)
        parts = measured(x[chosen], other)
        value += weight * parts.value
        of_fake[chosen] += weight / size * (parts.own - parts.own.mean())
        if parts.other is not None:
            of_real = of_real + weight * parts.other
    variance = of_fake.square().sum().item() + of_real.var(correction=min(len(of_real) - 1, 1)).item() / len(of_real)
    return _described(estimated(value, math.sqrt(variance), x, y), sizes, seed, width)


def _sizes(n: int, width: int, points: int) -> list[int]:
    """Evenly from the smallest to all n."""
    if n < 2 * points:
        raise MetricError(f"{n} fakes are too few for {points} sizes of them, at least {2 * points} are needed")
    smallest = max(n // 10, min(2 * width, n // 2), 2)
    return [round(size) for size in torch.linspace(smallest, n, points, dtype=torch.float64).tolist()]


def _intercept(sizes: list[int]) -> list[float]:
    """w_k, with which the values at these sizes make the intercept of their least-squares line on 1/N; Σ w_k = 1."""
    inverse = 1 / torch.tensor(sizes, dtype=torch.float64)
    offset = inverse - inverse.mean()
    return (1 / len(sizes) - inverse.mean() * offset / offset.square().sum()).tolist()


def _described(estimate: Estimate, sizes: list[int], seed: int, width: int) -> Estimate:
    notes = [note.replace("frechet_distance:", "frechet_distance_extrapolated:") for note in estimate.notes]
    if sizes[0] < 2 * width:
        notes.append(
            f"frechet_distance_extrapolated: the smallest size is {sizes[0]} fakes for {width} dimensions, where the "
            f"distance is not yet a line in 1/N (wanted: {4 * width} fakes or more)"
        )
    protocol = estimate.protocol | {
        "estimator": "intercept of a line in 1/N; the bias of the reals stays, about F/4 1/m of Tr Σ",
        "sizes": sizes,
        "seed": seed,
    }
    protocol |= {"notes": notes} if notes else {}
    return replace(estimate, name="frechet_distance_extrapolated", protocol=protocol)
