r"""The median rule: the bandwidth of a kernel as the median distance of what it compares.

    σ = median of |a − b| over pairs of different rows of both sides,       k(x, y) = Σ_f exp(−|x − y|² / 2(fσ)²).

Features of a critic that trains have no fixed unit. With the bandwidth in the unit of the features the discrepancy
does not change if all are stretched, so the critic cannot gain by stretching them, and the kernel cannot go blind.

Reference: A. Gretton et al., A kernel two-sample test, 2012, https://jmlr.org/papers/v13/gretton12a.html, §8.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from adversaria.errors import RecipeError
from adversaria.kernels import RBF, Kernel, Radial, distances, widened


@dataclass(frozen=True)
class InUnit(Radial):
    """k(x/u, y/u): a kernel in another unit u > 0 of length, (), which may be a tensor without a value yet."""

    base: Radial
    unit: Tensor

    def profile(self, square: Tensor) -> Tensor:
        """k at |x − y|²/u²."""
        return self.base.profile(square / self.unit.square())


@dataclass(frozen=True)
class MedianRBF:
    """An RBF kernel whose bandwidths are chosen anew for each pair of batches, by the median rule.

    Arguments:
        factors: f > 0, the bandwidths in units of the median distance; their kernels are added.

    The median is a constant in gradients. Where it is 0, because most rows coincide, it counts as 1.
    `RBF.median` is the rule for samples that stay as they are.

    Raises:
        RecipeError: no factor, or one that is not positive and finite.
    """

    factors: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", tuple(self.factors))
        if not self.factors or not all(math.isfinite(factor) and factor > 0 for factor in self.factors):
            raise RecipeError(f"the median rule needs positive, finite factors, got {self.factors}")

    def kernel(self, real: Tensor, fake: Tensor) -> Kernel:
        """The kernel for features (m, k) and (n, k), in the unit of their median distance.

        >>> rows = torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0]])
        >>> MedianRBF().kernel(*rows).unit  # of 1, 2, 3
        tensor(2., dtype=torch.float64)
        """
        rows = widened(torch.cat([real, fake])).detach()
        first, second = torch.triu_indices(len(rows), len(rows), offset=1, device=rows.device)
        median = distances(rows, rows)[first, second].median()
        return InUnit(RBF(self.factors), torch.where(median > 0, median, 1))
