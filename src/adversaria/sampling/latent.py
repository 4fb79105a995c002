r"""The latent energy of a corrected generator, and how samplers move in it.

    E(z) = −log p₀(z) − ℓ(G(z)),    ℓ = log p_data/p_model + constant

exp(−E) is p₀(z)·p_data(G(z))/p_model(G(z)) up to a factor, and its image under G is p_data, if ℓ is exact (Che et al.,
2020). Unlike in image space, where gradients leave the images that a generator can make, every z here gives one.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from adversaria.errors import SamplingError
from adversaria.randomness import generator_for
from adversaria.sampling.sampler import Chosen, Correction
from adversaria.sampling.scoring import Proposals, checked
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

    def log_ratio(self, z: Tensor, *, flat: bool = False) -> Slope:
        """ℓ(G(z)) and its gradient.

        Arguments:
            z: (B, d).
            flat: whether a ratio that cannot be differentiated may pass as one of gradient 0, as it may where
                acceptance makes up for a poor proposal, but not where the gradient is all there is.

        Raises:
            SamplingError: something is not finite, or there is no gradient.
        """

        def score(at: Tensor) -> Tensor:
            return checked(self.ratio(self.source.decode(at)), len(at), "the ratio")

        return self._slope(score, z, "the log ratio", flat=flat)

    def log_density(self, z: Tensor, *, flat: bool = False) -> Slope:
        """−E(z) = log p₀(z) + ℓ(G(z)) and its gradient; −∞ outside the support of p₀. As `log_ratio`."""
        prior = self._slope(self.log_prior, z, "the prior's log density", flat=True)
        ratio = self.log_ratio(z, flat=flat)
        return Slope(prior.value + ratio.value, prior.gradient + ratio.gradient)

    def log_prior(self, z: Tensor) -> Tensor:
        """log p₀(z) (B,) float64; −∞ outside the support.

        Raises:
            SamplingError: not of the shape (B,), or NaN or +∞.
        """
        value = self.source.prior.log_prob(z).double()
        if value.shape != (len(z),):
            raise SamplingError(
                f"prior.log_prob should give ({len(z)},) for as many latents, came {tuple(value.shape)}"
            )
        wrong = int((~(value < torch.inf)).sum())
        if wrong:
            raise SamplingError(f"prior.log_prob is not finite at {wrong} of {len(z)} latents; it may be −∞, no more")
        return value

    def _slope(self, function: Callable[[Tensor], Tensor], z: Tensor, what: str, *, flat: bool) -> Slope:
        with torch.enable_grad():
            at = z.detach().requires_grad_()
            value = function(at)
            if not (value.requires_grad or flat):
                raise SamplingError(
                    f"{what} has no gradient in the latents: it, or the generator, is detached, computed outside "
                    "torch, or under torch.no_grad or torch.inference_mode; LatentMetropolis can do without"
                )
            gradient = torch.autograd.grad(value.sum(), at)[0] if value.requires_grad else torch.zeros_like(at)
        wrong = int((~gradient.isfinite().all(1)).sum())
        if wrong:
            raise SamplingError(
                f"the gradient of {what} is not finite at {wrong} of {len(z)} latents; take smaller steps, or look for "
                "weights that have diverged"
            )
        return Slope(value.detach(), gradient)


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


@contextmanager
def at_step(step: int, steps: int) -> Iterator[None]:
    """Says in an error at which step of a walk it arose."""
    try:
        yield
    except SamplingError as error:
        raise SamplingError(f"at step {step + 1} of {steps}: {error}") from error


@dataclass(frozen=True, eq=False)
class Walk(Correction):
    """Samples at the ends of walks that start from latents of the prior.

    Arguments:
        source: a model, or `Pushforward(prior, generator)`.
        ratio: x (B, ...) → (B,), log p_data/p_model up to a constant, differentiable.
        steps: of each walk, ≥ 1.
        step_size: > 0.

    Raises:
        SamplingError: an argument is out of its domain, or there are no latents, density, or gradient.
    """

    steps: int
    step_size: float
    density: ClassVar[bool] = True
    """Whether the method needs p₀, and a walk must end where it is positive."""
    caution: ClassVar[tuple[str, ...]] = ()
    """What a reader must know of its law."""

    def __post_init__(self) -> None:
        super().__post_init__()
        latent_law(self.source, self.ratio, density=self.density)
        if self.steps < 1:
            raise SamplingError(f"steps should be at least 1, came {self.steps}")
        if not 0 < self.step_size < float("inf"):
            raise SamplingError(f"step_size should be positive and finite, came {self.step_size}")

    @abstractmethod
    def _walk(self, law: LatentLaw, z: Tensor, g: torch.Generator) -> Moved:
        """Where walks end that start from latents z (C, d) of the prior."""

    def _choose(self, n: int, seed: int, proposals: Proposals) -> Chosen:
        """Ends of walks, in groups that depend on the seed and their number alone.

        Raises:
            SamplingError: no walk ever moved; or, where the density belongs to the method, one ended outside of it.
        """
        law = latent_law(self.source, self.ratio, density=self.density)
        together = max(1, proposals.rows // SHARE)
        moved: list[Moved] = []
        for group in range(-(-n // together)):  # the last group is played whole
            g = generator_for(seed, self.method, group)
            moved.append(self._walk(law, law.source.propose(together, g), g))
        if not any(one.accepted for one in moved):
            raise SamplingError(
                "not one step was accepted: take smaller steps, or a prior that fills its space (a sphere does not)"
            )
        z = torch.cat([one.z for one in moved])
        return Chosen(
            z,
            acceptance=sum(one.accepted for one in moved) / len(moved),
            proposals=len(z) * self.steps,
            chain_length=self.steps,
            notes=self.caution + _outside(law, z if self.density else z[:n], refused=self.density),
        )


def _outside(law: LatentLaw, z: Tensor, *, refused: bool) -> tuple[str, ...]:
    """What to note, or to raise, of latents that the prior cannot draw; nothing if its density is not known."""
    if not hasattr(law.source.prior, "log_prob"):
        return ()
    count = int((law.log_prior(z) == -torch.inf).sum())
    said = f"{count:,} of {len(z):,} walks ended outside the support of the prior, where the generator never trained"
    if count and refused:
        raise SamplingError(f"{said}; LatentMetropolis refuses such steps, or use a prior that is positive everywhere")
    return (said,) if count else ()


def noise_like(z: Tensor, g: torch.Generator) -> Tensor:
    """N(0, I) of the shape of z, drawn where the generator lives."""
    return torch.randn(z.shape, generator=g, device=g.device, dtype=z.dtype).to(z.device)
