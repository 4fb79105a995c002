r"""The Vendi score: how many different samples there are, in effect. It needs no reference.

    VS_q = (Σ_k λ_k^q)^{1/(1−q)},      VS_1 = exp(−Σ_k λ_k log λ_k),      VS_∞ = 1/max λ,

λ the eigenvalues of K/n, K_ij = k(x_i, x_j) similarities with k(x, x) = 1: the exponential of the Rényi entropy of
order q of the spectrum. It is n for samples that have nothing in common, 1 for equal ones. Orders below 1 count rare
kinds for more, above 1 for less.

**The dual.** With k(x, y) = x·y of unit vectors, the cosine similarity, the eigenvalues other than 0 are those of the
F × F matrix (1/n) Σ x xᵀ, so the cost does not grow as n³. Other kernels need the n × n matrix.

**Its standard error** is the infinitesimal jackknife. With feature vectors φ, |φ| = 1, and ρ = (1/n) Σ φφᵀ,

    log VS_1 has the influence  −φᵀ(log ρ)φ − log VS_1,      log VS_q  that of  q/(1−q) (φᵀρ^{q−1}φ / Tr ρ^q − 1).

**Bias.** The score of a sample is below that of its law, the more the fewer samples there are for its dimensions: it is
at most n. Compare only at equal sizes. It says nothing of quality: noise scores highest.

Sources: Friedman & Dieng, The Vendi score: a diversity evaluation metric for machine learning (2023),
https://arxiv.org/abs/2210.02410; Pasarkar & Dieng, Cousins of the Vendi score (2024), https://arxiv.org/abs/2310.12952
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.samples import ROWS, Features, matrix

Kernel = Callable[[Tensor, Tensor], Tensor]
"""(n, F), (m, F) → (n, m), positive definite."""

WANTED = 10.0
"""A sample should hold so many times as many samples as it has kinds in effect."""


def vendi_score(samples: Features, kernel: Kernel | None = None, *, order: float = 1.0) -> Estimate:
    """The Vendi score of order q of one sample, n = (n, 0).

    Arguments:
        samples: (n, F), n ≥ 1.
        kernel: similarities; they are divided by the root of k(x, x) k(y, y). None: the cosine of features as they
            are, not centred, as published.
        order: q, positive, ∞ included.

    Computed in float64. Memory: F² with the cosine where n > F, else n². Invariant to the order of samples.

    Raises:
        MetricError: shape, NaN or infinities; a sample of norm 0 with the cosine; similarities that are not finite, not
            symmetric or not positive definite; an order that is not positive.

    >>> round(vendi_score(torch.eye(5)).value, 6), round(vendi_score(torch.ones(5, 3)).value, 6)
    (5.0, 1.0)
    """
    x = matrix(samples, "samples", 1)
    if kernel is not None:
        return _estimate(*_primal(_normalised(_similarities(x, kernel))), len(x), order, _named(kernel))
    norms = torch.cat([rows.double().norm(dim=1) for rows in x.split(ROWS)])
    if not norms.all():
        raise MetricError(f"sample {(norms == 0).nonzero()[0].item()} has norm 0 and no direction; use a kernel")
    spectrum = _dual(x, norms) if len(x) > x.shape[1] else _primal(_gram(x, norms))
    return _estimate(*spectrum, len(x), order, "cosine")


def vendi_score_of_similarities(similarities: Features, *, order: float = 1.0) -> Estimate:
    """The Vendi score of order q from K (n, n), symmetric and positive definite with a positive diagonal.

    Raises:
        MetricError: it is not, or has NaN or infinities, or the order is not positive.

    >>> K = torch.tensor([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    >>> round(vendi_score_of_similarities(K).value, 4)
    2.1573
    """
    k = matrix(similarities, "similarities", 1).double()
    return _estimate(*_primal(_normalised(k)), len(k), order, "given")


def _estimate(values: Tensor, shares: Tensor, n: int, order: float, kernel: str) -> Estimate:
    """From the spectrum λ (k,) and the squared parts (φ_i·v_k)² (n, k) of samples along its vectors."""
    if not order > 0:
        raise MetricError(f"order must be positive, got {order}")
    if values[0] < -1e-6 * values[-1]:
        raise MetricError(
            f"similarities must be positive definite, their least eigenvalue over n is {values[0].item():.3g}"
        )
    kept = values > len(values) * torch.finfo(torch.float64).eps * values[-1]
    values, shares = values[kept] / values[kept].sum(), shares[:, kept]
    logarithm, influence = _entropy(values, shares, order)
    score = math.exp(logarithm)
    se = score * influence.std().item() / math.sqrt(n) if n > 1 else None
    protocol: Protocol = {"kernel": kernel, "order": float(order)}
    if score * WANTED > n:
        wanted = math.ceil(score * WANTED)
        protocol["notes"] = [
            f"vendi: {n} samples of {score:.4g} kinds in effect; the score is limited by the sample size, so compare "
            f"only at this size (wanted: {wanted} or more)"
        ]
    return Estimate(score, se, (n, 0), "vendi", protocol)


def _entropy(values: Tensor, shares: Tensor, order: float) -> tuple[float, Tensor]:
    """log VS and its influence (n,), up to a constant."""
    if order == 1:
        return -torch.xlogy(values, values).sum().item(), -(shares @ values.log())
    if math.isinf(order):
        return -values[-1].log().item(), -shares[:, -1] / values[-1]
    scaled = values / values[-1]  # so that no power underflows
    total = scaled.pow(order).sum()
    logarithm = (order * values[-1].log() + total.log()) / (1 - order)
    return logarithm.item(), order / (1 - order) * (shares @ scaled.pow(order - 1)) / (values[-1] * total)


def _primal(k: Tensor) -> tuple[Tensor, Tensor]:
    """K/n = U λ Uᵀ: φ_i·v_k = √(n λ_k) U_ik."""
    values, vectors = torch.linalg.eigh(k / len(k))
    return values, vectors.square() * (len(k) * values.clamp(min=0))


def _dual(x: Tensor, norms: Tensor) -> tuple[Tensor, Tensor]:
    second = torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64, device=x.device)
    for rows in _unit_rows(x, norms):
        second.addmm_(rows.T, rows)
    values, vectors = torch.linalg.eigh(second / len(x))
    return values, torch.cat([(rows @ vectors).square() for rows in _unit_rows(x, norms)])


def _unit_rows(x: Tensor, norms: Tensor) -> list[Tensor] | map:
    return map(lambda part: part[0].double() / part[1][:, None], zip(x.split(ROWS), norms.split(ROWS), strict=True))


def _gram(x: Tensor, norms: Tensor) -> Tensor:
    unit = x.double() / norms[:, None]
    return unit @ unit.T


def _similarities(x: Tensor, kernel: Kernel) -> Tensor:
    y = x.double()
    return torch.cat([kernel(rows, y) for rows in y.split(ROWS)])


def _normalised(k: Tensor) -> Tensor:
    if k.shape != (len(k), len(k)) or not k.isfinite().all():
        raise MetricError(f"similarities must be finite and of shape (n, n), got {tuple(k.shape)}")
    own = k.diagonal()
    if not (own > 0).all():
        raise MetricError(f"a sample must have a positive similarity to itself, {own.argmin().item()} has {own.min()}")
    k = k.double() / (own[:, None] * own[None, :]).double().sqrt()
    if (k - k.T).abs().max() > 1e-6:
        raise MetricError("similarities must be symmetric")
    return (k + k.T) / 2


def _named(kernel: Kernel) -> str:
    return getattr(kernel, "__name__", None) or str(kernel)
