"""Extractors for data of one's own: a LeNet that learns to classify labelled images, and is saved.

    found = train_extractor("photos/", "photos.safetensors", seed=0)
    evaluate(fake, against=real, features="photos.safetensors", seed=0)

A network trained on photographs sees little in digits, clothing or galaxies. One that has learned to tell the classes
of such data apart sees what matters in it, even if it is small. How well it has learned is measured on images that it
was not trained on, and is written down beside its weights.
"""

import shlex
import tempfile
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from adversaria import assemble, recipes
from adversaria.data import ImageData, Splits
from adversaria.errors import DataError, Interrupted, RunError
from adversaria.metrics import LeNet, save_lenet
from adversaria.metrics.shares import Share, share
from adversaria.randomness import generator_for
from adversaria.recipes import Classifier
from adversaria.runs import Run, train
from adversaria.training.checkpoint import load_weights, read_tensors

MOVED = 14
"""A training image is moved by up to its side over this, in each direction: two pixels of 28."""

PART = 256
"""Images classified at a time."""


class TrainedExtractor(NamedTuple):
    """A classifier that was trained and saved."""

    path: Path
    """Of the weights; a JSON file of the same stem lies beside them."""
    network: LeNet
    accuracy: Share
    """Of held-out images."""
    classes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return {
            "out": str(self.path),
            "shape": list(self.network.shape),
            "features": 8 * self.network.width,
            "classes": list(self.classes),
            "accuracy": self.accuracy._asdict(),
        }

    def __str__(self) -> str:
        channels, height, width = self.network.shape
        shape = f"{height}×{width} {'gray' if channels == 1 else 'colour'} images"
        return (
            f"{self.path}: {8 * self.network.width} features of {shape}, from {len(self.classes)} classes\n"
            f"held-out images classified rightly: {self.accuracy}"
        )


def train_extractor(
    data: str | Path,
    out: str | Path,
    *,
    seed: int,
    steps: int = 3_000,
    width: int = 16,
    resolution: int | None = None,
    channels: Literal["gray", "rgb"] | None = None,
    held_out: float = 0.1,
    device: str = "auto",
    quiet: bool = False,
) -> TrainedExtractor:
    """Train a LeNet on labelled images and save it as `out`, from which `extractor(out)` reads it.

    Arguments:
        data: labelled images, as `data.load` takes them.
        out: the .safetensors file.
        seed: of the weights, the order of the images, and how they are moved. Which are held out does not depend on it.
        steps: of training, at least 1.
        width: channels of the first layer, at least 1; there are eight times as many features.
        resolution, channels: as for `data.load`.
        held_out: share in (0, 1) to judge the classifier by; a data set with a test part of its own uses that instead.
        device: "cpu", "cuda", …; "auto" takes an accelerator if there is one.
        quiet: show no progress.

    Raises:
        DataError: the images cannot be read, have no labels, are all of one class, or none is held out.
        RecipeError: images smaller than 8 pixels; a number out of range.
        RunError: `out` has the suffix of another kind of file.
        NonFiniteError, Interrupted: as for `train`; nothing is saved.
    """
    path, _ = files_of(Path(out))
    source: dict[str, Any] = {"kind": "images", "source": str(data), "resolution": resolution, "channels": channels}
    source |= {"held_out": held_out, "calibration": 0}
    plan = {"kind": "classifier", "name": path.stem, "steps": steps, "seed": seed, "width": width, "data": source}
    # Always in the same form, so that equal seeds give equal weights: which form is the faster one is chance.
    recipe = recipes.parse(plan | {"checkpoint_every": steps, "compilation": "never"})
    assert isinstance(recipe, Classifier)  # noqa: S101 (it is of that kind)
    splits = assemble.load_data(recipe.data)
    assert isinstance(splits, Splits)  # noqa: S101 (a source of images)
    _check_labels(splits)
    moved = max(1, min(splits.train.shape[1:]) // MOVED)
    recipe = recipe.model_copy(update={"batch_size": min(recipe.batch_size, len(splits.train)), "shift": moved})
    with tempfile.TemporaryDirectory(prefix="adversaria-") as folder:
        network = _network(_played(recipe, Path(folder) / "run", device=device, quiet=quiet))
    accuracy = _accuracy(network, splits.held_out)
    save_lenet(network, path, test_accuracy=round(accuracy.value, 4), made_by=_command(recipe))
    return TrainedExtractor(path, network, accuracy, splits.train.classes)


def _command(recipe: Classifier) -> str:
    source = recipe.data
    words = ["adversaria", "features", "train", source.source, "--steps", str(recipe.steps), "--seed", str(recipe.seed)]
    words += ["--width", str(recipe.width), "--held-out", f"{source.held_out:g}"]
    words += ["--resolution", str(source.resolution)] if source.resolution is not None else []
    words += ["--channels", source.channels] if source.channels is not None else []
    return shlex.join(words)


def files_of(out: Path) -> tuple[Path, Path]:
    """The files that an extractor is saved as: its weights, and what they are.

    Raises:
        RunError: `out` has the suffix of another kind of file.
    """
    if out.suffix not in ("", ".safetensors"):
        raise RunError(f"{out}: an extractor is saved as .safetensors; choose another name")
    return out.with_suffix(".safetensors"), out.with_suffix(".json")


def _check_labels(splits: Splits) -> None:
    train, held_out = splits.train, splits.held_out
    if train.labels is None or held_out.labels is None and len(held_out):
        raise DataError(
            f"'{train.name}' has no labels, and a classifier learns from them; put the images of each class in a "
            f"folder of its own, or give arrays with labels"
        )
    present = train.labels.unique()
    if len(present) < 2:
        only = f"are all of class '{train.classes[int(present[0])]}'" if len(present) else "are none"
        raise DataError(f"the training images of '{train.name}' {only}, and a classifier needs at least 2 classes")
    if not len(held_out):
        raise DataError(
            f"no image of '{train.name}' is held out, so nobody could tell how well the classifier has learned; hold "
            f"out a share above 0"
        )


def _played(recipe: Classifier, folder: Path, *, device: str, quiet: bool) -> Run:
    try:
        return train(recipe, folder, device=device, quiet=quiet)
    except Interrupted as stopped:
        step = Run(folder).step
        raise Interrupted(
            f"stopped at step {step} of {recipe.steps}; nothing was saved", stopped.signal_number
        ) from stopped


def _network(run: Run) -> LeNet:
    recipe, space = run.recipe, run.space
    assert isinstance(recipe, Classifier)  # noqa: S101 (it was made so)
    random = generator_for(recipe.seed, "weights")
    network = LeNet(space.shape, len(space.classes), width=recipe.width, generator=random)
    weights = read_tensors(run.checkpoints()[-1] / "model.safetensors")
    own = {name.removeprefix("classifier."): value for name, value in weights.items()}
    load_weights(network, own, "classifier")
    return network.eval()


@torch.no_grad()
def _accuracy(network: LeNet, images: ImageData) -> Share:
    assert images.labels is not None  # noqa: S101 (checked)
    right = 0
    for start in range(0, len(images), PART):
        part = slice(start, start + PART)
        right += int((network(images.to_float(part)).argmax(1) == images.labels[part]).sum())
    return share(right, len(images))
