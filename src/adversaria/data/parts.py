"""What every source of images gives: parts, each with images that can be surveyed and decoded, and labels.

source ──► files, whose bytes name the cache entry
   └─────► contents: training part, test part if the source has one, classes
              └─► part: labels, images ──► survey (sizes, gray or colour) ──► chunks uint8 (n, C, H, W)
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from adversaria.data.labels import Values
from adversaria.errors import DataError

_NAMED = 20


class Form(NamedTuple):
    """What images are decoded to."""

    channels: int
    """1 gray, 3 RGB."""
    resolution: int | None
    """Side of the square, or None: as they are."""


class Survey(NamedTuple):
    """What is known of images before they are decoded."""

    gray: bool
    """None has colour."""
    sizes: Counter[tuple[int, int]]
    """How many there are of each (height, width)."""


class Faults(dict[str, str]):
    """Files that cannot be read, and why."""

    def check(self, name: str, total: int) -> None:
        """Raise a `DataError` that names the first twenty and counts the rest, if there are any."""
        if not self:
            return
        lines = [f"  {file}: {reason}" for file, reason in list(self.items())[:_NAMED]]
        if len(self) > _NAMED:
            lines.append(f"  and {len(self) - _NAMED:,} more")
        raise DataError(
            f"{name}: {len(self):,} of {total:,} images cannot be read; nothing was cached\n"
            + "\n".join(lines)
            + "\nRepair or remove them."
        )


class Images(Protocol):
    """Images, not yet decoded."""

    def __len__(self) -> int: ...

    def survey(self, faults: Faults) -> Survey:
        """Look at every header; note in `faults` what cannot be read."""
        ...

    def decode(self, form: Form, survey: Survey, faults: Faults) -> Iterator[npt.NDArray[np.uint8]]:
        """Chunks uint8 (n, C, H, W), in order, without those noted in `faults`."""
        ...


class Part(NamedTuple):
    """Images and their labels as they come."""

    images: Images
    labels: Values | None


class Contents(NamedTuple):
    """A data set, opened."""

    train: Part
    test: Part | None = None
    """The part its authors keep for measuring, if they do."""
    classes: tuple[str, ...] = ()
    """Names of the classes, if the labels are indices into them."""


@dataclass(frozen=True)
class Source:
    """A data set that can be opened.

    Arguments:
        name: for people, and for errors.
        root: the folder it was found in.
        files: the files whose bytes decide what it contains, by their names below the root, with slashes.
        read: open it.
    """

    name: str
    root: Path
    files: tuple[str, ...]
    read: Callable[[], Contents]
