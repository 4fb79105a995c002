r"""How to walk between two latents.

    lerp    (1−t)·a + t·b                                           the chord
    slerp   r_t·[cos(tΩ)·u + sin(tΩ)·e],  r_t = (1−t)‖a‖ + t‖b‖     the arc

with u = a/‖a‖, v = b/‖b‖, Ω ∈ [0, π] the angle between them, and e the unit vector in the plane of u and v that is
orthogonal to u, on the side of v. Where Ω ∈ (0, π) this is Shoemake's [sin((1−t)Ω)·u + sin(tΩ)·v]/sin Ω, but it does
not divide by sin Ω, which vanishes at both ends.
"""

import torch
from torch import Tensor


def share(t: Tensor | float, like: Tensor) -> Tensor:
    """`t` as a tensor that broadcasts against points (..., d): its shape with a last axis of 1 added."""
    return torch.as_tensor(t, dtype=like.dtype, device=like.device).unsqueeze(-1)


def lerp(a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
    """The chord from `a` to `b`, both (..., d), at share `t`; exactly `a` at 0 and `b` at 1.

    >>> lerp(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 2.0]), 0.25).tolist()
    [0.25, 0.5]
    """
    step = share(t, a)
    return (1 - step) * a + step * b


def slerp(a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
    """The arc from `a` to `b`, both (..., d), at share `t`: constant angular speed, the norm running linearly.

    Limits: for Ω → 0 it is the chord. At antipodes (Ω = π) every great circle is as short as any other; the one
    through the coordinate axis least aligned with `a` is taken, so that the walk is a unit-speed arc there too.
    A zero vector has no direction; from it the walk is the chord's radius along the other's direction.

    Reference: K. Shoemake, Animating rotation with quaternion curves, 1985, https://doi.org/10.1145/325334.325242;
    for latents T. White, Sampling generative networks, 2016, https://arxiv.org/abs/1609.04468.

    >>> slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0]), 0.5)
    tensor([1.4142, 1.4142])
    """
    a, b = torch.broadcast_tensors(a, b)
    norm_a, norm_b = (torch.linalg.vector_norm(x, dim=-1, keepdim=True) for x in (a, b))
    u, v = torch.nn.functional.normalize(a, dim=-1), torch.nn.functional.normalize(b, dim=-1)
    # The half angle by atan2 is accurate at every angle; acos of the inner product loses half the digits at 0 and π.
    gap, total = (torch.linalg.vector_norm(x, dim=-1, keepdim=True) for x in (u - v, u + v))
    angle = 2 * torch.atan2(gap, total)
    side = v - (u * v).sum(-1, keepdim=True) * u
    length = torch.linalg.vector_norm(side, dim=-1, keepdim=True)
    beside = torch.where(length > 8 * torch.finfo(a.dtype).eps, side / length, _orthogonal(u))
    step = share(t, a)
    radius = (1 - step) * norm_a + step * norm_b
    return radius * (torch.cos(step * angle) * u + torch.sin(step * angle) * beside)


def _orthogonal(u: Tensor) -> Tensor:
    axis = torch.zeros_like(u).scatter_(-1, u.abs().argmin(dim=-1, keepdim=True), 1.0)
    return torch.nn.functional.normalize(axis - (axis * u).sum(-1, keepdim=True) * u, dim=-1)
