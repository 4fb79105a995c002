r"""Mode coverage: what a generator made of a mixture whose components are known.

For a mixture of M equally likely Gaussians N(c_k, σ² I_d), each point x belongs to its nearest centre, at distance r.
It is of *high quality* if r ≤ 4 σ.

    modes          how many centres have at least one point of high quality
    high_quality   their share of all points
    divergence     JS(p, u) = ½ Σ p_k log(p_k / m_k) + ½ Σ u_k log(u_k / m_k),  m = (p + u)/2,  in nats,
                   of the histogram p of **all** points over nearest centres, against the uniform u = 1/M;
                   0 if uniform, at most log 2. (Its root is the Jensen-Shannon distance.)
    spread         √(E r² / d) over points of high quality: σ if the modes have the right shape
    reverse_kl     KL(p‖u) = Σ p_k log(p_k M), in nats; 0 if uniform, log(M/j) on j modes equally, at most log M

What the law itself gives, n points: high_quality 1 − e⁻⁸ = .99966 in two dimensions; E divergence ≈ (M − 1)/(8n),
3.0e-4 for M = 25, n = 10,000; spread .9986 σ in two dimensions, for the tail beyond 4 σ is left out; E reverse_kl ≈
(M − 1)/(2n).

**Classes.** Where a classifier says which of M equally frequent classes each sample is of, as for the 1,000 of stacked
MNIST (three digits, one in each channel), the same is told of classes: how many occur, and KL(p‖u) of their shares.
With n = 26,000 samples, the published number, the law itself has 1,000 classes and KL .019.

Source: Azadi et al., Discriminator rejection sampling (2019), https://arxiv.org/abs/1810.06758; Turner et al.,
Metropolis-Hastings generative adversarial networks (2019), https://arxiv.org/abs/1811.11357; Metz et al., Unrolled
generative adversarial networks (2017), https://arxiv.org/abs/1611.02163; Srivastava et al., VEEGAN (2017),
https://arxiv.org/abs/1705.07761
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


PER_CLASS = 26
"""Samples for each class in the published figures of stacked MNIST."""


class ModeCoverage(NamedTuple):
    """The five measures of the module's docstring. The law is known exactly, so each has n = (points, 0)."""

    modes: Estimate
    high_quality: Estimate
    divergence: Estimate
    spread: Estimate | None
    """None if no point is of high quality."""
    reverse_kl: Estimate


class ClassCoverage(NamedTuple):
    """How many of the classes occur, and KL(p‖u) of their shares in nats; n = (samples, 0)."""

    classes: Estimate
    reverse_kl: Estimate


def mode_coverage(points: Features, modes: Features, scale: float, *, radius: float = 4.0) -> ModeCoverage:
    """How well points cover a mixture of equally likely Gaussians.

    Arguments:
        points: (n, d) generated points, n ≥ 1.
        modes: (M, d) centres, M ≥ 2.
        scale: σ > 0 of each component.
        radius: how many σ from its centre a point is still of high quality. Published figures use 4 (and a few 3).

    Standard errors: of `modes`, the multinomial bootstrap in closed form (a mode that was missed counts as surely
    missed); of `high_quality`, binomial; of `divergence` and `reverse_kl`, first- and second-order terms of their
    expansion in p, so that it holds at p = u too, where the first order vanishes; of `spread`, from the variance of r².

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
        Estimate(*_reverse_kl(counts), n, "reverse_kl", {**protocol, "unit": "nats", "against": "uniform"}),
    )


def class_coverage(labels: Features, classes: int) -> ClassCoverage:
    """How well samples cover M equally frequent classes, by what a classifier takes them for.

    Arguments:
        labels: (n,) whole numbers in [0, M), n ≥ 1; or (n, c) digits, the first the most significant, of as many
            values each as make M = values^c: for stacked MNIST (n, 3) digits from 0 to 9.
        classes: M ≥ 2; 1,000 for stacked MNIST.

    Standard errors: as for modes. They do not contain the classifier's mistakes, which find classes that are not there:
    with an error rate e per sample, up to n e of them.

    Raises:
        MetricError: labels that are not whole numbers or out of range, or of another shape.

    >>> digits = torch.cartesian_prod(torch.arange(10), torch.arange(10), torch.arange(5))
    >>> found = class_coverage(digits, 1000)
    >>> int(found.classes.value), round(found.reverse_kl.value, 6)
    (500, 0.693147)
    """
    flat = _flat(labels, classes)
    counts = torch.bincount(flat, minlength=classes).double()
    n = (len(flat), 0)
    protocol: Protocol = {"classes": classes}
    if len(flat) < PER_CLASS * classes:
        protocol["notes"] = [
            f"class_coverage: {len(flat)} samples for {classes} classes; more samples find more classes, so compare "
            f"only at this number (wanted: {PER_CLASS * classes}, as published for stacked MNIST)"
        ]
    return ClassCoverage(
        Estimate(float((counts > 0).sum()), _found_error(counts, len(flat)), n, "classes", protocol),
        Estimate(*_reverse_kl(counts), n, "reverse_kl", {**protocol, "unit": "nats", "against": "uniform"}),
    )


def _flat(labels: Features, classes: int) -> Tensor:
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 2:
        raise MetricError(f"classes must be a whole number, at least 2, got {classes!r}")
    found = torch.as_tensor(labels)
    if found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise MetricError(f"labels must be whole numbers, got {found.dtype}; take the argmax of logits first")
    if found.ndim not in (1, 2) or not found.numel():
        raise MetricError(f"labels must have shape (n,) or (n, digits), n ≥ 1, got {tuple(found.shape)}")
    digits = found.long().reshape(len(found), -1)
    width = digits.shape[1]
    values = round(classes ** (1 / width))
    if values**width != classes:
        raise MetricError(f"{classes} classes are not a number of {width} digits; give labels of shape (n,)")
    if digits.min() < 0 or digits.max() >= values:
        raise MetricError(f"labels must be from 0 to {values - 1}, got {digits.min()} to {digits.max()}")
    return digits @ torch.tensor([values**power for power in reversed(range(width))], device=digits.device)


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
    return max(value.item(), 0.0), _error_of(p, 0.5 * (p / m).log(), u / (4 * p * m), n)


def _reverse_kl(counts: Tensor) -> tuple[float, float]:
    """KL(p‖u) in nats and its standard error, from a histogram (M,); gradient log(pM) + 1, Hessian diag(1/p)."""
    n = counts.sum()
    p = counts[counts > 0] / n
    gradient = (p * len(counts)).log()
    return max((p * gradient).sum().item(), 0.0), _error_of(p, gradient, 1 / p, n)


def _error_of(p: Tensor, gradient: Tensor, hessian: Tensor, n: Tensor) -> float:
    """The standard error of a function of the shares p > 0, with diagonal Hessian; formula at `_divergence`."""
    curvature = p * hessian
    first = (p * gradient.square()).sum() - (p * gradient).sum() ** 2
    second = curvature.square().sum() - 2 * (p * curvature.square()).sum() + (p * curvature).sum() ** 2
    quadratic = second / (2 * n**2)
    variance = (first / n - 2 * quadratic).clamp(min=0) + quadratic
    return variance.clamp(min=0).sqrt().item()


def _spread(distance: Tensor, dimensions: int, protocol: Protocol, n: tuple[int, int]) -> Estimate | None:
    if not len(distance):
        return None
    squares = distance.square() / dimensions
    spread = squares.mean().sqrt().item()
    se = (squares.std() / math.sqrt(len(squares)) / (2 * spread)).item() if len(squares) > 1 and spread > 0 else None
    return Estimate(spread, se, n, "spread", {**protocol, "points": len(distance)})
