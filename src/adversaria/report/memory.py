"""Two looks at whether a model has memorised what it was trained on.

*Nearest training images*, exactly, by

    distance(a, b) = √( mean over pixels and channels of (a − b)² ),   in gray levels, 0 to 255.

On images of whole gray levels ‖a − b‖² = ‖a‖² − 2⟨a, b⟩ + ‖b‖² is a sum of integers below 2⁵³, which float64 holds
without rounding; so the fast form by a matrix product is exact, and an image that is also in the training set is at
distance 0. Among equally near images the first comes first. Pixel distance sees copies, and copies with noise. It does
not see a copy that is shifted by a pixel.

*The critic's preference*: the probability that it scores an image it was trained on above one that was held out,

    P(f(x) > f(x′)) + ½ P(f(x) = f(x′)),   x trained on, x′ held out,

which is ½ if it remembers nothing (the statistic of Mann & Whitney, 1947, https://doi.org/10.1214/aoms/1177730491).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adversaria.report.pictures import Pixels


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest of `searched` images to each of Q images."""

    index: NDArray[np.int64]
    """(Q, k) positions, nearest first."""
    distance: NDArray[np.float64]
    """(Q, k) root mean square differences, in gray levels."""
    searched: int
    """How many were searched."""


def nearest(queries: Pixels, among: Pixels, k: int = 3, *, chunk: int = 4096) -> Neighbours:
    """The `k` images of `among` nearest to each query.

    Arguments:
        queries: (Q, C, H, W).
        among: (N, C, H, W), N ≥ 1; may be memory-mapped, it is read `chunk` images at a time.
        k: how many; at most N are found.
    """
    asked = queries.reshape(len(queries), -1).astype(np.float64)
    norms = (asked**2).sum(1, keepdims=True)
    best = np.empty((len(asked), 0))
    where = np.empty((len(asked), 0), dtype=np.int64)
    for start in range(0, len(among), chunk):
        part = among[start : start + chunk].reshape(-1, asked.shape[1]).astype(np.float64)
        squares = norms - 2 * asked @ part.T + (part**2).sum(1)
        best = np.concatenate([best, squares], axis=1)
        positions = np.arange(start, start + len(part))
        where = np.concatenate([where, np.broadcast_to(positions, squares.shape)], axis=1)
        order = np.argsort(best, axis=1, kind="stable")[:, :k]
        best, where = np.take_along_axis(best, order, 1), np.take_along_axis(where, order, 1)
    return Neighbours(where, np.sqrt(best / asked.shape[1]), len(among))


def preference(upper: ArrayLike, lower: ArrayLike) -> tuple[float, float]:
    """P(a > b) + ½ P(a = b) for a of `upper` (n,) and b of `lower` (m,), and its standard error if both had one law.

    The error is √((n + m + 1)/(12nm)), exact without ties and too large with them.

    >>> preference([3.0, 4.0], [1.0, 2.0])[0], preference([1.0], [1.0])[0]
    (1.0, 0.5)
    """
    a, b = np.asarray(upper, dtype=np.float64).ravel(), np.sort(np.asarray(lower, dtype=np.float64).ravel())
    below = (np.searchsorted(b, a, side="left") + np.searchsorted(b, a, side="right")) / 2
    return float(below.mean() / b.size), float(np.sqrt((a.size + b.size + 1) / (12 * a.size * b.size)))
