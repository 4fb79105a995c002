"""What estimators ask of their arguments, in one voice."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

UNLABELLED = -1
"""In y: this sample has no label."""


def labelled(y: Array) -> npt.NDArray[np.bool_]:
    """Which samples have a label: all but those with −1, unless that would leave fewer than two classes."""
    marked = np.asarray(y == UNLABELLED, dtype=bool) if y.dtype.kind in "iufO" else np.zeros(len(y), dtype=bool)
    rest = y[~marked]
    return ~marked if len(rest) and (rest != rest[0]).any() else np.ones(len(y), dtype=bool)


def check_range(name: str, value: float, *, least: float = -np.inf, above: float = -np.inf) -> None:
    """Refuse a number that is not finite, below `least`, or not above `above`.

    Raises:
        ValueError: it is so.
    """
    if not (least <= value < np.inf and value > above):
        bound = f"above {above}" if above > -np.inf else f"at least {least}"
        raise ValueError(f"expected {name} to be finite and {bound}, got {value!r}")
