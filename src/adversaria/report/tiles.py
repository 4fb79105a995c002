"""Images in rows and columns that mean something, with their names at the sides.

    tiles               any such table
    manifold            decoded from a grid of codes, without gaps
    reconstructions     each image above what is decoded from its code
    cluster_members     the head of each cluster, and the images that are surest to belong to it

At 100 dots per inch or a multiple, each pixel of an image is a square of whole pixels: nothing is resampled.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adversaria.report.pictures import PAPER, Pixels, enlarge, enlargement
from adversaria.report.style import INK, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100
TILE = 28
"""Pixels to which the side of a small image is enlarged, at `DPI`."""

GAP, WIDE = 2, 10
"""Pixels between images, and between groups of them."""

LETTER = 0.09
"""Inches of a letter of a name, at most."""


@styled
def tiles(
    images: Pixels,
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    apart: int = 0,
    grouped: int = 0,
    title: str = "",
) -> "Figure":
    """A table of images.

    Arguments:
        images: (R, C, channels, H, W) uint8, channels 1 or 3.
        rows: names of the rows, R or none.
        columns: names of the columns, C or none.
        apart: so many columns on the left are set apart from the rest.
        grouped: rows in groups of so many, set apart; 0: none are.
        title: above all; what the columns are.
    """
    factor = enlargement(images.shape[-1], TILE)
    down = _offsets(len(images), images.shape[-2] * factor + GAP, grouped, every=True)
    right = _offsets(images.shape[1], images.shape[-1] * factor + GAP, apart, every=False)
    picture = _laid(images, factor, down[:-1], right[:-1])
    left = (LETTER * max(map(len, rows)) + 0.12) if rows else 0.02
    above = 0.2 * bool(columns) + 0.22 * bool(title) + 0.02
    height, width = (side / DPI for side in picture.shape[:2])
    size = (left + width + 0.02, above + height + 0.02)
    figure = _blank(size)
    axes = figure.add_axes((left / size[0], 0.02 / size[1], width / size[0], height / size[1]))
    axes.imshow(picture, interpolation="nearest", aspect="auto", extent=(0, picture.shape[1], picture.shape[0], 0))
    axes.set_axis_off()
    middle = images.shape[-2] * factor / 2
    for name, at in zip(rows, down[:-1], strict=True) if rows else ():
        axes.text(-6, at + middle, name, ha="right", va="center", fontsize=9, color=INK)
    for name, at in zip(columns, right[:-1], strict=True) if columns else ():
        axes.text(at + images.shape[-1] * factor / 2, -5, name, ha="center", va="bottom", fontsize=9, color=INK)
    if title:
        figure.text(left / size[0], 1 - 0.03 / size[1], title, ha="left", va="top", fontsize=9, color=INK)
    return figure


def _offsets(count: int, step: int, group: int, *, every: bool) -> NDArray[np.int64]:
    """Where each of `count` images begins, and where all end; a wide gap after the first `group`, or after every."""
    place = np.arange(count)
    wide = (place // group if every else (place >= group)) if group else np.zeros(count, dtype=np.int64)
    begins = GAP + place * step + wide * (WIDE - GAP)
    return np.append(begins, begins[-1] + step)


def _laid(images: Pixels, factor: int, down: NDArray[np.int64], right: NDArray[np.int64]) -> Pixels:
    count, across, channels, height, width = images.shape
    colour = np.broadcast_to(images, (count, across, 3, height, width)) if channels == 1 else images
    large = enlarge(colour, factor).transpose(0, 1, 3, 4, 2)
    end = (down[-1] + height * factor + GAP, right[-1] + width * factor + GAP)
    picture = np.full((*end, 3), PAPER, dtype=np.uint8)
    for row, top in zip(large, down, strict=True):
        for image, left in zip(row, right, strict=True):
            picture[top : top + image.shape[0], left : left + image.shape[1]] = image
    return picture


def _blank(size: tuple[float, float]) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def manifold(images: Pixels, *, factor: int = 1) -> Pixels:
    """Images decoded from a grid of codes, side by side without gaps, as a picture (R·H·factor, C·W·factor, 3).

    Arguments:
        images: (R, C, channels, H, W) uint8, channels 1 or 3; the upper row is that of the greatest second coordinate.
        factor: enlargement.
    """
    rows, columns, channels, height, width = images.shape
    flat = enlarge(images, factor).transpose(0, 3, 1, 4, 2).reshape(rows * height * factor, -1, channels)
    return np.ascontiguousarray(np.broadcast_to(flat, (*flat.shape[:2], 3)))


def reconstructions(real: Pixels, decoded: Pixels, *, columns: int = 10) -> "Figure":
    """Each image above what is decoded from its code; a last row that is not full is left out.

    Arguments:
        real: (n, C, H, W), n at least `columns`.
        decoded: (n, C, H, W).
        columns: pairs a row.
    """
    rows = len(real) // columns
    pairs = np.stack([images[: rows * columns].reshape(rows, columns, *images.shape[1:]) for images in (real, decoded)])
    woven = pairs.swapaxes(0, 1).reshape(2 * rows, *pairs.shape[2:])
    return tiles(woven, rows=["real", "decoded"] * rows, grouped=2)


def cluster_members(heads: Pixels, members: Pixels, *, names: Sequence[str]) -> "Figure":
    """Clusters, one a row: its head, decoded from the cluster at no style, then real images surest to belong to it.

    Arguments:
        heads: (K, C, H, W).
        members: (K, m, C, H, W).
        names: (K,) of the clusters, such as "3 → 7": number, and the class it was given.
    """
    return tiles(np.concatenate([heads[:, None], members], axis=1), rows=names, apart=1)


def styles(images: Pixels, *, contents: Sequence[str]) -> "Figure":
    """One style a row, one content a column.

    Arguments:
        images: (styles, contents, C, H, W).
        contents: names of the columns.
    """
    return tiles(images, columns=contents)


def numbered(images: ArrayLike, *, columns: int = 10) -> "Figure":
    """Images in their order, row by row, each with its number from 1: the stations of a walk.

    Arguments:
        images: (n, C, H, W) uint8, n a multiple of `columns`.
        columns: images a row.
    """
    given = np.asarray(images)
    rows = len(given) // columns
    names = [f"{columns * row + 1}–{columns * (row + 1)}" for row in range(rows)]
    return tiles(given[: rows * columns].reshape(rows, columns, *given.shape[1:]), rows=names)
