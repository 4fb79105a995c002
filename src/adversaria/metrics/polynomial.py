r"""A polynomial kernel less what cancels in MMD², so that products in float32 are as good as float64.

For a centre c, and x, y in units where s = 1, write x·y + o = q + t with

    q = c·c + o,      t = g + a_x + a_y,      g = (x − c)·(y − c),      a_x = c·(x − c).

Then

    (x·y + o)ᵖ = qᵖ + p qᵖ⁻¹ (a_x + a_y) + p qᵖ⁻¹ g + t² Σ_{k=2}^p C(p, k) qᵖ⁻ᵏ tᵏ⁻².

The first two terms cancel in MMD², sample by sample, however large they are; so they are never computed. With
p = 3 what is left is 3 q² g + t² (3 q + t).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adversaria.kernels import Polynomial

CHUNK = 64
"""Samples centred at a time, which a core's cache holds."""


@dataclass(frozen=True)
class Centred:
    """A sample in the coordinates above, in a unit that makes all of order 1 at most."""

    values: Tensor  # (n, F) of which g is the product
    offset: Tensor  # (n,)   a
    centre: float  #         q
    degree: int  #           p

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        return self.values.device

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice | Tensor) -> "Centred":
        return Centred(self.values[rows], self.offset[rows], self.centre, self.degree)

    def against(self, other: "Centred") -> Tensor:
        """p qᵖ⁻¹ g + t² Σ_k C(p, k) qᵖ⁻ᵏ tᵏ⁻², (n, m)."""
        product, p, q = self.values @ other.values.T, self.degree, self.centre
        if p == 1:
            return product
        t = product + self.offset[:, None]
        t += other.offset
        if p == 2:
            return t.square_().add_(product, alpha=2 * q)
        kernel = t + p * q  # by Horner
        for k in range(p - 2, 1, -1):
            kernel *= t
            kernel += math.comb(p, k) * q ** (p - k)
        kernel *= t.square_()
        return kernel.add_(product, alpha=p * q ** (p - 1))


def centred(kernel: Polynomial, samples: Sequence[Tensor]) -> tuple[tuple[Centred, ...], float]:
    """Samples (n, F) around the mean of their means, and the unit of k.

    Everything is of order 1 whatever the features are, so that no power overflows.
    """
    dtype = samples[0].dtype
    for sample in samples[1:]:
        dtype = torch.promote_types(dtype, sample.dtype)
    root = kernel.scale_for(samples[0].shape[1]) ** 0.5
    centre = torch.stack([_mean(sample) for sample in samples]).mean(0) * root
    q = kernel.offset + centre.square().sum().item()
    found = [_around(centre, root, sample, dtype) for sample in samples]
    unit = _power_of_4(q + max(largest for _, _, largest in found))
    sides = tuple(
        Centred(values.div_(unit**0.5), offset.div_(unit), q / unit, kernel.degree) for values, offset, _ in found
    )
    return sides, _power(unit, kernel.degree)


def _mean(sample: Tensor) -> Tensor:
    """In float64; by chunks several times as fast as at once."""
    return torch.stack([rows.double().sum(0) for rows in sample.split(CHUNK)]).sum(0) / len(sample)


def _around(centre: Tensor, root: float, sample: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, float]:
    """x − c, a, and the largest |x − c|²."""
    values = torch.empty(sample.shape, dtype=dtype, device=sample.device)
    offset = torch.empty(len(sample), dtype=dtype, device=sample.device)
    largest = 0.0
    for start in range(0, len(sample), CHUNK):
        rows = (sample[start : start + CHUNK].double() * root).sub_(centre)
        values[start : start + CHUNK] = rows
        offset[start : start + CHUNK] = rows @ centre
        largest = max(largest, rows.square_().sum(1).max().item())
    return values, offset, largest


def _power_of_4(size: float) -> float:
    """The next one, whose root divides without rounding; 1 for 0 (all features 0, and no offset)."""
    return 4.0 ** math.ceil(math.log(size, 4)) if size else 1.0


def _power(unit: float, degree: int) -> float:
    """unitᵖ, infinite beyond float64."""
    return unit**degree if degree * math.log10(unit) < 300 else math.inf
