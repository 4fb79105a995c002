r"""The Fréchet distance between Gaussians fitted to two samples.

    d² = |μ₁ − μ₂|² + Tr Σ₁ + Tr Σ₂ − 2 Tr (Σ₁ Σ₂)^½,

the squared 2-Wasserstein distance of N(μ₁, Σ₁) and N(μ₂, Σ₂). On Inception features this is FID.

**The root, exactly.** For any factors Σ = B Bᵀ the last trace is the nuclear norm ‖B₁ᵀB₂‖_* = Σ_k s_k. Taken from
Σ₁Σ₂ directly, eigenvalues that should be 0 come out near 10⁻¹⁶ and their roots near 10⁻⁸, times F: that is where
other tools get negative distances from. Here

- with fewer samples than features on one side, B = centred samples / √(n − 1), and B₁ᵀB₂ is an n × m cross-Gram;
- otherwise B₁ is the Cholesky factor L of Σ₁ and s² are the eigenvalues of LᵀΣ₂L, if a bound on the rounding of
  their roots is small; if not, B = V √λ of the eigendecompositions, less the eigenvalues that are rounding, and s
  are singular values, which lose nothing.

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

from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.moments import Moments
from adversaria.metrics.samples import ROWS, Features, pair

ROUNDING = torch.finfo(torch.float64).eps
"""ε of float64."""

ACCEPTED = 1e-10
"""Largest bound on the rounding of Tr (Σ₁Σ₂)^½, relative to it, for which the Cholesky form is used."""

NEGLIGIBLE = 1e-9
"""Singular values below this share of their sum do not count in the standard error."""


def frechet_distance(fake: Features, real: Features) -> Estimate:
    """d² of Gaussians fitted to features, with its standard error. Never negative; 0 for equal samples.

    Arguments:
        fake: (n, F), n ≥ 2.
        real: (m, F), m ≥ 2.

    Computed in float64. Memory beside the features: O(F²), or O(n F) for the smaller side if it has fewer samples
    than features. Symmetric, and invariant to the order of samples and to rotations of the features.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, fewer than 2 samples on a side.

    >>> x = torch.tensor([[-1.0], [1.0]])
    >>> frechet_distance(x, x + 3).value
    9.0
    """
    fake, real = pair(fake, real)
    few = min(len(fake), len(real)) < fake.shape[1]
    parts = _by_samples(fake, real) if few else _by_moments(fake, real)
    variance = parts.fake.var() / len(fake) + parts.real.var() / len(real)
    n = (len(fake), len(real))
    return Estimate(parts.value, variance.sqrt().item(), n, "frechet_distance", _protocol(n, fake.shape[1]))


def frechet_distance_of_moments(fake: Moments, real: Moments) -> Estimate:
    """d² of Gaussians given by moments. Moments do not determine the standard error, so it is None.

    Raises:
        MetricError: different numbers of features, or fewer than 2 samples on a side.
    """
    value = frechet_distance_of_gaussians(fake.mean, fake.covariance, real.mean, real.covariance)
    n = (fake.n, real.n)
    return Estimate(value, None, n, "frechet_distance", _protocol(n, len(fake.mean)))


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
    root = _root(cov1, cov2)
    return _distance((mean1 - mean2).square().sum(), cov1.trace() + cov2.trace(), root)


def _distance(shift: Tensor, traces: Tensor, root: Tensor) -> float:
    return max((shift + traces - 2 * root).item(), 0.0)


def _protocol(n: tuple[int, int], width: int) -> Protocol:
    protocol: Protocol = {"estimator": "plug-in, biased upwards by about F/4 (1/n + 1/m) of Tr Σ", "dimensions": width}
    if min(n) <= width:
        protocol["notes"] = [
            f"frechet_distance: {n[0]} fake and {n[1]} real samples for {width} dimensions; a covariance is singular "
            f"and the bias is large, so compare only at these sample sizes (wanted: {10 * width} or more)"
        ]
    return protocol


class _Parts(NamedTuple):
    """The distance, and the influence of each sample on it (up to a constant)."""

    value: float
    fake: Tensor
    real: Tensor


# --- few samples: through the cross-Gram ----------------------------------------------------------------------


def _by_samples(fake: Tensor, real: Tensor) -> _Parts:
    if len(fake) > len(real):
        value, first, second = _by_samples(real, fake)
        return _Parts(value, second, first)
    few_mean, many_mean = fake.mean(0, dtype=torch.float64), real.mean(0, dtype=torch.float64)
    few, delta = fake.double() - few_mean, few_mean - many_mean
    spread = len(fake) - 1
    spectrum, left, many_trace = _cross_gram(few / spread**0.5, real, many_mean)
    squares = few.square().sum(1)
    value = _distance(delta.square().sum(), squares.sum() / spread + many_trace, spectrum.sum())

    # x_i = √(n−1) B₁ e_i, hence x_iᵀ A x_i = (n−1) (U s Uᵀ)_ii: no inverse, no second pass over the many.
    few_influence = 2 * (few @ delta) + squares - spread * (left.square() @ spectrum)
    carrier, kept = _well_determined((few.T @ left) / spread**0.5, spectrum)
    return _Parts(value, few_influence, _influence(real, many_mean, -delta, carrier / kept.sqrt()))


def _cross_gram(factor: Tensor, many: Tensor, mean: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """s (k,), U (n, k) of B₁ᵀB₂ = U s Vᵀ, and Tr Σ₂, for B₁ᵀ = factor (n, F) and the centred many (m, F)."""
    scale = (len(many) - 1) ** -0.5
    trace, reduced = factor.new_zeros(()), factor.new_empty(0, len(factor))
    for rows in many.split(ROWS):
        centred = scale * (rows.double() - mean)
        trace += centred.square().sum()
        reduced = torch.cat([reduced, centred @ factor.T])
        if len(reduced) > 2 * len(factor):  # the R of a QR decomposition keeps s and U, whatever m is
            reduced = torch.linalg.qr(reduced, mode="r").R
    _, spectrum, right = torch.linalg.svd(reduced, full_matrices=False)
    return spectrum, right.T, trace


# --- many samples: through moments ----------------------------------------------------------------------------


def _by_moments(fake: Tensor, real: Tensor) -> _Parts:
    first, second = Moments.of(fake), Moments.of(real)
    cov1, cov2 = first.covariance, second.covariance
    coupling = _couple(cov1, cov2)
    delta = first.mean - second.mean
    value = _distance(delta.square().sum(), cov1.trace() + cov2.trace(), coupling.spectrum.sum())

    carrier, spectrum = _well_determined(*coupling)
    to_fake = carrier / spectrum.sqrt()
    to_real = cov2 @ to_fake / spectrum  # B₂V = Σ₂B₁U/s
    return _Parts(value, _influence(fake, first.mean, delta, to_real), _influence(real, second.mean, -delta, to_fake))


class _Coupling(NamedTuple):
    """B₁ᵀB₂ = U s Vᵀ, as B₁U (F, k) and s (k,)."""

    carrier: Tensor
    spectrum: Tensor


def _couple(cov1: Tensor, cov2: Tensor) -> _Coupling:
    if (lower := _cholesky(cov1)) is not None:
        squares, u = torch.linalg.eigh(lower.T @ cov2 @ lower)
        if _precise(squares):
            return _Coupling(lower @ u, squares.sqrt())
    factor = _factor(cov1)
    u, spectrum, _ = torch.linalg.svd(factor.T @ _factor(cov2), full_matrices=False)
    return _Coupling(factor @ u, spectrum)


def _root(cov1: Tensor, cov2: Tensor) -> Tensor:
    """Tr (Σ₁Σ₂)^½ (): the sum of s, without the vectors, which take three times as long."""
    if (lower := _cholesky(cov1)) is not None:
        squares = torch.linalg.eigvalsh(lower.T @ cov2 @ lower)
        if _precise(squares):
            return squares.sqrt().sum()
    return torch.linalg.svdvals(_factor(cov1).T @ _factor(cov2)).sum()


def _cholesky(covariance: Tensor) -> Tensor | None:
    lower, failed = torch.linalg.cholesky_ex(covariance)
    return None if failed else lower


def _precise(squares: Tensor) -> bool:
    """Whether the sum of roots of eigenvalues (ascending) is exact enough: each is known to ε·max, its root to that
    over twice the root."""
    if squares[0] <= 0:
        return False
    error = ROUNDING * squares[-1] * 0.5 * squares.rsqrt().sum()
    return bool(error <= ACCEPTED * squares.sqrt().sum())


def _factor(covariance: Tensor) -> Tensor:
    """B (F, r) with B Bᵀ = Σ, where r leaves out the eigenvalues that rounding cannot tell from 0."""
    eigenvalues, vectors = torch.linalg.eigh(covariance)
    kept = eigenvalues > len(eigenvalues) * ROUNDING * eigenvalues[-1]
    return vectors[:, kept] * eigenvalues[kept].sqrt()


# --- the standard error ---------------------------------------------------------------------------------------


def _well_determined(carrier: Tensor, spectrum: Tensor) -> _Coupling:
    """Without the directions whose share in xᵀAx (its mean is Σ s) is below `NEGLIGIBLE` and mostly rounding."""
    kept = spectrum > NEGLIGIBLE * spectrum.sum()
    return _Coupling(carrier[:, kept], spectrum[kept])


def _influence(x: Tensor, mean: Tensor, delta: Tensor, to_other: Tensor) -> Tensor:
    """ψ (n,) of the samples x (n, F) of one side; `delta` is its mean less the other's, A = to_other to_otherᵀ.

    xᵀAx is taken in the precision of the features: an error needs no more.
    """
    parts, narrow = [], to_other.to(x.dtype)
    for rows in x.split(ROWS):
        centred = rows.double() - mean
        carried = (centred.to(x.dtype) @ narrow).double()
        parts.append(2 * (centred @ delta) + centred.square().sum(1) - carried.square().sum(1))
    return torch.cat(parts)
