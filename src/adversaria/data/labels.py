"""Labels as they come (integers or names, one array per part) to indices into one list of classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from adversaria.errors import DataError

Values = npt.NDArray[Any]
"""Labels as they come: (N,) or (N, 1), integers or strings."""


def index_classes(
    parts: Sequence[Values | None], counts: Sequence[int], classes: tuple[str, ...], name: str
) -> tuple[list[npt.NDArray[np.int64] | None], tuple[str, ...]]:
    """Indices of each part's labels into the classes, and the classes.

    Arguments:
        parts: the labels of each part of a data set (training, test), or None.
        counts: how many images each part has.
        classes: their names, if known; else the distinct labels of all parts, ascending.
        name: of the data set, for errors.

    Raises:
        DataError: labels of another number than the images, of another shape or type, or outside the classes.

    >>> index_classes([np.array(["dog", "cat"]), None], [2, 5], (), "pets")
    ([array([1, 0]), None], ('cat', 'dog'))
    """
    flat = [None if values is None else _flat(values, n, name) for values, n in zip(parts, counts, strict=True)]
    present = [values for values in flat if values is not None]
    if not present:
        return [None] * len(flat), ()
    if classes:
        for values in present:
            _check_inside(values, classes, name)
        return [None if values is None else values.astype(np.int64) for values in flat], tuple(classes)
    distinct = np.unique(np.concatenate(present))
    indexed = [None if values is None else np.searchsorted(distinct, values).astype(np.int64) for values in flat]
    return indexed, tuple(str(value) for value in distinct)


def _flat(values: Values, count: int, name: str) -> Values:
    flat = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if flat.ndim != 1 or flat.dtype.kind not in "iubU":
        raise DataError(
            f"{name}: expected labels as integers or strings of shape (N,), came {values.dtype} of shape "
            f"{values.shape}; one-hot labels become integers by .argmax(1)"
        )
    if len(flat) != count:
        raise DataError(f"{name}: {count:,} images but {len(flat):,} labels; give one label per image, in order")
    return flat


def _check_inside(values: Values, classes: tuple[str, ...], name: str) -> None:
    if values.dtype.kind == "U":
        raise DataError(f"{name}: expected integer labels beside {len(classes)} classes, came strings; omit classes")
    if len(values) and not 0 <= int(values.min()) <= int(values.max()) < len(classes):
        raise DataError(
            f"{name}: expected labels in [0, {len(classes)}), came {int(values.min())} to {int(values.max())}; "
            "name as many classes as there are"
        )
