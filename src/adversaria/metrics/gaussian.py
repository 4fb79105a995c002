r"""A Gaussian N(μ, Σ) with the factors of Σ that are made once and kept.

    Σ = B Bᵀ,     B = L,  the Cholesky factor, if there is one,
              or  B = V √λ  of the eigendecomposition, less the eigenvalues that rounding cannot tell from 0.

A matrix that is known to ε has eigenvalues known to ε λ_max: of a singular Σ, those that should be 0 come out near
± 10⁻¹⁶ λ_max, and their roots near 10⁻⁸ √λ_max. L keeps them, V √λ does not.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from adversaria.metrics.moments import panels

ROUNDING = torch.finfo(torch.float64).eps
"""ε of float64."""


@dataclass(frozen=True, eq=False)
class Gaussian:
    """N(μ, Σ), and the factors of Σ from when they are first asked for.

    Arguments:
        mean: (F,) float64.
        covariance: (F, F) float64, symmetric, positive semidefinite up to rounding.

    >>> law = Gaussian(torch.zeros(2).double(), torch.tensor([[4.0, 2.0], [2.0, 2.0]]).double())
    >>> law.base
    tensor([[2., 0.],
            [1., 1.]], dtype=torch.float64)
    """

    mean: Tensor
    covariance: Tensor

    @cached_property
    def lower(self) -> Tensor | None:
        """L (F, F), or None where Σ has no Cholesky factor."""
        lower, failed = torch.linalg.cholesky_ex(self.covariance)
        return None if failed else lower

    @cached_property
    def factor(self) -> Tensor:
        """V √λ (F, r), r the rank of Σ as far as it can be told."""
        eigenvalues, vectors = torch.linalg.eigh(self.covariance)
        kept = eigenvalues > len(eigenvalues) * ROUNDING * eigenvalues[-1]
        return vectors[:, kept] * eigenvalues[kept].sqrt()

    @property
    def base(self) -> Tensor:
        """The cheaper of the two factors: L if there is one."""
        return self.factor if self.lower is None else self.lower

    @property
    def trace(self) -> Tensor:
        """Tr Σ, ()."""
        return self.covariance.trace()

    def pull(self, covariance: Tensor) -> Tensor:
        """BᵀΣB (r, r) of another covariance Σ in the base B of this one, on and below the diagonal alone."""
        if self.lower is None:
            return self.factor.T @ (covariance @ self.factor)
        found = torch.empty_like(covariance)
        for part in panels(len(found)):  # two thirds of the products meet a zero of L or make what is not needed
            rest = slice(part.start, None)
            found[rest, part] = self.lower[rest, rest].T @ (covariance[rest, rest] @ self.lower[rest, part])
        return found
