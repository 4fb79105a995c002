r"""Discriminator-driven latent sampling: Langevin's walk in the latent energy, without correction.

    z ← z − (ε/2)·∇E(z) + √ε·ξ,    ξ ~ N(0, I),    E(z) = −log p₀(z) − ℓ(G(z))

Its stationary law differs from exp(−E) by O(ε): where E is ½ z²/v it is N(0, v/(1 − ε/4v)), too wide.
`LatentMetropolis` is the same walk with the bias taken out.

Steps of ε = 0.01 are usual; the settings of the paper could not be checked.

Source: T. Che et al., Your GAN is secretly an energy-based model and you should use discriminator driven latent
sampling, 2020, https://arxiv.org/abs/2003.06060.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from adversaria.errors import SamplingError
from adversaria.sampling.latent import LatentLaw, Moved, Walk, at_step, noise_like


@dataclass(frozen=True, eq=False)
class Langevin(Walk):
    """Unadjusted Langevin walks from latents of the prior.

    Arguments:
        source: a model, or `Pushforward(prior, generator)`; the prior has `log_prob`, positive everywhere.
        ratio: x (B, ...) → (B,), log p_data/p_model up to a constant, differentiable.
        steps: of each walk, ≥ 1.
        step_size: ε > 0.

    Raises:
        SamplingError: an argument is out of its domain, or there are no latents, density, or gradient.

    Limiting case: ε·steps → 0 gives the model's samples.
    """

    method: ClassVar[str] = "Langevin"
    caution: ClassVar[tuple[str, ...]] = ("not corrected for the size of the steps: see LatentMetropolis",)

    def _walk(self, law: LatentLaw, z: Tensor, g: torch.Generator) -> Moved:
        for step in range(self.steps):
            with at_step(step, self.steps):
                here = law.log_density(z)
                if (here.value == -torch.inf).any():
                    raise SamplingError(
                        "a walk has left the support of the prior, and has no gradient there; LatentMetropolis refuses "
                        "such steps, or use a prior that is positive everywhere"
                    )
            z = z + 0.5 * self.step_size * here.gradient + self.step_size**0.5 * noise_like(z, g)
        return Moved(z, 1.0)
