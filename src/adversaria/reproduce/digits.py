"""Handwritten digits: distances from held-out digits, in the features of a small classifier of digits.

The floor is what real training digits score against the same held-out ones, with as many samples as the model gives:
the Fréchet distance is biased upwards by the sample sizes, so only equal sizes can be compared.
"""

from collections.abc import Callable

from torch import Tensor

from adversaria.data import ImageData, Splits
from adversaria.evaluation import evaluate
from adversaria.randomness import permutation
from adversaria.recipes import GAN
from adversaria.recipes.images import digits_dcgan, mnist_dcgan
from adversaria.reproduce.images import splits_of
from adversaria.reproduce.study import Column, Floor, Published, Row, Study, Tier, Values
from adversaria.runs import Run

_COLUMNS = (Column("fid", "Fréchet distance"), Column("kid", "kernel distance"))


def distances(run: Run) -> Values:
    """Fréchet and kernel distance of samples from held-out images, in the features that the recipe names."""
    recipe = run.recipe
    assert isinstance(recipe, GAN)  # noqa: S101 (the studies below play nothing else)
    splits = splits_of(recipe)
    fakes = run.model().sample(_samples(recipe, splits), seed=recipe.seed)
    return _distances(fakes, recipe, splits, recipe.seed)


def real_distances(recipe: GAN) -> Callable[[int], Values]:
    """The same of real training images, as many as a model would give."""

    def measure(seed: int) -> Values:
        splits = splits_of(recipe)
        chosen = permutation(len(splits.train), seed, "floor")[: _samples(recipe, splits)]
        return _distances(splits.train.take(chosen), recipe, splits, seed)

    return measure


def _samples(recipe: GAN, splits: Splits) -> int:
    return min(recipe.evaluation.samples, len(splits.train))


def _distances(images: Tensor | ImageData, recipe: GAN, splits: Splits, seed: int) -> Values:
    scores = evaluate(
        images, against=splits.held_out, metrics=("fid", "kid"), features=recipe.evaluation.features, seed=seed
    )
    return dict(scores)


def _tier(recipe: GAN, seeds: tuple[int, ...], *, minutes: float, machine: str = "2 CPU cores") -> Tier:
    return Tier(
        (Row(recipe.name, recipe, seeds), Floor("real training digits", real_distances(recipe))), minutes, machine
    )


def _on_all(recipe: GAN) -> GAN:
    """Trained on all that is not held out: a study of training calibrates nothing."""
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"calibration": 0.0})})


def _longer(recipe: GAN, steps: int) -> GAN:
    return recipe.model_copy(update={"steps": steps})


_OTHER_LENET = (
    "in the features of another LeNet, and on other samples: of the same kind, not comparable with ours digit for digit"
)


def _other(fid: str, kid: str) -> dict[str, Published]:
    return {"fid": Published(fid, note=_OTHER_LENET), "kid": Published(kid, note=_OTHER_LENET)}


MNIST = Study(
    name="mnist",
    title="MNIST",
    source="Bińkowski et al., Demystifying MMD GANs (2018), https://arxiv.org/abs/1801.01401, the table for MNIST",
    tiers={
        "quick": _tier(_on_all(mnist_dcgan()), (0,), minutes=20),
        # 50,000 generator steps, as published.
        "full": _tier(_longer(_on_all(mnist_dcgan()), 50_000), (0, 1, 2, 3, 4), minutes=120, machine="one GPU"),
    },
    measure=distances,
    columns=_COLUMNS,
    published={
        "MMD GAN (rational quadratic kernel)": _other("4.206", "0.005"),
        "Cramér GAN": _other("3.385", "0.006"),
        "WGAN-GP": _other("6.915", "0.009"),
    },
    about=(
        "10,000 samples against the 10,000 test digits, in the features of `lenet-mnist`, which was trained on the "
        "training digits. *real training digits* are as many of those, against the same test digits: what a perfect "
        "generator would score."
    ),
)

DIGITS = Study(
    name="digits",
    title="Scanned 8×8 digits",
    source="no publication: the run of `adversaria demo`, over several seeds",
    tiers={
        "quick": _tier(_on_all(digits_dcgan()), (0, 1, 2), minutes=10),
        "full": _tier(_longer(_on_all(digits_dcgan()), 10_000), (0, 1, 2, 3, 4), minutes=15, machine="one GPU"),
    },
    measure=distances,
    columns=_COLUMNS,
    about=(
        "As many samples as there are training digits, against the held-out fifth, in the features of `lenet-digits`. "
        "*real training digits* are the training digits themselves, which the classifier was trained on too: a model "
        "that scores below them has copied them, or is lucky."
    ),
)
