"""What every sampler is: n samples by seed, and what it cost to get them.

    sampler.sample(n, seed=s)        sampler.run(n, seed=s) = (samples, diagnostics)

Sample i depends on (s, i) alone: not on n, nor on how the work is divided. A sampler is a source again, so samplers can
be put around samplers, where that is valid: a ratio is that of p_data to one law, and a corrected law is another one.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from adversaria.errors import SamplingError
from adversaria.randomness import generator_for
from adversaria.sampling.scoring import Proposals, evaluating
from adversaria.sampling.source import LogRatio, source_of


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """What a sampler did.

    Arguments:
        method: its name, for people.
        samples: how many were asked for.
        proposals: how many were generated and scored.
        acceptance: share of proposals that were accepted, in [0, 1].
        effective: effective sample size per proposal, (E w)²/E w², w = exp(log ratio); None where nothing is weighted.
        positions: (n,) int64, where in its chain each sample was accepted, from 0; None where there is no chain.
        restarts: chains in which nothing was accepted, begun anew from a fake; they bias the samples towards the model.
        fallbacks: samples that were not accepted, but taken as the best of those refused; they are biased too.
        chain_length: proposals per chain; None if that varies.
        calibration: how the ratio was made.
        notes: what a reader must know.
    """

    method: str
    samples: int
    proposals: int
    acceptance: float
    effective: float | None
    positions: Tensor | None = None
    restarts: int = 0
    fallbacks: int = 0
    chain_length: int | None = None
    calibration: str = ""
    notes: tuple[str, ...] = ()

    @property
    def proposals_per_sample(self) -> float:
        """What one sample cost; NaN if there is none."""
        return self.proposals / self.samples if self.samples else float("nan")

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes; of the positions, their quartiles."""
        quartiles = None
        if self.positions is not None and len(self.positions):
            quarters = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0], dtype=torch.float64)
            quartiles = self.positions.double().quantile(quarters).tolist()
        return {
            "method": self.method,
            "samples": self.samples,
            "proposals": self.proposals,
            "proposals_per_sample": self.proposals_per_sample if self.samples else None,
            "acceptance": self.acceptance,
            "effective_sample_size_per_proposal": self.effective,
            "restarts": self.restarts,
            "fallbacks": self.fallbacks,
            "chain_length": self.chain_length,
            "position_quartiles": quartiles,
            "calibration": self.calibration,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        length = f", chains of {self.chain_length}" if self.chain_length else ""
        lines = [
            f"{self.method}{length}; ratio: {self.calibration}",
            f"{self.samples:,} samples from {self.proposals:,} proposals ({self.proposals_per_sample:.4g} each)",
            f"accepted {100 * self.acceptance:.3g} % of proposals",
        ]
        if self.effective is not None:
            lines[-1] += f"; effective sample size {self.effective:.3g} per proposal"
        if self.restarts:
            lines.append(f"{self.restarts:,} chains never moved and were begun anew from a fake: biased to the model")
        if self.fallbacks:
            lines.append(f"{self.fallbacks:,} samples were the best of those refused: biased to the highest ratio")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


class Draws(NamedTuple):
    """Samples, and what was done for them."""

    samples: Tensor
    diagnostics: Diagnostics


class Sampler(ABC):
    """A law to be sampled from."""

    def sample(self, n: int, *, seed: int) -> Tensor:
        """n samples (n, ...); sample i depends on (seed, i) alone.

        Raises:
            SamplingError: n is negative, or see the sampler.
        """
        return self.run(n, seed=seed).samples

    @abstractmethod
    def run(self, n: int, *, seed: int) -> Draws:
        """n samples as by `sample`, and diagnostics."""


@dataclass(frozen=True)
class Chosen:
    """What a correction keeps of its proposals, and how it came to that; see `Diagnostics`."""

    kept: Tensor
    """(m, ...), m ≥ n, in the form in which proposals are kept; the first n are the samples."""
    acceptance: float
    proposals: int | None = None
    """None: those that were weighted."""
    positions: Tensor | None = None
    restarts: int = 0
    fallbacks: int = 0
    chain_length: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Correction(Sampler):
    """A sampler around a source and a ratio.

    Arguments:
        source: what proposes; see `source_of`.
        ratio: x (B, ...) → (B,), log p_data/p_model up to a constant; see `calibrate`.

    Raises:
        SamplingError: one of them is none, or the ratio is not known to be one to the law of this source.
    """

    source: Any
    ratio: LogRatio
    method: ClassVar[str]
    """Its name, for people."""

    def __post_init__(self) -> None:
        check_pair(self.source, self.ratio)
        source_of(self.source)

    def run(self, n: int, *, seed: int) -> Draws:
        """n samples, and what was done for them.

        Raises:
            SamplingError: n is negative; scores that are not finite, or change with what is scored beside them; or
                what the sampler itself refuses.
        """
        check_count(n)
        with torch.no_grad(), evaluating(self.source, self.ratio):
            proposals = Proposals(source_of(self.source), self.ratio)
            if not n:
                return self._nothing(proposals)
            chosen = self._choose(n, seed, proposals)
            samples = proposals.decode(chosen.kept[:n])
        return Draws(
            samples,
            Diagnostics(
                method=self.method,
                samples=n,
                proposals=proposals.weights.count if chosen.proposals is None else chosen.proposals,
                acceptance=chosen.acceptance,
                effective=proposals.weights.effective,
                positions=None if chosen.positions is None else chosen.positions[:n],
                restarts=chosen.restarts,
                fallbacks=chosen.fallbacks,
                chain_length=chosen.chain_length,
                calibration=described(self.ratio),
                notes=chosen.notes,
            ),
        )

    @abstractmethod
    def _choose(self, n: int, seed: int, proposals: Proposals) -> Chosen:
        """At least n of the proposals, n ≥ 1, of which each depends on the seed and its place alone."""

    def _nothing(self, proposals: Proposals) -> Draws:
        """No samples, of the right shape."""
        kept = proposals.draw(1, generator_for(0, "none")).kept
        empty = torch.empty(0, dtype=torch.int64)
        return Draws(proposals.decode(kept)[:0], Diagnostics(self.method, 0, 0, 0.0, None, empty))


def check_count(n: int) -> None:
    """Refuse a negative number of samples."""
    if n < 0:
        raise SamplingError(f"n should be at least 0, came {n}")


def check_pair(source: Any, ratio: Any) -> None:
    """Refuse a ratio that is not known to be one to the law of this source.

    Raises:
        SamplingError: the source is a sampler, whose law is no longer the model's, and the ratio was not calibrated on
            its samples; or the ratio cannot be called.
    """
    if not callable(ratio):
        raise SamplingError(f"a ratio should be a callable x -> (n,) of log ratios, came {type(ratio).__name__}")
    if isinstance(source, Sampler) and getattr(ratio, "source", None) is not source:
        name = type(source).__name__
        raise SamplingError(
            f"the samples of {name} no longer follow the model's law, so this ratio would correct them twice; "
            f"calibrate one against them: calibrate(critic, real=..., fake=the {name}, method=...)"
        )


def described(ratio: Any) -> str:
    """How a ratio was made, in a few words."""
    describe = getattr(ratio, "describe", None)
    return describe() if describe else "given"
