"""Which prior may one walk in? The question of `priors.py` on CIFAR-10.

The features are those of a LeNet that is trained on the training images here, once: there is none in the package.
Where the data folder has CIFAR-10 as a zip of JPEG images (`cifar10-jpeg.zip`), that is taken, else the original; JPEG
loses a little, so the two do not agree to the digit.
"""

import os
from pathlib import Path

from adversaria.downloads import cache_folder
from adversaria.extractors import train_extractor
from adversaria.metrics import Extractor, extractor
from adversaria.recipes.images import cifar10_dcgan
from adversaria.reproduce.priors import COLUMNS, REAL, SAMPLES, SOURCE, lines, real_distances, sized, walking
from adversaria.reproduce.study import Floor, Study, Tier

ZIP = "cifar10-jpeg.zip"


def source() -> str:
    """Where CIFAR-10 is: the zip of the data folder, or the name by which it is fetched."""
    there = Path(os.environ.get("ADVERSARIA_DATA", "")).expanduser() / ZIP
    return str(there) if "ADVERSARIA_DATA" in os.environ and there.exists() else "cifar10"


def features() -> Extractor:
    """A LeNet of the training images, trained the first time that it is asked for, and kept in the cache."""
    kept = cache_folder() / "extractors" / f"lenet-{Path(source()).stem}.safetensors"
    if not kept.with_suffix(".json").exists():
        train_extractor(source(), kept, seed=0, device="cpu", quiet=True)
    return extractor(kept)


def _tier(width: int, steps: int, *, minutes: float, machine: str = "2 CPU cores") -> Tier:
    recipe = sized(cifar10_dcgan(), width, steps, "never" if machine == "2 CPU cores" else "auto")
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"source": source()})})
    floor = Floor(REAL, real_distances(recipe, SAMPLES, features), (0, 1, 2))
    return Tier((*lines(recipe, (0, 1, 2), 100), floor), minutes, machine)


PRIORS_CIFAR10 = Study(
    name="priors-cifar10",
    title="Priors to walk in: CIFAR-10",
    source=SOURCE,
    tiers={
        "quick": _tier(16, 2_500, minutes=45),
        "full": _tier(64, 100_000, minutes=900, machine="one GPU"),
    },
    measure=walking(SAMPLES, lambda run: features()),
    columns=COLUMNS,
    about=(
        "`cifar10-dcgan` (quick: width 16, 2,500 steps) with latents of 100 dimensions, under each prior; "
        f"{SAMPLES:,} images of each kind against the 10,000 test images, in the features of a LeNet trained on the "
        "training images, which also gives the classifier score. Columns as for MNIST."
    ),
)
