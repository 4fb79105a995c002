"""One door for every source of images: what is it, and who reads it?"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from adversaria.data import archive, cifar, folder, idx, known, parquet, tables
from adversaria.data.cache import Progress, Wish, load_cached
from adversaria.data.images import Splits, check_shares, from_arrays
from adversaria.data.parts import Faults, Form, Source
from adversaria.data.pixels import SUFFIXES
from adversaria.errors import DataError, nearest

_CHANNELS = {None: None, "gray": 1, "rgb": 3}

_OPENERS: dict[str, Callable[[Path], Source]] = {
    ".zip": archive.open_zip,
    ".npz": tables.open_npz,
    ".npy": tables.open_npy,
    ".parquet": lambda path: parquet.open_parquet(path.parent, [path.name]),
    ".tar.gz": cifar.open_archive,
    ".tgz": cifar.open_archive,
    ".tar": cifar.open_archive,
}

_KINDS = (
    "a folder or .zip of images, IDX files as of MNIST (…-images-idx3-ubyte, .gz or not), batches or the archive of "
    "CIFAR-10, .npz, .npy, .parquet"
)


def load(
    source: str | Path,
    *,
    resolution: int | None = None,
    channels: str | None = None,
    held_out: float = 0.1,
    calibration: float = 0.0,
    progress: Progress | None = None,
) -> Splits:
    """Images from a file, a folder, or a data set known by name; decoded once, then mapped from the cache.

    Arguments:
        source: a name (digits, mnist, fashion-mnist, cifar10), or a path: a folder or zip of images (classes are the
            sub-folders; `train` and `test` are parts), IDX, CIFAR-10, npz, npy, Parquet. A name wins over a path; for
            a folder called `mnist` give `./mnist`.
        resolution: side in pixels, ≥ 1: the shorter side is resized to it with antialiasing, and the centre kept.
            None: as they are; they must then all have one size.
        channels: "gray" or "rgb". None: gray if every image is gray, else RGB.
        held_out: share in [0, 1) that is never trained on, taken class by class, always the same. A source with a
            test part of its own uses that instead.
        calibration: share in [0, 1) of the rest that is not trained on either but kept to calibrate a critic, likewise.
        progress: called with (images decoded, images in all) now and then, if there is anything to decode.

    Raises:
        DataError: the source is missing, unreadable, damaged or unsafe, or an argument is out of its domain.

    >>> train, calibration, test = load("digits", calibration=0.1)
    >>> len(train), len(calibration), len(test), train.shape, train.classes[:3]
    (1455, 162, 180, (1, 8, 8), ('0', '1', '2'))
    """
    wish = _wish(resolution, channels, held_out, calibration)
    if source == "digits":
        return _digits(wish)
    if isinstance(source, str) and source in known.NAMES:
        return load_cached(known.open_known(source), wish, progress)
    return load_cached(open_path(Path(source).expanduser()), wish, progress)


def _wish(resolution: int | None, channels: str | None, held_out: float, calibration: float) -> Wish:
    if resolution is not None and (not isinstance(resolution, int) or resolution < 1):
        raise DataError(f"expected resolution as a whole number of pixels, at least 1, came {resolution!r}")
    if channels not in _CHANNELS:
        raise DataError(
            f"expected channels 'gray' or 'rgb', came {channels!r}{nearest(str(channels), ['gray', 'rgb'])}"
        )
    check_shares(held_out, calibration)
    return Wish(_CHANNELS[channels], resolution, float(held_out), float(calibration))


def _digits(wish: Wish) -> Splits:
    contents, faults = known.read_digits(), Faults()
    images, labels = contents.train
    chunks = images.decode(Form(wish.channels or 1, wish.resolution), images.survey(faults), faults)
    return from_arrays(np.concatenate(list(chunks)), labels, name="digits").split(wish.held_out, wish.calibration)


def open_path(path: Path) -> Source:
    """The source at a path, told by its name, or by what a folder contains.

    Raises:
        DataError: nothing is there, or nothing that is understood.
    """
    if path.is_dir():
        return _open_folder(path.absolute())
    if not path.is_file():
        raise DataError(_missing(path))
    path = path.absolute()
    name = path.name.lower()
    for suffix, opener in _OPENERS.items():
        if name.endswith(suffix):
            return opener(path)
    if idx.is_images(name):
        return idx.open_idx(path)
    if cifar.is_batch(name):
        return cifar.open_batches(path.parent, [path.name, *_metas(path.parent)])
    raise DataError(f"{path}: expected {_KINDS}, came {_came(path)}")


def _open_folder(path: Path) -> Source:
    names = folder.walk(path)
    top = [name for name in names if "/" not in name]
    if any(cifar.is_batch(name) for name in top):
        return cifar.open_batches(path, top)
    if images := [name for name in top if idx.is_images(name)]:
        return idx.open_idx_folder(path, images)
    tables_found = [name for name in names if name.lower().endswith(".parquet")]
    if tables_found and not any(folder.suffix(name) in SUFFIXES for name in names):
        return parquet.open_parquet(path, tables_found)
    return folder.open_folder(path, names)


def _metas(place: Path) -> list[str]:
    return [name for name in cifar.METAS if (place / name).is_file()]


def _came(path: Path) -> str:
    if folder.suffix(path.name) in SUFFIXES:
        return f"one image; give the folder that holds it, {path.parent}"
    if idx.is_labels(path.name):
        return "labels; give the file of the images, and the labels beside it are found"
    return f"'{path.name}'"


def _missing(path: Path) -> str:
    if path.parent == Path():
        hint = nearest(path.name, [*known.NAMES, *_siblings(path)])
        return f"no file or folder '{path}' and no data set of that name{hint}; known are {', '.join(known.NAMES)}"
    return f"no file or folder {path}{nearest(path.name, _siblings(path))}; expected {_KINDS}"


def _siblings(path: Path) -> list[str]:
    try:
        return [sibling.name for sibling in path.parent.iterdir()]
    except OSError:
        return []
