r"""Where proposals come from, and what corrects them.

    x = decode(z),   z ~ propose        independent draws of the law to be corrected, p_model
    ratio(x) = log p_data(x)/p_model(x) + constant,   in nats

A chain remembers z, not x: latents are small, and rejected images need not be kept. Two callables are enough,
`propose(n, generator) -> x` and `ratio(x) -> (n,)`, so that networks from elsewhere can be corrected as they are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from adversaria.errors import SamplingError

LogRatio = Callable[[Tensor], Tensor]
"""x (B, ...) → (B,): log p_data/p_source up to a constant, in nats."""

Propose = Callable[[int, torch.Generator], Tensor]
"""(n, generator) → n independent samples (n, ...)."""


@runtime_checkable
class Source(Protocol):
    """Independent proposals of one law."""

    def propose(self, n: int, generator: torch.Generator) -> Tensor:
        """n draws (n, ...) in the form in which they are kept: latents, or the samples themselves."""
        ...

    def decode(self, kept: Tensor) -> Tensor:
        """The samples (B, ...) of what was kept (B, ...); each a function of its own row."""
        ...


@runtime_checkable
class Samples(Protocol):
    """Anything that gives samples by seed: a model, or another sampler."""

    def sample(self, n: int, *, seed: int) -> Tensor:
        """n samples (n, ...)."""
        ...


@dataclass(frozen=True)
class Pushforward:
    """x = G(z), z ~ prior: the law of a generator.

    Arguments:
        prior: `sample(n, generator=g) -> (n, d)`; samplers that move in latent space also need `log_prob(z) -> (n,)`.
        generator: z (B, d) → samples (B, ...), a function of each row by itself; a module is used in evaluation mode.
    """

    prior: Any
    generator: Callable[[Tensor], Tensor]

    def propose(self, n: int, generator: torch.Generator) -> Tensor:
        """n latents (n, d), on the generator network's device."""
        return self.prior.sample(n, generator=generator).to(device_of(self.generator))

    def decode(self, kept: Tensor) -> Tensor:
        """G(z), with gradients where they are asked for."""
        return self.generator(kept)


@dataclass(frozen=True)
class _Direct:
    call: Propose

    def propose(self, n: int, generator: torch.Generator) -> Tensor:
        drawn = self.call(n, generator)
        if not isinstance(drawn, Tensor) or drawn.ndim < 1 or len(drawn) != n:
            came = f"shape {tuple(drawn.shape)}" if isinstance(drawn, Tensor) else type(drawn).__name__
            raise SamplingError(f"propose(n, generator) should return a tensor of n = {n} samples, came {came}")
        return drawn

    def decode(self, kept: Tensor) -> Tensor:
        return kept


@dataclass(frozen=True)
class _Resampled:
    """A sampler as a source: a new seed for each request."""

    sampler: Samples

    def propose(self, n: int, generator: torch.Generator) -> Tensor:
        seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        return self.sampler.sample(n, seed=seed)

    def decode(self, kept: Tensor) -> Tensor:
        return kept


def source_of(source: Any) -> Source:
    """`source` as a `Source`.

    Arguments:
        source: a `Source`; a model, or anything else with `prior` and `generator`; a sampler, or anything else with
            `sample(n, seed=...)`; or a callable `propose(n, generator)`.

    Raises:
        SamplingError: it is none of these.
    """
    if isinstance(source, Source):
        return source
    if hasattr(source, "prior") and hasattr(source, "generator"):
        return Pushforward(source.prior, source.generator)
    if isinstance(source, Samples):
        return _Resampled(source)
    if isinstance(source, nn.Module):
        raise SamplingError(
            f"a network alone ({type(source).__name__}) proposes nothing: pass Pushforward(prior, generator), or a "
            "function propose(n, generator) that draws the latents too"
        )
    if callable(source):
        return _Direct(source)
    raise SamplingError(
        "a source should be a model, a sampler, Pushforward(prior, generator), or a function propose(n, generator), "
        f"came {type(source).__name__}"
    )


def device_of(part: Any) -> torch.device:
    """The device of a network's weights; the CPU for what has none."""
    found = next(part.parameters(), None) if isinstance(part, nn.Module) else None
    return torch.device("cpu") if found is None else found.device
