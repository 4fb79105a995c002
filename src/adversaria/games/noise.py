r"""Noise on what a critic sees, real and made alike, which becomes less over the run.

    x + σ_t·ε,     ε ~ N(0, I),      σ_t = σ·(1 − (1 − λ)·min(1, t/τ))

with t ∈ [0, 1) the share of the run that is done: from σ in a line to λσ at τ, and then no further. At σ = 0 the game
is the plain one.

**On samples** this is instance noise, with λ = 0: the critic compares p_data∗N(0, σ²I) and p_model∗N(0, σ²I), which
have densities everywhere even if the laws themselves lie on thin sets that do not meet; there the log ratio would be
infinite, the best critic without slope, and the generator without a direction. The laws are equal where the noisy ones
are, for the noise can be taken off by deconvolution.

**On codes** it hides what a critic must not judge by: a softmax is never quite one-hot.

References: C. K. Sønderby et al., Amortised MAP inference for image super-resolution, 2017,
https://arxiv.org/abs/1610.04490; M. Arjovsky and L. Bottou, Towards principled methods for training generative
adversarial networks, 2017, https://arxiv.org/abs/1701.04862.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FadingNoise:
    """Gaussian noise that becomes less.

    Arguments:
        deviation: σ ≥ 0 at the start, in units of what it is added to.
        last: λ ∈ [0, 1], the share of it that is left at the end.
        until: τ ∈ (0, 1], the share of the run after which it falls no further.

    Raises:
        ValueError: one of the three is out of range.
    """

    deviation: float
    last: float
    until: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.deviation < float("inf"):
            raise ValueError(f"expected a finite deviation of the noise, at least 0, got {self.deviation}")
        if not 0 <= self.last <= 1:
            raise ValueError(f"expected the share of the noise that is left to be in [0, 1], got {self.last}")
        if not 0 < self.until <= 1:
            raise ValueError(f"expected the share of the run in which noise falls to be in (0, 1], got {self.until}")

    def deviation_at(self, share: float) -> float:
        """σ_t when `share` of the run, in [0, 1], is done.

        >>> noise = FadingNoise(0.1, last=0.0, until=0.5)
        >>> [noise.deviation_at(share) for share in (0.0, 0.25, 0.5, 0.9)]
        [0.1, 0.05, 0.0, 0.0]
        """
        return self.deviation * (1 - (1 - self.last) * min(1.0, share / self.until))

    def draw(self, like: Tensor, generator: torch.Generator, share: float) -> Tensor:
        """σ_t·ε in the shape of `like`, drawn on the generator's device."""
        drawn = torch.randn(like.shape, generator=generator, device=generator.device, dtype=like.dtype)
        return self.deviation_at(share) * drawn
