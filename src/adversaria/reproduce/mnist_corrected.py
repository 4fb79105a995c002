r"""MNIST, corrected early, midway and late: after a ninth, a third, and the whole of training.

Distances are those of `digits.py`. The histogram p̂ over the ten classes is that of a classifier's answers; beside them
stands its distance in total variation from the answers p to the test digits,

    ½ Σ_k |p̂_k − p_k|,

which n real digits exceed 0 by as well, about √(10/2πn).

All ways of running chains are given the same proposals, and each of these is scored once: what differs is only how
the scores are read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from adversaria import model
from adversaria.correction import calibrate_run
from adversaria.data import ImageData, to_uint8
from adversaria.evaluation import evaluate
from adversaria.metrics import TrainedLeNet, extract, extractor
from adversaria.model import Model
from adversaria.randomness import permutation
from adversaria.recipes import GAN
from adversaria.recipes.images import mnist_dcgan
from adversaria.reproduce.correcting import (
    CHAIN,
    CHAIN_CALIBRATED,
    CHAIN_PLATT,
    PLAIN,
    REAL,
    REJECTION_CALIBRATED,
    belief,
    costs,
    named,
    write_arrays,
)
from adversaria.reproduce.images import recipe_of, splits_of
from adversaria.reproduce.study import Column, Floor, Row, Since, Study, Tier, Value, Values
from adversaria.runs import Run
from adversaria.sampling import Diagnostics, MetropolisHastings, Percentile, Ratio, Rejection

STAGES = ("early", "midway", "late")
WAYS = (PLAIN, REJECTION_CALIBRATED, CHAIN, CHAIN_PLATT, CHAIN_CALIBRATED)

SAMPLES = 2_000
"""Images of each row."""

CHAIN_LENGTH = 64
"""Proposals of a chain; a tenth of what was published, for a network that is a hundred times the size."""

KEPT = "corrected.npz"
"""In the run's folder, for each stage: scores and histograms over classes by way of sampling, and some images."""

Counts = NDArray[np.int64]

SHOWN = 50
"""Images kept of each way."""


def part(way: str, stage: str) -> str:
    """The label of a row.

    >>> part("MH", "late")
    'MH, late'
    """
    return f"{way}, {stage}"


PARTS = tuple(part(way, stage) for stage in STAGES for way in WAYS)


def uncorrected(label: str) -> str | None:
    """The row of the model's own samples at the same stage.

    >>> uncorrected("MH, late")
    'GAN, late'
    """
    way, _, stage = label.rpartition(", ")
    return part(PLAIN, stage) if way != PLAIN and stage in STAGES else None


def stages(recipe: GAN) -> dict[str, int]:
    """The steps of the three stages."""
    return dict(zip(STAGES, (recipe.steps // 9, recipe.steps // 3, recipe.steps), strict=True))


# --- proposals that are scored once ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Latents:
    """A source whose samples are the latents of a model; for each equal batch of them the scores are computed once."""

    trained: Model
    known: dict[bytes, Tensor] = field(default_factory=dict, repr=False)

    def propose(self, n: int, generator: torch.Generator) -> Tensor:
        """n latents (n, d)."""
        return self.trained.prior.sample(n, generator=generator)

    def decode(self, kept: Tensor) -> Tensor:
        """The latents themselves."""
        return kept

    def scores(self, latents: Tensor) -> Tensor:
        """The critic's scores (n,), float64, of what the generator makes of latents (n, d)."""
        name = latents.numpy().tobytes()
        if name not in self.known:
            self.known[name] = self.trained.scores(self.trained.decode(latents)).double().mean(1)
        return self.known[name]


def chains(latents: Latents, ratio: Ratio, n: int, seed: int) -> tuple[Tensor, Diagnostics]:
    """n images by Metropolis-Hastings."""
    sampler = MetropolisHastings(
        latents,
        lambda z: ratio.calibration(latents.scores(z)),
        chain_length=CHAIN_LENGTH,
        start_scores=ratio.start_scores,
    )
    kept, found = sampler.run(n, seed=seed)
    return latents.trained.decode(kept), found


# --- the measure -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Against:
    """What images are measured against.

    Arguments:
        real: held-out images.
        features: the name of a LeNet that comes with the package.
    """

    real: ImageData
    features: str

    @cached_property
    def answers(self) -> Counts:
        """How many of the real images the classifier gives to each class."""
        return answers(self.real, self.features)

    def values(self, images: Tensor | ImageData, seed: int) -> dict[str, Value]:
        """Fréchet and kernel distance, and that of the histograms over classes."""
        found = evaluate(images, against=self.real, metrics=("fid", "kid"), features=self.features, seed=seed)
        counts = answers(images, self.features)
        return {
            **found,
            "classes": float(0.5 * np.abs(counts / counts.sum() - self.answers / self.answers.sum()).sum()),
        }


def answers(images: Tensor | ImageData, features: str) -> Counts:
    """How many images the classifier gives to each class, (classes,) int64."""
    through = extractor(features)
    assert isinstance(through, TrainedLeNet)  # noqa: S101 (the study's recipe names one)
    given = images.images if isinstance(images, ImageData) else images
    labels = through.network.head(extract(through, given)).argmax(1)
    return torch.bincount(labels, minlength=through.network.classes).numpy()


def corrected_distances(samples: int) -> Callable[[Run], Values]:
    """Of n = `samples` images of each way at each stage: how far they are from real ones, and what they cost."""

    def measure(run: Run) -> Values:
        recipe = recipe_of(run)
        held_out = splits_of(recipe).held_out
        against = Against(held_out, recipe.evaluation.features)
        values: dict[str, Value] = {}
        arrays: dict[str, ArrayLike] = {f"classes/{REAL}": against.answers}
        for stage, step in stages(recipe).items():
            trained = next(m for folder in run.checkpoints() if (m := model.judged(model.load(folder))).step == step)
            arrays[f"scores/{part(REAL, stage)}"] = trained.scores(held_out.to_float(slice(samples))).mean(1)
            for way, images, found in _ways(run, trained, samples):
                name = part(way, stage)
                values |= named(against.values(images, recipe.seed) | found, name)
                arrays[f"scores/{name}"] = trained.scores(images).mean(1)
                arrays[f"classes/{name}"] = answers(images, recipe.evaluation.features)
                arrays[f"images/{name}"] = to_uint8(images[:SHOWN])
        write_arrays(Path(run.path) / KEPT, arrays)
        return values

    return measure


def _ways(run: Run, trained: Model, n: int) -> Iterator[tuple[str, Tensor, dict[str, Value]]]:
    seed = run.recipe.seed
    yield PLAIN, trained.sample(n, seed=seed), {}
    isotonic = calibrate_run(run, method="isotonic", seed=seed, model=trained)
    images, found = Rejection(trained, isotonic, gamma=Percentile(80)).run(n, seed=seed)
    yield REJECTION_CALIBRATED, images, costs(found)
    latents = Latents(trained)
    raw = calibrate_run(run, method="identity", seed=seed, model=trained)
    platt = calibrate_run(run, method="platt", seed=seed, model=trained)
    for way, ratio in ((CHAIN, raw), (CHAIN_PLATT, platt), (CHAIN_CALIBRATED, isotonic)):
        images, found = chains(latents, ratio, n, seed)
        yield way, images, costs(found) | belief(ratio.diagnosis)


def real_distances(recipe: GAN, samples: int) -> Callable[[int], Values]:
    """The same of as many real training images, which need no correction."""

    def measure(seed: int) -> Values:
        splits = splits_of(recipe)
        chosen = splits.train.take(permutation(len(splits.train), seed, "floor")[:samples])
        return Against(splits.held_out, recipe.evaluation.features).values(chosen, seed)

    return measure


# --- the study -------------------------------------------------------------------------------------------------


def staged(recipe: GAN, steps: int) -> GAN:
    """The recipe over `steps` steps, a multiple of 9, with its stages kept."""
    return recipe.model_copy(update={"steps": steps, "checkpoint_every": steps // 9, "keep_checkpoints": 9})


def tier(recipe: GAN, seeds: tuple[int, ...], samples: int, *, minutes: float, machine: str = "2 CPU cores") -> Tier:
    """A row for each way of sampling at each stage, and one for real images."""
    lines = (Row(recipe.name, recipe, seeds, parts=PARTS), Floor(REAL, real_distances(recipe, samples), seeds))
    return Tier(lines, minutes, machine)


MNIST_CORRECTED = Study(
    name="mnist-corrected",
    title="MNIST, corrected",
    source=(
        "the question of Turner et al., Metropolis-Hastings generative adversarial networks (2019), "
        "https://arxiv.org/abs/1811.11357, asked of other images, so that no figure is comparable"
    ),
    tiers={
        "quick": tier(staged(mnist_dcgan(), 4_500), (0, 1, 2, 3, 4), SAMPLES, minutes=45),
        "full": tier(staged(mnist_dcgan(), 45_000), (0, 1, 2, 3, 4), SAMPLES, minutes=150, machine="one GPU"),
    },
    measure=corrected_distances(SAMPLES),
    columns=(
        Column("fid", "Fréchet distance", "lower"),
        Column("fid_change", "its change", since=Since("fid", uncorrected)),
        Column("kid", "kernel distance", "lower"),
        Column("kid_change", "its change", since=Since("kid", uncorrected)),
        Column("classes", "distance of classes", "lower"),
        Column("acceptance", "acceptance"),
        Column("proposals", "proposals per sample"),
        Column("unmoved", "share that could not move"),
    ),
    about=(
        "`mnist-dcgan` (quick: over half its steps), after a ninth (early), a third (midway) and the whole (late) of "
        "its training; a tenth of the training digits was kept from it to calibrate and to start chains. "
        f"{SAMPLES:,} samples of each row, and as many real training digits, against the 10,000 test digits, in the "
        "features of `lenet-mnist`; *its change* is from the GAN of the same stage, seed by seed; *distance of "
        "classes* is the total variation between the answers of `lenet-mnist` to the samples and to the test digits. "
        "Rejection is as published for images, γ being the 80th percentile of each 256 proposals. Chains are of "
        f"{CHAIN_LENGTH} "
        "proposals (published: 640), the same ones for all ways of reading the critic's scores: as they are, by "
        "logistic regression (Platt), or by isotonic regression (calibrated)."
    ),
)
