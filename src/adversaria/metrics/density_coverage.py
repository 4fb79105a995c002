r"""Density and coverage: precision and recall that one outlier cannot spoil.

    density  = 1/(k n) Σ_j #{i : fake_j in the ball of real_i},
    coverage = share of reals whose ball contains at least one fake,

balls closed, around the n_real = m reals, of the radius of their k-th nearest real neighbour (k = 5 as published).
Density counts how many balls contain a fake where precision asks whether any does, and may exceed 1.

**What equal laws give**, whatever their density, by exchangeability alone: among a real sample, the m − 1 others and
the n fakes, all orders of distance are equally likely, hence exactly

    E density = 1,      E coverage = 1 − Π_{i<k} (m − 1 − i)/(m + n − 1 − i),      1 − 2⁻ᵏ for n = m large.

The protocol carries these as `at_equality`. A density above 1 is no virtue: fakes crowd where reals are dense.

**Closed or open?** Published code has open balls (<), the paper leaves it open. With equal features that is decisive:
64 equal images on both sides have density and coverage 0 with open balls, 12.8 and 1 with closed ones, and 1 is the
coverage that a generator of the only image there is has earned. Laws without atoms give the same with both.

**Standard errors** are of halves (`metrics/halves.py`) and cover new samples of both sides.

Source: Naeem, Oh, Uh, Choi & Yoo, Reliable fidelity and diversity metrics for generative models (2020),
https://arxiv.org/abs/2002.09797
"""

import math
from typing import NamedTuple

from adversaria.metrics.balls import Balls, Hits, balls_of_both, hits
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.halves import error, share_in_halves
from adversaria.metrics.neighbours import clouds
from adversaria.metrics.precision_recall import protocol_of, share, share_covered
from adversaria.metrics.samples import Features, pair


class DensityCoverage(NamedTuple):
    """Density, at least 0; coverage, in [0, 1]."""

    density: Estimate
    coverage: Estimate


class NeighbourMeasures(NamedTuple):
    """All four, from one pass over the distances."""

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


def density_coverage(fake: Features, real: Features, k: int = 5) -> DensityCoverage:
    """Density and coverage, exact, with errors.

    Arguments:
        fake: (n, F), n ≥ 2.
        real: (m, F), m > k.
        k: which neighbour gives the radius.

    Memory: a copy of the features and a few blocks, O(n + m) beside them. Invariant to the order of samples,
    to rotation, translation and scale of the features. Errors are None where half of a side has no k neighbours.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, k < 1, or no more than k real samples.

    >>> import torch
    >>> same = torch.ones(64, 3)
    >>> found = density_coverage(same, same)
    >>> found.density.value, found.coverage.value
    (12.8, 1.0)
    """
    fake, real = pair(fake, real)
    of_fake, of_real = balls_of_both(*clouds(fake, real), [], [k])
    return _density_coverage(hits(of_fake, of_real)[1], of_fake, of_real, k)


def neighbour_measures(fake: Features, real: Features, k_precision: int = 3, k_density: int = 5) -> NeighbourMeasures:
    """Precision, recall, density and coverage from one pass over the distances between the sides.

    Arguments:
        fake: (n, F), n > k_precision.
        real: (m, F), m > k_precision and m > k_density.
        k_precision: the neighbour number of precision and recall.
        k_density: that of density and coverage.

    Equal to what `precision_recall` and `density_coverage` give.

    Raises:
        MetricError: as these do.
    """
    fake, real = pair(fake, real)
    both = sorted({k_precision, k_density})
    of_fake, of_real = balls_of_both(*clouds(fake, real), [k_precision], both)
    in_fake, in_real = hits(of_fake, of_real)
    return NeighbourMeasures(
        share_covered("precision", in_real, of_fake, of_real, k_precision),
        share_covered("recall", in_fake, of_real, of_fake, k_precision),
        *_density_coverage(in_real, of_fake, of_real, k_density),
    )


def coverage_at_equality(fakes: int, reals: int, k: int = 5) -> float:
    """E coverage of samples of one law: 1 − Π_{i<k} (m − 1 − i)/(m + n − 1 − i), n = `fakes`, m = `reals` > k.

    >>> round(coverage_at_equality(800, 800, 5), 4), round(coverage_at_equality(800, 800, 3), 4)
    (0.969, 0.8755)
    """
    return 1 - math.prod((reals - 1 - i) / (reals + fakes - 1 - i) for i in range(k))


def _density_coverage(inside: Hits, fakes: Balls, around: Balls, k: int) -> DensityCoverage:
    which = around.ks.index(k)
    n = (len(fakes.cloud), len(around.cloud))
    density = inside.by_sample[:, which].sum().item() / (k * n[0])
    per_fake = share_in_halves(inside.by_sample_split[:, which] / k, fakes.first)
    hit = inside.by_ball[:, which] > 0
    per_real = share_in_halves(inside.by_ball_split[:, which] > 0, around.first)
    at_equality = coverage_at_equality(*n, k)
    return DensityCoverage(
        Estimate(density, error(*per_fake), n, "density", protocol_of(n, fakes, k, "density") | {"at_equality": 1.0}),
        Estimate(
            share(hit),
            error(*per_real),
            n,
            "coverage",
            protocol_of(n, fakes, k, "coverage") | {"at_equality": at_equality},
        ),
    )
