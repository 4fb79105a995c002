r"""The law of Σ w_i X_i for independent X_i with a histogram's law.

A histogram is a density that is constant on equal cells. Let F₁ be the distribution function of one term and G₁ its
integral, piecewise quadratic; let the other term have mass p_j on the cell [l_j, l_j + h]. Then

    P(X₁ + X₂ ≤ x) = Σ_j p_j · (G₁(x − l_j) − G₁(x − l_j − h))/h,

evaluated on a grid of at least 4,096 knots, eight to a cell for t = ½: at the knots it is exact, between them the
distribution function is taken as linear. For more terms one is added after another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cells:
    """Masses (N,) of N equal cells of [low, high]."""

    mass: Array
    low: float
    high: float

    @property
    def edges(self) -> Array:
        """(N + 1,)."""
        return np.linspace(self.low, self.high, len(self.mass) + 1)

    @property
    def width(self) -> float:
        """Of a cell."""
        return (self.high - self.low) / len(self.mass)

    @property
    def cumulative(self) -> Array:
        """The distribution function at the edges, (N + 1,)."""
        total = np.concatenate([[0.0], np.cumsum(self.mass)])
        return total / total[-1]

    def cdf(self, x: Array) -> Array:
        """P(X ≤ x)."""
        return np.interp(x, self.edges, self.cumulative)

    def quantile(self, u: Array) -> Array:
        """The x with P(X ≤ x) = u; where no mass lies, the upper end of the gap (the lower for u = 0 alone)."""
        return np.interp(u, self.cumulative, self.edges)

    def times(self, factor: float) -> "Cells":
        """The law of factor·X."""
        low, high = sorted((factor * self.low, factor * self.high))
        return Cells(self.mass if factor > 0 else self.mass[::-1], low, high)

    def plus(self, other: "Cells") -> "Cells":
        """The law of X + Y for independent X and Y."""
        count = max(4096, 8 * len(self.mass), 8 * len(other.mass))
        low, high = self.low + other.low, self.high + other.high
        knots, starts = np.linspace(low, high, min(count, 16384) + 1), other.edges
        area = np.zeros(len(knots))
        # The difference quotient of the integral, cell by cell of the other; all terms are positive.
        previous = self._integral(knots - starts[0])
        for mass, start in zip(other.mass, starts[1:], strict=True):
            following = self._integral(knots - start)
            area += mass * (previous - following)
            previous = following
        return Cells(np.maximum(np.diff(area / other.width), 0.0), low, high)

    def _integral(self, x: Array) -> Array:
        cumulative, width = self.cumulative, self.width
        before = np.concatenate([[0.0], np.cumsum(0.5 * width * (cumulative[1:] + cumulative[:-1]))])
        place = np.clip((x - self.low) / width, 0.0, len(self.mass))
        cell = np.minimum(place.astype(np.int64), len(self.mass) - 1)
        share = place - cell
        rise = cumulative[cell + 1] - cumulative[cell]
        inner = before[cell] + width * share * (cumulative[cell] + 0.5 * share * rise)
        return inner + np.maximum(x - self.high, 0.0)


@lru_cache(maxsize=64)
def histogram_sum(mass: tuple[float, ...], low: float, high: float, weights: tuple[float, ...]) -> Cells:
    """The law of Σ w_i X_i."""
    one = Cells(np.asarray(mass), low, high)
    total = one.times(weights[0])
    for weight in weights[1:]:
        total = total.plus(one.times(weight))
    return total


def uniform_sum(weights: tuple[float, ...]) -> Cells:
    """The law of Σ w_i X_i for X_i uniform on [−1, 1]."""
    return histogram_sum((1.0,), -1.0, 1.0, weights)


def carry(y: Tensor, cdf: Callable[[Array], Array], quantile: Callable[[Array], Array]) -> Tensor:
    """quantile(cdf(y)), in float64 on the host, with y's type and device."""
    return torch.from_numpy(quantile(cdf(y.detach().cpu().double().numpy()))).to(y)


def normalised(values: Sequence[float]) -> tuple[float, ...]:
    """`values`, divided by their sum."""
    array = np.asarray(values, dtype=np.float64)
    return tuple((array / array.sum()).tolist())
