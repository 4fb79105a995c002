r"""Adversarial autoencoders whose code has a discrete part: classes, or clusters.

The encoder gives y = softmax(logits) ∈ Δ^{K−1} beside the style z. Two adversaries press the one into the unit vectors
and the other into its prior, so that y must choose, and what z holds must be the same for every choice:

    reconstruct    moves E, decoder [, heads]   along  ∇ E[ −log p(x | y, z) ] [ + w·S(W) ]
    classify       moves E                      along  ∇_E E[ −log q(y | x) ]   on a labelled batch, if there is one
    discriminate   made: y, z                   moves D_y and D_z, at once
    regularise     the same y, z                moves E along the sum of both losses

With a few labels this is semi-supervised learning, without any, clustering. For *dimensionality reduction* the
decoder is given y·W + z instead of [y, z]: a point of the plane, say, near the head of its cluster (`content`).

References: A. Makhzani et al., Adversarial autoencoders, 2015, https://arxiv.org/abs/1511.05644, §5 to §7.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from adversaria.errors import DataError
from adversaria.games.adversaries import Adversary, labelled_of
from adversaria.games.autoencoding import adversarial_phases
from adversaria.games.content import represent, separation
from adversaria.games.game import Batch, Game, Move, Outcome, Phase, Players, Tensors
from adversaria.games.likelihoods import Likelihood
from adversaria.games.posteriors import Encoded, Posterior


@dataclass(frozen=True)
class Separation:
    """The term w·S of the loss that keeps the heads of clusters apart.

    Arguments:
        margin: m > 0, the distance at which heads no longer repel each other.
        weight: w > 0, in nats a sample for each unit of distance.
    """

    margin: float
    weight: float


@dataclass(frozen=True)
class _Rules:
    posterior: Posterior
    dim: int
    likelihood: Likelihood
    on_style: Adversary
    on_content: Adversary
    heads: Separation | None

    def draw_noise(self, batch: Batch, generator: torch.Generator, share: float) -> Tensors:
        return {"noise": self._noise(batch.real, generator)}

    def draw_both(self, batch: Batch, generator: torch.Generator, share: float) -> Tensors:
        draws = self.draw_noise(batch, generator, share)
        return draws | {"labelled_noise": self._noise(labelled_of(batch).real, generator)}

    def _noise(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return torch.randn(len(x), self.posterior.noise(self.dim), generator=generator)

    def draw(self, batch: Batch, generator: torch.Generator, share: float) -> Tensors:
        draws = self.draw_noise(batch, generator, share)
        for adversary in (self.on_style, self.on_content):
            draws |= adversary.draw(batch, generator, share)
        return draws

    def encode(self, players: Players, batch: Batch, draws: Tensors) -> tuple[Tensor, Tensor]:
        encoded = self.posterior.encode(players["encoder"], batch.real, draws["noise"])
        return encoded.code, content_of(encoded)

    def make(self, players: Players, batch: Batch, draws: Tensors) -> Tensors:
        style, content = self.encode(players, batch, draws)
        return {"style": style, "content": content}

    def reconstruction_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        style, content = self.encode(players, batch, draws)
        given = represent(style, content) if self.heads is None else players["heads"](content) + style
        loss = misfit = -self.likelihood.log_prob(players["decoder"], given, batch.real).mean()
        report = {"confidence": content.amax(1).mean()}
        if self.heads is not None:
            every = torch.eye(content.shape[1], dtype=content.dtype, device=content.device)
            apart = separation(players["heads"](every), self.heads.margin)
            loss, report = misfit + self.heads.weight * apart, report | {"separation": apart}
        return Outcome(loss, report)

    def classification_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        real, label = labelled_of(batch)
        logits = self.posterior.encode(players["encoder"], real, draws["labelled_noise"]).logits
        assert logits is not None  # noqa: S101 (`content_of` has refused such an encoder)
        return Outcome(cross_entropy(logits, label), {"accuracy": (logits.argmax(1) == label).to(logits.dtype).mean()})

    def style_critic_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        return self.on_style.critic_loss(players, batch, draws, made["style"])

    def content_critic_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        return self.on_content.critic_loss(players, batch, draws, made["content"])

    def encoder_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        on_style = self.on_style.encoder_loss(players, batch, draws, made["style"])
        on_content = self.on_content.encoder_loss(players, batch, draws, made["content"])
        return Outcome(on_style.loss + on_content.loss, on_style.report | on_content.report)


def semi_supervised_aae(
    players: nn.ModuleDict,
    on_style: Adversary,
    on_content: Adversary,
    posterior: Posterior,
    likelihood: Likelihood,
    *,
    dim: int,
) -> Game:
    """The game on batches with a second, labelled part.

    Arguments:
        players: "encoder", x (B, ...) → heads, with logits (B, K); "decoder", [y, z] (B, K + d) → samples; "critic" of
            z (B, d) and "content_critic" of y (B, K).
        on_style: the adversary of the player "critic".
        on_content: that of "content_critic", against one-hot vectors.
        posterior: how z is made.
        likelihood: p(x | y, z).
        dim: d.
    """
    return _played(players, _Rules(posterior, dim, likelihood, on_style, on_content, heads=None), classify=True)


def clustering_aae(
    players: nn.ModuleDict,
    on_style: Adversary,
    on_content: Adversary,
    posterior: Posterior,
    likelihood: Likelihood,
    *,
    dim: int,
) -> Game:
    """The same without labels; y is then a cluster. Arguments as of `semi_supervised_aae`."""
    return _played(players, _Rules(posterior, dim, likelihood, on_style, on_content, heads=None), classify=False)


def reducing_aae(
    players: nn.ModuleDict,
    on_style: Adversary,
    on_content: Adversary,
    posterior: Posterior,
    likelihood: Likelihood,
    *,
    dim: int,
    heads: Separation,
    labelled: bool,
) -> Game:
    """Dimensionality reduction to d numbers: y·W + z.

    Arguments:
        players: as of `semi_supervised_aae`, but for "decoder", y·W + z (B, d) → samples, and "heads", y (B, K) → y·W
            (B, d), with its vectors W.
        heads: what keeps the vectors apart.
        labelled: learn from a second, labelled part of the batch.
    """
    return _played(players, _Rules(posterior, dim, likelihood, on_style, on_content, heads), classify=labelled)


def content_of(encoded: Encoded) -> Tensor:
    """y = softmax(logits), (B, K).

    Raises:
        DataError: the encoder has no discrete part.
    """
    if encoded.logits is None:
        raise DataError("this game needs an encoder with logits; build it with classes")
    return encoded.logits.softmax(1)


def _played(players: nn.ModuleDict, rules: _Rules, *, classify: bool) -> Game:
    makers = tuple(name for name in ("encoder", "decoder", "heads") if name in players)
    draw = rules.draw_both if classify else rules.draw_noise
    phases = [Phase("reconstruct", (Move(makers, rules.reconstruction_loss),), draw=draw)]
    if classify:
        learn = Move(("encoder",), rules.classification_loss, role="classify")
        phases.append(Phase("classify", (learn,), shares=True))
    critics = (
        Move(("critic",), rules.style_critic_loss),
        Move(("content_critic",), rules.content_critic_loss),
    )
    phases += adversarial_phases(critics, rules.encoder_loss, rules.draw, rules.make)
    return Game(players, tuple(phases), averaged=makers)
