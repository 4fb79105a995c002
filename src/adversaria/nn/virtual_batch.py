r"""Virtual batch normalisation: each sample is normalised by a fixed reference batch and itself, and by nothing else.

The network is given the reference batch r_1 … r_n in front of what it is called with, and in every layer the rows of
the reference have statistics μ_ref, σ²_ref per channel, over rows and pixels. Row x has its own, μ_x and σ²_x, over its
pixels. It is normalised by those of the mixture of both in which x counts as one more row, c = 1/(n + 1):

    μ   = (1 − c)·μ_ref + c·μ_x
    σ²  = (1 − c)·σ²_ref + c·σ²_x + c·(1 − c)·(μ_x − μ_ref)²
    out = γ·(x − μ)/√(σ² + ε) + β

The variance is written so that nothing cancels; it equals the mean of squares minus the square of the mean. The
reference's own rows are normalised by μ_ref and σ²_ref, which is batch normalisation. As n → ∞ all rows are.

So what comes out for one sample does not depend on the others of its batch, in training and in evaluation alike, and
gradient penalties are defined. The reference goes through the network in every call, which costs n further rows, and
its statistics have a gradient to the weights.

The reference batch is part of the network's state: n real training samples are saved with a critic.

Reference: T. Salimans et al., Improved techniques for training GANs, 2016, https://arxiv.org/abs/1606.03498, §3.5.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from adversaria.errors import DataError
from adversaria.nn.shapes import check_batch, check_sizes

REFERENCE = 32
"""Rows of a reference batch: half of a usual batch, so that a call costs about one and a half times as much."""

EPSILON = 1e-5
"""Added to the variance."""


class Reference(nn.Module):
    """The reference batch of a network's inputs. Until it has been set it is NaN, and so is what the network makes.

    Arguments:
        shape: of one input.
        rows: n.
    """

    constant_buffers: ClassVar[bool] = True
    """Nothing writes to the buffers in the midst of a pass."""

    samples: Tensor

    def __init__(self, shape: tuple[int, ...], rows: int = REFERENCE) -> None:
        super().__init__()
        check_sizes(rows=rows)
        self.rows = rows
        self.register_buffer("samples", torch.full((rows, *shape), torch.nan))

    @torch.no_grad()
    def take(self, batch: Tensor) -> None:
        """Make the first n of `batch` (N, *shape) the reference.

        Raises:
            DataError: these are fewer, or of another shape.
        """
        check_batch(batch, tuple(self.samples.shape[1:]))
        if len(batch) < self.rows:
            raise DataError(
                f"virtual batch normalisation needs {self.rows} samples to refer to, got a batch of {len(batch)}; "
                f"set batch_size to at least {self.rows}"
            )
        self.samples.copy_(batch[: self.rows])

    def before(self, batch: Tensor) -> Tensor:
        """The reference, then `batch` (B, *shape): (n + B, *shape)."""
        return torch.cat([self.samples, batch])

    def without(self, rows: Tensor) -> Tensor:
        """The rows (B, ...) of the batch, of those (n + B, ...) of both."""
        return rows[self.rows :]


class VirtualBatchNorm(nn.Module):
    """Rows (n + B, C) or (n + B, C, H, W), the reference first, to rows of the same shape.

    Arguments:
        channels: C.
        rows: n, of the reference.
        std: of the first gains, N(1, std²); offsets begin at 0.
        generator: of the gains.
    """

    def __init__(self, channels: int, rows: int = REFERENCE, *, std: float = 0.0, generator: torch.Generator) -> None:
        super().__init__()
        check_sizes(channels=channels, rows=rows)
        self.rows = rows
        self.weight = nn.Parameter(1 + std * torch.randn(channels, generator=generator))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, rows: Tensor) -> Tensor:
        """Normalise."""
        pixels, shape = tuple(range(2, rows.ndim)), (-1, *(1,) * (rows.ndim - 2))
        own_mean = rows.mean(pixels, keepdim=True) if pixels else rows
        centred = rows - own_mean
        # Four times as fast as torch.var_mean, and as exact: what is squared has been centred.
        own_variance = centred.square().mean(pixels, keepdim=True) if pixels else centred
        away, variance = _referred(own_mean, own_variance, self.rows)
        gain = self.weight.reshape(shape) * torch.rsqrt(variance + EPSILON)
        offset = self.bias.reshape(shape) + away * gain
        return torch.addcmul(offset, centred, gain) if pixels else offset


def _referred(own_mean: Tensor, own_variance: Tensor, reference: int) -> tuple[Tensor, Tensor]:
    """How far each row's mean is from that by which it is normalised, and the variance for that, both (n + B, …)."""
    between, mean = torch.var_mean(own_mean[:reference], 0, correction=0, keepdim=True)
    variance = own_variance[:reference].mean(0, keepdim=True) + between
    away, share = own_mean - mean, 1 / (reference + 1)
    mixed = (1 - share) * variance + share * own_variance[reference:] + share * (1 - share) * away[reference:].square()
    same = (reference, *(-1,) * (own_mean.ndim - 1))
    return torch.cat([away[:reference], (1 - share) * away[reference:]]), torch.cat([variance.expand(same), mixed])
