"""What every metric asks of its two samples, checked once and in one voice."""

import numpy as np
import torch
from torch import Tensor

from adversaria.errors import MetricError

Features = Tensor | np.ndarray
"""(n, F): one row for each sample; a tensor on any device, or an array."""

ROWS = 2048
"""Samples worked on at a time: what is made of them in float64 takes 8·ROWS·F bytes, however many there are."""

LARGEST = 1e75
"""Fourth powers of features, which errors are made of, must exist in float64."""


def pair(fake: Features, real: Features) -> tuple[Tensor, Tensor]:
    """Both samples as finite floating-point tensors (n, F) and (m, F) on one device, without copying if possible.

    Raises:
        MetricError: not two-dimensional, not real numbers, NaN or infinite (names the row), fewer than 2 rows, or a
            different number of features on the two sides.
    """
    a, b = matrix(fake, "fake", 2), matrix(real, "real", 2)
    if a.shape[1] != b.shape[1]:
        raise MetricError(
            f"fake has {a.shape[1]} features for each sample and real has {b.shape[1]}; "
            "both sides must come from the same extractor"
        )
    return a, b.to(a.device)


def matrix(values: Features, side: str, at_least: int) -> Tensor:
    """One sample as a finite floating-point tensor (n, F); `side` names it in errors."""
    x = torch.as_tensor(values).detach()
    if x.ndim != 2 or x.shape[1] == 0:
        raise MetricError(f"{side} must be features of shape (n, F), got {tuple(x.shape)}; flatten or extract first")
    if len(x) < at_least:
        raise MetricError(f"{side} has {len(x)} sample(s), at least {at_least} are needed")
    if x.is_complex() or x.dtype == torch.bool:
        raise MetricError(f"{side} must hold real numbers, got {x.dtype}")
    x = _computable(x)
    low, high = x.aminmax()
    if not (low >= -LARGEST and high <= LARGEST):  # so it is for NaN as well
        usable = torch.cat([(rows.abs() <= LARGEST).all(dim=1) for rows in x.split(ROWS)])
        bad = (~usable).nonzero().flatten().tolist()
        raise MetricError(
            f"{side} has NaN or infinite features (or above {LARGEST:.0e}) in {len(bad)} of {len(x)} samples, the "
            f"first at index {bad[0]}"
        )
    return x


def _computable(x: Tensor) -> Tensor:
    if x.device.type == "mps":  # has no float64
        x = x.cpu()
    if not x.is_floating_point():
        return x.double()
    return x.float() if x.dtype.itemsize < 4 else x
