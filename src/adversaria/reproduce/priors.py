r"""Which prior may one walk in? The table of Singh et al. on the images at hand.

For every prior the same networks and the same training. Images are made of latents z of the prior, of mid-points
(a + b)/2 of two latents, and of mid-points carried back to the prior (`priors.Matched`), and each is measured against
held-out images. The figure of merit is what the mid-point costs,

    loss = KID((a + b)/2) − KID(a),

with a the same in both terms. A second loss is taken at λ = 0.3, for which no law was solved.

The non-parametric law has a standard deviation of 0.108, so each prior is also played at a deviation that is another's
own: uniform and normal at 0.108, gamma and non-parametric at 1. The Cauchy law has none, and a generator under it needs
a bounded input.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from adversaria.data import to_uint8
from adversaria.interpolating import LINEAR, MATCHED, SPHERICAL, Ends, Yardstick, strips, through_the_origin, walks_of
from adversaria.metrics import Classifier, Extractor, extract, extractor, inception_score
from adversaria.priors import Linear
from adversaria.randomness import permutation
from adversaria.recipes import GAN, Cauchy, Gamma, Nonparametric, Normal, Uniform
from adversaria.recipes.images import mnist_dcgan
from adversaria.recipes.priors import Prior
from adversaria.reproduce.correcting import write_arrays
from adversaria.reproduce.images import recipe_of, splits_of
from adversaria.reproduce.study import Column, Floor, Row, Study, Tier, Value, Values
from adversaria.runs import Run

SAMPLES = 4_000
"""Images of each kind, for each run."""

OWN = 0.1082
"""Standard deviation of a coordinate of the non-parametric law on (−2, 2)."""

ASIDE = 0.3
"""A share of the way that is not the middle."""

KEPT = "strips.npz"
"""In the run's folder: images along lines through the origin, (rows, steps, C, H, W) uint8."""

REAL = "real training images"

Measure = Callable[[Run], Values]


def priors_of(dim: int) -> dict[str, Prior]:
    """The laws by the labels of their rows: five as they are, then those at another's deviation."""
    return {
        "uniform": Uniform(dim=dim),
        "normal": Normal(dim=dim),
        "gamma": Gamma(dim=dim),
        "Cauchy": Cauchy(dim=dim),
        "non-parametric": Nonparametric(dim=dim),
        f"uniform, σ = {OWN:.3f}": Uniform(dim=dim, deviation=OWN),
        f"normal, σ = {OWN:.3f}": Normal(dim=dim, deviation=OWN),
        "gamma, σ = 1": Gamma(dim=dim, deviation=1.0),
        "non-parametric, σ = 1": Nonparametric(dim=dim, deviation=1.0),
    }


def under(recipe: GAN, prior: Prior) -> GAN:
    """The recipe under another prior; its generator gets a bounded input where it must have one."""
    bounded = "arctan" if isinstance(prior, Cauchy) else "plain"
    generator = recipe.generator.model_copy(update={"input": bounded})
    return recipe.model_copy(update={"prior": prior, "generator": generator})


def sized(recipe: GAN, width: int, steps: int, compilation: Literal["auto", "never"] = "never") -> GAN:
    """The recipe with players of another width, over other steps, trained on all that is not held out."""
    changes = {
        "generator": recipe.generator.model_copy(update={"width": width}),
        "critic": recipe.critic.model_copy(update={"width": width}),
        "steps": steps,
        "checkpoint_every": steps,
        "sample_every": steps,
        "keep_checkpoints": 1,
        "compilation": compilation,
        "data": recipe.data.model_copy(update={"calibration": 0.0}),
    }
    return recipe.model_copy(update=changes)


# --- the measure -----------------------------------------------------------------------------------------------


def walking(samples: int, features: Callable[[Run], Extractor]) -> Measure:
    """FID, KID and classifier score of n = `samples` images at the prior and between latents, and what walking costs.

    Arguments:
        features: run → the extractor to measure in; a LeNet also classifies, and only then is there a score.
    """

    def measure(run: Run) -> Values:
        trained, through = run.model(), features(run)
        splits = splits_of(recipe_of(run))
        yardstick = Yardstick.of(through, splits.held_out.images)
        ends, known = Ends.of(trained, samples, seed=run.recipe.seed), walks_of(trained.prior)
        places = {"": (LINEAR, 0.0), "/mid": (LINEAR, 0.5), "/aside": (LINEAR, ASIDE)}
        places |= {"/arc": (SPHERICAL, 0.5)} | ({"/matched": (MATCHED, 0.5)} if MATCHED in known else {})
        values: dict[str, Value] = {}
        for suffix, (walk, share) in places.items():
            found = scores(yardstick, ends.images(trained, known[walk], share))
            values |= {f"{key}{suffix}": value for key, value in found.items()}
            if suffix:
                values[f"loss{suffix}"] = float(values[f"kid{suffix}"]) - float(values["kid"])
        pictures: dict[str, ArrayLike] = {
            "origin": _lines(run, 6, through_the_origin(trained, 6, seed=run.recipe.seed)),
            "between": _lines(run, 6, Ends.of(trained, 6, seed=run.recipe.seed)),
        }
        write_arrays(Path(run.path) / KEPT, pictures)
        return values

    return measure


def _lines(run: Run, rows: int, ends: Ends) -> np.ndarray:
    return to_uint8(strips(run.model(), Linear(), ends, torch.linspace(0, 1, 11))).numpy()


def scores(yardstick: Yardstick, images: Tensor) -> dict[str, Value]:
    """FID and KID, and the Inception Score's formula where the features are a classifier's."""
    features = extract(yardstick.through, images)
    found: dict[str, Value] = dict(yardstick.of_features(features))
    if isinstance(yardstick.through, Classifier):
        found["score"] = inception_score(yardstick.through.logits(features), seed=0)
    return found


def real_distances(recipe: GAN, samples: int, features: Callable[[], Extractor]) -> Callable[[int], Values]:
    """The same of as many real training images."""

    def measure(seed: int) -> Values:
        splits, through = splits_of(recipe), features()
        yardstick = Yardstick.of(through, splits.held_out.images)
        return scores(yardstick, splits.train.take(permutation(len(splits.train), seed, "floor")[:samples]).images)

    return measure


# --- the studies -----------------------------------------------------------------------------------------------


def lines(recipe: GAN, seeds: tuple[int, ...], dim: int) -> tuple[Row, ...]:
    """A row for each prior."""
    return tuple(Row(label, under(recipe, prior), seeds) for label, prior in priors_of(dim).items())


COLUMNS = (
    Column("kid", "KID at the prior"),
    Column("loss/mid", "loss at the mid-point"),
    Column("loss/aside", f"loss at λ = {ASIDE}"),
    Column("loss/arc", "loss, spherical"),
    Column("loss/matched", "loss, matched"),
    Column("fid", "FID at the prior"),
    Column("fid/mid", "FID at the mid-point"),
    Column("fid/matched", "FID, matched"),
    Column("score", "classifier score at the prior"),
    Column("score/mid", "at the mid-point"),
    Column("score/matched", "matched"),
)

SOURCE = (
    "Singh et al., A non-parametric prior for generative adversarial networks (2019), "
    "https://arxiv.org/abs/1905.01257, its question on other images, networks and features: no figure is comparable"
)


def mnist_features() -> Extractor:
    """`lenet-mnist`."""
    return extractor("lenet-mnist")


def _mnist(recipe: GAN, samples: int, *, minutes: float, machine: str = "2 CPU cores") -> Tier:
    floor = Floor(REAL, real_distances(recipe, samples, mnist_features), (0, 1, 2))
    return Tier((*lines(recipe, (0, 1, 2), 100), floor), minutes, machine)


PRIORS_MNIST = Study(
    name="priors-mnist",
    title="Priors to walk in: MNIST",
    source=SOURCE,
    tiers={
        "quick": _mnist(sized(mnist_dcgan(), 16, 1_800), SAMPLES, minutes=35),
        "full": _mnist(sized(mnist_dcgan(), 32, 45_000, "auto"), SAMPLES, minutes=300, machine="one GPU"),
    },
    measure=walking(SAMPLES, lambda run: mnist_features()),
    columns=COLUMNS,
    about=(
        "`mnist-dcgan` (quick: width 16, 1,800 steps) with latents of 100 dimensions, under each prior; "
        f"{SAMPLES:,} images of each kind against the 10,000 test digits, in the features of `lenet-mnist`. *loss* is "
        "the kernel distance there less that at the prior, on a straight line unless said otherwise; *matched* "
        "mid-points have the prior's own law. *classifier score* is the formula of the Inception Score with the "
        "classifier `lenet-mnist`."
    ),
)
