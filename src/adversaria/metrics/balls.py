r"""Balls around samples, and which samples of the other side they contain.

    B_i = {y : |y − x_i| ≤ ρ_i},      ρ_i = the distance of x_i to its k-th nearest other sample.

The union of one side's balls stands for the support of its law. Balls are closed: a ball of radius 0 around a sample
that occurs more than k times contains a copy of it. With open ones, a generator that reproduces such a sample exactly
would count as off the support, and 64 equal images on both sides would have precision, recall, density and coverage 0.
For laws with a density the two are the same.

One pass over the distances between the sides finds, for the balls of both and for any k, how many samples each ball
contains, how many balls contain each sample, and the same within the halves that standard errors are made of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.metrics.halves import enough_for_halves, halves, radii_in_halves
from adversaria.metrics.neighbours import Cloud, at_least, blocks, checked_k, nearest_within, squared

PAIRS = 1 << 15
"""Pairs of a ball and a sample looked at at a time."""

OPEN = 64
"""A block of distances of which more than one in so many is open is computed again in float64."""

CROWDED = 8
"""A block of which more than one pair in so many is in a ball is counted ball by ball."""


@dataclass(frozen=True, eq=False)
class Balls:
    """The balls of one side, for each k, and for each division into halves.

    Arguments:
        cloud: their centres.
        ks: (c,) neighbour numbers.
        squared: (n, c) float64, ρ² in the cloud's units.
        first: (n, T) bool, which half each belongs to.
        split: (n, c, T), ρ² within halves, in the precision of the screen.
    """

    cloud: Cloud
    ks: tuple[int, ...]
    squared: Tensor
    first: Tensor
    split: Tensor

    @property
    def reach(self) -> Tensor:
        """(n,) in the screen's precision: no radius² is larger, rounding included."""
        least = self.squared.new_full((len(self.cloud), 1), -torch.inf)
        largest = torch.cat([least, self.squared, self.split.double().flatten(1)], 1).amax(1)
        dtype = self.cloud.screen.low.dtype
        return (largest * (1 + 4 * torch.finfo(dtype).eps) + self.cloud.slack).to(dtype)


def balls_of_both(fake: Cloud, real: Cloud, of_fake: Sequence[int], of_real: Sequence[int]) -> tuple[Balls, Balls]:
    """Balls of the radii that neighbour numbers give for each side, at least one of them; none for a side of no k.

    Raises:
        MetricError: k is not a positive whole number, or a side has not more samples than it.
    """
    largest = max([*of_fake, *of_real])
    sides = (("fake", fake, of_fake), ("real", real, of_real))
    firsts = [halves(cloud.values, largest, side) for side, cloud, _ in sides]
    splits = min(first.shape[1] for first in firsts)
    made = [_balls(x, ks, side, first[:, :splits]) for (side, x, ks), first in zip(sides, firsts, strict=True)]
    return made[0], made[1]


def _balls(cloud: Cloud, ks: Sequence[int], side: str, first: Tensor) -> Balls:
    if not ks:
        nothing = cloud.slack.new_empty(len(cloud), 0)
        return Balls(cloud, (), nothing, first, nothing[:, :, None].expand(-1, -1, first.shape[1]))
    largest = max(checked_k(k, len(cloud), side) for k in ks)
    neighbours = nearest_within(cloud, ks, enough_for_halves(largest))
    exact = torch.stack([neighbours.squared[:, k - 1] for k in ks], 1)
    return Balls(cloud, tuple(ks), exact, first, radii_in_halves(neighbours, first, ks, cloud.screen.low.dtype))


@dataclass(frozen=True, eq=False)
class Hits:
    """How often samples are in balls, all counts.

    Arguments:
        by_ball: (balls, c) samples in each ball.
        by_sample: (samples, c) balls around each sample.
        by_ball_split, by_sample_split: (…, c, T) int32, the same with only what is in the same half.
    """

    by_ball: Tensor
    by_sample: Tensor
    by_ball_split: Tensor
    by_sample_split: Tensor

    @classmethod
    def none(cls, around: Balls, samples: int) -> "Hits":
        """No hits yet."""
        c, splits = len(around.ks), around.first.shape[1]
        device = around.squared.device
        whole = [torch.zeros(n, c, dtype=torch.long, device=device) for n in (len(around.cloud), samples)]
        split = [torch.zeros(n, c, splits, dtype=torch.int32, device=device) for n in (len(around.cloud), samples)]
        return cls(whole[0], whole[1], split[0], split[1])


def hits(fake: Balls, real: Balls) -> tuple[Hits, Hits]:
    """What is in the balls of the fakes, and what is in those of the reals, in one pass."""
    of_fake, of_real = Hits.none(fake, len(real.cloud)), Hits.none(real, len(fake.cloud))
    reach_fake, reach_real = fake.reach, real.reach
    for rows in blocks(len(real.cloud)):
        for columns in blocks(len(fake.cloud)):
            low = at_least(real.cloud.rows(rows, exactly=False), fake.cloud.rows(columns, exactly=False))
            if real.ks:
                r, f = (low <= reach_real[rows, None]).nonzero(as_tuple=True)
                _count(of_real, real, fake, _Pairs(r + rows.start, f + columns.start, low[r, f], rows, columns))
            if fake.ks:
                r, f = (low <= reach_fake[columns]).nonzero(as_tuple=True)
                _count(of_fake, fake, real, _Pairs(f + columns.start, r + rows.start, low[r, f], columns, rows))
    return of_fake, of_real


class _Pairs(NamedTuple):
    """Pairs of a ball and a sample that may be in it, of one block of distances."""

    ball: Tensor  #    (p,)
    sample: Tensor  #  (p,)
    low: Tensor  #     (p,) lower bound of d²
    balls: slice
    samples: slice

    @property
    def size(self) -> int:
        """Pairs of the whole block."""
        return (self.balls.stop - self.balls.start) * (self.samples.stop - self.samples.start)

    @property
    def place(self) -> tuple[Tensor, Tensor]:
        """Where they are in the block."""
        return self.ball - self.balls.start, self.sample - self.samples.start


def _count(hits: Hits, around: Balls, others: Balls, pairs: _Pairs) -> None:
    distance = _distances(around, others, pairs)
    slack = around.cloud.slack[pairs.ball] + others.cloud.slack[pairs.sample]
    blur = around.cloud.blur[pairs.ball] + others.cloud.blur[pairs.sample]
    least = (distance - blur).to(around.split.dtype)  # equal distances are to stay so within halves
    crowded = len(distance) * CROWDED > pairs.size
    for start in range(0, len(distance), PAIRS):
        part = slice(start, start + PAIRS)
        i, j, d = pairs.ball[part], pairs.sample[part], distance[part, None]
        inside = (d <= around.squared[i] + slack[part, None]).long()
        hits.by_ball.index_add_(0, i, inside)
        hits.by_sample.index_add_(0, j, inside)
        if not crowded:
            fellows = around.first[i] == others.first[j]
            split = ((least[part, None, None] <= around.split[i]) & fellows[:, None, :]).int()
            hits.by_ball_split.index_add_(0, i, split)
            hits.by_sample_split.index_add_(0, j, split)
    if crowded:
        _count_split(hits, around, others, pairs, least)


def _count_split(hits: Hits, around: Balls, others: Balls, pairs: _Pairs, least: Tensor) -> None:
    """Ball by ball: many times faster than pair by pair where most balls contain most samples."""
    shape = (pairs.balls.stop - pairs.balls.start, pairs.samples.stop - pairs.samples.start)
    dense = least.new_full(shape, torch.inf)
    dense[pairs.place] = least
    by_sample, half = hits.by_sample_split[pairs.samples], others.first[pairs.samples]
    for ball, row in zip(range(pairs.balls.start, pairs.balls.stop), dense, strict=True):
        inside = (row[:, None, None] <= around.split[ball]) & (half == around.first[ball])[:, None, :]
        hits.by_ball_split[ball] += inside.sum(0, dtype=torch.int32)
        by_sample += inside


def _distances(around: Balls, others: Balls, pairs: _Pairs) -> Tensor:
    """(p,) float64, d² to either side of the radii as it truly is, up to the slack."""
    x, y, i, j = around.cloud, others.cloud, pairs.ball, pairs.sample
    low = pairs.low.double()
    width = x.screen.band[i] + y.screen.band[j]
    slack = x.slack[i] + y.slack[j]
    radii = around.squared[i]
    unsure = ((low[:, None] <= radii + slack[:, None]) & (radii < (low + width)[:, None])).any(1).nonzero()[:, 0]
    distance = low + width / 2
    if len(unsure) * OPEN <= pairs.size:
        distance[unsure] = squared(x, i[unsure], y, j[unsure])
        return distance
    exact = at_least(x.rows(pairs.balls, exactly=True), y.rows(pairs.samples, exactly=True))
    return exact[pairs.place] + slack / 2
