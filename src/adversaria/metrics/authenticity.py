r"""Authenticity: are fakes merely copies of training samples?

A fake is *authentic* if it is farther from its nearest real sample than that is from its own nearest:

    |f − r*| > min {|r* − r| : r ≠ r* a real sample},      r* = the real nearest to f,

and authenticity is the share of fakes that are (AuthPct is 100 times this). `real` must be **the training samples**.

**What laws without memory give.** For a fresh sample of the reals' own law, the inequality fails if it and r* are each
other's nearest; that has probability 2/3 in one dimension, .6215 in two, and tends to 1/2: authenticity 1/3, .3785,
and about 1/2 in many dimensions. The value for held-out reals in place of the fakes is what to compare with.

**What it cannot say.** Copies are found. Fakes that are far from everything are authentic too, so it rewards a bad
generator; and of the measures of memorisation none, this one included, finds it reliably (Stein et al. 2023). Look at
the pairs that `nearest_real` gives, in pixels and in features, before believing either answer.

Sources: Alaa, van Breugel, Saveliev & van der Schaar, How faithful is your synthetic data? (2022),
https://arxiv.org/abs/2102.08921; Stein et al., Exposing flaws of generative model evaluation metrics (2023),
https://arxiv.org/abs/2306.04675; Schilling, Mutual and shared neighbor probabilities: finite- and
infinite-dimensional results (1986), https://doi.org/10.2307/1427305
"""

from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.halves import enough_for_halves, error, halves, radii_in_halves, share_in_halves
from adversaria.metrics.neighbours import Neighbours, checked_k, clouds, nearest_across, nearest_within
from adversaria.metrics.samples import ROWS, Features, pair

CAVEAT = "authenticity: no measure finds memorisation reliably; compare with held-out reals and look at nearest_real"


class NearestReal(NamedTuple):
    """The real samples nearest to each fake, in ascending order of distance."""

    indices: Tensor
    """(n, k) int64, rows of `real`."""
    distances: Tensor
    """(n, k) float64, |fake − real| in the units of the features; exactly 0 for a copy."""


def nearest_real(fake: Features, real: Features, k: int = 1) -> NearestReal:
    """The k nearest real samples of each fake, to be looked at side by side.

    Arguments:
        fake: (n, F), n ≥ 2.
        real: (m, F), m ≥ k and m ≥ 2.
        k: how many.

    Of reals at equal distance any may come first.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, k < 1 or more than there are reals.

    >>> found = nearest_real(torch.tensor([[0.0], [2.4]]), torch.tensor([[1.0], [2.0], [5.0]]), k=2)
    >>> found.indices.tolist()
    [[0, 1], [1, 0]]
    """
    fake, real = pair(fake, real)
    checked_k(k, len(real) + 1, "real")
    x, y = clouds(fake, real)
    found = nearest_across(x, y, range(1, k + 1))
    return NearestReal(found.indices[:, :k], found.squared[:, :k].sqrt() * x.unit)


def authenticity(fake: Features, real: Features) -> Estimate:
    """The share of authentic fakes, with its error from halves of both samples (`metrics/halves.py`).

    Arguments:
        fake: (n, F), n ≥ 2.
        real: (m, F), m ≥ 2, the training samples.

    The protocol has the number of fakes that are exact `copies`. Invariant to the order of samples, to rotation,
    translation and scale.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, fewer than 2 samples on a side.

    >>> x = torch.arange(10.0)[:, None] ** 2
    >>> authenticity(x[3:6] + 0.01, x).value, authenticity(x[3:6] + 100, x).value
    (0.0, 1.0)
    """
    fake, real = pair(fake, real)
    x, y = clouds(fake, real)
    kept = enough_for_halves(1)
    to_real, within = nearest_across(x, y, [1], kept), nearest_within(y, [1], kept)
    nearest, distance = to_real.indices[:, 0], to_real.squared[:, 0]
    slack = x.slack + y.slack[nearest]
    authentic = distance > within.squared[nearest, 0] + slack

    firsts = [halves(values, 1, side) for side, values in (("fake", fake), ("real", real))]
    splits = min(first.shape[1] for first in firsts)
    of_fake, of_real = (first[:, :splits] for first in firsts)
    se = error(*share_in_halves(_authentic_in_halves(to_real, within, of_fake, of_real), of_fake))
    n = (len(fake), len(real))
    protocol: Protocol = {
        "dimensions": fake.shape[1],
        "copies": int((distance <= slack).sum()),
        "error": f"of halves, {splits} divisions",
        "notes": [CAVEAT],
    }
    return Estimate(authentic.sum().item() / n[0], se, n, "authenticity", protocol)


def _authentic_in_halves(to_real: Neighbours, within: Neighbours, of_fake: Tensor, of_real: Tensor) -> Tensor:
    """(n, SPLITS): whether each fake is authentic among the reals of its own half."""
    radii = radii_in_halves(within, of_real, [1], torch.float64)[:, 0]
    found, kept = torch.empty_like(of_fake), to_real.indices.shape[1]
    for start in range(0, len(found), ROWS):
        rows = slice(start, start + ROWS)
        fellows = (of_real[to_real.indices[rows]] == of_fake[rows, None, :]).cumsum(1, dtype=torch.int32)
        position = (fellows < 1).sum(1).clamp(max=kept - 1)
        nearest, distance = to_real.indices[rows].gather(1, position), to_real.squared[rows].gather(1, position)
        found[rows] = distance > radii.gather(0, nearest)
    return found
