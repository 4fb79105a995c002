r"""Independent coordinates with the law of a histogram: equal bins on an interval, a mass for each, flat within.

    p(z) = Π_i mass[bin(z_i)]/h,    h = (high − low)/N

A point of a bin of the discrete law, jittered uniformly *within its own bin*, has this law, so mean and support are
exact; jittering to the right of a grid point moves the mean by half a bin and the support beyond its end. And the
mid-point of two such points of bins i and j has a triangle for density, which gives all of its mass to bin (i+j)/2, or
half to each of the two neighbours of a half-bin: the "shared" discretisation of `nonparametric` is exact, and its
objective is the mismatch of this prior at t = ½ as far as a grid of N bins can see it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from adversaria.errors import RecipeError
from adversaria.priors.paths import lerp
from adversaria.priors.prior import OfDimension, inside, live
from adversaria.priors.sums import Cells, carry, histogram_sum, normalised

CHUNK = 1 << 16  # coordinates sampled at once: the scratch of a chunk stays in the cache


@dataclass(frozen=True)
class Histogram(OfDimension):
    """d independent coordinates, each with mass `mass[k]` spread evenly over the k-th of N equal bins of `support`.

    Arguments:
        dim: d, at least 1.
        mass: N masses, non-negative and finite, at most 1,048,576; divided by their sum.
        support: (low, high), finite, low < high.

    Raises:
        RecipeError: a mass is negative or not finite, none is positive, or the support is no interval.

    >>> Histogram(2, (1, 1), (-1, 1)).log_prob(torch.tensor([[0.5, -0.5], [0.5, 1.5]]))
    tensor([-1.3863,    -inf], dtype=torch.float64)
    """

    mass: Sequence[float]
    support: tuple[float, float] = (-2.0, 2.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        mass = np.asarray(self.mass, dtype=np.float64)
        if mass.ndim != 1 or not 1 <= mass.size <= 1 << 20:
            raise RecipeError(f"a histogram needs one row of 1 to 1,048,576 masses, got shape {mass.shape}")
        if not np.isfinite(mass).all() or (mass < 0).any() or not 0 < mass.sum() < math.inf:
            raise RecipeError(
                f"a histogram's masses must be finite and non-negative with a positive sum; "
                f"got values from {mass.min()} to {mass.max()}"
            )
        low, high = map(float, self.support)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise RecipeError(f"a histogram's support is an interval (low, high), low < high, got {self.support}")
        # Kept as plain numbers, so that the prior is a value: equal and hashable by content.
        object.__setattr__(self, "mass", normalised(mass.tolist()))
        object.__setattr__(self, "support", (low, high))

    def __repr__(self) -> str:
        return f"Histogram({self.dim}, mass=<{len(self.mass)} bins>, support={self.support})"

    @property
    def width(self) -> float:
        """h, the width of a bin."""
        return (self.support[1] - self.support[0]) / len(self.mass)

    @property
    def cells(self) -> Cells:
        """The law of one coordinate."""
        return Cells(np.asarray(self.mass), *self.support)

    def _moments(self) -> tuple[float, float]:
        cells = self.cells
        centres = 0.5 * (cells.edges[1:] + cells.edges[:-1])
        mean = float(cells.mass @ centres)
        return mean, float(cells.mass @ (centres - mean) ** 2) + self.width**2 / 12

    @property
    def mean(self) -> Tensor:
        """Σ mass·centre in every coordinate, (d,) float64."""
        return torch.full((self.dim,), self._moments()[0], dtype=torch.float64)

    @property
    def covariance(self) -> Tensor:
        """(Σ mass·(centre − mean)² + h²/12) I."""
        return self._isotropic(self._moments()[1])

    def standardised(self) -> "Histogram":
        """The same histogram on the support that gives every coordinate mean 0 and variance 1.

        With it a prior is compared at the scale of `Normal`; what a law's small deviation alone does is thus told
        apart from what its shape does.
        """
        mean, variance = self._moments()
        low, high = ((edge - mean) / math.sqrt(variance) for edge in self.support)
        return Histogram(self.dim, self.mass, (low, high))

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent latents, (n, d) float32, on the generator's device.

        By Walker's table of aliases (1977, https://doi.org/10.1145/355744.355749): 63 random bits choose a column and
        a place in it, which tells the bin and, as it is uniform within its part of the column, also the place in the
        bin. Computed in float64. A search by bisection in the sums of the masses takes about ten times as long.
        """
        table = _table(tuple(self.mass), self.support).to(generator.device)
        points = torch.empty(n * self.dim, device=generator.device, dtype=torch.float32)
        # Rounding to float32 must not leave the support.
        low, high = (_within(edge, towards) for edge, towards in zip(self.support, (math.inf, -math.inf), strict=True))
        for part in points.split(CHUNK if generator.device.type == "cpu" else max(points.numel(), 1)):
            _fill(part, table, generator)
            part.clamp_(low, high)
        return points.view(n, self.dim)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density at `z` (..., d): (...) float64.

        A point within float32's rounding of the edge between two bins is given to the likelier of both.
        """
        low, high = self.support
        z = self._check(z).double()
        density = torch.tensor([0.0, *self.mass, 0.0], dtype=torch.float64, device=z.device).div(self.width).log()
        slack = (z.abs() + max(abs(low), abs(high)) * 0.01) * torch.finfo(torch.float32).eps / 2
        places = [((z + side * slack - low) / self.width).floor().clamp(-1, len(self.mass)) for side in (-1, 1)]
        return torch.maximum(*(density[place.long() + 1] for place in places)).sum(-1)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
        """The straight line: it stays in the cube, and in the law as nearly as `mismatch` says."""
        return lerp(self._check(a), self._check(b), t)

    def interpolate_law(self, t: float) -> "Histogram":
        """As a histogram of at least 4,096 bins (8N up to 16,384), whose masses are exact; see `sums`."""
        law = self._sum((1 - inside(t), t))
        return Histogram(self.dim, tuple(law.mass.tolist()), (law.low, law.high))

    def mismatch(self, t: float) -> float:
        """KL(prior ‖ interpolate), on the grid of `interpolate_law`.

        Merging the points of a cell can only lower it; with eight cells to a bin and more, what is lost is of second
        order in a cell's width.
        """
        law = self._sum((1 - inside(t), t))
        p = np.diff(np.interp(np.linspace(*self.support, len(law.mass) + 1), law_edges(self), self.cells.cumulative))
        live_cells = p > 0
        q = np.maximum(law.mass / law.mass.sum(), 1e-300)
        return float(np.sum(p[live_cells] * np.log(p[live_cells] / q[live_cells])))

    def match(self, y: Tensor, weights: Sequence[float]) -> Tensor:
        """Per coordinate the quantile of the prior at the distribution function of Σ w_i·z_i."""
        return carry(self._check(y), self._sum(live(weights)).cdf, self.cells.quantile)

    def _sum(self, weights: tuple[float, ...]) -> Cells:
        return histogram_sum(tuple(self.mass), *self.support, weights)


def law_edges(histogram: Histogram) -> np.ndarray:
    """The N + 1 edges of the bins."""
    return histogram.cells.edges


class _Table(NamedTuple):
    """2^m columns, each of two parts: in a part x = offset + slope·(the low bits). All first parts, then all second."""

    last: Tensor  # (2^m,) int64: low bits beyond this belong to the second part
    offset: Tensor  # (2·2^m,) float64
    slope: Tensor  # (2·2^m,) float64

    def to(self, device: torch.device) -> "_Table":
        return _Table(*(tensor.to(device) for tensor in self))


@lru_cache(maxsize=16)
def _table(mass: tuple[float, ...], support: tuple[float, float]) -> _Table:
    """Walker's table, its number of columns a power of two so that shifts replace divisions."""
    columns = 1 << max(1, (len(mass) - 1).bit_length())
    unit = 1 << (63 - columns.bit_length() + 1)  # values of the low bits
    left = np.zeros(columns)
    left[: len(mass)] = np.asarray(mass) * columns
    share, other = np.ones(columns), np.arange(columns)
    poor = [k for k in range(columns) if left[k] < 1]
    rich = [k for k in range(columns) if left[k] >= 1]
    while poor and rich:
        k, giver = poor.pop(), rich[-1]
        share[k], other[k] = left[k], giver
        left[giver] -= 1 - left[k]
        if left[giver] < 1:
            poor.append(rich.pop())
    # What rounding leaves over: a column that is poor by rounding alone is full; one without mass must stay empty.
    heaviest = int(np.argmax(mass))
    for k in poor:
        if k >= len(mass) or mass[k] == 0:
            share[k], other[k] = 0.0, heaviest
    split = np.minimum((share * unit).astype(np.int64), unit)
    low, width = support[0], (support[1] - support[0]) / len(mass)
    first, second = np.maximum(split, 1), np.maximum(unit - split, 1)
    slope = np.stack([width / first, width / second])
    bins = np.stack([np.minimum(np.arange(columns), len(mass) - 1), other])
    # Half a step in, so that the places of a part lie symmetrically in the bin.
    offset = low + width * bins + slope * np.stack([np.full(columns, 0.5), 0.5 - split])
    return _Table(torch.from_numpy(split - 1), torch.from_numpy(offset.ravel()), torch.from_numpy(slope.ravel()))


def _fill(points: Tensor, table: _Table, generator: torch.Generator) -> None:
    bits = torch.empty(points.numel(), dtype=torch.int64, device=points.device).random_(generator=generator)
    columns = table.last.numel()
    low_bits = 63 - (columns.bit_length() - 1)
    part = bits >> low_bits
    bits.bitwise_and_((1 << low_bits) - 1)
    # −1 in the second part, 0 in the first: the sign of a difference, which stays in int64; a comparison would not,
    # and turning its answer into an index again takes longer than all the rest of this.
    second = table.last.index_select(0, part).sub_(bits).bitwise_right_shift_(63)
    part.sub_(second, alpha=columns)
    place = table.offset.index_select(0, part)
    points.copy_(place.addcmul_(bits.double(), table.slope.index_select(0, part)))


def _within(edge: float, towards: float) -> float:
    """The float32 nearest to `edge` that does not lie beyond it."""
    near = np.float32(edge)
    beyond = float(near) < edge if towards > 0 else float(near) > edge
    return float(np.nextafter(near, np.float32(towards))) if beyond else float(near)
