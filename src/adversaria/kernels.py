r"""Kernels: how alike two points are, k(x, y), for discrepancies that are measured and for those that are trained on.

    Polynomial           (s x·y + o)ᵖ,      s = 1/F, o = 1, p = 3 unless said otherwise
    Linear               x·y
    RBF                  Σ_σ exp(−|x − y|² / 2σ²)
    RationalQuadratic    Σ_α (1 + |x − y|² / 2α)^(−α)
    Energy               |x| + |y| − |x − y|
    Sum                  k₁ + k₂ + …,       written with `+`

All are positive definite: Σ_ij c_i c_j k(x_i, x_j) ≥ 0. Energy owes that to its first two terms; −|x − y| alone is so
for Σ c_i = 0 only, which is enough for a discrepancy, where the first two cancel.

**Characteristic** is a kernel under which MMD² = 0 means that the laws are equal. RBF and RationalQuadratic are, for
all laws; Energy is for laws with a finite mean; a sum is if one of its kernels is. Linear sees means alone, and
Polynomial the moments up to order p: laws that share those are at distance 0.

**Rounding.** Values are computed in float64 whatever the inputs are (they are returned in the precision of the inputs,
at least float32), from |x − y|² = |x − c|² + |y − c|² − 2 (x − c)·(y − c) with c the mean of the y. Distances that
are rounding alone count as 0. Kernels are differentiable twice in x and y, at coincident points too, where the
gradient of |x − y| is taken to be 0.

Sources: Bińkowski, Sutherland, Arbel & Gretton, Demystifying MMD GANs (2018), https://arxiv.org/abs/1801.01401 (the
bandwidths and exponents); Sejdinovic, Sriperumbudur, Gretton & Fukumizu, Equivalence of distance-based and RKHS-based
statistics in hypothesis testing (2013), https://doi.org/10.1214/13-AOS1140; Sriperumbudur, Gretton, Fukumizu,
Schölkopf & Lanckriet, Hilbert space embeddings and metrics on probability measures (2010),
https://jmlr.org/papers/v11/sriperumbudur10a.html
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from adversaria.errors import DataError, RecipeError

COINCIDENT = 32
"""|x − y|² below so many units of rounding of |x|² + |y|² is 0."""

TOGETHER = 1 << 16
"""Most pairs for which the terms of a mixture are computed at once: with few, it is operations that take the time."""

MEDIAN_OF = 1000
"""Rows of each side that the median rule looks at, at most: a median needs no more."""


class Kernel(ABC):
    """k(x, y) of all pairs of rows. Kernels are values: equal by their parameters, and printed as their formula."""

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """K with K_ij = k(x_i, y_j).

        Arguments:
            x: (n, F), floating point.
            y: (m, F), on the same device.

        Returns:
            (n, m), in the wider precision of the two, at least float32.

        Raises:
            DataError: not two matrices of floating-point numbers with equal F.

        >>> Linear()(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
        tensor([[11.,  2.]])
        """
        if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
            raise DataError(f"a kernel takes rows (n, F) and (m, F), got {tuple(x.shape)} and {tuple(y.shape)}")
        if not (x.is_floating_point() and y.is_floating_point()):
            raise DataError(f"a kernel takes floating-point numbers, got {x.dtype} and {y.dtype}")
        result = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
        return self.gram(widened(x), widened(y)).to(result)

    @abstractmethod
    def gram(self, x: Tensor, y: Tensor) -> Tensor:
        """The formula, (n, m) for rows of one precision: what a new kernel defines."""

    def quick(self, x: Tensor, y: Tensor) -> Tensor:
        """k of all pairs (n, m), for losses of small batches, which are made at every step of a training.

        Products and distances are computed in float64, as ever; what is a function of a distance alone, only in the
        precision of the rows, and at least float32. Rows are not checked.
        """
        return self.gram(widened(x), widened(y))

    def __add__(self, other: "Kernel") -> "Sum":
        return Sum((*_terms(self), *_terms(other)))


@dataclass(frozen=True)
class Polynomial(Kernel):
    """k(x, y) = (s x·y + o)ᵖ. Not characteristic: it sees moments up to order p.

    Arguments:
        degree: p ≥ 1. The cube, with the other defaults, is the kernel of KID.
        scale: s > 0; None is 1/F.
        offset: o ≥ 0; with 0, only moments of order p itself are seen.

    Raises:
        RecipeError: a parameter outside its domain.

    >>> print(Polynomial())
    (x·y/F + 1)³
    """

    degree: int = 3
    scale: float | None = None
    offset: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.degree, int) or self.degree < 1:
            raise RecipeError(f"a polynomial kernel needs a whole degree of at least 1, got {self.degree!r}")
        if self.scale is not None:
            _positive("scale", (self.scale,), "a polynomial kernel")
        if not (math.isfinite(self.offset) and self.offset >= 0):
            raise RecipeError(f"a polynomial kernel needs a finite offset of at least 0, got {self.offset!r}")

    def gram(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m)."""
        return (x @ y.mT * self.scale_for(x.shape[-1]) + self.offset).pow(self.degree)

    def scale_for(self, width: int) -> float:
        """s for rows of F = `width`."""
        return 1 / width if self.scale is None else self.scale

    def __str__(self) -> str:
        product = "x·y/F" if self.scale is None else f"{self.scale:g} x·y"
        power = {1: "", 2: "²", 3: "³"}.get(self.degree, f"^{self.degree}")
        return f"({product} + {self.offset:g}){power}"


@dataclass(frozen=True)
class Linear(Kernel):
    """k(x, y) = x·y, whose MMD² is the squared distance of the means. Not characteristic.

    >>> print(Linear())
    x·y
    """

    def gram(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m)."""
        return x @ y.mT

    def __str__(self) -> str:
        return "x·y"


class Radial(Kernel):
    """A kernel that is a function of |x − y|² alone."""

    @abstractmethod
    def profile(self, square: Tensor) -> Tensor:
        """k at |x − y|² ≥ 0, elementwise."""

    def gram(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m)."""
        return self.profile(squared_distances(x, y))

    def quick(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m)."""
        return self.profile(_narrowed(squared_distances(widened(x), widened(y)), x))


@dataclass(frozen=True)
class RBF(Radial):
    """k(x, y) = Σ_σ exp(−|x − y|² / 2σ²). Characteristic, bounded by the number of bandwidths.

    Arguments:
        bandwidths: the σ > 0, in units of the features.

    Raises:
        RecipeError: no bandwidth, or one that is not positive and finite.

    >>> print(RBF((10.0,)))
    exp(−|x − y|²/2σ²), σ = 10
    """

    bandwidths: tuple[float, ...] = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bandwidths", tuple(self.bandwidths))
        _positive("bandwidths", self.bandwidths, "an RBF kernel")

    @classmethod
    def median(cls, x: Tensor, y: Tensor) -> "RBF":
        """One bandwidth, by the median rule: the median of |a − b| over the pairs of different rows of both samples.

        Of more than MEDIAN_OF rows on a side, as many at even spaces are used. The rule is invariant to the order of
        rows up to that number.

        Raises:
            DataError: rows that do not fit.
            RecipeError: the median is 0, because most rows coincide; give a bandwidth instead.

        >>> RBF.median(torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0]])).bandwidths  # of 1, 2, 3
        (2.0,)
        """
        if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
            raise DataError(f"the median rule takes rows (n, F) and (m, F), got {tuple(x.shape)} and {tuple(y.shape)}")
        rows = torch.cat([_spaced(x), _spaced(y)]).detach().double()
        first, second = torch.triu_indices(len(rows), len(rows), offset=1, device=rows.device)
        distances = squared_distances(rows, rows)[first, second].sqrt()
        sigma = distances.median().item() if len(distances) else 0.0
        if not sigma > 0:
            raise RecipeError(
                f"the median distance of {len(rows)} rows is {sigma:g}: too many coincide for the median rule; "
                "choose a bandwidth"
            )
        return cls((sigma,))

    def profile(self, square: Tensor) -> Tensor:
        """Σ_σ exp(−|x − y|² / 2σ²)."""
        return _mixture(lambda s, sigma: torch.exp(s * (-0.5 / sigma**2)), square, self.bandwidths)

    def __str__(self) -> str:
        return _over("exp(−|x − y|²/2σ²)", "σ", self.bandwidths)


@dataclass(frozen=True)
class RationalQuadratic(Radial):
    """k(x, y) = Σ_α (1 + |x − y|² / 2α)^(−α). Characteristic; a mixture of RBF kernels of all bandwidths.

    Arguments:
        alphas: the exponents α > 0; the smaller, the heavier the tail. As α → ∞, RBF with σ = 1.

    Raises:
        RecipeError: no exponent, or one that is not positive and finite.

    >>> print(RationalQuadratic((1.0,)))
    (1 + |x − y|²/2α)^(−α), α = 1
    """

    alphas: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 5.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "alphas", tuple(self.alphas))
        _positive("alphas", self.alphas, "a rational quadratic kernel")

    def profile(self, square: Tensor) -> Tensor:
        """Σ_α (1 + |x − y|² / 2α)^(−α)."""
        return _mixture(lambda s, alpha: torch.exp(-alpha * torch.log1p(s * (0.5 / alpha))), square, self.alphas)

    def __str__(self) -> str:
        return _over("(1 + |x − y|²/2α)^(−α)", "α", self.alphas)


@dataclass(frozen=True)
class Energy(Kernel):
    """k(x, y) = |x| + |y| − |x − y|, whose MMD² is the energy distance 2 E|x − y| − E|x − x'| − E|y − y'|.

    Characteristic for laws with a finite mean, of degree 1 in the unit of the features, without a parameter.

    >>> print(Energy())
    |x| + |y| − |x − y|
    """

    def gram(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m)."""
        return lengths(x)[:, None] + lengths(y) - distances(x, y)

    def quick(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m)."""
        a, b = widened(x), widened(y)
        return lengths(a)[:, None] + lengths(b) - _root(_narrowed(squared_distances(a, b), x))

    def __str__(self) -> str:
        return "|x| + |y| − |x − y|"


@dataclass(frozen=True)
class Sum(Kernel):
    """k₁ + k₂ + …; MMD² is the sum of theirs. Characteristic if one of them is.

    >>> print(RationalQuadratic((1.0,)) + Linear())
    [(1 + |x − y|²/2α)^(−α), α = 1] + x·y
    """

    kernels: tuple[Kernel, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernels", tuple(self.kernels))
        if not self.kernels:
            raise RecipeError("a sum of kernels needs one kernel at least")

    def gram(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m)."""
        return _sum([kernel.gram(x, y) for kernel in self.kernels])

    def quick(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m)."""
        return _sum([kernel.quick(x, y) for kernel in self.kernels])

    def __str__(self) -> str:
        texts = map(str, self.kernels)
        return " + ".join(f"[{text}]" if ", " in text else text for text in texts)


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """|x_i − y_j|² (n, m) ≥ 0, whose derivatives are those of the formula everywhere, where it is clamped too."""
    centre = y.detach().mean(0)  # of no effect but on rounding
    x, y = x - centre, y - centre
    both = x.square().sum(-1)[:, None] + y.square().sum(-1)
    square = both - 2 * x @ y.mT
    rounding = COINCIDENT * torch.finfo(square.dtype).eps * both
    clamped = torch.where(square > rounding, square, 0)
    return square + (clamped - square).detach()


def distances(x: Tensor, y: Tensor) -> Tensor:
    """|x_i − y_j| (n, m), with gradient 0 at coincident points."""
    return _root(squared_distances(x, y))


def lengths(x: Tensor) -> Tensor:
    """|x_i| (n,), with gradient 0 at 0."""
    return _root(x.square().sum(-1))


def widened(x: Tensor) -> Tensor:
    """x in the precision in which kernels are computed: float64, or float32 on a device that has no other."""
    return x.to(torch.float32 if x.device.type == "mps" else torch.float64)


def _narrowed(square: Tensor, rows: Tensor) -> Tensor:
    """In the precision of the rows, at least float32."""
    return square.to(torch.promote_types(rows.dtype, torch.float32))


def _root(square: Tensor) -> Tensor:
    """√s, with gradient 0 at 0."""
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1).sqrt(), 0)


def _spaced(x: Tensor) -> Tensor:
    if len(x) <= MEDIAN_OF:
        return x
    return x[torch.linspace(0, len(x) - 1, MEDIAN_OF, dtype=torch.float64).round().long()]


def _mixture(term: Callable[[Tensor, Any], Tensor], square: Tensor, parameters: tuple[float, ...]) -> Tensor:
    """Σ_p term(s, p), elementwise."""
    if len(parameters) > 1 and square.numel() <= TOGETHER:
        each = torch.tensor(parameters, dtype=square.dtype, device=square.device)
        return term(square, each.reshape(-1, *(1,) * square.ndim)).sum(0)
    return _sum([term(square, parameter) for parameter in parameters])


def _sum(grams: Sequence[Tensor]) -> Tensor:
    total = grams[0]
    for gram in grams[1:]:
        total = total + gram
    return total


def _terms(kernel: Kernel) -> tuple[Kernel, ...]:
    return kernel.kernels if isinstance(kernel, Sum) else (kernel,)


def _positive(name: str, values: tuple[float, ...], owner: str) -> None:
    if not values or not all(math.isfinite(value) and value > 0 for value in values):
        raise RecipeError(f"{owner} needs positive, finite {name}, got {values}")


def _over(term: str, symbol: str, values: tuple[float, ...]) -> str:
    if len(values) == 1:
        return f"{term}, {symbol} = {values[0]:g}"
    return f"Σ_{symbol} {term}, {symbol} ∈ {{{', '.join(f'{value:g}' for value in values)}}}"
