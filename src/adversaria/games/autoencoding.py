r"""Adversarial autoencoders: an autoencoder whose codes are pressed into a chosen law by an adversary.

A sample x has a code of a *content* y (classes or clusters; not in every game) and a *style* z. The encoder E gives
both, the decoder makes a sample of them, and critics judge codes, where a critic of a GAN judges samples:

    reconstruct    moves E, decoder    along  ∇ E[ −log p(x | y, z) ],       [y, z] = E(x)
    classify       moves E             along  ∇_E E[ −log q(y | x) ]  on a labelled batch, in some games
    discriminate   made: E(x)          moves D along  ∇_D L_D( D(z′), D(z) ),       z′ ~ prior
    regularise     the same E(x)       moves E along  ∇_E L_G( D(z′), D(z) )

The encoder descends up to three losses by turns, each by an optimiser of its own (`Move.role`), since Adam's memory of
one would set the size of the steps along the others.

    game                     content y                        what the decoder is given       file
    vae                      none                             z                               vae.py
    aae                      none                             z                               autoencoding.py
    aae, Informed            none; D is told the label        z                               autoencoding.py
    supervised_aae           the label, one-hot               [y, z]                          autoencoding.py
    supervised_aae, Told     the same; D is told it too       [y, z]                          autoencoding.py
    semi_supervised_aae      softmax of the logits, K         [y, z]                          categorical.py
    clustering_aae           the same, without labels         [y, z]                          categorical.py
    reducing_aae             the same, labels or none         y·W + z                         categorical.py

**Names and shapes** on which models and reports rely:

    players   "encoder"        x (B, ...) [, η (B, k)] → Heads(style (B, s), logits (B, K) or None)   `nn.MLPEncoder`, …
              "decoder"        representation (B, c) → samples (B, ...)   a generator of `nn`, with `unbounded`
              "critic"         z (B, d), or marked (`adversaries.Marking`) [z, one-hot] → (B, 1)   `nn.MLPCritic`
              "content_critic" y (B, K) → (B, 1)                      in the last three games
              "heads"          y (B, K) → y·W (B, d)                  `nn.ClusterHeads`, in reducing_aae
    codes     posterior.encode(encoder, x, noise) → Encoded(code z (B, d), style (B, s), logits (B, K) or None)
              noise (B, posterior.noise(d)) ~ N(0, I), or `posteriors.still(posterior, d, x)` for none of it
    content   y = softmax(logits), on the simplex; one-hot where it is a given label
    decoder   given `content.represent(z)` = z (c = d), `content.represent(z, y)` = [y, z] (c = K + d), or
              `heads(y) + z` (c = d)
    fit       likelihood.log_prob(decoder, representation, x) → (B,) nats
    averaged  "encoder", "decoder" and, where there are any, "heads"

Reference: A. Makhzani et al., Adversarial autoencoders, 2015, https://arxiv.org/abs/1511.05644.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from adversaria.games.adversaries import Adversary, label_of
from adversaria.games.content import one_hot, represent
from adversaria.games.game import Batch, Game, Loss, Move, Outcome, Phase, Players, Tensors
from adversaria.games.likelihoods import Likelihood
from adversaria.games.posteriors import Posterior


@dataclass(frozen=True)
class _Rules:
    posterior: Posterior
    dim: int
    likelihood: Likelihood
    adversary: Adversary
    classes: int

    def draw_noise(self, batch: Batch, generator: torch.Generator, share: float) -> Tensors:
        return {"noise": torch.randn(len(batch.real), self.posterior.noise(self.dim), generator=generator)}

    def draw(self, batch: Batch, generator: torch.Generator, share: float) -> Tensors:
        draws = self.adversary.draw(batch, generator, share)
        count = len(draws[f"{self.adversary.player}.prior"])
        return draws | {"noise": torch.randn(count, self.posterior.noise(self.dim), generator=generator)}

    def make(self, players: Players, batch: Batch, draws: Tensors) -> Tensors:
        shown = self.adversary.marking.shown(batch)
        return {"code": self.posterior.encode(players["encoder"], shown, draws["noise"]).code}

    def reconstruction_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        style = self.posterior.encode(players["encoder"], batch.real, draws["noise"]).code
        content = one_hot(label_of(batch), self.classes, like=style) if self.classes else None
        return Outcome(-self.likelihood.log_prob(players["decoder"], represent(style, content), batch.real).mean())

    def critic_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        return self.adversary.critic_loss(players, batch, draws, made["code"])

    def encoder_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        return self.adversary.encoder_loss(players, batch, draws, made["code"])


def aae(
    encoder: nn.Module,
    decoder: nn.Module,
    critic: nn.Module,
    adversary: Adversary,
    posterior: Posterior,
    likelihood: Likelihood,
    *,
    dim: int,
) -> Game:
    """The game of an encoder, a decoder and a critic of codes; told labels, if the adversary's marking is `Informed`.

    Arguments:
        encoder: x (B, ...) → heads, with `posterior.outputs(d)` numbers of style.
        decoder: z (B, d) → samples (B, ...).
        critic: codes as they are marked, (B, c) → scores (B, k).
        adversary: of the player "critic".
        posterior: how codes are made.
        likelihood: p(x | z).
        dim: d.
    """
    return _played(encoder, decoder, critic, _Rules(posterior, dim, likelihood, adversary, classes=0))


def supervised_aae(
    encoder: nn.Module,
    decoder: nn.Module,
    critic: nn.Module,
    adversary: Adversary,
    posterior: Posterior,
    likelihood: Likelihood,
    *,
    dim: int,
    classes: int,
) -> Game:
    """The same on labelled batches: the decoder is given the label, so that the code need hold only what is left.

    Arguments:
        decoder: [y, z] (B, K + d) → samples (B, ...).
        classes: K ≥ 1.

    The others are those of `aae`.

    Raises:
        ValueError: there are no classes.
    """
    if classes < 1:
        raise ValueError(f"expected at least one class, got {classes}; without classes it is `aae`")
    return _played(encoder, decoder, critic, _Rules(posterior, dim, likelihood, adversary, classes))


def _played(encoder: nn.Module, decoder: nn.Module, critic: nn.Module, rules: _Rules) -> Game:
    reconstruct = Phase(
        "reconstruct", (Move(("encoder", "decoder"), rules.reconstruction_loss),), draw=rules.draw_noise
    )
    judge, fool = adversarial_phases(
        (Move(("critic",), rules.critic_loss),), rules.encoder_loss, rules.draw, rules.make
    )
    players = nn.ModuleDict({"encoder": encoder, "decoder": decoder, "critic": critic})
    return Game(players, (reconstruct, judge, fool), averaged=("encoder", "decoder"))


def adversarial_phases(
    critics: tuple[Move, ...],
    encoder_loss: Loss,
    draw: Callable[[Batch, torch.Generator, float], Tensors],
    make: Callable[[Players, Batch, Tensors], Tensors],
) -> tuple[Phase, Phase]:
    """All critics learn from a batch of codes, then the encoder is judged on the same codes."""
    move = Move(("encoder",), encoder_loss, role="regularise")
    judge = Phase("discriminate", critics, draw=draw, make=make, makers=("encoder",))
    return judge, replace(judge, name="regularise", moves=(move,), shares=True)
