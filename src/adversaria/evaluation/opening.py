"""What people have, as a side of a comparison: one arm for each kind of thing.

side("photos/"), side("cifar10:test"), side(tensor), side(model), side(sampler), side(propose), side(Features(...))
"""

import zipfile
from collections.abc import Iterator
from functools import partial, singledispatch
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adversaria.data import ImageData, Splits, load, to_uint8
from adversaria.data.images import content_fingerprint
from adversaria.errors import DataError, MetricError
from adversaria.evaluation.features import Features
from adversaria.evaluation.made import Documented, Ready, Saved
from adversaria.evaluation.sides import BATCH, Generated, Images, Side
from adversaria.metrics import Statistics
from adversaria.model import CHUNK, GenerativeModel, OneClass
from adversaria.model import load as load_model
from adversaria.randomness import generator_for
from adversaria.sampling.source import Samples

PARTS = ("train", "test", "all")
"""What of a data set with a test part of its own can be measured: mnist:test."""

PART = 16 * CHUNK
"""Samples of a model made at a time; a multiple of its own chunk, which changes no sample."""


@singledispatch
def side(source: Any, name: str, resolution: int | None = None) -> Side:
    """A side of a comparison.

    Arguments:
        source: a path (folder, zip, npz, npy, IDX, Parquet, run, saved model, features, statistics), the name of a data
            set, a tensor or array of images, ImageData, a model or sampler, `propose(n, generator) -> images`,
            `Features`, or statistics.
        name: what to call it in errors, if it has no name of its own.
        resolution: for files of images: the side that they are brought to.

    Raises:
        MetricError: it is none of these, or a file is damaged.
        DataError: the images cannot be read.
    """
    if callable(source) and not isinstance(source, torch.nn.Module):
        return Generated(partial(_proposed, source, name), name)
    raise MetricError(
        f"cannot measure a {type(source).__name__} as {name}: expected a path, images (n, C, H, W), a model or sampler "
        "(.sample(n, seed=...)), a callable propose(n, generator) -> images, Features, or statistics"
    )


@side.register
def _(source: Side, name: str, resolution: int | None = None) -> Side:
    return source


# --- in memory -------------------------------------------------------------------------------------------------


@side.register(Tensor)
@side.register(np.ndarray)
def _(source: Any, name: str, resolution: int | None = None) -> Side:
    try:
        images = torch.as_tensor(source)
    except TypeError:  # uint16 in some versions, objects, text
        raise MetricError(f"{name} must be images as uint8, or float in [-1, 1], got {source.dtype}") from None
    return Images(images, name)


@side.register
def _(source: ImageData, name: str, resolution: int | None = None) -> Side:
    return Images(source.images, source.name, source.fingerprint)


@side.register
def _(source: Splits, name: str, resolution: int | None = None) -> Side:
    raise MetricError(f"{name} has several parts; choose one: {', '.join(f'.{part}' for part in source._fields)}")


@side.register
def _(source: Features, name: str, resolution: int | None = None) -> Side:
    return Ready(torch.as_tensor(source.values), source.name or name, source.protocol)


@side.register
def _(source: Statistics, name: str, resolution: int | None = None) -> Side:
    return Saved(source, name)


# --- generated -------------------------------------------------------------------------------------------------


@side.register
def _(source: Samples, name: str, resolution: int | None = None) -> Side:
    return Generated(partial(_sampled, source, name), name)


@side.register
def _(source: GenerativeModel, name: str, resolution: int | None = None) -> Side:
    return _generated(source, name, name)


def _generated(model: GenerativeModel, name: str, role: str) -> Generated:
    """A conditional model has no latents alone."""
    latent = None if model.conditional else model
    return Generated(partial(_decoded, model), name, _image_shape(model, role), model=latent)


@side.register
def _(source: OneClass, name: str, resolution: int | None = None) -> Side:
    return Generated(partial(_sampled, source, name), name, _image_shape(source.model, name))


def _image_shape(model: GenerativeModel, name: str) -> tuple[int, ...]:
    if len(model.space.shape) != 3:
        raise MetricError(
            f"{name} is a model of points in {model.space.shape[0]} dimensions, not of images (n, C, H, W); for points "
            "of a toy law use metrics.mode_coverage"
        )
    return tuple(model.space.shape)


def _decoded(model: GenerativeModel, n: int, seed: int) -> Iterator[Tensor]:
    """What `Model.sample` gives, a part at a time."""
    latents = model.latents(n, seed=seed)
    labels = model.classes(n, seed=seed) if model.conditional else None
    for start in range(0, n, PART):
        part = slice(start, start + PART)
        # In bytes: on every side images are rounded to them anyway.
        samples = model.decode_finite(latents[part], y=None if labels is None else labels[part], first=start)
        yield from to_uint8(samples).split(BATCH)


def _sampled(source: Samples, name: str, n: int, seed: int) -> Iterator[Tensor]:
    """All at once, for that is all that a sampler promises."""
    images = source.sample(n, seed=seed)
    _check_drawn(images, n, name)
    yield from images.split(BATCH)


def _proposed(propose: Any, name: str, n: int, seed: int) -> Iterator[Tensor]:
    """In batches of fixed size, the last one cut, so that sample i depends on (seed, i) alone."""
    for number, start in enumerate(range(0, n, BATCH)):
        with torch.no_grad():
            images = propose(BATCH, generator_for(seed, "evaluate", "propose", number))
        _check_drawn(images, BATCH, name)
        yield images[: n - start]


def _check_drawn(images: Any, n: int, name: str) -> None:
    if not isinstance(images, Tensor) or images.ndim != 4 or len(images) != n:
        came = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise MetricError(f"{name} should give {n} images (n, C, H, W) as a tensor, got {came}")


# --- files -----------------------------------------------------------------------------------------------------


@side.register(str)
@side.register(Path)
def _(source: Any, name: str, resolution: int | None = None) -> Side:
    path = Path(source).expanduser()
    if any((path / file).exists() for file in ("recipe.json", "config.json", "state.json")):
        model = load_model(path)
        return _generated(model, str(source), name)
    if path.suffix.lower() == ".npz" and path.is_file():
        arrays = _arrays_of(path)
        if "features" in arrays:
            return side(Features.load(path), name)
        if {"mu", "sigma"} <= set(arrays):
            return _documented(source, path, arrays, resolution)
    return _images(source, resolution)


def _documented(source: str | Path, path: Path, arrays: list[str], resolution: int | None) -> Side:
    spatial = Statistics.load(path, layer="spatial") if {"mu_s", "sigma_s"} <= set(arrays) else None
    saved = Saved(Statistics.load(path), str(source), spatial)
    if "arr_0" not in arrays:
        return saved
    images = _images(source, resolution)
    return Documented(images.images, images.name, images.sha256, statistics_of_all=saved)


def _arrays_of(path: Path) -> list[str]:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return list(archive.files)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise DataError(f"{path}: expected arrays saved by numpy, without pickled objects: {error}") from error


def _images(source: str | Path, resolution: int | None) -> Images:
    place, colon, part = str(source).rpartition(":")
    if not colon or part not in PARTS:
        place, part = str(source), ""
    parts = load(place if isinstance(source, str) else Path(place), resolution=resolution, held_out=0.0)
    train, test = parts.train, parts.held_out
    if not len(test):
        if part not in ("", "all"):
            raise DataError(f"{place} has no parts of its own; leave :{part} out")
        return _verified(train, str(source))
    if not part:
        raise MetricError(
            f"{place} has a training part ({len(train):,} images) and a test part ({len(test):,}); say which to "
            f"measure: {', '.join(f'{place}:{name}' for name in PARTS)}"
        )
    if part == "all":
        whole = torch.cat([train.images, test.images])
        return Images(whole, str(source), content_fingerprint(whole, None, ()))
    return _verified(test if part == "test" else train, str(source))


def _verified(data: ImageData, name: str) -> Images:
    """Images as they were decoded: what has changed on the disk since would be a silent number."""
    if content_fingerprint(data.images, data.labels, data.classes) != data.fingerprint:
        raise DataError(f"{name}: its decoded images in the cache are damaged; delete them: adversaria cache clear")
    return Images(data.images, name, data.fingerprint)
