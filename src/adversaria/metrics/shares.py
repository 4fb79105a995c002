r"""A share of things counted, with an interval that holds near 0 and 1 too.

Of n things k are right. Wilson's interval is all p that a test at that level would not reject,

    |k/n − p| ≤ z √(p (1 − p) / n),     z the quantile of N(0, 1) at (1 + level)/2:

    (k + z²/2 ± z √(k (n − k)/n + z²/4)) / (n + z²)

It lies within [0, 1]; of k = 0 it is [0, z²/(n + z²)].

Source: E. Wilson, Probable inference, the law of succession, and statistical inference (1927),
https://doi.org/10.1080/01621459.1927.10502953
"""

import math
from statistics import NormalDist
from typing import NamedTuple

from adversaria.errors import MetricError


class Share(NamedTuple):
    """k of n, and the interval in which the probability of it lies at the level."""

    value: float
    low: float
    high: float
    n: int
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.level:.0%} interval {self.low:.1%} to {self.high:.1%}, n = {self.n:,})"


def share(right: int, n: int, *, level: float = 0.95) -> Share:
    """The share of `right` among `n`, with Wilson's interval.

    Arguments:
        right: k, from 0 to n.
        n: at least 1.
        level: of confidence, in (0, 1).

    Raises:
        MetricError: k or n or the level is out of range.

    >>> print(share(90, 100))
    90.0% (95% interval 82.6% to 94.5%, n = 100)
    """
    if not (n >= 1 and 0 <= right <= n and 0 < level < 1):
        raise MetricError(f"expected 0 ≤ right ≤ n, n ≥ 1 and a level in (0, 1), got {right} of {n} at {level}")
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle, half = right + z**2 / 2, z * math.sqrt(right * (n - right) / n + z**2 / 4)
    low, high = (middle - half) / (n + z**2), (middle + half) / (n + z**2)
    return Share(right / n, max(low, 0.0), min(high, 1.0), n, level)
