r"""Importance resampling: of each pool of proposals one is chosen in proportion to its ratio. The cheap baseline.

    P(choose k) = exp ℓ_k / Σ_j exp ℓ_j,   k = 1 … K,   ℓ = log p_data/p_model + constant

The law of what is chosen differs from p_data by O(1/K): exactly, it has density
p_data(x)·E[K / (w(x) + Σ_{j<K} w_j)], w = p_data/p_model and w_j of K − 1 independent proposals. By Gumbel's device the
choice is argmax(ℓ_k + G_k), G_k = −log(−log U_k), which needs no normalisation.

Source: D. Rubin, The calculation of posterior distributions by data augmentation: comment, 1987,
https://doi.org/10.1080/01621459.1987.10478461 (sampling importance resampling, SIR).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from adversaria.errors import SamplingError
from adversaria.randomness import generator_for
from adversaria.sampling.sampler import Chosen, Correction
from adversaria.sampling.scoring import Proposals


@dataclass(frozen=True, eq=False)
class Resampling(Correction):
    """One sample from each pool of weighted proposals.

    Arguments:
        source: what proposes; see `source_of`.
        ratio: x (B, ...) → (B,), log p_data/p_model up to a constant; see `calibrate`.
        pool: K ≥ 1 proposals per sample. No default: it is the whole of the trade between cost and bias.

    Raises:
        SamplingError: the pool is empty.

    The positions in the diagnostics are the places in the pools.

    Limiting cases: K = 1 gives the model's samples, K → ∞ p_data.
    """

    pool: int
    method: ClassVar[str] = "importance resampling"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pool < 1:
            raise SamplingError(f"pool should be at least 1, came {self.pool}")

    def _choose(self, n: int, seed: int, proposals: Proposals) -> Chosen:
        together = proposals.chains_of(self.pool)
        groups = [self._group(group, together, seed, proposals) for group in range(-(-n // together))]
        kept, places = map(torch.cat, zip(*groups, strict=True))
        return Chosen(kept, acceptance=1 / self.pool, positions=places, chain_length=self.pool)

    def _group(self, group: int, together: int, seed: int, proposals: Proposals) -> tuple[torch.Tensor, torch.Tensor]:
        """What is kept of the choices of `together` pools, and their places."""
        g = generator_for(seed, "resampling", group)
        drawn = proposals.draw(together * self.pool, g)
        uniform = torch.rand(together, self.pool, generator=g, dtype=torch.float64)
        gumbel = -(-uniform.log()).log()
        places = (drawn.log_ratio.view(together, self.pool) + gumbel).argmax(1)
        return drawn.kept[torch.arange(together) * self.pool + places], places
