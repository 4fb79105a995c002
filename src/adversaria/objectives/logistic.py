r"""The two logistic games of Goodfellow et al. (2014).

The score ℓ is the logit of the probability D = σ(ℓ) that a sample is real. The critic descends the cross-entropy

    L_D = E_real[−α·log σ(ℓ) − (1−α)·log σ(−ℓ)] + E_fake[−log σ(−ℓ)],

with α = `real_target` ∈ (0, 1]; α < 1 is one-sided label smoothing (Salimans et al., 2016). Its minimiser is

    D* = α·p_data/(p_data + p_model),   ℓ* = log α + r − log(1 + (1−α)·e^r),   r = log p_data/p_model,

where  L_D = log 4 − 2·JSD(p_data, p_model)                      for α = 1, and in general
       L_D = 2·[h(α/2) − JS_{α/2}(p_data, q)],   q = ((1−α)·p_data + p_model)/(2−α),

with h the entropy of a coin, JS_π(p, q) = π·KL(p‖m) + (1−π)·KL(q‖m), m = π·p + (1−π)·q, all in nats.

All is computed from log σ(ℓ) = min(ℓ, 0) − log(1 + e^{−|ℓ|}), which is exact in both tails, and so is its gradient
1 − σ(ℓ); a logarithm of σ(ℓ) + ε has gradient 0 where the true one is 1.

References: I. Goodfellow et al., Generative adversarial nets, 2014, https://arxiv.org/abs/1406.2661;
T. Salimans et al., Improved techniques for training GANs, 2016, https://arxiv.org/abs/1606.03498.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from adversaria.objectives.objective import Scored, check_scores


@dataclass(frozen=True)
class Logistic(Scored):
    """The critic's part, which both games share.

    Arguments:
        real_target: α ∈ (0, 1], the probability that the critic should give to real samples; 1 is no smoothing.

    Raises:
        ValueError: α is outside (0, 1].
    """

    real_target: float = 1.0
    generator_needs_real: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.real_target <= 1:
            raise ValueError(f"expected real_target in (0, 1], got {self.real_target}; 1 is no smoothing, 0.9 usual")

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Cross-entropy on logits (B, k), in nats: (); 2·log 2 at zero logits whatever the smoothing."""
        check_scores(real, fake)
        on_real = -self.real_target * logsigmoid(real)
        if self.real_target < 1:
            on_real = on_real - (1 - self.real_target) * logsigmoid(-real)
        return on_real.mean() - logsigmoid(-fake).mean()

    def optimal_critic(self, log_ratio: Tensor) -> Tensor:
        """ℓ* = logit D*: the log ratio itself without smoothing, bounded by log α/(1−α) with it."""
        if self.real_target == 1:
            return log_ratio
        kept = log_ratio + math.log1p(-self.real_target)
        return math.log(self.real_target) + log_ratio - torch.logaddexp(kept, torch.zeros_like(kept))


@dataclass(frozen=True)
class Minimax(Logistic):
    """The zero-sum game: the generator descends L_G = E_fake[log(1 − D)], the critic's own loss with sign reversed.

    At D* it minimises 2·JSD(p_data, p_model) − log 4. Its gradient on a logit is −σ(ℓ), which vanishes as ℓ → −∞:
    where the critic is sure, the generator learns nothing ("saturates").

    >>> zero = torch.zeros(4, 1)
    >>> Minimax().critic_loss(zero, zero), Minimax().generator_loss(None, zero)
    (tensor(1.3863), tensor(-0.6931))
    """

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """E log σ(−ℓ) over fakes (B, k), in nats: ()."""
        check_scores(real, fake)
        return logsigmoid(-fake).mean()


@dataclass(frozen=True)
class NonSaturating(Logistic):
    """The same critic, but the generator descends L_G = −E_fake[log D].

    Its gradient on a logit is −σ(−ℓ), which tends to −1 as ℓ → −∞. At D* (α = 1) the generator's gradient is that of
    KL(p_model‖p_data) − 2·JSD(p_data, p_model) (M. Arjovsky and L. Bottou, 2017, https://arxiv.org/abs/1701.04862).

    >>> zero = torch.zeros(4, 1)
    >>> NonSaturating().critic_loss(zero, zero), NonSaturating().generator_loss(None, zero)
    (tensor(1.3863), tensor(0.6931))
    """

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """−E log σ(ℓ) over fakes (B, k), in nats: ()."""
        check_scores(real, fake)
        return -logsigmoid(fake).mean()
