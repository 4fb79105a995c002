r"""A generator that starves a mode, constructed so that its density is known, and a critic trained against it.

Its modes are half as wide again as those of the law, and the last of them has 1 % of the mass in place of 25 %. So the
exact ratio is known too, with its supremum

    M = (.25/.01)·(0.3/0.2) = 37.5,

and samplers can be judged apart from critics. The critic is a small network on the logistic loss, which sees the same
two hundred real points again and again: it comes to know them by heart, and is surer of itself than it has reason to
be.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from adversaria import data
from adversaria.nn import MLPCritic
from adversaria.objectives import NonSaturating
from adversaria.randomness import generator_for

STARVED = 3
"""Which mode of the law the generator starves."""


@dataclass(frozen=True)
class Starving:
    """The constructed generator: a source of proposals with a density.

    The ratio of two mixtures of the same centres is nowhere above the largest ratio of two components, and that is
    reached, but for 1e-9 of it, at the centre of the starved mode: `bound`.
    """

    weights: ClassVar[tuple[float, ...]] = (0.33, 0.33, 0.33, 0.01)
    scale: ClassVar[float] = 0.3
    law: data.Mixture1D

    def propose(self, n: int, generator: torch.Generator) -> Tensor:
        """n points (n, 1), float32."""
        which = torch.multinomial(torch.tensor(self.weights), n, replacement=True, generator=generator)
        return self.law.modes[which] + self.scale * torch.randn(n, 1, generator=generator)

    def decode(self, kept: Tensor) -> Tensor:
        """The points themselves."""
        return kept

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats, float64 (n,), of points (n, 1)."""
        centres, weights = self.law.modes[:, 0].double(), torch.tensor(self.weights, dtype=torch.float64)
        log_kernel = -0.5 * ((x.double() - centres) / self.scale).square()
        return (log_kernel + weights.log()).logsumexp(1) - math.log(self.scale * math.sqrt(2 * math.pi))

    @property
    def bound(self) -> float:
        """M = sup p_data/p_model."""
        return max(1 / (len(self.weights) * weight) for weight in self.weights) * self.scale / self.law.scale

    def log_ratio(self, x: Tensor) -> Tensor:
        """log p_data(x)/p_model(x) in nats, float64 (n,), of points (n, 1)."""
        return self.law.log_prob(x) - self.log_prob(x)


@dataclass(frozen=True)
class Training:
    """How the critic is trained.

    Arguments:
        real: points of the law that it sees.
        steps: of Adam, on batches of them and of fresh fakes.
        width, depth: of the network.
        batch: points of each side in a step.
        rate: of Adam.
    """

    real: int = 200
    steps: int = 3_000
    width: int = 64
    depth: int = 3
    batch: int = 256
    rate: float = 1e-3


def trained_critic(source: Starving, how: Training, seed: int) -> nn.Module:
    """A critic of the source, trained on the logistic loss."""
    critic = MLPCritic((1,), width=how.width, depth=how.depth, generator=generator_for(seed, "critic"))
    descent = torch.optim.Adam(critic.parameters(), lr=how.rate)
    known = source.law.sample(how.real, generator=generator_for(seed, "train"))
    objective = NonSaturating()
    for step in range(how.steps):
        g = generator_for(seed, "step", step)
        real = known[torch.randint(len(known), (how.batch,), generator=g)]
        loss = objective.critic_loss(critic(real), critic(source.propose(how.batch, g)))
        descent.zero_grad()
        loss.backward()
        descent.step()
    return critic.eval().requires_grad_(False)
