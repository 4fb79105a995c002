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
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from adversaria.errors import SamplingError
from adversaria.randomness import generator_for
from adversaria.sampling.sampler import Diagnostics, Draws, Sampler, check_count, check_pair, described, no_draws
from adversaria.sampling.scoring import Proposals, Scored, evaluating, pilot
from adversaria.sampling.source import LogRatio, source_of

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


class _Picked(NamedTuple):
    kept: Tensor
    """(n, ...)."""
    tries: Tensor
    """(n,) int64, proposals that were refused before."""
    fallbacks: int
    accepted: int
    """Proposals accepted among all that were drawn."""


class _Best(NamedTuple):
    log_ratio: float
    kept: Tensor


def _pick(stream: Iterator[_Chunk], n: int, limit: float) -> _Picked:
    """The first n accepted; after `limit` refusals in a row, the best of those refused."""
    kept: list[Tensor] = []
    tries: list[int] = []
    fallbacks = accepted = refused = 0
    best: _Best | None = None
    while len(kept) < n:
        (drawn, log_ratio), taken = next(stream)
        accepted += int(taken.sum())
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
    return _Picked(torch.stack(kept), torch.tensor(tries), fallbacks, accepted)


def _draws(method: str, picked: _Picked, proposals: Proposals) -> Draws:
    return Draws(
        proposals.decode(picked.kept),
        Diagnostics(
            method=method,
            samples=len(picked.kept),
            proposals=proposals.weights.count,
            acceptance=picked.accepted / proposals.weights.count,
            effective=proposals.weights.effective,
            positions=picked.tries,
            fallbacks=picked.fallbacks,
            calibration=described(proposals.ratio),
        ),
    )


# --- the samplers ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Rejection(Sampler):
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

    source: Any
    ratio: LogRatio
    gamma: float | Percentile
    tries: int = 640

    def __post_init__(self) -> None:
        check_pair(self.source, self.ratio)
        source_of(self.source)
        if not isinstance(self.gamma, Percentile) and not math.isfinite(self.gamma):
            raise SamplingError(f"gamma should be finite, or Percentile(...), came {self.gamma}")
        if self.tries < 1:
            raise SamplingError(f"tries should be at least 1, came {self.tries}")

    def run(self, n: int, *, seed: int) -> Draws:
        """n samples, in the order in which the stream of proposals gave them.

        Raises:
            SamplingError: n is negative; scores that are not finite, or change with what is scored beside them.
        """
        check_count(n)
        with torch.no_grad(), evaluating(self.source, self.ratio):
            proposals = Proposals(source_of(self.source), self.ratio)
            if not n:
                return no_draws("rejection", proposals)
            maximum = self._maximum

            def judge(log_ratio: Tensor) -> Tensor:
                nonlocal maximum
                maxima = log_ratio.cummax(0).values.clamp(min=maximum)
                maximum = float(maxima[-1])
                return log_acceptance(log_ratio, maxima, self.gamma)

            picked = _pick(_stream(proposals, judge, seed, "rejection"), n, self.tries)
            return _draws("rejection", picked, proposals)

    @cached_property
    def _maximum(self) -> float:
        """The first M; the same for every seed, as it belongs to the source and the ratio."""
        return pilot(source_of(self.source), self.ratio).largest


@dataclass(frozen=True, eq=False)
class ExactRejection(Sampler):
    """Rejection under a bound: exact samples of p_data, if the ratio is exact.

    Arguments:
        source: what proposes; see `source_of`.
        ratio: x (B, ...) → (B,), log p_data/p_model up to a constant; see `calibrate`.
        bound: B ≥ exp ratio(x) for every x; None takes the ratio's own, which isotonic calibration has.

    Raises:
        SamplingError: no bound is given and the ratio has none, or it is not positive and finite.
    """

    source: Any
    ratio: LogRatio
    bound: float | None = None

    def __post_init__(self) -> None:
        check_pair(self.source, self.ratio)
        source_of(self.source)
        log_bound_of(self.bound, self.ratio)

    def run(self, n: int, *, seed: int) -> Draws:
        """n samples, in the order in which the stream of proposals gave them.

        Raises:
            SamplingError: n is negative; a ratio exceeds the bound; scores that are not finite, or change with what is
                scored beside them.
        """
        check_count(n)
        log_bound = log_bound_of(self.bound, self.ratio)
        with torch.no_grad(), evaluating(self.source, self.ratio):
            proposals = Proposals(source_of(self.source), self.ratio)
            if not n:
                return no_draws("exact rejection", proposals)
            judged = _stream(proposals, lambda log_ratio: below_bound(log_ratio, log_bound), seed, "exact-rejection")
            return _draws("exact rejection", _pick(judged, n, math.inf), proposals)


def log_bound_of(bound: float | None, ratio: LogRatio) -> float:
    """log B; of None, that of the ratio's own bound.

    Raises:
        SamplingError: there is none, or it is not positive and finite.
    """
    bound = getattr(ratio, "bound", None) if bound is None else bound
    if bound is None:
        raise SamplingError(
            "this needs a bound on the ratio: pass bound=, the largest p_data/p_model in the units of exp(ratio), or "
            "calibrate by isotonic regression, which has one; MetropolisHastings needs none"
        )
    if not (bound > 0 and math.isfinite(bound)):
        raise SamplingError(f"bound should be positive and finite, came {bound}")
    return math.log(bound)


def below_bound(log_ratio: Tensor, log_bound: float) -> Tensor:
    """ℓ − log B ≤ 0.

    Raises:
        SamplingError: a ratio exceeds the bound, by more than rounding.
    """
    excess = float(log_ratio.max()) - log_bound
    if excess > 1e-6:
        raise SamplingError(
            f"a proposal's ratio is {math.exp(min(excess, 700)):.4g} times the bound, so that the samples would be "
            "biased; pass a larger bound"
        )
    return log_ratio - log_bound
