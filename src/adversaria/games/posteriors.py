r"""Posteriors q(z | x): how the continuous part of a code is made of what the encoder says.

    deterministic   z = f(x)                                  style head: d numbers
    Gaussian        z = μ(x) + σ(x)·ε,      ε ~ N(0, I_d)     style head: [μ, log σ²], 2d numbers
    universal       z = f(x, η),            η ~ N(0, I_k)     style head: d numbers; η goes into the encoder

All are written as functions of the sample and of standard normal noise, so that the code can be differentiated along
the encoder. With noise 0 they give a code without chance: f(x), μ(x), f(x, 0).

The deterministic posterior can reach a prior only if the data itself is spread widely enough; the others add spread of
their own. Only the Gaussian one has a density that can be evaluated.

While it learns, an encoder may drop hidden units at random (`Dropped`, around any of them). That noise is no part of
the posterior: the model that is kept is the one inside.

Reference: A. Makhzani et al., Adversarial autoencoders, 2015, https://arxiv.org/abs/1511.05644, §2.1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from adversaria.nn import Heads

Encoder = Callable[..., Heads]
"""An encoder of `adversaria.nn`, or anything called like one."""


class Encoded(NamedTuple):
    """A batch of codes."""

    code: Tensor
    """(B, d): z, the continuous part."""
    style: Tensor
    """(B, s): the head that it was made of."""
    logits: Tensor | None = None
    """(B, K): of the discrete part y; None where there is none."""


class Posterior(Protocol):
    """A way of making codes."""

    def outputs(self, dim: int) -> int:
        """s, the numbers in the encoder's style head for codes of `dim`."""
        ...

    def noise(self, dim: int) -> int:
        """How many standard normal numbers a code of `dim` is made with."""
        ...

    @property
    def given(self) -> int:
        """How many of them the encoder is given."""
        ...

    def encode(self, encoder: Encoder, x: Tensor, noise: Tensor) -> Encoded:
        """Codes of x (B, ...), with noise (B, `noise(d)`); noise 0 gives the code without chance."""
        ...


@dataclass(frozen=True)
class Deterministic:
    """z = f(x)."""

    given = 0

    def outputs(self, dim: int) -> int:
        """d."""
        return dim

    def noise(self, dim: int) -> int:
        """0."""
        return 0

    def encode(self, encoder: Encoder, x: Tensor, noise: Tensor) -> Encoded:
        """Codes of x (B, ...); noise is (B, 0)."""
        style, logits = encoder(x)
        return Encoded(style, style, logits)


@dataclass(frozen=True)
class Gaussian:
    """z = μ + σ·ε, with [μ, log σ²] the style head."""

    given = 0

    def outputs(self, dim: int) -> int:
        """2d."""
        return 2 * dim

    def noise(self, dim: int) -> int:
        """d."""
        return dim

    def encode(self, encoder: Encoder, x: Tensor, noise: Tensor) -> Encoded:
        """Codes of x (B, ...), with ε = noise (B, d)."""
        style, logits = encoder(x)
        mean, log_variance = style.chunk(2, dim=-1)
        return Encoded(mean + (0.5 * log_variance).exp() * noise, style, logits)

    @staticmethod
    def log_prob(style: Tensor, code: Tensor) -> Tensor:
        """log q(z | x) in nats, of the style head (..., 2d) at codes z (..., d): (...).

        >>> Gaussian.log_prob(torch.zeros(1, 2), torch.zeros(1, 1))
        tensor([-0.9189])
        """
        mean, log_variance = style.chunk(2, dim=-1)
        squares = (code - mean).square() * (-log_variance).exp()
        return -0.5 * (squares + log_variance + math.log(2 * math.pi)).sum(-1)


@dataclass(frozen=True)
class Universal:
    """z = f(x, η).

    Arguments:
        numbers: k, entries of η, ≥ 1.
    """

    numbers: int

    @property
    def given(self) -> int:
        """k."""
        return self.numbers

    def outputs(self, dim: int) -> int:
        """d."""
        return dim

    def noise(self, dim: int) -> int:
        """k."""
        return self.numbers

    def encode(self, encoder: Encoder, x: Tensor, noise: Tensor) -> Encoded:
        """Codes of x (B, ...), with η = noise (B, k)."""
        style, logits = encoder(x, noise)
        return Encoded(style, style, logits)


@dataclass(frozen=True)
class Dropped:
    """Another posterior, of an encoder that drops hidden units; with noise 0 it is the other.

    Arguments:
        posterior: the other.
        units: how many numbers the encoder takes for it, `MLPEncoder.dropped`.
    """

    posterior: Posterior
    units: int

    @property
    def given(self) -> int:
        """As of the other."""
        return self.posterior.given

    def outputs(self, dim: int) -> int:
        """As of the other."""
        return self.posterior.outputs(dim)

    def noise(self, dim: int) -> int:
        """The units, and as many as the other takes."""
        return self.units + self.posterior.noise(dim)

    def encode(self, encoder: Encoder, x: Tensor, noise: Tensor) -> Encoded:
        """Codes of x (B, ...); the first numbers of the noise are for the units."""
        dropping, chance = noise[:, : self.units], noise[:, self.units :]
        return self.posterior.encode(partial(encoder, dropping=dropping), x, chance)


def still(posterior: Posterior, dim: int, x: Tensor) -> Tensor:
    """The noise with which codes of x (B, ...) have no chance in them: zeros (B, `posterior.noise(dim)`)."""
    return torch.zeros(len(x), posterior.noise(dim), dtype=x.dtype, device=x.device)
