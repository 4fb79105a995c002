r"""The relative test: is a new sample closer to the real one than an old sample was?

    D = MMD²(X, Y) − MMD²(X, Z) = yy − 2 xy − zz + 2 xz,          X real, Y new, Z old,
    p = Φ(D / √Var D),

where yy, zz are means of the kernel over the pairs of different samples and xy, xz over all pairs. p is the p-value of
"new is no closer to real than old" (E D ≥ 0): small if the new sample is closer, near 1 if it is further away.

**The variance** for any sizes m, n, r of X, Y, Z, exactly (Hoeffding): with μ_W(t) = E k(t, w) and g the kernels less
their conditional means,

    Var D = 4 Var (μ_Y(y) − μ_X(y)) / n + 4 Var (μ_Z(z) − μ_X(z)) / r + 4 Var (μ_Y(x) − μ_Z(x)) / m
          + 2 E g(y, y')² / n(n−1) + 2 E g(z, z')² / r(r−1) + 4 E g(x, y)² / mn + 4 E g(x, z)² / mr.

With one size this is the published 4(m−2)/(m(m−1)) ζ₁ + 2/(m(m−1)) ζ₂, but for the last two terms, which that has
over m(m−1), since it leaves the pairs (x_i, y_i) out. Each term is estimated without bias, up to the square of a mean.
Taken together, as published, the estimate is negative in a tenth of the cases in which all three laws are equal; here
the first line counts as at least 0 and every term of the second as at least 0, so that only a sample without any
variation has none. The deviation of D is taken as at least what rounding can make of it.

**Where the p-value is good.** D is near normal where Y or Z differs from X by more than noise. If all three laws are
equal, the first line vanishes; D is then symmetric, but not normal.

Sources: Bounliphone, Belilovsky, Blaschko, Antonoglou & Gretton, A test of relative similarity for model selection in
generative models (2016), https://arxiv.org/abs/1511.04581; Bińkowski, Sutherland, Arbel & Gretton, Demystifying MMD
GANs (2018), https://arxiv.org/abs/1801.01401; Sutherland, Unbiased estimators for the variance of MMD estimators
(2019), https://arxiv.org/abs/1906.02104; Hoeffding, A class of statistics with asymptotically normal distribution
(1948), https://doi.org/10.1214/aoms/1177730196
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.kernels import Kernel
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.kernel import POLYNOMIAL
from adversaria.metrics.pairs import Across, Pairs, Prepared, Within, across, prepare, within, witness_variance
from adversaria.metrics.samples import Features, matrix

WANTED = 50
"""Samples on each side from which the normal law is taken without a note."""


def relative_test(real: Features, old: Features, new: Features, *, kernel: Kernel = POLYNOMIAL) -> Estimate:
    """The p-value of "new is no closer to real than old", under MMD² of a kernel.

    Arguments:
        real: (m, F), m ≥ 3.
        old: (r, F), r ≥ 3.
        new: (n, F), n ≥ 3. All three samples must be drawn independently of one another: old and new from different
            latents.
        kernel: k. Under one that is not characteristic (the default), laws may differ without being told apart.

    Returns:
        The p-value in [0, 1], ½ where nothing distinguishes old from new. Its standard error is None: a p-value is a
        statement on error already. `n` is (n, m). The protocol holds the `statistic`, the `difference` D with its
        `variance`, and MMD² of `old` and `new` (value, se, n). Exchanging old and new gives 1 − p.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, fewer than 3 samples on a side.

    >>> g = torch.Generator().manual_seed(0)
    >>> real, old, new = (torch.randn(200, 2, generator=g) for _ in range(3))
    >>> relative_test(real, old + 1, new + 0.1).value < 1e-3
    True
    """
    samples = _three(real, old, new)
    ready = prepare(kernel, *samples)
    x, z, y = ready.sides
    sums = _Sums(within(x), within(y), within(z), across(x, y), across(x, z))
    difference, variance = sums.difference, sums.variance
    deviation = max(variance**0.5, ready.noise(sums.size))
    statistic = difference / deviation if deviation else 0.0
    protocol: Protocol = {
        "estimator": "unbiased, all pairs",
        "kernel": str(kernel),
        "dimensions": samples[0].shape[1],
        "products": ready.products,
        "statistic": statistic,
        "difference": ready.unit * difference,
        "variance": (ready.unit * variance**0.5) ** 2,
        "old": _side(sums.old, ready),
        "new": _side(sums.new, ready),
    }
    sizes = [len(sample) for sample in samples]
    if min(sizes) < WANTED:
        protocol["notes"] = [
            f"relative_test: {sizes[0]} real, {sizes[1]} old and {sizes[2]} new samples; its p-value rests on a normal "
            f"law (wanted: {WANTED} or more of each)"
        ]
    return Estimate(_normal(statistic), None, (len(samples[2]), len(samples[0])), "relative_test", protocol)


def _three(*given: Features) -> tuple[Tensor, Tensor, Tensor]:
    real, old, new = (matrix(x, name, 3) for x, name in zip(given, ("real", "old", "new"), strict=True))
    widths = [x.shape[1] for x in (real, old, new)]
    if len(set(widths)) > 1:
        raise MetricError(
            f"real, old and new have {widths[0]}, {widths[1]} and {widths[2]} features for each sample; all must come "
            "from the same extractor"
        )
    dtype = torch.promote_types(torch.promote_types(real.dtype, old.dtype), new.dtype)
    real, old, new = (x.to(real.device, dtype) for x in (real, old, new))
    return real, old, new


class _Sums(NamedTuple):
    """All sums that D and its variance are made of."""

    x: Within
    y: Within
    z: Within
    xy: Across
    xz: Across

    @property
    def new(self) -> Pairs:
        return Pairs(self.y, self.x, self.xy.turned)

    @property
    def old(self) -> Pairs:
        return Pairs(self.z, self.x, self.xz.turned)

    @property
    def difference(self) -> float:
        return self.y.mean - 2 * self.xy.mean - self.z.mean + 2 * self.xz.mean

    @property
    def variance(self) -> float:
        m, n, r = (len(side.rows) for side in (self.x, self.y, self.z))
        first = witness_variance(self.y, self.xy.turned) / n + witness_variance(self.z, self.xz.turned) / r
        first += self._contrast_variance / m
        own = 2 * self.y.remainder / (n * (n - 1)) + 2 * self.z.remainder / (r * (r - 1))
        return 4 * max(first, 0.0) + own + 4 * self.xy.remainder / (m * n) + 4 * self.xz.remainder / (m * r)

    @property
    def _contrast_variance(self) -> float:
        """Var (μ_Y(x) − μ_Z(x))."""
        m, n, r = (len(side.rows) for side in (self.x, self.y, self.z))
        product = (self.xy.rows @ self.xz.rows).item() / (m * n * r)
        mean = self.xy.mean - self.xz.mean
        return self.xy.by_row + self.xz.by_row - 2 * product - mean**2

    @property
    def size(self) -> float:
        """The kernel's root mean square."""
        m, n, r = (len(side.rows) for side in (self.x, self.y, self.z))
        across = self.xy.squares / (m * n) + self.xz.squares / (m * r)
        return (self.y.square + self.z.square + across) ** 0.5 / 2


def _side(sums: Pairs, ready: Prepared) -> dict[str, object]:
    return {
        "value": ready.unit * sums.distance,
        "se": ready.unit * sums.variance**0.5,
        "n": [len(sums.x.rows), len(sums.y.rows)],
    }


def _normal(z: float) -> float:
    """Φ(z)."""
    return math.erfc(-z / math.sqrt(2)) / 2
