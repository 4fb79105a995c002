r"""The kernel distance: the squared maximum mean discrepancy under a cubic polynomial kernel.

    k(x, y) = (x·y / F + 1)³,
    MMD² = E k(x, x') + E k(y, y') − 2 E k(x, y),         x, x' of the fakes, y, y' of the reals.

On Inception features this is KID. The estimate is the U-statistic over **all** pairs (i ≠ j within a side), unbiased
for any sizes n, m; near equality it is negative about half of the time, as an unbiased estimate of 0 must be.

**Its standard error.** Split the kernel (Hoeffding) into the witness f(t) = E k(t, x) − E k(t, y), whose average makes
the first-order part, and the remainders g (k less its conditional means):

    Var = 4 Var f(x) / n + 4 Var f(y) / m
        + 2 E g(x, x')² / n(n−1) + 2 E g(y, y')² / m(m−1) + 4 E g(x, y)² / nm.

This is exact. The second line is all that is left when the two laws are equal. Each term is estimated without bias
from row sums and squares of the kernel matrices, up to the square of a mean; the first line, which rounding and noise
can make negative near equality, counts as at least 0.

**Precision.** For a centre c, write x·y / F + 1 = q + t with q = c·c / F + 1; then

    (q + t)³ = q³ + 3 q² (a_x + a_y) + 3 q² g + 3 q t² + t³,      t = g + a_x + a_y,

with g = (x − c)·(y − c) / F and a_x = c·(x − c) / F. The first two terms cancel in MMD², sample by sample, however
large they are; so they are never computed, and products in the precision of the features (float32 as a rule) are as
good as float64. Sums are float64.

Sources: Bińkowski, Sutherland, Arbel & Gretton, Demystifying MMD GANs (2018), https://arxiv.org/abs/1801.01401;
Gretton et al., A kernel two-sample test (2012), https://jmlr.org/papers/v13/gretton12a.html; Hoeffding, A class of
statistics with asymptotically normal distribution (1948), https://doi.org/10.1214/aoms/1177730196
"""

from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.metrics.estimate import Estimate
from adversaria.metrics.samples import Features, pair

SIDE = 1024
"""Kernel matrices are made and summed in square blocks of this side; none is ever whole in memory."""


def kernel_distance(fake: Features, real: Features) -> Estimate:
    """Unbiased MMD² under k(x, y) = (x·y/F + 1)³ over all pairs, with its U-statistic standard error.

    Arguments:
        fake: (n, F), n ≥ 2.
        real: (m, F), m ≥ 2.

    Products are taken in the precision of the features, sums in float64. Memory: one centred copy of the features
    and a few blocks of SIDE². The standard error is None with fewer than 3 samples on a side. Symmetric, and
    invariant to the order of samples and to rotations of the features.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, fewer than 2 samples on a side.

    >>> x, y = torch.tensor([[0.0], [0.0]]), torch.tensor([[1.0], [1.0]])
    >>> round(kernel_distance(x, y).value, 6)  # 1 + 8 − 2
    7.0
    """
    fake, real = pair(fake, real)
    x, y, scale = _centre(fake, real)
    pairs = _Pairs(_within(x), _within(y), _across(x, y))
    protocol = {
        "estimator": "unbiased, all pairs",
        "kernel": "(x·y/F + 1)³",
        "dimensions": fake.shape[1],
        "products": str(x.values.dtype).removeprefix("torch."),
    }
    n = (len(fake), len(real))
    value = scale**3 * pairs.distance
    se = scale**3 * pairs.variance**0.5 if min(n) > 2 else None
    return Estimate(value, se, n, "kernel_distance", protocol)


class _Side(NamedTuple):
    """A sample in the coordinates of the docstring, all in units of the largest x·y/F + 1."""

    values: Tensor  # (n, F) of which g is the product
    offset: Tensor  # (n,)   a
    centre: float  #         q


def _centre(fake: Tensor, real: Tensor) -> tuple[_Side, _Side, float]:
    """Both sides and the unit. Of order 1 whatever the features are, so that no cube overflows."""
    dtype = torch.promote_types(fake.dtype, real.dtype)
    root = fake.shape[1] ** 0.5
    centre = (fake.mean(0, dtype=torch.float64) + real.mean(0, dtype=torch.float64)) / (2 * root)
    q = 1 + centre.square().sum().item()
    sides = [x.double() / root - centre for x in (fake, real)]
    unit = q + max(x.square().sum(1).max().item() for x in sides)
    first, second = (_Side((x / unit**0.5).to(dtype), (x @ centre / unit).to(dtype), q / unit) for x in sides)
    return first, second, unit


def _kernel(x: _Side, y: _Side) -> Tensor:
    """(b, c) float64: 3 q² g + t² (3 q + t)."""
    product, q = x.values @ y.values.T, x.centre
    t = product + x.offset[:, None]
    t += y.offset
    kernel = t + 3 * q
    kernel *= t.square_()
    return kernel.add_(product, alpha=3 * q * q).double()


def _blocks(side: _Side) -> list[tuple[slice, _Side]]:
    starts = range(0, len(side.values), SIDE)
    spans = [slice(start, start + SIDE) for start in starts]
    return [(span, _Side(side.values[span], side.offset[span], side.centre)) for span in spans]


class _Within(NamedTuple):
    """Sums over the pairs i ≠ j of one side."""

    rows: Tensor  # (n,) Σ_j k
    squares: float  # Σ k²

    @property
    def mean(self) -> float:
        """E k(x, x')."""
        n = len(self.rows)
        return self.rows.sum().item() / (n * (n - 1))

    @property
    def square(self) -> float:
        """E k(x, x')²."""
        n = len(self.rows)
        return self.squares / (n * (n - 1))

    @property
    def conditional(self) -> float:
        """E [E(k | x)²], over triples of different samples."""
        n = len(self.rows)
        return (self.rows.square().sum().item() - self.squares) / (n * (n - 1) * (n - 2))

    @property
    def remainder(self) -> float:
        """E g(x, x')²."""
        return max(self.square - 2 * self.conditional + self.mean**2, 0.0)


class _Across(NamedTuple):
    """Sums over the pairs of both sides."""

    rows: Tensor  # (n,) Σ_j k(x_i, y_j)
    columns: Tensor  # (m,) Σ_i k(x_i, y_j)
    squares: float

    @property
    def mean(self) -> float:
        """E k(x, y)."""
        return self.rows.sum().item() / (len(self.rows) * len(self.columns))

    @property
    def remainder(self) -> float:
        """E g(x, y)²."""
        n, m = len(self.rows), len(self.columns)
        square = self.squares / (n * m)
        by_row = (self.rows.square().sum().item() - self.squares) / (n * m * (m - 1))
        by_column = (self.columns.square().sum().item() - self.squares) / (n * m * (n - 1))
        return max(square - by_row - by_column + self.mean**2, 0.0)


class _Pairs(NamedTuple):
    """All sums that MMD² and its variance are made of."""

    x: _Within
    y: _Within
    xy: _Across

    @property
    def distance(self) -> float:
        return self.x.mean + self.y.mean - 2 * self.xy.mean

    @property
    def variance(self) -> float:
        n, m = len(self.xy.rows), len(self.xy.columns)
        witness = _witness(self.x, self.xy.rows, m, self.xy) / n + _witness(self.y, self.xy.columns, n, self.xy) / m
        degenerate = 2 * self.x.remainder / (n * (n - 1)) + 2 * self.y.remainder / (m * (m - 1))
        return 4 * max(witness, 0.0) + degenerate + 4 * self.xy.remainder / (n * m)


def _witness(within: _Within, across: Tensor, others: int, both: _Across) -> float:
    """Var f(x) over the samples of one side; `across` (n,) are their sums over the `others` of the other side."""
    n = len(across)
    other = (across.square().sum().item() - both.squares) / (n * others * (others - 1))
    product = (within.rows @ across).item() / (n * (n - 1) * others)
    mean = within.mean - both.mean
    return within.conditional + other - 2 * product - mean**2


def _within(side: _Side) -> _Within:
    rows = torch.zeros(len(side.values), dtype=torch.float64, device=side.values.device)
    squares = torch.zeros((), dtype=torch.float64, device=side.values.device)
    blocks = _blocks(side)
    for index, (span, x) in enumerate(blocks):
        own = _kernel(x, x).fill_diagonal_(0)
        rows[span] += own.sum(1)
        squares += own.square().sum()
        for other_span, y in blocks[index + 1 :]:
            kernel = _kernel(x, y)
            rows[span] += kernel.sum(1)
            rows[other_span] += kernel.sum(0)
            squares += 2 * kernel.square_().sum()
    return _Within(rows, squares.item())


def _across(x: _Side, y: _Side) -> _Across:
    rows = torch.zeros(len(x.values), dtype=torch.float64, device=x.values.device)
    columns = torch.zeros(len(y.values), dtype=torch.float64, device=y.values.device)
    squares = torch.zeros((), dtype=torch.float64, device=x.values.device)
    for x_span, left in _blocks(x):
        for y_span, right in _blocks(y):
            kernel = _kernel(left, right)
            rows[x_span] += kernel.sum(1)
            columns[y_span] += kernel.sum(0)
            squares += kernel.square_().sum()
    return _Across(rows, columns, squares.item())
