r"""Sums of a kernel over the pairs of two samples, block by block: what MMD² and its variance are made of.

    MMD² = Σ_{i≠j} k(x_i, x_j) / n(n−1) + Σ_{i≠j} k(y_i, y_j) / m(m−1) − 2 Σ_ij k(x_i, y_j) / nm.

**Its variance.** Split the kernel (Hoeffding) into the witness f(t) = E k(t, x) − E k(t, y), whose average makes the
first-order part, and the remainders g (k less its conditional means):

    Var = 4 Var f(x) / n + 4 Var f(y) / m
        + 2 E g(x, x')² / n(n−1) + 2 E g(y, y')² / m(m−1) + 4 E g(x, y)² / nm.

This is exact. The second line is all that is left when the two laws are equal. Each term is estimated without bias
from row sums and squares of the kernel matrices, up to the square of a mean; the first line, which rounding and noise
can make negative near equality, counts as at least 0. Rows of a block are summed in the precision of its products, all
else in float64.

Additive terms a(x) + a(y) of a kernel cancel in MMD², so a side may leave them out.

Sources: Gretton, Borgwardt, Rasch, Schölkopf & Smola, A kernel two-sample test (2012),
https://jmlr.org/papers/v13/gretton12a.html; Hoeffding, A class of statistics with asymptotically normal distribution
(1948), https://doi.org/10.1214/aoms/1177730196
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

import torch
from torch import Tensor

from adversaria.kernels import Kernel, Polynomial
from adversaria.metrics.polynomial import Centred, centred

EDGE = 1024
"""Kernel matrices are made and summed in square blocks of this edge; none is ever whole in memory."""

EDGE_ELSEWHERE = 4096
"""The edge on a GPU, which one small block would not fill."""

EPSILON = torch.finfo(torch.float64).eps
"""Of the sums."""


class Side(Protocol):
    """A sample, ready for its kernel."""

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice | Tensor) -> Self:
        """Some of the rows."""
        ...

    def against(self, other: Self) -> Tensor:
        """k of all pairs, (n, m), up to additive terms, in the precision of the products."""
        ...


@dataclass(frozen=True)
class Plain:
    """A sample under any kernel, in float64."""

    kernel: Kernel
    values: Tensor  # (n, F)

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        return self.values.device

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice | Tensor) -> "Plain":
        return Plain(self.kernel, self.values[rows])

    def against(self, other: "Plain") -> Tensor:
        """k, (n, m)."""
        return self.kernel(self.values.double(), other.values.double())


class Prepared(NamedTuple):
    """Samples under one kernel; k is `unit` times what the sides give. `products` names the precision."""

    sides: tuple[Side, ...]
    unit: float
    products: str

    def noise(self, size: float) -> float:
        """What rounding can leave of a mean that should be 0, where the sides' k has a root mean square of `size`."""
        if not isinstance(self.sides[0], Centred):
            return 64 * EPSILON * size
        # The sides have a rounding of 1 before they are centred, and of their own after.
        products = torch.finfo(getattr(torch, self.products)).eps
        return 4 * products * size + 64 * EPSILON * (size**0.5 + EPSILON)


def prepare(kernel: Kernel, *samples: Tensor) -> Prepared:
    """Samples as sides that can be set against each other."""
    if isinstance(kernel, Polynomial):
        sides, unit = centred(kernel, samples)
        return Prepared(sides, unit, str(sides[0].values.dtype).removeprefix("torch."))
    return Prepared(tuple(Plain(kernel, sample) for sample in samples), 1.0, "float64")


class Within(NamedTuple):
    """Sums over the pairs i ≠ j of one side."""

    rows: Tensor  # (n,) Σ_j k
    squares: float  # Σ k²

    @property
    def mean(self) -> float:
        """E k(x, x')."""
        n = len(self.rows)
        return self.rows.sum().item() / (n * (n - 1))

    @property
    def square(self) -> float:
        """E k(x, x')²."""
        n = len(self.rows)
        return self.squares / (n * (n - 1))

    @property
    def conditional(self) -> float:
        """E [E(k | x)²], over triples of different samples."""
        n = len(self.rows)
        return (self.rows.square().sum().item() - self.squares) / (n * (n - 1) * (n - 2))

    @property
    def remainder(self) -> float:
        """E g(x, x')²."""
        return max(self.square - 2 * self.conditional + self.mean**2, 0.0)


class Across(NamedTuple):
    """Sums over the pairs of two sides."""

    rows: Tensor  # (n,) Σ_j k(x_i, y_j)
    columns: Tensor  # (m,) Σ_i k(x_i, y_j)
    squares: float

    @property
    def mean(self) -> float:
        """E k(x, y)."""
        return self.rows.sum().item() / (len(self.rows) * len(self.columns))

    @property
    def by_row(self) -> float:
        """E [E(k | x)²], over pairs of different y."""
        n, m = len(self.rows), len(self.columns)
        return (self.rows.square().sum().item() - self.squares) / (n * m * (m - 1))

    @property
    def remainder(self) -> float:
        """E g(x, y)²."""
        square = self.squares / (len(self.rows) * len(self.columns))
        return max(square - self.by_row - self.turned.by_row + self.mean**2, 0.0)

    @property
    def turned(self) -> "Across":
        """The same with the sides exchanged."""
        return Across(self.columns, self.rows, self.squares)


class Pairs(NamedTuple):
    """All sums that MMD² and its variance are made of."""

    x: Within
    y: Within
    xy: Across

    @property
    def distance(self) -> float:
        """MMD², without bias."""
        return self.x.mean + self.y.mean - 2 * self.xy.mean

    @property
    def variance(self) -> float:
        """Its variance; needs three samples on each side."""
        n, m = len(self.xy.rows), len(self.xy.columns)
        first = witness_variance(self.x, self.xy) / n + witness_variance(self.y, self.xy.turned) / m
        degenerate = 2 * self.x.remainder / (n * (n - 1)) + 2 * self.y.remainder / (m * (m - 1))
        return 4 * max(first, 0.0) + degenerate + 4 * self.xy.remainder / (n * m)


def witness_variance(within: Within, across: Across) -> float:
    """Var (E k(x, x') − E k(x, y)) over the x."""
    n, m = len(across.rows), len(across.columns)
    product = (within.rows @ across.rows).item() / (n * (n - 1) * m)
    mean = within.mean - across.mean
    return within.conditional + across.by_row - 2 * product - mean**2


def pairs(x: Side, y: Side) -> Pairs:
    """All sums of two sides."""
    return Pairs(within(x), within(y), across(x, y))


def within(side: Side) -> Within:
    """Sums over one side; blocks below the diagonal are those above it."""
    rows, squares = _zeros(len(side), side), _zeros((), side)
    parts = blocks(side)
    for index, (span, x) in enumerate(parts):
        own = x.against(x).fill_diagonal_(0)
        rows[span] += own.sum(1)
        squares += _squares(own)
        for other_span, y in parts[index + 1 :]:
            kernel = x.against(y)
            rows[span] += kernel.sum(1)
            rows[other_span] += kernel.sum(0)
            squares += 2 * _squares(kernel)
    return Within(rows, squares.item())


def across(x: Side, y: Side) -> Across:
    """Sums over all pairs of two sides."""
    rows, columns, squares = _zeros(len(x), x), _zeros(len(y), x), _zeros((), x)
    y_parts = blocks(y)
    for x_span, left in blocks(x):
        for y_span, right in y_parts:
            kernel = left.against(right)
            rows[x_span] += kernel.sum(1)
            columns[y_span] += kernel.sum(0)
            squares += _squares(kernel)
    return Across(rows, columns, squares.item())


def blocks(side: Side) -> list[tuple[slice, Side]]:
    """A side in parts of EDGE rows, with where they lie."""
    edge = EDGE if side.device.type == "cpu" else EDGE_ELSEWHERE
    spans = [slice(start, start + edge) for start in range(0, len(side), edge)]
    return [(span, side[span]) for span in spans]


def _squares(kernel: Tensor) -> Tensor:
    return torch.linalg.vecdot(kernel, kernel).sum(dtype=torch.float64)


def _zeros(shape: int | tuple[()], like: Side) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64, device=like.device)
