"""Features for images that no extractor of the package knows: a LeNet trained on them, once, and kept in the cache."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from adversaria.assemble import load_data
from adversaria.data import Splits
from adversaria.data.cache import cache_folder
from adversaria.metrics import LeNet, TrainedLeNet, save_lenet
from adversaria.randomness import generator_for
from adversaria.recipes import Classifier
from adversaria.reproduce.ledger import digest
from adversaria.runs import Run, train
from adversaria.training.checkpoint import load_weights, read_tensors


def trained_lenet(recipe: Classifier) -> TrainedLeNet:
    """The LeNet of the recipe; trained on the CPU the first time that it is asked for."""
    file = cache_folder() / "features" / f"{recipe.name}-{digest(recipe)[:16]}.safetensors"
    if not file.with_suffix(".json").exists():
        with TemporaryDirectory() as folder:
            _keep(train(recipe, Path(folder) / "run", device="cpu", quiet=True), recipe, file)
    return TrainedLeNet.load(file)


def _keep(run: Run, recipe: Classifier, file: Path) -> None:
    network = LeNet(
        run.space.shape,
        len(run.space.classes),
        width=recipe.width,
        generator=generator_for(recipe.seed, "weights"),
    )
    tensors = read_tensors(run.checkpoints()[-1] / "model.safetensors")
    load_weights(network, {name.removeprefix("classifier."): value for name, value in tensors.items()}, "classifier")
    splits = load_data(recipe.data)
    assert isinstance(splits, Splits)  # noqa: S101 (a classifier is trained on images)
    right = round(_accuracy(network.eval(), splits), 4)
    save_lenet(network, file, test_accuracy=right, made_by=f"the recipe {recipe.name}, {recipe.steps} steps")


@torch.no_grad()
def _accuracy(network: LeNet, splits: Splits) -> float:
    held_out = splits.held_out
    assert held_out.labels is not None  # noqa: S101
    parts = torch.arange(len(held_out)).split(256)
    answers = torch.cat([network(held_out.to_float(part)).argmax(1) for part in parts])
    return float((answers == held_out.labels).float().mean())
