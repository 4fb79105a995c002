r"""The kernel distance: the squared maximum mean discrepancy (MMD²) of two samples.

    MMD² = E k(x, x') + E k(y, y') − 2 E k(x, y),         x, x' of the fakes, y, y' of the reals.

Under k(x, y) = (x·y/F + 1)³ on Inception features this is KID. `kernel_distance` is the U-statistic over **all** pairs
(i ≠ j within a side), unbiased for any sizes n, m; near equality it is negative about half of the time, as an unbiased
estimate of 0 must be. Its standard error (`pairs.py`) is derived there, and how a polynomial kernel is computed
without loss in float32 in `polynomial.py`.

`kernel_distance_subsets` is the published procedure, for comparison: the mean over random subsets. Given the samples,
its expectation over the subsets is the estimate over all pairs, so it is that estimate with noise of the choice of
subsets added. What is commonly printed beside it, the standard deviation over subsets, is not a standard error: subsets
overlap, and a subset is smaller than the sample.

Sources: Bińkowski, Sutherland, Arbel & Gretton, Demystifying MMD GANs (2018), https://arxiv.org/abs/1801.01401;
Gretton, Borgwardt, Rasch, Schölkopf & Smola, A kernel two-sample test (2012),
https://jmlr.org/papers/v13/gretton12a.html
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.kernels import Kernel, Polynomial
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.pairs import Prepared, across, pairs, prepare, within
from adversaria.metrics.samples import Features, pair
from adversaria.randomness import permutation

POLYNOMIAL = Polynomial()
"""The kernel of KID."""


def kernel_distance(fake: Features, real: Features, kernel: Kernel = POLYNOMIAL) -> Estimate:
    """Unbiased MMD² over all pairs, with its U-statistic standard error.

    Arguments:
        fake: (n, F), n ≥ 2.
        real: (m, F), m ≥ 2.
        kernel: k; that of KID unless said otherwise.

    Products are taken in the precision of the features for a polynomial kernel and in float64 for others. Memory: one
    centred copy of the features (polynomial), and a few blocks of the kernel matrix. The standard error covers the
    sampling of both sides; it is None with fewer than 3 samples on a side. Symmetric, and invariant to the order of
    samples and, for every kernel of `adversaria.kernels`, to rotations of the features.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, fewer than 2 samples on a side.

    >>> x, y = torch.tensor([[0.0], [0.0]]), torch.tensor([[1.0], [1.0]])
    >>> round(kernel_distance(x, y).value, 6)  # 1 + 8 − 2
    7.0
    """
    fake, real = pair(fake, real)
    n = (len(fake), len(real))
    ready = prepare(kernel, fake, real)
    sums = pairs(*ready.sides)
    se = ready.unit * sums.variance**0.5 if min(n) > 2 else None
    protocol = _protocol("unbiased, all pairs", kernel, fake, ready)
    return Estimate(ready.unit * sums.distance, se, n, "kernel_distance", protocol)


def kernel_distance_subsets(
    fake: Features,
    real: Features,
    *,
    seed: int,
    subsets: int = 100,
    size: int = 1000,
    kernel: Kernel = POLYNOMIAL,
) -> Estimate:
    """The mean of unbiased MMD² over random subsets, as published. Prefer `kernel_distance`, which has no such noise.

    Arguments:
        fake: (n, F), n ≥ size.
        real: (m, F), m ≥ size.
        seed: of the subsets.
        subsets: how many, each drawn without replacement and independently of the others.
        size: of a subset on each side, at least 2.
        kernel: k; that of KID unless said otherwise.

    The standard error is None. `protocol["spread"]` is the standard deviation over subsets (divided by their number,
    as other tools print it), which is not one. The variance of the mean is that of the estimate over all pairs and
    about spread² / subsets.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, or fewer samples than `size` on a side.

    >>> x, y = torch.zeros(4, 1), torch.ones(4, 1)
    >>> round(kernel_distance_subsets(x, y, seed=0, subsets=3, size=2).value, 6)
    7.0
    """
    fake, real = pair(fake, real)
    n = (len(fake), len(real))
    if size < 2 or subsets < 1:
        raise MetricError(f"expected at least 1 subset of at least 2 samples, got {subsets} of {size}")
    if min(n) < size:
        raise MetricError(
            f"subsets of {size} need as many samples on each side, got {n[0]} fake and {n[1]} real: a subset is drawn "
            "without replacement. Use kernel_distance, which takes all pairs of any sizes, or a smaller size"
        )
    ready = prepare(kernel, fake, real)
    choices = (_choice(n, size, seed, index) for index in range(subsets))
    values = ready.unit * _over_subsets(ready, choices)
    protocol = _protocol("mean of unbiased estimates over random subsets", kernel, fake, ready) | {
        "subsets": subsets,
        "size": size,
        "seed": seed,
        "spread": values.std(correction=0).item(),
        "notes": [
            "kernel_distance_subsets: the spread over subsets is not a standard error; for one use kernel_distance"
        ],
    }
    return Estimate(values.mean().item(), None, n, "kernel_distance_subsets", protocol)


def _choice(n: tuple[int, int], size: int, seed: int, index: int) -> tuple[Tensor, Tensor]:
    first, second = (permutation(n[side], seed, "kernel subsets", side, index)[:size] for side in (0, 1))
    return first, second


def _over_subsets(ready: Prepared, choices: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """MMD² of each subset, given by its rows on both sides, in the unit of `ready`."""
    x, y = ready.sides
    values = []
    for first, second in choices:
        left, right = x[first.to(x.device)], y[second.to(y.device)]
        values.append(within(left).mean + within(right).mean - 2 * across(left, right).mean)
    return torch.tensor(values, dtype=torch.float64)


def _protocol(estimator: str, kernel: Kernel, features: Tensor, ready: Prepared) -> dict[str, object]:
    return {
        "estimator": estimator,
        "kernel": str(kernel),
        "dimensions": features.shape[1],
        "products": ready.products,
    }
