"""CIFAR-10 in both forms its authors publish, as a folder or the archive it comes in.

    python batches   data_batch_1 … test_batch, batches.meta: pickles of {data: uint8 (n, 3072), labels: [n]}
    binary batches   data_batch_1.bin … test_batch.bin, batches.meta.txt: n records of 1 label and 3072 pixels

A row of 3072 bytes is an image (3, 32, 32). The pickles are read as inert data (`inert.py`): nothing in them is run.
Format: https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky, 2009).
"""

import tarfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from adversaria.data.inert import as_array, as_bytes, read_pickle
from adversaria.data.parts import Contents, Part, Source
from adversaria.data.raster import Raster
from adversaria.errors import DataError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_TRAIN, _TEST = "data_batch", "test_batch"
_META, _META_TEXT = "batches.meta", "batches.meta.txt"
METAS = (_META, _META_TEXT)
"""Files that name the classes."""

_ROW = 3 * 32 * 32
_MOST_BYTES = 1 << 28

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def is_batch(name: str) -> bool:
    """Is this the name of a batch of CIFAR-10?"""
    return name.removesuffix(".bin").startswith((f"{_TRAIN}_", _TEST)) and PurePosixPath(name).suffix in ("", ".bin")


def open_batches(root: Path, names: Iterable[str]) -> Source:
    """A folder with these files, of which some are batches."""
    chosen = sorted(name for name in names if is_batch(name) or name in METAS)
    return Source(root.name, root, tuple(chosen), partial(_read_folder, root, chosen))


def _read_folder(root: Path, names: list[str]) -> Contents:
    def read(name: str) -> bytes:
        try:
            return (root / name).read_bytes()
        except OSError as error:
            raise DataError(f"{root / name}: cannot be read: {error.strerror}") from error

    return _contents(names, read, root)


def open_archive(path: Path) -> Source:
    """`cifar-10-python.tar.gz` or `cifar-10-binary.tar.gz`, read without unpacking it to disk."""
    return Source(path.name, path.parent, (path.name,), partial(read_archive, path))


def read_archive(path: Path) -> Contents:
    """The contents of the archive.

    Raises:
        DataError: not an archive, damaged, or without batches.
    """
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                wanted = is_batch(name) or name in METAS
                if wanted and member.size <= _MOST_BYTES and (file := archive.extractfile(member)) is not None:
                    members[name] = file.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(f"{path}: expected the archive of CIFAR-10, came a damaged one: {error}") from error
    return _contents(sorted(members), members.__getitem__, path)


def _contents(names: list[str], read: Callable[[str], bytes], place: Path) -> Contents:
    train = [name for name in names if name.startswith(_TRAIN)]
    test = [name for name in names if name.startswith(_TEST)]
    if not train and not test:
        raise DataError(f"{place}: expected batches of CIFAR-10 (data_batch_1 …, test_batch), found none")
    parts = [_part([_batch(name, read(name), place) for name in group]) for group in (train, test) if group]
    return Contents(parts[0], parts[1] if len(parts) == 2 else None, _classes(names, read, place))


def _part(batches: list[Batch]) -> Part:
    pixels = np.concatenate([rows for rows, _ in batches]).reshape(-1, 3, 32, 32)
    return Part(Raster(np.moveaxis(pixels, 1, -1)), np.concatenate([labels for _, labels in batches]))


def _batch(name: str, data: bytes, place: Path) -> Batch:
    where = f"{place}: {name}"
    if name.endswith(".bin"):
        if not data or len(data) % (1 + _ROW):
            raise DataError(f"{where}: expected records of {1 + _ROW} bytes, came {len(data):,} bytes; it is truncated")
        records = np.frombuffer(data, np.uint8).reshape(-1, 1 + _ROW)
        return records[:, 1:], records[:, 0].astype(np.int64)
    entries = _entries(read_pickle(data, where), where)
    rows, labels = as_array(entries.get("data"), where), entries.get("labels")
    if rows.ndim != 2 or rows.shape[1] != _ROW:
        raise DataError(f"{where}: expected data of shape (n, {_ROW}), came {rows.shape}")
    if not isinstance(labels, list) or len(labels) != len(rows) or not all(map(_is_label, labels)):
        raise DataError(f"{where}: expected {len(rows):,} labels in a list of small integers, came something else")
    return rows, np.array(labels, np.int64)


def _is_label(value: object) -> bool:
    return type(value) is int and 0 <= value < 256


def _entries(value: object, where: str) -> dict[str, object]:
    """A dictionary with text for keys, whichever Python wrote it."""
    if not isinstance(value, dict):
        raise DataError(f"{where}: expected a batch of CIFAR-10 with data and labels, came {type(value).__name__}")
    return {key.decode("latin-1") if isinstance(key, bytes) else str(key): entry for key, entry in value.items()}


def _classes(names: list[str], read: Callable[[str], bytes], place: Path) -> tuple[str, ...]:
    if _META_TEXT in names:
        return tuple(read(_META_TEXT).decode("utf-8", "replace").split())
    if _META not in names:
        return CLASSES
    where = f"{place}: {_META}"
    found = _entries(read_pickle(read(_META), where), where).get("label_names")
    try:
        return tuple(as_bytes(name).decode("utf-8", "replace") for name in found)  # type: ignore[attr-defined]
    except TypeError as error:
        raise DataError(f"{where}: expected label_names to be a list of names: {error}") from error
