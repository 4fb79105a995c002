r"""Feature matching: the generator follows the critic's features instead of its scores.

With φ(x) ∈ ℝ^F the critic's last hidden layer, μ = E_real φ and μ̂ = E_fake φ, batches standing for expectations,

    squared     L_G = ‖μ − μ̂‖² / F        = 1/F · Σ_k (μ_k − μ̂_k)²
    absolute    L_G = ‖μ − μ̂‖₁ / F        = 1/F · Σ_k |μ_k − μ̂_k|

Both are means over the F features, as in the authors' code (squared for MNIST, absolute for CIFAR-10); their paper
writes ‖μ − μ̂‖², which is F times the first. Under Adam as the only term of a loss the factor does not matter.

Only means are compared, so the loss is 0 for every law of fakes with the right E φ: it is the squared MMD of the linear
kernel on features, with the biased estimator. With n real and n̂ fake samples of the same law its expectation is not 0
but (1/n + 1/n̂)·tr Cov(φ)/F. Where it leads depends on the critic, which goes on learning to tell the two apart.

Reference: T. Salimans et al., Improved techniques for training GANs, 2016, https://arxiv.org/abs/1606.03498, §3.1.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from adversaria.errors import DataError


@dataclass(frozen=True)
class FeatureMatching:
    """How far apart the mean features of real and fake samples are, as a mean over features.

    The real features are what is aimed at: no gradient goes to them.

    Arguments:
        norm: "squared" differences of the means, or their "absolute" values.

    Raises:
        ValueError: the norm is neither.

    >>> import torch
    >>> real, fake = torch.tensor([[0.0, 4.0], [2.0, 4.0]]), torch.tensor([[1.0, 1.0]])
    >>> FeatureMatching()(real, fake), FeatureMatching("absolute")(real, fake)
    (tensor(4.5000), tensor(1.5000))
    """

    norm: Literal["squared", "absolute"] = "squared"

    def __post_init__(self) -> None:
        if self.norm not in ("squared", "absolute"):
            raise ValueError(f"expected norm to be 'squared' or 'absolute', got {self.norm!r}")

    def __call__(self, real: Tensor, fake: Tensor) -> Tensor:
        """Features of real samples (B, F) and of fake ones (B', F): (), 0 where the means agree.

        Raises:
            DataError: either is not (B, F), is empty, or their F differ.
        """
        if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1] or 0 in (*real.shape, *fake.shape):
            raise DataError(
                f"expected features of shapes (B, F) and (B', F), got {tuple(real.shape)} and {tuple(fake.shape)}"
            )
        difference = fake.mean(0) - real.detach().mean(0)
        return (difference.square() if self.norm == "squared" else difference.abs()).mean()
