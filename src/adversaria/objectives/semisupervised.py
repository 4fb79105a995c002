r"""One critic that tells classes apart, and real from fake: K classes and one more for fakes.

The critic gives K logits ℓ_1 … ℓ_K; that of the class of fakes is fixed at ℓ_{K+1} = 0, since a softmax does not change
when all its logits are shifted. With the score

    s(x) = log Σ_k exp ℓ_k(x)                                      (logsumexp)

    p(class k | x, real) = exp(ℓ_k − s),      p(real | x) = e^s/(e^s + 1) = σ(s),

so s is the logit of being real, just as the score of any other critic of the logistic game is. The critic descends

    L_labelled   = E_labelled[−ℓ_y + s]                             cross-entropy among the K classes
    L_unlabelled = ½·( E_real[−s + softplus s] + E_fake[softplus s] )

the second being half the loss of `Minimax`. Nothing overflows: e^s itself is never computed.

Reference: T. Salimans et al., Improved techniques for training GANs, 2016, https://arxiv.org/abs/1606.03498, §5.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from adversaria.objectives.logistic import Minimax


def realness(logits: Tensor) -> Tensor:
    """s = logsumexp of logits (B, K), the logit of being real: (B, 1), a critic's score.

    At zero logits it is log K: a critic that knows nothing of K classes takes all for real with odds K : 1.

    Raises:
        ValueError: the logits are not (B, K) with K at least 1.

    >>> realness(torch.zeros(2, 4)).exp()
    tensor([[4.],
            [4.]])
    """
    if logits.ndim != 2 or logits.shape[1] < 1:
        raise ValueError(f"expected logits of shape (B, K), K at least 1, got {tuple(logits.shape)}")
    return torch.logsumexp(logits, dim=1, keepdim=True)


def labelled_loss(logits: Tensor, label: Tensor) -> Tensor:
    """L_labelled of logits (B, K) and classes (B,) int64 in [0, K), in nats: (); log K at zero logits.

    Raises:
        ValueError: there are no labelled samples, or not one label for each.
    """
    if label.shape != logits.shape[:1] or not len(label):
        raise ValueError(
            f"expected one label for each of at least one labelled sample, got labels {tuple(label.shape)} for logits "
            f"{tuple(logits.shape)}"
        )
    return cross_entropy(logits, label)


def unlabelled_loss(real: Tensor, fake: Tensor) -> Tensor:
    """L_unlabelled of logits of real and fake samples, (B, K) each, in nats: ()."""
    return 0.5 * Minimax().critic_loss(realness(real), realness(fake))
