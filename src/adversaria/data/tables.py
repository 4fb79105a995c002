"""Images in numpy's own files: `.npy` (images alone) and `.npz` (images, labels, parts).

    images, labels                                         also x, y or arr_0, arr_1; labels may be missing
    train_images, train_labels, test_images, test_labels   also x_train, y_train, x_test, y_test
    classes                                                names, if the labels are indices into them

Files with pickled objects are refused: reading them would run whatever they hold.
"""

import zipfile
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adversaria.data.labels import Values
from adversaria.data.parts import Contents, Part, Source
from adversaria.data.raster import Raster, as_nhwc, check_values
from adversaria.errors import DataError

_WHOLE = (("images", "labels"), ("x", "y"), ("arr_0", "arr_1"))
_PARTS = (
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("x_train", "y_train", "x_test", "y_test"),
)
_UNREADABLE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)


def open_npy(path: Path) -> Source:
    """One array of images."""
    return Source(path.name, path.parent, (path.name,), partial(_read_npy, path))


def _read_npy(path: Path) -> Contents:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except _UNREADABLE as error:
        raise DataError(f"{path}: expected an array saved by numpy, without pickled objects: {error}") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: expected one array, came an archive of several; call it .npz")
    return Contents(_part(array, None, str(path)))


def open_npz(path: Path) -> Source:
    """Arrays of images and labels by name."""
    return Source(path.name, path.parent, (path.name,), partial(_read_npz, path))


def _read_npz(path: Path) -> Contents:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (*_UNREADABLE, AttributeError, TypeError) as error:
        raise DataError(f"{path}: expected arrays saved by numpy, without pickled objects: {error}") from error
    return _contents(arrays, path)


def _contents(arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> Contents:
    classes = tuple(str(name) for name in arrays["classes"].ravel()) if "classes" in arrays else ()
    for train, train_labels, test, test_labels in _PARTS:
        if train in arrays and test in arrays:
            first = _part(arrays[train], arrays.get(train_labels), f"{path}: {train}")
            return Contents(first, _part(arrays[test], arrays.get(test_labels), f"{path}: {test}"), classes)
    for images, labels in _WHOLE:
        if images in arrays:
            return Contents(_part(arrays[images], arrays.get(labels), f"{path}: {images}"), None, classes)
    came = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "no arrays"
    names = ", ".join("/".join(pair) for pair in (*_WHOLE, *_PARTS))
    raise DataError(f"{path}: expected arrays named {names}, came {came}; rename them")


def _part(array: npt.NDArray[Any], labels: Values | None, name: str) -> Part:
    images = as_nhwc(array, name)
    check_values(images, name)
    return Part(Raster(images), labels)
