r"""Mean and covariance of a stream of features, in float64.

    μ = (1/n) Σ x_i,     S = Σ (x_i − μ)(x_i − μ)ᵀ,     Σ = S / (n − 1).

Two streams merge exactly: with δ = μ₂ − μ₁ and n = n₁ + n₂,

    μ = μ₁ + (n₂/n) δ,     S = S₁ + S₂ + (n₁ n₂ / n) δδᵀ.

S is kept, not Σ x xᵀ: raw second moments lose all digits of Σ where |μ| ≫ √Σ.

Source: Chan, Golub & LeVeque, Updating formulae and a pairwise algorithm for computing sample variances (1979),
http://i.stanford.edu/pub/cstr/reports/cs/tr/79/773/CS-TR-79-773.pdf
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.samples import ROWS, Features, matrix

PANELS = 4
"""S is symmetric: its upper half is accumulated in this many panels, which saves 3/8 of the products."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and scatter of n samples of F features.

    Arguments:
        n: number of samples, at least 1.
        mean: (F,) float64.
        scatter: (F, F) float64, S above.

    >>> x = torch.arange(12.0).reshape(6, 2) ** 2
    >>> whole, parts = Moments.of(x), Moments.of(x[:2]).merge(Moments.of(x[2:]))
    >>> torch.allclose(whole.covariance, parts.covariance, rtol=1e-14)
    True
    """

    n: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, features: Features) -> "Moments":
        """Moments of features (n, F), n ≥ 1, in O(F²) memory beside them.

        Raises:
            MetricError: as for every metric: shape, NaN, infinities.
        """
        x = matrix(features, "features", 1)
        mean = x.mean(0, dtype=torch.float64)
        width = len(mean)
        panel = -(-width // PANELS)
        upper = torch.zeros(width, width, dtype=torch.float64, device=x.device)
        for rows in x.split(ROWS):
            centred = rows.double() - mean
            for start in range(0, width, panel):
                left = centred[:, start : start + panel]
                upper[start : start + panel, start:].addmm_(left.T, centred[:, start:])
        return cls(len(x), mean, upper.triu() + upper.triu(1).T)

    def merge(self, other: "Moments") -> "Moments":
        """Moments of both samples together, as if they had been one.

        Raises:
            MetricError: they have different numbers of features.
        """
        if self.mean.shape != other.mean.shape:
            raise MetricError(f"cannot merge moments of {len(self.mean)} and {len(other.mean)} features")
        n = self.n + other.n
        delta = other.mean - self.mean
        scatter = self.scatter + other.scatter + (self.n * other.n / n) * torch.outer(delta, delta)
        return Moments(n, self.mean + (other.n / n) * delta, scatter)

    @property
    def covariance(self) -> Tensor:
        """(F, F) Σ = S/(n − 1), unbiased.

        Raises:
            MetricError: fewer than two samples.
        """
        if self.n < 2:
            raise MetricError(f"a covariance needs at least 2 samples, got {self.n}")
        return self.scatter / (self.n - 1)
