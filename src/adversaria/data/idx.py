"""IDX, the format of MNIST: a header of big-endian numbers, then the values, the last axis fastest.

    00 00 type ndim | size_1 … size_ndim (4 bytes each) | values

Images have type 08 (unsigned byte) and three axes, labels type 08 and one; either may be gzipped. The labels of
`train-images-idx3-ubyte` are in `train-labels-idx1-ubyte` beside it; of a folder, `train-…` is the training part and
`t10k-…` (or `test-…`) the test part. Format: http://yann.lecun.com/exdb/mnist/ (LeCun, Cortes and Burges, 1998).
"""

import gzip
import math
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from adversaria.data.parts import Contents, Part, Source
from adversaria.data.raster import Raster, as_nhwc
from adversaria.errors import DataError

_TRAIN, _TEST = ("train-",), ("t10k-", "test-")
_MARK = "-images"


def is_images(name: str) -> bool:
    """Is this the name of an IDX file of images?"""
    return "images" in name.lower() and _is_idx(name)


def is_labels(name: str) -> bool:
    """Is this the name of an IDX file of labels?"""
    return "labels" in name.lower() and _is_idx(name)


def _is_idx(name: str) -> bool:
    bare = name.lower().removesuffix(".gz")
    return bare.endswith(("-ubyte", ".idx", ".idx3", ".idx1"))


def open_idx(path: Path) -> Source:
    """One IDX file of images, and the labels beside it if there are any."""
    labels = labels_beside(path)
    files = (path.name,) if labels is None else (path.name, labels.name)
    return Source(path.name, path.parent, files, partial(_read_file, path, labels))


def _read_file(path: Path, labels: Path | None) -> Contents:
    return Contents(read_part(path, labels))


def open_idx_folder(root: Path, images: list[str]) -> Source:
    """A folder of IDX files: `images` are the names of those with images.

    Raises:
        DataError: several that are not one training and one test part.
    """
    train = [name for name in images if name.startswith(_TRAIN)]
    test = [name for name in images if name.startswith(_TEST)]
    if len(images) == 1:
        return open_idx(root / images[0])
    if len(images) != 2 or len(train) != 1 or len(test) != 1:
        raise DataError(
            f"{root}: expected one train-images-… and one t10k-images-… file, came {', '.join(sorted(images))}; "
            "give the path of one file"
        )
    paths = [root / train[0], root / test[0]]
    labels = [labels_beside(path) for path in paths]
    files = tuple(path.name for path in (*paths, *labels) if path is not None)

    def read() -> Contents:
        return Contents(read_part(paths[0], labels[0]), read_part(paths[1], labels[1]))

    return Source(root.name, root, files, read)


def labels_beside(images: Path) -> Path | None:
    """The labels of a file of images by the naming of MNIST, gzipped or not, if they are there."""
    bare = images.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    return next((path for name in (bare, f"{bare}.gz") if (path := images.with_name(name)).is_file()), None)


def read_part(images: Path, labels: Path | None) -> Part:
    """The images of one file and the labels of another.

    Raises:
        DataError: not IDX, damaged, or of other type or axes than images or labels have.
    """
    pixels = as_nhwc(read_idx(images, axes=3), str(images))
    return Part(Raster(pixels), None if labels is None else read_idx(labels, axes=1))


def read_idx(path: Path, *, axes: int) -> npt.NDArray[np.uint8]:
    """The values of an IDX file of unsigned bytes with so many axes."""
    magic = bytes([0, 0, 8, axes])
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            came = file.read(4)
            if came != magic:
                raise DataError(
                    f"{path}: expected an IDX file of {'images' if axes == 3 else 'labels'}, which begins with "
                    f"{magic.hex(' ')}, came {came.hex(' ') or 'an empty file'}; give another file"
                )
            header = file.read(4 * axes)
            shape = [int.from_bytes(header[4 * axis : 4 * axis + 4], "big") for axis in range(axes)]
            size = math.prod(shape)
            values = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}; download or copy it again") from error
    if len(header) < 4 * axes or len(values) != size:
        came_size = f"{len(values):,}" if len(values) <= size else "more"
        raise DataError(
            f"{path}: expected {size:,} bytes for {' × '.join(map(str, shape))}, came {came_size}; it is truncated or "
            "damaged: download or copy it again"
        )
    return np.frombuffer(values, np.uint8).reshape(shape)
