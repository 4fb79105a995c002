"""What every metric asks of its two samples, checked once and in one voice."""

import numpy as np
import torch
from torch import Tensor

from adversaria.errors import MetricError

Features = Tensor | np.ndarray
"""(n, F): one row for each sample; a tensor on any device, or an array."""


def pair(fake: Features, real: Features, *, at_least: int = 2) -> tuple[Tensor, Tensor]:
    """Both samples as finite floating-point tensors (n, F) and (m, F) on one device, without copying if possible.

    Raises:
        MetricError: not two-dimensional, not real numbers, NaN or infinite (names the row), fewer than `at_least`
            rows, or a different number of features on the two sides.
    """
    a, b = matrix(fake, "fake", at_least), matrix(real, "real", at_least)
    if a.shape[1] != b.shape[1]:
        raise MetricError(
            f"fake has {a.shape[1]} features for each sample and real has {b.shape[1]}; "
            "both sides must come from the same extractor"
        )
    return a, b.to(a.device)


def matrix(values: Features, side: str, at_least: int = 1) -> Tensor:
    """One sample as a finite floating-point tensor (n, F); `side` names it in errors."""
    x = torch.as_tensor(values).detach()
    if x.ndim != 2 or x.shape[1] == 0:
        raise MetricError(f"{side} must be features of shape (n, F), got {tuple(x.shape)}; flatten or extract first")
    if len(x) < at_least:
        raise MetricError(f"{side} has {len(x)} sample(s), at least {at_least} are needed")
    if x.is_complex() or x.dtype == torch.bool:
        raise MetricError(f"{side} must hold real numbers, got {x.dtype}")
    x = _computable(x)
    finite = x.isfinite().all(dim=1)
    if not finite.all():
        bad = (~finite).nonzero().flatten().tolist()
        raise MetricError(
            f"{side} has NaN or infinite features in {len(bad)} of {len(x)} samples, the first at index {bad[0]}"
        )
    return x


def _computable(x: Tensor) -> Tensor:
    if x.device.type == "mps":  # has no float64
        x = x.cpu()
    if not x.is_floating_point():
        return x.double()
    return x.float() if x.dtype.itemsize < 4 else x
