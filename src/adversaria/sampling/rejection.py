r"""Rejection: accept a proposal in proportion to its ratio.

Exactly, with a bound B on the ratio, ℓ(x) = log p_data(x)/p_model(x) + constant:

    accept iff  log U ≤ ℓ(x) − log B       accepted samples follow p_data; one in B/E[exp ℓ] proposals is accepted.

As published (discriminator rejection sampling), where no bound is known and exact acceptance would be too rare: with M
the largest ℓ met so far,

    Δ = ℓ − M ≤ 0,   F = Δ − log(1 − exp(Δ − ε)),   accept with probability σ(F − γ).

γ = 0, ε → 0 is the exact form with B = exp M, for σ(F) = exp Δ. A proposal with F = γ is accepted with probability ½: a
low γ accepts more than is exact, for a law nearer to the model's; a high one keeps little but the highest ratios. Of
`tries` proposals that were all refused, the one of highest ratio is taken; such samples are counted.

Source: S. Azadi, C. Olsson, T. Darrell, I. Goodfellow, A. Odena, Discriminator rejection sampling, 2019,
https://arxiv.org/abs/1810.06758.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from adversaria.errors import SamplingError
from adversaria.randomness import generator_for
from adversaria.sampling.bound import Bounded
from adversaria.sampling.sampler import Chosen, Correction
from adversaria.sampling.scoring import Proposals, Scored, pilot
from adversaria.sampling.source import source_of

CHUNK = 256
"""Proposals drawn at a time, of one endless stream."""


@dataclass(frozen=True)
class Percentile:
    """γ as the percentile of F among each chunk of proposals.

    Arguments:
        percent: in [0, 100]; published: 95 for toy laws, 80 for images.

    Raises:
        SamplingError: it is outside [0, 100].
    """

    percent: float

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 100:
            raise SamplingError(f"percent should be in [0, 100], came {self.percent}")


def log_acceptance(
    log_ratio: Tensor, log_maximum: Tensor | float, gamma: float | Percentile, *, epsilon: float = 1e-6
) -> Tensor:
    """log σ(F − γ) of proposals (n,), float64: the logarithm of the published acceptance probability.

    Arguments:
        log_ratio: (n,) float64, ℓ.
        log_maximum: M ≥ ℓ, () or (n,).
        gamma: γ, or the percentile of F that it is.
        epsilon: ε > 0, which keeps F finite at the maximum, where it is −log(1 − e^{−ε}) ≈ 13.8.

    >>> log_acceptance(torch.tensor([0.0, 1.0], dtype=torch.float64).log1p(), math.log(2), 0.0, epsilon=1e-12).exp()
    tensor([0.5000, 1.0000], dtype=torch.float64)
    """
    below = log_ratio - log_maximum
    f = below - (-torch.expm1(below - epsilon)).log()
    level = f.quantile(gamma.percent / 100) if isinstance(gamma, Percentile) else gamma
    return logsigmoid(f - level)


# --- an endless stream of proposals, of which some are accepted ------------------------------------------------


class _Chunk(NamedTuple):
    """Scored proposals, and which of them are accepted."""

    scored: Scored
    accepted: Tensor
    """(CHUNK,) bool."""


def _stream(proposals: Proposals, judge: Callable[[Tensor], Tensor], seed: int, method: str) -> Iterator[_Chunk]:
    chunk = 0
    while True:
        g = generator_for(seed, method, chunk)
        scored = proposals.draw(CHUNK, g)
        log_uniform = torch.rand(CHUNK, generator=g, dtype=torch.float64).log_()
        yield _Chunk(scored, log_uniform <= judge(scored.log_ratio))
        chunk += 1


class _Best(NamedTuple):
    log_ratio: float
    kept: Tensor


def _pick(stream: Iterator[_Chunk], n: int, limit: float) -> Chosen:
    """The first n accepted, and how many were refused before each; after `limit` refusals, the best of those."""
    kept: list[Tensor] = []
    tries: list[int] = []
    fallbacks = accepted = drawn_in_all = refused = 0
    best: _Best | None = None
    while len(kept) < n:
        (drawn, log_ratio), taken = next(stream)
        accepted, drawn_in_all = accepted + int(taken.sum()), drawn_in_all + len(taken)
        for k, (ratio, take) in enumerate(zip(log_ratio.tolist(), taken.tolist(), strict=True)):
            if len(kept) == n:
                break
            if best is None or ratio > best.log_ratio:
                best = _Best(ratio, drawn[k])
            refused += 1
            if take or refused >= limit:
                kept.append(drawn[k] if take else best.kept)
                tries.append(refused - 1)
                fallbacks += int(not take)
                refused, best = 0, None
    return Chosen(torch.stack(kept), accepted / drawn_in_all, positions=torch.tensor(tries), fallbacks=fallbacks)


# --- the samplers ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Rejection(Correction):
    """Discriminator rejection sampling, as published.

    Arguments:
        source: what proposes; see `source_of`.
        ratio: x (B, ...) → (B,), log p_data/p_model up to a constant; see `calibrate`.
        gamma: γ, or the percentile of F that it is (published: `Percentile(95)` for toy laws, 80 for images). There is
            no default: it trades quality for variety.
        tries: proposals after which the best one refused is taken, ≥ 1.

    Raises:
        SamplingError: an argument is out of its domain.

    Limiting cases: γ = 0 is exact once the maximum has been met; γ → −∞ gives the model's samples; γ → ∞ only the best
    of each `tries`.
    """

    gamma: float | Percentile
    tries: int = 640
    method: ClassVar[str] = "rejection"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.gamma, Percentile) and not math.isfinite(self.gamma):
            raise SamplingError(f"gamma should be finite, or Percentile(...), came {self.gamma}")
        if self.tries < 1:
            raise SamplingError(f"tries should be at least 1, came {self.tries}")

    def _choose(self, n: int, seed: int, proposals: Proposals) -> Chosen:
        maximum = self._maximum

        def judge(log_ratio: Tensor) -> Tensor:
            nonlocal maximum
            maxima = log_ratio.cummax(0).values.clamp(min=maximum)
            maximum = float(maxima[-1])
            return log_acceptance(log_ratio, maxima, self.gamma)

        return _pick(_stream(proposals, judge, seed, "rejection"), n, self.tries)

    @cached_property
    def _maximum(self) -> float:
        """The first M; the same for every seed, as it belongs to the source and the ratio."""
        return pilot(source_of(self.source), self.ratio).largest


@dataclass(frozen=True, eq=False)
class ExactRejection(Bounded):
    """Rejection under a bound: exact samples of p_data, if the ratio is exact.

    Arguments:
        source: what proposes; see `source_of`.
        ratio: x (B, ...) → (B,), log p_data/p_model up to a constant; see `calibrate`.
        bound: B ≥ exp ratio(x) for every x; None takes the ratio's own, which isotonic calibration has.

    Raises:
        SamplingError: no bound is given and the ratio has none, or it is not positive and finite; when run, a ratio
            exceeds it.
    """

    method: ClassVar[str] = "exact rejection"

    def _choose(self, n: int, seed: int, proposals: Proposals) -> Chosen:
        return _pick(_stream(proposals, self._below_bound, seed, "exact-rejection"), n, math.inf)
