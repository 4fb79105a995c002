"""An autoencoder's codes as files, and pictures of what it decodes."""

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from adversaria.cli.places import new_file
from adversaria.data import ImageData, Splits, load
from adversaria.data.images import to_uint8
from adversaria.errors import DataError, ModelError, RunError, nearest
from adversaria.evaluation.opening import PARTS
from adversaria.files import atomic_file
from adversaria.model import Autoencoder
from adversaria.model import load as load_model
from adversaria.recipes import Images
from adversaria.runs import Run

DPI = 200


class Given(NamedTuple):
    """What is to be encoded."""

    images: Tensor
    """uint8 (n, C, H, W)."""
    labels: Tensor | None
    """(n,) int64."""
    classes: tuple[str, ...]


def autoencoder(path: Path) -> Autoencoder:
    """The autoencoder in a folder.

    Raises:
        ModelError: there is none, or a model of another kind.
    """
    model = load_model(path)
    if not isinstance(model, Autoencoder):
        raise ModelError(
            f"'{model.recipe.name}' in {path} is no autoencoder: it has no encoder, and makes samples only"
        )
    return model


def images_for(model: Autoencoder, path: Path, source: str | None) -> Given:
    """Images brought to the shape of the model's as its training data was; its run's held-out ones without a source.

    Raises:
        RunError: no source is given, and the path is no run or held nothing out.
        DataError: the images cannot be read.
        ModelError: the model is one of points.
    """
    recipe = model.recipe.data
    if not isinstance(recipe, Images):
        raise ModelError(f"'{model.recipe.name}' encodes points, and this encodes images; use Python for points")
    if source is None:
        data = _held_out(path)
    else:
        name, part = _part_of(source)
        parts = load(name, resolution=recipe.resolution, channels=recipe.channels, held_out=0.0)
        data = _chosen(parts, name, part)
    return Given(data.images, _renumbered(data, model.space.classes), data.classes)


def _held_out(path: Path) -> ImageData:
    home = path.parent.parent if (path / "state.json").exists() else path
    source = Run(home).data()
    if not isinstance(source, Splits) or not len(source.held_out):
        raise RunError(f"{home} held no images out; say which to encode")
    return source.held_out


def _part_of(source: str) -> tuple[str, str]:
    place, colon, part = source.rpartition(":")
    return (place, part) if colon and part in PARTS else (source, "")


def _chosen(parts: Splits, name: str, part: str) -> ImageData:
    if not len(parts.held_out):
        if part not in ("", "all"):
            raise DataError(f"{name} has no parts of its own; leave :{part} out")
        return parts.train
    if part in ("", "all"):
        raise DataError(f"{name} has a training part and a test part; say which: {name}:train or {name}:test")
    return parts.held_out if part == "test" else parts.train


def _renumbered(data: ImageData, classes: tuple[str, ...]) -> Tensor | None:
    """The labels by the numbers that the model's classes have; None if some class is none of them."""
    if data.labels is None or not set(data.classes) <= set(classes):
        return None
    places = torch.tensor([classes.index(name) for name in data.classes])
    return places[data.labels]


def _told(model: Autoencoder, labels: Tensor | None) -> Tensor | None:
    if model.contents is None or model.contents.source != "told":
        return None
    if labels is None:
        raise DataError(
            f"'{model.recipe.name}' must be told the classes of images; put each class in a folder named as one of "
            f"{', '.join(model.space.classes)}"
        )
    return labels


# --- codes ---------------------------------------------------------------------------------------------------------


def encoded(model: Autoencoder, given: Given, *, seed: int | None) -> dict[str, Any]:
    """Arrays: codes, and styles, contents, labels where there are any.

    Raises:
        ModelError: images of another shape.
        DataError: labels that must be told are not there.
    """
    found: dict[str, Any] = {
        "codes": model.encode(given.images, labels=_told(model, given.labels), seed=seed).cpu().numpy()
    }
    if model.contents is not None:
        found["styles"] = model.style(given.images, seed=seed).cpu().numpy()
        found["content_names"] = np.array(model.contents.names)
        if model.contents.source != "told":
            found["contents"] = model.classify(given.images).cpu().numpy()
    if given.labels is not None:
        found |= {"labels": given.labels.numpy(), "classes": np.array(model.space.classes)}
    return found


def write_arrays(path: Path, arrays: dict[str, Any], *, overwrite: bool) -> None:
    """Write an .npz, whole or not at all.

    Raises:
        RunError: the path ends in something else, or a file is there that may not be replaced.
    """
    if path.suffix.lower() != ".npz":
        raise RunError(f"{path}: codes are written as .npz")
    with atomic_file(new_file(path, overwrite=overwrite)) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def read_codes(path: Path) -> Tensor:
    """Codes (n, c) float32 from an .npz as `encoded` writes it, or an .npy.

    Raises:
        DataError: there are none, or they are no finite numbers.
    """
    try:
        with open(path, "rb") as file:
            found = np.load(file, allow_pickle=False)
            codes = found["codes"] if isinstance(found, np.lib.npyio.NpzFile) else found
            values = torch.from_numpy(np.ascontiguousarray(codes)).float()
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: expected codes as adversaria encode writes them, or an .npy: {error}") from error
    if not values.isfinite().all():
        raise DataError(f"{path}: some codes are NaN or infinite")
    return values


def content_index(model: Autoencoder, name: str) -> int:
    """The content of that name; or the class of that number.

    Raises:
        ModelError: there is none.
    """
    names = () if model.contents is None else model.contents.names
    if name in names:
        return names.index(name)
    if name.isdecimal() and int(name) < len(names) and model.contents is not None and model.contents.source != "found":
        return int(name)
    if not names:
        raise ModelError(
            f"'{model.recipe.name}' was trained without classes and clusters; leave --class out, and decode"
        )
    raise ModelError(f"no class or cluster '{name}'{nearest(name, list(names))}; there are {', '.join(names)}")


# --- pictures ------------------------------------------------------------------------------------------------------


def draw_pairs(model: Autoencoder, given: Given, count: int, out: Path, overwrite: bool) -> tuple[float, int]:
    """Images above their reconstructions; the root mean square error in gray levels, and how many are shown."""
    from adversaria.report.tiles import reconstructions

    labels = _told(model, given.labels)
    real = given.images[:count]
    back = to_uint8(model.reconstruct(real, labels=None if labels is None else labels[:count]).cpu())
    columns = min(10, len(real))
    shown = len(real) // columns * columns
    error = (real.float() - back.float()).square().mean().sqrt().item()
    _save(reconstructions(real.numpy(), back.numpy(), columns=columns), out, overwrite)
    return error, shown


def draw_table(model: Autoencoder, styles: Tensor, out: Path, overwrite: bool) -> None:
    """One style a row, one content a column.

    Raises:
        ModelError: the model has no contents.
    """
    from adversaria.report.encoding import style_by_content
    from adversaria.report.tiles import styles as table

    if model.contents is None:
        raise ModelError(
            f"'{model.recipe.name}' was trained without classes and clusters; draw from it with adversaria sample"
        )
    _save(table(style_by_content(model, styles), contents=model.contents.names), out, overwrite)


def _save(figure: Any, out: Path, overwrite: bool) -> None:
    if out.suffix.lower() != ".png":
        raise RunError(f"{out}: this picture is written as .png")
    with atomic_file(new_file(out, overwrite=overwrite)) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, facecolor="white")
