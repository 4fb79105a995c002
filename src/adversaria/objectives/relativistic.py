"""Relativistic pairing: the critic judges pairs of one real and one fake."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import logsigmoid

from adversaria.objectives.objective import Scored, check_scores


@dataclass(frozen=True)
class Relativistic(Scored):
    r"""Is this real sample more real than that fake? With pairs (x_i, y_i) of a real and a fake,

        L_D = E[−log σ(f(x_i) − f(y_i))],   L_G = E[−log σ(f(y_i) − f(x_i))].

    Only differences of scores matter. The best critic is f* = log p_data/p_model + any constant: up to that constant
    a log density ratio, as in the logistic game. With P = p_data⊗p_model and P' = p_model⊗p_data,

        L_D(f*) = log 2 − JSD(P, P'),

    where the divergence is between an ordered pair and the same pair swapped: 0 exactly when p_model = p_data, and
    at most log 2. At f* the generator's gradient is that of KL(p_model‖p_data) − JSD(P, P'): the pairing is
    non-saturating in the sense of `NonSaturating`, whose gradient has the same form.

    References: A. Jolicoeur-Martineau, The relativistic discriminator, 2018, https://arxiv.org/abs/1807.00734;
    N. Huang et al., The GAN is dead; long live the GAN! (R3GAN), 2024, https://arxiv.org/abs/2501.05441.

    >>> import torch
    >>> Relativistic().critic_loss(torch.zeros(4, 1), torch.zeros(4, 1))
    tensor(0.6931)
    """

    generator_needs_real: ClassVar[bool] = True

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Cross-entropy of the pairs, scores (B, k), equal B: (), in nats; log 2 at equal scores.

        Raises:
            ValueError: the batches differ in size.
        """
        return -logsigmoid(_difference(real, fake)).mean()

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Cross-entropy of the swapped pairs, scores (B, k), equal B: (), in nats; log 2 at equal scores.

        Raises:
            ValueError: the batches differ in size, or no real scores came.
        """
        return -logsigmoid(-_difference(real, fake)).mean()

    def optimal_critic(self, log_ratio: Tensor) -> Tensor:
        """The log ratio itself; any constant may be added."""
        return log_ratio


def _difference(real: Tensor | None, fake: Tensor) -> Tensor:
    if real is None:
        raise ValueError("the relativistic objective compares pairs; pass the scores of real samples too, not None")
    check_scores(real, fake)
    if real.shape[0] != fake.shape[0]:
        raise ValueError(
            f"the relativistic objective pairs real_i with fake_i; expected equal batches, "
            f"got {real.shape[0]} real and {fake.shape[0]} fake"
        )
    return real - fake
