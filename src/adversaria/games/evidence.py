r"""The evidence log p(x) = log ∫ p(x | z) p(z) dz of a decoder, and bounds on it by way of a posterior q(z | x).

    evidence lower bound        L_1 = E_q[ log p(x | z) ] − KL( q(z | x) ‖ p(z) )
    importance-weighted bound   L_k = E log (1/k) Σ_i w_i,    w_i = p(x | z_i) p(z_i)/q(z_i | x),   z_i ~ q

L_1 ≤ L_2 ≤ … ≤ log p(x), with L_k → log p(x) as k → ∞ if the weights are bounded, and L_1 = log p(x) exactly if q is
the true posterior (all weights are then equal). The mean over the data is what models are compared by; a stochastic
bound errs low on average, so a better figure at larger k is no better model. In nats a sample.

The divergence has a closed form for a Gaussian posterior and a normal prior N(0, s² I),

    KL = ½ Σ_i [ (σ_i² + μ_i²)/s² − 1 − log(σ_i²/s²) ],

and is estimated by log q(z | x) − log p(z) at the code itself for any other prior with a density.

References: D. Kingma and M. Welling, Auto-encoding variational Bayes, 2014, https://arxiv.org/abs/1312.6114;
Y. Burda, R. Grosse and R. Salakhutdinov, Importance weighted autoencoders, 2016, https://arxiv.org/abs/1509.00519.
"""

import math
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor

from adversaria.games.likelihoods import Likelihood
from adversaria.games.posteriors import Encoder, Gaussian
from adversaria.priors import Normal, Prior


@singledispatch
def divergence(prior: Any, style: Tensor, code: Tensor) -> Tensor:
    """KL(q ‖ prior) in nats, or an unbiased estimate of it, for Gaussian posteriors q: (B,).

    Arguments:
        prior: of `adversaria.priors`, with a density.
        style: (B, 2d), the head [μ, log σ²] of each.
        code: (B, d), a code of each, at which the difference of log densities is taken where there is no closed form.
    """
    return Gaussian.log_prob(style, code) - prior.log_prob(code).to(code.dtype)


@divergence.register
def _(prior: Normal, style: Tensor, code: Tensor) -> Tensor:
    mean, log_variance = style.chunk(2, dim=-1)
    excess = log_variance - 2 * math.log(prior.scale)
    return 0.5 * (excess.exp() + (mean / prior.scale).square() - 1 - excess).sum(-1)


def log_weights(
    encoder: Encoder, decoder: Any, likelihood: Likelihood, prior: Prior, x: Tensor, noise: Tensor
) -> Tensor:
    """log w_i = log p(x | z_i) + log p(z_i) − log q(z_i | x) in nats, z_i = μ(x) + σ(x)·ε_i: (k, B) float64.

    Arguments:
        encoder: of a Gaussian posterior; its discrete part, if there is one, is not looked at.
        decoder: of z.
        likelihood: p(x | z).
        prior: p(z), with a density.
        x: (B, ...).
        noise: (k, B, d), the ε_i.
    """
    parts = []
    for one in noise:
        code, style, _ = Gaussian().encode(encoder, x, one)
        fits = likelihood.log_prob(decoder, code, x).double()
        parts.append(fits + prior.log_prob(code) - Gaussian.log_prob(style.double(), code.double()))
    return torch.stack(parts)


def importance_weighted(log_weights: Tensor) -> Tensor:
    """log (1/k) Σ_i w_i of log weights (k, B): (B,), in float64 and without leaving the logarithm.

    >>> importance_weighted(torch.tensor([[-1000.0], [-1000.0]]))
    tensor([-1000.], dtype=torch.float64)
    """
    return torch.logsumexp(log_weights.double(), dim=0) - math.log(len(log_weights))
