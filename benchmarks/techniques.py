"""What each of the improved techniques costs: a step with it against a step of the plain GAN.

    python benchmarks/techniques.py [--quick] [--only NAME ...] [--threads N] [--json FILE]

The ratio shown is the time with the technique / the time of the plain GAN; see `race.py`. Virtual batch normalisation
is set against batch normalisation, of both players; all the rest against a DCGAN with batch normalisation in the
generator and none in the critic. 28×28 gray, width 16, batches of 64, the eager form.
"""

from collections.abc import Callable
from typing import Any

import torch
from race import Case, Play, main

from adversaria import assemble, recipes
from adversaria.games.game import Batch
from adversaria.training.eager import Eager
from adversaria.training.loop import deal

BATCH, SIDE = 64, 28


class MadeUpImages:
    """Always the same batch of noise."""

    batch_size = BATCH

    def __init__(self) -> None:
        noise = torch.rand(BATCH, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
        self.images = noise.contiguous(memory_format=torch.channels_last)

    def batch(self, number: int) -> Batch:
        """The batch."""
        return Batch(self.images)


def recipe(critic: dict[str, Any], generator: dict[str, Any], changes: dict[str, Any]) -> recipes.GAN:
    """A DCGAN with some fields changed."""
    plain = recipes.GAN(
        name="techniques",
        steps=1_000_000,
        data=recipes.Images(source="made-up"),
        generator=recipes.DCGANGenerator(width=16, **generator),
        critic=recipes.DCGANCritic(width=16, **critic),
        batch_size=BATCH,
        averaging=None,
    )
    return plain.model_copy(update=changes)


def step(
    critic: dict[str, Any] | None = None, generator: dict[str, Any] | None = None, **changes: Any
) -> Callable[[], Play]:
    """Makes the step of a game."""

    def made() -> Play:
        asked, feed = recipe(critic or {}, generator or {}, changes), MadeUpImages()
        state = assemble.state(asked, recipes.SampleSpace(shape=(1, SIDE, SIDE)), torch.device("cpu"))
        assemble.acquaint(asked, state, feed)
        form = Eager(state)
        return lambda: form.play(deal(state.game, feed, 0, state.step, state.steps))

    return made


PLAIN, BATCHED = step(), step(critic={"normalisation": "batch"})
SEEN = recipes.MinibatchDiscrimination(kernels=50, dim=5)
CODED = SEEN.model_copy(update={"variant": "reference"})
VIRTUAL = {"normalisation": "virtual-batch"}


def _case(name: str, title: str, technique: Callable[[], Play], plain: Callable[[], Play] = PLAIN) -> Case:
    # `race` divides the other's time by ours, so that here "ours" is the plain game.
    return Case(name, f"{title} / {'plain' if plain is PLAIN else 'batch normalisation'}", plain, technique, None)


CASES = (
    _case("feature-matching", "feature matching", step(feature_matching=recipes.FeatureMatching())),
    _case("minibatch", "minibatch discrimination, 50 × 5", step(critic={"minibatch": SEEN})),
    _case("minibatch-coded", "the same, as in the code", step(critic={"minibatch": CODED})),
    _case("historical-averaging", "historical averaging", step(historical_averaging=1e-3)),
    _case("smoothing", "one-sided label smoothing", step(objective=recipes.NonSaturating(real_target=0.9))),
    _case("weight", "weight normalisation of the critic", step(critic={"normalisation": "weight"})),
    _case("noise", "instance noise", step(instance_noise=recipes.InstanceNoise(deviation=0.1))),
    _case("virtual-batch", "virtual batch normalisation of both", step(critic=VIRTUAL, generator=VIRTUAL), BATCHED),
    _case("virtual-batch-generator", "the same, of the generator alone", step(generator=VIRTUAL)),
)


if __name__ == "__main__":
    main(CASES, __doc__)
