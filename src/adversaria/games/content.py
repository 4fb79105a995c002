r"""The discrete part of a code, and how it is joined with the continuous part into what a decoder is given.

    content y ∈ Δ^{K−1}     a point of the simplex: softmax of the encoder's logits, or the one-hot of a label
    style   z ∈ ℝ^d

    joined         [y, z] ∈ ℝ^{K+d}
    around heads   y·W + z ∈ ℝ^d        the head w_k of cluster k, and the style about it

Heads that fall together are no clusters. What keeps them apart is a term of the loss,

    S(W) = Σ_{i<j} max(0, m − ‖w_i − w_j‖),

with ‖·‖ = √(Σ (·)² + ε), so that the gradient exists where two heads meet (it is then 0, and what else moves them
tells them apart).

Reference: A. Makhzani et al., Adversarial autoencoders, 2015, https://arxiv.org/abs/1511.05644, §5 and §7.
"""

import torch
from torch import Tensor

EPSILON = 1e-12
"""ε, in the square root: a millionth in the distance."""


def one_hot(label: Tensor, classes: int, *, like: Tensor) -> Tensor:
    """The unit vectors of labels (B,) int64 in [0, K): (B, K), of the type of another tensor.

    >>> one_hot(torch.tensor([1]), 3, like=torch.zeros(()))
    tensor([[0., 1., 0.]])
    """
    return (label[:, None] == torch.arange(classes, device=label.device)).to(like.dtype)


def represent(style: Tensor, content: Tensor | None = None) -> Tensor:
    """What a decoder is given of style (B, d) and content (B, K): [content, style] (B, K + d), or the style alone."""
    return style if content is None else torch.cat([content, style], dim=1)


def separation(heads: Tensor, margin: float) -> Tensor:
    """S of heads (K, d): (), 0 where all are at least `margin` apart.

    >>> separation(torch.tensor([[0.0, 0.0], [0.0, 1.5]]), 2.0)
    tensor(0.5000)
    """
    first, second = torch.triu_indices(len(heads), len(heads), offset=1, device=heads.device)
    distance = ((heads[first] - heads[second]).square().sum(1) + EPSILON).sqrt()
    return (margin - distance).clamp_min(0).sum()
