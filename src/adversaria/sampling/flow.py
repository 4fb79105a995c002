r"""Discriminator gradient flow: latents follow the gradient of an entropy-regularised divergence.

    z ← z − η·∇_z f′(exp(−ℓ(G(z)))) + √(2γη)·ξ,    ξ ~ N(0, I)

With r = p_model/p_data = exp(−ℓ), the divergences E_data f(r) and their drifts −∇f′(r) are

    KL      f = r log r                        f′ = log r + 1             drift  ∇ℓ
    JS      f = r log r − (r + 1) log (r+1)/2  f′ = log 2r/(r + 1)        drift  σ(ℓ)·∇ℓ
    log D   f = (r + 1) log (r + 1) − 2 log 2  f′ = log (r + 1) + 1       drift  σ(−ℓ)·∇ℓ

The flow of laws would need the ratio to the law of the walkers, which changes as they move; the ratio to the model is
put in its stead. So this is no sampler of p_data, not even in the limit: it improves samples for some steps, and goes
on to the maxima of ℓ ∘ G, blurred by γ (KL: to exp(ℓ(G(z))/γ), if that is a law, as η → 0). The prior has no part in
it, and walks may end where the generator never trained, which is noted. Published for CIFAR-10, by the authors' code:
KL, η = 0.1, γ = 0.01, 25 steps.

Source: A. Ansari, M. Ang, H. Soh, Refining deep generative models via discriminator gradient flow, 2021,
https://arxiv.org/abs/2012.00780.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from adversaria.errors import SamplingError
from adversaria.sampling.latent import LatentLaw, Moved, Walk, at_step, noise_like

Divergence = Literal["kl", "js", "log-d"]

SPEEDS: dict[Divergence, Callable[[Tensor], Tensor]] = {
    "kl": torch.ones_like,
    "js": torch.sigmoid,
    "log-d": lambda log_ratio: torch.sigmoid(-log_ratio),
}
"""The factor of ∇ℓ in the drift, as a function of ℓ (B,)."""


@dataclass(frozen=True, eq=False)
class GradientFlow(Walk):
    """Walks along the gradient flow, from latents of the prior.

    Arguments:
        source: a model, or `Pushforward(prior, generator)`.
        ratio: x (B, ...) → (B,), log p_data/p_model up to a constant, differentiable.
        steps: of each walk, ≥ 1.
        step_size: η > 0.
        noise: γ ≥ 0.
        divergence: "kl", "js" or "log-d".

    Raises:
        SamplingError: an argument is out of its domain, or there are no latents or no gradient.

    Limiting case: η·steps → 0 gives the model's samples.
    """

    noise: float = 0.01
    divergence: Divergence = "kl"
    method: ClassVar[str] = "gradient flow"
    density: ClassVar[bool] = False
    caution: ClassVar[tuple[str, ...]] = ("the law of the walks is not that of the data, however many steps they take",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.noise < float("inf"):
            raise SamplingError(f"noise should be at least 0 and finite, came {self.noise}")
        if self.divergence not in SPEEDS:
            raise SamplingError(f"divergence should be one of {', '.join(SPEEDS)}, came {self.divergence!r}")

    def _walk(self, law: LatentLaw, z: Tensor, g: torch.Generator) -> Moved:
        speed, spread = SPEEDS[self.divergence], (2 * self.noise * self.step_size) ** 0.5
        for step in range(self.steps):
            with at_step(step, self.steps):
                here = law.log_ratio(z)
            drift = speed(here.value).to(z.dtype)[:, None] * here.gradient
            z = z + self.step_size * drift + spread * noise_like(z, g)
        return Moved(z, 1.0)
