r"""How often a classifier is right, with an interval, and what it takes for what.

Of n independent samples k are told rightly. With z the normal quantile of the level, the interval is Wilson's,

    ( k + z²/2 ± z·√( k(n − k)/n + z²/4 ) ) / (n + z²),

which stays in [0, 1], is not empty where k is 0 or n, and contains the truth about as often as it says.

Reference: E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927,
https://doi.org/10.1080/01621459.1927.10502953.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.errors import MetricError


class Accuracy(NamedTuple):
    """A share of right answers."""

    right: int
    n: int
    low: float
    """Ends of the interval for the probability of a right answer."""
    high: float
    level: float

    @property
    def value(self) -> float:
        """k/n."""
        return self.right / self.n

    def __str__(self) -> str:
        """As people read it.

        >>> str(accuracy(torch.tensor([0, 1, 1, 1]), torch.tensor([0, 1, 1, 0])))
        '75.0 % (30.1 to 95.4 %) of 4 right'
        """
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f} %) of {self.n:,} right"


def accuracy(predicted: Tensor, label: Tensor, *, level: float = 0.95) -> Accuracy:
    """The share of samples whose predicted class (n,) is their label (n,), n at least 1, with Wilson's interval.

    Raises:
        MetricError: there are no samples, not one prediction for each label, or the level is outside (0, 1).
    """
    _check(predicted, label)
    if not 0 < level < 1:
        raise MetricError(f"expected the level of the interval in (0, 1), got {level}")
    right, n = int((predicted == label).sum()), len(label)
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle, reach = right + z * z / 2, z * math.sqrt(right * (n - right) / n + z * z / 4)
    low, high = max(0.0, (middle - reach) / (n + z * z)), min(1.0, (middle + reach) / (n + z * z))
    return Accuracy(right, n, low, high, level)


def confusion(predicted: Tensor, label: Tensor, classes: int) -> Tensor:
    """How many samples of class i (row) were taken for class j (column): int64 (classes, classes).

    Raises:
        MetricError: there are no samples, not one prediction for each label, or one is outside [0, classes).

    >>> confusion(torch.tensor([0, 1, 1, 1]), torch.tensor([0, 1, 1, 0]), 2)
    tensor([[1, 1],
            [0, 2]])
    """
    _check(predicted, label)
    least, most = torch.stack([predicted, label]).aminmax()
    if not 0 <= int(least) <= int(most) < classes:
        raise MetricError(f"expected classes in [0, {classes}), got {int(least)} to {int(most)}")
    return torch.bincount(label * classes + predicted, minlength=classes**2).reshape(classes, classes)


def _check(predicted: Tensor, label: Tensor) -> None:
    if predicted.ndim != 1 or predicted.shape != label.shape or not len(label):
        raise MetricError(
            f"expected as many predicted classes (n,) as labels (n,), n at least 1, got {tuple(predicted.shape)} and "
            f"{tuple(label.shape)}"
        )
