"""A round of every objective against one of WGAN-GP with the same critic, side by side.

    python benchmarks/objectives.py [--quick] [--only NAME ...] [--threads N] [--json FILE]

A round is five steps of the critic and one of the generator, in the eager form. The critic gives 16 outputs in all
cases and has the gradient penalty; images are noise. A ratio is WGAN-GP's time over that of the other: 0.91 is an
overhead of 10 %. See `race.py`.
"""

import torch
from race import Case, Play, main

from adversaria import assemble, recipes
from adversaria.games.game import Batch
from adversaria.recipes.objectives import Objective, Penalty
from adversaria.training.eager import Eager
from adversaria.training.loop import deal

BATCH = 64
RQ = recipes.RationalQuadraticKernel()
RQ_STAR = recipes.RationalQuadraticKernel(add_linear=1.0)
GP = (recipes.GradientPenalty(),)


class Noise:
    """Always the same batch."""

    batch_size = BATCH

    def __init__(self, shape: tuple[int, ...]) -> None:
        noise = torch.rand(BATCH, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
        self.images = noise.contiguous(memory_format=torch.channels_last)

    def batch(self, number: int) -> Batch:
        """The batch."""
        return Batch(self.images)


def rounds(objective: Objective, penalties: tuple[Penalty, ...] = GP, *, side: int = 28, width: int = 32) -> Play:
    """Rounds of DCGAN players with that objective."""
    shape = (1 if side == 28 else 3, side, side)
    recipe = recipes.GAN(
        name="round",
        steps=1_000_000,
        data=recipes.Images(source="made-up"),
        prior=recipes.Uniform(dim=128),
        generator=recipes.DCGANGenerator(width=width),
        critic=recipes.DCGANCritic(width=width, outputs=16),
        objective=objective,
        penalties=penalties,
        critic_steps=5,
        batch_size=BATCH,
        averaging=None,
    )
    state = assemble.state(recipe, recipes.SampleSpace(shape=shape), torch.device("cpu"))
    feed, form = Noise(shape), Eager(state)
    return lambda: form.play(deal(state.game, feed, 0, state.step, state.steps))


def case(name: str, title: str, objective: Objective, penalties: tuple[Penalty, ...] = GP, **players: int) -> Case:
    """That objective as `ours`, WGAN-GP as `other`."""
    least = 1 / 1.1 if penalties == GP and isinstance(objective, recipes.MMD) else None
    return Case(
        name,
        f"WGAN-GP / {title}",
        lambda: rounds(objective, penalties, **players),
        lambda: rounds(recipes.Wasserstein(), **players),
        least,
    )


CASES = (
    case("rbf", "MMD, rbf, 28×28, width 32", recipes.MMD(kernel=recipes.RBFKernel())),
    case("median", "MMD, rbf by the median rule", recipes.MMD(kernel=recipes.MedianRBFKernel())),
    case("rq", "MMD, rq", recipes.MMD(kernel=RQ)),
    case("rq-star", "MMD, rq*", recipes.MMD(kernel=RQ_STAR)),
    case("dot", "MMD, dot", recipes.MMD(kernel=recipes.LinearKernel())),
    case("energy", "MMD, energy", recipes.MMD(kernel=recipes.EnergyKernel())),
    case("cramer", "Cramér", recipes.Cramer()),
    case("activation", "MMD, rq*, and activations", recipes.MMD(kernel=RQ_STAR), (*GP, recipes.ActivationPenalty())),
    case("hinge", "hinge", recipes.Hinge()),
    case("rq-star-narrow", "MMD, rq*, width 16", recipes.MMD(kernel=RQ_STAR), width=16),
    case("rq-star-wide", "MMD, rq*, 32×32, width 64", recipes.MMD(kernel=RQ_STAR), side=32, width=64),
)


if __name__ == "__main__":
    main(CASES, __doc__)
