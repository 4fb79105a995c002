"""Features that took long to make are kept on disk, beside the decoded images of `data.cache`.

    <cache>/features/<key>/   features.npy   meta.json

The key is the SHA-256 of everything that decides them: the content of the images (not their name, place or date), which
of them, the way from images to features with the hash of its weights, the kind of device, and the version of this
package. So an entry cannot go stale: other images, weights or rules are another entry. What is read back is compared
with its own SHA-256, and made again if it differs. An entry exists whole or not at all. Only features of extractors
that come with the package are kept, for of a function from elsewhere the hash does not cover the code.
"""

import contextlib
import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from adversaria.data.cache import sweep_old
from adversaria.downloads import cache_folder
from adversaria.errors import MetricError, nearest
from adversaria.files import atomic_folder, remove_folder, write_json

PATIENCE = 2.0
"""Seconds. What was made sooner is made again as soon as it would be read, and is not kept."""

FORMAT = 1

KINDS = ("decoded", "features")
"""What the cache holds, each in a folder of its own: decoded images, and features."""


def kept(facts: Mapping[str, Any], make: Callable[[], Tensor], *, about: str) -> Tensor:
    """Features (n, F) from the cache, mapped into memory; or made, and kept if that took long.

    Arguments:
        facts: in JSON, everything that decides the features.
        make: makes them.
        about: what they are, for people.

    A cache that cannot be written, or an entry that is damaged, is a warning; the features are right nevertheless.
    """
    key = hashlib.sha256(json.dumps({"format": FORMAT, **facts}, sort_keys=True).encode()).hexdigest()
    entry = cache_folder() / "features" / key
    if entry.exists():
        found = _read(entry)
        if found is not None:
            return found
    began = time.monotonic()
    features = make()
    if time.monotonic() - began >= PATIENCE:
        _write(entry, {"about": about, "facts": dict(facts)}, features)
    return features


def _read(entry: Path) -> Tensor | None:
    try:
        meta = json.loads((entry / "meta.json").read_text(encoding="utf-8"))
        with open(entry / "features.npy", "rb") as file:
            whole = hashlib.file_digest(file, "sha256").hexdigest() == meta["sha256"]
        if whole:
            # Copied on write: what is done to the features in memory does not reach the disk.
            return torch.from_numpy(np.load(entry / "features.npy", mmap_mode="c", allow_pickle=False))
        reason = "SHA-256 differs"
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        reason = str(error)
    warnings.warn(f"{entry}: these features are damaged ({reason}) and are made again", stacklevel=2)
    with contextlib.suppress(OSError):
        remove_folder(entry)
    return None


def _write(entry: Path, meta: Mapping[str, Any], features: Tensor) -> None:
    array = features.detach().cpu().numpy()
    try:
        sweep_old(entry.parent)
        with atomic_folder(entry) as folder:
            np.save(folder / "features.npy", array)
            with open(folder / "features.npy", "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            write_json(folder / "meta.json", {"sha256": digest, "shape": list(array.shape), **meta})
    except OSError as error:
        if not (entry / "meta.json").exists():  # else another process was faster
            warnings.warn(f"features were not kept in {entry.parent}: {error.strerror or error}", stacklevel=2)


# --- what is there ---------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """One entry of the cache."""

    kind: str
    """Of `KINDS`."""
    path: Path
    size: int
    """In bytes."""
    about: str
    """What it holds, for people."""

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return {"kind": self.kind, "path": str(self.path), "bytes": self.size, "about": self.about}


def entries(kind: str | None = None) -> list[Entry]:
    """What the cache holds, of one kind or of all.

    Raises:
        MetricError: there is no such kind.
    """
    return [entry for one in _chosen(kind) for entry in _entries(one)]


def clear(kind: str | None = None) -> list[Entry]:
    """Delete what the cache holds, of one kind or of all, and return what that was. It is made again when needed.

    Raises:
        MetricError: there is no such kind.
    """
    found = entries(kind)
    for entry in found:
        remove_folder(entry.path)
    return found


def _chosen(kind: str | None) -> tuple[str, ...]:
    if kind is not None and kind not in KINDS:
        raise MetricError(
            f"no kind '{kind}' of cache entries{nearest(kind, list(KINDS))}; there are {', '.join(KINDS)}"
        )
    return KINDS if kind is None else (kind,)


def _entries(kind: str) -> Iterator[Entry]:
    place = cache_folder() / kind
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        if path.is_dir() and not path.name.startswith("."):
            size = sum(file.stat().st_size for file in path.iterdir())
            yield Entry(kind, path, size, _about(kind, path))


def _about(kind: str, path: Path) -> str:
    try:
        meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
        if kind == "decoded":
            shapes = [np.load(file, mmap_mode="r").shape for file in sorted(path.glob("*.images.npy"))]
            return f"{sum(shape[0] for shape in shapes):,} images of {'×'.join(map(str, shapes[0][1:]))}"
        count, width = meta["shape"]
        return f"{count:,} × {width:,} features: {meta['about']}"
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return "damaged"
