r"""CMMD: the maximum mean discrepancy of CLIP embeddings on the unit sphere, under one wide Gaussian kernel.

    CMMD = 1000 (⟨k(x, x')⟩ + ⟨k(y, y')⟩ − 2 ⟨k(x, y)⟩),      k(x, y) = exp(−|x − y|² / 2σ²),  σ = 10,

with means over **all** pairs, a sample with itself included, as published: the V-statistic, a squared distance between
means in the space of the kernel and so never negative. Rows are scaled to length 1 here, for the embeddings that are
meant are so.

**Bias.** The pairs of a sample with itself raise it by exactly

    1000 ((1 − ⟨k(x, x')⟩_{i≠j}) / n + (1 − ⟨k(y, y')⟩_{i≠j}) / m),

about 10/n + 10/m times the variance of an embedding (at most 1): equal laws at n = m = 1000 give some 0.01. The
protocol states this `bias` and the `unbiased` estimate. On the sphere |x − y|²/2σ² ≤ 0.02, so k is 1 − |x − y|²/200 to
2 parts in 10⁴: CMMD is close to 10 times the squared distance of the mean embeddings, and hardly tells apart laws of
equal mean.

**Its standard error** is that of the unbiased estimate over all pairs (`pairs.py`); that of the V-statistic differs
from it by a share of order 1/n.

Sources: Jayasumana, Ramalingam, Veit, Glasner, Chakrabarti & Kumar, Rethinking FID: towards a better evaluation metric
for image generation (2024), https://arxiv.org/abs/2401.09603
"""

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.kernels import RBF
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.pairs import pairs, prepare
from adversaria.metrics.samples import ROWS, Features, pair

KERNEL = RBF((10.0,))
"""As published."""

SCALE = 1000.0
"""As published, for numbers that are pleasant to read."""


def cmmd(fake: Features, real: Features) -> Estimate:
    """CMMD with its standard error, from CLIP embeddings of both sides. Never negative; 0 for equal samples.

    Arguments:
        fake: (n, F), n ≥ 2, no row all 0.
        real: (m, F), m ≥ 2, no row all 0.

    Computed in float64, in blocks. The standard error covers the sampling of both sides; it is None with fewer than 3
    samples on a side. Symmetric, and invariant to the order of samples, to rotations, and to the length of rows.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, fewer than 2 samples on a side, a row that is all 0.

    >>> x, y = torch.tensor([[1.0, 0.0]] * 2), torch.tensor([[0.0, 2.0]] * 2)
    >>> round(cmmd(x, y).value, 6)  # 2000 (1 − exp(−2/200))
    19.900333
    """
    fake, real = pair(fake, real)
    n = (len(fake), len(real))
    ready = prepare(KERNEL, _on_sphere(fake, "fake"), _on_sphere(real, "real"))
    sums = pairs(*ready.sides)
    bias = (1 - sums.x.mean) / n[0] + (1 - sums.y.mean) / n[1]
    value = max(sums.distance + bias, 0.0)  # below 0 by rounding alone
    se = SCALE * sums.variance**0.5 if min(n) > 2 else None
    protocol: Protocol = {
        "estimator": "V-statistic, biased upwards",
        "kernel": str(KERNEL),
        "scale": SCALE,
        "rows": "scaled to length 1",
        "dimensions": fake.shape[1],
        "products": ready.products,
        "bias": SCALE * bias,
        "unbiased": SCALE * sums.distance,
    }
    if se is not None and SCALE * bias > se:
        protocol["notes"] = [
            f"cmmd: of the value {SCALE * bias:.2g} is bias of {n[0]} fake and {n[1]} real samples, more than one "
            "standard error; compare only at these sample sizes, or use protocol['unbiased']"
        ]
    return Estimate(SCALE * value, se, n, "cmmd", protocol)


def _on_sphere(x: Tensor, side: str) -> Tensor:
    lengths = torch.cat([rows.double().norm(dim=1) for rows in x.split(ROWS)])
    if not lengths.all():
        raise MetricError(f"{side} has no direction at index {(lengths == 0).nonzero()[0].item()}: all features are 0")
    return torch.cat(
        [rows.double() / length[:, None] for rows, length in zip(x.split(ROWS), lengths.split(ROWS), strict=True)]
    )
