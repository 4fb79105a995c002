"""Decoded once: every set of images is kept as uint8 in a cache on disk and mapped into memory from there.

    <cache>/decoded/<key>/   train.images.npy        train.labels.npy        meta.json
                             calibration.images.npy  calibration.labels.npy
                             held-out.images.npy     held-out.labels.npy

The key is the SHA-256 of the source's bytes, the names of its files, and how they are decoded and divided; so an
entry never goes stale, and a changed source is another entry. An entry is written beside its place and renamed: it
exists whole or not at all, and of two processes that build it at once, one wins and both use it. A bad file leaves
nothing. The cache may be deleted at any time.

It is the folder named by the environment variable ADVERSARIA_CACHE, or else the platform's own place for caches.
"""

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from adversaria.data.images import HELD_OUT, Fingerprint, ImageData, Splits, divide
from adversaria.data.labels import index_classes
from adversaria.data.parts import Contents, Faults, Form, Part, Source, Survey
from adversaria.data.pixels import quiet
from adversaria.downloads import cache_folder
from adversaria.errors import DataError
from adversaria.files import atomic_folder, write_json

_FORMAT = 2
_NAMES = tuple(name.replace("_", "-") for name in Splits._fields)
_STALE = 86_400.0  # seconds after which what a killed process left is swept away

Pixels = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]
"""Called with (images decoded, images in all) now and then."""


class Wish(NamedTuple):
    """What the user asks of a source."""

    channels: int | None
    """1, 3, or None: gray if every image is gray, else RGB."""
    resolution: int | None
    """Side of the square, or None: as they are."""
    held_out: float
    """Share to hold out, if the source has no test part."""
    calibration: float
    """Share of the rest, kept to calibrate a critic."""


def load_cached(source: Source, wish: Wish, progress: Progress | None = None) -> Splits:
    """The images of a source, from the cache if they are there, else decoded into it.

    Raises:
        DataError: the source or the cache cannot be used.
    """
    entry = cache_folder() / "decoded" / source_key(source, wish)
    if not (entry / "meta.json").exists():
        _build(entry, source, wish, progress)
    return _open(entry, source.name)


def source_key(source: Source, wish: Wish) -> str:
    """SHA-256 of everything that decides what is decoded. A file that cannot be read is left for decoding to name."""
    digest = hashlib.sha256(repr((_FORMAT, tuple(wish))).encode())
    for name in source.files:
        digest.update(repr(name).encode())
        try:
            digest.update(_file_hash(os.path.join(source.root, name)))
        except OSError:
            digest.update(b"unreadable")
    return digest.hexdigest()


def _file_hash(path: str) -> bytes:
    """SHA-256 of a file. On small files twice as fast as `hashlib.file_digest`, which makes a large buffer for each."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()


def _build(entry: Path, source: Source, wish: Wish, progress: Progress | None) -> None:
    contents = source.read()
    try:
        sweep_old(entry.parent)
        with atomic_folder(entry) as folder, quiet():
            _decode(folder, source.name, contents, wish, progress or (lambda done, total: None))
    except OSError as error:
        if not (entry / "meta.json").exists():  # else another process was faster
            raise DataError(
                f"cannot write the cache at {entry.parent}: {error.strerror or error}; free some space there, or set "
                "ADVERSARIA_CACHE to a folder that can be written"
            ) from error


def sweep_old(folder: Path) -> None:
    """Delete what killed processes left half-written in a folder of the cache, a day after."""
    for left in folder.glob(".*.tmp"):
        try:
            if time.time() - left.stat().st_mtime > _STALE:
                shutil.rmtree(left, ignore_errors=True)
        except OSError:
            continue  # another process sweeps too


def _open(entry: Path, name: str) -> Splits:
    try:
        meta = json.loads((entry / "meta.json").read_text(encoding="utf-8"))
        return Splits(*(_open_part(entry, part, meta, name) for part in _NAMES))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{entry}: this entry of the cache is damaged ({error}); delete the folder") from error


def _open_part(entry: Path, part: str, meta: dict[str, Any], name: str) -> ImageData:
    images = np.load(entry / f"{part}.images.npy", mmap_mode="c", allow_pickle=False)
    file = entry / f"{part}.labels.npy"
    labels = torch.from_numpy(np.load(file, allow_pickle=False)) if file.exists() else None
    classes = () if labels is None else tuple(meta["classes"])
    return ImageData(torch.from_numpy(images), labels, classes, name, meta["fingerprints"][part])


# --- building an entry -----------------------------------------------------------------------------------------


class _Route(NamedTuple):
    """A part of the source, and to which part of the splits each of its images goes."""

    part: Part
    goes_to: npt.NDArray[np.uint8]
    survey: Survey


class _Plan(NamedTuple):
    """What goes where, known before anything is decoded."""

    routes: list[_Route]
    counts: list[int]
    """Images of each part of the splits."""
    labels: list[npt.NDArray[np.int64] | None]
    """Their labels."""
    classes: tuple[str, ...]


def _plan(name: str, contents: Contents, wish: Wish, faults: Faults) -> _Plan:
    parts = [contents.train] if contents.test is None else [contents.train, contents.test]
    sizes = [len(part.images) for part in parts]
    labels, classes = index_classes([part.labels for part in parts], sizes, contents.classes, name)
    surveys = [part.images.survey(faults) for part in parts]
    known = None if labels[0] is None else torch.from_numpy(labels[0])
    held_out = wish.held_out if contents.test is None else 0.0
    goes_to = [divide(sizes[0], known, held_out, wish.calibration).numpy()]
    goes_to += [np.full(size, HELD_OUT, np.uint8) for size in sizes[1:]]
    everywhere = np.concatenate(goes_to)
    labelled = None if known is None else np.concatenate([part for part in labels if part is not None])
    chosen = [everywhere == part for part in range(len(_NAMES))]
    return _Plan(
        [_Route(*route) for route in zip(parts, goes_to, surveys, strict=True)],
        [int(mask.sum()) for mask in chosen],
        [None if labelled is None else labelled[mask] for mask in chosen],
        classes,
    )


def _decode(folder: Path, name: str, contents: Contents, wish: Wish, progress: Progress) -> None:
    faults = Faults()
    plan = _plan(name, contents, wish, faults)
    total = sum(plan.counts)
    if faults:  # the headers of some are bad already: look into the others, to name all that are
        for _ in _stream(plan, Form(1, 1), faults, progress):
            pass
        faults.check(name, total)
    form, size = _form(name, [route.survey for route in plan.routes], wish)
    with ExitStack() as stack:
        writers = [
            stack.enter_context(_Writer(folder, part, (count, form.channels, *size)))
            for part, count in zip(_NAMES, plan.counts, strict=True)
        ]
        for pixels, goes_to in _stream(plan, form, faults, progress):
            for part, writer in enumerate(writers):
                writer.add(pixels[goes_to == part])
        faults.check(name, total)
        prints = [writer.close(labels, plan.classes) for writer, labels in zip(writers, plan.labels, strict=True)]
    fingerprints = dict(zip(_NAMES, prints, strict=True))
    write_json(folder / "meta.json", {"format": _FORMAT, "classes": list(plan.classes), "fingerprints": fingerprints})


def _form(name: str, surveys: list[Survey], wish: Wish) -> tuple[Form, tuple[int, int]]:
    """What to decode to, and (height, width)."""
    channels = wish.channels or (1 if all(survey.gray for survey in surveys) else 3)
    if wish.resolution is not None:
        return Form(channels, wish.resolution), (wish.resolution, wish.resolution)
    sizes = sum((survey.sizes for survey in surveys), Counter[tuple[int, int]]())
    if len(sizes) > 1:
        came = ", ".join(f"{n:,} of {height} × {width}" for (height, width), n in sizes.most_common(5))
        more = f" and {len(sizes) - 5:,} other sizes" if len(sizes) > 5 else ""
        raise DataError(
            f"{name}: expected images of one size (height × width), came {came}{more}; "
            f"give a resolution, for example {_suggested(sizes)}"
        )
    return Form(channels, None), next(iter(sizes))


def _suggested(sizes: Counter[tuple[int, int]]) -> int:
    """The power of two from 8 to 128 nearest below the shortest side."""
    return max(8, min(128, 1 << (min(map(min, sizes)).bit_length() - 1)))


def _stream(
    plan: _Plan, form: Form, faults: Faults, progress: Progress
) -> Iterator[tuple[Pixels, npt.NDArray[np.uint8]]]:
    """Decoded images (n, C, H, W) in order, with the part that each goes to."""
    done, total = 0, sum(plan.counts)
    for part, goes_to, survey in plan.routes:
        start = 0
        for pixels in part.images.decode(form, survey, faults):
            yield pixels, goes_to[start : start + len(pixels)]
            start, done = start + len(pixels), done + len(pixels)
            progress(done, total)


class _Writer:
    """Writes one part, image after image: an `.npy` file that is mapped later, and its labels."""

    def __init__(self, folder: Path, key: str, shape: tuple[int, ...]) -> None:
        self._labels_file = folder / f"{key}.labels.npy"
        self._fingerprint = Fingerprint(shape)
        self._file: BinaryIO = (folder / f"{key}.images.npy").open("wb")
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, pixels: Pixels) -> None:
        pixels = np.ascontiguousarray(pixels)
        self._file.write(pixels.data)
        self._fingerprint.add(pixels)

    def close(self, labels: npt.NDArray[np.int64] | None, classes: tuple[str, ...]) -> str:
        if labels is not None:
            np.save(self._labels_file, labels)
        return self._fingerprint.close(labels, classes)
