r"""The realism of single samples: how deep each lies in the support of the reals.

    R(x) = max_i ρ_i / |x − r_i|      over the reals with ρ_i at most their median,

ρ_i the distance of r_i to its k-th nearest other real (k = 3 as published). The half of the balls that is left out is
the larger, whose size speaks of few samples more than of the law. R(x) ≥ 1 if and only if x is in one of the balls
kept; R = ∞ for a copy of their centres. Scores depend on the number of reals, so compare only against the same ones.

Source: Kynkäänniemi, Karras, Laine, Lehtinen & Aila, Improved precision and recall metric for assessing generative
models (2019), section 5, https://arxiv.org/abs/1904.06991
"""

import math

from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.neighbours import checked_k, clouds, nearest_across, nearest_within
from adversaria.metrics.samples import Features, pair


def realism_scores(fake: Features, real: Features, k: int = 3) -> Tensor:
    """R (n,) float64 of each fake, ∞ for a copy of a real sample.

    Arguments:
        fake: (n, F), n ≥ 2.
        real: (m, F), m > k.
        k: which neighbour gives the radius.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, k < 1, no more than k reals, or all balls of radius 0:
            half of the reals occur more than k times.

    >>> import torch
    >>> realism_scores(torch.tensor([[0.0], [1.5], [8.0]]), torch.tensor([[0.0], [1.0], [2.0], [3.0]]), k=1).tolist()
    [inf, 2.0, 0.2]
    """
    fake, real = pair(fake, real)
    checked_k(k, len(real), "real")
    x, y = clouds(fake, real)
    radii = nearest_within(y, [k]).squared[:, k - 1]
    kept = (radii <= radii.median()) & (radii > y.slack)
    if not kept.any():
        raise MetricError(
            f"half of the reals occur more than k = {k} times, so that no ball is left; remove repetitions"
        )
    least = nearest_across(x, y.part(kept), [1], weight=radii[kept].reciprocal())
    return least.squared[:, 0].rsqrt()


def realism(fake: Features, real: Features, k: int = 3) -> Estimate:
    """The median realism of the fakes. Half of them lie deeper.

    The median, because one copy of a real sample makes the mean infinite; the protocol has the `share_within`, with
    R ≥ 1, and the number of `copies`. Its error, from order statistics, covers new fakes, not new reals; it is None
    if the upper end of its interval is infinite.

    Arguments:
        fake: (n, F), n ≥ 2.
        real: (m, F), m > k.
        k: which neighbour gives the radius.

    Raises:
        MetricError: as `realism_scores`, or if half of the fakes are copies of real samples, so that it is infinite.
    """
    scores = realism_scores(fake, real, k).sort().values
    n, m = len(scores), len(real)
    middle = ((scores[(n - 1) // 2] + scores[n // 2]) / 2).item()
    if not math.isfinite(middle):
        raise MetricError(f"half of {n} fakes are copies of real samples, so their median realism is infinite")
    step = math.sqrt(n) / 2
    low, high = (scores[min(max(round((n - 1) / 2 + s * step), 0), n - 1)].item() for s in (-1, 1))
    protocol: Protocol = {
        "k": k,
        "dimensions": fake.shape[1],
        "share_within": (scores >= 1).double().mean().item(),
        "copies": int(scores.isinf().sum()),
        "error": "of the fakes, given the reals",
    }
    return Estimate(middle, (high - low) / 2 if math.isfinite(high) else None, (n, m), "realism", protocol)
