"""Images that come as arrays: layouts and value ranges, made uint8 and rendered like files.

Layouts (N, H, W), (N, C, H, W) and (N, H, W, C) are told apart by the axis of length 1 or 3. Values are integers in
0..255, or floats in [−1, 1]. Floats that all lie in [0, 1] are refused: they are almost always meant as [0, 1], and
taking them for [−1, 1] would silently wash out every image.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from adversaria.data.parts import Faults, Form, Survey
from adversaria.data.pixels import render
from adversaria.errors import DataError

_CHUNK = 1 << 24  # values looked at in one go: keeps temporaries small beside the data


@dataclass(frozen=True)
class Raster:
    """Images in one array."""

    array: npt.NDArray[Any]
    """(N, H, W, C), C 1 or 3; checked."""

    def __len__(self) -> int:
        return len(self.array)

    def survey(self, faults: Faults) -> Survey:
        """What is known before decoding."""
        height, width, channels = self.array.shape[1:]
        return Survey(gray=channels == 1, sizes=Counter({(height, width): len(self)}))

    def decode(self, form: Form, survey: Survey, faults: Faults) -> Iterator[npt.NDArray[np.uint8]]:
        """Chunks uint8 (n, C, H, W), in order."""
        height, width, channels = self.array.shape[1:]
        fits = form.resolution is None or form.resolution == height == width
        for chunk in _chunks(self.array):
            pixels = to_bytes(chunk)
            if fits and form.channels == channels:
                yield np.ascontiguousarray(np.moveaxis(pixels, -1, 1))
            else:
                yield np.stack([render(_image(one), form.channels, form.resolution) for one in pixels])


def _image(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))


def _chunks(array: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    step = max(1, _CHUNK // int(np.prod(array.shape[1:])))
    for start in range(0, len(array), step):
        yield array[start : start + step]


def as_nhwc(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """A view (N, H, W, C) of images in any of the layouts.

    Raises:
        DataError: none of the layouts, or no images.
    """
    if array.ndim == 3:
        view = array[..., None]
    elif array.ndim == 4 and array.shape[1] in (1, 3):
        view = np.moveaxis(array, 1, -1)
    elif array.ndim == 4 and array.shape[-1] in (1, 3):
        view = array
    else:
        raise DataError(
            f"{name}: expected images of shape (N, H, W), (N, C, H, W) or (N, H, W, C) with C 1 or 3, "
            f"came {array.shape}; transpose or reshape them"
        )
    if view.size == 0:
        raise DataError(f"{name}: expected at least one image of at least one pixel, came shape {array.shape}")
    return view


def check_values(array: npt.NDArray[Any], name: str) -> None:
    """Refuse types and values that do not say which gray level they mean.

    Raises:
        DataError: neither integers nor floats, NaN or infinity, out of range, or floats all in [0, 1].
    """
    if array.dtype == np.uint8:
        return
    if array.dtype.kind not in "iuf":
        raise DataError(f"{name}: expected images of integers or floats, came {array.dtype}; convert them to uint8")
    low = min(float(chunk.min()) for chunk in _chunks(array))
    high = max(float(chunk.max()) for chunk in _chunks(array))
    if not np.isfinite([low, high]).all():
        bad = sum(int((~np.isfinite(chunk)).sum()) for chunk in _chunks(array))
        raise DataError(f"{name}: {bad:,} values are NaN or infinite; remove or replace those images")
    if array.dtype.kind in "iu":
        _check_range(low, high, 0, 255, name)
        return
    if low >= 0 and high <= 1:
        raise DataError(
            f"{name}: floats between {low:g} and {high:g} could be meant in [0, 1] or in [-1, 1]; "
            "save them as uint8, 0 to 255 (in Python, data.to_uint8 of values in [-1, 1])"
        )
    _check_range(low, high, -1, 1, name)


def _check_range(low: float, high: float, least: int, most: int, name: str) -> None:
    if low < least or high > most:
        kind = "integers" if most == 255 else "floats"
        raise DataError(
            f"{name}: expected {kind} in [{least}, {most}], came {low:g} to {high:g}; rescale them, or save them as "
            "uint8, 0 to 255"
        )


def to_bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Checked values as uint8; itself if it is that already."""
    if array.dtype.kind == "f":
        return np.rint((array.astype(np.float32) + np.float32(1)) * np.float32(127.5)).astype(np.uint8)
    return array.astype(np.uint8, copy=False)
