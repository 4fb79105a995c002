"""Images as arrays to be looked at.

Small images are enlarged by a whole factor with nearest neighbour: each pixel becomes a square, nothing is invented
between pixels, and an 8×8 digit can be read. All arrays are uint8; a batch is (N, C, H, W), a picture (H, W, 3).
"""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]

PAPER = 40
"""Gray of the gaps between images. Dark and wide gaps keep digits that fill their frame from running together."""


def enlargement(side: int, target: int) -> int:
    """The whole factor that brings `side` pixels nearest to `target` without passing it, at least 1.

    >>> enlargement(8, 60), enlargement(28, 60), enlargement(128, 60)
    (7, 2, 1)
    """
    return max(1, target // side)


def enlarge(images: Pixels, factor: int) -> Pixels:
    """Each pixel as a square of `factor`² pixels: (..., H, W) to (..., H·factor, W·factor)."""
    return images.repeat(factor, axis=-2).repeat(factor, axis=-1)


def image_grid(images: Pixels, columns: int, *, factor: int = 1, gap: int = 3) -> Pixels:
    """Images row by row, as one picture.

    Image i has its upper left corner at row gap + (i // columns)(H·factor + gap) and column
    gap + (i % columns)(W·factor + gap); the rest is dark gray.

    Arguments:
        images: (N, C, H, W), C 1 or 3, N ≥ 1.
        columns: images a row.
        factor: enlargement.
        gap: pixels between images and around them.

    Returns:
        (H', W', 3).
    """
    count, channels, height, width = images.shape
    images = np.broadcast_to(images, (count, 3, height, width)) if channels == 1 else images
    tiles = enlarge(images, factor).transpose(0, 2, 3, 1)
    rows = -(-count // columns)
    down, right = tiles.shape[1] + gap, tiles.shape[2] + gap
    picture = np.full((rows * down + gap, columns * right + gap, 3), PAPER, dtype=np.uint8)
    for i, tile in enumerate(tiles):
        top, left = gap + (i // columns) * down, gap + (i % columns) * right
        picture[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return picture


def beside(pictures: Sequence[Pixels], *, gap: int = 12) -> Pixels:
    """Pictures of one height, from left to right, with white between them.

    Arguments:
        pictures: (H, W_i, 3), at least one.
        gap: pixels between them.
    """
    white = np.full((pictures[0].shape[0], gap, 3), 255, dtype=np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, white)][:-1], axis=1)


def data_uri(picture: Pixels, *, budget: int = 120_000) -> str:
    """A picture as an inline image of at most `budget` bytes: PNG, which keeps every pixel, or else WebP.

    WebP is tried at falling quality and then at half the size, a quarter, and so on: it gives way only for pictures
    that are large or near to noise. Base64 makes the text a third longer than the bytes.
    """
    from PIL.Image import fromarray

    image = fromarray(picture)
    if (picture[..., :1] == picture).all():
        image = image.convert("L")
    data = _encoded(image, "PNG", optimize=True)
    if len(data) <= budget:
        return _inline("png", data)
    return _inline("webp", _webp(image.convert("RGB"), budget))


def _webp(image: "Image", budget: int) -> bytes:
    for quality in (90, 75, 50):
        data = _encoded(image, "WEBP", quality=quality, method=4)
        if len(data) <= budget:
            return data
    width, height = image.size
    if width * height < 256:
        return data
    return _webp(image.resize((max(1, width // 2), max(1, height // 2))), budget)


def _encoded(image: "Image", form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _inline(form: str, data: bytes) -> str:
    return f"data:image/{form};base64,{base64.b64encode(data).decode('ascii')}"


def spread(steps: Sequence[int], most: int) -> list[int]:
    """At most `most` of some ascending steps, evenly spaced in log(1 + step): the first, the last, and more early ones.

    Early training changes more per step than late training.

    >>> spread([100, 200, 300, 400, 500, 600, 700, 800], 4)
    [100, 200, 400, 800]
    """
    if len(steps) <= most:
        return list(steps)
    places = np.log1p(np.asarray(steps, dtype=float))
    free = list(range(len(steps)))
    chosen = []
    for target in np.linspace(places[0], places[-1], most):
        nearest = min(free, key=lambda i: abs(places[i] - target))
        free.remove(nearest)
        chosen.append(steps[nearest])
    return sorted(chosen)
