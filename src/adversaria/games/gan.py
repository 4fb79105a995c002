r"""The generative adversarial network: a generator against a critic.

    critic     made: x̂ = G(z), z ~ prior     moves D along   ∇_D [ L_D(D(x), D(x̂)) + Σ penalties(D; x, x̂) ]
    generator  made: x̂ = G(z)                moves G along   ∇_G   L_G(D(x), D(G(z)))

Two of the techniques of Salimans et al. are played here. With feature matching the generator descends the distance of
mean features φ(x), φ(G(z)) in place of L_G. With instance noise whatever the critic sees is x + σ·ε, ε ~ N(0, I) drawn
anew for each real and each fake sample; penalties are taken there too.

The pair (L_D, L_G) is an objective of `adversaria.objectives`. Penalties see the critic as what the objective makes of
it (`Objective.witness`), a function of the batch's scores too, through which gradients run as well. Fakes take the
classes of the real batch that they are compared with, so that both sides have the same joint law of image and class.

References:
    Goodfellow et al., "Generative adversarial nets", 2014, https://arxiv.org/abs/1406.2661.
    Salimans et al., "Improved techniques for training GANs", 2016, https://arxiv.org/abs/1606.03498.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from adversaria.games.game import Batch, Game, Move, Outcome, Phase, Players, Tensors
from adversaria.games.noise import FadingNoise
from adversaria.objectives import FeatureMatching, Objective, Penalty
from adversaria.objectives.penalties import layered
from adversaria.priors import Prior


def given(label: Tensor | None) -> tuple[Tensor, ...]:
    """The condition as positional arguments: none if there are no classes."""
    return () if label is None else (label,)


@dataclass(frozen=True)
class Judge:
    """A critic on one batch, as penalties see it.

    Arguments:
        critic: the player.
        label: classes of the batch, of reals and fakes alike, or None.
        witness: what the objective makes of scores: x ↦ witness(critic(x)) is the function whose slope is looked at.
        inside: hidden layers of samples that have been through the critic already.
    """

    critic: Any
    label: Tensor | None
    witness: Callable[[Tensor], Tensor]
    inside: Sequence[tuple[Tensor, tuple[Tensor, ...]]] = ()

    def __call__(self, x: Tensor) -> Tensor:
        """x (B, ...): (B, ·)."""
        return self.witness(self.critic(x, *given(self.label)))

    def activations(self, x: Tensor) -> tuple[Tensor, ...]:
        """The hidden layers of x (B, ...)."""
        for known, layers in self.inside:
            if known is x:
                return layers
        return tuple(self.critic.activations(x))


@dataclass(frozen=True)
class _Rules:
    prior: Prior
    objective: Objective
    penalties: Mapping[str, Penalty]
    feature_matching: FeatureMatching | None
    noise: FadingNoise | None

    def draw_latent(self, batch: Batch, generator: torch.Generator, share: float) -> Tensors:
        draws = {"latent": self.prior.sample(len(batch.real), generator=generator)}
        if self.noise is not None:
            for side in ("noise_on_real", "noise_on_fake"):
                draws[side] = self.noise.draw(batch.real, generator, share)
        return draws

    def draw(self, batch: Batch, generator: torch.Generator, share: float) -> Tensors:
        draws = self.draw_latent(batch, generator, share)
        return draws | {name: penalty.draw(batch.real, generator) for name, penalty in self.penalties.items()}

    def make(self, players: Players, batch: Batch, draws: Tensors) -> Tensors:
        fake = players["generator"](draws["latent"], *given(batch.label))
        if self.noise is None:
            return {"real": batch.real, "fake": fake}
        return {"real": batch.real + draws["noise_on_real"], "fake": fake + draws["noise_on_fake"]}

    def critic_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        critic: Any = players["critic"]
        sides = made["real"], made["fake"]
        inside: list[tuple[Tensor, tuple[Tensor, ...]]] = []
        if any(penalty.of_activations for penalty in self.penalties.values()):
            inside = [(x, critic.activations(x)) for x in sides]
            real, fake = (critic.scores(layers, *given(batch.label)) for _, layers in inside)
        else:
            real, fake = (critic(x, *given(batch.label)) for x in sides)
        loss = self.objective.critic_loss(real, fake)
        report = {"real_score": real.mean(), "fake_score": fake.mean()}
        judge = Judge(critic, batch.label, lambda at: self.objective.witness(at, real, fake), inside)
        for name, penalty in self.penalties.items():
            report[name] = penalty.evaluate(judge, *sides, draws[name])
            loss = loss + report[name]
        return Outcome(loss, report)

    def generator_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        real = players["critic"](made["real"], *given(batch.label)) if self.objective.generator_needs_real else None
        fake = players["critic"](made["fake"], *given(batch.label))
        return Outcome(self.objective.generator_loss(real, fake), {"fake_score": fake.mean()})

    def matching_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        assert self.feature_matching is not None  # noqa: S101 (else the generator has its other loss)
        features: Callable[[Tensor], Tensor] = players["critic"].features  # type: ignore[attr-defined]
        with torch.no_grad():
            real = features(made["real"])
        return Outcome(self.feature_matching(real, features(made["fake"])))


def gan(
    generator: nn.Module,
    critic: nn.Module,
    prior: Prior,
    objective: Objective,
    *,
    penalties: Mapping[str, Penalty] | None = None,
    feature_matching: FeatureMatching | None = None,
    instance_noise: FadingNoise | None = None,
    critic_steps: int = 1,
    share_fakes: bool = True,
    constraint: Callable[[Tensor], Tensor] | None = None,
) -> Game:
    """The game of a generator and a critic.

    Arguments:
        generator: z (B, d) → x (B, ...).
        critic: x (B, ...) → scores (B, k).
        prior: the law of z.
        objective: the pair of losses.
        penalties: added to the critic's loss, by the name under which they are logged.
        feature_matching: what the generator descends in place of the objective's loss; the critic then has
            `features(x) -> (B, F)`.
        instance_noise: on all that the critic sees; None for none.
        critic_steps: critic's steps per round, ≥ 1.
        share_fakes: the generator is judged on the fakes of the critic's last step, instead of on new ones.
        constraint: projection of the critic's parameters after its step (weight clipping).

    Raises:
        RecipeError: a penalty looks at the critic's hidden layers, and the critic does not show them.
    """
    if any(penalty.of_activations for penalty in (penalties or {}).values()):
        layered(critic)
    rules = _Rules(prior, objective, dict(penalties or {}), feature_matching, instance_noise)
    move_critic = Move(("critic",), rules.critic_loss, constraint)
    move_generator = Move(("generator",), rules.generator_loss if feature_matching is None else rules.matching_loss)
    judge = Phase("critic", (move_critic,), draw=rules.draw, make=rules.make, makers=("generator",), times=critic_steps)
    fool = Phase(
        "generator",
        (move_generator,),
        draw=rules.draw_latent,
        make=rules.make,
        makers=("generator",),
        shares=share_fakes,
    )
    return Game(nn.ModuleDict({"generator": generator, "critic": critic}), (judge, fool), averaged=("generator",))
