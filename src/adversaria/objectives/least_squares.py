"""Scores are regressed on labels."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from adversaria.objectives.objective import Scored, check_scores


@dataclass(frozen=True)
class LeastSquares(Scored):
    r"""Least squares with labels 1 for real and 0 for fake (in Mao's letters a = 0, b = 1, c = 1):

        L_D = ½E_real[(f − 1)²] + ½E_fake[f²],   L_G = ½E_fake[(f − 1)²].

    The best critic is f* = p_data/(p_data + p_model), a probability that is not confined to [0, 1] while it is learnt.
    With Δ = ∫(p_data − p_model)²/(p_data + p_model) ∈ [0, 2], the triangular discrimination (Vincze, Le Cam),

        L_D(f*) = ¼ − Δ/8,     ½E_real[(f* − 1)²] + L_G(f*) = ¼ + Δ/8.

    The game is not zero-sum; what the generator follows at a fixed f* is the gradient of another f-divergence,
    KL(p_data‖m) − Δ/8 with m = (p_data + p_model)/2. Mao's labels (−1, 1, 0) give Pearson's
    χ²(p_data + p_model ‖ 2·p_model) for the second value.

    Reference: X. Mao et al., Least squares generative adversarial networks, 2017, https://arxiv.org/abs/1611.04076.

    >>> zero = torch.zeros(4, 1)
    >>> LeastSquares().critic_loss(zero, zero), LeastSquares().generator_loss(None, zero)
    (tensor(0.5000), tensor(0.5000))
    """

    generator_needs_real: ClassVar[bool] = False

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Half the squared errors of real and fake scores (B, k): ()."""
        check_scores(real, fake)
        return 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Half the squared distance of fake scores (B, k) from the label of real ones: ()."""
        check_scores(real, fake)
        return 0.5 * (fake - 1).square().mean()

    def optimal_critic(self, log_ratio: Tensor) -> Tensor:
        """σ(log ratio), the probability of being real."""
        return torch.sigmoid(log_ratio)
