r"""Semi-supervised classification: a generator against a critic of K classes that few samples are labelled with.

    critic     made: x̂ = G(z)     moves D along   ∇_D [ L_labelled(D) + w·L_unlabelled(D; x, x̂) ]
    generator  made: x̂ = G(z)     moves G along   ∇_G   L_G

D gives K logits, and its score as a critic, the logit of being real, is their logsumexp: see
`adversaria.objectives.semisupervised`. Whatever has structure must be explained by one of the K classes, so unlabelled
samples, and fakes that are nearly like them, push the borders between classes to where there is no data. For this the
generator need not be good: one that only *matches the features* of real samples on average,

    L_G = distance(⟨f(x)⟩, ⟨f(G(z))⟩),      f the last hidden layer of D,

makes samples beside the data and gives the better classifier; one that fools D, by an adversarial loss of the score,
makes the better samples. If D matched fakes perfectly, nothing would be learnt from them.

Critics that take noise (`noise_size`) are given it in every pass, drawn beforehand like all randomness.

Reference: T. Salimans et al., Improved techniques for training GANs, 2016, https://arxiv.org/abs/1606.03498, §5.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from adversaria.games.game import Batch, Game, Labelled, Move, Outcome, Phase, Players, Tensors
from adversaria.objectives import Objective
from adversaria.objectives.semisupervised import labelled_loss, realness, unlabelled_loss
from adversaria.priors import Prior

Critic = Callable[..., Tensor]
"""x (B, ...) → logits (B, K); with `features`, x → (B, F), where features are matched."""

Distance = Callable[[Tensor, Tensor], Tensor]
"""`distance(real (B, F), fake (B, F)) -> ()`, between batches of features."""


class GeneratorPlay(Protocol):
    """What the generator plays for."""

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, noise: Tensor | None) -> Outcome:
        """The generator's loss on real and fake (B, ...), with the critic's noise for both, (2B, N), or None."""
        ...


class _HasFeatures(Protocol):
    def features(self, x: Tensor, **noise: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Matching:
    """Make the features of fakes like those of real samples.

    Arguments:
        distance: between the two batches of features.
    """

    distance: Distance

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, noise: Tensor | None) -> Outcome:
        """The distance."""
        features = cast(_HasFeatures, critic).features
        for_real, for_fake = _halves(noise, len(real))
        return Outcome(self.distance(features(real, **_given(for_real)), features(fake, **_given(for_fake))))


@dataclass(frozen=True)
class Fooling:
    """Make the critic take fakes for real.

    Arguments:
        objective: its generator's loss is taken of the scores; `Minimax` is the published one.
    """

    objective: Objective

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, noise: Tensor | None) -> Outcome:
        """The objective's loss for generators."""
        for_real, for_fake = _halves(noise, len(real))
        score = realness(critic(fake, **_given(for_fake)))
        real_score = realness(critic(real, **_given(for_real))) if self.objective.generator_needs_real else None
        return Outcome(self.objective.generator_loss(real_score, score), {"fake_score": score.mean()})


def _halves(noise: Tensor | None, first: int) -> tuple[Tensor | None, Tensor | None]:
    return (None, None) if noise is None else (noise[:first], noise[first:])


def _given(noise: Tensor | None) -> Tensors:
    return {} if noise is None else {"noise": noise}


def _labelled(batch: Batch) -> Labelled:
    if batch.labelled is None:
        raise ValueError("a semi-supervised game needs batches with a labelled part; deal them by `FewLabelsFeed`")
    return batch.labelled


@dataclass(frozen=True)
class _Rules:
    prior: Prior
    generator_play: GeneratorPlay
    unlabelled_weight: float
    noise_size: int

    def draw(self, batch: Batch, generator: torch.Generator, share: float) -> Tensors:
        draws = {"latent": self.prior.sample(len(batch.real), generator=generator)}
        if self.noise_size:
            rows = len(_labelled(batch).real) + 2 * len(batch.real)
            draws["noise"] = torch.randn(rows, self.noise_size, generator=generator)
        return draws

    def make(self, players: Players, batch: Batch, draws: Tensors) -> Tensors:
        return {"fake": players["generator"](draws["latent"])}

    def critic_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        few, many = _labelled(batch), len(batch.real)
        shown = torch.cat([few.real, batch.real, made["fake"]])
        logits = players["critic"](shown, **_given(draws.get("noise")))
        labelled, real, fake = logits.split([len(few.real), many, many])
        on_labelled, on_unlabelled = labelled_loss(labelled, few.label), unlabelled_loss(real, fake)
        report = {
            "labelled": on_labelled,
            "unlabelled": on_unlabelled,
            "accuracy": (labelled.argmax(1) == few.label).to(labelled.dtype).mean(),
            "real_score": realness(real).mean(),
            "fake_score": realness(fake).mean(),
        }
        return Outcome(on_labelled + self.unlabelled_weight * on_unlabelled, report)

    def generator_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        noise = draws["noise"][-2 * len(batch.real) :] if "noise" in draws else None
        return self.generator_play(players["critic"], batch.real, made["fake"], noise)


def semisupervised(
    generator: nn.Module,
    critic: nn.Module,
    prior: Prior,
    generator_play: GeneratorPlay,
    *,
    unlabelled_weight: float,
    share_fakes: bool = True,
) -> Game:
    """The game of a generator and a critic of K classes, on batches with a labelled part.

    Arguments:
        generator: z (B, d) → x (B, ...).
        critic: x (B, ...) → logits (B, K). If it takes noise, it says by `noise_size` how much for each sample.
        prior: the law of z.
        generator_play: `Matching` or `Fooling`.
        unlabelled_weight: w ≥ 0; 1 as published. At 0 the critic learns from labelled samples alone, and the game is
            classification with an onlooker.
        share_fakes: the generator is judged on the fakes, and with the noise, of the critic's step.

    Raises:
        ValueError: the weight is negative or not finite.
    """
    if not 0 <= unlabelled_weight < float("inf"):
        raise ValueError(f"expected unlabelled_weight to be finite and at least 0, got {unlabelled_weight}")
    rules = _Rules(prior, generator_play, unlabelled_weight, int(getattr(critic, "noise_size", 0)))
    judge = Phase("critic", (Move(("critic",), rules.critic_loss),), rules.draw, rules.make, ("generator",))
    fool = Phase(
        "generator",
        (Move(("generator",), rules.generator_loss),),
        rules.draw,
        rules.make,
        ("generator",),
        shares=share_fakes,
    )
    players = nn.ModuleDict({"generator": generator, "critic": critic})
    return Game(players, (judge, fool), averaged=("generator", "critic"))
