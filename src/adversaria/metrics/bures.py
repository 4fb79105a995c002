r"""The distance between two Gaussians by optimal transport, and the influence of each sample on it.

    d² = |μ₁ − μ₂|² + Tr Σ₁ + Tr Σ₂ − 2 Tr (Σ₁ Σ₂)^½

**The root, exactly.** For any factors Σ = B Bᵀ the last trace is the nuclear norm ‖B₁ᵀB₂‖_* = Σ_k s_k. Taken from
Σ₁Σ₂ directly, eigenvalues that should be 0 come out near 10⁻¹⁶ and their roots near 10⁻⁸, times F: that is where
other tools get negative distances from. Here

- with fewer samples than features on one side, B₁ is made of them: n − 1 orthonormal contrasts of the samples, over
  √(n − 1). (The n centred samples make B₁ as well, but as they sum to 0, one s would be 0 and its root rounding.)
- otherwise B₁ is the Cholesky factor L of Σ₁;
- s² are the eigenvalues of B₁ᵀΣ₂B₁, if a bound on the rounding of their roots is small; if not, B = V √λ of the
  eigendecompositions, less the eigenvalues that are rounding, and s are singular values, which lose nothing.

**The influence** of a sample x of side 1, up to a constant,

    ψ₁(x) = 2 (μ₁ − μ₂)·(x − μ₁) + |x − μ₁|² − (x − μ₁)ᵀ A (x − μ₁),

where A = Σ₁^{−½} (Σ₁^½ Σ₂ Σ₁^½)^½ Σ₁^{−½} is the optimal transport map from N(0, Σ₁) to N(0, Σ₂) (½A is the gradient
of Tr (Σ₁Σ₂)^½ in Σ₁), and on the other side its inverse. With B₁ᵀB₂ = U s Vᵀ: A = W Wᵀ, W = B₂ V s^{−½}.

Source: Bhatia, Jain & Lim, On the Bures-Wasserstein distance between positive definite matrices (2019),
https://doi.org/10.1016/j.exmath.2018.01.002
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.metrics.gaussian import ROUNDING, Gaussian
from adversaria.metrics.moments import Moments, add_gram
from adversaria.metrics.samples import ROWS

ACCEPTED = 1e-10
"""Largest bound on the rounding of Tr (Σ₁Σ₂)^½, relative to it, for which roots of eigenvalues are used."""

NEGLIGIBLE = 1e-9
"""Singular values below this share of their sum do not count in the influence."""


# --- the value ------------------------------------------------------------------------------------------------


def distance(first: Gaussian, second: Gaussian) -> float:
    """d² without the vectors of the root, which take three times as long; factors are those of the second."""
    spectrum = None
    for base, other in ((second, first), (first, second)):  # where one is singular, its factor is the narrower
        squares = torch.linalg.eigvalsh(base.pull(other.covariance))
        if _precise(squares):
            spectrum = squares.sqrt()
            break
    if spectrum is None:
        spectrum = torch.linalg.svdvals(second.factor.T @ first.factor)
    return _sum(first.mean - second.mean, first.trace + second.trace, spectrum)


def _sum(shift: Tensor, traces: Tensor, spectrum: Tensor) -> float:
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


def measured(samples: Tensor, other: Opposite) -> Parts:
    """d² of samples (n, F) from the other side, best the one with more samples."""
    return (_by_samples if len(samples) < samples.shape[1] else _by_moments)(samples, other)


# --- few samples: through the cross-Gram ----------------------------------------------------------------------


def _by_samples(few: Tensor, other: Opposite) -> Parts:
    mean, spread = few.mean(0, dtype=torch.float64), len(few) - 1
    centred = few.double() - mean
    basis = _contrasts(centred).T / spread**0.5
    law = _seen(other)
    pulled, trace = law.pulled(basis)
    coupling = _couple(basis, pulled, lambda: (basis, law.projection(basis)))
    squares, delta = centred.square().sum(1), mean - law.mean
    value = _sum(delta, squares.sum() / spread + trace, coupling.spectrum)

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


def _seen(other: Opposite) -> "_Known | _Many":
    if other.law is not None:
        return _Known(other.law)
    assert other.samples is not None
    return _Many(other.samples)


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
    own, known = fitted(samples), other.law
    if known is None:
        assert other.samples is not None
        known = fitted(other.samples)
    coupling = _couple(known.base, known.pull(own.covariance), lambda: (known.factor, known.factor.T @ own.factor))
    delta = own.mean - known.mean
    value = _sum(delta, own.trace + known.trace, coupling.spectrum)

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


# --- the influence ---------------------------------------------------------------------------------------------


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
    steepness = slope.abs().max().clamp(min=torch.finfo(torch.float64).tiny)  # products of float32 reach 10³⁸ alone
    narrow, line, parts = to_other.to(x.dtype), (slope / steepness).to(x.dtype), []
    for rows in x.split(ROWS):
        y = rows - centre
        own, carried = (torch.linalg.vector_norm(z, dim=1, dtype=torch.float64).square() for z in (y, y @ narrow))
        parts.append(steepness * (y @ line).double() + own - carried)
    return torch.cat(parts)
