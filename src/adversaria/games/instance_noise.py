r"""Instance noise: the critic sees real and fake samples through the same fog, which lifts.

    x + σ_t·ε,     ε ~ N(0, I),      σ_t = σ·max(0, 1 − t/τ)

with t ∈ [0, 1) the share of the run that is done. The critic then compares p_data∗N(0, σ²I) and p_model∗N(0, σ²I),
which have densities everywhere even if the laws themselves lie on thin sets that do not meet; there the log ratio would
be infinite, the best critic without slope, and the generator without a direction. The laws are equal where the noisy
ones are, for the noise can be taken off by deconvolution. At σ = 0 the game is the plain one.

References: C. K. Sønderby et al., Amortised MAP inference for image super-resolution, 2017,
https://arxiv.org/abs/1610.04490; M. Arjovsky and L. Bottou, Towards principled methods for training generative
adversarial networks, 2017, https://arxiv.org/abs/1701.04862.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class InstanceNoise:
    """Gaussian noise that becomes less.

    Arguments:
        deviation: σ at the start, > 0, in units of the samples.
        until: τ ∈ (0, 1], the share of the run after which there is none.

    Raises:
        ValueError: the deviation is not positive and finite, or `until` not in (0, 1].
    """

    deviation: float
    until: float

    def __post_init__(self) -> None:
        if not 0 < self.deviation < float("inf"):
            raise ValueError(f"expected a positive, finite deviation of the noise, got {self.deviation}")
        if not 0 < self.until <= 1:
            raise ValueError(f"expected the share of the run with noise to be in (0, 1], got {self.until}")

    def deviation_at(self, share: float) -> float:
        """σ_t when `share` of the run, in [0, 1], is done.

        >>> noise = InstanceNoise(0.1, until=0.5)
        >>> [noise.deviation_at(share) for share in (0.0, 0.25, 0.5, 0.9)]
        [0.1, 0.05, 0.0, 0.0]
        """
        return self.deviation * max(0.0, 1 - share / self.until)

    def draw(self, like: Tensor, generator: torch.Generator, share: float) -> Tensor:
        """σ_t·ε in the shape of `like`, drawn on the generator's device."""
        drawn = torch.randn(like.shape, generator=generator, device=generator.device, dtype=like.dtype)
        return self.deviation_at(share) * drawn
