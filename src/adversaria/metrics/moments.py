r"""Mean and covariance of a stream of features, in float64.

    μ = (1/n) Σ x_i,     S = Σ (x_i − μ)(x_i − μ)ᵀ,     Σ = S / (n − 1).

Two streams merge exactly: with δ = μ₂ − μ₁ and n = n₁ + n₂,

    μ = μ₁ + (n₂/n) δ,     S = S₁ + S₂ + (n₁ n₂ / n) δδᵀ.

S is kept, not Σ x xᵀ: raw second moments lose all digits of Σ where |μ| ≫ √Σ. A stream is folded in by blocks of
`ROWS` rows, whatever the sizes of its batches, so these change no bit; the term of δ is one more row of the block.

Source: Chan, Golub & LeVeque, Updating formulae and a pairwise algorithm for computing sample variances (1979),
http://i.stanford.edu/pub/cstr/reports/cs/tr/79/773/CS-TR-79-773.pdf
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, distributed

from adversaria.errors import MetricError
from adversaria.metrics.samples import ROWS, Features, matrix

PANEL = 256
"""Half of a symmetric or triangular matrix is worked on by panels of this many rows, or an eighth of all if that is
more. Eight panels save 7/16 of the products; narrower ones are multiplied more slowly."""


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
    >>> torch.equal(Moments.of(iter([x[:1], x[1:3], x[3:]])).scatter, whole.scatter)
    True
    """

    n: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, features: Features | Iterable[Features]) -> "Moments":
        """Moments of features (n, F), n ≥ 1, or of batches (b, F) one after another; beside these in O(F²) memory.

        Raises:
            MetricError: as for every metric: shape, NaN, infinities; batches of different widths; nothing at all.
        """
        stream = MomentStream()
        for batch in (features,) if isinstance(features, Tensor | np.ndarray) else features:
            stream.add(batch)
        return stream.moments()

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

    def all_reduce(self) -> "Moments":
        """Moments of the samples of all processes of `torch.distributed` together, the same on each; these moments
        where there is one process alone. Every process must call it. O(F²) memory, however many there are.

        Raises:
            MetricError: the processes have different numbers of features.
        """
        if not (distributed.is_available() and distributed.is_initialized()):
            return self
        width = len(self.mean)
        check_same_everywhere(width, f"the number of features, here {width}")
        home, device = self.mean.device, collective_device()
        sums = torch.cat([self.mean.new_tensor([self.n]), self.n * self.mean]).to(device)
        distributed.all_reduce(sums)
        n, mean = round(sums[0].item()), sums[1:] / sums[0]
        delta = self.mean.to(device) - mean
        scatter = torch.addr(self.scatter.to(device), delta, delta, alpha=self.n)
        distributed.all_reduce(scatter)
        return Moments(n, mean.to(home), scatter.to(home))

    @property
    def covariance(self) -> Tensor:
        """(F, F) Σ = S/(n − 1), unbiased.

        Raises:
            MetricError: fewer than two samples.
        """
        if self.n < 2:
            raise MetricError(f"a covariance needs at least 2 samples, got {self.n}")
        return self.scatter / (self.n - 1)


class MomentStream:
    """Moments in the making: `add` batches of any sizes, ask for `moments` at any time, go on.

    >>> stream = MomentStream()
    >>> for batch in torch.arange(12.0).reshape(3, 2, 2):
    ...     stream.add(batch)
    >>> stream.moments().n, stream.moments().mean
    (6, tensor([5., 6.], dtype=torch.float64))
    """

    def __init__(self) -> None:
        self._n = 0
        self._waiting = 0
        self._buffer = torch.empty(0, 0)  # row 0 for the term of δ, then the samples that wait to be folded in
        self._mean = self._upper = self._buffer

    def add(self, batch: Features) -> None:
        """One more batch (b, F), b ≥ 1.

        Raises:
            MetricError: shape, NaN, infinities, or another F than before.
        """
        x = matrix(batch, "features", 1)
        if not len(self._buffer):
            self._start(x)
        if x.shape[1] != len(self._mean):
            raise MetricError(f"a batch of {x.shape[1]} features came after batches of {len(self._mean)}")
        while len(x):
            rows, x = x.tensor_split([ROWS - 1 - self._waiting])
            self._buffer[1 + self._waiting :][: len(rows)] = rows
            self._waiting += len(rows)
            if self._waiting == ROWS - 1:
                self._n, self._mean = _fold(self._n, self._mean, self._upper, self._buffer)
                self._waiting = 0

    def moments(self) -> Moments:
        """Of everything that was added.

        Raises:
            MetricError: nothing was added.
        """
        if not len(self._buffer):
            raise MetricError("there are no features: the stream of batches is empty")
        upper = self._upper.clone()
        n, mean = _fold(self._n, self._mean, upper, self._buffer[: 1 + self._waiting].clone())
        return Moments(n, mean, _mirrored(upper))

    def _start(self, x: Tensor) -> None:
        width = x.shape[1]
        self._buffer = torch.empty(ROWS, width, dtype=torch.float64, device=x.device)
        self._mean = self._buffer.new_zeros(width)
        self._upper = self._buffer.new_zeros(width, width)


def _fold(n: int, mean: Tensor, upper: Tensor, rows: Tensor) -> tuple[int, Tensor]:
    """Merge samples, rows[1:], into n samples of this mean, and into their scatter, in place. Uses up the rows."""
    samples = rows[1:]
    if not len(samples):
        return n, mean
    whole = n + len(samples)
    own = samples.mean(0)
    samples -= own
    delta = own - mean
    rows[0] = math.sqrt(n * len(samples) / whole) * delta
    add_gram(upper, rows)
    return whole, mean + (len(samples) / whole) * delta


def add_gram(upper: Tensor, rows: Tensor) -> None:
    """upper += rowsᵀrows, in place and on and above the diagonal alone; what is below it is left undefined."""
    if upper.device.type == "cpu":
        from scipy.linalg.blas import dsyrk  # a fifth faster than panels; imported late, as few need it

        dsyrk(1.0, rows.numpy().T, beta=1.0, c=upper.numpy().T, lower=1, overwrite_c=1)
    else:
        add_panels(upper, rows)


def add_panels(upper: Tensor, rows: Tensor) -> None:
    """The same by matrix products alone, for devices without a symmetric update."""
    for part in panels(len(upper)):
        upper[part, part.start :].addmm_(rows[:, part].T, rows[:, part.start :])


def panels(width: int) -> list[slice]:
    """0..width in parts of `PANEL`, or an eighth."""
    size = max(PANEL, -(-width // 8))
    return [slice(start, min(start + size, width)) for start in range(0, width, size)]


def _mirrored(upper: Tensor) -> Tensor:
    """The symmetric matrix with this upper half; in place."""
    for part in panels(len(upper)):
        corner = upper[part, part]
        corner.copy_(corner.triu() + corner.triu(1).T)
        upper[part.stop :, part] = upper[part, part.stop :].T
    return upper


# --- processes -------------------------------------------------------------------------------------------------


def collective_device() -> torch.device:
    """Where tensors must lie to be reduced: NCCL works on GPUs alone."""
    return torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")


def check_same_everywhere(code: int, what: str) -> None:
    """Raise on every process unless all hold the same 63-bit code of `what`.

    Raises:
        MetricError: they do not.
    """
    ends = torch.tensor([code, -code], dtype=torch.int64, device=collective_device())
    distributed.all_reduce(ends, op=distributed.ReduceOp.MAX)
    if ends[0] != -ends[1]:
        raise MetricError(f"processes differ in {what}; all must measure in the same way")
