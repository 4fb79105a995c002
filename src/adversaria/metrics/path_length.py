r"""Perceptual path length: how fast images change along paths between latents.

    PPL = E |f(G(z(t + ε))) − f(G(z(t)))|² / ε²,      z(t) between two draws of the prior,

f the features that distance is felt in, t uniform in [0, 1] ("full") or 0 ("end"). For LPIPS, f is what its squared
distance is the sum of: features of unit norm times the root of their weights, over the root of the number of places.

**Not in 256 levels.** A step of ε = 10⁻⁴ moves a pixel by far less than 1/255, so images must stay floats; rounded ones
measure the rounding (37 times the true figure in one tool's own example). Differences and their squares are float64.
A decoder in float32 still rounds, which adds about (10⁻⁶/ε)² for each feature of order 1: nothing, unless images hardly
change. Float64 is safe.

**Trimmed**, as published: of n distances, those below the quantile 1 % or above 99 % are left out, where the lower
quantile is the order statistic ⌊0.01 (n − 1)⌋ and the upper ⌈0.99 (n − 1)⌉, counted from 0, both of them kept.

**Its standard error** is that of a trimmed mean: √(variance of the winsorised distances / n) / (share kept).

Limits: G linear, linear paths, f the identity and z ~ N(0, I): |A(z₂ − z₁)|², with mean 2 Tr AᵀA before trimming. It is
proportional to the square of the image's units, and to nothing that tells whether images are good: a constant has 0.

Source: Karras, Laine & Aila, A style-based generator architecture for generative adversarial networks (2019),
section 4.1, https://arxiv.org/abs/1812.04948
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.randomness import generator_for

Draw = Callable[[int, torch.Generator], Tensor]
"""n latents (n, …) of the prior."""

Interpolate = Callable[[Tensor, Tensor, Tensor], Tensor]
"""The points at t (n,) between latents a and b (n, …): straight, spherical, or what the prior asks for."""

WANTED = 10_000
"""Paths; published figures have 100,000."""


@torch.no_grad()
def perceptual_path_length(
    decode: Callable[[Tensor], Tensor],
    draw: Draw,
    features: Callable[[Tensor], Tensor],
    *,
    interpolate: Interpolate,
    samples: int,
    seed: int,
    epsilon: float = 1e-4,
    along: Literal["full", "end"] = "full",
    trim: float = 0.01,
    batch: int = 64,
) -> Estimate:
    """The perceptual path length of a decoder, n = (samples, 0).

    Arguments:
        decode: latents (B, …) → float images (B, C, H, W), as a rule in [−1, 1].
        draw: n latents from the prior.
        features: images → (B, F), whose squared distance counts.
        interpolate: points between latents; t has shape (n,). No default: straight lines between normal latents pass
            where there are none.
        samples: paths, at least 2.
        seed: of draws and t.
        epsilon: the step.
        along: "full", t uniform, or "end", t = 0.
        trim: share of distances left out on each side, below ½.
        batch: paths decoded at a time; it does not matter to the value, except for rounding.

    Latents are drawn all at once, interpolated in float64, and given to the decoder in the precision of the draws.

    Raises:
        MetricError: fewer than 2 samples, epsilon not positive, trim not in [0, ½), images that are whole numbers,
            features of another shape, or that are NaN or infinite.

    >>> def straight(a, b, t):
    ...     return a + t[:, None] * (b - a)
    >>> def normal(n, g):
    ...     return torch.randn(n, 3, generator=g, dtype=torch.float64)
    >>> ppl = perceptual_path_length(lambda z: 2 * z, normal, lambda x: x, interpolate=straight, samples=5000, seed=0)
    >>> 22 < ppl.value < 24  # 2 · 3 · 2² = 24 before trimming
    True
    """
    _check(samples, epsilon, trim, along)
    first, second = (draw(samples, generator_for(seed, "path length", side)) for side in ("from", "to"))
    t = torch.rand(samples, generator=generator_for(seed, "path length", "t"), dtype=torch.float64)
    t = (t if along == "full" else torch.zeros_like(t)).to(first.device)
    distances = []
    for rows in torch.arange(samples).split(batch):
        a, b, at = first[rows].double(), second[rows].double(), t[rows]
        ends = [interpolate(a, b, place).to(first.dtype) for place in (at, at + epsilon)]
        here, there = (_features(decode(z), features, len(rows)) for z in ends)
        distances.append((there - here).square().sum(1) / epsilon**2)
    return _trimmed(torch.cat(distances), trim, _protocol(epsilon, along, trim, seed, first.dtype, samples))


def _features(images: Tensor, features: Callable[[Tensor], Tensor], n: int) -> Tensor:
    if not images.is_floating_point():
        raise MetricError(f"images must be floats, got {images.dtype}: in 256 levels a path length is that of rounding")
    found = features(images)
    if found.ndim != 2 or len(found) != n:
        raise MetricError(f"features must have shape ({n}, F) for {n} images, got {tuple(found.shape)}")
    if not found.isfinite().all():
        raise MetricError("features along a path are NaN or infinite")
    return found.double()


def _trimmed(distances: Tensor, trim: float, protocol: Protocol) -> Estimate:
    n = len(distances)
    ordered = distances.sort().values
    low, high = ordered[math.floor(trim * (n - 1))], ordered[math.ceil((1 - trim) * (n - 1))]
    kept = (ordered >= low) & (ordered <= high)
    share = kept.double().mean()
    se = ordered.clamp(low, high).std() / math.sqrt(n) / share
    return Estimate(ordered[kept].mean().item(), se.item(), (n, 0), "perceptual_path_length", protocol)


def _protocol(epsilon: float, along: str, trim: float, seed: int, dtype: torch.dtype, samples: int) -> Protocol:
    protocol: Protocol = {
        "epsilon": epsilon,
        "along": along,
        "trim": f"{trim:g} on each side, lower and upper order statistics kept",
        "images": "floats, not rounded",
        "latents": str(dtype).removeprefix("torch."),
        "seed": seed,
    }
    if samples < WANTED:
        protocol["notes"] = [f"perceptual_path_length: {samples} paths (wanted: {WANTED} or more)"]
    return protocol


def _check(samples: int, epsilon: float, trim: float, along: str) -> None:
    if samples < 2:
        raise MetricError(f"a path length needs at least 2 samples, got {samples}")
    if not (epsilon > 0 and math.isfinite(epsilon)):
        raise MetricError(f"epsilon must be positive and finite, got {epsilon}")
    if not 0 <= trim < 0.5:
        raise MetricError(f"trim must be at least 0 and less than 0.5, got {trim}")
    if along not in ("full", "end"):
        raise MetricError(f"along must be 'full' or 'end', got {along!r}")
