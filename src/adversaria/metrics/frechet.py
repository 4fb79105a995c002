r"""The Fréchet distance between Gaussians fitted to two samples.

    d² = |μ₁ − μ₂|² + Tr Σ₁ + Tr Σ₂ − 2 Tr (Σ₁ Σ₂)^½,

the squared 2-Wasserstein distance of N(μ₁, Σ₁) and N(μ₂, Σ₂). On Inception features this is FID.

**The root, exactly.** For any factors Σ = B Bᵀ the last trace is the nuclear norm ‖B₁ᵀB₂‖_* = Σ_k s_k. Taken from
Σ₁Σ₂ directly, eigenvalues that should be 0 come out near 10⁻¹⁶ and their roots near 10⁻⁸, times F: that is where
other tools get negative distances from. Here

- with fewer samples than features on one side, B₁ = centred samples / √(n − 1), written in n − 1 orthogonal contrasts
  of them, which cannot all be independent of each other otherwise;
- otherwise B₁ is the Cholesky factor L of Σ₁;
- s² are the eigenvalues of B₁ᵀΣ₂B₁, if a bound on the rounding of their roots is small; if not, B = V √λ of the
  eigendecompositions, less the eigenvalues that are rounding, and s are singular values, which lose nothing.

**Its standard error**, to first order, by the influence of a sample x of side 1 on d²:

    ψ₁(x) = 2 (μ₁ − μ₂)·(x − μ₁) + |x − μ₁|² − (x − μ₁)ᵀ A (x − μ₁) + constant,
    se²   = Var ψ₁ / n + Var ψ₂ / m,

where A = Σ₁^{−½} (Σ₁^½ Σ₂ Σ₁^½)^½ Σ₁^{−½} is the optimal transport map from N(0, Σ₁) to N(0, Σ₂) (½A is the gradient
of Tr (Σ₁Σ₂)^½ in Σ₁), and on the other side its inverse. With B₁ᵀB₂ = U s Vᵀ: A = W Wᵀ, W = B₂ V s^{−½}.

The error is the infinitesimal jackknife. Far from equality it is exact as n grows. As the two laws approach, ψ tends
to 0 and d² becomes a quadratic form of the fluctuations, whose variance the jackknife counts twice: at equality the
error is too large by √2, and in between by less. It errs on the safe side.

**Bias.** d² of samples exceeds d² of the laws, and the error does not contain that. For equal laws N(μ, v I), n and m
large, E d² ≈ v F (F + 5)/4 · (1/n + 1/m): with n = m = 10 F, one twentieth of the features' whole variance F v.
Compare only at equal sample sizes.

Sources: Dowson & Landau, The Fréchet distance between multivariate normal distributions (1982),
https://doi.org/10.1016/0047-259X(82)90077-X; Heusel et al., GANs trained by a two time-scale update rule (2017),
https://arxiv.org/abs/1706.08500; Efron & Stein, The jackknife estimate of variance (1981),
https://doi.org/10.1214/aos/1176345462
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.gaussian import ROUNDING, Gaussian
from adversaria.metrics.moments import Moments, add_gram
from adversaria.metrics.samples import ROWS, Features, matrix, pair
from adversaria.metrics.statistics import Statistics

ACCEPTED = 1e-10
"""Largest bound on the rounding of Tr (Σ₁Σ₂)^½, relative to it, for which roots of eigenvalues are used."""

NEGLIGIBLE = 1e-9
"""Singular values below this share of their sum do not count in the standard error."""

Side = Features | Statistics
"""Features (n, F), or what was kept of them."""


def frechet_distance(fake: Side, real: Side) -> Estimate:
    """d² of Gaussians fitted to two sides. Never negative; 0 for equal samples.

    Arguments:
        fake: features (n, F), n ≥ 2, or their `Statistics`.
        real: features (m, F), m ≥ 2, or their `Statistics`.

    What is given decides what can be known. Of features on both sides, the standard error is that of both samplings.
    Against statistics, it is that of the features' sampling alone, given the statistics, which a note says. Of
    statistics on both sides there is none, and the distance takes half the time: this is the form for when only the
    value is wanted. Statistics keep their factor, so a second distance from the same ones is cheaper again.

    Computed in float64. Memory beside the features: O(F²), or O(n F) for the smaller side if it has fewer samples
    than features. Symmetric, and invariant to the order of samples and to rotations of the features.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, fewer than 2 samples on a side, statistics of features
            that were made by different protocols.

    >>> x = torch.tensor([[-1.0], [1.0]])
    >>> frechet_distance(x, x + 3).value
    9.0
    >>> print(frechet_distance(Statistics.of(x, protocol={}), Statistics.of(x + 3, protocol={})))
    9
    """
    if isinstance(fake, Statistics) and isinstance(real, Statistics):
        return _between(fake, real)
    fake, real = sides(fake, real)
    if isinstance(real, Tensor) and (isinstance(fake, Statistics) or len(real) < len(fake)):
        parts = measured(real, opposite(fake))
    else:
        assert isinstance(fake, Tensor)
        parts = measured(fake, opposite(real))
    variance = sum(influence.var().item() / len(influence) for influence in parts[1:] if influence is not None)
    return estimated(parts.value, math.sqrt(variance), fake, real)


def frechet_distance_of_moments(fake: Moments, real: Moments) -> Estimate:
    """d² of Gaussians given by moments. Moments do not determine the standard error, so it is None.

    Raises:
        MetricError: different numbers of features, or fewer than 2 samples on a side.
    """
    return _between(Statistics.of_moments(fake, protocol={}), Statistics.of_moments(real, protocol={}))


def frechet_distance_of_gaussians(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """d² of N(mean1, cov1) and N(mean2, cov2): means (F,), covariances (F, F), singular ones included.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities.

    >>> I = torch.eye(5)
    >>> round(frechet_distance_of_gaussians(torch.zeros(5), I, torch.ones(5), 4 * I), 12)
    10.0
    """
    width = mean1.shape[0]
    if mean2.shape != (width,) or cov1.shape != (width, width) or cov2.shape != (width, width):
        raise MetricError(
            f"expected means (F,) and covariances (F, F) of one F, got {tuple(mean1.shape)}, {tuple(cov1.shape)}, "
            f"{tuple(mean2.shape)}, {tuple(cov2.shape)}"
        )
    mean1, cov1, mean2, cov2 = mean1.double(), cov1.double(), mean2.double(), cov2.double()
    if not all(part.isfinite().all() for part in (mean1, cov1, mean2, cov2)):
        raise MetricError("a mean or covariance has NaN or infinite entries")
    return _distance_of(Gaussian(mean1, cov1), Gaussian(mean2, cov2))


# --- both sides, checked --------------------------------------------------------------------------------------


def sides(fake: Side, real: Side) -> tuple[Tensor | Statistics, Tensor | Statistics]:
    """Both, features checked and statistics on their device; at most one is statistics."""
    if not isinstance(fake, Statistics) and not isinstance(real, Statistics):
        return pair(fake, real)
    if isinstance(fake, Statistics):
        x = matrix(real, "real", 2)
        return fake.beside(x, "real"), x
    x = matrix(fake, "fake", 2)
    return x, real.beside(x, "fake")


def _between(fake: Statistics, real: Statistics) -> Estimate:
    fake.check_comparable(real)
    return estimated(_distance_of(fake.gaussian, real.to(fake.mean.device).gaussian), None, fake, real)


def estimated(value: float, se: float | None, fake: Tensor | Statistics, real: Tensor | Statistics) -> Estimate:
    """The number with its protocol and notes."""
    width = real.shape[1] if isinstance(real, Tensor) else len(real.mean)
    protocol: Protocol = {"estimator": "plug-in, biased upwards by about F/4 (1/n + 1/m) of Tr Σ", "dimensions": width}
    notes = []
    for side in (fake, real):
        if isinstance(side, Statistics):
            protocol = side.protocol | protocol
            notes += [f"frechet_distance: {note}" for note in side.notes]
    if isinstance(fake, Statistics) != isinstance(real, Statistics):
        given = "fakes" if isinstance(fake, Statistics) else "reals"
        notes.append(f"frechet_distance: the error does not contain the sampling of the {given}, given as statistics")
    n = (_size(fake), _size(real))
    if min(size or math.inf for size in n) <= width:
        notes.append(
            f"frechet_distance: {n[0]} fake and {n[1]} real samples for {width} dimensions; a covariance is singular "
            f"and the bias is large, so compare only at these sample sizes (wanted: {10 * width} or more)"
        )
    return Estimate(value, se, n, "frechet_distance", protocol | ({"notes": notes} if notes else {}))


def _size(side: Tensor | Statistics) -> int:
    return (side.n or 0) if isinstance(side, Statistics) else len(side)


# --- the value ------------------------------------------------------------------------------------------------


def _distance_of(first: Gaussian, second: Gaussian) -> float:
    """d² without the vectors of the root, which take three times as long; factors are those of the second."""
    squares = torch.linalg.eigvalsh(second.pull(first.covariance))
    if _precise(squares):
        spectrum = squares.sqrt()
    else:
        spectrum = torch.linalg.svdvals(second.factor.T @ first.factor)
    return _distance(first.mean - second.mean, first.trace + second.trace, spectrum)


def _distance(shift: Tensor, traces: Tensor, spectrum: Tensor) -> float:
    return max((shift.square().sum() + traces - 2 * spectrum.sum()).item(), 0.0)


def _precise(squares: Tensor) -> bool:
    """Whether the sum of roots of eigenvalues (ascending) is exact enough: each is known to ε·max, its root to that
    over twice the root."""
    if not len(squares):  # all features are constant
        return True
    if squares[0] <= 0:
        return False
    error = ROUNDING * squares[-1] * 0.5 * squares.rsqrt().sum()
    return bool(error <= ACCEPTED * squares.sqrt().sum())


class _Coupling(NamedTuple):
    """B₁ᵀB₂ = U s Vᵀ, as B₁U (F, k), s (k,) and U (r, k)."""

    carrier: Tensor
    spectrum: Tensor
    left: Tensor


def _couple(basis: Tensor, pulled: Tensor, exact: Callable[[], tuple[Tensor, Tensor]]) -> _Coupling:
    """From B₁ and B₁ᵀΣ₂B₁ (its lower half), or from `exact()` = B₁ and B₁ᵀB₂ where roots of eigenvalues lose digits."""
    squares, left = torch.linalg.eigh(pulled)
    if _precise(squares):
        return _Coupling(basis @ left, squares.sqrt(), left)
    basis, projection = exact()
    left, spectrum, _ = torch.linalg.svd(projection, full_matrices=False)
    return _Coupling(basis @ left, spectrum, left)


# --- the value, and the influence of each sample --------------------------------------------------------------


class Opposite(NamedTuple):
    """The side that samples are measured against: its own samples, or the law fitted to them, or both."""

    samples: Tensor | None
    law: Gaussian | None


class Parts(NamedTuple):
    """The distance, and the influence of each sample on it (up to a constant); None where there are no samples."""

    value: float
    own: Tensor
    other: Tensor | None


def opposite(side: Tensor | Statistics) -> Opposite:
    """What is at hand of a side."""
    return Opposite(None, side.gaussian) if isinstance(side, Statistics) else Opposite(side, None)


def measured(samples: Tensor, other: Opposite) -> Parts:
    """d² of samples (n, F) from the other side, best the one with more samples."""
    return (_by_samples if len(samples) < samples.shape[1] else _by_moments)(samples, other)


# --- few samples: through the cross-Gram ----------------------------------------------------------------------


def _by_samples(few: Tensor, other: Opposite) -> Parts:
    mean, spread = few.mean(0, dtype=torch.float64), len(few) - 1
    centred = few.double() - mean
    basis = _contrasts(centred).T / spread**0.5
    law = _Many(other.samples) if other.law is None else _Known(other.law)
    pulled, trace = law.pulled(basis)
    coupling = _couple(basis, pulled, lambda: (basis, law.projection(basis)))
    squares, delta = centred.square().sum(1), mean - law.mean
    value = _distance(delta, squares.sum() / spread + trace, coupling.spectrum)

    # x_i = √(n−1) B₁ e_i, hence x_iᵀ A x_i = (n−1) (U s Uᵀ)_ii: no inverse, no second pass over the many.
    quadratic = spread * (_from_contrasts(coupling.left).square() @ coupling.spectrum)
    of_few = 2 * (centred @ delta) + squares - quadratic
    if other.samples is None:
        return Parts(value, of_few, None)
    carrier, spectrum, _ = _well_determined(coupling)
    return Parts(value, of_few, _influence(other.samples, law.mean, -delta, carrier / spectrum.sqrt()))


def _contrasts(x: Tensor) -> Tensor:
    """H x (n − 1, F): Helmert's orthonormal contrasts, (Σ_{i≤k} x_i − k x_{k+1}) / √(k(k+1)). HᵀH centres."""
    k = torch.arange(1, len(x), dtype=x.dtype, device=x.device)[:, None]
    return (x.cumsum(0)[:-1] - k * x[1:]) / (k * (k + 1)).sqrt()


def _from_contrasts(v: Tensor) -> Tensor:
    """Hᵀ v (n, k)."""
    k = torch.arange(1, len(v) + 1, dtype=v.dtype, device=v.device)[:, None]
    weighted, zero = v / (k * (k + 1)).sqrt(), v.new_zeros(1, v.shape[1])
    return torch.cat([weighted.flip(0).cumsum(0).flip(0), zero]) - torch.cat([zero, k * weighted])


class _Known:
    """A Gaussian on the other side of few samples."""

    def __init__(self, law: Gaussian) -> None:
        self.law, self.mean = law, law.mean

    def pulled(self, basis: Tensor) -> tuple[Tensor, Tensor]:
        """B₁ᵀΣ₂B₁ (r, r) and Tr Σ₂."""
        return basis.T @ (self.law.covariance @ basis), self.law.trace

    def projection(self, basis: Tensor) -> Tensor:
        """B₁ᵀB₂ (r, r₂)."""
        return basis.T @ self.law.factor


class _Many:
    """Samples (m, F) on the other side of few: Σ₂ is not made of them, only what the few can see of it."""

    def __init__(self, samples: Tensor) -> None:
        self.samples = samples
        self.mean = samples.mean(0, dtype=torch.float64)
        self._scale = (len(samples) - 1) ** -0.5

    def pulled(self, basis: Tensor) -> tuple[Tensor, Tensor]:
        """B₁ᵀΣ₂B₁ (r, r), its lower half alone, and Tr Σ₂."""
        found, trace = basis.new_zeros(basis.shape[1], basis.shape[1]), basis.new_zeros(())
        for rows in self._centred():
            trace += torch.linalg.vector_norm(rows).square()
            seen = rows @ basis
            add_gram(found, seen)
        return found.T, trace

    def projection(self, basis: Tensor) -> Tensor:
        """(r, ≤ 2r) with the singular values and left vectors of B₁ᵀB₂, B₂ the samples."""
        reduced = basis.new_empty(0, basis.shape[1])
        for rows in self._centred():
            reduced = torch.cat([reduced, rows @ basis])
            if len(reduced) > 2 * basis.shape[1]:  # the R of a QR decomposition keeps both, whatever m is
                reduced = torch.linalg.qr(reduced, mode="r").R
        return reduced.T

    def _centred(self) -> Iterator[Tensor]:
        """By blocks of rows, over √(m − 1)."""
        for rows in self.samples.split(ROWS):
            yield (rows.double() - self.mean).mul_(self._scale)


# --- many samples: through moments ----------------------------------------------------------------------------


def _by_moments(samples: Tensor, other: Opposite) -> Parts:
    own, known = fitted(samples), other.law or fitted(other.samples)
    coupling = _couple(known.base, known.pull(own.covariance), lambda: (known.factor, known.factor.T @ own.factor))
    delta = own.mean - known.mean
    value = _distance(delta, own.trace + known.trace, coupling.spectrum)

    carrier, spectrum, _ = _well_determined(coupling)
    to_other = carrier / spectrum.sqrt()
    influence = _influence(samples, own.mean, delta, to_other)
    if other.samples is None:
        return Parts(value, influence, None)
    to_own = own.covariance @ to_other / spectrum  # B₁V = Σ₁B₂U/s
    return Parts(value, influence, _influence(other.samples, known.mean, -delta, to_own))


def fitted(samples: Tensor) -> Gaussian:
    """The Gaussian with their mean and covariance."""
    moments = Moments.of(samples)
    return Gaussian(moments.mean, moments.covariance)


# --- the standard error ---------------------------------------------------------------------------------------


def _well_determined(coupling: _Coupling) -> _Coupling:
    """Without the directions whose share in xᵀAx (its mean is Σ s) is below `NEGLIGIBLE` and mostly rounding."""
    carrier, spectrum, left = coupling
    kept = spectrum > NEGLIGIBLE * spectrum.sum()
    return _Coupling(carrier[:, kept], spectrum[kept], left[:, kept])


def _influence(x: Tensor, mean: Tensor, delta: Tensor, to_other: Tensor) -> Tensor:
    """ψ (n,) of the samples x (n, F) of one side; `delta` is its mean less the other's, A = to_other to_otherᵀ.

    In the precision of the features, as an error needs no more: with y = x − c and e = μ − c, where c is the mean in
    that precision,

        ψ = 2 (δ − e + A e)·y + |y|² − yᵀAy + constant.
    """
    centre = mean.to(x.dtype)
    off = mean - centre.double()
    slope = 2 * (delta - off + to_other @ (off @ to_other))
    narrow, line, parts = to_other.to(x.dtype), slope.to(x.dtype), []
    for rows in x.split(ROWS):
        y = rows - centre
        own, carried = (torch.linalg.vector_norm(z, dim=1, dtype=torch.float64).square() for z in (y, y @ narrow))
        parts.append((y @ line).double() + own - carried)
    return torch.cat(parts)
