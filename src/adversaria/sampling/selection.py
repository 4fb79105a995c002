r"""Which proposals an independence chain accepts: pure functions of scores and uniforms, for many chains at once.

In state s a proposal with log ratio ℓ_k is accepted iff log U_k ≤ ℓ_k − s. With t_k = ℓ_k − log U_k, the highest state
from which it would be accepted,

    accepted iff s ≤ t_k,    and then s = ℓ_k.

One comparison and one copy per step, for all chains together: a loop over k whose cost is that of its memory.
"""

import numpy as np
import torch
from torch import Tensor


def acceptances(log_ratio: Tensor, log_uniform: Tensor, start: Tensor) -> Tensor:
    """Every move of C chains.

    Arguments:
        log_ratio: (C, K) float64, ℓ of the proposals, in order.
        log_uniform: (C, K) float64, log U.
        start: (C,) float64, ℓ of the states that the chains start from.

    Returns:
        (C, K) bool: proposal k was accepted.

    >>> start, log_uniform = torch.tensor([0.0]), torch.tensor([[-0.1, -0.5]])
    >>> acceptances(torch.tensor([[0.0, -1.0]]), log_uniform, start)
    tensor([[ True, False]])
    """
    # Proposals in rows, so that each step reads what lies together; NumPy, as its calls cost a fifth of PyTorch's.
    highest = np.ascontiguousarray((log_ratio - log_uniform).numpy().T)
    proposed = np.ascontiguousarray(log_ratio.numpy().T)
    state, moved = start.numpy().copy(), np.empty(highest.shape, dtype=bool)
    for k in range(len(highest)):
        np.less_equal(state, highest[k], out=moved[k])
        np.copyto(state, proposed[k], where=moved[k])
    return torch.from_numpy(moved.T)


def last_accepted(moved: Tensor) -> Tensor:
    """Where each chain ends.

    Arguments:
        moved: (C, K) bool, as from `acceptances`.

    Returns:
        (C,) int64 in [0, K), or −1 where nothing was accepted.

    >>> last_accepted(torch.tensor([[True, False], [False, False]]))
    tensor([ 0, -1])
    """
    places = torch.arange(1, moved.shape[1] + 1)
    return (moved * places).amax(1) - 1 if moved.shape[1] else torch.full((len(moved),), -1)
