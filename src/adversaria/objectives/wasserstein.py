"""The difference of mean scores."""

from dataclasses import dataclass
from typing import ClassVar, NoReturn

from torch import Tensor

from adversaria.objectives.objective import Scored, check_scores


@dataclass(frozen=True)
class Wasserstein(Scored):
    r"""The Wasserstein game:

        L_D = E_fake[f] − E_real[f],   L_G = −E_fake[f].

    By Kantorovich and Rubinstein, min L_D over critics of slope at most 1 is −W₁(p_data, p_model), the earth mover's
    distance. Without that bound there is no minimum: doubling the scores doubles the gain. So it needs a penalty on
    the slope (`GradientPenalty`), clipped weights (`clip`), or spectral normalisation. The best critic is not a
    function of the density ratio: for N(μ, 1) against N(0, 1) it is f*(x) = sign(μ)·x, with W₁ = |μ|.

    Reference: M. Arjovsky, S. Chintala and L. Bottou, Wasserstein GAN, 2017, https://arxiv.org/abs/1701.07875.

    >>> import torch
    >>> Wasserstein().critic_loss(torch.tensor([[3.0], [1.0]]), torch.tensor([[0.5]]))
    tensor(-1.5000)
    """

    generator_needs_real: ClassVar[bool] = False

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Mean of fake minus mean of real scores (B, k): ()."""
        check_scores(real, fake)
        return fake.mean() - real.mean()

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Minus the mean of fake scores (B, k): ()."""
        check_scores(real, fake)
        return -fake.mean()

    def optimal_critic(self, log_ratio: Tensor) -> NoReturn:
        """There is none.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "the Wasserstein objective has no optimal critic as a function of the density ratio: it depends on the "
            "distances in sample space, and exists only for a bounded slope; calibrate the critic to get a ratio"
        )
