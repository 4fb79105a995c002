r"""Likelihoods p(x | code): how far a sample is from what the decoder makes of its code, in nats.

    Gaussian    log p = −½ ‖x − x̂‖²/s² − D log s − (D/2) log 2π,   x̂ the decoder's sample, D numbers in it
    Bernoulli   log p = Σ_i [ v_i log π_i + (1 − v_i) log(1 − π_i) ],   v = (1 + x)/2,  π = (1 + x̂)/2

The Bernoulli likelihood is a law of black and white pixels, v ∈ {0, 1}. On grey ones it is the cross-entropy that is
in common use, which is no density: it does not integrate to 1, and differences of it between models mean what they
mean only for the same data. Since x̂ = tanh a, π = σ(2a), and the logarithms are taken of 2a, exactly in both tails.

The Gaussian density is that of pixels in [−1, 1]. For pixels in [0, 1] add D log 2; s is then half as large.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor
from torch.nn.functional import logsigmoid


class Likelihood(Protocol):
    """The law of a sample, given its code."""

    def log_prob(self, decoder: Any, code: Tensor, x: Tensor) -> Tensor:
        """log p(x | code) of x (B, ...) and codes (B, c) as the decoder takes them: (B,)."""
        ...


@dataclass(frozen=True)
class GaussianLikelihood:
    """Independent normal errors of standard deviation s > 0.

    Raises:
        ValueError: s is not positive.
    """

    deviation: float

    def __post_init__(self) -> None:
        if not 0 < self.deviation < float("inf"):
            raise ValueError(f"expected a positive, finite deviation, got {self.deviation!r}")

    def log_prob(self, decoder: Any, code: Tensor, x: Tensor) -> Tensor:
        """log p(x | code): (B,)."""
        off = (x - decoder(code)).flatten(1) / self.deviation
        constant = off.shape[1] * math.log(self.deviation * math.sqrt(2 * math.pi))
        return -0.5 * off.square().sum(1) - constant


@dataclass(frozen=True)
class BernoulliLikelihood:
    """Pixels that are black or white; for decoders with `unbounded`, on images."""

    def log_prob(self, decoder: Any, code: Tensor, x: Tensor) -> Tensor:
        """log p(x | code), at most 0: (B,)."""
        logits, white = 2 * decoder.unbounded(code).flatten(1), (0.5 + 0.5 * x).flatten(1)
        return (white * logsigmoid(logits) + (1 - white) * logsigmoid(-logits)).sum(1)
