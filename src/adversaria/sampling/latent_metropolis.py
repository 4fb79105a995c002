r"""Metropolis-Hastings in latent space: Langevin's proposals, accepted so that the law is exact.

With π(z) = p₀(z)·exp ℓ(G(z)), z′ = z + (ε/2)·∇log π(z) + √ε·ξ is proposed from z, and accepted with probability

    min(1, π(z′) q(z | z′) / (π(z) q(z′ | z))),    log q(z′ | z) = −‖z′ − z − (ε/2)·∇log π(z)‖²/(2ε) + constant.

π is invariant whatever ε, and its image under G is p_data if ℓ is exact. Steps are small, so one chain must walk from
mode to mode of π; an independence chain (`MetropolisHastings`) jumps, but is refused often where the model is bad.
Published for CIFAR-10, by the authors' code: ε = 0.01, 640 steps.

Sources: Y. Wang, Y. Wang, J. Yang, Z. Lin, Reparameterized sampling for generative adversarial networks (REP-GAN),
2021, https://arxiv.org/abs/2107.00352; J. Besag, 1994 (the Metropolis-adjusted Langevin algorithm).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from adversaria.sampling.latent import LatentLaw, Moved, Walk, at_step, noise_like


@dataclass(frozen=True, eq=False)
class LatentMetropolis(Walk):
    """Metropolis-adjusted Langevin walks from latents of the prior.

    Arguments:
        source: a model, or `Pushforward(prior, generator)`; the prior has `log_prob`, and may be −∞ outside a support.
        ratio: x (B, ...) → (B,), log p_data/p_model up to a constant, differentiable.
        steps: of each walk, ≥ 1.
        step_size: ε > 0. Good values accept about 0.57 of the steps in many dimensions (Roberts and Rosenthal, 1998).

    Raises:
        SamplingError: an argument is out of its domain, or there are no latents, density, or gradient.

    Limiting cases: steps → ∞ gives p_data; with a constant ratio the walk starts in its own law, and stays there.
    """

    method: ClassVar[str] = "latent Metropolis"

    def _walk(self, law: LatentLaw, z: Tensor, g: torch.Generator) -> Moved:
        here, moves = law.log_density(z, flat=True), 0.0
        for step in range(self.steps):
            proposed = z + 0.5 * self.step_size * here.gradient + self.step_size**0.5 * noise_like(z, g)
            with at_step(step, self.steps):
                there = law.log_density(proposed, flat=True)
            log_accepted = there.value - here.value + self._log_step(proposed, z, there.gradient)
            log_accepted = log_accepted - self._log_step(z, proposed, here.gradient)
            log_uniform = torch.rand(len(z), generator=g, device=g.device, dtype=torch.float64).log().to(z.device)
            taken = log_uniform <= log_accepted
            z = torch.where(taken[:, None], proposed, z)
            here = type(here)(*(torch.where(_rows(taken, new), new, old) for new, old in zip(there, here, strict=True)))
            moves += float(taken.double().mean())
        return Moved(z, moves / self.steps)

    def _log_step(self, start: Tensor, end: Tensor, gradient: Tensor) -> Tensor:
        """log q(end | start) (B,), up to a constant."""
        return -(end - start - 0.5 * self.step_size * gradient).double().square().sum(1) / (2 * self.step_size)


def _rows(taken: Tensor, like: Tensor) -> Tensor:
    return taken.view(-1, *(1 for _ in like.shape[1:]))
