"""Scores are pushed beyond the margins ±1, and no further."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import relu

from adversaria.objectives.objective import Scored, check_scores


@dataclass(frozen=True)
class Hinge(Scored):
    r"""The hinge game:

        L_D = E_real[max(0, 1 − f)] + E_fake[max(0, 1 + f)],   L_G = −E_fake[f].

    The best critic is f* = sign(p_data − p_model) (any value in [−1, 1] where they are equal): it tells the side, not
    the ratio, so it cannot drive a sampler. With TV = ½∫|p_data − p_model| ∈ [0, 1],

        L_D(f*) = 2 − 2·TV,     E_real[f*] + L_G = 2·TV.

    References: J. H. Lim and J. C. Ye, Geometric GAN, 2017, https://arxiv.org/abs/1705.02894;
    D. Tran, R. Ranganath and D. Blei, Hierarchical implicit models, 2017, https://arxiv.org/abs/1702.08896.

    >>> zero = torch.zeros(4, 1)
    >>> Hinge().critic_loss(zero, zero), Hinge().generator_loss(None, zero)
    (tensor(2.), tensor(-0.))
    """

    generator_needs_real: ClassVar[bool] = False

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """By how much scores (B, k) fall short of the margins: ()."""
        check_scores(real, fake)
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Minus the mean of fake scores (B, k): ()."""
        check_scores(real, fake)
        return -fake.mean()

    def optimal_critic(self, log_ratio: Tensor) -> Tensor:
        """The sign of the log ratio; 0, one of many best values, where it is 0."""
        return torch.sign(log_ratio)
