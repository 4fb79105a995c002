r"""Precision and recall of a generator: how much of each side lies on the other's support.

    precision = share of fakes that lie in a ball around a real sample,
    recall    = share of reals that lie in a ball around a fake sample,

the balls closed, and of the radius of the k-th nearest neighbour on their own side (k = 3 as published). Exchanging
the arguments exchanges the two.

**Limits.** Both are 1 for equal samples. There is no constant that they approach for equal laws: with k = 3 it is
between 0.6 and 0.97, by dimension and sample size, so compare only at equal sizes and against the value of one part of
the reals against another. One outlier on a side makes one huge ball: recall forgives fakes that are spread too widely
(density and coverage do not).

**Standard errors** are of halves (`metrics/halves.py`) and cover new samples of both sides.

Source: Kynkäänniemi, Karras, Laine, Lehtinen & Aila, Improved precision and recall metric for assessing generative
models (2019), https://arxiv.org/abs/1904.06991
"""

from typing import NamedTuple

from torch import Tensor

from adversaria.metrics.balls import Balls, Hits, balls_of_both, hits
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.halves import error, share_in_halves
from adversaria.metrics.neighbours import clouds
from adversaria.metrics.samples import Features, pair

WANTED = 1000
"""Samples on each side below which supports made of balls are mostly balls."""


class PrecisionRecall(NamedTuple):
    """Both shares, in [0, 1]."""

    precision: Estimate
    recall: Estimate


def precision_recall(fake: Features, real: Features, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall, exact, with errors.

    Arguments:
        fake: (n, F), n > k.
        real: (m, F), m > k.
        k: which neighbour gives the radius.

    Memory: a copy of the features and a few blocks, O(n + m) beside them. Invariant to the order of samples,
    to rotation, translation and scale of the features. Errors are None where half of a side has no k neighbours.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, k < 1, or no more than k samples on a side.

    >>> import torch
    >>> x = torch.arange(20.0)[:, None]
    >>> found = precision_recall(x[:10], x)
    >>> found.precision.value, found.recall.value  # the balls of 0 … 9 end at 12
    (1.0, 0.65)
    """
    fake, real = pair(fake, real)
    of_fake, of_real = balls_of_both(*clouds(fake, real), [k], [k])
    in_fake, in_real = hits(of_fake, of_real)
    return PrecisionRecall(
        share_covered("precision", in_real, of_fake, of_real, k), share_covered("recall", in_fake, of_real, of_fake, k)
    )


def share_covered(name: str, inside: Hits, samples: Balls, around: Balls, k: int) -> Estimate:
    """The share of samples in at least one ball; `name` says which side they are."""
    which = around.ks.index(k)
    covered = inside.by_sample[:, which] > 0
    se = error(*share_in_halves(inside.by_sample_split[:, which] > 0, samples.first))
    sides = (samples, around) if name == "precision" else (around, samples)
    n = (len(sides[0].cloud), len(sides[1].cloud))
    return Estimate(share(covered), se, n, name, protocol_of(n, sides[0], k, name))


def share(true: Tensor) -> float:
    """How many of (n,) are true, over n: one division, so that it is the nearest float64."""
    return true.sum().item() / len(true)


def protocol_of(n: tuple[int, int], side: Balls, k: int, name: str) -> Protocol:
    """What all measures by balls say of themselves."""
    protocol: Protocol = {
        "k": k,
        "balls": "closed (≤)",
        "dimensions": side.cloud.values.shape[1],
        "error": f"of halves, {side.first.shape[1]} divisions",
    }
    if min(n) < WANTED:
        protocol["notes"] = [
            f"{name}: {n[0]} fake and {n[1]} real samples; it depends on the sample sizes, "
            f"so compare only at these (wanted: {WANTED} or more on each side)"
        ]
    return protocol
