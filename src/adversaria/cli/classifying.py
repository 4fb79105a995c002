"""What a model says of images, read and written."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adversaria.classifying import Classified, Classifying, classified, classifier
from adversaria.data import ImageData, Splits, load
from adversaria.errors import DataError, RunError
from adversaria.files import atomic_file, write_json
from adversaria.model import load as load_model
from adversaria.recipes import Images
from adversaria.runs import Run

SHOWN = 10
"""Images of a table."""

PARTS = ("train", "test")
"""Of a data set that has both: mnist:test."""

SUFFIXES = (".csv", ".npz", ".json")
"""Of files that probabilities are written to."""


def of(path: Path, source: str | None, *, best: bool) -> Classified:
    """What a model says of images.

    Arguments:
        path: a run, a checkpoint, or a saved model.
        source: images, or None for what the run held out.
        best: the run's best checkpoint instead of its last.

    Raises:
        ModelError: there is no model, or it does not tell classes.
        RunError: without images, `path` is no run.
        DataError: the images cannot be read, are of another shape, or none is held out.
    """
    model = classifier(Run(path).model(best=best) if best else load_model(path))
    return classified(model, _held_out(path) if source is None else _read(model, source))


def _held_out(path: Path) -> ImageData:
    if not (path / "recipe.json").exists():
        raise RunError(f"{path} is no run, so it held no images out; say which to classify")
    source = Run(path).data()
    assert isinstance(source, Splits)  # noqa: S101 (its model tells classes of images)
    return source.held_out


def _read(model: Classifying, source: str) -> ImageData:
    """As the model's own images were read. A data set with a test part needs `:train` or `:test` after its name."""
    wanted = model.recipe.data
    assert isinstance(wanted, Images)  # noqa: S101
    place, colon, part = source.rpartition(":")
    if not colon or part not in PARTS:
        place, part = source, ""
    channels = "gray" if model.space.shape[0] == 1 else "rgb"
    splits = load(place, resolution=wanted.resolution, channels=channels, held_out=0.0)
    if not len(splits.held_out):
        if part:
            raise DataError(f"{place} has no parts of its own; leave :{part} out")
        return splits.train
    if not part:
        raise DataError(f"{place} has a training and a test part; say which: {place}:train or {place}:test")
    return splits.held_out if part == "test" else splits.train


def write(found: Classified, path: Path) -> None:
    """Probabilities of each image: CSV, npz, or JSON, whole or not at all.

    Raises:
        RunError: the name ends in none of these.
    """
    if path.suffix not in SUFFIXES:
        raise RunError(f"{path}: probabilities are written as {', '.join(SUFFIXES)}; choose another --out")
    names = [found.classes[k] for k in found.predicted.tolist()]
    truth = None if found.label is None else [found.classes[k] for k in found.label.tolist()]
    if path.suffix == ".json":
        each = {"predicted": names, "probabilities": found.probabilities.tolist()}
        write_json(path, found.to_json() | each | ({} if truth is None else {"truth": truth}))
        return
    with atomic_file(path) as temporary:
        if path.suffix == ".csv":
            _write_csv(found, names, truth, temporary)
        else:
            arrays: dict[str, Any] = {"probabilities": found.probabilities.numpy()}
            arrays |= {"predicted": found.predicted.numpy(), "classes": np.array(found.classes)}
            arrays |= {} if found.label is None else {"labels": found.label.numpy()}
            with open(temporary, "wb") as file:
                np.savez_compressed(file, **arrays)


def _write_csv(found: Classified, names: list[str], truth: list[str] | None, path: Path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image", "predicted", *(["truth"] if truth else []), *(f"p({name})" for name in found.classes)])
        for place, row in enumerate(found.probabilities.tolist()):
            known = [] if truth is None else [truth[place]]
            table.writerow([place, names[place], *known, *(f"{p:.6g}" for p in row)])


def table(found: Classified) -> str:
    """The first images with their most probable classes, and how often they are right."""
    lines = []
    for place, row in enumerate(found.probabilities[:SHOWN]):
        best = torch.topk(row, min(3, len(row)))
        said = ", ".join(
            f"{found.classes[k]} {p:.3f}" for p, k in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        )
        truth = "" if found.label is None else f"   (is {found.classes[int(found.label[place])]})"
        lines.append(f"{place:6}  {said}{truth}")
    if len(found.probabilities) > SHOWN:
        lines.append(f"   and {len(found.probabilities) - SHOWN:,} more; all: --out FILE.csv")
    if found.accuracy is not None:
        lines.append(f"accuracy: {found.accuracy}; error {100 * (1 - found.accuracy.value):.2f} %")
    return "\n".join(lines)
