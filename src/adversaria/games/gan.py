r"""The generative adversarial network: a generator against a critic.

    critic     made: x̂ = G(z), z ~ prior     moves D along   ∇_D [ L_D(D(x), D(x̂)) + Σ penalties(D; x, x̂) ]
    generator  made: x̂ = G(z)                moves G along   ∇_G   L_G(D(x), D(G(z)))

The pair (L_D, L_G) is an objective of `adversaria.objectives`. Penalties see the critic as what the objective makes of
it (`Objective.witness`), a function of the batch's scores too, through which gradients run as well. Fakes take the
classes of the real batch that they are compared with, so that both sides have the same joint law of image and class.

References:
    Goodfellow et al., "Generative adversarial nets", 2014, https://arxiv.org/abs/1406.2661.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from adversaria.games.game import Batch, Game, Move, Outcome, Phase, Players, Tensors
from adversaria.objectives import Objective, Penalty
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

    def draw_latent(self, batch: Batch, generator: torch.Generator, share: float) -> Tensors:
        return {"latent": self.prior.sample(len(batch.real), generator=generator)}

    def draw(self, batch: Batch, generator: torch.Generator, share: float) -> Tensors:
        draws = self.draw_latent(batch, generator, share)
        return draws | {name: penalty.draw(batch.real, generator) for name, penalty in self.penalties.items()}

    def make(self, players: Players, batch: Batch, draws: Tensors) -> Tensors:
        return {"fake": players["generator"](draws["latent"], *given(batch.label))}

    def critic_loss(self, players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
        critic: Any = players["critic"]
        sides = batch.real, made["fake"]
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
        real = players["critic"](batch.real, *given(batch.label)) if self.objective.generator_needs_real else None
        fake = players["critic"](made["fake"], *given(batch.label))
        return Outcome(self.objective.generator_loss(real, fake), {"fake_score": fake.mean()})


def gan(
    generator: nn.Module,
    critic: nn.Module,
    prior: Prior,
    objective: Objective,
    *,
    penalties: Mapping[str, Penalty] | None = None,
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
        critic_steps: critic's steps per round, ≥ 1.
        share_fakes: the generator is judged on the fakes of the critic's last step, instead of on new ones.
        constraint: projection of the critic's parameters after its step (weight clipping).

    Raises:
        RecipeError: a penalty looks at the critic's hidden layers, and the critic does not show them.
    """
    if any(penalty.of_activations for penalty in (penalties or {}).values()):
        layered(critic)
    rules = _Rules(prior, objective, dict(penalties or {}))
    move_critic = Move(("critic",), rules.critic_loss, constraint)
    move_generator = Move(("generator",), rules.generator_loss)
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
