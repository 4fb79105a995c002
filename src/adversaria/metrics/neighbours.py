r"""Nearest neighbours and distances, exact at the speed of float32, in the memory of a few blocks.

    d²(x, y) = |x − y|²,      the k nearest of y₁…y_m to each x,      a sample is never its own neighbour (by index).

**Screening.** With both sides centred at c and in units of u (a power of two, so that all norms are at most 1), blocks
of d² = |x|² + |y|² − 2 x·y are matrix products in float32. Whatever the order of its sums, such a product is wrong by
at most γ |x||y|, γ = F ε/(1 − F ε), ε = 2⁻²⁴. With the rounding of the features, norms and sums,

    |d²_float32 − d²| ≤ b_x + b_y,      b_x = (F + 16) ε' |x|² + 8 F tiny,      ε' = 2⁻²³,

so that every block is known to bounds which are one number for each row and one for each column. Features that come in
float64 are screened in float64.

**Deciding.** What the bounds leave open is decided by Σ (x_f − y_f)² in float64 of the features as they came: for
the k nearest, some candidates more than k are kept for each sample, and a row is *certain* if the last one kept is
surely farther than the k-th. Rows that are not, such as those of a generator that collapsed to nearly one image, are
searched again in float64. The result is that of float64 throughout; how the work was cut into blocks does not matter.

**Ties.** Squared distances that differ by less than the same bound for float64 are taken as equal, so that a copy of a
sample, or a sample on a lattice, is as far away after a rotation as before.

Source of the bound: Higham, Accuracy and stability of numerical algorithms (2002), section 3.5,
https://doi.org/10.1137/1.9780898718027
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.errors import MetricError

SIDE = 2048
"""Distances are made in square blocks of this side; none is ever whole in memory."""

SPARE = 6
"""Neighbours kept beyond those asked for, so that rounding rarely leaves a row open."""

CACHED = 1 << 18
"""Features made float64 at a time: few enough to stay in a processor's cache."""

GROUP = 16
"""Columns of which the least is found first, to find the smallest of a row."""


class Screen(NamedTuple):
    """Some rows in one precision: what their distances are made of."""

    values: Tensor  # (b, F)  (x − c)/u
    low: Tensor  #    (b,)    |x|² − b_x
    band: Tensor  #   (b,)    2 b_x, in float64


@dataclass(frozen=True, eq=False)
class Cloud:
    """A sample in the units of the docstring.

    Arguments:
        values: (n, F), as it came.
        centre: (F,) float64, c.
        unit: u.
        screen: its rows for screening.
        slack: (n,) float64, 2 b_x for float64: squared distances closer than the sum of both sides' are equal.
    """

    values: Tensor
    centre: Tensor
    unit: float
    screen: Screen
    slack: Tensor

    def __len__(self) -> int:
        return len(self.values)

    @property
    def blur(self) -> Tensor:
        """(n,) float64: what rounding of the screen does as a rule, which is the root of what it can do."""
        return self.screen.band / math.sqrt(self.values.shape[1] + 16)

    def part(self, which: Tensor) -> "Cloud":
        """Some of the samples (bool or indices), in the same units."""
        screen = Screen(*(part[which] for part in self.screen))
        return Cloud(self.values[which], self.centre, self.unit, screen, self.slack[which])

    def rows(self, which: slice | Tensor, *, exactly: bool) -> Screen:
        """The rows `which` of the screen, or the same in float64."""
        if exactly:
            return _screen((self.values[which].double() - self.centre) / self.unit)
        return Screen(self.screen.values[which], self.screen.low[which], self.screen.band[which])


def clouds(fake: Tensor, real: Tensor) -> tuple[Cloud, Cloud]:
    """Both samples about their common centre, in one unit; each is copied once, in the precision it came in."""
    centre = (fake.mean(0, dtype=torch.float64) + real.mean(0, dtype=torch.float64)) / 2
    largest = max(
        (rows.double() - centre).square().sum(1).max().item() for x in (fake, real) for rows in x.split(_few(x))
    )
    unit = 2.0 ** math.ceil(math.log2(largest) / 2) if largest > 0 else 1.0
    dtype = torch.promote_types(fake.dtype, real.dtype)
    if torch.get_float32_matmul_precision() != "highest":  # float32 products of fewer bits would break the bound
        dtype = torch.float64
    first, second = (_cloud(x, centre, unit, dtype) for x in (fake, real))
    return first, second


def _cloud(x: Tensor, centre: Tensor, unit: float, dtype: torch.dtype) -> Cloud:
    values = torch.empty(x.shape, dtype=dtype, device=x.device)
    for made, rows in zip(values.split(_few(x)), x.split(_few(x)), strict=True):
        made[:] = (rows.double() - centre) / unit
    screen = _screen(values)
    slack = screen.band * (torch.finfo(torch.float64).eps / torch.finfo(dtype).eps)
    return Cloud(x, centre, unit, screen, slack)


def _screen(values: Tensor) -> Screen:
    rounding, width = torch.finfo(values.dtype), values.shape[1]
    squares = torch.cat([rows.double().square().sum(1) for rows in values.split(_few(values))])
    bound = (width + 16) * rounding.eps * squares + 8 * width * rounding.tiny
    return Screen(values, (squares - bound).to(values.dtype), 2 * bound)


def _few(x: Tensor) -> int:
    return max(CACHED // x.shape[1], 1)


def at_least(x: Screen, y: Screen) -> Tensor:
    """(b, c): lower bounds of d² in units of u²; the upper ones are higher by the sum of both bands."""
    return torch.addmm(y.low, x.values, y.values.T, alpha=-2).add_(x.low[:, None])


def squared(x: Cloud, i: Tensor, y: Cloud, j: Tensor) -> Tensor:
    """(p,) float64: d² of x_i and y_j in units of u², by differences."""
    parts = [torch.empty(0, dtype=torch.float64, device=i.device)]
    for some_i, some_j in zip(*(index.split(_few(x.values)) for index in (i, j)), strict=True):
        gaps = x.values[some_i].double().sub_(y.values[some_j]).div_(x.unit)
        parts.append(gaps.square_().sum(1))
    return torch.cat(parts)


def blocks(n: int) -> list[slice]:
    """0 … n − 1 in spans of SIDE."""
    return [slice(start, min(start + SIDE, n)) for start in range(0, n, SIDE)]


# --- the nearest ----------------------------------------------------------------------------------------------


class Neighbours(NamedTuple):
    """Of each sample, neighbours in ascending order.

    The k-th is exact for each k that was asked for; the others are right to the rounding of float32.
    """

    squared: Tensor  # (n, K) float64, in units of u², times the weight
    indices: Tensor  # (n, K) of the other sample


def nearest_within(x: Cloud, ks: Sequence[int], kept: int = 0) -> Neighbours:
    """The k-th nearest other sample of each of n samples, for some k < n; at least `kept` if there are as many.

    Distances within a sample are symmetric, so each is computed once.
    """
    found = _Best.empty(x, min(max(max(ks) + SPARE, kept), len(x) - 1))
    spans = blocks(len(x))
    for place, span in enumerate(spans):
        rows = x.rows(span, exactly=False)
        for other in spans[place:]:
            low = at_least(rows, x.rows(other, exactly=False))
            if other == span:
                low.fill_diagonal_(torch.inf)
                found.take(span, low, other.start)
            else:
                found.take(span, low, other.start)
                found.take(other, low.T.contiguous(), span.start)
    return _settled(found, x, x, ks, None, itself=True)


def nearest_across(x: Cloud, y: Cloud, ks: Sequence[int], kept: int = 0, weight: Tensor | None = None) -> Neighbours:
    """The samples of y with the k-th least w_j d²(x, y_j) for each x; weights (m,) float64, positive, or all 1."""
    found = _Best.empty(x, min(max(max(ks) + SPARE, kept), len(y)))
    _search(found, x, y, torch.arange(len(x), device=x.values.device), weight, itself=False, exactly=False)
    return _settled(found, x, y, ks, weight, itself=False)


def checked_k(k: int, n: int, side: str) -> int:
    """k itself.

    Raises:
        MetricError: it is not a positive whole number, or there are no more than k samples.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise MetricError(f"k must be a whole number, at least 1, got {k!r}")
    if n <= k:
        raise MetricError(f"{side} has {n} samples, at least {k + 1} are needed for the neighbour number k = {k}")
    return k


class _Best(NamedTuple):
    """The smallest lower bounds so far, (n, K) each, in ascending order."""

    low: Tensor
    indices: Tensor

    @classmethod
    def empty(cls, x: Cloud, kept: int, dtype: torch.dtype | None = None) -> "_Best":
        like = x.screen.low
        low = torch.full((len(x), kept), torch.inf, dtype=dtype or like.dtype, device=like.device)
        return cls(low, torch.zeros(len(x), kept, dtype=torch.long, device=like.device))

    def take(self, rows: slice, low: Tensor, offset: int) -> None:
        """Consider a block (b, c) of bounds, whose first column is the sample `offset`."""
        kept = self.low.shape[1]
        new, index = _smallest(low, min(kept, low.shape[1]))
        low, index = torch.cat([self.low[rows], new], 1), torch.cat([self.indices[rows], index + offset], 1)
        self.low[rows], place = low.topk(kept, dim=1, largest=False)
        self.indices[rows] = index.gather(1, place)


def _smallest(block: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k smallest of each row and their columns, in any order.

    They are in the k groups of columns whose least elements are smallest, which is a shorter search.
    """
    rows, columns = block.shape
    groups = columns // GROUP
    if columns % GROUP or groups < 2 * k:
        found = block.topk(k, dim=1, largest=False, sorted=False)
        return found.values, found.indices
    grouped = block.view(rows, groups, GROUP)
    chosen = grouped.amin(2).topk(k, dim=1, largest=False, sorted=False).indices
    members = grouped.gather(1, chosen[:, :, None].expand(-1, -1, GROUP)).flatten(1)
    values, place = members.topk(k, dim=1, largest=False, sorted=False)
    return values, chosen.gather(1, place // GROUP) * GROUP + place % GROUP


def _search(
    found: _Best, x: Cloud, y: Cloud, which: Tensor, weight: Tensor | None, *, itself: bool, exactly: bool
) -> None:
    """The smallest bounds of the rows `which` of x, into the rows of `found`."""
    for span in blocks(len(which)):
        chosen = which[span]
        rows = x.rows(chosen, exactly=exactly)
        for other in blocks(len(y)):
            low = at_least(rows, y.rows(other, exactly=exactly))
            if weight is not None:
                low.clamp_(min=0).mul_(weight[other])
            if itself:
                own = (chosen >= other.start) & (chosen < other.stop)
                low[own.nonzero()[:, 0], chosen[own] - other.start] = torch.inf
            found.take(span, low, other.start)


def _settled(found: _Best, x: Cloud, y: Cloud, ks: Sequence[int], weight: Tensor | None, *, itself: bool) -> Neighbours:
    """The k-th exactly; rows that float32 leaves open are searched again in float64."""
    everything = torch.arange(len(x), device=found.low.device)
    neighbours, open_rows = _decided(found, x, y, everything, ks, weight, (x.screen.band, y.screen.band))
    complete = found.low.shape[1] == len(y) - itself
    if complete or not len(open_rows):
        return neighbours
    again = _Best.empty(x, found.low.shape[1], torch.float64)
    again = _Best(again.low[open_rows], again.indices[open_rows])
    _search(again, x, y, open_rows, weight, itself=itself, exactly=True)
    # Rows that stay open now have more neighbours than were kept at distances that are equal.
    better, _ = _decided(again, x, y, open_rows, ks, weight, (x.slack, y.slack))
    neighbours.squared[open_rows] = better.squared
    neighbours.indices[open_rows] = better.indices
    return neighbours


def _decided(
    found: _Best,
    x: Cloud,
    y: Cloud,
    which: Tensor,
    ks: Sequence[int],
    weight: Tensor | None,
    bands: tuple[Tensor, Tensor],
) -> tuple[Neighbours, Tensor]:
    """What was found for the rows `which`, in order, the k-th exact; and those rows that stay open.

    Only what the bounds allow to be the k-th is computed by differences: what is surely before or after stays so.
    """
    low = found.low.double()
    width = bands[0][which][:, None] + bands[1][found.indices]
    scale = torch.ones_like(width) if weight is None else weight[found.indices]
    high = low + width * scale
    bounds = high.sort(dim=1).values
    candidate = torch.zeros_like(low, dtype=torch.bool)
    for k in ks:
        candidate |= (low <= bounds[:, k - 1, None]) & (high >= low[:, k - 1, None])
    values = (low + high) / 2
    row, place = candidate.nonzero(as_tuple=True)
    column = found.indices[row, place]
    values[row, place] = squared(x, which[row], y, column) * scale[row, place]
    ordered, order = values.sort(dim=1, stable=True)
    return Neighbours(ordered, found.indices.gather(1, order)), which[bounds[:, max(ks) - 1] > low[:, -1]]
