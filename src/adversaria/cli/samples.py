"""Samples of a model as files.

    png      one picture: images in a square grid, enlarged to be looked at; points as dots
    folder   one PNG for each image, as it is; in a folder for each class if the model is conditional
    npz      arrays: `images` uint8 (N, H, W, C), or `points` float32 (N, d); with `labels` and `classes` if conditional

A folder and an npz of images can be trained on, and be measured by other programs.
"""

import contextlib
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from adversaria.data import to_float, to_uint8
from adversaria.errors import ModelError, RunError, nearest
from adversaria.files import atomic_file, atomic_folder, write_json
from adversaria.model import GenerativeModel
from adversaria.progress import Progress
from adversaria.training.grid import dots, image_grid

Format = Literal["png", "folder", "npz"]

SUFFIXES: dict[Format, str] = {"png": ".png", "folder": "", "npz": ".npz"}

PART = 1024
"""Samples made between two looks at the clock; a multiple of the model's own chunk, which changes no sample."""

PATIENCE = 2.0
"""Seconds without progress."""

WIDE_ENOUGH = 512
"""Pixels; narrower pictures are enlarged by a whole factor."""


class Drawn(NamedTuple):
    """Samples, and their classes if the model is conditional."""

    samples: Tensor
    """uint8 (N, C, H, W), or points (N, d)."""
    labels: Tensor | None
    """(N,) int64."""
    classes: tuple[str, ...]
    """Names."""

    @property
    def images(self) -> bool:
        """Whether these are images."""
        return self.samples.ndim == 4


def draw(model: GenerativeModel, count: int, *, seed: int, y: int | None = None) -> Drawn:
    """Samples 0 … count − 1 of a seed, on the CPU, with progress if that takes long.

    Arguments:
        y: the class of all, for a conditional model; None draws classes uniformly.
    """
    labels = None
    if model.conditional:
        labels = model.classes(count, seed=seed) if y is None else torch.full((count,), y)
    latents, made, began = model.latents(count, seed=seed), [], time.perf_counter()
    with contextlib.ExitStack() as stack:
        watch: Progress | None = None
        for start in range(0, count, PART):
            part = slice(start, start + PART)
            y_part = None if labels is None else labels[part]
            made.append(stored(model.decode_finite(latents[part], y=y_part, first=start)))
            done, seconds = min(start + PART, count), time.perf_counter() - began
            if watch is None and seconds > PATIENCE:
                watch = stack.enter_context(Progress("sampling"))
            if watch is not None:
                watch(done, count, {"images_per_second": done / seconds})
    return Drawn(torch.cat(made), labels, model.space.classes)


def stored(samples: Tensor) -> Tensor:
    """As they are kept in `Drawn`: images in bytes, on the CPU."""
    return (to_uint8(samples) if samples.ndim == 4 else samples).cpu()


def class_index(model: GenerativeModel, name: str) -> int:
    """The class of that name or number.

    Raises:
        ModelError: the model has no classes, or none of that name.
    """
    classes = model.space.classes
    if not model.conditional:
        raise ModelError(
            f"'{model.recipe.name}' was trained without classes, so it cannot be asked for '{name}'; leave --class out"
        )
    if name in classes:
        return classes.index(name)
    if name.isdecimal() and int(name) < len(classes):
        return int(name)
    raise ModelError(f"no class '{name}'{nearest(name, list(classes))}; there are {', '.join(classes)}")


def format_of(path: Path) -> Format:
    """The format that a path asks for: its suffix, or a folder if it has none.

    Raises:
        RunError: the suffix is of another format.
    """
    for kind, suffix in SUFFIXES.items():
        if path.suffix.lower() == suffix:
            return kind
    raise RunError(f"{path}: samples are written as .png, as .npz, or into a folder; choose with --format")


def write(drawn: Drawn, path: Path, kind: Format, *, facts: Mapping[str, Any] | None = None) -> None:
    """Write samples, whole or not at all.

    Arguments:
        facts: how they were made, for a folder's `diagnostics.json`.

    Raises:
        RunError: points cannot be written as a folder of images.
    """
    match kind:
        case "png":
            with atomic_file(path) as temporary:
                _picture(drawn).save(temporary, format="PNG")
        case "npz":
            with atomic_file(path) as temporary, open(temporary, "wb") as file:
                np.savez_compressed(file, **_arrays(drawn))
        case "folder":
            if not drawn.images:
                raise RunError("points have no pictures of their own; write them with --format npz or png")
            with atomic_folder(path) as temporary:
                _files(drawn, temporary)
                if facts is not None:
                    write_json(temporary / "diagnostics.json", dict(facts))


def _picture(drawn: Drawn) -> Image.Image:
    if not drawn.images:
        return _image(dots(drawn.samples, side=WIDE_ENOUGH))
    grid = image_grid(to_float(drawn.samples), columns=math.ceil(math.sqrt(len(drawn.samples))))
    factor = max(1, WIDE_ENOUGH // grid.shape[-1])
    return _image(grid.repeat_interleave(factor, dim=1).repeat_interleave(factor, dim=2))


def _image(pixels: Tensor) -> Image.Image:
    """uint8 (C, H, W), C 1 or 3."""
    return Image.fromarray(pixels.permute(1, 2, 0).squeeze(-1).contiguous().numpy())


def _arrays(drawn: Drawn) -> dict[str, Any]:
    arrays: dict[str, Any] = {"points": drawn.samples.numpy()}
    if drawn.images:
        arrays = {"images": drawn.samples.permute(0, 2, 3, 1).numpy()}
    if drawn.labels is not None:
        arrays |= {"labels": drawn.labels.numpy(), "classes": np.array(drawn.classes)}
    return arrays


def _files(drawn: Drawn, folder: Path) -> None:
    digits = max(5, len(str(len(drawn.samples))))
    for place, pixels in enumerate(drawn.samples):
        # Numbered, not named: the names of classes come with the model, and might lead out of the folder.
        home = folder if drawn.labels is None else folder / f"class-{int(drawn.labels[place]):03d}"
        home.mkdir(exist_ok=True)
        _image(pixels).save(home / f"{place:0{digits}d}.png")
