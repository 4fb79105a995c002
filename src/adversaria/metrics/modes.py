r"""Mode coverage: what a generator made of a mixture whose components are known.

For a mixture of M equally likely Gaussians N(c_k, σ² I_d), each point x belongs to its nearest centre, at distance r.
It is of *high quality* if r ≤ 4 σ.

    modes          how many centres have at least one point of high quality
    high_quality   their share of all points
    divergence     JS(p, u) = ½ Σ p_k log(p_k / m_k) + ½ Σ u_k log(u_k / m_k),  m = (p + u)/2,  in nats,
                   of the histogram p of **all** points over nearest centres, against the uniform u = 1/M;
                   0 if uniform, at most log 2. (Its root is the Jensen-Shannon distance.)
    spread         √(E r² / d) over points of high quality: σ if the modes have the right shape

What the law itself gives, n points: high_quality 1 − e⁻⁸ = .99966 in two dimensions; E divergence ≈ (M − 1)/(8n),
3.0e-4 for M = 25, n = 10,000; spread .9986 σ in two dimensions, for the tail beyond 4 σ is left out.

Source: Azadi et al., Discriminator rejection sampling (2019), https://arxiv.org/abs/1810.06758; Turner et al.,
Metropolis-Hastings generative adversarial networks (2019), https://arxiv.org/abs/1811.11357
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.samples import Features, matrix

ROWS = 65_536
"""Points compared with all centres at a time."""


class ModeCoverage(NamedTuple):
    """The four measures of the module's docstring. The law is known exactly, so each has n = (points, 0)."""

    modes: Estimate
    high_quality: Estimate
    divergence: Estimate
    spread: Estimate | None
    """None if no point is of high quality."""


def mode_coverage(points: Features, modes: Features, scale: float, *, radius: float = 4.0) -> ModeCoverage:
    """How well points cover a mixture of equally likely Gaussians.

    Arguments:
        points: (n, d) generated points, n ≥ 1.
        modes: (M, d) centres, M ≥ 2.
        scale: σ > 0 of each component.
        radius: how many σ from its centre a point is still of high quality. Published figures use 4 (and a few 3).

    Standard errors: of `modes`, the multinomial bootstrap in closed form (a mode that was missed counts as surely
    missed); of `high_quality`, binomial; of `divergence`, first- and second-order terms of its expansion in p, so
    that it holds at p = u too, where the first order vanishes; of `spread`, from the variance of r².

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, a scale or radius that is not positive.

    >>> grid = torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0))
    >>> result = mode_coverage(grid[:3].repeat(100, 1), grid, scale=0.1)
    >>> int(result.modes.value), result.high_quality.value
    (3, 1.0)
    """
    x, centres = matrix(points, "points", 1).double(), matrix(modes, "modes", 2).double()
    if x.shape[1] != centres.shape[1]:
        raise MetricError(f"points have {x.shape[1]} coordinates and modes have {centres.shape[1]}")
    for name, value in (("scale", scale), ("radius", radius)):
        if not (value > 0 and math.isfinite(value)):
            raise MetricError(f"{name} must be positive and finite, got {value}")
    nearest, distance = _nearest(x, centres.to(x.device))
    good = distance <= radius * scale
    counts = torch.bincount(nearest, minlength=len(centres)).double()
    good_counts = torch.bincount(nearest[good], minlength=len(centres)).double()
    n = (len(x), 0)
    protocol: Protocol = {"modes": len(centres), "scale": float(scale), "radius": float(radius)}
    share = good.double().mean().item()
    return ModeCoverage(
        Estimate(float((good_counts > 0).sum()), _found_error(good_counts, len(x)), n, "modes", protocol),
        Estimate(share, math.sqrt(share * (1 - share) / len(x)), n, "high_quality", protocol),
        Estimate(*_divergence(counts), n, "divergence", {**protocol, "unit": "nats", "against": "uniform"}),
        _spread(distance[good], x.shape[1], protocol, n),
    )


def _nearest(x: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    indices, distances = [], []
    for rows in x.split(ROWS):
        # Differences, not |x|² − 2x·c + |c|², which has no digits left for points close to a far centre.
        gaps = torch.cdist(rows, centres, compute_mode="donot_use_mm_for_euclid_dist")
        distance, index = gaps.min(dim=1)
        indices.append(index)
        distances.append(distance)
    return torch.cat(indices), torch.cat(distances)


def _found_error(counts: Tensor, n: int) -> float:
    """sd of the number of modes found by n points that fall on mode k with probability counts_k / n."""
    p = counts / n
    missed = (1 - p) ** n
    together = (1 - p[:, None] - p[None, :]).clamp(min=0) ** n
    covariance = together - torch.outer(missed, missed)
    covariance.diagonal().copy_(missed * (1 - missed))
    return covariance.sum().clamp(min=0).sqrt().item()


def _divergence(counts: Tensor) -> tuple[float, float]:
    """JS(p, u) in nats and its standard error, from a histogram (M,).

    With gradient ½ log(p/m) = g, Hessian H = diag(u / 4mp), and Σ/n = (diag p − ppᵀ)/n the covariance of p,

        Var = gᵀΣg / n + Tr (HΣ)² / 2n²;

    gᵀΣg at the histogram exceeds that at its mean by Tr (HΣ)² / n, which is taken off again.
    """
    n, u = counts.sum(), 1 / len(counts)
    p = counts / n
    m = (p + u) / 2
    value = 0.5 * (torch.xlogy(p, p / m).sum() + (u * (u / m).log()).sum())

    seen = p > 0
    p, m = p[seen], m[seen]
    gradient, curvature = 0.5 * (p / m).log(), u / (4 * m)
    first = (p * gradient.square()).sum() - (p * gradient).sum() ** 2
    second = curvature.square().sum() - 2 * (p * curvature.square()).sum() + (p * curvature).sum() ** 2
    quadratic = second / (2 * n**2)
    variance = (first / n - 2 * quadratic).clamp(min=0) + quadratic
    return max(value.item(), 0.0), variance.clamp(min=0).sqrt().item()


def _spread(distance: Tensor, dimensions: int, protocol: Protocol, n: tuple[int, int]) -> Estimate | None:
    if not len(distance):
        return None
    squares = distance.square() / dimensions
    spread = squares.mean().sqrt().item()
    se = (squares.std() / math.sqrt(len(squares)) / (2 * spread)).item() if len(squares) > 1 and spread > 0 else None
    return Estimate(spread, se, n, "spread", {**protocol, "points": len(distance)})
