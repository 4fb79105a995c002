r"""The running average of a player's weights.

    θ̄ ← β_t θ̄ + (1 − β_t) θ_t,      β_t = 2^(−1/h_t),      h_t = min(halflife, rampup · t)

so that a weight's share in the average halves every h_t steps, and the average forgets the start early on
(Karras et al., 2022, https://arxiv.org/abs/2206.00364). Buffers (running means of batch normalisation) are copied.
"""

import copy

import torch
from torch import Tensor, nn


class Average:
    """A copy of a module whose weights lag behind it.

    Arguments:
        module: the player; it is copied.
        halflife: in steps, > 0.
        rampup: largest half-life as a share of the steps done, in (0, 1].
    """

    def __init__(self, module: nn.Module, *, halflife: float, rampup: float) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False)
        self.halflife = halflife
        self.rampup = rampup

    def decay(self, step: int) -> float:
        """β_t after `step` ≥ 1 steps."""
        return 0.5 ** (1.0 / min(self.halflife, self.rampup * step))

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move towards `module`, which has made `step` steps."""
        mine: list[Tensor] = list(self.module.parameters())
        theirs: list[Tensor] = list(module.parameters())
        torch._foreach_lerp_(mine, theirs, 1.0 - self.decay(step))
        for kept, live in zip(self.module.buffers(), module.buffers(), strict=True):
            kept.copy_(live)
