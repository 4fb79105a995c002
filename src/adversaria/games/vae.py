r"""The variational autoencoder: one phase, in which encoder and decoder ascend the evidence bound.

    minimise   E[ −log p(x | z) + β·KL( q(z | x) ‖ p(z) ) ],     z = μ(x) + σ(x)·ε

β = 1 is the bound itself; β < 1 lets the codes spread further from the prior for the sake of reconstruction, β > 1
holds them closer (Higgins et al., 2017). The prior may be any with a density: see `evidence.divergence`.

References: D. Kingma and M. Welling, Auto-encoding variational Bayes, 2014, https://arxiv.org/abs/1312.6114;
I. Higgins et al., β-VAE, 2017, https://openreview.net/forum?id=Sy2fzU9gl.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from adversaria.games.evidence import divergence
from adversaria.games.game import Batch, Game, Move, Outcome, Phase, Players, Tensors
from adversaria.games.likelihoods import Likelihood
from adversaria.games.posteriors import Gaussian, Posterior
from adversaria.priors import Prior

_GAUSSIAN = Gaussian()


@dataclass(frozen=True)
class _Rules:
    posterior: Posterior
    prior: Prior
    likelihood: Likelihood
    beta: float

    def draw(self, batch: Batch, generator: torch.Generator, share: float) -> Tensors:
        return {"noise": torch.randn(len(batch.real), self.posterior.noise(self.prior.dim), generator=generator)}

    def loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        code, style, _ = self.posterior.encode(players["encoder"], batch.real, draws["noise"])
        misfit = -self.likelihood.log_prob(players["decoder"], code, batch.real).mean()
        spread: Tensor = divergence(self.prior, style, code).mean()
        return Outcome(misfit + self.beta * spread, {"reconstruction": misfit, "divergence": spread})


def vae(
    encoder: nn.Module,
    decoder: nn.Module,
    prior: Prior,
    likelihood: Likelihood,
    *,
    beta: float = 1.0,
    posterior: Posterior = _GAUSSIAN,
) -> Game:
    """The game of an encoder and a decoder.

    Arguments:
        encoder: x (B, ...) → heads, with 2d numbers of style.
        decoder: z (B, d) → samples (B, ...).
        prior: p(z), with a density.
        likelihood: p(x | z).
        beta: β ≥ 0, the weight of the divergence.
        posterior: the Gaussian one, or that of an encoder which drops units.

    Raises:
        ValueError: β is negative.
    """
    if not 0 <= beta < float("inf"):
        raise ValueError(f"expected beta at least 0 and finite, got {beta!r}; 1 is the evidence bound")
    rules = _Rules(posterior, prior, likelihood, beta)
    return Game(
        nn.ModuleDict({"encoder": encoder, "decoder": decoder}),
        (Phase("reconstruct", (Move(("encoder", "decoder"), rules.loss),), draw=rules.draw),),
        averaged=("encoder", "decoder"),
    )
