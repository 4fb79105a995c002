r"""Which proposals an independence chain accepts: pure functions of scores and uniforms, for many chains at once.

In state s a proposal with log ratio ℓ_k is accepted iff log U_k ≤ ℓ_k − s. In words of t_k = ℓ_k − log U_k ≥ ℓ_k:

    accepted iff s ≤ t_k,    the state is then ℓ_k.

`acceptances` goes through the chain by this definition. `last_accepted`, which is all that a sampler needs, has no
loop over k: the largest t of all is accepted unless the start itself exceeds it, for every state before it is some
ℓ_j ≤ t_j ≤ t_k. From there on the same holds of what is left of the chain, so its end is reached in a few jumps from
one suffix maximum of t to the next. Both compare the same rounded numbers, so they agree to the last choice.
"""

import math

import torch
from torch import Tensor


def last_accepted(log_ratio: Tensor, log_uniform: Tensor, start: Tensor) -> Tensor:
    """Which proposal each chain ends at.

    Arguments:
        log_ratio: (C, K) float64, ℓ of the proposals of C chains, in order.
        log_uniform: (C, K) float64, log U.
        start: (C,) float64, ℓ of the states that the chains start from.

    Returns:
        (C,) int64 in [0, K), or −1 where nothing was accepted.

    >>> last_accepted(torch.tensor([[0.0, -1.0]]), torch.tensor([[-0.1, -0.5]]), torch.tensor([0.0]))
    tensor([0])
    """
    chains, length = log_ratio.shape
    # Exclusive suffix maxima: column k holds the maximum of t over k, …, K − 1, the last column is −∞ (nothing left).
    reach = torch.full((chains, length + 1), -math.inf, dtype=log_ratio.dtype)
    place = torch.full((chains, length + 1), length, dtype=torch.int64)
    suffix = torch.cummax((log_ratio - log_uniform).flip(1), dim=1)
    reach[:, :length] = suffix.values.flip(1)
    place[:, :length] = length - 1 - suffix.indices.flip(1)
    # In flat arrays, so that a jump is one lookup: only the chains that still move are looked at.
    reach, place, ratios = reach.flatten(), place.flatten(), log_ratio.flatten()
    ends = torch.full((chains,), -1, dtype=torch.int64)
    moving, state = torch.arange(chains), start
    while len(moving):
        at = moving * (length + 1) + ends[moving] + 1
        accepted = state <= reach[at]
        moving, best = moving[accepted], place[at[accepted]]
        ends[moving] = best
        state = ratios[moving * length + best]
    return ends


def acceptances(log_ratio: Tensor, log_uniform: Tensor, start: Tensor) -> Tensor:
    """Every move, by going through the chain proposal by proposal: the definition of `last_accepted`.

    Arguments are those of `last_accepted`.

    Returns:
        (C, K) bool: proposal k was accepted.
    """
    reach, ratios = (log_ratio - log_uniform).T.contiguous(), log_ratio.T.contiguous()
    moved, state = torch.empty(reach.shape, dtype=torch.bool), start
    for k in range(len(reach)):
        torch.le(state, reach[k], out=moved[k])
        state = torch.where(moved[k], ratios[k], state)
    return moved.T
