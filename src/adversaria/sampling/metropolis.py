r"""Metropolis-Hastings GAN: an independence sampler whose proposals are the generator's samples.

With ℓ(x) = log p_data(x)/p_model(x) + constant, a chain at x moves to a fresh proposal x′ ~ p_model with probability

    α(x → x′) = min(1, exp(ℓ(x′) − ℓ(x))),    that is, iff  log U ≤ ℓ(x′) − ℓ(x),  U ~ U(0, 1).

p_data is invariant if ℓ is exact, however bad the generator, as long as it misses nothing altogether. With
M = sup p_data/p_model the distance to p_data after K proposals is, from any start, at most

    TV ≤ (1 − 1/M)^K                                                                 (Mengersen and Tweedie, 1996).

One chain for each sample; its output is the last accepted proposal. A chain starts at the score of a real sample that
was set aside for it: already in p_data, so that only the lack of an accepted proposal is paid for. If none of the K
proposals is accepted, there is no generated sample to give; see `MetropolisHastings.unmoved`.

Sources: R. Turner, J. Hung, E. Frank, Y. Saatchi, J. Yosinski, Metropolis-Hastings generative adversarial networks,
2019, https://arxiv.org/abs/1811.11357; K. Mengersen and R. Tweedie, Rates of convergence of the Hastings and Metropolis
algorithms, 1996, https://doi.org/10.1214/aos/1033066201.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from adversaria.errors import SamplingError
from adversaria.randomness import generator_for
from adversaria.sampling.sampler import Chosen, Correction
from adversaria.sampling.scoring import Proposals, checked, pilot
from adversaria.sampling.selection import acceptances, last_accepted
from adversaria.sampling.source import source_of

BLOCK = 2**20
"""Most proposals whose choices are made at once."""

KEPT = 2**24
"""Most numbers of their latents that are kept meanwhile (64 MiB in float32)."""


# --- the length of a chain -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Within:
    """A chain as long as the bound (1 − 1/M)^K ≤ tolerance asks, M the largest ratio of 10,000 pilot proposals.

    M is estimated from below: a region that the pilot has not met, and where p_data/p_model is larger, is not counted.

    Arguments:
        tolerance: largest distance in total variation, in (0, 1).
        most: longest chain, ≥ 1; where more would be needed, the diagnostics say so.

    Raises:
        SamplingError: an argument is out of its domain.

    >>> Within(0.01).length(math.log(10 / 3))
    13
    """

    tolerance: float = 0.01
    most: int = 10_000

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            raise SamplingError(f"tolerance should be in (0, 1), came {self.tolerance}")
        if self.most < 1:
            raise SamplingError(f"most should be at least 1, came {self.most}")

    def length(self, log_bound: float) -> int:
        """Least K with (1 − 1/M)^K ≤ tolerance, from log M ≥ 0; at most `most`."""
        if log_bound <= 0:
            return 1
        return min(self.most, max(1, math.ceil(math.log(self.tolerance) / math.log1p(-math.exp(-log_bound)))))


def total_variation_bound(log_bound: float, length: int) -> float:
    """(1 − 1/M)^K from log M: the most that the law after K proposals can be from the law that is aimed at."""
    return math.exp(length * math.log1p(-math.exp(-log_bound))) if log_bound > 0 else 0.0


# --- the sampler -----------------------------------------------------------------------------------------------


class _Ends(NamedTuple):
    """What became of C chains."""

    kept: Tensor
    """(C, ...)."""
    positions: Tensor
    """(C,) int64."""
    moves: Tensor
    """(C,) int64, how many proposals were accepted."""
    restarted: Tensor
    """(C,) bool."""


class _Group(NamedTuple):
    """Chains that are generated together, (C, K) proposals in rows."""

    kept: Tensor
    log_ratio: Tensor
    log_uniform: Tensor
    start: Tensor


@dataclass(frozen=True, eq=False)
class MetropolisHastings(Correction):
    """One independence chain for each sample.

    Arguments:
        source: what proposes; see `source_of`.
        ratio: x (B, ...) → (B,), log p_data/p_model up to a constant; see `calibrate`.
        chain_length: K ≥ 1 proposals per chain (published: 640); "auto" is `Within(0.01)`.
        start: "real": chains start at log ratios of real samples, drawn from `start_scores`; "fake": at a proposal of
            their own, the first of K + 1.
        start_scores: (S,) log ratios of real samples set aside for this; None takes those of a calibrated ratio. They
            must have taken no part in training or calibration, or chains start too high and move too rarely.
        unmoved: of a chain that accepts nothing. "restart": as published, begin anew at the first of the same proposals
            with new uniforms, and count it; the samples are biased to the model by at most the share of such chains.
            "error": refuse to go on.

    Raises:
        SamplingError: an argument is out of its domain, or real starts are asked for and there are none; when run, a
            chain accepts nothing where that is an error.

    Limiting cases: a constant ratio accepts everything, and gives the model's samples; K → ∞ gives p_data.
    """

    chain_length: int | Within | Literal["auto"] = 640
    start: Literal["real", "fake"] = "real"
    start_scores: Tensor | None = field(default=None, repr=False)
    unmoved: Literal["restart", "error"] = "restart"
    method: ClassVar[str] = "Metropolis-Hastings"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.chain_length, int) and self.chain_length < 1:
            raise SamplingError(f"chain_length should be at least 1, came {self.chain_length}")
        for name, value, known in (
            ("start", self.start, ("real", "fake")),
            ("unmoved", self.unmoved, ("restart", "error")),
        ):
            if value not in known:
                raise SamplingError(f"{name} should be one of {', '.join(known)}, came {value!r}")
        if not isinstance(self.chain_length, int | Within) and self.chain_length != "auto":
            raise SamplingError(f"chain_length should be a whole number, Within(...) or 'auto', {self.chain_length!r}")
        if self.start == "real":
            _ = self._starts

    def _choose(self, n: int, seed: int, proposals: Proposals) -> Chosen:
        length, notes = self._length()
        kept, positions, moves, restarted = map(torch.cat, zip(*self._ends(n, length, seed, proposals), strict=True))
        return Chosen(
            kept,
            acceptance=float(moves.double().mean()) / length,
            positions=positions,
            restarts=int(restarted[:n].sum()),
            chain_length=length,
            notes=notes,
        )

    @cached_property
    def _starts(self) -> Tensor:
        given = getattr(self.ratio, "start_scores", None) if self.start_scores is None else self.start_scores
        if given is None or not len(given):
            raise SamplingError(
                "chains that start at real samples need start_scores, the log ratios of real samples that were neither "
                "trained nor calibrated on; calibrate(...) sets some aside. Else pass start='fake'"
            )
        return checked(torch.as_tensor(given).cpu(), len(given), "start_scores")

    @cached_property
    def _log_bound(self) -> float:
        """log M of the pilot; the same for every seed, as it belongs to the source and the ratio."""
        return pilot(source_of(self.source), self.ratio).log_largest

    def _length(self) -> tuple[int, tuple[str, ...]]:
        if isinstance(self.chain_length, int):
            return self.chain_length, ()
        wanted = Within() if self.chain_length == "auto" else self.chain_length
        length = wanted.length(self._log_bound)
        bound, largest = total_variation_bound(self._log_bound, length), math.exp(self._log_bound)
        note = (
            f"chains of {length} end within {bound:.2g} of the law aimed at, if no ratio, that of a start included, "
            f"exceeds {largest:.4g} times the mean"
        )
        short = "" if bound <= wanted.tolerance else f"; {wanted.tolerance:.2g} would take longer chains than {length}"
        return length, (note + short,)

    def _ends(self, n: int, length: int, seed: int, proposals: Proposals) -> Iterator[_Ends]:
        together = proposals.chains_of(length)
        groups = -(-n // together)
        first = 0
        while first < groups:
            block: list[_Group] = []
            while first + len(block) < groups and _room_for_more(block):
                block.append(self._group(first + len(block), together, length, seed, proposals))
            yield self._select(block, first * together, length, seed)
            first += len(block)

    def _group(self, group: int, together: int, length: int, seed: int, proposals: Proposals) -> _Group:
        """Chains group · together, …: a function of the seed and the number of the group."""
        g = generator_for(seed, "metropolis", group)
        own = int(self.start == "fake")
        drawn = proposals.draw(together * (length + own), g)
        log_uniform = torch.rand(together, length, generator=g, dtype=torch.float64).log_()
        log_ratio = drawn.log_ratio.view(together, length + own)
        kept = drawn.kept.view(together, length + own, *drawn.kept.shape[1:])
        start = log_ratio[:, 0] if own else self._starts[torch.randint(len(self._starts), (together,), generator=g)]
        return _Group(kept, log_ratio, log_uniform, start)

    def _select(self, block: list[_Group], first_chain: int, length: int, seed: int) -> _Ends:
        own = int(self.start == "fake")
        log_ratio = torch.cat([group.log_ratio for group in block])
        moved = acceptances(
            log_ratio[:, own:],
            torch.cat([group.log_uniform for group in block]),
            torch.cat([group.start for group in block]),
        )
        ends = last_accepted(moved)
        stuck = (ends < 0) if not own else torch.zeros(len(ends), dtype=torch.bool)
        if stuck.any() and self.unmoved == "error":
            raise SamplingError(
                f"chain {first_chain + int(stuck.nonzero()[0])} accepted none of {length} proposals; lengthen the "
                "chains, choose a calibration that is bounded (isotonic), or allow unmoved='restart'"
            )
        if stuck.any():
            chains = [first_chain + chain for chain in stuck.nonzero()[:, 0].tolist()]
            ends[stuck] = _restarted(log_ratio[stuck], chains, seed)
        places = (ends + own).split(len(block[0].start))
        kept = torch.cat([group.kept[torch.arange(len(at)), at] for group, at in zip(block, places, strict=True)])
        return _Ends(kept, ends.clamp(min=0), moved.sum(1), stuck)


def _room_for_more(block: list[_Group]) -> bool:
    if not block:
        return True
    one = block[0]
    most = min(BLOCK // one.log_ratio.numel(), KEPT // one.kept.numel())
    return len(block) < most


def _restarted(log_ratio: Tensor, chains: list[int], seed: int) -> Tensor:
    """Ends (C,) of chains over the same proposals (C, K) that start at the first of them, with new uniforms."""
    steps = log_ratio.shape[1] - 1
    own = [generator_for(seed, "metropolis", "restart", chain) for chain in chains]
    log_uniform = torch.stack([torch.rand(steps, generator=g, dtype=torch.float64) for g in own]).log_()
    return last_accepted(acceptances(log_ratio[:, 1:], log_uniform, log_ratio[:, 0])) + 1
