r"""Learning-rate schedules: the factor on the rate as a function of the share s ∈ [0, 1] of the run that is done.

    constant   1
    linear     1 until s = start, then falling linearly to `last` at s = 1
    cosine     rising linearly from 0 until s = warmup, then ½ (1 + cos π u), u the share of what remains

A schedule has no state, so a resumed run has nothing to restore.

>>> linear(start=0.5, last=0.0)(0.75)
0.5
>>> cosine(warmup=0.0)(0.0)
1.0
"""

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def constant(share: float) -> float:
    """1."""
    return 1.0


def linear(*, start: float, last: float) -> Schedule:
    """1 until `start`, then linearly to `last`; `start` in [0, 1), `last` in [0, 1]."""
    return lambda share: 1.0 - (1.0 - last) * max(0.0, share - start) / (1.0 - start)


def cosine(*, warmup: float) -> Schedule:
    """Linearly from 0 to 1 until `warmup`, in [0, 1), then along half a cosine to 0."""

    def factor(share: float) -> float:
        if share < warmup:
            return share / warmup
        return 0.5 * (1.0 + math.cos(math.pi * (share - warmup) / (1.0 - warmup)))

    return factor
