"""The improved techniques, each alone and all together, against the plain GAN that they are to improve.

Two questions, on twenty-five Gaussians and on MNIST: what each technique does to a game that is plain otherwise,
without penalty; and, on the Gaussians, whether minibatch discrimination widens the variety of a GAN that collapses.
Such a one is made by a critic that learns a thirtieth as fast as its generator, which then runs ahead to wherever the
scores are highest.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from adversaria.data import ImageData
from adversaria.evaluation import evaluate
from adversaria.randomness import permutation
from adversaria.recipes import (
    GAN,
    Adam,
    FeatureMatching,
    Grid25,
    InstanceNoise,
    MinibatchDiscrimination,
    MLPCritic,
    MLPGenerator,
    NonSaturating,
    Normal,
)
from adversaria.recipes.images import mnist_dcgan
from adversaria.reproduce.correcting import REAL
from adversaria.reproduce.grid25 import COLUMNS, coverage, real_coverage
from adversaria.reproduce.images import recipe_of, splits_of
from adversaria.reproduce.priors import sized
from adversaria.reproduce.study import Column, Floor, Row, Study, Tier, Values
from adversaria.runs import Run

PLAIN = "plain GAN"
COLLAPSING, WIDENED = "collapsing GAN", "collapsing GAN, minibatch discrimination"
ALL, ALL_BUT_MATCHING = "all together", "all but feature matching"

SOURCE = (
    "Salimans et al., Improved techniques for training GANs (2016), https://arxiv.org/abs/1606.03498; the ablation is "
    "theirs, on other data, so that no figure is comparable"
)

Changes = dict[str, Any]


# --- the techniques --------------------------------------------------------------------------------------------


def techniques(recipe: GAN, seen: MinibatchDiscrimination, noise: float) -> dict[str, Changes]:
    """What each technique changes in a recipe, by the label of its row.

    Arguments:
        seen: what a critic sees of its batch.
        noise: deviation of instance noise at the start, in units of the samples.
    """
    critic, generator = recipe.critic, recipe.generator

    def critic_with(**changes: Any) -> Changes:
        return {"critic": critic.model_copy(update=changes)}

    virtual = {"generator": generator.model_copy(update={"normalisation": "virtual-batch"})}
    coded = seen.model_copy(update={"variant": "reference"})
    alone: dict[str, Changes] = {
        "feature matching": {"feature_matching": FeatureMatching()},
        "minibatch discrimination": critic_with(minibatch=seen),
        "minibatch discrimination, as in the code": critic_with(minibatch=coded),
        "historical averaging": {"historical_averaging": 1e-3},
        "one-sided label smoothing": {"objective": NonSaturating(real_target=0.9)},
        "virtual batch normalisation": virtual | critic_with(normalisation="virtual-batch"),
        "weight normalisation": critic_with(normalisation="weight"),
        "instance noise": {"instance_noise": InstanceNoise(deviation=noise)},
    }
    together = {
        **virtual,
        **critic_with(minibatch=seen, normalisation="weight"),
        **alone["historical averaging"],
        **alone["one-sided label smoothing"],
        **alone["instance noise"],
    }
    return alone | {ALL_BUT_MATCHING: together, ALL: together | alone["feature matching"]}


def rows(recipe: GAN, changes: dict[str, Changes], seeds: tuple[int, ...], *, together: bool) -> tuple[Row, ...]:
    """The plain recipe, and one row for each of the changes."""
    played: dict[str, Changes] = {PLAIN: {}, **changes}
    return tuple(
        Row(label, recipe.model_copy(update=change), seeds, together=together) for label, change in played.items()
    )


def pace(run: Run) -> float:
    """Milliseconds that a step took; of runs that were played together, a step of all of them."""
    return 1e3 * float(run.events()[-1]["seconds"]) / run.step


# --- twenty-five Gaussians -------------------------------------------------------------------------------------

_COMPARED = MinibatchDiscrimination(kernels=8, dim=3)
_SEEDS = (0, 1, 2, 3, 4)


def plain_points(steps: int) -> GAN:
    """A small GAN without penalty on the grid, in small batches; its live weights are sampled."""
    return GAN(
        name="grid25-technique",
        steps=steps,
        data=Grid25(),
        prior=Normal(dim=2),
        generator=MLPGenerator(width=64, depth=3),
        critic=MLPCritic(width=64, depth=3),
        batch_size=64,
        generator_optimiser=Adam(rate=1e-3),
        critic_optimiser=Adam(rate=1e-3),
        averaging=None,
        log_every=max(1, steps // 40),
        sample_every=steps,
        checkpoint_every=steps,
        keep_checkpoints=1,
    )


def collapsing(steps: int) -> dict[str, GAN]:
    """A generator that is thirty times as fast as its critic, without minibatch discrimination and with it."""
    slow = plain_points(steps).model_copy(update={"critic_optimiser": Adam(rate=3e-5)})
    sees = slow.critic.model_copy(update={"minibatch": _COMPARED})
    return {COLLAPSING: slow, WIDENED: slow.model_copy(update={"critic": sees})}


def points_tier(steps: int, seeds: tuple[int, ...], *, minutes: float, machine: str = "2 CPU cores") -> Tier:
    """All rows of the study on the grid."""
    plain = plain_points(steps)
    pair = (Row(label, recipe, seeds, together=True) for label, recipe in collapsing(steps).items())
    lines = rows(plain, techniques(plain, _COMPARED, noise=0.1), seeds, together=True)
    return Tier((*lines, *pair, Floor(REAL, real_coverage, seeds)), minutes, machine)


def points_measures(run: Run) -> Values:
    """Modes, quality, divergence and spread of 10,000 samples, and the time of a step."""
    return {**coverage(run), "pace": pace(run)}


TECHNIQUES_GRID25 = Study(
    name="techniques-grid25",
    title="Improved techniques: twenty-five Gaussians",
    source=SOURCE,
    tiers={
        "quick": points_tier(3_000, _SEEDS, minutes=35),
        "full": points_tier(30_000, _SEEDS, minutes=240, machine="one GPU"),
    },
    measure=points_measures,
    columns=(*COLUMNS, Column("pace", "ms per step, all seeds at once", digits=3)),
    about=(
        "Fully connected players of three hidden layers of 64, the non-saturating loss, no penalty, batches of 64, "
        "Adam at 1e-3 (β₁ 0.5) for both, live weights; columns as in `grid25`. Each technique alone, by one field of "
        "the recipe, with settings that were not tuned: minibatch discrimination of 8 kernels in 3 dimensions, "
        "historical averaging of weight 1e-3, label smoothing 0.9, virtual batch normalisation of both players (32 "
        "samples of reference), weight normalisation of the critic, instance noise of deviation 0.1, gone after half "
        "the run. *All* are these at once, with virtual batch normalisation of the generator and weight normalisation "
        "of the critic; with feature matching the generator looks past what minibatch discrimination adds to the "
        "features, so the row without it stands beside. The *collapsing GAN* is the plain one with a critic's rate of "
        "3e-5. Time was taken while the study was played and depends on what else the machine did."
    ),
)


# --- MNIST -----------------------------------------------------------------------------------------------------

SAMPLES = 2_000
"""Images of each run."""

METRICS = ("kid", "fid", "precision", "recall", "coverage")


def plain_digits(width: int, steps: int) -> GAN:
    """`mnist-dcgan` without its penalty: batch normalisation in the generator, none in the critic; live weights."""
    recipe = sized(mnist_dcgan(), width, steps)
    rate = Adam(rate=5e-4)
    changes = {"penalties": (), "averaging": None, "generator_optimiser": rate, "critic_optimiser": rate}
    return recipe.model_copy(update=changes)


def digits_tier(recipe: GAN, seeds: tuple[int, ...], *, minutes: float, machine: str = "2 CPU cores") -> Tier:
    """All rows of the study on MNIST."""
    changes = techniques(recipe, MinibatchDiscrimination(kernels=50), noise=0.2)
    changes = {"batch normalisation of the critic": _batched(recipe), **changes}
    lines = rows(recipe, changes, seeds, together=False)
    return Tier((*lines, Floor(REAL, real_measures(recipe), seeds)), minutes, machine)


def _batched(recipe: GAN) -> Changes:
    return {"critic": recipe.critic.model_copy(update={"normalisation": "batch"})}


def digits_measures(run: Run) -> Values:
    """Distances and coverage of 2,000 samples from the test digits, and the time of a step."""
    recipe = recipe_of(run)
    made = run.model().sample(SAMPLES, seed=recipe.seed)
    return {**_compared(made, recipe, recipe.seed), "pace": pace(run)}


def real_measures(recipe: GAN) -> Callable[[int], Values]:
    """The same of as many real training digits."""

    def measure(seed: int) -> Values:
        train = splits_of(recipe).train
        return _compared(train.take(permutation(len(train), seed, "floor")[:SAMPLES]), recipe, seed)

    return measure


def _compared(images: Tensor | ImageData, recipe: GAN, seed: int) -> Values:
    against = splits_of(recipe).held_out
    return dict(evaluate(images, against=against, metrics=METRICS, features=recipe.evaluation.features, seed=seed))


TECHNIQUES_MNIST = Study(
    name="techniques-mnist",
    title="Improved techniques: MNIST",
    source=SOURCE,
    tiers={
        "quick": digits_tier(plain_digits(16, 1_000), (0, 1, 2), minutes=35),
        "full": digits_tier(plain_digits(32, 20_000), (0, 1, 2), minutes=400, machine="one GPU"),
    },
    measure=digits_measures,
    columns=(
        Column("kid", "kernel distance", "lower"),
        Column("fid", "Fréchet distance", "lower"),
        Column("precision", "precision", "higher"),
        Column("recall", "recall", "higher"),
        Column("coverage", "coverage", "higher"),
        Column("pace", "ms per step", digits=3),
    ),
    about=(
        "`mnist-dcgan` without its penalty (quick: width 16, 1,000 steps), Adam at 5e-4 for both, live weights: batch "
        "normalisation in the generator, none in the critic. Techniques as in `techniques-grid25`, but minibatch "
        "discrimination of 50 kernels in 5 dimensions and instance noise of deviation 0.2. "
        f"{SAMPLES:,} samples of each run against the 10,000 test digits, in the features of `lenet-mnist`; as many "
        "training digits as *real*. Time was taken while the study was played and depends on what else the machine did."
    ),
)
