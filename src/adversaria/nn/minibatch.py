r"""Minibatch discrimination: a critic that sees how close a sample is to the others of its batch.

With f(x_i) ∈ ℝ^F the features of sample i of a batch of n, and a tensor T ∈ ℝ^{F×B×C} that is learnt,

    M_i = f(x_i)·T ∈ ℝ^{B×C},      c_b(i, j) = exp(−‖M_{ib} − M_{jb}‖₁),

    published    o_b(i) = Σ_j c_b(i, j)                in [1, n]; the sample itself counts 1
    reference    o_b(i) = Σ_{j≠i} c_b(i, j) + β_b      in [0, n − 1] + β_b

and the critic's last layer is given [f(x_i), o(x_i)]. A generator whose samples are all alike has o = n, and is found
out by that alone. Where all samples are far apart, o = 1 (reference: β).

In the authors' code, *reference*, T is normalised, T_{·bc} = e^{s_bc}·V_{·bc}/‖V_{·bc}‖, and s and β are first set from
a batch: s so that half the mean distance to the nearest other sample is 1 for each b, and β so that o has mean 0.

The samples of a batch are mixed, in training and in evaluation alike: a score is not a function of its sample, its
gradient at one sample is not defined, and calibration has nothing to calibrate. Real and fake samples are judged in
batches of their own, as the paper says. Where several processes train together, each compares its own part of the
batch only, so the layer is that of the smaller batch.

The cost is n²·B·C differences, forwards and backwards.

Reference: T. Salimans et al., Improved techniques for training GANs, 2016, https://arxiv.org/abs/1606.03498, §3.2.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from adversaria.errors import DataError
from adversaria.nn.layers import kaiming
from adversaria.nn.shapes import check_choice, check_sizes


@dataclass(frozen=True)
class MinibatchDiscrimination:
    """What kind of closeness a critic sees.

    Arguments:
        kernels: B, numbers that each sample is given.
        dim: C, dimension in which samples are compared for each of them.
        variant: "published" or "reference".

    Raises:
        RecipeError: a size is not positive, or the variant unknown.
    """

    kernels: int = 100
    dim: int = 5
    variant: Literal["published", "reference"] = "published"

    def __post_init__(self) -> None:
        check_sizes(kernels=self.kernels, dim=self.dim)
        check_choice("variant", self.variant, ("published", "reference"))

    def layer(self, features: int, *, generator: torch.Generator) -> "Closeness":
        """The layer for features (n, F), with weights drawn from `generator`."""
        kind = Closeness if self.variant == "published" else NormalisedCloseness
        return kind(features, self.kernels, self.dim, generator=generator)


def closeness(compared: Tensor) -> Tensor:
    """Σ_j exp(−‖M_ib − M_jb‖₁) of M (n, B, C): (n, B), between 1 and n.

    >>> closeness(torch.zeros(4, 2, 3))[0], closeness(torch.tensor([0.0, 1e3]).reshape(2, 1, 1))[:, 0]
    (tensor([4., 4.]), tensor([1., 1.]))
    """
    return torch.exp(-_distances(compared)).sum(2).T


def _distances(compared: Tensor) -> Tensor:
    """‖M_ib − M_jb‖₁, (B, n, n); exactly 0 from a sample to itself, and without gradient there."""
    kernels = compared.transpose(0, 1).contiguous()
    return torch.cdist(kernels, kernels, p=1.0)


class Closeness(nn.Module):
    """The published layer: features (n, F) to o (n, B).

    Arguments:
        features: F.
        kernels: B.
        dim: C.
        generator: of T, N(0, 1/F), which keeps the scale of signals.
    """

    def __init__(self, features: int, kernels: int, dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        check_sizes(features=features, kernels=kernels, dim=dim)
        self.features, self.kernels, self.dim = features, kernels, dim
        drawn = torch.randn(features, kernels * dim, generator=generator)
        self.weight = nn.Parameter(kaiming(features, 1.0) * drawn)

    def compared(self, features: Tensor) -> Tensor:
        """M (n, B, C) of features (n, F).

        Raises:
            DataError: the features are not (n, F).
        """
        if features.ndim != 2 or features.shape[1] != self.features:
            raise DataError(f"expected features of shape (n, {self.features}), got {tuple(features.shape)}")
        return (features @ self.weight).unflatten(1, (self.kernels, self.dim))

    def forward(self, features: Tensor) -> Tensor:
        """o (n, B) of the features (n, F) of one batch."""
        return closeness(self.compared(features))

    def acquaint(self, features: Tensor) -> None:
        """Nothing is set from data."""


class NormalisedCloseness(Closeness):
    """The layer of the authors' code: without the sample itself, T normalised, with a bias."""

    def __init__(self, features: int, kernels: int, dim: int, *, generator: torch.Generator) -> None:
        super().__init__(features, kernels, dim, generator=generator)
        self.log_scale = nn.Parameter(torch.zeros(kernels, dim))
        self.bias = nn.Parameter(torch.zeros(kernels))

    def compared(self, features: Tensor) -> Tensor:
        """M (n, B, C) of features (n, F) by the normalised T."""
        length = torch.linalg.vector_norm(self.weight, dim=0).unflatten(0, (self.kernels, self.dim))
        return super().compared(features) * (self.log_scale.exp() / length)

    def forward(self, features: Tensor) -> Tensor:
        """o (n, B) of the features (n, F) of one batch."""
        return closeness(self.compared(features)) - 1 + self.bias

    @torch.no_grad()
    def acquaint(self, features: Tensor) -> None:
        """Set scale and bias from the features (n, F) of a first batch, n ≥ 2.

        A kernel in which every sample has an equal keeps its scale.

        Raises:
            DataError: there is no other sample to be near to.
        """
        if len(features) < 2:
            raise DataError(f"expected at least 2 samples to compare with each other, got {len(features)}")
        distances = _distances(self.compared(features))
        itself = torch.eye(len(features), dtype=torch.bool, device=features.device)
        nearest = 0.5 * distances.masked_fill(itself, torch.inf).amin(2).mean(1)
        self.log_scale.sub_(torch.where(nearest > 0, nearest, 1.0).log().unsqueeze(1))
        self.bias.copy_(1 - closeness(self.compared(features)).mean(0))
