r"""The latent energy of a corrected generator, and how samplers move in it.

    E(z) = −log p₀(z) − ℓ(G(z)),    ℓ = log p_data/p_model + constant

exp(−E) is p₀(z)·p_data(G(z))/p_model(G(z)) up to a factor, and its image under G is p_data, if ℓ is exact (Che et al.,
2020). Unlike in image space, where gradients leave the images that a generator can make, every z here gives one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from adversaria.errors import SamplingError
from adversaria.randomness import generator_for
from adversaria.sampling.sampler import Diagnostics, Draws, described, no_draws
from adversaria.sampling.scoring import Proposals, evaluating
from adversaria.sampling.source import LogRatio, Pushforward, source_of

SHARE = 4
"""Walks are played in groups of a quarter of a batch, as a gradient holds what a pass forgets."""


class Slope(NamedTuple):
    """A function of latents (B, d), and its gradient."""

    value: Tensor
    """(B,) float64."""
    gradient: Tensor
    """(B, d)."""


@dataclass(frozen=True)
class LatentLaw:
    """log p₀ and ℓ ∘ G, with gradients.

    Arguments:
        source: x = G(z), z ~ p₀.
        ratio: ℓ.
    """

    source: Pushforward
    ratio: LogRatio

    def log_ratio(self, z: Tensor) -> Slope:
        """ℓ(G(z)) and its gradient."""
        return self._slope(lambda at: self.ratio(self.source.decode(at)), z, "the log ratio")

    def log_density(self, z: Tensor) -> Slope:
        """−E(z) = log p₀(z) + ℓ(G(z)) and its gradient; −∞ outside the support of p₀."""
        prior = self._slope(self.source.prior.log_prob, z, "the prior's log density", outside=True)
        ratio = self.log_ratio(z)
        return Slope(prior.value + ratio.value, prior.gradient + ratio.gradient)

    def _slope(self, function: Callable[[Tensor], Tensor], z: Tensor, what: str, *, outside: bool = False) -> Slope:
        with torch.enable_grad():
            at = z.detach().requires_grad_()
            value = function(at).double()
            gradient = torch.autograd.grad(value.sum(), at)[0] if value.requires_grad else torch.zeros_like(at)
        value = value.detach()
        wrong = ~gradient.isfinite().all(1) | ~(value.isfinite() | ((value == -torch.inf) & outside))
        if wrong.any():
            raise SamplingError(
                f"{what} or its gradient is not finite at {int(wrong.sum())} of {len(z)} latents; take smaller steps, "
                "or look for weights that have diverged"
            )
        return Slope(value, gradient)


def latent_law(source: Any, ratio: LogRatio, *, density: bool) -> LatentLaw:
    """The latent law of a source.

    Arguments:
        source: a `Pushforward`, or anything with a prior and a generator.
        ratio: ℓ, differentiable.
        density: whether p₀ is needed too.

    Raises:
        SamplingError: the source has no latents, its prior no density, or the ratio no gradient.
    """
    found = source_of(source)
    if not isinstance(found, Pushforward):
        raise SamplingError(
            "this sampler moves latents, and the source has none: pass a model, or Pushforward(prior, generator)"
        )
    if density and not hasattr(found.prior, "log_prob"):
        raise SamplingError(f"this needs prior.log_prob(z) -> (n,), which {type(found.prior).__name__} has not")
    calibration = getattr(ratio, "calibration", None)
    if calibration is not None and not calibration.differentiable:
        raise SamplingError(
            f"{calibration.name} calibration is flat in most places, so it has no gradient to follow; calibrate by "
            "platt or beta"
        )
    return LatentLaw(found, ratio)


class Moved(NamedTuple):
    """Where some chains ended."""

    z: Tensor
    accepted: float
    """Mean share of moves accepted."""


Walk = Callable[[LatentLaw, Tensor, torch.Generator], Moved]
"""(law, latents of the prior (C, d), randomness) → where they end."""


def play(
    sampler: Any,
    method: str,
    n: int,
    seed: int,
    walk: Walk,
    *,
    density: bool,
) -> Draws:
    """n samples by walks from latents of the prior, in groups that depend on the seed and their number alone.

    Raises:
        SamplingError: no chain ever moved.
    """
    law = latent_law(sampler.source, sampler.ratio, density=density)
    moved: list[Moved] = []
    with evaluating(sampler.source, sampler.ratio):
        with torch.no_grad():
            proposals = Proposals(law.source, sampler.ratio)
            if not n:
                return no_draws(method, proposals)
        together = max(1, proposals.rows // SHARE)
        for group in range(-(-n // together)):  # the last group is played whole
            g = generator_for(seed, method, group)
            moved.append(walk(law, law.source.propose(together, g), g))
        if not any(one.accepted for one in moved):
            raise SamplingError(
                "not one step was accepted: take smaller steps, or a prior that fills its space (a sphere does not)"
            )
        with torch.no_grad():
            samples = proposals.decode(torch.cat([one.z for one in moved])[:n])
    return Draws(
        samples,
        Diagnostics(
            method=method,
            samples=n,
            proposals=len(moved) * together * sampler.steps,
            acceptance=sum(one.accepted for one in moved) / len(moved),
            effective=None,
            chain_length=sampler.steps,
            calibration=described(sampler.ratio),
        ),
    )


def noise_like(z: Tensor, g: torch.Generator) -> Tensor:
    """N(0, I) of the shape of z, drawn where the generator lives."""
    return torch.randn(z.shape, generator=g, device=g.device, dtype=z.dtype).to(z.device)


def check_steps(steps: int, step_size: float) -> None:
    """Refuse no steps, and steps of no or infinite size."""
    if steps < 1:
        raise SamplingError(f"steps should be at least 1, came {steps}")
    if not 0 < step_size < float("inf"):
        raise SamplingError(f"step_size should be positive and finite, came {step_size}")
