r"""The Cramér GAN: the generator descends the energy distance of critic features, the critic a surrogate of it.

    E(h) = 2 E|h(x) − h(y)| − E|h(x) − h(x')| − E|h(y) − h(y')|,        x, x' ~ p_data,  y, y' ~ p_model.

The publication lets the critic look at one real sample at a time, against

    f_c(t) = E|t − h(y')| − |t|,        gain = E f_c(h(x)) − E f_c(h(y)).

This is the energy distance with 0 in the place of a second real h(x'). **It is not a divergence**: where all reals are
at 0 and all fakes at t, f_c(0) = |t| and f_c(t) = −|t|, so the gain is 2|t|; but with the reals at t and the fakes at
0, f_c(t) = f_c(0) = 0, and the gain is 0 however far they are apart.

Expectations are means over all pairs of the two batches, i ≠ j among the fakes; the publication draws a second batch of
fakes instead, which has the same expectation and more noise.

References: M. Bellemare et al., The Cramer distance as a solution to biased Wasserstein gradients, 2017,
https://arxiv.org/abs/1705.10743; for the surrogate and the biases, Bińkowski et al., Demystifying MMD GANs, 2018,
https://arxiv.org/abs/1801.01401, appendix C; G. Székely and M. Rizzo, Energy statistics, 2013,
https://doi.org/10.1016/j.jspi.2013.03.018.
"""

from dataclasses import dataclass
from typing import ClassVar, NoReturn

import torch
from torch import Tensor

from adversaria.kernels import Energy, distances, lengths, widened
from adversaria.objectives.discrepancy import MMD, check_pairs, pair_weights

ENERGY = MMD(Energy())
"""The energy distance as a discrepancy."""


@dataclass(frozen=True)
class Cramer:
    r"""The Cramér game on features (B, k):

        L_D = E|real| − E|fake| − E|real − fake| + E|fake − fake'|,
        L_G = 2 E|real − fake| − E|real − real'| − E|fake − fake'|.

    L_G is the loss of `MMD(Energy())`; only the critics differ. (The published one leaves out E|real − real'|, which
    the generator cannot change.) The critic needs a penalty on the slope of its `witness` f_c, of weight 10 there.

    >>> at_0, at_3 = torch.zeros(4, 1), torch.full((4, 1), 3.0)
    >>> Cramer().generator_loss(at_3, at_0), Cramer().critic_loss(at_0, at_3), Cramer().critic_loss(at_3, at_0)
    (tensor(6.), tensor(-6.), tensor(0.))
    """

    generator_needs_real: ClassVar[bool] = True

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Minus the surrogate's gain on features (m, k) and (n, k), m, n ≥ 2: ().

        Raises:
            ValueError: the features do not fit, or there is only one sample on a side.
        """
        real = check_pairs(real, fake)
        both, m, n = widened(torch.cat([real, fake])), len(real), len(fake)
        weights = pair_weights(m, n, both)[m:]  # of a fake with each: −1/mn with a real, 1/n(n−1) with another fake
        of_pairs = (distances(both[m:], both) * weights).sum()
        real_length, fake_length = (part.mean() for part in lengths(both).split([m, n]))
        return (of_pairs + real_length - fake_length).to(fake.dtype)

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """The energy distance of features (m, k) and (n, k), m, n ≥ 2, without bias: ().

        Raises:
            ValueError: the features do not fit, no real ones came, or there is only one sample on a side.
        """
        return ENERGY.generator_loss(real, fake)

    def witness(self, at: Tensor, real: Tensor, fake: Tensor) -> Tensor:
        """f_c(t) = ⟨|t − fake|⟩ − |t| at features t (T, k), with fake (n, k): (T, 1)."""
        t = widened(at)
        return (distances(t, widened(fake)).mean(1) - lengths(t)).to(at.dtype)[:, None]

    def optimal_critic(self, log_ratio: Tensor) -> NoReturn:
        """There is none.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "the Cramér objective has no optimal critic as a function of the density ratio: its critic maps samples to "
            "features; calibrate its witness function to get a ratio"
        )
